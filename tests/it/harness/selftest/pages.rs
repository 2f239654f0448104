//! Pages and endpoints, and everything that can come in their place.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{ID, client, fetch_page, get, text};
use crate::harness::api::fetch;
use crate::harness::tools::skip;
use crate::harness::upstream::tiktok::{
    AppApi, Challenge, DouyinDetail, Item, Post, captcha, gzip_bomb, login_redirect, maintenance,
    oversize, serve_douyin_share, serve_short_link, status_page,
};
use crate::harness::upstream::{Answer, Page, Request, Upstream, recorded};

#[tokio::test]
async fn pages_are_compressed_as_accepted() {
    let upstream = Upstream::start().await;
    let text = "a page ".repeat(1000);
    upstream.world.page(Page::new(
        "www.tiktok.com",
        "/p",
        vec![Answer::html(text.clone())],
    ));
    let ask = async |accept: &'static str| {
        fetch(get(&upstream, "https://www.tiktok.com/p").header("accept-encoding", accept)).await
    };
    let gzip = ask("gzip, deflate").await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&gzip.body[..]);
    std::io::Read::read_to_string(&mut decoder, &mut plain).expect("gzip");
    assert_eq!(plain, text);
    let brotli = ask("gzip, deflate, br").await;
    assert_eq!(brotli.header("content-encoding"), "br");
    let mut plain = Vec::new();
    brotli::BrotliDecompress(&mut &brotli.body[..], &mut plain).expect("brotli");
    assert_eq!(plain, text.as_bytes());
    assert_eq!(ask("identity").await.body, text);
}

#[test]
fn gzip_bomb_unpacks_to_zeros_with_a_good_checksum() {
    let answer = gzip_bomb(3);
    let request = Request {
        method: "GET".to_owned(),
        address: String::new(),
        host: String::new(),
        target: String::new(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
    };
    let bomb = answer.reply(&request).payload.whole();
    assert!(bomb.len() < 16 * 1024);
    let mut decoder = flate2::read::GzDecoder::new(&bomb[..]);
    let unpacked = std::io::copy(&mut decoder, &mut std::io::sink()).expect("gzip");
    assert_eq!(unpacked, 3 << 20);
}

#[tokio::test]
async fn challenge_is_lifted_once_by_the_exact_cookies() {
    let upstream = Upstream::start().await;
    let post = Post::new(&Item::video(ID)).behind(Challenge::solvable(73));
    let url = post.url();
    let page = text(&fetch_page(&upstream, post).await);
    assert!(page.contains("Please wait..."));
    let class = |id: &str| {
        let (_, rest) = page
            .split_once(&format!("id=\"{id}\" class=\""))
            .expect("element");
        rest.split('"').next().expect("class").to_owned()
    };
    let answer = solve(&class("cs"));
    let cookies = format!(
        "{}={answer}; {}={}",
        class("wci"),
        class("rci"),
        class("rs")
    );
    let incomplete = format!("{}={answer}", class("wci"));
    for (cookies, is_good) in [(&incomplete, false), (&cookies, true), (&cookies, false)] {
        let page = text(&fetch(get(&upstream, &url).header("cookie", cookies)).await);
        assert_eq!(page.contains("__UNIVERSAL_DATA"), is_good, "{cookies}");
        assert_eq!(page.contains("Please wait..."), !is_good, "{cookies}");
    }
}

fn solve(task: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    let mut task: serde_json::Value =
        serde_json::from_slice(&STANDARD_NO_PAD.decode(task).expect("base64")).expect("json");
    let part = |key: &str| {
        STANDARD
            .decode(task["v"][key].as_str().expect("text"))
            .expect("base64")
    };
    let (prefix, expected) = (part("a"), part("c"));
    let number = (0..=1_000_000_u32)
        .find(|n| {
            Sha256::new()
                .chain_update(&prefix)
                .chain_update(n.to_string())
                .finalize()[..]
                == expected
        })
        .expect("a solution");
    task["d"] = STANDARD.encode(number.to_string()).into();
    STANDARD.encode(task.to_string())
}

#[tokio::test]
async fn unsolvable_challenge_and_other_walls_are_told_apart() {
    let upstream = Upstream::start().await;
    let challenge = Challenge::unsolvable().without_return_cookie();
    let post = Post::new(&Item::video(ID)).behind(challenge).after(vec![
        status_page(10204, "item doesn't exist"),
        captcha(),
        maintenance(),
        login_redirect(),
        Answer::status(503),
        oversize(100_000),
    ]);
    let url = post.url();
    let mut seen = vec![fetch_page(&upstream, post).await];
    for _ in 0..6 {
        seen.push(fetch(get(&upstream, &url)).await);
    }
    let statuses: Vec<u16> = seen.iter().map(|page| page.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 302, 503, 200, 200]);
    assert!(text(&seen[0]).contains("\"statusCode\":10204"));
    assert!(text(&seen[1]).contains("captcha-verify-container"));
    assert!(text(&seen[2]).contains("Site Under Maintenance"));
    assert!(seen[3].header("location").contains("/login"));
    assert_eq!(seen[5].body.len(), 100_000);
    assert!(text(&seen[6]).contains("id=\"cs\"") && !text(&seen[6]).contains("id=\"rci\""));
}

