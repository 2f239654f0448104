//! Windows by the table: plain days, midnight, weeks, and the nights on which the clock is changed.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn plan(schedule: Value) -> Result<Plan, String> {
    let schedule: Schedule = serde_json::from_value(schedule).map_err(|error| error.to_string())?;
    Plan::new(&schedule).map_err(|fault| fault.message)
}

fn vienna(windows: Value) -> Plan {
    let mut schedule = json!({"tz": "Europe/Vienna"});
    schedule["windows"] = windows;
    plan(schedule).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn told(span: Option<Span>) -> String {
    let told = |span: Span| {
        let stop = span
            .stop
            .map_or("never".to_owned(), |stop| stop.to_string());
        format!("{} {stop}", span.start)
    };
    span.map_or("none".to_owned(), told)
}

/// Both, in one line each.
#[track_caller]
fn assert_at(plan: &Plan, now: &str, current: &str, next: &str) {
    let now = time(now);
    assert_eq!(told(plan.current(now)), current, "current at {now}");
    assert_eq!(told(plan.next(now)), next, "next after {now}");
}

#[test]
fn window_of_some_days_comes_on_those() {
    // 2026-11-23 is a Monday; Vienna is an hour ahead.
    let plan = vienna(json!([{"days": ["mon", "thu"], "from": "18:00", "to": "23:00"}]));
    let monday = "2026-11-23T17:00:00Z 2026-11-23T22:00:00Z";
    let thursday = "2026-11-26T17:00:00Z 2026-11-26T22:00:00Z";
    assert_at(&plan, "2026-11-23T16:59:59Z", "none", monday);
    assert_at(&plan, "2026-11-23T17:00:00Z", monday, thursday);
    assert_at(&plan, "2026-11-23T21:59:59Z", monday, thursday);
    assert_at(&plan, "2026-11-23T22:00:00Z", "none", thursday);
    let later = "2026-11-30T17:00:00Z 2026-11-30T22:00:00Z";
    assert_at(&plan, "2026-11-26T17:00:00Z", thursday, later);
}

#[test]
fn window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let plan = vienna(json!([{"days": ["sun"], "from": "22:00", "to": "02:00"}]));
    let sunday = "2026-11-22T21:00:00Z 2026-11-23T01:00:00Z";
    assert_at(
        &plan,
        "2026-11-23T00:30:00Z",
        sunday,
        "2026-11-29T21:00:00Z 2026-11-30T01:00:00Z",
    );
    assert_at(&plan, "2026-11-22T00:30:00Z", "none", sunday);
    let midnight = vienna(json!([{"days": ["sun"], "from": "22:00", "to": "24:00"}]));
    assert_at(
        &midnight,
        "2026-11-22T22:00:00Z",
        "2026-11-22T21:00:00Z 2026-11-22T23:00:00Z",
        "2026-11-29T21:00:00Z 2026-11-29T23:00:00Z",
    );
}

#[test]
fn windows_that_touch_are_one() {
    let plan = vienna(json!([
        {"days": ["mon"], "from": "18:00", "to": "24:00"},
        {"days": ["tue"], "from": "00:00", "to": "01:00"},
        {"days": ["mon"], "from": "20:00", "to": "21:00"},
        {"days": ["tue"], "from": "00:30", "to": "02:00"},
    ]));
    let all = "2026-11-23T17:00:00Z 2026-11-24T01:00:00Z";
    assert_at(
        &plan,
        "2026-11-23T19:30:00Z",
        all,
        "2026-11-30T17:00:00Z 2026-12-01T01:00:00Z",
    );
    assert_at(&plan, "2026-11-22T19:30:00Z", "none", all);
}

#[test]
fn whole_days_one_after_the_other_have_no_end() {
    let now = "2026-11-23T12:00:00Z";
    for windows in [
        json!([{"from": "00:00", "to": "24:00"}]),
        json!([{"from": "06:00", "to": "06:00"}]),
    ] {
        let plan = vienna(windows);
        assert_eq!(plan.current(time(now)).unwrap().stop, None);
        assert_eq!(plan.next(time(now)), None);
    }
    let days = ["mon", "tue", "wed", "thu", "fri", "sat"];
    let plan = vienna(json!([{"days": days, "from": "00:00", "to": "24:00"}]));
    let next = "2026-11-29T23:00:00Z 2026-12-05T23:00:00Z";
    let current = plan.current(time(now)).unwrap();
    assert_eq!(current.stop, Some(time("2026-11-28T23:00:00Z")));
    assert_eq!(told(plan.next(time(now))), next);
}

