//! Shapes of indices, and what stands around them.

use super::made::{Made, Moov, Reference, Shape, boxed, ftyp, run, sidx};
use super::shapes::{joined, places};
use super::{Fault, read_head, read_head_in};

/// A picture whose three runs of a second are named by indices that `lay` makes, given the size of a run.
fn indexed(lay: impl Fn(u32) -> Vec<(Vec<u8>, usize)>) -> Vec<u8> {
    let size = u32::try_from(run(&Shape::default(), 1, 0, 0).len()).unwrap();
    let mut file = [ftyp(), Moov::of(*b"vide").bytes()].concat();
    let mut second = 0;
    for (index, runs) in lay(size) {
        file.extend(index);
        for _ in 0..runs {
            file.extend(run(&Shape::default(), 1, file.len() as u64, second * 1000));
            second += 1;
        }
    }
    file
}

pub(super) fn media(size: u32, runs: usize) -> Vec<Reference> {
    vec![(false, size, 1000); runs]
}

/// All shapes of indices of the same three runs.
fn indices() -> Vec<(&'static str, Vec<u8>)> {
    let leaf = |time, size, runs| sidx(1, time, 0, &media(size, runs));
    let length = |index: &[u8]| u32::try_from(index.len()).unwrap();
    vec![
        (
            "version 0",
            indexed(|size| vec![(sidx(0, 0, 0, &media(size, 3)), 3)]),
        ),
        ("version 1", indexed(|size| vec![(leaf(0, size, 3), 3)])),
        (
            "two levels",
            indexed(|size| {
                let (first, second) = (leaf(0, size, 2), leaf(2000, size, 1));
                let root = [
                    (true, length(&first) + 2 * size, 2000),
                    (true, length(&second) + size, 1000),
                ];
                vec![(sidx(1, 0, 0, &root), 0), (first, 2), (second, 1)]
            }),
        ),
        (
            "a chain",
            indexed(|size| {
                let last = leaf(2000, size, 1);
                let chain = [
                    (false, size, 1000),
                    (false, size, 1000),
                    (true, length(&last) + size, 1000),
                ];
                vec![(sidx(1, 0, 0, &chain), 2), (last, 1)]
            }),
        ),
        (
            "a gap",
            indexed(|size| {
                vec![
                    (sidx(1, 0, 33, &media(size, 3)), 0),
                    (boxed(*b"free", &[0; 25]), 3),
                ]
            }),
        ),
        (
            "one after the other",
            indexed(|size| {
                vec![
                    (leaf(0, size, 1), 1),
                    (leaf(1000, size, 1), 1),
                    (leaf(2000, size, 1), 1),
                ]
            }),
        ),
        (
            "two before all",
            indexed(|size| {
                let second = sidx(1, 1000, u64::from(size), &media(size, 2));
                let first = sidx(1, 0, second.len() as u64, &media(size, 1));
                vec![(first, 0), (second, 3)]
            }),
        ),
    ]
}

#[test]
fn indices_of_all_shapes_name_the_same_runs() {
    for (name, picture) in indices() {
        let head = read_head(&picture).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let times: Vec<u64> = head.index.runs.iter().map(|run| run.time).collect();
        assert_eq!(
            (times, head.index.end_time),
            (vec![0, 1000, 2000], 3000),
            "{name}"
        );
        joined(picture);
    }
}

#[test]
fn head_is_read_in_one_step_where_its_end_is_told() {
    let file = Made::file(*b"vide", &Shape::default(), 3);
    let end = places(&file, b"moof")[0] as u64 - 4;
    assert_eq!(read_head_in(&file, Some(end)).unwrap().1, 1);
    assert_eq!(
        read_head_in(&file, Some(end / 2)).unwrap().1,
        2,
        "a wrong end costs a step"
    );
}

#[test]
fn what_follows_the_runs_is_known_or_refused() {
    let file = Made::file(*b"vide", &Shape::default(), 3);
    let and = |tail: &[u8]| read_head(&[&file[..], tail].concat()).map(|head| head.runs());
    assert_eq!(and(&boxed(*b"mfra", &[0; 90])), Ok(3));
    let more = run(&Shape::default(), 1, file.len() as u64, 3000);
    assert_eq!(and(&more), Err(Fault::Unindexed));
    assert_eq!(and(&boxed(*b"styp", &[0; 8])), Err(Fault::Unindexed));
    assert!(and(&[0; 3]).is_err());
}

#[test]
fn runs_named_twice_are_refused() {
    let file = indexed(|size| {
        let second = sidx(1, 1000, 0, &media(size, 2));
        let first = sidx(1, 0, second.len() as u64, &media(size, 1));
        vec![(first, 0), (second, 3)]
    });
    assert_eq!(read_head(&file).err(), Some(Fault::Overlap));
}
