//! Joins, slate and holes on the timeline.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::broadcast::flv::TagKind;
use crate::broadcast::source::testing::{Make, file, headers};
use crate::broadcast::source::{SourceOptions, SourceSink, channel};

const FRAME_MS: f64 = 1000.0 / 30.0;
const SOUND_MS: f64 = 1024.0 / 48.0;

/// Marks the slate's data.
const SLATE: u8 = 200;

fn slate() -> Slate {
    Slate::parse(&Make::item(SLATE, 15).flv(), 30).unwrap()
}

fn options() -> SourceOptions {
    SourceOptions {
        fps: Some(30),
        headers: Some(headers()),
        ..SourceOptions::default()
    }
}

fn item(id: u64) -> (SourceSink, Item) {
    let (sink, source) = channel(options());
    let base = Duration::ZERO;
    (sink, Item { id, source, base })
}

fn whole(id: u64, make: Make) -> Item {
    let (mut sink, item) = item(id);
    sink.push(&make.flv()).unwrap();
    sink.finish();
    item
}

fn unit(splicer: &mut Splicer) -> Unit {
    match splicer.step() {
        Step::Unit(unit) => unit,
        other => panic!("{other:?}"),
    }
}

fn all(splicer: &mut Splicer) -> Vec<Unit> {
    splicer.finish();
    let mut units = Vec::new();
    loop {
        match splicer.step() {
            Step::Unit(unit) => units.push(unit),
            Step::Waiting => panic!("waits"),
            Step::Finished => return units,
        }
    }
}

fn ms(at: Duration) -> f64 {
    at.as_secs_f64() * 1000.0
}

fn times(units: &[Unit], kind: TagKind) -> Vec<f64> {
    let tags = units.iter().flat_map(|unit| &unit.tags);
    tags.filter(|tag| tag.kind == kind)
        .map(|tag| ms(tag.at))
        .collect()
}

fn steps(times: &[f64]) -> (f64, f64) {
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    steps.fold((f64::MAX, 0.0), |(min, max), step| {
        (step.min(min), step.max(max))
    })
}

/// What holds for every run: nothing goes back, every unit begins with a key frame where the one before ended, and
/// the sound has no hole.
#[track_caller]
fn assert_sound(units: &[Unit]) {
    let mut end = Duration::ZERO;
    let mut last = Duration::ZERO;
    for unit in units {
        assert_eq!(unit.start, end);
        end = unit.end;
        let first = &unit.tags[0];
        assert!(first.kind == TagKind::Video && first.data[0] == 0x17);
        assert_eq!(first.at, unit.start);
        for tag in &unit.tags {
            assert!(tag.at >= last && tag.at < unit.end, "{tag:?}");
            last = tag.at;
        }
    }
    let (min, max) = steps(&times(units, TagKind::Audio));
    assert!(
        max <= 2.0 * SOUND_MS && min >= 0.39 * SOUND_MS,
        "{min} {max}"
    );
}

#[test]
fn splicer_items_join_without_a_step() {
    let mut splicer = Splicer::new(slate(), true);
    for (id, pictures) in [(1, 150), (2, 61), (3, 1), (4, 97)] {
        splicer.queue(whole(u64::from(id), Make::item(id, pictures)));
    }
    let units = all(&mut splicer);
    assert_sound(&units);
    let pictures = times(&units, TagKind::Video);
    assert_eq!(pictures.len(), 150 + 61 + 1 + 97);
    let (min, max) = steps(&pictures);
    assert!(
        (min - FRAME_MS).abs() < 0.001 && (max - FRAME_MS).abs() < 0.001,
        "{min} {max}"
    );
    let (dropped, filled) = splicer.repairs();
    assert!(dropped <= 8, "{dropped}");
    // The beginning of the first item's sound, before which there is nothing.
    assert!(filled <= 6, "{filled}");
}

#[test]
fn splicer_keeps_the_head_of_every_item_and_its_sound_in_step() {
    let mut splicer = Splicer::new(slate(), true);
    for id in 1..=5 {
        splicer.queue(whole(u64::from(id), Make::item(id, 100 + u32::from(id))));
    }
    let units = all(&mut splicer);
    let tags: Vec<_> = units.iter().flat_map(|unit| &unit.tags).collect();
    for id in 1..=5_u8 {
        let first = |kind| {
            let mut of_item = tags
                .iter()
                .filter(|tag| tag.kind == kind && tag.data.contains(&id));
            of_item.find(|tag| tag.data[5] == id).unwrap()
        };
        let (picture, sound) = (first(TagKind::Video), first(TagKind::Audio));
        assert_eq!(
            sound.data[6..],
            [0, 0, 0, 0],
            "the first frame of sound of {id}"
        );
        let offset = ms(sound.at) - ms(picture.at);
        assert!((offset - 46.0).abs() < 0.01, "{offset}");
    }
}

