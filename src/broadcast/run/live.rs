//! What a running broadcast shows of itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Tally;
use super::driver::SharedList;
use crate::broadcast::list::{AtEnd, Turn};
use crate::broadcast::pump::{PumpHandle, PumpStatus};
use crate::broadcast::shelf::Shelf;
use crate::broadcast::source::Monitor;
use crate::broadcast::splicer::Origin;
use crate::broadcast::{Item, Position, Settings, Status};
use crate::media::normalise::Report;

/// An item on its way, or on air.
#[derive(Debug, Clone)]
pub(in crate::broadcast) struct OnAir {
    /// Place in the order of the cycle.
    pub(in crate::broadcast) index: u32,
    /// How often the list was begun before.
    pub(in crate::broadcast) cycle: u32,
    /// Id of the item.
    pub(in crate::broadcast) id: String,
    /// Title.
    pub(in crate::broadcast) title: String,
    /// Length, where it is known.
    pub(in crate::broadcast) duration: Option<Duration>,
    /// Where its bytes come from, in a word.
    pub(in crate::broadcast) source: &'static str,
}

/// An item at the pump.
pub(super) struct Queued {
    pub(super) item: OnAir,
    /// What is held of it.
    pub(super) monitor: Monitor,
    /// The program that works on it.
    child: Option<u32>,
    /// What that program, or the one before it, said last of itself.
    report: Report,
}

impl Queued {
    /// An item that no program works on yet.
    pub(super) fn new(item: OnAir, monitor: Monitor) -> Self {
        Self {
            item,
            monitor,
            child: None,
            report: Report::default(),
        }
    }
}

/// See the module.
pub(in crate::broadcast) struct Live {
    pub(super) status: Status,
    pub(super) since: String,
    pub(super) started: Instant,
    /// Milliseconds on air before this run.
    pub(super) earlier_ms: u64,
    pub(super) target: String,
    pub(super) pump: Option<PumpHandle>,
    pub(super) list: Option<Arc<SharedList>>,
    pub(super) settings: watch::Receiver<Settings>,
    /// Items on disk, as long as there are any.
    pub(super) shelf: Weak<Shelf>,
    pub(super) now: Option<OnAir>,
    /// Number under which it was queued.
    pub(super) serial: u64,
    /// How far it was when that was last seen: while the slate is shown, the pump tells the slate's time.
    pub(super) offset: Duration,
    /// What is at the pump, by the numbers under which it was queued: the item on air, and those after it.
    pub(super) queued: BTreeMap<u64, Queued>,
    /// Frames that programs threw away, of all items.
    dropped: u64,
    /// The same of frames that they repeated.
    duplicated: u64,
    pub(super) played: u64,
    pub(super) failures: u64,
    pub(super) skipped: u64,
    pub(super) resumes: u64,
    pub(super) refreshes: u64,
}

impl Live {
    /// A broadcast that is starting, to a target as it is shown, and that was on air for so many milliseconds before.
    pub(super) fn new(
        since: String,
        target: String,
        earlier_ms: u64,
        settings: watch::Receiver<Settings>,
    ) -> Self {
        Self {
            status: Status::Starting,
            since,
            started: Instant::now(),
            earlier_ms,
            target,
            pump: None,
            list: None,
            settings,
            shelf: Weak::new(),
            now: None,
            serial: 0,
            offset: Duration::ZERO,
            queued: BTreeMap::new(),
            dropped: 0,
            duplicated: 0,
            played: 0,
            failures: 0,
            skipped: 0,
            resumes: 0,
            refreshes: 0,
        }
    }

    /// What came of its items and connections.
    pub(in crate::broadcast) fn tally(&self) -> Tally {
        let pump = self.pump.as_ref().map(PumpHandle::status);
        Tally {
            played: self.played,
            // What broke is skipped, too.
            skipped: self.skipped.saturating_sub(self.failures),
            failed: self.failures,
            resumes: self.resumes,
            reconnects: pump.as_ref().map_or(0, |pump| pump.reconnects),
            slate: pump.as_ref().map_or(Duration::ZERO, |pump| pump.slate),
            sent_bytes: pump.as_ref().map_or(0, |pump| pump.sent_bytes),
        }
    }

    /// Notes from where the bytes of an item come by now.
    pub(super) fn note_source(&mut self, serial: u64, source: &'static str) {
        if let Some(queued) = self.queued.get_mut(&serial) {
            queued.item.source = source;
        }
        if self.serial == serial
            && let Some(now) = &mut self.now
        {
            now.source = source;
        }
    }

    /// Where it stands.
    pub(in crate::broadcast) fn status(&self) -> Status {
        self.status
    }

    /// Whether it is about to end.
    pub(in crate::broadcast) fn is_ending(&self) -> bool {
        !self.status.is_active() || self.status == Status::Stopping
    }

