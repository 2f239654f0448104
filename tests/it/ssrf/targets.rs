//! Targets of broadcasts: judged when they are named, and by their addresses whenever they are dialled (rulings 42, 43).

use futures_util::{StreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};

use super::territory::Territory;
use super::{FOREIGN, spellings};
use crate::broadcasts::{LIST, TOKEN, ask, get, has_ffmpeg, made, route};
use crate::harness::upstream::youtube::WWW;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{TestServer, eventually, is_long_form, skip};

/// Broadcasts that run together.
const AT_ONCE: usize = 8;
/// In the short form one of so many names.
const SHORT_FORM: usize = 6;
/// Names that change their mind, and names that are both at once.
const TURNS: usize = 8;

/// A territory whose server sends broadcasts, of a list that never comes: there is nothing but the slate to send.
async fn enter(test: &str) -> Option<(Territory, Gate)> {
    if !has_ffmpeg().await {
        skip("ffmpeg", "ffmpeg is not installed");
        return None;
    }
    let territory = Territory::enter_with(test, |builder, _| {
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("BROADCAST_MAX_RUNNING", "32")
            .env("STREAM_TEMP_DIR", "streams")
    })
    .await?;
    let gate = Gate::new();
    let world = territory.stage.world();
    world.fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    territory.assert_traps_work().await;
    Some((territory, gate))
}

/// Every way of writing an address is one, and is seen: nothing is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_that_say_so_themselves_are_refused_at_once() {
    let name = "ssrf::targets::targets_that_say_so_themselves_are_refused_at_once";
    let Some((territory, _gate)) = enter(name).await else {
        return;
    };
    let server = &territory.stage.server;
    let spellings = spellings::all();
    for (number, spelling) in spellings.iter().enumerate() {
        let scheme = ["rtmp", "rtmps"][number % 2];
        let path = ["/broadcasts", "/broadcasts/validate"][number / 2 % 2];
        let target = format!("{scheme}://{}/live", spelling.host);
        let body = json!({ "title": "T", "playlist_id": LIST, "target_url": target });
        let answer = ask(server, Method::POST, path, Some(body)).await;
        let code = answer.json()["error_code"].clone();
        let is_refused = code == "target_forbidden" || code == "invalid_field";
        assert!(
            answer.status == 422 && is_refused,
            "{target}: {}",
            answer.json()
        );
    }
    let kept = get(server, "/broadcasts").await;
    assert_eq!(kept["broadcasts"], json!([]));
    assert_eq!(territory.trapped(), []);
    println!("{} targets, 0 connections", spellings.len());
}

/// Starts a broadcast to this host; its record.
async fn start(server: &TestServer, scheme: &str, host: &str) -> Value {
    let fields = json!({
        "stream_source": "playlist_direct",
        "target_url": format!("{scheme}://{host}/live"),
        "stream_key": "k-1",
        "start_with_slate": true,
        "profile": {"width": 320, "height": 180, "fps": 30, "video_kbps": 300, "audio_kbps": 64,
            "preset": "ultrafast", "gop_s": 1},
    });
    let record = made(server, fields).await;
    let path = format!("{}/start", route(&record));
    let answer = ask(server, Method::POST, &path, None).await;
    assert_eq!(answer.status, 202, "{host}: {}", answer.json());
    record
}

/// Returns when a broadcast has been given up because of where it leads.
async fn is_forbidden(server: &TestServer, record: &Value) {
    let path = format!("{}/status", route(record));
    let failed = eventually("the end", async || {
        let status = get(server, &path).await;
        (status["status"] == "failed").then_some(status)
    })
    .await;
    assert_eq!(
        failed["last_error"]["code"], "target_forbidden",
        "{failed:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_targets_lead_nowhere_that_is_not_public() {
    let name = "ssrf::targets::names_of_targets_lead_nowhere_that_is_not_public";
    let Some((territory, _gate)) = enter(name).await else {
        return;
    };
    let server = &territory.stage.server;
    let mut addresses: Vec<_> = spellings::all().iter().map(|one| one.address).collect();
    addresses.dedup();
    let step = if is_long_form() { 1 } else { SHORT_FORM };
    let names = addresses
        .iter()
        .step_by(step)
        .map(|address| spellings::name_of(*address, FOREIGN));
    let names: Vec<String> = names.collect();
    stream::iter(names.iter().enumerate())
        .for_each_concurrent(AT_ONCE, |(number, host)| async move {
            let scheme = ["rtmp", "rtmps"][number % 2];
            is_forbidden(server, &start(server, scheme, host).await).await;
        })
        .await;
    assert_eq!(territory.ingest_reached(), 0);
    // Public at first, and no more when the connection is made anew; both at once: the public address alone.
    let turns = (0..TURNS).map(|turn| format!("turn-{turn}.{FOREIGN}"));
    stream::iter(turns)
        .for_each_concurrent(AT_ONCE, |host| async move {
            is_forbidden(server, &start(server, "rtmp", &host).await).await;
        })
        .await;
    assert!(territory.ingest_reached() >= TURNS, "each was reached once");
    let before = territory.ingest_reached();
    start(server, "rtmp", &format!("both-0.{FOREIGN}")).await;
    eventually("the public address is dialled again", async || {
        (territory.ingest_reached() >= before + 2).then_some(())
    })
    .await;
    assert_eq!(territory.trapped(), []);
    println!("{} names and {TURNS} that turn, 0 connections", names.len());
}
