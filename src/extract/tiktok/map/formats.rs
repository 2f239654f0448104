//! One format per encoding: mirrors, duplicates, order. Shared by both shapes of answer.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::frame::Frame;
use super::key::{CodecName, UrlKey, codec_name};
use super::{address, small, track_container};
use crate::extract::line::one_line;
use crate::extract::select::{HD, rank};
use crate::extract::{Codec, Container, Format, Tracks};

/// One encoding as an answer tells it, whatever the shape.
#[derive(Debug, Default)]
pub(super) struct Encoding<'a> {
    /// Name for the id when there is no key.
    pub(super) name: &'a str,
    pub(super) key: &'a str,
    pub(super) urls: &'a [String],
    pub(super) codec: &'a str,
    /// Size as the address says.
    pub(super) frame: Frame,
    pub(super) fps: Option<u64>,
    pub(super) bitrate_bps: Option<u64>,
    pub(super) filesize: Option<u64>,
    pub(super) is_mute: bool,
    pub(super) is_watermarked: bool,
}

/// Which mirrors of an encoding are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApiAddresses {
    /// `aweme/v1/play` never: broken on the web (yt-dlp #11034).
    Never,
    /// Only where there is nothing else: they lead to a CDN.
    LastResort,
}

/// Encodings kept of one post; 23 is the most in recordings.
const MAX_FORMATS: usize = 64;
/// Warnings kept of one post: a few tell as much as all.
const MAX_WARNINGS: usize = 8;

/// The formats of a post while they are gathered.
#[derive(Debug)]
pub(super) struct Gathered {
    frame: Frame,
    api: ApiAddresses,
    formats: Vec<Format>,
    places: HashSet<String>,
    /// What could not be used.
    pub(super) warnings: Vec<String>,
}

impl Gathered {
    /// An empty collection for a post with this picture.
    pub(super) fn new(frame: Frame, api: ApiAddresses) -> Self {
        Self {
            frame,
            api,
            formats: Vec::new(),
            places: HashSet::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether a clean video was found.
    pub(super) fn has_clean_video(&self) -> bool {
        self.formats
            .iter()
            .any(|format| format.has_video() && !format.is_watermarked)
    }

    /// Adds an encoding, unless nothing plays it, it has no usable address, or its file is there already.
    pub(super) fn add(&mut self, encoding: &Encoding<'_>) {
        let key = UrlKey::parse(encoding.key);
        let codec = match codec_name(key.map_or(encoding.codec, |key| key.codec)) {
            CodecName::Unplayable => return,
            CodecName::Known(codec) => Some(codec),
            CodecName::Unknown => {
                self.warn(format!("{}: unknown codec", one_line(encoding.name)));
                None
            }
        };
        let urls = self.mirrors(encoding.urls);
        if urls.is_empty() || !self.is_new(&urls) {
            return;
        }
        if self.formats.len() >= MAX_FORMATS {
            self.warn("more encodings than can be".to_owned());
            return;
        }
        let frame = self.frame_of(encoding, key);
        let id = self.unique_id(key.map_or(encoding.name, |key| key.id));
        self.formats.push(Format {
            id,
            urls,
            tracks: if encoding.is_mute {
                Tracks::Video
            } else {
                Tracks::Combined
            },
            container: Container::Mp4,
            width: frame.width,
            height: frame.height,
            fps: small(encoding.fps),
            vcodec: codec,
            acodec: (!encoding.is_mute).then_some(Codec::Aac),
            bitrate_bps: encoding
                .bitrate_bps
                .or(key.map(|key| key.bitrate_bps))
                .filter(|bitrate| *bitrate > 0),
            filesize: encoding.filesize.filter(|size| *size > 0),
            label: key.map(|key| format!("{}p", key.resolution)),
            is_watermarked: encoding.is_watermarked,
            facts: Box::default(),
        });
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// Adds the sound track.
    pub(super) fn add_audio(&mut self, format: Option<Format>) {
        if let Some(mut format) = format {
            format.id = self.unique_id(&format.id);
            self.formats.push(format);
        }
    }

    /// The size that an encoding really has.
    fn frame_of(&self, encoding: &Encoding<'_>, key: Option<UrlKey<'_>>) -> Frame {
        let told = encoding.frame;
        match key {
            _ if told.sides().is_some() && told.is_like(self.frame) => told,
            Some(key) => self.frame.scaled(key.resolution),
            None => told,
        }
    }

    /// The addresses that can be used.
    fn mirrors(&self, urls: &[String]) -> Vec<String> {
        let usable = urls
            .iter()
            .filter_map(|url| address(url))
            .map(|url| url.replace("/aweme/v1/playwm/", "/aweme/v1/play/"))
            .filter(|url| !is_silent_hevc(url));
        let (api, direct): (Vec<_>, Vec<_>) = usable.partition(|url| is_api(url));
        match self.api {
            ApiAddresses::LastResort if direct.is_empty() => api,
            ApiAddresses::LastResort | ApiAddresses::Never => direct,
        }
    }

    /// Whether none of these addresses leads to a file that is there already; remembers them.
    fn is_new(&mut self, urls: &[String]) -> bool {
        let places: Vec<&str> = urls.iter().map(|url| place(url)).collect();
        let is_new = !places.iter().any(|place| self.places.contains(*place));
        self.places.extend(places.into_iter().map(str::to_owned));
        is_new
    }

    /// `id`, with a number behind it if it is taken.
    fn unique_id(&self, id: &str) -> String {
        let is_free = |id: &str| !self.formats.iter().any(|format| format.id == id);
        if is_free(id) {
            return id.to_owned();
        }
        (2..=MAX_FORMATS)
            .map(|number| format!("{id}-{number}"))
            .find(|id| is_free(id))
            .unwrap_or_default()
    }

    /// The formats in the order in which they are offered: with sound, best first, the watermarked ones last; then
    /// sound alone; then picture alone. The first is H.264 whenever a clean one in HD exists.
    pub(super) fn into_formats(self) -> Vec<Format> {
        let mut formats = self.formats;
        formats.sort_by_key(|format| (group(format), Reverse(rank(format))));
        let first = formats.iter().position(|format| {
            group(format) == 0
                && format.vcodec == Some(Codec::H264)
                && format.short_side().is_some_and(|side| side >= HD)
        });
        if let Some(before) = first.and_then(|index| formats.get_mut(..=index)) {
            before.rotate_right(1);
        }
        formats
    }
}

fn group(format: &Format) -> u8 {
    match (format.tracks, format.is_watermarked) {
        (Tracks::Combined, false) => 0,
        (Tracks::Combined, true) => 1,
        (Tracks::Audio, _) => 2,
        (Tracks::Video, _) => 3,
    }
}

/// Addresses of the API that redirect to a CDN, or nowhere.
fn is_api(url: &str) -> bool {
    before_query(url).contains("/aweme/v1/")
}

/// HEVC without sound, or 404 (yt-dlp #16622, #16950, #17372).
fn is_silent_hevc(url: &str) -> bool {
    before_query(url).ends_with("/media-video-hvc1/")
}

/// What names the file in an address: the path, as mirrors differ in host and query; an API's address whole.
fn place(url: &str) -> &str {
    if is_api(url) {
        return url;
    }
    let rest = before_query(url)
        .split_once("://")
        .map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(_, path)| path)
}

fn before_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(before, _)| before)
}

