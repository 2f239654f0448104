//! The proof that the end of a representation can be read, asked for at the same time as its beginning.
//!
//! A link that answers its first bytes and dies at the end would be a cut file; with this it is an error status.

use std::time::Duration;

use http::StatusCode;
use moka::future::Cache;

use super::Origin;
use super::answer::{Facts, Question, check};
use super::fault::Fault;
use crate::net::RangeAsk;

/// Formats whose proof is remembered; about 100 bytes each.
const MAX_PROOFS: u64 = 4096;
/// How long a proof counts: as long as an extraction is cached by default, so one proof per set of addresses.
const PROOF_TTL: Duration = Duration::from_secs(300);

/// That the end of a representation was read, or that its upstream can't be asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// Bytes of the whole representation; `None` when the upstream doesn't tell.
    total: Option<u64>,
}

impl Proof {
    /// Whether the proof is about the representation that `facts` tell of.
    pub(super) fn covers(self, facts: &Facts) -> bool {
        self.total == facts.total
    }
}

/// The proofs of late, by format.
#[derive(Debug, Clone)]
pub(super) struct Tails {
    proofs: Cache<String, Proof>,
}

impl Tails {
    pub(super) fn new() -> Self {
        Self {
            proofs: Cache::builder()
                .max_capacity(MAX_PROOFS)
                .time_to_live(PROOF_TTL)
                .build(),
        }
    }

    pub(super) async fn get(&self, key: &str) -> Option<Proof> {
        self.proofs.get(key).await
    }

    pub(super) async fn keep(&self, key: &str, proof: Proof) {
        self.proofs.insert(key.to_owned(), proof).await;
    }
}

/// What came of asking for the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// It was read, and is the last one of so many.
    Read(u64),
    /// The whole representation came instead, and was not read: the upstream knows no such range, or none at all.
    Ignored,
    /// The upstream knows no such range, or the byte isn't the last one.
    Missed,
}

impl Tail {
    /// Whether there is nothing more to ask about the representation that `facts` tell of.
    pub(super) fn settles(self, facts: &Facts) -> bool {
        match self {
            Self::Read(proven) => facts.total.is_none_or(|total| total == proven),
            Self::Ignored | Self::Missed => !facts.is_partial,
        }
    }

    /// What asking for the byte that `facts` name the last one proves.
    ///
    /// # Errors
    /// The upstream serves ranges, but not that one.
    pub(super) fn prove(self, facts: &Facts) -> Result<Proof, Fault> {
        match self {
            Self::Read(_) if !self.settles(facts) => {
                Err(Fault::Unusable("beginning and end of different files"))
            }
            Self::Missed if facts.is_partial => Err(Fault::Unusable("no last byte")),
            _ => Ok(Proof { total: facts.total }),
        }
    }
}

/// Reads the last byte from one mirror: of a representation of `total` bytes as far as is known. `question` is that of
/// the beginning.
///
/// # Errors
/// The mirror can't deliver its end, so it is of no use.
pub(super) async fn probe<O: Origin>(
    origin: &O,
    mirror: usize,
    question: &Question,
    total: Option<u64>,
) -> Result<Tail, Fault> {
    let last = total.and_then(|total| total.checked_sub(1));
    let ask = last.map_or(RangeAsk::Suffix(1), |last| RangeAsk::Between(last, last));
    let question = Question { ask, ..*question };
    let mut response = origin.open(mirror, ask).await?;
    match response.status {
        StatusCode::OK => return Ok(Tail::Ignored),
        StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Tail::Missed),
        // A suffix is no syntax that every upstream knows.
        StatusCode::BAD_REQUEST if last.is_none() => return Ok(Tail::Missed),
        _ => {}
    }
    let facts = check(response.status, &response.headers, &question)?;
    while let Some(piece) = response.chunk().await? {
        if !piece.is_empty() {
            let last = facts.total.filter(|total| facts.end == Some(*total));
            return Ok(last.map_or(Tail::Missed, Tail::Read));
        }
    }
    Err(Fault::Cut)
}
