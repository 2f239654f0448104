//! Real tracks, made by ffmpeg: fragmented MP4 with one index, picture and sound apart, as the site stores them.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::super::media::Payload;
use super::track::Track;

/// Picture and sound of eight seconds; `{}` is the file.
const COMMANDS: [&str; 2] = [
    "-f lavfi -i testsrc2=s=320x180:r=25:d=8 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 \
     -frag_duration 2000000",
    "-f lavfi -i anoisesrc=a=0.1:r=44100:s=1:d=8 -c:a aac -b:a 96k -frag_duration 2000000",
];
/// One `sidx` before all fragments.
const ONE_INDEX: &str =
    "-threads 1 -fflags +bitexact -movflags +dash+global_sidx+delay_moov -f mp4 -y";

/// Picture (itag 136) and sound (itag 140) that can be joined; `None` without an ffmpeg that makes them. There is a table
/// behind their runs, which the site's own files don't have.
pub(crate) async fn joinable_tracks() -> Option<[Track; 2]> {
    tracks(|content| content).await
}

/// The same without anything behind the runs.
pub(crate) async fn joinable_tracks_without_tail() -> Option<[Track; 2]> {
    tracks(|content| {
        let tail = boxes(&content).find(|(kind, _)| kind == b"mfra");
        let end = tail.map_or(content.len(), |(_, at)| {
            usize::try_from(at.start).expect("a short file")
        });
        content.slice(..end)
    })
    .await
}

async fn tracks(finish: impl Fn(Bytes) -> Bytes) -> Option<[Track; 2]> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut tracks = Vec::new();
    for (itag, command) in [136, 140].into_iter().zip(COMMANDS) {
        let file = dir.path().join(format!("{itag}.mp4"));
        let arguments = format!("-v error -nostdin -threads 1 {command} {ONE_INDEX}");
        if !encode(&arguments, &file, dir.path()).await {
            return None;
        }
        let content = finish(std::fs::read(&file).expect("ffmpeg's file").into());
        let index = boxes(&content)
            .find(|(kind, _)| kind == b"sidx")
            .map(|(_, at)| at)
            .expect("an index");
        let track = Track::of(itag, 8);
        tracks.push(track.holding(Payload::Bytes(content), index.start, index.end));
    }
    tracks.try_into().ok()
}

async fn encode(arguments: &str, file: &Path, dir: &Path) -> bool {
    let file = file.to_string_lossy();
    let arguments = arguments.split_whitespace().chain([&*file]);
    let mut command = tokio::process::Command::new("ffmpeg");
    command.args(arguments).current_dir(dir).kill_on_drop(true);
    command
        .output()
        .await
        .is_ok_and(|output| output.status.success())
}

/// The boxes at the top of a file: type and place.
fn boxes(file: &[u8]) -> impl Iterator<Item = ([u8; 4], Range<u64>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = file.get(at..)?;
        let length = u32::from_be_bytes(*rest.first_chunk()?);
        let kind = *rest.get(4..)?.first_chunk()?;
        let start = at as u64;
        at += length as usize;
        Some((kind, start..start + u64::from(length)))
    })
}
