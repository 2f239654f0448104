//! What stands in a joined file.

use std::ops::Range;
use std::time::Duration;

use serverrs::media::webm::{HeadReader, Joined};
use serverrs::media::{Clip, Layout, Progress, Side, Stretch, Tags};

use super::pair::{Pair, head};
use super::synth::{Cluster, Synth, cue, el};
use super::walk::{Block, Walked, uint, walk};

/// Picture every 5 s, sound every 10 s, as the files of the field are cut, but for 40 s.
pub(crate) fn usual() -> (Synth, Synth) {
    (
        Synth::plain(
            true,
            &[0, 5005, 10_010, 15_015, 20_020, 25_025, 30_030, 35_035],
            40_000,
        ),
        Synth::plain(false, &[0, 10_001, 20_001, 30_001], 40_021),
    )
}

/// Joins and reads back, after checking what is true of every joined file.
#[track_caller]
pub(crate) fn joined(picture: &Synth, sound: &Synth) -> Walked {
    let (picture, sound) = (picture.build(), sound.build());
    let pair = Pair::new(&picture, &sound).unwrap();
    check(&pair, &walk(&picture), &walk(&sound))
}

/// Reads the joined file back and compares it with its sources.
#[track_caller]
pub(crate) fn check(pair: &Pair, picture: &Walked, sound: &Walked) -> Walked {
    let file = walk(&pair.whole().unwrap());
    let number = |track: usize| uint(&file.tracks[track][&0xD7]);
    let numbers = [number(0), number(1)];
    assert_ne!(numbers[0], numbers[1]);
    assert_ne!(file.tracks[0][&0x73C5], file.tracks[1][&0x73C5]);
    for (number, source) in numbers.into_iter().zip([picture, sound]) {
        let of = uint(&source.tracks[0][&0xD7]);
        assert_eq!(file.blocks_of(number), source.blocks_of(of));
    }
    assert_eq!(
        file.blocks.len(),
        picture.blocks.len() + sound.blocks.len(),
        "blocks of no track"
    );
    // What would be wrong in the new place is gone.
    assert!(!file.ids.iter().any(|id| [0xA7, 0xAB, 0xBF].contains(id)));
    assert_eq!(file.cues.is_empty(), picture.cues.is_empty());
    check_cues(&file, numbers);
    file
}

/// From each cue point on, everything of its time and later comes, of both tracks.
#[track_caller]
fn check_cues(file: &Walked, [picture, sound]: [u64; 2]) {
    for cue in &file.cues {
        let (track, position) = cue.positions[0];
        assert_eq!(track, picture);
        let time = cue.time.cast_signed();
        let is_keyframe = |b: &Block| (b.track, b.time, b.cluster) == (picture, time, position);
        assert!(file.blocks.iter().any(is_keyframe), "{cue:?}");
        for block in file.blocks.iter().filter(|b| b.cluster < position) {
            assert!(block.time < time, "{block:?} before {cue:?}");
        }
        for &(track, position) in &cue.positions[1..] {
            assert_eq!(track, sound);
            assert!(file.clusters.iter().any(|&(at, _)| at == position));
        }
    }
}

#[test]
fn usual_pair_is_joined_with_sound_behind_its_pictures() {
    let (picture, sound) = usual();
    let file = joined(&picture, &sound);
    let times: Vec<u64> = file.clusters.iter().map(|&(_, time)| time).collect();
    assert_eq!(
        times,
        [
            0, 5005, 0, 10_010, 15_015, 10_001, 20_020, 25_025, 20_001, 30_030, 35_035, 30_001
        ]
    );
    assert_eq!(file.duration(), Some(40_021.0));
    assert_eq!(file.cues.len(), 8);
    // The greater version of both; the document type stays.
    assert_eq!(file.ebml[&0x4287], [4]);
    assert_eq!(file.ebml[&0x4285], [2]);
    assert_eq!(file.ebml[&0x4282], b"webm");
    // Both called their track 1: the sound gives way. `CodecDelay` is kept.
    assert_eq!(file.tracks[0][&0xD7], [1]);
    assert_eq!(file.tracks[1][&0xD7], [2]);
    assert_eq!(file.tracks[1][&0x56AA], 6_500_000_u32.to_be_bytes()[1..]);
}

