//! What operators see: probes, `/metrics`, the dashboard over it, one log line per request.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::broadcasts::{TOKEN, made};
use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Api, Builder, Stage, eventually, fetch, link};

const DASHBOARD: &str = include_str!("../../deploy/grafana/serverrs.json");
const ID: &str = "7524919459643919911";
const PLAY: &str = "h264_720p_1490112";

/// The page of figures.
pub(crate) async fn metrics(api: &Api) -> String {
    let answer = api.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type");
    assert!(kind.starts_with("application/openmetrics-text;"), "{kind}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// The figure of a line that begins so; 0 when there is none.
pub(crate) fn figure(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0.0, |figure| figure.trim().parse().expect("a figure"))
}

/// Whether a figure is this whole number.
fn is(figure: f64, expected: f64) -> bool {
    (figure - expected).abs() < 1e-9
}

/// A server that has resolved a post twice and delivered a file of it.
async fn used() -> (Stage, u64) {
    let stage = Stage::with(|builder| {
        builder
            .file("cookies/tiktok.com_cookies.txt", "")
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("STREAM_TEMP_DIR", "streams")
            // Nobody listens there: figures of what is away are shown as well.
            .env("REDIS_URL", "redis://127.0.0.1:1")
            .env("GLUETUN_CONTROL_URL", "http://127.0.0.1:1")
    })
    .await;
    let body = stage.resolve(&Item::video(ID)).await;
    stage.resolve(&Item::video(ID)).await;
    let file = stage.api().get(&link(&body, PLAY)).await;
    assert_eq!(file.status, 200);
    (stage, file.body.len() as u64)
}

#[tokio::test]
async fn figures_tell_what_happened() {
    let (stage, bytes) = used().await;
    let page = eventually("the transfer is over", async || {
        let page = metrics(stage.api()).await;
        (figure(&page, "serverrs_transfers_ended_total{reason=\"complete\"}") > 0.0).then_some(page)
    })
    .await;
    for (series, expected) in [
        (
            "serverrs_extractions_total{site=\"tiktok\",client=\"web\",result=\"ok\"}",
            1.0,
        ),
        (
            "serverrs_extraction_seconds_count{site=\"tiktok\",result=\"ok\"}",
            1.0,
        ),
        ("serverrs_cache_hits_total", 1.0),
        ("serverrs_cache_misses_total", 1.0),
        ("serverrs_transfer_bytes_total", bytes as f64),
        ("serverrs_transfers_started_total", 1.0),
        (
            "serverrs_http_requests_total{route=\"/tiktok\",method=\"POST\",status=\"200\"}",
            2.0,
        ),
        (
            "serverrs_http_requests_total{route=\"/stream\",method=\"GET\",status=\"200\"}",
            1.0,
        ),
        ("serverrs_stream_active", 0.0),
        ("serverrs_stream_places", 2000.0),
        ("serverrs_draining", 0.0),
        ("serverrs_http_panics_total", 0.0),
        ("serverrs_redis_up", 0.0),
        ("serverrs_redis_calls_total{result=\"ok\"}", 0.0),
        ("serverrs_redis_calls_total{result=\"failed\"}", 0.0),
        ("serverrs_redis_losses_total", 0.0),
        ("serverrs_egress_up{egress=\"default\"}", 1.0),
        ("serverrs_egress_uses_total{egress=\"default\"}", 1.0),
        ("serverrs_egress_blocks_total{egress=\"default\"}", 0.0),
        ("serverrs_egress_active{egress=\"default\"}", 0.0),
        ("serverrs_egress_benched_sites{egress=\"default\"}", 0.0),
        ("serverrs_vpn{state=\"unknown\"}", 1.0),
        ("serverrs_vpn{state=\"running\"}", 0.0),
        ("serverrs_vpn_reconnects_total{result=\"ok\"}", 0.0),
    ] {
        assert!(page.contains(series), "{series} in {page}");
        assert!(is(figure(&page, series), expected), "{series}");
    }
    let age = figure(
        &page,
        "serverrs_last_good_extraction_age_seconds{site=\"tiktok\"}",
    );
    assert!(age > 0.0 && age < 600.0, "{age}");
    assert!(figure(&page, "process_resident_memory_bytes") > 1e6);
    let away = figure(&page, "serverrs_redis_calls_total{result=\"away\"}");
    assert!(away >= 1.0, "{page}");
    let cookies = "serverrs_cookie_file_age_seconds{site=\"tiktok\"}";
    assert!(page.contains(cookies), "{page}");
}

#[tokio::test]
async fn broadcasts_are_counted_by_state_and_only_where_they_are_on() {
    let server = Builder::offline().start().await;
    let page = metrics(server.api()).await;
    assert!(!page.contains("broadcast_") && !page.contains("serverrs_broadcasts"));
    assert!(!page.contains("redis") && !page.contains("vpn"), "{page}");
    assert!(server.api().get("/health").await.json()["broadcast"].is_null());
    let server = Builder::offline()
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env("STREAM_TEMP_DIR", "streams")
        .start()
        .await;
    for _ in 0..2 {
        made(&server, json!({})).await;
    }
    let page = metrics(server.api()).await;
    let states: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("serverrs_broadcasts{"))
        .collect();
    assert_eq!(states.len(), 7, "{states:?}");
    assert!(is(
        figure(&page, "serverrs_broadcasts{state=\"created\"}"),
        2.0
    ));
    for series in [
        "serverrs_broadcasts{state=\"failed\"}",
        "serverrs_broadcast_items_total{result=\"ok\"}",
        "serverrs_broadcast_slate_seconds_total",
        "serverrs_broadcast_children",
    ] {
        assert!(
            page.contains(series) && is(figure(&page, series), 0.0),
            "{series} in {page}"
        );
    }
    let health = server.api().get("/health").await.json();
    let expected = json!({"running": 0, "reconnecting": 0, "failed": 0, "children": 0});
    assert_eq!(health["broadcast"], expected);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let stage = Stage::new().await;
    stage.world().fault(Rule::host(WWW, Fault::Status(503)));
    let url = stage.serve(&Item::video(ID));
    assert_ne!(stage.post(&url).await.status, 200);
    let page = metrics(stage.api()).await;
    let failed = page.lines().filter(|line| {
        line.starts_with("serverrs_extractions_total{site=\"tiktok\"")
            && !line.contains("result=\"ok\"")
    });
    assert_eq!(failed.count(), 1, "{page}");
    let ready = stage.api().get("/readyz").await.json();
    let site = &ready["sites"]["tiktok"];
    assert!(site["last_good_age_seconds"].is_null(), "{ready}");
    assert!(site["last_failure_age_seconds"].is_f64(), "{ready}");
}

