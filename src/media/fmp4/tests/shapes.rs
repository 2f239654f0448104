//! Shapes of files: each is joined to the byte, or refused with its reason.

use bytes::Bytes;

use super::indices::media;
use super::made::{Made, Moov, Shape, boxed, ftyp, full, run, sidx, words};
use super::{Fault, Pair, pass, read_head};
use crate::media::fmp4::FourCc;
use crate::media::{Layout, Mismatch, Stretch, Tags};

fn sound() -> Bytes {
    Made::file(*b"soun", &Shape::default(), 3).into()
}

/// Joins a picture of this shape to a plain sound; the result is as long as reckoned, and its boxes follow each other.
pub(super) fn joined(picture: Vec<u8>) -> (Pair, Vec<u8>) {
    let pair = Pair::of([picture.into(), sound()]);
    let layout = pair.joined();
    let whole = pair.whole(&layout);
    assert_eq!(whole.len() as u64, layout.total());
    let mut rest = &whole[..];
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let size = match u32::from_be_bytes(*size) {
            1 => u64::from_be_bytes(rest[8..16].try_into().unwrap()),
            size => u64::from(size),
        };
        rest = &rest[usize::try_from(size).unwrap()..];
    }
    for piece in 1..40 {
        let read = pair.read(&layout, 0..layout.total(), piece).unwrap();
        assert!(read == whole, "in pieces of {piece}");
    }
    (pair, whole)
}

/// Places of a type in a file.
pub(super) fn places(file: &[u8], kind: &[u8]) -> Vec<usize> {
    let found = file.windows(4).enumerate();
    found
        .filter(|(_, window)| *window == kind)
        .map(|(at, _)| at)
        .collect()
}

fn word(file: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(file[at..at + 4].try_into().unwrap())
}

fn long(file: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(file[at..at + 8].try_into().unwrap())
}

/// What joining a picture of this shape comes to.
fn fault_of(shape: &Shape) -> Option<Mismatch> {
    let picture = Made::file(*b"vide", shape, 2);
    fault_in(picture)
}

fn fault_in(picture: Vec<u8>) -> Option<Mismatch> {
    let pair = Pair::of([picture.into(), sound()]);
    let layout = pair.joined();
    pair.read(&layout, 0..layout.total(), 500).err()
}

#[test]
fn only_ids_and_numbers_change() {
    let (pair, whole) = joined(Made::file(*b"vide", &Shape::default(), 3));
    let layout = pair.joined();
    let mut differing = Vec::new();
    let mut at = layout.header().len() as u64;
    while let Some(Stretch::Run(run)) = layout.stretch(at) {
        let source = super::slice(
            &pair.files[run.side.index()],
            run.source..run.source + run.length,
        );
        let ours = super::slice(&whole, run.output..run.output + run.length);
        let differs = source.iter().zip(ours).enumerate();
        differing.extend(differs.filter(|(_, (a, b))| a != b).map(|(at, _)| at));
        at += run.length;
    }
    // `mfhd` at 8, its number at 20; `tfhd` at 32, its id at 44.
    assert!(
        differing
            .iter()
            .all(|at| (20..24).contains(at) || (44..48).contains(at))
    );
    let ids: Vec<u32> = places(&whole, b"tfhd")
        .iter()
        .map(|at| word(&whole, at + 8))
        .collect();
    assert_eq!(ids, [1, 2, 1, 2, 1, 2]);
}

#[test]
fn other_boxes_between_runs_pass() {
    let before = [
        boxed(*b"styp", b"msdh\0\0\0\0msdhmsix"),
        full(*b"prft", 0, 24, &words(&[1, 9, 9, 9])),
        full(*b"emsg", 0, 0, b"urn:x\0\0\0\0\0\0"),
        boxed(*b"free", &[0; 70]),
        boxed(*b"uuid", &[7; 40]),
    ];
    let shape = Shape {
        before: before.concat(),
        ..Shape::default()
    };
    let picture = Made::file(*b"vide", &shape, 3);
    let renamed = Moov {
        track: 1,
        ..Moov::of(*b"soun")
    };
    let pair = Pair::of([
        Made::file(*b"vide", &Shape::default(), 3).into(),
        Made::with(&renamed, &shape, 3).into(),
    ]);
    let whole = pair.whole(&pair.joined());
    for at in places(&whole, b"prft") {
        assert_eq!(word(&whole, at + 8), 2, "the track that the time is about");
    }
    joined(picture);
}

