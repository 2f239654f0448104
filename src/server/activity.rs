//! What a connection is doing and how long it may go on so: the one clock of slow and hostile clients.
//!
//! The socket wrapper and the exchanges report what happens, the connection asks for the [`Verdict`]. Three limits:
//! a head must be whole within the header time-out, the next request must begin within the keep-alive time-out, and
//! data that waits must move within the stall time-out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::ServerConfig;

/// Bytes of content on HTTP/2 that are progress. A window of a few bytes now and then is none, as on HTTP/1, where TCP
/// itself waits for more (RFC 9293 §3.8.6.2.2); the least rate that clients must take is some times as much.
const CONTENT_STEP: usize = 16 * 1024;

/// By how much the connection outwaits its transfer in a stall: the transfer knows the reason and gives up first, so
/// that the log tells a client that stalled from one that left.
const STALL_MARGIN: Duration = Duration::from_millis(500);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) stall: Duration,
}

impl Limits {
    pub(super) fn of(config: &ServerConfig) -> Self {
        Self {
            head: config.header_timeout,
            idle: config.keepalive_timeout,
            stall: config.client_stall_timeout + STALL_MARGIN,
        }
    }
}

/// What to do with a connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before this moment, unless something happens.
    Wait(Instant),
    /// No request for too long: ask it to go.
    Idle,
    /// A limit is passed: close it.
    Close(Reason),
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The request head did not become whole.
    SlowHead,
    /// The client takes no data.
    Stalled,
}

/// The state of one connection, shared by its parts. HTTP/2 streams are tasks of their own.
#[derive(Debug)]
pub(super) struct Activity {
    limits: Limits,
    is_h2: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests whose response has not ended.
    exchanges: usize,
    /// Since when there is none; in a head: since its first byte.
    waiting_since: Instant,
    /// HTTP/1: bytes of a head have come.
    is_in_head: bool,
    /// Since when the socket takes nothing, while it doesn't.
    blocked_since: Option<Instant>,
    /// Responses whose last piece the client has not taken yet.
    untaken: usize,
    /// When data last moved towards the client.
    moved_at: Instant,
    /// HTTP/2: bytes of content since then.
    content: usize,
    /// Since when the connection has been asked to go.
    leaving_since: Option<Instant>,
    /// Responses in progress that only the end of the connection ends.
    unframed: usize,
    /// The client reads nothing any more, so what the system still holds is not worth keeping.
    is_stalled: bool,
}

impl Activity {
    /// A connection whose first byte has just come. Its first head began when it was accepted.
    pub(super) fn new(limits: Limits, is_h2: bool, accepted_at: Instant) -> Self {
        let state = State {
            exchanges: 0,
            waiting_since: accepted_at,
            is_in_head: !is_h2,
            blocked_since: None,
            untaken: 0,
            moved_at: accepted_at,
            content: 0,
            leaving_since: None,
            unframed: 0,
            is_stalled: false,
        };
        Self {
            limits,
            is_h2,
            state: Mutex::new(state),
        }
    }

    /// Whether it speaks HTTP/2.
    pub(super) fn is_h2(&self) -> bool {
        self.is_h2
    }

    /// Whether a response is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().exchanges > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came. Between HTTP/1 exchanges they are the next head; HTTP/2 frames say nothing by themselves.
    pub(super) fn received(&self) {
        if self.is_h2 {
            return;
        }
        let mut state = self.lock();
        if state.exchanges == 0 && !state.is_in_head {
            state.is_in_head = true;
            state.waiting_since = Instant::now();
        }
    }

    /// The socket took some bytes. On HTTP/2 they may be all about the connection: see [`Self::moved`].
    pub(super) fn sent(&self) {
        let mut state = self.lock();
        state.blocked_since = None;
        if !self.is_h2 {
            state.moved_at = Instant::now();
        }
    }

    /// So many bytes of content went out on HTTP/2.
    pub(super) fn moved(&self, content: usize) {
        let mut state = self.lock();
        state.content += content;
        if state.content >= CONTENT_STEP {
            state.content = 0;
            state.moved_at = Instant::now();
        }
    }

    /// The socket takes nothing now.
    pub(super) fn blocked(&self) {
        self.lock().blocked_since.get_or_insert_with(Instant::now);
    }

