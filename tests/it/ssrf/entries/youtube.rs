//! What YouTube's answers name.

use serde_json::json;
use tokio::sync::Mutex;

use super::{Case, Heard, Scene, follow, redirected};
use crate::harness::upstream::youtube::{Track, Video, WWW, YouTube, joinable_tracks};
use crate::harness::upstream::{Answer, Fault, Page, Record, Rule, sha256_hex};
use crate::harness::{Fetched, Stage, link, text};
use crate::ssrf::names::SITES;

/// Where subtitles are asked for.
const SUBTITLES: &str = "/api/timedtext";
/// A format whose file is whole by itself.
const WHOLE: u64 = 18;

/// The site, and videos of it that were resolved: media move, videos stay.
pub(in crate::ssrf) struct Videos {
    site: YouTube,
    moving: Vec<Mutex<(String, String)>>,
    /// Picture and sound that can be joined; `None` without an ffmpeg that makes them.
    tracks: Option<[Track; 2]>,
}

impl Videos {
    /// So many videos.
    pub(in crate::ssrf) async fn open(stage: &Stage, count: usize) -> Self {
        let site = YouTube::open(stage.world());
        // Media are asked for by the kind of address that the visitor was seen with, and an egress may have but one.
        site.see_visitor_at(&SITES.to_string());
        let mut moving = Vec::new();
        for number in 0..count {
            let id = format!("move{number:07}");
            let video = Video::new(&id).with_tracks(vec![Track::of(WHOLE, 213)]);
            let url = video.url();
            site.video(video);
            let body = stage.api().resolve(&url).await;
            moving.push(Mutex::new((id, link(&body, &WHOLE.to_string()))));
        }
        let tracks = joinable_tracks().await;
        Self {
            site,
            moving,
            tracks,
        }
    }

    /// Whether there are files that a picture goes into.
    pub(in crate::ssrf) fn has_covers(&self) -> bool {
        self.tracks.is_some()
    }
}

impl Case {
    pub(super) async fn youtube_media(&self, scene: &Scene<'_>) -> Heard {
        let track = Track::of(WHOLE, 213).lying_at(&self.url());
        let video = Video::new(&self.video_id()).with_tracks(vec![track]);
        let url = video.url();
        scene.videos.site.video(video);
        let answer = scene.stage.post(&url).await;
        follow(scene.stage, answer, "/data/video_data/0/url").await
    }

    pub(super) async fn youtube_move(&self, scene: &Scene<'_>) -> Fetched {
        let moving = &scene.videos.moving;
        let video = moving[self.number % moving.len()].lock().await;
        let (id, link) = &*video;
        let named = format!("o-{}", &sha256_hex(id.as_bytes())[..20]);
        let (status, to) = (self.status, self.url());
        let redirect = Fault::Redirect { status, to };
        let rule = Rule::parameter("id", &named, redirect);
        let stage = scene.stage;
        stage.world().replace_fault(rule);
        let parameter = format!("id={named}");
        let is_moved = |record: &Record| record.target.contains(&parameter);
        redirected(stage, status, is_moved, stage.api().get(link)).await
    }

    /// The length of a file with a picture is known when it is offered, so the picture is asked for then.
    pub(super) async fn cover(&self, scene: &Scene<'_>) -> Heard {
        let tracks = scene.videos.tracks.clone().expect("tracks");
        let pictures = json!([{ "url": self.url(), "width": 1280, "height": 720 }]);
        let video = Video::new(&self.video_id())
            .with_tracks(tracks.into())
            .with("/videoDetails/thumbnail/thumbnails", pictures.clone())
            .with(
                "/microformat/playerMicroformatRenderer/thumbnail/thumbnails",
                pictures,
            );
        let body = json!({ "url": video.url(), "cover": true }).to_string();
        scene.videos.site.video(video);
        let answer = scene.stage.api().post("/resolve", &body).await;
        if answer.status != 200 {
            return Heard::Answer(answer);
        }
        if text(&answer.json(), "/cover").is_empty() {
            return Heard::LeftOut;
        }
        Heard::Answer(answer)
    }

    pub(super) async fn captions(&self, scene: &Scene<'_>) -> Heard {
        let id = self.video_id();
        // The path of subtitles: another one is no address of theirs.
        let url = self.url();
        let host = url.split("/@").next().unwrap_or_default();
        let address = format!("{host}{SUBTITLES}?v={id}&lang=en");
        self.subtitles(scene, &address).await
    }

    pub(super) async fn captions_move(&self, scene: &Scene<'_>) -> Heard {
        let id = self.video_id();
        let answer = Answer::redirect(self.status, &self.url());
        let page = Page::new(WWW, SUBTITLES, vec![answer]).with_query("v", &id);
        scene.stage.world().page(page);
        let address = format!("https://{WWW}{SUBTITLES}?v={id}&lang=en");
        let named = format!("{SUBTITLES}?v={id}&");
        let is_asked = |record: &Record| record.target.starts_with(&named);
        let asking = self.subtitles(scene, &address);
        redirected(scene.stage, self.status, is_asked, asking).await
    }

    async fn subtitles(&self, scene: &Scene<'_>, address: &str) -> Heard {
        let track = json!({
            "baseUrl": address,
            "name": { "simpleText": "English" }, "vssId": ".en", "languageCode": "en",
        });
        let list = json!({ "playerCaptionsTracklistRenderer": { "captionTracks": [track] } });
        let track = Track::of(WHOLE, 213);
        let video = Video::new(&self.video_id()).with_tracks(vec![track]);
        let video = video.with("/captions", list);
        let url = video.url();
        scene.videos.site.video(video);
        let answer = scene.stage.post(&url).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        follow(scene.stage, answer, "/captions/0/vtt").await
    }
}
