//! Orders, retries, readings.

use std::time::Duration;

use super::*;

fn item(id: &str) -> Item {
    Item {
        ord: 0,
        video_id: id.to_owned(),
        title: String::new(),
        duration_s: None,
        state: ItemState::Pending,
        reason: None,
        checked_at: None,
    }
}

fn items(ids: &[&str]) -> Vec<Item> {
    ids.iter().map(|id| item(id)).collect()
}

/// One that the list says can't be had.
fn closed(id: &str) -> Item {
    Item {
        state: ItemState::Skipped,
        reason: Some("private".to_owned()),
        ..item(id)
    }
}

fn next(list: &mut List) -> Next {
    list.next(Instant::now(), |_| true)
}

fn note(list: &mut List, ord: u32, state: ItemState, reason: Option<&str>) -> Option<Noted> {
    list.note(ord, state, reason, ("now", Instant::now()))
}

fn skip(list: &mut List, ord: u32, reason: &str) -> Option<bool> {
    let noted = note(list, ord, ItemState::Skipped, Some(reason));
    noted.map(|noted| noted.is_news)
}

fn play(list: &mut List) -> Vec<String> {
    let turn = || match next(list) {
        Next::Turn(turn) => Some(turn.item.video_id),
        Next::Wait | Next::CycleEnd => None,
    };
    std::iter::from_fn(turn).collect()
}

#[test]
fn items_come_in_order_and_doubles_stay() {
    let mut list = List::new(None, 0);
    list.append(items(&["a", "b", "a"]));
    assert_eq!(play(&mut list), ["a", "b", "a"]);
    assert_eq!(next(&mut list), Next::Wait);
    list.append(items(&["c"]));
    list.complete();
    assert_eq!(play(&mut list), ["c"]);
    assert_eq!(next(&mut list), Next::CycleEnd);
    list.begin_cycle(None);
    assert_eq!(play(&mut list), ["a", "b", "a", "c"]);
}

#[test]
fn drawn_order_is_the_same_whether_the_list_comes_at_once_or_in_parts() {
    let ids: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (mut whole, mut parts) = (List::new(Some(7), 0), List::new(Some(7), 0));
    whole.append(items(&ids));
    parts.append(items(&ids[..5]));
    parts.append(items(&ids[5..]));
    let order = play(&mut whole);
    assert_eq!(order, play(&mut parts));
    assert_ne!(order, ids);
    let mut resumed = List::new(Some(7), 0);
    resumed.append(items(&ids));
    resumed.seek(12);
    assert_eq!(play(&mut resumed), order[12..]);
}

#[test]
fn item_is_found_again_wherever_it_is_by_now() {
    let mut list = List::new(None, 0);
    list.append(items(&["a", "b", "a", "c"]));
    for (index, id, expected) in [(2, "a", 2), (0, "a", 0), (1, "c", 3), (1, "gone", 1)] {
        list.seek_item(index, id);
        assert_eq!(list.next, expected, "{id}");
    }
}

#[test]
fn cycle_is_whole_when_it_was_begun_at_its_first_place() {
    for seed in [None, Some(7)] {
        let mut list = List::new(seed, 3);
        list.append(items(&["a", "b", "c"]));
        list.complete();
        let order = play(&mut list);
        assert!(list.is_whole_cycle());
        for (index, id) in [(2, &*order[2]), (0, &*order[1]), (1, "gone")] {
            list.seek_item(index, id);
            assert!(!list.is_whole_cycle(), "{id}");
        }
        list.seek_item(1, &order[0]);
        assert!(list.is_whole_cycle());
        // Behind the end there is nothing, in this cycle.
        list.seek(7);
        assert_eq!(
            (next(&mut list), list.is_whole_cycle()),
            (Next::CycleEnd, false)
        );
        list.begin_cycle(seed);
        assert!(list.is_whole_cycle());
        assert_eq!(play(&mut list).len(), 3);
    }
}

/// The id of what is told to come next.
fn following(list: &List, at_end: AtEnd) -> Option<String> {
    let turn = list.following(Instant::now(), at_end, |_| true)?;
    Some(turn.item.video_id)
}

