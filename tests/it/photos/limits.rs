//! Few places: jobs and extractions leave each other room, and nothing is asked of a site before there is a place.

use http::Method;
use serde_json::json;

use super::sound::{NOT_MP3, assert_mp3, hold, link, serve, track};
use super::stage::{ID, Photos, first};
use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{address, assert_refusal, eventually, text};

async fn with_one_worker() -> Option<Photos> {
    Photos::with(|_, builder| {
        builder
            .env("MAX_WORKERS", "1")
            .env("MAX_QUEUE", "0")
            .env("QUEUE_TIMEOUT", "0")
    })
    .await
}

#[tokio::test]
async fn job_that_needs_an_extraction_gets_it_with_one_worker() {
    let Some(photos) = with_one_worker().await else {
        return;
    };
    let track = track(&photos, 3.0).await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    assert_eq!(photos.stage.api().head(&link).await.status, 200);
    let pages = photos.stage.pages_asked();
    // The address has expired when the encoder is to be fed.
    let expired = Rule::address(NOT_MP3, Fault::Status(403)).nth(1);
    photos.stage.world().fault(expired);
    assert_mp3(&photos.get(&link).await);
    assert_eq!(photos.stage.pages_asked(), pages + 1);

    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let silent = photos.serve("7524919459643919102", &[picture], None);
    let slideshow = photos.slideshow_link(&silent).await;
    let at = address(&silent, &first(0));
    let expired = Rule::address(&at, Fault::Status(403)).nth(1);
    photos.stage.world().fault(expired);
    assert_eq!(photos.get(&slideshow).await.status, 200);
    assert_eq!(photos.stage.pages_asked(), pages + 3);
}

#[tokio::test]
async fn slow_sound_leaves_room_for_extractions() {
    let Some(photos) = with_one_worker().await else {
        return;
    };
    let track = track(&photos, 30.0).await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    assert_eq!(photos.stage.api().head(&link).await.status, 200);
    let gate = hold(&photos, &track);
    let request = photos.stage.api().request(Method::GET, &link);
    let mut client = request.send().await.expect("an answer");
    client.chunk().await.expect("bytes").expect("more");
    let workers = async || photos.stage.api().get("/health").await.json()["workers"].take();
    assert_eq!(workers().await, json!({"max": 1, "active": 1}));
    let page = Gate::new();
    let stall = Fault::StallBeforeHead(page.clone());
    photos.stage.world().fault(Rule::host(WWW, stall));
    let pages = photos.stage.pages_asked();
    let both = async {
        let asked = async || (photos.stage.pages_asked() > pages).then_some(());
        eventually("the page is asked for", asked).await;
        // One of each kind, more than there are places for work.
        assert_eq!(workers().await, json!({"max": 1, "active": 2}));
        page.open();
    };
    let video = Item::video("7524919459643919103");
    tokio::join!(photos.stage.resolve(&video), both);
    drop(client);
    eventually("nothing runs", async || {
        (workers().await["active"] == 0).then_some(())
    })
    .await;
    gate.open();
}

#[tokio::test]
async fn jobs_that_wait_for_a_place_are_told() {
    let Some(photos) = Photos::with(|_, builder| builder.env("MAX_WORKERS", "1")).await else {
        return;
    };
    let track = track(&photos, 30.0).await;
    let link = link(&photos, &serve(&photos, &track)).await;
    let gate = hold(&photos, &track);
    let api = photos.stage.api();
    let mut first = api
        .request(Method::GET, &link)
        .send()
        .await
        .expect("an answer");
    first.chunk().await.expect("bytes").expect("more");
    let told = async {
        eventually("the second waits", async || {
            let health = photos.stage.api().get("/health").await.json();
            (health["queue"]["waiting"] == 1).then_some(())
        })
        .await;
        let page = photos.stage.api().get("/metrics").await.body;
        let page = String::from_utf8_lossy(&page);
        assert!(page.contains("serverrs_ffmpeg_waiting 1.0\n"), "{page}");
        gate.open();
        while first.chunk().await.expect("bytes").is_some() {}
    };
    let (second, ()) = tokio::join!(photos.get(&link), told);
    assert_eq!(second.status, 200);
}

#[tokio::test]
async fn archive_without_a_place_asks_the_site_for_nothing() {
    let photos = Photos::with(|_, builder| builder.env("MAX_STREAMS", "1").env("MAX_QUEUE", "0"));
    let Some(photos) = photos.await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, std::slice::from_ref(&picture), None);
    let other = photos.serve("7524919459643919102", &[picture], None);
    let at = address(&item, &first(0));
    let gate = Gate::new();
    let stall = Fault::StallBeforeHead(gate.clone());
    photos.stage.world().fault(Rule::address(&at, stall).nth(1));
    let image = text(
        &photos.resolve(&item).await,
        "/download_link/no_watermark/0",
    );
    let archive = text(&photos.resolve(&other).await, "/download_link/zip");
    let refused = async {
        photos
            .stage
            .world()
            .wait_for("the picture is asked for", |traffic| {
                traffic.of(&at).count() > 0
            })
            .await;
        assert_refusal(&photos.get(&archive).await, 503, "busy");
        let asked = photos.stage.world().count(&address(&other, &first(0)));
        assert_eq!(asked, 0);
        gate.open();
    };
    let (image, ()) = tokio::join!(photos.get(&image), refused);
    assert_eq!(image.status, 200);
}
