//! Heads of media files and what FFmpeg says, for [`crate::fuzz`].

use std::ops::Range;

use super::ffmpeg::said::{LINE_BYTES, Lines, STDERR_BYTES, Tail};
use super::normalise::Report;
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

/// What FFmpeg says: the lines are the same however their bytes arrive, each is one line that isn't too long, and figures
/// are figures.
pub(crate) fn said(data: &[u8]) {
    let all = lines(data, data.len().max(1));
    assert_eq!(all, lines(data, 7));
    let mut report = Report::default();
    for line in &all {
        // A byte that is no text becomes a character of three.
        assert!(!line.is_empty() && line.len() <= 3 * LINE_BYTES);
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        let _is_report = report.read(line);
        assert!(report.speed.is_finite(), "{line}");
    }
    let mut tail = Tail::default();
    for piece in data.chunks(7) {
        tail.push(piece);
    }
    assert!(tail.text().len() <= 3 * STDERR_BYTES);
}

fn lines(data: &[u8], step: usize) -> Vec<String> {
    let mut lines = Lines::default();
    let pieces = data.chunks(step);
    pieces
        .flat_map(|piece| lines.push(piece).collect::<Vec<_>>())
        .collect()
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
