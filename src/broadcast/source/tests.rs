//! Cutting and holding of items.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::testing::{Make, file, headers};
use super::*;
use crate::broadcast::flv::{Tag, TagKind};

fn options() -> SourceOptions {
    SourceOptions {
        fps: Some(30),
        ..SourceOptions::default()
    }
}

/// All groups of these bytes, the item ending well.
fn cut(options: SourceOptions, flv: &[u8]) -> Result<Vec<Gop>, SourceError> {
    let (mut sink, mut source) = channel(options);
    sink.push(flv)?;
    sink.finish();
    Ok(drain(&mut source))
}

fn drain(source: &mut Source) -> Vec<Gop> {
    let mut all = Vec::new();
    while let Taken::Gop(gop) = source.take() {
        all.push(gop);
    }
    all
}

#[test]
fn source_item_comes_in_whole_groups_with_exact_times() {
    let gops = cut(options(), &Make::item(1, 150).flv()).unwrap();
    let shape: Vec<_> = gops
        .iter()
        .map(|gop| (gop.start(), gop.end, gop.video.len()))
        .collect();
    // Off the milliseconds of the tags, on the thirtieths of a second.
    let expected = [
        (0, 2_000_000_000, 60),
        (2_000_000_000, 4_000_000_000, 60),
        (4_000_000_000, 4_999_999_999, 30),
    ];
    assert_eq!(shape, expected);
    assert_eq!(gops[0].video[1].at, 33_333_333);
    let sounds: Vec<_> = gops.iter().flat_map(|gop| &gop.audio).collect();
    assert_eq!(sounds.len(), 235);
    assert_eq!(sounds[0].at, 46_000_000);
    assert_eq!(sounds[3].at, 46_000_000 + 64_000_000);
    assert!(gops[0].audio.iter().all(|sound| sound.at < 2_000_000_000));
    // The sound behind the last picture is there, for the splicer to cut.
    assert!(gops[2].audio.last().unwrap().at > gops[2].end);
}

#[test]
fn source_group_is_whole_only_with_its_sound() {
    let tags = Make::item(1, 61).tags();
    let second = tags.iter().rposition(|tag| tag.data[0] == 0x17).unwrap();
    let (mut sink, mut source) = channel(options());
    sink.push(&file(&tags[..=second])).unwrap();
    assert_eq!(source.take(), Taken::Starved);
    assert!(!source.is_ready());
    let (mut sink, mut source) = channel(options());
    sink.push(&file(&tags)).unwrap();
    assert!(source.is_ready());
    assert!(matches!(source.take(), Taken::Gop(_)));
}

#[test]
fn source_without_sound_is_not_held_up() {
    let silent = Make {
        sounds: 0,
        ..Make::item(1, 120)
    };
    let (mut sink, mut source) = channel(options());
    sink.push(&silent.flv()).unwrap();
    assert_eq!(drain(&mut source).len(), 1);
    sink.finish();
    assert_eq!(drain(&mut source).len(), 1);
    assert_eq!(source.take(), Taken::Ended);
}

#[test]
fn source_abandoned_keeps_whole_groups_only() {
    let (mut sink, mut source) = channel(options());
    sink.push(&Make::item(1, 150).flv()).unwrap();
    let monitor = sink.monitor();
    sink.abandon();
    assert_eq!(monitor.delivered(), Duration::from_secs(4));
    assert_eq!(drain(&mut source).len(), 2);
    assert_eq!(source.take(), Taken::Ended);
}

#[test]
fn source_restarted_goes_on_where_whole_groups_ended() {
    let (mut sink, mut source) = channel(options());
    let flv = Make::item(1, 150).flv();
    // Killed in the middle of a tag.
    sink.push(&flv[..flv.len() - 3]).unwrap();
    let monitor = sink.monitor();
    sink.restart();
    assert_eq!(monitor.delivered(), Duration::from_secs(4));
    sink.push(&Make::item(1, 20).flv()).unwrap();
    sink.restart();
    sink.push(&Make::item(1, 90).flv()).unwrap();
    sink.finish();
    let gops = drain(&mut source);
    let starts: Vec<_> = gops.iter().map(|gop| gop.start() / 1_000_000).collect();
    assert_eq!(starts, [0, 2000, 4000, 6000]);
    assert_eq!(gops[2].video[1].at, 4_033_333_333);
    // Sound that had come lasts until the next child's begins, also over one that gave nothing.
    let sounds = gops[2].audio.iter().map(|sound| sound.at / 1_000_000);
    assert_eq!(sounds.take(4).collect::<Vec<_>>(), [4014, 4035, 4046, 4067]);
}

