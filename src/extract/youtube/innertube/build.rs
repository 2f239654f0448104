//! Requests (youtube.md §2.1). Pure: time and random text come in as values.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

use crate::extract::youtube::VideoId;
use crate::extract::youtube::clients::{Client, Endpoint};
use crate::extract::youtube::page::Login;

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub(in crate::extract::youtube) struct Call {
    pub(in crate::extract::youtube) url: Url,
    pub(in crate::extract::youtube) headers: HeaderMap,
    /// JSON to post; `None` for a page that is got.
    pub(in crate::extract::youtube) body: Option<Bytes>,
    /// Whether cookies go with it.
    pub(in crate::extract::youtube) takes_cookies: bool,
    pub(in crate::extract::youtube) timeout: Duration,
}

/// What a request is made of besides its client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) visitor: Option<&'a str>,
    /// The `Authorization` of a login.
    pub(super) authorization: Option<&'a str>,
    /// Whose login it is, as far as the site told.
    pub(super) login: Option<&'a Login>,
    /// Random text for `cpn` and `t`: at least 28 characters of base64url.
    pub(super) nonce: &'a str,
    pub(super) timeout: Duration,
}

/// A request for a page: a playlist, or what stands beside a video.
#[derive(Debug, Clone)]
pub(in crate::extract::youtube) struct PageCall {
    /// `browse` or `next`.
    pub(in crate::extract::youtube) endpoint: &'static str,
    /// The body beside the context.
    pub(in crate::extract::youtube) payload: Map<String, Value>,
}

/// Asks for a visitor id.
pub(super) fn visitor(client: &Client, around: Surroundings<'_>) -> Option<Call> {
    let url = endpoint_url("www.youtube.com", "visitor_id", "")?;
    let body = json!({ "context": context(client, None) });
    call(client, url, &body, around)
}

/// Asks for a script that lies on the site's own host, as a page there does.
pub(super) fn script(client: &Client, path: &str, timeout: Duration) -> Option<Call> {
    let mut headers = client.headers.with_user_agent(&client.user_agent);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
    Some(Call {
        url: Url::parse("https://www.youtube.com")
            .ok()?
            .join(path)
            .ok()?,
        headers,
        body: None,
        takes_cookies: false,
        timeout,
    })
}

/// Asks for a page of the site that tells what it takes its visitor for; inside another page where the client is.
pub(super) fn settings(client: &Client, path: &str, timeout: Duration) -> Option<Call> {
    let mut headers = client.headers.with_user_agent(&client.user_agent);
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    );
    headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
    if let Some(page) = &client.embed_url {
        headers.insert(REFERER, HeaderValue::from_str(page).ok()?);
    }
    Some(Call {
        url: Url::parse(&format!("https://{}", client.host))
            .ok()?
            .join(path)
            .ok()?,
        headers,
        body: None,
        takes_cookies: client.takes_cookies,
        timeout,
    })
}

/// What a player is asked for with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlayerAsk<'a> {
    /// A token that only a browser can make.
    pub(super) token: Option<&'a str>,
    /// The parts that the answer is cut down to.
    pub(super) fields: Option<&'a str>,
    /// The day of the player script that will complete the addresses.
    pub(super) day: Option<u32>,
    /// What the page of an embedded player told about the page around it.
    pub(super) host_flags: Option<&'a str>,
}

/// Asks for the player.
pub(super) fn player(
    client: &Client,
    id: &VideoId,
    ask: PlayerAsk<'_>,
    around: Surroundings<'_>,
) -> Option<Call> {
    let PlayerAsk { token, fields, .. } = ask;
    let mut query = String::new();
    if client.has_app_query {
        let t = around.nonce.get(16..28)?;
        query = format!("&t={t}&id={}", id.as_str());
    }
    let cpn = around.nonce.get(..16)?;
    let mut request = json!({
        "videoId": id.as_str(),
        "cpn": cpn,
        "contentCheckOk": true,
        "racyCheckOk": true,
    });
    if let Some(playback) = playback(ask) {
        request["playbackContext"] = json!({ "contentPlaybackContext": playback });
    }
    // A client with a token asks for the player itself, as yt-dlp does.
    let endpoint = token.map_or(client.endpoint, |_| Endpoint::Player);
    let context = context(client, around.visitor);
    let (path, body) = match endpoint {
        Endpoint::Player => {
            request["context"] = context;
            if let Some(token) = token {
                request["serviceIntegrityDimensions"] = json!({ "poToken": token });
            }
            ("player", request)
        }
        Endpoint::Reel => {
            query.push_str("&$fields=playerResponse");
            let body = json!({
                "context": context,
                "playerRequest": request,
                "disablePlayerResponse": false,
            });
            ("reel/reel_item_watch", body)
        }
    };
    if let Some(fields) = fields {
        query.push_str("&$fields=");
        query.push_str(fields);
    }
    call(
        client,
        endpoint_url(&client.host, path, &query)?,
        &body,
        around,
    )
}

