//! A post of the mobile apps and of Douyin's web.

use super::formats::{ApiAddresses, Encoding, Gathered, track};
use super::frame::Frame;
use super::pictures::{picture, still};
use super::web::profile;
use super::{Mapped, address, content, milliseconds};
use crate::extract::lenient::{Object, Text};
use crate::extract::tiktok::response::app::{Address, Author as Account, Aweme, Gear, Video};
use crate::extract::tiktok::response::app::{Music as Track, Statistics as Counts};
use crate::extract::tiktok::url::user_or_placeholder;
use crate::extract::{Author, Extraction, Format, Image, Music, Statistics};
use crate::net::MediaSession;

/// Whose answer it is: the same shape, other pages and other silences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extract) enum Dialect {
    /// TikTok's app.
    TikTok,
    /// Douyin, app and web: plays are always 0, handles may be empty.
    Douyin,
}

impl Dialect {
    fn site(self) -> &'static str {
        match self {
            Self::TikTok => "tiktok",
            Self::Douyin => "douyin",
        }
    }

    fn post_page(self, handle: &str, id: &str, is_photo: bool) -> String {
        match (self, is_photo) {
            (Self::TikTok, _) => {
                let kind = if is_photo { "photo" } else { "video" };
                let user = user_or_placeholder(handle);
                format!("https://www.tiktok.com/@{user}/{kind}/{id}")
            }
            (Self::Douyin, true) => format!("https://www.douyin.com/note/{id}"),
            (Self::Douyin, false) => format!("https://www.douyin.com/video/{id}"),
        }
    }

    fn author_page(self, handle: &str, secondary_id: &str) -> String {
        match self {
            Self::TikTok => profile(handle),
            Self::Douyin if is_opaque_id(secondary_id) => {
                format!("https://www.douyin.com/user/{secondary_id}")
            }
            Self::Douyin => String::new(),
        }
    }
}

/// Whether a text is one of the long ids in which accounts are named (76 letters today).
fn is_opaque_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Maps a post; `None` when there is nothing to download in it.
pub(in crate::extract) fn map_aweme(aweme: &Aweme, dialect: Dialect) -> Option<Mapped> {
    let images = map_images(aweme);
    let is_photo = !images.is_empty();
    let audio = aweme.music.as_ref().and_then(map_track);
    let (formats, warnings) = match aweme.video.as_ref() {
        Some(video) if !is_photo => map_formats(video, audio.clone()),
        _ => Default::default(),
    };
    let author = map_author(aweme.author.as_ref(), dialect);
    let post = aweme.image_post_info.as_ref();
    let id = aweme.aweme_id.text();
    let extraction = Extraction {
        site: dialect.site().to_owned(),
        id: id.to_owned(),
        url: dialect.post_page(&author.handle, id, is_photo),
        title: post
            .and_then(|post| post.title.as_deref())
            .unwrap_or(aweme.desc.text())
            .to_owned(),
        description: aweme.desc.text().to_owned(),
        cover: map_cover(aweme, &images),
        duration_ms: map_duration(aweme, is_photo),
        created_at: *aweme.create_time,
        region: (*aweme.region).clone(),
        author,
        statistics: map_statistics(aweme.statistics.as_ref(), dialect),
        music: aweme.music.as_ref().map(map_music),
        content: content(images, audio, formats)?,
        session: MediaSession::default(),
        facts: crate::extract::PostFacts::default(),
    };
    Some(Mapped {
        extraction,
        warnings,
    })
}

/// Pictures in either place. A photo post of Douyin has a square video beside them, and in TikTok's app the play
/// address is the music, so pictures decide before the video is looked at.
fn map_images(aweme: &Aweme) -> Vec<Image> {
    let of_app = aweme.image_post_info.as_ref().map(|post| {
        post.images
            .iter()
            .filter_map(|entry| entry.display_image.as_ref())
            .filter_map(|image| picture(&image.url_list, *image.width, *image.height))
            .collect()
    });
    of_app
        .filter(|images: &Vec<Image>| !images.is_empty())
        .unwrap_or_else(|| {
            aweme
                .images
                .iter()
                .filter_map(|image| picture(&image.url_list, *image.width, *image.height))
                .collect()
        })
}

fn map_formats(video: &Video, audio: Option<Format>) -> (Vec<Format>, Vec<String>) {
    let frame = Frame::new(*video.width, *video.height);
    let mut gathered = Gathered::new(frame, ApiAddresses::LastResort);
    for gear in video.bit_rate.iter() {
        add_gear(&mut gathered, gear);
    }
    let is_hevc = [&video.is_h265, &video.is_bytevc1]
        .iter()
        .any(|flag| ***flag == Some(true));
    let own_codec = if is_hevc { "h265" } else { "h264" };
    let is_dash = is_dash(&video.format);
    for (name, place, codec, is_mute) in [
        ("play_addr", &video.play_addr, own_codec, is_dash),
        ("play_addr_h264", &video.play_addr_h264, "h264", is_dash),
        (
            "play_addr_bytevc1",
            &video.play_addr_bytevc1,
            "h265",
            is_dash,
        ),
    ] {
        add_address(&mut gathered, name, place, codec, is_mute);
    }
    add_download(&mut gathered, video, frame);
    gathered.add_audio(audio);
    let warnings = std::mem::take(&mut gathered.warnings);
    (gathered.into_formats(), warnings)
}

