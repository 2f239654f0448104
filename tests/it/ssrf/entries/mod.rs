//! The places where somebody else names a host that the server may come to ask.

mod tiktok;
mod youtube;

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use serde_json::Value;

use super::spellings::name_of;
use crate::harness::upstream::{Record, Traffic};
use crate::harness::{Fetched, Stage};

pub(super) use tiktok::{Posts, REFUSED};
pub(super) use youtube::Videos;

/// Redirects, in turn.
pub(super) const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Who names the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Entry {
    /// The client, as the link to resolve.
    Posted,
    /// The name server, of the host of TikTok's pages.
    TikTok,
    /// The name server, of the host of short links.
    Short,
    /// The name server, of the hosts of Douyin's pages.
    Douyin,
    /// The name server, of the host of Douyin's short links.
    DouyinShort,
    /// The name server, of the hosts of YouTube's interface and pages.
    YouTube,
    /// A short link, by its redirect.
    Hop,
    /// A post's page, by its redirect.
    Page,
    /// A media file, by its redirect.
    Media,
    /// A post, as the only address of its video.
    Mirror,
    /// A post, as the second address of its video, the first of which is refused.
    SecondMirror,
    /// A post, as the address of its picture.
    Picture,
    /// A post, as the address of a picture that is packed with others.
    Archive,
    /// A post, as the address of a picture that becomes a video.
    Slideshow,
    /// A post, as the address of its sound.
    Sound,
    /// A video, as the address of its media.
    YouTubeMedia,
    /// A video's media, by their redirect.
    YouTubeMove,
    /// A video, as the address of the picture that goes into its file.
    Cover,
    /// A video, as the address of its subtitles.
    Captions,
    /// A video's subtitles, by their redirect.
    CaptionsMove,
}

impl Entry {
    pub(super) const ALL: [Self; 20] = [
        Self::TikTok,
        Self::Short,
        Self::Douyin,
        Self::DouyinShort,
        Self::YouTube,
        Self::Hop,
        Self::Page,
        Self::Posted,
        Self::Media,
        Self::Mirror,
        Self::SecondMirror,
        Self::Picture,
        Self::Archive,
        Self::Slideshow,
        Self::Sound,
        Self::YouTubeMedia,
        Self::YouTubeMove,
        Self::Cover,
        Self::Captions,
        Self::CaptionsMove,
    ];

    /// Hosts that pass here, where they are few: their addresses are what the name server says at the time.
    pub(super) fn fixed_hosts(self) -> &'static [&'static str] {
        match self {
            Self::TikTok => &["www.tiktok.com"],
            Self::Short => &["vm.tiktok.com"],
            Self::Douyin => &["www.douyin.com", "www.iesdouyin.com"],
            Self::DouyinShort => &["v.douyin.com"],
            Self::YouTube => &[
                "www.youtube.com",
                "youtubei.googleapis.com",
                "music.youtube.com",
            ],
            Self::Hop => &["m.tiktok.com"],
            Self::Page => &["tiktok.com"],
            _ => &[],
        }
    }

    /// The domain below which every host passes here.
    fn open_domain(self) -> Option<&'static str> {
        match self {
            Self::Media
            | Self::Mirror
            | Self::SecondMirror
            | Self::Picture
            | Self::Archive
            | Self::Slideshow
            | Self::Sound => Some("tiktokcdn.com"),
            Self::YouTubeMedia | Self::YouTubeMove => Some("googlevideo.com"),
            Self::Cover => Some("ytimg.com"),
            Self::Captions | Self::CaptionsMove => Some("www.youtube.com"),
            _ => None,
        }
    }

    /// The nearest domain whose names don't pass here; behind a proxy one of no site, for there the names of sites
    /// count, which nobody else makes.
    pub(super) fn closed_domain(self) -> &'static str {
        match self {
            Self::Posted | Self::Hop | Self::Page => "tiktok.com",
            _ => super::FOREIGN,
        }
    }

    /// Whether somebody writes the host here, so that it may be spelled.
    pub(super) fn is_written(self) -> bool {
        self.open_domain().is_some() || matches!(self, Self::Posted | Self::Hop | Self::Page)
    }

    /// Whether the host comes by a redirect, whose status is one of [`REDIRECTS`].
    pub(super) fn is_redirect(self) -> bool {
        matches!(
            self,
            Self::Hop | Self::Page | Self::Media | Self::YouTubeMove | Self::CaptionsMove
        )
    }

    /// A host that passes here and has this address; `None` where the hosts that pass are [`Entry::fixed_hosts`].
    pub(super) fn host_at(self, address: IpAddr, number: usize) -> Option<String> {
        Some(name_of(address, number, self.open_domain()?))
    }

    /// A host that passes here and is the sites'.
    pub(super) fn good_host(self, number: usize) -> Option<String> {
        Some(format!("good-{number}.{}", self.open_domain()?))
    }

    /// Whether what is named here is used without a word to the client, and left out if it can't be had.
    fn is_silent(self) -> bool {
        self == Self::Cover
    }
}

/// The simulated sites and the server.
pub(super) struct Scene<'a> {
    pub(super) stage: &'a Stage,
    pub(super) posts: Posts,
    pub(super) videos: Videos,
}

