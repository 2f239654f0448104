//! Recorded answers of the real site, when the folder with them is there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tiktok::Post;

/// A post found in a recording.
pub(crate) struct Recorded {
    /// File below the folder, with a number when a file has several posts.
    pub(crate) name: String,
    /// The post.
    pub(crate) post: Post,
}

/// The folder with recordings: `SERVERRS_FIXTURES`, or `../shared/fixtures` beside the project; `None` when it isn't
/// there.
pub(crate) fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("SERVERRS_FIXTURES").map(PathBuf::from);
    let folder =
        named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    folder.join("tiktok").is_dir().then_some(folder)
}

/// Every TikTok post that a browser could have got: whole pages, and JSON put into a page.
pub(crate) fn posts(folder: &Path) -> Vec<Recorded> {
    let mut posts = Vec::new();
    for part in ["pages", "web", "derived"] {
        for file in files(&folder.join("tiktok").join(part)) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let bytes = fs::read(&file).expect("a recorded file");
            let found: Vec<Post> = match file.extension().and_then(|ending| ending.to_str()) {
                Some("html") => Post::from_page(bytes.into()).into_iter().collect(),
                _ => posts_in(&serde_json::from_slice(&bytes).expect("recorded JSON")),
            };
            let playable = found.into_iter().filter(Post::has_media).enumerate();
            posts.extend(playable.map(|(nth, post)| Recorded {
                name: format!("{part}/{name}#{nth}"),
                post,
            }));
        }
    }
    posts
}

/// All recorded posts in rounds: no post is twice in one round, so that a server's cache can't answer for another file.
pub(crate) fn rounds(folder: &Path) -> Vec<Vec<Recorded>> {
    let mut rounds: Vec<Vec<Recorded>> = Vec::new();
    for recorded in posts(folder) {
        let is_free = |round: &&mut Vec<Recorded>| {
            round.iter().all(|other| other.post.id != recorded.post.id)
        };
        match rounds.iter_mut().find(is_free) {
            Some(round) => round.push(recorded),
            None => rounds.push(vec![recorded]),
        }
    }
    rounds
}

/// Every Douyin aweme object that was recorded, with the name of its file.
pub(crate) fn douyin(folder: &Path) -> Vec<(String, Value)> {
    files(&folder.join("tiktok/douyin"))
        .into_iter()
        .map(|file| {
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let bytes = fs::read(&file).expect("a recorded file");
            (name, serde_json::from_slice(&bytes).expect("recorded JSON"))
        })
        .filter(|(_, aweme): &(String, Value)| aweme["aweme_id"].is_string())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder of recordings")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

/// The posts in JSON of any recorded shape. A `SIGI_STATE` has an author as plain text, which no page of today has.
fn posts_in(recorded: &Value) -> Vec<Post> {
    if recorded["__DEFAULT_SCOPE__"].is_object() {
        return Post::from_rehydration(recorded).into_iter().collect();
    }
    let candidates: Vec<&Value> = match recorded {
        Value::Array(items) => items.iter().collect(),
        recorded => ["/itemStruct", "/itemInfo/itemStruct", "/data/itemList/0"]
            .iter()
            .filter_map(|pointer| recorded.pointer(pointer))
            .collect(),
    };
    candidates
        .into_iter()
        .filter(|item| item["id"].is_string() && item["author"].is_object())
        .map(|item| Post::from_struct(item.clone()))
        .collect()
}