/// How the player says that it will play; nothing for clients without a player script.
fn playback(ask: PlayerAsk<'_>) -> Option<Value> {
    let mut playback = json!({
        "html5Preference": "HTML5_PREF_WANTS",
        "signatureTimestamp": ask.day?,
    });
    if let Some(flags) = ask.host_flags {
        playback["encryptedHostFlags"] = json!(flags);
    }
    Some(playback)
}

/// Asks for a page.
pub(super) fn page(client: &Client, page: &PageCall, around: Surroundings<'_>) -> Option<Call> {
    let url = endpoint_url(&client.host, page.endpoint, "")?;
    let mut body = page.payload.clone();
    body.insert("context".to_owned(), context(client, around.visitor));
    call(client, url, &Value::Object(body), around)
}

/// Who asks.
fn context(client: &Client, visitor: Option<&str>) -> Value {
    let mut fields = client.context.clone();
    let common = [
        ("clientName", json!(client.name.as_str())),
        ("clientVersion", json!(client.version.as_str())),
        ("userAgent", json!(client.user_agent.as_str())),
        ("hl", json!("en")),
        ("timeZone", json!("UTC")),
        ("utcOffsetMinutes", json!(0)),
    ];
    fields.extend(common.map(|(key, value)| (key.to_owned(), value)));
    if let Some(visitor) = visitor {
        fields.insert("visitorData".to_owned(), json!(visitor));
    }
    let mut context = json!({
        "client": fields,
        "request": { "internalExperimentFlags": [], "useSsl": true },
        "user": { "lockedSafetyMode": false },
    });
    if let Some(page) = &client.embed_url {
        context["thirdParty"] = json!({ "embedUrl": page });
    }
    context
}

fn endpoint_url(host: &str, path: &str, query: &str) -> Option<Url> {
    Url::parse(&format!(
        "https://{host}/youtubei/v1/{path}?prettyPrint=false{query}"
    ))
    .ok()
}

/// Puts a request together; `None` when something can't stand in a header.
fn call(client: &Client, url: Url, body: &Value, around: Surroundings<'_>) -> Option<Call> {
    let origin = format!("https://{}", url.host_str()?);
    let mut headers = client.headers.with_user_agent(&client.user_agent);
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    set("content-type", HeaderValue::from_static("application/json"));
    set("accept", HeaderValue::from_static("*/*"));
    set("accept-language", HeaderValue::from_static("en"));
    set("x-youtube-client-name", HeaderValue::from(client.number));
    set("x-youtube-client-version", client.version.value());
    set("origin", HeaderValue::from_str(&origin).ok()?);
    if let Some(visitor) = around.visitor {
        set("x-goog-visitor-id", HeaderValue::from_str(visitor).ok()?);
    }
    if let Some(authorization) = around.authorization.filter(|_| client.takes_cookies) {
        let mut value = HeaderValue::from_str(authorization).ok()?;
        value.set_sensitive(true);
        set("authorization", value);
        set("x-origin", HeaderValue::from_str(&origin).ok()?);
        let index = around.login.and_then(|login| login.index).unwrap_or(0);
        set("x-goog-authuser", HeaderValue::from(index));
        if let Some(channel) = around.login.and_then(|login| login.delegated.as_ref()) {
            set("x-goog-pageid", HeaderValue::from_str(channel).ok()?);
        }
        set(
            "x-youtube-bootstrap-logged-in",
            HeaderValue::from_static("true"),
        );
    }
    Some(Call {
        url,
        headers,
        body: Some(serde_json::to_vec(body).ok()?.into()),
        takes_cookies: client.takes_cookies,
        timeout: around.timeout,
    })
}
