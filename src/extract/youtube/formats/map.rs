//! The mapping itself: which formats of an answer can be used, and their fields.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use url::Url;

use super::model::{Challenge, Stream};
use super::{fields, sort};
use crate::extract::youtube::codecs::MediaType;
use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::js::{Cipher, n_of};
use crate::extract::youtube::response::player::{Player, RawFormat, StreamingData};

/// Most formats that are looked at; answers with many sound tracks have about 200.
const MAX_FORMATS: usize = 1000;

/// What a mapping needs besides the answer.
#[derive(Debug)]
pub(in crate::extract::youtube) struct Mapping<'a> {
    /// Hosts on which media may lie.
    pub(in crate::extract::youtube) hosts: &'a Hosts,
    /// Token that media requests of this client carry (`pot`).
    pub(in crate::extract::youtube) media_token: Option<&'a str>,
    /// Formats that work without the token; `None` = all do.
    pub(in crate::extract::youtube) token_free_itags: Option<&'a [u32]>,
}

/// The formats of an answer.
#[derive(Debug, Default)]
pub(in crate::extract::youtube) struct Mapped {
    /// The best first.
    pub(in crate::extract::youtube) streams: Vec<Stream>,
    /// What could not be used, and why.
    pub(in crate::extract::youtube) skipped: Skipped,
}

/// How many formats were left out, by reason.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::extract::youtube) struct Skipped {
    /// Neither address nor cipher: only the site's own protocol delivers them (SABR).
    pub(in crate::extract::youtube) no_address: usize,
    /// Encrypted.
    pub(in crate::extract::youtube) drm: usize,
    /// Pieces of a broadcast on air, or of one that must be fetched piece by piece (OTF).
    pub(in crate::extract::youtube) fragmented: usize,
    /// A token is needed that we don't have.
    pub(in crate::extract::youtube) no_token: usize,
    /// Address outside the known hosts, or a file type or codec list that we don't know.
    pub(in crate::extract::youtube) unusable: usize,
}

/// Why one format is left out.
enum Skip {
    NoAddress,
    Drm,
    Fragmented,
    NoToken,
    Unusable,
}

