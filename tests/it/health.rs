//! `/health`, the index, and the subcommands of the binary that people and monitors call.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;

use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Builder, ENCODERS, Stage, TestServer, eventually, run};

const ID: &str = "7524919459643919901";

async fn health(server: &TestServer) -> Value {
    let answer = server.api().get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

#[tokio::test]
async fn every_field_is_there_with_its_type() {
    let server = Builder::offline()
        .env("MAX_WORKERS", "7")
        .env("MAX_STREAMS", "70")
        .env("MAX_QUEUE", "9")
        .ffmpeg_with(&ENCODERS)
        .start()
        .await;
    let body = health(&server).await;
    assert_eq!(body["status"], "ok");
    assert_eq!(body["degraded"], serde_json::json!([]));
    assert_eq!(body["time"], body["timestamp"]);
    assert!(
        body["time"]
            .as_f64()
            .is_some_and(|time| time > 1_790_000_000.0),
        "{body:#}"
    );
    for (pointer, value) in [("/workers/max", 7), ("/streams/max", 70), ("/queue/max", 9)] {
        assert_eq!(body.pointer(pointer), Some(&value.into()), "{pointer}");
    }
    for pointer in [
        "/workers/active",
        "/streams/active",
        "/queue/waiting",
        "/cache/entries",
        "/cache/hits",
        "/cache/misses",
    ] {
        assert_eq!(body.pointer(pointer), Some(&0.into()), "{pointer}");
    }
    for pointer in ["started", "refused", "bytes", "resumes"] {
        assert_eq!(body["transfers"][pointer], 0, "{pointer}");
    }
    let ended = body["transfers"]["ended"].as_object().expect("outcomes");
    assert_eq!(ended.len(), 11, "{ended:?}");
    assert!(ended.values().all(|count| *count == 0), "{ended:?}");
    for pointer in [
        "/memory/rss",
        "/memory/vms",
        "/memory/percent",
        "/time_iso",
        "/version",
        "/redis/status",
        "/extractor/name",
    ] {
        assert!(
            body.pointer(pointer).is_some_and(Value::is_string),
            "{pointer}: {body:#}"
        );
    }
    assert!(
        body["memory"]["rss_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 1 << 20)
    );
    for pointer in ["current", "soft_limit", "hard_limit"] {
        assert!(
            body["file_descriptors"][pointer]
                .as_i64()
                .is_some_and(|count| count > 0),
            "{pointer}"
        );
    }
    assert_eq!(
        body["redis"],
        serde_json::json!({ "status": "disconnected", "caching_enabled": false })
    );
    assert_eq!(
        (&body["instance_id"], &body["instance_region"]),
        (&"unknown".into(), &"unknown".into())
    );
    assert!(body["ffmpeg"].is_boolean() && body["uptime_seconds"].is_u64());
    assert!(
        server.base().ends_with(&format!(":{}", body["port"])),
        "{body:#}"
    );
    assert!(body.get("vpn").is_none());
}

#[tokio::test]
async fn extractors_have_dates_for_versions() {
    let server = Builder::offline().start().await;
    let body = health(&server).await;
    let is_date = |version: &Value| {
        let parts: Vec<_> = version
            .as_str()
            .unwrap_or_default()
            .split('.')
            .map(str::len)
            .collect();
        parts == [4, 2, 2]
    };
    assert_eq!(body["extractor"]["name"], "native");
    for version in [
        &body["ytdlp"],
        &body["extractor"]["version"],
        &body["extractor"]["tiktok"],
        &body["extractor"]["douyin"],
    ] {
        assert!(is_date(version), "{version}");
    }
}

#[tokio::test]
async fn figures_follow_what_happens() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let gate = Gate::new();
    stage
        .world()
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate.clone())));
    let look = async {
        stage
            .world()
            .wait_for("the page is asked for", |traffic| {
                !traffic.records.is_empty()
            })
            .await;
        let body = health(&stage.server).await;
        gate.open();
        body
    };
    let (answer, during) = tokio::join!(stage.post(&url), look);
    assert_eq!(answer.status, 200);
    assert_eq!(
        (&during["workers"]["active"], &during["streams"]["active"]),
        (&1.into(), &0.into())
    );
    let figures =
        |entries, hits| serde_json::json!({ "entries": entries, "hits": hits, "misses": 1 });
    let once = health(&stage.server).await;
    assert_eq!(once["cache"], figures(1, 0));
    stage.post(&url).await;
    let after = health(&stage.server).await;
    assert_eq!(after["workers"]["active"], 0);
    assert_eq!(after["cache"], figures(1, 1));
    let page = stage.api().get("/metrics").await;
    let page = String::from_utf8_lossy(&page.body);
    assert!(page.contains("\nserverrs_cache_entries 1.0\n"), "{page}");
}

