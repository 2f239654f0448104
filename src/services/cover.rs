//! The still picture of a post, for the tags of files that are made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::future::Cache;
use tokio::time::timeout;

use super::feed::Feed;
use super::origin::{LinkOrigin, Post};
use crate::media::{self, pictures::Kind};
use crate::transfer::Expected;

/// Largest cover that goes into a file.
const MAX_BYTES: usize = 256 * 1024;
/// Covers that are kept, in bytes.
const KEPT_BYTES: u64 = 16 * 1024 * 1024;
/// How long a file waits for its cover.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one is kept: while a download may be taken up again, the file must stay the same.
const KEPT_FOR: Duration = Duration::from_secs(6 * 3600);
/// How long is remembered that one can't be had.
const MISSED_FOR: Duration = Duration::from_secs(600);

/// See the constants.
struct Keeping;

impl Expiry<String, Option<Cover>> for Keeping {
    fn expire_after_create(
        &self,
        _url: &String,
        cover: &Option<Cover>,
        _now: Instant,
    ) -> Option<Duration> {
        Some(if cover.is_some() {
            KEPT_FOR
        } else {
            MISSED_FOR
        })
    }
}

/// A JPEG or PNG; players know no other types in a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    /// PNG, not JPEG.
    pub(super) is_png: bool,
    /// The picture.
    pub(super) bytes: Bytes,
}

impl Cover {
    /// As the tags of a file take it.
    pub(super) fn as_tag(&self) -> media::Cover<'_> {
        media::Cover {
            is_png: self.is_png,
            bytes: &self.bytes,
        }
    }

    /// Its `Content-Type`.
    pub(super) fn media_type(&self) -> &'static str {
        if self.is_png {
            "image/png"
        } else {
            "image/jpeg"
        }
    }
}

/// Fetches covers and remembers them. Clones share the memory.
#[derive(Clone)]
pub(super) struct Covers {
    feed: Feed,
    /// By address; `None` for one that can't be had, so that it is not asked for again and again.
    kept: Cache<String, Option<Cover>>,
}

impl Covers {
    /// Covers of what `feed` reads.
    pub(super) fn new(feed: Feed) -> Self {
        let weight = |url: &String, cover: &Option<Cover>| {
            let bytes = cover.as_ref().map_or(0, |cover| cover.bytes.len());
            u32::try_from(url.len() + bytes).unwrap_or(u32::MAX)
        };
        Self {
            feed,
            kept: Cache::builder()
                .max_capacity(KEPT_BYTES)
                .weigher(weight)
                .expire_after(Keeping)
                .build(),
        }
    }

    /// The same memory for what another feed reads.
    pub(super) fn over(&self, feed: Feed) -> Self {
        Self {
            feed,
            kept: self.kept.clone(),
        }
    }

    /// The cover of a post's music, else its own; `None` when there is none that a tag can hold, or it can't be had.
    /// Asked for once for all who want it at a time.
    pub(super) async fn fetch(&self, post: &Post) -> Option<Cover> {
        let music = post.extraction.music.as_ref();
        let url = music
            .and_then(|music| music.cover.as_deref())
            .or(post.extraction.cover.as_deref())?;
        let read = self.kept.get_with(url.to_owned(), self.read(post, url));
        // Boxed, for it runs within the start of a transfer.
        Box::pin(read).await
    }

    async fn read(&self, post: &Post, url: &str) -> Option<Cover> {
        let origin = Arc::new(LinkOrigin::at(self.feed.resolver(), post, url));
        let reading = self.feed.beginning(origin, Expected::Image, MAX_BYTES + 1);
        let start = timeout(PATIENCE, reading).await;
        let start = start.inspect_err(|_| tracing::debug!("cover left out: it takes too long"));
        let bytes = start
            .ok()?
            .inspect_err(|error| tracing::debug!(err = %error, "cover left out"))
            .ok()?
            .bytes;
        let is_png = match Kind::of(&bytes)? {
            Kind::Jpeg => false,
            Kind::Png => true,
            _ => return None,
        };
        (bytes.len() <= MAX_BYTES).then(|| Cover {
            is_png,
            bytes: bytes.into(),
        })
    }
}
