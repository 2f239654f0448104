//! Files: who gets them, which bytes of them, and where they come from.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ID, REFERER, client, fetch_page, get, play_address, set_cookie};
use crate::harness::api::fetch;
use crate::harness::upstream::tiktok::{Gear, Item, Post};
use crate::harness::upstream::{Fault, Media, Payload, Rule, Upstream, sha256_hex};

#[tokio::test]
async fn media_served_only_after_its_page_and_with_its_cookie() {
    let upstream = Upstream::start().await;
    let (item, other) = (Item::video(ID), Item::video("7524919459643919002"));
    for item in [&item, &other] {
        Post::new(item).serve(&upstream.world);
    }
    let address = play_address(&item);
    let ask = |cookie: &str| {
        get(&upstream, &address)
            .header("referer", REFERER)
            .header("cookie", cookie.to_owned())
    };
    assert_eq!(
        fetch(ask("tt_chain_token=x")).await.status,
        403,
        "no page yet"
    );

    let page = fetch(get(&upstream, &Post::new(&item).url())).await;
    let foreign = fetch(get(&upstream, &Post::new(&other).url())).await;
    let token = set_cookie(&page, "tt_chain_token");
    assert!(
        ["+", "/", "="].iter().all(|sign| token.contains(sign)),
        "{token}"
    );
    assert_ne!(token, set_cookie(&foreign, "tt_chain_token"));
    set_cookie(&page, "ttwid");
    set_cookie(&page, "tt_csrf_token");

    let foreign = format!("tt_chain_token={}", set_cookie(&foreign, "tt_chain_token"));
    assert_eq!(
        fetch(ask(&foreign)).await.status,
        403,
        "another page's cookie"
    );
    let good = format!("a=b; tt_chain_token={token}");
    let bare = get(&upstream, &address).header("cookie", good.clone());
    assert_eq!(fetch(bare).await.status, 403, "no referer");
    let refused = upstream.world.look(|traffic| traffic.refused.len());
    assert_eq!(refused, 3);

    let file = fetch(ask(&good)).await;
    assert_eq!(file.status, 200);
    assert_eq!(file.header("content-type"), "video/mp4");
    assert_eq!(
        file.sha256(),
        upstream.world.media_at(&address).payload.sha256()
    );
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn page_that_a_fault_replaced_hands_nothing_out() {
    let upstream = Upstream::start().await;
    let item = Item::video(ID);
    let post = Post::new(&item);
    upstream
        .world
        .fault(Rule::address(&post.url(), Fault::Status(503)).first(1));
    let music = item.json()["music"]["playUrl"].as_str().expect("address");
    assert_eq!(fetch_page(&upstream, post).await.status, 503);
    assert_eq!(fetch(get(&upstream, music)).await.status, 403);
    assert_eq!(fetch_page(&upstream, Post::new(&item)).await.status, 200);
    assert_eq!(fetch(get(&upstream, music)).await.status, 200);
}

#[tokio::test]
async fn every_page_answer_sets_another_token_and_old_ones_stay_good() {
    let upstream = Upstream::start().await;
    let item = Item::video(ID);
    let post = Post::new(&item);
    let url = post.url();
    post.serve(&upstream.world);
    let mut tokens = Vec::new();
    for user in ["@harbour.keeper", "@_", "@"] {
        let page = fetch(get(&upstream, &url.replace("@harbour.keeper", user))).await;
        tokens.push(set_cookie(&page, "tt_chain_token"));
    }
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    for token in tokens {
        let file = get(&upstream, &play_address(&item))
            .header("referer", REFERER)
            .header("cookie", format!("tt_chain_token={token}"));
        assert_eq!(fetch(file).await.status, 200);
    }
}

#[tokio::test]
async fn address_that_differs_in_one_byte_is_unknown_and_fails_the_test() {
    let upstream = Upstream::start().await;
    let item = Item::video(ID);
    let post = Post::new(&item);
    fetch_page(&upstream, post).await;
    for altered in [
        play_address(&item).replace("&&bt=", "&bt="),
        play_address(&item).replace("%7C", "|"),
    ] {
        assert_eq!(fetch(get(&upstream, &altered)).await.status.as_u16(), 599);
    }
    assert_eq!(upstream.world.look(|traffic| traffic.unknown.len()), 2);
    let world = upstream.world.clone();
    let failed = std::panic::catch_unwind(move || world.assert_no_unknown());
    assert!(failed.is_err());
}

#[tokio::test]
async fn music_and_images_need_no_cookie_and_mirrors_have_the_same_bytes() {
    let upstream = Upstream::start().await;
    let item = Item::video(ID);
    fetch_page(&upstream, Post::new(&item)).await;
    let json = item.json();
    let text = |pointer: &str| {
        json.pointer(pointer)
            .and_then(|v| v.as_str())
            .expect("address")
    };
    for (pointer, content_type) in [
        ("/music/playUrl", "audio/mpeg"),
        ("/author/avatarThumb", "image/jpeg"),
        ("/video/originCover", "image/jpeg"),
    ] {
        let file = fetch(get(&upstream, text(pointer))).await;
        assert_eq!(
            (file.status, file.header("content-type")),
            (StatusCode::OK, content_type)
        );
    }
    let sum = |pointer: &str| upstream.world.media_at(text(pointer)).payload.sha256();
    let mirrors = "/video/bitrateInfo/1/PlayAddr/UrlList";
    assert_eq!(sum(&format!("{mirrors}/0")), sum(&format!("{mirrors}/1")));
    assert_eq!(sum(&format!("{mirrors}/0")), sum("/video/playAddr"));
    assert_ne!(
        sum(&format!("{mirrors}/0")),
        sum("/video/bitrateInfo/0/PlayAddr/UrlList/0")
    );
    assert_ne!(sum("/video/playAddr"), sum("/video/downloadAddr"));
    let size = upstream
        .world
        .media_at(text("/video/playAddr"))
        .payload
        .len();
    assert_eq!(
        size.to_string(),
        text("/video/bitrateInfo/1/PlayAddr/DataSize")
    );
}

#[tokio::test]
async fn item_takes_gears_and_edits() {
    let gear = Gear {
        name: "normal_360_0",
        codec: "h264",
        width: 360,
        height: 640,
        bitrate: 300_000,
        size: 1_001,
    };
    let item = Item::video(ID)
        .with_gears(&[gear])
        .with("/author/nickname", "Other".into())
        .without("/video/downloadAddr");
    let json = item.json();
    assert_eq!(
        json["video"]["bitrateInfo"].as_array().map(Vec::len),
        Some(1)
    );
    let key = format!("v{ID}_h264_360p_300000");
    assert_eq!(
        json.pointer("/video/bitrateInfo/0/PlayAddr/UrlKey"),
        Some(&key.into())
    );
    assert_eq!(
        (&json["author"]["nickname"], &json["video"]["downloadAddr"]),
        (&"Other".into(), &json!(null))
    );
}

#[tokio::test]
async fn ranges_follow_rfc_9110() {
    let upstream = Upstream::start().await;
    let address = "http://cdn.test/file";
    let media = Media::of(Payload::Bytes("0123456789".into()), "video/mp4");
    let (etag, date) = (media.etag.clone(), media.last_modified.clone());
    upstream.world.media(address, media);
    upstream.world.hand_out(address);
    let ask = async |range: &str, if_range: Option<&str>| {
        let mut request = get(&upstream, address).header("range", range);
        if let Some(condition) = if_range {
            request = request.header("if-range", condition);
        }
        let file = fetch(request).await;
        let range = file.header("content-range").to_owned();
        (
            file.status.as_u16(),
            range,
            String::from_utf8_lossy(&file.body).into_owned(),
        )
    };
    let part = |range: &str, body: &str| (206, format!("bytes {range}/10"), body.to_owned());
    let whole = || (200, String::new(), "0123456789".to_owned());
    for (range, expected) in [
        ("bytes=2-4", part("2-4", "234")),
        ("bytes=7-", part("7-9", "789")),
        ("bytes=8-99", part("8-9", "89")),
        ("bytes=-3", part("7-9", "789")),
        ("bytes=-99", part("0-9", "0123456789")),
        ("bytes=10-", (416, "bytes */10".to_owned(), String::new())),
        ("bytes=-0", (416, "bytes */10".to_owned(), String::new())),
        ("bytes=5-4", whole()),
        ("bytes=0-1,3-4", whole()),
        ("lines=1-2", whole()),
    ] {
        assert_eq!(ask(range, None).await, expected, "{range}");
    }
    assert_eq!(ask("bytes=2-4", Some(&etag)).await, part("2-4", "234"));
    assert_eq!(ask("bytes=2-4", Some(&date)).await, part("2-4", "234"));
    assert_eq!(ask("bytes=2-4", Some("\"other\"")).await, whole());

    let head = fetch(client(&upstream).request(Method::HEAD, address)).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-length")),
        (200, "10")
    );
    assert_eq!(
        (head.header("etag"), head.header("last-modified")),
        (&*etag, &*date)
    );
    assert_eq!(
        (head.header("accept-ranges"), head.body.len()),
        ("bytes", 0)
    );
}

#[test]
fn random_payload_slices_agree_with_the_whole() {
    let payload = Payload::Random {
        seed: 7,
        length: 1000,
    };
    let whole = payload.whole();
    assert_eq!(whole.len(), 1000);
    for range in [0..1, 3..11, 8..16, 5..1000, 999..1000, 17..17] {
        let expected =
            &whole[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert_eq!(payload.slice(range.clone()), expected, "{range:?}");
    }
    assert_ne!(
        sha256_hex(&whole),
        Payload::Random {
            seed: 8,
            length: 1000
        }
        .sha256()
    );
}
