//! Targets of broadcasts: judged when they are named, and by their addresses whenever they are dialled (rulings 42, 43).

use std::net::SocketAddr;

use futures_util::{StreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};

use super::names::{self, SITES};
use super::territory::{INGEST, SRT, Territory};
use super::{FOREIGN, PROXIES, own_proxies, spellings};
use crate::broadcasts::{CANARY, LIST, TOKEN, ask, get, has_ffmpeg, has_srt, made, route};
use crate::harness::upstream::youtube::WWW;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{TestServer, eventually, is_long_form, skip};

/// Broadcasts that run together.
const AT_ONCE: usize = 8;
/// In the short form one of so many names.
const SHORT_FORM: usize = 6;
/// Names that change their mind.
const TURNS: usize = 8;

/// The ways out by which a target is dialled directly: none that is named, one that is plain, one from a local address.
const WAYS: [Option<&str>; 3] = [None, Some("plain"), Some("bound")];
/// A target that the operator allows, wherever it lies.
const ALLOWED: &str = "at-0a000001-0.example.com";

/// A territory whose server sends broadcasts, of a list that never comes: there is nothing but the slate to send.
async fn enter(test: &str) -> Option<(Territory, Gate)> {
    if !has_ffmpeg().await {
        skip("ffmpeg", "ffmpeg is not installed");
        return None;
    }
    let territory = Territory::enter_with(test, |builder, upstream| {
        let ways = format!("plain=direct,bound={SITES},{}", own_proxies(upstream));
        let allowed = [INGEST, SRT].map(|port| format!("{ALLOWED}:{port}"));
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("BROADCAST_MAX_RUNNING", "32")
            .env("BROADCAST_ALLOW_PRIVATE_TARGETS", &allowed.join(","))
            .env("STREAM_TEMP_DIR", "streams")
            .env("EGRESS", &ways)
    })
    .await?;
    let gate = Gate::new();
    let world = territory.stage.world();
    world.fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    territory.assert_traps_work().await;
    Some((territory, gate))
}

/// Every way of writing an address is one, and is seen, whatever way out is named: nothing is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_that_say_so_themselves_are_refused_at_once() {
    let name = "ssrf::targets::targets_that_say_so_themselves_are_refused_at_once";
    let Some((territory, _gate)) = enter(name).await else {
        return;
    };
    let server = &territory.stage.server;
    let spellings = spellings::all();
    let ways = [&WAYS[..], &PROXIES.map(|(name, _)| Some(name))].concat();
    let mut forbidden = 0;
    for (number, spelling) in spellings.iter().enumerate() {
        let scheme = ["rtmp", "rtmps", "srt"][number % 3];
        let path = ["/broadcasts", "/broadcasts/validate"][number / 3 % 2];
        let way = ways[number / 6 % ways.len()];
        let target = target(scheme, &spelling.host);
        let body = json!({ "title": "T", "playlist_id": LIST, "target_url": target, "proxy": way });
        let answer = ask(server, Method::POST, path, Some(body)).await;
        let code = answer.json()["error_code"].clone();
        let is_refused = code == "target_forbidden" || code == "invalid_field";
        assert!(
            answer.status == 422 && is_refused,
            "{target}: {}",
            answer.json()
        );
        forbidden += usize::from(code == "target_forbidden");
    }
    // The others are no hosts: a zone, a percent sign.
    assert!(forbidden > spellings.len() / 2, "{forbidden}");
    let kept = get(server, "/broadcasts").await;
    assert_eq!(kept["broadcasts"], json!([]));
    assert_eq!(territory.trapped(), []);
    // What is wrong with them is the host alone.
    for scheme in ["rtmp", "rtmps", "srt"] {
        let target = target(scheme, "8.8.8.8");
        made(server, json!({ "target_url": target })).await;
    }
    let all = spellings.len();
    println!("{all} targets, {forbidden} read as an address and refused, 0 connections");
}

/// An address of a target, on a port that nothing else is asked at.
fn target(scheme: &str, host: &str) -> String {
    match scheme {
        "srt" => format!("srt://{host}:{SRT}"),
        "rtmps" => format!("rtmps://{host}:{INGEST}/live"),
        _ => format!("{scheme}://{host}/live"),
    }
}

