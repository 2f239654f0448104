//! The shapes of YouTube's answers, as far as they are read. Every field may be missing or of another type.
//!
//! Player answers have types; the deeply nested page answers (`next`, `browse`) are walked as [`json`] trees.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

pub(super) mod json;
pub(super) mod player;
pub(super) mod text;

pub(super) use text::Words;