#[test]
fn what_the_list_says_is_closed_is_tried_in_the_next_cycle() {
    let mut list = List::new(None, 0);
    list.append(vec![closed("a"), item("b"), item("c"), closed("d")]);
    list.complete();
    assert_eq!(play(&mut list), ["b", "c"]);
    // One that the site itself refuses, too.
    assert_eq!(skip(&mut list, 1, "private"), Some(true));
    list.begin_cycle(None);
    assert_eq!(play(&mut list), ["a", "b", "c", "d"]);
    assert_eq!(skip(&mut list, 0, "private"), Some(false));
}

#[tokio::test(start_paused = true)]
async fn tries_in_vain_become_rarer_but_never_than_every_six_hours() {
    let minute = Duration::from_secs(60);
    let mut list = List::new(None, 0);
    list.append(items(&["a", "b"]));
    list.complete();
    let mut tried: Vec<u64> = Vec::new();
    // A cycle a minute for two days.
    for now in 0..2 * 24 * 60 {
        for id in play(&mut list) {
            if id == "a" {
                tried.push(now);
                skip(&mut list, 0, "region_blocked");
            }
        }
        list.begin_cycle(None);
        tokio::time::advance(minute).await;
    }
    let pauses: Vec<u64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..8], [1, 1, 2, 4, 8, 16, 32, 64]);
    assert_eq!(pauses[8..11], [128, 256, 360]);
    assert!(pauses[10..].iter().all(|pause| *pause == 360), "{pauses:?}");
    // Where nothing plays at all, everything is tried; and what was played has no past.
    assert_eq!(play(&mut list), ["b"]);
    list.begin_cycle(None);
    list.retry_all();
    assert_eq!(play(&mut list), ["a", "b"]);
    note(&mut list, 0, ItemState::Ok, None);
    skip(&mut list, 0, "region_blocked");
    list.begin_cycle(None);
    assert_eq!(play(&mut list), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn tries_in_vain_are_forgotten_once_something_was_handed_over() {
    let mut list = List::new(None, 0);
    list.append(items(&["a"]));
    list.complete();
    for _ in 0..4 {
        assert_eq!(play(&mut list), ["a"]);
        skip(&mut list, 0, "live_silent");
        list.begin_cycle(None);
        tokio::time::advance(Duration::from_secs(600)).await;
    }
    // It is skipped again, but has been on air before.
    assert_eq!(play(&mut list), ["a"]);
    list.delivered(0);
    skip(&mut list, 0, "live_silent");
    assert_eq!(play(&mut list), [""; 0]);
    list.begin_cycle(None);
    assert_eq!(play(&mut list), ["a"]);
    skip(&mut list, 0, "live_silent");
    list.begin_cycle(None);
    assert_eq!(play(&mut list), [""; 0], "the pause after the second try");
}

#[test]
fn what_is_told_to_follow_is_what_follows() {
    for seed in [None, Some(7)] {
        let mut list = List::new(seed, 0);
        let mut all = items(&["a", "b", "c", "d"]);
        all.insert(1, closed("x"));
        all.push(closed("y"));
        list.append(all);
        list.complete();
        for cycle in 0..3 {
            loop {
                let told = following(&list, AtEnd::Again(seed));
                let stays = following(&list, AtEnd::Stop);
                let Next::Turn(turn) = next(&mut list) else {
                    assert_eq!(stays, None);
                    break;
                };
                assert_eq!(
                    (turn.cycle, told),
                    (cycle, Some(turn.item.video_id.clone()))
                );
                let reason = matches!(&*turn.item.video_id, "b" | "x").then_some("private");
                let state = reason.map_or(ItemState::Ok, |_| ItemState::Skipped);
                note(&mut list, turn.item.ord, state, reason);
            }
            let told = following(&list, AtEnd::Again(seed));
            list.begin_cycle(seed);
            assert_eq!(told, following(&list, AtEnd::Stop), "{seed:?}");
        }
    }
}

#[test]
fn only_what_may_be_played_follows_and_what_is_put_before_goes_first() {
    let mut list = List::new(None, 0);
    list.append(items(&["a", "b", "c"]));
    let turn = list.next(Instant::now(), |item| item.video_id != "a");
    let Next::Turn(turn) = turn else {
        panic!("{turn:?}");
    };
    assert_eq!((turn.index, &*turn.item.video_id), (1, "b"));
    assert_eq!(list.begun().map(|turn| turn.item.ord), Some(1));
    list.found(1);
    assert_eq!(list.begun(), None);
    list.put_before(*turn);
    assert_eq!(following(&list, AtEnd::Stop).as_deref(), Some("b"));
    assert_eq!(play(&mut list), ["b", "c"]);
    note(&mut list, 1, ItemState::Failed, Some("broken"));
    assert_eq!(list.begun().map(|turn| turn.item.ord), Some(2));
}

#[test]
fn refresh_appends_what_is_new_and_leaves_out_what_is_gone() {
    let mut list = List::new(None, 0);
    list.append(items(&["a", "b", "b", "c"]));
    list.complete();
    assert!(matches!(next(&mut list), Next::Turn(turn) if turn.item.video_id == "a"));
    let reread = list.refresh(items(&["b", "d", "c", "a"]));
    assert_eq!((reread.came, reread.gone, reread.changed), (1, 1, 0));
    // It was on air when it left the list.
    assert!(note(&mut list, 2, ItemState::Ok, None).is_none());
    assert_eq!(play(&mut list), ["b", "c", "d"]);
    let reread = list.refresh(items(&["b", "d", "c", "a"]));
    assert_eq!(reread, Reread::default());
    assert_eq!(list.items().len(), 5);
    assert_eq!(list.refresh(Vec::new()), Reread::default());
    list.begin_cycle(None);
    assert_eq!(play(&mut list), ["a", "b", "c", "d"]);
}

#[test]
fn refresh_takes_over_what_the_list_says_of_an_item() {
    let mut list = List::new(None, 0);
    list.append(vec![item("a"), closed("b"), item("c"), item("d")]);
    // The site's own word is newer than the list.
    skip(&mut list, 2, "region_blocked");
    skip(&mut list, 3, "private");
    let mut read = vec![closed("a"), item("b"), item("c"), item("d")];
    "B".clone_into(&mut read[1].title);
    let reread = list.refresh(read.clone());
    assert_eq!((reread.came, reread.gone, reread.changed), (0, 0, 3));
    let states = list.items().iter().map(|item| item.state);
    let (skipped, pending) = (ItemState::Skipped, ItemState::Pending);
    assert_eq!(
        states.collect::<Vec<_>>(),
        [skipped, pending, skipped, pending]
    );
    assert_eq!(list.items()[1].title, "B");
    assert_eq!(play(&mut list), ["b", "d"]);
    assert_eq!(list.refresh(read), Reread::default());
}

#[test]
fn order_that_was_left_is_gone_on_with_where_it_was() {
    for seed in [None, Some(7)] {
        let begun = || {
            let mut list = List::new(seed, 0);
            list.append(items(&["a", "b", "c", "d", "e"]));
            list.complete();
            list
        };
        let (mut list, order) = (begun(), play(&mut begun()));
        // Two are played, and then only one of them may be for some cycles.
        for id in &order[..2] {
            let is_it = matches!(next(&mut list), Next::Turn(turn) if turn.item.video_id == *id);
            assert!(is_it, "{id}");
        }
        let kept = order[0].clone();
        assert!(!list.has_left());
        let may = |item: &Item| item.video_id == kept;
        assert_eq!(list.next(Instant::now(), may), Next::CycleEnd);
        assert!(list.has_left());
        for _ in 0..3 {
            list.begin_cycle(seed);
            let turn = list.next(Instant::now(), may);
            assert!(matches!(turn, Next::Turn(turn) if turn.item.video_id == kept));
            assert_eq!(list.next(Instant::now(), may), Next::CycleEnd);
        }
        list.append(items(&["f"]));
        assert!(list.go_back() && !list.has_left() && !list.go_back());
        let mut rest = order[2..].to_vec();
        rest.push("f".to_owned());
        assert_eq!(play(&mut list), rest);
        assert_eq!(next(&mut list), Next::CycleEnd);
    }
}

#[test]
fn item_that_can_not_be_had_for_now_is_gone_back_to() {
    let mut list = List::new(None, 0);
    list.append(items(&["a", "b", "c"]));
    list.complete();
    assert!(matches!(next(&mut list), Next::Turn(_)));
    let Next::Turn(turn) = next(&mut list) else {
        panic!("`b` is next");
    };
    list.leave_at(&turn);
    // The first place counts.
    assert_eq!(list.next(Instant::now(), |_| false), Next::CycleEnd);
    list.begin_cycle(None);
    list.leave_at(&turn);
    assert!(list.go_back());
    assert_eq!(play(&mut list), ["b", "c"]);
    // That of another cycle does not.
    list.leave_at(&turn);
    assert!(!list.has_left());
}
