//! In which order formats are offered, and which of them are picked by default.

use std::cmp::Reverse;

use super::{Entry, Picks, Terms};
use crate::extract::{Format, Tracks, select};

/// The formats and the pairs, those with picture and sound best first and the default one before all; the pairs alone for
/// a part of a post.
pub(super) fn with_pairs(formats: &[Format], choice: &Terms) -> Vec<Format> {
    let pairs = choice.pairs.iter().map(|pair| pair.format.clone());
    if choice.is_clip {
        return in_order(pairs.collect());
    }
    if choice.pairs.is_empty() {
        return formats.to_vec();
    }
    let (combined, single): (Vec<Format>, Vec<Format>) = formats
        .iter()
        .cloned()
        .partition(|format| format.tracks == Tracks::Combined);
    let mut all = in_order(combined.into_iter().chain(pairs).collect());
    all.extend(single);
    all
}

fn in_order(mut combined: Vec<Format>) -> Vec<Format> {
    combined.sort_by_key(|format| (format.is_watermarked, Reverse(select::rank(format))));
    let first = select::no_watermark_hd(&combined).map(|format| format.id.clone());
    let first = first.and_then(|id| combined.iter().position(|format| format.id == id));
    if let Some(default) = first.map(|place| combined.remove(place)) {
        combined.insert(0, default);
    }
    combined
}

/// The default picks among the entries of `formats`.
pub(super) fn pick(formats: &[Format], entries: &[Entry], max_height: Option<u32>) -> Picks {
    let small: Vec<Format>;
    let formats = match max_height {
        Some(limit) => {
            small = within(formats, limit);
            &small
        }
        None => formats,
    };
    let token = |format: Option<&Format>| {
        let id = &format?.id;
        let entry = entries.iter().find(|entry| entry.format_id == *id)?;
        Some(entry.token.clone())
    };
    Picks {
        watermark: token(select::watermark(formats)),
        watermark_hd: token(select::watermark_hd(formats)),
        no_watermark: token(select::no_watermark(formats)),
        no_watermark_hd: token(select::no_watermark_hd(formats)),
        sound: token(select::mp3(formats)),
        ..Picks::default()
    }
}

/// The formats that fit, sound included; all of them when no picture is that small.
fn within(formats: &[Format], limit: u32) -> Vec<Format> {
    let fits = |format: &Format| height(format).is_none_or(|height| height <= limit);
    let is_clean = |format: &&Format| format.tracks == Tracks::Combined && !format.is_watermarked;
    if formats.iter().filter(is_clean).any(fits) {
        return formats
            .iter()
            .filter(|format| fits(format))
            .cloned()
            .collect();
    }
    formats.to_vec()
}

/// The short side, or what the site calls it when that is less: files called `540p` are 576 wide.
fn height(format: &Format) -> Option<u32> {
    let label = format.label.as_deref().unwrap_or_default();
    let named = label.split('p').next().and_then(|lines| lines.parse().ok());
    format
        .short_side()
        .map(|side| named.map_or(side, |named: u32| named.min(side)))
}
