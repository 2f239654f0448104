//! The video itself: form, order, timing, sound, and that it is made once.

use http::Method;

use super::stage::{ID, Photos, assert_whole};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Fetched, address, entry, eventually, fetch, text};

/// Seconds as ffprobe writes them.
fn seconds(value: &serde_json::Value) -> f64 {
    value.as_str().expect("a text").parse().expect("seconds")
}

fn is_like(pixel: [u8; 3], colour: [u8; 3]) -> bool {
    pixel
        .iter()
        .zip(colour)
        .all(|(is, wanted)| is.abs_diff(wanted) < 24)
}

fn assert_video(answer: &Fetched) {
    assert_whole(answer);
    assert_eq!(answer.header("content-type"), "video/mp4");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    assert_eq!(answer.header("accept-ranges"), "bytes");
}

#[tokio::test]
async fn pictures_of_every_type_are_shown_four_seconds_each_with_looped_sound() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let studio = &photos.studio;
    let pictures = [
        studio.picture("a.jpg", "red", "108x80").await,
        studio.picture("b.webp", "green", "60x240").await,
        studio.picture("c.png", "blue", "37x51").await,
        studio.picture("d.avif", "white", "64x64").await,
    ];
    let sound = studio.tone("tone.mp3", 7.0, "libmp3lame").await;
    let item = photos.serve(ID, &pictures, Some(&sound));
    let answer = photos.slideshow(&item).await;
    assert_video(&answer);
    let name = answer.header("x-filename").to_owned();
    let stamp = name
        .strip_prefix("harbour_keeper_")
        .and_then(|rest| rest.strip_suffix(".mp4"));
    let stamp: u64 = stamp.expect("author and second").parse().expect("a second");
    assert!(stamp > 1_790_000_000, "{name}");

    let facts = studio.probe(&answer.body).await;
    let (picture, sound) = (&facts["streams"][0], &facts["streams"][1]);
    for (key, value) in [
        ("codec_name", "h264"),
        ("pix_fmt", "yuv420p"),
        ("r_frame_rate", "5/1"),
        ("nb_read_packets", "80"),
    ] {
        assert_eq!(picture[key], value, "{picture:#}");
    }
    assert_eq!(
        (&picture["width"], &picture["height"]),
        (&1080.into(), &1920.into())
    );
    let aspect = picture["sample_aspect_ratio"].as_str().unwrap_or("1:1");
    assert!(["1:1", "N/A"].contains(&aspect), "{aspect}");
    assert!(
        (seconds(&picture["duration"]) - 16.0).abs() < 0.001,
        "{picture:#}"
    );
    assert_eq!(
        (&sound["codec_name"], &sound["channels"]),
        (&"aac".into(), &2.into())
    );
    assert!(
        (seconds(&sound["duration"]) - 16.0).abs() < 0.03,
        "{sound:#}"
    );
    for (from, to) in [(0.5, 6.5), (7.5, 13.5), (14.5, 15.9)] {
        assert!(
            studio.loudness(&answer.body, from, to).await > -40.0,
            "silent at {from}"
        );
    }

    let frames = studio.frames(&answer.body).await;
    assert_eq!(frames.len(), 4);
    for (frame, colour, (x, y)) in [
        (&frames[0], [255, 0, 0], (540, 100)),
        (&frames[1], [0, 128, 0], (40, 960)),
        (&frames[2], [0, 0, 255], (540, 20)),
        (&frames[3], [255, 255, 255], (540, 300)),
    ] {
        let centre = frame.pixel(540, 960);
        assert!(is_like(centre, colour), "{centre:?} instead of {colour:?}");
        let bar = frame.pixel(x, y);
        assert!(
            is_like(bar, [0, 0, 0]),
            "no bar but {bar:?} beside {colour:?}"
        );
    }
    photos.assert_nothing_left().await;
    photos.stage.assert_well().await;
}

#[tokio::test]
async fn silent_post_has_a_silent_track() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let item = photos.serve(ID, &[picture.clone(), picture], None);
    let answer = photos.slideshow(&item).await;
    assert_video(&answer);
    let facts = photos.studio.probe(&answer.body).await;
    let sound = &facts["streams"][1];
    assert_eq!(sound["codec_name"], "aac");
    assert!(
        (seconds(&sound["duration"]) - 8.0).abs() < 0.03,
        "{sound:#}"
    );
    assert!(photos.studio.loudness(&answer.body, 0.0, 8.0).await < -80.0);
}

