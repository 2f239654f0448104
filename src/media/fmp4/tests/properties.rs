//! What holds for every pair of indices: reckoned only, so that files of any size are cheap.

use std::sync::Arc;

use proptest::prelude::*;

use super::made::Moov;
use super::{Joined, TrackHead};
use crate::media::fmp4::boxes::Whole;
use crate::media::fmp4::error::FourCc;
use crate::media::fmp4::index::{IndexBuilder, IndexedRun};
use crate::media::fmp4::movie::Movie;
use crate::media::{Layout, Side, Stretch, Tags};

/// A head whose runs have these sizes, durations and gaps before them.
fn head(
    handler: [u8; 4],
    timescale: u32,
    runs: impl Iterator<Item = (u32, u32, u64)>,
) -> TrackHead {
    let moov = Moov::of(handler).bytes();
    let (moov, _) = Whole::read(&moov, FourCc(*b"file")).unwrap();
    let mut index = IndexBuilder::new(timescale, u64::MAX);
    let (mut start, mut time) = (1000, 0);
    for (size, duration, gap) in runs {
        start += gap;
        let run = IndexedRun {
            start,
            time,
            size,
            access: 0,
        };
        index.push(run, duration).unwrap();
        start += u64::from(size);
        time += u64::from(duration);
    }
    TrackHead {
        movie: Arc::new(Movie::read(&moov).unwrap()),
        index: Arc::new(index.finish().unwrap()),
        total: start,
    }
}

fn tracks() -> impl Strategy<Value = (u32, Vec<(u32, u32, u64)>)> {
    let run = (
        1_u32..0x0fff_ffff,
        0_u32..1_000_000,
        prop_oneof![3 => Just(0), 1 => 0_u64..100],
    );
    (1_u32..200_000, prop::collection::vec(run, 1..60))
}

/// Picture and sound.
fn heads() -> impl Strategy<Value = [TrackHead; 2]> {
    (tracks(), tracks()).prop_map(|((picture_scale, picture), (sound_scale, sound))| {
        [
            head(*b"vide", picture_scale, picture.into_iter()),
            head(*b"soun", sound_scale, sound.into_iter()),
        ]
    })
}

proptest! {
    #[test]
    fn every_byte_stands_somewhere_once(
        heads in heads(),
    ) {
        let Ok(layout) = Joined::new(&heads[0], &heads[1], None, &Tags::default()) else {
            // Only a stretch of the index may be too long.
            return Ok(());
        };
        let mut at = layout.header().len() as u64;
        let mut seen = [Vec::new(), Vec::new()];
        while let Some(Stretch::Run(run)) = layout.stretch(at) {
            prop_assert_eq!(run.output, at);
            prop_assert_eq!(layout.stretch(at + run.length - 1), Some(Stretch::Run(run)));
            let source = run.source..run.source + run.length;
            prop_assert_eq!(layout.source(run.side, at..at + 1), Some(source));
            seen[run.side.index()].push(run.source);
            at += run.length;
        }
        prop_assert_eq!(at, layout.total());
        prop_assert_eq!(layout.stretch(at), None);
        for side in Side::BOTH {
            let head = &heads[side.index()];
            let starts: Vec<u64> = head.index.runs.iter().map(|run| run.start).collect();
            prop_assert_eq!(&seen[side.index()], &starts);
            let all = starts[0]..head.total;
            prop_assert_eq!(layout.source(side, 0..layout.total()), Some(all));
        }
    }

    #[test]
    fn runs_stand_in_the_order_of_their_times(
        heads in heads(),
    ) {
        let Ok(layout) = Joined::new(&heads[0], &heads[1], None, &Tags::default()) else {
            return Ok(());
        };
        let mut at = layout.header().len() as u64;
        let mut last = (0, 1);
        while let Some(Stretch::Run(run)) = layout.stretch(at) {
            let index = &heads[run.side.index()].index;
            let number = usize::try_from(run.number).unwrap();
            let now = (index.runs[number].time, index.timescale);
            let is_later = u128::from(last.0) * u128::from(now.1) <= u128::from(now.0) * u128::from(last.1);
            prop_assert!(is_later, "{:?} before {:?}", last, now);
            last = now;
            at += run.length;
        }
    }
}

/// References of the picture's index of a joined file: bytes, ticks.
fn references(layout: &Joined) -> Vec<(u64, u64)> {
    let header = layout.header();
    let at = header
        .windows(4)
        .position(|window| window == b"sidx")
        .unwrap();
    let count = u16::from_be_bytes(header[at + 34..at + 36].try_into().unwrap());
    let word = |at: usize| u64::from(u32::from_be_bytes(header[at..at + 4].try_into().unwrap()));
    let references = (0..usize::from(count)).map(|number| {
        let at = at + 36 + number * 12;
        (word(at), word(at + 4))
    });
    references.collect()
}

#[test]
fn ten_hours_of_tiny_runs_stay_small() {
    let runs = |size| (0..36_000).map(move |_| (size, 1000, 0));
    let heads = [head(*b"vide", 1000, runs(5)), head(*b"soun", 1000, runs(7))];
    let layout = Joined::new(&heads[0], &heads[1], None, &Tags::default()).unwrap();
    let bytes = layout.weight() + heads.iter().map(TrackHead::weight).sum::<usize>();
    assert!(bytes < 4 << 20, "{bytes} bytes");
    assert_eq!(layout.total(), layout.header().len() as u64 + 36_000 * 12);
    let references = references(&layout);
    assert_eq!(references.len(), 36_000);
    assert!(references.iter().all(|reference| *reference == (12, 1000)));
}

#[test]
fn more_runs_than_an_index_holds_share_references() {
    let runs = |count: u32| (0..count).map(|_| (5, 100, 0));
    let heads = [
        head(*b"vide", 1000, runs(360_000)),
        head(*b"soun", 1000, runs(10)),
    ];
    let layout = Joined::new(&heads[0], &heads[1], None, &Tags::default()).unwrap();
    let references = references(&layout);
    assert_eq!(references.len(), 60_000);
    let sizes: u64 = references.iter().map(|(size, _)| size).sum();
    assert_eq!(sizes + layout.header().len() as u64, layout.total());
    assert_eq!(
        references.iter().map(|(_, ticks)| ticks).sum::<u64>(),
        36_000_000
    );
}

#[test]
fn files_beyond_four_gigabytes_are_reckoned() {
    let runs = |size: u32| (0..3000).map(move |_| (size, 5000, 0));
    let heads = [
        head(*b"vide", 1000, runs(50_000_000)),
        head(*b"soun", 1000, runs(80_000)),
    ];
    let layout = Joined::new(&heads[0], &heads[1], None, &Tags::default()).unwrap();
    let media = 3000 * (50_000_000 + 80_000);
    assert_eq!(layout.total(), layout.header().len() as u64 + media);
    let Some(Stretch::Run(run)) = layout.stretch(layout.total() - 1) else {
        panic!("a run");
    };
    assert_eq!((run.side, run.number), (Side::Sound, 2999));
    assert_eq!(run.source, 1000 + 2999 * 80_000);
}

#[test]
fn run_too_long_for_the_index_is_refused() {
    let runs = || std::iter::once((0x7fff_ffff, 1000, 0));
    let heads = [head(*b"vide", 1000, runs()), head(*b"soun", 1000, runs())];
    assert!(Joined::new(&heads[0], &heads[1], None, &Tags::default()).is_err());
}
