//! What instances with one Redis do for each other.

use crate::harness::upstream::tiktok::WWW;
use crate::harness::upstream::youtube::{Video, YouTube};
use crate::harness::upstream::{Fault, Gate, Rule, Upstream};
use crate::harness::{KEY, TestServer, eventually, link};

use super::redis::{PASSWORD, Redis};
use super::{instance, instances, serve, wait_for_redis};

fn pages(upstream: &Upstream) -> usize {
    upstream.world.look(|traffic| traffic.to_host(WWW).count())
}

#[tokio::test]
async fn extraction_of_one_instance_is_served_by_the_other() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let servers = instances(&upstream, &redis, ["a", "b"]).await;
    let url = serve(&upstream, 1);
    let (_, headers, ours) = servers[0].api().post_tiktok(&url).await;
    assert_eq!(headers["x-cache"], "miss");
    let (status, headers, theirs) = servers[1].api().post_tiktok(&url).await;
    assert_eq!(
        (status.as_u16(), headers["x-cache"].to_str().ok()),
        (200, Some("hit"))
    );
    assert_eq!((pages(&upstream), &ours["title"]), (1, &theirs["title"]));
    for body in [&ours, &theirs] {
        let link = link(body, "h264_720p_1490112");
        let path = &link[link.find("/stream?").expect("a link")..];
        for server in &servers {
            let fetched = server.api().get(path).await;
            assert_eq!((fetched.status.as_u16(), fetched.is_whole), (200, true));
        }
    }
    assert_eq!(pages(&upstream), 1);
    upstream.world.assert_no_unknown();
    let health = servers[1].api().get("/health").await.json();
    assert_eq!(
        health["redis"],
        serde_json::json!({"status": "connected", "caching_enabled": true})
    );
    assert_eq!(health["cache"]["hits"], 1);
    // What lies there is closed to whoever has no key, and so is the log to whoever has no password.
    let keys = redis.keys().await;
    assert_eq!(keys, ["srs:1:post:tiktok:7524919459643960001"]);
    let value = redis.ask(&["GET", &keys[0]]).await;
    for part in ["https", "tt_chain_token", "tiktok", KEY] {
        assert!(
            !value
                .windows(part.len())
                .any(|window| window == part.as_bytes()),
            "{part}"
        );
    }
    let lives = String::from_utf8(redis.ask(&["PTTL", &keys[0]]).await).expect("a number");
    let lives: u64 = lives.trim().parse().expect("a number");
    assert!((1..=300_000).contains(&lives), "{lives}");
    assert!(
        servers
            .iter()
            .all(|server| !server.logs().contains(PASSWORD))
    );
}

#[tokio::test]
async fn many_instances_ask_the_site_once() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let mut servers = instances(&upstream, &redis, ["a", "b"]).await;
    let url = serve(&upstream, 2);
    let gate = Gate::new();
    upstream
        .world
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    let (first, second) = (servers[0].api().clone(), servers[1].api().clone());
    let (one, other) = (url.clone(), url.clone());
    let one = crate::harness::spawn(async move { first.resolve(&one).await });
    upstream
        .world
        .wait_for("the page is asked for", |traffic| {
            !traffic.records.is_empty()
        })
        .await;
    let other = crate::harness::spawn(async move { second.resolve(&other).await });
    servers[1]
        .wait_for_log("another instance asks the site")
        .await;
    gate.open();
    let (one, other) = (one.await.expect("one"), other.await.expect("other"));
    assert_eq!((pages(&upstream), &one["id"]), (1, &other["id"]));
    eventually("the lock is given back", async || {
        let keys = redis.keys().await;
        keys.iter().all(|key| !key.ends_with(":lock")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn instance_that_dies_with_a_lock_costs_one_more_extraction() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let server = |name| instance(&upstream, name, &redis.url()).env("YTDLP_TIMEOUT", "5");
    let (mut first, second) = (server("a").start().await, server("b").start().await);
    wait_for_redis(&first, "connected").await;
    wait_for_redis(&second, "connected").await;
    let url = serve(&upstream, 3);
    let gate = Gate::new();
    upstream
        .world
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate)).nth(1));
    let (api, asked) = (first.api().clone(), url.clone());
    let lost = crate::harness::spawn(async move {
        let body = serde_json::json!({ "url": asked }).to_string();
        let request = api.request(http::Method::POST, "/tiktok").body(body);
        crate::harness::try_fetch(request).await.is_err()
    });
    upstream
        .world
        .wait_for("the page is asked for", |traffic| {
            !traffic.records.is_empty()
        })
        .await;
    first.signal("KILL").await;
    first.wait().await;
    assert!(lost.await.expect("a request"), "its own client has lost it");
    second.api().resolve(&url).await;
    assert_eq!(pages(&upstream), 2);
}

