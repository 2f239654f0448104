//! Every recorded answer: nothing is left out, and the same rules hold for each post.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose;

use super::*;
use crate::config::Env;
use crate::extract::tiktok::map::{Dialect, map_aweme};
use crate::extract::{Codec, Tracks, Unavailable, select};

/// The recordings: `$SERVERRS_FIXTURES/tiktok`, by default beside the project.
fn folder() -> Option<PathBuf> {
    let named = Env::from_process().path("SERVERRS_FIXTURES");
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    let folder = named.unwrap_or_else(beside).join("tiktok");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recordings in {}", folder.display());
    None
}

/// Files that the index names: first cells of its table.
fn listed(folder: &Path) -> BTreeSet<String> {
    read_text(&folder.join("INDEX.md"))
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|cell| cell.contains('/'))
        .map(str::to_owned)
        .collect()
}

/// Files that are there.
fn present(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for room in std::fs::read_dir(folder).unwrap().flatten() {
        if !room.path().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(room.path()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            found.insert(format!("{}/{name}", room.file_name().to_str().unwrap()));
        }
    }
    found
}

#[test]
fn every_recording_is_read() {
    let Some(folder) = folder() else {
        return;
    };
    let files = listed(&folder);
    assert_eq!(files, present(&folder), "index and folder differ");
    for file in &files {
        visit(&folder, file);
    }
    let total = format!("\n{} files, ", files.len());
    let index = read_text(&folder.join("INDEX.md"));
    assert!(
        index.contains(&total),
        "the index counts others than {total}"
    );
}

/// Reads one file by its kind.
fn visit(folder: &Path, file: &str) {
    println!("{file}");
    let path = folder.join(file);
    match file.split_once('/').unwrap() {
        ("pages", name) => {
            let id = name.split('_').nth(1).unwrap();
            check_web(&map_page_strictly(&read_text(&path), id).unwrap(), id);
        }
        ("errors", name) if name.contains("challenge") => visit_challenge(&read_text(&path)),
        ("web" | "derived" | "errors", name) => visit_web(name, &read_json(&path)),
        ("app", _) => visit_awemes(&read_json(&path), Dialect::TikTok),
        ("douyin", _) => visit_awemes(&read_json(&path), Dialect::Douyin),
        other => panic!("no test for {other:?}"),
    }
}