#[tokio::test]
async fn finished_video_serves_ranges_and_retries_on_every_route() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.jpg", "red", "90x160").await;
    let item = photos.serve(ID, &[picture], None);
    let body = photos.resolve(&item).await;
    let link = text(&body, "/download_slideshow_link");
    let whole = photos.get(&link).await;
    assert_video(&whole);
    let video = entry(&body, "slideshow");
    assert_eq!(
        (
            &body["data"]["video_data"][0],
            &video["format"],
            &video["extension"]
        ),
        (video, &"slideshow".into(), &"mp4".into())
    );
    let stream = text(video, "/url");
    let api = photos.stage.api();
    let download = stream.replace("/stream?", "/download?");
    for link in [&link, &stream, &download] {
        let part = api.get_range(link, "bytes=100-299").await;
        assert_eq!(part.status, 206, "{link}");
        assert_eq!(part.body, whole.body.slice(100..300));
        let total = format!("bytes 100-299/{}", whole.body.len());
        assert_eq!(part.header("content-range"), total);
        let head = api.head(link).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        for name in [
            "etag",
            "content-length",
            "x-filename",
            "content-disposition",
        ] {
            assert_eq!(head.header(name), whole.header(name), "{name}");
        }
    }
    let request = api.request(Method::GET, &link).header("range", "bytes=5-");
    let resumed = fetch(request.header("if-range", whole.header("etag"))).await;
    assert_eq!(
        (resumed.status.as_u16(), &resumed.body),
        (206, &whole.body.slice(5..))
    );
    let beyond = api.get_range(&link, "bytes=99999999-").await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.header("content-range")),
        (416, format!("bytes */{}", whole.body.len()).as_str())
    );
    photos.assert_nothing_left().await;
    photos.stage.assert_well().await;
}

