//! When a broadcast is on air by itself. Pure.

mod wire;

pub use wire::{Day, Prefetch, Schedule, TimeOfDay, Window};
