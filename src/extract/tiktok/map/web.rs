//! A web page's post.

use super::formats::{ApiAddresses, Encoding, Gathered, track};
use super::frame::Frame;
use super::pictures::{picture, still};
use super::{Mapped, address, content, milliseconds};
use crate::extract::lenient::Count;
use crate::extract::tiktok::response::web::{ImagePost, Item, Music as Track, Stats, Video};
use crate::extract::tiktok::url::user_or_placeholder;
use crate::extract::tiktok::{SITE, response::web::Author as Account};
use crate::extract::{Author, Extraction, Format, Image, Music, Statistics};
use crate::net::MediaSession;

/// Maps a post; `None` when there is nothing to download in it.
pub(in crate::extract::tiktok) fn map_item(item: &Item) -> Option<Mapped> {
    let post = item.image_post.as_ref();
    let images = post.map(map_images).unwrap_or_default();
    let audio = item.music.as_ref().and_then(map_track);
    let (formats, warnings) = if images.is_empty() {
        item.video
            .as_ref()
            .map(|video| map_formats(video, audio.clone()))
            .unwrap_or_default()
    } else {
        Default::default()
    };
    let author = map_author(item);
    let kind = if images.is_empty() { "video" } else { "photo" };
    let extraction = Extraction {
        site: SITE.to_owned(),
        id: item.id.text().to_owned(),
        url: format!(
            "https://www.tiktok.com/@{}/{kind}/{}",
            user_or_placeholder(&author.handle),
            item.id.text()
        ),
        title: post
            .and_then(|post| post.title.as_deref())
            .unwrap_or(item.desc.text())
            .to_owned(),
        description: item.desc.text().to_owned(),
        cover: map_cover(item),
        duration_ms: map_duration(item),
        created_at: *item.create_time,
        region: (*item.location_created).clone(),
        author,
        statistics: map_statistics(item),
        music: item.music.as_ref().map(map_music),
        content: content(images, audio, formats)?,
        session: MediaSession::default(),
        facts: crate::extract::PostFacts::default(),
    };
    Some(Mapped {
        extraction,
        warnings,
    })
}

fn map_images(post: &ImagePost) -> Vec<Image> {
    post.images
        .iter()
        .filter_map(|entry| {
            let urls = &entry.image_url.as_ref()?.url_list;
            picture(urls, *entry.image_width, *entry.image_height)
        })
        .collect()
}

fn map_formats(video: &Video, audio: Option<Format>) -> (Vec<Format>, Vec<String>) {
    let frame = Frame::new(*video.width, *video.height);
    let mut gathered = Gathered::new(frame, ApiAddresses::Never);
    for gear in video.bitrate_info.iter() {
        let Some(place) = gear.play_addr.as_ref() else {
            continue;
        };
        gathered.add(&Encoding {
            name: gear.gear_name.as_deref().unwrap_or("gear"),
            key: place.url_key.text(),
            urls: &place.url_list,
            codec: gear.codec_type.text(),
            frame: Frame::new(*place.width, *place.height),
            fps: *gear.bitrate_fps,
            bitrate_bps: *gear.bitrate,
            filesize: *place.data_size,
            ..Encoding::default()
        });
    }
    if !gathered.has_clean_video() {
        gathered.add(&play(video, frame));
    }
    add_download(&mut gathered, video);
    gathered.add_audio(audio);
    let warnings = std::mem::take(&mut gathered.warnings);
    (gathered.into_formats(), warnings)
}

/// The player's address, which repeats one of the encodings where those are told.
fn play(video: &Video, frame: Frame) -> Encoding<'_> {
    Encoding {
        name: "play",
        urls: &video.play_addr.0,
        codec: video.codec_type.as_deref().unwrap_or("h264"),
        frame,
        bitrate_bps: *video.bitrate,
        filesize: *video.size,
        ..Encoding::default()
    }
}

/// The watermarked download; its size is not told.
fn add_download(gathered: &mut Gathered, video: &Video) {
    let older: Vec<String> = video
        .download
        .as_ref()
        .and_then(|download| (*download.url).clone())
        .into_iter()
        .collect();
    let urls = if video.download_addr.0.is_empty() {
        &older
    } else {
        &video.download_addr.0
    };
    gathered.add(&Encoding {
        name: "download",
        urls,
        codec: "h264",
        is_watermarked: true,
        ..Encoding::default()
    });
}

fn map_track(music: &Track) -> Option<Format> {
    track(vec![address(music.play_url.text())?])
}

fn map_music(music: &Track) -> Music {
    Music {
        id: music.id.text().to_owned(),
        title: music.title.text().to_owned(),
        author: music.author_name.text().to_owned(),
        album: music.album.text().to_owned(),
        duration_ms: milliseconds(*music.duration),
        cover: address(music.cover_large.text()),
        url: address(music.play_url.text()),
        is_original: *music.original,
    }
}

