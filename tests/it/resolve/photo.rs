//! Photo posts: pictures in page order, a sound when there is one, no video.

use serde_json::{Value, json};

use super::body::assert_picker;
use crate::harness::upstream::tiktok::Item;
use crate::harness::{Stage, entry, text};

const ID: &str = "7524919459643919611";

#[tokio::test]
async fn pictures_are_listed_in_page_order_with_their_sound() {
    let stage = Stage::new().await;
    let body = stage.resolve(&Item::photo(ID, 3)).await;
    assert_picker(&body, &base(&stage));
    assert_eq!(
        (&body["title"], &body["duration"]),
        (&json!("A title of its own"), &json!(60_000))
    );
    assert_eq!(
        body["description"],
        "Morning light over the bay 🌊 #sea & sand"
    );
    assert_eq!(
        body["url"],
        format!("https://www.tiktok.com/@harbour.keeper/photo/{ID}")
    );
    for number in 1..=3 {
        let photo = &body["photos"][number - 1];
        assert!(
            text(photo, "/url").contains(&format!("picture-{number}~")),
            "{photo:#}"
        );
        assert!(
            text(photo, "/url").contains(".jpeg?"),
            "the one that every browser shows"
        );
        assert_eq!(
            (&photo["width"], &photo["height"]),
            (&json!(1080), &json!(1436))
        );
        let image = entry(&body, &format!("image-{number}"));
        assert_eq!(
            body["download_link"]["no_watermark"][number - 1],
            image["url"]
        );
    }
    assert_eq!(body["download_link"]["mp3"], entry(&body, "audio")["url"]);
    stage.assert_well().await;
}

#[tokio::test]
async fn each_link_gives_its_own_picture() {
    let stage = Stage::new().await;
    let item = Item::photo(ID, 3);
    let body = stage.resolve(&item).await;
    for number in 0..3 {
        let file = stage.file(
            &item,
            &format!("/imagePost/images/{number}/imageURL/urlList/0"),
        );
        let image = stage
            .api()
            .get(&text(
                &body,
                &format!("/download_link/no_watermark/{number}"),
            ))
            .await;
        assert_eq!(
            (image.status.as_u16(), image.sha256()),
            (200, file.payload.sha256())
        );
        assert_eq!(image.header("content-type"), "image/jpeg");
        assert_eq!(
            image.header("x-filename"),
            format!("harbour_keeper_{}.jpg", number + 1)
        );
    }
    let sound = stage.api().get(&text(&body, "/download_link/mp3")).await;
    assert_eq!(
        sound.sha256(),
        stage.file(&item, "/music/playUrl").payload.sha256()
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn silent_post_has_no_sound_links() {
    let stage = Stage::new().await;
    for (id, without) in [(ID, "/music/playUrl"), ("7524919459643919612", "/music")] {
        let body = stage.resolve(&Item::photo(id, 1).without(without)).await;
        assert_picker(&body, &base(&stage));
        assert!(body["download_link"].get("mp3").is_none(), "{without}");
        assert_eq!(body["audio"], "");
        assert!(body["download_link"]["no_watermark"].is_array());
    }
}

#[tokio::test]
async fn hundred_pictures_and_an_untitled_post_are_fine() {
    let stage = Stage::new().await;
    let item = Item::photo(ID, 100).with("/imagePost/title", "".into());
    let body = stage.resolve(&item).await;
    assert_picker(&body, &base(&stage));
    assert_eq!(body["photos"].as_array().map(Vec::len), Some(100));
    assert_eq!(body["title"], body["description"]);
}

#[tokio::test]
async fn jpeg_then_webp_is_preferred_over_heic() {
    let stage = Stage::new().await;
    let image = |ending: &str| {
        format!(
            "https://p16-sign-sg.tiktokcdn.com/tos-test-p-0037/a~b.{ending}?x-expires=4102444800"
        )
    };
    let list = |endings: &[&str]| -> Value { endings.iter().map(|ending| image(ending)).collect() };
    let item = Item::photo(ID, 2)
        .with(
            "/imagePost/images/0/imageURL/urlList",
            list(&["heic", "webp", "jpeg"]),
        )
        .with(
            "/imagePost/images/1/imageURL/urlList",
            list(&["heic", "webp"]),
        )
        .without("/imagePost/images/1/imageWidth");
    let body = stage.resolve(&item).await;
    assert_picker(&body, &base(&stage));
    assert_eq!(body["photos"][0]["url"], image("jpeg"));
    assert_eq!(body["photos"][1]["url"], image("webp"));
}

#[tokio::test]
async fn picture_without_any_address_takes_nothing_with_it() {
    let stage = Stage::new().await;
    let item = Item::photo(ID, 3).with("/imagePost/images/1/imageURL/urlList", json!([]));
    let body = stage.resolve(&item).await;
    assert_picker(&body, &base(&stage));
    assert_eq!(body["photos"].as_array().map(Vec::len), Some(2));
}

/// What links begin with when `BASE_URL` is not set.
fn base(stage: &Stage) -> String {
    stage.server.base().replace("127.0.0.1", "localhost")
}
