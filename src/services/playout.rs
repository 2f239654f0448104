//! Posts that are played here instead of being sent to a client: which file of a post is taken, and its bytes.

use std::cmp::Reverse;
use std::sync::Arc;

use super::feed::{Feed, FeedError};
use super::joined::{JoinedOrigin, PairId};
use super::origin::{LinkOrigin, Post};
use super::{Joiner, LiveStream, ResolveError, Resolved, Resolver, Wish, address};
use crate::extract::selector::Selector;
use crate::extract::{
    Codec, Content, ExtractError, Extraction, Extractor, Format, Refusal, Source, Tracks,
    Unavailable,
};
use crate::transfer::{Ask, Engines, Origin as _, Transfer};

/// Short side of the picture that is taken when nobody says otherwise, at most.
const SHORT_SIDE: u32 = 720;
/// Short sides that are taken where more can't be had fast enough.
const SMALLER: [u32; 2] = [480, 360];

/// Which file of a post is wanted.
#[derive(Debug, Clone)]
pub enum Taste {
    /// A file of at most 720 lines: merged where the site has one, else joined from two tracks.
    Usual,
    /// The same with fewer lines, at most so many.
    Smaller(u32),
    /// What a selector says, to the letter.
    Selector(Selector),
}

impl Taste {
    /// Ids of the formats to be tried, the best first; `pairs` are formats joined from two others.
    pub fn choose(&self, formats: &[Format], pairs: &[Format]) -> Vec<String> {
        match self {
            Self::Selector(selector) => {
                let selection = selector.select(formats);
                selection.map(|chosen| chosen.id()).into_iter().collect()
            }
            Self::Usual => usual(formats, pairs, SHORT_SIDE),
            Self::Smaller(most) => usual(formats, pairs, *most),
        }
    }
}

/// Why a post is not played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayoutError {
    /// The site gives nothing.
    #[error(transparent)]
    Resolve(#[from] Arc<ResolveError>),
    /// It was on air, and is no more.
    #[error("it is on air no more")]
    Over,
    /// It has nothing that is wanted, or no picture.
    #[error("no format that can be played")]
    NoFormat,
    /// Its bytes can't be had.
    #[error("no bytes: {0}")]
    Bytes(String),
    /// The site refuses its bytes, also at new addresses.
    #[error("no bytes: {0}")]
    Refused(String),
}

impl PlayoutError {
    /// A stable word for it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Resolve(error) => resolve_reason(error),
            Self::Over => "live_ended",
            Self::NoFormat => "no_format",
            Self::Bytes(_) | Self::Refused(_) => "upstream_error",
        }
    }

    /// Whether the site says no to this file, rather than nothing.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether it is on air now, so that there is no file of it.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Resolve(error) if resolve_reason(error) == "is_live")
    }

    /// Whether another try may do better before long.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Resolve(error) => match &**error {
                ResolveError::Extract(ExtractError::Unavailable { reason, .. }) => {
                    *reason == Unavailable::Processing
                }
                ResolveError::Extract(
                    ExtractError::Refused(_) | ExtractError::RegionBlocked { .. },
                )
                | ResolveError::BadUrl
                | ResolveError::UnsupportedHost { .. }
                | ResolveError::Refused(_) => false,
                _ => true,
            },
            Self::NoFormat | Self::Over => false,
            Self::Bytes(_) | Self::Refused(_) => true,
        }
    }
}

impl From<FeedError> for PlayoutError {
    fn from(error: FeedError) -> Self {
        use crate::transfer::TransferError::{Forbidden, Gone};
        let message = error.to_string();
        match error {
            FeedError::Transfer(Forbidden | Gone) => Self::Refused(message),
            _ => Self::Bytes(message),
        }
    }
}

