//! Choosing among the formats of a post: the picks that a client is offered by name.
//!
//! Pure and site-neutral; called by `services`. Two rules hold for every pick: a file that carries the site's mark is
//! never among the clean ones, and HD is decided by the shorter side, so that an upright 720×1280 counts as 720p.

use std::cmp::Reverse;

use super::{AudioTrack, Codec, Container, Format, Tracks};

/// Short side in pixels from which a picture counts as HD.
pub const HD: u32 = 720;

/// The site's own download with its mark.
pub fn watermark(formats: &[Format]) -> Option<&Format> {
    marked(formats).next()
}

/// A download with the site's mark, if it really is HD.
pub fn watermark_hd(formats: &[Format]) -> Option<&Format> {
    best(marked(formats).filter(|format| side(format) >= HD))
}

/// The clean file that plays everywhere: H.264 with sound whenever the post has one, below HD where possible, else
/// the smallest above.
pub fn no_watermark(formats: &[Format]) -> Option<&Format> {
    small(clean(formats).filter(is_h264)).or_else(|| small(clean(formats)))
}

/// The best clean file: H.264 with sound if it is HD, else whatever playable codec gives the most.
pub fn no_watermark_hd(formats: &[Format]) -> Option<&Format> {
    best(
        clean(formats)
            .filter(is_h264)
            .filter(|format| side(format) >= HD),
    )
    .or_else(|| best(clean(formats)))
}

/// The sound alone: of the tracks that are meant, as their author mixed them, MP3 where the site has it, then AAC, which
/// plays everywhere, else the best. `None` says nothing about the sound inside the combined formats.
pub fn mp3<'a>(formats: impl IntoIterator<Item = &'a Format>) -> Option<&'a Format> {
    sounds(formats).into_iter().min_by_key(|format| {
        let spread = match format.container {
            Container::Mp3 => 0,
            Container::M4a | Container::Mp4 => 1,
            Container::Webm => 2,
        };
        let is_evened_out = format.facts.is_compressed_loudness;
        (
            meant(format),
            is_evened_out,
            spread,
            Reverse(format.bitrate_bps),
        )
    })
}

/// The tracks of sound alone: those of the original language before others, and last those whose loudness was evened out;
/// else in the site's order.
pub fn sounds<'a>(formats: impl IntoIterator<Item = &'a Format>) -> Vec<&'a Format> {
    let mut sounds: Vec<&Format> = formats
        .into_iter()
        .filter(|format| format.tracks == Tracks::Audio)
        .collect();
    sounds.sort_by_key(|format| (format.facts.is_compressed_loudness, meant(format)));
    sounds
}

/// The site's id of the sound track of `format`, where it is one of several tracks among `formats`.
pub fn one_of_several<'a>(formats: &[Format], format: &'a Format) -> Option<&'a str> {
    let own = format.track_id()?;
    let others = formats.iter().filter_map(Format::track_id);
    others.into_iter().any(|other| other != own).then_some(own)
}

/// How much a track is the one that is meant; the least is. One that is not one of several is.
fn meant(format: &Format) -> Reverse<i32> {
    let track = format.facts.audio.as_ref();
    let named = track.filter(|track| track.name.is_some());
    Reverse(named.map_or(AudioTrack::ORIGINAL, |track| track.preference))
}

/// The formats with a picture no higher than `limit` by its short side, and the sound; all of them where nothing clean
/// with picture and sound is that small.
pub fn within(formats: &[Format], limit: u32) -> Vec<Format> {
    let fits = |format: &Format| lines(format).is_none_or(|lines| lines <= limit);
    if !clean(formats).any(fits) {
        return formats.to_vec();
    }
    let fitting = formats.iter().filter(|format| fits(format));
    fitting.cloned().collect()
}

/// The short side, or what the site calls it when that is less: files called `540p` are 576 wide.
fn lines(format: &Format) -> Option<u32> {
    let label = format.label.as_deref().unwrap_or_default();
    let named = label.split('p').next().and_then(|lines| lines.parse().ok());
    let side = format.short_side();
    side.map(|side| named.map_or(side, |named: u32| named.min(side)))
}

/// How much picture a format gives: by short side, then H.264 before what fewer players know, then bitrate.
pub fn rank(format: &Format) -> impl Ord + use<> {
    (
        side(format),
        format.vcodec == Some(Codec::H264),
        format.bitrate_bps,
    )
}

fn clean(formats: &[Format]) -> impl Iterator<Item = &Format> {
    combined(formats).filter(|format| !format.is_watermarked)
}

fn marked(formats: &[Format]) -> impl Iterator<Item = &Format> {
    combined(formats).filter(|format| format.is_watermarked)
}

fn combined(formats: &[Format]) -> impl Iterator<Item = &Format> {
    formats
        .iter()
        .filter(|format| format.tracks == Tracks::Combined)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that `Iterator::filter` asks for"
)]
fn is_h264(format: &&Format) -> bool {
    format.vcodec == Some(Codec::H264)
}

/// Short side; an unknown one counts as small.
fn side(format: &Format) -> u32 {
    format.short_side().unwrap_or(0)
}

/// The best of several; the first of equals.
fn best<'a>(formats: impl Iterator<Item = &'a Format>) -> Option<&'a Format> {
    formats.min_by_key(|format| Reverse(rank(format)))
}

