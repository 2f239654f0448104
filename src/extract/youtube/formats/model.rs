//! One format in YouTube's and yt-dlp's terms, and its translation into the house's.

use crate::extract::selector::{Candidate, Value};
use crate::extract::youtube::codecs::family;
use crate::extract::{AudioTrack, Container, DynamicRange, Format, StreamFacts, Tracks};

/// One format, with everything that ranks and selects it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::extract::youtube) struct Stream {
    /// Number of the format among YouTube's.
    pub(in crate::extract::youtube) itag: u32,
    /// [`Stream::itag`] with `-drc` or `-sr`, and a number where several sound tracks share it.
    pub(in crate::extract::youtube) format_id: String,
    /// Address of the bytes; ready for use once [`Stream::challenge`] is solved.
    pub(in crate::extract::youtube) url: String,
    /// What the player script must work out before the address is good.
    pub(in crate::extract::youtube) challenge: Option<Challenge>,
    pub(in crate::extract::youtube) ext: &'static str,
    /// Codec of the picture; `None` = no picture.
    pub(in crate::extract::youtube) vcodec: Option<String>,
    /// Codec of the sound; `None` = no sound.
    pub(in crate::extract::youtube) acodec: Option<String>,
    pub(in crate::extract::youtube) codecs: String,
    pub(in crate::extract::youtube) dynamic_range: Option<DynamicRange>,
    pub(in crate::extract::youtube) width: Option<u32>,
    pub(in crate::extract::youtube) height: Option<u32>,
    pub(in crate::extract::youtube) fps: Option<u32>,
    /// Average bits per second, or the peak where no average is given.
    pub(in crate::extract::youtube) bitrate_bps: Option<u64>,
    pub(in crate::extract::youtube) asr: Option<u32>,
    pub(in crate::extract::youtube) audio_channels: Option<u8>,
    pub(in crate::extract::youtube) filesize: Option<u64>,
    pub(in crate::extract::youtube) duration_ms: Option<u64>,
    /// Rank among YouTube's quality words; -1 for an unknown one.
    pub(in crate::extract::youtube) quality: f64,
    pub(in crate::extract::youtube) language: Option<String>,
    pub(in crate::extract::youtube) language_preference: i32,
    pub(in crate::extract::youtube) source_preference: i32,
    pub(in crate::extract::youtube) preference: Option<i32>,
    pub(in crate::extract::youtube) format_note: String,
    pub(in crate::extract::youtube) label: Option<String>,
    /// `audioTrack.id`: language and kind of the sound track, e.g. `en.4`.
    pub(in crate::extract::youtube) track_id: Option<String>,
    pub(in crate::extract::youtube) track_name: Option<String>,
    pub(in crate::extract::youtube) is_drc: bool,
    /// `lastModified`: with itag and length it names the very bytes.
    pub(in crate::extract::youtube) last_modified: Option<String>,
    pub(in crate::extract::youtube) init_range: Option<(u64, u64)>,
    pub(in crate::extract::youtube) index_range: Option<(u64, u64)>,
}

/// What the player script must work out for one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::extract::youtube) struct Challenge {
    /// The signature as given, and the parameter that takes the solved one.
    pub(in crate::extract::youtube) signature: Option<(String, String)>,
    /// The `n` parameter as given.
    pub(in crate::extract::youtube) n: Option<String>,
}

impl Stream {
    /// Thousand bits per second.
    pub(in crate::extract::youtube) fn tbr(&self) -> Option<f64> {
        Some(self.bitrate_bps? as f64 / 1000.0)
    }