/// A post whose picture waits for the gate.
async fn held() -> Option<(Photos, Item, Gate)> {
    let photos = Photos::new().await?;
    let picture = photos.studio.picture("a.jpg", "red", "90x160").await;
    let item = photos.serve(ID, &[picture], None);
    let gate = Gate::new();
    let at = address(&item, &super::stage::first(0));
    let stall = Fault::StallBeforeHead(gate.clone());
    photos.stage.world().fault(Rule::address(&at, stall));
    Some((photos, item, gate))
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_rendering_also_when_one_leaves() {
    let Some((photos, item, gate)) = held().await else {
        return;
    };
    let link = photos.slideshow_link(&item).await;
    let at = address(&item, &super::stage::first(0));
    let api = photos.stage.api();
    let first = fetch(api.request(Method::GET, &link));
    let second = fetch(api.request(Method::GET, &link));
    let mut leaver = Box::pin(api.request(Method::GET, &link).send());
    let opening = async {
        let asked = photos
            .stage
            .world()
            .wait_for("the picture is asked for", |traffic| {
                traffic.of(&at).count() > 0
            });
        tokio::select! {
            () = asked => {}
            early = &mut leaver => panic!("{early:?}"),
        }
        drop(leaver);
        gate.open();
    };
    let (first, second, ()) = tokio::join!(first, second, opening);
    assert_video(&first);
    assert_video(&second);
    assert_eq!(first.header("etag"), second.header("etag"));
    let asked = photos.stage.world().look(|traffic| traffic.of(&at).count());
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn progress_is_told_until_the_video_is_there() {
    let Some((photos, item, gate)) = held().await else {
        return;
    };
    let link = photos.slideshow_link(&item).await;
    let request = photos
        .stage
        .api()
        .request(Method::GET, &format!("{link}&progress=1"));
    let mut answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut said = String::new();
    while let Some(piece) = answer.chunk().await.expect("events") {
        said.push_str(std::str::from_utf8(&piece).expect("text"));
        if said.contains("\"step\":\"fetching\"") {
            gate.open();
        }
    }
    let events: Vec<serde_json::Value> = said
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    let percents: Vec<u64> = events
        .iter()
        .map(|event| event["percent"].as_u64().expect("percent"))
        .collect();
    assert!(percents.is_sorted(), "{said}");
    assert!(
        events.iter().all(|event| event.get("eta_s").is_some()),
        "{said}"
    );
    let last = events.last().expect("events");
    assert_eq!(
        (&last["step"], &last["percent"]),
        (&"done".into(), &100.into()),
        "{said}"
    );
    assert!(
        said.trim_end().ends_with("\"eta_s\":0}") && said.contains("event: done\n"),
        "{said}"
    );
    let at = address(&item, &super::stage::first(0));
    let asked = || photos.stage.world().look(|traffic| traffic.of(&at).count());
    let before = asked();
    assert_video(&photos.get(&link).await);
    assert_eq!(asked(), before, "rendered once more");
}

#[tokio::test]
async fn more_renderings_than_places_are_told_to_come_back() {
    let Some(photos) = Photos::with(|_, builder| {
        builder
            .env("SLIDESHOW_CONCURRENCY", "1")
            .env("MAX_QUEUE", "0")
    })
    .await
    else {
        return;
    };
    let picture = photos.studio.picture("a.jpg", "red", "90x160").await;
    let item = photos.serve(ID, std::slice::from_ref(&picture), None);
    let other = photos.serve("7524919459643919102", &[picture], None);
    let gate = Gate::new();
    let at = address(&item, &super::stage::first(0));
    let stall = Fault::StallBeforeHead(gate.clone());
    photos.stage.world().fault(Rule::address(&at, stall));
    let (link, other) = (
        photos.slideshow_link(&item).await,
        photos.slideshow_link(&other).await,
    );
    let refusing = async {
        photos
            .stage
            .world()
            .wait_for("a rendering", |traffic| traffic.of(&at).count() > 0)
            .await;
        let refused = photos.get(&other).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["error_code"]),
            (503, &"busy".into())
        );
        assert!(refused.header("retry-after").parse::<u64>().is_ok());
        gate.open();
    };
    let (first, ()) = tokio::join!(photos.get(&link), refusing);
    assert_video(&first);
    // The place is free when the file is there, which may be a moment before its holder says so.
    eventually("the place is free", async || {
        let answer = photos.get(&other).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn finished_video_is_found_again_after_a_new_extraction() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.png", "red", "9x16").await;
    let signed = |signature: &str| {
        let image = format!(
            "https://p16-sign.tiktokcdn.com/tos-i/{signature}/0a1b~tplv-photo.jpeg?x-signature={signature}"
        );
        let sound = format!(
            "https://v77.tiktokcdn.com/{signature}/68f0/video/tos/a/oQfile/?a=1180&mime_type=audio_mp4"
        );
        Item::photo(ID, 1)
            .with(
                "/imagePost/images/0/imageURL/urlList",
                serde_json::json!([image]),
            )
            .with("/music/playUrl", sound.into())
    };
    let sound = photos.studio.tone("tone.mp3", 1.0, "libmp3lame").await;
    let item = signed("aaaa");
    photos.stage.serve(&item);
    photos.put(&item, &super::stage::first(0), &picture, "image/png");
    photos.put(&item, "/music/playUrl", &sound, "audio/mpeg");
    let link = photos.slideshow_link(&item).await;
    let whole = photos.get(&link).await;
    assert_video(&whole);
    // Other addresses, at which there is nothing: it can't be rendered once more.
    photos.stage.serve(&signed("bbbb"));
    let url = format!("https://www.tiktok.com/@a/video/{ID}");
    let again = serde_json::json!({ "url": url, "no_cache": true }).to_string();
    let body = photos.stage.api().post("/tiktok", &again).await.json();
    assert!(text(&body, "/photos/0/url").contains("bbbb"), "{body:#}");
    let rest = photos.stage.api().get_range(&link, "bytes=5-").await;
    assert_eq!(
        (rest.status.as_u16(), rest.header("etag")),
        (206, whole.header("etag"))
    );
    // Another sound is another video.
    photos
        .stage
        .serve(&signed("bbbb").without("/music/playUrl"));
    photos.stage.api().post("/tiktok", &again).await;
    assert_eq!(photos.get(&link).await.status, 502);
}

#[tokio::test]
async fn every_frame_can_be_decoded_and_is_the_same_in_each_rendering() {
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let Some(photos) = Photos::new().await else {
            return;
        };
        let studio = &photos.studio;
        let pictures = [
            studio
                .make("a.png", "-f lavfi -i testsrc=s=90x160 -frames:v 1")
                .await,
            studio.picture("b.webp", "green", "60x240").await,
        ];
        let sound = studio.tone("tone.mp3", 3.0, "libmp3lame").await;
        let item = photos.serve(ID, &pictures, Some(&sound));
        let answer = photos.slideshow(&item).await;
        assert_video(&answer);
        hashes.push(studio.framehash(&answer.body, "-map 0").await);
    }
    let video: Vec<_> = hashes[0].iter().filter(|frame| frame[0] == "0").collect();
    let times: Vec<usize> = video
        .iter()
        .map(|frame| frame[2].parse().expect("a time"))
        .collect();
    assert_eq!(times, (0..40).collect::<Vec<_>>());
    // Stream, times, length: one whole picture in 4:2:0 each.
    assert!(video.iter().all(|frame| frame[4] == "3110400"), "{video:?}");
    assert_ne!(video[0][5], video[39][5]);
    assert_eq!(hashes[0], hashes[1]);
}
