//! Files that are refused, before a media byte is read or as soon as the media don't keep what the index says.

use serverrs::media::webm::Fault;
use serverrs::media::{Clip, Mismatch, Tags};

use super::joining::usual;
use super::pair::{Pair, head};
use super::synth::{Synth, cue, el, num};
use super::walk::walk;

const CUES: u32 = 0x1C53_BB6B;

/// What is said of a sound file changed so, before its media are read.
fn refused(change: impl FnOnce(&mut Synth)) -> Fault {
    let (_, mut sound) = usual();
    change(&mut sound);
    head(&sound.build()).unwrap_err()
}

/// What is said of such a file when its media come by.
fn refused_late(change: impl FnOnce(&mut Synth)) -> Fault {
    let (picture, mut sound) = usual();
    change(&mut sound);
    let pair = Pair::new(&picture.build(), &sound.build()).unwrap();
    match pair.whole().unwrap_err() {
        Mismatch::Webm(fault) => fault,
        other => panic!("{other}"),
    }
}

fn with_cues(cues: &[Vec<u8>]) -> impl FnOnce(&mut Synth) {
    let cues = el(CUES, &cues.concat());
    move |synth| synth.replaced.push((CUES, cues))
}

#[test]
fn encrypted_or_foreign_tracks_are_refused() {
    let fault = refused(|s| s.in_track = el(0x6D80, &el(0x6240, &el(0x5035, &[]))));
    assert_eq!(fault, Fault::Encrypted);
    let fault = refused(|s| s.in_track = el(0x6D80, &el(0x6240, &el(0x5034, &[]))));
    assert_eq!(fault, Fault::Unsupported("its track is packed"));
    let track = |children: &[Vec<u8>]| el(0xAE, &children.concat());
    for (children, reason) in [
        (
            vec![track(&[
                num(0xD7, 1),
                num(0x73C5, 1),
                num(0x83, 2),
                el(0x86, b"A_AAC"),
            ])],
            "a track of no WebM codec",
        ),
        (
            vec![track(&[
                num(0xD7, 1),
                num(0x73C5, 1),
                num(0x83, 17),
                el(0x86, b"A_OPUS"),
            ])],
            "a track of no WebM codec",
        ),
        (
            vec![
                track(&[
                    num(0xD7, 1),
                    num(0x73C5, 1),
                    num(0x83, 2),
                    el(0x86, b"A_OPUS"),
                ]),
                track(&[
                    num(0xD7, 2),
                    num(0x73C5, 2),
                    num(0x83, 2),
                    el(0x86, b"A_OPUS"),
                ]),
            ],
            "more than one track",
        ),
    ] {
        let tracks = el(0x1654_AE6B, &children.concat());
        let fault = refused(|s| s.replaced.push((0x1654_AE6B, tracks)));
        assert_eq!(fault, Fault::Unsupported(reason));
    }
}

#[test]
fn files_without_an_index_are_refused() {
    let live = Fault::Unsupported("no index before its media, as in a live recording");
    assert_eq!(refused(|s| s.replaced.push((CUES, Vec::new()))), live);
    let fault = refused(|s| {
        s.replaced.push((CUES, Vec::new()));
        s.has_unknown_segment = true;
        s.has_unknown_clusters = true;
    });
    assert_eq!(fault, live);
    assert_eq!(refused(with_cues(&[])), Fault::Index("no cue point"));
}

#[test]
fn lying_cues_are_refused_before_the_media() {
    let outside = Fault::Index("a cue point leads out of the media");
    for position in [0, 1, 1 << 40, 1 << 63, u64::MAX] {
        assert_eq!(refused(with_cues(&[cue(0, 1, position)])), outside);
    }
    let unordered = Fault::Index("its cue points aren't in order");
    assert_eq!(
        refused(with_cues(&[cue(0, 1, 600), cue(9, 1, 500)])),
        unordered
    );
    assert_eq!(
        refused(with_cues(&[cue(9, 1, 500), cue(0, 1, 600)])),
        unordered
    );
    assert_eq!(
        refused(with_cues(&[cue(1 << 63, 1, 500)])),
        Fault::Index("a cue point at an absurd time")
    );
    assert_eq!(
        refused(with_cues(&[cue(0, 9, 500)])),
        Fault::Index("a cue point of another track")
    );
    let bare = Fault::Index("a cue point without time or position");
    assert_eq!(refused(with_cues(&[el(0xBB, &num(0xB3, 0))])), bare);
}