    /// Programs that run for it.
    pub(in crate::broadcast) fn programs(&self) -> usize {
        self.children().count()
    }

    /// The programs that run, with the place of their items; that of the item on air first.
    fn children(&self) -> impl Iterator<Item = (u32, u32)> {
        let queued = self.queued.values();
        queued.filter_map(|queued| Some((queued.child?, queued.item.index)))
    }

    /// Number of the program that works on the item on air, or on the next one.
    pub(super) fn pid(&self) -> Option<u32> {
        self.children().next().map(|(pid, _)| pid)
    }

    /// Notes which program works on an item.
    pub(super) fn note_child(&mut self, serial: u64, pid: Option<u32>) {
        if let Some(queued) = self.queued.get_mut(&serial) {
            queued.child = pid;
            // The next program counts from nothing again.
            (queued.report.dropped, queued.report.duplicated) = (0, 0);
        }
    }

    /// Notes how far the program is that works on an item.
    pub(super) fn note_report(&mut self, serial: u64, report: Report) {
        let Some(queued) = self.queued.get_mut(&serial) else {
            return;
        };
        let before = std::mem::replace(&mut queued.report, report);
        self.dropped += report.dropped.saturating_sub(before.dropped);
        self.duplicated += report.duplicated.saturating_sub(before.duplicated);
    }

    /// How fast the item on air is made, or the next one while there is none, in times real time.
    fn speed(&self) -> f64 {
        let mut from_now = self.queued.range(self.serial..);
        from_now
            .next()
            .map_or(0.0, |(_, queued)| queued.report.speed)
    }

    /// Where it is, as it is kept.
    pub(in crate::broadcast) fn position(&self) -> Option<Position> {
        let now = self.now.as_ref()?;
        Some(Position {
            index: now.index,
            item_id: now.id.clone(),
            offset_ms: self.offset_ms(),
            cycle: now.cycle,
            on_air_ms: self.on_air_ms(),
        })
    }

    fn on_air_ms(&self) -> u64 {
        self.earlier_ms + millis(self.started.elapsed())
    }

    /// Notes what is on air; whether it is another item.
    pub(super) fn take_on_air(&mut self, serial: u64, item: OnAir) -> bool {
        let place = |item: &OnAir| (item.index, item.cycle);
        let is_new = self.now.as_ref().map(place) != Some(place(&item));
        if is_new {
            self.offset = Duration::ZERO;
        }
        self.now = Some(item);
        self.serial = serial;
        is_new
    }

    /// Notes how far the item is.
    pub(super) fn note_offset(&mut self) {
        self.offset = self.offset();
    }

    fn offset(&self) -> Duration {
        let status = self.pump.as_ref().map(PumpHandle::status);
        let is_now = |status: &PumpStatus| status.on_air == Some(Origin::Item(self.serial));
        status
            .filter(is_now)
            .map_or(self.offset, |status| status.position)
    }

    fn offset_ms(&self) -> u64 {
        millis(self.offset())
    }

    /// `GET /broadcasts/{id}/status` (broadcast.md §3.1), without what stands in the record.
    pub(in crate::broadcast) fn to_json(&self) -> Value {
        let pump = self.pump.as_ref().map(PumpHandle::status);
        let children = self
            .children()
            .map(|(pid, item)| json!({"pid": pid, "role": "normaliser", "item": item}));
        json!({
            "status": self.status,
            "since": self.since,
            "uptime_s": self.started.elapsed().as_secs(),
            "pid": self.pid(),
            "pids": children.collect::<Vec<_>>(),
            "now": self.now.as_ref().map(|now| json!({
                "index": now.index, "id": now.id, "title": now.title, "cycle": now.cycle, "source": now.source,
                "duration_ms": now.duration.map(millis), "position_ms": self.offset_ms(),
            })),
            "next": self.next(),
            "output": pump.as_ref().map(|pump| self.output(pump)),
            "faults": pump.as_ref().map(|pump| json!({
                "upstream_resumes": self.resumes, "url_refreshes": self.refreshes, "item_failures": self.failures, "items_skipped": self.skipped,
                "slate_ms": millis(pump.slate), "reconnects": pump.reconnects,
                "downtime_ms": millis(pump.downtime), "repeated_ms": millis(pump.repeated),
                "left_out_ms": millis(pump.left_out),
            })),
            "encoder": json!({
                "speed": self.speed(), "drop": self.dropped, "dup": self.duplicated,
            }),
        })
    }

