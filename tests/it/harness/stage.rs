//! An upstream and a server whose only way out it is: where most black-box tests begin.

use std::time::Duration;

use serde_json::Value;

use super::server::{Builder, TestServer};
use super::upstream::tiktok::{Item, Post, WWW};
use super::upstream::{Media, Upstream, World};
use super::{Api, Fetched};

/// How long a test asks for something that should be so at once; generous, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The two, running.
pub(crate) struct Stage {
    /// The simulated sites.
    pub(crate) upstream: Upstream,
    /// The server under test.
    pub(crate) server: TestServer,
}

impl Stage {
    /// With the harness's settings.
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// With further settings.
    pub(crate) async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let upstream = Upstream::start().await;
        let server = settings(Builder::new(&upstream)).start().await;
        Self { upstream, server }
    }

    /// What the simulated sites play.
    pub(crate) fn world(&self) -> &World {
        &self.upstream.world
    }

    /// A client of the server.
    pub(crate) fn api(&self) -> &Api {
        self.server.api()
    }

    /// Puts a post on the site; returns its address.
    pub(crate) fn serve(&self, item: &Item) -> String {
        self.serve_post(Post::new(item))
    }

    /// As [`Stage::serve`], for a post with a history.
    pub(crate) fn serve_post(&self, post: Post) -> String {
        let url = post.url();
        post.serve(self.world());
        url
    }

    /// Puts a post on the site and resolves it.
    pub(crate) async fn resolve(&self, item: &Item) -> Value {
        let url = self.serve(item);
        self.api().resolve(&url).await
    }

    /// Posts a link.
    pub(crate) async fn post(&self, url: &str) -> Fetched {
        let body = serde_json::json!({ "url": url }).to_string();
        self.api().post("/tiktok", &body).await
    }

    /// The file behind the address at a pointer of an item.
    pub(crate) fn file(&self, item: &Item, pointer: &str) -> Media {
        self.world().media_at(&address(item, pointer))
    }

    /// How often pages of TikTok were asked for.
    pub(crate) fn pages_asked(&self) -> usize {
        self.world().look(|traffic| traffic.to_host(WWW).count())
    }

    /// The server answers, and the site was asked for nothing that it doesn't have.
    pub(crate) async fn assert_well(&self) {
        let health = self.api().get("/health").await;
        assert_eq!(
            (health.status.as_u16(), &health.json()["status"]),
            (200, &"ok".into())
        );
        // Looked through for secrets, as every answer is.
        self.api().get("/metrics").await;
        self.world().assert_no_unknown();
    }
}

/// The address at a pointer of an item.
pub(crate) fn address(item: &Item, pointer: &str) -> String {
    let found = item.json().pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no address at {pointer}"))
        .to_owned()
}

/// The text at a pointer of an answer.
pub(crate) fn text(body: &Value, pointer: &str) -> String {
    let found = body.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no text at {pointer} in {body:#}"))
        .to_owned()
}

/// The entry of `data.video_data` with this format id.
pub(crate) fn entry<'a>(body: &'a Value, format_id: &str) -> &'a Value {
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    let found = entries.iter().find(|entry| entry["format_id"] == format_id);
    found.unwrap_or_else(|| panic!("no {format_id} in {entries:#?}"))
}

/// The link of the entry with this format id.
pub(crate) fn link(body: &Value, format_id: &str) -> String {
    text(entry(body, format_id), "/url")
}

/// The bare token of a link.
pub(crate) fn token(link: &str) -> &str {
    link.split_once("data=").expect("a link").1
}

/// Asks until there is an answer.
///
/// # Panics
/// There is none in time.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}
