//! Bytes that mean no good: whatever comes, there is a reason and never a panic.

use bytes::Bytes;

use super::made::{Made, Shape};
use super::{Clip, Pair, Random, TrackHead, read_head};
use crate::media::fmp4::index::{IndexBuilder, IndexedRun};
use crate::media::fmp4::{Fault, Joined};
use crate::media::{Layout, Tags};

/// Changed files for each test; more than 100,000 in all.
const CASES: u64 = 40_000;

/// A file with a few bytes changed, cut or doubled.
fn mutated(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..random.within(1..6) {
        let at = random.index(0..file.len());
        match random.within(0..6) {
            0 => file.truncate(at.max(1)),
            1 => file[at] = u8::try_from(random.within(0..256)).unwrap(),
            2 => file[at] ^= 1 << random.within(0..8),
            3 => {
                let end = (at + 4).min(file.len());
                file[at..end].fill(u8::try_from(random.within(0..2) * 255).unwrap());
            }
            4 => {
                let end = (at + random.index(1..64)).min(file.len());
                file.drain(at..end);
                file.push(0);
            }
            _ => {
                let end = (at + random.index(1..64)).min(file.len());
                let copy = file[at..end].to_vec();
                file.splice(at..at, copy);
            }
        }
    }
    file
}

fn head_of(file: &[u8]) -> TrackHead {
    read_head(file).unwrap()
}

#[test]
fn changed_heads_never_panic_and_never_lie_about_length() {
    let shape = Shape {
        data: 8,
        ..Shape::default()
    };
    let file = Made::file(*b"vide", &shape, 4);
    let sound = Bytes::from(Made::file(*b"soun", &shape, 4));
    let mut random = Random(1);
    let mut joined = 0;
    for _ in 0..CASES {
        let picture = mutated(&file, &mut random);
        let Ok(head) = read_head(&picture) else {
            continue;
        };
        let pair = Pair {
            heads: [head, head_of(&sound)],
            files: [picture.into(), sound.clone()],
        };
        let Ok(layout) = Joined::new(&pair.heads[0], &pair.heads[1], None, &Tags::default()) else {
            continue;
        };
        joined += 1;
        if let Ok(whole) = pair.read(&layout, 0..layout.total(), 100) {
            assert_eq!(whole.len() as u64, layout.total());
        }
        let clip = Clip {
            start_ms: random.within(0..5000),
            end_ms: Some(random.within(0..5000)),
        };
        if let Ok(layout) = pair.clip(clip) {
            let read = pair.read(&layout, 0..layout.total(), 100);
            assert!(read.is_err() || read.is_ok_and(|read| read.len() as u64 == layout.total()));
        }
    }
    assert!(joined > CASES / 20, "{joined} of {CASES} were worth it");
}

#[test]
fn changed_runs_never_panic() {
    let shape = Shape {
        fragments: 2,
        trafs: 2,
        has_base: true,
        data: 8,
        ..Shape::default()
    };
    let picture = Made::file(*b"vide", &shape, 2);
    let sound = Bytes::from(Made::file(*b"soun", &shape, 2));
    let heads = [head_of(&picture), head_of(&sound)];
    let layout = Joined::new(&heads[0], &heads[1], None, &Tags::default()).unwrap();
    let begin = usize::try_from(heads[0].index.runs[0].start).unwrap();
    let mut random = Random(2);
    let mut refused = 0;
    for _ in 0..CASES {
        let mut file = mutated(&picture[begin..], &mut random);
        file.resize(picture.len() - begin, 0);
        let pair = Pair {
            heads: heads.clone(),
            files: [[&picture[..begin], &file].concat().into(), sound.clone()],
        };
        let piece = random.index(1..200);
        refused += u64::from(pair.read(&layout, 0..layout.total(), piece).is_err());
    }
    assert!(refused > CASES / 2, "{refused} of {CASES}");
}

#[test]
fn arbitrary_bytes_never_panic() {
    let kinds: [&[u8; 4]; 12] = [
        b"ftyp", b"moov", b"trak", b"mdia", b"sidx", b"moof", b"mdat", b"traf", b"tkhd", b"elst",
        b"stsd", b"mvex",
    ];
    let mut random = Random(3);
    for _ in 0..CASES {
        let mut file = b"\0\0\0\x08ftyp".to_vec();
        for _ in 0..random.within(0..12) {
            let size = random.within(0..80);
            let size = u32::try_from(size).unwrap();
            file.extend(size.to_be_bytes());
            file.extend_from_slice(kinds[random.index(0..kinds.len())]);
            file.extend((8..size).map(|_| u8::try_from(random.next() % 5).unwrap()));
        }
        assert!(read_head(&file).is_err());
    }
}

#[test]
fn more_runs_than_any_honest_file_has_are_refused() {
    let mut index = IndexBuilder::new(1000, u64::MAX);
    let push = |index: &mut IndexBuilder, start| {
        let run = IndexedRun {
            start,
            time: start,
            size: 1,
            access: 0,
        };
        index.push(run, 1)
    };
    for start in 0..1 << 19 {
        push(&mut index, start).unwrap();
    }
    assert_eq!(push(&mut index, 1 << 19), Err(Fault::TooMany("runs")));
}
