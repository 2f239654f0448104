//! What is made of answers that are not what they should be: pages of a server in trouble, halves of playlists. Pure.

use std::time::Duration;

use super::TunerError;

/// Tries at one segment; and, until something has come, at a playlist, and segments that are tried.
pub(super) const TRIES: u32 = 3;
/// Pause after what did not come.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// Doublings of it, at most, for playlists that can't be followed.
const MAX_DOUBLINGS: u32 = 3;
/// Doublings of it, at most, for segments for which there is no room: each try costs the site what the room takes in.
const MAX_ROOM_DOUBLINGS: u32 = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Misses {
    /// Something came as it should be.
    is_on_air: bool,
    playlists: Row,
    segments: Row,
    /// How often in a row there was no room for a segment.
    crowded: u32,
}

/// Faults in a row.
#[derive(Debug, Default)]
struct Row {
    count: u32,
    last: Option<TunerError>,
}

impl Row {
    /// Notes another one, which is the end where it is one too many.
    fn note(&mut self, fault: TunerError, is_on_air: bool) -> Result<(), TunerError> {
        self.count = self.count.saturating_add(1);
        if !is_on_air && self.count >= TRIES {
            return Err(fault);
        }
        self.last = Some(fault);
        Ok(())
    }
}

impl Misses {
    /// Notes a playlist that can't be followed.
    ///
    /// # Errors
    /// The fault, where it is to be put up with no longer. Once something was on air, only time decides that.
    pub(super) fn note_playlist(&mut self, fault: TunerError) -> Result<(), TunerError> {
        self.playlists.note(fault, self.is_on_air)
    }

    /// Notes a segment that was given up because what came in its place was none.
    ///
    /// # Errors
    /// As for playlists.
    pub(super) fn note_segment(&mut self, fault: TunerError) -> Result<(), TunerError> {
        self.segments.note(fault, self.is_on_air)
    }

    /// A playlist came.
    pub(super) fn playlist_came(&mut self) {
        self.playlists = Row::default();
    }

    /// A segment came.
    pub(super) fn segment_came(&mut self) {
        self.segments = Row::default();
        self.crowded = 0;
        self.is_on_air = true;
    }

    /// Notes that there was no room for a segment, which is no fault of it; how long to wait until it is tried again.
    pub(super) fn note_no_room(&mut self) -> Duration {
        let doublings = self.crowded.min(MAX_ROOM_DOUBLINGS);
        self.crowded = self.crowded.saturating_add(1);
        PAUSE.saturating_mul(1 << doublings)
    }

    /// How long to wait until a playlist is tried again.
    pub(super) fn pause(&self) -> Duration {
        let doublings = self.playlists.count.saturating_sub(1).min(MAX_DOUBLINGS);
        PAUSE.saturating_mul(1 << doublings)
    }

    /// What came last in place of what was waited for in vain.
    pub(super) fn last(&self) -> Option<&TunerError> {
        self.playlists.last.as_ref().or(self.segments.last.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::hls::HlsError;

    fn page() -> TunerError {
        TunerError::Playlist(HlsError::NotAPlaylist)
    }

    #[test]
    fn what_never_came_is_given_up_after_some_tries() {
        let mut misses = Misses::default();
        misses.note_playlist(page()).unwrap();
        misses.note_playlist(page()).unwrap();
        misses.playlist_came();
        for _ in 1..TRIES {
            misses
                .note_segment(TunerError::Segment("no media"))
                .unwrap();
            // Playlists that come well say nothing of segments.
            misses.playlist_came();
        }
        assert!(
            misses
                .note_segment(TunerError::Segment("too large"))
                .is_err()
        );
        for _ in 1..TRIES {
            misses.note_playlist(page()).unwrap();
        }
        assert!(matches!(
            misses.note_playlist(page()),
            Err(TunerError::Playlist(_))
        ));
    }

    #[test]
    fn what_was_on_air_is_waited_for_and_the_last_fault_is_known() {
        let mut misses = Misses::default();
        misses.segment_came();
        assert!(misses.last().is_none());
        for _ in 0..100 {
            misses.note_playlist(page()).unwrap();
        }
        assert!(matches!(misses.last(), Some(TunerError::Playlist(_))));
        misses.playlist_came();
        assert!(misses.last().is_none());
        misses
            .note_segment(TunerError::Segment("no media"))
            .unwrap();
        assert!(matches!(misses.last(), Some(TunerError::Segment(_))));
        misses.segment_came();
        assert!(misses.last().is_none());
    }

    #[test]
    fn playlists_that_come_wrong_are_read_ever_more_rarely() {
        let mut misses = Misses::default();
        misses.segment_came();
        let pauses = (0..7).map(|_| {
            let pause = misses.pause().as_millis();
            misses.note_playlist(page()).unwrap();
            pause
        });
        let pauses: Vec<u128> = pauses.collect();
        assert_eq!(pauses, [500, 500, 1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn segments_without_room_are_read_ever_more_rarely_until_one_came() {
        let mut misses = Misses::default();
        let pauses: Vec<u128> = (0..7).map(|_| misses.note_no_room().as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert!(misses.last().is_none());
        misses.segment_came();
        assert_eq!(misses.note_no_room(), PAUSE);
    }
}