/// One host at one entry.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) entry: Entry,
    /// As it is written; empty where the name server alone says something.
    pub(super) host: String,
    pub(super) number: usize,
    /// Of the redirect, if there is one.
    pub(super) status: u16,
}

/// What the server made of a host.
pub(super) enum Heard {
    /// The site named it, and the server's answer has nothing of it.
    LeftOut,
    /// The answer when it was to be asked.
    Answer(Fetched),
}

impl Display for Heard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut => f.write_str("left out"),
            Self::Answer(answer) if answer.body.len() > 1000 => write!(f, "{}", answer.status),
            Self::Answer(answer) => {
                let body = String::from_utf8_lossy(&answer.body);
                write!(f, "{} {body}", answer.status)
            }
        }
    }
}

impl Case {
    /// Lets the server meet the host.
    ///
    /// # Errors
    /// What is wrong with its answer.
    pub(super) async fn play(&self, scene: &Scene<'_>) -> Result<Heard, String> {
        let heard = self.meet(scene).await;
        if let Heard::Answer(answer) = &heard {
            let status = answer.status.as_u16();
            let is_error = (400..=599).contains(&status) && status != 500;
            let is_right = match self.entry {
                entry if entry.is_silent() => status == 200,
                Entry::Posted => status == 400,
                _ => is_error,
            };
            if !is_right || is_error && !answer.json()["error_code"].is_string() {
                return Err(format!("{self:?}: {heard}"));
            }
        }
        Ok(heard)
    }

    /// As [`Case::play`], whatever the answer is.
    pub(super) async fn meet(&self, scene: &Scene<'_>) -> Heard {
        let stage = scene.stage;
        let answer = match self.entry {
            Entry::Posted => stage.post(&self.url()).await,
            Entry::TikTok => stage.post(&self.post_url("www.tiktok.com")).await,
            Entry::Short => {
                let url = format!("https://vm.tiktok.com/ZS{}/", self.number);
                stage.post(&url).await
            }
            Entry::Douyin => {
                let url = format!("https://www.douyin.com/video/{}", self.id());
                stage.post(&url).await
            }
            Entry::DouyinShort => {
                let url = format!("https://v.douyin.com/iR{}/", self.number);
                stage.post(&url).await
            }
            Entry::YouTube => {
                let url = format!("https://youtu.be/{}", self.video_id());
                stage.post(&url).await
            }
            Entry::Hop => self.hop(stage).await,
            Entry::Page => self.page(stage).await,
            Entry::Media => self.media(scene).await,
            Entry::Mirror => return self.mirror(stage).await,
            Entry::SecondMirror => return self.second_mirror(stage).await,
            Entry::Picture => return self.picture(stage, "/no_watermark/0").await,
            Entry::Archive => return self.picture(stage, "/zip").await,
            Entry::Slideshow => return self.slideshow(stage).await,
            Entry::Sound => return self.sound(stage).await,
            Entry::YouTubeMedia => return self.youtube_media(scene).await,
            Entry::YouTubeMove => self.youtube_move(scene).await,
            Entry::Cover => return self.cover(scene).await,
            Entry::Captions => return self.captions(scene).await,
            Entry::CaptionsMove => return self.captions_move(scene).await,
        };
        Heard::Answer(answer)
    }

    fn id(&self) -> String {
        format!("75249194{:011}", self.number)
    }

    fn video_id(&self) -> String {
        format!("ssrf{:07}", self.number)
    }

    /// The host as it is named. Names that would pass are named as sites name theirs.
    fn url(&self) -> String {
        self.post_url(&self.host)
    }

    fn post_url(&self, host: &str) -> String {
        let is_name = host.split('.').next_back().is_some_and(super::is_word);
        let scheme = if is_name || self.number.is_multiple_of(2) {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{host}/@harbour.keeper/video/{}", self.id())
    }
}

/// Waits for an answer, and makes sure that a redirect of this status was served on the way to it.
///
/// # Panics
/// There was none: what follows it was not tried.
async fn redirected<T>(
    stage: &Stage,
    status: u16,
    is_meant: impl Fn(&Record) -> bool,
    answer: impl Future<Output = T>,
) -> T {
    let records_of = |traffic: &Traffic| traffic.records.len();
    let before = stage.world().look(records_of);
    let answer = answer.await;
    let is_served = stage.world().look(|traffic| {
        let mut since = traffic.records[before..].iter();
        since.any(|record| record.status == status && is_meant(record))
    });
    assert!(is_served, "no redirect with {status} was served");
    answer
}

/// Follows the link at `pointer` of what the server says of a post, when it gives one.
///
/// # Panics
/// It says nothing of the post.
async fn follow(stage: &Stage, answer: Fetched, pointer: &str) -> Heard {
    if answer.status != 200 {
        // Nothing is left of the post.
        return Heard::LeftOut;
    }
    let body = answer.json();
    match body.pointer(pointer).and_then(Value::as_str) {
        Some(link) => Heard::Answer(stage.api().get(link).await),
        None => Heard::LeftOut,
    }
}
