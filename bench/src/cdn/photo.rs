//! Photo posts: their items, and the files behind them, which lie in a folder.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// First digit of the ids of photo posts.
const PHOTOS: char = '8';
/// Host of pictures and sound.
const HOST: &str = "p16-sign-sg.tiktokcdn.com";
/// The folder below that of the run.
const FOLDER: &str = "photos";
/// The sound of the posts that are number 0, and of the others: that has to be made into MP3.
const SOUNDS: [&str; 2] = ["sound.mp3", "sound.m4a"];
/// More than the pictures of a post: what is beyond that is its number.
const MOST_PICTURES: usize = 100;

/// Where the files of photo posts lie: `1.jpg` and so on, `sound.mp3` and `sound.m4a`.
pub(crate) fn folder(of_run: &Path) -> PathBuf {
    of_run.join(FOLDER)
}

/// Address of a photo post with the first `count` pictures.
pub(crate) fn post(count: usize) -> String {
    numbered(0, count)
}

/// Address of one of many photo posts with the first `count` pictures.
pub(crate) fn numbered(number: usize, count: usize) -> String {
    let id = number * MOST_PICTURES + count;
    format!("https://www.tiktok.com/@bench/video/{PHOTOS}{id:018}")
}

/// Number of the post with this id, and of its pictures, if it is one of those.
pub(super) fn of_post(id: &str) -> Option<(usize, usize)> {
    let id: usize = id.strip_prefix(PHOTOS)?.parse().ok()?;
    Some((id / MOST_PICTURES, id % MOST_PICTURES))
}

/// The post with so many pictures.
pub(super) fn item(id: &str, (number, count): (usize, usize)) -> Value {
    let sound = SOUNDS[number.min(1)];
    let kind = if number == 0 {
        "audio_mpeg"
    } else {
        "audio_mp4"
    };
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
            "playUrl": format!("{}?mime_type={kind}", address(sound)),
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
    let content_type = match name {
        "sound.mp3" => "audio/mpeg",
        "sound.m4a" => "audio/mp4",
        _ => "image/jpeg",
    };
    let content = std::fs::read(folder(of_run).join(name))
        .ok()
        .filter(|_| is_plain)?;
    Some((content, content_type))
}
