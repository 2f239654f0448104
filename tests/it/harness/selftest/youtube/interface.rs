//! The interface: requests in order, requests that aren't, and every answer there is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Call, ID, format, site, visitor_of};
use crate::harness::api::fetch;
use crate::harness::selftest::{get, text};
use crate::harness::upstream::Upstream;
use crate::harness::upstream::recorded;
use crate::harness::upstream::youtube::{
    API, Refusal, Script, Track, Video, joinable_tracks, recordings, refusals,
};
use crate::harness::{has_tool, run, skip};

#[tokio::test]
async fn clients_get_what_youtube_gives_them() {
    let (upstream, youtube, visitor) = site().await;
    let timestamp =
        json!({ "contentPlaybackContext": { "signatureTimestamp": youtube.script().timestamp } });
    let scripted = |name: &str, number: &str| {
        Call::player(name, number, &visitor).with("playbackContext", timestamp.clone())
    };

    let visionos = Call::visionos(&visitor).host(API).told(&upstream).await;
    assert_eq!(visionos["streamingData"]["formats"], json!(null));
    assert!(visionos["microformat"].is_null());
    assert!(
        format(&visionos, 137)["url"]
            .as_str()
            .is_some_and(|url| !url.contains("&n="))
    );

    let tv = scripted("TVHTML5", "7").told(&upstream).await;
    for itag in [18, 137, 140] {
        let cipher = format(&tv, itag)["signatureCipher"]
            .as_str()
            .expect("a cipher");
        assert!(
            cipher.starts_with("s=") && cipher.contains("%26n%3D"),
            "{cipher}"
        );
    }

    let mut embedded = scripted("WEB_EMBEDDED_PLAYER", "56");
    embedded.body["context"]["thirdParty"] = json!({ "embedUrl": "https://www.example.org/" });
    embedded.body["playbackContext"]["contentPlaybackContext"]["encryptedHostFlags"] =
        json!(flags_of_a_page(&upstream).await);
    let embedded = embedded.told(&upstream).await;
    assert!(
        format(&embedded, 137)["url"]
            .as_str()
            .is_some_and(|url| url.contains("&n="))
    );

    let web = scripted("WEB", "1").told(&upstream).await;
    assert!(format(&web, 18)["signatureCipher"].is_string());
    assert!(format(&web, 137)["url"].is_null() && format(&web, 137)["signatureCipher"].is_null());
    assert_eq!(
        web["microformat"]["playerMicroformatRenderer"]["likeCount"],
        "139300"
    );

    let mut reel = Call::player("ANDROID", "3", &visitor).host(API);
    reel.path = "reel/reel_item_watch";
    let request = json!({ "videoId": ID, "contentCheckOk": true, "racyCheckOk": true });
    let reel = reel
        .with("playerRequest", request)
        .with("disablePlayerResponse", json!(false))
        .query("$fields=playerResponse")
        .told(&upstream)
        .await;
    assert!(format(&reel["playerResponse"], 18)["url"].is_string());
    assert!(format(&reel["playerResponse"], 137)["url"].is_null());
    upstream.world.assert_no_unknown();
}

/// The flags that a page around a player hands out.
async fn flags_of_a_page(upstream: &Upstream) -> String {
    let address = format!("https://www.youtube.com/embed/{ID}");
    let page = fetch(get(upstream, &address).header("referer", "https://www.example.org/")).await;
    let page = text(&page);
    let (_, rest) = page.split_once("\"encryptedHostFlags\":\"").expect("flags");
    rest.split('"').next().expect("flags").to_owned()
}

