//! An upstream with one file, a server on it, and a link: what most tests of clients begin with.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::h1::{PATIENCE, Raw};
use super::process::Process;
use crate::harness::upstream::tiktok::{Gear, Item, Post};
use crate::harness::upstream::{Media, Progress, Upstream};
use crate::harness::{Builder, TestServer, try_fetch};

/// The file of a stage.
pub(crate) struct File {
    /// Address of its first mirror.
    pub(crate) address: String,
    /// Its bytes.
    pub(crate) media: Media,
    /// Its link as a path: `/stream?data=…`.
    pub(crate) link: String,
}

/// Upstream, server, file.
pub(crate) struct Stage {
    /// The upstream.
    pub(crate) upstream: Upstream,
    /// The server.
    pub(crate) server: TestServer,
    /// The one file.
    pub(crate) file: File,
    item: Item,
}

impl Stage {
    /// A stage whose file has `size` bytes, and whose server has these settings besides the harness's own.
    pub(crate) async fn new(size: u64, settings: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start().await;
        let gear = Gear {
            name: "normal_540_0",
            codec: "h264",
            width: 576,
            height: 1024,
            bitrate: 942_113,
            size,
        };
        let item = Item::video("7524919459643919301")
            .with_gears(&[gear])
            .without("/video/downloadAddr");
        Post::new(&item).serve(&upstream.world);
        let server = start(&upstream, settings).await;
        let link = resolve(&server, &item).await;
        let address = item.json()["video"]["playAddr"].as_str();
        let address = address.expect("an address").to_owned();
        let file = File {
            media: upstream.world.media_at(&address),
            address,
            link,
        };
        Self {
            upstream,
            server,
            file,
            item,
        }
    }

    /// Takes the size out of the post, so that only the upstream can tell it.
    pub(crate) async fn forget_size(&mut self) {
        let world = &self.upstream.world;
        let pointer = "/video/bitrateInfo/0/PlayAddr/DataSize";
        let item = self.item.clone().without(pointer);
        Post::new(&item).serve(world);
        world.media(&self.file.address, self.file.media.clone());
        let body = json!({ "url": Post::new(&item).url(), "no_cache": true });
        let resolved = self.server.api().post("/tiktok", &body.to_string()).await;
        assert_eq!(resolved.status, 200, "{resolved:?}");
    }

    /// Puts another server on the same upstream in place of this one's, which must have ended.
    pub(crate) async fn restart(&mut self, settings: &[(&str, &str)]) {
        self.server = start(&self.upstream, settings).await;
    }

    /// A question for the post that no cache answers.
    pub(crate) fn fresh_question(&self) -> String {
        let body = json!({ "url": Post::new(&self.item).url(), "no_cache": true }).to_string();
        format!(
            "POST /tiktok HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// A connection to the server.
    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.server.base()).await
    }

    /// A client whose transfer has begun.
    pub(crate) async fn begun(&self, mut client: Raw) -> Raw {
        client.get(&self.file.link).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        client
    }

    /// Body bytes that the upstream's system took, over all requests for the file.
    pub(crate) fn taken(&self) -> u64 {
        let address = &self.file.address;
        self.upstream
            .world
            .look(|traffic| traffic.of(address).map(|record| record.taken).sum())
    }

    /// Returns when no request for the file is under way upstream.
    pub(crate) async fn upstream_left(&self) {
        let is_over = |progress| !matches!(progress, Progress::Sending | Progress::Held);
        let wait = self.upstream.world.wait_for("upstream left", |traffic| {
            let mut records = traffic.of(&self.file.address);
            records.all(|record| is_over(record.progress))
        });
        wait.await;
    }

    /// Returns when `/health` shows `number` transfers. Each question is a connection of its own, which sets the pace.
    pub(crate) async fn streams(&self, number: u64) {
        let wait = async { while self.health().await["streams"]["active"] != number {} };
        let is_so = timeout(PATIENCE, wait).await.is_ok();
        assert!(is_so, "not {number}: {}", self.health().await["streams"]);
    }

    /// What `/health` says; it must answer quickly.
    pub(crate) async fn health(&self) -> Value {
        // A connection kept from the last question may just be ended as idle.
        let request = self.server.api().request(Method::GET, "/health");
        let asking = try_fetch(request.header("connection", "close"));
        let answer = timeout(Duration::from_secs(10), asking).await;
        let answer = answer.expect("an answer in time").expect("an answer");
        answer.json()
    }

    /// What the server has open, by its own word, one connection for the question among it.
    pub(crate) async fn descriptors(&self) -> usize {
        self.connect().await.metric("process_open_fds").await
    }

    /// The server's process.
    pub(crate) fn process(&self) -> Process {
        Process(self.server.pid())
    }
}

async fn start(upstream: &Upstream, settings: &[(&str, &str)]) -> TestServer {
    let server = Builder::new(upstream).env("MAX_CONNECTIONS_PER_CLIENT", "10000");
    let server = settings
        .iter()
        .fold(server, |server, (name, value)| server.env(name, value));
    server.start().await
}

/// The link of the post's one file, as a path.
async fn resolve(server: &TestServer, item: &Item) -> String {
    let answer = server.api().resolve(&Post::new(item).url()).await;
    let token = answer.pointer("/data/video_data/0/streamData");
    format!(
        "/stream?data={}",
        token.and_then(Value::as_str).expect("a link")
    )
}
