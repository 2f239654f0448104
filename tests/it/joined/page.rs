//! A joined file in a browser: a page plays it to its end and seeks in it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::sync::mpsc;

use super::{PAIR, Pair, WEBM_PAIR, link, skip};
use crate::harness::{chromium, has_tool};

/// Longest time for a page; it needs some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Plays, jumps ahead after a second, back when there, and then plays to the end; tells each step.
const SCRIPT: &str = r"
const video = document.querySelector('video');
const tell = (what) => fetch('/told?' + encodeURIComponent(what));
let jumps = [5.5, 0.5], isJumping = false;
video.onloadedmetadata = () => {
  tell(`size ${video.videoWidth}x${video.videoHeight}`);
  tell(`length ${video.duration.toFixed(1)}`);
  video.playbackRate = 4;
  video.play().catch((error) => tell(`error ${error}`));
};
video.onerror = () => tell(`error ${video.error.code} ${video.error.message}`);
video.ontimeupdate = () => {
  if (!isJumping && video.currentTime > 1 && jumps.length) {
    isJumping = true;
    video.currentTime = jumps.shift();
  }
};
video.onseeked = () => {
  isJumping = false;
  tell(`seeked ${video.currentTime.toFixed(1)}`);
};
video.onended = async () => {
  const quality = video.getVideoPlaybackQuality();
  await tell(`sound ${video.webkitAudioDecodedByteCount > 10000}`);
  await tell(`frames ${quality.totalVideoFrames > 50}`);
  tell(`ended ${video.currentTime.toFixed(1)}`);
};
";

/// Serves the page, and passes on what its script tells.
async fn serve(listener: TcpListener, page: String, told: mpsc::Sender<String>) {
    while let Ok((stream, _)) = listener.accept().await {
        if let Some(what) = answer(stream, &page).await
            && told.send(what).await.is_err()
        {
            return;
        }
    }
}

/// One request, one answer.
async fn answer(mut stream: TcpStream, page: &str) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1)?;
    let body = if target == "/" { page } else { "" };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.ok()?;
    let told = target.strip_prefix("/told?")?;
    let told = percent_encoding::percent_decode_str(told).decode_utf8_lossy();
    Some(told.into_owned())
}

fn browser(profile: &std::path::Path, page: &str) -> Child {
    let mut command = chromium(profile);
    command
        .args(["--mute-audio", "--autoplay-policy=no-user-gesture-required"])
        .arg(page);
    command.spawn().expect("chromium")
}

/// A page plays a link to its end, jumping ahead and back before.
async fn assert_plays(source: &str) {
    let page = format!(
        "<!doctype html><video muted preload=auto src=\"{source}\"></video><script>{SCRIPT}</script>"
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    let (sender, mut told) = mpsc::channel(64);
    let server = crate::harness::spawn(serve(listener, page, sender));
    let profile = tempfile::tempdir().expect("a folder");
    let mut browser = browser(profile.path(), &address);
    let mut steps = Vec::new();
    let watching = async {
        while let Some(step) = told.recv().await {
            let is_last = step.starts_with("ended") || step.starts_with("error");
            steps.push(step);
            if is_last {
                return;
            }
        }
    };
    let watched = tokio::time::timeout(PATIENCE, watching).await;
    browser.kill().await.expect("the browser ends");
    server.abort();
    assert!(watched.is_ok(), "{steps:?}");
    for step in [
        "size 320x180",
        "length 8.0",
        "seeked 5.5",
        "seeked 0.5",
        "sound true",
        "frames true",
        "ended 8.0",
    ] {
        assert!(steps.iter().any(|told| told == step), "{step} in {steps:?}");
    }
}

async fn has_chromium() -> bool {
    let is_there = has_tool("chromium").await;
    if !is_there {
        skip("chromium", "it is not installed");
    }
    is_there
}

#[tokio::test]
async fn page_plays_to_the_end_and_seeks() {
    if !has_chromium().await {
        return;
    }
    let Some(pair) = Pair::open().await else {
        return;
    };
    assert_plays(&link(&pair.resolve().await, PAIR)).await;
}

#[tokio::test]
async fn page_plays_webm_to_the_end_and_seeks() {
    if !has_chromium().await {
        return;
    }
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    assert_plays(&link(&pair.resolve().await, WEBM_PAIR)).await;
}
