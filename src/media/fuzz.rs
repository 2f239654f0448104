//! Heads of media files, for [`crate::fuzz`].

use std::ops::Range;

use super::{Container, HeadReader, Progress, webp};

/// Reads no head needs more of.
const MOST_READS: usize = 10_000;

/// Boxes.
pub(crate) fn boxes(data: &[u8]) {
    head(Container::Mp4, data);
}

/// EBML.
pub(crate) fn ebml(data: &[u8]) {
    head(Container::Webm, data);
}

/// Pictures that move.
pub(crate) fn webp(data: &[u8]) {
    let _still = webp::first_frame(data);
}

/// A head asks for bytes that are there, and comes to an end.
fn head(container: Container, data: &[u8]) {
    let mut reader = HeadReader::new(container, data.len() as u64);
    let mut wanted = reader.first(None);
    for _ in 0..MOST_READS {
        let Some(part) = part(data, &wanted) else {
            return;
        };
        match reader.feed(wanted.start, part) {
            Ok(Progress::Need(next)) => wanted = next,
            Ok(Progress::Done(_)) | Err(_) => return,
        }
    }
    assert!(data.is_empty(), "a head without end");
}

/// The bytes that a reader asks for.
fn part<'a>(data: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    let index = |place: u64| usize::try_from(place).ok();
    let part = data.get(index(range.start)?..index(range.end)?);
    assert!(part.is_some(), "{range:?} of {}", data.len());
    part
}
