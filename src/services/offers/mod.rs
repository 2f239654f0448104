//! Extraction -> sealed links: what is offered of a post, and which of it is picked by default.

mod picks;

use std::sync::Arc;

use super::Pair;
use super::sound::within_video;
use crate::extract::{
    Codec, Container, Content, Extraction, Extractor, Format, Image, Tracks, select,
};
use crate::links::{Hint, Kind, Link, Purpose, Sealer};
use crate::media::abilities::Abilities;
use crate::media::ffmpeg::Ffmpeg;
use picks::{pick, with_pairs};

/// One downloadable thing, with its link.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// `video-1080p`, `mute-1080p`, `audio-128k`, `image-3`.
    pub name: String,
    /// Format id.
    pub format_id: String,
    /// `1080p`, `128k` or `original`.
    pub quality: String,
    /// File name extension without dot.
    pub extension: &'static str,
    /// The sealed link.
    pub token: String,
    /// The format; `None` for a picture.
    pub format: Option<Format>,
    /// The picture; `None` for a format.
    pub image: Option<Image>,
    /// Whether it is made of two tracks.
    pub is_joined: bool,
}

/// What is wanted of a post.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Limits the picks, and what is offered first, to that short side where anything that small exists.
    pub max_height: Option<u32>,
    /// The pairs that can be had as one file.
    pub pairs: Vec<Pair>,
    /// Whether only a part of the post is wanted, which only pairs can give.
    pub is_clip: bool,
}

/// The default picks, as sealed links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picks {
    /// The watermarked file.
    pub watermark: Option<String>,
    /// The watermarked file, if its short side is 720 or more.
    pub watermark_hd: Option<String>,
    /// The clean file for everyone.
    pub no_watermark: Option<String>,
    /// The best clean file.
    pub no_watermark_hd: Option<String>,
    /// The sound.
    pub sound: Option<String>,
    /// All pictures in one file.
    pub archive: Option<String>,
    /// The pictures as a video; a link for `/download-slideshow` alone.
    pub slideshow: Option<String>,
}

/// What makes things here besides what the sites have.
#[derive(Debug, Clone, Default)]
pub struct Makes {
    /// The program.
    pub ffmpeg: Option<Ffmpeg>,
    /// Whether there is a directory for temporary files, without which there are no slideshows.
    pub has_temp: bool,
}

impl Makes {
    async fn abilities(&self) -> Abilities {
        let Some(ffmpeg) = &self.ffmpeg else {
            return Abilities::default();
        };
        let Abilities { slideshows, mp3 } = ffmpeg.abilities().await;
        Abilities {
            slideshows: slideshows && self.has_temp,
            mp3,
        }
    }
}

/// Everything offered of one post.
#[derive(Debug, Clone, PartialEq)]
pub struct Offers {
    /// Unix second from which the links are dead.
    pub expires_at: u64,
    /// Whether the site's own addresses are of use to anyone else than this server.
    pub carries_addresses: bool,
    /// Formats: with picture and sound, best first, the watermarked last; then sound; then picture alone. For a
    /// slideshow: the video where it can be made, sound, then pictures.
    pub entries: Vec<Entry>,
    /// The default picks.
    pub picks: Picks,
}

/// Mints links.
#[derive(Debug, Clone)]
pub struct Minter {
    pub(super) sealer: Arc<Sealer>,
    makes: Makes,
}

impl Minter {
    /// A minter that seals with `sealer` and offers what can be made.
    pub fn new(sealer: Arc<Sealer>, makes: Makes) -> Self {
        Self { sealer, makes }
    }

    /// Seals a link for everything that `extraction` offers and `choice` asks for.
    pub async fn mint(
        &self,
        extractor: &dyn Extractor,
        extraction: &Extraction,
        choice: &Terms,
    ) -> Offers {
        let mint = Mint {
            sealer: &self.sealer,
            extraction,
            expires_at: self.sealer.expiry(),
            cookie: media_cookie(extractor, extraction),
            carries_addresses: !extractor.are_addresses_bound(),
            makes: self.makes.abilities().await,
        };
        match &extraction.content {
            Content::Video { formats } => mint.video(formats, choice).await,
            Content::Slideshow { images, audio } => mint.slideshow(images, audio.as_ref()).await,
        }
    }
}

