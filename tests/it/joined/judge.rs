//! FFmpeg as a judge of files.

use std::collections::BTreeMap;
use std::path::Path;

use crate::harness::run;

/// What a program says of files in `dir`; it must have nothing to complain of.
pub(super) async fn told(program: &str, arguments: &str, dir: &Path) -> String {
    let output = run(program, arguments.split_whitespace(), &BTreeMap::new(), dir).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{program} {arguments}: {stderr}"
    );
    String::from_utf8(output.stdout).expect("text")
}

/// One line for each frame of a track: times, size and hash. `before` stands before the input; `after` may say `-c copy`,
/// for packets in place of frames.
pub(super) async fn frames(
    dir: &Path,
    (before, file): (&str, &str),
    track: &str,
    after: &str,
) -> Vec<String> {
    let arguments = format!(
        "-nostdin -v error -threads 1 -copyts {before} -i {file} -map 0:{track} -fps_mode passthrough {after} -f framehash -"
    );
    let text = told("ffmpeg", &arguments, dir).await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Picture and sound of `joined` are those of `sources`, frame by frame.
pub(super) async fn assert_same_frames(dir: &Path, joined: &str, sources: [&str; 2]) {
    for (track, source) in ["v", "a"].into_iter().zip(sources) {
        for after in ["", "-c copy"] {
            let ours = frames(dir, ("", joined), track, after).await;
            assert!(ours.len() > 100, "{ours:?}");
            let theirs = frames(dir, ("", source), track, after).await;
            assert!(ours == theirs, "{track} {after}");
        }
    }
}

/// After a seek to each of twenty times `joined` gives the frames of the source of the picture from there to the end, and
/// every packet of sound.
pub(super) async fn assert_seeks(dir: &Path, joined: &str, [picture, sound]: [&str; 2]) {
    let pictures = frames(dir, ("", picture), "v", "").await;
    let sounds = hashes(frames(dir, ("", sound), "a", "-c copy").await);
    for step in 0..20 {
        let time = f64::from(step) * 0.39 + 0.05;
        let seek = format!("-seek_timestamp 1 -ss {time:.2}");
        let seen = frames(dir, (&seek, joined), "v", "").await;
        assert!(pictures.ends_with(&seen), "{seek}: pictures are lost");
        // FFmpeg counts from the first moment of the file, which may be that of the sound.
        let first = seconds_before(seen.len(), pictures.len());
        assert!((first - time).abs() < 0.2, "{seek}: pictures from {first}");
        let heard = hashes(frames(dir, (&seek, joined), "a", "-c copy").await);
        assert!(sounds.ends_with(&heard), "{seek}: sound is lost");
        // Unlike frames, packets come from the keyframe before.
        let first = seconds_before(heard.len(), sounds.len());
        assert!(first < time + 0.1, "{seek}: sound from {first}");
    }
}

/// When the last `count` of `all` parts of the eight seconds begin.
fn seconds_before(count: usize, all: usize) -> f64 {
    let share = |count: usize| u32::try_from(count).map_or(f64::NAN, f64::from);
    share(all - count) / share(all) * 8.0
}

/// The hashes of lines of [`frames`].
fn hashes(lines: Vec<String>) -> Vec<String> {
    let hash = |line: String| line.rsplit(',').next().map(str::to_owned);
    lines.into_iter().filter_map(hash).collect()
}
