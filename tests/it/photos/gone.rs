//! Clients that leave a rendering, and servers that end during one: no process and no file stays.

use std::time::{Duration, Instant};

use http::Method;
use tokio_util::task::AbortOnDropHandle;

use super::stage::{ID, Photos, children, files};
use crate::harness::upstream::tiktok::Item;
use crate::harness::{eventually, text};

/// Longest time from the client's end to that of everything it caused (api.md §8).
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Hangs, with a child that would outlive it.
const HANGS: &str = "sleep 600 & sleep 600";

/// A stage with a rendering that hangs in ffmpeg, and the request for it.
async fn hanging() -> Option<(Photos, Item)> {
    let photos = Photos::with_impostor(HANGS).await?;
    let picture = photos.studio.picture("a.jpg", "red", "90x160").await;
    let item = photos.serve(ID, &[picture], None);
    Some((photos, item))
}

async fn running(photos: &Photos) -> Vec<u32> {
    let pid = photos.stage.server.pid();
    // The launcher has become the script when the script has made its own child.
    eventually("ffmpeg runs", async || {
        let children = children(pid);
        let all: Vec<u32> = children
            .iter()
            .flat_map(|child| super::stage::children(*child))
            .collect();
        (all.len() >= 2).then(|| [children, all].concat())
    })
    .await
}

fn is_running(pid: u32) -> bool {
    // A process that nobody has waited for yet is dead all the same.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .map(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some(None | Some('Z' | 'X')))
}

#[tokio::test]
async fn client_that_leaves_takes_ffmpeg_and_its_files_along() {
    let Some((photos, item)) = hanging().await else {
        return;
    };
    let link = photos.slideshow_link(&item).await;
    for query in ["", "&progress=1"] {
        let request = photos
            .stage
            .api()
            .request(Method::GET, &format!("{link}{query}"));
        let client = crate::harness::spawn(crate::harness::try_fetch(request));
        let processes = running(&photos).await;
        assert!(!files(&photos.temp()).is_empty());
        client.abort();
        let left = Instant::now();
        eventually("ffmpeg is gone", async || {
            let is_over = !processes.iter().any(|pid| is_running(*pid));
            (is_over && files(&photos.temp()).is_empty()).then_some(())
        })
        .await;
        assert!(left.elapsed() <= GONE_WITHIN, "{:?}", left.elapsed());
        photos.assert_nothing_left().await;
    }
    let health = photos.stage.api().get("/health").await.json();
    assert_eq!(health["workers"]["active"], 0);
}

/// A client that waits for a link of a post which hangs in ffmpeg, by a server whose temporary files outlive it.
async fn waiting(script: &str, link: &str) -> Option<(Photos, AbortOnDropHandle<()>)> {
    let photos = Photos::with(|studio, builder| {
        let impostor = studio.impostor(script);
        builder
            .env("FFMPEG_PATH", &impostor.to_string_lossy())
            .env("TEMP_DIR", &studio.dir().join("temp").to_string_lossy())
            .env("SHUTDOWN_GRACE", "0")
    })
    .await?;
    let picture = photos.studio.picture("a.jpg", "red", "90x160").await;
    // Read whole into a file first, before it is transcoded.
    let sound = photos.studio.tone("tone.m4a", 1.0, "aac").await;
    let item = photos.serve(ID, &[picture], Some(&sound));
    let link = text(&photos.resolve(&item).await, link);
    let request = photos.stage.api().request(Method::GET, &link);
    let client =
        crate::harness::spawn(async move { drop(crate::harness::try_fetch(request).await) });
    Some((photos, AbortOnDropHandle::new(client)))
}

#[tokio::test]
async fn server_that_is_told_to_stop_leaves_nothing() {
    let Some((photos, _client)) = waiting(HANGS, "/download_slideshow_link").await else {
        return;
    };
    let processes = running(&photos).await;
    let Photos { stage, studio } = photos;
    let (status, _) = stage.server.stop().await;
    assert_eq!(status.code(), Some(3), "a rendering was cut");
    eventually("ffmpeg is gone", async || {
        (!processes.iter().any(|pid| is_running(*pid))).then_some(())
    })
    .await;
    let left: Vec<_> = std::fs::read_dir(studio.dir().join("temp"))
        .expect("temp")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn killed_server_leaves_nothing_after_the_next_start() {
    // Without a child of its own: that one is beyond what the system kills with us.
    let Some((photos, _client)) = waiting("exec sleep 600", "/download_slideshow_link").await
    else {
        return;
    };
    assert_killed_leaves_nothing(photos).await;
}

async fn assert_killed_leaves_nothing(photos: Photos) {
    let pid = photos.stage.server.pid();
    let processes = eventually("ffmpeg runs", async || {
        let children = children(pid);
        (!children.is_empty()).then_some(children)
    })
    .await;
    let Photos { mut stage, studio } = photos;
    stage.server.signal("KILL").await;
    stage.server.wait().await;
    eventually("ffmpeg is gone", async || {
        (!processes.iter().any(|pid| is_running(*pid))).then_some(())
    })
    .await;
    let temp = studio.dir().join("temp");
    assert!(!files(&temp).is_empty(), "nothing was left to be swept");
    let next = crate::harness::Builder::new(&stage.upstream)
        .env("TEMP_DIR", &temp.to_string_lossy())
        .start()
        .await;
    assert!(files(&temp).is_empty());
    let runs = std::fs::read_dir(&temp).expect("temp").count();
    assert_eq!(runs, 1, "the one that lives");
    drop(next);
}

#[tokio::test]
async fn killed_server_takes_the_encoder_of_sound_and_leaves_nothing_after_the_next_start() {
    let Some((photos, _client)) = waiting("exec sleep 600", "/download_link/mp3").await else {
        return;
    };
    assert_killed_leaves_nothing(photos).await;
}