#[test]
fn splicer_thousand_joins_do_not_add_up() {
    let mut splicer = Splicer::new(slate(), true);
    // Twenty pictures: no whole number of milliseconds.
    for _ in 0..1000 {
        splicer.queue(whole(1, Make::item(1, 20)));
    }
    let units = all(&mut splicer);
    assert_sound(&units);
    let end = ms(units.last().unwrap().end);
    assert!((end - 1000.0 * 20.0 * FRAME_MS).abs() < 0.1, "{end}");
}

#[test]
fn splicer_shows_the_slate_until_an_item_is_ready() {
    let mut splicer = Splicer::new(slate(), true);
    let (mut sink, waiting) = item(7);
    splicer.queue(waiting);
    let mut units = vec![unit(&mut splicer), unit(&mut splicer)];
    assert_eq!(units[1].origin, Origin::Slate);
    assert_eq!(units[1].end, Duration::from_nanos(999_999_998));
    sink.push(&Make::item(7, 150).flv()).unwrap();
    units.push(unit(&mut splicer));
    assert_eq!(units[2].origin, Origin::Item(7));
    let expected = [Change::SlateOn, Change::SlateOff, Change::Started(7)];
    assert_eq!(splicer.take_changes(), expected);
    sink.finish();
    units.extend(all(&mut splicer));
    assert_sound(&units);
    let position = Duration::from_nanos(4_999_999_999);
    assert_eq!(splicer.take_changes(), [Change::Ended { id: 7, position }]);
}

#[test]
fn splicer_without_slate_at_the_start_waits_for_the_first_item() {
    let mut splicer = Splicer::new(slate(), false);
    assert!(matches!(splicer.step(), Step::Waiting));
    splicer.queue(whole(1, Make::item(1, 30)));
    assert_eq!(unit(&mut splicer).origin, Origin::Item(1));
    assert_eq!(unit(&mut splicer).origin, Origin::Slate);
}

#[test]
fn splicer_starved_item_goes_on_where_it_stopped() {
    let mut splicer = Splicer::new(slate(), true);
    let flv = Make::item(1, 240).flv();
    let (mut sink, starving) = item(1);
    splicer.queue(starving);
    let half = flv.len() / 2;
    sink.push(&flv[..half]).unwrap();
    let mut units = Vec::new();
    while !matches!(
        units.last(),
        Some(Unit {
            origin: Origin::Slate,
            ..
        })
    ) {
        units.push(unit(&mut splicer));
    }
    units.push(unit(&mut splicer));
    sink.push(&flv[half..]).unwrap();
    sink.finish();
    units.extend(all(&mut splicer));
    assert_sound(&units);
    let of_item: Vec<_> = units
        .iter()
        .filter(|unit| unit.origin == Origin::Item(1))
        .collect();
    let positions: Vec<_> = of_item
        .iter()
        .map(|unit| unit.position.as_millis())
        .collect();
    assert_eq!(positions, [0, 2000, 4000, 6000]);
    let pictures: Vec<_> = of_item
        .iter()
        .flat_map(|unit| &unit.tags)
        .filter(|tag| tag.kind == TagKind::Video)
        .map(|tag| u32::from_be_bytes(tag.data[6..10].try_into().unwrap()))
        .collect();
    assert_eq!(pictures, (0..240).collect::<Vec<_>>());
    let starts = splicer.take_changes();
    let starts = starts
        .iter()
        .filter(|change| matches!(change, Change::Started(_)));
    assert_eq!(starts.count(), 1);
}

#[test]
fn splicer_days_of_slate_stay_on_time() {
    let mut splicer = Splicer::new(slate(), true);
    let mut units = Vec::new();
    for _ in 0..2000 {
        units.push(unit(&mut splicer));
    }
    assert_sound(&units);
    let end = ms(units[1999].end);
    assert!((end - 1_000_000.0).abs() < 0.1, "{end}");
    let (_, max) = steps(&times(&units, TagKind::Audio));
    assert!(max <= 1.41 * SOUND_MS, "{max}");
}

