//! Answers without an end, which schemathesis doesn't read: they are what the document says.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::{PACKAGE, document};
use crate::broadcasts::{TOKEN, ask, get, made, route};
use crate::harness::{Builder, PythonEnv, TestServer, run, skip};

/// Holds each value against its schema, which may refer to the components of the document.
const JUDGE: &str = r#"
import json, sys
from jsonschema_rs import Draft202012Validator

case = json.load(open(sys.argv[1]))
for schema, value in case["pairs"]:
    validator = Draft202012Validator({**schema, "components": case["components"]})
    for error in validator.iter_errors(value):
        print(error.message, json.dumps(value))
"#;

/// Reads events until all of these names have come; then the broadcast is taken away, and the answer ends.
async fn events(
    server: &TestServer,
    record: &Value,
    path: &str,
    names: &[&str],
) -> Vec<(String, Value)> {
    let request = server.api().request(Method::GET, path);
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    // Of rows, those from the beginning.
    let request = request.header("last-event-id", "0");
    let mut answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let is_there = |text: &str, name: &&str| text.contains(&format!("event: {name}\n"));
    while !names.iter().all(|name| is_there(&text, name)) {
        let piece = answer.chunk().await.expect("events").expect("no end yet");
        text += &String::from_utf8_lossy(&piece);
    }
    ask(server, Method::DELETE, &route(record), None).await;
    while let Some(piece) = answer.chunk().await.expect("a good end") {
        text += &String::from_utf8_lossy(&piece);
    }
    let blocks = text.split("\n\n");
    let parsed = blocks.filter_map(|block| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let data = serde_json::from_str(field("data: ")?).expect("JSON");
        Some((field("event: ")?.to_owned(), data))
    });
    parsed.collect()
}

/// The schema of a good answer in JSON.
fn schema<'a>(document: &'a Value, path: &str) -> &'a Value {
    &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
}

#[tokio::test]
async fn events_are_what_the_document_says() {
    let name = PACKAGE.replace("==", "-venv-");
    let environment = match PythonEnv::with(&name, &[PACKAGE]).await {
        Ok(environment) => environment,
        Err(reason) => return skip("schemathesis", &reason),
    };
    let server = Builder::offline()
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env("STREAM_TEMP_DIR", "streams")
        .start()
        .await;
    let document = document(server.api()).await;
    for path in [
        "/broadcasts/{id}/events",
        "/broadcasts/{id}/logs",
        "/download-slideshow",
    ] {
        let content = &document["paths"][path]["get"]["responses"]["200"]["content"];
        assert!(
            content["text/event-stream"].is_object(),
            "{path}: {content}"
        );
    }
    let mut pairs = Vec::new();
    let record = made(&server, json!({})).await;
    let path = format!("{}/events?stats_interval=1", route(&record));
    for (name, data) in events(&server, &record, &path, &["stats"]).await {
        if name == "stats" {
            pairs.push((schema(&document, "/broadcasts/{id}/status"), data));
        }
    }
    let record = made(&server, json!({})).await;
    let page = format!("{}/logs", route(&record));
    let logs = get(&server, &page).await;
    for (name, data) in events(&server, &record, &format!("{page}?follow=true"), &["log"]).await {
        assert_eq!(name, "log");
        // A row is one of the page of rows.
        let mut like = logs.clone();
        like["logs"] = json!([data]);
        pairs.push((schema(&document, "/broadcasts/{id}/logs"), like));
    }
    assert!(pairs.len() >= 2, "{pairs:?}");
    let case = json!({ "components": document["components"], "pairs": pairs });
    let file = server.dir().join("case.json");
    std::fs::write(&file, case.to_string()).expect("a file");
    let arguments = ["-c", JUDGE, "case.json"];
    let output = run(
        environment.python(),
        arguments,
        &BTreeMap::new(),
        server.dir(),
    )
    .await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    // The judge does judge: a status without its fields is none.
    let case = json!({
        "components": document["components"],
        "pairs": [(schema(&document, "/broadcasts/{id}/status"), json!({}))],
    });
    std::fs::write(&file, case.to_string()).expect("a file");
    let output = run(
        environment.python(),
        arguments,
        &BTreeMap::new(),
        server.dir(),
    )
    .await;
    assert!(!output.stdout.is_empty(), "{output:?}");
}
