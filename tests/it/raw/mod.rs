//! Clients that speak byte by byte, so that they can be slow, hostile, or gone.

pub(crate) mod h1;
pub(crate) mod h2;
mod process;
mod stage;

pub(crate) use process::Process;
pub(crate) use stage::Stage;
