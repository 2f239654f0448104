//! A format chosen in the request: by its id, or by a selector.

use serde_json::{Value, json};

use super::{ID, Site, assert_file};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::youtube::{Track, Video};
use crate::harness::{Fetched, Stage, assert_refusal, entry, text};

impl Site {
    async fn choose(&self, route: &str, choice: Value) -> Fetched {
        self.youtube.video(Video::new(ID));
        let mut request = json!({ "url": Video::new(ID).url() });
        request
            .as_object_mut()
            .expect("an object")
            .extend(choice.as_object().expect("an object").clone());
        self.stage.api().post(route, &request.to_string()).await
    }
}

#[tokio::test]
async fn chosen_format_has_a_link_of_its_own() {
    let site = Site::new().await;
    for (choice, id) in [
        (json!({ "format_id": "136" }), "136"),
        (json!({ "selector": "ba[ext=m4a]" }), "140"),
        (
            json!({ "selector": "bv[height<=720][vcodec^=avc1]" }),
            "136",
        ),
        (json!({ "selector": "b[height<=720]/wa" }), "140"),
        (json!({ "selector": " (nothing/251) " }), "251"),
        (json!({ "selector": "bv[filesize<5M]" }), "136"),
    ] {
        for route in ["/resolve", "/tiktok"] {
            let answer = site.choose(route, choice.clone()).await;
            assert_eq!(answer.status, 200, "{choice}: {}", answer.json());
            let body = answer.json();
            assert_eq!(
                body["download_link"]["selected"],
                entry(&body, id)["url"],
                "{choice}"
            );
        }
    }
    let body = site
        .choose("/resolve", json!({ "selector": "ba[ext=m4a]" }))
        .await
        .json();
    let chosen = site.get(&text(&body, "/download_link/selected")).await;
    assert_file(&chosen, &Track::of(140, 213));
    site.assert_well().await;
}

#[tokio::test]
async fn request_without_a_choice_has_no_such_key() {
    let site = Site::new().await;
    for choice in [json!({}), json!({ "format_id": null, "selector": "" })] {
        let body = site.choose("/resolve", choice).await.json();
        assert!(body["download_link"].get("selected").is_none());
    }
}

#[tokio::test]
async fn selector_that_cannot_be_read_names_the_place() {
    let site = Site::new().await;
    for (selector, place) in [
        ("b[height<=x]", "position"),
        ("bv+", "position 3"),
        ("(b", "position 2"),
        ("b)", "position 1"),
        ("b[nonsense", "position"),
    ] {
        let answer = site
            .choose("/resolve", json!({ "selector": selector }))
            .await;
        let body = assert_refusal(&answer, 400, "invalid_selector");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains(place), "{selector}: {message}");
    }
    let long = "b/".repeat(2000);
    let answer = site.choose("/resolve", json!({ "selector": long })).await;
    assert_refusal(&answer, 400, "invalid_selector");
    let answer = site
        .choose("/resolve", json!({ "selector": "b", "format_id": "18" }))
        .await;
    assert_refusal(&answer, 422, "invalid_field");
    let records = site.stage.world().records();
    assert_eq!(
        records.len(),
        0,
        "nothing is asked for a request that can't be read"
    );
}

#[tokio::test]
async fn format_that_is_not_there_is_not_found() {
    let site = Site::new().await;
    for choice in [
        json!({ "format_id": "22" }),
        json!({ "format_id": "../140" }),
        json!({ "selector": "b[height>4000]" }),
        json!({ "selector": "ba[ext=flac]" }),
    ] {
        let answer = site.choose("/resolve", choice).await;
        assert_refusal(&answer, 404, "format_not_found");
    }
}

#[tokio::test]
async fn formats_of_the_other_site_are_chosen_the_same_way() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video("7524919459643919781"));
    let body = json!({ "url": url, "selector": "b[height<=700]/w" }).to_string();
    let answer = stage.api().post("/tiktok", &body).await;
    assert_eq!(answer.status, 200);
    let selected = text(&answer.json(), "/download_link/selected");
    assert_eq!(stage.api().head(&selected).await.status, 200);
    stage.assert_well().await;
}
