//! Every recorded post through the whole server: the body holds its contract, and the first entry plays.

use super::body::{assert_picker, assert_video};
use crate::harness::upstream::recorded::{folder, rounds};
use crate::harness::{Stage, skip, text};

#[tokio::test]
async fn recorded_posts_have_sound_bodies_and_play() {
    let Some(folder) = folder() else {
        return skip(
            "recorded",
            "SERVERRS_FIXTURES names no folder with recordings",
        );
    };
    let mut count = 0;
    for round in rounds(&folder) {
        // The files behind recorded addresses are made up, so nothing can be rendered of them.
        let stage = Stage::with(|builder| builder.env("FFMPEG_PATH", "/nowhere")).await;
        let base = stage.server.base().replace("127.0.0.1", "localhost");
        for recorded in round {
            let is_photo = recorded.post.is_photo();
            let url = stage.serve_post(recorded.post);
            let answer = stage.post(&url).await;
            assert_eq!(answer.status, 200, "{}: {:#}", recorded.name, answer.json());
            let body = answer.json();
            let check = if is_photo {
                assert_picker
            } else {
                assert_video
            };
            check(&body, &base);
            let first = text(&body, "/data/video_data/0/url");
            let file = stage.api().get_range(&first, "bytes=0-99").await;
            assert_eq!(
                (file.status.as_u16(), file.body.len()),
                (206, 100),
                "{}",
                recorded.name
            );
            count += 1;
        }
        stage.world().assert_no_unknown();
    }
    assert!(count > 30, "only {count} recorded posts");
}
