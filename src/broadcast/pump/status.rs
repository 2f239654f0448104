//! What is told of a running pump.

use std::time::{Duration, Instant};

use super::meters::{Gaps, Rates};
use crate::broadcast::flv::TagKind;
use crate::broadcast::publisher::PublisherStats;
use crate::broadcast::splicer::{Origin, Stamped, Unit};

/// Figures of a pump.
#[derive(Debug, Clone, PartialEq)]
pub struct PumpStatus {
    /// For how long there has been a connection; `None` when there is none.
    pub connected_for: Option<Duration>,
    /// Whose pictures were sent last.
    pub on_air: Option<Origin>,
    /// Up to where the item on air was sent, in its own time.
    pub position: Duration,
    /// Media time sent since the beginning.
    pub sent: Duration,
    /// Pictures sent.
    pub pictures: u64,
    /// Bytes that the system took, over all connections.
    pub sent_bytes: u64,
    /// Of them, on this connection, those that the target has not acknowledged; `None` when it never does.
    pub unacknowledged_bytes: Option<u64>,
    /// Bits a second, over the last 5 s.
    pub bits_per_second: f64,
    /// Pictures a second, over the last 5 s.
    pub pictures_per_second: f64,
    /// How far the target is ahead of what it plays.
    pub lead: Duration,
    /// Longest time between two tags on one connection.
    pub max_gap: Duration,
    /// The same in the last minute.
    pub max_gap_last_minute: Duration,
    /// Media time of the slate.
    pub slate: Duration,
    /// The longest group of pictures of an item: what is repeated at most when the connection is lost.
    pub max_gop: Duration,
    /// Connections after the first.
    pub reconnects: u64,
    /// Time without a connection after the first.
    pub downtime: Duration,
    /// Media time that was sent more than once.
    pub repeated: Duration,
    /// Media time that was never sent, because the target was away and staying in time was asked for.
    pub left_out: Duration,
    /// Frames of sound left out at joins.
    pub sounds_dropped: u64,
    /// Frames of silence put into holes.
    pub silences_filled: u64,
}

#[derive(Debug, Default)]
pub(super) struct Gauges {
    connected: Option<Instant>,
    disconnected: Option<Instant>,
    downtime: Duration,
    connections: u64,
    on_air: Option<Origin>,
    position: Duration,
    sent: Duration,
    pictures: u64,
    earlier_bytes: u64,
    pub(super) connection: PublisherStats,
    pub(super) lead: Duration,
    pub(super) repeated: Duration,
    left_out: Duration,
    slate: Duration,
    max_gop: Duration,
    repairs: (u64, u64),
    gaps: Gaps,
    rates: Rates,
}

impl Gauges {
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
        self.connections += 1;
        if let Some(lost) = self.disconnected.take() {
            self.downtime += now.saturating_duration_since(lost);
        }
    }

    pub(super) fn disconnected(&mut self, now: Instant) {
        if self.connected.take().is_some() {
            self.disconnected = Some(now);
        }
        self.earlier_bytes += self.connection.sent_bytes;
        self.connection = PublisherStats::default();
        self.lead = Duration::ZERO;
        self.gaps.interrupt();
    }

    /// A tag of `unit` was sent.
    pub(super) fn sent(&mut self, unit: &Unit, stamped: &Stamped, now: Instant) {
        let is_picture = stamped.kind == TagKind::Video;
        self.on_air = Some(unit.origin);
        if is_picture {
            self.position = unit.position + stamped.at.saturating_sub(unit.start);
        }
        self.sent = self.sent.max(stamped.at);
        self.pictures += u64::from(is_picture);
        self.rates
            .add(stamped.data.len(), u64::from(is_picture), now);
        self.gaps.add(now);
    }

    /// A group was left out.
    pub(super) fn left_out(&mut self, unit: &Unit) {
        let length = unit.end.saturating_sub(unit.start);
        self.on_air = Some(unit.origin);
        self.position = unit.position + length;
        self.left_out += length;
    }

    /// A group was sent wholly.
    pub(super) fn whole(&mut self, unit: &Unit, repairs: (u64, u64)) {
        self.repairs = repairs;
        let length = unit.end.saturating_sub(unit.start);
        match unit.origin {
            Origin::Slate => self.slate += length,
            Origin::Item(_) => self.max_gop = self.max_gop.max(length),
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> PumpStatus {
        let (bits_per_second, pictures_per_second) = self.rates.per_second(now);
        let (max_gap, max_gap_last_minute) = self.gaps.longest(now);
        let since = |then: Instant| now.saturating_duration_since(then);
        let connection = self.connection;
        let acknowledged = connection.acknowledged_bytes;
        PumpStatus {
            connected_for: self.connected.map(since),
            on_air: self.on_air,
            position: self.position,
            sent: self.sent,
            pictures: self.pictures,
            sent_bytes: self.earlier_bytes + connection.sent_bytes,
            unacknowledged_bytes: acknowledged
                .map(|count| connection.sent_bytes.saturating_sub(count)),
            bits_per_second,
            pictures_per_second,
            lead: self.lead,
            max_gap,
            max_gap_last_minute,
            slate: self.slate,
            max_gop: self.max_gop,
            reconnects: self.connections.saturating_sub(1),
            downtime: self.downtime + self.disconnected.map_or(Duration::ZERO, since),
            repeated: self.repeated,
            left_out: self.left_out,
            sounds_dropped: self.repairs.0,
            silences_filled: self.repairs.1,
        }
    }
}
