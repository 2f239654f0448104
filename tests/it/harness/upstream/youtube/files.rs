//! Real tracks, made by ffmpeg: fragmented MP4 and WebM with one index, picture and sound apart, as the site stores them.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::super::media::Payload;
use super::track::Track;

/// How a track of eight seconds is made, and what it is called.
struct Recipe {
    itag: u64,
    source: &'static str,
    muxer: &'static str,
    /// The index in the bytes of the file.
    index: fn(&[u8]) -> Option<Range<u64>>,
}

/// One `sidx` before all fragments.
const ONE_SIDX: &str = "-movflags +dash+global_sidx+delay_moov -frag_duration 2000000 -f mp4";
/// Cues before all clusters.
const CUES_FIRST: &str = "-dash 1 -cues_to_front 1 -f webm";

const MP4: [Recipe; 2] = [
    Recipe {
        itag: 136,
        source: "testsrc2=s=320x180:r=25:d=8 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50",
        muxer: ONE_SIDX,
        index: sidx,
    },
    Recipe {
        itag: 140,
        source: "anoisesrc=a=0.1:r=44100:s=1:d=8 -c:a aac -b:a 96k",
        muxer: ONE_SIDX,
        index: sidx,
    },
];
const WEBM: [Recipe; 2] = [
    Recipe {
        itag: 248,
        source: "testsrc2=s=320x180:r=25:d=8 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k -g 50 \
                 -cluster_time_limit 2000",
        muxer: CUES_FIRST,
        index: cues,
    },
    Recipe {
        itag: 251,
        source: "anoisesrc=a=0.1:r=48000:s=1:d=8 -c:a libopus -b:a 96k -cluster_time_limit 5000",
        muxer: CUES_FIRST,
        index: cues,
    },
];

/// Picture (itag 136) and sound (itag 140) in MP4 that can be joined; `None` without an ffmpeg that makes them.
pub(crate) async fn joinable_tracks() -> Option<[Track; 2]> {
    tracks(MP4, |content| content).await
}

/// The same without the table behind their runs, which the site's own files don't have.
pub(crate) async fn joinable_tracks_without_tail() -> Option<[Track; 2]> {
    tracks(MP4, |content| {
        let tail = boxes(&content).find(|(kind, _)| kind == b"mfra");
        let end = tail.map_or(content.len(), |(_, at)| {
            usize::try_from(at.start).expect("a short file")
        });
        content.slice(..end)
    })
    .await
}

/// Picture (itag 248) and sound (itag 251) in WebM that can be joined; `None` without an ffmpeg that makes them.
pub(crate) async fn joinable_webm_tracks() -> Option<[Track; 2]> {
    tracks(WEBM, |content| content).await
}

/// One track in MP4 that can be joined, from this source of FFmpeg's and its encoder's options.
///
/// # Panics
/// There is no ffmpeg that makes it.
pub(crate) async fn mp4_track(itag: u64, seconds: u64, source: &str) -> Track {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("track");
    let arguments =
        format!("-v error -nostdin -f lavfi -i {source} -fflags +bitexact {ONE_SIDX} -y");
    assert!(encode(&arguments, &file, dir.path()).await, "{source}");
    let content: Bytes = std::fs::read(&file).expect("ffmpeg's file").into();
    let index = sidx(&content).expect("an index");
    Track::of(itag, seconds).holding(Payload::Bytes(content), index.start, index.end)
}

async fn tracks(recipes: [Recipe; 2], finish: impl Fn(Bytes) -> Bytes) -> Option<[Track; 2]> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut tracks = Vec::new();
    for Recipe {
        itag,
        source,
        muxer,
        index,
    } in recipes
    {
        let file = dir.path().join(itag.to_string());
        let arguments = format!(
            "-v error -nostdin -threads 1 -f lavfi -i {source} -threads 1 -fflags +bitexact {muxer} -y"
        );
        if !encode(&arguments, &file, dir.path()).await {
            return None;
        }
        let content = finish(std::fs::read(&file).expect("ffmpeg's file").into());
        let index = index(&content).expect("an index");
        let track = Track::of(itag, 8);
        tracks.push(track.holding(Payload::Bytes(content), index.start, index.end));
    }
    tracks.try_into().ok()
}

fn sidx(file: &[u8]) -> Option<Range<u64>> {
    let index = boxes(file).find(|(kind, _)| kind == b"sidx")?;
    Some(index.1)
}

/// `Cues` reach to the first `Cluster`; the same identifier stands in `SeekHead` before.
fn cues(file: &[u8]) -> Option<Range<u64>> {
    let find = |id: [u8; 4]| file.windows(4).position(|bytes| bytes == id);
    let end = find([0x1F, 0x43, 0xB6, 0x75])?;
    let start = file[..end]
        .windows(4)
        .rposition(|bytes| bytes == [0x1C, 0x53, 0xBB, 0x6B])?;
    Some(start as u64..end as u64)
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