/// A sound track as a format.
pub(super) fn track(urls: Vec<String>) -> Option<Format> {
    let container = track_container(urls.first()?);
    let codec = match container {
        Container::Mp3 => Codec::Mp3,
        _ => Codec::Aac,
    };
    Some(Format {
        id: "audio".to_owned(),
        urls,
        tracks: Tracks::Audio,
        container,
        width: None,
        height: None,
        fps: None,
        vcodec: None,
        acodec: Some(codec),
        bitrate_bps: None,
        filesize: None,
        label: None,
        is_watermarked: false,
        facts: Box::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: u64, height: u64) -> Frame {
        Frame::new(Some(width), Some(height))
    }

    fn upright() -> Gathered {
        Gathered::new(frame(576, 1024), ApiAddresses::Never)
    }

    fn urls(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| format!("https://{path}")).collect()
    }

    fn encoding<'a>(key: &'a str, urls: &'a [String]) -> Encoding<'a> {
        Encoding {
            name: "gear",
            key,
            urls,
            codec: "h264",
            ..Encoding::default()
        }
    }

    #[test]
    fn placeholder_size_of_an_address_is_not_believed() {
        let list = urls(&["a.test/1"]);
        let mut gathered = upright();
        gathered.add(&Encoding {
            frame: frame(720, 720),
            ..encoding("v0_h264_540p_100", &list)
        });
        assert_eq!(gathered.formats[0].short_side(), Some(576));
    }

    #[test]
    fn mirrors_make_one_format_and_broken_ones_are_dropped() {
        let list = urls(&[
            "v16.test/f/1/?a=1&&bt=2",
            "v19.test/f/1/?b=2",
            "www.site.test/aweme/v1/play/?x=1",
            "v16.test/f/media-video-hvc1/?a=1",
        ]);
        let mut gathered = upright();
        gathered.add(&encoding("v0_h264_540p_100", &list));
        assert_eq!(gathered.formats[0].urls, list[..2]);
        assert_eq!(gathered.formats[0].id, "h264_540p_100");
    }

    #[test]
    fn unplayable_and_addressless_encodings_are_dropped() {
        let list = urls(&["a.test/1"]);
        let silent = urls(&["a.test/2/media-video-hvc1/"]);
        let mut gathered = upright();
        gathered.add(&encoding("v0_bytevc2_1080p_100", &list));
        gathered.add(&encoding("v0_bytevc1_1080p_100", &silent));
        gathered.add(&encoding("v0_h264_540p_100", &[]));
        assert!(gathered.formats.is_empty() && gathered.warnings.is_empty());
    }

    #[test]
    fn same_file_is_offered_once_and_same_name_gets_a_number() {
        let (one, mirror, two) = (
            urls(&["a.test/1?x"]),
            urls(&["b.test/1?y"]),
            urls(&["a.test/2"]),
        );
        let mut gathered = upright();
        for list in [&one, &mirror, &two] {
            gathered.add(&encoding("v0_h264_540p_100", list));
        }
        let ids: Vec<_> = gathered
            .formats
            .iter()
            .map(|format| format.id.as_str())
            .collect();
        assert_eq!(ids, ["h264_540p_100", "h264_540p_100-2"]);
    }

    #[test]
    fn api_addresses_are_a_last_resort_in_app_answers() {
        let list = urls(&["api.test/aweme/v1/playwm/?id=1"]);
        let mut gathered = Gathered::new(Frame::default(), ApiAddresses::LastResort);
        gathered.add(&encoding("", &list));
        assert_eq!(
            gathered.formats[0].urls,
            ["https://api.test/aweme/v1/play/?id=1"]
        );
    }

    #[test]
    fn first_is_h264_when_there_is_one_in_hd() {
        let lists: Vec<_> = ["1", "2", "3", "4", "5"]
            .iter()
            .map(|path| urls(&[&format!("a.test/{path}")]))
            .collect();
        let mut gathered = upright();
        for (key, list) in [
            "v0_bytevc1_1080p_5",
            "v0_h264_540p_9",
            "v0_h264_720p_7",
            "v0_bytevc1_720p_6",
        ]
        .iter()
        .zip(&lists)
        {
            gathered.add(&encoding(key, list));
        }
        gathered.add(&Encoding {
            is_watermarked: true,
            ..encoding("v0_h264_2160p_99", &lists[4])
        });
        gathered.add_audio(track(urls(&["a.test/track"])));
        let ids: Vec<_> = gathered
            .into_formats()
            .into_iter()
            .map(|format| format.id)
            .collect();
        assert_eq!(
            ids,
            [
                "h264_720p_7",
                "bytevc1_1080p_5",
                "bytevc1_720p_6",
                "h264_540p_9",
                "h264_2160p_99",
                "audio"
            ]
        );
    }

    #[test]
    fn warning_about_an_encoding_is_one_short_line() {
        let mut gathered = upright();
        let name = format!("new\n2026-11-22T12:00:00Z  INFO x{}", "y".repeat(1_000_000));
        gathered.add(&Encoding {
            name: &name,
            codec: "new",
            ..encoding("", &urls(&["a.test/1"]))
        });
        let [warning] = &gathered.warnings[..] else {
            panic!("{}", gathered.warnings.len());
        };
        assert!(warning.len() < 300 && !warning.contains('\n'), "{warning}");
    }

    #[test]
    fn flood_of_encodings_is_cut() {
        let mut gathered = upright();
        for number in 0..1000 {
            let list = urls(&[&format!("a.test/{number}")]);
            gathered.add(&Encoding {
                codec: "new",
                ..encoding("", &list)
            });
        }
        assert_eq!(gathered.warnings.len(), MAX_WARNINGS);
        let formats = gathered.into_formats();
        assert_eq!(formats.len(), MAX_FORMATS);
        let ids: HashSet<_> = formats.iter().map(|format| &format.id).collect();
        assert_eq!(ids.len(), MAX_FORMATS);
    }

    #[test]
    fn without_h264_in_hd_the_best_is_first() {
        let (one, two) = (urls(&["a.test/1"]), urls(&["a.test/2"]));
        let mut gathered = upright();
        gathered.add(&encoding("v0_h264_540p_9", &one));
        gathered.add(&encoding("v0_bytevc1_1080p_5", &two));
        assert_eq!(gathered.into_formats()[0].id, "bytevc1_1080p_5");
    }
}
