//! What the machine does to a server: no descriptors left, a process that is stopped and goes on, a clock that jumps,
//! and the end of the process with hundreds of streams under way (proofs G1, G7, G9).

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Rule, sha256_hex};
use crate::harness::{Stage, address, is_long_form, link, skip};
use crate::raw::Process;
use crate::raw::h1::{PATIENCE, Raw};

const PLAY: &str = "h264_720p_1490112";
/// Open files that the starved server may have: a few for itself, the rest for clients.
const FEW: &str = "--nofile=96:96";
/// Clients that want more than that.
const CROWD: usize = 150;
/// Seconds for which it is watched then, and the ticks of each, of a hundred, that it may take; of most of them, because a
/// machine that is busy with something else may make a single one dear (proofs G7).
const WINDOWS: usize = 5;
const MOST_BUSY: u64 = 20;
/// Where a stopped clock library lies.
const FAKETIME: &str = "faketime/libfaketime.so.1";
/// Streams under way when the server is told to end; half of them can be finished in time.
const STREAMS: usize = 200;
/// Time that what runs has to come to its end, and what the end may take besides (proofs G1).
const GRACE: Duration = Duration::from_secs(4);
const SLACK: Duration = Duration::from_secs(3);
/// How often that is done.
const ROUNDS: usize = 20;
/// In the short form.
const SHORT_ROUNDS: usize = 2;

/// The bytes of the file that links of a post lead to are kept back from this one on, until the gate opens.
fn hold(stage: &Stage, item: &Item, at: u64) -> Gate {
    let gate = Gate::new();
    let stall = Fault::Stall {
        at,
        gate: gate.clone(),
    };
    let rule = Rule::address(&address(item, "/video/playAddr"), stall);
    stage.world().fault(rule.besides_tail());
    gate
}

#[tokio::test]
async fn descriptors_that_run_out_are_waited_for_and_come_back() {
    let stage = Stage::with(|builder| builder.under(&["prlimit", FEW])).await;
    let process = Process(stage.server.pid());
    let mut kept = Raw::connect(stage.server.base()).await;
    kept.get("/health").await;
    assert_eq!(kept.answer().await, "HTTP/1.1 200 OK");
    let place = stage.server.base().trim_start_matches("http://");
    let crowd = join_all((0..CROWD).map(|_| TcpStream::connect(place))).await;
    let all_taken = async { while kept.metric("process_open_fds").await < 95 {} };
    let is_so = timeout(PATIENCE, all_taken).await.is_ok();
    assert!(is_so, "descriptors are left");
    // Who is in is served; who waits costs no processor time.
    let mut busy = Vec::with_capacity(WINDOWS);
    for _ in 0..WINDOWS {
        let before = process.ticks();
        tokio::time::sleep(Duration::from_secs(1)).await;
        busy.push(process.ticks() - before);
        kept.get("/health").await;
        assert_eq!(kept.answer().await, "HTTP/1.1 200 OK");
    }
    busy.sort_unstable();
    let usual = busy[WINDOWS / 2];
    assert!(usual < MOST_BUSY, "{busy:?} ticks a second, doing nothing");
    drop(crowd);
    let health = stage.api().get("/health").await;
    assert_eq!(health.status, 200);
    let body = stage.resolve(&Item::video("7524919459643917001")).await;
    assert_eq!(stage.api().get(&link(&body, PLAY)).await.status, 200);
    stage.assert_well().await;
}

#[tokio::test]
async fn process_that_was_stopped_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let item = Item::video("7524919459643917002");
    let play = link(&stage.resolve(&item).await, PLAY);
    let gate = hold(&stage, &item, 200_000);
    let mut client = stage
        .api()
        .request(http::Method::GET, &play)
        .send()
        .await
        .expect("an answer");
    let mut seen = client
        .chunk()
        .await
        .expect("bytes")
        .expect("bytes")
        .to_vec();
    stage.server.signal("STOP").await;
    gate.open();
    // Long enough for everything that is due meanwhile to be due when it goes on.
    let stopped = if is_long_form() { 30 } else { 3 };
    tokio::time::sleep(Duration::from_secs(stopped)).await;
    stage.server.signal("CONT").await;
    while let Some(bytes) = client.chunk().await.expect("the rest") {
        seen.extend_from_slice(&bytes);
    }
    let file = stage.file(&item, "/video/playAddr");
    assert_eq!(sha256_hex(&seen), file.payload.sha256());
    stage.assert_well().await;
}

