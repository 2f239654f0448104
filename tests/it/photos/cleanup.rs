//! Temporary files: how much room they may take, and whose files are left alone.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::sound::{assert_mp3, hold, link, serve};
use super::stage::{ID, Photos, children, files};
use super::studio::Studio;
use crate::harness::{Builder, assert_refusal, can_mount, eventually, text};

/// A directory as a dead process leaves it.
fn leave(temp: &Path, name: &str) {
    let job = temp.join(name).join("00000000000000aa");
    std::fs::create_dir_all(&job).expect("directories");
    std::fs::write(job.join("picture-1-0"), "left").expect("file");
}

#[tokio::test]
async fn what_dead_servers_left_is_swept_at_start_and_later_and_foreign_files_stay() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let temp = dir.path().join("temp");
    let dead = "run-4000000-00000000000000aa";
    leave(&temp, dead);
    leave(&temp, "somebody-elses");
    std::os::unix::fs::symlink(
        temp.join("somebody-elses"),
        temp.join("run-1-00000000000000bb"),
    )
    .expect("link");
    let server = Builder::offline()
        .env("TEMP_DIR", &temp.to_string_lossy())
        .env("CLEANUP_INTERVAL", "1")
        .start()
        .await;
    assert!(!temp.join(dead).exists());
    leave(&temp, dead);
    eventually("it is swept again", async || {
        (!temp.join(dead).exists()).then_some(())
    })
    .await;
    let foreign = temp.join("somebody-elses/00000000000000aa/picture-1-0");
    assert_eq!(
        std::fs::read_to_string(foreign).expect("the foreign file"),
        "left"
    );
    assert!(temp.join("run-1-00000000000000bb").is_symlink());
    let (status, _) = server.stop().await;
    assert_eq!(status.code(), Some(0));
    let runs = std::fs::read_dir(&temp).expect("temp").flatten();
    let names: Vec<_> = runs.map(|entry| entry.file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test]
async fn two_servers_share_a_directory_without_touching_each_other() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let temp = dir.path().join("temp");
    let start = async || {
        let builder = Builder::offline().env("TEMP_DIR", &temp.to_string_lossy());
        builder.env("CLEANUP_INTERVAL", "1").start().await
    };
    let (first, second) = (start().await, start().await);
    let runs = || std::fs::read_dir(&temp).expect("temp").count();
    assert_eq!(runs(), 2);
    let third = start().await;
    assert_eq!(runs(), 3, "a new server has swept one that lives");
    for server in [first, second, third] {
        server.stop().await;
    }
    assert_eq!(runs(), 0);
}

#[tokio::test]
async fn rendering_without_room_is_refused_and_leaves_nothing() {
    for (name, value, status, code) in [
        // It will never fit, so nobody is told to come back.
        ("TEMP_QUOTA_MB", "1", 507, "insufficient_storage"),
        ("TEMP_MIN_FREE_MB", "1000000000", 503, "busy"),
    ] {
        let Some(photos) = Photos::with(|_, builder| builder.env(name, value)).await else {
            return;
        };
        let picture = photos.studio.picture("a.png", "red", "9x16").await;
        let item = photos.serve(ID, &[picture], None);
        let answer = photos.slideshow(&item).await;
        assert_refusal(&answer, status, code);
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
        photos.assert_nothing_left().await;
        photos.stage.assert_well().await;
    }
}

#[tokio::test]
async fn sound_without_room_is_refused_and_leaves_nothing() {
    for (name, value, status, code) in [
        ("TEMP_QUOTA_MB", "0", 507, "insufficient_storage"),
        ("TEMP_MIN_FREE_MB", "1000000000", 503, "busy"),
    ] {
        let Some(photos) = Photos::with(|_, builder| builder.env(name, value)).await else {
            return;
        };
        // Its index stands at its end, so it must be read whole first.
        let track = photos.studio.tone("tone.m4a", 2.0, "aac").await;
        let item = photos.serve(ID, std::slice::from_ref(&track), Some(&track));
        let link = text(&photos.resolve(&item).await, "/download_link/mp3");
        assert_refusal(&photos.get(&link).await, status, code);
        assert_eq!(photos.stage.api().head(&link).await.status, 200);
        photos.assert_nothing_left().await;
        photos.stage.assert_well().await;
    }
}