/// The one guest cookie that a link may carry.
fn media_cookie(extractor: &dyn Extractor, extraction: &Extraction) -> Option<String> {
    let name = extractor.media_cookie()?;
    extraction
        .session
        .cookies
        .iter()
        .find(|cookie| cookie.name == name)
        .map(|cookie| cookie.value.clone())
}

struct Mint<'a> {
    sealer: &'a Sealer,
    extraction: &'a Extraction,
    expires_at: u64,
    cookie: Option<String>,
    /// Whether an address is of use to another instance that the link comes to.
    carries_addresses: bool,
    makes: Abilities,
}

/// How a format is offered.
#[derive(Clone, Copy, Default)]
struct Offered<'a> {
    /// As this pair; `None` = it is one file of the site.
    pair: Option<&'a Pair>,
    /// The site's id of its sound track, where that is one of several.
    track: Option<&'a str>,
}

impl Mint<'_> {
    async fn video(&self, formats: &[Format], choice: &Terms) -> Offers {
        let formats = &with_pairs(formats, choice);
        let mut entries = Vec::with_capacity(formats.len());
        let of = |tracks| formats.iter().filter(move |format| format.tracks == tracks);
        let sounds = select::sounds(formats);
        for format in of(Tracks::Combined).chain(sounds).chain(of(Tracks::Video)) {
            let offered = Offered {
                pair: choice.pairs.iter().find(|pair| pair.format.id == format.id),
                track: select::one_of_several(formats, format),
            };
            entries.push(self.format(format, offered).await);
        }
        let mut picks = pick(formats, &entries, choice.max_height);
        let sound = select::mp3(formats);
        let within = within_video(&self.extraction.content);
        let other = sound.or_else(|| formats.iter().find(|format| Some(&*format.id) == within));
        let track = other.and_then(|format| select::one_of_several(formats, format));
        if let Some(mp3) = self.mp3(other, track).await {
            picks.sound = Some(mp3);
        }
        Offers {
            expires_at: self.expires_at,
            carries_addresses: self.carries_addresses,
            entries,
            picks,
        }
    }

    async fn slideshow(&self, images: &[Image], audio: Option<&Format>) -> Offers {
        let mut entries = Vec::with_capacity(images.len() + 1);
        let mut picks = Picks {
            archive: Some(self.made(Purpose::Media, Kind::Archive, "zip").await),
            ..Picks::default()
        };
        if self.makes.slideshows {
            entries.push(self.rendering().await);
            picks.slideshow = Some(self.made(Purpose::Slideshow, Kind::Slideshow, "mp4").await);
        }
        if let Some(format) = audio {
            let entry = self.format(format, Offered::default()).await;
            let mp3 = self.mp3(Some(format), None).await;
            picks.sound = Some(mp3.unwrap_or_else(|| entry.token.clone()));
            entries.push(entry);
        }
        for (number, image) in (1..).zip(images) {
            entries.push(self.image(number, image).await);
        }
        Offers {
            expires_at: self.expires_at,
            carries_addresses: self.carries_addresses,
            entries,
            picks,
        }
    }

    /// A format, or a pair of them.
    async fn format(&self, format: &Format, offered: Offered<'_>) -> Entry {
        let kind = match format.tracks {
            Tracks::Combined | Tracks::Video => Kind::Video,
            Tracks::Audio => Kind::Audio,
        };
        let link = Link {
            hint: self.hint(&format.urls),
            track: offered.track.map(str::to_owned),
            ..self.link(kind, &format.id, extension(format))
        };
        let link = match offered.pair {
            Some(pair) => Link {
                format: pair.link_format(),
                hint: None,
                ..link
            },
            None => link,
        };
        Entry {
            is_joined: offered.pair.is_some(),
            ..entry(format, self.seal(&link).await)
        }
    }

    /// The sound of a format as MP3; `None` when it is MP3 already or can't be made so.
    async fn mp3(&self, format: Option<&Format>, track: Option<&str>) -> Option<String> {
        let format =
            format.filter(|format| self.makes.mp3 && format.container != Container::Mp3)?;
        let link = Link {
            hint: self.hint(&format.urls),
            track: track.map(str::to_owned),
            ..self.link(Kind::Audio, &format.id, "mp3")
        };
        Some(self.seal(&link).await)
    }

    /// A link to something that is made of the whole post.
    async fn made(&self, purpose: Purpose, kind: Kind, extension: &str) -> String {
        let link = self.link(kind, extension, extension);
        self.sealer.seal(purpose, &link).await
    }

    async fn rendering(&self) -> Entry {
        let token = self.made(Purpose::Media, Kind::Slideshow, "mp4").await;
        let format = rendering();
        Entry {
            name: format.id.clone(),
            ..entry(&format, token)
        }
    }

    async fn image(&self, number: u32, image: &Image) -> Entry {
        let id = format!("image-{number}");
        let link = Link {
            index: Some(number),
            hint: self.hint(&image.urls),
            ..self.link(Kind::Image, &id, IMAGE_EXTENSION)
        };
        Entry {
            token: self.seal(&link).await,
            name: id.clone(),
            format_id: id,
            quality: "original".to_owned(),
            extension: IMAGE_EXTENSION,
            format: None,
            image: Some(image.clone()),
            is_joined: false,
        }
    }

    async fn seal(&self, link: &Link) -> String {
        self.sealer.seal(Purpose::Media, link).await
    }

    /// The first of the addresses, where it is of use to whom the link comes to.
    fn hint(&self, urls: &[String]) -> Option<Hint> {
        let url = urls.first().filter(|_| self.carries_addresses)?;
        Some(Hint {
            url: url.clone(),
            cookie: self.cookie.clone(),
        })
    }

    fn link(&self, kind: Kind, format: &str, extension: &str) -> Link {
        Link {
            expires_at: self.expires_at,
            site: self.extraction.site.clone(),
            id: self.extraction.id.clone(),
            format: format.to_owned(),
            track: None,
            kind,
            author: self.extraction.author.handle.clone(),
            extension: extension.to_owned(),
            index: None,
            egress: self.extraction.session.egress.clone(),
            hint: None,
        }
    }
}