impl Skipped {
    fn count(&mut self, skip: &Skip) {
        let counter = match skip {
            Skip::NoAddress => &mut self.no_address,
            Skip::Drm => &mut self.drm,
            Skip::Fragmented => &mut self.fragmented,
            Skip::NoToken => &mut self.no_token,
            Skip::Unusable => &mut self.unusable,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Mapping<'_> {
    /// Maps the formats of an answer.
    pub(in crate::extract::youtube) fn map(&self, player: &Player) -> Mapped {
        let Some(data) = player.streaming_data.as_ref() else {
            return Mapped::default();
        };
        let video_seconds = player
            .video_details
            .as_ref()
            .and_then(|details| *details.length_seconds);
        let mut mapped = self.map_list(data, video_seconds);
        if let Some(language) = spoken_language(player) {
            for stream in mapped
                .streams
                .iter_mut()
                .filter(|stream| stream.acodec.is_some())
            {
                stream.language.get_or_insert_with(|| language.clone());
            }
        }
        sort::best_first(&mut mapped.streams);
        number_equal_ids(&mut mapped.streams);
        mapped
    }

    fn map_list(&self, data: &StreamingData, video_seconds: Option<u64>) -> Mapped {
        let mut mapped = Mapped::default();
        let mut seen = HashSet::new();
        for raw in data
            .formats
            .iter()
            .chain(data.adaptive_formats.iter())
            .take(MAX_FORMATS)
        {
            let track = raw
                .audio_track
                .as_ref()
                .and_then(|track| track.id.as_ref().cloned());
            match self.map_one(raw, video_seconds) {
                Ok(stream) => {
                    if seen.insert((stream.itag, track, stream.is_drc)) {
                        mapped.streams.push(stream);
                    }
                }
                Err(skip) => mapped.skipped.count(&skip),
            }
        }
        mapped
    }

    fn map_one(&self, raw: &RawFormat, video_seconds: Option<u64>) -> Result<Stream, Skip> {
        if !raw.drm_families.is_empty() {
            return Err(Skip::Drm);
        }
        let is_otf = raw.stream_type.as_deref() == Some("FORMAT_STREAM_TYPE_OTF");
        if is_otf || raw.target_duration_sec.is_some() {
            return Err(Skip::Fragmented);
        }
        let itag = raw
            .itag
            .and_then(|itag| u32::try_from(itag).ok())
            .ok_or(Skip::Unusable)?;
        let media = raw
            .mime_type
            .as_deref()
            .and_then(MediaType::parse)
            .ok_or(Skip::Unusable)?;
        let mut address = self.address(raw)?;
        self.add_token(itag, &mut address)?;
        Ok(build(raw, itag, media, address, video_seconds))
    }

    /// The address of a format.
    fn address(&self, raw: &RawFormat) -> Result<Address, Skip> {
        let (text, signature) = match (raw.url.as_ref(), raw.signature_cipher.as_ref()) {
            (Some(url), _) => (url.clone(), None),
            (None, Some(cipher)) => {
                let cipher = Cipher::parse(cipher).ok_or(Skip::Unusable)?;
                (cipher.url, Some((cipher.signature, cipher.parameter)))
            }
            (None, None) => return Err(Skip::NoAddress),
        };
        if !self.hosts.is_media(&text) {
            return Err(Skip::Unusable);
        }
        let url = Url::parse(&text).map_err(|_| Skip::Unusable)?;
        let n = n_of(&text).map(Cow::into_owned);
        let is_upscaled =
            query(&url, "xtags").is_some_and(|tags| tags.split(':').any(|tag| tag == "sr=1"));
        let challenge = (signature.is_some() || n.is_some()).then_some(Challenge { signature, n });
        Ok(Address {
            text,
            challenge,
            is_upscaled,
        })
    }

    /// Appends the media token where there is one.
    fn add_token(&self, itag: u32, address: &mut Address) -> Result<(), Skip> {
        match (self.media_token, self.token_free_itags) {
            (Some(token), _) => {
                let token: String =
                    url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
                address.text.push_str("&pot=");
                address.text.push_str(&token);
                Ok(())
            }
            (None, Some(free)) if !free.contains(&itag) => Err(Skip::NoToken),
            (None, _) => Ok(()),
        }
    }
}

/// The address of a format, and what is read off it.
struct Address {
    text: String,
    challenge: Option<Challenge>,
    is_upscaled: bool,
}

/// A query parameter of an address.
fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn build(
    raw: &RawFormat,
    itag: u32,
    media: MediaType,
    address: Address,
    video_seconds: Option<u64>,
) -> Stream {
    let is_drc = raw.is_drc.unwrap_or(false);
    let quality = fields::quality_word(raw, itag);
    let is_damaged = fields::is_damaged(raw, video_seconds);
    let (language, language_preference) = fields::language(raw);
    let suffix = match (is_drc, address.is_upscaled) {
        (true, _) => "-drc",
        (false, true) => "-sr",
        (false, false) => "",
    };
    Stream {
        itag,
        format_id: format!("{itag}{suffix}"),
        dynamic_range: fields::dynamic_range(raw, &media),
        format_note: fields::note(raw, &quality, address.is_upscaled, is_damaged),
        url: address.text,
        challenge: address.challenge,
        ext: media.extension,
        vcodec: media.video,
        acodec: media.audio,
        codecs: media.codecs,
        width: fields::small(*raw.width),
        height: fields::small(*raw.height),
        // Some formats are said to have one frame per second (yt-dlp).
        fps: fields::small(*raw.fps).filter(|fps| *fps > 1),
        bitrate_bps: raw
            .average_bitrate
            .filter(|rate| *rate > 0)
            .or(*raw.bitrate),
        asr: fields::small(*raw.audio_sample_rate),
        audio_channels: fields::small(*raw.audio_channels),
        filesize: *raw.content_length,
        duration_ms: *raw.approx_duration_ms,
        quality: fields::rank(&quality) - if is_drc { 0.5 } else { 0.0 },
        language,
        language_preference,
        source_preference: fields::source_preference(raw, itag),
        preference: fields::preference(itag, is_damaged),
        label: raw.quality_label.as_ref().cloned(),
        track_id: fields::track_id(raw),
        track_name: raw
            .audio_track
            .as_ref()
            .and_then(|track| track.display_name.as_ref().cloned()),
        is_drc,
        last_modified: raw.last_modified.as_ref().cloned(),
        init_range: fields::span(raw.init_range.as_ref()),
        index_range: fields::span(raw.index_range.as_ref()),
    }
}

/// The language that is spoken, as the subtitles made by speech recognition tell it.
fn spoken_language(player: &Player) -> Option<String> {
    player
        .caption_tracks()
        .iter()
        .filter(|track| track.kind.as_deref() == Some("asr"))
        .filter(|track| track.is_translatable.unwrap_or(false))
        .find_map(|track| track.language_code.as_ref().cloned())
}

/// Numbers formats of equal id (one per sound track), the worst first, as yt-dlp does.
fn number_equal_ids(streams: &mut [Stream]) {
    let mut total: BTreeMap<String, usize> = BTreeMap::new();
    for stream in streams.iter() {
        let count = total.entry(stream.format_id.clone()).or_default();
        *count = count.saturating_add(1);
    }
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for stream in streams.iter_mut().rev() {
        if total.get(&stream.format_id).is_some_and(|count| *count > 1) {
            let number = next.entry(stream.format_id.clone()).or_default();
            let id = format!("{}-{number}", stream.format_id);
            *number = number.saturating_add(1);
            stream.format_id = id;
        }
    }
}