#[tokio::test]
async fn kept_video_makes_room_for_sound() {
    // 20 MiB for the video and one for its sound; then it is a small file, and the track is larger than what is left.
    let photos = Photos::with(|_, builder| builder.env("TEMP_QUOTA_MB", "22")).await;
    let Some(photos) = photos else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let silent = photos.serve("7524919459643919103", &[picture], None);
    let video = photos.slideshow(&silent).await;
    assert_eq!(video.status, 200);
    let track = photos.studio.tone("tone.m4a", 2.0, "aac").await;
    let room = 22 * 1024 * 1024;
    // A box of nothing behind the rest brings it to the size.
    let free = u32::try_from(room - track.len()).expect("a size");
    let filled = [
        &track[..],
        &free.to_be_bytes(),
        b"free",
        &vec![0; free as usize - 8],
    ]
    .concat();
    let filled = Bytes::from(filled);
    let item = photos.serve(ID, std::slice::from_ref(&track), Some(&filled));
    let link = text(&photos.resolve(&item).await, "/download_link/mp3");
    let answer = photos.get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn kept_videos_make_room_for_new_ones() {
    let Some(studio) = Studio::open() else {
        return;
    };
    let noise = "-f lavfi -i nullsrc=s=1080x1920,geq=random(1)*255:128:128 -frames:v 1";
    let noise = studio.make("noise.jpg", noise).await;
    // 20 MiB for the video, less than one for its sound, and the picture: one rendering fits, but not beside a video.
    let quota = 21 + noise.len().div_ceil(1024 * 1024);
    let photos = Photos::with(|_, builder| builder.env("TEMP_QUOTA_MB", &quota.to_string()));
    let photos = photos.await.expect("a studio");
    for id in [ID, "7524919459643919102", "7524919459643919103"] {
        let item = photos.serve(id, std::slice::from_ref(&noise), None);
        let answer = photos.slideshow(&item).await;
        assert_eq!(
            answer.status,
            200,
            "{id}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert!(
            answer.body.len() > 1024 * 1024,
            "too small to be in the way"
        );
    }
    photos.assert_nothing_left().await;
}

/// A server whose `TEMP_DIR` is such a file system, of 24 MiB, and has no limit of its own.
fn on_small_disk(studio: &Studio, builder: Builder) -> Builder {
    let temp = studio.dir().join("small");
    std::fs::create_dir(&temp).expect("directory");
    builder
        .env("TEMP_DIR", &temp.to_string_lossy())
        .env("TEMP_MIN_FREE_MB", "0")
        .env("TEMP_QUOTA_MB", "100")
        .under(&["unshare", "-rm", "sh", "-c", SMALL_DISK])
}

/// That directory as the server sees it.
fn small_disk(photos: &Photos) -> PathBuf {
    let temp = photos.studio.dir().join("small");
    let pid = photos.stage.server.pid();
    PathBuf::from(format!("/proc/{pid}/root{}", temp.display()))
}

/// Runs the server where `TEMP_DIR` is a file system of its own, which goes with it.
const SMALL_DISK: &str = "mount -t tmpfs -o size=24m none \"$TEMP_DIR\" && exec \"$0\" \"$@\"";

#[tokio::test]
async fn disk_that_fills_up_during_a_rendering_is_told_and_nothing_is_left() {
    let Some(studio) = Studio::open() else {
        return;
    };
    if !can_mount(studio.dir()).await {
        return;
    }
    // Fills the disk as a real encoder would, with what doesn't fit.
    let filling = r#"case "$*" in *pipe:1) exec "$real" "$@";; esac
        for last; do :; done
        cat > /dev/null
        head -c 20000000 /dev/zero > "${last#file:}-other" && head -c 20000000 /dev/zero > "${last#file:}""#;
    let photos = Photos::with(|studio, builder| {
        let impostor = studio.impostor(filling);
        on_small_disk(studio, builder).env("FFMPEG_PATH", &impostor.to_string_lossy())
    });
    let photos = photos.await.expect("a studio");
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], None);
    let answer = photos.slideshow(&item).await;
    assert_refusal(&answer, 507, "insufficient_storage");
    let seen = small_disk(&photos);
    eventually("nothing is left", async || {
        files(&seen).is_empty().then_some(())
    })
    .await;
    assert_eq!(
        std::fs::read_dir(&seen).expect("the disk").count(),
        1,
        "the run that lives"
    );
    photos.stage.assert_well().await;
}