    /// A request came.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.exchanges += 1;
        state.is_in_head = false;
    }

    /// A response ended or was given up.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.exchanges = state.exchanges.saturating_sub(1);
        state.waiting_since = Instant::now();
    }

    /// A piece of a response was handed over, and the client has to take it before the next is asked for.
    pub(super) fn hand_over(&self) {
        let mut state = self.lock();
        state.untaken += 1;
        state.moved_at = Instant::now();
    }

    /// The piece handed over before was taken, or its response was given up.
    pub(super) fn take(&self) {
        let mut state = self.lock();
        state.untaken = state.untaken.saturating_sub(1);
        state.moved_at = Instant::now();
    }

    /// A response begins that only the end of the connection ends.
    pub(super) fn begin_unframed(&self) {
        self.lock().unframed += 1;
    }

    /// That response is complete.
    pub(super) fn end_unframed(&self) {
        let mut state = self.lock();
        state.unframed = state.unframed.saturating_sub(1);
    }

    /// A response broke off. When the client has taken nothing for its whole time, that is why.
    pub(super) fn broke_off(&self) {
        let mut state = self.lock();
        let patience = self.limits.stall.saturating_sub(STALL_MARGIN);
        state.is_stalled |= state
            .blocked_since
            .is_some_and(|since| since.elapsed() >= patience);
    }

    /// Whether the connection must end by a reset: a plain end would pass a cut response off as whole, or leave data
    /// with the system for a client that doesn't read.
    pub(super) fn must_reset(&self) -> bool {
        let state = self.lock();
        state.unframed > 0 || state.is_stalled
    }

    /// What the state means at `now`. After [`Verdict::Idle`] the connection counts as asked to go.
    pub(super) fn judge(&self, now: Instant) -> Verdict {
        let mut state = self.lock();
        let stall_end = state
            .stalling_since()
            .map(|since| since + self.limits.stall);
        if stall_end.is_some_and(|end| end <= now) {
            state.is_stalled = true;
            return Verdict::Close(Reason::Stalled);
        }
        let (waiting_end, verdict) = self.waiting(&state, now);
        if waiting_end <= now {
            match verdict {
                Verdict::Idle => state.leaving_since = Some(now),
                Verdict::Close(Reason::Stalled) => state.is_stalled = true,
                _ => {}
            }
            return verdict;
        }
        Verdict::Wait(stall_end.map_or(waiting_end, |end| end.min(waiting_end)))
    }

    /// When the wait for a request ends, and how.
    fn waiting(&self, state: &State, now: Instant) -> (Instant, Verdict) {
        if state.exchanges > 0 {
            // HTTP/2 streams change the state without waking the connection: look again, early enough for a stall that
            // begins right after this look.
            let later = now + self.limits.idle.min(self.limits.stall);
            return (later, Verdict::Wait(later));
        }
        if state.is_in_head {
            let end = state.waiting_since + self.limits.head;
            return (end, Verdict::Close(Reason::SlowHead));
        }
        if let Some(since) = state.leaving_since {
            // What is left are pieces of ended responses.
            let end = since + self.limits.stall;
            return (end, Verdict::Close(Reason::Stalled));
        }
        (state.waiting_since + self.limits.idle, Verdict::Idle)
    }
}

