//! The times on air that follow from a schedule.
//!
//! Windows are meant by the clock on the wall. Where that clock skips an hour, a beginning in it comes when it skips,
//! and an end in it as much later as was skipped; where it shows an hour twice, the first time counts.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};

use super::wire::{Day, Schedule, TimeOfDay, Window};
use crate::broadcast::FieldFault;

/// Windows of a schedule.
const MAX_WINDOWS: usize = 100;
/// Days that are looked at. A window comes every week, so the next one is among them; what is on air all the time is
/// told from what merely is on air for days.
const DAYS: i32 = 16;

/// A schedule that can be used.
#[derive(Debug)]
pub(in crate::broadcast) struct Plan {
    zone: TimeZone,
    windows: Vec<Window>,
    start: Option<Timestamp>,
    stop: Option<Timestamp>,
}

/// A time on air, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broadcast) struct Span {
    /// When it begins.
    pub(in crate::broadcast) start: Timestamp,
    /// When it ends; `None` for never.
    pub(in crate::broadcast) stop: Option<Timestamp>,
}

impl Plan {
    /// Reads a schedule.
    ///
    /// # Errors
    /// The first thing in it that can't be used.
    pub(in crate::broadcast) fn new(schedule: &Schedule) -> Result<Self, FieldFault> {
        let fault = |message: String| FieldFault::new("schedule", message);
        // Never the machine's own: a name of a client opens no file, and the same one means the same everywhere.
        let zone = TimeZoneDatabase::bundled().get(&schedule.tz);
        let zone = zone.map_err(|_| {
            fault("`tz` must be the name of an IANA time zone, such as `Europe/Vienna`".to_owned())
        })?;
        let at = |field: &str, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            let read = instant(text, &zone).map(Some);
            read.ok_or_else(|| fault(format!("`{field}` must be a time as in RFC 3339")))
        };
        let (start, stop) = (
            at("start_at", &schedule.start_at)?,
            at("stop_at", &schedule.stop_at)?,
        );
        let message = if schedule.windows.is_empty() && start.is_none() {
            "needs `windows` or `start_at`"
        } else if schedule.windows.len() > MAX_WINDOWS {
            "has more than 100 windows"
        } else if schedule
            .windows
            .iter()
            .any(|window| window.from.minutes() == 24 * 60)
        {
            "`from` must be before `24:00`"
        } else if start.zip(stop).is_some_and(|(start, stop)| stop <= start) {
            "`stop_at` must be after `start_at`"
        } else {
            let windows = schedule.windows.clone();
            return Ok(Self {
                zone,
                windows,
                start,
                stop,
            });
        };
        Err(fault(message.to_owned()))
    }

    /// When items are fetched before a time on air: every day from the one time to the other.
    ///
    /// # Errors
    /// The first thing in it that can't be used.
    pub(in crate::broadcast) fn early(schedule: &Schedule) -> Result<Option<Self>, FieldFault> {
        let Some(prefetch) = &schedule.prefetch else {
            return Ok(None);
        };
        let every_day = Window {
            days: Vec::new(),
            from: prefetch.from,
            to: prefetch.to,
        };
        let daily = Schedule {
            tz: schedule.tz.clone(),
            windows: vec![every_day],
            start_at: None,
            stop_at: None,
            prefetch: None,
        };
        Self::new(&daily).map(Some)
    }

    /// The time on air that `now` lies in.
    pub(in crate::broadcast) fn current(&self, now: Timestamp) -> Option<Span> {
        let mut spans = self.spans(now).into_iter();
        spans.find(|span| span.start <= now && span.stop.is_none_or(|stop| now < stop))
    }

    /// The first time on air that begins after `now`.
    pub(in crate::broadcast) fn next(&self, now: Timestamp) -> Option<Span> {
        self.spans(now).into_iter().find(|span| span.start > now)
    }

    /// Times on air around `now`, or around the beginning of all when that is later; in order, apart from one another.
    fn spans(&self, now: Timestamp) -> Vec<Span> {
        if self.windows.is_empty() {
            return self
                .clipped(Span {
                    start: Timestamp::MIN,
                    stop: None,
                })
                .into_iter()
                .collect();
        }
        let from = self.start.map_or(now, |start| start.max(now));
        let Some((mut spans, end)) = self.occurrences(from) else {
            // At the end of the calendar there are no more.
            return Vec::new();
        };
        spans.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (start, stop) in spans {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(stop),
                _ => merged.push((start, stop)),
            }
        }
        let span = |(start, stop)| Span {
            start,
            stop: (stop < end).then_some(stop),
        };
        let spans = merged.into_iter().map(span);
        spans.filter_map(|span| self.clipped(span)).collect()
    }

    /// Every window on the days around `from`, and the end of the last of those days.
    fn occurrences(&self, from: Timestamp) -> Option<(Vec<(Timestamp, Timestamp)>, Timestamp)> {
        let today = self.zone.to_datetime(from).date();
        // One may have begun yesterday.
        let first = today.yesterday().ok()?;
        let mut spans = Vec::new();
        for number in 0..DAYS {
            let date = first.checked_add(number.days()).ok()?;
            for window in &self.windows {
                let span = self.occurrence(window, date)?;
                spans.extend(span.filter(|(start, stop)| start < stop));
            }
        }
        let last = first.checked_add(DAYS.days()).ok()?;
        let end = self.end(last.at(0, 0, 0, 0))?;
        Some((spans, end))
    }

    /// A window that begins on this day, if it does; `None` at the end of the calendar.
    #[expect(clippy::option_option, reason = "no window, or no more days")]
    fn occurrence(&self, window: &Window, date: Date) -> Option<Option<(Timestamp, Timestamp)>> {
        let is_day = |day: &Day| weekday(*day) == date.weekday();
        if !window.days.is_empty() && !window.days.iter().any(is_day) {
            return Some(None);
        }
        let start = self.beginning(at(date, window.from)?)?;
        let until = if window.to <= window.from {
            date.tomorrow().ok()?
        } else {
            date
        };
        let stop = self.end(at(until, window.to)?)?;
        Some(Some((start, stop)))
    }

    fn beginning(&self, time: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let is_skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let earlier = ambiguous.earlier().ok()?;
        if !is_skipped {
            return Some(earlier);
        }
        let skip = self.zone.following(earlier).next()?;
        Some(skip.timestamp())
    }

    fn end(&self, time: DateTime) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(time).compatible().ok()
    }

    /// What of a time lies between the beginning and the end of all.
    fn clipped(&self, span: Span) -> Option<Span> {
        let start = self.start.map_or(span.start, |start| start.max(span.start));
        let stop = match (span.stop, self.stop) {
            (Some(stop), Some(last)) => Some(stop.min(last)),
            (stop, last) => stop.or(last),
        };
        let is_there = stop.is_none_or(|stop| start < stop);
        is_there.then_some(Span { start, stop })
    }
}

/// A time with an offset, or one by the clock of the zone.
fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    /// Longest text of a time.
    const MOST: usize = 40;
    // What follows in brackets would be another zone.
    if text.len() > MOST || text.contains('[') {
        return None;
    }
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    let time: DateTime = text.parse().ok()?;
    zone.to_ambiguous_timestamp(time).compatible().ok()
}

fn at(date: Date, time: TimeOfDay) -> Option<DateTime> {
    let (hours, minutes) = (time.minutes() / 60, time.minutes() % 60);
    if hours == 24 {
        return Some(date.tomorrow().ok()?.at(0, 0, 0, 0));
    }
    let (hours, minutes) = (i8::try_from(hours).ok()?, i8::try_from(minutes).ok()?);
    Some(date.at(hours, minutes, 0, 0))
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests;