/// Writes until nothing more fits; returns the file.
fn fill_up(dir: &Path) -> PathBuf {
    let path = dir.join("somebody-elses");
    let mut file = std::fs::File::create(&path).expect("a file");
    let error = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    path
}

#[tokio::test]
async fn disk_that_fills_up_while_a_track_is_read_is_told_and_the_next_job_runs() {
    let Some(studio) = Studio::open() else {
        return;
    };
    if !can_mount(studio.dir()).await {
        return;
    }
    let photos = Photos::with(on_small_disk).await.expect("a studio");
    // Its index stands at its end, so it must be read whole first.
    let track = photos.studio.tone("tone.m4a", 20.0, "aac").await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    assert_eq!(photos.stage.api().head(&link).await.status, 200);
    let gate = hold(&photos, &track);
    let seen = small_disk(&photos);
    let filling = async {
        let begun = async || {
            let jobs = files(&seen);
            jobs.iter()
                .any(|job| job.join("track").exists())
                .then_some(())
        };
        eventually("the track is read", begun).await;
        let filler = fill_up(&seen);
        gate.open();
        filler
    };
    // There was room when it began.
    let (answer, filler) = tokio::join!(photos.get(&link), filling);
    assert_refusal(&answer, 507, "insufficient_storage");
    let is_clean = async || {
        let is_clean = files(&seen).is_empty() && children(photos.stage.server.pid()).is_empty();
        is_clean.then_some(())
    };
    eventually("nothing is left", is_clean).await;
    // Now it is known before.
    assert_refusal(&photos.get(&link).await, 503, "busy");
    std::fs::remove_file(filler).expect("the foreign file");
    assert_mp3(&photos.get(&link).await);
    eventually("nothing is left", is_clean).await;
    photos.stage.assert_well().await;
}

#[tokio::test]
async fn unset_quota_is_a_tenth_of_what_is_free_at_the_start() {
    let Some(studio) = Studio::open() else {
        return;
    };
    if !can_mount(studio.dir()).await {
        return;
    }
    // One picture takes 21 MiB of room, two take 26.
    for (size, pictures, status) in [(240, 1, 200), (240, 2, 507)] {
        let script =
            format!("mount -t tmpfs -o size={size}m none \"$TEMP_DIR\" && exec \"$0\" \"$@\"");
        let photos = Photos::with(|studio, builder| {
            let temp = studio.dir().join("small");
            std::fs::create_dir(&temp).expect("directory");
            builder
                .env("TEMP_DIR", &temp.to_string_lossy())
                .env("TEMP_MIN_FREE_MB", "0")
                .under(&["unshare", "-rm", "sh", "-c", &script])
        });
        let photos = photos.await.expect("a studio");
        let picture = photos.studio.picture("a.png", "red", "9x16").await;
        let item = photos.serve(ID, &vec![picture; pictures], None);
        assert_eq!(photos.slideshow(&item).await.status, status, "{pictures}");
    }
}
