//! How a segment is read, and what is done about one that was not.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::{Got, Miss, Track};
use crate::broadcast::tuner::misses::TRIES;
use crate::broadcast::tuner::opener::Unread;
use crate::broadcast::tuner::window::Moment;
use crate::broadcast::tuner::{Side, TunerError};
use crate::media::hls::Segment;
use crate::services::LiveError;

/// How long a single segment is waited for of which something comes.
const LONGEST_READ: Duration = Duration::from_secs(60);

impl Track {
    /// Reads a segment, and what stands before it.
    pub(super) async fn fetch(
        &mut self,
        segment: &Segment,
    ) -> Result<Result<Got, Miss>, TunerError> {
        if segment.is_gap {
            self.leave_out(segment);
            return Ok(Err(Miss::Again));
        }
        sleep_until(self.not_before).await;
        let moment = |number| Moment::of(self.window.as_ref()?, number, self.loaded);
        let behind = moment(segment.number + 1);
        self.moment = moment(segment.number);
        let read = self.opener.read(&self.channel, segment, self.side).await;
        let spent = self.opener.take_spent();
        let came = read.as_ref().map_or(Duration::ZERO, |_| segment.duration);
        // How fast it comes can't be told from what was thrown away for want of room.
        let is_telling = !matches!(read, Err(Unread::Live(LiveError::NoRoom)));
        let is_slow = is_telling && self.side == Side::Picture && self.pace.is_slow(spent, came);
        if is_slow && self.channel.go_lower().await {
            self.window = None;
            if read.is_err() {
                self.opener.leave();
                return Ok(Err(Miss::Again));
            }
        }
        let (map, bytes) = match read {
            Ok(read) => read,
            Err(unread) => return self.unread(segment, unread).await.map(Err),
        };
        self.misses.segment_came();
        self.next = Some(segment.number + 1);
        self.tries = 0;
        Ok(Ok(Got {
            number: segment.number,
            bytes,
            map,
            duration: segment.duration,
            moment: std::mem::replace(&mut self.moment, behind),
            is_break: segment.is_discontinuity | std::mem::take(&mut self.is_torn),
        }))
    }

    /// What is done about a segment that was not read.
    async fn unread(&mut self, segment: &Segment, unread: Unread) -> Result<Miss, TunerError> {
        match unread {
            Unread::Slow => Ok(self.slow(segment)),
            Unread::Segment(what) => self.unfit(segment, what),
            Unread::Live(error @ LiveError::Forbidden(_)) => Err(error.into()),
            Unread::Live(LiveError::TooLarge(_)) => self.unfit(segment, "too large"),
            Unread::Live(error) => self.miss(segment, &error).await,
        }
    }

    /// What is done about a segment of which only a part has come.
    fn slow(&mut self, segment: &Segment) -> Miss {
        if self.opener.age() >= LONGEST_READ {
            self.opener.leave();
            self.leave_out(segment);
        }
        Miss::Again
    }

    /// What is done about a segment that is none.
    fn unfit(&mut self, segment: &Segment, what: &'static str) -> Result<Miss, TunerError> {
        tracing::debug!(number = segment.number, what, "no segment");
        self.tries += 1;
        if self.tries >= TRIES {
            self.leave_out(segment);
            self.misses.note_segment(TunerError::Segment(what))?;
        }
        Ok(Miss::Again)
    }

    /// What is done about a segment that did not come.
    async fn miss(&mut self, segment: &Segment, error: &LiveError) -> Result<Miss, TunerError> {
        tracing::debug!(number = segment.number, %error, "segment not read");
        if matches!(error, LiveError::NoRoom) {
            // Others have it; the segment is as good as before. What came of it was given up, as items that hold parts
            // and wait for more would wait for each other; so it is not asked for at once again.
            self.not_before = Instant::now() + self.misses.note_no_room();
            return Ok(Miss::Again);
        }
        self.tries += 1;
        if self.tries >= TRIES {
            self.leave_out(segment);
            return Ok(Miss::Again);
        }
        match error {
            // A segment that is not there has left the window.
            LiveError::Gone(StatusCode::NOT_FOUND) => self.window = None,
            LiveError::Gone(_) => return Ok(self.renew().await?.unwrap_or(Miss::Again)),
            _ => {}
        }
        Ok(Miss::Again)
    }

    fn leave_out(&mut self, segment: &Segment) {
        self.next = Some(segment.number + 1);
        self.tries = 0;
        self.is_torn = true;
    }
}
