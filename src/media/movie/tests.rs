//! Files made up of boxes, and what is read in them.

use proptest::prelude::*;

use super::*;

pub(in crate::media) fn atom(name: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 8).unwrap();
    [&length.to_be_bytes()[..], &name, payload].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A track with this scale, and samples that last so long.
pub(in crate::media) struct Recipe {
    pub(in crate::media) handler: [u8; 4],
    /// Of pictures their size, of sound 0 and its rate.
    pub(in crate::media) entry: (u16, u16),
    pub(in crate::media) scale: u32,
    pub(in crate::media) times: Vec<(u32, u32)>,
    /// Length in thousandths, start, rate.
    pub(in crate::media) edits: Option<Vec<[u32; 3]>>,
}

impl Recipe {
    fn sound(times: &[(u32, u32)], edits: Option<Vec<[u32; 3]>>) -> Self {
        Self {
            handler: *b"soun",
            entry: (44_100, 0),
            scale: 44_100,
            times: times.to_vec(),
            edits,
        }
    }

    pub(in crate::media) fn track(&self) -> Vec<u8> {
        let header = words(&[0, 0, 0, self.scale, 7, 0]);
        let kind = [&[0; 8][..], &self.handler, &[0; 12]].concat();
        let (first, second) = self.entry;
        let entry = [
            &[0; 24][..],
            &first.to_be_bytes(),
            &second.to_be_bytes(),
            &[0; 4],
        ]
        .concat();
        let entry = [words(&[0, 1]), atom(*b"xxxx", &entry)].concat();
        let runs = u32::try_from(self.times.len()).unwrap();
        let mut times = words(&[0, runs]);
        for (count, each) in &self.times {
            times.extend(words(&[*count, *each]));
        }
        let table = [atom(*b"stsd", &entry), atom(*b"stts", &times)].concat();
        let media = [
            atom(*b"mdhd", &header),
            atom(*b"hdlr", &kind),
            atom(*b"minf", &atom(*b"stbl", &table)),
        ]
        .concat();
        let mut parts = Vec::new();
        if let Some(edits) = &self.edits {
            let count = u32::try_from(edits.len()).unwrap();
            let list = [words(&[0, count]), words(&edits.concat())].concat();
            parts = atom(*b"edts", &atom(*b"elst", &list));
        }
        parts.extend(atom(*b"mdia", &media));
        atom(*b"trak", &parts)
    }
}

pub(in crate::media) fn file(parts: &[Vec<u8>]) -> Vec<u8> {
    let header = atom(*b"mvhd", &words(&[0, 0, 0, 1000, 0]));
    let moov = [header, parts.concat()].concat();
    [
        atom(*b"ftyp", b"M4A \0\0\0\0"),
        atom(*b"moov", &moov),
        atom(*b"mdat", b"...."),
    ]
    .concat()
}

fn heard(times: &[(u32, u32)], edits: Option<Vec<[u32; 3]>>) -> Option<u64> {
    let movie = Movie::of(&file(&[Recipe::sound(times, edits).track()])).unwrap();
    movie.sound().map(|sound| sound.units)
}

const TEN: [(u32, u32); 2] = [(10, 44_100), (1, 100)];

#[test]
fn length_is_the_sum_of_the_samples_and_not_what_a_header_claims() {
    assert_eq!(heard(&TEN, None), Some(441_100));
    assert_eq!(heard(&[], None), None);
    let length = Duration {
        units: 88_201,
        scale: 44_100,
    };
    assert_eq!(length.samples(48_000), 96_002);
}

#[test]
fn edits_take_away_what_is_not_played() {
    for (edits, units) in [
        // Three seconds from the second one on.
        (vec![[3000, 44_100, NORMAL]], Some(132_300)),
        // More than there is.
        (vec![[99_000, 44_100, NORMAL]], Some(397_000)),
        // To the end, which FFmpeg takes for nothing.
        (vec![[0, 1_100, NORMAL]], None),
        // A pause in front, which readers drop.
        (
            vec![[500, u32::MAX, NORMAL], [2000, 0, NORMAL]],
            Some(88_200),
        ),
        // Two stretches, half the speed, behind the end, nothing at all.
        (vec![[1000, 0, NORMAL], [1000, 88_200, NORMAL]], None),
        (vec![[1000, 0, NORMAL / 2]], None),
        (vec![[1000, 500_000, NORMAL]], None),
        (vec![[1000, u32::MAX, NORMAL]], None),
    ] {
        assert_eq!(heard(&TEN, Some(edits.clone())), units, "{edits:?}");
    }
}

const NORMAL: u32 = 0x0001_0000;

