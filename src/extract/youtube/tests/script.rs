//! A transport that answers from a script and keeps what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use crate::config::Env;
use crate::extract::youtube::auth::AccountCookies;
use crate::extract::youtube::innertube::{Answer, Ask, Call};
use crate::extract::youtube::{VideoId, YouTube};
use crate::extract::{ExtractError, Extraction, LivePost};
use crate::net::NetError;

/// Numbers of the clients, as their requests carry them.
pub(super) const VISIONOS: &str = "101";
pub(super) const WEB: &str = "1";
pub(super) const ANDROID: &str = "3";
#[cfg(feature = "js")]
pub(super) const TV: &str = "7";
/// What stands for a client in requests for scripts.
pub(super) const PAGE: &str = "page";
/// A visitor id that is given out.
pub(super) const VISITOR: &str = "Cgtvisitor";

/// What was asked: number of the client, path, query and body.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) client: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Value,
    pub(super) takes_cookies: bool,
}

/// Answers to one kind of request, in order.
type Replies = VecDeque<(StatusCode, Value)>;

/// The script: answers by client and last part of the path, in order; the last one stays.
#[derive(Debug, Default)]
pub(super) struct Script {
    answers: Mutex<BTreeMap<(String, String), Replies>>,
    asked: Mutex<Vec<Asked>>,
}

impl Script {
    /// Answers `client` at `endpoint` with a body; a text is sent as it is.
    pub(super) fn with(self, client: &str, endpoint: &str, body: Value) -> Self {
        self.with_status(client, endpoint, 200, body)
    }

    /// Answers `client` at `endpoint` with a status and a body.
    pub(super) fn with_status(
        self,
        client: &str,
        endpoint: &str,
        status: u16,
        body: Value,
    ) -> Self {
        let status = StatusCode::from_u16(status).unwrap();
        self.answers
            .lock()
            .unwrap()
            .entry((client.to_owned(), endpoint.to_owned()))
            .or_default()
            .push_back((status, body));
        self
    }

    /// What was asked, visitor ids aside: `101 player`.
    pub(super) fn order(&self) -> Vec<String> {
        self.calls()
            .iter()
            .filter(|asked| asked.path != "visitor_id")
            .map(|asked| format!("{} {}", asked.client, asked.path))
            .collect()
    }

    /// Everything that was asked.
    pub(super) fn calls(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Extracts a video with these variables set.
    pub(super) async fn extract(
        &self,
        id: &str,
        variables: &[(&str, &str)],
        cookies: &str,
    ) -> Result<Extraction, ExtractError> {
        let site = site(variables);
        self.extract_with(&site, id, cookies).await
    }

    /// Extracts a video with a site that lives on.
    pub(super) async fn extract_with(
        &self,
        site: &YouTube,
        id: &str,
        cookies: &str,
    ) -> Result<Extraction, ExtractError> {
        let account = AccountCookies::parse(cookies);
        site.video(self, &account, &VideoId::parse(id).unwrap())
            .await
    }

    /// Asks whether a video is on air.
    pub(super) async fn live(&self, id: &str) -> Result<Option<LivePost>, ExtractError> {
        let (site, account) = (site(&[]), AccountCookies::default());
        let chain = site.chain(self, &account).await;
        chain.live(&VideoId::parse(id).unwrap()).await
    }

    fn answer(&self, call: &Call) -> Answer {
        let client = call.headers.get("x-youtube-client-name");
        let path = call.url.path().rsplit('/').next().unwrap().to_owned();
        let asked = Asked {
            client: client
                .map_or(PAGE, |name| name.to_str().unwrap())
                .to_owned(),
            path: path.clone(),
            query: call.url.query().unwrap_or_default().to_owned(),
            headers: call.headers.clone(),
            body: call
                .body
                .as_deref()
                .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap()),
            takes_cookies: call.takes_cookies,
        };
        let key = (asked.client.clone(), path.clone());
        self.asked.lock().unwrap().push(asked);
        let mut answers = self.answers.lock().unwrap();
        let scripted = answers.get_mut(&key).and_then(|list| match list.len() {
            0 | 1 => list.front().cloned(),
            _ => list.pop_front(),
        });
        let (status, body) = scripted.unwrap_or_else(|| match path.as_str() {
            "visitor_id" => (
                StatusCode::OK,
                json!({"responseContext": {"visitorData": VISITOR}}),
            ),
            _ => (StatusCode::NOT_FOUND, json!({})),
        });
        Answer {
            status,
            retry_after: None,
            body: match body {
                Value::String(text) => text.into(),
                json => json.to_string().into(),
            },
        }
    }
}

impl Ask for Script {
    fn ask(&self, call: Call) -> BoxFuture<'_, Result<Answer, NetError>> {
        async move { Ok(self.answer(&call)) }.boxed()
    }
}

/// The site with these variables set.
pub(super) fn site(variables: &[(&str, &str)]) -> YouTube {
    let mut env = Env::from_pairs(variables.iter().copied());
    let site = YouTube::from_env(&mut env);
    env.finish().unwrap();
    site
}

/// A player answer with one format, made up.
pub(super) fn playable(id: &str, itag: u32) -> Value {
    json!({
        "playabilityStatus": {"status": "OK"},
        "videoDetails": {"videoId": id, "title": "t", "lengthSeconds": "10"},
        "streamingData": {"formats": [{
            "itag": itag,
            "url": format!("https://r1.googlevideo.com/videoplayback?itag={itag}"),
            "mimeType": "video/mp4; codecs=\"avc1.42001E, mp4a.40.2\"",
            "width": 640, "height": 360, "quality": "medium",
        }]},
    })
}

/// A player answer that refuses.
pub(super) fn refusing(status: &str, reason: &str) -> Value {
    json!({"playabilityStatus": {"status": status, "reason": reason}})
}
