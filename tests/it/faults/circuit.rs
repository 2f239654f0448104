//! A site that is down is left alone for a while: its posts are an error at once, and what is known of it is served.

use http::Method;

use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Stage, assert_refusal, eventually, fetch, link};

/// Failed calls in a row after which no more are made.
const THRESHOLD: usize = 20;
/// Seconds without a call.
const PAUSE: u64 = 15;

/// Posts an address until it is refused without a call.
async fn post_until_refused(stage: &Stage, url: &str) {
    for _ in 0..THRESHOLD {
        let answer = stage.post(url).await;
        if answer.status == 503 {
            return;
        }
        assert_refusal(&answer, 502, "upstream_error");
    }
    panic!("still asked after {} calls", stage.pages_asked());
}

#[tokio::test]
async fn site_that_fails_again_and_again_is_left_alone_and_then_probed() {
    let stage = Stage::new().await;
    let (known, new) = (
        Item::video("7524919459643919001"),
        Item::video("7524919459643919002"),
    );
    let (known_url, url) = (stage.serve(&known), stage.serve(&new));
    let body = stage.api().resolve(&known_url).await;
    let before = stage.pages_asked();
    stage.world().fault(Rule::host(WWW, Fault::Status(503)));
    post_until_refused(&stage, &url).await;
    assert_eq!(stage.pages_asked() - before, THRESHOLD);

    let refused = stage.post(&url).await;
    assert_refusal(&refused, 503, "upstream_unavailable");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=PAUSE).contains(&wait), "{wait}");
    assert_eq!(stage.pages_asked() - before, THRESHOLD);
    // What is cached is served, and media are none of it.
    let again = stage.post(&known_url).await;
    assert_eq!(
        (again.status.as_u16(), again.header("x-cache")),
        (200, "hit")
    );
    let media = link(&body, "h264_720p_1490112");
    let part = stage
        .api()
        .request(Method::GET, &media)
        .header("range", "bytes=0-9");
    assert_eq!(fetch(part).await.status, 206);

    stage.world().clear_faults();
    eventually("the site is probed", async || {
        let answer = stage.post(&url).await;
        (answer.status == 200).then_some(())
    })
    .await;
    assert_eq!(stage.pages_asked() - before, THRESHOLD + 1);
    stage.world().assert_no_unknown();
}

#[tokio::test]
async fn site_that_refuses_is_no_site_that_fails() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video("7524919459643919003"));
    stage.world().fault(Rule::host(WWW, Fault::Status(403)));
    for _ in 0..=THRESHOLD {
        assert_refusal(&stage.post(&url).await, 503, "ip_blocked");
    }
    assert!(stage.pages_asked() > THRESHOLD);
}
