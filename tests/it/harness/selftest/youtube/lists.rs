//! Playlists and mixes of the simulated site.

use serde_json::{Value, json};

use super::{Call, site, visitor_of};
use crate::harness::upstream::Upstream;
use crate::harness::upstream::youtube::{Layout, Mix, PAGE, Playlist, State};

const LIST: &str = "PLharbour00000000000000";

fn browse(visitor: &str) -> Call {
    Call::new("WEB", "1", "browse").visitor(visitor)
}

fn first(visitor: &str) -> Call {
    browse(visitor)
        .with("browseId", json!(format!("VL{LIST}")))
        .with("params", json!("wgYCCAA%3D"))
}

/// Every value under a key, at any depth.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|value| all(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

fn tokens(told: &Value) -> Vec<String> {
    let mut found = Vec::new();
    all(told, "token", &mut found);
    let texts = found
        .into_iter()
        .map(|token| token.as_str().expect("a token").to_owned());
    texts.collect()
}

fn entries(told: &Value) -> usize {
    let mut found = Vec::new();
    all(told, "playlistVideoRenderer", &mut found);
    all(told, "lockupViewModel", &mut found);
    found.len()
}

async fn further(upstream: &Upstream, token: &str, visitor: &str) -> Value {
    browse(visitor)
        .with("continuation", json!(token))
        .told(upstream)
        .await
}

#[tokio::test]
async fn lists_go_on_page_by_page_under_one_visitor() {
    let (upstream, youtube, visitor) = site().await;
    for layout in [Layout::Classic, Layout::Lockup] {
        youtube.playlist(Playlist::new(LIST, layout, 2 * PAGE + 1).with_state(2, State::Deleted));
        let told = first(&visitor).told(&upstream).await;
        assert_eq!(entries(&told), PAGE, "{layout:?}");
        let next = tokens(&told);
        assert_eq!(next.len(), 2, "the next page and the trap");

        let told_second = further(&upstream, &next[0], &visitor_of(&told)).await;
        assert_eq!(entries(&told_second), PAGE);
        let last = tokens(&told_second);
        let told_third = further(&upstream, &last[0], &visitor_of(&told_second)).await;
        assert_eq!((entries(&told_third), tokens(&told_third)), (1, vec![]));

        let lost = further(&upstream, &last[0], &visitor).await;
        assert_eq!(tokens(&lost), next[..1], "a lost visitor begins anew");
        let trapped = further(&upstream, &next[1], &visitor_of(&told)).await;
        assert!(trapped.to_string().contains("Something else"));
    }
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn entries_say_what_they_are() {
    let (upstream, youtube, visitor) = site().await;
    for layout in [Layout::Classic, Layout::Lockup] {
        let states = [
            State::Private,
            State::Deleted,
            State::Members,
            State::Live,
            State::Playable,
        ];
        let mut list = Playlist::new(LIST, layout, states.len());
        for (at, state) in states.into_iter().enumerate() {
            list = list.with_state(at + 1, state);
        }
        youtube.playlist(list);
        let told = first(&visitor).told(&upstream).await.to_string();
        for words in [
            "[Private video]",
            "[Deleted video]",
            "MEMBERS_ONLY",
            "LIVE\"",
            "1:05",
        ] {
            assert!(told.contains(words), "{layout:?}: {words}");
        }
    }
}

#[tokio::test]
async fn missing_lists_come_with_an_alert() {
    let (upstream, youtube, visitor) = site().await;
    let told = first(&visitor).told(&upstream).await;
    let alert = &told["alerts"][0]["alertRenderer"];
    assert_eq!(alert["type"], "ERROR");
    assert_eq!(
        alert["text"]["runs"][0]["text"],
        "The playlist does not exist."
    );
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 1).alerting("This playlist is private."));
    let told = first(&visitor).told(&upstream).await;
    assert_eq!(
        told["alerts"][0]["alertRenderer"]["text"]["runs"][0]["text"],
        "This playlist is private."
    );
}

#[tokio::test]
async fn mixes_stand_around_the_video_asked_for() {
    let (upstream, youtube, visitor) = site().await;
    let mix = Mix::new("harbour0001");
    let (id, later) = (mix.id(), mix.video_id(24));
    youtube.mix(mix);
    let next = |video: &str| {
        Call::new("WEB", "1", "next")
            .visitor(&visitor)
            .with("videoId", json!(video))
            .with("playlistId", json!(id))
            .header("cookie", "SOCS=CAI")
    };
    let panel = "/contents/twoColumnWatchNextResults/playlist/playlist/contents";
    let ids = |told: &Value| -> Vec<String> {
        let items = told
            .pointer(panel)
            .and_then(Value::as_array)
            .expect("a panel")
            .iter();
        let ids = items.map(|item| item["playlistPanelVideoRenderer"]["videoId"].as_str());
        ids.map(|id| id.expect("an id").to_owned()).collect()
    };
    let begin = ids(&next("harbour0001").told(&upstream).await);
    assert_eq!(
        (begin.len(), &*begin[0], &*begin[24]),
        (25, "harbour0001", &*later)
    );
    let on = ids(&next(&later).told(&upstream).await);
    assert_eq!((&on[2], on.len()), (&later, 25), "overlapping");
    let without = next("harbour0001").without("cookie").told(&upstream).await;
    assert_eq!(without.pointer(panel), None, "no consent, no mix");
    upstream.world.assert_no_unknown();
}
