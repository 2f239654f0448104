//! Answers and scripts that mean harm: the video costs an error or the next client, never the server.

use std::io::ErrorKind;

use super::{ID, Site, assert_file};
use crate::harness::upstream::youtube::{API, Layout, Playlist, Refusal, Track, Video, WWW};
use crate::harness::upstream::{Answer, Fault, Page, Rule};
use crate::harness::{assert_refusal, eventually, link, skip, text};

/// More than any answer of the interface may have.
const TOO_MUCH: usize = 9 << 20;
/// Most memory that the server ever holds here: an interpreter may have 64 MiB.
const MAX_RESIDENT_KIB: u64 = 400 << 10;

/// A video that VISIONOS doesn't play, so that the player script is needed.
fn for_others(id: &str) -> Video {
    Video::new(id).refusing_client("VISIONOS", Refusal::NotAvailable)
}

/// The most that the server's memory ever was.
fn peak_kib(site: &Site) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.stage.server.pid()));
    let status = status.expect("the server's status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Begins to look for the peak anew: what the server held before, at its start, is another matter. Whether it could.
fn forget_peak(site: &Site) -> bool {
    let path = format!("/proc/{}/clear_refs", site.stage.server.pid());
    match std::fs::write(&path, "5") {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            skip("root", "only root may clear the peak of a server's memory");
            false
        }
        Err(error) => panic!("{path}: {error}"),
    }
}

/// The site with its script changed.
async fn with_script(from: &str, to: &str) -> Site {
    let site = Site::new().await;
    let script = site.youtube.script().text();
    assert!(script.contains(from), "{from}");
    site.youtube.replace_script(script.replacen(from, to, 1));
    site
}

#[tokio::test]
async fn script_that_never_ends_or_takes_all_memory_costs_its_clients() {
    for (from, to) in [
        (
            "var turn=function(a){",
            "var turn=function(a){for(;;){try{for(;;);}catch(e){}}",
        ),
        (
            "var turn=function(a){",
            "var turn=function(a){var x=[];for(;;)x.push(a+x.length);",
        ),
        (
            "var turn=function(a){",
            "var turn=function(a){return turn(a+a);",
        ),
        (
            "var ring=",
            "var bomb=(function(){var x=[];for(;;)x.push(x.slice());})();var ring=",
        ),
        (
            "var turn=function(a){",
            "var turn=function(a){return {toString:function(){throw 1}};",
        ),
    ] {
        let site = with_script(from, to).await;
        let body = site.resolve(for_others(ID)).await;
        assert_file(&site.get(&link(&body, "18")).await, &Track::of(18, 213));
        assert_eq!(body["data"]["video_data"][0]["format_id"], "18", "{to}");
        // It is known to be of no use: the next video doesn't run it.
        let script =
            |record: &&crate::harness::upstream::Record| record.target.ends_with("/base.js");
        let fetched = || {
            site.stage
                .world()
                .look(|traffic| traffic.records.iter().filter(script).count())
        };
        let before = fetched();
        site.resolve(for_others("harbour0002")).await;
        assert_eq!(fetched(), before, "{to}");
        let peak = peak_kib(&site);
        assert!(peak < MAX_RESIDENT_KIB, "{peak} KiB: {to}");
        site.assert_well().await;
    }
}

#[tokio::test]
async fn script_that_is_none_or_too_large_costs_its_clients() {
    let large = format!("var a=\"{}\";", "x".repeat(TOO_MUCH));
    for script in [
        String::new(),
        "<html>".to_owned(),
        "((((((".to_owned(),
        large,
    ] {
        let site = Site::new().await;
        site.youtube.replace_script(script);
        let body = site.resolve(for_others(ID)).await;
        assert_eq!(body["data"]["video_data"][0]["format_id"], "18");
        site.assert_well().await;
    }
}

/// Puts an answer of too many bytes in the place of these paths of the interface. The harness packs it to some
/// kilobytes, as a bomb would be.
fn answer_too_much(site: &Site, paths: &[&str]) {
    let padding = format!("{{\"padding\":\"{}\"}}", "0".repeat(TOO_MUCH));
    let answer = Answer::new(200, "application/json", padding);
    for host in [API, WWW] {
        for path in paths {
            let page = Page::new(host, &format!("/youtubei/v1/{path}"), vec![answer.clone()]);
            site.stage.world().page(page.with_method("POST"));
        }
    }
}

