//! The files behind the addresses of a post: which there are, how large, and what the CDN demands for them.

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::media::{Media, Need};
use super::super::world::World;
use super::{CHAIN_TOKEN, WWW};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    Audio,
    Image,
    Subtitle,
}

/// One address of a file.
#[derive(Debug)]
struct File {
    address: String,
    /// The same for all mirrors of the file.
    identity: String,
    kind: Kind,
    size: Option<u64>,
}

/// Puts a file behind every media address in `post` (an `itemStruct` or an aweme object).
///
/// Mirrors have the same bytes. `www.tiktok.com/aweme/v1/play` stays without a file: it never works outside the app,
/// so asking for it is a mistake.
pub(super) fn serve_files(world: &World, post: &Value) {
    let mut files = Vec::new();
    collect(post, &mut String::new(), None, &mut files);
    let sizes: HashMap<String, u64> = files
        .iter()
        .filter_map(|file| Some((file.identity.clone(), file.size?)))
        .collect();
    for file in &files {
        let size = sizes.get(&file.identity).copied();
        world.media(&file.address, media(file, size));
    }
}

fn collect(value: &Value, path: &mut String, size: Option<u64>, files: &mut Vec<File>) {
    match value {
        Value::Object(fields) => {
            let size = ["DataSize", "data_size"]
                .iter()
                .find_map(|key| lenient_number(fields.get(*key)?))
                .or(size);
            for (key, field) in fields {
                let length = path.len();
                path.push('.');
                path.push_str(key);
                collect(field, path, size, files);
                path.truncate(length);
            }
        }
        Value::Array(list) => {
            let identity = list.first().and_then(Value::as_str).map(identity);
            for entry in list {
                match (entry.as_str(), &identity) {
                    (Some(address), Some(identity)) => {
                        files.extend(file(address, identity, path, size));
                    }
                    _ => collect(entry, path, size, files),
                }
            }
        }
        Value::String(address) => files.extend(file(address, &identity(address), path, size)),
        _ => {}
    }
}

fn lenient_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn file(address: &str, identity: &str, path: &str, size: Option<u64>) -> Option<File> {
    let rest = address
        .strip_prefix("https://")
        .or(address.strip_prefix("http://"))?;
    let host = rest.split(['/', '?']).next()?;
    let is_page = host == WWW || host.starts_with("www.") || host == "aweme.snssdk.com";
    (!is_page).then(|| File {
        address: address.to_owned(),
        identity: identity.to_owned(),
        kind: kind(address, path),
        size,
    })
}

fn kind(address: &str, path: &str) -> Kind {
    let path = path.to_ascii_lowercase();
    match () {
        () if path.contains("subtitle") || path.contains("caption") || path.contains("clainfo") => {
            Kind::Subtitle
        }
        () if path.ends_with("playurl") || address.contains("mime_type=audio") => Kind::Audio,
        () if path.contains("music.play_url") => Kind::Audio,
        () if address.contains("mime_type=video") => Kind::Video,
        () if ["playaddr", "downloadaddr", "play_addr", "download_addr"]
            .iter()
            .any(|key| path.contains(key)) =>
        {
            Kind::Video
        }
        () => Kind::Image,
    }
}

/// What mirrors have in common: the path without the signature that some CDNs put before it.
fn identity(address: &str) -> String {
    let path = address.split('?').next().unwrap_or_default();
    let path = path.splitn(4, '/').nth(3).unwrap_or_default();
    match path.find("video/").or_else(|| path.find("tos-")) {
        Some(at) => path[at..].to_owned(),
        None => path.to_owned(),
    }
}

fn media(file: &File, size: Option<u64>) -> Media {
    let digest = Sha256::digest(&file.identity);
    let seed = u64::from_le_bytes(*digest.first_chunk().expect("32 bytes"));
    let (default_size, content_type) = match file.kind {
        Kind::Video => (500_009, "video/mp4"),
        Kind::Audio if file.address.contains("mime_type=audio_mpeg") => (160_001, "audio/mpeg"),
        Kind::Audio => (160_001, "audio/mp4"),
        Kind::Image => (40_009, image_type(&file.address)),
        Kind::Subtitle => (2_003, "text/vtt"),
    };
    let mut media = Media::random(seed, size.unwrap_or(default_size), content_type);
    if file.address.contains("tk=tt_chain_token") {
        media = media.needing(Need::PageCookie(CHAIN_TOKEN));
    }
    match file.kind {
        Kind::Video if file.address.contains(".tiktok.com/") => {
            media.needing(Need::RefererHost(WWW))
        }
        Kind::Video if file.address.contains(".douyinvod.com/") => {
            media.needing(Need::RefererHost("douyin.com"))
        }
        _ => media,
    }
}

fn image_type(address: &str) -> &'static str {
    let path = address.split('?').next().unwrap_or_default();
    match path.rsplit('.').next() {
        Some("webp") => "image/webp",
        Some("heic") => "image/heic",
        Some("avif") => "image/avif",
        Some("png") => "image/png",
        _ => "image/jpeg",
    }
}
