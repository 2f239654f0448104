//! The superset body: type, unit and null rule of every field (api.md §3).

use serde_json::Value;

/// Checks everything that holds for any post.
fn assert_common(body: &Value, base: &str) {
    assert_eq!(body["code"], 0);
    assert_eq!(body["message"], "Success");
    for key in [
        "platform",
        "id",
        "url",
        "title",
        "description",
        "artist",
        "cover",
        "audio",
    ] {
        assert!(body[key].is_string(), "{key}: {body:#}");
    }
    for key in ["duration", "music_duration", "expires_at"] {
        assert!(body[key].is_u64(), "{key}: {body:#}");
    }
    for key in ["create_time", "region", "music"] {
        assert!(body.get(key).is_some(), "{key}: {body:#}");
    }
    assert_author(&body["author"]);
    assert_statistics(&body["statistics"]);
    let data = &body["data"];
    assert_eq!(data["author"], body["author"]["nickname"]);
    assert_eq!(data["title"], body["title"]);
    assert_eq!(data["duration"], body["duration"]);
    assert_eq!(data["cover"], body["cover"]);
    let entries = data["video_data"].as_array().expect("video_data");
    for entry in entries {
        assert_entry(entry, base);
    }
    assert_names(entries);
}

/// Checks the body of a video post.
pub(super) fn assert_video(body: &Value, base: &str) {
    assert_eq!(body["status"], "tunnel");
    assert_common(body, base);
    assert!(body.get("photos").is_none());
    assert!(body.get("download_slideshow_link").is_none());
    let first = &body["data"]["video_data"][0];
    assert_eq!(
        (&first["has_video"], &first["has_audio"]),
        (&true.into(), &true.into()),
        "{first:#}"
    );
    let links = body["download_link"].as_object().expect("download_link");
    for (key, link) in links {
        assert!(
            [
                "watermark",
                "watermark_hd",
                "no_watermark",
                "no_watermark_hd",
                "mp3"
            ]
            .contains(&key.as_str())
        );
        assert_link(link, base, "stream");
    }
}

/// Checks the body of a photo post.
pub(super) fn assert_picker(body: &Value, base: &str) {
    assert_eq!(body["status"], "picker");
    assert_common(body, base);
    let photos = body["photos"].as_array().expect("photos");
    assert!(!photos.is_empty());
    for photo in photos {
        assert_eq!(photo["type"], "photo");
        assert!(
            photo["url"]
                .as_str()
                .is_some_and(|url| url.starts_with("https://")),
            "{photo:#}"
        );
        assert!(
            is_null_or_number(&photo["width"]) && is_null_or_number(&photo["height"]),
            "{photo:#}"
        );
    }
    let links = &body["download_link"];
    let images = links["no_watermark"]
        .as_array()
        .expect("an array, also for one photo");
    assert_eq!(images.len(), photos.len());
    for link in images {
        assert_link(link, base, "download");
    }
    for key in ["watermark", "watermark_hd", "no_watermark_hd"] {
        assert!(links.get(key).is_none(), "{key}: {links:#}");
    }
    assert_link(&links["zip"], base, "download");
    if let Some(sound) = links.get("mp3") {
        assert_link(sound, base, "stream");
    }
}

fn assert_author(author: &Value) {
    for key in ["nickname", "uniqueId"] {
        assert!(
            author[key].as_str().is_some_and(|text| !text.is_empty()),
            "{key}: {author:#}"
        );
    }
    for key in [
        "signature",
        "avatar",
        "avatarThumb",
        "avatarMedium",
        "avatarLarger",
        "handle",
        "displayName",
        "id",
        "url",
        "secUid",
    ] {
        assert!(author[key].is_string(), "{key}: {author:#}");
    }
}

fn assert_statistics(statistics: &Value) {
    for key in [
        "play_count",
        "digg_count",
        "comment_count",
        "share_count",
        "repost_count",
        "save_count",
        "collect_count",
    ] {
        assert!(statistics[key].is_u64(), "{key}: {statistics:#}");
    }
    assert_eq!(statistics["repost_count"], statistics["share_count"]);
}

fn assert_entry(entry: &Value, base: &str) {
    for key in ["format", "format_id", "quality"] {
        assert!(
            entry[key].as_str().is_some_and(|text| !text.is_empty()),
            "{key}: {entry:#}"
        );
    }
    let extension = entry["extension"].as_str().expect("extension");
    assert!(
        !extension.is_empty() && !extension.contains('.'),
        "{entry:#}"
    );
    for key in ["has_video", "has_audio", "watermark", "merged"] {
        assert!(entry[key].is_boolean(), "{key}: {entry:#}");
    }
    for key in ["width", "height", "fps", "bitrate", "filesize"] {
        assert!(
            entry.get(key).is_some_and(is_null_or_number),
            "{key}: {entry:#}"
        );
    }
    for key in ["vcodec", "acodec"] {
        assert!(
            entry
                .get(key)
                .is_some_and(|codec| codec.is_null() || codec.is_string()),
            "{key}: {entry:#}"
        );
    }
    let token = entry["streamData"].as_str().expect("streamData");
    assert!(is_token(token), "{token}");
    let route = if is_named(entry, "image") {
        "download"
    } else {
        "stream"
    };
    assert_eq!(entry["url"], format!("{base}/{route}?data={token}"));
}

/// Names begin with their class; only sound may be called audio, because clients look for that word.
fn assert_names(entries: &[Value]) {
    let mut ids: Vec<_> = entries
        .iter()
        .map(|entry| entry["format_id"].as_str().expect("format_id"))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), entries.len(), "format ids are unique");
    for entry in entries {
        let class = match (&entry["has_video"], &entry["has_audio"]) {
            (Value::Bool(true), Value::Bool(true)) => "video",
            (Value::Bool(true), _) => "mute",
            (_, Value::Bool(true)) => "audio",
            _ => "image",
        };
        let is_rendering = entry["format_id"] == "slideshow" && entry["format"] == "slideshow";
        assert!(is_rendering || is_named(entry, class), "{class}: {entry:#}");
    }
}

fn is_named(entry: &Value, class: &str) -> bool {
    entry["format"]
        .as_str()
        .is_some_and(|name| name.starts_with(&format!("{class}-")))
}

fn is_null_or_number(value: &Value) -> bool {
    value.is_null() || value.is_u64()
}

fn is_token(token: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    token.len() > 100 && token.len() <= 4000 && token.bytes().all(is_ours)
}

fn assert_link(link: &Value, base: &str, route: &str) {
    let link = link.as_str().expect("a link");
    let token = link.strip_prefix(&format!("{base}/{route}?data="));
    assert!(token.is_some_and(is_token), "{link} is not {base}/{route}");
}
