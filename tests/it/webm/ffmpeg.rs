//! Files made by `FFmpeg`, joined, and read by it again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serverrs::media::{Clip, Tags};
use tokio::process::Command;

use crate::harness::{run, skip};

use super::hostile::damage_heads;
use super::joining::check;
use super::pair::Pair;
use super::walk::walk;

/// Whether `FFmpeg` is there and has this encoder; says so otherwise.
async fn can_encode(encoder: &str) -> bool {
    let mut command = Command::new("ffmpeg");
    let Ok(output) = command.args(["-hide_banner", "-encoders"]).output().await else {
        skip("ffmpeg", "not installed");
        return false;
    };
    let has = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .any(|word| word == encoder);
    if !has {
        skip("ffmpeg", &format!("no encoder {encoder}"));
    }
    has
}

/// Runs a program that must succeed without a word of complaint.
async fn clean(program: &str, arguments: &[&str], dir: &Path) -> String {
    let output = run(program, arguments, &BTreeMap::new(), dir).await;
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{program} {arguments:?}: {complaints}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A kind of file: source, and arguments of the encoder and the muxer.
#[derive(Clone, Copy)]
struct Kind {
    encoder: &'static str,
    source: &'static str,
    arguments: &'static str,
}

const fn kind(encoder: &'static str, source: &'static str, arguments: &'static str) -> Kind {
    Kind {
        encoder,
        source,
        arguments,
    }
}

const VP9: Kind = kind(
    "libvpx-vp9",
    "testsrc=s=64x48:r=25:d=12",
    "-deadline realtime -cpu-used 8 -g 50 -cluster_time_limit 2000",
);
const OPUS: Kind = kind(
    "libopus",
    "sine=f=440:d=13",
    "-b:a 32k -cluster_time_limit 5000",
);

/// Makes a file, its cues in front of its clusters.
async fn make(dir: &Path, name: &str, kind: Kind) -> PathBuf {
    let path = dir.join(name);
    let mut arguments = vec!["-v", "error", "-y", "-f", "lavfi", "-i", kind.source];
    let codec = if kind.source.starts_with("sine") {
        "-c:a"
    } else {
        "-c:v"
    };
    arguments.extend([codec, kind.encoder]);
    arguments.extend(kind.arguments.split_whitespace());
    arguments.extend(["-dash", "1", "-cues_to_front", "1", "-f", "webm"]);
    arguments.push(path.to_str().unwrap());
    let output = run("ffmpeg", &arguments, &BTreeMap::new(), dir).await;
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaints}");
    path
}

/// Times and hashes of the frames, or with `-c copy` the packets, of one track. `before` are options of the input.
async fn hashes(file: &Path, track: &str, before: &[&str], options: &[&str]) -> Vec<Vec<String>> {
    let mut arguments = vec!["-v", "error", "-copyts"];
    arguments.extend(before);
    arguments.extend(["-i", file.to_str().unwrap(), "-map", track]);
    arguments.extend(options);
    arguments.extend(["-f", "framehash", "-"]);
    let text = clean("ffmpeg", &arguments, file.parent().unwrap()).await;
    let frames: Vec<Vec<String>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(',').map(|v| v.trim().to_owned()).collect())
        .collect();
    assert!(!frames.is_empty(), "no frame of {track}");
    frames
}

struct Made {
    dir: tempfile::TempDir,
    picture: PathBuf,
    sound: PathBuf,
    pair: Pair,
    joined: PathBuf,
}