fn add_gear(gathered: &mut Gathered, gear: &Gear) {
    let Some(place) = gear.play_addr.as_ref() else {
        return;
    };
    let is_hevc = *gear.is_h265 == Some(true) || *gear.is_bytevc1 == Some(true);
    gathered.add(&Encoding {
        name: gear.gear_name.as_deref().unwrap_or("gear"),
        fps: *gear.fps,
        bitrate_bps: *gear.bit_rate,
        is_mute: is_dash(&gear.format),
        ..encoding(place, if is_hevc { "h265" } else { "h264" })
    });
}

/// One of the video's own addresses, which mostly repeat an encoding.
fn add_address(
    gathered: &mut Gathered,
    name: &str,
    place: &Object<Address>,
    codec: &str,
    is_mute: bool,
) {
    if let Some(place) = place.as_ref() {
        gathered.add(&Encoding {
            name,
            is_mute,
            ..encoding(place, codec)
        });
    }
}

/// The download, marked unless the answer says otherwise; its height is wrong (720 whatever the shape).
fn add_download(gathered: &mut Gathered, video: &Video, frame: Frame) {
    if let Some(place) = video.download_addr.as_ref() {
        gathered.add(&Encoding {
            name: "download_addr",
            frame: frame.with_width(*place.width),
            is_watermarked: *video.has_watermark != Some(false),
            ..encoding(place, "h264")
        });
    }
}

fn encoding<'a>(place: &'a Address, codec: &'a str) -> Encoding<'a> {
    Encoding {
        key: place.url_key.text(),
        urls: &place.url_list,
        codec,
        frame: Frame::new(*place.width, *place.height),
        filesize: *place.data_size,
        ..Encoding::default()
    }
}

/// Picture without sound (seen 2025-12: some 54 kbit/s lighter than its `mp4` twin).
fn is_dash(format: &Text) -> bool {
    format.text() == "dash"
}

fn map_track(music: &Track) -> Option<Format> {
    let urls = &music.play_url.as_ref()?.url_list;
    track(urls.iter().filter_map(|url| address(url)).collect())
}

fn map_music(music: &Track) -> Music {
    let cover = music.cover_hd.as_ref().or(music.cover_large.as_ref());
    let id = music.id_str.as_deref().unwrap_or(music.id.text());
    Music {
        id: id.to_owned(),
        title: music.title.text().to_owned(),
        author: music.author.text().to_owned(),
        album: music.album.text().to_owned(),
        duration_ms: milliseconds(*music.duration),
        cover: cover.and_then(|cover| still(&cover.url_list)),
        url: map_track(music).and_then(|track| track.urls.into_iter().next()),
        is_original: *music.is_original_sound,
    }
}

fn map_author(account: Option<&Account>, dialect: Dialect) -> Author {
    let Some(account) = account else {
        return Author::default();
    };
    let short_id = account.short_id.as_deref().filter(|id| *id != "0");
    let handle = account
        .unique_id
        .as_deref()
        .or(short_id)
        .unwrap_or_default();
    let avatar = |address: &Object<Address>| still(&address.as_ref()?.url_list);
    Author {
        id: account.uid.text().to_owned(),
        handle: handle.to_owned(),
        name: account.nickname.text().to_owned(),
        signature: account.signature.text().to_owned(),
        url: dialect.author_page(handle, account.sec_uid.text()),
        avatar_thumb: avatar(&account.avatar_thumb),
        avatar_medium: avatar(&account.avatar_medium),
        avatar_larger: avatar(&account.avatar_larger),
        is_verified: None,
        secondary_id: (*account.sec_uid).clone(),
    }
}

fn map_statistics(counts: Option<&Counts>, dialect: Dialect) -> Statistics {
    let Some(counts) = counts else {
        return Statistics::default();
    };
    let is_told = |plays: &u64| dialect == Dialect::TikTok || *plays > 0;
    Statistics {
        plays: counts.play_count.filter(is_told),
        likes: *counts.digg_count,
        comments: *counts.comment_count,
        shares: *counts.share_count,
        reposts: *counts.repost_count,
        saves: *counts.collect_count,
    }
}

