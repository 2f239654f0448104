//! The facts of the recorded answers, held against what yt-dlp made of the same answers.
//!
//! | fact | yt-dlp | here | why |
//! |---|---|---|---|
//! | `duration` of a broadcast | absent | not compared | a broadcast on air is refused |
//! | `title` of a broadcast on air | with the time of asking | as it is | the site's own |
//! | `like_count` without the page beside the video | absent | told | the web client's answer has it since 2026-06 |
//! | `channel` without the page beside the video | absent | told | it stands in `videoDetails.author` |
//! | `thumbnail` | the last named | the largest | the same where only one is the largest |

use serde_json::{Value, json};

use super::recorded;
use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::metadata::{Answers, describe, live_status};
use crate::extract::youtube::{VideoId, codecs::MediaType, formats::Mapping};
use crate::extract::{Content, Extraction};
use crate::net::MediaSession;

/// Facts of the twins that are not told in these words, and why.
const NOT_TOLD: &[(&str, &str)] = &[
    ("uploader", "the name of the channel once more"),
    ("media_type", "told as `short`"),
    ("upload_date", "the day of `timestamp`"),
    (
        "availability",
        "told as `unlisted`; what isn't public is refused",
    ),
    ("channel_follower_count", "of the channel, not of the video"),
    ("was_live", "part of `live_status`"),
    ("is_live", "part of `live_status`"),
    (
        "release_timestamp",
        "of a broadcast on air, which is refused",
    ),
];

/// The description of a twin's inputs.
fn described(twin: &Value) -> Extraction {
    let input = |at: usize| twin["inputs"][at].as_str();
    let player = recorded::player(input(0).unwrap()).unwrap();
    let web = input(1).and_then(recorded::player);
    let next = input(2).and_then(recorded::body);
    let answers = Answers {
        player: &player,
        web: web.as_ref(),
        next: next.as_ref(),
    };
    let id = VideoId::parse(twin["metadata"]["id"].as_str().unwrap()).unwrap();
    let content = Content::Video {
        formats: Vec::new(),
    };
    let status = json!(live_status(answers));
    assert_eq!(status, twin["metadata"]["live_status"], "live status");
    describe(
        &id,
        answers,
        &Hosts::default(),
        content,
        MediaSession::default(),
    )
}

/// Chapters as yt-dlp writes them.
fn chapters(extraction: &Extraction) -> Value {
    let list: Vec<Value> = extraction
        .facts
        .chapters
        .iter()
        .map(|chapter| {
            json!({
                "start_time": chapter.start_ms / 1000,
                "title": chapter.title,
                "end_time": chapter.end_ms.unwrap() / 1000,
            })
        })
        .collect();
    json!(list)
}

/// A description in yt-dlp's words.
fn as_yt_dlp(got: &Extraction) -> Vec<(&'static str, Value)> {
    let stats = &got.statistics;
    vec![
        ("id", json!(got.id)),
        ("channel", json!(got.author.name)),
        ("channel_id", json!(got.author.id)),
        ("uploader_id", json!(format!("@{}", got.author.handle))),
        ("uploader_url", json!(got.author.url)),
        ("duration", json!(got.duration_ms / 1000)),
        ("view_count", json!(stats.plays)),
        ("like_count", json!(stats.likes)),
        ("comment_count", json!(stats.comments)),
        ("timestamp", json!(got.created_at)),
        ("categories", json!([got.facts.category])),
        ("tags", json!(got.facts.tags)),
        ("thumbnail", json!(got.cover)),
        ("age_limit", json!(got.facts.age_limit.unwrap_or(0))),
        ("chapters", chapters(got)),
    ]
}

/// Languages of the subtitles that people made.
fn subtitles(got: &Extraction) -> Value {
    let tracks = got.facts.captions.iter();
    let languages: Vec<_> = tracks
        .filter(|track| !track.is_automatic)
        .map(|track| track.language.as_str())
        .collect();
    json!(languages)
}

#[test]
fn facts_are_those_of_yt_dlp() {
    for name in recorded::names("expected") {
        let twin = recorded::json(&name).unwrap();
        let wanted = &twin["metadata"];
        let got = described(&twin);
        let told = as_yt_dlp(&got);
        for (key, value) in &told {
            if !wanted[*key].is_null() {
                assert_eq!(*value, wanted[*key], "{name}: {key}");
            }
        }
        for key in wanted.as_object().unwrap().keys() {
            let is_compared = told.iter().any(|(told, _)| told == key);
            let is_listed = NOT_TOLD.iter().any(|(name, _)| name == key);
            let is_here = ["title", "live_status"].contains(&key.as_str());
            assert!(
                is_compared || is_listed || is_here,
                "{name}: {key} is not compared"
            );
        }
        let title = wanted["title"].as_str().unwrap();
        let is_live = wanted["live_status"] == "is_live";
        let is_same = got.title == title || is_live && title.starts_with(&got.title);
        assert!(is_same, "{name}: {}", got.title);
        assert_eq!(
            subtitles(&got),
            twin["subtitle_langs"]["subtitles"],
            "{name}"
        );
    }
}

#[test]
fn panel_lists_give_each_chapter_once() {
    let (Some(player), Some(mut next)) = (
        recorded::player("player/visionos_ok_chapters.json.gz"),
        recorded::body("next/chapters.json.gz"),
    ) else {
        return;
    };
    let id = VideoId::parse("ud9d5cMDP_0").unwrap();
    let chapters = |next: &Value| {
        let answers = Answers {
            player: &player,
            web: None,
            next: Some(next),
        };
        let content = Content::Video {
            formats: Vec::new(),
        };
        describe(
            &id,
            answers,
            &Hosts::default(),
            content,
            MediaSession::default(),
        )
        .facts
        .chapters
    };
    let of_bar = chapters(&next);
    next.as_object_mut().unwrap().remove("playerOverlays");
    assert_eq!(chapters(&next), of_bar);
    assert_eq!(of_bar.len(), 7);
}

#[test]
fn addresses_behind_the_player_script_are_told_apart() {
    let hosts = Hosts::default();
    let mapping = Mapping {
        hosts: &hosts,
        media_token: None,
        token_free_itags: None,
    };
    for (name, has_signature, has_n) in [
        ("player/tv_cipher_2025-02_sts20129.json.gz", true, true),
        ("player/web_direct_2024.json", true, true),
        ("player/visionos_ok_drc.json.gz", false, false),
    ] {
        let Some(player) = recorded::player(name) else {
            return;
        };
        let streams = mapping.map(&player).streams;
        assert!(streams.len() > 15, "{name}: {}", streams.len());
        for stream in streams {
            let challenge = stream.challenge.as_ref();
            assert_eq!(
                challenge.is_some_and(|c| c.signature.is_some()),
                has_signature,
                "{name}"
            );
            assert_eq!(challenge.is_some_and(|c| c.n.is_some()), has_n, "{name}");
            let media = MediaType::parse(&format!("video/mp4; codecs=\"{}\"", stream.codecs));
            assert!(media.is_some(), "{name}");
        }
    }
}