#[test]
fn sizes_of_64_bits_pass() {
    joined(Made::file(
        *b"vide",
        &Shape {
            is_long_data: true,
            ..Shape::default()
        },
        3,
    ));
}

#[test]
fn several_fragments_of_a_run_and_several_parts_of_a_fragment_pass() {
    let shape = Shape {
        fragments: 3,
        trafs: 2,
        is_long_time: false,
        ..Shape::default()
    };
    let (_, whole) = joined(Made::file(*b"vide", &shape, 3));
    let numbers: Vec<u32> = places(&whole, b"mfhd")
        .iter()
        .map(|at| word(&whole, at + 8))
        .collect();
    let picture: Vec<u32> = numbers
        .chunks(4)
        .flat_map(|run| run[..3].to_vec())
        .collect();
    assert!(picture.is_sorted_by(|a, b| a < b), "{picture:?}");
}

#[test]
fn fragments_without_a_base_pass() {
    joined(Made::file(
        *b"vide",
        &Shape {
            is_moof_base: false,
            ..Shape::default()
        },
        3,
    ));
}

#[test]
fn told_base_is_moved_with_its_fragment() {
    let shape = Shape {
        has_base: true,
        is_moof_base: false,
        before: boxed(*b"free", &[0; 9]),
        ..Shape::default()
    };
    let (_, whole) = joined(Made::file(*b"vide", &shape, 3));
    let bases: Vec<(usize, u64)> = places(&whole, b"tfhd")
        .into_iter()
        .filter(|at| word(&whole, at - 4) == 24)
        .map(|at| (at, long(&whole, at + 12)))
        .collect();
    assert_eq!(bases.len(), 3);
    for (tfhd, base) in bases {
        let moof = places(&whole[..tfhd], b"moof").pop().unwrap() - 4;
        assert_eq!(base, moof as u64);
    }
}

#[test]
fn base_elsewhere_is_refused() {
    let shape = Shape {
        has_base: true,
        ..Shape::default()
    };
    let mut picture = Made::file(*b"vide", &shape, 2);
    let tfhd = places(&picture, b"tfhd")[1];
    picture[tfhd + 19] ^= 1;
    assert_eq!(fault_in(picture), Some(Fault::DataOffset.into()));
}

#[test]
fn too_many_fragments_of_a_run_are_refused() {
    let shape = Shape {
        fragments: 300,
        data: 1,
        ..Shape::default()
    };
    let many = Fault::TooMany("fragments of a run");
    assert_eq!(fault_of(&shape), Some(many.into()));
}

#[test]
fn encrypted_fragments_are_refused() {
    for kind in [*b"senc", *b"saiz", *b"saio"] {
        let mut picture = Made::file(*b"vide", &Shape::default(), 2);
        for at in places(&picture, b"trun") {
            picture[at..at + 4].copy_from_slice(&kind);
        }
        assert_eq!(fault_in(picture), Some(Fault::Encrypted.into()));
    }
}

#[test]
fn fragments_of_another_track_are_refused() {
    let mut picture = Made::file(*b"vide", &Shape::default(), 2);
    let at = places(&picture, b"tfhd")[1];
    picture[at + 11] = 9;
    assert_eq!(fault_in(picture), Some(Fault::ForeignTrack.into()));
}

#[test]
fn times_away_from_the_index_are_refused() {
    let mut picture = Made::file(*b"vide", &Shape::default(), 2);
    let at = places(&picture, b"tfdt")[1];
    picture[at + 8..at + 16].copy_from_slice(&60_000_u64.to_be_bytes());
    assert_eq!(fault_in(picture), Some(Fault::Time.into()));
}

#[test]
fn data_elsewhere_are_refused() {
    for offset in [0_u32, 50, 100_000, u32::MAX] {
        let mut picture = Made::file(*b"vide", &Shape::default(), 2);
        let at = places(&picture, b"trun")[1];
        picture[at + 12..at + 16].copy_from_slice(&offset.to_be_bytes());
        assert_eq!(
            fault_in(picture),
            Some(Fault::DataOffset.into()),
            "{offset}"
        );
    }
}

