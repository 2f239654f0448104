//! Work at a site by a way out of its choice, and by another one when the site turns that away.

use std::sync::Arc;
use std::time::Duration;

use super::ResolveError;
use crate::extract::{Block, ExtractError};
use crate::net::{Client, Egress, Egresses, NetError, NoEgress, Turn, TurnEnd};

/// Ways out that one piece of work takes at most.
const MAX_WAYS: usize = 3;
/// When to come back where the only way out that is wanted may not be taken.
const ONLY_RETRY: Duration = Duration::from_secs(5);

/// Which way out is taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// The best.
    Any,
    /// The one of this name where it may be taken, else the best.
    Rather(&'a str),
    /// The one of this name and no other.
    Only(&'a str),
}

impl<'a> Way<'a> {
    /// The one of a name rather than another, if there is a name.
    pub(super) fn rather(name: Option<&'a str>) -> Self {
        name.map_or(Self::Any, Self::Rather)
    }

    fn name(self) -> Option<&'a str> {
        match self {
            Self::Any => None,
            Self::Rather(name) | Self::Only(name) => Some(name),
        }
    }
}

/// Work that is done, and by which way out.
#[derive(Debug)]
pub(super) struct Done<T> {
    /// What came of it.
    pub(super) value: T,
    /// The way out.
    pub(super) egress: Arc<Egress>,
    /// Its generation when the work began.
    pub(super) generation: u64,
}

/// Does `work` at `site` by the way out that is wanted.
///
/// # Errors
/// What the last way out led to; [`ResolveError::NoEgress`] when none may be taken.
pub(super) async fn by_egress<T, F>(
    egresses: &Egresses,
    site: &'static str,
    wanted: Way<'_>,
    work: impl Fn(Client) -> F,
) -> Result<Done<T>, ResolveError>
where
    F: Future<Output = Result<T, ExtractError>>,
{
    let mut tried = Vec::new();
    let mut last = None;
    while tried.len() < MAX_WAYS {
        let turn = match take(egresses, site, wanted, &tried) {
            Ok(turn) => turn,
            Err(none) => return Err(last.map_or(none.into(), ResolveError::Extract)),
        };
        let outcome = work(turn.client().clone()).await;
        let end = end_of(outcome.as_ref().err());
        let (egress, generation) = (Arc::clone(turn.egress()), turn.generation());
        turn.end(end);
        match outcome {
            Ok(value) => {
                return Ok(Done {
                    value,
                    egress,
                    generation,
                });
            }
            Err(error) if matches!(end, TurnEnd::Blocked(_) | TurnEnd::Unreachable) => {
                last = Some(error);
                tried.push(egress);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.map_or(ResolveError::Internal, ResolveError::Extract))
}

fn take(
    egresses: &Egresses,
    site: &'static str,
    wanted: Way<'_>,
    tried: &[Arc<Egress>],
) -> Result<Turn, NoEgress> {
    let turn = egresses.take(site, wanted.name(), tried)?;
    match wanted {
        Way::Only(name) if turn.egress().name() != Some(name) => Err(NoEgress {
            retry_after: ONLY_RETRY,
        }),
        _ => Ok(turn),
    }
}

/// What an error says about the way out; a site that answers of the post answers well.
fn end_of(error: Option<&ExtractError>) -> TurnEnd {
    match error {
        None
        | Some(
            ExtractError::Unavailable { .. }
            | ExtractError::CookiesNeeded { .. }
            | ExtractError::Refused(_),
        ) => TurnEnd::Well,
        // That is so everywhere, as far as is known.
        Some(ExtractError::Blocked {
            block: Block::ProtocolOnly,
            ..
        }) => TurnEnd::Unsaid,
        Some(ExtractError::Blocked { retry_after, .. }) => TurnEnd::Blocked(*retry_after),
        Some(ExtractError::Net(
            NetError::Connect { .. }
            | NetError::Timeout { .. }
            | NetError::Broken { .. }
            | NetError::Suspended { .. },
        )) => TurnEnd::Unreachable,
        Some(_) => TurnEnd::Unsaid,
    }
}
