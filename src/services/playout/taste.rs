//! Which file of a post is played.

use std::cmp::Reverse;

use crate::extract::selector::Selector;
use crate::extract::{Codec, Content, Extraction, Format, Tracks};

/// Short side of the picture that is taken when nobody says otherwise, at most.
const SHORT_SIDE: u32 = 720;
/// Short sides that are taken where more can't be had fast enough.
const SMALLER: [u32; 2] = [480, 360];

/// Which file of a post is wanted.
#[derive(Debug, Clone)]
pub enum Taste {
    /// A file of at most 720 lines: merged where the site has one, else joined from two tracks.
    Usual,
    /// The same with fewer lines, at most so many.
    Smaller(u32),
    /// What a selector says, to the letter.
    Selector(Selector),
}

impl Taste {
    /// Ids of the formats to be tried, the best first; `pairs` are formats joined from two others.
    pub fn choose(&self, formats: &[Format], pairs: &[Format]) -> Vec<String> {
        match self {
            Self::Selector(selector) => {
                let selection = selector.select(formats);
                selection.map(|chosen| chosen.id()).into_iter().collect()
            }
            Self::Usual => usual(formats, pairs, SHORT_SIDE),
            Self::Smaller(most) => usual(formats, pairs, *most),
        }
    }
}

/// Ids of the formats to be tried, the best first.
pub(super) fn wanted(extraction: &Extraction, pairs: &[Format], taste: &Taste) -> Vec<String> {
    let Content::Video { formats } = &extraction.content else {
        return Vec::new();
    };
    taste.choose(formats, pairs)
}

/// The largest of the smaller sides below that of a file, for which there is another one.
pub(super) fn lower(extraction: &Extraction, pairs: &[Format], format_id: &str) -> Option<u32> {
    let Content::Video { formats } = &extraction.content else {
        return None;
    };
    let merged = formats.iter().filter(|format| is_merged(format));
    let all: Vec<&Format> = merged.chain(pairs).collect();
    let now = all.iter().find(|format| format.id == format_id)?;
    let now = now.short_side()?;
    let smallest = all.iter().filter_map(|format| format.short_side()).min()?;
    let fits = |side: &&u32| **side < now && smallest <= **side;
    SMALLER.iter().find(fits).copied()
}

fn is_merged(format: &Format) -> bool {
    format.tracks == Tracks::Combined && !format.is_watermarked
}

/// A merged file of `most` lines, else joined tracks of up to so many, else the best merged file below, else the smallest
/// above; codecs that are cheap to decode first.
fn usual(formats: &[Format], pairs: &[Format], most: u32) -> Vec<String> {
    let side = |format: &Format| format.short_side().unwrap_or(0);
    let cost = |format: &Format| match format.vcodec {
        Some(Codec::H264) => 0,
        Some(Codec::Vp9) => 1,
        Some(Codec::Av1) => 3,
        _ => 2,
    };
    let merged = formats.iter().filter(|format| is_merged(format));
    let mut all: Vec<(&Format, bool)> = merged.map(|format| (format, true)).collect();
    all.extend(pairs.iter().map(|format| (format, false)));
    all.sort_by_key(|(format, is_merged)| {
        let side = side(format);
        let class = match (side > most, *is_merged) {
            (false, true) if side == most => 0,
            (false, false) => 1,
            (false, true) => 2,
            (true, true) => 3,
            (true, false) => 4,
        };
        // Above it the smallest is the best, below it the largest.
        let size = if side > most {
            (side, Reverse(0))
        } else {
            (0, Reverse(side))
        };
        (class, size, cost(format), Reverse(format.bitrate_bps))
    });
    all.into_iter()
        .map(|(format, _)| format.id.clone())
        .collect()
}

pub(super) fn has_audio(extraction: &Extraction, format_id: &str) -> bool {
    let single = extraction.format(format_id);
    single.is_none_or(Format::has_audio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Container;

    fn format(id: &str, height: u32, vcodec: Codec) -> Format {
        Format {
            id: id.to_owned(),
            urls: vec![String::new()],
            tracks: Tracks::Combined,
            container: Container::Mp4,
            width: Some(height * 16 / 9),
            height: Some(height),
            fps: None,
            vcodec: Some(vcodec),
            acodec: Some(Codec::Aac),
            bitrate_bps: None,
            filesize: None,
            label: None,
            is_watermarked: false,
            facts: Box::default(),
        }
    }

    #[test]
    fn merged_720_goes_before_pairs_and_pairs_before_small_merged_files() {
        let pairs = [
            format("av1", 720, Codec::Av1),
            format("big", 1080, Codec::H264),
            format("pair", 720, Codec::H264),
            format("low", 480, Codec::H264),
        ];
        let small = format("18", 360, Codec::H264);
        let order = usual(std::slice::from_ref(&small), &pairs, SHORT_SIDE);
        assert_eq!(order, ["pair", "av1", "low", "18", "big"]);
        let order = usual(std::slice::from_ref(&small), &pairs, 480);
        assert_eq!(order[..2], ["low", "18"]);
        let order = usual(&[small, format("22", 720, Codec::H264)], &pairs, SHORT_SIDE);
        assert_eq!(order[0], "22");
    }

    #[test]
    fn upright_pictures_count_by_their_short_side() {
        let upright = Format {
            width: Some(720),
            height: Some(1280),
            ..format("upright", 0, Codec::H264)
        };
        let order = usual(&[format("360", 360, Codec::H264), upright], &[], SHORT_SIDE);
        assert_eq!(order, ["upright", "360"]);
    }

    #[test]
    fn marked_files_are_not_played() {
        let marked = Format {
            is_watermarked: true,
            ..format("download", 720, Codec::H264)
        };
        assert_eq!(usual(&[marked], &[], SHORT_SIDE), Vec::<String>::new());
    }
}
