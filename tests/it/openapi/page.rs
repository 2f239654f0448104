//! The page of the document: what it is made of, and what a browser makes of it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::{document, operations};
use crate::harness::{Builder, chromium, fetch, has_tool, skip};

/// Longest time for the browser; it needs some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn page_has_all_it_needs_on_this_server() {
    let server = Builder::offline().start().await;
    let page = server.api().get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = String::from_utf8(page.body.to_vec()).expect("UTF-8");
    let named: Vec<&str> = text
        .split(['"', '\''])
        .filter(|part| part.starts_with("docs/") || *part == "openapi.json")
        .collect();
    assert_eq!(named.len(), 5, "{text}");
    assert!(
        !text.contains("http:") && !text.contains("https:") && !text.contains("//"),
        "{text}"
    );
    for name in named {
        let file = server.api().get(&format!("/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        assert!(!file.headers.contains_key("content-encoding"), "{name}");
        assert!(file.body.len() > 100, "{name}");
        let zipped = server.api().request(Method::GET, &format!("/{name}"));
        let zipped = fetch(zipped.header("accept-encoding", "gzip")).await;
        assert_eq!(zipped.header("content-type"), file.header("content-type"));
        if zipped.header("content-encoding") == "gzip" {
            let mut plain = Vec::new();
            let mut reader = flate2::read::GzDecoder::new(&zipped.body[..]);
            std::io::Read::read_to_end(&mut reader, &mut plain).expect("gzip");
            assert!(
                plain == file.body && zipped.body.len() < file.body.len() / 2,
                "{name}"
            );
        }
    }
    assert_eq!(server.api().get("/docs/other.js").await.status, 404);
}

/// What a browser made of a page.
struct Seen {
    /// The elements, when the scripts were done.
    elements: String,
    /// What it says itself, the console of the page included.
    said: String,
    /// Its record of the network.
    network: Value,
}

/// Opens a page in a browser that finds no host but this machine; `folder` is for its files.
async fn browse(url: &str, folder: &Path) -> Seen {
    let network = folder.join("network.json");
    let mut command = chromium(folder);
    command
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--enable-logging=stderr",
            // Time for scripts, which passes as fast as they can be run.
            "--virtual-time-budget=30000",
            "--dump-dom",
        ])
        .arg(format!("--log-net-log={}", network.display()))
        .arg(url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("in time").expect("chromium");
    assert!(output.status.success(), "{output:?}");
    let network = std::fs::read(network).expect("a record");
    Seen {
        elements: String::from_utf8_lossy(&output.stdout).into_owned(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        network: serde_json::from_slice(&network).expect("JSON"),
    }
}

impl Seen {
    /// Lines of the page's console.
    fn console(&self) -> Vec<&str> {
        let lines = self.said.lines();
        lines.filter(|line| line.contains(":CONSOLE")).collect()
    }

    /// What the page of this origin asked for. A browser asks for things of its own, too.
    fn asked_by(&self, origin: &str) -> Vec<&str> {
        let events = self.network["events"].as_array().expect("events");
        let requests = events.iter().map(|event| &event["params"]);
        let own = requests.filter(|request| request["initiator"] == origin);
        own.filter_map(|request| request["url"].as_str()).collect()
    }
}

#[tokio::test]
async fn page_shows_every_operation_in_a_browser_and_asks_nobody_else() {
    if !has_tool("chromium").await {
        return skip("chromium", "it is not installed");
    }
    let server = Builder::offline().start().await;
    let origin = server.base().to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let seen = browse(&format!("{origin}/docs"), folder.path()).await;
    assert_eq!(seen.console(), Vec::<&str>::new());
    let asked = seen.asked_by(&origin);
    assert!(
        asked.contains(&format!("{origin}/openapi.json").as_str()),
        "{asked:?}"
    );
    let own = format!("{origin}/");
    assert!(asked.iter().all(|url| url.starts_with(&own)), "{asked:?}");
    let document = document(server.api()).await;
    for (method, path) in operations(&document) {
        let path = path.replace("start.js", "{file}").replace("/x", "/{id}");
        let row = format!("data-path=\"{path}\"");
        let shown = seen
            .elements
            .split("<span class=\"opblock-summary-method\">");
        let is_shown = shown
            .skip(1)
            .filter(|rest| rest.starts_with(method.as_str()))
            .any(|rest| {
                rest.split("</button>")
                    .next()
                    .is_some_and(|head| head.contains(&row))
            });
        assert!(is_shown, "{method} {path}");
    }
}

/// That the eyes of the test above are open: a page that complains and reaches out is seen to.
#[tokio::test]
async fn browser_tells_of_a_page_that_asks_elsewhere() {
    if !has_tool("chromium").await {
        return skip("chromium", "it is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let page = "data:text/html,<script>console.error('boom');\
                fetch('http://127.0.0.1:1/x').catch(() => 0)</script>";
    let seen = browse(page, folder.path()).await;
    assert!(
        seen.console().iter().any(|line| line.contains("boom")),
        "{}",
        seen.said
    );
    assert_eq!(
        seen.asked_by("null"),
        ["http://127.0.0.1:1/x"],
        "{}",
        seen.network["events"]
    );
}
