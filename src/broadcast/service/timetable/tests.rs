//! What is due when. The clock is a value.

use serde_json::json;

use super::*;

fn entry() -> Entry {
    let fields = json!({"schedule": {"tz": "UTC", "windows": [{"from": "10:00", "to": "12:00"}]}});
    let settings: Settings = serde_json::from_value(fields).unwrap();
    Entry::new(&settings, Times::default()).unwrap()
}

/// A time of the day after the first one, or of the next day.
fn at(time: &str) -> Timestamp {
    format!("2026-11-{time}:00Z").parse().unwrap()
}

fn times(start: &str, stop: Option<&str>) -> Times {
    Times {
        start: Some(at(start)),
        stop: stop.map(at),
        early: None,
    }
}

#[test]
fn window_starts_and_ends_it() {
    let mut entry = entry();
    entry.begin(at("21T09:00"), false);
    assert_eq!(entry.times, times("21T10:00", None));
    assert_eq!(entry.look(at("21T09:59"), false), None);
    assert_eq!(
        entry.look(at("21T10:00"), false),
        Some(Due::Start { goes_on: false })
    );
    entry.begin(at("21T10:00"), true);
    assert_eq!(entry.times, times("22T10:00", Some("21T12:00")));
    assert_eq!(entry.look(at("21T11:59"), true), None);
    assert_eq!(entry.look(at("21T12:00"), true), Some(Due::Stop));
    assert_eq!(entry.times, times("22T10:00", None));
    assert_eq!(entry.look(at("21T12:01"), false), None);
}

#[test]
fn items_are_fetched_in_their_time_and_not_on_air() {
    let fields = json!({"schedule": {"tz": "UTC", "windows": [{"from": "10:00", "to": "12:00"}],
        "prefetch": {"from": "03:00", "to": "04:00", "items": 5}}});
    let settings: Settings = serde_json::from_value(fields).unwrap();
    let mut entry = Entry::new(&settings, Times::default()).unwrap();
    let early = |entry: &Entry| entry.times.early;
    let fetch = |until: &str| {
        Some(Due::Fetch {
            count: 5,
            until: Some(at(until)),
        })
    };
    entry.begin(at("21T01:00"), false);
    assert_eq!(early(&entry), Some(at("21T03:00")));
    assert_eq!(entry.look(at("21T02:59"), false), None);
    assert_eq!(entry.look(at("21T03:00"), false), fetch("21T04:00"));
    assert_eq!(entry.look(at("21T03:30"), false), None);
    assert_eq!(early(&entry), Some(at("22T03:00")));
    // A server that was down in the meantime has lost them.
    entry.resume(at("21T03:40"));
    assert_eq!(entry.look(at("21T03:40"), false), fetch("21T04:00"));
    // On air by hand at that time.
    entry.begin(at("22T02:00"), true);
    assert_eq!(entry.look(at("22T03:00"), true), Some(Due::Note));
    assert_eq!(early(&entry), Some(at("23T03:00")));
    entry.pass(at("22T03:10"));
    assert_eq!(entry.look(at("22T03:10"), false), fetch("22T04:00"));
    // The time was missed altogether.
    entry.pass(at("22T05:00"));
    assert_eq!(entry.look(at("23T09:00"), false), Some(Due::Note));
    assert_eq!(early(&entry), Some(at("24T03:00")));
}

#[test]
fn made_inside_a_window_it_is_due_at_once() {
    let mut entry = entry();
    entry.begin(at("21T11:00"), false);
    assert_eq!(
        entry.look(at("21T11:00"), false),
        Some(Due::Start { goes_on: false })
    );
    // It failed, and is not tried at every look.
    assert_eq!(entry.look(at("21T11:00"), false), None);
    // It never worked out: the window is over.
    assert_eq!(entry.look(at("21T12:00"), false), Some(Due::Note));
    assert_eq!(entry.times, times("22T10:00", None));
}

#[test]
fn ended_by_hand_or_by_itself_it_stays_so_until_the_next_window() {
    let mut entry = entry();
    entry.begin(at("21T11:00"), true);
    entry.pass(at("21T11:30"));
    assert_eq!(entry.times, times("22T10:00", None));
    assert_eq!(entry.look(at("21T11:31"), false), None);
    entry.begin(at("21T11:40"), true);
    assert_eq!(entry.look(at("21T11:50"), false), Some(Due::Note));
    assert_eq!(entry.times, times("22T10:00", None));
    assert_eq!(
        entry.look(at("22T10:00"), false),
        Some(Due::Start { goes_on: false })
    );
}

#[test]
fn on_air_by_hand_it_is_taken_over_by_the_window() {
    let mut entry = entry();
    entry.begin(at("21T09:00"), true);
    assert_eq!(entry.times, times("21T10:00", None));
    assert_eq!(entry.look(at("21T10:00"), true), Some(Due::Note));
    assert_eq!(entry.times, times("22T10:00", Some("21T12:00")));
}

#[test]
fn restart_of_the_server_goes_on_inside_a_window_alone() {
    for (kept, now, due) in [
        // Cut off.
        (
            times("22T10:00", Some("21T12:00")),
            "21T11:00",
            Some(Due::Start { goes_on: true }),
        ),
        // Cut off, and too late.
        (times("22T10:00", Some("21T12:00")), "21T13:00", None),
        // Missed.
        (
            times("21T10:00", None),
            "21T11:00",
            Some(Due::Start { goes_on: false }),
        ),
        // Missed altogether.
        (times("21T10:00", None), "21T13:00", Some(Due::Note)),
        // Ended by hand.
        (times("22T10:00", None), "21T11:00", None),
    ] {
        let mut entry = entry();
        entry.times = kept;
        entry.resume(at(now));
        assert_eq!(entry.look(at(now), false), due, "{kept:?} at {now}");
        let is_due = matches!(due, Some(Due::Start { .. }));
        let next = at(if is_due { now } else { "22T10:00" });
        assert_eq!(
            entry.times,
            Times {
                start: Some(next),
                stop: None,
                early: None
            }
        );
    }
}
