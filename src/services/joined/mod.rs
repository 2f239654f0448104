//! Two tracks of a post as one file: which pairs there are, how long they are, and where their bytes come from.
//!
//! [`Joiner`] is what other services ask. A joined pair is an [`Origin`](crate::transfer::Origin) like any other, so
//! ranges, conditions, resuming and limits are those of all transfers; its own bytes come from two further transfers.

mod error;
mod heads;
mod id;
mod origin;
mod pairs;
mod reader;
mod said;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use moka::future::Cache;

use super::cover::{Cover, Covers};
use super::feed::Feed;
use super::origin::{LinkOrigin, Post};
use super::{OriginError, Resolver, ServicesConfig};
use crate::extract::{Extraction, Extractor, Format, Source};
use crate::media::fmp4::Cut;
use crate::media::{Clip, Container, Layout, Mismatch, Side, Tags, TrackHead, fmp4, webm};
use crate::transfer::{Admission, Engine, Engines, TransferConfig};

pub use error::JoinError;
pub(super) use id::PairId;
pub use id::Span;
pub(super) use origin::JoinedOrigin;
pub use pairs::Pair;
pub(super) use pairs::container;
use reader::Sources;

/// Heads of tracks that are kept, in bytes; an ordinary one takes some kilobytes.
const HEADS_BYTES: u64 = 32 * 1024 * 1024;
/// How long a head is kept. It can't grow old: another file has another name.
const HEADS_TTL: Duration = Duration::from_secs(6 * 3600);
/// Pairs of one post whose heads are read at a time.
const HEADS_AT_ONCE: usize = 4;
/// What may wait of one track: the client's own buffer stands behind it.
const TRACK_BUFFER_BYTES: usize = 128 * 1024;
/// Time for the lengths that an answer is better with, but complete without.
const SIZES_PATIENCE: Duration = Duration::from_secs(5);

type Known = Result<Arc<TrackHead>, Mismatch>;

/// Joins tracks. Cheap to clone.
#[derive(Clone)]
pub struct Joiner {
    resolver: Resolver,
    covers: Covers,
    can_remux: bool,
    engine: Arc<Engine>,
    /// Places for the transfers of tracks: two for each transfer to a client.
    places: Admission,
    /// What must be known of tracks, or why they can't be joined: both are so for good, by what names the bytes.
    heads: Cache<String, Known>,
}

/// What is wanted of the pairs of a post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairWish {
    /// The part of the post; `None` = all of it.
    pub span: Option<Span>,
    /// Whether the files are to hold the post's cover. It is fetched before their length is told; one that can't be had is
    /// left out, which the entity tag shows.
    pub has_cover: bool,
    /// Whether all sizes are to be found out, not that of the default pair alone.
    pub is_exact: bool,
    /// Short side to which the default is limited.
    pub max_height: Option<u32>,
}

/// The two tracks of a pair, found.
struct Found {
    post: Post,
    tracks: [Arc<LinkOrigin>; 2],
}

impl Joiner {
    /// A joiner over the sites of `resolver`. It offers pairs that only FFmpeg makes one file of where that is possible.
    pub fn new(
        config: &ServicesConfig,
        engines: &Engines,
        resolver: Resolver,
        can_remux: bool,
    ) -> Self {
        let weight = |key: &String, known: &Known| {
            let weight = known.as_ref().map_or(0, |head| head.weight());
            u32::try_from(key.len() + weight).unwrap_or(u32::MAX)
        };
        let places = config.max_streams.saturating_mul(2);
        Self {
            covers: Covers::new(Feed::new(resolver.clone(), engines)),
            can_remux,
            resolver,
            engine: Arc::new(engines.for_tracks(track_config)),
            places: Admission::new(places, config.max_queue, config.queue_timeout),
            heads: Cache::builder()
                .max_capacity(HEADS_BYTES)
                .weigher(weight)
                .time_to_live(HEADS_TTL)
                .build(),
        }
    }

    /// The same one over the sites of another resolver. What is known of tracks serves both: it goes by what names the
    /// bytes.
    pub(super) fn over(&self, resolver: Resolver, feed: Feed) -> Self {
        Self {
            covers: self.covers.over(feed),
            resolver,
            ..self.clone()
        }
    }

