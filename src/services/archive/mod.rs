//! The pictures of a post as one ZIP archive, made while it is sent.
//!
//! A plan is made first: the beginning of each picture is read, which tells its type, its length and what names its
//! bytes. From then on every byte of the archive has its place, so length, ranges and resumption are exact. The
//! checksums stand behind the pictures and at the end; those of pictures that a range leaves out are found by reading
//! them when the end is reached.

mod writer;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::OriginError;
use super::feed::{Feed, FeedError, piece};
use super::made::{Made, broken, tag};
use super::origin::Post;
use crate::extract::Content;
use crate::media::pictures::{self, Kind};
use crate::media::zip::{Entry, Layout, Part};
use crate::net::{MediaResponse, NetError, RangeAsk};
use crate::transfer::{Expected, Origin};
use writer::Writer;

/// Pictures whose beginnings are read at once (api.md §8).
const AT_ONCE: usize = 6;
/// Largest picture (api.md §8).
pub(super) const MAX_PICTURE_BYTES: u64 = 30 * 1024 * 1024;
/// How long a plan serves further requests: those that go on after a cut.
const PLAN_TTL: Duration = Duration::from_secs(600);
/// Plans kept; a few kilobytes each.
const MAX_PLANS: u64 = 1000;
/// Longest silence towards the client, before the first byte and between two pieces, as a multiple of that of an
/// upstream: the feed may wait, resume and wait again.
const IDLE_FACTOR: u32 = 4;
/// Bytes of the author's name in the names of files.
const MAX_NAME_BYTES: usize = 60;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The post is no photo post.
    #[error("not a photo post")]
    NotPhotos,
    /// A picture can't be had, from no address.
    #[error("picture {number} can't be fetched")]
    Picture {
        /// Its number, from 1.
        number: usize,
    },
    /// The pictures are too many or too large for the format.
    #[error("too large for an archive")]
    TooLarge,
    /// Looking at the pictures took too long.
    #[error("planning took too long")]
    TimedOut,
}

/// Makes archives. Cheap to clone.
#[derive(Clone)]
pub(super) struct Archives {
    feed: Feed,
    plans: Cache<(String, String), Arc<Plan>>,
}

/// One picture of an archive.
#[derive(Debug)]
struct Picture {
    format: String,
    /// Number of its address.
    mirror: usize,
    kind: Kind,
    length: u64,
    /// What names its bytes, as the upstream says.
    name: String,
    /// CRC-32, once it was read.
    crc: OnceLock<u32>,
}

/// Everything that is known of an archive before its first byte.
#[derive(Debug)]
struct Plan {
    pictures: Vec<Picture>,
    layout: Layout,
    etag: String,
}