/// The library that stands between the server and the clock.
fn faketime() -> Option<String> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let paths = folders.map(|folder| format!("{folder}/{FAKETIME}"));
    paths.into_iter().find(|path| Path::new(path).exists())
}

#[tokio::test]
async fn clock_that_jumps_costs_links_no_more_than_their_time() {
    let Some(library) = faketime() else {
        skip("faketime", "libfaketime is not installed");
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let clock = dir.path().join("clock");
    let set = |text: &str| {
        let next = dir.path().join("next");
        std::fs::write(&next, text).expect("the clock");
        std::fs::rename(&next, &clock).expect("the clock");
    };
    set("+0");
    let path = clock.to_string_lossy().into_owned();
    let stage = Stage::with(|builder| {
        builder
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &path)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    })
    .await;
    let play = link(
        &stage.resolve(&Item::video("7524919459643917003")).await,
        PLAY,
    );
    for (number, step) in ["+1h", "-1h", "+5h", "+0"].into_iter().enumerate() {
        set(step);
        assert_eq!(stage.api().get(&play).await.status, 200, "{step}");
        let fresh = Item::video(&format!("752491945964391710{number}"));
        let fresh = link(&stage.resolve(&fresh).await, PLAY);
        assert_eq!(stage.api().get(&fresh).await.status, 200, "{step}");
    }
    set("+7h");
    let answer = stage.api().get(&play).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["error_code"].as_str()),
        (400, Some("link_expired"))
    );
    set("+0");
    assert_eq!(stage.api().get(&play).await.status, 200);
    stage.assert_well().await;
}

/// A client: says when its transfer is under way, then reads to the end. The hash of a whole file, `None` of a cut one.
async fn read(request: reqwest::RequestBuilder, begun: mpsc::Sender<()>) -> Option<String> {
    let mut answer = request.send().await.ok()?;
    let mut seen = Vec::new();
    while let Some(bytes) = answer.chunk().await.ok()? {
        if seen.is_empty() {
            begun.send(()).await.expect("the test listens");
        }
        seen.extend_from_slice(&bytes);
    }
    Some(sha256_hex(&seen))
}

async fn end_under_load(round: usize) {
    let mut stage = Stage::with(|builder| {
        builder
            .env("SHUTDOWN_GRACE", &GRACE.as_secs().to_string())
            .env("MAX_CONNECTIONS_PER_CLIENT", "1000")
    })
    .await;
    let items = [0, 1].map(|kind| Item::video(&format!("7524919459643918{round:02}{kind}")));
    let mut links = Vec::new();
    for item in &items {
        links.push(link(&stage.resolve(item).await, PLAY));
    }
    let gates = items.each_ref().map(|item| hold(&stage, item, 100_000));
    let (begun, mut all_begun) = mpsc::channel(STREAMS);
    let clients: Vec<_> = (0..STREAMS)
        .map(|number| {
            let request = stage.api().request(http::Method::GET, &links[number % 2]);
            crate::harness::spawn(read(request, begun.clone()))
        })
        .collect();
    for _ in 0..STREAMS {
        all_begun.recv().await.expect("a client");
    }
    let told = Instant::now();
    stage.server.signal("TERM").await;
    stage.server.wait_for_log("draining").await;
    gates[0].open();
    let status = stage.server.wait().await;
    let taken = told.elapsed();
    assert_eq!(status.code(), Some(3), "some had to be cut");
    assert!(taken <= GRACE + SLACK, "{taken:?}");
    println!("round {round}: ended after {} ms", taken.as_millis());
    let file = stage.file(&items[0], "/video/playAddr").payload.sha256();
    for (number, client) in clients.into_iter().enumerate() {
        let expected = (number % 2 == 0).then(|| file.clone());
        assert_eq!(client.await.expect("a client"), expected, "client {number}");
    }
    drop(gates);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn end_with_hundreds_of_streams_finishes_or_cuts_each() {
    let rounds = if is_long_form() { ROUNDS } else { SHORT_ROUNDS };
    for round in 0..rounds {
        end_under_load(round).await;
    }
}
