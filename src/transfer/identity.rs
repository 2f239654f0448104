//! Whether two answers are about the same representation, so that the bytes of one may follow those of the other.

use http::{HeaderMap, header};

/// What names a representation: its length and the upstream's validators.
///
/// The format's id is no part of it: an origin is about one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Bytes of the whole representation.
    pub(super) total: u64,
    /// Validators of the answer.
    pub(super) validators: Validators,
}

impl Identity {
    /// Whether bytes of `other` may follow bytes of `self` (reliability R1.5, R1.6).
    ///
    /// The totals must be equal. Where both have a strong `ETag` these decide, else where both have a
    /// `Last-Modified` these do; mirrors that say nothing comparable are held to the total alone.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.total == other.total && self.validators.agree(&other.validators)
    }
}

/// `ETag` and `Last-Modified` of an answer, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    /// `ETag`.
    pub(super) etag: Option<String>,
    /// `Last-Modified`.
    pub(super) last_modified: Option<String>,
}

impl Validators {
    /// Reads them; what isn't visible ASCII counts as absent.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            etag: text(headers, &header::ETAG),
            last_modified: text(headers, &header::LAST_MODIFIED),
        }
    }

    fn agree(&self, other: &Self) -> bool {
        if let (Some(ours), Some(theirs)) = (self.strong_etag(), other.strong_etag()) {
            return ours == theirs;
        }
        match (&self.last_modified, &other.last_modified) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        }
    }

    /// The entity tag, if it promises equal bytes (RFC 9110 §8.8.1).
    fn strong_etag(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| is_strong(etag))
    }

    /// Whether the text of an `If-Range` header names this very representation (RFC 9110 §13.1.5).
    ///
    /// An entity tag is compared strongly, so a weak one on either side never fits; a date must be that of
    /// `Last-Modified` exactly. Anything else doesn't fit, and the whole representation is sent.
    pub(super) fn fit_if_range(&self, if_range: &str) -> bool {
        let if_range = if_range.trim();
        if is_strong(if_range) {
            return self.strong_etag() == Some(if_range);
        }
        let Ok(asked) = httpdate::parse_http_date(if_range) else {
            return false;
        };
        let known = self.last_modified.as_deref().map(httpdate::parse_http_date);
        matches!(known, Some(Ok(known)) if known == asked)
    }
}

/// Whether `etag` is a quoted string without the weak mark: `DQUOTE *etagc DQUOTE`.
fn is_strong(etag: &str) -> bool {
    etag.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .is_some_and(|tag| !tag.contains('"'))
}

/// The text of a header that stands there once.
pub(super) fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: &str = "Mon, 02 Nov 2026 10:00:00 GMT";
    const TUESDAY: &str = "Tue, 03 Nov 2026 10:00:00 GMT";

    fn validators(etag: Option<&str>, last_modified: Option<&str>) -> Validators {
        Validators {
            etag: etag.map(str::to_owned),
            last_modified: last_modified.map(str::to_owned),
        }
    }

    fn is_same(
        ours: (u64, Option<&str>, Option<&str>),
        theirs: (u64, Option<&str>, Option<&str>),
    ) -> bool {
        let identity = |(total, etag, date)| Identity {
            total,
            validators: validators(etag, date),
        };
        identity(ours).is_same(&identity(theirs))
    }

    #[test]
    fn identity_needs_equal_totals() {
        assert!(is_same((5, None, None), (5, None, None)));
        assert!(!is_same((5, Some("\"a\""), None), (6, Some("\"a\""), None)));
    }

    #[test]
    fn identity_strong_etags_decide_over_dates() {
        let ours = (5, Some("\"a\""), Some(MONDAY));
        assert!(is_same(ours, (5, Some("\"a\""), Some(TUESDAY))));
        assert!(!is_same(ours, (5, Some("\"b\""), Some(MONDAY))));
    }

    #[test]
    fn identity_without_two_strong_etags_goes_by_dates() {
        let ours = (5, Some("W/\"a\""), Some(MONDAY));
        assert!(is_same(ours, (5, Some("W/\"b\""), Some(MONDAY))));
        assert!(is_same(ours, (5, Some("\"a\""), Some(MONDAY))));
        assert!(!is_same(ours, (5, Some("W/\"a\""), Some(TUESDAY))));
    }

    #[test]
    fn identity_without_anything_comparable_goes_by_total() {
        assert!(is_same((5, Some("\"a\""), None), (5, None, Some(MONDAY))));
    }

    #[test]
    fn if_range_strong_etag_must_be_equal() {
        let known = validators(Some("\"a\""), Some(MONDAY));
        assert!(known.fit_if_range("\"a\""));
        assert!(known.fit_if_range(" \"a\" "));
        assert!(!known.fit_if_range("\"b\""));
        assert!(!known.fit_if_range("W/\"a\""));
        assert!(!known.fit_if_range("a"));
        assert!(!known.fit_if_range("\"a\", \"b\""));
        assert!(!known.fit_if_range(""));
    }

    #[test]
    fn if_range_weak_etag_of_upstream_never_fits() {
        let known = validators(Some("W/\"a\""), None);
        assert!(!known.fit_if_range("\"a\""));
        assert!(!known.fit_if_range("W/\"a\""));
    }

    #[test]
    fn if_range_date_must_be_that_of_last_modified() {
        let known = validators(None, Some(MONDAY));
        assert!(known.fit_if_range(MONDAY));
        assert!(!known.fit_if_range(TUESDAY));
        assert!(!validators(Some("\"a\""), None).fit_if_range(MONDAY));
    }

    #[test]
    fn text_doubled_or_unprintable_header_counts_as_absent() {
        let mut headers = HeaderMap::new();
        headers.append(header::ETAG, "\"a\"".parse().unwrap());
        assert_eq!(text(&headers, &header::ETAG).as_deref(), Some("\"a\""));
        headers.append(header::ETAG, "\"b\"".parse().unwrap());
        assert_eq!(text(&headers, &header::ETAG), None);
        let binary = http::HeaderValue::from_bytes(b"\"\xff\"").unwrap();
        headers.insert(header::ETAG, binary);
        assert_eq!(text(&headers, &header::ETAG), None);
    }
}