#[test]
fn source_restarted_with_other_records_is_refused() {
    let (mut sink, _source) = channel(options());
    sink.push(&Make::item(1, 150).flv()).unwrap();
    sink.restart();
    let mut flv = Make::item(1, 90).flv();
    let record = flv.iter().position(|byte| *byte == 77).unwrap();
    flv[record] = 66;
    assert_eq!(sink.push(&flv), Err(SourceError::HeadersDiffer));
}

#[test]
fn source_begins_at_the_first_key_frame() {
    let tags = Make::item(1, 150).tags();
    let (mut sink, source) = channel(options());
    sink.push(&file(&tags[1..])).unwrap();
    assert_eq!(source.monitor().unusable_tags(), 59);
    sink.finish();
    let mut source = source;
    let gops = drain(&mut source);
    assert_eq!(gops.len(), 2);
    assert_eq!(gops[0].start(), 0);
    let sound = gops[0].audio[0].at;
    assert!((0..22_000_000).contains(&sound), "{sound}");
}

#[test]
fn source_timestamps_run_on_over_their_end() {
    let plain = cut(options(), &Make::item(1, 150).flv()).unwrap();
    for from_ms in [0xff_ff00, u32::MAX - 2500, 7] {
        let late = Make {
            from_ms,
            ..Make::item(1, 150)
        };
        assert_eq!(cut(options(), &late.flv()).unwrap(), plain, "{from_ms}");
    }
}

#[test]
fn source_hole_and_jump_back_are_closed_up() {
    for jump in [20_000_i64, -20_000, 3_000_000_000] {
        let mut tags = Make::item(1, 150).tags();
        for tag in tags.iter_mut().filter(|tag| tag.timestamp_ms >= 3000) {
            let moved = i64::from(tag.timestamp_ms) + jump;
            tag.timestamp_ms = moved.rem_euclid(1 << 32).try_into().unwrap();
        }
        let gops = cut(options(), &file(&tags)).unwrap();
        let end = gops.last().unwrap().end;
        assert!((4_990..5_010).contains(&(end / 1_000_000)), "{jump}: {end}");
        let sounds: usize = gops.iter().map(|gop| gop.audio.len()).sum();
        assert!(sounds > 225, "{jump}: {sounds}");
    }
}

#[test]
fn source_other_records_are_refused() {
    let mut flv = Make::item(1, 30).flv();
    let other = SourceOptions {
        headers: Some(Headers {
            video: Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 66]),
            ..headers()
        }),
        ..options()
    };
    assert_eq!(cut(other, &flv), Err(SourceError::HeadersDiffer));
    let same = SourceOptions {
        headers: Some(headers()),
        ..options()
    };
    assert_eq!(cut(same, &flv).unwrap().len(), 1);
    // A second record in mid-item, the same and another one.
    let second = Tag {
        kind: TagKind::Audio,
        timestamp_ms: 900,
        data: headers().audio,
    };
    crate::broadcast::flv::write_tag(&second, &mut flv);
    assert_eq!(cut(options(), &flv).unwrap().len(), 1);
    let data = Bytes::from_static(&[0xaf, 0, 0x12, 0x10]);
    crate::broadcast::flv::write_tag(&Tag { data, ..second }, &mut flv);
    assert_eq!(cut(options(), &flv), Err(SourceError::HeadersDiffer));
}

#[test]
fn source_pictures_without_record_are_refused() {
    let mut flv = Vec::new();
    crate::broadcast::flv::write_header(&mut flv);
    for tag in Make::item(1, 3).tags() {
        crate::broadcast::flv::write_tag(&tag, &mut flv);
    }
    assert_eq!(cut(options(), &flv), Err(SourceError::NoHeader));
}

#[test]
fn source_endless_group_is_refused() {
    let endless = Make {
        gop: u32::MAX,
        ..Make::item(1, 30 * 40)
    };
    assert_eq!(cut(options(), &endless.flv()), Err(SourceError::GopTooLong));
    let big = Tag {
        kind: TagKind::Video,
        timestamp_ms: 0,
        data: vec![0x17; 7 << 20].into(),
    };
    let mut data = vec![0x27, 1, 0, 0, 0];
    data.resize(7 << 20, 0);
    let tags: Vec<_> = (0..4)
        .map(|index| Tag {
            timestamp_ms: index * 33,
            data: if index == 0 {
                let mut key = data.clone();
                key[0] = 0x17;
                key.into()
            } else {
                data.clone().into()
            },
            ..big.clone()
        })
        .collect();
    assert_eq!(cut(options(), &file(&tags)), Err(SourceError::GopTooLong));
}