fn resolve_reason(error: &ResolveError) -> &'static str {
    match error {
        ResolveError::Extract(ExtractError::Unavailable { reason, .. }) => match reason {
            Unavailable::NotFound => "not_found",
            Unavailable::Private | Unavailable::UnderReview => "private",
            Unavailable::AgeRestricted => "age_restricted",
            Unavailable::RegionBlocked => "region_blocked",
            Unavailable::MembersOnly => "members_only",
            Unavailable::PremiumOnly => "premium_only",
            Unavailable::PaymentRequired => "payment_required",
            Unavailable::Drm => "drm_protected",
            Unavailable::Upcoming { .. } => "is_upcoming",
            Unavailable::Live => "is_live",
            Unavailable::Processing => "processing",
            Unavailable::LoginRequired => "login_required",
        },
        ResolveError::Extract(ExtractError::RegionBlocked { .. }) => "region_blocked",
        ResolveError::Refused(Refusal::Live) => "is_live",
        ResolveError::Refused(_) | ResolveError::BadUrl | ResolveError::UnsupportedHost { .. } => {
            "unsupported_url"
        }
        ResolveError::Extract(ExtractError::Blocked { .. }) => "ip_blocked",
        ResolveError::Busy(_) => "busy",
        ResolveError::Timeout(_) => "upstream_timeout",
        ResolveError::Account(_) => "account_unavailable",
        _ => "extraction_failed",
    }
}

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
        for format_id in wanted(&extraction, &pairs, taste) {
            match by.open(&post, &format_id).await {
                Ok(bytes) => {
                    return Ok(Playable {
                        has_audio: has_audio(&extraction, &format_id),
                        lower: lower(&extraction, &pairs, &format_id),
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

/// Ids of the formats to be tried, the best first.
fn wanted(extraction: &Extraction, pairs: &[Format], taste: &Taste) -> Vec<String> {
    let Content::Video { formats } = &extraction.content else {
        return Vec::new();
    };
    taste.choose(formats, pairs)
}

/// The largest of the smaller sides below that of a file, for which there is another one.
fn lower(extraction: &Extraction, pairs: &[Format], format_id: &str) -> Option<u32> {
    let Content::Video { formats } = &extraction.content else {
        return None;
    };
    let merged = formats.iter().filter(|format| is_merged(format));
    let all: Vec<&Format> = merged.chain(pairs).collect();
    let now = all.iter().find(|format| format.id == format_id)?;
    let now = now.short_side()?;
    let smallest = all.iter().filter_map(|format| format.short_side()).min()?;
    let fits = |side: &&u32| **side < now && smallest <= **side;
    SMALLER.iter().find(fits).copied()
}

fn is_merged(format: &Format) -> bool {
    format.tracks == Tracks::Combined && !format.is_watermarked
}

/// A merged file of `most` lines, else joined tracks of up to so many, else the best merged file below, else the smallest
/// above; codecs that are cheap to decode first.
fn usual(formats: &[Format], pairs: &[Format], most: u32) -> Vec<String> {
    let side = |format: &Format| format.short_side().unwrap_or(0);
    let cost = |format: &Format| match format.vcodec {
        Some(Codec::H264) => 0,
        Some(Codec::Vp9) => 1,
        Some(Codec::Av1) => 3,
        _ => 2,
    };
    let merged = formats.iter().filter(|format| is_merged(format));
    let mut all: Vec<(&Format, bool)> = merged.map(|format| (format, true)).collect();
    all.extend(pairs.iter().map(|format| (format, false)));
    all.sort_by_key(|(format, is_merged)| {
        let side = side(format);
        let class = match (side > most, *is_merged) {
            (false, true) if side == most => 0,
            (false, false) => 1,
            (false, true) => 2,
            (true, true) => 3,
            (true, false) => 4,
        };
        // Above it the smallest is the best, below it the largest.
        let size = if side > most {
            (side, Reverse(0))
        } else {
            (0, Reverse(side))
        };
        (class, size, cost(format), Reverse(format.bitrate_bps))
    });
    all.into_iter()
        .map(|(format, _)| format.id.clone())
        .collect()
}

fn has_audio(extraction: &Extraction, format_id: &str) -> bool {
    let single = extraction.format(format_id);
    single.is_none_or(Format::has_audio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Container;

    fn format(id: &str, height: u32, vcodec: Codec) -> Format {
        Format {
            id: id.to_owned(),
            urls: vec![String::new()],
            tracks: Tracks::Combined,
            container: Container::Mp4,
            width: Some(height * 16 / 9),
            height: Some(height),
            fps: None,
            vcodec: Some(vcodec),
            acodec: Some(Codec::Aac),
            bitrate_bps: None,
            filesize: None,
            label: None,
            is_watermarked: false,
            facts: Box::default(),
        }
    }

    #[test]
    fn merged_720_goes_before_pairs_and_pairs_before_small_merged_files() {
        let pairs = [
            format("av1", 720, Codec::Av1),
            format("big", 1080, Codec::H264),
            format("pair", 720, Codec::H264),
            format("low", 480, Codec::H264),
        ];
        let small = format("18", 360, Codec::H264);
        let order = usual(std::slice::from_ref(&small), &pairs, SHORT_SIDE);
        assert_eq!(order, ["pair", "av1", "low", "18", "big"]);
        let order = usual(std::slice::from_ref(&small), &pairs, 480);
        assert_eq!(order[..2], ["low", "18"]);
        let order = usual(&[small, format("22", 720, Codec::H264)], &pairs, SHORT_SIDE);
        assert_eq!(order[0], "22");
    }

    #[test]
    fn upright_pictures_count_by_their_short_side() {
        let upright = Format {
            width: Some(720),
            height: Some(1280),
            ..format("upright", 0, Codec::H264)
        };
        let order = usual(&[format("360", 360, Codec::H264), upright], &[], SHORT_SIDE);
        assert_eq!(order, ["upright", "360"]);
    }

    #[test]
    fn marked_files_are_not_played() {
        let marked = Format {
            is_watermarked: true,
            ..format("download", 720, Codec::H264)
        };
        assert_eq!(usual(&[marked], &[], SHORT_SIDE), Vec::<String>::new());
    }
}
