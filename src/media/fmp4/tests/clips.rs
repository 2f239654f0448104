//! Parts of a pair.

use super::ffmpeg::Ffmpeg;
use super::made::Made;
use super::{Clip, Fault, Pair};
use crate::media::Layout;

const FLAGS: &str = "-movflags +dash+global_sidx+delay_moov -f mp4 -frag_duration 1000000";

fn encoded(ffmpeg: &Ffmpeg) -> Option<Pair> {
    let picture = format!(
        "-f lavfi -i testsrc2=s=64x48:r=25:d=8 -c:v libx264 -preset fast -bf 2 -g 25 -pix_fmt yuv420p {FLAGS}"
    );
    let sound = format!("-f lavfi -i sine=r=48000:f=440:d=8 -c:a aac -b:a 32k {FLAGS}");
    Some(Pair::of([
        ffmpeg.make("picture.mp4", &picture)?,
        ffmpeg.make("sound.mp4", &sound)?,
    ]))
}

/// Hashes of the frames alone.
fn hashes(frames: &[String]) -> Vec<&str> {
    let hash = |line: &'_ String| line.rfind(',').map(|at| at + 1);
    frames
        .iter()
        .map(|line| line[hash(line).unwrap()..].trim())
        .collect()
}

#[test]
fn clip_is_shown_from_the_asked_moment_on() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let Some(pair) = encoded(&ffmpeg) else { return };
    let source = ffmpeg.frames(&ffmpeg.path("picture.mp4"), "v:0", "");
    let source = hashes(&source);
    for (start_ms, end_ms) in [
        (0, Some(2000)),
        (2400, Some(5200)),
        (3000, None),
        (7960, None),
    ] {
        let layout = pair.clip(Clip { start_ms, end_ms }).unwrap();
        let whole = pair.whole(&layout);
        assert_eq!(whole.len() as u64, layout.total());
        let file = ffmpeg.write("clip.mp4", &whole);
        let all = ffmpeg.frames(&file, "v:0", "");
        // Frames before the moment are decoded and have times below 0.
        let shown: Vec<String> = all
            .into_iter()
            .filter(|line| !line.split(',').nth(2).unwrap().trim().starts_with('-'))
            .collect();
        let first = usize::try_from(start_ms / 40).unwrap();
        assert_eq!(hashes(&shown)[0], source[first], "from {start_ms}");
        assert_eq!(shown[0].split(',').nth(2).unwrap().trim(), "0");
        let wanted = end_ms.map_or(source.len(), |end| usize::try_from(end / 40).unwrap());
        assert!(shown.len() >= wanted - first, "{} frames", shown.len());
        let packets = ffmpeg.probe(&file, "-show_entries packet=stream_index -of csv=p=0");
        assert!(packets.contains('1'), "no sound in {start_ms}");
    }
}

#[test]
fn sound_and_picture_of_a_clip_keep_their_distance() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let Some(pair) = encoded(&ffmpeg) else { return };
    let clip = Clip {
        start_ms: 2500,
        end_ms: Some(4500),
    };
    let file = ffmpeg.write("clip.mp4", &pair.whole(&pair.clip(clip).unwrap()));
    for (track, source) in [("v:0", "picture.mp4"), ("a:0", "sound.mp4")] {
        // Packets of the clip are those of the source 2.5 s earlier.
        let seconds = |file: &std::path::Path| {
            let what = format!(
                "-select_streams {track} -show_entries packet=pts_time,data_hash -show_data_hash md5 -of csv=p=0"
            );
            let text = ffmpeg.probe(file, &what);
            let lines: Vec<(String, f64)> = text
                .lines()
                .map(|line| {
                    let (time, hash) = line.split_once(',').unwrap();
                    (hash.to_owned(), time.parse().unwrap())
                })
                .collect();
            lines
        };
        let of_source = seconds(&ffmpeg.path(source));
        for (hash, time) in seconds(&file) {
            let close =
                |(theirs, at): &&(String, f64)| *theirs == hash && (at - 2.5 - time).abs() < 0.002;
            assert!(
                of_source.iter().any(|packet| close(&packet)),
                "{track} at {time}"
            );
        }
    }
}

#[test]
fn clip_takes_only_the_runs_that_it_touches() {
    let pair = Made::pair(10, 10);
    let whole = pair.joined().total();
    let clip = |start_ms, end_ms| pair.clip(Clip { start_ms, end_ms });
    let all = clip(0, None).unwrap().total();
    assert!(all.abs_diff(whole) < 200, "{all} of {whole}");
    let (one, two) = (
        clip(2000, Some(3000)).unwrap(),
        clip(2000, Some(3001)).unwrap(),
    );
    assert!(
        one.total() < two.total(),
        "a run more for a millisecond more"
    );
    assert_eq!(
        clip(2000, Some(3000)).unwrap().total(),
        clip(2999, Some(3000)).unwrap().total()
    );
}

#[test]
fn clip_outside_is_refused() {
    let pair = Made::pair(10, 10);
    for (start_ms, end_ms) in [
        (10_000, None),
        (u64::MAX, None),
        (5000, Some(5000)),
        (5000, Some(1)),
    ] {
        let clip = pair.clip(Clip { start_ms, end_ms });
        assert_eq!(
            clip.err(),
            Some(Fault::ClipOutside),
            "{start_ms} {end_ms:?}"
        );
    }
    let clip = pair.clip(Clip {
        start_ms: 9_999,
        end_ms: Some(u64::MAX),
    });
    assert!(clip.is_ok());
}

#[test]
fn decode_times_of_a_clip_begin_at_0() {
    let pair = Made::pair(10, 10);
    let clip = pair.clip(Clip {
        start_ms: 4500,
        end_ms: Some(6000),
    });
    let whole = pair.whole(&clip.unwrap());
    let times: Vec<u64> = whole
        .windows(16)
        .filter(|window| window.starts_with(b"tfdt"))
        .map(|window| u64::from_be_bytes(window[8..16].try_into().unwrap()))
        .collect();
    // Picture and sound, two runs each.
    assert_eq!(times, [0, 0, 1000, 1000]);
}
