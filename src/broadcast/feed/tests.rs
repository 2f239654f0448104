//! What a path leads to, asked by hand.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Feeds a file with this content.
async fn feed(feeds: &Arc<Feeds>, dir: &Path, content: &str) -> Feed {
    let path = dir.join(content);
    std::fs::write(&path, content).unwrap();
    feeds.open(Content::File(path)).await.unwrap()
}

/// The address and the path of a URL.
fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split_at(rest.find('/').unwrap())
}

/// Status and body of an answer, from the listener behind `feed`.
async fn ask(feed: &Feed, method: &str, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(parts(feed.url()).0).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn get(feed: &Feed, path: &str) -> (u16, String) {
    ask(feed, "GET", path, parts(feed.url()).0).await
}

#[tokio::test]
async fn feed_has_a_token_of_its_own_that_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let feeds = Feeds::new(Lifecycle::new());
    let one = feed(&feeds, dir.path(), "one").await;
    let other = feed(&feeds, dir.path(), "other").await;
    let (path, others) = (parts(one.url()).1.to_owned(), parts(other.url()).1);
    assert_eq!((path.len(), others.len()), (33, 33));
    assert_ne!(path, others);
    assert_eq!(get(&one, &path).await, (200, "one".to_owned()));
    assert_eq!(get(&one, others).await, (200, "other".to_owned()));
    drop(one);
    assert_eq!(get(&other, &path).await.0, 404);
    assert_eq!(get(&other, others).await, (200, "other".to_owned()));
}

#[tokio::test]
async fn feed_answers_its_own_path_at_its_own_address_alone() {
    let dir = tempfile::tempdir().unwrap();
    let feeds = Feeds::new(Lifecycle::new());
    let feed = feed(&feeds, dir.path(), "file").await;
    let (host, path) = parts(feed.url());
    let first = &path[..path.len() - 1];
    for path in [
        "/",
        first,
        &format!("{path}0"),
        &format!("{path}/"),
        &format!("{path}/1"),
        &format!("/{path}"),
        // A file has no sound of its own.
        &format!("{path}/sound"),
    ] {
        assert_eq!(get(&feed, path).await.0, 404, "{path}");
    }
    let elsewhere = host.replace("127.0.0.1", "localhost");
    assert_eq!(ask(&feed, "GET", path, &elsewhere).await.0, 404);
    assert_eq!(ask(&feed, "POST", path, host).await.0, 405);
    assert_eq!(get(&feed, path).await.0, 200);
}
