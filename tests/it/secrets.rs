//! One server that knows a secret of every kind and does everything with them: none gets out (proofs P1). The harness
//! looks for them, in all that every server of the tests prints, answers, writes and tells its children.

use http::Method;
use serde_json::{Value, json};

use crate::harness::upstream::tiktok::{self, Item, Post};
use crate::harness::upstream::youtube::{
    self, Layout, PAGE, Playlist, Refusal, TokenProvider, Video, YouTube,
};
use crate::harness::upstream::{Fault, Record, Rule, Upstream, sha256_hex};
use crate::harness::{Builder, Fetched, KEY, TestServer, address, fetch, link, text};

const API_KEY: &str = "key-of-alice-0123456789";
const KEY_OF_A_FILE: &str = "key-of-bob, which stands in no file";
const METRICS_TOKEN: &str = "token of metrics & more";
const BROADCAST_TOKEN: &str = "token-of-broadcasts/+=";
const COOKIES: &str = "# Netscape HTTP Cookie File\n\
    .tiktok.com\tTRUE\t/\tTRUE\t4102444800\tsessionid\tcanary-of-a-session\n";
const LIST: &str = "PLharbour00000000000000";
const PLAY: &str = "h264_720p_1490112";

struct Keeper {
    upstream: Upstream,
    youtube: YouTube,
    visitor: String,
    server: TestServer,
}

impl Keeper {
    async fn new() -> Self {
        let upstream = Upstream::start().await;
        let youtube = YouTube::open(&upstream.world);
        youtube.let_web_play();
        let visitor = youtube.give_visitor();
        let proxy = upstream.proxy_url();
        let keys = json!([{ "id": "bob", "sha256": sha256_hex(KEY_OF_A_FILE.as_bytes()) }]);
        let server = Builder::new(&upstream)
            .secret(KEY_OF_A_FILE)
            .without("ENCRYPTION_KEY")
            .file("link.key", &format!("{KEY}\n"))
            .env("ENCRYPTION_KEY_FILE", "link.key")
            .env(
                "ENCRYPTION_KEY_PREVIOUS",
                "the key of last year, the-one-before-0123",
            )
            .env(
                "PROXY",
                &proxy.replace("://", "://operator:word%20of%20a%20proxy@"),
            )
            .env("API_KEY", API_KEY)
            .file("keys.json", &keys.to_string())
            .env("API_KEYS_FILE", "keys.json")
            .file("metrics.token", METRICS_TOKEN)
            .env("METRICS_TOKEN_FILE", "metrics.token")
            .env("BROADCAST_API_TOKEN", BROADCAST_TOKEN)
            .env("STREAM_TEMP_DIR", "streams")
            .env("YOUTUBE_VISITOR_DATA", &visitor)
            .env(
                "YOUTUBE_PO_TOKENS",
                &format!("web.media={}", TokenProvider::token_for(&visitor)),
            )
            .env("GLUETUN_CONTROL_URL", "http://127.0.0.1:9")
            .env("GLUETUN_USERNAME", "operator")
            .env("GLUETUN_PASSWORD", "hunter2")
            // Nobody listens there: the failures are told.
            .env("REDIS_URL", "redis://:word-of-a-redis@127.0.0.1:9")
            .file("cookies/www.tiktok.com_cookies.txt", COOKIES)
            .start()
            .await;
        Self {
            upstream,
            youtube,
            visitor,
            server,
        }
    }

    /// Asks with a header.
    async fn ask(&self, method: Method, route: &str, header: (&str, &str), body: Value) -> Fetched {
        let request = self
            .server
            .api()
            .request(method, route)
            .header(header.0, header.1);
        let request = if body.is_null() {
            request
        } else {
            request.body(body.to_string())
        };
        fetch(request).await
    }

