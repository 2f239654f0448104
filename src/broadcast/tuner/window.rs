//! Which segment of a window that moves on is read next. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::media::hls::{Segment, Segments};

/// How many of the longest segments lie between the end of a window and where it is joined (RFC 8216 §6.3.3).
const BEHIND: u32 = 3;
/// Lengths of segments by which the ends of two windows may differ that were read one after the other.
const SLACK: u32 = 2;
/// So many of the longest segments may lie between what two playlists date alike: clocks may differ by hours.
const APART: u32 = 3;
/// Beginnings so close to each other are meant to be the same.
const ALIGNED: Duration = Duration::from_millis(100);

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

/// The segment of this number, where the window holds it; for `None` the one by which a window is joined. `span` is how
/// many segments there were at most in windows before: this one may be cut.
pub(super) fn place(window: &Segments, next: Option<u64>, span: usize) -> Place<'_> {
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
    let span = window.list.len().max(span) as u64;
    if !window.is_ended && behind > span + 1 {
        return Place::At(joint(window, first), true);
    }
    later(window)
}

/// When a segment begins, so that it is found in another playlist of the same event. Times are the same in all of them;
/// numbers need not be (RFC 8216 §4.3.3.2, §6.2.4).
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Its number in its own playlist.
    pub(super) number: u64,
    /// When it was recorded, where the playlist tells.
    date: Option<Duration>,
    /// What the window held from there on when it was read.
    rest: Duration,
    /// When that was; `None` when nothing comes to it.
    read: Option<Instant>,
}

/// Where a moment lies in a playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// The segment.
    pub(super) number: u64,
    /// Microseconds by which it begins later; less than 0 when it begins earlier.
    pub(super) delay_us: i64,
}

impl Moment {
    /// The beginning of the segment of this number in a window that was read then, or of the one behind its last.
    pub(super) fn of(window: &Segments, number: u64, read: Instant) -> Option<Self> {
        let first = window.list.first()?.number;
        let place = usize::try_from(number.checked_sub(first)?).ok()?;
        let from = window.list.get(place..)?;
        let last = window.list.last().filter(|_| from.is_empty());
        let end = last.and_then(|last| last.date?.checked_add(last.duration));
        Some(Self {
            number,
            date: from.first().map_or(end, |segment| segment.date),
            rest: from.iter().map(|segment| segment.duration).sum(),
            read: (!window.is_ended).then_some(read),
        })
    }

    /// Where it lies in another window; `None` when that isn't so far yet.
    pub(super) fn find(&self, window: &Segments) -> Option<Match> {
        let dated = self.date.map(|date| by_date(window, date));
        match dated.unwrap_or(Dated::Unrelated) {
            Dated::At(found) => Some(found),
            Dated::Later => None,
            Dated::Unrelated => self.by_rest(window),
        }
    }

    /// Without dates that fit: both windows end at about the same time. The number is the same at most sites, so it is taken where
    /// it fits to that; else whatever is nearest.
    fn by_rest(&self, window: &Segments) -> Option<Match> {
        let slack = SLACK * window.target;
        let age = self.read.map_or(Duration::ZERO, |read| read.elapsed());
        let (least, most) = (self.rest.saturating_sub(slack), self.rest + age + slack);
        let same = Self::of(window, self.number, Instant::now());
        let is_same = same.is_some_and(|same| least <= same.rest && same.rest <= most);
        let number = if is_same {
            self.number
        } else {
            let mut rest = Duration::ZERO;
            let backwards = window.list.iter().rev().map(|segment| {
                rest += segment.duration;
                (rest.abs_diff(self.rest + age), segment.number)
            });
            backwards.min()?.1
        };
        let is_there = window.list.last().is_some_and(|last| number <= last.number);
        is_there.then_some(Match {
            number,
            delay_us: 0,
        })
    }
}

/// What the dates of a window tell.
enum Dated {
    /// The moment lies here.
    At(Match),
    /// It isn't so far yet.
    Later,
    /// Nothing: there are none, or by another clock.
    Unrelated,
}

/// The segment that was recorded then.
fn by_date(window: &Segments, date: Duration) -> Dated {
    let dated = || {
        window
            .list
            .iter()
            .filter_map(|segment| Some((segment, segment.date?)))
    };
    let is_near = |other: Duration| date.abs_diff(other) <= APART * window.target;
    let begins = |begin: Duration| begin <= date + ALIGNED;
    let before = dated().take_while(|(_, begin)| begins(*begin)).last();
    let found = match before {
        Some((segment, begin)) if date < begin + segment.duration => Some((segment, begin)),
        Some((segment, begin)) if window.list.last() == Some(segment) => {
            let is_awaited = is_near(begin + segment.duration);
            return if is_awaited {
                Dated::Later
            } else {
                Dated::Unrelated
            };
        }
        // A hole, or all of it is later: what comes first.
        _ => dated().find(|(_, begin)| !begins(*begin)),
    };
    match found {
        Some((segment, begin)) if is_near(begin) => Dated::At(Match {
            number: segment.number,
            delay_us: micros(begin) - micros(date),
        }),
        _ => Dated::Unrelated,
    }
}