/// The best below HD, else the smallest above.
fn small<'a>(formats: impl Iterator<Item = &'a Format>) -> Option<&'a Format> {
    let (below, above): (Vec<_>, Vec<_>) = formats.partition(|format| side(format) < HD);
    best(below.into_iter()).or_else(|| above.into_iter().min_by_key(|format| rank(format)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::StreamFacts;

    fn video(id: &str, width: u32, height: u32, vcodec: Codec) -> Format {
        Format {
            id: id.to_owned(),
            urls: vec![format!("https://cdn.test/{id}")],
            tracks: Tracks::Combined,
            container: Container::Mp4,
            width: Some(width),
            height: Some(height),
            fps: None,
            vcodec: Some(vcodec),
            acodec: Some(Codec::Aac),
            bitrate_bps: Some(1000),
            filesize: None,
            label: None,
            is_watermarked: false,
            facts: Box::default(),
        }
    }

    fn marked(id: &str, size: Option<(u32, u32)>) -> Format {
        Format {
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            is_watermarked: true,
            ..video(id, 0, 0, Codec::H264)
        }
    }

    fn audio(id: &str, container: Container, bitrate_bps: Option<u64>) -> Format {
        Format {
            tracks: Tracks::Audio,
            container,
            bitrate_bps,
            vcodec: None,
            ..video(id, 0, 0, Codec::H264)
        }
    }

    fn id(format: Option<&Format>) -> Option<&str> {
        format.map(|format| format.id.as_str())
    }

    #[test]
    fn upright_540p_and_hevc_1080p_give_h264_and_hevc() {
        let formats = [
            video("hevc1080", 1080, 1920, Codec::Hevc),
            video("hevc720", 720, 1280, Codec::Hevc),
            video("h264", 576, 1024, Codec::H264),
            marked("download", None),
        ];
        assert_eq!(id(no_watermark(&formats)), Some("h264"));
        assert_eq!(id(no_watermark_hd(&formats)), Some("hevc1080"));
        assert_eq!(id(watermark(&formats)), Some("download"));
        assert_eq!(id(watermark_hd(&formats)), None);
        assert_eq!(id(mp3(&formats)), None);
    }

    #[test]
    fn h264_in_hd_wins_over_larger_hevc() {
        let formats = [
            video("hevc1080", 1080, 1920, Codec::Hevc),
            video("h264", 720, 1280, Codec::H264),
        ];
        assert_eq!(id(no_watermark_hd(&formats)), Some("h264"));
        assert_eq!(id(no_watermark(&formats)), Some("h264"));
    }

    #[test]
    fn smallest_h264_above_hd_when_there_is_none_below() {
        let formats = [
            video("1080", 1080, 1920, Codec::H264),
            video("720", 720, 1280, Codec::H264),
            video("hevc540", 576, 1024, Codec::Hevc),
        ];
        assert_eq!(id(no_watermark(&formats)), Some("720"));
        assert_eq!(id(no_watermark_hd(&formats)), Some("1080"));
    }

    #[test]
    fn hevc_alone_fills_both_picks() {
        let formats = [
            video("1080", 1080, 1920, Codec::Hevc),
            video("540", 576, 1024, Codec::Hevc),
        ];
        assert_eq!(id(no_watermark(&formats)), Some("540"));
        assert_eq!(id(no_watermark_hd(&formats)), Some("1080"));
    }

    #[test]
    fn marked_file_is_never_clean_and_hd_only_when_large() {
        let formats = [
            marked("sd", Some((576, 1024))),
            marked("hd", Some((720, 1280))),
        ];
        assert_eq!(id(no_watermark(&formats)), None);
        assert_eq!(id(no_watermark_hd(&formats)), None);
        assert_eq!(id(watermark(&formats)), Some("sd"));
        assert_eq!(id(watermark_hd(&formats)), Some("hd"));
    }

    #[test]
    fn mute_picture_is_never_picked() {
        let mut mute = video("mute", 1080, 1920, Codec::H264);
        mute.tracks = Tracks::Video;
        assert_eq!(id(no_watermark_hd(&[mute])), None);
    }

    #[test]
    fn mp3_prefers_mp3_then_bitrate() {
        let formats = [
            audio("m4a", Container::M4a, Some(256_000)),
            audio("mp3", Container::Mp3, None),
        ];
        assert_eq!(id(mp3(&formats)), Some("mp3"));
        let formats = [
            audio("low", Container::M4a, Some(48_000)),
            audio("high", Container::M4a, Some(128_000)),
        ];
        assert_eq!(id(mp3(&formats)), Some("high"));
    }

    /// A track of sound in that language, wanted so much; `None` when it is the only one.
    fn sound(id: &str, container: Container, track: Option<(&str, i32)>) -> Format {
        let named = track.map(|(language, preference)| AudioTrack {
            id: None,
            language: Some(language.to_owned()),
            name: Some(language.to_owned()),
            preference,
        });
        let facts = StreamFacts {
            audio: named,
            is_compressed_loudness: id.ends_with("-drc"),
            ..StreamFacts::default()
        };
        Format {
            facts: Box::new(facts),
            ..audio(id, container, Some(100))
        }
    }

    #[test]
    fn original_language_comes_first_and_never_the_dub() {
        let dubbed = [
            sound("dub", Container::M4a, Some(("de", 5))),
            sound("described", Container::M4a, Some(("en-desc", -10))),
            sound("opus", Container::Webm, Some(("en", 10))),
            sound("aac-drc", Container::M4a, Some(("en", 10))),
            sound("aac", Container::M4a, Some(("en", 10))),
        ];
        let order: Vec<&str> = sounds(&dubbed).iter().map(|f| f.id.as_str()).collect();
        assert_eq!(order, ["opus", "aac", "dub", "described", "aac-drc"]);
        assert_eq!(mp3(&dubbed).map(|format| format.id.as_str()), Some("aac"));
        assert_eq!(no_watermark(&dubbed), None, "no picture, no file");
    }
}
