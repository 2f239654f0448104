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
    /// The totals must be equal, and so must each validator that both have; equal strong `ETag`s decide alone. An
    /// answer that names nothing comparable where the first named something is taken for another representation: a
    /// visible break is better than bytes of two files.
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
        let etags = both(self.opaque_tag(), other.opaque_tag());
        let dates = both(
            self.last_modified.as_deref(),
            other.last_modified.as_deref(),
        );
        match (etags, dates) {
            (None, None) => self.etag.is_none() && self.last_modified.is_none(),
            (etags, dates) => etags.unwrap_or(true) && dates.unwrap_or(true),
        }
    }

    /// The entity tag without the weak mark: whether bytes may have changed (RFC 9110 §8.8.3.2, weak comparison).
    fn opaque_tag(&self) -> Option<&str> {
        let etag = self.etag.as_deref()?;
        Some(etag.strip_prefix("W/").unwrap_or(etag))
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

/// Whether two values are equal, if both are there.
fn both(ours: Option<&str>, theirs: Option<&str>) -> Option<bool> {
    Some(ours? == theirs?)
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
    fn identity_weak_etags_that_differ_are_two_files() {
        let (one, two) = (Some("W/\"1\""), Some("W/\"2\""));
        assert!(is_same((5, one, None), (5, one, None)));
        assert!(!is_same((5, one, None), (5, two, None)));
        assert!(!is_same((5, one, Some(MONDAY)), (5, two, Some(MONDAY))));
        assert!(!is_same((5, Some("\"1\""), None), (5, two, None)));
        assert!(is_same((5, Some("\"1\""), None), (5, one, None)));
    }

    #[test]
    fn identity_that_loses_its_name_is_another() {
        let named = (5, Some("\"a\""), Some(MONDAY));
        assert!(!is_same(named, (5, None, None)));
        assert!(!is_same((5, Some("\"a\""), None), (5, None, Some(MONDAY))));
        assert!(is_same(named, (5, None, Some(MONDAY))));
        assert!(is_same((5, None, None), named));
    }

    #[test]
    fn identity_strong_etags_decide_over_dates() {
        let ours = (5, Some("\"a\""), Some(MONDAY));
        assert!(is_same(ours, (5, Some("\"a\""), Some(TUESDAY))));
        assert!(!is_same(ours, (5, Some("\"b\""), Some(MONDAY))));
    }

    #[test]
    fn identity_without_two_strong_etags_needs_tags_and_dates() {
        let ours = (5, Some("W/\"a\""), Some(MONDAY));
        assert!(is_same(ours, (5, Some("\"a\""), Some(MONDAY))));
        assert!(!is_same(ours, (5, Some("W/\"a\""), Some(TUESDAY))));
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
