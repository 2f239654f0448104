//! Connections: what is recorded, what is held, who has left, and tunnels that never come up.

use super::{client, get, text};
use crate::harness::api::{fetch, try_fetch};
use crate::harness::upstream::{
    Answer, Gate, Media, Need, Page, Progress, Record, Traffic, TunnelFault, Upstream, World,
};

#[tokio::test]
async fn requests_are_recorded_as_they_came() {
    let upstream = Upstream::start().await;
    let world: &World = &upstream.world;
    let media = Media::random(1, 5, "video/mp4").needing(Need::RefererHost("page.test"));
    world.media("http://cdn.test/a?x=1&&y=%7C", media);
    world.hand_out("http://cdn.test/a?x=1&&y=%7C");
    let client = client(&upstream);
    for referer in ["https://www.page.test/x", "https://page.test.evil/x"] {
        let request = client
            .get("http://cdn.test/a?x=1&&y=%7C")
            .header("referer", referer);
        fetch(request).await;
    }
    let records: Vec<Record> = world.records();
    assert_eq!(
        records
            .iter()
            .map(|record| record.status)
            .collect::<Vec<_>>(),
        [200, 403]
    );
    assert_eq!(records[0].connection, records[1].connection, "kept alive");
    assert_eq!(
        (records[0].method.as_str(), records[0].target.as_str()),
        ("GET", "/a?x=1&&y=%7C")
    );
    assert_eq!(
        records[0].header("Referer"),
        Some("https://www.page.test/x")
    );
    assert_eq!(
        (records[0].taken, records[0].progress),
        (5, Progress::Complete)
    );
}

#[tokio::test]
async fn gate_holds_an_answer_and_leaving_is_seen() {
    let upstream = Upstream::start().await;
    let gate = Gate::new();
    let answer = Answer::html("late").held_by(&gate);
    upstream
        .world
        .page(Page::new("www.tiktok.com", "/late", vec![answer]));
    let late = |upstream: &Upstream| {
        crate::harness::spawn(try_fetch(get(upstream, "https://www.tiktok.com/late")))
    };
    let (patient, leaver) = (late(&upstream), late(&upstream));
    let held = |count| {
        move |traffic: &Traffic| {
            traffic
                .records
                .iter()
                .filter(|record| record.progress == Progress::Held)
                .count()
                == count
        }
    };
    upstream.world.wait_for("both are held", held(2)).await;
    leaver.abort();
    upstream.world.wait_for("one has left", held(1)).await;
    upstream
        .world
        .wait_for("its connection is closed", |traffic| {
            traffic.open_connections == 1
        })
        .await;
    gate.open();
    let page = patient.await.expect("task").expect("an answer");
    assert_eq!(text(&page), "late");
}

#[tokio::test]
async fn client_that_stops_reading_is_seen_as_gone_with_the_bytes_it_took() {
    let upstream = Upstream::start().await;
    let address = "http://cdn.test/large";
    upstream
        .world
        .media(address, Media::random(1, 64 << 20, "video/mp4"));
    upstream.world.hand_out(address);
    let mut response = get(&upstream, address).send().await.expect("an answer");
    response
        .chunk()
        .await
        .expect("bytes")
        .expect("a first piece");
    drop(response);
    let is_gone = |traffic: &Traffic| traffic.records[0].progress == Progress::ClientGone;
    upstream.world.wait_for("the client is gone", is_gone).await;
    let taken = upstream.world.records()[0].taken;
    assert!(taken > 0 && taken < 64 << 20, "{taken}");
}

#[tokio::test]
async fn tunnel_faults_end_before_any_request() {
    let upstream = Upstream::start().await;
    upstream
        .world
        .page(Page::new("a.test", "/", vec![Answer::html("a")]));
    let ask = async || try_fetch(get(&upstream, "https://a.test/")).await;
    ask().await.expect("no fault yet");
    for fault in [
        TunnelFault::Refused(503),
        TunnelFault::Closed,
        TunnelFault::WrongName,
        TunnelFault::Expired,
        TunnelFault::UnknownCa,
    ] {
        upstream.world.tunnel_fault("a.test", fault.clone());
        assert!(ask().await.is_err(), "{fault:?}");
    }
    let gate = Gate::new();
    upstream
        .world
        .tunnel_fault("a.test", TunnelFault::Silent(gate.clone()));
    let silent = crate::harness::spawn(try_fetch(get(&upstream, "https://a.test/")));
    upstream
        .world
        .wait_for("a tunnel", |traffic| traffic.tunnels.len() == 7)
        .await;
    gate.open();
    assert!(silent.await.expect("task").is_err());
    assert_eq!(upstream.world.records().len(), 1);
    assert!(
        try_fetch(get(&upstream, "https://127.0.0.1/"))
            .await
            .is_err()
    );
    let unknown = upstream.world.look(|traffic| traffic.unknown.clone());
    assert_eq!(unknown, ["CONNECT 127.0.0.1:443"]);
}