#[test]
fn hour_that_the_clock_skips() {
    // On 2026-03-29 in Vienna 02:00 becomes 03:00, at 01:00Z.
    for (from, to, span) in [
        (
            "01:00",
            "04:00",
            "2026-03-29T00:00:00Z 2026-03-29T02:00:00Z",
        ),
        (
            "02:15",
            "02:45",
            "2026-03-29T01:00:00Z 2026-03-29T01:45:00Z",
        ),
        (
            "02:30",
            "03:10",
            "2026-03-29T01:00:00Z 2026-03-29T01:10:00Z",
        ),
        (
            "01:00",
            "02:30",
            "2026-03-29T00:00:00Z 2026-03-29T01:30:00Z",
        ),
        (
            "02:00",
            "03:00",
            "2026-03-29T01:00:00Z 2026-03-29T01:00:00Z",
        ),
        (
            "03:00",
            "03:30",
            "2026-03-29T01:00:00Z 2026-03-29T01:30:00Z",
        ),
    ] {
        let plan = vienna(json!([{"days": ["sun"], "from": from, "to": to}]));
        let (start, stop) = span.split_once(' ').unwrap();
        let expected = if start == stop { "none" } else { span };
        let found = plan.next(time("2026-03-28T12:00:00Z"));
        let found = found.filter(|span| span.start < time("2026-03-30T00:00:00Z"));
        assert_eq!(told(found), expected, "{from} to {to}");
    }
}

#[test]
fn hour_that_the_clock_shows_twice() {
    // On 2026-10-25 in Vienna 03:00 becomes 02:00, at 01:00Z.
    for (from, to, span) in [
        (
            "01:00",
            "04:00",
            "2026-10-24T23:00:00Z 2026-10-25T03:00:00Z",
        ),
        (
            "02:15",
            "02:45",
            "2026-10-25T00:15:00Z 2026-10-25T00:45:00Z",
        ),
        (
            "02:30",
            "03:30",
            "2026-10-25T00:30:00Z 2026-10-25T02:30:00Z",
        ),
        (
            "01:30",
            "02:30",
            "2026-10-24T23:30:00Z 2026-10-25T00:30:00Z",
        ),
    ] {
        let plan = vienna(json!([{"days": ["sun"], "from": from, "to": to}]));
        assert_eq!(
            told(plan.next(time("2026-10-24T12:00:00Z"))),
            span,
            "{from} to {to}"
        );
    }
}

#[test]
fn same_window_has_another_instant_after_the_change() {
    let plan = vienna(json!([{"days": ["sat", "sun"], "from": "18:00", "to": "19:00"}]));
    let summer = "2026-10-24T16:00:00Z 2026-10-24T17:00:00Z";
    let winter = "2026-10-25T17:00:00Z 2026-10-25T18:00:00Z";
    assert_at(&plan, "2026-10-24T16:30:00Z", summer, winter);
}

#[test]
fn beginning_and_end_of_all_cut_windows() {
    let plan = plan(
        json!({"tz": "UTC", "windows": [{"from": "10:00", "to": "12:00"}],
        "start_at": "2030-05-01T11:00:00+01:00", "stop_at": "2030-05-02T11:00:00"}),
    )
    .unwrap();
    let first = "2030-05-01T10:00:00Z 2030-05-01T12:00:00Z";
    let last = "2030-05-02T10:00:00Z 2030-05-02T11:00:00Z";
    assert_at(&plan, "2026-01-01T00:00:00Z", "none", first);
    assert_at(&plan, "2030-05-01T11:00:00Z", first, last);
    assert_at(&plan, "2030-05-02T10:59:59Z", last, "none");
    assert_at(&plan, "2030-05-02T11:00:00Z", "none", "none");
}

#[test]
fn without_windows_it_is_on_air_from_the_one_to_the_other() {
    let once = plan(
        json!({"tz": "Europe/Vienna", "start_at": "2026-07-01T20:00:00", "stop_at": "2026-07-01T20:00:01Z"}),
    );
    let span = "2026-07-01T18:00:00Z 2026-07-01T20:00:01Z";
    assert_at(once.as_ref().unwrap(), "2026-07-01T17:59:59Z", "none", span);
    assert_at(once.as_ref().unwrap(), "2026-07-01T20:00:00Z", span, "none");
    let open = plan(json!({"tz": "UTC", "start_at": "2026-07-01T20:00:00Z"})).unwrap();
    assert_at(
        &open,
        "2027-01-01T00:00:00Z",
        "2026-07-01T20:00:00Z never",
        "none",
    );
}

