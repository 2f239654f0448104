//! What the server is installed with, held against the server: image, compose files, systemd unit, and the confinement
//! that they promise.

mod compose;
mod confined;
mod image;
mod systemd;
