//! Every route over HTTP/2 with prior knowledge, as a proxy in front of the server may speak it.

use futures_util::future::join_all;
use http::{Method, Version};

use crate::harness::upstream::tiktok::Item;
use crate::harness::{Fetched, Stage, assert_refusal, fetch, link, plain_client};

const ID: &str = "7524919459643919911";

fn client() -> reqwest::Client {
    plain_client()
        .http2_prior_knowledge()
        .build()
        .expect("client")
}

async fn ask(stage: &Stage, client: &reqwest::Client, method: Method, path: &str) -> Fetched {
    fetch(client.request(method, format!("{}{path}", stage.server.base()))).await
}

#[tokio::test]
async fn every_route_answers_as_over_http1() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let url = stage.serve(&item);
    let client = client();
    let version = client
        .get(format!("{}/health", stage.server.base()))
        .send()
        .await
        .expect("an answer")
        .version();
    assert_eq!(version, Version::HTTP_2);
    for path in ["/", "/health"] {
        assert_eq!(ask(&stage, &client, Method::GET, path).await.status, 200);
        assert_eq!(ask(&stage, &client, Method::HEAD, path).await.body.len(), 0);
    }
    let mut bodies = Vec::new();
    for route in ["/tiktok", "/resolve"] {
        let request = client
            .post(format!("{}{route}", stage.server.base()))
            .body(format!("{{\"url\":\"{url}\"}}"));
        bodies.push(fetch(request).await.json());
    }
    assert_eq!(bodies[1]["id"], ID);
    let stream = link(&bodies[0], "h264_720p_1490112");
    let path = &stream[stream.find("/stream?").expect("a stream link")..];
    let payload = stage.file(&item, "/video/playAddr").payload;
    for path in [path.to_owned(), path.replace("/stream?", "/download?")] {
        let whole = ask(&stage, &client, Method::GET, &path).await;
        assert_eq!(
            (whole.status.as_u16(), whole.sha256()),
            (200, payload.sha256())
        );
        assert_eq!(whole.header("content-length"), payload.len().to_string());
        let head = ask(&stage, &client, Method::HEAD, &path).await;
        assert_eq!(
            (head.status.as_u16(), head.header("etag")),
            (200, whole.header("etag"))
        );
        let address = format!("{}{path}", stage.server.base());
        let part = fetch(client.get(address).header("range", "bytes=10-19")).await;
        assert_eq!(
            (part.status.as_u16(), part.body),
            (206, payload.slice(10..20))
        );
    }
    assert_refusal(
        &ask(&stage, &client, Method::GET, "/stream?data=x").await,
        400,
        "link_invalid",
    );
    assert_refusal(
        &ask(&stage, &client, Method::GET, "/nope").await,
        404,
        "route_not_found",
    );
    assert_refusal(
        &ask(&stage, &client, Method::GET, "/tiktok").await,
        405,
        "method_not_allowed",
    );
    let preflight = ask(&stage, &client, Method::OPTIONS, "/tiktok").await;
    assert!(preflight.status.is_success());
    stage.assert_well().await;
}

#[tokio::test]
async fn many_transfers_share_one_connection() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let stream = link(&stage.resolve(&item).await, "h264_720p_1490112");
    let path = &stream[stream.find("/stream?").expect("a stream link")..];
    let client = client();
    let answers = join_all((0..16).map(|_| ask(&stage, &client, Method::GET, path))).await;
    let expected = stage.file(&item, "/video/playAddr").payload.sha256();
    assert!(
        answers
            .iter()
            .all(|answer| answer.is_whole && answer.sha256() == expected)
    );
    stage.assert_well().await;
}