/// The entry of a format.
fn entry(format: &Format, token: String) -> Entry {
    let quality = quality(format);
    Entry {
        name: name(format, &quality),
        format_id: format.id.clone(),
        quality,
        extension: extension(format),
        token,
        format: Some(format.clone()),
        image: None,
        is_joined: false,
    }
}

/// The video that is made of pictures.
fn rendering() -> Format {
    Format {
        id: "slideshow".to_owned(),
        urls: Vec::new(),
        tracks: Tracks::Combined,
        container: Container::Mp4,
        width: Some(1080),
        height: Some(1920),
        fps: Some(5),
        vcodec: Some(Codec::H264),
        acodec: Some(Codec::Aac),
        bitrate_bps: None,
        filesize: None,
        label: None,
        is_watermarked: false,
        facts: Box::default(),
    }
}

/// What a picture is called until its own type is known, which is when it is fetched.
const IMAGE_EXTENSION: &str = "jpg";

fn extension(format: &Format) -> &'static str {
    match (format.container, format.tracks) {
        (Container::Mp4, Tracks::Audio) => Container::M4a.extension(),
        (container, _) => container.extension(),
    }
}

/// The site's own label, else the short side, else the bit rate.
fn quality(format: &Format) -> String {
    if let Some(label) = &format.label {
        return label.clone();
    }
    match (format.tracks, format.short_side(), format.bitrate_bps) {
        (Tracks::Audio, _, Some(bps)) => format!("{}k", bps.div_ceil(1000)),
        (Tracks::Combined | Tracks::Video, Some(side), _) => format!("{side}p"),
        _ => "original".to_owned(),
    }
}

/// Only sound may be called `audio`: clients look for that word.
fn name(format: &Format, quality: &str) -> String {
    let class = match format.tracks {
        Tracks::Combined => "video",
        Tracks::Audio => "audio",
        Tracks::Video => "mute",
    };
    format!("{class}-{quality}")
}