    /// The pairs of a post, as formats with picture and sound. Their exact sizes are told where they are known.
    pub async fn pairs(
        &self,
        extractor: &Arc<dyn Extractor>,
        extraction: &Arc<Extraction>,
        wish: PairWish,
    ) -> Vec<Pair> {
        let mut pairs = pairs::of(extraction, wish, self.can_remux);
        let default = pairs::default(extraction, &pairs, wish.max_height);
        let sizes = pairs.iter().map(|pair| async {
            let is_wanted = wish.is_exact || default.as_ref() == Some(&pair.format.id);
            let found = Found::new(&self.resolver, extractor, extraction, &pair.id).ok()?;
            self.size(&found, &pair.id, is_wanted).await
        });
        // Boxed for the compiler's sake: the type of the stream would name every future in it.
        let sizes: Vec<_> = sizes.map(Box::pin).collect();
        let sizes: Vec<_> = stream::iter(sizes).buffered(HEADS_AT_ONCE).collect().await;
        for (pair, size) in pairs.iter_mut().zip(sizes) {
            pair.format.filesize = size;
        }
        pairs
    }

    /// The pairs of a post as formats, without asking for anything.
    pub(super) fn pair_formats(extraction: &Extraction) -> Vec<Format> {
        let pairs = pairs::of(extraction, PairWish::default(), false).into_iter();
        pairs.map(|pair| pair.format).collect()
    }

    /// Bytes of a pair; `None` when they can't be known now. Only when `is_wanted` the site is asked for what they
    /// follow from.
    async fn size(&self, found: &Found, id: &PairId, is_wanted: bool) -> Option<u64> {
        if !is_wanted {
            let known = Side::BOTH.map(|side| found.head_key(side));
            for key in known {
                self.heads.get(&key?).await?.ok()?;
            }
            // A part's length may need a look at its first runs.
            if id.span.is_some() {
                return None;
            }
        }
        let laid_out = tokio::time::timeout(SIZES_PATIENCE, self.lay_out(found, id));
        match laid_out.await {
            Ok(Ok(layout)) => Some(layout.total()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "length of a pair is not known");
                None
            }
            Err(_) => None,
        }
    }

    /// The pair that a link's format names, of a post, by the way out that the link names.
    ///
    /// # Errors
    /// [`JoinError`].
    pub(super) async fn open(
        &self,
        extractor: &Arc<dyn Extractor>,
        post: Source,
        id: &PairId,
        egress: Option<&str>,
    ) -> Result<JoinedOrigin, JoinError> {
        let cached = self.resolver.cached(&post, egress).await;
        let cached = cached
            .and_then(|extraction| Found::new(&self.resolver, extractor, &extraction, id).ok());
        let found = if let Some(found) = cached {
            found
        } else {
            let asked = self.resolver.refresh(extractor, post, None, egress).await;
            let extraction = asked.map_err(OriginError::Resolve)?;
            Found::new(&self.resolver, extractor, &extraction, id)?
        };
        let layout = self.lay_out(&found, id).await?;
        let names = [
            found.content_id(Side::Picture)?,
            found.content_id(Side::Sound)?,
        ];
        let etag = origin::etag(&*layout, &names);
        let sources = Sources {
            layout,
            tracks: found.tracks,
            engine: Arc::clone(&self.engine),
            places: self.places.clone(),
        };
        Ok(JoinedOrigin::new(Arc::new(sources), names, etag))
    }

    async fn lay_out(&self, found: &Found, id: &PairId) -> Result<Arc<dyn Layout>, JoinError> {
        let containers = [
            found.container(Side::Picture)?,
            found.container(Side::Sound)?,
        ];
        if containers[0] != containers[1] {
            return Err(Mismatch::Containers.into());
        }
        for side in Side::BOTH {
            if !pairs::is_told(found.format(side)?) {
                return Err(Mismatch::Unknown.into());
            }
        }
        // Both to their end, even where one fails: what was learnt of the other is remembered.
        let (picture, sound) = tokio::join!(
            self.head(found, Side::Picture),
            self.head(found, Side::Sound)
        );
        let cover = if id.has_cover {
            self.covers.fetch(&found.post).await
        } else {
            None
        };
        let date = said::date(&found.post.extraction);
        let tags = Tags {
            cover: cover.as_ref().map(Cover::as_tag),
            ..said::tags(&found.post.extraction, &date)
        };
        let clip = id.span.map(Span::clip);
        match (&*picture?, &*sound?) {
            (TrackHead::Fmp4(picture), TrackHead::Fmp4(sound)) => {
                let cut = match clip {
                    Some(clip) => Some(self.cut(found, [picture, sound], clip).await?),
                    None => None,
                };
                let joined = fmp4::Joined::new(picture, sound, cut.as_ref(), &tags);
                Ok(Arc::new(joined.map_err(Mismatch::from)?))
            }
            (TrackHead::Webm(picture), TrackHead::Webm(sound)) => {
                let joined = webm::Joined::new(picture, sound, clip, &tags);
                Ok(Arc::new(joined.map_err(Mismatch::from)?))
            }
            _ => Err(Mismatch::Containers.into()),
        }
    }

    /// What must be known of a track; asked for once for all who want it at a time.
    async fn head(&self, found: &Found, side: Side) -> Result<Arc<TrackHead>, JoinError> {
        let Some(key) = found.head_key(side) else {
            return Err(OriginError::FormatGone.into());
        };
        let read = self.heads.try_get_with(key, self.read_head(found, side));
        let known = Box::pin(read).await.map_err(JoinError::of_another)?;
        Ok(known?)
    }

    async fn read_head(&self, found: &Found, side: Side) -> Result<Known, JoinError> {
        let format = found.format(side)?;
        let total = format.filesize.ok_or(OriginError::FormatGone)?;
        let index_range = format.facts.index_range;
        let index_end = index_range.and_then(|(_, last)| last.checked_add(1));
        let bytes = heads::Bytes {
            engine: &self.engine,
            places: &self.places,
            track: &found.tracks[side.index()],
            total,
        };
        match bytes.head(found.container(side)?, index_end).await {
            Ok(head) => Ok(Ok(Arc::new(head))),
            Err(JoinError::Fault(fault)) => Ok(Err(fault)),
            Err(error) => Err(error),
        }
    }

    async fn cut(
        &self,
        found: &Found,
        heads: [&fmp4::TrackHead; 2],
        clip: Clip,
    ) -> Result<Cut, JoinError> {
        let mut cut = Cut::find(heads, clip).map_err(Mismatch::from)?;
        let opening = |side: Side| {
            let head = heads[side.index()];
            let bytes = heads::Bytes {
                engine: &self.engine,
                places: &self.places,
                track: &found.tracks[side.index()],
                total: head.total(),
            };
            let place = cut.opening(side, head);
            async move { bytes.read(place).await }
        };
        let (mut picture, mut sound) =
            tokio::try_join!(opening(Side::Picture), opening(Side::Sound))?;
        cut.open(Side::Picture, heads[0], &mut picture)
            .and_then(|()| cut.open(Side::Sound, heads[1], &mut sound))
            .map_err(Mismatch::from)?;
        Ok(cut)
    }
}