    fn output(&self, pump: &PumpStatus) -> Value {
        json!({
            "target": format!("{}/***", self.target),
            "connected": pump.connected_for.is_some(),
            "connected_ms": pump.connected_for.map(millis),
            "bitrate_kbps": (pump.bits_per_second / 1000.0).round(),
            "fps": (pump.pictures_per_second * 10.0).round() / 10.0,
            "frames": pump.pictures,
            "dropped_frames": self.dropped,
            "duplicated_frames": self.duplicated,
            "sent_bytes": pump.sent_bytes,
            "unacked_bytes": pump.unacknowledged_bytes,
            "lead_ms": millis(pump.lead),
            "max_gop_ms": millis(pump.max_gop),
            "max_gap_ms_1m": millis(pump.max_gap_last_minute),
            "max_gap_ms_total": millis(pump.max_gap),
        })
    }

    /// What is at the pump behind the item on air; else what is being made ready for it, or will be.
    fn next(&self) -> Value {
        let behind = self.queued.range(self.serial + 1..);
        let mut waiting = behind.filter(|(_, queued)| !queued.monitor.is_over());
        if let Some((_, next)) = waiting.next() {
            let held = next.monitor.buffered();
            return json!({
                "index": next.item.index, "id": next.item.id, "title": next.item.title,
                "ready": held.gops > 0, "buffered_ms": millis(held.duration),
            });
        }
        self.following().map_or(Value::Null, |turn| {
            json!({
                "index": turn.index, "id": turn.item.video_id, "title": turn.item.title,
                "ready": false, "buffered_ms": 0,
            })
        })
    }

    /// The item that is being found, or whose turn is next.
    fn following(&self) -> Option<Turn> {
        let shared = self.list.as_ref()?;
        let at_end = {
            let settings = self.settings.borrow();
            if settings.loop_enabled {
                AtEnd::Again(settings.seed())
            } else {
                AtEnd::Stop
            }
        };
        let shelf = self.shelf.upgrade();
        let shelf = shelf.filter(|shelf| shared.is_offline() && shelf.has_kept());
        let may = |item: &Item| shelf.as_ref().is_none_or(|shelf| shelf.get(item).is_some());
        let list = shared.lock();
        let found = list.begun().cloned();
        found.or_else(|| list.following(Instant::now(), at_end, may))
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::source::{self, SourceOptions};

    fn live() -> Live {
        let (_, settings) = watch::channel(Settings::default());
        Live::new(String::new(), String::new(), 0, settings)
    }

    fn on_air(index: u32) -> OnAir {
        OnAir {
            index,
            cycle: 0,
            id: index.to_string(),
            title: String::new(),
            duration: None,
            source: "direct",
        }
    }

    fn queue(live: &mut Live, serial: u64) {
        let (sink, _source) = source::channel(SourceOptions::default());
        let item = on_air(u32::try_from(serial).unwrap());
        live.queued
            .insert(serial, Queued::new(item, sink.monitor()));
    }

    fn report(speed: f64, dropped: u64, duplicated: u64) -> Report {
        Report {
            speed,
            dropped,
            duplicated,
            ..Report::default()
        }
    }

    fn shown(live: &Live) -> (f64, u64, u64) {
        let encoder = &live.to_json()["encoder"];
        let count = |name: &str| encoder[name].as_u64().unwrap();
        (
            encoder["speed"].as_f64().unwrap(),
            count("drop"),
            count("dup"),
        )
    }

    #[test]
    fn speed_is_that_of_the_item_on_air_and_frames_are_those_of_all() {
        let mut live = live();
        assert_eq!(shown(&live), (0.0, 0, 0));
        queue(&mut live, 1);
        live.note_child(1, Some(11));
        live.note_report(1, report(4.0, 1, 10));
        assert_eq!(shown(&live), (4.0, 1, 10), "before it is on air");
        live.take_on_air(1, on_air(1));
        live.note_report(1, report(2.0, 3, 12));
        queue(&mut live, 2);
        live.note_child(2, Some(12));
        live.note_report(2, report(9.0, 0, 5));
        assert_eq!(shown(&live), (2.0, 3, 17), "the next one is made ready");
        live.note_report(1, report(1.5, 4, 12));
        live.note_child(1, None);
        assert_eq!(shown(&live), (1.5, 4, 17), "its program has ended");
        live.queued.remove(&1);
        live.take_on_air(2, on_air(2));
        live.note_report(2, report(3.0, 1, 5));
        assert_eq!(shown(&live), (3.0, 5, 17));
        live.note_report(1, report(1.0, 100, 100));
        assert_eq!(shown(&live), (3.0, 5, 17), "of an item that is off air");
    }

    #[test]
    fn frames_of_every_run_of_an_item_count() {
        let mut live = live();
        queue(&mut live, 1);
        live.note_child(1, Some(11));
        live.note_report(1, report(1.0, 7, 2));
        live.note_child(1, None);
        live.note_child(1, Some(12));
        live.note_report(1, report(1.0, 1, 0));
        assert_eq!(shown(&live), (1.0, 8, 2));
        // A run of which more is counted than of the one before.
        live.note_report(1, report(1.0, 9, 3));
        assert_eq!(shown(&live), (1.0, 16, 5));
    }
}
