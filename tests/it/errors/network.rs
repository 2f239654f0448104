//! A way out that doesn't lead out: time-outs, a dead proxy, broken TLS, broken answers.

use tokio::net::TcpListener;

use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::{Fault, Gate, Rule, TunnelFault};
use crate::harness::{Builder, Stage, assert_refusal, text};

const ID: &str = "7524919459643919831";

#[tokio::test]
async fn slow_page_is_a_timeout_that_names_its_limit() {
    let stage = Stage::with(|builder| builder.env("EXTRACT_TIMEOUT", "1")).await;
    let url = stage.serve(&Item::video(ID));
    let gate = Gate::new();
    stage
        .world()
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    let body = assert_refusal(&stage.post(&url).await, 504, "upstream_timeout");
    assert_eq!(body["message"], "Request timeout after 1 seconds");
    stage.world().clear_faults();
    gate.open();
    assert_eq!(
        stage.post(&url).await.status,
        200,
        "the place is free again"
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn page_that_stops_halfway_and_slow_short_links_are_timeouts() {
    let stage = Stage::with(|builder| builder.env("YTDLP_TIMEOUT", "1")).await;
    let url = stage.serve(&Item::video(ID));
    let gate = Gate::new();
    stage.world().fault(Rule::host(
        WWW,
        Fault::Stall {
            at: 100,
            gate: gate.clone(),
        },
    ));
    stage.world().fault(Rule::host(
        "vm.tiktok.com",
        Fault::StallBeforeHead(gate.clone()),
    ));
    let (page, code) = tokio::join!(
        stage.post(&url),
        stage.post("https://vm.tiktok.com/ZMslow/")
    );
    assert_refusal(&page, 504, "upstream_timeout");
    assert_refusal(&code, 504, "upstream_timeout");
}

#[tokio::test]
async fn media_that_never_begins_is_a_timeout() {
    let stage = Stage::with(|builder| builder.env("STREAM_IDLE_TIMEOUT", "1")).await;
    let item = Item::photo(ID, 1);
    let body = stage.resolve(&item).await;
    let gate = Gate::new();
    stage.world().fault(Rule::host(
        "v77.tiktokcdn.com",
        Fault::Stall {
            at: 0,
            gate: gate.clone(),
        },
    ));
    assert_refusal(
        &stage.api().get(&text(&body, "/download_link/mp3")).await,
        504,
        "upstream_timeout",
    );
    gate.open();
    stage.assert_well().await;
}

#[tokio::test]
async fn proxy_that_is_down_is_an_upstream_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let proxy = format!("http://user:proxy-canary@{address}");
    let server = Builder::offline().env("PROXY", &proxy).start().await;
    let request = format!("{{\"url\":\"https://{WWW}/@user/video/{ID}\"}}");
    assert_refusal(
        &server.api().post("/tiktok", &request).await,
        502,
        "upstream_error",
    );
    assert_eq!(server.api().get("/health").await.status, 200);
    assert!(!server.logs().contains("proxy-canary"), "{}", server.logs());
}

#[tokio::test]
async fn tunnel_or_certificate_that_is_wrong_is_an_upstream_error() {
    for fault in [
        TunnelFault::Refused(403),
        TunnelFault::Refused(407),
        TunnelFault::Refused(502),
        TunnelFault::Closed,
        TunnelFault::WrongName,
        TunnelFault::Expired,
        TunnelFault::UnknownCa,
    ] {
        let stage = Stage::new().await;
        let url = stage.serve(&Item::video(ID));
        stage.world().tunnel_fault(WWW, fault.clone());
        assert_refusal(&stage.post(&url).await, 502, "upstream_error");
        assert_eq!(
            stage.pages_asked(),
            0,
            "{fault:?}: nothing is said to a stranger"
        );
        stage.assert_well().await;
    }
}

#[tokio::test]
async fn page_that_is_no_http_or_breaks_off_is_an_upstream_error() {
    let stage = Stage::new().await;
    for (number, fault) in [
        Fault::CloseBeforeHead,
        Fault::ResetBeforeHead,
        Fault::GarbageHead,
        Fault::Short { at: 500 },
        Fault::Reset { at: 500 },
        Fault::ChunkedUnfinished { at: 500 },
        Fault::ChunkedBadSize { at: 500 },
        Fault::HugeHeader(2_000_000),
        Fault::TwoLengths,
        Fault::NegativeLength,
    ]
    .into_iter()
    .enumerate()
    {
        let url = stage.serve(&Item::video(&format!("75249194596438{number:05}")));
        stage.world().clear_faults();
        stage.world().fault(Rule::host(WWW, fault.clone()));
        let answer = stage.post(&url).await;
        assert_refusal(&answer, 502, "upstream_error");
        stage.world().clear_faults();
        assert_eq!(
            stage.post(&url).await.status,
            200,
            "{fault:?}: it was not remembered"
        );
    }
    stage.assert_well().await;
}
