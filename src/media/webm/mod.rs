//! Two WebM files with one track each, joined into one: the arithmetic, without I/O.
//!
//! [`HeadReader`] takes the first bytes of a file and gives its [`TrackHead`]: what the track is and where its runs
//! of clusters lie, by its Cues. [`Joined::new`] takes the heads of a video and an audio file; from then on the
//! length of the joined file and the origin of each of its bytes are known, though no media byte has been read.
//! Its patch changes the bytes of a run in passing, without allocating.
//!
//! The joined file, element by element (RFC 9559):
//!
//! | element | where it comes from |
//! |---|---|
//! | EBML header | versions: the greater of both |
//! | `Segment` of known size, `SeekHead` | new |
//! | `Info` | scale of both files (must be equal), the longer `Duration`, new `MuxingApp` |
//! | `Tracks` | both `TrackEntry`s as they are, but for number and UID where they collide |
//! | `Tags` | what the caller says; left out when that is nothing |
//! | `Cues` | new, one `CuePoint` for each of the video file's |
//! | `Cluster`s | runs of both files, see below |
//!
//! Inside clusters all sizes stay. The number of the audio track is overwritten when both files use the same one.
//! `Position`, `PrevSize` and `CRC-32` would be wrong in the new place: their one-byte id is overwritten with that
//! of `Void`. Times stay, except in a clip: there the start is taken off those of clusters, blocks of sound before and
//! behind the picture become `Void`, and a cluster of sound that began before it takes its lead off its blocks' times.
//!
//! Order: players seek to a cluster of the picture and read on from there; they don't look for sound that began
//! before it. An earlier position in `Cues` doesn't help: FFmpeg 5.1 then had no sound at all behind the last of them
//! (seen 2026-11). Sites cut sound into runs of ten seconds and the picture into runs of five: were all ordered by their
//! beginnings, a seek would leave up to ten seconds silent. So a run of sound stands where it ends, before the first
//! picture that begins no earlier.
//! The price: a player has the sound of a moment only when it has read the pictures of the rest of that run.
//! Timestamps of clusters are in order within each track, not across both.

mod cues;
mod ebml;
mod error;
mod head;
mod header;
mod ids;
mod layout;
mod patch;
mod tags;
mod track;

pub use error::Fault;
pub use head::{HeadReader, TrackHead};
pub use layout::Joined;
