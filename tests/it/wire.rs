//! The wire as clients see it: bodies and response heads as snapshots, so that any change is a visible difference.
//!
//! Tokens, times, ids of requests, ports and the length of what contains them differ with each run and are masked.

use serde_json::Value;

use crate::harness::upstream::tiktok::Item;
use crate::harness::{ENCODERS, Raw, Stage, link, raw, text};

const VIDEO: &str = "7524919459643919921";
const PHOTO: &str = "7524919459643919922";

async fn stage() -> Stage {
    Stage::with(|builder| {
        builder
            .env("BASE_URL", "https://media.example.com")
            .ffmpeg_with(&ENCODERS)
    })
    .await
}

/// Masks what differs with each run.
fn masked(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => {
            for name in ["data=", "/download-slideshow?url="] {
                if let Some((before, _)) = text.split_once(name) {
                    *text = format!("{before}{name}[token]");
                }
            }
        }
        Value::Array(list) => list
            .iter_mut()
            .for_each(|entry| *entry = masked(entry.take())),
        Value::Object(fields) => {
            for (key, field) in fields {
                *field = match key.as_str() {
                    "streamData" => "[token]".into(),
                    "expires_at" => "[seconds]".into(),
                    "request_id" => "[id]".into(),
                    _ => masked(field.take()),
                };
            }
        }
        _ => {}
    }
    value
}

/// A head as text: names as they are on the wire, in their order.
fn head(answer: &Raw) -> String {
    let lines = answer.headers.iter().map(|line| {
        let (name, _) = line.split_once(": ").expect("a header");
        match name {
            "Date" => "Date: [date]".to_owned(),
            "X-Request-Id" => "X-Request-Id: [id]".to_owned(),
            "Content-Length" if answer.body.starts_with(b"{") => {
                "Content-Length: [length of the JSON]".to_owned()
            }
            _ => line.clone(),
        }
    });
    let lines: Vec<_> = std::iter::once(answer.status_line.clone())
        .chain(lines)
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn body_of_a_video() {
    let body = stage().await.resolve(&Item::video(VIDEO)).await;
    insta::assert_json_snapshot!(masked(body));
}

#[tokio::test]
async fn body_of_photos() {
    let body = stage().await.resolve(&Item::photo(PHOTO, 2)).await;
    insta::assert_json_snapshot!(masked(body));
}

#[tokio::test]
async fn heads_of_every_route() {
    let stage = stage().await;
    let url = stage.serve(&Item::video(VIDEO));
    let stream = link(&stage.api().resolve(&url).await, "h264_720p_1490112");
    let stream = stream
        .strip_prefix("https://media.example.com")
        .expect("our base");
    let photos = stage.resolve(&Item::photo(PHOTO, 1)).await;
    let picture = text(&photos, "/download_link/no_watermark/0");
    let picture = picture
        .strip_prefix("https://media.example.com")
        .expect("our base");
    let body = format!("{{\"url\":\"{url}\"}}");
    let post = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let mut heads = Vec::new();
    for (name, request_line, headers, body) in [
        ("GET /", "GET /", "", ""),
        ("GET /health", "GET /health", "", ""),
        ("POST /tiktok", "POST /tiktok", post.as_str(), body.as_str()),
        ("POST /resolve", "POST /resolve", &post, &body),
        ("GET /stream", &format!("GET {stream}"), "", ""),
        ("HEAD /stream", &format!("HEAD {stream}"), "", ""),
        (
            "GET /stream, a range",
            &format!("GET {stream}"),
            "Range: bytes=0-9\r\n",
            "",
        ),
        (
            "GET /stream, past the end",
            &format!("GET {stream}"),
            "Range: bytes=9999999-\r\n",
            "",
        ),
        (
            "GET /stream, known",
            &format!("GET {stream}"),
            "If-None-Match: *\r\n",
            "",
        ),
        (
            "GET /download, a picture",
            &format!("GET {picture}"),
            "",
            "",
        ),
        ("GET /stream without data", "GET /stream", "", ""),
        ("GET /tiktok", "GET /tiktok", "", ""),
        ("GET /nope", "GET /nope", "", ""),
        (
            "OPTIONS /tiktok",
            "OPTIONS /tiktok",
            "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n",
            "",
        ),
    ] {
        let request = format!(
            "{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}"
        );
        let answer = raw(stage.server.base(), &request).await;
        heads.push(format!("{name}\n\n{}\n", head(&answer)));
    }
    insta::assert_snapshot!(heads.join("\n"));
}

#[tokio::test]
async fn bodies_of_refusals() {
    let stage = stage().await;
    let mut bodies = Vec::new();
    for (route, body) in [
        ("/tiktok", "{"),
        ("/tiktok", "{}"),
        ("/tiktok", "{\"url\":7}"),
        ("/tiktok", "{\"url\":\"https://invalid.com\"}"),
    ] {
        bodies.push(masked(stage.api().post(route, body).await.json()));
    }
    for path in ["/stream", "/stream?data=x", "/nope"] {
        bodies.push(masked(stage.api().get(path).await.json()));
    }
    insta::assert_json_snapshot!(bodies);
}
