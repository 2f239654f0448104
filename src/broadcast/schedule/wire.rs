//! A schedule as its user writes it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When a broadcast is on air by itself: in its windows, not before `start_at`, not after `stop_at`. Without windows it
/// is on air from the one to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Name of the IANA zone that windows, and times without an offset, are meant in.
    pub tz: String,
    /// Times of the week on air.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// Not before this time; RFC 3339, or without an offset in the zone.
    #[serde(default)]
    pub start_at: Option<String>,
    /// Not after this time.
    #[serde(default)]
    pub stop_at: Option<String>,
    /// When items are fetched ahead.
    #[serde(default)]
    pub prefetch: Option<Prefetch>,
}

/// A time of the week on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Days on which it begins; every one when there are none.
    #[serde(default)]
    pub days: Vec<Day>,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends; not later than `from` means on the next day.
    pub to: TimeOfDay,
}

/// When items are fetched ahead, every day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefetch {
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends; not later than `from` means on the next day.
    pub to: TimeOfDay,
    /// How many items, 1 to 100.
    pub items: u32,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Minutes since midnight by the clock on the wall, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

/// A text that is no time of the day.
#[derive(Debug, thiserror::Error)]
#[error("a time of the day is written as `18:00`")]
pub struct NoTimeOfDay;

impl TryFrom<String> for TimeOfDay {
    type Error = NoTimeOfDay;

    fn try_from(text: String) -> Result<Self, NoTimeOfDay> {
        let two = |text: &str| -> Option<u16> {
            let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':').ok_or(NoTimeOfDay)?;
        let minutes = two(minutes).filter(|minutes| *minutes < 60);
        let time = two(hours)
            .zip(minutes)
            .map(|(hours, minutes)| hours * 60 + minutes);
        time.filter(|time| *time <= 24 * 60)
            .map(Self)
            .ok_or(NoTimeOfDay)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_the_day_is_four_digits() {
        for (text, minutes) in [("00:00", 0), ("18:05", 1085), ("24:00", 1440)] {
            let time = TimeOfDay::try_from(text.to_owned()).unwrap();
            assert_eq!(
                (time.minutes(), time.to_string()),
                (minutes, text.to_owned())
            );
        }
        for text in [
            "",
            "18",
            "8:00",
            "18:60",
            "24:01",
            "18:00:00",
            "-1:00",
            "+1:00",
            "１８:00",
        ] {
            assert!(TimeOfDay::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
