//! Playlists and mixes through both.

use serde_json::{Value, json};

use super::Pair;
use crate::harness::text;
use crate::harness::upstream::youtube::{Layout, Mix, PAGE, Playlist, State};

/// Entries that both list.
const LIMIT: usize = 250;

/// Id, title and milliseconds; 0 where unknown.
type Entry = (String, String, u64);

fn theirs(line: &Value) -> Entry {
    let seconds = line["duration"].as_f64().unwrap_or(0.0);
    let title = line["title"].as_str().unwrap_or_default().to_owned();
    (text(line, "/id"), title, super::whole(seconds) * 1000)
}

fn ours(entry: &Value) -> Entry {
    (
        text(entry, "/id"),
        text(entry, "/title"),
        entry["duration"].as_u64().unwrap_or(0),
    )
}

async fn compare(pair: &Pair, url: &str) {
    let end = LIMIT.to_string();
    let printed = pair
        .run_yt_dlp(&[
            "--flat-playlist",
            "--dump-json",
            "--playlist-end",
            &end,
            url,
        ])
        .await;
    let parse = |line| -> Value { serde_json::from_str(line).expect("a line of JSON") };
    let theirs: Vec<Entry> = printed
        .lines()
        .map(parse)
        .map(|line| theirs(&line))
        .collect();
    let request = json!({ "url": url, "limit": LIMIT }).to_string();
    let body = pair.server.api().post("/playlist", &request).await.json();
    let entries = body["entries"]
        .as_array()
        .unwrap_or_else(|| panic!("no entries in {body:#}"));
    let ours: Vec<Entry> = entries.iter().map(ours).collect();
    assert_eq!(ours, theirs, "left: serverrs, right: yt-dlp: {url}");
    pair.assert_well();
}

#[tokio::test]
async fn playlists_of_both_layouts_are_the_same() {
    let list = |id: &str, layout| {
        Playlist::new(id, layout, 2 * PAGE + 30)
            .with_state(3, State::Private)
            .with_state(4, State::Deleted)
    };
    let Some(pair) = Pair::new(vec![]).await else {
        return;
    };
    for (id, layout) in [
        ("PLharbourClassic0000000", Layout::Classic),
        ("PLharbourLockup00000000", Layout::Lockup),
    ] {
        let list = list(id, layout);
        pair.youtube.playlist(list.clone());
        compare(&pair, &list.url()).await;
    }
}

#[tokio::test]
async fn mixes_are_the_same() {
    let Some(pair) = Pair::new(vec![]).await else {
        return;
    };
    let mix = Mix::new("harbour0001");
    pair.youtube.mix(mix.clone());
    compare(&pair, &mix.url()).await;
}
