//! Playlists: the recorded pages, and how pages are put together.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::recorded;
use super::script::{Script, WEB, site};
use crate::extract::youtube::auth::AccountCookies;
use crate::extract::{
    Availability, ExtractError, Extractor as _, Part, Playlist, Refusal, Unavailable,
};

const LIST: &str = "PLMC9KNkIncKtPzgY-5rmhvj7fax8fdxoj";

async fn list(
    script: &Script,
    id: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Playlist, ExtractError> {
    let url = format!("https://www.youtube.com/playlist?list={id}");
    list_at(script, &url, cursor, limit).await
}

/// Lists what an address names.
async fn list_at(
    script: &Script,
    url: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Playlist, ExtractError> {
    let site = site(&[]);
    let source = site.playlist(&Url::parse(url).unwrap()).unwrap();
    let part = Part {
        cursor: cursor.map(str::to_owned),
        limit,
    };
    let until = Instant::now() + Duration::from_secs(60);
    site.list_through(script, &AccountCookies::default(), &source, &part, until)
        .await
}

/// A page of `browse` with made-up videos and a token.
fn page(numbers: std::ops::Range<u64>, token: Option<&str>) -> Value {
    let mut items: Vec<Value> = numbers
        .map(|number| {
            json!({"playlistVideoRenderer": {
                "videoId": format!("{number:011}"), "title": {"simpleText": format!("v{number}")},
                "isPlayable": true, "lengthSeconds": "9"}})
        })
        .collect();
    if let Some(token) = token {
        items.push(
            json!({"continuationItemRenderer": {"continuationEndpoint": {"commandExecutorCommand": {
            "commands": [{"other": {}}, {"continuationCommand": {"token": token}}]}}}}),
        );
    }
    json!({
        "responseContext": {"visitorData": format!("v{}", token.unwrap_or("end"))},
        "onResponseReceivedActions": [{"appendContinuationItemsAction": {"continuationItems": items}}],
    })
}

fn indices(playlist: &Playlist) -> Vec<u64> {
    playlist.entries.iter().map(|entry| entry.index).collect()
}

#[tokio::test]
async fn recorded_pages_of_the_old_layout_are_listed() {
    let (Some(first), Some(second)) = (
        recorded::body("playlist/page1_pop.json.gz"),
        recorded::body("playlist/page2_pop.json.gz"),
    ) else {
        return;
    };
    let script = Script::default()
        .with(WEB, "browse", first)
        .with(WEB, "browse", second);
    let playlist = list(&script, LIST, None, 5000).await.unwrap();
    assert_eq!(
        playlist.title,
        "Pop Music Playlist - Timeless Pop Songs (Updated Weekly 2026)"
    );
    assert_eq!(playlist.author.name, "Redlist - Just Hits");
    assert_eq!(playlist.author.handle, "Redlist-JustHits");
    assert_eq!(playlist.author.id, "UCs72iRpTEuwV3y6pdWYLgiw");
    assert_eq!(playlist.entry_count, Some(200));
    assert_eq!(indices(&playlist), (1..=200).collect::<Vec<_>>());
    assert_eq!(playlist.next_cursor, None);
    let entry = &playlist.entries[0];
    assert_eq!(entry.id, "euCqAq6BRa4");
    assert_eq!(entry.title, "DJ Snake - Let Me Love You ft. Justin Bieber");
    assert_eq!(entry.author, "DJ Snake");
    assert_eq!(entry.duration_ms, Some(206_000));
    assert_eq!(entry.availability, Availability::Available);
    assert!(
        entry
            .thumbnail
            .as_ref()
            .unwrap()
            .starts_with("https://i.ytimg.com/")
    );
    let calls = script.calls();
    let browses: Vec<_> = calls
        .iter()
        .filter(|asked| asked.path == "browse")
        .collect();
    assert_eq!(browses[0].body["browseId"], format!("VL{LIST}"));
    assert!(
        browses[1].body["continuation"]
            .as_str()
            .unwrap()
            .starts_with("4qmFsgKBARIk")
    );
}

#[tokio::test]
async fn recorded_page_of_the_new_layout_goes_on_with_the_inner_token() {
    let Some(first) = recorded::body("playlist/page1_lockup_2026-09_pruned.json") else {
        return;
    };
    let section = "/contents/twoColumnBrowseResultsRenderer/tabs/0/tabRenderer/content/sectionListRenderer/contents";
    let token_of = |item: &Value| {
        let path = "/continuationItemRenderer/continuationEndpoint/continuationCommand/token";
        item.pointer(path)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let sections = first.pointer(section).unwrap().as_array().unwrap();
    let outer = sections.iter().find_map(token_of).unwrap();
    let script = Script::default()
        .with(WEB, "browse", first)
        .with(WEB, "browse", page(3..4, None));
    let playlist = list(&script, "PLRCwNR3H9ZNKQTzdmu3qlwei9_74VIwg7", None, 5000)
        .await
        .unwrap();
    assert_eq!(playlist.title, "Umineko no Naku Koro ni прохождение [100%]");
    assert_eq!(playlist.author.name, "Virtuozila Game World");
    assert_eq!(playlist.entry_count, Some(135));
    assert_eq!(playlist.entries.len(), 4);
    assert_eq!(playlist.entries[0].id, "ZKYTOO5S4Qk");
    assert_eq!(playlist.entries[0].duration_ms, Some(3_248_000));
    assert_eq!(playlist.entries[0].author, "Virtuozila Game World");
    assert_eq!(playlist.entries[1].index, 99);
    let asked = script.calls().pop().unwrap();
    let used = asked.body["continuation"].as_str().unwrap();
    assert_ne!(used, outer);
    assert!(used.starts_with("4qmFsg"));
}

#[tokio::test]
async fn recorded_course_and_shorts_are_listed() {
    let (Some(course), Some(shorts)) = (
        recorded::body("playlist/page1_course.json.gz"),
        recorded::body("playlist/page1_shorts.json.gz"),
    ) else {
        return;
    };
    let script = Script::default().with(WEB, "browse", course);
    let playlist = list(&script, "PLWxziGKTUvQFIsbbFcTZz7jOT4TMGnZBh", None, 100)
        .await
        .unwrap();
    assert_eq!(playlist.entries.len(), 14);
    assert_eq!(
        playlist.next_cursor, None,
        "the token of the course's panel is another one"
    );
    assert_eq!(playlist.title, "C++ Template Metaprogramming");
    let script = Script::default().with(WEB, "browse", shorts);
    let playlist = list(&script, "UUSHBR8-60-B28hp2BmDPdntcQ", None, 100)
        .await
        .unwrap();
    assert_eq!(playlist.entries.len(), 100);
    assert!(playlist.next_cursor.is_some());
}

#[tokio::test]
async fn recorded_headers_are_read() {
    for (name, title, author, count) in [
        ("meta_course", "C++ Template Metaprogramming", "BitsOfQ", 14),
        ("meta_shorts", "Short videos", "YouTube", 1004),
        (
            "meta_pop",
            "Pop Music Playlist - Timeless Pop Songs (Updated Weekly 2026)",
            "Redlist - Just Hits",
            200,
        ),
    ] {
        let Some(answer) = recorded::body(&format!("playlist/{name}.json")) else {
            return;
        };
        let script = Script::default().with(WEB, "browse", answer);
        let playlist = list(&script, LIST, None, 10).await.unwrap();
        assert_eq!(playlist.title, title, "{name}");
        assert_eq!(playlist.author.name, author, "{name}");
        assert_eq!(playlist.entry_count, Some(count), "{name}");
        assert!(playlist.entries.is_empty() && playlist.next_cursor.is_none());
    }
}

#[tokio::test]
async fn recorded_refusals_are_errors() {
    let (Some(missing), Some(invalid)) = (
        recorded::body("playlist/err_not_exist.json"),
        recorded::body("playlist/err_invalid_id.json"),
    ) else {
        return;
    };
    let script = Script::default().with(WEB, "browse", missing);
    let error = list(&script, LIST, None, 10).await.unwrap_err();
    assert!(
        matches!(
            error,
            ExtractError::Unavailable {
                reason: Unavailable::NotFound,
                ..
            }
        ),
        "{error}"
    );
    let script = Script::default().with(WEB, "browse", invalid);
    let error = list(&script, LIST, None, 10).await.unwrap_err();
    assert!(
        matches!(error, ExtractError::Refused(Refusal::NotAPlaylist)),
        "{error}"
    );
}

#[tokio::test]
async fn private_and_personal_lists_are_errors_and_notices_are_not() {
    let alert = |kind: &str, text: &str| json!({"alerts": [{"alertRenderer": {"type": kind, "text": {"simpleText": text}}}]});
    let script = Script::default().with(WEB, "browse", alert("ERROR", "This playlist is private."));
    let error = list(&script, LIST, None, 10).await.unwrap_err();
    assert!(matches!(
        error,
        ExtractError::Unavailable {
            reason: Unavailable::Private,
            ..
        }
    ));
    let script = Script::default().with(
        WEB,
        "browse",
        alert("INFO", "Unavailable videos are hidden"),
    );
    assert!(list(&script, LIST, None, 10).await.is_ok());
    let script = Script::default();
    let error = list(&script, "WL", None, 10).await.unwrap_err();
    assert!(matches!(
        error,
        ExtractError::Unavailable {
            reason: Unavailable::LoginRequired,
            ..
        }
    ));
    assert!(script.calls().is_empty());
}

#[tokio::test]
async fn mix_is_asked_for_with_the_video_its_id_or_its_address_names() {
    let music = "RDEMaaaaaaaaaaaaaaaaaaaaaa";
    for (address, seed) in [
        (
            "playlist?list=RDFAqYW76GLPA".to_owned(),
            Some("FAqYW76GLPA"),
        ),
        (
            "watch?v=zzzzzzzzzzz&list=RDFAqYW76GLPA".to_owned(),
            Some("FAqYW76GLPA"),
        ),
        (
            format!("watch?v=zzzzzzzzzzz&list={music}"),
            Some("zzzzzzzzzzz"),
        ),
        (
            "watch?v=zzzzzzzzzzz&list=RDMM".to_owned(),
            Some("zzzzzzzzzzz"),
        ),
        (format!("playlist?list={music}"), None),
    ] {
        let script = Script::default().with(WEB, "next", json!({}));
        let url = format!("https://www.youtube.com/{address}");
        let missing = list_at(&script, &url, None, 10).await;
        assert!(missing.is_err(), "{missing:?}");
        let calls = script.calls();
        let asked = calls.iter().find(|asked| asked.path == "next").unwrap();
        assert_eq!(asked.body.get("videoId"), seed.map(Value::from).as_ref());
    }
}

#[tokio::test]
async fn recorded_mix_goes_on_without_repeating() {
    let (Some(first), Some(second)) = (
        recorded::body("mix/next_1.json.gz"),
        recorded::body("mix/next_2.json.gz"),
    ) else {
        return;
    };
    let script = Script::default()
        .with(WEB, "next", first)
        .with(WEB, "next", second);
    let playlist = list(&script, "RDFAqYW76GLPA", None, 35).await.unwrap();
    assert_eq!(playlist.entries.len(), 35);
    assert_eq!(playlist.entry_count, None);
    assert!(playlist.title.starts_with("Mix"));
    let mut ids: Vec<_> = playlist
        .entries
        .iter()
        .map(|entry| entry.id.clone())
        .collect();
    assert_eq!(ids[0], "FAqYW76GLPA");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 35);
    let calls = script.calls();
    let nexts: Vec<_> = calls.iter().filter(|asked| asked.path == "next").collect();
    assert_eq!(nexts[0].body["videoId"], "FAqYW76GLPA");
    assert_eq!(nexts[1].body["playlistIndex"], 24);
    assert_eq!(nexts[1].body["videoId"], playlist.entries[24].id);
    let second = recorded::body("mix/next_2.json.gz").unwrap();
    let script = Script::default().with(WEB, "next", second);
    let further = list(
        &script,
        "RDFAqYW76GLPA",
        playlist.next_cursor.as_deref(),
        35,
    )
    .await
    .unwrap();
    assert_eq!(script.calls()[0].body["videoId"], playlist.entries[34].id);
    assert!(!further.entries.is_empty() && further.entries[0].id != playlist.entries[34].id);
    assert_eq!(further.next_cursor, None, "nothing new came");
}

#[tokio::test]
async fn cursor_goes_on_within_a_page_and_keeps_the_visitor() {
    let pages = || {
        Script::default()
            .with(WEB, "browse", page(1..101, Some("tokenA")))
            .with(WEB, "browse", page(101..151, None))
    };
    let first = list(&pages(), LIST, None, 30).await.unwrap();
    assert_eq!(indices(&first), (1..31).collect::<Vec<_>>());
    let second = list(&pages(), LIST, first.next_cursor.as_deref(), 100)
        .await
        .unwrap();
    assert_eq!(indices(&second), (31..131).collect::<Vec<_>>());
    let script = Script::default().with(WEB, "browse", page(101..151, None));
    let third = list(&script, LIST, second.next_cursor.as_deref(), 100)
        .await
        .unwrap();
    assert_eq!(indices(&third), (131..151).collect::<Vec<_>>());
    assert_eq!(third.next_cursor, None);
    let asked = script.calls().pop().unwrap();
    assert_eq!(asked.body["continuation"], "tokenA");
    assert_eq!(asked.headers["x-goog-visitor-id"], "vtokenA");
    let error = list(&pages(), LIST, Some("nonsense"), 10)
        .await
        .unwrap_err();
    assert!(matches!(error, ExtractError::Refused(Refusal::BadCursor)));
}

#[tokio::test]
async fn limit_at_the_end_of_a_page_gives_a_cursor_to_the_next() {
    let script = Script::default().with(WEB, "browse", page(1..101, Some("tokenA")));
    let first = list(&script, LIST, None, 100).await.unwrap();
    assert_eq!(first.entries.len(), 100);
    assert_eq!(script.order(), ["1 browse"]);
    let script = Script::default().with(WEB, "browse", page(101..103, None));
    let second = list(&script, LIST, first.next_cursor.as_deref(), 100)
        .await
        .unwrap();
    assert_eq!(indices(&second), [101, 102]);
}

#[tokio::test]
async fn repeated_tokens_and_empty_pages_end_the_list() {
    let script = Script::default().with(WEB, "browse", page(1..3, Some("same")));
    let playlist = list(&script, LIST, None, 5000).await.unwrap();
    assert_eq!(playlist.entries.len(), 4);
    assert_eq!(playlist.next_cursor, None);
    let script = Script::default()
        .with(WEB, "browse", page(1..3, Some("a")))
        .with(WEB, "browse", page(0..0, Some("b")));
    let playlist = list(&script, LIST, None, 5000).await.unwrap();
    assert_eq!((playlist.entries.len(), playlist.next_cursor), (2, None));
}

#[tokio::test]
async fn long_list_is_cut_at_the_greatest_limit() {
    let mut script = Script::default();
    for at in 0..60_u64 {
        script = script.with(
            WEB,
            "browse",
            page(at * 100..(at + 1) * 100, Some(&format!("t{at}"))),
        );
    }
    let playlist = list(&script, LIST, None, usize::MAX).await.unwrap();
    assert_eq!(playlist.entries.len(), 5000);
    assert!(playlist.next_cursor.is_some());
    assert_eq!(script.order().len(), 50);
}