impl Archives {
    /// Archives of what `feed` reads.
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            plans: Cache::builder()
                .max_capacity(MAX_PLANS)
                .time_to_live(PLAN_TTL)
                .build(),
        }
    }

    /// The archive of a post, ready to be sent.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub(super) async fn origin(&self, post: Post) -> Result<ArchiveOrigin, Arc<ArchiveError>> {
        let key = (post.extraction.site.clone(), post.extraction.id.clone());
        let plan = self
            .plans
            .try_get_with(key.clone(), self.plan(&post))
            .await?;
        let made = Made {
            total: Some(plan.layout.total()),
            etag: plan.etag.clone(),
            content_type: "application/zip",
            idle_timeout: self.patience(),
        };
        Ok(ArchiveOrigin {
            archives: self.clone(),
            key,
            post,
            plan,
            made,
        })
    }

    /// How long nothing may be sent: 120 s unless `STREAM_IDLE_TIMEOUT` says otherwise.
    fn patience(&self) -> Duration {
        self.feed.resolver().idle_timeout() * IDLE_FACTOR
    }

    async fn plan(&self, post: &Post) -> Result<Arc<Plan>, ArchiveError> {
        let Content::Slideshow { images, .. } = &post.extraction.content else {
            return Err(ArchiveError::NotPhotos);
        };
        let mirrors: Vec<usize> = images.iter().map(|image| image.urls.len()).collect();
        let looks = (1..)
            .zip(mirrors)
            .map(|(number, mirrors)| self.picture(post, number, mirrors));
        let looks = stream::iter(looks).buffered(AT_ONCE).try_collect();
        let looked = tokio::time::timeout(self.patience(), looks).await;
        let pictures: Vec<Picture> = looked.map_err(|_elapsed| ArchiveError::TimedOut)??;
        let entries = entries(&post.extraction.author.handle, &pictures);
        let dated = post.extraction.created_at.unwrap_or(0);
        let layout = Layout::new(entries, dated).ok_or(ArchiveError::TooLarge)?;
        Ok(Arc::new(Plan {
            etag: etag(&layout, &pictures, dated),
            pictures,
            layout,
        }))
    }

    /// The first address that gives a picture.
    async fn picture(
        &self,
        post: &Post,
        number: usize,
        mirrors: usize,
    ) -> Result<Picture, ArchiveError> {
        for mirror in 0..mirrors {
            match self.look(post, number, mirror).await {
                Ok(Some(picture)) => return Ok(picture),
                Ok(None) => tracing::debug!(number, mirror, "not a picture"),
                Err(error) => tracing::debug!(number, mirror, err = %error, "picture not used"),
            }
        }
        Err(ArchiveError::Picture { number })
    }

    /// What lies at one address; `None` when it is no picture.
    async fn look(
        &self,
        post: &Post,
        number: usize,
        mirror: usize,
    ) -> Result<Option<Picture>, FeedError> {
        let format = format!("image-{number}");
        let origin = || self.feed.origin(post, &format, Some(mirror));
        let start = self
            .feed
            .beginning(origin()?, Expected::Image, pictures::SNIFFED_BYTES)
            .await?;
        let Some(kind) = Kind::of(&start.bytes) else {
            return Ok(None);
        };
        let crc = OnceLock::new();
        let length = match start.total {
            Some(total) => total,
            // Its length is known only when it has been read.
            None => self.count(origin()?, &crc).await?,
        };
        if length > MAX_PICTURE_BYTES {
            return Err(FeedError::TooLarge(MAX_PICTURE_BYTES));
        }
        Ok(Some(Picture {
            format,
            mirror,
            kind,
            length,
            name: start.name,
            crc,
        }))
    }

    async fn count(
        &self,
        origin: Arc<super::origin::LinkOrigin>,
        crc: &OnceLock<u32>,
    ) -> Result<u64, FeedError> {
        let mut transfer = self.feed.open(origin, Expected::Image, 0).await?;
        let (mut length, mut hasher) = (0, crc32fast::Hasher::new());
        while let Some(piece) = piece(&mut transfer.body).await? {
            hasher.update(&piece);
            length += piece.len() as u64;
            if length > MAX_PICTURE_BYTES {
                return Err(FeedError::TooLarge(MAX_PICTURE_BYTES));
            }
        }
        crc.get_or_init(|| hasher.finalize());
        Ok(length)
    }
}

/// Names such as `author_01.jpg`, as wide as the last number needs.
fn entries(author: &str, pictures: &[Picture]) -> Vec<Entry> {
    let author = plain(author);
    let width = pictures.len().to_string().len().max(2);
    (1..)
        .zip(pictures)
        .map(|(number, picture): (usize, _)| Entry {
            name: format!("{author}_{number:0width$}.{}", picture.kind.extension()),
            length: picture.length,
        })
        .collect()
}

/// A name that every system takes: what is neither letter nor digit of ASCII becomes `_`.
fn plain(author: &str) -> String {
    let name: String = author
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '_'
            }
        })
        .take(MAX_NAME_BYTES)
        .collect();
    if name.bytes().all(|byte| byte == b'_') {
        return "image".to_owned();
    }
    name
}