#[tokio::test]
async fn requests_out_of_order_fail_the_test() {
    let (upstream, youtube, visitor) = site().await;
    let good = || Call::visionos(&visitor);
    let in_context = |key: &str, value: Value| {
        let mut call = good();
        call.body["context"]["client"][key] = value;
        call
    };
    let mut embedded = Call::player("WEB_EMBEDDED_PLAYER", "56", &visitor);
    embedded.body["context"]["thirdParty"] = json!({ "embedUrl": "https://www.example.org/" });
    embedded.body["playbackContext"] = json!({ "contentPlaybackContext": {
        "signatureTimestamp": youtube.script().timestamp, "encryptedHostFlags": "AD5ZzFmadeup",
    } });
    let wrong_time = json!({ "contentPlaybackContext": { "signatureTimestamp": 1 } });
    let cases = [
        in_context("clientName", json!("IOS_MESSAGES")),
        in_context("clientVersion", json!("9.99")),
        in_context("userAgent", json!("another")),
        in_context("hl", json!("fr")),
        in_context("visitorData", json!("another")),
        good().header("x-youtube-client-name", "1"),
        good().header("x-youtube-client-version", "9.99"),
        good().header("content-type", "text/plain"),
        good().header("origin", "https://evil.test"),
        good().header("x-goog-visitor-id", "Cgtmadeup"),
        good().without("x-youtube-client-name"),
        good().without("x-youtube-client-version"),
        good().without("content-type"),
        good().without("x-goog-visitor-id"),
        good().query("key=AIzaSomething"),
        good().query(&format!("id={ID}&t=short")),
        good().query("id=another0001"),
        good().with("videoId", json!("short")),
        good().with("racyCheckOk", json!(false)),
        good().with("cpn", json!("short")),
        good().with("playbackContext", wrong_time.clone()),
        Call::player("TVHTML5", "7", &visitor),
        Call::player("TVHTML5", "7", &visitor).with("playbackContext", wrong_time),
        Call::player("TVHTML5", "7", &visitor).host(API),
        Call::player("WEB_EMBEDDED_PLAYER", "56", &visitor),
        embedded.clone(),
        good().header("cookie", "LOGIN_INFO=a; SAPISID=b"),
        good()
            .header("cookie", "LOGIN_INFO=a; SAPISID=b")
            .header("authorization", "SAPISIDHASH 1_00"),
        Call::new("WEB", "1", "browse")
            .visitor(&visitor)
            .with("browseId", json!("UCharbour")),
        Call::new("WEB", "1", "browse")
            .visitor(&visitor)
            .with("continuation", json!("4qmFsgnone")),
    ];
    for (number, call) in cases.iter().enumerate() {
        let status = call.send(&upstream).await.status;
        let seen = upstream.world.look(|traffic| traffic.unknown.len());
        assert_eq!((status.as_u16(), seen), (400, number + 1), "{call:#?}");
    }
}

