//! Posts that are played here instead of being sent to a client: which file of a post is taken, and its bytes.

mod error;
mod taste;

use std::sync::Arc;

pub use error::PlayoutError;
pub use taste::Taste;

use super::feed::Feed;
use super::joined::{JoinedOrigin, PairId};
use super::origin::{LinkOrigin, Post};
use super::{Joiner, LiveStream, ResolveError, Resolved, Resolver, Wish, address};
use crate::extract::{Extraction, Extractor, Source};
use crate::transfer::{Ask, Engines, Origin as _, Transfer};

/// Finds and opens posts. Cheap to clone.
#[derive(Clone)]
pub struct Playout {
    feed: Feed,
    joiner: Joiner,
    /// Names of the ways out that are tried, the next one where a region is closed; any for `None`.
    ways: Arc<[Option<String>]>,
}

/// A file of a post, found.
pub struct Playable {
    /// What the site says of the post.
    pub extraction: Arc<Extraction>,
    /// Id of the format, `137+140` for joined tracks.
    pub format_id: String,
    /// Whether there is sound in it.
    pub has_audio: bool,
    /// The next smaller side for which there is another file.
    lower: Option<u32>,
    feed: Feed,
    bytes: Bytes,
}

enum Bytes {
    File(Arc<LinkOrigin>),
    Joined(Arc<JoinedOrigin>),
}

impl Playout {
    /// Over the sites of a resolver; `config` are the settings of transfers to clients.
    pub fn new(resolver: Resolver, joiner: Joiner, engines: &Engines) -> Self {
        Self {
            feed: Feed::new(resolver, engines),
            joiner,
            ways: [None].into(),
        }
    }

    /// The same one over the sites of another resolver.
    pub(super) fn over(&self, resolver: &Resolver) -> Self {
        let feed = self.feed.over(resolver.clone());
        Self {
            joiner: self.joiner.over(resolver.clone(), feed.clone()),
            feed,
            ..self.clone()
        }
    }

    /// The same one, by the way out of this name and no other, by any for `None`; and by those of `fallback`, in their
    /// order, where a post may not be seen from there.
    #[must_use]
    pub fn by(&self, way: Option<&str>, fallback: &[String]) -> Self {
        let further = fallback.iter().filter(|name| way != Some(name.as_str()));
        let ways = std::iter::once(way.map(str::to_owned)).chain(further.cloned().map(Some));
        Self {
            ways: ways.collect(),
            ..self.clone()
        }
    }

    /// Whether there is a way out of this name.
    pub fn has_way(&self, name: &str) -> bool {
        let egresses = self.feed.resolver().egresses();
        egresses.named(Some(name)).is_some()
    }

    /// Asks the site for a post; what it says, and this one by the way out that it said it to.
    async fn ask(&self, address: &str, wish: Wish) -> Result<(Resolved, Self), Arc<ResolveError>> {
        let mut closed = None;
        for way in self.ways.iter() {
            let by = match way {
                Some(name) => self.over(&self.feed.resolver().only(name)),
                None => self.clone(),
            };
            match by.feed.resolver().resolve(address, wish).await {
                // The first one says what the post is like from where it was to be seen.
                Err(error) if error.is_closed() => closed = closed.or(Some(error)),
                asked => return asked.map(|resolved| (resolved, by)),
            }
        }
        Err(closed.unwrap_or_else(|| Arc::new(ResolveError::Internal)))
    }

    /// Asks the site of a list for the post with this id, and finds the file of it that is wanted; `is_fresh` asks
    /// even when the answer is known.
    ///
    /// # Errors
    /// [`PlayoutError`].
    pub async fn find(
        &self,
        list: &str,
        id: &str,
        taste: &Taste,
        is_fresh: bool,
    ) -> Result<Playable, PlayoutError> {
        let (extractor, source) = self.source(list, id)?;
        let wish = Wish { no_cache: is_fresh };
        let (resolved, by) = self.ask(source.url.as_str(), wish).await?;
        let extraction = resolved.extraction;
        let post = Post {
            extractor,
            source,
            extraction: Arc::clone(&extraction),
        };
        let mut failure = PlayoutError::NoFormat;
        let pairs = Joiner::pair_formats(&extraction);
        for format_id in taste::wanted(&extraction, &pairs, taste) {
            match by.open(&post, &format_id).await {
                Ok(bytes) => {
                    return Ok(Playable {
                        has_audio: taste::has_audio(&extraction, &format_id),
                        lower: taste::lower(&extraction, &pairs, &format_id),
                        extraction,
                        format_id,
                        feed: by.feed.clone(),
                        bytes,
                    });
                }
                Err(error) => failure = PlayoutError::Bytes(error),
            }
        }
        Err(failure)
    }

