//! Heads of media files, for [`crate::fuzz`].

use std::ops::Range;

use super::{Layout as _, fmp4, webm};

/// Reads no head needs more of.
const MOST_READS: usize = 10_000;

/// Boxes: a head that is read joins with itself as a track of the other kind, or is refused; every byte of the result
/// stands somewhere.
pub(crate) fn boxes(data: &[u8]) {
    let mut reader = fmp4::HeadReader::new(data.len() as u64);
    let mut wanted = reader.first(None);
    for _ in 0..MOST_READS {
        let Some(part) = part(data, &wanted) else {
            return;
        };
        match reader.feed(wanted.start, part) {
            Ok(fmp4::Progress::Need(next)) => wanted = next,
            Ok(fmp4::Progress::Done(head)) => {
                assert!(head.total() == data.len() as u64);
                if let Ok(joined) = fmp4::Joined::new(&head, &head, None, &[]) {
                    assert!(joined.total() >= joined.header().len() as u64);
                }
                return;
            }
            Err(_refused) => return,
        }
    }
    assert!(data.is_empty(), "a head without end");
}

/// As [`boxes`], for EBML.
pub(crate) fn ebml(data: &[u8]) {
    let mut reader = webm::HeadReader::new(data.len() as u64);
    let mut wanted = reader.first(None);
    for _ in 0..MOST_READS {
        let Some(part) = part(data, &wanted) else {
            return;
        };
        match reader.feed(wanted.start, part) {
            Ok(webm::Progress::Need(next)) => wanted = next,
            Ok(webm::Progress::Done(_)) | Err(_) => return,
        }
    }
    assert!(data.is_empty(), "a head without end");
}

/// The bytes that a reader asks for; none for what it must not ask for.
fn part<'a>(data: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    let index = |place: u64| usize::try_from(place).ok();
    let part = data.get(index(range.start)?..index(range.end)?);
    assert!(part.is_some(), "{range:?} of {}", data.len());
    part
}