#[tokio::test]
async fn fields_cut_the_answer_down() {
    let (upstream, _, visitor) = site().await;
    let fields = "$fields=microformat,videoDetails.title,playabilityStatus.status";
    let told = Call::player("WEB", "1", &visitor)
        .query(fields)
        .told(&upstream)
        .await;
    let keys: Vec<_> = told.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["microformat", "videoDetails", "playabilityStatus"]);
    assert_eq!(
        told["videoDetails"].as_object().map(serde_json::Map::len),
        Some(1)
    );
    assert_eq!(told["playabilityStatus"], json!({ "status": "OK" }));
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn every_refusal_says_what_youtube_says() {
    let (upstream, youtube, visitor) = site().await;
    for (refusal, status, words) in [
        (Refusal::BotCheck, "LOGIN_REQUIRED", "not a bot"),
        (Refusal::Captcha, "LOGIN_REQUIRED", "playerCaptchaViewModel"),
        (Refusal::Age, "LOGIN_REQUIRED", "confirm your age"),
        (Refusal::AgeCheck, "AGE_VERIFICATION_REQUIRED", ""),
        (Refusal::Private, "LOGIN_REQUIRED", "private"),
        (Refusal::Members, "UNPLAYABLE", "members"),
        (Refusal::Premium, "UNPLAYABLE", "Music Premium"),
        (Refusal::Payment, "UNPLAYABLE", "trailerVideoId"),
        (Refusal::Country, "UNPLAYABLE", "in your country"),
        (Refusal::NotAvailable, "UNPLAYABLE", "not available"),
        (Refusal::Processing, "UNPLAYABLE", "processing this video"),
        (Refusal::SignIn, "UNPLAYABLE", "Please sign in"),
        (Refusal::RateLimit, "UNPLAYABLE", "try again later"),
        (
            Refusal::Upcoming(1_800_000_000),
            "LIVE_STREAM_OFFLINE",
            "1800000000",
        ),
        (Refusal::Missing, "ERROR", "unavailable"),
        (Refusal::Removed, "ERROR", "removed"),
    ] {
        youtube.video(Video::new(ID).refusing(refusal.clone()));
        let told = Call::visionos(&visitor).told(&upstream).await;
        let playability = &told["playabilityStatus"];
        assert_eq!(playability["status"], status, "{refusal:?}");
        assert!(
            playability.to_string().contains(words),
            "{refusal:?}: {playability}"
        );
        assert!(told["streamingData"].is_null(), "{refusal:?}");
    }
    youtube.video(Video::new(ID).refusing_client("VISIONOS", Refusal::Empty));
    assert_eq!(
        Call::visionos(&visitor).told(&upstream).await["playabilityStatus"],
        json!(null)
    );
    youtube.video(Video::new(ID).naming("another0001"));
    let told = Call::visionos(&visitor).told(&upstream).await;
    assert_eq!(told["videoDetails"]["videoId"], "another0001");
    youtube.video(Video::new(ID).live());
    let told = Call::visionos(&visitor).told(&upstream).await;
    assert_eq!(told["videoDetails"]["isLive"], true);
    youtube.video(Video::new(ID).encrypted());
    let told = Call::visionos(&visitor).told(&upstream).await;
    assert!(format(&told, 140)["drmFamilies"].is_array());
    youtube.video(Video::new(ID).sabr_only());
    let told = Call::visionos(&visitor).told(&upstream).await;
    assert!(format(&told, 140)["url"].is_null());
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn sound_tracks_have_addresses_and_bytes_of_their_own() {
    let (upstream, youtube, visitor) = site().await;
    let sound = || Track::of(140, 60);
    let tracks = vec![
        sound().spoken("en.4", "English original", true),
        sound().spoken("de.3", "German", false),
        sound().drc(),
    ];
    let sums: BTreeSet<String> = tracks.iter().map(|track| track.sha256(ID)).collect();
    assert_eq!(sums.len(), 3);
    youtube.video(Video::new(ID).with_tracks(tracks));
    let told = Call::visionos(&visitor).told(&upstream).await;
    let formats = told["streamingData"]["adaptiveFormats"]
        .as_array()
        .expect("formats");
    let mut served = BTreeSet::new();
    for format in formats {
        let file = fetch(get(&upstream, format["url"].as_str().expect("an address"))).await;
        served.insert(file.sha256());
    }
    assert_eq!(served, sums);
}

#[tokio::test]
async fn announced_broadcasts_say_when() {
    let (upstream, youtube, visitor) = site().await;
    youtube.video(Video::new(ID).upcoming(1_800_000_000));
    let told = Call::visionos(&visitor).told(&upstream).await;
    assert_eq!(told["videoDetails"]["isUpcoming"], true);
    assert_eq!(told["playabilityStatus"]["status"], "LIVE_STREAM_OFFLINE");
}

#[tokio::test]
async fn suspects_are_told_so_until_they_come_as_another() {
    let (upstream, youtube, visitor) = site().await;
    youtube.suspect_visitors();
    let told = Call::visionos(&visitor).told(&upstream).await;
    assert_eq!(told["playabilityStatus"]["status"], "LOGIN_REQUIRED");
    let told = Call::visionos(&visitor_of(&told)).told(&upstream).await;
    assert_eq!(told["playabilityStatus"]["status"], "OK");
}

#[tokio::test]
async fn pages_lead_to_the_player_script() {
    let (upstream, youtube, _) = site().await;
    let page = async |path: &str| {
        let page = fetch(get(&upstream, &format!("https://www.youtube.com{path}"))).await;
        String::from_utf8(page.body.to_vec()).expect("text")
    };
    let path = youtube.script().path();
    assert!(page(&format!("/watch?v={ID}")).await.contains(&path));
    assert!(
        page("/iframe_api")
            .await
            .contains("\\/s\\/player\\/0a1b2c3d\\/")
    );
    let script = page(&path).await;
    assert_eq!(script, youtube.script().text());
    assert!(script.contains(&format!(
        "signatureTimestamp:{}",
        youtube.script().timestamp
    )));
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn node_runs_the_script_as_it_is_mirrored() {
    if !has_tool("node").await {
        return skip("clients", "node is not installed");
    }
    let script = Script::new("0a1b2c3d", 20_412, 11);
    let (n, signature) = ("AbC-_9xyz0Q1234", "AJfQdSswRAIgABCDEFGHIJ0123456789==");
    let ciphered = Script::cipher(signature);
    let ask = format!(
        "var u=make('https://youtube.com/watch?v=x','s',encodeURIComponent('{ciphered}'));u.set('n','{n}');\
         u.build();console.log(u.get('n'),decodeURIComponent(u.get('s')));"
    );
    let text = script.text().replace("window.ytplayer.start();", &ask);
    let dir = tempfile::tempdir().expect("temporary directory");
    let program = format!("var window={{}};{text}");
    let output = run("node", ["-e", &program], &BTreeMap::new(), dir.path()).await;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = format!("{} {signature}\n", script.solve_n(n));
    assert_eq!(
        printed,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn recordings_are_served_with_addresses_of_our_own() {
    let Some(folder) = recorded::folder() else {
        return skip("fixtures", "the folder with recordings is not there");
    };
    let (upstream, youtube, visitor) = site().await;
    for recording in recordings(&folder) {
        let id = recording.video.id();
        let count = recording.video.tracks().len();
        youtube.video(recording.video);
        let told = Call::visionos(&visitor)
            .with("videoId", json!(id))
            .told(&upstream)
            .await;
        let formats = told["streamingData"]["adaptiveFormats"]
            .as_array()
            .expect("formats");
        assert_eq!(formats.len(), count, "{}", recording.name);
        for format in formats {
            let url = format["url"].as_str().expect("an address");
            let part = fetch(get(&upstream, url).header("range", "bytes=0-99")).await;
            let total = format!(
                "bytes 0-99/{}",
                format["contentLength"].as_str().expect("a length")
            );
            assert_eq!(
                (part.status.as_u16(), part.header("content-range")),
                (206, &*total),
                "{url}"
            );
        }
    }
    for (name, refusal) in refusals(&folder) {
        youtube.video(Video::new(ID).refusing(refusal));
        let told = Call::visionos(&visitor).told(&upstream).await;
        assert_ne!(told["playabilityStatus"]["status"], "OK", "{name}");
    }
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn made_tracks_are_what_their_ranges_say() {
    let Some(tracks) = joinable_tracks().await else {
        return skip("ffmpeg", "there is none with H.264 and AAC");
    };
    let (upstream, youtube, visitor) = site().await;
    youtube.video(Video::new(ID).with_tracks(tracks.into()));
    let told = Call::visionos(&visitor).told(&upstream).await;
    for itag in [136, 140] {
        let (format, url) = (format(&told, itag), super::address(&told, itag));
        let file = fetch(get(&upstream, &url)).await.body;
        let place = |range: &str, end: &str| -> usize {
            format[range][end]
                .as_str()
                .expect("a place")
                .parse()
                .expect("a number")
        };
        assert_eq!(&file[4..8], b"ftyp");
        let index = place("indexRange", "start");
        assert_eq!(
            (&file[index + 4..index + 8], index),
            (&b"sidx"[..], place("initRange", "end") + 1)
        );
        let first = place("indexRange", "end") + 1;
        assert_eq!(&file[first + 4..first + 8], b"moof");
    }
}