#[tokio::test]
async fn source_writer_waits_while_enough_is_held() {
    let (mut sink, mut source) = channel(options());
    let item = Make::item(1, 30 * 60).flv();
    let monitor = source.monitor();
    let writer = crate::task::spawn(async move {
        for piece in item.chunks(500) {
            sink.write(piece).await.unwrap();
        }
        sink.finish();
    });
    let mut taken = 0;
    loop {
        source.ready().await;
        tokio::task::yield_now().await;
        let held = monitor.buffered().duration;
        assert!(held <= Duration::from_secs(14), "{held:?}");
        match source.take() {
            Taken::Gop(gop) => taken += gop.video.len(),
            Taken::Starved => {}
            Taken::Ended => break,
        }
    }
    assert_eq!(taken, 30 * 60);
    writer.await.unwrap();
}

#[tokio::test]
async fn source_dropped_by_its_reader_wakes_the_writer() {
    let (mut sink, source) = channel(options());
    sink.push(&Make::item(1, 30 * 20).flv()).unwrap();
    let writer = crate::task::spawn(async move { sink.write(b"more").await });
    tokio::task::yield_now().await;
    drop(source);
    assert_eq!(writer.await.unwrap(), Err(SourceError::Closed));
}

#[test]
fn source_that_goes_on_plays_all_of_each_child() {
    let (mut sink, mut source) = channel(options());
    // The last group of each is open: half a second, behind two of two seconds.
    for _ in 0..3 {
        sink.push(&Make::item(1, 135).flv()).unwrap();
        sink.go_on();
    }
    drop(sink);
    let gops = drain(&mut source);
    let ends = gops.windows(2).map(|pair| (pair[0].end, pair[1].start()));
    assert!(
        ends.clone().all(|(end, start)| end == start),
        "{:?}",
        ends.collect::<Vec<_>>()
    );
    let pictures: usize = gops.iter().map(|gop| gop.video.len()).sum();
    assert_eq!(pictures, 3 * 135);
    // Thirds of nanoseconds are rounded down in each.
    assert_eq!(gops.last().unwrap().end, 3 * 4_499_999_999);
    let sounds: Vec<i64> = gops
        .iter()
        .flat_map(|gop| &gop.audio)
        .map(|sound| sound.at)
        .collect();
    let steps: Vec<i64> = sounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A frame lasts 21.3 ms: none is missing, and none comes twice.
    assert!(
        steps
            .iter()
            .all(|step| (1_000_000..43_000_000).contains(step)),
        "{steps:?}"
    );
}

#[test]
fn limits_grow_with_the_rate() {
    let two = Duration::from_secs(2);
    assert_eq!(Limits::for_rate(2_628_000, two), Limits::default());
    // 20 Mbit/s and groups of 4 s.
    let large = Limits::for_rate(20_000_000, 2 * two);
    assert!(large.bytes > 3 * 4 * 2_500_000, "{large:?}");
}

prop_compose! {
    fn any_tag()(
        shape in 0_usize..8,
        timestamp_ms in prop_oneof![0_u32..20_000, any::<u32>()],
        noise in prop::collection::vec(any::<u8>(), 0..8),
    ) -> Tag {
        let (kind, head): (_, &[u8]) = match shape {
            0 | 1 => (TagKind::Video, &[0x17, 1, 0, 0, 0]),
            2 | 3 => (TagKind::Video, &[0x27, 1, 0, 0, 0]),
            4..=6 => (TagKind::Audio, &[0xaf, 1, 0]),
            _ => (TagKind::Script, &[]),
        };
        Tag { kind, timestamp_ms, data: [head, &noise].concat().into() }
    }
}

proptest! {
    #[test]
    fn source_groups_of_any_tags_are_in_order_and_dense(
        tags in prop::collection::vec(any_tag(), 0..200),
        fps in prop::option::of(1_u32..60),
    ) {
        let options = SourceOptions { fps, ..SourceOptions::default() };
        let gops = match cut(options, &file(&tags)) {
            Ok(gops) => gops,
            Err(error) => {
                prop_assert_eq!(error, SourceError::GopTooLong);
                return Ok(());
            }
        };
        let mut end = 0;
        let (mut last_video, mut last_audio) = (-1, i64::MIN);
        for gop in gops {
            prop_assert_eq!(gop.start(), end);
            prop_assert_eq!(gop.video[0].data[0], 0x17);
            for picture in &gop.video {
                prop_assert!(picture.at > last_video && picture.at - last_video <= 5_000_000_001);
                last_video = picture.at;
            }
            for sound in &gop.audio {
                prop_assert!(sound.at > last_audio);
                last_audio = sound.at;
            }
            prop_assert!(gop.end > last_video);
            end = gop.end;
        }
    }

    #[test]
    fn source_of_any_bytes_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = cut(options(), &noise);
        let mut flv = Make::item(1, 10).flv();
        flv.extend(noise);
        let _ = cut(options(), &flv);
    }
}
