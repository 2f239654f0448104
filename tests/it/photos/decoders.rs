//! The runs before the encoder: each one that dies, hangs or can't read its input ends as it should, with nothing left.

use super::faults::{assert_names_picture, assert_next_job_runs};
use super::stage::{ID, Photos};
use crate::harness::{Fetched, assert_refusal};

/// Behaves badly while it is to, in the runs whose arguments end like this.
fn bad_run(ending: &str, script: &str) -> String {
    format!(
        r#"case "$*" in *{ending}) if [ -e "$0.bad" ]; then {script}; fi;; esac
           exec "$real" "$@""#
    )
}

/// Asserts on the answer to a slideshow of one picture and a sound, then that nothing is left and the next one is made.
async fn assert_bad_run(ending: &str, script: &str, is_right: impl FnOnce(&Fetched)) {
    let Some(photos) = Photos::with_impostor(&bad_run(ending, script)).await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let sound = photos.studio.tone("tone.mp3", 1.0, "libmp3lame").await;
    let item = photos.serve(ID, &[picture], Some(&sound));
    is_right(&photos.slideshow(&item).await);
    photos.assert_nothing_left().await;
    photos.studio.behave();
    assert_next_job_runs(&photos).await;
}

const PICTURE: &str = "pipe:1";
const SOUND: &str = "samples";

#[tokio::test]
async fn decoder_that_breaks_down_is_blamed_on_its_input() {
    for script in [
        "exit 1",
        "kill -SEGV $$",
        "head -c 1000 /dev/zero; exit 0",
        "\"$real\" \"$@\"; echo more",
        "sleep 600 & exit 0",
    ] {
        assert_bad_run(PICTURE, script, |answer| assert_names_picture(answer, 1)).await;
    }
    for script in ["exit 1", "kill -SEGV $$", "sleep 600 & exit 1"] {
        assert_bad_run(SOUND, script, |answer| {
            assert_refusal(answer, 502, "slideshow_fetch_failed");
        })
        .await;
    }
}

#[tokio::test]
async fn decoder_that_is_killed_from_outside_is_not_blamed_on_its_input() {
    for ending in [PICTURE, SOUND] {
        assert_bad_run(ending, "kill -9 $$", |answer| {
            assert_refusal(answer, 500, "slideshow_failed");
        })
        .await;
    }
}

#[tokio::test]
async fn decoder_that_finds_the_disk_full_or_floods_its_standard_error_is_told_so() {
    assert_bad_run(
        SOUND,
        "echo 'No space left on device' >&2; exit 1",
        |answer| {
            assert_refusal(answer, 507, "insufficient_storage");
        },
    )
    .await;
    let flood = "head -c 8000000 /dev/zero | tr '\\0' 'x' >&2; exit 1";
    assert_bad_run(PICTURE, flood, |answer| assert_names_picture(answer, 1)).await;
}

#[tokio::test]
async fn decoder_that_hangs_holds_nothing_up_for_ever() {
    let script = r#"case "$*" in *pipe:1) exec sleep 600;; esac; exec "$real" "$@""#;
    let photos = Photos::with(|studio, builder| {
        let impostor = studio.impostor(script);
        builder
            .env("FFMPEG_PATH", &impostor.to_string_lossy())
            .env("SLIDESHOW_TIMEOUT", "1")
    });
    let Some(photos) = photos.await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture], None);
    assert_refusal(&photos.slideshow(&item).await, 504, "slideshow_timeout");
    photos.assert_nothing_left().await;
}
