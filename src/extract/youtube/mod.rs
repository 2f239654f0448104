//! YouTube.

pub mod js;