    /// Asks the site of a list where the post with this id is on air.
    ///
    /// # Errors
    /// [`PlayoutError`], [`PlayoutError::Over`] when it is not.
    pub async fn tune(&self, list: &str, id: &str) -> Result<LiveStream, PlayoutError> {
        let (extractor, source) = self.source(list, id)?;
        let resolver = self.feed.resolver();
        let mut closed = None;
        for way in self.ways.iter() {
            match Box::pin(resolver.live(&extractor, &source, way.as_deref())).await {
                Ok(Some(post)) => {
                    let site = (extractor, source);
                    return Ok(LiveStream::new(
                        resolver.clone(),
                        site,
                        way.as_deref(),
                        post,
                    ));
                }
                Ok(None) => return Err(PlayoutError::Over),
                Err(error) if error.is_closed() => closed = closed.or(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(closed.map_or(PlayoutError::NoFormat, PlayoutError::from))
    }

    fn source(&self, list: &str, id: &str) -> Result<(Arc<dyn Extractor>, Source), PlayoutError> {
        let extractors = self.feed.resolver().extractors();
        let (extractor, _) = address::playlist(extractors, list).map_err(Arc::new)?;
        let source = extractor.source(id).ok_or(PlayoutError::NoFormat)?;
        Ok((extractor, source))
    }

    async fn open(&self, post: &Post, format_id: &str) -> Result<Bytes, String> {
        let Some(pair) = PairId::read(format_id) else {
            let origin = self.feed.origin(post, format_id, None);
            return origin.map(Bytes::File).map_err(|error| error.to_string());
        };
        let (extractor, source) = (&post.extractor, post.source.clone());
        let way = post.extraction.session.egress.as_deref();
        let opened = Box::pin(self.joiner.open(extractor, source, &pair, way)).await;
        let origin = opened.map_err(|error| error.to_string())?;
        Ok(Bytes::Joined(Arc::new(origin)))
    }
}

impl Playable {
    /// Short side to ask for next when this file comes too slowly; `None` when there is no smaller one.
    pub fn lower(&self) -> Option<u32> {
        self.lower
    }

    /// Until when its addresses are good, in seconds since 1970; `None` when they don't say.
    pub fn expires_at(&self) -> Option<u64> {
        let ends = self
            .origins()
            .iter()
            .filter_map(|origin| origin.expires_at());
        ends.min()
    }

    /// Asks the site for new addresses. What is being read goes on; what is opened later uses them.
    ///
    /// # Errors
    /// Why there are none, for the log.
    pub async fn refresh(&self) -> Result<(), PlayoutError> {
        for origin in self.origins() {
            let refreshed = Box::pin(origin.refresh()).await;
            refreshed.map_err(|error| PlayoutError::Bytes(error.to_string()))?;
        }
        Ok(())
    }

    /// Times that the site was asked for new addresses.
    pub fn refreshes(&self) -> u64 {
        self.origins().iter().map(|origin| origin.refreshes()).sum()
    }

    fn origins(&self) -> &[Arc<LinkOrigin>] {
        match &self.bytes {
            Bytes::File(origin) => std::slice::from_ref(origin),
            Bytes::Joined(origin) => origin.tracks(),
        }
    }

    /// Opens its bytes; `range` is the text of a `Range` header. What breaks on the way is taken up again, at new
    /// addresses where the old ones have expired.
    ///
    /// # Errors
    /// Why there are none, for the log.
    pub async fn open(&self, range: Option<String>) -> Result<Transfer, PlayoutError> {
        let ask = Ask {
            range,
            ..Ask::default()
        };
        let opened = match &self.bytes {
            Bytes::File(origin) => {
                let length = origin.known_length();
                self.feed.transfer(Arc::clone(origin), length, ask).await
            }
            Bytes::Joined(origin) => self.feed.transfer(Arc::clone(origin), None, ask).await,
        };
        Ok(opened?)
    }
}
