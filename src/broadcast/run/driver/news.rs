//! What the task of a broadcast hears of its items.

use std::time::Duration;

use crate::broadcast::ItemState;
use crate::broadcast::list::Turn;
use crate::broadcast::source::Monitor;
use crate::media::normalise::Report;

/// What the driver tells.
#[derive(Debug)]
pub(in crate::broadcast::run) enum News {
    /// An item is on its way to the pump, under this number.
    Queued {
        serial: u64,
        turn: Turn,
        duration: Option<Duration>,
        title: String,
        /// Where its bytes come from, as the status says it.
        source: &'static str,
        monitor: Monitor,
    },
    /// The bytes of the item of this number come from elsewhere now, as the status says it.
    Source { serial: u64, source: &'static str },
    /// A program runs for the item of this number; `None` when it has ended.
    Child { serial: u64, pid: Option<u32> },
    /// How far the program is that runs for the item of this number.
    Report { serial: u64, report: Report },
    /// A line of that program, or about it.
    Line { item: String, line: String },
    /// An item was fetched whole.
    Fetched(String),
    /// The turn of an item has come before it was on disk.
    Direct(String),
    /// An item was copied to disk while it was played.
    Kept(String),
    /// The site is away: what is kept is played until it is back.
    Offline,
    /// How an item fared.
    Fared {
        turn: Turn,
        state: ItemState,
        reason: Option<&'static str>,
        message: String,
    },
    /// An upstream was taken up again so often.
    Resumed(u64),
    /// The site was asked for new addresses so often.
    Refreshed(u64),
    /// No item of the whole list could be played, and none was before.
    NothingPlays,
    /// A whole cycle gave nothing; so long nothing is tried.
    BackingOff(Duration),
    /// So many items failed in a row; so long nothing is tried.
    Pausing { failures: u32, pause: Duration },
}
