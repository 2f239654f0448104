//! A playlist on air: items made alike, laid on one timeline and published to an ingest, for days.

pub mod flv;
pub mod pacing;
pub mod source;
