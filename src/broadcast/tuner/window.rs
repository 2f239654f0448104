//! Which segment of a window that moves on is read next. Pure.

use std::time::Duration;

use crate::media::hls::{Segment, Segments};

/// How many of the longest segments lie between the end of a window and where it is joined (RFC 8216 §6.3.3).
const BEHIND: u32 = 3;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// This segment; whether some between it and the one before are missing.
    At(&'a Segment, bool),
    /// It is not there yet.
    Later,
    /// Nothing will come.
    Over,
}

/// The segment of this number, where the window holds it; for `None` the one by which a window is joined.
pub(super) fn place(window: &Segments, next: Option<u64>) -> Place<'_> {
    let (Some(first), Some(last)) = (window.list.first(), window.list.last()) else {
        return later(window);
    };
    let Some(next) = next else {
        return Place::At(joint(window, first), false);
    };
    if next < first.number {
        // It moved on without us.
        return Place::At(first, true);
    }
    if let Some(segment) = usize::try_from(next - first.number)
        .ok()
        .and_then(|place| window.list.get(place))
    {
        return Place::At(segment, false);
    }
    // A server may lag behind another one, but not by a whole window: then the numbers began anew.
    let behind = next - last.number;
    if !window.is_ended && behind > window.list.len() as u64 + 1 {
        return Place::At(joint(window, first), true);
    }
    later(window)
}

fn later(window: &Segments) -> Place<'_> {
    if window.is_ended {
        Place::Over
    } else {
        Place::Later
    }
}

/// The last segment with so much from it on that the next one is there in time; all of a window to which nothing comes.
fn joint<'a>(window: &'a Segments, first: &'a Segment) -> &'a Segment {
    if window.is_ended {
        return first;
    }
    let mut rest = Duration::ZERO;
    let mut backwards = window.list.iter().rev();
    let found = backwards.find(|segment| {
        rest += segment.duration;
        rest >= BEHIND * window.target
    });
    found.unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::media::hls::Playlist;

    fn window(first: u64, count: u64, end: &str) -> Segments {
        let entry = |number| format!("#EXTINF:2,\n{number}.ts\n");
        let entries: String = (first..first + count).map(entry).collect();
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{entries}{end}"
        );
        let base = Url::parse("https://a.example/").unwrap();
        match Playlist::parse(text.as_bytes(), &base) {
            Ok(Playlist::Media(segments)) => segments,
            other => panic!("{other:?}"),
        }
    }

    fn number(place: &Place<'_>) -> (u64, bool) {
        match place {
            Place::At(segment, is_break) => (segment.number, *is_break),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn window_is_joined_three_segments_before_its_end() {
        assert_eq!(number(&place(&window(10, 6, ""), None)), (13, false));
        assert_eq!(number(&place(&window(10, 2, ""), None)), (10, false));
        assert_eq!(
            number(&place(&window(10, 6, "#EXT-X-ENDLIST"), None)),
            (10, false)
        );
        assert_eq!(place(&window(10, 0, ""), None), Place::Later);
        assert_eq!(place(&window(10, 0, "#EXT-X-ENDLIST"), None), Place::Over);
    }

    #[test]
    fn segments_follow_each_other_as_the_window_moves() {
        assert_eq!(number(&place(&window(10, 6, ""), Some(12))), (12, false));
        assert_eq!(place(&window(10, 6, ""), Some(16)), Place::Later);
        assert_eq!(
            place(&window(10, 6, "#EXT-X-ENDLIST"), Some(16)),
            Place::Over
        );
        // Left behind; a server that lags; numbers that began anew.
        assert_eq!(number(&place(&window(10, 6, ""), Some(7))), (10, true));
        assert_eq!(place(&window(10, 6, ""), Some(18)), Place::Later);
        assert_eq!(number(&place(&window(0, 6, ""), Some(7794))), (3, true));
    }
}