impl State {
    fn stalling_since(&self) -> Option<Instant> {
        let untaken = (self.untaken > 0).then_some(self.moved_at);
        match (self.blocked_since, untaken) {
            (Some(blocked), Some(untaken)) => Some(blocked.min(untaken)),
            (blocked, untaken) => blocked.or(untaken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        stall: Duration::from_secs(30),
    };

    fn h1(at: Instant) -> Activity {
        Activity::new(LIMITS, false, at)
    }

    /// Seconds after now, with room for the time the test itself takes.
    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn first_head_is_due_from_accept() {
        let start = Instant::now();
        let activity = h1(start);
        activity.received();
        let due = start + LIMITS.head;
        assert_eq!(activity.judge(start), Verdict::Wait(due));
        assert_eq!(activity.judge(due), Verdict::Close(Reason::SlowHead));
        assert!(!activity.must_reset());
    }

    #[test]
    fn idle_connection_is_asked_to_go_once_and_then_closed() {
        let activity = h1(Instant::now());
        activity.begin();
        activity.end();
        let idle_end = after(61);
        assert_eq!(activity.judge(after(11)), activity.judge(after(59)));
        assert_eq!(activity.judge(idle_end), Verdict::Idle);
        let closed = idle_end + LIMITS.stall;
        assert_eq!(activity.judge(idle_end), Verdict::Wait(closed));
        assert_eq!(activity.judge(closed), Verdict::Close(Reason::Stalled));
    }

    #[test]
    fn next_head_has_the_short_limit_from_its_first_byte() {
        let activity = h1(Instant::now());
        activity.begin();
        activity.end();
        activity.received();
        assert_eq!(activity.judge(after(11)), Verdict::Close(Reason::SlowHead));
    }

    #[test]
    fn stall_that_begins_unseen_is_looked_for_in_time() {
        let activity = Activity::new(LIMITS, true, Instant::now());
        activity.begin();
        let seen = Instant::now();
        let Verdict::Wait(look) = activity.judge(seen) else {
            panic!("a request runs");
        };
        activity.hand_over();
        assert!(look <= Instant::now() + LIMITS.stall);
        assert!(matches!(activity.judge(look), Verdict::Wait(_)));
        assert_eq!(activity.judge(after(31)), Verdict::Close(Reason::Stalled));
    }

    #[test]
    fn running_exchange_has_no_limit_of_its_own() {
        let activity = h1(Instant::now());
        activity.begin();
        activity.received();
        assert!(matches!(activity.judge(after(100_000)), Verdict::Wait(_)));
    }

    #[test]
    fn frames_on_an_idle_http2_connection_do_not_prolong_it() {
        let start = Instant::now();
        let activity = Activity::new(LIMITS, true, start);
        activity.received();
        assert!(matches!(activity.judge(after(11)), Verdict::Wait(_)));
        assert_eq!(activity.judge(start + LIMITS.idle), Verdict::Idle);
    }

    #[test]
    fn blocked_socket_is_a_stall_until_it_takes_something() {
        let activity = h1(Instant::now());
        activity.begin();
        activity.blocked();
        activity.sent();
        assert!(matches!(activity.judge(after(31)), Verdict::Wait(_)));
        activity.blocked();
        assert_eq!(activity.judge(after(31)), Verdict::Close(Reason::Stalled));
        assert!(activity.must_reset());
    }

    #[test]
    fn response_that_breaks_off_is_a_stall_only_after_the_whole_time() {
        let impatient = Limits {
            stall: STALL_MARGIN,
            ..LIMITS
        };
        for (limits, is_stall) in [(LIMITS, false), (impatient, true)] {
            let activity = Activity::new(limits, false, Instant::now());
            activity.begin();
            activity.broke_off();
            assert!(!activity.must_reset());
            activity.blocked();
            activity.broke_off();
            assert_eq!(activity.must_reset(), is_stall);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn untaken_piece_is_a_stall_that_only_content_ends() {
        let activity = Activity::new(LIMITS, true, Instant::now());
        activity.begin();
        activity.hand_over();
        tokio::time::advance(LIMITS.stall).await;
        activity.moved(CONTENT_STEP - 1);
        activity.moved(1);
        assert!(matches!(activity.judge(Instant::now()), Verdict::Wait(_)));
        tokio::time::advance(LIMITS.stall).await;
        activity.sent();
        activity.moved(CONTENT_STEP - 1);
        let verdict = activity.judge(Instant::now());
        assert_eq!(verdict, Verdict::Close(Reason::Stalled));
    }

    #[test]
    fn slow_upstream_is_no_stall() {
        let activity = h1(Instant::now());
        activity.begin();
        activity.hand_over();
        activity.take();
        assert!(matches!(activity.judge(after(100_000)), Verdict::Wait(_)));
    }

    #[test]
    fn unframed_response_forces_a_reset_until_it_is_complete() {
        let activity = h1(Instant::now());
        activity.begin_unframed();
        assert!(activity.must_reset());
        activity.end_unframed();
        assert!(!activity.must_reset());
    }
}
