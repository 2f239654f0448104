//! From `streamingData` to formats (youtube.md §3): which ones there are, what they are called and how they rank. The
//! fields and their values are those of yt-dlp (`_video.py`, `process_format_stream`), so that its selectors choose
//! the same here. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod fields;
mod map;
mod model;
mod sort;

pub(super) use map::{Mapped, Mapping};
pub(super) use model::Stream;