#[tokio::test]
async fn short_link_leads_hop_by_hop() {
    let upstream = Upstream::start().await;
    let hops = [
        "https://vm.tiktok.com/ZMabc/",
        "https://www.tiktok.com/t/ZMabc/?_t=1",
        "https://www.tiktok.com/@a/video/1",
    ];
    serve_short_link(&upstream.world, &hops);
    for pair in hops.windows(2) {
        let hop = fetch(get(&upstream, pair[0])).await;
        assert_eq!(
            (hop.status.as_u16(), hop.header("location")),
            (301, pair[1])
        );
    }
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn app_and_douyin_endpoints_answer_those_who_ask_right() {
    let upstream = Upstream::start().await;
    let address =
        "https://v3-web.douyinvod.com/abc/65f0/video/tos/cn/file/?a=6383&mime_type=video_mp4";
    let aweme = json!({
        "aweme_id": ID,
        "video": { "play_addr": { "data_size": 1234, "url_list": [address] } },
    });
    DouyinDetail::WithHeaders(aweme.clone()).serve(&upstream.world);
    DouyinDetail::Filtered {
        id: "1".to_owned(),
        reason: "status_self_see",
    }
    .serve(&upstream.world);
    DouyinDetail::Empty { id: "2".to_owned() }.serve(&upstream.world);
    DouyinDetail::WithCookie(json!({ "aweme_id": "3" }), "ttwid").serve(&upstream.world);
    serve_douyin_share(&upstream.world, &aweme);
    let detail = |id: &str| {
        get(
            &upstream,
            &format!("https://www.douyin.com/aweme/v1/web/aweme/detail/?aweme_id={id}&aid=6383"),
        )
    };
    let recipe = detail(ID)
        .header("referer", "https://open.douyin.com/")
        .header("origin", "https://open.douyin.com")
        .header("sec-fetch-site", "same-site")
        .header("sec-fetch-mode", "cors")
        .header("sec-fetch-dest", "empty");
    assert_eq!(fetch(detail(ID)).await.body.len(), 0);
    assert_eq!(fetch(recipe).await.json()["aweme_detail"]["aweme_id"], ID);
    assert_eq!(
        fetch(detail("1")).await.json()["filter_detail"]["filter_reason"],
        "status_self_see"
    );
    assert_eq!(fetch(detail("2")).await.body.len(), 0);
    assert_eq!(fetch(detail("3")).await.body.len(), 0);
    assert_ne!(
        fetch(detail("3").header("cookie", "ttwid=1"))
            .await
            .body
            .len(),
        0
    );
    let share = fetch(get(
        &upstream,
        &format!("https://www.iesdouyin.com/share/video/{ID}/"),
    ))
    .await;
    assert!(text(&share).contains("window._ROUTER_DATA"));
    assert_eq!(fetch(get(&upstream, address)).await.status, 403);
    let file = get(&upstream, address).header("referer", "https://open.douyin.com/");
    assert_eq!(fetch(file).await.body.len(), 1234);

    let app = "https://api16-normal-c-useast1a.tiktokv.com/aweme/v1/multi/aweme/detail/?aid=0";
    AppApi::Refuses.serve(&upstream.world);
    let ask = || client(&upstream).post(app).body("aweme_ids=%5B1%5D");
    assert_eq!(fetch(ask()).await.body.len(), 0);
    AppApi::Knows(aweme).serve(&upstream.world);
    assert_eq!(
        fetch(ask()).await.json()["aweme_details"][0]["aweme_id"],
        ID
    );
    upstream.world.assert_no_unknown();
    let body = upstream.world.records().pop().expect("a record").body;
    assert_eq!(body, "aweme_ids=%5B1%5D");
}

#[tokio::test]
async fn every_recording_can_be_served() {
    let Some(folder) = recorded::folder() else {
        return skip("fixtures", "the folder with recordings is not there");
    };
    let rounds = recorded::rounds(&folder);
    let count: usize = rounds.iter().map(Vec::len).sum();
    assert!(count >= 48, "{count} recorded posts");
    assert!(recorded::douyin(&folder).len() >= 3);
    for round in rounds {
        let upstream = Upstream::start().await;
        for recorded in round {
            let (name, photo) = (recorded.name, recorded.post.is_photo());
            let page = fetch_page(&upstream, recorded.post).await;
            assert_eq!(page.status, 200, "{name}");
            assert_eq!(text(&page).contains("imagePost"), photo, "{name}");
        }
        upstream.world.assert_no_unknown();
    }
}
