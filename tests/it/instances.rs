//! The server as a process: its start, its end, and several of them with one key.

use crate::harness::upstream::Upstream;
use crate::harness::upstream::tiktok::{Item, Post};
use crate::harness::{Api, Builder, Fetched, TestServer};

/// The upstream with one post, and that post's address.
async fn upstream() -> (Upstream, String) {
    let upstream = Upstream::start().await;
    let post = Post::new(&Item::video("7524919459643919401"));
    let url = post.url();
    post.serve(&upstream.world);
    (upstream, url)
}

async fn link(api: &Api, url: &str) -> String {
    let body = api.resolve(url).await;
    let link = body["download_link"]["no_watermark_hd"].as_str();
    link.expect("a link").to_owned()
}

/// Fetches a link of one server from another one.
async fn fetch_from(server: &TestServer, link: &str) -> Fetched {
    let at = link.find("/stream?").expect("a stream link");
    server.api().get(&link[at..]).await
}

#[tokio::test]
async fn link_of_one_instance_streams_from_another_with_the_same_key_only() {
    let (upstream, url) = upstream().await;
    let first = TestServer::start(&upstream).await;
    let second = TestServer::start(&upstream).await;
    let stranger = Builder::new(&upstream)
        .env("ENCRYPTION_KEY", "another-key-for-tests-Wn5yTqR7bKc2")
        .start()
        .await;
    assert_ne!(first.pid(), second.pid());
    let link = link(first.api(), &url).await;
    let (ours, theirs) = (
        first.api().get(&link).await,
        fetch_from(&second, &link).await,
    );
    assert!(ours.is_whole && theirs.is_whole && ours.status == 200);
    assert_eq!(ours.sha256(), theirs.sha256());
    let refused = fetch_from(&stranger, &link).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error_code"]),
        (400, &"link_invalid".into())
    );
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn link_outlives_a_restart_and_the_end_is_clean() {
    let (upstream, url) = upstream().await;
    let server = TestServer::start(&upstream).await;
    let link = link(server.api(), &url).await;
    let (status, logs) = server.stop().await;
    assert!(status.success(), "{status}: {logs}");
    let again = TestServer::start(&upstream).await;
    let part = again
        .api()
        .get_range(
            &link[link.find("/stream?").expect("a link")..],
            "bytes=10-19",
        )
        .await;
    assert_eq!((part.status.as_u16(), part.body.len()), (206, 10));
}

#[tokio::test]
async fn weak_key_is_refused_by_name() {
    let upstream = Upstream::start().await;
    for key in ["overflow", "short"] {
        let (status, logs) = Builder::new(&upstream)
            .env("ENCRYPTION_KEY", key)
            .run_to_end()
            .await;
        assert!(!status.success(), "{key}");
        assert!(logs.contains("ENCRYPTION_KEY"), "{logs}");
    }
    assert!(upstream.world.records().is_empty());
}

#[tokio::test]
async fn key_is_read_from_the_file_beside_the_server() {
    let (upstream, url) = upstream().await;
    let server = Builder::new(&upstream)
        .without("ENCRYPTION_KEY")
        .file(".env", "ENCRYPTION_KEY=key-from-a-file-Xp4mZr9Qw2Lk\n")
        .start()
        .await;
    let same = Builder::new(&upstream)
        .env("ENCRYPTION_KEY", "key-from-a-file-Xp4mZr9Qw2Lk")
        .start()
        .await;
    let link = link(server.api(), &url).await;
    assert_eq!(fetch_from(&same, &link).await.status, 200);
}
