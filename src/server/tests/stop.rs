//! The soft and the hard end, and ends that must not look clean.

use tokio::sync::Notify;

use super::*;

#[tokio::test]
async fn soft_end_lets_a_running_response_finish_and_closes_idle_connections() {
    let (router, feed) = fed();
    let server = start(
        config(),
        router.merge(Router::new().route("/hi", get(async || "hello"))),
    );
    let mut idle = Client::connect(&server).await;
    idle.send("GET /hi HTTP/1.1\r\nHost: test\r\n\r\n").await;
    idle.read_until("hello").await;
    let mut silent = Client::connect(&server).await;
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    feed.send(Bytes::from_static(b"first ")).await.unwrap();
    client.read_until("first \r\n").await;

    server.lifecycle.soft.cancel();
    assert_eq!(idle.read_to_end().await.unwrap(), "");
    assert_eq!(silent.read_to_end().await.unwrap(), "");
    feed.send(Bytes::from_static(b"second")).await.unwrap();
    drop(feed);
    let rest = client.read_to_end().await.unwrap();
    assert_eq!(rest, "6\r\nsecond\r\n0\r\n\r\n");

    server.lifecycle.tracker.close();
    timeout(PATIENCE, server.lifecycle.tracker.wait())
        .await
        .unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn response_begun_after_the_soft_end_says_close() {
    let asked = Arc::new(Notify::new());
    let go = Arc::new(Notify::new());
    let (is_asked, may_go) = (Arc::clone(&asked), Arc::clone(&go));
    let handler = async move || {
        is_asked.notify_one();
        may_go.notified().await;
        "hello"
    };
    let server = start(config(), Router::new().route("/", get(handler)));
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    timeout(PATIENCE, asked.notified()).await.unwrap();
    server.lifecycle.soft.cancel();
    go.notify_one();
    let answer = client.read_to_end().await.unwrap();
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn hard_end_cuts_and_the_cut_shows() {
    let (router, feed) = fed();
    let server = start(config(), router);
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    feed.send(Bytes::from_static(b"first ")).await.unwrap();
    client.read_until("first ").await;
    server.lifecycle.hard.cancel();
    let rest = client.read_to_end().await.unwrap();
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
    timeout(PATIENCE, feed.closed()).await.unwrap();
}

const GET_1_0: &str = "GET / HTTP/1.0\r\n\r\n";

#[tokio::test]
async fn cut_body_without_framing_is_reset() {
    let (router, feed) = fed();
    let server = start(config(), router);
    let mut client = Client::connect(&server).await;
    client.send(GET_1_0).await;
    feed.send(Bytes::from_static(b"first")).await.unwrap();
    client.read_until("first").await;
    server.lifecycle.hard.cancel();
    let error = client.read_to_end().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn failed_body_without_framing_is_reset() {
    let handler = async || {
        let piece = Ok(Bytes::from_static(b"first"));
        let pieces = [piece, Err(Error::other("broken"))];
        Body::from_stream(stream::iter(pieces))
    };
    let server = start(config(), Router::new().route("/", get(handler)));
    let mut client = Client::connect(&server).await;
    client.send(GET_1_0).await;
    let error = client.read_to_end().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn whole_body_without_framing_ends_cleanly() {
    let (router, feed) = fed();
    let server = start(config(), router);
    let mut client = Client::connect(&server).await;
    client.send(GET_1_0).await;
    feed.send(Bytes::from_static(b"all")).await.unwrap();
    drop(feed);
    assert!(client.read_to_end().await.unwrap().ends_with("\r\n\r\nall"));
}
