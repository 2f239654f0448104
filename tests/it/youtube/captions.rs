//! Subtitles: listed with links, delivered as text.

use serde_json::{Value, json};

use super::{ID, Site};
use crate::harness::upstream::youtube::{Video, WWW};
use crate::harness::upstream::{Answer, Fault, Page, Rule};
use crate::harness::{assert_refusal, text};

const PATH: &str = "/api/timedtext";

/// A video with written and recognised subtitles of the same language, and some that need a token.
fn video() -> Video {
    let track = |id: &str, name: &str, kind: &str, more: &str| {
        json!({
            "baseUrl": format!("https://{WWW}{PATH}?v={ID}&lang=en&name={name}&xosf=1{more}"),
            "name": { "simpleText": name }, "vssId": id, "languageCode": "en", "kind": kind,
        })
    };
    let tracks = json!([
        track(".en", "English", "", ""),
        track("a.en", "Recognised", "asr", ""),
        track(".de", "German", "", "&exp=xpe"),
        { "baseUrl": "https://evil.example/api/timedtext", "vssId": ".fr", "name": { "simpleText": "x" } },
    ]);
    let list = json!({ "playerCaptionsTracklistRenderer": { "captionTracks": tracks } });
    Video::new(ID).with("/captions", list)
}

async fn resolved(site: &Site) -> Value {
    site.resolve(video()).await["captions"].clone()
}

#[tokio::test]
async fn tracks_are_listed_and_delivered_as_vtt_and_srt() {
    let site = Site::new().await;
    let tracks = resolved(&site).await;
    let known: Vec<_> = tracks
        .as_array()
        .expect("a list")
        .iter()
        .map(|track| {
            (
                text(track, "/language"),
                text(track, "/name"),
                track["automatic"] == true,
            )
        })
        .collect();
    let expected = [("en", "English", false), ("en", "Recognised", true)];
    assert_eq!(
        known,
        expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c))
    );
    for (number, name) in ["English", "Recognised"].into_iter().enumerate() {
        for (kind, media_type, start) in [
            ("vtt", "text/vtt; charset=utf-8", "WEBVTT"),
            ("srt", "application/x-subrip", "1\n00:00:01,000"),
        ] {
            let link = text(&tracks[number], &format!("/{kind}"));
            assert!(link.contains("/download?data="), "{link}");
            let answer = site.get(&link).await;
            assert_eq!(
                (answer.status.as_u16(), answer.is_whole),
                (200, true),
                "{kind}"
            );
            assert!(
                answer.body.starts_with(start.as_bytes()),
                "{:?}",
                answer.body
            );
            assert_eq!(answer.header("content-type"), media_type);
            assert_eq!(
                answer.header("content-length"),
                answer.body.len().to_string()
            );
            assert_eq!(answer.header("accept-ranges"), "none");
            let file = format!("harbour_keeper.{kind}");
            assert!(answer.header("content-disposition").contains(&file));
            let head = site.stage.api().head(&link).await;
            assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
            assert_eq!(
                head.header("content-length"),
                answer.header("content-length")
            );
            let asked = site.stage.world().records();
            let last = asked.iter().rfind(|record| record.target.starts_with(PATH));
            let target = &last.expect("it was asked for").target;
            assert!(target.contains(&format!("name={name}")), "{target}");
            assert!(target.contains(&format!("fmt={kind}")), "{target}");
        }
    }
    site.assert_well().await;
}

#[tokio::test]
async fn range_of_a_text_is_the_whole_text() {
    let site = Site::new().await;
    let link = text(&resolved(&site).await[0], "/vtt");
    let answer = site.stage.api().get_range(&link, "bytes=3-5").await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert!(answer.body.starts_with(b"WEBVTT"));
}

#[tokio::test]
async fn what_is_no_subtitle_is_an_error() {
    let page = |body: Vec<u8>| Page::new(WWW, PATH, vec![Answer::new(200, "text/vtt", body)]);
    for (body, code) in [
        (
            b"<!DOCTYPE html><title>Sorry</title>".to_vec(),
            "upstream_error",
        ),
        (b" {\"error\":1}".to_vec(), "upstream_error"),
        (Vec::new(), "upstream_error"),
        (b"WEBVTT\n\xff\xfe".to_vec(), "upstream_error"),
        (vec![b'a'; 9 << 20], "upstream_error"),
    ] {
        let site = Site::new().await;
        let link = text(&resolved(&site).await[0], "/vtt");
        site.stage.world().page(page(body));
        assert_refusal(&site.get(&link).await, 502, code);
    }
}

#[tokio::test]
async fn ended_address_is_replaced_once() {
    for (status, code) in [
        (403, "upstream_forbidden"),
        (404, "upstream_gone"),
        (500, "upstream_error"),
    ] {
        let site = Site::new().await;
        let link = text(&resolved(&site).await[0], "/vtt");
        let before = site.asked("/player");
        let fault = Fault::Status(status);
        site.stage
            .world()
            .fault(Rule::path_prefix(PATH, fault.clone()).first(1));
        assert_eq!(site.get(&link).await.status, 200, "{status}");
        assert!(site.asked("/player") > before, "the site was asked anew");
        site.stage.world().clear_faults();
        site.stage.world().fault(Rule::path_prefix(PATH, fault));
        assert_refusal(&site.get(&link).await, 502, code);
    }
}

#[tokio::test]
async fn track_that_went_away_is_not_found() {
    let site = Site::with(|builder| builder.env("CACHE_TTL", "0")).await;
    let link = text(&resolved(&site).await[1], "/srt");
    site.youtube
        .video(Video::new(ID).with("/captions", Value::Null));
    assert_refusal(&site.get(&link).await, 404, "format_not_found");
}

#[tokio::test]
async fn redirect_out_of_the_hosts_of_subtitles_is_no_text() {
    let site = Site::new().await;
    let link = text(&resolved(&site).await[0], "/vtt");
    let fault = Fault::Redirect {
        status: 302,
        to: "https://evil.example/subtitles".to_owned(),
    };
    site.stage.world().fault(Rule::path_prefix(PATH, fault));
    assert_refusal(&site.get(&link).await, 502, "upstream_error");
    let elsewhere = site
        .stage
        .world()
        .look(|traffic| traffic.to_host("evil.example").count());
    assert_eq!(elsewhere, 0);
}