/// The cues of a file, changed: `change` gets the place, the time and the position of each.
fn changed_cues(synth: &mut Synth, track: u64, change: impl Fn(usize, u64, u64) -> (u64, u64)) {
    let mut points = Vec::new();
    for (i, walked) in walk(&synth.build()).cues.into_iter().enumerate() {
        let (time, position) = change(i, walked.time, walked.positions[0].1);
        points.extend(cue(time, track, position));
    }
    synth.replaced.push((CUES, el(CUES, &points)));
}

#[test]
fn lying_cues_are_found_in_the_media() {
    for by in 1..200 {
        let fault = refused_late(|s| {
            changed_cues(s, 1, |i, time, at| (time, at + if i == 2 { by } else { 0 }));
        });
        assert!(
            matches!(
                fault,
                Fault::Malformed(_) | Fault::Index(_) | Fault::Unsupported(_)
            ),
            "{fault}"
        );
    }
}

#[test]
fn pictures_before_the_clip_are_refused() {
    let (mut picture, sound) = usual();
    // Its clusters begin earlier than the cues say.
    changed_cues(&mut picture, 1, |_, time, at| (time + 10, at));
    let clip = Clip {
        start_ms: 20_000,
        end_ms: None,
    };
    let (picture, sound) = (picture.build(), sound.build());
    let pair = Pair::with(&picture, &sound, Some(clip), &Tags::default()).unwrap();
    let early = Fault::Index("a cluster earlier than its cue point");
    assert_eq!(pair.whole(), Err(Mismatch::Webm(early)));
}

#[test]
fn sound_that_can_not_be_cut_is_refused() {
    let (picture, mut sound) = usual();
    sound.has_groups = true;
    let picture = picture.build();
    let clip = Clip {
        start_ms: 16_000,
        end_ms: None,
    };
    let refusal = |sound: &[u8]| {
        let pair = Pair::with(&picture, sound, Some(clip), &Tags::default()).unwrap();
        pair.whole().unwrap_err()
    };
    sound.has_late_blocks = true;
    assert_eq!(
        refusal(&sound.build()),
        Mismatch::Webm(Fault::Unsupported("a group doesn't begin with its block"))
    );
    // Without the clip it makes no difference.
    Pair::new(&picture, &sound.build())
        .unwrap()
        .whole()
        .unwrap();
}

#[test]
fn media_of_another_track_are_refused() {
    let fault = refused_late(|s| {
        // Blocks say 2, all else says 1.
        s.number = 2;
        let entry = [
            num(0xD7, 1),
            num(0x73C5, 1),
            num(0x83, 2),
            el(0x86, b"A_OPUS"),
        ];
        let tracks = el(0x1654_AE6B, &el(0xAE, &entry.concat()));
        s.replaced.push((0x1654_AE6B, tracks));
        changed_cues(s, 1, |_, time, at| (time, at));
    });
    assert_eq!(fault, Fault::Index("a block of another track"));
}

#[test]
fn other_elements_behind_the_media_are_refused_unless_named() {
    let fault = refused_late(|s| {
        s.behind = el(0x1254_C367, &[]);
        s.replaced.push((0x114D_9B74, Vec::new()));
    });
    assert_eq!(
        fault,
        Fault::Unsupported("something else stands among its media")
    );
}

#[test]
fn files_that_do_not_go_together_are_refused() {
    let (picture, sound) = usual();
    let refusal = |picture: &Synth, sound: &Synth| {
        Pair::new(&picture.build(), &sound.build())
            .err()
            .expect("refused")
    };
    let kinds = Fault::Mismatch("one must be picture, the other sound");
    assert_eq!(refusal(&picture, &picture), kinds);
    assert_eq!(refusal(&sound, &sound), kinds);
    assert_eq!(refusal(&sound, &picture), kinds);
    let mut finer = sound;
    finer.scale = 100_000;
    assert_eq!(
        refusal(&picture, &finer),
        Fault::Mismatch("their ticks differ in length")
    );
}

