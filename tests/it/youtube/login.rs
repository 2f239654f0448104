//! An operator's account: its proof, and what embedded players need.

use super::{ID, Site, assert_file};
use crate::harness::Builder;
use crate::harness::link;
use crate::harness::upstream::Record;
use crate::harness::upstream::youtube::{Refusal, Track, Video, flags_for};

const COOKIES: &str = "# Netscape HTTP Cookie File\n\
    .youtube.com\tTRUE\t/\tTRUE\t4102444800\tLOGIN_INFO\tcanary-info\n\
    .youtube.com\tTRUE\t/\tTRUE\t4102444800\tSAPISID\tcanary-sapisid\n";

fn logged_in(builder: Builder) -> Builder {
    builder.file("cookies/www.youtube.com_cookies.txt", COOKIES)
}

fn pages(site: &Site, path: &str) -> Vec<Record> {
    let mut records = site.stage.world().records();
    records.retain(|record| record.method == "GET" && record.target.starts_with(path));
    records
}

#[tokio::test]
async fn account_of_the_cookies_is_asked_for_once_and_proved() {
    // The simulated site refuses a login without the account in its proof.
    let site = Site::with(logged_in).await;
    for id in [ID, "harbour0002"] {
        let body = site.resolve(Video::new(id)).await;
        assert_eq!(body["id"], id);
    }
    let homes = pages(&site, "/")
        .into_iter()
        .filter(|record| record.target == "/");
    assert_eq!(homes.count(), 1);
    let told = site.stage.server.logs();
    assert!(
        !told.contains("canary") && !told.contains("SAPISIDHASH"),
        "{told}"
    );
    site.assert_well().await;
}

#[tokio::test]
async fn embedded_player_is_the_first_with_a_login_and_sends_the_flags_of_its_page() {
    let site = Site::with(logged_in).await;
    let body = site.resolve(Video::new(ID)).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    assert_flags(&site);
    assert_eq!(pages(&site, &format!("/embed/{ID}")).len(), 1);
    site.assert_well().await;
}

#[tokio::test]
async fn embedded_player_sends_the_flags_of_its_page_without_a_login_too() {
    let site = Site::new().await;
    let video = ["VISIONOS", "TVHTML5"]
        .into_iter()
        .fold(Video::new(ID), |video, client| {
            video.refusing_client(client, Refusal::NotAvailable)
        });
    let body = site.resolve(video).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    assert_flags(&site);
    let page = pages(&site, "/embed/")
        .pop()
        .expect("the page of the player");
    assert_eq!(page.header("referer"), Some("https://www.reddit.com/"));
    site.assert_well().await;
}

/// The flags in the request are those of the visitor that it names.
fn assert_flags(site: &Site) {
    let records = site.stage.world().records();
    let asked = records.iter().find(|record| {
        record.header("x-youtube-client-name") == Some("56") && record.target.contains("/player")
    });
    let asked = asked.expect("the embedded player was asked");
    let body: serde_json::Value = serde_json::from_slice(&asked.body).expect("JSON");
    let flags = &body["playbackContext"]["contentPlaybackContext"]["encryptedHostFlags"];
    let visitor = asked.header("x-goog-visitor-id").expect("a visitor id");
    assert_eq!(flags, &flags_for(visitor));
}
