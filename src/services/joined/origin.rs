//! A joined pair as something to be transferred.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use super::JoinError;
use super::reader::{OpenError, ReadError, Reader, Sources};
use crate::media::{Layout, Mismatch, Side, Stretch};
use crate::net::{Body, MediaResponse, NetError, RangeAsk};
use crate::services::OriginError;
use crate::services::origin::LinkOrigin;
use crate::transfer::range::{Unsatisfiable, resolve_ask};
use crate::transfer::{Origin, TransferError};

/// What stands in place of a host in logs: the bytes come from two.
const HOST: &str = "joined";
/// The tracks have time-outs of their own, and take up again what broke; this one is never reached.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// The entity tag: it names the bytes of both tracks and all that was made for the joined file.
pub(super) fn etag(layout: &dyn Layout, names: &[String; 2]) -> String {
    let mut digest = Sha256::new();
    if let Some(Stretch::Made { bytes, .. }) = layout.stretch(0) {
        digest.update(bytes);
    }
    digest.update(layout.total().to_be_bytes());
    for name in names {
        digest.update((name.len() as u64).to_be_bytes());
        digest.update(name);
    }
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &digest.finalize()[..16] {
        // Writing to a text doesn't fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// See the module.
pub(in crate::services) struct JoinedOrigin {
    sources: Arc<Sources>,
    /// What the site calls the bytes of the tracks that the layout is about.
    names: [String; 2],
    etag: String,
    ended: Arc<OnceLock<End>>,
}

/// Why no more can come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A track turned out not to be what its index says.
    Mismatch,
    /// A track broke off for good: its own transfer has tried what there is to try.
    Spent,
}

impl JoinedOrigin {
    pub(super) fn new(sources: Arc<Sources>, names: [String; 2], etag: String) -> Self {
        Self {
            sources,
            names,
            etag,
            ended: Arc::default(),
        }
    }

    /// Where the bytes of the two tracks come from.
    pub(in crate::services) fn tracks(&self) -> &[Arc<LinkOrigin>; 2] {
        &self.sources.tracks
    }

    /// Whether the tracks are still those that the layout is about; new addresses may be of others.
    pub(in crate::services) fn is_same(&self) -> bool {
        let tracks = self.sources.tracks.iter().zip(&self.names);
        let mut now = tracks.map(|(track, name)| track.content().as_ref() == Some(name));
        now.all(|is_same| is_same)
    }

    async fn answer(&self, ask: RangeAsk) -> Result<Response<Body>, OpenError> {
        let total = self.sources.layout.total();
        if self.ended.get() == Some(&End::Mismatch) || !self.is_same() {
            return Ok(status(StatusCode::CONFLICT));
        }
        let (range, code) = match resolve_ask(ask, total) {
            Ok(Some(range)) => (range, StatusCode::PARTIAL_CONTENT),
            Ok(None) => (0..total, StatusCode::OK),
            Err(Unsatisfiable) => {
                let mut response = status(StatusCode::RANGE_NOT_SATISFIABLE);
                set(
                    &mut response,
                    header::CONTENT_RANGE,
                    &format!("bytes */{total}"),
                );
                return Ok(response);
            }
        };
        let reader = Reader::open(Arc::clone(&self.sources), range.clone()).await?;
        if !self.is_same() {
            return Ok(status(StatusCode::CONFLICT));
        }
        let mut response = Response::new(body(reader, Arc::clone(&self.ended)));
        *response.status_mut() = code;
        let length = range.end - range.start;
        set(&mut response, header::CONTENT_LENGTH, &length.to_string());
        if code == StatusCode::PARTIAL_CONTENT {
            let place = format!("bytes {}-{}/{total}", range.start, range.end - 1);
            set(&mut response, header::CONTENT_RANGE, &place);
        }
        let media_type = self.sources.layout.media_type();
        set(&mut response, header::CONTENT_TYPE, media_type);
        set(&mut response, header::ETAG, &self.etag);
        Ok(response)
    }

    /// The answer that an upstream would give in place of an error.
    fn refuse(&self, error: OpenError) -> Result<Response<Body>, NetError> {
        tracing::debug!(%error, "joined file not opened");
        let error = match error {
            OpenError::Join(error) => error,
            OpenError::Mismatch(mismatch) | OpenError::Read(ReadError::Mismatch(mismatch)) => {
                note_mismatch(&self.ended, mismatch);
                return Ok(status(StatusCode::CONFLICT));
            }
            OpenError::Read(_) => return Ok(status(StatusCode::BAD_GATEWAY)),
        };
        let error = match error {
            JoinError::Transfer(error) => error,
            JoinError::Origin(_) => return Ok(status(StatusCode::FORBIDDEN)),
            JoinError::Busy(_) => return Ok(status(StatusCode::SERVICE_UNAVAILABLE)),
            JoinError::Fault(_) => return Ok(status(StatusCode::CONFLICT)),
        };
        Ok(match error {
            TransferError::Net(error) => return Err(error),
            TransferError::Forbidden | TransferError::Refresh(_) => status(StatusCode::FORBIDDEN),
            TransferError::Gone => status(StatusCode::GONE),
            TransferError::RateLimited { retry_after } => {
                let mut response = status(StatusCode::TOO_MANY_REQUESTS);
                if let Some(after) = retry_after {
                    set(
                        &mut response,
                        header::RETRY_AFTER,
                        &after.as_secs().to_string(),
                    );
                }
                response
            }
            // No condition is sent on to the tracks.
            TransferError::PreconditionFailed
            | TransferError::Unsatisfiable { .. }
            | TransferError::Unusable(_) => status(StatusCode::CONFLICT),
        })
    }
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(""));
    *response.status_mut() = code;
    response
}

fn set(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

fn body(reader: Reader, ended: Arc<OnceLock<End>>) -> Body {
    let pieces = futures_util::stream::try_unfold(reader, move |mut reader| {
        let ended = Arc::clone(&ended);
        async move {
            let piece = reader.next().await.inspect_err(|error| match error {
                ReadError::Mismatch(mismatch) => note_mismatch(&ended, *mismatch),
                ReadError::Track(..) | ReadError::Short(_) => {
                    tracing::debug!(%error, "joined file broken off");
                    ended.get_or_init(|| End::Spent);
                }
            })?;
            Ok::<_, ReadError>(piece.map(|piece| (piece, reader)))
        }
    });
    Body::wrap_stream(pieces)
}

fn note_mismatch(ended: &OnceLock<End>, mismatch: Mismatch) {
    tracing::warn!(%mismatch, "a track is not what its index says");
    ended.get_or_init(|| End::Mismatch);
}

impl Origin for JoinedOrigin {
    type Error = OriginError;

    fn mirrors(&self) -> usize {
        1
    }

    async fn open(&self, _mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        if self.ended.get() == Some(&End::Spent) {
            return Err(NetError::Broken {
                host: HOST.to_owned(),
                message: "a track broke off".to_owned(),
            });
        }
        let response = match Box::pin(self.answer(ask)).await {
            Ok(response) => response,
            Err(error) => self.refuse(error)?,
        };
        Ok(MediaResponse::from_response(
            response,
            HOST.to_owned(),
            IDLE,
        ))
    }

    fn content_id(&self) -> Option<String> {
        let now = Side::BOTH.map(|side| self.sources.tracks[side.index()].content());
        let [picture, sound] = now;
        Some(format!("{}+{}", picture?, sound?))
    }

    /// The second track finds what the first was told.
    async fn refresh(&self) -> Result<(), OriginError> {
        for track in &self.sources.tracks {
            track.refresh().await?;
        }
        Ok(())
    }
}
