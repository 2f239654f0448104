//! Bad input and bad programs: each ends with its own error, without a process or a file left, and the next job runs.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::stage::{ID, Photos};
use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::{Fetched, assert_refusal, eventually, text};

/// A second post, whose pictures are good.
const NEXT: &str = "7524919459643919109";

/// Fails unless a good post is rendered.
pub(super) async fn assert_next_job_runs(photos: &Photos) {
    let picture = photos.studio.picture("next.png", "red", "9x16").await;
    let item = photos.serve(NEXT, &[picture], None);
    let answer = photos.slideshow(&item).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    photos.assert_nothing_left().await;
}

pub(super) fn assert_names_picture(answer: &Fetched, number: u32) {
    assert_refusal(answer, 502, "slideshow_fetch_failed");
    let message = answer.json()["message"]
        .as_str()
        .expect("a message")
        .to_owned();
    assert!(
        message.starts_with(&format!("Image {number} ")),
        "{message}"
    );
}

#[tokio::test]
async fn bad_picture_is_named_by_its_number() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let good = photos.studio.picture("good.png", "red", "9x16").await;
    let bomb = photos
        .studio
        .make("bomb.png", "-f lavfi -i color=black:s=16x16 -frames:v 1")
        .await;
    let mut bomb = bomb.to_vec();
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let large = [good.as_ref(), &vec![0; 31 * 1024 * 1024]].concat();
    let cut = good.slice(..good.len() / 2);
    for (number, bad) in [
        Bytes::new(),
        Bytes::from_static(b"<!DOCTYPE html><html>Access Denied</html>"),
        Bytes::from_static(b"no picture at all, but nothing else that is known either"),
        large.into(),
        bomb.into(),
        cut.slice(..40),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("752491945964391920{number}");
        let item = photos.serve(&id, &[good.clone(), bad], None);
        assert_names_picture(&photos.slideshow(&item).await, 2);
        photos.assert_nothing_left().await;
    }
    assert_next_job_runs(&photos).await;
}

#[tokio::test]
async fn true_bomb_is_stopped_before_it_is_decoded() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let bomb = bomb(30_000);
    assert!(bomb.len() < 1024 * 1024);
    let item = photos.serve(ID, &[bomb], None);
    assert_names_picture(&photos.slideshow(&item).await, 1);
    let peak = peak_memory(photos.stage.server.pid());
    assert!(peak < 400 * 1024, "{peak} KiB");
    photos.assert_nothing_left().await;
}

/// A whole and valid PNG of so many black pixels squared, a bit each.
fn bomb(side: u32) -> Bytes {
    use std::io::Write as _;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let row = vec![0; 1 + side as usize / 8];
    for _ in 0..side {
        packed.write_all(&row).expect("writing to memory");
    }
    let packed = packed.finish().expect("writing to memory");
    let chunk = |kind: &[u8], content: &[u8]| {
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        let named = [kind, content].concat();
        [&length[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
    };
    let side = side.to_be_bytes();
    let header = [&side[..], &side, &[1, 0, 0, 0, 0]].concat();
    let signature = b"\x89PNG\r\n\x1a\n".to_vec();
    let chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", Vec::new())];
    let chunks = chunks.iter().map(|(kind, content)| chunk(*kind, content));
    let parts: Vec<_> = std::iter::once(signature).chain(chunks).collect();
    parts.concat().into()
}

/// Highest resident set of a process in KiB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("VmHWM");
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn broken_sound_is_an_error_and_not_silence() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let track = photos.studio.tone("tone.m4a", 3.0, "aac").await;
    for (number, bad) in [
        Bytes::new(),
        Bytes::from_static(b"<html>Access Denied</html>"),
        Bytes::from([&b"ID3\x04\0\0\0\0\0\0"[..], &[0x55; 5000]].concat()),
        // The index of the file is at its end.
        track.slice(..track.len() / 3),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("752491945964391922{number}");
        let item = photos.serve(&id, std::slice::from_ref(&picture), Some(&bad));
        let answer = photos.slideshow(&item).await;
        assert_refusal(&answer, 502, "slideshow_fetch_failed");
        assert!(text(&answer.json(), "/message").starts_with("The sound "));
        photos.assert_nothing_left().await;
    }
    assert_next_job_runs(&photos).await;
}

/// A WAV file of one sample of 16 bits.
fn one_sample() -> Bytes {
    let mut file = b"RIFF\x26\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(48_000_u32.to_le_bytes());
    file.extend(96_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data\x02\0\0\0\x01\0");
    file.into()
}

#[tokio::test]
async fn sound_of_one_sample_is_looped_as_any_other() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], Some(&one_sample()));
    let answer = photos.slideshow(&item).await;
    assert_eq!(answer.status.as_u16(), 200);
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn post_that_is_no_photo_post_any_more_is_refused() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], None);
    let body = photos.resolve(&item).await;
    photos.stage.serve(&Item::video(ID));
    let again = json!({ "url": format!("https://{WWW}/@a/video/{ID}"), "no_cache": true });
    let resolved = photos.stage.api().post("/tiktok", &again.to_string()).await;
    assert_eq!(resolved.json()["status"], "tunnel");
    for pointer in ["/download_slideshow_link", "/download_link/zip"] {
        let answer = photos.get(&text(&body, pointer)).await;
        assert_refusal(&answer, 400, "not_image_post");
    }
    let bare = photos.stage.api().get("/download-slideshow").await;
    assert_eq!(
        (bare.status.as_u16(), &bare.json()["error_code"]),
        (422, &"missing_field".into())
    );
    assert_refusal(
        &photos.stage.api().get("/download-slideshow?url=").await,
        400,
        "missing_field",
    );
    // A token of the other routes, and an address, are none of this one.
    let media = text(&body, "/data/video_data/0/streamData");
    for wrong in [&*media, "https%3A%2F%2Fwww.tiktok.com%2F%40a%2Fvideo%2F1"] {
        let answer = photos
            .stage
            .api()
            .get(&format!("/download-slideshow?url={wrong}"))
            .await;
        assert_refusal(&answer, 400, "link_invalid");
    }
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn post_that_has_no_pictures_any_more_is_refused() {
    // What was cached would still do.
    let photos = Photos::with(|_, builder| builder.env("CACHE_TTL", "0"));
    let Some(photos) = photos.await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], None);
    let body = photos.resolve(&item).await;
    photos
        .stage
        .serve(&item.with("/imagePost/images", json!([])));
    for pointer in ["/download_slideshow_link", "/download_link/zip"] {
        let answer = photos.get(&text(&body, pointer)).await;
        assert_refusal(&answer, 502, "extraction_failed");
    }
    photos.assert_nothing_left().await;
}

