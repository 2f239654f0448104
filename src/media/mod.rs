//! Media files: what they are, how they are put together, and the one external program, FFmpeg.
//!
//! Knows no site, no link and no client. Everything but [`ffmpeg`] and [`launch`] is pure: no I/O, no clock, nothing
//! asynchronous.
//!
//! Two tracks become one file that is reckoned beforehand to the byte, without a copy and without FFmpeg. A [`Layout`]
//! says where each byte of the new file comes from; `services` fetches the bytes and leads those of each run through its
//! [`Patch`] by a [`Pass`].

pub mod abilities;
pub mod encoder;
pub mod ffmpeg;
pub mod fmp4;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
pub mod hls;
pub mod launch;
pub mod movie;
pub mod mp3;
pub mod normalise;
mod pass;
pub mod pictures;
pub mod relay;
pub mod remux;
pub mod slideshow;
pub mod sound;
mod tags;
mod track;
pub mod webm;
pub mod webp;
pub mod zip;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use pass::Pass;
pub use tags::{Cover, Tags};
pub use track::{Container, HeadReader, TrackHead};

/// One of the two files that are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one with the picture.
    Picture,
    /// The one with the sound.
    Sound,
}

impl Side {
    /// Both, in the order of their indices.
    pub const BOTH: [Self; 2] = [Self::Picture, Self::Sound];

    /// Its place in a pair.
    pub fn index(self) -> usize {
        match self {
            Self::Picture => 0,
            Self::Sound => 1,
        }
    }

    /// What of a pair is its own.
    pub fn of<T>(self, [picture, sound]: &[T; 2]) -> &T {
        match self {
            Self::Picture => picture,
            Self::Sound => sound,
        }
    }

    /// As [`Side::of`], to be changed.
    pub fn of_mut<T>(self, [picture, sound]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Picture => picture,
            Self::Sound => sound,
        }
    }
}

/// A part of a video, in milliseconds of its own time. It is widened to whole runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clip {
    /// First moment wanted.
    pub start_ms: u64,
    /// First moment not wanted any more; `None` = to the end.
    pub end_ms: Option<u64>,
}

/// How far the reading of a file's head is.
#[derive(Debug)]
pub enum Progress<Head> {
    /// These bytes are needed next, at least the first of them.
    Need(Range<u64>),
    /// All is known. Bytes behind the head were ignored.
    Done(Head),
}

impl<Head> Progress<Head> {
    fn map<Other>(self, change: impl FnOnce(Head) -> Other) -> Progress<Other> {
        match self {
            Self::Need(range) => Progress::Need(range),
            Self::Done(head) => Progress::Done(change(head)),
        }
    }
}

/// A run: consecutive bytes of one source that stand together in the joined file, there changed in a few places but
/// never in number. Offsets and lengths are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Which source.
    pub side: Side,
    /// Which run of that source, counted from 0.
    pub number: u32,
    /// First byte in the source.
    pub source: u64,
    /// First byte in the joined file.
    pub output: u64,
    /// How many.
    pub length: u64,
}

/// What stands at a place of a joined file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// Bytes that were made for it.
    Made {
        /// First byte in the joined file.
        start: u64,
        /// All of them.
        bytes: Bytes,
    },
    /// Bytes of a source.
    Run(Run),
}

/// The byte map of a joined file.
pub trait Layout: fmt::Debug + Send + Sync + 'static {
    /// Bytes of the joined file.
    fn total(&self) -> u64;

    /// Media type of the joined file.
    fn media_type(&self) -> &'static str;

    /// Bytes of a source, as the map supposes; a source that has another number is another file.
    fn source_total(&self, side: Side) -> u64;

    /// What holds the byte at `offset`; `None` at and past the end.
    fn stretch(&self, offset: u64) -> Option<Stretch>;

    /// The bytes of a source from which the joined file's bytes `output` are made, whole runs; `None` when it takes none.
    fn source(&self, side: Side, output: Range<u64>) -> Option<Range<u64>>;

    /// The change of a run of this layout.
    fn patch(&self, run: &Run) -> Box<dyn Patch>;
}

/// The change of one run: looks at its bytes in their order, changes the few that differ in the joined file, and finds
/// out when they are not what the index promised.
pub trait Patch: fmt::Debug + Send {
    /// How many of the bytes to come are neither looked at nor changed.
    fn opaque(&self) -> u64;

    /// Passes over bytes of that kind.
    fn skip(&mut self, count: u64);

    /// Whether fields stand all over the run, so that its middle is reached only through all that comes before.
    fn is_dense(&self) -> bool;

    /// Takes bytes from the front and changes them in place; returns how many it took. It stops before bytes that are
    /// opaque, and before a field that is cut off: fewer than [`MAX_UNIT`] bytes, to be brought again with what follows.
    ///
    /// # Errors
    /// The run is not what its index promised; nothing of it may be sent any more.
    fn patch(&mut self, bytes: &mut [u8]) -> Result<usize, Mismatch>;

    /// Called when all bytes of the run have been taken.
    ///
    /// # Errors
    /// Something is missing in it.
    fn finish(&self) -> Result<(), Mismatch>;
}

/// Most bytes that a [`Patch`] needs at once.
pub const MAX_UNIT: usize = 64;

/// Why two files don't make one, or a run is not what its index promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// One file is MP4, the other WebM.
    #[error("picture and sound are in different containers")]
    Containers,
    /// How long a file is, or what names its bytes, is not known.
    #[error("a file of unknown length")]
    Unknown,
    /// Of a fragmented MP4.
    #[error(transparent)]
    Fmp4(#[from] fmp4::Fault),
    /// Of a WebM file.
    #[error(transparent)]
    Webm(#[from] webm::Fault),
}

impl Mismatch {
    /// Whether the files may well be sound, and only their structure is not one that is joined here: then FFmpeg, which
    /// reads them from their first byte to the last, may do it. Not so for what is encrypted, broken or contradicts itself.
    pub fn is_structural(&self) -> bool {
        match self {
            Self::Containers | Self::Unknown => true,
            Self::Fmp4(fault) => fault.is_structural(),
            Self::Webm(fault) => fault.is_structural(),
        }
    }

    /// Whether there is no such part of the video as was asked for.
    pub fn is_clip_outside(&self) -> bool {
        matches!(
            self,
            Self::Fmp4(fmp4::Fault::ClipOutside) | Self::Webm(webm::Fault::Clip(_))
        )
    }
}
