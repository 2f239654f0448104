//! Broadcasts by a way out that their record names: nothing of them goes any other way, and only its name is told.

use http::Method;
use serde_json::{Value, json};

use super::ahead::fat;
use super::{CANARY, LIST, SMALL, UPRIGHT, ask, film, grainy_film, made, route, until, video};
use crate::broadcasts::abroad::{Abroad, builder};
use crate::broadcasts::{assert_error, get};
use crate::egress::Internet;
use crate::harness::upstream::youtube::{Layout, Playlist, Refusal, Video, YouTube};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Builder, TestServer};

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
    let by_the_other = internet.get("a").world.records().len();
    assert_eq!(by_the_other, 0, "the other way was taken");
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
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let Some(abroad) = Abroad::new(&["a", "b", "c", "d"], list).await else {
        return;
    };
    let file = film(SMALL, 3, abroad.dir.path()).await;
    for (name, youtube) in abroad.sites() {
        let list = abroad.list.clone();
        youtube.playlist(match name {
            "c" | "d" => list,
            _ => list.alerting("This playlist is not available in your country."),
        });
        youtube.video(match name {
            "d" => video(abroad.id(), file.clone(), 3),
            _ => Video::new(abroad.id()).refusing(Refusal::Country),
        });
    }
    let fallback = |builder: Builder| builder.env("BROADCAST_REGION_FALLBACK", "c,b,d");
    let (server, record) = abroad.start(fallback, json!({})).await;
    until(&server, &record, "the end", |status| {
        status["status"] == "stopped" || status["status"] == "failed"
    })
    .await;
    let items = get(&server, &format!("{}/items", route(&record))).await;
    assert_eq!(items["items"][0]["state"], "ok", "{items}");
    assert_eq!(abroad.ingest.publications()[0].key, CANARY);
    abroad.assert_no_other_way();
    let tunnels = abroad.world().look(|traffic| traffic.tunnels.clone());
    assert!(
        tunnels.iter().any(|to| to == "ingest.example:1935"),
        "{tunnels:?}"
    );
    abroad.internet.assert_well();
}

#[tokio::test]
async fn way_that_rests_is_not_replaced_by_another_when_addresses_are_renewed() {
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let Some(abroad) = Abroad::new(&["a", "b"], list).await else {
        return;
    };
    let file = grainy_film(UPRIGHT, 20, abroad.dir.path()).await;
    let sites = abroad.sites();
    for (_, youtube) in &sites {
        youtube.playlist(abroad.list.clone());
        youtube.video(video(abroad.id(), file.clone(), 20));
    }
    let cuts = Fault::Reset { at: 200_000 };
    abroad
        .world()
        .fault(Rule::path_prefix("/videoplayback", cuts));
    let (server, record) = abroad
        .start(|builder| builder, json!({ "profile": fat() }))
        .await;
    until(&server, &record, "on air", |status| {
        status["status"] == "running"
    })
    .await;
    // The site turns this way away, and what it gave before is good no more.
    let away = Fault::RetryAfter("600");
    abroad.world().fault(Rule::path_prefix("/youtubei", away));
    sites[1].1.revoke();
    let items = format!("{}/items", route(&record));
    until(&server, &record, "the end of the item", |status| {
        status["faults"]["item_failures"].as_u64() >= Some(1) || status["status"] != "running"
    })
    .await;
    let item = get(&server, &items).await["items"][0].clone();
    assert_eq!(item["state"], "failed", "{item}");
    abroad.assert_no_other_way();
}
