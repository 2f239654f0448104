//! Broadcasts by a way out that their record names: nothing of them goes any other way, and only its name is told.

use http::Method;
use serde_json::{Value, json};

use super::ahead::fat;
use super::{
    CANARY, LIST, SMALL, TOKEN, UPRIGHT, ask, film, grainy_film, has_ffmpeg, made, route, until,
    video,
};
use crate::broadcasts::{assert_error, get};
use crate::egress::Internet;
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::upstream::youtube::{Layout, Playlist, Refusal, Video, YouTube};
use crate::harness::upstream::{Fault, Rule, TunnelFault};
use crate::harness::{Builder, TestServer};

fn builder(internet: &Internet) -> Builder {
    internet
        .builder()
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env("STREAM_TEMP_DIR", "streams")
}

/// How often each way was taken.
fn asked(internet: &Internet) -> Vec<usize> {
    let upstreams = internet.upstreams.iter();
    upstreams
        .map(|(_, upstream)| upstream.world.records().len())
        .collect()
}

async fn is_refused(server: &TestServer, fields: Value) {
    let mut all = json!({"title": "T", "playlist_id": LIST});
    all.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let answer = ask(server, Method::POST, "/broadcasts", Some(all)).await;
    assert_error(&answer, 422, "invalid_field");
    assert_eq!(answer.json()["detail"][0]["loc"][1], "proxy");
}

#[tokio::test]
async fn list_is_read_by_the_way_that_is_named_and_no_other() {
    let internet = Internet::new(&["a", "b"]).await;
    for (_, upstream) in &internet.upstreams {
        YouTube::open(&upstream.world).playlist(Playlist::new(LIST, Layout::Classic, 3));
    }
    let server = builder(&internet).start().await;
    for proxy in ["c", "A", "direct"] {
        is_refused(&server, json!({ "proxy": proxy })).await;
    }
    let record = made(&server, json!({ "proxy": "b" })).await;
    assert_eq!(record["proxy"], "b");
    for _ in 0..3 {
        let fields = json!({"title": "T", "playlist_id": LIST, "proxy": "b"});
        let valid = ask(&server, Method::POST, "/broadcasts/validate", Some(fields)).await;
        assert_eq!(
            valid.json()["items"].as_array().map(Vec::len),
            Some(3),
            "{}",
            valid.json()
        );
    }
    let path = format!("{}/refresh", route(&record));
    assert_eq!(
        ask(&server, Method::POST, &path, None).await.json()["added"],
        3
    );
    assert_eq!(asked(&internet)[0], 0, "the other way was taken");
    let told = format!(
        "{record}{}",
        get(&server, &format!("{}/logs", route(&record))).await
    );
    let proxies = internet
        .upstreams
        .iter()
        .map(|(_, upstream)| upstream.proxy_url());
    assert!(
        proxies.into_iter().all(|url| !told.contains(&url)),
        "{told}"
    );
    internet.assert_well();
}

#[tokio::test]
async fn way_that_is_gone_is_told_at_the_start() {
    let internet = Internet::new(&["a", "b"]).await;
    let dir = tempfile::TempDir::new().unwrap();
    let database = dir.path().join("db").to_string_lossy().into_owned();
    let first = builder(&internet)
        .env("BROADCAST_DB", &database)
        .start()
        .await;
    let fields = json!({"proxy": "b", "target_url": "rtmp://a.example/live", "stream_key": CANARY});
    let record = made(&first, fields).await;
    first.stop().await;
    let less = internet.egress();
    let less = less.split(',').next().unwrap();
    let second = builder(&internet)
        .env("BROADCAST_DB", &database)
        .env("EGRESS", less)
        .start()
        .await;
    let answer = ask(
        &second,
        Method::POST,
        &format!("{}/start", route(&record)),
        None,
    )
    .await;
    assert_error(&answer, 422, "invalid_field");
    assert_eq!(get(&second, &route(&record)).await["status"], "created");
}

#[tokio::test]
async fn fallback_must_name_ways_out() {
    let internet = Internet::new(&["a"]).await;
    let (status, refusal) = builder(&internet)
        .env("BROADCAST_REGION_FALLBACK", "a,z")
        .run_to_end()
        .await;
    assert!(!status.success());
    assert!(
        refusal.contains("BROADCAST_REGION_FALLBACK") && refusal.contains("`z`"),
        "{refusal}"
    );
}