#[tokio::test]
async fn clients_can_not_invent_labels() {
    let server = Builder::offline().start().await;
    let before = metrics(server.api()).await;
    for number in 0..50 {
        let invented = Method::from_bytes(format!("M{number}").as_bytes()).expect("a method");
        let request = server.api().request(invented, &format!("/p{number}"));
        assert_eq!(fetch(request).await.status, 404);
    }
    let page = metrics(server.api()).await;
    let series = "serverrs_http_requests_total{route=\"none\",method=\"other\",status=\"404\"}";
    assert!(is(figure(&page, series), 50.0), "{page}");
    let lines = |page: &str| {
        let counted = page
            .lines()
            .filter(|line| line.starts_with("serverrs_http_requests"));
        counted.count()
    };
    // The requests for figures themselves are one more.
    assert!(lines(&page) <= lines(&before) + 2, "{page}");
}

#[tokio::test]
async fn probes_tell_alive_from_ready() {
    let server = Builder::offline().env("SHUTDOWN_DELAY", "30").start().await;
    let live = server.api().get("/livez").await;
    assert_eq!(
        (live.status.as_u16(), live.json()),
        (200, serde_json::json!({"status": "ok"}))
    );
    let ready = server.api().get("/readyz").await;
    assert_eq!(ready.status, 200);
    let body = ready.json();
    assert_eq!(body["status"], "ready");
    for site in ["tiktok", "douyin", "youtube"] {
        let ages = body["sites"][site].as_object().expect("a site");
        assert_eq!(ages.len(), 2);
        assert!(ages.values().all(Value::is_null), "{body}");
    }
    server.signal("TERM").await;
    let drained = eventually("it drains", async || {
        let answer = server.api().get("/readyz").await;
        (answer.status == 503).then(|| answer.json())
    })
    .await;
    assert_eq!(drained["status"], "draining");
    assert_eq!(server.api().get("/livez").await.status, 200);
    let page = metrics(server.api()).await;
    assert!(is(figure(&page, "serverrs_draining"), 1.0));
}