/// Makes two files and joins them; `None` when the encoders aren't there.
async fn made(picture: Kind, sound: Kind, clip: Option<Clip>) -> Option<Made> {
    for kind in [picture, sound] {
        if !can_encode(kind.encoder).await {
            return None;
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let picture = make(dir.path(), "picture.webm", picture).await;
    let sound = make(dir.path(), "sound.webm", sound).await;
    let tags = Tags {
        title: "A title",
        artist: "Someone",
        ..Tags::default()
    };
    let [picture_bytes, sound_bytes] = [&picture, &sound].map(|path| std::fs::read(path).unwrap());
    let pair = Pair::with(&picture_bytes, &sound_bytes, clip, &tags).unwrap();
    let whole = pair.whole().unwrap();
    let joined = dir.path().join("joined.webm");
    std::fs::write(&joined, &whole).unwrap();
    if clip.is_none() {
        check(&pair, &walk(&picture_bytes), &walk(&sound_bytes));
    }
    Some(Made {
        dir,
        picture,
        sound,
        pair,
        joined,
    })
}

/// All that is true of a joined file when it is read by `FFmpeg`.
async fn assert_faithful(picture: Kind, sound: Kind) {
    let Some(made) = made(picture, sound, None).await else {
        return;
    };
    let joined = made.joined.to_str().unwrap();
    let probe = [
        "-v",
        "error",
        "-show_entries",
        "format=duration:format_tags:stream=codec_type",
        "-of",
        "flat",
        joined,
    ];
    let probed = clean("ffprobe", &probe, made.dir.path()).await;
    for expected in ["\"video\"", "\"audio\"", "\"A title\"", "\"Someone\""] {
        assert!(probed.contains(expected), "{probed}");
    }
    for (file, track) in [(&made.picture, "0:v"), (&made.sound, "0:a")] {
        for options in [&[][..], &["-c", "copy"]] {
            assert_eq!(
                hashes(&made.joined, track, &[], options).await,
                hashes(file, track, &[], options).await,
                "{track} {options:?} of {} and {}",
                picture.arguments,
                sound.arguments
            );
        }
    }
}

#[tokio::test]
async fn vp9_with_clusters_of_any_length_keeps_every_frame() {
    for arguments in [
        "-deadline realtime -cpu-used 8 -g 50 -cluster_time_limit 2000",
        "-deadline realtime -cpu-used 8 -g 25 -cluster_time_limit 400",
        "-deadline realtime -cpu-used 8 -g 300 -cluster_size_limit 3000",
        // Frames that are never shown, packed with those that are.
        "-deadline good -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16 -g 60",
    ] {
        assert_faithful(Kind { arguments, ..VP9 }, OPUS).await;
    }
}

#[tokio::test]
async fn pictures_of_any_rate_and_depth_keep_every_frame() {
    for (source, arguments) in [
        (
            "testsrc=s=64x48:r=30000/1001:d=9",
            "-deadline realtime -cpu-used 8 -g 64",
        ),
        (
            "testsrc=s=64x48:r=60:d=5",
            "-deadline realtime -cpu-used 8 -g 90",
        ),
        (
            "testsrc=s=64x48:r=25:d=5",
            "-deadline realtime -cpu-used 8 -g 50 -pix_fmt yuv420p10le -profile:v 2",
        ),
        // Alpha in `BlockAdditions`: no `SimpleBlock`s.
        (
            "testsrc=s=64x48:r=25:d=5",
            "-deadline realtime -cpu-used 8 -g 50 -pix_fmt yuva420p -auto-alt-ref 0",
        ),
    ] {
        let picture = kind("libvpx-vp9", source, arguments);
        assert_faithful(picture, OPUS).await;
    }
}

#[tokio::test]
async fn other_codecs_keep_every_frame() {
    let pictures = [
        kind(
            "libaom-av1",
            "testsrc=s=64x48:r=10:d=4",
            "-cpu-used 8 -usage realtime -g 20",
        ),
        kind("libsvtav1", "testsrc=s=128x96:r=10:d=4", "-preset 12 -g 20"),
        kind(
            "libvpx",
            "testsrc=s=64x48:r=25:d=4",
            "-deadline realtime -cpu-used 8 -g 25",
        ),
    ];
    for picture in pictures {
        assert_faithful(picture, OPUS).await;
    }
    let vorbis = kind("libvorbis", "sine=f=440:d=6", "-cluster_time_limit 1000");
    assert_faithful(VP9, vorbis).await;
}

#[tokio::test]
async fn sounds_of_any_length_keep_every_frame() {
    for (source, arguments) in [
        ("sine=f=440:d=3", "-b:a 32k -cluster_time_limit 500"),
        ("sine=f=440:d=30", "-b:a 32k -cluster_time_limit 10000"),
        (
            "sine=f=440:d=12",
            "-b:a 32k -frame_duration 60 -ac 2 -cluster_time_limit 10000",
        ),
    ] {
        assert_faithful(VP9, kind("libopus", source, arguments)).await;
    }
}

#[tokio::test]
async fn seeking_gives_the_same_frames_and_no_gap_in_the_sound() {
    let sound = kind(
        "libopus",
        "sine=f=440:d=13",
        "-b:a 32k -cluster_time_limit 10000",
    );
    let Some(made) = made(VP9, sound, None).await else {
        return;
    };
    for step in 0..20 {
        let at = 0.13 + 0.58 * f64::from(step);
        let time = format!("{at:.3}");
        let before = ["-ss", &time];
        let one = ["-frames:v", "1"];
        assert_eq!(
            hashes(&made.joined, "0:v", &before, &one).await,
            hashes(&made.picture, "0:v", &before, &one).await,
            "picture at {time}"
        );
        let frames = hashes(&made.joined, "0:a", &before, &["-frames:a", "1"]).await;
        let begins = frames[0][2].parse::<f64>().unwrap() / 48_000.0;
        assert!((begins - at).abs() < 0.05, "sound at {time}: {begins}");
    }
}

#[tokio::test]
async fn random_ranges_are_part_of_the_whole() {
    let Some(made) = made(VP9, OPUS, None).await else {
        return;
    };
    let whole = std::fs::read(&made.joined).unwrap();
    let mut seed = 7_u64;
    let mut random = |end: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from((seed >> 33) % end as u64).unwrap()
    };
    for _ in 0..2000 {
        let start = random(whole.len());
        let end = start + random(whole.len() - start) + 1;
        let end = end.min(start + random(30_000) + 1);
        let part = made
            .pair
            .read(start as u64..end as u64, random(5000) + 1)
            .unwrap();
        assert!(part == whole[start..end], "{start}..{end}");
    }
}

#[tokio::test]
async fn each_damaged_byte_of_their_heads_is_survived() {
    let picture = kind(
        "libvpx-vp9",
        "testsrc=s=64x48:r=5:d=2",
        "-deadline realtime -cpu-used 8 -g 5 -cluster_time_limit 1000",
    );
    let sound = kind(
        "libopus",
        "sine=f=440:d=1",
        "-b:a 8k -cluster_time_limit 500",
    );
    let Some(made) = made(picture, sound, None).await else {
        return;
    };
    damage_heads(&made.pair.sources.map(|source| source.to_vec()));
}

#[tokio::test]
async fn clip_holds_the_packets_of_its_runs() {
    let clip = Clip {
        start_ms: 5000,
        end_ms: Some(9000),
    };
    let Some(made) = made(VP9, OPUS, Some(clip)).await else {
        return;
    };
    let joined = made.joined.to_str().unwrap();
    clean("ffprobe", &["-v", "error", joined], made.dir.path()).await;
    // Runs of the picture begin every 2 s, those of the sound every 5 s, a little early.
    for (file, track, begin) in [(&made.picture, "0:v", 0..1), (&made.sound, "0:a", 0..20)] {
        let copy = ["-c", "copy"];
        let part = hashes(&made.joined, track, &[], &copy).await;
        let all = hashes(file, track, &[], &copy).await;
        let time = |frame: &[String]| frame[2].parse::<i64>().unwrap();
        // Without the delay of the codec, which `FFmpeg` takes off each time.
        let delay = time(&all[0]).min(0);
        let moved: Vec<(i64, &[String])> = all
            .iter()
            .map(|frame| (time(frame) - delay - 4000, &frame[3..]))
            .filter(|(time, _)| (0..6000).contains(time))
            .map(|(time, rest)| (time + delay, rest))
            .collect();
        let part: Vec<(i64, &[String])> = part.iter().map(|f| (time(f), &f[3..])).collect();
        assert_eq!(part, moved, "{track}");
        assert!(
            begin.contains(&(part[0].0 - delay)),
            "{track}: {}",
            part[0].0
        );
    }
}
