//! Broken answers: recorded ones with parts cut off, renamed or of another type. Whatever comes, there is an error with
//! a type or a part of the truth, and no address outside the known hosts.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::recorded;
use crate::extract::youtube::formats::{Mapping, Stream};
use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::metadata::{Answers, describe};
use crate::extract::youtube::playlist;
use crate::extract::youtube::response::player::{Player, Reel};
use crate::extract::youtube::{VideoId, playability};
use crate::extract::{Content, Extraction};
use crate::net::{HostList, MediaSession};

/// Cases in all.
const CASES: usize = 20_000;

/// Tests that they are shared among.
const PARTS: usize = 4;

/// The recordings that are broken.
const NAMES: &[&str] = &[
    "player/visionos_ok_drc.json.gz",
    "player/visionos_ok_chapters.json.gz",
    "player/visionos_ok_audiotracks.json.gz",
    "player/visionos_live.json",
    "player/visionos_unplayable_not_available.json",
    "player/android_reel_ok_sabr.json.gz",
    "player/android_reel_fallback_ok.json",
    "player/ios_ok.json",
    "player/tv_cipher_2025-02_sts20129.json.gz",
    "player/web_scheduled_live.json",
    "player/web_microformat_only.json",
    "player/web_microformat_chapters.json",
    "player/err_geo.json",
    "player/err_private.json",
    "player/err_age_web.json",
    "playlist/page1_lockup_2026-09_pruned.json",
    "playlist/page1_course.json.gz",
    "playlist/meta_pop.json",
    "mix/next_2.json.gz",
    "next/chapters.json.gz",
];

/// Keys that nobody reads: dropped, so that most cases hit something that is read.
const NOISE: &[&str] = &[
    "trackingParams",
    "clickTrackingParams",
    "playerConfig",
    "playbackTracking",
    "storyboards",
    "attestation",
    "adPlacements",
    "frameworkUpdates",
    "secondaryResults",
    "translationLanguages",
    "endScreen",
    "menu",
    "loggingContext",
    "autoplay",
    "playerSettingsMenuData",
    "cards",
    "endscreen",
    "responseContext",
    "actions",
    "microformatDataRenderer",
    "topbar",
    "contextParams",
    "subscriptionButton",
    "heartbeatParams",
    "availableCountries",
    "background",
    "onActiveCommand",
];

fn without_noise(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !NOISE.contains(&key.as_str()));
            map.values_mut().for_each(without_noise);
        }
        Value::Array(list) => {
            list.truncate(2);
            list.iter_mut().for_each(without_noise);
        }
        Value::String(text) if text.len() > 1500 => text.clear(),
        _ => {}
    }
}

/// A value of another kind, or a hostile one of the same.
fn strange(rng: &mut StdRng) -> Value {
    let choices = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("\u{0}\u{202e}\u{1f600}"),
        json!("https://evil.test/videoplayback"),
        json!("https://evil.test\\@r1.googlevideo.com/"),
        json!("//evil.test/x.jpg"),
        json!("video/mp4; codecs=\"\""),
        json!("99999999999999999999"),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!({"simpleText": {"runs": 1}}),
        json!("url=https%3A%2F%2Fevil.test%2F&s=AAAA&sp=sig"),
        json!("-:-:-"),
    ];
    choices[rng.random_range(0..choices.len())].clone()
}

/// Breaks one place of a tree, the deeper ones as likely as the higher ones.
fn break_one(value: &mut Value, rng: &mut StdRng) {
    let goes_down = rng.random_range(0..8) != 0;
    match value {
        Value::Object(map) if goes_down && !map.is_empty() => {
            let at = rng.random_range(0..map.len());
            let key = map.keys().nth(at).unwrap().clone();
            match rng.random_range(0..24) {
                0 => rename(map, &key),
                1 => drop(map.remove(&key)),
                _ => break_one(&mut map[&key], rng),
            }
        }
        Value::Array(list) if goes_down && !list.is_empty() => {
            let at = rng.random_range(0..list.len());
            break_one(&mut list[at], rng);
        }
        other => *other = strange(rng),
    }
}

fn rename(map: &mut Map<String, Value>, key: &str) {
    if let Some(value) = map.remove(key) {
        map.insert(format!("{key}2"), value);
    }
}

