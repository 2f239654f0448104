//! The table of reasons: words of the site, and what they mean.

use super::Kind;
use crate::extract::{Block, Unavailable};

/// One row of the table: words that stand in the status or the texts, and what they mean.
struct Rule {
    /// Statuses for which the row counts; empty = any but `OK`.
    statuses: &'static [&'static str],
    /// Any of these, in lower case, with straight apostrophes; empty = the status alone decides.
    words: &'static [&'static str],
    kind: Kind,
}

const fn rule(
    statuses: &'static [&'static str],
    words: &'static [&'static str],
    kind: Kind,
) -> Rule {
    Rule {
        statuses,
        words,
        kind,
    }
}

/// The table, the first row that fits decides. Texts as the site writes them for `hl=en`; sources: the recorded answers,
/// yt-dlp `_video.py`, `NewPipe`'s `YoutubeStreamExtractor.checkPlayabilityStatus`.
const RULES: &[Rule] = &[
    rule(
        &[],
        &["not a bot", "unusual traffic"],
        Kind::Us(Block::BotCheck),
    ),
    rule(
        &[
            "AGE_CHECK_REQUIRED",
            "AGE_VERIFICATION_REQUIRED",
            "CONTENT_CHECK_REQUIRED",
        ],
        &[],
        Kind::Post(Unavailable::AgeRestricted),
    ),
    rule(
        &[],
        &[
            "confirm your age",
            "age-restricted",
            "age restricted",
            "inappropriate for some users",
        ],
        Kind::Post(Unavailable::AgeRestricted),
    ),
    rule(
        &[],
        &["video is private", "private video", "playlist is private"],
        Kind::Post(Unavailable::Private),
    ),
    rule(
        &[],
        &[
            "channel's members",
            "members-only",
            "members only",
            "join this channel",
        ],
        Kind::Post(Unavailable::MembersOnly),
    ),
    rule(
        &[],
        &["music premium", "youtube premium", "premium members"],
        Kind::Post(Unavailable::PremiumOnly),
    ),
    rule(
        &[],
        &[
            "requires payment",
            "rent or purchase",
            "purchase this",
            "to rent",
            "to buy",
            "pay to watch",
        ],
        Kind::Post(Unavailable::PaymentRequired),
    ),
    rule(
        &[],
        &["in your country", "in your region", "in your location"],
        Kind::Post(Unavailable::RegionBlocked),
    ),
    rule(
        &["LIVE_STREAM_OFFLINE"],
        &[],
        Kind::Post(Unavailable::Upcoming { starts_at: None }),
    ),
    rule(
        &[],
        &["processing this video", "still being processed"],
        Kind::Post(Unavailable::Processing),
    ),
    rule(&[], &["try again later"], Kind::Us(Block::RateLimited)),
    rule(
        &[],
        &["protected content", "drm"],
        Kind::Post(Unavailable::Drm),
    ),
    rule(
        &[],
        &["please sign in", "sign in to"],
        Kind::Post(Unavailable::LoginRequired),
    ),
    rule(
        &["ERROR"],
        &[
            "unavailable",
            "not exist",
            "removed",
            "terminated",
            "deleted",
            "no longer available",
        ],
        Kind::Post(Unavailable::NotFound),
    ),
    rule(
        &["UNPLAYABLE"],
        &["removed", "terminated", "no longer available"],
        Kind::Post(Unavailable::NotFound),
    ),
    rule(
        &[],
        &["not available", "unavailable", "isn't available"],
        Kind::NotHere,
    ),
    rule(
        &["LOGIN_REQUIRED"],
        &[],
        Kind::Post(Unavailable::LoginRequired),
    ),
];

/// What a status and its texts mean; `texts` in lower case, with straight apostrophes.
pub(super) fn meaning(word: &str, texts: &str) -> Option<Kind> {
    RULES
        .iter()
        .find(|rule| {
            let fits_status = rule.statuses.is_empty() || rule.statuses.contains(&word);
            let fits_words =
                rule.words.is_empty() || rule.words.iter().any(|part| texts.contains(part));
            fits_status && fits_words
        })
        .map(|rule| rule.kind)
}
