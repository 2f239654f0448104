//! Items made by ffmpeg out of sources of several shapes, spliced, and played by ffprobe and ffmpeg.

use std::collections::BTreeMap;
use std::path::Path;

use serverrs::broadcast::flv::{Tag, TagKind, write_header, write_tag};
use serverrs::broadcast::source::{Headers, SourceOptions, channel};
use serverrs::broadcast::splicer::{Item, Origin, Slate, Splicer, Step, Unit};

use crate::harness::{has_tool, run, skip};

/// The profile's part of a normaliser's arguments: every item comes out alike.
const PROFILE: &str = "-map 0:v:0 -map 1:a:0 \
    -vf scale=320:180:force_original_aspect_ratio=decrease:force_divisible_by=2,pad=320:180:-1:-1:color=black,setsar=1,fps=30:start_time=0,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv \
    -af aresample=48000:async=1000:first_pts=0,apad -shortest \
    -c:v libx264 -preset ultrafast -profile:v main -pix_fmt yuv420p -b:v 300k -maxrate 300k -bufsize 600k -bf 2 -g 60 -keyint_min 60 -sc_threshold 0 \
    -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv \
    -c:a aac -b:a 64k -ar 48000 -ac 2 -flvflags no_duration_filesize+no_sequence_end -f flv pipe:1";

/// Pictures and sound of each source: rates and shapes as different as sites have them.
const SHAPES: [(&str, &str); 4] = [
    (
        "testsrc2=size=640x360:rate=25:duration=3.1",
        "sine=frequency=440:sample_rate=44100",
    ),
    (
        "testsrc2=size=854x480:rate=60:duration=2",
        "sine=frequency=880:sample_rate=22050",
    ),
    (
        "testsrc2=size=240x320:rate=15:duration=2.7",
        "anullsrc=r=48000:cl=stereo",
    ),
    (
        "testsrc2=size=320x180:rate=30000/1001:duration=4.04",
        "sine=frequency=300:sample_rate=48000",
    ),
];

pub(super) struct Made {
    pub(super) slate: Slate,
    pub(super) items: Vec<Vec<u8>>,
}

/// The slate and an item of each shape; `None` when there is no ffmpeg here.
pub(super) async fn make(dir: &Path) -> Option<Made> {
    for program in ["ffmpeg", "ffprobe"] {
        if !has_tool(program).await {
            skip("ffmpeg", &format!("{program} is not installed"));
            return None;
        }
    }
    let slate = encode(
        dir,
        "color=black:size=320x180:rate=30:duration=0.5",
        "anullsrc=r=48000:cl=stereo",
    )
    .await;
    let mut items = Vec::new();
    for (pictures, sound) in SHAPES {
        items.push(encode(dir, pictures, sound).await);
    }
    let slate = Slate::parse(&slate, 30).unwrap();
    Some(Made { slate, items })
}

async fn encode(dir: &Path, pictures: &str, sound: &str) -> Vec<u8> {
    let inputs = [
        "-v", "error", "-nostdin", "-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", sound,
    ];
    let arguments = inputs.into_iter().chain(PROFILE.split_whitespace());
    let output = run("ffmpeg", arguments, &BTreeMap::new(), dir).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

pub(super) fn item(id: u64, flv: &[u8], headers: &Headers) -> Item {
    let (mut sink, source) = channel(SourceOptions {
        fps: Some(30),
        headers: Some(headers.clone()),
        ..SourceOptions::default()
    });
    // As from a pipe.
    for piece in flv.chunks(4093) {
        sink.push(piece).unwrap();
    }
    sink.finish();
    Item {
        id,
        source,
        base: std::time::Duration::ZERO,
    }
}

fn write(units: &[Unit], headers: &Headers, path: &Path) {
    let mut bytes = Vec::new();
    write_header(&mut bytes);
    let mut put = |kind, timestamp_ms, data: &bytes::Bytes| {
        let data = data.clone();
        write_tag(
            &Tag {
                kind,
                timestamp_ms,
                data,
            },
            &mut bytes,
        );
    };
    put(TagKind::Video, 0, &headers.video);
    put(TagKind::Audio, 0, &headers.audio);
    for tag in units.iter().flat_map(|unit| &unit.tags) {
        let ms = (tag.at.as_nanos() + 500_000) / 1_000_000;
        put(tag.kind, u32::try_from(ms).unwrap(), &tag.data);
    }
    std::fs::write(path, bytes).unwrap();
}

/// Decode times of a file in milliseconds, as ffprobe reads them.
pub(super) async fn packets(dir: &Path, file: &str, stream: &str) -> Vec<i64> {
    let arguments = [
        "-v",
        "error",
        "-select_streams",
        stream,
        "-show_entries",
        "packet=dts",
        "-of",
        "csv=p=0",
        file,
    ];
    let output = run("ffprobe", arguments, &BTreeMap::new(), dir).await;
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.trim_end_matches(',').parse().ok())
        .collect()
}