/// A strong tag when the upstream names the bytes of every picture, else a weak one.
fn etag(layout: &Layout, pictures: &[Picture], dated: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(dated.to_le_bytes());
    for (entry, picture) in layout.entries().iter().zip(pictures) {
        hash.update(format!(
            "{}\n{}\n{}\n",
            entry.name, entry.length, picture.name
        ));
    }
    let digest = hash.finalize();
    let is_named = pictures.iter().all(|picture| !picture.name.is_empty());
    let weak = if is_named { "" } else { "W/" };
    format!("{weak}{}", tag(&digest))
}

/// An archive as the engine sees it.
pub(super) struct ArchiveOrigin {
    archives: Archives,
    key: (String, String),
    post: Post,
    plan: Arc<Plan>,
    made: Made,
}

impl Origin for ArchiveOrigin {
    type Error = OriginError;

    fn mirrors(&self) -> usize {
        1
    }

    async fn open(&self, _mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        let writer = Writer {
            feed: self.archives.feed.clone(),
            post: self.post.clone(),
            plan: Arc::clone(&self.plan),
            position: self.made.start(ask).unwrap_or(u64::MAX),
            reading: None,
        };
        let writer = match self.prepare(writer, ask).await {
            Ok(writer) => writer,
            Err(error) => {
                // What was planned is no longer there.
                self.archives.plans.invalidate(&self.key).await;
                return Err(error);
            }
        };
        self.made
            .answer(ask, stream::try_unfold(writer, Writer::next))
    }

    /// The pictures ask the site anew themselves.
    async fn refresh(&self) -> Result<(), OriginError> {
        Ok(())
    }
}

impl ArchiveOrigin {
    /// Opens the first picture that will be sent, so that its upstream has answered before the client is. A single
    /// byte, as for HEAD, needs none.
    async fn prepare(&self, mut writer: Writer, ask: RangeAsk) -> Result<Writer, NetError> {
        if matches!(ask, RangeAsk::Between(first, last) if first == last) {
            return Ok(writer);
        }
        let (index, from) = match self.plan.layout.part_at(writer.position) {
            Part::Header(index, _) => (index, 0),
            Part::Data(index, skip) => (index, skip),
            Part::Descriptor(..) | Part::Record(..) | Part::Finish(_) | Part::End => {
                return Ok(writer);
            }
        };
        writer
            .read(index, from)
            .await
            .map_err(|error| broken(&error))?;
        Ok(writer)
    }
}

impl Picture {
    /// Remembers the checksum; one that differs from that of an earlier reading means other bytes.
    fn note(&self, crc: u32) -> io::Result<()> {
        if *self.crc.get_or_init(|| crc) == crc {
            return Ok(());
        }
        Err(io::Error::other("the picture has changed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(kind: Kind, length: u64, name: &str) -> Picture {
        Picture {
            format: String::new(),
            mirror: 0,
            kind,
            length,
            name: name.to_owned(),
            crc: OnceLock::new(),
        }
    }

    #[test]
    fn names_are_numbered_and_end_as_the_bytes_say() {
        let pictures = [picture(Kind::WebP, 1, ""), picture(Kind::Jpeg, 2, "")];
        let names: Vec<_> = entries("jo.é", &pictures)
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["jo___01.webp", "jo___02.jpg"]);
        let many: Vec<_> = (0..100).map(|_| picture(Kind::Png, 1, "")).collect();
        let entries = entries("日本", &many);
        assert_eq!(
            (&*entries[0].name, &*entries[99].name),
            ("image_001.png", "image_100.png")
        );
    }

    #[test]
    fn tag_is_strong_only_when_every_picture_has_a_name() {
        let tag = |name: &str| {
            let pictures = [picture(Kind::Png, 1, "\"a\""), picture(Kind::Png, 1, name)];
            etag(
                &Layout::new(entries("a", &pictures), 0).unwrap(),
                &pictures,
                0,
            )
        };
        assert!(tag("\"b\"").starts_with('"'));
        assert_ne!(tag("\"b\""), tag("\"c\""));
        assert!(tag("").starts_with("W/\""));
    }

    #[test]
    fn picture_with_two_checksums_has_changed() {
        let picture = picture(Kind::Png, 1, "");
        picture.note(7).unwrap();
        picture.note(7).unwrap();
        picture.note(8).unwrap_err();
    }
}
