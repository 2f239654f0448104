//! What waits is written later, and told at once.

use super::*;
use crate::broadcast::store::{ItemState, LogSource};

fn row(level: LogLevel) -> LogRow {
    LogRow {
        id: 0,
        broadcast_id: "A".to_owned(),
        created_at: String::new(),
        level,
        source: LogSource::Manager,
        item_id: None,
        message: String::new(),
    }
}

fn item(ord: u32, title: &str) -> Item {
    Item {
        ord,
        video_id: format!("v{ord}"),
        title: title.to_owned(),
        duration_s: None,
        state: ItemState::Pending,
        reason: None,
        checked_at: None,
    }
}

fn position(index: u32) -> Position {
    Position {
        index,
        ..Position::default()
    }
}

#[test]
fn what_is_put_back_is_older_than_what_was_noted_since() {
    let mut pending = Pending::default();
    pending.log(row(LogLevel::Info));
    pending.position("A", position(1));
    pending.position("B", position(1));
    pending.items("A", vec![item(0, "old"), item(1, "old")]);
    pending.item("A", item(1, "newer"));
    pending.items("B", vec![item(0, "old")]);
    let earlier = pending.take().unwrap();
    assert!(pending.take().is_none());
    pending.log(row(LogLevel::Info));
    pending.position("A", position(2));
    pending.item("A", item(0, "newest"));
    pending.items("B", vec![item(0, "other"), item(1, "other")]);
    pending.put_back(earlier);
    let ids: Vec<i64> = pending.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [1, 2]);
    let places = ["A", "B"].map(|id| pending.positions[id].index);
    assert_eq!(places, [2, 1]);
    let titles = |id: &str| {
        let items = pending.renew_items(id, Vec::new()).into_iter();
        items.map(|item| item.title).collect::<Vec<_>>()
    };
    assert_eq!(titles("A"), ["newest", "newer"]);
    assert_eq!(titles("B"), ["other", "other"]);
}

#[test]
fn times_that_wait_are_told_and_kept_by_what_else_waits() {
    let times = |hour: &str| ["start", "stop", "early"].map(|what| Some(format!("{what} {hour}")));
    let mut pending = Pending::default();
    pending.times("A", times("10"));
    pending.times("B", times("10"));
    let earlier = pending.take().unwrap();
    pending.times("A", times("11"));
    pending.facts("B", Facts::new(""));
    pending.put_back(earlier);
    for (id, hour) in [("A", "11"), ("B", "10")] {
        let mut broadcast = Broadcast {
            id: id.to_owned(),
            settings: crate::broadcast::Settings::default(),
            sealed_key: None,
            facts: Facts::new(""),
        };
        pending.renew(&mut broadcast);
        let facts = broadcast.facts;
        let told = [
            facts.next_start_at,
            facts.next_stop_at,
            facts.next_prefetch_at,
        ];
        assert_eq!(told, times(hour), "{id}");
    }
    pending.forget_state();
    assert!(pending.take().is_none());
}

#[test]
fn rows_that_matter_least_go_first_when_there_are_too_many() {
    let mut pending = Pending::default();
    pending.log(row(LogLevel::Info));
    pending.log(row(LogLevel::Debug));
    let earlier = pending.take().unwrap();
    for _ in 2..=MAX_WAITING {
        pending.log(row(LogLevel::Info));
    }
    pending.put_back(earlier);
    assert_eq!((pending.waiting(), pending.dropped), (MAX_WAITING, 1));
    pending.log(row(LogLevel::Info));
    let ids = [pending.rows.front(), pending.rows.back()];
    let ids = ids.map(|row| row.map(|row| row.id));
    let last = i64::try_from(MAX_WAITING).unwrap() + 2;
    assert_eq!(ids, [Some(3), Some(last)], "the debug row, then the oldest");
}

#[test]
fn rows_that_wait_are_read_with_the_others() {
    let mut pending = Pending::default();
    pending.start_behind(2);
    for level in [LogLevel::Debug, LogLevel::Info, LogLevel::Error] {
        pending.log(row(level));
    }
    let read = |level, limit, before, after| {
        let query = LogQuery {
            level,
            limit,
            before,
            after,
        };
        // What the database has.
        let ids = if after.is_some() { [1, 2] } else { [2, 1] };
        let read = ids.map(|id| LogRow {
            id,
            ..row(LogLevel::Info)
        });
        let rows = pending.renew_rows("A", query, read.into()).into_iter();
        rows.map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(read(LogLevel::Debug, 9, None, None), [5, 4, 3, 2, 1]);
    assert_eq!(read(LogLevel::Info, 3, None, None), [5, 4, 2]);
    assert_eq!(read(LogLevel::Debug, 9, Some(4), None), [3, 2, 1]);
    assert_eq!(read(LogLevel::Debug, 3, None, Some(0)), [1, 2, 3]);
    let query = LogQuery {
        level: LogLevel::Debug,
        limit: 9,
        before: None,
        after: None,
    };
    assert!(pending.renew_rows("B", query, Vec::new()).is_empty());
}

#[test]
fn facts_that_were_noted_later_have_the_last_word_on_a_position() {
    let mut pending = Pending::default();
    pending.position("A", position(1));
    let over = Facts::new("2026-01-01T00:00:00Z");
    pending.facts("A", over.clone());
    assert!(pending.positions.is_empty());
    let mut failed = Pending::default();
    failed.position("A", position(1));
    pending.put_back(failed);
    assert!(pending.positions.is_empty(), "it is older");
    pending.position("A", position(2));
    let mut earlier = Pending::default();
    earlier.facts("A", over);
    pending.put_back(earlier);
    assert_eq!(pending.positions["A"], position(2));
}