/// What the impostor does in place of encoding; pictures are decoded by the true program.
fn bad_encoder(script: &str) -> String {
    format!(
        r#"case "$*" in *pipe:1) exec "$real" "$@";; esac
           if [ -e "$0.bad" ]; then {script}; fi
           exec "$real" "$@""#
    )
}

async fn assert_encoder_fault(script: &str, status: u16, code: &str) {
    let photos = Photos::with(|studio, builder| {
        let impostor = studio.impostor(&bad_encoder(script));
        builder
            .env("FFMPEG_PATH", &impostor.to_string_lossy())
            // Only what hangs is still there then: on any machine the true program is done before.
            .env(
                "SLIDESHOW_TIMEOUT",
                if code == "slideshow_timeout" {
                    "5"
                } else {
                    "300"
                },
            )
    })
    .await;
    let Some(photos) = photos else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], None);
    let answer = photos.slideshow(&item).await;
    assert_refusal(&answer, status, code);
    assert!(!String::from_utf8_lossy(&answer.body).contains("/tmp"));
    photos.assert_nothing_left().await;
    photos.studio.behave();
    assert_next_job_runs(&photos).await;
}

#[tokio::test]
async fn ffmpeg_that_hangs_is_killed_when_its_time_is_over() {
    assert_encoder_fault("exec sleep 600", 504, "slideshow_timeout").await;
}

#[tokio::test]
async fn ffmpeg_that_dies_is_a_failure() {
    for script in ["exit 1", "kill -9 $$", "kill -SEGV $$"] {
        assert_encoder_fault(script, 500, "slideshow_failed").await;
    }
}

#[tokio::test]
async fn ffmpeg_that_fills_its_standard_error_is_read_all_the_same() {
    let script = "head -c 8000000 /dev/zero | tr '\\0' 'x' >&2; exit 1";
    assert_encoder_fault(script, 500, "slideshow_failed").await;
}

#[tokio::test]
async fn ffmpeg_that_forks_takes_its_children_along() {
    assert_encoder_fault("sleep 600 & sleep 600 & exit 1", 500, "slideshow_failed").await;
    assert_encoder_fault(
        "sleep 600 & cat > /dev/null; exit 0",
        500,
        "slideshow_failed",
    )
    .await;
}

#[tokio::test]
async fn ffmpeg_that_makes_something_else_is_a_failure() {
    let script = r#"for last; do :; done; cat > /dev/null
        exec "$real" -v error -f lavfi -i color=red:s=16x16:d=1 -f lavfi -i anullsrc=d=1 -t 1 -f mp4 -y "$last""#;
    assert_encoder_fault(script, 500, "slideshow_failed").await;
}

#[tokio::test]
async fn ffmpeg_that_finds_the_disk_full_is_told_so() {
    let script =
        "cat > /dev/null; echo 'Error writing trailer: No space left on device' >&2; exit 1";
    assert_encoder_fault(script, 507, "insufficient_storage").await;
}

#[tokio::test]
async fn failed_rendering_is_told_as_the_last_event() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let item = photos.serve(ID, &[Bytes::from_static(b"nothing")], None);
    let link = photos.slideshow_link(&item).await;
    let answer = photos.get(&format!("{link}&progress=1")).await;
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        answer.is_whole && said.contains("event: error\ndata: {"),
        "{said}"
    );
    assert!(
        said.contains("\"error_code\":\"slideshow_fetch_failed\""),
        "{said}"
    );
}

#[tokio::test]
async fn child_has_neither_secrets_nor_more_than_it_needs() {
    let script = r#"{ /usr/bin/env; ulimit -a; } > "$0.seen" 2>&1; exit 1"#;
    let Some(photos) = Photos::with_impostor(&bad_encoder(script)).await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], None);
    let link = photos.slideshow_link(&item).await;
    let request = photos.stage.api().request(Method::GET, &link);
    assert_refusal(
        &crate::harness::fetch(request).await,
        500,
        "slideshow_failed",
    );
    let seen = photos.studio.dir().join("impostor.seen");
    let seen = eventually("the child has looked", async || {
        std::fs::read_to_string(&seen).ok()
    })
    .await;
    assert!(
        !seen.contains("ENCRYPTION_KEY") && !seen.contains("PROXY"),
        "{seen}"
    );
    let limit = |name: &str| {
        let line = seen.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {seen}"))
            .split_whitespace()
            .last()
            .map(str::to_owned)
    };
    for name in ["time(", "file(", "vmemory(", "nofiles"] {
        assert_ne!(limit(name).as_deref(), Some("unlimited"), "{name}");
    }
}
