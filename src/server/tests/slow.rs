//! Slow and hostile HTTP/1.1 clients: each is closed by the limit it breaks.

use tokio::time::interval;

use super::*;

fn short_head() -> TestServer {
    let mut config = config();
    config.header_timeout = SHORT;
    start(config, hello())
}

async fn closed_after(server: &TestServer, sent: &str) {
    let mut client = Client::connect(server).await;
    client.send(sent).await;
    assert_eq!(client.read_to_end().await.unwrap(), "");
}

#[tokio::test]
async fn silent_client_is_closed() {
    closed_after(&short_head(), "").await;
}

#[tokio::test]
async fn part_of_the_http2_preface_is_closed() {
    closed_after(&short_head(), "PRI * HT").await;
}

#[tokio::test]
async fn partial_head_is_closed() {
    closed_after(&short_head(), "GET / HTTP/1.1\r\nHost: te").await;
}

#[tokio::test]
async fn partial_second_head_is_closed() {
    let server = short_head();
    let mut client = Client::connect(&server).await;
    client.say_hello().await;
    client.send("GET / HT").await;
    assert_eq!(client.read_to_end().await.unwrap(), "");
}

#[tokio::test]
async fn dripping_head_is_closed() {
    let server = short_head();
    let client = Client::connect(&server).await;
    let (mut reader, mut writer) = client.0.into_split();
    let drip = async move {
        let mut ticks = interval(SHORT / 10);
        let mut line = "GET / HTTP/1.1\r\n";
        while writer.write_all(line.as_bytes()).await.is_ok() {
            line = "X: 1\r\n";
            ticks.tick().await;
        }
    };
    let drip = crate::task::spawn(drip);
    let mut answer = Vec::new();
    // A line on its way when the server closes turns the end into a reset.
    let _ = timeout(PATIENCE, reader.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, b"");
    timeout(PATIENCE, drip).await.unwrap().unwrap();
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let mut config = config();
    config.keepalive_timeout = SHORT;
    let server = start(config, hello());
    let mut client = Client::connect(&server).await;
    client.say_hello().await;
    assert_eq!(client.read_to_end().await.unwrap(), "");
}

#[tokio::test]
async fn client_that_stops_reading_is_reset() {
    let mut config = config();
    config.client_stall_timeout = SHORT;
    let (router, feed) = fed();
    let server = start(config, router);
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    let piece = Bytes::from(vec![0; 1 << 20]);
    let feeding = async { while feed.send(piece.clone()).await.is_ok() {} };
    timeout(PATIENCE, feeding).await.unwrap();
    let error = client.read_to_end().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn slow_body_is_not_a_slow_client() {
    let mut config = config();
    config.header_timeout = SHORT;
    config.keepalive_timeout = SHORT;
    config.client_stall_timeout = SHORT;
    let (router, feed) = fed();
    let server = start(config, router);
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    client.read_until("\r\n\r\n").await;
    // The other connection lives as long as the longest limit lasts: after its end all of them have passed.
    closed_after(&server, "").await;
    closed_after(&server, "GET").await;
    feed.send(Bytes::from_static(b"late")).await.unwrap();
    client.read_until("late").await;
}
