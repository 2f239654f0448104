//! Photo posts: their items, and the files behind them, which lie in a folder.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// First digit of the ids of photo posts.
const PHOTOS: char = '8';
/// Host of pictures and sound.
const HOST: &str = "p16-sign-sg.tiktokcdn.com";
/// The folder below that of the run.
const FOLDER: &str = "photos";
/// The sound of every post.
const SOUND: &str = "sound.mp3";

/// Where the files of photo posts lie: `1.jpg` and so on, and `sound.mp3`.
pub(crate) fn folder(of_run: &Path) -> PathBuf {
    of_run.join(FOLDER)
}

/// Address of a photo post with the first `count` pictures.
pub(crate) fn post(count: usize) -> String {
    format!("https://www.tiktok.com/@bench/video/{PHOTOS}{count:018}")
}

/// Number of pictures of the post with this id, if it is one of those.
pub(super) fn of_post(id: &str) -> Option<usize> {
    id.strip_prefix(PHOTOS)?.parse().ok()
}

/// The post with so many pictures.
pub(super) fn item(id: &str, count: usize) -> Value {
    let address = |file: &str| format!("http://{HOST}/{FOLDER}/{file}");
    let images: Vec<Value> = (1..=count)
        .map(|number| {
            let picture = address(&format!("{number}.jpg"));
            json!({ "imageURL": { "urlList": [picture] }, "imageWidth": 1080, "imageHeight": 1440 })
        })
        .collect();
    json!({
        "id": id,
        "desc": "bench",
        "createTime": "1754000000",
        "author": { "id": "1", "uniqueId": "bench", "nickname": "bench" },
        "video": { "id": id, "width": 0, "height": 0, "duration": 0, "playAddr": "" },
        "imagePost": { "images": images },
        "music": {
            "id": "1", "title": "bench", "authorName": "bench", "duration": 60,
            "playUrl": format!("{}?mime_type=audio_mpeg", address(SOUND)),
        },
    })
}

/// The file at a path of this CDN, and its type.
pub(super) fn file(of_run: &Path, path: &str) -> Option<(Vec<u8>, &'static str)> {
    let name = path.split('?').next()?;
    let name = name
        .strip_prefix('/')?
        .strip_prefix(FOLDER)?
        .strip_prefix('/')?;
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let content_type = if name == SOUND {
        "audio/mpeg"
    } else {
        "image/jpeg"
    };
    let content = std::fs::read(folder(of_run).join(name))
        .ok()
        .filter(|_| is_plain)?;
    Some((content, content_type))
}