#[test]
fn clips_outside_are_refused() {
    let (picture, sound) = usual();
    let (picture, sound) = (picture.build(), sound.build());
    let clip = |start, end| {
        let clip = Clip {
            start_ms: start,
            end_ms: Some(end),
        };
        Pair::with(&picture, &sound, Some(clip), &Tags::default())
            .err()
            .expect("refused")
    };
    let outside = Fault::Clip("it begins behind the end of the video");
    assert_eq!(clip(40_000, 50_000), outside);
    assert_eq!(clip(u64::MAX - 1, u64::MAX), outside);
    let backwards = Fault::Clip("it ends before it begins");
    assert_eq!(clip(5, 5), backwards);
    assert_eq!(clip(5, 4), backwards);
}

/// Where the data of the segment begin.
fn segment_start(file: &[u8]) -> usize {
    let at = file.windows(4).position(|b| b == [0x18, 0x53, 0x80, 0x67]);
    at.unwrap() + 12
}

#[test]
fn broken_or_foreign_heads_are_refused() {
    let info = |data: &[u8]| el(0x1549_A966, data);
    let no_time = Fault::Malformed("a scale or duration that is no time");
    for data in [
        num(0x002A_D7B1, 0),
        el(0x4489, &f64::NAN.to_be_bytes()),
        el(0x4489, &(-1.0_f64).to_be_bytes()),
        el(0x4489, &f32::INFINITY.to_be_bytes()),
    ] {
        let fault = refused(|s| s.replaced.push((0x1549_A966, info(&data))));
        assert_eq!(fault, no_time);
    }
    let (_, sound) = usual();
    let good = sound.build();
    let changed = |old: &[u8], new: &[u8]| {
        let at = good.windows(old.len()).position(|b| b == old).unwrap();
        let mut bytes = good.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        head(&bytes).unwrap_err()
    };
    assert_eq!(
        changed(b"webm", b"webx"),
        Fault::Unsupported("its document type isn't `webm`")
    );
    assert_eq!(
        changed(&[0x42, 0xF3, 0x81, 8], &[0x42, 0xF3, 0x81, 9]),
        Fault::Unsupported("it needs a newer EBML")
    );
    // A segment, an element or the file that claims to be longer than it is.
    assert_eq!(
        changed(&[0x18, 0x53, 0x80, 0x67], &[0x18, 0x53, 0x80, 0x67, 1, 9]),
        Fault::Malformed("its segment doesn't end with the file")
    );
    assert_eq!(
        changed(&[0x15, 0x49, 0xA9, 0x66], &[0x15, 0x49, 0xA9, 0x66, 0xFF]),
        Fault::Malformed("an unknown size where none is allowed")
    );
    // The segment ends a byte early, or with its last cluster left out.
    let data = good.len() as u64 - segment_start(&good) as u64;
    let last_cluster = walk(&good).clusters[3].0;
    for size in [data - 1, last_cluster] {
        let header = [
            &[0x18, 0x53, 0x80, 0x67][..],
            &(size | 1 << 56).to_be_bytes(),
        ]
        .concat();
        assert_eq!(
            changed(&[0x18, 0x53, 0x80, 0x67], &header),
            Fault::Malformed("its segment doesn't end with the file")
        );
    }
    let first_cluster = segment_start(&good) as u64 + walk(&good).clusters[0].0;
    for cut in 0..usize::try_from(first_cluster).unwrap() {
        assert!(head(&good[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn heads_too_large_to_hold_are_refused() {
    let info = |padding: usize| {
        let void = el(0xEC, &vec![0; padding]);
        let info = [el(0x1549_A966, &num(0x002A_D7B1, 1_000_000)), void].concat();
        move |synth: &mut Synth| synth.replaced.push((0x1549_A966, info))
    };
    let mut large = usual().1;
    info(3 << 20)(&mut large);
    assert!(head(&large.build()).is_ok());
    assert_eq!(
        refused(info(5 << 20)),
        Fault::TooLarge("more than 4 MiB before its media")
    );
}