    /// Bytes, reckoned from bit rate and length as yt-dlp's `filesize_from_tbr` does.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range; the fraction is dropped on purpose"
    )]
    pub(in crate::extract::youtube) fn filesize_approx(&self) -> Option<u64> {
        let seconds = self.duration_ms? as f64 / 1000.0;
        let bytes = seconds * self.tbr()? * 125.0;
        (0.0..1e18).contains(&bytes).then_some(bytes as u64)
    }

    /// Bits per second of the sound alone where it can be told, in thousands.
    fn abr(&self) -> Option<f64> {
        self.side_rate(self.acodec.is_some(), self.vcodec.is_none())
    }

    /// Bits per second of the picture alone where it can be told, in thousands.
    fn vbr(&self) -> Option<f64> {
        self.side_rate(self.vcodec.is_some(), self.acodec.is_none())
    }

    fn side_rate(&self, is_there: bool, is_alone: bool) -> Option<f64> {
        match (is_there, is_alone) {
            (false, _) => Some(0.0),
            (true, true) => self.tbr(),
            (true, false) => None,
        }
    }

    /// yt-dlp's name of a file with a single track.
    pub(in crate::extract::youtube) fn container(&self) -> Option<String> {
        let is_single = self.vcodec.is_none() || self.acodec.is_none();
        is_single.then(|| format!("{}_dash", self.ext))
    }

    /// The same in the house's terms; `None` for file types that are not served (3GP).
    pub(in crate::extract::youtube) fn to_format(&self) -> Option<Format> {
        let tracks = match (&self.vcodec, &self.acodec) {
            (Some(_), Some(_)) => Tracks::Combined,
            (Some(_), None) => Tracks::Video,
            (None, _) => Tracks::Audio,
        };
        let container = match self.ext {
            "mp4" => Container::Mp4,
            "webm" => Container::Webm,
            "m4a" => Container::M4a,
            _ => return None,
        };
        Some(Format {
            id: self.format_id.clone(),
            urls: vec![self.url.clone()],
            tracks,
            container,
            width: self.width,
            height: self.height,
            fps: self.fps,
            vcodec: self.vcodec.as_deref().and_then(family),
            acodec: self.acodec.as_deref().and_then(family),
            bitrate_bps: self.bitrate_bps,
            filesize: self.filesize,
            label: self.label.clone(),
            is_watermarked: false,
            facts: Box::new(self.facts()),
        })
    }

    fn facts(&self) -> StreamFacts {
        let audio = self.acodec.is_some().then(|| AudioTrack {
            id: self.track_id.clone(),
            language: self.language.clone(),
            name: self.track_name.clone(),
            preference: self.language_preference,
        });
        StreamFacts {
            codecs: Some(self.codecs.clone()),
            dynamic_range: self.dynamic_range,
            audio,
            sample_rate_hz: self.asr,
            channels: self.audio_channels,
            is_compressed_loudness: self.is_drc,
            identity: self
                .last_modified
                .as_ref()
                .map(|lmt| format!("{}.{lmt}", self.itag)),
            duration_ms: self.duration_ms,
            init_range: self.init_range,
            index_range: self.index_range,
            filesize_approx: self.filesize_approx(),
        }
    }
}

impl Candidate for Stream {
    fn id(&self) -> &str {
        &self.format_id
    }

    fn has_video(&self) -> bool {
        self.vcodec.is_some()
    }

    fn has_audio(&self) -> bool {
        self.acodec.is_some()
    }

    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "format_id" => Value::text(&self.format_id),
            "ext" => Value::text(self.ext),
            "vcodec" => Value::text(self.vcodec.as_deref().unwrap_or("none")),
            "acodec" => Value::text(self.acodec.as_deref().unwrap_or("none")),
            "container" => self.container().into(),
            "protocol" => Value::text("https"),
            "language" => self.language.as_deref().into(),
            "format_note" => Value::text(&self.format_note),
            "dynamic_range" => self.dynamic_range.map(DynamicRange::name).into(),
            "width" => self.width.into(),
            "height" => self.height.into(),
            "fps" => self.fps.into(),
            "tbr" => self.tbr().into(),
            "vbr" => self.vbr().into(),
            "abr" => self.abr().into(),
            "asr" => self.asr.into(),
            "audio_channels" => self.audio_channels.into(),
            "filesize" => self.filesize.into(),
            "filesize_approx" => self.filesize_approx().into(),
            "quality" => Value::Number(self.quality),
            "language_preference" => Value::Number(self.language_preference.into()),
            "source_preference" => Value::Number(self.source_preference.into()),
            "preference" => self.preference.into(),
            _ => Value::Unknown,
        }
    }
}
