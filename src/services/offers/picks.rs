//! In which order formats are offered, and which of them are picked by default.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::{Entry, Picks, Terms};
use crate::extract::{Format, Tracks, select};

/// The formats and the pairs, those with picture and sound best first and the default one before all; the pairs alone for
/// a part of a post.
pub(super) fn with_pairs(formats: &[Format], choice: &Terms) -> Vec<Format> {
    let pairs = choice.pairs.iter().map(|pair| pair.format.clone());
    if choice.is_clip {
        return default_first(best_first(pairs.collect()), choice.max_height);
    }
    let (mut combined, single): (Vec<Format>, Vec<Format>) = formats
        .iter()
        .cloned()
        .partition(|format| format.tracks == Tracks::Combined);
    if !choice.pairs.is_empty() {
        combined = best_first(combined.into_iter().chain(pairs).collect());
        combined = default_first(combined, choice.max_height);
    } else if choice.max_height.is_some() {
        combined = default_first(combined, choice.max_height);
    }
    combined.extend(single);
    combined
}

fn best_first(mut combined: Vec<Format>) -> Vec<Format> {
    combined.sort_by_key(|format| (format.is_watermarked, Reverse(select::rank(format))));
    combined
}

fn default_first(mut combined: Vec<Format>, max_height: Option<u32>) -> Vec<Format> {
    let fitting = fitting(&combined, max_height);
    let first = select::no_watermark_hd(&fitting).map(|format| &format.id);
    let place = first.and_then(|id| combined.iter().position(|format| format.id == *id));
    if let Some(place) = place {
        combined[..=place].rotate_right(1);
    }
    combined
}

/// Those that may be picked.
fn fitting(formats: &[Format], max_height: Option<u32>) -> Cow<'_, [Format]> {
    match max_height {
        Some(limit) => Cow::Owned(select::within(formats, limit)),
        None => Cow::Borrowed(formats),
    }
}

/// The default picks among the entries of `formats`.
pub(super) fn pick(formats: &[Format], entries: &[Entry], max_height: Option<u32>) -> Picks {
    let formats = &fitting(formats, max_height);
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
        sound: token(select::mp3(&**formats)),
        ..Picks::default()
    }
}
