//! What is made before its turn, and how fast it comes.

use serde_json::{Value, json};

use super::{LIST, Studio, UPRIGHT, assert_smooth, grainy_film, video};
use crate::broadcasts::{get, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, Video, mp4_track};
use crate::harness::upstream::{Fault, Rule};

/// A profile at which a second has more bytes than programs hold on the way.
pub(super) fn fat() -> Value {
    json!({"width": 320, "height": 180, "fps": 30, "video_kbps": 3000, "audio_kbps": 64,
        "preset": "ultrafast", "gop_s": 1})
}

/// Requests for the beginning of files, with the itag and the status of each.
fn openings(studio: &Studio) -> Vec<(String, u16)> {
    let records = studio.stage.world().records();
    let media = records
        .iter()
        .filter(|record| record.target.starts_with("/videoplayback"));
    let itag = |target: &str| {
        let value = target.split("itag=").nth(1).unwrap_or_default();
        value.split('&').next().unwrap_or_default().to_owned()
    };
    media
        .map(|record| (itag(&record.target), record.status))
        .collect()
}

#[tokio::test]
async fn next_item_is_made_while_the_one_on_air_has_20_seconds_left() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 3);
    for entry in &list.entries {
        let film = grainy_film(UPRIGHT, 25, studio.dir.path()).await;
        studio.youtube.video(video(&entry.id, film, 25));
    }
    let next = list.entries[1].id.clone();
    studio.youtube.playlist(list);
    let record = studio.start(json!({ "profile": fat() })).await;
    let both = studio
        .until(&record, "two programs", |status| {
            status["pids"].as_array().map(Vec::len) == Some(2)
        })
        .await;
    let roles = both["pids"].as_array().unwrap().iter();
    let roles: Vec<_> = roles.map(|pid| (&pid["role"], &pid["item"])).collect();
    let normaliser = json!("normaliser");
    assert_eq!(roles, [(&normaliser, &json!(0)), (&normaliser, &json!(1))]);
    assert_eq!(both["pid"], both["pids"][0]["pid"]);
    let ready = studio
        .until(&record, "the next item", |status| {
            status["next"]["buffered_ms"].as_u64() >= Some(8000)
        })
        .await;
    assert_eq!(ready["now"]["index"], 0);
    assert_eq!(
        (
            &ready["next"]["index"],
            &ready["next"]["id"],
            &ready["next"]["ready"]
        ),
        (&json!(1), &json!(next), &json!(true))
    );
    studio.post(&record, "skip").await;
    let second = studio
        .until(&record, "the second item", |status| {
            status["now"]["index"] == 1
        })
        .await;
    assert!(second["pids"].as_array().unwrap().len() <= 2, "{second}");
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
}

#[tokio::test]
async fn short_items_are_not_made_without_end() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(UPRIGHT, 2)]).await;
    let record = studio.start(json!({ "loop_enabled": true })).await;
    studio
        .until(&record, "the fourth time", |status| {
            status["now"]["cycle"] == 3
        })
        .await;
    let made = openings(&studio).len();
    // Those that were on air, four at the pump, and one that is begun.
    assert!(made <= 9, "made {made} times");
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
}

#[tokio::test]
async fn addresses_are_replaced_before_they_end() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.youtube.set_lifetime(300);
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let film = grainy_film(UPRIGHT, 20, studio.dir.path()).await;
    studio.youtube.video(video(&list.entries[0].id, film, 20));
    studio.youtube.playlist(list);
    let record = studio.start(json!({ "profile": fat() })).await;
    let refreshed = studio
        .until(&record, "new addresses", |status| {
            status["faults"]["url_refreshes"].as_u64() >= Some(1)
        })
        .await;
    assert_eq!(refreshed["faults"]["upstream_resumes"], 0);
    studio.to_the_end(&record).await;
    let refused = openings(&studio);
    let refused = refused.iter().filter(|(_, status)| *status >= 400);
    assert_eq!(refused.count(), 0);
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 20);
}

/// A video in three sizes: 720 and 480 lines of many bytes, of which it returns the numbers, and 360 of few.
async fn in_three_sizes(id: &str, seconds: u64) -> (Video, [u64; 2]) {
    let picture = |grain: &str| {
        let flash = "drawbox=c=white:t=fill:enable='lt(mod(t,1),0.2)'";
        format!(
            "color=c=black:s=320x180:r=25:d={seconds},{flash},{grain} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50"
        )
    };
    let sound = format!("anoisesrc=a=0.1:r=44100:s=1:d={seconds} -c:a aac -b:a 96k");
    let large = mp4_track(136, seconds, &picture("noise=alls=40:allf=t")).await;
    let medium = mp4_track(135, seconds, &picture("noise=alls=30:allf=t")).await;
    let bytes = [&large, &medium].map(|track| track.content(id).len());
    let tracks = vec![
        large,
        medium,
        mp4_track(134, seconds, &picture("null")).await,
        mp4_track(140, seconds, &sound).await,
    ];
    let video = Video::new(id).with("/videoDetails/lengthSeconds", json!(seconds.to_string()));
    (video.with_tracks(tracks), bytes)
}

#[tokio::test]
async fn item_that_comes_too_slowly_goes_on_with_fewer_and_fewer_lines() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 2);
    let (video, bytes) = in_three_sizes(&list.entries[0].id, 44).await;
    studio.youtube.video(video);
    studio
        .youtube
        .video(in_three_sizes(&list.entries[1].id, 3).await.0);
    studio.youtube.playlist(list);
    for (itag, bytes) in ["136", "135"].into_iter().zip(bytes) {
        // Half of what is played.
        let slow = Fault::Rate(bytes / 44 / 2);
        let world = studio.stage.world();
        world.fault(Rule::parameter("itag", itag, slow));
    }
    let record = studio.start(json!({ "profile": fat() })).await;
    studio
        .until(&record, "the smallest file", |_| {
            openings(&studio).iter().any(|(itag, _)| itag == "134")
        })
        .await;
    studio.stage.world().clear_faults();
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 47);
    let path = format!("{}/logs?limit=100", route(&record));
    let logs = get(studio.server(), &path).await.to_string();
    for lines in [480, 360] {
        let said = format!("with at most {lines} lines");
        assert!(logs.contains(&said), "{said}: {logs}");
    }
    // The next item begins with the file of choice again.
    let asked = openings(&studio);
    let mut pictures = asked.iter().filter(|(itag, _)| itag != "140");
    assert_eq!(pictures.next_back().unwrap().0, "136");
    let items = studio.items(&record).await;
    assert_eq!(items[0]["state"], "ok");
}