/// Microseconds since 1970: dates are read as nanoseconds of 64 bits.
fn micros(date: Duration) -> i64 {
    i64::try_from(date.as_micros()).unwrap_or(i64::MAX)
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
        assert_eq!(number(&place(&window(10, 6, ""), None, 0)), (13, false));
        assert_eq!(number(&place(&window(10, 2, ""), None, 0)), (10, false));
        assert_eq!(
            number(&place(&window(10, 6, "#EXT-X-ENDLIST"), None, 0)),
            (10, false)
        );
        assert_eq!(place(&window(10, 0, ""), None, 0), Place::Later);
        assert_eq!(
            place(&window(10, 0, "#EXT-X-ENDLIST"), None, 0),
            Place::Over
        );
    }

    #[test]
    fn segments_follow_each_other_as_the_window_moves() {
        assert_eq!(number(&place(&window(10, 6, ""), Some(12), 0)), (12, false));
        assert_eq!(place(&window(10, 6, ""), Some(16), 0), Place::Later);
        assert_eq!(
            place(&window(10, 6, "#EXT-X-ENDLIST"), Some(16), 0),
            Place::Over
        );
        // Left behind; a server that lags; numbers that began anew.
        assert_eq!(number(&place(&window(10, 6, ""), Some(7), 0)), (10, true));
        assert_eq!(place(&window(10, 6, ""), Some(18), 0), Place::Later);
        assert_eq!(number(&place(&window(0, 6, ""), Some(7794), 0)), (3, true));
        // A window that was cut is not one that began anew.
        assert_eq!(place(&window(10, 1, ""), Some(17), 8), Place::Later);
        assert_eq!(number(&place(&window(10, 1, ""), Some(20), 8)), (10, true));
    }

    /// A window of segments of two seconds; with a date for the first one, in milliseconds.
    fn dated(first: u64, count: u64, ms: Option<u64>) -> Segments {
        let mut window = window(first, count, "");
        for (segment, place) in window.list.iter_mut().zip(0..) {
            segment.date = ms.map(|ms| Duration::from_millis(ms + 2000 * place));
        }
        window
    }

    fn found(window: &Segments, number: u64, other: &Segments) -> Option<(u64, i64)> {
        let moment = Moment::of(window, number, Instant::now()).unwrap();
        let found = moment.find(other)?;
        Some((found.number, found.delay_us / 1000))
    }

    #[test]
    fn segment_of_another_playlist_is_found_by_its_date() {
        let picture = dated(10, 6, Some(100_000));
        // Recorded at the same time, under other numbers.
        let same = dated(7000, 8, Some(98_000));
        assert_eq!(found(&picture, 10, &same), Some((7001, 0)));
        assert_eq!(found(&picture, 13, &same), Some((7004, 0)));
        // Cut elsewhere; a little beside.
        let elsewhere = dated(0, 8, Some(98_500));
        assert_eq!(found(&picture, 10, &elsewhere), Some((0, -1500)));
        let beside = dated(0, 8, Some(98_040));
        assert_eq!(found(&picture, 10, &beside), Some((1, 40)));
        // It begins later, or isn't so far yet.
        assert_eq!(
            found(&picture, 10, &dated(0, 3, Some(101_000))),
            Some((0, 1000))
        );
        assert_eq!(found(&picture, 16, &picture), None);
        assert_eq!(found(&picture, 15, &dated(0, 3, Some(98_000))), None);
    }

    #[test]
    fn segment_of_another_playlist_is_not_found_by_another_clock() {
        let picture = dated(10, 6, Some(10_000_000));
        // What lies apart by more than three segments is paired as without dates: as far from the end.
        for ms in [6_400_000, 9_981_000, 10_013_000, 13_600_000] {
            let sound = dated(700, 6, Some(ms));
            assert_eq!(found(&picture, 13, &sound), Some((703, 0)), "{ms}");
        }
        // Up to there the date is believed.
        let late = dated(700, 6, Some(10_012_000));
        assert_eq!(found(&picture, 13, &late), Some((700, 6000)));
        let early = dated(700, 6, Some(9_988_000));
        assert_eq!(found(&picture, 13, &early), None);
        // A hole of an hour in the sound.
        let mut torn = dated(700, 6, Some(9_998_000));
        for segment in &mut torn.list[3..] {
            segment.date = segment.date.map(|date| date + Duration::from_secs(3600));
        }
        assert_eq!(found(&picture, 13, &torn), Some((703, 0)));
        // No dates in one of them.
        assert_eq!(found(&picture, 13, &dated(700, 6, None)), Some((703, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn segment_of_another_playlist_is_found_without_dates() {
        let picture = dated(10, 6, None);
        // Counted alike, read a little later.
        let read = Moment::of(&picture, 13, Instant::now()).unwrap();
        let number = |moment: &Moment, window: &Segments| Some(moment.find(window)?.number);
        assert_eq!(number(&read, &dated(11, 6, Some(0))), Some(13));
        assert_eq!(number(&read, &dated(8, 20, None)), Some(25));
        // Counted otherwise: as far from the end.
        assert_eq!(number(&read, &dated(700, 6, None)), Some(703));
        assert_eq!(number(&read, &dated(0, 2, None)), Some(0));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(number(&read, &dated(700, 6, None)), Some(701));
        assert_eq!(number(&read, &dated(12, 6, None)), Some(13));
        // Behind the last one.
        let end = Moment::of(&picture, 16, Instant::now()).unwrap();
        assert_eq!(number(&end, &picture), None);
        assert!(Moment::of(&picture, 17, Instant::now()).is_none());
        assert!(Moment::of(&picture, 9, Instant::now()).is_none());
    }
}