#[test]
fn end_of_the_calendar_is_no_fault() {
    let plan = plan(
        json!({"tz": "UTC", "windows": [{"from": "00:00", "to": "24:00"}],
        "start_at": "9999-12-30T00:00:00Z"}),
    );
    assert_at(&plan.unwrap(), "2026-01-01T00:00:00Z", "none", "none");
}

#[test]
fn what_can_not_be_used_is_refused() {
    let window = json!([{"from": "10:00", "to": "12:00"}]);
    for (schedule, said) in [
        (json!({"tz": "Europe/Atlantis", "windows": window}), "`tz`"),
        (json!({"tz": "", "windows": window}), "`tz`"),
        (json!({"tz": "../../etc/passwd", "windows": window}), "`tz`"),
        (json!({"tz": "+01:00", "windows": window}), "`tz`"),
        (json!({"windows": window}), "tz"),
        (json!({"tz": "UTC"}), "needs `windows`"),
        (
            json!({"tz": "UTC", "stop_at": "2030-01-01T00:00:00Z"}),
            "needs `windows`",
        ),
        (json!({"tz": "UTC", "start_at": "tomorrow"}), "`start_at`"),
        (
            json!({"tz": "UTC", "start_at": "2026-02-30T00:00:00Z"}),
            "`start_at`",
        ),
        (
            json!({"tz": "UTC", "start_at": "2026-02-20T00:00:00[Asia/Tokyo]"}),
            "`start_at`",
        ),
        (
            json!({"tz": "UTC", "start_at": "2030-01-02T00:00:00Z", "stop_at": "2030-01-01T00:00:00Z"}),
            "after",
        ),
        (
            json!({"tz": "UTC", "windows": [{"from": "24:00", "to": "12:00"}]}),
            "`from`",
        ),
        (
            json!({"tz": "UTC", "windows": [{"from": "25:00", "to": "12:00"}]}),
            "time of the day",
        ),
        (
            json!({"tz": "UTC", "windows": [{"days": ["someday"], "from": "10:00", "to": "12:00"}]}),
            "variant",
        ),
        (
            json!({"tz": "UTC", "windows": vec![window[0].clone(); 101]}),
            "more than 100",
        ),
        (
            json!({"tz": "UTC", "windows": window, "colour": 1}),
            "colour",
        ),
    ] {
        let message = plan(schedule.clone()).map(|_| ()).unwrap_err();
        assert!(message.contains(said), "{schedule}: {message}");
    }
}

/// A window every day in a zone that changes its clock.
fn any_plan() -> impl Strategy<Value = Plan> {
    let zones = [
        "Europe/Vienna",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "UTC",
        "Pacific/Apia",
    ];
    let window = (
        0_u16..1440,
        0_u16..=1440,
        proptest::collection::vec(0_usize..7, 0..4),
    );
    let windows = proptest::collection::vec(window, 1..4);
    (0..zones.len(), windows).prop_map(move |(zone, windows)| {
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let window = |(from, to, on): (u16, u16, Vec<usize>)| {
            let on: Vec<_> = on.into_iter().map(|day| days[day]).collect();
            json!({"days": on, "from": text(from), "to": text(to)})
        };
        let windows: Vec<_> = windows.into_iter().map(window).collect();
        plan(json!({"tz": zones[zone], "windows": windows})).unwrap()
    })
}

proptest! {
    #[test]
    fn times_on_air_are_apart_and_agree_with_themselves(
        plan in any_plan(), seconds in 1_700_000_000_i64..1_900_000_000,
    ) {
        let now = Timestamp::from_second(seconds).unwrap();
        let (current, next) = (plan.current(now), plan.next(now));
        if let Some(span) = current {
            prop_assert!(span.start <= now && span.stop.is_none_or(|stop| stop > now));
            if let (Some(stop), Some(next)) = (span.stop, next) {
                prop_assert!(stop < next.start);
                prop_assert_eq!(plan.current(stop), None);
            }
        }
        if let Some(next) = next {
            prop_assert!(next.start > now && next.stop.is_none_or(|stop| stop > next.start));
            // Seen from there it has the same end.
            prop_assert_eq!(plan.current(next.start).map(|span| span.stop), Some(next.stop));
        }
        prop_assert!(current.is_some() || next.is_some());
    }
}