#[test]
fn numbers_that_differ_stay() {
    let (picture, mut sound) = usual();
    sound.number = 5;
    sound.uid = 78;
    let file = joined(&picture, &sound);
    assert_eq!(file.tracks[1][&0xD7], [5]);
    assert_eq!(file.tracks[1][&0x73C5], [78]);
}

#[test]
fn numbers_take_as_many_bytes_as_before() {
    for (number, width, other) in [
        (126, 1, 125),
        (127, 2, 128),
        (128, 2, 129),
        (16_382, 2, 16_381),
        (16_383, 3, 16_384),
        (1, 8, 2),
        ((1 << 56) - 2, 8, (1 << 56) - 3),
    ] {
        let (mut picture, mut sound) = usual();
        for side in [&mut picture, &mut sound] {
            side.number = number;
            side.number_width = width;
        }
        let file = joined(&picture, &sound);
        assert_eq!(uint(&file.tracks[1][&0xD7]), other, "{number}");
    }
}

#[test]
fn odd_but_allowed_files_are_joined() {
    let oddities: [fn(&mut Synth); 9] = [
        |s| s.has_unknown_segment = true,
        |s| s.has_unknown_clusters = true,
        |s| s.has_wide_sizes = true,
        |s| s.has_place_marks = true,
        |s| s.has_groups = true,
        |s| {
            s.has_groups = true;
            s.has_late_blocks = true;
        },
        |s| s.has_voids = true,
        |s| s.uid = 1,
        // Longer than one run can be read at once.
        |s| s.clusters[1].blocks[0].1 = vec![0xA3; 20_000],
    ];
    for make_odd in oddities {
        for sides in [[true, false], [false, true], [true, true]] {
            let (mut picture, mut sound) = usual();
            if sides[0] {
                make_odd(&mut picture);
            }
            if sides[1] {
                make_odd(&mut sound);
            }
            joined(&picture, &sound);
        }
    }
}

#[test]
fn cue_points_may_leave_clusters_out() {
    let (mut picture, mut sound) = usual();
    for (i, cluster) in picture.clusters.iter_mut().enumerate() {
        cluster.is_cued = i % 3 == 0;
    }
    sound.clusters[0].is_cued = false;
    let file = joined(&picture, &sound);
    assert_eq!(file.cues.len(), 3);
    // The sound's first cluster has no cue point, but belongs to the file all the same.
    assert_eq!(file.clusters.len(), 12);
}

#[test]
fn tracks_may_begin_and_end_apart() {
    let picture = Synth::plain(true, &[2000, 4000], 6000);
    let sound = Synth::plain(false, &[0, 1000, 9000], 12_000);
    let file = joined(&picture, &sound);
    assert_eq!(file.duration(), Some(12_000.0));
    let picture = Synth::plain(true, &[0, 4000, 8000], 9000);
    let mut sound = Synth::plain(false, &[6000], 7000);
    sound.duration = None;
    let file = joined(&picture, &sound);
    assert_eq!(file.duration(), Some(9000.0));
    let positions: Vec<usize> = file.cues.iter().map(|cue| cue.positions.len()).collect();
    assert_eq!(positions, [1, 1, 2], "sound before it has begun");
}

#[test]
fn elements_behind_the_media_are_left_out() {
    let (mut picture, mut sound) = usual();
    let plain = joined(&picture, &sound);
    picture.behind = el(0x1254_C367, &[]);
    sound.behind = el(0x1941_A469, &[0; 300]);
    let (picture, sound) = (picture.build(), sound.build());
    let file = walk(&Pair::new(&picture, &sound).unwrap().whole().unwrap());
    assert_eq!(file.blocks, plain.blocks);
}

