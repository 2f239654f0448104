//! Items that pass through as they are.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use serde_json::json;
use serverrs::broadcast::flv::TagKind;

use super::{LIST, SMALL, Studio, WIDE, ffmpeg, film, video};
use crate::broadcasts::{get, route};
use crate::harness::ingest::{Manner, Publication};
use crate::harness::upstream::youtube::{Layout, Playlist};

/// What every picture of a file looks like, decoded, in their order.
async fn pictures(file: &[u8], name: &str, dir: &Path) -> Vec<String> {
    std::fs::write(dir.join(name), file).unwrap();
    let arguments = format!("-i {name} -map 0:v:0 -vsync passthrough -f framehash -hash md5 -");
    let decoded = ffmpeg(&arguments, dir).await;
    assert!(decoded.stderr.is_empty(), "{decoded:?}");
    String::from_utf8(decoded.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

/// A file in which no picture is like another, least of all like the slate.
async fn moving(seconds: u32, dir: &Path) -> Bytes {
    let arguments = format!(
        "-threads 1 -f lavfi -i testsrc2=s=320x240:r=25:d={seconds} -f lavfi \
         -i sine=frequency=440:duration={seconds} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -c:a aac -y moving.mp4"
    );
    ffmpeg(&arguments, dir).await;
    std::fs::read(dir.join("moving.mp4")).unwrap().into()
}

/// Puts a list of these files on the site.
fn list(studio: &Studio, files: &[(Bytes, u32)]) {
    let list = Playlist::new(LIST, Layout::Classic, files.len());
    studio.youtube.playlist(list.clone());
    for (entry, (file, seconds)) in list.entries.iter().zip(files) {
        studio
            .youtube
            .video(video(&entry.id, file.clone(), *seconds));
    }
}

/// Configuration records of the picture, in the order in which they came.
fn records(publication: &Publication) -> Vec<Bytes> {
    let media = publication.media.iter().map(|got| &got.tag);
    media
        .filter(|tag| tag.kind == TagKind::Video && tag.data[1] == 0)
        .map(|tag| tag.data.clone())
        .collect()
}

/// What the target was told under a name, each time that it was told of the stream.
fn told(publication: &Publication, name: &str) -> Vec<Option<f64>> {
    let media = publication.media.iter().map(|got| &got.tag);
    let scripts = media.filter(|tag| tag.kind == TagKind::Script);
    // A number of AMF0: the name, then the kind 0 and eight bytes.
    let mark = [name.as_bytes(), &[0]].concat();
    let value = |data: &Bytes| {
        let at = data.windows(mark.len()).position(|bytes| bytes == mark)?;
        let bytes = data[at + mark.len()..].first_chunk()?;
        Some(f64::from_be_bytes(*bytes))
    };
    scripts.map(|tag| value(&tag.data)).collect()
}

#[tokio::test]
async fn items_alike_pass_through_picture_by_picture() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let dir = studio.dir.path();
    let files = [moving(4, dir).await, moving(3, dir).await];
    list(&studio, &[(files[0].clone(), 4), (files[1].clone(), 3)]);
    let fields = json!({ "video_mode": "copy", "start_with_slate": false });
    let record = studio.start(fields).await;
    let sent = studio.until(&record, "a whole group", |status| {
        status["output"]["max_gop_ms"].as_u64() > Some(0)
    });
    // A key frame every 30 pictures of 25 a second.
    assert_eq!(sent.await["output"]["max_gop_ms"], 1200);
    studio.to_the_end(&record).await;
    let got = studio.only();
    let mut made = pictures(&files[0], "first.mp4", dir).await;
    made.extend(pictures(&files[1], "second.mp4", dir).await);
    let mut came = pictures(&got.flv(), "got.flv", dir).await;
    // A machine that is too slow shows the slate between them.
    let known: BTreeSet<&String> = made.iter().collect();
    came.retain(|hash| known.contains(hash));
    assert_eq!(came, made);
    let path = format!("{}/logs?limit=100", route(&record));
    let logs = get(studio.server(), &path).await.to_string();
    assert!(!logs.contains("encoded from"), "{logs}");
    let times = got.times(TagKind::Video);
    assert!(times.is_sorted(), "{times:?}");
    // Of the stream, not of the profile; what it doesn't say is not made up.
    for (name, value) in [
        ("width", Some(320.0)),
        ("height", Some(240.0)),
        ("framerate", Some(25.0)),
        ("audiosamplerate", Some(44_100.0)),
        ("videodatarate", None),
    ] {
        assert_eq!(told(&got, name)[0], value, "{name}");
    }
}

#[tokio::test]
async fn item_of_another_kind_is_encoded_and_the_next_one_passes_through() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let dir = studio.dir.path();
    let (wide, small) = (film(WIDE, 3, dir).await, film(SMALL, 3, dir).await);
    list(&studio, &[(wide.clone(), 3), (small, 3), (wide.clone(), 3)]);
    let fields = json!({ "video_mode": "copy", "start_with_slate": false });
    let record = studio.start(fields).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    let records = records(&got);
    // As it is, as the profile says, as it is.
    assert!(records.len() >= 3, "{} records", records.len());
    assert_eq!(records[0], *records.last().unwrap());
    assert_ne!(records[0], records[1]);
    assert_eq!(records.iter().collect::<BTreeSet<_>>().len(), 2);
    let heights = told(&got, "height");
    assert_eq!(heights.len(), records.len(), "told with each record");
    assert_eq!(heights[..2], [Some(360.0), Some(180.0)]);
    assert_eq!(*heights.last().unwrap(), Some(360.0));
    assert_eq!(studio.flashes(&got).await, 9);
    let path = format!("{}/logs?limit=100", route(&record));
    let logs = get(studio.server(), &path).await.to_string();
    assert_eq!(logs.matches("encoded from 0 ms").count(), 1, "{logs}");
    for kind in [TagKind::Video, TagKind::Audio] {
        assert!(got.times(kind).is_sorted());
    }
}