    /// What a route answers to somebody with a key.
    async fn post(&self, route: &str, body: Value) -> Value {
        let answer = self
            .ask(Method::POST, route, ("x-api-key", API_KEY), body)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    async fn resolve(&self, url: &str) -> Value {
        self.post("/tiktok", json!({ "url": url })).await
    }

    async fn get(&self, link: &str) -> Fetched {
        self.server.api().get(link).await
    }
}

/// A post, its file, and everything that can go wrong with it.
async fn posts(keeper: &Keeper) {
    let item = Item::video("7524919459643919201");
    Post::new(&item).serve(&keeper.upstream.world);
    let body = keeper.resolve(&Post::new(&item).url()).await;
    let play = link(&body, PLAY);
    assert_eq!(keeper.get(&play).await.status, 200);
    assert_eq!(keeper.server.api().head(&play).await.status, 200);
    let asked = keeper.upstream.world.records();
    let is_sent = asked.iter().any(|record| {
        record
            .header("cookie")
            .is_some_and(|cookie| cookie.contains("canary-of-a-session"))
    });
    assert!(is_sent, "the cookie was put to use");
    let holds = |part: &str| {
        let cookie = |record: &Record| record.header("cookie").unwrap_or_default().to_owned();
        let sent = |record: &Record| format!("{} {}", record.target, cookie(record));
        asked.iter().any(|record| sent(record).contains(part))
    };
    assert!(
        holds(tiktok::COOKIE) && holds(tiktok::SIGNATURES[0]),
        "what the site has set and signed was put to use"
    );
    // What fails is told at length in the log.
    let address = address(&item, "/video/playAddr");
    for fault in [
        Fault::Status(403),
        Fault::GarbageHead,
        Fault::ResetBeforeHead,
    ] {
        keeper.upstream.world.fault(Rule::address(&address, fault));
        keeper.get(&play).await;
        keeper.upstream.world.clear_faults();
    }
    let half = play.len() - play.len() / 4;
    assert_eq!(keeper.get(&play[..half]).await.status, 400);
    let bearer = format!("Bearer {KEY_OF_A_FILE}");
    let missing = json!({ "url": "https://www.tiktok.com/@a/video/7524919459643919299" });
    let missing = keeper.ask(Method::POST, "/tiktok", ("authorization", &bearer), missing);
    let missing = missing.await.status.as_u16();
    assert!(missing >= 400 && missing != 401, "{missing}");
}

/// A video for which the token and the visitor id of the operator are needed, and a list that goes on.
async fn videos(keeper: &Keeper) {
    let video = ["VISIONOS", "TVHTML5", "WEB_EMBEDDED_PLAYER"]
        .into_iter()
        .fold(Video::new("harbour0001"), |video, client| {
            video.refusing_client(client, Refusal::NotAvailable)
        });
    let url = video.url();
    keeper.youtube.video(video);
    let body = keeper.resolve(&url).await;
    assert_eq!(keeper.get(&link(&body, "140")).await.status, 200);
    let token = TokenProvider::token_for(&keeper.visitor);
    let asked = keeper.upstream.world.records();
    assert!(
        asked
            .iter()
            .any(|record| record.header("x-goog-visitor-id") == Some(&*keeper.visitor))
            && asked.iter().any(|record| record.target.contains(&token)),
        "the visitor id and the token were put to use"
    );
    let signed = |record: &Record| record.target.contains(youtube::SIGNATURES[0]);
    assert!(asked.iter().any(signed), "signatures were put to use");
    let list = Playlist::new(LIST, Layout::Classic, PAGE + 1);
    keeper.youtube.playlist(list.clone());
    let first = keeper.post("/playlist", json!({ "url": list.url() })).await;
    let cursor = text(&first, "/next_cursor");
    let second = json!({ "url": list.url(), "cursor": cursor });
    keeper.post("/playlist", second).await;
}

/// A broadcast that can't begin.
async fn broadcasts(keeper: &Keeper) {
    let bearer = format!("Bearer {BROADCAST_TOKEN}");
    let own = ("authorization", &*bearer);
    let record = json!({
        "title": "Harbour", "playlist_id": LIST,
        "target_url": "rtmp://ingest.example/live", "stream_key": "canary-key-5d0c1f-9b+/~ü",
    });
    let made = keeper.ask(Method::POST, "/broadcasts", own, record).await;
    assert_eq!(made.status, 201, "{}", made.json());
    let route = format!("/broadcasts/{}", text(&made.json(), "/id"));
    for (method, more) in [
        (Method::GET, ""),
        (Method::POST, "/start"),
        (Method::POST, "/stop"),
        (Method::GET, "/logs"),
    ] {
        let route = format!("{route}{more}");
        keeper.ask(method, &route, own, Value::Null).await;
    }
    assert_eq!(keeper.get(&route).await.status, 401);
}

/// Keys and tokens that are right, wrong, or in the wrong place.
async fn doors(keeper: &Keeper) {
    let bearer = |token: &str| format!("Bearer {token}");
    for (token, status) in [(METRICS_TOKEN, 200), (API_KEY, 401), ("nothing", 401)] {
        let header = ("authorization", &*bearer(token));
        let answer = keeper
            .ask(Method::GET, "/metrics", header, Value::Null)
            .await;
        assert_eq!(answer.status.as_u16(), status);
    }
    for wrong in [METRICS_TOKEN, BROADCAST_TOKEN, KEY] {
        let header = ("x-api-key", wrong);
        let answer = keeper
            .ask(Method::POST, "/resolve", header, json!({ "url": "x" }))
            .await;
        assert_eq!(answer.status, 401);
    }
    for route in [
        "/",
        "/health",
        "/livez",
        "/readyz",
        "/docs",
        "/openapi.json",
        "/nowhere",
    ] {
        keeper.get(route).await;
    }
}

#[tokio::test]
async fn server_that_knows_every_secret_tells_none() {
    let keeper = Keeper::new().await;
    posts(&keeper).await;
    videos(&keeper).await;
    broadcasts(&keeper).await;
    doors(&keeper).await;
    let (status, logs) = keeper.server.stop().await;
    assert!(status.success(), "{status}");
    assert!(logs.contains("DEBUG"), "it says all that it can");
}
