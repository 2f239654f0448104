//! What is asked of the site and what is not: cache, single flight, fresh links.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::upstream::tiktok::{Item, Post, WWW, serve_short_link, status_page};
use crate::harness::upstream::{Fault, Gate, Page, Rule};
use crate::harness::{Api, Stage, assert_refusal, eventually, fetch};

const ID: &str = "7524919459643919651";

/// Returns when as many requests have asked for a post as `count`, whether or not they were answered.
async fn arrived(api: &Api, count: u64) {
    eventually("all have asked", async || {
        let cache = api.get("/health").await.json()["cache"].clone();
        let (hits, misses) = (cache["hits"].as_u64()?, cache["misses"].as_u64()?);
        (hits + misses == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn twenty_posts_at_once_ask_for_one_page() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let gate = Gate::new();
    stage
        .world()
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    let posts = join_all((0..20).map(|_| stage.post(&url)));
    let open = async {
        arrived(stage.api(), 20).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(posts, open);
    for answer in answers {
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["id"]),
            (200, &ID.into())
        );
    }
    assert_eq!(stage.pages_asked(), 1);
    stage.assert_well().await;
}

#[tokio::test]
async fn twenty_short_links_at_once_are_asked_for_once() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    serve_short_link(stage.world(), &["https://vm.tiktok.com/ZMmany/", &url]);
    let gate = Gate::new();
    stage
        .world()
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    let posts = join_all((0..20).map(|_| stage.post("https://vm.tiktok.com/ZMmany/")));
    let open = async {
        arrived(stage.api(), 20).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(posts, open);
    assert!(answers.iter().all(|answer| answer.status == 200));
    let asked = stage.world().records();
    assert_eq!(asked.len(), 2, "one hop, one page: {asked:#?}");
}

#[tokio::test]
async fn client_that_leaves_takes_nothing_from_those_who_wait() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let gate = Gate::new();
    stage
        .world()
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    let leaver = crate::harness::spawn({
        let api = stage.api().clone();
        let body = json!({ "url": url }).to_string();
        async move { api.post("/tiktok", &body).await }
    });
    stage
        .world()
        .wait_for("the page is asked for", |traffic| {
            !traffic.records.is_empty()
        })
        .await;
    leaver.abort();
    let stay = async { stage.post(&url).await };
    let open = async {
        arrived(stage.api(), 2).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(stay, open);
    assert_eq!(answer.status, 200);
    assert_eq!(stage.pages_asked(), 1);
}

#[tokio::test]
async fn second_post_is_a_hit_with_links_of_its_own() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let first = stage.post(&url).await;
    let asked = stage.world().records().len();
    let second = stage.post(&url).await;
    assert_eq!(
        (first.header("x-cache"), second.header("x-cache")),
        ("miss", "hit")
    );
    assert_eq!(
        stage.world().records().len(),
        asked,
        "nothing was asked for"
    );
    let (first, second) = (tokens(&first.json()), tokens(&second.json()));
    assert_eq!((first.len(), second.len()), (6, 6));
    assert!(
        first.iter().all(|token| !second.contains(token)),
        "links are sealed anew"
    );
}

fn tokens(body: &Value) -> Vec<String> {
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    entries
        .iter()
        .map(|entry| entry["streamData"].as_str().expect("a token").to_owned())
        .collect()
}

#[tokio::test]
async fn no_cache_asks_the_site_again() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    stage.post(&url).await;
    let changed = Item::video(ID).with("/desc", "another text".into());
    stage.serve(&changed);
    let cached = stage.post(&url).await;
    assert_ne!(cached.json()["title"], "another text");
    let request = json!({ "url": url, "no_cache": true }).to_string();
    let fresh = stage.api().post("/tiktok", &request).await;
    assert_eq!(
        (fresh.header("x-cache"), &fresh.json()["title"]),
        ("miss", &"another text".into())
    );
    let later = stage.post(&url).await;
    assert_eq!(
        (later.header("x-cache"), &later.json()["title"]),
        ("hit", &"another text".into())
    );
}

#[tokio::test]
async fn cache_can_be_switched_off() {
    let stage = Stage::with(|builder| builder.env("CACHE_TTL", "0")).await;
    let url = stage.serve(&Item::video(ID));
    for asked in 1..=3 {
        assert_eq!(stage.post(&url).await.header("x-cache"), "miss");
        assert_eq!(stage.pages_asked(), asked);
    }
}

#[tokio::test]
async fn missing_post_is_remembered_and_trouble_is_not() {
    let stage = Stage::new().await;
    let gone = "https://www.tiktok.com/@a/video/7524919459643919652";
    let page = Page::new(
        WWW,
        "/@a/video/7524919459643919652",
        vec![status_page(10204, "item doesn't exist")],
    );
    stage.world().page(page);
    for _ in 0..3 {
        assert_refusal(&stage.post(gone).await, 404, "not_found");
    }
    assert_eq!(stage.pages_asked(), 1);
    let url = stage.serve_post(Post::new(&Item::video(ID)).after(vec![status_page(10216, "")]));
    assert_refusal(&stage.post(&url).await, 403, "private");
    assert_eq!(stage.post(&url).await.status, 200, "it may be public now");
}

#[tokio::test]
async fn different_posts_are_resolved_side_by_side() {
    let stage = Stage::new().await;
    let gate = Gate::new();
    let held = stage.serve(&Item::video(ID));
    let free = stage.serve(&Item::video("7524919459643919653"));
    stage
        .world()
        .fault(Rule::address(&held, Fault::StallBeforeHead(gate.clone())));
    let waiting = stage.post(&held);
    let quick = async {
        let answer = stage.post(&free).await;
        gate.open();
        answer
    };
    let (waited, quick) = tokio::join!(waiting, quick);
    assert_eq!((waited.status.as_u16(), quick.status.as_u16()), (200, 200));
}

#[tokio::test]
async fn full_house_turns_further_extractions_away() {
    let stage = Stage::with(|builder| {
        builder
            .env("MAX_WORKERS", "1")
            .env("MAX_QUEUE", "0")
            .env("QUEUE_TIMEOUT", "0")
    })
    .await;
    let gate = Gate::new();
    let held = stage.serve(&Item::video(ID));
    let other = stage.serve(&Item::video("7524919459643919654"));
    stage
        .world()
        .fault(Rule::address(&held, Fault::StallBeforeHead(gate.clone())));
    let waiting = stage.post(&held);
    let turned_away = async {
        stage
            .world()
            .wait_for("the first is under way", |traffic| {
                !traffic.records.is_empty()
            })
            .await;
        let answer = stage.post(&other).await;
        let health = fetch(stage.api().request(http::Method::GET, "/health"))
            .await
            .json();
        gate.open();
        (answer, health)
    };
    let (waited, (busy, health)) = tokio::join!(waiting, turned_away);
    let body = assert_refusal(&busy, 503, "busy");
    assert!(
        (1..=10).contains(&body["retry_after"].as_u64().expect("seconds")),
        "{body:#}"
    );
    assert_eq!(
        (&health["workers"]["active"], &health["workers"]["max"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(waited.status, 200);
    assert_eq!(stage.post(&other).await.status, 200);
}
