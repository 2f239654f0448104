//! What TikTok's status codes mean.
//!
//! HTTP says 200 in all these cases. `statusMsg` decides first: 10204 alone says only that the page shows no post,
//! the message says whether it was deleted, hidden by its author or withheld where we are (observed by others on the
//! live site until 2026-09; code 10204 is not a sign that our address is blocked).

use super::SITE;
use crate::extract::line::one_line;
use crate::extract::{ExtractError, Unavailable};

/// Parts of a message, looked for in this order.
const MESSAGES: &[(&str, Unavailable)] = &[
    ("status_deleted", Unavailable::NotFound),
    ("doesn't exist", Unavailable::NotFound),
    ("user banned", Unavailable::NotFound),
    ("status_self_see", Unavailable::Private),
    ("cross_border", Unavailable::RegionBlocked),
    ("geo_fencing", Unavailable::RegionBlocked),
    ("geo_filter", Unavailable::RegionBlocked),
    ("status_reviewing", Unavailable::UnderReview),
    ("audit_not_pass", Unavailable::UnderReview),
    ("content_classification", Unavailable::AgeRestricted),
    ("privacy_authorization", Unavailable::Private),
];

/// Codes, where the message says nothing.
const CODES: &[(i64, Unavailable)] = &[
    (10_204, Unavailable::NotFound),
    (10_216, Unavailable::Private),
    (10_217, Unavailable::NotFound),
    (10_221, Unavailable::NotFound),
    (10_222, Unavailable::Private),
    (10_231, Unavailable::RegionBlocked),
];

/// Reads a status that stands beside no post.
///
/// # Errors
/// `Unavailable` for what the site says about the post, `Upstream` for its own trouble and for codes not known here.
pub(super) fn check(code: i64, message: &str) -> Result<(), ExtractError> {
    if code == 0 {
        return Ok(());
    }
    match by_message(message).or_else(|| by_code(code)) {
        Some(reason) => Err(unavailable(SITE, reason, &format!("{code} {message}"))),
        None => Err(ExtractError::Upstream { site: SITE, code }),
    }
}

/// What a message says about a post, if it is known.
pub(in crate::extract) fn by_message(message: &str) -> Option<Unavailable> {
    MESSAGES
        .iter()
        .find(|(part, _)| message.contains(part))
        .map(|(_, reason)| *reason)
}

fn by_code(code: i64) -> Option<Unavailable> {
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, reason)| *reason)
}

/// The error for a post that the site doesn't show; its word is kept for the log.
pub(in crate::extract) fn unavailable(
    site: &'static str,
    reason: Unavailable,
    word: &str,
) -> ExtractError {
    ExtractError::Unavailable {
        site,
        reason,
        message: one_line(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: i64, message: &str) -> Option<Unavailable> {
        match check(code, message) {
            Err(ExtractError::Unavailable { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn message_decides_before_the_code() {
        for (code, message, expected) in [
            (10_204, "item doesn't exist", Unavailable::NotFound),
            (
                10_204,
                "item_privacy_authorization&status_deleted",
                Unavailable::NotFound,
            ),
            (10_204, "status_self_see", Unavailable::Private),
            (
                10_204,
                "cross_border_violation_ur",
                Unavailable::RegionBlocked,
            ),
            (10_204, "person_geo_fencing", Unavailable::RegionBlocked),
            (10_204, "copyright_geo_filter", Unavailable::RegionBlocked),
            (10_204, "status_reviewing", Unavailable::UnderReview),
            (10_204, "status_audit_not_pass", Unavailable::UnderReview),
            (10_204, "content_classification", Unavailable::AgeRestricted),
            (10_204, "", Unavailable::NotFound),
            (10_216, "", Unavailable::Private),
            (10_217, "", Unavailable::NotFound),
            (10_221, "user banned", Unavailable::NotFound),
            (10_222, "", Unavailable::Private),
            (10_231, "", Unavailable::RegionBlocked),
        ] {
            assert_eq!(reason(code, message), Some(expected), "{code} {message}");
        }
    }

    #[test]
    fn trouble_of_the_site_and_unknown_codes_are_upstream_errors() {
        for code in [10_101, 100_004, 99_999, -1] {
            assert!(matches!(
                check(code, "SysErrPanic"),
                Err(ExtractError::Upstream { code: told, .. }) if told == code
            ));
        }
    }

    #[test]
    fn zero_is_fine() {
        assert!(check(0, "").is_ok());
    }

    #[test]
    fn word_of_the_site_is_one_short_line() {
        let error = unavailable(SITE, Unavailable::NotFound, &"a\nb".repeat(200));
        let ExtractError::Unavailable { message, .. } = error else {
            panic!("{error:?}");
        };
        assert!(message.len() < 300 && !message.contains('\n'), "{message}");
    }
}
