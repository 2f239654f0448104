//! Bytes from an upstream to a client: bounded, resumable, and never ended cleanly unless they are all there.
//!
//! Knows no site and no link: `services` brings an [`Origin`].

mod answer;
mod body;
mod channel;
mod conditions;
mod engine;
mod etag;
mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod identity;
mod opening;
mod pace;
mod patience;
mod permits;
mod pump;
pub mod range;
mod settings;
mod share;
mod sniff;
mod stats;
mod suffix;
mod tail;
#[cfg(test)]
mod tests;
mod wish;

use std::num::NonZeroU64;

use crate::net::{MediaResponse, NetError, RangeAsk};

pub use body::{Broken, TransferBody};
pub use conditions::Preconditions;
pub use engine::{Engine, Engines, ShutdownHandles};
pub use permits::{Admission, Busy, Permit};
pub use settings::TransferConfig;
pub use stats::{Outcome, Report, Stats};
pub use wish::Ask;

/// Where the bytes of one representation can be read. Implemented by `services`, which knows sites and sessions.
pub trait Origin: Send + Sync + 'static {
    /// Why asking the site anew failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// How many addresses are known now; at least 1.
    fn mirrors(&self) -> usize;

    /// Asks address number `mirror` for bytes.
    fn open(
        &self,
        mirror: usize,
        ask: RangeAsk,
    ) -> impl Future<Output = Result<MediaResponse, NetError>> + Send;

    /// Takes a retry at the host of address number `mirror` out of its budget; `false` when that is used up. The transfer
    /// then waits longer, and goes on all the same.
    fn take_retry(&self, _mirror: usize) -> bool {
        true
    }

    /// Most bytes that one request may ask for; more are read in parts, one after the other.
    fn part_bytes(&self) -> Option<NonZeroU64> {
        None
    }

    /// What the site says that the addresses of now hold; `None` when it doesn't say. Addresses that hold something else
    /// don't go on with what was begun.
    fn content_id(&self) -> Option<String> {
        None
    }

    /// Asks the site anew and replaces the addresses.
    fn refresh(&self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// What names the format in the memory of proven tails; `None` when the end is not to be proven before the
    /// beginning is served, as a site may ask for.
    fn tail_key(&self) -> Option<String> {
        None
    }
}

/// What the bytes are supposed to be; an answer that is plainly something else is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Video or sound: `text/*`, JSON and HTML are refused.
    Media,
    /// A picture.
    Image,
}

/// The head of what will be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// 304: the client has it already, and gets no body.
    pub is_not_modified: bool,
    /// For a partial answer the half-open range that is sent.
    pub range: Option<std::ops::Range<u64>>,
    /// Bytes of the whole representation, when known.
    pub total: Option<u64>,
    /// Whether the upstream serves ranges.
    pub accepts_ranges: bool,
    /// Entity tag as the upstream gave it.
    pub etag: Option<String>,
    /// `Last-Modified` as the upstream gave it.
    pub last_modified: Option<String>,
    /// `Content-Type` as the upstream gave it.
    pub content_type: Option<String>,
}

impl Head {
    /// Bytes of the body to be sent, when known.
    pub fn content_length(&self) -> Option<u64> {
        match &self.range {
            Some(range) => Some(range.end - range.start),
            None => self.total,
        }
    }
}

/// Why nothing is sent; decided before the head goes out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError<E: std::error::Error + 'static> {
    /// No byte of the representation is asked for.
    #[error("range not satisfiable of {total} bytes")]
    Unsatisfiable {
        /// Bytes of the whole representation.
        total: u64,
    },
    /// 412: the representation is not what the client's conditions want.
    #[error("precondition failed")]
    PreconditionFailed,
    /// All addresses answer 401 or 403, before and after asking the site anew.
    #[error("upstream refuses the media")]
    Forbidden,
    /// All addresses answer 404 or 410, before and after asking the site anew.
    #[error("upstream has no such media")]
    Gone,
    /// 429.
    #[error("upstream limits the rate")]
    RateLimited {
        /// The upstream's `Retry-After`, if it sent one.
        retry_after: Option<std::time::Duration>,
    },
    /// Another status, a wrong type, or an answer that contradicts itself.
    #[error("upstream answer not usable: {0}")]
    Unusable(&'static str),
    /// The network failed.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Asking the site anew failed.
    #[error("refresh: {0}")]
    Refresh(#[source] E),
}

/// A transfer whose head is known and whose first byte is there.
#[derive(Debug)]
pub struct Transfer {
    /// Head to be sent.
    pub head: Head,
    /// Body to be sent; empty for HEAD and 304.
    pub body: TransferBody,
    /// What is to be told of it in the log; `None` where there is no body to tell of.
    pub report: Option<Report>,
}
