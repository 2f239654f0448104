//! A server, a photo post of real pictures, and a look at what the server has left on disk and running.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::studio::Studio;
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Media, Payload};
use crate::harness::{Builder, Fetched, Stage, address, eventually, fetch, text};

pub(super) const ID: &str = "7524919459643919101";

/// A stage with a studio.
pub(super) struct Photos {
    pub(super) stage: Stage,
    pub(super) studio: Studio,
}

impl Photos {
    /// `None` where there is no ffmpeg.
    pub(super) async fn new() -> Option<Self> {
        Self::with(|_, builder| builder).await
    }

    /// With further settings, which may name files of the studio.
    pub(super) async fn with(settings: impl FnOnce(&Studio, Builder) -> Builder) -> Option<Self> {
        let studio = Studio::open()?;
        let stage = Stage::with(|builder| settings(&studio, builder)).await;
        Some(Self { stage, studio })
    }

    /// Whose ffmpeg is this script.
    pub(super) async fn with_impostor(script: &str) -> Option<Self> {
        Self::with(|studio, builder| {
            let impostor = studio.impostor(script);
            builder.env("FFMPEG_PATH", &impostor.to_string_lossy())
        })
        .await
    }

    /// Puts a file behind an address of a post.
    pub(super) fn put(&self, item: &Item, pointer: &str, bytes: &Bytes, content_type: &str) {
        let media = Media::of(Payload::Bytes(bytes.clone()), content_type);
        self.stage.world().media(&address(item, pointer), media);
    }

    /// A post of these pictures, all behind their first addresses; the second ones have none. Without `sound` it is
    /// silent.
    pub(super) fn serve(&self, id: &str, pictures: &[Bytes], sound: Option<&Bytes>) -> Item {
        let mut item = Item::photo(id, pictures.len());
        if sound.is_none() {
            item = item.without("/music/playUrl");
        }
        for number in 0..pictures.len() {
            let first = address(&item, &first(number));
            let list = format!("/imagePost/images/{number}/imageURL/urlList");
            item = item.with(&list, serde_json::json!([first]));
        }
        self.stage.serve(&item);
        for (number, picture) in pictures.iter().enumerate() {
            self.put(&item, &first(number), picture, "image/jpeg");
        }
        if let Some(sound) = sound {
            self.put(&item, "/music/playUrl", sound, "audio/mpeg");
        }
        item
    }

    /// What the server says of a post.
    pub(super) async fn resolve(&self, item: &Item) -> Value {
        let url = format!("https://www.tiktok.com/@a/video/{}", item.id());
        self.stage.api().resolve(&url).await
    }

    /// The slideshow link of a post.
    pub(super) async fn slideshow_link(&self, item: &Item) -> String {
        text(&self.resolve(item).await, "/download_slideshow_link")
    }

    /// The slideshow of a post.
    pub(super) async fn slideshow(&self, item: &Item) -> Fetched {
        let link = self.slideshow_link(item).await;
        self.get(&link).await
    }

    /// A link, with time for a rendering on a busy machine.
    pub(super) async fn get(&self, link: &str) -> Fetched {
        let request = self.stage.api().request(Method::GET, link);
        fetch(request.timeout(std::time::Duration::from_secs(240))).await
    }

    /// The server's temporary directory.
    pub(super) fn temp(&self) -> PathBuf {
        self.stage.server.dir().join("temp")
    }

    /// Fails unless no child runs and no file is left, now or in a moment.
    pub(super) async fn assert_nothing_left(&self) {
        let pid = self.stage.server.pid();
        eventually("no child and no file", async || {
            let is_clean = children(pid).is_empty() && files(&self.temp()).is_empty();
            is_clean.then_some(())
        })
        .await;
    }
}

/// Fails unless the answer is a whole file; says what it is instead.
pub(super) fn assert_whole(answer: &Fetched) {
    let said = &answer.body[..answer.body.len().min(500)];
    assert_eq!(
        (answer.status.as_u16(), answer.is_whole),
        (200, true),
        "{}",
        String::from_utf8_lossy(said)
    );
}

/// Pointer to the first address of a picture, counted from 0.
pub(super) fn first(number: usize) -> String {
    format!("/imagePost/images/{number}/imageURL/urlList/0")
}

/// Processes that a process has started and that have not been waited for.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            let pids = list
                .split_whitespace()
                .map(|pid| pid.parse().expect("a pid"));
            pids.collect::<Vec<u32>>()
        })
        .collect()
}

/// Everything below a directory that is not a directory of a run itself.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let runs = entries(dir);
    runs.iter().flat_map(|run| entries(run)).collect()
}
