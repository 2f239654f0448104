//! What comes first and what the links by name lead to (api.md §4, rulings 28 and 35), for recorded videos and made-up
//! ones; and that nothing of an answer leads to an address that only this server can use.

use serde_json::{Value, json};

use super::{ID, Site, assert_file, muxed_only};
use crate::harness::upstream::recorded;
use crate::harness::upstream::youtube::{Track, Video, recordings};
use crate::harness::{entry, link, skip, text};

fn entries(body: &Value) -> Vec<&Value> {
    let entries = body["data"]["video_data"].as_array();
    entries.expect("video_data").iter().collect()
}

fn short_side(entry: &Value) -> u64 {
    let side = |key: &str| entry[key].as_u64().expect("a side");
    side("width").min(side("height"))
}

/// What the rules pick among the entries with picture and sound, told from the answer alone.
struct Rules<'a> {
    with_both: Vec<&'a Value>,
}

impl<'a> Rules<'a> {
    /// Those no higher than `limit`; all of them where nothing is that small.
    fn of(body: &'a Value, limit: u64) -> Self {
        let has = |entry: &Value, key: &str| entry[key] == true;
        let mut all = entries(body);
        all.retain(|entry| has(entry, "has_video") && has(entry, "has_audio"));
        let mut low = all.clone();
        low.retain(|entry| short_side(entry) <= limit);
        Self {
            with_both: if low.is_empty() { all } else { low },
        }
    }

    fn best(entries: &[&'a Value]) -> Option<&'a Value> {
        let rank = |entry: &&&Value| {
            (
                short_side(entry),
                entry["vcodec"] == "h264",
                entry["bitrate"].as_u64(),
            )
        };
        entries.iter().rev().max_by_key(rank).copied()
    }

    fn h264(&self) -> Vec<&'a Value> {
        let mut found = self.with_both.clone();
        found.retain(|entry| entry["vcodec"] == "h264");
        found
    }

    /// H.264 where it is HD, else the best.
    fn no_watermark_hd(&self) -> Option<&'a Value> {
        let mut hd = self.h264();
        hd.retain(|entry| short_side(entry) >= 720);
        Self::best(&hd).or_else(|| Self::best(&self.with_both))
    }

    /// H.264 where there is some: the best below HD, else the smallest above.
    fn no_watermark(&self) -> Option<&'a Value> {
        let pool = Some(self.h264()).filter(|pool| !pool.is_empty());
        let pool = pool.unwrap_or_else(|| self.with_both.clone());
        let mut low = pool.clone();
        low.retain(|entry| short_side(entry) < 720);
        Self::best(&low).or_else(|| pool.into_iter().min_by_key(|entry| short_side(entry)))
    }
}

/// Holds an answer against the rules.
fn check(body: &Value, limit: u64, name: &str) {
    let rules = Rules::of(body, limit);
    let links = &body["download_link"];
    let hd = rules
        .no_watermark_hd()
        .expect("something with picture and sound");
    assert_eq!(links["no_watermark_hd"], hd["url"], "{name}: {hd:#}");
    assert_eq!(entries(body)[0], hd, "{name}: what comes first");
    let low = rules
        .no_watermark()
        .expect("something with picture and sound");
    assert_eq!(links["no_watermark"], low["url"], "{name}: {low:#}");
    for key in ["watermark", "watermark_hd", "selected", "zip"] {
        assert!(links.get(key).is_none(), "{name}: {key}");
    }
    assert!(links["mp3"].is_string(), "{name}");
    // Picture and sound first, then sound, then picture alone.
    let class = |entry: &&Value| match (entry["has_video"] == true, entry["has_audio"] == true) {
        (true, true) => 0,
        (false, _) => 1,
        (true, false) => 2,
    };
    let classes: Vec<u8> = entries(body).iter().map(class).collect();
    assert!(classes.is_sorted(), "{name}: {classes:?}");
}

#[tokio::test]
async fn picks_of_recorded_videos_follow_the_rules() {
    let Some(folder) = recorded::folder() else {
        return skip("fixtures", "the folder with recordings is not there");
    };
    for recording in recordings(&folder) {
        for limit in [1080_u64, 720, 480, 100] {
            let site = Site::new().await;
            let url = recording.video.url();
            site.youtube.video(recording.video.clone());
            let mut request = json!({ "url": url });
            if limit != 1080 {
                request["max_height"] = json!(limit);
            }
            let answer = site
                .stage
                .api()
                .post("/resolve", &request.to_string())
                .await;
            let body = answer.json();
            let name = format!("{} up to {limit}", recording.name);
            check(&body, limit, &name);
            let first = entries(&body)[0];
            assert_eq!(first["merged"], true, "{name}: made of two tracks");
            assert_eq!(
                (&first["acodec"], &first["extension"]),
                (&json!("aac"), &json!("mp4")),
                "{name}"
            );
        }
    }
}