/// All addresses in a description.
fn addresses(extraction: &Extraction) -> Vec<&str> {
    let Content::Video { formats } = &extraction.content else {
        return Vec::new();
    };
    let media = formats
        .iter()
        .flat_map(|format| &format.urls)
        .map(String::as_str);
    let facts = &extraction.facts;
    let captions = facts
        .captions
        .iter()
        .flat_map(|track| [track.url.as_str(), track.srt_url.as_str()]);
    let pictures = facts.thumbnails.iter().map(|picture| picture.url.as_str());
    let author = &extraction.author;
    let avatars = [
        &author.avatar_thumb,
        &author.avatar_medium,
        &author.avatar_larger,
    ];
    media
        .chain(captions)
        .chain(pictures)
        .chain(extraction.cover.as_deref())
        .chain(avatars.into_iter().filter_map(Option::as_deref))
        .collect()
}

fn check_addresses<'a>(addresses: impl IntoIterator<Item = &'a str>, hosts: &HostList, case: &str) {
    for address in addresses {
        let url =
            url::Url::parse(address).unwrap_or_else(|error| panic!("{case}: {address}: {error}"));
        assert!(
            hosts.check(&url).is_ok() && url.scheme() == "https",
            "{case}: {address}"
        );
    }
}

/// Reads a broken player answer in every way that an extraction does.
fn check_player(text: &[u8], hosts: &Hosts, case: &str) {
    let reel: Option<Reel> = serde_json::from_slice(text).ok();
    let player: Option<Player> = match reel.and_then(|reel| reel.player_response.into_inner()) {
        Some(player) => Some(player),
        None => serde_json::from_slice(text).ok(),
    };
    let Some(player) = player else { return };
    let fault = playability::fault(&player);
    let mapping = Mapping {
        hosts,
        media_token: None,
        token_free_itags: None,
    };
    let mapped = mapping.map(&player);
    let format_fault = playability::format_fault(&player, &mapped);
    if let Some(fault) = fault.or(format_fault) {
        let _ = fault.into_error().to_string();
    }
    let formats = mapped
        .streams
        .iter()
        .filter_map(Stream::to_format)
        .collect();
    check_description(&player, None, Content::Video { formats }, hosts, case);
}

fn check_description(
    player: &Player,
    next: Option<&Value>,
    content: Content,
    hosts: &Hosts,
    case: &str,
) {
    let id = VideoId::parse("dQw4w9WgXcQ").unwrap();
    let answers = Answers {
        player,
        web: Some(player),
        next,
    };
    let extraction = describe(&id, answers, hosts, content, MediaSession::default());
    check_addresses(addresses(&extraction), &hosts.all, case);
}

/// Reads a broken page in every way that an extraction and a listing do.
fn check_page(text: &[u8], hosts: &Hosts, case: &str) {
    let Ok(answer) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    let content = Content::Video {
        formats: Vec::new(),
    };
    check_description(&Player::default(), Some(&answer), content, hosts, case);
    for entry in playlist::read_anything(&answer, hosts) {
        assert!(VideoId::parse(&entry.id).is_some(), "{case}");
        check_addresses(entry.thumbnail.as_deref(), &hosts.all, case);
    }
}

/// Breaks one in `PARTS` of the recordings.
fn break_part(part: usize) {
    let hosts = Hosts::default();
    let mut rng = StdRng::seed_from_u64(part as u64);
    let mut total = 0;
    for name in NAMES.iter().skip(part).step_by(PARTS) {
        let Some(mut original) = recorded::body(name) else {
            return;
        };
        without_noise(&mut original);
        for number in 0..CASES / NAMES.len() {
            let mut broken = original.clone();
            for _ in 0..rng.random_range(1..4) {
                break_one(&mut broken, &mut rng);
            }
            let mut text = serde_json::to_vec(&broken).unwrap();
            if rng.random_range(0..10) == 0 {
                text.truncate(rng.random_range(0..text.len().max(1)));
            }
            let case = format!("{name} {number}");
            if name.starts_with("player/") {
                check_player(&text, &hosts, &case);
            } else {
                check_page(&text, &hosts, &case);
            }
            total += 1;
        }
    }
    assert_eq!(total, CASES / PARTS);
}

#[test]
fn broken_answers_give_errors_or_parts_of_the_truth_1() {
    break_part(0);
}

#[test]
fn broken_answers_give_errors_or_parts_of_the_truth_2() {
    break_part(1);
}

#[test]
fn broken_answers_give_errors_or_parts_of_the_truth_3() {
    break_part(2);
}

#[test]
fn broken_answers_give_errors_or_parts_of_the_truth_4() {
    break_part(3);
}