fn map_author(item: &Item) -> Author {
    let nobody = Account::default();
    let account = item.author.as_ref().unwrap_or(&nobody);
    let handle = account.handle.text();
    let or = |own: &str, beside: &str| if own.is_empty() { beside } else { own }.to_owned();
    let thumb = or(account.avatar_thumb.text(), item.avatar_thumb.text());
    let secondary = or(account.sec_uid.text(), item.author_sec_id.text());
    Author {
        id: or(account.id.text(), item.author_id.text()),
        handle: handle.to_owned(),
        name: or(account.nickname.text(), item.nickname.text()),
        signature: account.signature.text().to_owned(),
        url: profile(handle),
        avatar_thumb: address(&thumb),
        avatar_medium: address(account.avatar_medium.text()),
        avatar_larger: address(account.avatar_larger.text()),
        is_verified: *account.verified,
        secondary_id: (!secondary.is_empty()).then_some(secondary),
    }
}

/// Page of an account; empty when the handle is no handle.
pub(super) fn profile(handle: &str) -> String {
    match user_or_placeholder(handle) {
        "_" => String::new(),
        handle => format!("https://www.tiktok.com/@{handle}"),
    }
}

/// The counts of the newer block, each filled from the older one.
fn map_statistics(item: &Item) -> Statistics {
    let (new, old) = (item.stats_v2.as_ref(), item.stats.as_ref());
    let count = |read: fn(&Stats) -> &Count| {
        new.and_then(|stats| **read(stats))
            .or_else(|| old.and_then(|stats| **read(stats)))
    };
    Statistics {
        plays: count(|stats| &stats.play_count),
        likes: count(|stats| &stats.digg_count),
        comments: count(|stats| &stats.comment_count),
        shares: count(|stats| &stats.share_count),
        reposts: count(|stats| &stats.repost_count),
        saves: count(|stats| &stats.collect_count),
    }
}

/// The video's length; a photo post is as long as its sound.
fn map_duration(item: &Item) -> u64 {
    let video = item.video.as_ref().and_then(|video| *video.duration);
    let music = item.music.as_ref().and_then(|music| *music.duration);
    match video.filter(|seconds| *seconds > 0) {
        Some(seconds) => milliseconds(Some(seconds)),
        None if item.image_post.is_some() => milliseconds(music),
        None => 0,
    }
}

fn map_cover(item: &Item) -> Option<String> {
    let of_post = || {
        let entry = item.image_post.as_ref()?.cover.as_ref()?;
        still(&entry.image_url.as_ref()?.url_list)
    };
    let of_video = || {
        let video = item.video.as_ref()?;
        address(video.origin_cover.text()).or_else(|| address(video.cover.text()))
    };
    of_post().or_else(of_video)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Content;

    fn map(json: &str) -> Option<Mapped> {
        map_item(&serde_json::from_str(json).unwrap())
    }

    fn formats(mapped: Mapped) -> Vec<Format> {
        match mapped.extraction.content {
            Content::Video { formats } => formats,
            Content::Slideshow { .. } => panic!("a slideshow"),
        }
    }

    #[test]
    fn id_and_one_address_are_enough() {
        let mapped = map(r#"{"id":"7","video":{"playAddr":"https://a.test/1"}}"#).unwrap();
        assert!(mapped.warnings.is_empty());
        let extraction = &mapped.extraction;
        assert_eq!(extraction.url, "https://www.tiktok.com/@_/video/7");
        assert_eq!(
            (extraction.title.as_str(), extraction.author.url.as_str()),
            ("", "")
        );
        let formats = formats(mapped);
        assert_eq!((formats.len(), formats[0].id.as_str()), (1, "play"));
    }

    #[test]
    fn post_without_media_is_none() {
        assert!(map(r#"{"id":"7","video":{"playAddr":""}}"#).is_none());
        assert!(map(r#"{"id":"7"}"#).is_none());
        assert!(
            map(r#"{"id":"7","imagePost":{"images":[]},"music":{"playUrl":"https://a.test/m"}}"#)
                .is_none()
        );
    }

    #[test]
    fn download_in_the_older_place_is_watermarked() {
        let json = r#"{"id":"7","video":{"playAddr":"https://a.test/1","download":{"url":"https://a.test/2"}}}"#;
        let formats = formats(map(json).unwrap());
        assert_eq!(
            (formats[1].id.as_str(), formats[1].is_watermarked),
            ("download", true)
        );
    }

    #[test]
    fn play_is_used_when_no_encoding_can_be() {
        let json = r#"{"id":"7","video":{"playAddr":"https://a.test/1","bitrateInfo":[
            {"PlayAddr":{"UrlKey":"v0_bytevc2_1080p_1","UrlList":["https://a.test/2"]}}]}}"#;
        let formats = formats(map(json).unwrap());
        assert_eq!((formats.len(), formats[0].id.as_str()), (1, "play"));
    }

    #[test]
    fn newer_counts_are_filled_from_the_older_ones() {
        let json = r#"{"id":"7","video":{"playAddr":"https://a.test/1"},
            "statsV2":{"playCount":"12"},"stats":{"playCount":10,"diggCount":3}}"#;
        let statistics = map(json).unwrap().extraction.statistics;
        assert_eq!(
            (statistics.plays, statistics.likes, statistics.saves),
            (Some(12), Some(3), None)
        );
    }
}
