//! What yt-dlp and this server say of one video, and the one table of where they are meant to differ.

/// What is said of a video, in a form that both sides can be brought into.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) channel: String,
    pub(super) channel_id: String,
    /// Without `@`.
    pub(super) handle: String,
    pub(super) cover: String,
    pub(super) seconds: u64,
    pub(super) plays: u64,
    pub(super) likes: u64,
    pub(super) created_at: Option<u64>,
    /// Class by class, the best first.
    pub(super) streams: Vec<Stream>,
}

/// One format.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stream {
    pub(super) id: String,
    pub(super) extension: String,
    /// Family of the codec; `None`: no picture.
    pub(super) video: Option<String>,
    /// Family of the codec; `None`: no sound.
    pub(super) audio: Option<String>,
    pub(super) size: [Option<u64>; 2],
    pub(super) fps: Option<u64>,
    /// Bits per second.
    pub(super) bitrate: Option<u64>,
    pub(super) bytes: Option<u64>,
}

/// One way in which the two are meant to differ.
pub(super) struct Difference {
    /// What differs.
    pub(super) about: &'static str,
    /// Why this server does as it does.
    #[expect(dead_code, reason = "read by people")]
    pub(super) reason: &'static str,
    /// Brings both sides into one form, in this respect only. Takes the id of the video, theirs and ours.
    pub(super) settle: fn(&str, &mut Facts, &mut Facts),
}

/// Every way in which the two are meant to differ; anything else fails the test.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        about: "cover",
        reason: "yt-dlp guesses addresses that may not be there; we take the largest picture that the site names",
        settle: |id, theirs, ours| {
            let folder = format!("/{id}/");
            let is_picture =
                |url: &str| url.starts_with("https://i.ytimg.com/") && url.contains(&folder);
            if is_picture(&theirs.cover) && is_picture(&ours.cover) {
                theirs.cover.clone_from(&ours.cover);
            }
        },
    },
    Difference {
        about: "unknown handle",
        reason: "file names are made of the handle; where the site doesn't tell it, the channel's id stands in",
        settle: |_, theirs, ours| {
            if theirs.handle.is_empty() && ours.handle == ours.channel_id {
                ours.handle.clear();
            }
        },
    },
    Difference {
        about: "order of sound",
        reason: "the first sound is what people get who don't choose: the original before dubs and descriptions, as it \
                 is before even loudness",
        settle: |_, theirs, ours| {
            for facts in [theirs, ours] {
                let is_sound = |stream: &Stream| stream.video.is_none();
                let sound = facts
                    .streams
                    .chunk_by_mut(|a, b| is_sound(a) == is_sound(b));
                for chunk in sound.filter(|chunk| chunk.first().is_some_and(is_sound)) {
                    chunk.sort_by_cached_key(|stream| stream.id.clone());
                }
            }
        },
    },
];
