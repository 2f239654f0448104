//! Short links: followed hop by hop inside the site, no further.

use crate::harness::upstream::tiktok::{Item, WWW, serve_short_link};
use crate::harness::upstream::{Answer, Page};
use crate::harness::{Stage, assert_refusal};

const ID: &str = "7524919459643919641";

/// Serves one hop of a short link.
fn redirect(stage: &Stage, from: &str, status: u16, to: &str) {
    let (host, path) = from.split_once('/').expect("a path");
    let page = Page::new(
        host,
        &format!("/{path}"),
        vec![Answer::redirect(status, to)],
    );
    stage.world().page(page);
}

#[tokio::test]
async fn each_kind_of_code_leads_to_its_post() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let target = format!("{url}?_r=1&_t=ZM-8abc");
    for (number, (posted, asked)) in [
        ("https://vm.tiktok.com/ZMone/", "vm.tiktok.com/ZMone/"),
        ("http://vm.tiktok.com/ZMtwo", "vm.tiktok.com/ZMtwo/"),
        ("https://vt.tiktok.com/ZSone/?k=1", "vt.tiktok.com/ZSone/"),
        ("https://www.tiktok.com/t/ZTone/", "www.tiktok.com/t/ZTone/"),
        ("https://tiktok.com/t/ZTtwo", "www.tiktok.com/t/ZTtwo/"),
        (
            "https://m.tiktok.com/t/ZTthree/",
            "www.tiktok.com/t/ZTthree/",
        ),
        ("vm.tiktok.com/ZMthree", "vm.tiktok.com/ZMthree/"),
    ]
    .into_iter()
    .enumerate()
    {
        let status = [301, 302, 303, 307, 308][number % 5];
        redirect(&stage, asked, status, &target);
        let answer = stage.post(posted).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["id"]),
            (200, &ID.into()),
            "{posted}"
        );
    }
    let pages = stage.world().look(|traffic| {
        let is_post = |target: &str| target.contains("/video/");
        traffic
            .to_host(WWW)
            .filter(|record| is_post(&record.target))
            .count()
    });
    assert_eq!(pages, 1, "the code leads to a post that is known already");
    stage.assert_well().await;
}

#[tokio::test]
async fn known_code_and_known_post_ask_for_nothing() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    serve_short_link(stage.world(), &["https://vm.tiktok.com/ZMonce/", &url]);
    let first = stage.post("https://vm.tiktok.com/ZMonce/").await;
    let asked = stage.world().records().len();
    let second = stage.post("https://vm.tiktok.com/ZMonce/").await;
    assert_eq!(
        (first.header("x-cache"), second.header("x-cache")),
        ("miss", "hit")
    );
    assert_eq!(stage.world().records().len(), asked);
}

#[tokio::test]
async fn chain_of_codes_is_followed() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::photo(ID, 1));
    let photo = url.replace("/video/", "/photo/");
    serve_short_link(
        stage.world(),
        &[
            "https://vm.tiktok.com/ZMchain/",
            "https://vt.tiktok.com/ZSchain/",
            "https://www.tiktok.com/t/ZTchain/",
            &photo,
        ],
    );
    let answer = stage.post("https://vm.tiktok.com/ZMchain/").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (200, &"picker".into())
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn target_in_a_small_body_counts_like_a_redirect() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let body = format!("<a href=\"{url}?_t=1&amp;_r=1\">Moved</a>");
    stage.world().page(Page::new(
        "vm.tiktok.com",
        "/ZMbody/",
        vec![Answer::html(body)],
    ));
    let answer = stage.post("https://vm.tiktok.com/ZMbody/").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["id"]),
        (200, &ID.into())
    );
}

#[tokio::test]
async fn dead_code_is_not_found() {
    let stage = Stage::new().await;
    redirect(
        &stage,
        "vm.tiktok.com/ZMdead/",
        301,
        "https://www.tiktok.com/",
    );
    redirect(
        &stage,
        "vm.tiktok.com/ZMlogin/",
        302,
        "https://www.tiktok.com/login?redirect_url=x",
    );
    stage.world().page(Page::new(
        "vm.tiktok.com",
        "/ZMgone/",
        vec![Answer::status(404)],
    ));
    for code in ["ZMdead", "ZMlogin", "ZMgone"] {
        assert_refusal(
            &stage.post(&format!("https://vm.tiktok.com/{code}/")).await,
            404,
            "not_found",
        );
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn code_of_something_else_is_named_as_such() {
    let stage = Stage::new().await;
    redirect(
        &stage,
        "vm.tiktok.com/ZMuser/",
        301,
        "https://www.tiktok.com/@harbour.keeper?_t=1",
    );
    redirect(
        &stage,
        "vm.tiktok.com/ZMlive/",
        301,
        "https://www.tiktok.com/@harbour.keeper/live",
    );
    assert_refusal(
        &stage.post("https://vm.tiktok.com/ZMuser/").await,
        400,
        "unsupported_url",
    );
    assert_refusal(
        &stage.post("https://vm.tiktok.com/ZMlive/").await,
        400,
        "live_unsupported",
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn code_that_leads_outside_is_not_followed() {
    let stage = Stage::new().await;
    for (number, target) in [
        "https://evil.example/@a/video/7524919459643919641",
        "http://127.0.0.1/?tiktok.com",
        "https://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://www.tiktok.com.evil.example/",
        "https://www.tiktok.com:8443/@a/video/7524919459643919641",
        "https://user@www.tiktok.com/@a/video/7524919459643919641",
        "ftp://www.tiktok.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
    ]
    .into_iter()
    .enumerate()
    {
        redirect(
            &stage,
            &format!("vm.tiktok.com/ZMout{number}/"),
            302,
            target,
        );
        let answer = stage
            .post(&format!("https://vm.tiktok.com/ZMout{number}/"))
            .await;
        assert_refusal(&answer, 502, "upstream_error");
    }
    let hosts = stage.world().look(|traffic| traffic.tunnels.clone());
    assert!(
        hosts.iter().all(|host| host == "vm.tiktok.com:443"),
        "{hosts:?}"
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn code_that_goes_round_is_given_up() {
    let stage = Stage::new().await;
    redirect(
        &stage,
        "vm.tiktok.com/ZMa/",
        301,
        "https://vm.tiktok.com/ZMb/",
    );
    redirect(
        &stage,
        "vm.tiktok.com/ZMb/",
        301,
        "https://vm.tiktok.com/ZMa/",
    );
    assert_refusal(
        &stage.post("https://vm.tiktok.com/ZMa/").await,
        502,
        "upstream_error",
    );
    assert!(
        stage.world().records().len() <= 10,
        "{}",
        stage.world().records().len()
    );
    stage.assert_well().await;
}