#[tokio::test]
async fn site_that_gave_something_has_an_age() {
    let (stage, _) = used().await;
    let body = stage.api().get("/readyz").await.json();
    let age = &body["sites"]["tiktok"]["last_good_age_seconds"];
    assert!(age.as_f64().is_some_and(|age| age < 600.0), "{body}");
    assert!(body["sites"]["douyin"]["last_good_age_seconds"].is_null());
}

/// Words of a query that are names of figures.
fn names_in(query: &str) -> impl Iterator<Item = &str> {
    query
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("serverrs_") || word.starts_with("process_"))
}

fn queries(panel: &Value) -> Vec<&str> {
    let targets = panel["targets"].as_array().expect("targets");
    let exprs = targets.iter().map(|target| target["expr"].as_str());
    exprs.map(|expr| expr.expect("a query")).collect()
}

#[tokio::test]
async fn dashboard_asks_for_figures_that_there_are() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let (stage, _) = used().await;
    // Some figures are there only after something happened.
    let page = metrics(stage.api()).await;
    let there: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut asked = BTreeSet::new();
    for name in panels.iter().flat_map(queries).flat_map(names_in) {
        let suffixes = ["_total", "_bucket", "_count", "_sum"];
        let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        let base = base.unwrap_or(name);
        assert!(there.contains(base), "{name} is not among {there:?}");
        asked.insert(base);
    }
    let unseen: Vec<_> = there.difference(&asked).collect();
    assert!(unseen.is_empty(), "figures without a panel: {unseen:?}");
}

#[tokio::test]
async fn request_has_one_line_and_it_names_the_client() {
    let stage = Stage::with(|builder| builder.env("LOG_FORMAT", "json").without("RUST_LOG")).await;
    stage.resolve(&Item::video(ID)).await;
    let (_, logs) = stage.server.stop().await;
    let lines: Vec<Value> = logs
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["span"]["route"] == "/tiktok")
        .collect();
    assert_eq!(lines.len(), 1, "{logs}");
    let line = &lines[0];
    assert_eq!(line["fields"]["message"], "request finished");
    assert_eq!(line["fields"]["status"], 200);
    assert_eq!(line["fields"]["outcome"], "complete");
    assert_eq!(line["span"]["client"], "127.0.0.1");
    assert!(line["span"]["request_id"].is_string() && line["fields"]["elapsed_ms"].is_u64());
}

/// What is said of an answer to HEAD is that it was given: its body is nobody's business.
#[tokio::test]
async fn answer_to_head_is_complete() {
    let stage = Stage::with(|builder| builder.env("LOG_FORMAT", "json").without("RUST_LOG")).await;
    let body = stage.resolve(&Item::video(ID)).await;
    let file = link(&body, PLAY);
    let paths = ["/", "/health", "/metrics", "/openapi.json", "/docs", &file];
    for path in paths {
        let answer = stage.api().head(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (200, 0),
            "{path}"
        );
    }
    let (_, logs) = stage.server.stop().await;
    let heads: Vec<Value> = logs
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["span"]["method"] == "HEAD")
        .collect();
    assert_eq!(heads.len(), paths.len(), "{logs}");
    for line in heads {
        assert_eq!(line["fields"]["outcome"], "complete", "{line}");
        assert_eq!(line["fields"]["bytes"], 0, "{line}");
    }
}