#[tokio::test]
async fn head_of_every_get_route_has_no_body() {
    let server = Builder::offline().start().await;
    for path in ["/", "/health"] {
        let (get, head) = (server.api().get(path).await, server.api().head(path).await);
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert!(head.headers.contains_key("content-length"));
    }
}

#[tokio::test]
async fn index_names_the_routes() {
    let server = Builder::offline().start().await;
    let body = server.api().get("/").await.json();
    assert_eq!(body["name"], "serverrs");
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    let endpoints = body["endpoints"].to_string();
    for route in ["/tiktok", "/resolve", "/stream", "/download", "/health"] {
        assert!(endpoints.contains(route), "{route}: {endpoints}");
    }
}

#[tokio::test]
async fn server_that_drains_says_so() {
    let server = Builder::offline().env("SHUTDOWN_DELAY", "30").start().await;
    assert_eq!(health(&server).await["status"], "ok");
    server.signal("TERM").await;
    let body = eventually("it drains", async || {
        let answer = server.api().get("/health").await;
        (answer.status == 503).then(|| answer.json())
    })
    .await;
    assert_eq!(body["status"], "draining");
    assert_eq!(subcommand(&server, "health").await.status.code(), Some(1));
}

/// Runs a subcommand beside a server.
async fn subcommand(server: &TestServer, name: &str) -> Output {
    let port = server.base().rsplit(':').next().expect("a port").to_owned();
    serverrs([name], &[("HOST", "127.0.0.1"), ("PORT", &port)]).await
}

async fn serverrs<const N: usize>(
    arguments: [&str; N],
    variables: &[(&'static str, &str)],
) -> Output {
    let dir = tempfile::tempdir().expect("a folder");
    let variables: BTreeMap<&str, String> = variables
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    run(
        env!("CARGO_BIN_EXE_serverrs"),
        arguments,
        &variables,
        dir.path(),
    )
    .await
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn health_subcommand_tells_by_its_exit_code() {
    let server = Builder::offline().start().await;
    let well = subcommand(&server, "health").await;
    assert_eq!(
        (well.status.code(), stdout(&well).as_str()),
        (Some(0), "ok\n")
    );
    let everywhere = server.base().rsplit(':').next().expect("a port").to_owned();
    let by_default = serverrs(["health"], &[("PORT", &everywhere)]).await;
    assert_eq!(
        by_default.status.code(),
        Some(0),
        "a server on all addresses is asked on loopback"
    );
    let (status, _) = server.stop().await;
    assert!(status.success());
    let gone = serverrs(["health"], &[("PORT", &everywhere)]).await;
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("no answer from"));
    let confused = serverrs(["health"], &[("PORT", "many")]).await;
    assert_eq!(confused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&confused.stderr).contains("PORT"));
}

#[tokio::test]
async fn key_subcommand_prints_a_key_that_the_server_takes() {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let output = serverrs(["key"], &[]).await;
        assert!(output.status.success());
        keys.push(stdout(&output).trim_end().to_owned());
    }
    assert_ne!(keys[0], keys[1]);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    assert!(
        keys[0].len() == 43 && keys[0].bytes().all(is_plain),
        "{}",
        keys[0]
    );
    let server = Builder::offline()
        .env("ENCRYPTION_KEY", &keys[0])
        .start()
        .await;
    assert_eq!(health(&server).await["status"], "ok");
}

#[tokio::test]
async fn help_and_version_are_told_and_nonsense_is_refused() {
    let help = serverrs(["--help"], &[]).await;
    assert!(help.status.success());
    for word in ["serve", "health", "key", "ENCRYPTION_KEY"] {
        assert!(stdout(&help).contains(word), "{word}: {}", stdout(&help));
    }
    let version = serverrs(["--version"], &[]).await;
    assert_eq!(
        stdout(&version),
        format!("serverrs {}\n", env!("CARGO_PKG_VERSION"))
    );
    for nonsense in ["dance", "--dance"] {
        assert_eq!(serverrs([nonsense], &[]).await.status.code(), Some(64));
    }
}
