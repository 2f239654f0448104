//! Tests of the simulated YouTube: what a client in order gets, and what becomes of one that isn't.

mod interface;
mod lists;
mod media;

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::client;
use crate::harness::api::{Fetched, fetch};
use crate::harness::upstream::Upstream;
use crate::harness::upstream::youtube::{Video, WWW, YouTube};

const ID: &str = "harbour0001";

/// A request to the interface, in order as long as a test doesn't change it.
#[derive(Debug, Clone)]
struct Call {
    host: &'static str,
    path: &'static str,
    query: String,
    headers: BTreeMap<&'static str, String>,
    body: Value,
}

impl Call {
    /// A request of a client; `number` is that of its name.
    fn new(client: &str, number: &str, path: &'static str) -> Self {
        let (version, agent) = ("1.02", "Mozilla/5.0 (test) Version/26.0");
        Self {
            host: WWW,
            path,
            query: "prettyPrint=false".to_owned(),
            headers: BTreeMap::from([
                ("content-type", "application/json".to_owned()),
                ("x-youtube-client-name", number.to_owned()),
                ("x-youtube-client-version", version.to_owned()),
                ("user-agent", agent.to_owned()),
                ("origin", format!("https://{WWW}")),
            ]),
            body: json!({ "context": { "client": {
                "clientName": client, "clientVersion": version, "userAgent": agent, "hl": "en",
            } } }),
        }
    }

    /// A request for a player.
    fn player(client: &str, number: &str, visitor: &str) -> Self {
        Self::new(client, number, "player")
            .visitor(visitor)
            .with("videoId", json!(ID))
            .with("contentCheckOk", json!(true))
            .with("racyCheckOk", json!(true))
    }

    /// As who VISIONOS is.
    fn visionos(visitor: &str) -> Self {
        Self::player("VISIONOS", "101", visitor)
    }

    fn visitor(mut self, visitor: &str) -> Self {
        self.headers.insert("x-goog-visitor-id", visitor.to_owned());
        self
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.body[key] = value;
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    fn query(mut self, more: &str) -> Self {
        self.query = format!("{}&{more}", self.query);
        self
    }

    fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self.header("origin", &format!("https://{host}"))
    }

    async fn send(&self, upstream: &Upstream) -> Fetched {
        let address = format!(
            "https://{}/youtubei/v1/{}?{}",
            self.host, self.path, self.query
        );
        let mut request = client(upstream)
            .request(Method::POST, address)
            .body(self.body.to_string());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        fetch(request).await
    }

    async fn told(&self, upstream: &Upstream) -> Value {
        let fetched = self.send(upstream).await;
        assert_eq!(
            fetched.status,
            200,
            "{self:?}: {:#?}",
            upstream.world.look(|t| t.unknown.clone())
        );
        fetched.json()
    }
}

/// A site with one video, and a visitor id.
async fn site() -> (Upstream, YouTube, String) {
    let upstream = Upstream::start().await;
    let youtube = YouTube::open(&upstream.world);
    youtube.video(Video::new(ID));
    let told = Call::new("VISIONOS", "101", "visitor_id")
        .told(&upstream)
        .await;
    let visitor = visitor_of(&told);
    (upstream, youtube, visitor)
}

fn visitor_of(told: &Value) -> String {
    let visitor = &told["responseContext"]["visitorData"];
    visitor.as_str().expect("a visitor id").to_owned()
}

/// The format of an itag in a player's answer.
fn format(told: &Value, itag: u64) -> &Value {
    let data = &told["streamingData"];
    let lists = ["formats", "adaptiveFormats"].map(|key| data[key].as_array());
    lists
        .into_iter()
        .flatten()
        .flatten()
        .find(|format| format["itag"] == itag)
        .unwrap_or_else(|| panic!("no {itag} in {data:#}"))
}

fn address(told: &Value, itag: u64) -> String {
    let url = &format(told, itag)["url"];
    url.as_str()
        .unwrap_or_else(|| panic!("no address of {itag}"))
        .to_owned()
}
