//! Heads of media files, playlists, and what FFmpeg says, for [`crate::fuzz`].

use std::ops::Range;

use url::Url;

use super::ffmpeg::said::{LINE_BYTES, Lines, STDERR_BYTES, Tail};
use super::hls::Playlist;
use super::movie::Movie;
use super::normalise::Report;
use super::{Container, HeadReader, Progress, pictures, sound, webp};

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

/// The beginning of a film or a sound, for how long it is: the file decides no rate by which nothing can be counted.
pub(crate) fn movie(data: &[u8]) {
    let _sound = sound::Kind::of(data);
    if let Some(movie) = Movie::of(data)
        && let Some(length) = movie.sound()
    {
        assert!(length.scale > 0 && length.units > 0);
    }
}

/// The header of a picture.
pub(crate) fn picture(data: &[u8]) {
    if let Some(kind) = pictures::Kind::of(data) {
        let _size = pictures::size(kind, data);
    }
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

/// Playlists: every number has its bound.
pub(crate) fn hls(data: &[u8]) {
    let Ok(base) = Url::parse("https://manifest.example.com/live/index.m3u8") else {
        return;
    };
    if let Ok(playlist) = Playlist::parse(data, &base) {
        assert_sound(&playlist);
    }
}

/// What holds of every playlist that is read.
pub(super) fn assert_sound(playlist: &Playlist) {
    match playlist {
        Playlist::Master(master) => assert!(!master.variants.is_empty()),
        Playlist::Media(segments) => {
            let pairs = segments.list.windows(2);
            let mut steps = pairs.map(|pair| pair[1].number - pair[0].number);
            assert!(steps.all(|step| step == 1));
            for segment in &segments.list {
                let part = segment.part.as_ref();
                assert!(part.is_none_or(|part| part.start < part.end));
                assert!(segment.duration.as_secs() <= 600);
            }
        }
    }
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