#[tokio::test]
async fn answers_over_the_limit_are_errors_however_they_are_packed() {
    let site = Site::new().await;
    answer_too_much(&site, &["player", "reel/reel_item_watch", "browse"]);
    assert_refusal(&site.post(Video::new(ID)).await, 502, "upstream_error");
    let list = Playlist::new("PLharbour00000000000000", Layout::Classic, 1);
    let request = serde_json::json!({ "url": list.url() }).to_string();
    let answer = site.stage.api().post("/playlist", &request).await;
    assert_refusal(&answer, 502, "upstream_error");
    let peak = peak_kib(&site);
    assert!(peak < MAX_RESIDENT_KIB, "{peak} KiB");
}

#[tokio::test]
async fn visitor_id_over_the_limit_leaves_the_client_that_has_it_from_a_page() {
    let site = Site::new().await;
    answer_too_much(&site, &["visitor_id"]);
    let body = site.resolve(Video::new(ID)).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    site.assert_well().await;
}

#[tokio::test]
async fn token_that_repeats_ends_the_list() {
    for layout in [Layout::Classic, Layout::Lockup] {
        let site = Site::new().await;
        let list = Playlist::new("PLharbour00000000000000", layout, 350).looping();
        site.youtube.playlist(list.clone());
        let request = serde_json::json!({ "url": list.url(), "limit": 5000 }).to_string();
        let body = site.stage.api().post("/playlist", &request).await.json();
        let entries = body["entries"].as_array().expect("entries");
        assert_eq!(
            entries.len(),
            200,
            "the first page, and the one behind the token"
        );
        assert!(body["next_cursor"].is_null());
        assert!(site.asked("/browse") <= 3, "{}", site.asked("/browse"));
        site.assert_well().await;
    }
}

/// Most memory that the server holds while it lists 5,000 entries.
const MAX_LIST_KIB: u64 = 128 << 10;

#[tokio::test]
async fn memory_of_a_list_does_not_grow_with_what_the_site_sends() {
    let list = || Playlist::new("PLharbour00000000000000", Layout::Classic, 5000);
    for (name, list) in [
        ("as ever", list()),
        ("with 20 MB of titles", list().with_titles_of(4000)),
        ("beside 12 MB of noise", list().with_noise(120_000)),
    ] {
        let site = Site::with(|builder| builder.env("YTDLP_TIMEOUT", "300")).await;
        site.youtube.playlist(list.clone());
        let ask = async |limit: usize| {
            let request = serde_json::json!({ "url": list.url(), "limit": limit }).to_string();
            let answer = site.stage.api().post("/playlist", &request).await;
            assert_eq!(answer.status, 200, "{name}");
            answer
        };
        // Connections and TLS are there from now on.
        ask(1).await;
        let is_judged = forget_peak(&site);
        let before = peak_kib(&site);
        let answer = ask(5000).await;
        let entries = answer.json()["entries"].as_array().map_or(0, Vec::len);
        assert_eq!(entries, 5000, "{name}");
        let (peak, size) = (peak_kib(&site), answer.body.len() >> 10);
        eprintln!(
            "5000 entries {name}: {before} KiB before, {peak} KiB at most, answer {size} KiB"
        );
        assert!(!is_judged || peak < MAX_LIST_KIB, "{name}: {peak} KiB");
        assert!(size < 5 << 10, "{name}: {size} KiB");
        site.assert_well().await;
    }
}

#[tokio::test]
async fn broken_answers_are_errors_of_the_gateway() {
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{\"playabilityStatus\":",
        "{}",
        "\u{0}\u{0}",
    ] {
        let site = Site::new().await;
        site.youtube.video(Video::new(ID));
        for host in [API, WWW] {
            for path in ["/youtubei/v1/player", "/youtubei/v1/reel/reel_item_watch"] {
                let answer = Answer::new(200, "application/json", body.to_owned());
                let page = Page::new(host, path, vec![answer]);
                site.stage.world().page(page.with_method("POST"));
            }
        }
        let answer = site.stage.post(&Video::new(ID).url()).await;
        let code = text(&answer.json(), "/error_code");
        let is_fine = matches!(
            (answer.status.as_u16(), code.as_str()),
            (502, "extraction_failed") | (404, "not_found")
        );
        assert!(is_fine, "{body}: {} {code}", answer.status);
        site.assert_well().await;
    }
}

#[tokio::test]
async fn interface_that_never_answers_is_given_up() {
    let gate = crate::harness::upstream::Gate::new();
    let site = Site::with(|builder| builder.env("YTDLP_TIMEOUT", "1")).await;
    let stall = Fault::StallBeforeHead(gate.clone());
    site.stage
        .world()
        .fault(Rule::path_prefix("/youtubei/", stall));
    assert_refusal(&site.post(Video::new(ID)).await, 504, "upstream_timeout");
    gate.open();
    let idle = eventually("the place is free again", async || {
        let health = site.stage.api().get("/health").await.json();
        (health["workers"]["active"] == 0).then_some(())
    });
    idle.await;
}
