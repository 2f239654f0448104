//! The last bytes of a representation from any upstream that serves ranges.
//!
//! Not every one knows suffix ranges (`bytes=-n`): some ignore them, some refuse them. Where the first byte is known,
//! every one understands what is meant.

use super::answer::Question;
use super::opening::{Opening, Reply};
use super::{Origin, TransferError};
use crate::net::RangeAsk;

/// The size that the site declares, the upstream's own, and the bytes.
const TRIES: usize = 3;

/// Asks for the last `length` bytes. The size that the site declares saves a round trip when it is right; when it isn't,
/// the upstream's own counts, which its answer tells.
///
/// # Errors
/// As [`Opening::open`].
pub(super) async fn open<O: Origin>(
    opening: &mut Opening<'_, O>,
    question: &Question,
    length: u64,
) -> Result<Reply, TransferError<O::Error>> {
    let mut known = question.known_length;
    for _ in 0..TRIES {
        let ask = match known {
            Some(total) => RangeAsk::From(total.saturating_sub(length)),
            // The answer to this tells the size.
            None => RangeAsk::Between(0, 0),
        };
        let reply = opening.open(&Question { ask, ..*question }).await?;
        let total = match &reply {
            Reply::Unsatisfiable(total) => *total,
            // No ranges at all: this is the whole.
            Reply::Opened(opened) if !opened.facts.is_partial => return Ok(reply),
            Reply::Opened(opened) => opened.facts.total,
        };
        if known.is_some() && known == total && matches!(reply, Reply::Opened(_)) {
            return Ok(reply);
        }
        known = total;
    }
    Err(TransferError::Unusable("a size that changes"))
}
