//! The fault matrix: whatever an upstream does, a transfer that looks whole is whole.
//!
//! Every transfer has a post, a file and faults of its own, and goes through the shipped binary: each case × HTTP/1.1
//! and HTTP/2 × `/stream` and `/download` × kinds of range × seeds, from which offsets follow. [`lab`] runs it and
//! judges it; the other modules are the tables.

mod broken;
mod circuit;
mod lab;
mod refused;
pub(crate) mod seed;
mod stalled;
mod survived;
mod tail;
mod target;
mod told;
mod trial;
mod unforeseen;
mod way_out;
