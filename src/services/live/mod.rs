//! A post that is on air: its playlist and all that is named there, read through the guarded client. What a playlist names
//! is somebody else's word: nothing off the hosts of the site's media is asked for, wherever a redirect leads.

mod reading;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::{Method, StatusCode};
use url::Url;

use self::reading::Step;
pub use self::reading::{Arrived, Reading};
use super::room::{Held, Room};
use super::{ResolveError, Resolver};
use crate::extract::{Extractor, LivePost, Source};
use crate::net::{Jar, MediaRequest, NetError};

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
    pub(crate) fn new(
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
    /// common room.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn read(
        &self,
        address: &Url,
        part: Option<Range<u64>>,
        limit: (usize, &Room),
    ) -> Result<Held, LiveError> {
        let mut reading = Reading::new(address, part, limit, Arrived::default());
        self.go_on(&mut reading).await?;
        Ok(reading.into_held())
    }

    /// Reads until all of it is held; what breaks off is taken up again at the next byte. May be dropped while it waits,
    /// and then goes on where it was; after an error it does not.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn go_on(&self, reading: &mut Reading) -> Result<(), LiveError> {
        let post = self.post.load_full();
        let client = self
            .resolver
            .client_by(post.session.egress.as_deref(), self.source.site);
        loop {
            let step = if reading.is_open() {
                reading.take().await?
            } else {
                let range = reading.ask()?;
                let request = MediaRequest {
                    method: Method::GET,
                    url: reading.address().as_str(),
                    range,
                    headers: &post.session.headers,
                    jar: &Jar::new(None),
                    // The hosts around the address that the site itself gave.
                    hosts: self.extractor.redirect_hosts(&post.playlist),
                };
                let family = self.extractor.address_family(request.url);
                match Box::pin(client.open_by(family, request)).await {
                    Ok(answer) => reading.open(answer)?,
                    Err(error @ (NetError::Guard(_) | NetError::Redirect { .. })) => {
                        return Err(LiveError::Forbidden(error));
                    }
                    Err(error) => Step::Cut(error.to_string()),
                }
            };
            match step {
                Step::Whole => return Ok(()),
                Step::More => {}
                Step::Cut(message) => {
                    let is_tried_again = reading.is_tried_again();
                    let host = reading.address().host_str().unwrap_or_default();
                    if !is_tried_again || !client.take_retry(host) {
                        return Err(LiveError::Broken(message));
                    }
                }
            }
        }
    }
}