/// A file of one sound track in fragments with this index.
fn in_fragments(times: &[(u32, u32)], edits: Option<Vec<[u32; 3]>>, index: &[u8]) -> Vec<u8> {
    let track = Recipe::sound(times, edits).track();
    in_front_of_media(
        index,
        &file(&[track, atom(*b"mvex", &atom(*b"trex", &[0; 24]))]),
    )
}

fn in_front_of_media(index: &[u8], file: &[u8]) -> Vec<u8> {
    let (head, media) = file.split_at(file.len() - 12);
    [head, index, media].concat()
}

/// An index of fragments of these lengths.
fn index(is_wide: bool, scale: u32, lengths: &[u32]) -> Vec<u8> {
    let times: &[u32] = if is_wide { &[0; 4] } else { &[0; 2] };
    let count = u32::try_from(lengths.len()).unwrap();
    let mut body = words(&[u32::from(is_wide) << 24, 1, scale]);
    body.extend(words(times));
    body.extend(words(&[count]));
    for length in lengths {
        body.extend(words(&[1000, *length, 0]));
    }
    atom(*b"sidx", &body)
}

fn heard_in(bytes: &[u8]) -> Option<u64> {
    let movie = Movie::of(bytes).unwrap();
    assert!(movie.is_fragmented);
    movie.sound().map(|sound| sound.units)
}

#[test]
fn length_of_fragments_is_that_of_their_index() {
    for is_wide in [false, true] {
        let index = index(is_wide, 44_100, &[441_000, 100]);
        for (edits, units) in [
            (None, Some(441_100)),
            // To the end, without what the encoder put in front.
            (Some(vec![[0, 1_100, NORMAL]]), Some(440_000)),
            (Some(vec![[2000, 0, NORMAL]]), Some(88_200)),
            (Some(vec![[0, 500_000, NORMAL]]), None),
        ] {
            assert_eq!(heard_in(&in_fragments(&[], edits, &index)), units);
        }
        // Cut off.
        let whole = in_fragments(&[], None, &index);
        assert_eq!(heard_in(&whole[..whole.len() - 13]), None);
    }
}

#[test]
fn length_of_fragments_without_an_index_of_their_own_is_unknown() {
    let good = index(false, 44_100, &[441_000]);
    for (times, index) in [
        (&[][..], Vec::new()),
        // Behind the first fragment: of the rest alone.
        (&[], [atom(*b"moof", &[]), good.clone()].concat()),
        // In other units, in none, and beside samples that stand in the tables.
        (&[], index(false, 1000, &[10_000])),
        (&[], index(false, 0, &[10_000])),
        (&TEN, good.clone()),
    ] {
        assert_eq!(heard_in(&in_fragments(times, None, &index)), None);
    }
    // Of one of several tracks.
    let track = || Recipe::sound(&[], None).track();
    let two = file(&[track(), track(), atom(*b"mvex", &[])]);
    assert_eq!(heard_in(&in_front_of_media(&good, &two)), None);
}

#[test]
fn length_in_units_that_are_not_samples_is_unknown() {
    let length = |scale, rate| {
        let recipe = Recipe {
            scale,
            entry: (rate, 0),
            ..Recipe::sound(&TEN, None)
        };
        Movie::of(&file(&[recipe.track()])).unwrap().sound()
    };
    assert!(length(1000, 44_100).is_none());
    assert!(length(22_050, 44_100).is_some() && length(48_000, 24_000).is_some());
    assert!(length(44_100, 0).is_none());
}

#[test]
fn index_behind_the_media_and_what_is_cut_are_not_known() {
    let bytes = file(&[Recipe::sound(&TEN, None).track()]);
    let behind = [atom(*b"mdat", b"...."), bytes.clone()].concat();
    assert_eq!(Movie::of(&behind), None);
    for end in 0..bytes.len() - 12 {
        let movie = Movie::of(&bytes[..end]);
        assert!(movie.is_none_or(|movie| movie.sound().is_none()), "{end}");
    }
}

proptest! {
    #[test]
    fn movie_of_any_bytes_is_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        name in prop::sample::select(vec![b"trak", b"mdia", b"mvhd", b"mvex"]),
    ) {
        let _ = Movie::of(&file(&[atom(*name, &bytes)]));
        let _ = Movie::of(&bytes);
        let _ = track(&bytes, 1000, Samples::Here);
        let _ = fragments(&atom(*b"sidx", &bytes));
        let _ = times(&bytes);
        let _ = picture_size(&bytes).zip(sample_rate(&bytes));
        let _ = played(&bytes, Duration { units: 5, scale: 1 }, 1, Samples::Here);
    }
}
