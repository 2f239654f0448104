//! Dates as YouTube writes them.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, Time};

/// Unix second of `2023-07-07T08:30:08-07:00`, or of midnight UTC for `2023-07-07`; `None` for others and for times
/// before 1970.
pub(super) fn unix_seconds(text: &str) -> Option<u64> {
    let moment = match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(moment) => moment,
        Err(_) => midnight(text)?,
    };
    u64::try_from(moment.unix_timestamp()).ok()
}

fn midnight(text: &str) -> Option<OffsetDateTime> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    Some(date.with_time(Time::MIDNIGHT).assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, seconds) in [
            ("2023-07-07T08:30:08-07:00", Some(1_688_743_808)),
            ("2023-07-07T15:30:08+00:00", Some(1_688_743_808)),
            ("2023-07-07", Some(1_688_688_000)),
            ("1969-12-31", None),
            ("2023-13-01", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(unix_seconds(text), seconds, "{text}");
        }
    }
}