/// Decodes all of it; gives the number of pictures.
pub(super) async fn decode(dir: &Path, file: &str) -> usize {
    // By the file's own clock: what a viewer kept has no frame rate in it, and a guessed one has too few places.
    let arguments = "-v error -xerror -i FILE -map 0 -enc_time_base:v -1 -f null -";
    let arguments = arguments
        .split(' ')
        .map(|word| if word == "FILE" { file } else { word });
    let output = run("ffmpeg", arguments, &BTreeMap::new(), dir).await;
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    let arguments = [
        "-v",
        "error",
        "-select_streams",
        "v",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        file,
    ];
    let output = run("ffprobe", arguments, &BTreeMap::new(), dir).await;
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim()
        .trim_end_matches(',')
        .parse()
        .unwrap_or_else(|_| panic!("{text}"))
}

/// Steps of these times, the smallest and the largest.
pub(super) fn steps(times: &[i64]) -> (i64, i64) {
    let steps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (*steps.iter().min().unwrap(), *steps.iter().max().unwrap())
}

#[tokio::test]
async fn playback_of_spliced_items_has_no_seam() {
    let dir = tempfile::tempdir().unwrap();
    let Some(made) = make(dir.path()).await else {
        return;
    };
    let headers = made.slate.headers().clone();
    let mut splicer = Splicer::new(made.slate, true);
    let mut units = Vec::new();
    let mut take = |splicer: &mut Splicer| match splicer.step() {
        Step::Unit(unit) => {
            units.push(unit);
            true
        }
        _ => false,
    };
    for flv in [
        &made.items[0],
        &made.items[1],
        &made.items[2],
        &made.items[3],
        &made.items[0],
    ] {
        // Half a second of slate before each, once for each.
        assert!(take(&mut splicer));
        splicer.queue(item(1, flv, &headers));
        // And the last two without.
        while splicer
            .awaited()
            .is_some_and(|source| source.monitor().buffered().gops > 0)
        {
            assert!(take(&mut splicer));
        }
    }
    for flv in &made.items {
        splicer.queue(item(2, flv, &headers));
    }
    splicer.finish();
    while take(&mut splicer) {}
    write(&units, &headers, &dir.path().join("all.flv"));
    let pictures = packets(dir.path(), "all.flv", "v").await;
    let expected: usize = units
        .iter()
        .flat_map(|unit| &unit.tags)
        .filter(|tag| tag.kind == TagKind::Video)
        .count();
    assert_eq!(pictures.len(), expected);
    assert!(
        units
            .iter()
            .filter(|unit| unit.origin == Origin::Slate)
            .count()
            >= 5
    );
    let (min, max) = steps(&pictures);
    assert!(min >= 33 && max <= 34, "pictures: {min} {max}");
    let (min, max) = steps(&packets(dir.path(), "all.flv", "a").await);
    assert!(min >= 8 && max <= 43, "sound: {min} {max}");
    assert_eq!(decode(dir.path(), "all.flv").await, expected);
    let (dropped, filled) = splicer.repairs();
    eprintln!("{expected} pictures, {dropped} frames of sound dropped, {filled} filled");
}