#[test]
fn tags_are_written() {
    let (picture, sound) = usual();
    let (picture, sound) = (picture.build(), sound.build());
    let tags = Tags {
        title: "Größe\0\n",
        artist: "",
        date: "2026-01-02",
        description: &"ж".repeat(10_000),
        source: "https://video.example/1",
        cover: None,
    };
    let pair = Pair::with(&picture, &sound, None, &tags).unwrap();
    let file = check(&pair, &walk(&picture), &walk(&sound));
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        file.tags,
        [
            tag("TITLE", "Größe\n"),
            tag("DATE_RELEASED", "2026-01-02"),
            tag("DESCRIPTION", &"ж".repeat(2048)),
            tag("URL", "https://video.example/1"),
        ]
    );
    assert_eq!(file.info[&0x7BA9], "Größe\n".as_bytes());
}

/// A clip of the usual pair, after checking that it has the blocks between these ticks, moved to 0.
#[track_caller]
fn assert_clip(pair: &(Synth, Synth), clip: (u64, Option<u64>), ticks: Range<i64>, until: f64) {
    let (picture, sound) = (pair.0.build(), pair.1.build());
    let clip = Clip {
        start_ms: clip.0,
        end_ms: clip.1,
    };
    let clipped = Pair::with(&picture, &sound, Some(clip), &Tags::default()).unwrap();
    let file = walk(&clipped.whole().unwrap());
    check_cues(&file, [1, 2]);
    for (track, source) in [(1, &picture), (2, &sound)] {
        let source = walk(source);
        let expected: Vec<(i64, &[u8])> = source
            .blocks_of(1)
            .into_iter()
            .filter(|(time, _)| ticks.contains(time))
            .map(|(time, data)| (time - ticks.start, data))
            .collect();
        assert_eq!(file.blocks_of(track), expected, "{clip:?}");
    }
    assert_eq!(file.duration(), Some(until), "{clip:?}");
    assert_eq!(
        clipped.read(0..clipped.joined.total(), 1),
        clipped.whole(),
        "{clip:?}"
    );
}

#[test]
fn clip_is_widened_to_keyframes_and_begins_at_zero() {
    let oddities: [fn(&mut Synth); 5] = [
        |_| {},
        |s| s.has_groups = true,
        |s| s.has_unknown_clusters = true,
        |s| s.has_place_marks = true,
        |s| s.has_wide_sizes = true,
    ];
    for make_odd in oddities {
        let mut pair = usual();
        make_odd(&mut pair.1);
        assert_clip(&pair, (16_000, Some(22_000)), 15_015..25_025, 10_010.0);
        assert_clip(&pair, (0, Some(1000)), 0..5005, 5005.0);
        assert_clip(&pair, (10_000, Some(11_000)), 5005..15_015, 10_010.0);
        // To the end, and far behind it.
        assert_clip(&pair, (36_000, None), 35_035..i64::MAX, 4986.0);
        assert_clip(&pair, (36_000, Some(u64::MAX)), 35_035..i64::MAX, 4986.0);
    }
}

#[test]
fn clip_behind_the_end_of_the_sound_is_silent() {
    let mut pair = usual();
    pair.1 = Synth::plain(false, &[0, 5000], 9000);
    assert_clip(&pair, (16_000, Some(22_000)), 15_015..25_025, 10_010.0);
    assert_clip(&pair, (6000, Some(22_000)), 5005..25_025, 20_020.0);
}

#[test]
fn each_byte_has_a_place() {
    let (picture, sound) = usual();
    let (picture, sound) = (picture.build(), sound.build());
    let pair = Pair::new(&picture, &sound).unwrap();
    let layout = &pair.joined;
    assert_eq!(layout.source_total(Side::Picture), picture.len() as u64);
    assert_eq!(layout.source_total(Side::Sound), sound.len() as u64);
    let mut at = 0;
    let mut runs = 0;
    while let Some(stretch) = layout.stretch(at) {
        at = match stretch {
            Stretch::Made { start, bytes } => start + bytes.len() as u64,
            Stretch::Run(run) => {
                assert_eq!(run.output, at);
                runs += 1;
                run.output + run.length
            }
        };
    }
    assert_eq!((at, runs), (layout.total(), 12));
    assert_eq!(layout.stretch(u64::MAX), None);
    let media = head(&picture).unwrap().media_len();
    let whole = layout.source(Side::Picture, 0..layout.total()).unwrap();
    assert_eq!(whole.end - whole.start, media);
    assert_eq!(layout.source(Side::Sound, at..at + 10), None);
    assert_eq!(layout.source(Side::Sound, 0..1), None);
}