fn map_duration(aweme: &Aweme, is_photo: bool) -> u64 {
    let music = aweme.music.as_ref().and_then(|music| *music.duration);
    let video = aweme.video.as_ref().and_then(|video| *video.duration);
    match video.filter(|length| *length > 0) {
        Some(length) => length,
        None if is_photo => milliseconds(music),
        None => 0,
    }
}

fn map_cover(aweme: &Aweme, images: &[Image]) -> Option<String> {
    let of_post = || {
        let entry = aweme.image_post_info.as_ref()?.image_post_cover.as_ref()?;
        still(&entry.display_image.as_ref()?.url_list)
    };
    let of_video = || {
        let video = aweme.video.as_ref()?;
        let cover = |address: &Object<Address>| still(&address.as_ref()?.url_list);
        cover(&video.origin_cover).or_else(|| cover(&video.cover))
    };
    let of_images = || images.first()?.urls.first().cloned();
    of_post().or_else(of_video).or_else(of_images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Content, Tracks};

    fn map(json: &str, dialect: Dialect) -> Mapped {
        map_aweme(&serde_json::from_str(json).unwrap(), dialect).unwrap()
    }

    #[test]
    fn pictures_decide_before_the_video() {
        let json = r#"{"aweme_id":"7","images":[{"url_list":["https://a.test/1.webp"],"width":9,"height":16}],
            "video":{"play_addr":{"url_list":["https://a.test/v"]},"duration":0},"music":{"duration":7}}"#;
        let extraction = map(json, Dialect::Douyin).extraction;
        assert!(
            matches!(extraction.content, Content::Slideshow { ref images, .. } if images.len() == 1)
        );
        assert_eq!(extraction.duration_ms, 7000);
        assert_eq!(extraction.url, "https://www.douyin.com/note/7");
        assert_eq!(extraction.cover.as_deref(), Some("https://a.test/1.webp"));
    }

    #[test]
    fn app_photo_post_prefers_jpeg_and_its_own_title() {
        let json = r#"{"aweme_id":"7","desc":"text","image_post_info":{"title":"own",
            "images":[{"display_image":{"url_list":["https://a.test/1.webp","https://a.test/1.jpeg"]}}]},
            "video":{"play_addr":{"url_list":["https://a.test/m?mime_type=audio_mpeg"]}}}"#;
        let extraction = map(json, Dialect::TikTok).extraction;
        assert_eq!(
            (extraction.title.as_str(), extraction.description.as_str()),
            ("own", "text")
        );
        let Content::Slideshow { images, .. } = extraction.content else {
            panic!("no slideshow");
        };
        assert_eq!(images[0].urls[0], "https://a.test/1.jpeg");
    }

    #[test]
    fn dash_is_mute_and_last() {
        let json = r#"{"aweme_id":"7","video":{"format":"dash","width":1080,"height":1920,"bit_rate":[
            {"format":"dash","play_addr":{"url_key":"v0_h264_1080p_90","url_list":["https://a.test/media-video-avc1/"]}},
            {"format":"mp4","play_addr":{"url_key":"v0_h264_720p_80","url_list":["https://a.test/2/"]}}]}}"#;
        let Content::Video { formats } = map(json, Dialect::Douyin).extraction.content else {
            panic!("no video");
        };
        let tracks: Vec<_> = formats.iter().map(|format| format.tracks).collect();
        assert_eq!(tracks, [Tracks::Combined, Tracks::Video]);
        assert_eq!(formats[1].acodec, None);
    }

    #[test]
    fn download_is_clean_only_where_the_answer_says_so() {
        for (flag, is_watermarked) in [("true", true), ("null", true), ("false", false)] {
            let json = format!(
                r#"{{"aweme_id":"7","video":{{"width":576,"height":1024,"has_watermark":{flag},
                "download_addr":{{"width":720,"height":720,"url_list":["https://a.test/1"]}}}}}}"#
            );
            let Content::Video { formats } = map(&json, Dialect::TikTok).extraction.content else {
                panic!("no video");
            };
            assert_eq!(formats[0].is_watermarked, is_watermarked, "{flag}");
            assert_eq!(formats[0].height, Some(1280), "{flag}");
        }
    }

    #[test]
    fn douyin_hides_plays_and_falls_back_to_the_short_id() {
        let json = r#"{"aweme_id":"7","author":{"unique_id":"","short_id":"123","sec_uid":"MS4wabc"},
            "statistics":{"play_count":0,"digg_count":5},"video":{"play_addr":{"url_list":["https://a.test/1"]}}}"#;
        let extraction = map(json, Dialect::Douyin).extraction;
        assert_eq!(extraction.author.handle, "123");
        assert_eq!(extraction.author.url, "https://www.douyin.com/user/MS4wabc");
        assert_eq!(
            (extraction.statistics.plays, extraction.statistics.likes),
            (None, Some(5))
        );
        assert_eq!(
            map(json, Dialect::TikTok).extraction.statistics.plays,
            Some(0)
        );
    }
}