fn visit_challenge(html: &str) {
    let challenge = challenge::parse(html.as_bytes()).unwrap();
    let limits = Identity::from_env(&mut Env::default()).challenge;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let solved = runtime.block_on(challenge::solve(SITE, challenge, &limits));
    let mut jar = Jar::new(None);
    solved.unwrap().insert(&mut jar);
    let cookie = &jar.guest_cookies()[0];
    let answer = general_purpose::STANDARD.decode(&cookie.value).unwrap();
    assert_eq!(cookie.name, "_wafchallengeid");
    assert!(answer.ends_with(br#","d":"MQ=="}"#), "the answer is 1");
}

fn visit_web(name: &str, json: &Value) {
    if let Some(expected) = expected_refusal(name) {
        let html = page_of("__UNIVERSAL_DATA_FOR_REHYDRATION__", json);
        let error = map_page(&html, "7000000000000040000").unwrap_err();
        let refused =
            matches!(error, ExtractError::Unavailable { reason, .. } if reason == expected);
        assert!(refused, "{name}: {error:?}");
        return;
    }
    if let Some(items) = json.pointer("/ItemModule").and_then(Value::as_object) {
        let html = page_of("SIGI_STATE", json);
        for id in items.keys() {
            check_web(&map_page_strictly(&html, id).unwrap(), id);
        }
        return;
    }
    let items = items_of(json);
    assert!(!items.is_empty(), "{name}: no post found");
    for item in &items {
        let id = item["id"].as_str().unwrap();
        check_web(&map_page_strictly(&page_of_item(item), id).unwrap(), id);
    }
}

/// What a recorded refusal means, by the name of its file.
fn expected_refusal(name: &str) -> Option<Unavailable> {
    match name {
        "classified.json" => Some(Unavailable::AgeRestricted),
        "rehydration_10204_item_does_not_exist_2026-09.json" | "status_10204_deleted.json" => {
            Some(Unavailable::NotFound)
        }
        "status_10204_region.json" => Some(Unavailable::RegionBlocked),
        "status_10216.json" | "status_10222.json" => Some(Unavailable::Private),
        _ => None,
    }
}

/// The posts of a JSON answer, wherever they stand.
fn items_of(json: &Value) -> Vec<&Value> {
    let many = ["", "/data/itemList"];
    let one = [
        "/itemStruct",
        "/itemInfo/itemStruct",
        "/__DEFAULT_SCOPE__/webapp.video-detail/itemInfo/itemStruct",
    ];
    let lists = many.iter().filter_map(|at| json.pointer(at)?.as_array());
    let single = one.iter().filter_map(|at| json.pointer(at));
    lists.flatten().chain(single).collect()
}

fn visit_awemes(json: &Value, dialect: Dialect) {
    let lists = ["/aweme_list", "/aweme_details"];
    let list = lists.iter().find_map(|at| json.pointer(at)?.as_array());
    let awemes: Vec<&Value> = list.map_or(vec![json], |list| list.iter().collect());
    assert!(!awemes.is_empty());
    for aweme in &awemes {
        let text = aweme.to_string();
        let mapped = map_aweme(&serde_json::from_str(&text).unwrap(), dialect).unwrap();
        let extraction = strictly(mapped);
        assert_eq!(Some(extraction.id.as_str()), aweme["aweme_id"].as_str());
        check_post(&extraction);
        check_mirrors(&extraction, dialect == Dialect::TikTok);
        assert!(extraction.duration_ms > 0 && extraction.duration_ms < 600_000);
        assert_eq!(extraction.created_at, aweme["create_time"].as_u64());
        check_dash(aweme, formats(&extraction));
    }
}

/// What holds for every post.
fn check_post(extraction: &Extraction) {
    let id = &extraction.id;
    assert!(extraction.cover.is_some(), "{id}");
    let author = &extraction.author;
    assert!(
        !author.id.is_empty() && !author.name.is_empty(),
        "{id}: {author:?}"
    );
    assert!(
        !author.handle.is_empty() && !author.handle.starts_with('@'),
        "{id}: {author:?}"
    );
    assert!(author.url.starts_with("https://"), "{id}: {author:?}");
    assert!(extraction.statistics.likes.is_some(), "{id}");
    assert!(extraction.statistics.comments.is_some(), "{id}");
    if let Content::Video { formats } = &extraction.content {
        check_formats(id, formats);
    }
}

fn check_formats(id: &str, formats: &[Format]) {
    let ids: BTreeSet<&str> = formats.iter().map(|format| format.id.as_str()).collect();
    assert_eq!(ids.len(), formats.len(), "{id}: ids repeat");
    assert!(!ids.iter().any(|id| id.contains("bytevc2")), "{id}");
    for format in formats {
        assert!(!format.urls.is_empty(), "{id}");
        assert_eq!(
            format.is_watermarked,
            format.id.starts_with("download"),
            "{id}"
        );
        let is_silent = |url: &String| url.contains("/media-video-hvc1/");
        assert!(!format.urls.iter().any(is_silent), "{id}");
    }
    let first = &formats[0];
    assert!(
        first.tracks == Tracks::Combined && !first.is_watermarked,
        "{id}"
    );
    for pick in [
        select::no_watermark(formats),
        select::no_watermark_hd(formats),
    ] {
        let pick = pick.unwrap_or_else(|| panic!("{id}: no pick"));
        assert!(
            pick.tracks == Tracks::Combined && !pick.is_watermarked,
            "{id}"
        );
    }
    let sd = select::no_watermark(formats).unwrap();
    assert_eq!(
        sd.vcodec,
        Some(Codec::H264),
        "{id}: every recorded post has H.264"
    );
    let hd = select::no_watermark_hd(formats).unwrap();
    assert!(hd.short_side() >= sd.short_side(), "{id}");
}

/// On the web an API address is never offered; in app answers it is, where nothing else is told.
fn check_mirrors(extraction: &Extraction, is_direct: bool) {
    for format in formats(extraction) {
        let api = format
            .urls
            .iter()
            .filter(|url| url.contains("/aweme/v1/"))
            .count();
        assert!(
            api == 0 || (!is_direct && api == format.urls.len()),
            "{}",
            extraction.id
        );
    }
}

/// Encodings without sound are never called combined.
fn check_dash(aweme: &Value, formats: &[Format]) {
    let gears = aweme["video"]["bit_rate"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mute: BTreeSet<&str> = gears
        .iter()
        .filter(|gear| gear["format"] == "dash")
        .filter_map(|gear| gear["play_addr"]["url_key"].as_str()?.split_once('_'))
        .map(|(_, id)| id)
        .collect();
    for format in formats {
        let is_mute = format.tracks == Tracks::Video;
        assert_eq!(is_mute, mute.contains(format.id.as_str()), "{}", format.id);
    }
}

/// What holds for every post of a page, held against the JSON it came from where that is unambiguous.
fn check_web(extraction: &Extraction, id: &str) {
    assert_eq!(extraction.id, id);
    assert!(extraction.duration_ms > 0, "{id}");
    assert!(extraction.created_at.is_some_and(|at| at > 1_500_000_000));
    assert!(extraction.statistics.plays.is_some(), "{id}");
    assert!(
        extraction
            .music
            .as_ref()
            .is_some_and(|music| music.duration_ms > 0),
        "{id}"
    );
    check_post(extraction);
    if matches!(extraction.content, Content::Video { .. }) {
        check_mirrors(extraction, true);
    }
}

#[test]
fn whole_page_of_2025_gives_its_four_encodings() {
    let Some(folder) = folder() else {
        return;
    };
    let id = "7524919459643919624";
    let html = read_text(&folder.join("pages/video_7524919459643919624_2025-08.html"));
    let extraction = map_page_strictly(&html, id).unwrap();
    let offered: Vec<_> = formats(&extraction)
        .iter()
        .map(|format| (format.id.as_str(), format.short_side(), format.urls.len()))
        .collect();
    assert_eq!(
        offered,
        [
            ("bytevc1_1080p_1226086", Some(1080), 2),
            ("bytevc1_720p_563046", Some(720), 2),
            ("h264_540p_965245", Some(576), 2),
            ("bytevc1_540p_480194", Some(576), 2),
            ("download", None, 1),
            ("audio", None, 1),
        ]
    );
    assert_eq!(extraction.author.handle, "embongdaily");
    assert_eq!(extraction.author.name, "Em Bống 🐣");
    assert_eq!(extraction.duration_ms, 31_000);
}

#[test]
fn photo_post_of_2026_gives_its_pictures_and_own_title() {
    let Some(folder) = folder() else {
        return;
    };
    for (file, has_audio) in [
        (
            "web/rehydration_photo_7681723633164717325_2026-09.json",
            false,
        ),
        ("derived/photo_with_audio.json", true),
    ] {
        let json = read_json(&folder.join(file));
        let html = page_of("__UNIVERSAL_DATA_FOR_REHYDRATION__", &json);
        let extraction = map_page_strictly(&html, "7681723633164717325").unwrap();
        assert_eq!(images(&extraction).len(), 2);
        assert_eq!(images(&extraction)[0].width, Some(1080));
        assert_eq!(
            extraction.title,
            "What’s next for NASA’s Roman Space Telescope?"
        );
        assert!(extraction.description.starts_with("Roman’s first images"));
        assert_eq!(extraction.duration_ms, 73_000);
        let Content::Slideshow { audio, .. } = &extraction.content else {
            panic!("no slideshow");
        };
        assert_eq!(audio.is_some(), has_audio);
    }
}