#[tokio::test]
async fn item_that_is_closed_there_comes_by_the_next_way_and_stays_on_it() {
    if !has_ffmpeg().await {
        return crate::harness::skip("ffmpeg", "ffmpeg is not installed");
    }
    let (internet, dir) = (
        Internet::new(&["a", "b", "c", "d"]).await,
        tempfile::tempdir().unwrap(),
    );
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let id = list.entries[0].id.clone();
    let file = film(SMALL, 3, dir.path()).await;
    for (name, upstream) in &internet.upstreams {
        let youtube = YouTube::open(&upstream.world);
        youtube.playlist(match *name {
            "c" | "d" => list.clone(),
            _ => list
                .clone()
                .alerting("This playlist is not available in your country."),
        });
        youtube.video(match *name {
            "d" => video(&id, file.clone(), 3),
            _ => Video::new(&id).refusing(Refusal::Country),
        });
    }
    let ingest = Ingest::start([Manner::Keep]);
    // A name that nobody but this proxy knows.
    let place = std::net::SocketAddr::from(([127, 0, 0, 1], ingest.port));
    let world = &internet.get("b").world;
    world.tunnel_fault("ingest.example", TunnelFault::Through(place));
    let server = builder(&internet)
        .env("BROADCAST_REGION_FALLBACK", "c,b,d")
        .start()
        .await;
    let record = made(&server, json!({
        "proxy": "b", "stream_source": "playlist_direct", "target_url": "rtmp://ingest.example/live", "stream_key": CANARY,
        "profile": {"width": 320, "height": 180, "video_kbps": 300, "preset": "ultrafast", "gop_s": 1},
    }))
    .await;
    ask(
        &server,
        Method::POST,
        &format!("{}/start", route(&record)),
        None,
    )
    .await;
    until(&server, &record, "the end", |status| {
        status["status"] == "stopped" || status["status"] == "failed"
    })
    .await;
    let items = get(&server, &format!("{}/items", route(&record))).await;
    assert_eq!(items["items"][0]["state"], "ok", "{items}");
    assert_eq!(ingest.publications()[0].key, CANARY);
    assert_eq!(asked(&internet)[0], 0, "a way was taken that nobody named");
    let tunnels = internet
        .get("b")
        .world
        .look(|traffic| traffic.tunnels.clone());
    assert!(
        tunnels.iter().any(|to| to == "ingest.example:1935"),
        "{tunnels:?}"
    );
    internet.assert_well();
}

#[tokio::test]
async fn way_that_rests_is_not_replaced_by_another_when_addresses_are_renewed() {
    if !has_ffmpeg().await {
        return crate::harness::skip("ffmpeg", "ffmpeg is not installed");
    }
    let internet = Internet::new(&["a", "b"]).await;
    let dir = tempfile::tempdir().unwrap();
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let file = grainy_film(UPRIGHT, 20, dir.path()).await;
    let sites: Vec<YouTube> = internet
        .upstreams
        .iter()
        .map(|(_, upstream)| YouTube::open(&upstream.world))
        .collect();
    for youtube in &sites {
        youtube.playlist(list.clone());
        youtube.video(video(&list.entries[0].id, file.clone(), 20));
    }
    let world = &internet.get("b").world;
    world.fault(Rule::path_prefix(
        "/videoplayback",
        Fault::Reset { at: 200_000 },
    ));
    let ingest = Ingest::start([Manner::Keep]);
    let place = std::net::SocketAddr::from(([127, 0, 0, 1], ingest.port));
    world.tunnel_fault("ingest.example", TunnelFault::Through(place));
    let server = builder(&internet).start().await;
    let record = made(&server, json!({
        "proxy": "b", "stream_source": "playlist_direct", "target_url": "rtmp://ingest.example/live", "stream_key": CANARY,
        "profile": fat(),
    }))
    .await;
    let path = format!("{}/start", route(&record));
    ask(&server, Method::POST, &path, None).await;
    until(&server, &record, "on air", |status| {
        status["status"] == "running"
    })
    .await;
    // The site turns this way away, and what it gave before is good no more.
    world.fault(Rule::path_prefix("/youtubei", Fault::RetryAfter("600")));
    sites[1].revoke();
    let items = format!("{}/items", route(&record));
    until(&server, &record, "the end of the item", |status| {
        status["faults"]["item_failures"].as_u64() >= Some(1) || status["status"] != "running"
    })
    .await;
    let item = get(&server, &items).await["items"][0].clone();
    assert_eq!(item["state"], "failed", "{item}");
    assert_eq!(asked(&internet)[0], 0, "another way was taken");
}