#[test]
fn splicer_skip_leaves_the_item_at_once() {
    let mut splicer = Splicer::new(slate(), true);
    splicer.queue(whole(1, Make::item(1, 300)));
    splicer.queue(whole(2, Make::item(2, 60)));
    let mut units = vec![unit(&mut splicer)];
    splicer.skip();
    units.extend(all(&mut splicer));
    assert_sound(&units);
    let origins: Vec<_> = units.iter().map(|unit| unit.origin).collect();
    assert_eq!(origins, [Origin::Item(1), Origin::Item(2)]);
    let ended = Change::Ended {
        id: 1,
        position: Duration::from_secs(2),
    };
    assert!(splicer.take_changes().contains(&ended));
}

#[test]
fn splicer_item_begun_in_its_middle_counts_from_there() {
    let mut splicer = Splicer::new(slate(), true);
    let base = Duration::from_secs(90);
    splicer.queue(Item {
        base,
        ..whole(1, Make::item(1, 90))
    });
    let units = all(&mut splicer);
    assert_eq!(units[0].position, base);
    assert_eq!(units[1].position, base + Duration::from_secs(2));
}

#[test]
fn splicer_fills_missing_sound_with_silence() {
    let mut splicer = Splicer::new(slate(), true);
    let silent = Make {
        sounds: 0,
        ..Make::item(1, 120)
    };
    splicer.queue(whole(1, silent));
    // Sound with a hole of a second.
    let mut tags = Make::item(2, 150).tags();
    tags.retain(|tag| tag.kind == TagKind::Video || !(1500..2500).contains(&tag.timestamp_ms));
    let (mut sink, holed) = item(2);
    sink.push(&file(&tags)).unwrap();
    sink.finish();
    splicer.queue(holed);
    let units = all(&mut splicer);
    assert_sound(&units);
    let (_, filled) = splicer.repairs();
    assert!((230..245).contains(&filled), "{filled}");
}

#[test]
fn slate_without_pictures_or_sound_is_refused() {
    let silent = Make {
        sounds: 0,
        ..Make::item(1, 15)
    };
    for flv in [silent.flv(), file(&[]), Vec::new()] {
        let error = Slate::parse(&flv, 30).unwrap_err();
        assert_eq!(error, SlateError::Incomplete);
    }
    assert!(matches!(
        Slate::parse(b"no flv", 30),
        Err(SlateError::Source(_))
    ));
}

prop_compose! {
    fn any_item()(
        pictures in 0_u32..200,
        gop in 1_u32..80,
        sound_ms in 0_u32..120,
        sounds in 0_u32..400,
        from_ms in any::<u32>(),
        lost in prop::collection::vec(0_usize..400, 0..30),
        swapped in prop::collection::vec(0_usize..400, 0..10),
        cut in 0_usize..100,
        ends_well in any::<bool>(),
    ) -> (Vec<u8>, usize, bool) {
        let make = Make { gop, sound_ms, sounds, from_ms, ..Make::item(1, pictures) };
        let mut tags = make.tags();
        for at in swapped {
            if at + 1 < tags.len() {
                tags.swap(at, at + 1);
            }
        }
        for at in lost {
            if at < tags.len() {
                tags.remove(at);
            }
        }
        (file(&tags), cut, ends_well)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever items bring, late or cut short: the timeline goes on without a step back and without a hole.
    #[test]
    fn splicer_timeline_of_any_items_is_unbroken(items in prop::collection::vec(any_item(), 1..6)) {
        let mut splicer = Splicer::new(slate(), true);
        let mut units = Vec::new();
        for (index, (flv, cut, ends_well)) in items.into_iter().enumerate() {
            let (mut sink, item) = item(index as u64);
            splicer.queue(item);
            let at = flv.len() * cut / 100;
            sink.push(&flv[..at]).unwrap();
            for _ in 0..3 {
                units.push(unit(&mut splicer));
            }
            sink.push(&flv[at..]).unwrap();
            if ends_well {
                sink.finish();
            }
        }
        units.extend(all(&mut splicer));
        assert_sound(&units);
        let (min, max) = steps(&times(&units, TagKind::Video));
        prop_assert!(min > 0.999 && max < 5001.0, "{min} {max}");
    }
}