#[test]
fn head_takes_one_step_where_the_end_of_the_index_is_known() {
    let (picture, _) = usual();
    let file = picture.build();
    let total = file.len() as u64;
    let reader = HeadReader::new(total);
    assert_eq!(reader.first(None), 0..total.min(65_536));
    assert_eq!(reader.first(Some(u64::MAX)), 0..total.min(65_536));
    let first_cluster = file.windows(4).position(|b| b == [0x1F, 0x43, 0xB6, 0x75]);
    let first = reader.first(first_cluster.map(|at| at as u64));
    let mut reader = reader;
    let bytes = &file[..usize::try_from(first.end).unwrap()];
    let Ok(Progress::Done(head)) = reader.feed(0, bytes) else {
        panic!("one step doesn't do");
    };
    assert_eq!((head.total(), head.runs()), (total, 8));
    assert!(head.weight() > 100);
    assert_eq!(head.duration(), Some(Duration::from_secs(40)));
    // Other bytes than those that follow.
    let mut reader = HeadReader::new(total);
    reader.feed(0, &file[..20]).unwrap();
    assert!(reader.feed(21, &file[21..]).is_err());
}

#[test]
fn ten_hours_of_tiny_clusters_are_joined() {
    let clusters = |every: usize| {
        (0..36_000_000)
            .step_by(every)
            .map(|time| Cluster {
                time,
                is_cued: true,
                blocks: vec![(0, vec![9; 3])],
            })
            .collect()
    };
    let (mut picture, mut sound) = usual();
    picture.clusters = clusters(1001);
    sound.clusters = clusters(2002);
    let (picture, sound) = (picture.build(), sound.build());
    let weight = head(&picture).unwrap().weight() + head(&sound).unwrap().weight();
    assert!(weight < 4 << 20, "{weight}");
    let pair = Pair::new(&picture, &sound).unwrap();
    let whole = pair.whole().unwrap();
    let file = walk(&whole);
    assert_eq!(file.cues.len(), 35_965);
    assert_eq!(file.blocks.len(), 35_965 + 17_983);
    for start in (0..whole.len()).step_by(whole.len() / 97) {
        let end = whole.len().min(start + 3000);
        let part = pair.read(start as u64..end as u64, 700).unwrap();
        assert!(part == whole[start..end], "{start}");
    }
}

#[test]
fn files_beyond_4_gib_are_laid_out() {
    const GIB: u64 = 1 << 30;
    let large = |is_picture| {
        let mut synth = Synth::plain(is_picture, &[0, 1000], 2000);
        synth.has_unknown_segment = true;
        let plain = walk(&synth.build());
        let first = plain.clusters[0].0;
        let cues = [cue(0, 1, first), cue(1000, 1, first + 5 * GIB)].concat();
        synth.replaced.push((0x1C53_BB6B, el(0x1C53_BB6B, &cues)));
        let mut reader = HeadReader::new(9 * GIB);
        let Ok(Progress::Done(head)) = reader.feed(0, &synth.build()) else {
            panic!("not read");
        };
        head
    };
    let (picture, sound) = (large(true), large(false));
    let joined = Joined::new(&picture, &sound, None, &Tags::default()).unwrap();
    let media = picture.media_len() + sound.media_len();
    assert!(media > 17 * GIB && media < 18 * GIB);
    let total = joined.total();
    let Some(Stretch::Made { bytes, .. }) = joined.stretch(0) else {
        panic!("no head");
    };
    assert_eq!(total, bytes.len() as u64 + media);
    // Picture, sound, picture, sound: the second runs are shorter than the first.
    let Some(Stretch::Run(last)) = joined.stretch(total - 1) else {
        panic!("no run");
    };
    assert_eq!((last.side, last.number), (Side::Sound, 1));
    assert_eq!(last.output + last.length, total);
    assert_eq!(last.source + last.length, 9 * GIB);
    let second = joined.stretch(bytes.len() as u64 + 5 * GIB);
    assert!(
        matches!(second, Some(Stretch::Run(run)) if run.side == Side::Sound && run.number == 0)
    );
}
