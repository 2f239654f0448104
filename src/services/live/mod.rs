//! A post that is on air: its playlist and all that is named there, read through the guarded client. What a playlist names
//! is somebody else's word: nothing off the hosts of the site's media is asked for, wherever a redirect leads.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::header::CONTENT_RANGE;
use http::{Method, StatusCode};
use url::Url;

use super::room::{Held, NoRoom, Room};
use super::{ResolveError, Resolver};
use crate::extract::{Extractor, LivePost, Source};
use crate::net::{Jar, MediaRequest, MediaResponse, NetError, RangeAsk};
use crate::transfer::range::following;

/// Tries without a new byte.
const TRIES: u32 = 4;

/// Why something of a live post was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// An address off the hosts of the site's media: nothing was asked there.
    #[error("an address that is not asked: {0}")]
    Forbidden(NetError),
    /// The address is good no more, or never was.
    #[error("status {}", .0.as_u16())]
    Gone(StatusCode),
    /// It has more bytes than anything of its kind.
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// All the room for such is taken by others; later there will be some.
    #[error("no room now")]
    NoRoom,
    /// The upstream gave nothing, or something else than was asked for.
    #[error("{0}")]
    Broken(String),
}

/// What came of one request.
enum Step {
    /// All of it is held.
    Whole,
    /// It broke off, and may be taken up again.
    Cut(String),
}

/// A post that is on air.
pub struct LiveStream {
    resolver: Resolver,
    extractor: Arc<dyn Extractor>,
    source: Source,
    /// Name of the way out by which it was found.
    way: Option<String>,
    post: ArcSwap<LivePost>,
    refreshes: AtomicU64,
}

impl LiveStream {
    pub(super) fn new(
        resolver: Resolver,
        (extractor, source): (Arc<dyn Extractor>, Source),
        way: Option<&str>,
        post: LivePost,
    ) -> Self {
        Self {
            resolver,
            extractor,
            source,
            way: way.map(str::to_owned),
            post: ArcSwap::from_pointee(post),
            refreshes: AtomicU64::new(0),
        }
    }

    /// Its title.
    pub fn title(&self) -> String {
        self.post.load().title.clone()
    }

    /// Address of its playlist now.
    pub fn playlist(&self) -> String {
        self.post.load().playlist.clone()
    }

    /// Times that the site was asked for a new address.
    pub fn refreshes(&self) -> u64 {
        self.refreshes.load(Ordering::Relaxed)
    }

    /// Asks the site for a new address of its playlist; `false` when it is on air no more.
    ///
    /// # Errors
    /// What the site says instead.
    pub async fn refresh(&self) -> Result<bool, Arc<ResolveError>> {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        let asked = self
            .resolver
            .live(&self.extractor, &self.source, self.way.as_deref());
        let Some(post) = Box::pin(asked).await? else {
            return Ok(false);
        };
        self.post.store(Arc::new(post));
        Ok(true)
    }

    /// Reads what lies at an address that a playlist names, or this part of it, whole, at most `limit` bytes, into the
    /// common room; what breaks off is taken up again at the next byte.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn read(
        &self,
        address: &Url,
        part: Option<Range<u64>>,
        (limit, room): (usize, &Room),
    ) -> Result<Held, LiveError> {
        let post = self.post.load_full();
        let client = self
            .resolver
            .client_by(post.session.egress.as_deref(), self.source.site);
        let mut held = room.hold();
        let mut tries = 0;
        loop {
            let before = held.len();
            let request = MediaRequest {
                method: Method::GET,
                url: address.as_str(),
                range: ask(part.as_ref(), before as u64),
                headers: &post.session.headers,
                jar: &Jar::new(None),
                // The hosts around the address that the site itself gave.
                hosts: self.extractor.redirect_hosts(&post.playlist),
            };
            let family = self.extractor.address_family(address.as_str());
            let message = match Box::pin(client.open_by(family, request)).await {
                Ok(answer) => match take(answer, part.as_ref(), limit, &mut held).await? {
                    Step::Whole => return Ok(held),
                    Step::Cut(message) => message,
                },
                Err(error @ (NetError::Guard(_) | NetError::Redirect { .. })) => {
                    return Err(LiveError::Forbidden(error));
                }
                Err(error) => error.to_string(),
            };
            tries = if held.len() > before { 0 } else { tries + 1 };
            let host = address.host_str().unwrap_or_default();
            if tries >= TRIES || !client.take_retry(host) {
                return Err(LiveError::Broken(message));
            }
        }
    }
}

