//! `get -o -` and other places that are no files.

use tokio::io::AsyncReadExt as _;

use super::{Bench, DEFAULT_FILE, ended};

#[tokio::test]
async fn bytes_go_to_standard_output_and_nothing_else_does() {
    let (bench, item, url) = Bench::with_video().await;
    let done = bench.run(&["get", &url, "-o", "-"]).await;
    done.assert_code(0);
    assert!(done.stdout == bench.file(&item, DEFAULT_FILE).payload.whole());
    assert_eq!(bench.names(), [""; 0]);
}

#[tokio::test]
async fn reader_that_goes_away_ends_it() {
    let (bench, _, url) = Bench::with_video().await;
    let mut child = bench.start(&["get", &url, "-o", "-"]);
    let mut stdout = child.stdout.take().expect("stdout");
    stdout.read_exact(&mut [0; 100]).await.expect("some bytes");
    drop(stdout);
    let done = super::Done::of(child.wait_with_output().await.expect("an end"));
    done.assert_code(74);
    assert!(
        done.stderr.contains("the reader has closed it"),
        "{}",
        done.stderr
    );
}

#[tokio::test]
async fn ctrl_c_ends_it_while_nobody_reads() {
    let (bench, _, url) = Bench::with_video().await;
    let mut child = bench.start(&["get", &url, "-o", "-"]);
    let mut stdout = child.stdout.take().expect("stdout");
    // The pipe is full after these, for 64 KiB are less than the file.
    stdout.read_exact(&mut [0; 100]).await.expect("some bytes");
    super::signal(&child, "INT").await;
    let status = child.wait().await.expect("an end");
    assert_eq!(status.code(), Some(130));
}

#[tokio::test]
async fn device_that_is_full_is_a_failure() {
    let (bench, _, url) = Bench::with_video().await;
    let done = bench.run(&["get", &url, "-o", "/dev/full"]).await;
    done.assert_code(74);
    assert!(done.stderr.contains("No space left"), "{}", done.stderr);
    bench
        .run(&["get", &url, "-o", "/dev/null"])
        .await
        .assert_code(0);
}

#[tokio::test]
async fn results_on_a_full_disk_are_a_failure_and_closed_pipes_are_none() {
    let (bench, _, url) = Bench::with_video().await;
    let program = env!("CARGO_BIN_EXE_serverrs");
    for command in [
        "completions bash",
        "man",
        "--help",
        &format!("info '{url}'"),
    ] {
        let full = format!("'{program}' {command} > /dev/full");
        let done = ended(bench.under("sh", &["-c", &full])).await;
        done.assert_code(74);
        let closed = format!("{{ '{program}' {command}; echo \"code $?\" >&2; }} | true");
        let done = ended(bench.under("sh", &["-c", &closed])).await;
        assert!(
            done.stderr.ends_with("code 0\n"),
            "{command}: {}",
            done.stderr
        );
    }
}
