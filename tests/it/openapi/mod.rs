//! The API documents itself: the document against the router, the page, events, and schemathesis over all.

mod events;
mod page;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};

use crate::broadcasts::{self, TOKEN};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::youtube::{Layout, Playlist, YouTube};
use crate::harness::{Api, Builder, PythonEnv, Stage, fetch, link, run, skip, text, token};
use crate::observe::{figure, metrics};

/// The release that is run.
const PACKAGE: &str = "schemathesis==4.32.5";
/// The post of the document's example.
const ID: &str = "7587051948285644087";

/// The list of the document's example.
const LIST: &str = "PLBCF2DAC6FFB574DE";
const PLAY: &str = "h264_720p_1490112";

/// Made-up links name no post: of every two, one is replaced by a link that does, so that answers are seen, too.
const HOOKS: &str = r#"
import os
import schemathesis

turn = 0

def is_its_turn():
    global turn
    turn += 1
    return turn % 2 == 0

@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("url"), str) and is_its_turn():
        is_list = context.operation.path == "/playlist"
        return {**body, "url": os.environ["LIST" if is_list else "POST"]}
    if isinstance(body, dict) and "playlist_id" in body and is_its_turn():
        return {"title": "T", "playlist_id": os.environ["LIST"], "target_url": None, "stream_key": None}
    return body

@schemathesis.hook
def map_query(context, query):
    if isinstance(query, dict) and "data" in query and is_its_turn():
        return {**query, "data": os.environ["TOKEN"]}
    return query

# An answer that follows a broadcast has no end: of those, errors alone are seen here, and the rest in `events`. None is
# started or taken away.
@schemathesis.hook
def before_call(context, case, kwargs):
    if "id" in (case.path_parameters or {}):
        is_lost = case.operation.path.endswith("/events") or case.operation.method == "delete"
        case.path_parameters["id"] = "none" if is_lost or not is_its_turn() else os.environ["BROADCAST"]
    for name in ("follow", "start", "wait"):
        (case.query or {}).pop(name, None)
"#;

async fn document(api: &Api) -> Value {
    let answer = api.get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// Methods and paths of the document.
fn operations(document: &Value) -> Vec<(Method, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.keys().map(move |method| {
            let method = method.to_uppercase().parse().expect("a method");
            (
                method,
                path.replace("{file}", "start.js").replace("{id}", "x"),
            )
        })
    });
    operations.collect()
}

#[tokio::test]
async fn every_route_is_in_the_document_and_no_other() {
    let server = Builder::offline()
        .env("BROADCAST_API_TOKEN", TOKEN)
        .start()
        .await;
    let document = document(server.api()).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let operations = operations(&document);
    assert!(operations.len() >= 29, "{operations:?}");
    let ask = async |method: &Method, path: &str| {
        let request = server.api().request(method.clone(), path);
        fetch(request.header("authorization", format!("Bearer {TOKEN}"))).await
    };
    let mut methods = BTreeMap::<&str, BTreeSet<String>>::new();
    for (method, path) in &operations {
        let known = methods.entry(path).or_default();
        known.insert(method.to_string());
        if *method == Method::GET {
            known.insert(Method::HEAD.to_string());
        }
        let answer = ask(method, path).await;
        assert_ne!(answer.status, 405, "{method} {path}");
        let is_missing = answer.status == 404;
        assert!(
            !is_missing || answer.json()["error_code"] == "broadcast_not_found",
            "{method} {path}: {}",
            answer.status
        );
    }
    // Every path of the router is in the document, as a test of the room `http` shows; here, every method of a path. PUT
    // is one that no route has.
    for (path, documented) in methods {
        let refused = ask(&Method::PUT, path).await;
        assert_eq!(refused.status, 405, "{path}");
        let allowed = refused.header("allow").split(',').map(str::trim);
        let allowed: BTreeSet<String> = allowed.map(str::to_owned).collect();
        assert_eq!(allowed, documented, "{path}");
    }
    let documented: BTreeSet<&str> = operations.iter().map(|(_, path)| path.as_str()).collect();
    let index = server.api().get("/").await.json();
    for endpoint in index["endpoints"].as_array().expect("endpoints") {
        let endpoint = endpoint.as_str().expect("a text");
        let path = endpoint.split([' ', '?']).nth(1).expect("a path");
        assert!(documented.contains(path), "{path}");
    }
}

/// All references in the document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.insert(reference.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn document_stands_by_itself() {
    let server = Builder::offline()
        .env("BASE_URL", "https://media.example/dl")
        .start()
        .await;
    let document = document(server.api()).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 5, "{found:?}");
    for reference in found {
        let place = reference.strip_prefix('#').expect("inside the document");
        assert!(document.pointer(place).is_some(), "{reference}");
    }
    assert_eq!(document["servers"][0]["url"], "/dl");
    let names: BTreeSet<_> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods").values())
        .map(|operation| operation["operationId"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), operations(&document).len(), "{names:?}");
}

#[tokio::test]
async fn documents_can_be_closed() {
    let server = Builder::offline().env("DOCS", "0").start().await;
    for path in ["/docs", "/docs/start.js", "/openapi.json"] {
        let answer = server.api().get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["error_code"], "route_not_found");
    }
}

#[tokio::test]
async fn schemathesis_finds_nothing() {
    let name = PACKAGE.replace("==", "-venv-");
    let environment = match PythonEnv::with(&name, &[PACKAGE]).await {
        Ok(environment) => environment,
        Err(reason) => return skip("schemathesis", &reason),
    };
    let stage = Stage::with(|builder| {
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("STREAM_TEMP_DIR", "streams")
    })
    .await;
    let video = stage.resolve(&Item::video(ID)).await;
    let broadcast = broadcasts::made(&stage.server, json!({})).await;
    let youtube = YouTube::open(stage.world());
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 3));
    let hooks = stage.server.dir().join("hooks.py");
    std::fs::write(&hooks, HOOKS).expect("hooks");
    let variables = BTreeMap::from([
        ("SCHEMATHESIS_HOOKS", "hooks.py".to_owned()),
        ("POST", text(&video, "/url")),
        (
            "LIST",
            format!("https://www.youtube.com/playlist?list={LIST}"),
        ),
        ("TOKEN", token(&link(&video, PLAY)).to_owned()),
        ("BROADCAST", text(&broadcast, "/id")),
    ]);
    let url = format!("{}/openapi.json", stage.server.base());
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_headers_conformance,response_schema_conformance,unsupported_method";
    let token_header = format!("Authorization: Bearer {TOKEN}");
    let arguments = [
        "-c",
        "from schemathesis.cli import schemathesis; schemathesis()",
        "run",
        &url,
        "--checks",
        checks,
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--no-color",
        "--header",
        &token_header,
        "--request-timeout",
        "30",
    ];
    let output = run(
        environment.python(),
        arguments,
        &variables,
        stage.server.dir(),
    )
    .await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let page = metrics(stage.api()).await;
    for route in [
        "/resolve\",method=\"POST",
        "/playlist\",method=\"POST",
        "/stream\",method=\"GET",
        "/broadcasts\",method=\"GET",
        "/broadcasts/{id}\",method=\"PATCH",
        "/broadcasts/{id}/status\",method=\"GET",
        "/broadcasts/{id}/logs\",method=\"GET",
    ] {
        let series = format!("serverrs_http_requests_total{{route=\"{route}\",status=\"200\"}}");
        assert!(figure(&page, &series) >= 1.0, "{series} in {page}\n{said}");
    }
    stage.assert_well().await;
}