/// Starts a broadcast to this host by this way out; its record.
async fn start(server: &TestServer, (scheme, way): (&str, Option<&str>), host: &str) -> Value {
    let fields = json!({
        "stream_source": "playlist_direct",
        "target_url": target(scheme, host),
        "stream_key": CANARY,
        "proxy": way,
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

/// Schemes and ways out in turn. SRT goes straight.
fn manners(has_srt: bool) -> Vec<(&'static str, Option<&'static str>)> {
    let schemes = ["rtmp", "rtmps", "srt"].into_iter();
    let schemes = schemes.filter(|scheme| has_srt || *scheme != "srt");
    let all = schemes.flat_map(|scheme| WAYS.map(|way| (scheme, way)));
    all.filter(|manner| *manner != ("srt", Some("bound")))
        .collect()
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
    let has_srt = has_srt().await;
    if !has_srt {
        skip("srt", "ffmpeg was built without it: targets by RTMP alone");
    }
    let manners = manners(has_srt);
    let addresses = spellings::addresses();
    let step = if is_long_form() { 1 } else { SHORT_FORM };
    let names = addresses.iter().step_by(step).zip(1..);
    let names = names.map(|(one, number)| spellings::name_of(one.address, number, FOREIGN));
    let names: Vec<String> = names.collect();
    let turning = (0..TURNS).map(|turn| format!("once-{turn}.{FOREIGN}"));
    let all: Vec<String> = names.iter().cloned().chain(turning).collect();
    let (server, asked) = (&territory.stage.server, &territory.asked);
    stream::iter(all.iter().zip(manners.iter().cycle()))
        .for_each_concurrent(AT_ONCE, |(host, manner)| async move {
            is_forbidden(server, &start(server, *manner, host).await).await;
            assert!(asked.count_of(host) >= 1, "{host}: not looked up");
        })
        .await;
    // Those that turn were public at first, and no more when the connection was made anew.
    for turn in 0..TURNS {
        let host = format!("once-{turn}.{FOREIGN}");
        assert!(asked.count_of(&host) >= 2, "{host}: never turned");
    }
    assert!(reached(&territory) >= TURNS, "each was reached once");
    assert_eq!(territory.trapped(), []);
    println!("{} names and {TURNS} that turn, 0 connections", names.len());
    assert_good_targets_are_dialled(&territory, &manners).await;
}

/// Connections and datagrams to targets at a public address so far.
fn reached(territory: &Territory) -> usize {
    let places = [INGEST, SRT].map(|port| SocketAddr::from((SITES, port)));
    places.map(|place| territory.reached_at(place)).iter().sum()
}

/// In the same manners a target that is public is dialled, one that is both at its public address alone, and one that the
/// operator allows wherever it lies.
async fn assert_good_targets_are_dialled(
    territory: &Territory,
    manners: &[(&'static str, Option<&'static str>)],
) {
    let server = &territory.stage.server;
    let plain = manners.iter().filter(|(_, way)| way.is_none());
    let good = manners.iter().map(|manner| ("good-0", manner));
    for (host, manner) in good.chain(plain.clone().map(|manner| ("both-0", manner))) {
        let before = reached(territory);
        let record = start(server, *manner, &format!("{host}.{FOREIGN}")).await;
        eventually("the public address is dialled", async || {
            (reached(territory) > before).then_some(())
        })
        .await;
        stop(server, &record).await;
    }
    assert_eq!(territory.trapped(), []);
    for manner in plain {
        territory.forget_trapped();
        let record = start(server, *manner, ALLOWED).await;
        eventually("the allowed target is dialled", async || {
            (!territory.trapped().is_empty()).then_some(())
        })
        .await;
        stop(server, &record).await;
    }
}

async fn stop(server: &TestServer, record: &Value) {
    let path = format!("{}/stop", route(record));
    let answer = ask(server, Method::POST, &path, None).await;
    assert!(answer.status.is_success(), "{}", answer.json());
    let path = format!("{}/status", route(record));
    eventually("the end", async || {
        let status = get(server, &path).await["status"].clone();
        ["stopped", "failed"]
            .iter()
            .any(|end| status == *end)
            .then_some(())
    })
    .await;
}

/// What a name leads to behind a proxy is the proxy's business: it is told the name, and nothing is looked up here but
/// the proxy, which lies where the operator says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_targets_are_left_to_a_proxy() {
    let name = "ssrf::targets::names_of_targets_are_left_to_a_proxy";
    let Some((territory, _gate)) = enter(name).await else {
        return;
    };
    let server = &territory.stage.server;
    let addresses = spellings::addresses();
    for (number, one) in addresses.iter().enumerate().step_by(2 * SHORT_FORM) {
        let host = spellings::name_of(one.address, number, FOREIGN);
        let place = number / (2 * SHORT_FORM);
        let scheme = ["rtmp", "rtmps"][place % 2];
        let (way, _) = PROXIES[place % PROXIES.len()];
        let record = start(server, (scheme, Some(way)), &host).await;
        let world = territory.stage.world();
        let what = format!("the proxy is asked for {host}");
        let authority = format!("{host}:{INGEST}");
        world
            .wait_for(&what, |traffic| traffic.tunnels.contains(&authority))
            .await;
        stop(server, &record).await;
    }
    let asked = territory.asked.all();
    let is_proxy = |name: &String| name == names::OWN_PROXY;
    assert!(asked.iter().all(is_proxy) && asked.len() == 1, "{asked:?}");
    assert_eq!(territory.trapped(), []);
}
