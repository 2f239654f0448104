//! Two fragmented MP4 files with one track each become one fragmented MP4 (ISO/IEC 14496-12).
//!
//! The joined file is a new `ftyp`, a new `moov` with both tracks, a `sidx` for each, and the `moof`+`mdat` runs of both in
//! the order of their times. In a run only numbers of fixed width change, so every size is known from the two indices
//! before a byte of media has come. Codecs don't matter: descriptions of samples pass as they are.
//!
//! [`HeadReader`] reads what must be known of a track, [`Joined`] lays the new file out, [`Cut`] chooses a part of it,
//! [`Tags`](crate::media::Tags) are said of it inside.

mod boxes;
mod build;
mod clip;
mod error;
mod head;
mod index;
mod layout;
mod movie;
mod patch;
mod promise;
mod sidx;
mod tags;
#[cfg(test)]
mod tests;

pub use clip::Cut;
pub use error::{Fault, FourCc};
pub use head::{HeadReader, TrackHead};
pub use layout::Joined;