impl Found {
    /// # Errors
    /// The post has one of them no more.
    fn new(
        resolver: &Resolver,
        extractor: &Arc<dyn Extractor>,
        extraction: &Arc<Extraction>,
        id: &PairId,
    ) -> Result<Self, OriginError> {
        let post = Post {
            extractor: Arc::clone(extractor),
            source: extractor
                .source(&extraction.id)
                .ok_or(OriginError::FormatGone)?,
            extraction: Arc::clone(extraction),
        };
        let track = |side| LinkOrigin::of(resolver, &post, id.format(side)).map(Arc::new);
        Ok(Self {
            tracks: [track(Side::Picture)?, track(Side::Sound)?],
            post,
        })
    }

    fn format(&self, side: Side) -> Result<&Format, OriginError> {
        let format = self.tracks[side.index()].among(&self.post.extraction);
        format.ok_or(OriginError::FormatGone)
    }

    fn container(&self, side: Side) -> Result<Container, OriginError> {
        container(self.format(side)?).ok_or(OriginError::FormatGone)
    }

    fn content_id(&self, side: Side) -> Result<String, OriginError> {
        let id = self.tracks[side.index()].content();
        id.ok_or(OriginError::FormatGone)
    }

    fn head_key(&self, side: Side) -> Option<String> {
        let content = self.content_id(side).ok()?;
        let Extraction { site, id, .. } = &*self.post.extraction;
        let format = self.tracks[side.index()].name();
        Some(format!("{site}/{id}/{format}/{content}"))
    }
}

/// Tracks are waited for, not given up: while the other one is sent a track stands still, and the client is watched where
/// its own bytes leave.
fn track_config(transfer: &TransferConfig) -> TransferConfig {
    /// Longer than any transfer.
    const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);
    TransferConfig {
        buffer_bytes: transfer.buffer_bytes.min(TRACK_BUFFER_BYTES),
        client_stall: NEVER,
        client_min_rate: 0,
        ..transfer.clone()
    }
}
