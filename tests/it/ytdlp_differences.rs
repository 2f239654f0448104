//! What yt-dlp and this server say of one post, and the one table of where they are meant to differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What is said of a post, in a form that both sides can be brought into.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) is_extracted: bool,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) handle: String,
    pub(crate) name: String,
    pub(crate) author_id: String,
    /// Plays, likes, comments, shares, saves; 0 where unknown.
    pub(crate) counts: [u64; 5],
    pub(crate) duration_ms: u64,
    pub(crate) artist: String,
    /// Ids of formats that carry a mark.
    pub(crate) watermarked: BTreeSet<String>,
    /// Addresses by format id.
    pub(crate) formats: BTreeMap<String, BTreeSet<String>>,
}

impl Facts {
    /// All addresses of a format, whether or not its mirrors are formats of their own.
    pub(crate) fn addresses_of(&self, id: &str) -> BTreeSet<String> {
        let same = self
            .formats
            .iter()
            .filter(|(other, _)| without_mirror(other) == without_mirror(id));
        same.flat_map(|(_, addresses)| addresses.clone()).collect()
    }
}

/// One way in which the two are meant to differ.
pub(crate) struct Difference {
    /// What differs.
    pub(crate) about: &'static str,
    /// Why this server does as it does.
    #[expect(dead_code, reason = "read by people")]
    pub(crate) reason: &'static str,
    /// Brings both sides into one form, in this respect only. Takes the post's `itemStruct`, theirs and ours.
    pub(crate) settle: fn(&Value, &mut Facts, &mut Facts),
}

/// Every way in which the two are meant to differ; anything else fails the test. Both drop
/// `www.tiktok.com/aweme/v1/play`, so it isn't here.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        about: "photo posts without sound",
        reason: "yt-dlp knows no pictures and so finds no format; we give the pictures",
        settle: |item, theirs, ours| {
            if !theirs.is_extracted && is_photo(item) && item["music"]["playUrl"].is_null() {
                theirs.clone_from(ours);
            }
        },
    },
    Difference {
        about: "pictures of photo posts",
        reason: "yt-dlp gives only the sound of a photo post",
        settle: |item, theirs, ours| {
            for facts in [theirs, ours].into_iter().filter(|_| is_photo(item)) {
                let is_picture = |id: &str| id.starts_with("image-") || id == "slideshow";
                facts.formats.retain(|id, _| !is_picture(id));
            }
        },
    },
    Difference {
        about: "title of photo posts",
        reason: "photo posts have a title besides their text; yt-dlp takes the text",
        settle: |item, theirs, ours| {
            let Some(title) = item["imagePost"]["title"].as_str() else {
                return;
            };
            let text = item["desc"].as_str().unwrap_or_default();
            for facts in [theirs, ours]
                .into_iter()
                .filter(|facts| facts.title == title)
            {
                text.clone_into(&mut facts.title);
            }
        },
    },
    Difference {
        about: "title of posts without text",
        reason: "yt-dlp makes up a title from the id; ours stays empty",
        settle: |item, theirs, _| {
            if item["desc"] == "" && theirs.title.starts_with("TikTok video #") {
                theirs.title.clear();
            }
        },
    },
    Difference {
        about: "length of titles",
        reason: "yt-dlp cuts titles at 72 characters to make file names of them; ours is whole",
        settle: |_, theirs, ours| {
            for facts in [theirs, ours] {
                if facts.title.chars().count() > 72 {
                    facts.title = facts.title.chars().take(69).chain("...".chars()).collect();
                }
            }
        },
    },
    Difference {
        about: "rounded counts",
        reason: "the site gives counts twice; yt-dlp reads the older, rounded place",
        settle: |item, theirs, _| {
            let keys = [
                "playCount",
                "diggCount",
                "commentCount",
                "shareCount",
                "collectCount",
            ];
            for (count, key) in theirs.counts.iter_mut().zip(keys) {
                let newer = item["statsV2"][key]
                    .as_str()
                    .and_then(|count| count.parse().ok());
                *count = newer.unwrap_or(*count);
            }
        },
    },
    Difference {
        about: "several performers",
        reason: "yt-dlp splits at `&` as well and gives a list; ours is one text with the site's own signs",
        settle: |_, _, ours| ours.artist = ours.artist.replace(" & ", ", "),
    },
    Difference {
        about: "no performer",
        reason: "clients show the performer, so the author's name stands in",
        settle: |item, theirs, ours| {
            if item["music"]["authorName"]
                .as_str()
                .is_none_or(str::is_empty)
                && ours.artist == ours.name
            {
                theirs.artist.clone_from(&ours.artist);
            }
        },
    },
    Difference {
        about: "mirrors",
        reason: "yt-dlp makes a format of every mirror (`-0`, `-1`); ours has one format that falls back to the next",
        settle: |_, theirs, _| {
            let mut grouped = BTreeMap::<String, BTreeSet<String>>::new();
            for (id, addresses) in &theirs.formats {
                grouped
                    .entry(without_mirror(id).to_owned())
                    .or_default()
                    .extend(addresses.clone());
            }
            theirs.formats = grouped;
        },
    },
    Difference {
        about: "bytevc2",
        reason: "nothing plays this codec; yt-dlp lists it as unplayable",
        settle: |_, theirs, _| theirs.formats.retain(|id, _| !id.starts_with("bytevc2_")),
    },
    Difference {
        about: "media-video-hvc1",
        reason: "these files have no sound or don't exist; yt-dlp lists them untested",
        settle: |_, theirs, _| {
            theirs.formats.retain(|_, addresses| {
                !addresses
                    .iter()
                    .any(|address| address.contains("/media-video-hvc1/"))
            });
        },
    },
];

fn is_photo(item: &Value) -> bool {
    item["imagePost"].is_object()
}

fn without_mirror(id: &str) -> &str {
    match id.rsplit_once('-') {
        Some((format, mirror))
            if !mirror.is_empty() && mirror.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format
        }
        _ => id,
    }
}