/// A track of the table with another picture.
fn of_size(itag: u64, as_itag: u64, width: u64, height: u64) -> Track {
    Track::of(itag, 213)
        .with("itag", json!(as_itag))
        .with("width", json!(width))
        .with("height", json!(height))
        .with("qualityLabel", json!(format!("{}p", width.min(height))))
}

/// Pictures up to 2160 lines, those above 1080 in AV1 alone, and an upright one.
fn tall() -> Video {
    Video::new(ID).with_tracks(vec![
        Track::of(18, 213),
        of_size(399, 401, 3840, 2160),
        of_size(399, 400, 2560, 1440),
        Track::of(137, 213),
        Track::of(399, 213),
        Track::of(136, 213),
        Track::of(135, 213),
        Track::of(140, 213),
        Track::of(251, 213),
    ])
}

#[tokio::test]
async fn operator_sets_how_high_the_picks_go() {
    for (setting, first) in [
        (None, "137+140"),
        (Some("2160"), "137+140"),
        (Some("720"), "136+140"),
        (Some("480"), "135+140"),
    ] {
        let site = Site::with(|builder| match setting {
            Some(lines) => builder.env("YOUTUBE_MAX_HEIGHT", lines),
            None => builder,
        })
        .await;
        let body = site.resolve(tall()).await;
        let limit = setting.map_or(1080, |lines| lines.parse().expect("lines"));
        check(&body, limit, &format!("{setting:?}"));
        assert_eq!(entries(&body)[0]["format_id"], first, "{setting:?}");
        assert_eq!(
            entry(&body, "401+140")["quality"],
            "2160p",
            "offered all the same"
        );
    }
}

#[tokio::test]
async fn picture_above_the_limit_is_picked_where_av1_alone_goes_so_high() {
    let only_av1 = || {
        let sizes = [(401, 3840, 2160), (400, 2560, 1440), (399, 1920, 1080)];
        let mut tracks: Vec<Track> = sizes.map(|(id, w, h)| of_size(399, id, w, h)).into();
        tracks.push(Track::of(140, 213));
        Video::new(ID).with_tracks(tracks)
    };
    for (setting, first) in [
        ("1080", "399+140"),
        ("1440", "400+140"),
        ("4320", "401+140"),
    ] {
        let site = Site::with(|builder| builder.env("YOUTUBE_MAX_HEIGHT", setting)).await;
        let body = site.resolve(only_av1()).await;
        check(&body, setting.parse().expect("lines"), setting);
        assert_eq!(entries(&body)[0]["format_id"], first, "{setting}");
    }
}

#[tokio::test]
async fn request_goes_before_the_operator() {
    let site = Site::with(|builder| builder.env("YOUTUBE_MAX_HEIGHT", "480")).await;
    site.youtube.video(tall());
    for (asked, first) in [(720, "136+140"), (1080, "137+140"), (144, "137+140")] {
        let request = json!({ "url": tall().url(), "max_height": asked }).to_string();
        let body = site.stage.api().post("/resolve", &request).await.json();
        assert_eq!(entries(&body)[0]["format_id"], first, "{asked}");
        assert_eq!(
            body["download_link"]["no_watermark_hd"],
            entries(&body)[0]["url"]
        );
    }
}

#[tokio::test]
async fn limit_that_is_none_is_told_at_the_start() {
    for setting in ["0", "high", "-1", "99999999"] {
        let (status, output) = crate::harness::Builder::offline()
            .env("YOUTUBE_MAX_HEIGHT", setting)
            .run_to_end()
            .await;
        assert_eq!(status.code(), Some(78), "{setting}: {output}");
        assert!(output.contains("  YOUTUBE_MAX_HEIGHT: "), "{output}");
    }
}

#[tokio::test]
async fn nothing_in_an_answer_leads_to_an_address_of_this_server_alone() {
    let site = Site::new().await;
    for video in [Video::new(ID), muxed_only()] {
        site.youtube.video(video.clone());
        for extra in [json!({}), json!({ "start": 1, "end": 5 })] {
            let mut request = json!({ "url": video.url(), "no_cache": true });
            request
                .as_object_mut()
                .expect("an object")
                .extend(extra.as_object().expect("an object").clone());
            let answer = site
                .stage
                .api()
                .post("/resolve", &request.to_string())
                .await;
            if answer.status == 422 {
                // No part can be cut out of what has no pairs.
                continue;
            }
            let told = String::from_utf8_lossy(&answer.body);
            for secret in ["googlevideo", "2001:db8", "2001%3Adb8"] {
                assert!(!told.contains(secret), "{secret}: {told}");
            }
            let audio = text(&answer.json(), "/audio");
            assert!(audio.contains("/stream?data="), "{audio}");
        }
    }
    let body = site.resolve(Video::new("harbour0002")).await;
    assert_eq!(body["audio"], link(&body, "140"));
    let whole = site.get(&text(&body, "/audio")).await;
    assert_eq!(whole.sha256(), Track::of(140, 213).sha256("harbour0002"));
    let body = site.resolve(muxed_only()).await;
    assert_file(&site.get(&text(&body, "/audio")).await, &Track::of(18, 213));
}