#[test]
fn index_that_cuts_runs_elsewhere_is_refused() {
    let size = u32::try_from(run(&Shape::default(), 1, 0, 0).len()).unwrap();
    for wrong in [size - 1, size + 1, size - 308, 8] {
        let references = [(false, wrong, 1000), (false, size, 1000)];
        let mut picture = [
            ftyp(),
            Moov::of(*b"vide").bytes(),
            sidx(1, 0, 0, &references),
        ]
        .concat();
        for second in 0..3 {
            picture.extend(run(&Shape::default(), 1, 0, second * 1000));
        }
        let cut = picture.len() - (3 * size - wrong - size) as usize;
        picture.truncate(cut);
        let fault = fault_in(picture);
        assert!(fault.is_some(), "{wrong} for {size}");
    }
}

#[test]
fn files_that_cannot_be_joined_say_why() {
    let size = u32::try_from(run(&Shape::default(), 1, 0, 0).len()).unwrap();
    let with = |change: fn(&mut Moov)| {
        let mut moov = Moov::of(*b"vide");
        change(&mut moov);
        read_head(&Made::with(&moov, &Shape::default(), 1)).err()
    };
    let index = |sidx: Vec<u8>| {
        let run = run(&Shape::default(), 1, 0, 0);
        read_head(&[ftyp(), Moov::of(*b"vide").bytes(), sidx, run].concat()).err()
    };
    let missing = |kind: &[u8; 4]| Some(Fault::Missing(FourCc(*kind)));
    assert_eq!(with(|moov| moov.entry = *b"encv"), Some(Fault::Encrypted));
    assert_eq!(with(|moov| moov.samples = 5), Some(Fault::Unfragmented));
    assert_eq!(with(|moov| moov.timescale = 0), Some(Fault::Timescale));
    assert_eq!(with(|moov| moov.has_mvex = false), missing(b"mvex"));
    assert_eq!(with(|moov| moov.track = 9), Some(Fault::ForeignTrack));
    assert_eq!(index(sidx(1, 0, 0, &[])), Some(Fault::Unindexed));
    assert_eq!(index(sidx(1, 0, 0, &media(0, 1))), Some(Fault::ZeroRun));
    assert_eq!(
        index(sidx(1, 0, 0, &media(size + 1, 1))),
        Some(Fault::BeyondEnd)
    );
    assert_eq!(
        index(sidx(1, 0, 1 << 63, &media(size, 1))),
        Some(Fault::BeyondEnd)
    );
    assert_eq!(
        index(sidx(1, u64::MAX, 0, &media(size, 1))),
        Some(Fault::Index)
    );
    assert_eq!(index(Vec::new()), missing(b"sidx"));
    assert!(read_head(b"<!doctype html><html>").is_err());
    assert!(read_head(&[]).is_err());
}

#[test]
fn two_pictures_are_no_pair() {
    let head = read_head(&Made::file(*b"vide", &Shape::default(), 1)).unwrap();
    let joined = super::Joined::new(&head, &head, None, &Tags::default());
    assert_eq!(joined.err(), Some(Fault::Kind));
}

#[test]
fn run_that_ends_early_is_found() {
    let pair = Made::pair(2, 2);
    let layout = pair.joined();
    let Some(Stretch::Run(run)) = layout.stretch(layout.header().len() as u64) else {
        panic!("a run");
    };
    let source = super::slice(&pair.files[0], run.source..run.source + run.length);
    for end in 1..source.len() {
        assert!(pass(&layout, &run, &source[..end], 7).is_err(), "{end}");
    }
}

#[test]
fn middle_of_a_run_is_reached_without_reading_its_data() {
    let pair = Made::pair(2, 2);
    let layout = pair.joined();
    let Some(Stretch::Run(run)) = layout.stretch(layout.total() - 1) else {
        panic!("a run");
    };
    let source = super::slice(
        &pair.files[run.side.index()],
        run.source..run.source + run.length,
    );
    let mut pass = crate::media::Pass::new(layout.patch(&run));
    let data = source.len() - 300;
    let mut out = Vec::new();
    pass.push(Bytes::copy_from_slice(&source[..data]), &mut out)
        .unwrap();
    assert_eq!(pass.opaque(), 300);
    pass.skip(200);
    pass.push(Bytes::copy_from_slice(&source[data + 200..]), &mut out)
        .unwrap();
    pass.finish().unwrap();
    assert_eq!(out.concat().len(), data + 100);
}
