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

/// A last byte that was read, or an upstream that can't be asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// Bytes of the whole representation; `None` when the upstream knows no suffix ranges.
    total: Option<u64>,
}

impl Proof {
    /// Whether the proof is about the representation that `facts` tell of.
    pub(super) fn covers(self, facts: &Facts) -> bool {
        match (self.total, facts.total) {
            (Some(proven), Some(total)) => proven == total,
            _ => true,
        }
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

/// Reads the last byte from one mirror. `question` is that of the beginning.
///
/// # Errors
/// The mirror can't deliver its end, so it is of no use.
pub(super) async fn probe<O: Origin>(
    origin: &O,
    mirror: usize,
    question: &Question,
) -> Result<Proof, Fault> {
    let question = Question {
        ask: RangeAsk::Suffix(1),
        ..*question
    }
    .within(origin.part_bytes());
    let mut response = origin.open(mirror, question.ask).await?;
    // The whole representation instead: dropped unread. The beginning's answer says the rest.
    if response.status == StatusCode::OK {
        return Ok(Proof { total: None });
    }
    let facts = match check(response.status, &response.headers, &question) {
        // Every representation but the empty one has a last byte, so this upstream knows no suffix ranges.
        Err(Fault::Unsatisfiable { .. }) => return Ok(Proof { total: None }),
        checked => checked?,
    };
    while let Some(piece) = response.chunk().await? {
        if !piece.is_empty() {
            return Ok(Proof { total: facts.total });
        }
    }
    Err(Fault::Cut)
}
