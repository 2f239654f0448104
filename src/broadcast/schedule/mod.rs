//! When a broadcast is on air by itself: what its user writes, and the times that follow from it. Pure.

mod plan;
mod wire;

pub(super) use plan::{Plan, Span};
pub use wire::{Day, Prefetch, Schedule, TimeOfDay, Window};
