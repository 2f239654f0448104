//! Why an upstream's answer doesn't do, by what can be done about it.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::identity::text;
use super::range::{ContentRange, exact_number, parse_content_range};
use crate::net::NetError;

/// Why an answer doesn't do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// 401 or 403.
    #[error("forbidden")]
    Forbidden,
    /// 404 or 410.
    #[error("gone")]
    Gone,
    /// 429.
    #[error("rate limited")]
    RateLimited {
        /// `Retry-After` in seconds; its date form counts as absent.
        retry_after: Option<Duration>,
    },
    /// 416.
    #[error("range not satisfiable")]
    Unsatisfiable {
        /// Bytes of the whole representation, if the upstream says.
        total: Option<u64>,
    },
    /// 5xx.
    #[error("status 5xx")]
    Server,
    /// The body ended before its first byte.
    #[error("no byte came")]
    Cut,
    /// Something else than was asked for.
    #[error("{0}")]
    Unusable(&'static str),
    /// No answer.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl Fault {
    /// The address has expired or never worked; a new one may.
    pub(super) fn is_access(&self) -> bool {
        matches!(self, Self::Forbidden | Self::Gone)
    }

    /// The same request may succeed a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Server | Self::Cut => true,
            Self::Net(error) => error.may_retry(),
            _ => false,
        }
    }
}

/// Lets 200 and 206 pass.
///
/// # Errors
/// The [`Fault`] that any other status stands for.
pub(super) fn check_status(status: StatusCode, headers: &HeaderMap) -> Result<(), Fault> {
    match status.as_u16() {
        200 | 206 => Ok(()),
        401 | 403 => Err(Fault::Forbidden),
        404 | 410 => Err(Fault::Gone),
        416 => Err(Fault::Unsatisfiable {
            total: unsatisfied_total(headers),
        }),
        429 => Err(Fault::RateLimited {
            retry_after: retry_after(headers),
        }),
        500..=599 => Err(Fault::Server),
        _ => Err(Fault::Unusable("status")),
    }
}

fn unsatisfied_total(headers: &HeaderMap) -> Option<u64> {
    match parse_content_range(&text(headers, &header::CONTENT_RANGE)?)? {
        ContentRange::Unsatisfied { total } => Some(total),
        ContentRange::Part { .. } => None,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = exact_number(&text(headers, &header::RETRY_AFTER)?)?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, pairs: &[(&'static str, &'static str)]) -> Result<(), Fault> {
        let headers = pairs.iter().map(|(name, value)| {
            let name = header::HeaderName::from_static(name);
            (name, header::HeaderValue::from_static(value))
        });
        check_status(StatusCode::from_u16(status).unwrap(), &headers.collect())
    }

    #[test]
    fn fault_status_becomes_its_fault() {
        for status in [401, 403] {
            assert!(matches!(judge(status, &[]), Err(Fault::Forbidden)));
        }
        for status in [404, 410] {
            assert!(matches!(judge(status, &[]), Err(Fault::Gone)));
        }
        for status in [500, 503, 599] {
            assert!(matches!(judge(status, &[]), Err(Fault::Server)));
        }
        for status in [204, 304, 400, 418] {
            assert!(matches!(judge(status, &[]), Err(Fault::Unusable("status"))));
        }
    }

    #[test]
    fn fault_416_and_429_carry_their_figures() {
        let unsatisfiable = |pairs: &[_]| match judge(416, pairs) {
            Err(Fault::Unsatisfiable { total }) => total,
            other => panic!("{other:?}"),
        };
        assert_eq!(unsatisfiable(&[("content-range", "bytes */10")]), Some(10));
        assert_eq!(unsatisfiable(&[("content-range", "bytes 0-1/10")]), None);
        let limited = |pairs: &[_]| match judge(429, pairs) {
            Err(Fault::RateLimited { retry_after }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            limited(&[("retry-after", "7")]),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            limited(&[("retry-after", "Mon, 02 Nov 2026 10:00:00 GMT")]),
            None
        );
        assert_eq!(limited(&[]), None);
    }
}