/// What to ask for when so many bytes of a part, or of the whole, are held.
fn ask(part: Option<&Range<u64>>, held: u64) -> RangeAsk {
    match part {
        Some(part) => RangeAsk::Between(part.start + held, part.end.saturating_sub(1)),
        None if held > 0 => RangeAsk::From(held),
        None => RangeAsk::Whole,
    }
}

/// Adds what an answer brings to what is held.
async fn take(
    mut answer: MediaResponse,
    part: Option<&Range<u64>>,
    limit: usize,
    held: &mut Held,
) -> Result<Step, LiveError> {
    let wanted = part.map_or(0, |part| part.start) + held.len() as u64;
    match answer.status {
        StatusCode::PARTIAL_CONTENT => {
            let said = answer.headers.get(CONTENT_RANGE);
            let said = said.and_then(|said| following(said.to_str().ok()?));
            if said.is_none_or(|said| said.start != wanted) {
                return Err(LiveError::Broken("another part than asked".to_owned()));
            }
        }
        // The whole, whatever was asked for.
        StatusCode::OK if part.is_none() => held.clear(),
        StatusCode::OK => return Err(LiveError::Broken("parts are not served".to_owned())),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::GONE => return Err(LiveError::Gone(answer.status)),
        // All of it is held already: it ended with its connection.
        StatusCode::RANGE_NOT_SATISFIABLE if !held.is_empty() => return Ok(Step::Whole),
        other => return Ok(Step::Cut(format!("status {}", other.as_u16()))),
    }
    let limit = part.map_or(limit, |part| {
        let length = part.end.saturating_sub(part.start);
        usize::try_from(length).map_or(limit, |length| length.min(limit))
    });
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) if piece.len() > limit - held.len() => {
                return Err(LiveError::TooLarge(limit));
            }
            Ok(Some(piece)) => held
                .extend(&piece, limit)
                .map_err(|NoRoom| LiveError::NoRoom)?,
            Ok(None) => return Ok(Step::Whole),
            Err(error) => return Ok(Step::Cut(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, range: &str, body: &'static str) -> MediaResponse {
        let answer = http::Response::builder().status(status);
        let answer = match range {
            "" => answer,
            range => answer.header(CONTENT_RANGE, range),
        };
        let answer = answer.body(body.into()).unwrap();
        MediaResponse::from_response(answer, "a.example".to_owned(), Duration::from_secs(1))
    }

    async fn taken(answer: MediaResponse, part: Option<Range<u64>>, before: &str) -> String {
        let mut held = Room::new(1 << 20).hold();
        held.extend(before.as_bytes(), 8).unwrap();
        match take(answer, part.as_ref(), 8, &mut held).await {
            Ok(Step::Whole) => String::from_utf8(held.freeze().to_vec()).unwrap(),
            Ok(Step::Cut(message)) => format!("cut: {message}"),
            Err(error) => format!("error: {error}"),
        }
    }

    #[tokio::test]
    async fn what_broke_off_is_taken_up_at_its_byte() {
        assert_eq!(taken(answer(200, "", "abc"), None, "").await, "abc");
        let rest = || answer(206, "bytes 2-3/4", "cd");
        assert_eq!(taken(rest(), None, "ab").await, "abcd");
        assert_eq!(taken(rest(), Some(2..4), "").await, "cd");
        // The whole in place of the rest.
        assert_eq!(taken(answer(200, "", "abcd"), None, "ab").await, "abcd");
        for (answer, part, before) in [
            (rest(), None, "a"),
            (answer(206, "", "cd"), None, "ab"),
            (answer(200, "", "abcd"), Some(2..4), ""),
            (answer(403, "", ""), None, ""),
            (answer(200, "", "123456789"), None, ""),
            (answer(206, "bytes 2-9/10", "cdefghij"), Some(2..4), ""),
        ] {
            let told = taken(answer, part, before).await;
            assert!(told.starts_with("error: "), "{told}");
        }
        let told = taken(answer(503, "", ""), None, "").await;
        assert_eq!(told, "cut: status 503");
    }

    #[tokio::test]
    async fn what_finds_no_room_is_not_read() {
        let mut held = Room::new(0).hold();
        let taken = take(answer(200, "", "abc"), None, 8, &mut held).await;
        assert!(matches!(taken, Err(LiveError::NoRoom)));
    }

    #[test]
    fn parts_are_asked_for_where_they_were_left() {
        assert_eq!(ask(None, 0), RangeAsk::Whole);
        assert_eq!(ask(None, 7), RangeAsk::From(7));
        assert_eq!(ask(Some(&(10..20)), 0), RangeAsk::Between(10, 19));
        assert_eq!(ask(Some(&(10..20)), 4), RangeAsk::Between(14, 19));
    }
}
