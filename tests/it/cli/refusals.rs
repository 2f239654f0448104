//! Exit codes of what can't be done, and what is said.

use super::{Bench, ID, ended};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Answer, Fault, Page, Rule};

#[tokio::test]
async fn command_lines_that_can_not_be_used_end_with_usage() {
    let bench = Bench::open().await;
    for line in [
        "--nonsense",
        "get",
        "info",
        "get --nonsense x",
        "completions",
        "completions tcsh",
        "nonsense",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let done = bench.run(&arguments).await;
        done.assert_code(64);
        assert!(done.stdout.is_empty() && !done.stderr.is_empty(), "{line}");
    }
    for line in ["--help", "--version", "get --help", "get -h"] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let done = bench.run(&arguments).await;
        done.assert_code(0);
        assert!(!done.stdout.is_empty() && done.stderr.is_empty(), "{line}");
    }
}

#[tokio::test]
async fn addresses_that_can_not_be_used_end_with_usage_and_ask_nobody() {
    let bench = Bench::open().await;
    for (url, word) in [
        ("nonsense", "bad_url"),
        ("https://example.com/a", "unsupported_host"),
        ("http://127.0.0.1/?tiktok.com", "unsupported_host"),
        ("https://www.tiktok.com/@user", "unsupported_url"),
        ("file:///etc/passwd", "bad_url"),
    ] {
        for command in ["get", "info"] {
            let done = bench.run(&[command, url]).await;
            done.assert_code(64);
            assert!(done.stderr.contains(word), "{url}: {}", done.stderr);
        }
    }
    assert!(bench.world().records().is_empty());
}

#[tokio::test]
async fn posts_that_are_not_there_are_unavailable_and_trouble_is_temporary() {
    let (bench, _, url) = Bench::with_video().await;
    bench
        .world()
        .fault(Rule::path_prefix("/@", Fault::Status(503)));
    for command in ["get", "info"] {
        bench.run(&[command, &url]).await.assert_code(75);
    }
    bench.world().clear_faults();
    let private = bench.serve(&Item::video("7524919459643919702"));
    let gone = include_bytes!("../../fixtures/tiktok/page_deleted.html");
    let page = Answer::html(bytes::Bytes::from_static(gone));
    let path = "/@*/video/7524919459643919702";
    bench
        .world()
        .page(Page::new("www.tiktok.com", path, vec![page]));
    let done = bench.run(&["get", &private]).await;
    done.assert_code(69);
    assert!(done.stderr.contains("not_found"), "{}", done.stderr);
    let down = bench.command(&["get", &url]);
    let mut down = down;
    down.env("PROXY", "http://127.0.0.1:9");
    ended(down).await.assert_code(75);
}

#[tokio::test]
async fn settings_that_can_not_be_used_are_all_listed() {
    let bench = Bench::open().await;
    let url = format!("https://www.tiktok.com/@a/video/{ID}");
    for arguments in [&["get", &url][..], &["info", &url]] {
        let mut command = bench.command(arguments);
        command
            .env("PROXY", "gopher://user:canary@host")
            .env("QUEUE_SIZE", "many");
        let done = ended(command).await;
        done.assert_code(78);
        for name in ["PROXY", "QUEUE_SIZE"] {
            assert!(done.stderr.contains(name), "{}", done.stderr);
        }
        assert!(!done.stderr.contains("canary"), "{}", done.stderr);
    }
}

#[tokio::test]
async fn no_listener_is_opened_and_the_folder_stays_clean() {
    let (bench, _, url) = Bench::with_video().await;
    let mut command = bench.command(&["info", &url]);
    // The port of somebody else: a listener would fail on it.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    command
        .env("HOST", "127.0.0.1")
        .env("PORT", port.to_string());
    ended(command).await.assert_code(0);
    assert_eq!(bench.names(), [""; 0]);
}