#[tokio::test]
async fn what_others_write_there_is_no_extraction() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let servers = instances(&upstream, &redis, ["a", "b"]).await;
    let urls: Vec<String> = (10..15).map(|number| serve(&upstream, number)).collect();
    for url in &urls {
        servers[0].api().resolve(url).await;
    }
    let keys = redis.keys().await;
    assert_eq!((keys.len(), pages(&upstream)), (5, 5));
    redis
        .ask(&["SET", &keys[0], "{\"at\":1,\"extraction\":{}}"])
        .await;
    // Another post's value, sealed by one of us, but for its own place.
    redis.ask(&["COPY", &keys[2], &keys[1], "REPLACE"]).await;
    redis.ask(&["SETRANGE", &keys[2], "40", "X"]).await;
    redis.ask(&["SETRANGE", &keys[3], "9000000", "X"]).await;
    redis.ask(&["DEL", &keys[4]]).await;
    redis.ask(&["RPUSH", &keys[4], "a", "list"]).await;
    for url in &urls {
        let body = servers[1].api().resolve(url).await;
        let id = url.rsplit('/').next().expect("an id");
        assert_eq!(body["id"], id);
    }
    assert_eq!(pages(&upstream), 10, "each was asked for");
    let health = servers[1].api().get("/health").await.json();
    assert_eq!(health["redis"]["status"], "connected");
}

#[tokio::test]
async fn key_of_another_house_opens_nothing() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let server = instances(&upstream, &redis, ["a"]).await.remove(0);
    let stranger = instance(&upstream, "b", &redis.url())
        .env("ENCRYPTION_KEY", "another-key-for-tests-Wn5yTqR7bKc2")
        .start()
        .await;
    wait_for_redis(&stranger, "connected").await;
    let url = serve(&upstream, 20);
    server.api().resolve(&url).await;
    stranger.api().resolve(&url).await;
    assert_eq!(pages(&upstream), 2);
}

/// Addresses of this site answer only to the one who asked for them.
#[tokio::test]
async fn addresses_that_are_bound_are_shared_by_those_of_the_same_way_out() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let site = YouTube::open(&upstream.world);
    site.video(Video::new("mErG0zQ1egC"));
    let url = "https://www.youtube.com/watch?v=mErG0zQ1egC";
    let players = || {
        upstream.world.look(|traffic| {
            let records = traffic.records.iter();
            records
                .filter(|record| record.target.contains("/player"))
                .count()
        })
    };
    let apart = instances(&upstream, &redis, ["a", "b"]).await;
    apart[0].api().resolve(url).await;
    let first = players();
    apart[1].api().resolve(url).await;
    assert_eq!(players(), 2 * first, "not by another instance");
    let way = format!("home={}", upstream.proxy_url());
    let mut together = Vec::new();
    for name in ["c", "d"] {
        let server = instance(&upstream, name, &redis.url())
            .without("PROXY")
            .env("EGRESS", &way)
            .start()
            .await;
        wait_for_redis(&server, "connected").await;
        together.push(server);
    }
    together[0].api().resolve(url).await;
    assert_eq!(players(), 3 * first);
    let body = together[1].api().resolve(url).await;
    assert_eq!(players(), 3 * first, "the same way out");
    let sound = together[1].api().get(&link(&body, "140")).await;
    assert_eq!((sound.status.as_u16(), sound.is_whole), (200, true));
}

/// What a way out was told stays with that way, at whichever instance.
#[tokio::test]
async fn extraction_stays_with_the_way_out_that_it_took() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let leaving_by = async |instance_id: &str, ways: &[&str]| {
        let ways: Vec<String> = ways
            .iter()
            .map(|way| format!("{way}={}", upstream.proxy_url()))
            .collect();
        let server = instance(&upstream, instance_id, &redis.url())
            .without("PROXY")
            .env("EGRESS", &ways.join(","))
            .start()
            .await;
        wait_for_redis(&server, "connected").await;
        server
    };
    let told = async |server: &TestServer, url: &str| {
        let (status, headers, body) = server.api().post_tiktok(url).await;
        assert_eq!(status, 200, "{body:#}");
        headers["x-cache"].to_str().expect("text").to_owned()
    };
    let first = leaving_by("a", &["one"]).await;
    let other = leaving_by("b", &["two"]).await;
    let same = leaving_by("c", &["one"]).await;
    let both = leaving_by("d", &["three", "two", "one"]).await;
    let unnamed = instances(&upstream, &redis, ["e"]).await.remove(0);
    let url = serve(&upstream, 40);
    assert_eq!(told(&first, &url).await, "miss");
    assert_eq!(told(&same, &url).await, "hit");
    assert_eq!(told(&both, &url).await, "hit", "it has that way as well");
    assert_eq!(pages(&upstream), 1);
    assert_eq!(told(&other, &url).await, "miss");
    assert_eq!(told(&unnamed, &url).await, "miss");
    assert_eq!(pages(&upstream), 3);
    // And its links name it.
    let (_, _, body) = both.api().post_tiktok(&url).await;
    let path = link(&body, "h264_720p_1490112");
    let path = &path[path.find("/stream?").expect("a link")..];
    for server in [&both, &first, &other] {
        assert_eq!(server.api().get(path).await.status, 200);
    }
}

#[tokio::test]
async fn redis_with_tls_is_trusted_by_the_operators_root_only() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let Some(redis) = Redis::start_with_tls(&certificate, &key).await else {
        return;
    };
    let upstream = Upstream::start().await;
    let root = std::fs::read_to_string(upstream.ca_file()).expect("a root");
    let server = instance(&upstream, "a", &redis.url())
        .file("roots.pem", &format!("{root}\n{certificate}"))
        .env("EXTRA_CA_FILE", "roots.pem")
        .start()
        .await;
    wait_for_redis(&server, "connected").await;
    let stranger = instance(&upstream, "b", &redis.url()).start().await;
    wait_for_redis(&stranger, "error").await;
    stranger.api().resolve(&serve(&upstream, 30)).await;
    assert!(!stranger.logs().contains("Redis connected"));
}
