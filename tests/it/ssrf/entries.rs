//! The places where somebody else names an address that the server may come to ask.

use serde_json::json;

use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::youtube::{Video, WWW as YOUTUBE, YouTube};
use crate::harness::upstream::{Answer, Fault, Page, Rule};
use crate::harness::{Fetched, Stage, link, text};

/// A format that every made-up video has.
pub(super) const PLAY: &str = "h264_720p_1490112";
/// Where its files lie.
const FOLDER: &str = "/video/tos/test/tos-test-ve-0068c001";
/// Where subtitles are asked for.
const SUBTITLES: &str = "/api/timedtext";
/// Redirects, in turn.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Who names the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The client, as the link to resolve.
    Posted,
    /// A short link, by its redirect.
    ShortLink,
    /// A post's page, by its redirect.
    Page,
    /// A media file, by its redirect.
    Media,
    /// A post, as the address of its video.
    Mirror,
    /// A post, as the address of its pictures.
    Picture,
    /// A post, as the address of its sound.
    Sound,
    /// A video's subtitles, by their redirect.
    Captions,
}

impl Entry {
    pub(super) const ALL: [Self; 8] = [
        Self::Posted,
        Self::ShortLink,
        Self::Page,
        Self::Media,
        Self::Mirror,
        Self::Picture,
        Self::Sound,
        Self::Captions,
    ];

    /// A domain below which names are asked at this entry.
    pub(super) fn domain(self) -> &'static str {
        match self {
            Self::Posted | Self::ShortLink | Self::Page => "tiktok.com",
            Self::Media | Self::Mirror | Self::Picture | Self::Sound => "tiktokcdn.com",
            Self::Captions => "youtube.com",
        }
    }
}

/// The simulated sites and the server.
pub(super) struct Scene<'a> {
    pub(super) stage: &'a Stage,
    pub(super) youtube: &'a YouTube,
}

/// One way of writing one address, at one entry.
#[derive(Debug)]
pub(super) struct Case {
    entry: Entry,
    host: String,
    number: usize,
}

impl Case {
    pub(super) fn new(entry: Entry, number: usize, host: String) -> Self {
        Self {
            entry,
            host,
            number,
        }
    }

    /// Has the server led to the address; says what is wrong with its answer.
    pub(super) async fn play(&self, scene: &Scene<'_>) -> Option<String> {
        let stage = scene.stage;
        let answer = match self.entry {
            Entry::Posted => stage.post(&self.url()).await,
            Entry::ShortLink => self.short_link(stage).await,
            Entry::Page => self.page(stage).await,
            Entry::Media => self.media(stage).await,
            Entry::Mirror => self.mirror(stage).await,
            Entry::Picture => self.picture(stage).await,
            Entry::Sound => self.sound(stage).await,
            Entry::Captions => self.captions(scene).await,
        };
        let status = answer.status.as_u16();
        let body = String::from_utf8_lossy(&answer.body);
        let is_right = match self.entry {
            // A posted name below the site's own is answered by what is known of the site's addresses.
            Entry::Posted if self.host.starts_with("at-") => status >= 400,
            Entry::Posted => status == 400,
            _ => (400..=599).contains(&status) && status != 500,
        };
        let is_shaped = answer.json()["error_code"].is_string();
        (!is_right || !is_shaped).then(|| format!("{self:?}: {status} {body}"))
    }

    fn id(&self) -> String {
        format!("75249194{:011}", self.number)
    }

    fn status(&self) -> u16 {
        REDIRECTS[self.number % REDIRECTS.len()]
    }

    /// The address as it is named.
    fn url(&self) -> String {
        let scheme = ["https", "http"][self.number % 2];
        format!(
            "{scheme}://{}/@harbour.keeper/video/{}",
            self.host,
            self.id()
        )
    }

    async fn short_link(&self, stage: &Stage) -> Fetched {
        let path = format!("/ZM{}/", self.number);
        let answer = Answer::redirect(self.status(), &self.url());
        let page = Page::new("vm.tiktok.com", &path, vec![answer]);
        stage.world().page(page);
        stage.post(&format!("https://vm.tiktok.com{path}")).await
    }

    async fn page(&self, stage: &Stage) -> Fetched {
        let path = format!("/@*/video/{}", self.id());
        let answer = Answer::redirect(self.status(), &self.url());
        stage.world().page(Page::new(WWW, &path, vec![answer]));
        let url = format!("https://{WWW}/@harbour.keeper/video/{}", self.id());
        stage.post(&url).await
    }

    async fn media(&self, stage: &Stage) -> Fetched {
        let item = Item::video(&self.id());
        let play = link(&stage.resolve(&item).await, PLAY);
        redirect_media(stage, &item, self.status(), &self.url());
        stage.api().get(&play).await
    }

    async fn mirror(&self, stage: &Stage) -> Fetched {
        let mut item = Item::video(&self.id())
            .without("/video/downloadAddr")
            .without("/music/playUrl")
            .with("/video/playAddr", self.url().into());
        for gear in 0..4 {
            let list = format!("/video/bitrateInfo/{gear}/PlayAddr/UrlList");
            item = item.with(&list, json!([self.url()]));
        }
        first_link(stage, &item, "/download_link/no_watermark").await
    }

    async fn picture(&self, stage: &Stage) -> Fetched {
        let item = Item::photo(&self.id(), 1)
            .without("/music/playUrl")
            .with("/imagePost/images/0/imageURL/urlList", json!([self.url()]));
        first_link(stage, &item, "/download_link/no_watermark/0").await
    }

    async fn sound(&self, stage: &Stage) -> Fetched {
        let item = Item::video(&self.id()).with("/music/playUrl", self.url().into());
        first_link(stage, &item, "/download_link/mp3").await
    }

    async fn captions(&self, scene: &Scene<'_>) -> Fetched {
        let id = format!("ssrf{:07}", self.number);
        let answer = Answer::redirect(self.status(), &self.url());
        let page = Page::new(YOUTUBE, SUBTITLES, vec![answer]).with_query("v", &id);
        scene.stage.world().page(page);
        let track = json!({
            "baseUrl": format!("https://{YOUTUBE}{SUBTITLES}?v={id}&lang=en"),
            "name": { "simpleText": "English" }, "vssId": ".en", "languageCode": "en",
        });
        let list = json!({ "playerCaptionsTracklistRenderer": { "captionTracks": [track] } });
        let video = Video::new(&id).with("/captions", list);
        let url = video.url();
        scene.youtube.video(video);
        let body = scene.stage.api().resolve(&url).await;
        let link = text(&body, "/captions/0/vtt");
        scene.stage.api().get(&link).await
    }
}

/// Sends every file of a post on to `to`.
pub(super) fn redirect_media(stage: &Stage, item: &Item, status: u16, to: &str) {
    let to = to.to_owned();
    let prefix = format!("{FOLDER}/{}-", item.id());
    let redirect = Fault::Redirect { status, to };
    stage.world().fault(Rule::path_prefix(&prefix, redirect));
}

/// Follows the link at `pointer` of what the server says of a post, when it gives one.
async fn first_link(stage: &Stage, item: &Item, pointer: &str) -> Fetched {
    let url = stage.serve(item);
    let answer = stage.post(&url).await;
    if answer.status != 200 {
        return answer;
    }
    let body = answer.json();
    let found = body.pointer(pointer).and_then(serde_json::Value::as_str);
    match found {
        Some(link) => stage.api().get(link).await,
        None => stage.api().get("/stream?data=none").await,
    }
}
