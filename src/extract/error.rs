//! Why a site gave no media.

use std::time::Duration;

use serde_json::error::Category;

use super::Refusal;
use crate::net::NetError;

/// Why the site says no to one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unavailable {
    /// Deleted, banned, or never existed.
    NotFound,
    /// The author restricted it.
    Private,
    /// Only visible when logged in.
    LoginRequired,
    /// Behind an age or sensitivity gate.
    AgeRestricted,
    /// Withheld in the region we ask from.
    RegionBlocked,
    /// Under review, or failed it.
    UnderReview,
    /// Only for members of the channel.
    MembersOnly,
    /// Only for subscribers of the site.
    PremiumOnly,
    /// To be bought or rented.
    PaymentRequired,
    /// Every format is encrypted.
    Drm,
    /// Announced for later.
    Upcoming {
        /// Unix time of the start, when the site says it.
        starts_at: Option<u64>,
    },
    /// A broadcast that is on air now.
    Live,
    /// Not ready yet: the site is still working on it.
    Processing,
}

/// How the site turned our request away, whatever post was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Block {
    /// The page answered 403.
    Forbidden,
    /// A captcha page.
    Captcha,
    /// A maintenance page: the header set or the address is refused.
    Maintenance,
    /// A redirect in place of an answer: to a login, a question for consent, a home page.
    SentAway,
    /// 429.
    RateLimited,
    /// The site takes our address for a robot's and wants a login.
    BotCheck,
    /// Media are offered only through the site's own streaming protocol, which we don't speak.
    ProtocolOnly,
}

impl Block {
    /// What the operator can do about it, for the answer and the log.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::BotCheck | Self::Captcha => Some(
                "the site distrusts this server's address: set a cookie file of a logged-in browser, or another \
                 way out with PROXY, and wait before trying again",
            ),
            Self::RateLimited => Some(
                "the site limits this server's address: ask less often, or set another way out with PROXY",
            ),
            Self::ProtocolOnly => Some(
                "the site withholds direct addresses from this server: try another way out with PROXY",
            ),
            Self::Forbidden | Self::Maintenance | Self::SentAway => None,
        }
    }
}

/// Where reading JSON stopped, and why. The reader's own words are left out: they repeat the text of the answer where
/// it has another type than expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{category:?} at line {line} column {column}")]
pub struct JsonFault {
    /// Broken off, no JSON, or JSON of another shape.
    pub category: Category,
    /// Counted from 1.
    pub line: usize,
    /// Bytes into the line, counted from 1; 0 where the line before it ended.
    pub column: usize,
}

impl From<serde_json::Error> for JsonFault {
    fn from(error: serde_json::Error) -> Self {
        Self {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Why an extraction failed, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The site says no to this post; asking again will not help.
    #[error("{site}: unavailable: {reason:?}: {message}")]
    Unavailable {
        /// Site name.
        site: &'static str,
        /// What the caller is told.
        reason: Unavailable,
        /// The site's own word, for the log.
        message: String,
    },
    /// The post is withheld where we ask from, and the site says where it is not.
    #[error("{site}: unavailable here: {message}")]
    RegionBlocked {
        /// Site name.
        site: &'static str,
        /// Two-letter regions in which it can be seen, sorted.
        available_in: Vec<String>,
        /// The site's own word, for the log.
        message: String,
    },
    /// The site turns us away; another egress or a later time may help.
    #[error("{site}: blocked: {block:?}")]
    Blocked {
        /// Site name.
        site: &'static str,
        /// How.
        block: Block,
        /// The site's own `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The site wants fresh cookies, which only the operator can bring.
    #[error("{site}: fresh cookies are needed: {advice}")]
    CookiesNeeded {
        /// Site name.
        site: &'static str,
        /// What the operator does; names the variable and the default file, no path of this machine.
        advice: &'static str,
    },
    /// The challenge of the site was not solved within the bounds.
    #[error("{site}: challenge not solved: {message}")]
    Challenge {
        /// Site name.
        site: &'static str,
        /// What failed.
        message: &'static str,
    },
    /// The answer did not have the shape we know: the site changed.
    #[error("{site}: unexpected answer in {step}")]
    Shape {
        /// Site name.
        site: &'static str,
        /// Which part of the answer.
        step: &'static str,
        /// Where the JSON reader stopped.
        #[source]
        source: Option<JsonFault>,
    },
    /// The site has trouble of its own: HTTP 5xx, or its own status code for it.
    #[error("{site}: answered with code {code}")]
    Upstream {
        /// Site name.
        site: &'static str,
        /// HTTP status or the site's own status code.
        code: i64,
    },
    /// The site does not understand the request; asking the same again will not help. It changed, or what the caller
    /// brought with it is none of its own.
    #[error("{site}: request refused with code {code}")]
    Rejected {
        /// Site name.
        site: &'static str,
        /// HTTP status.
        code: u16,
    },
    /// A short link led to something that is not served.
    #[error("short link leads to no post: {0:?}")]
    Refused(Refusal),
    /// The network failed.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl ExtractError {
    /// The word for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } | Self::RegionBlocked { .. } => "unavailable",
            Self::Blocked { .. } => "blocked",
            Self::CookiesNeeded { .. } => "cookies_needed",
            Self::Challenge { .. } => "challenge",
            Self::Shape { .. } => "shape",
            Self::Upstream { .. } => "upstream",
            Self::Rejected { .. } => "rejected",
            Self::Refused(_) => "refused",
            Self::Net(NetError::Timeout { .. }) => "timeout",
            Self::Net(NetError::Suspended { .. }) => "suspended",
            Self::Net(_) => "network",
        }
    }

    /// Whether it is about the post alone and says nothing against the site or our way to it.
    pub fn is_of_post(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::RegionBlocked { .. } | Self::Refused(_)
        )
    }

    /// Whether the same request may succeed when it is sent again at once.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Net(error) => error.may_retry(),
            Self::Shape { .. } | Self::Upstream { .. } => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_says_where_and_never_what() {
        const CANARY: &str = "sent-by-the-site";
        for text in [
            format!("\"{CANARY}\""),
            format!("{{\"{CANARY}\": 1}}"),
            format!("[1, \"{CANARY}\""),
            format!("{{\n{CANARY}"),
        ] {
            let source = serde_json::from_str::<Vec<u8>>(&text).unwrap_err();
            let error = ExtractError::Shape {
                site: "a-site",
                step: "answer",
                source: Some(source.into()),
            };
            let cause = std::error::Error::source(&error).unwrap();
            let said = format!("{error} {error:?} {cause} {cause:?}");
            assert!(!said.contains(CANARY), "{said}");
        }
        let source = serde_json::from_str::<u8>("1,\n").unwrap_err();
        assert_eq!(
            JsonFault::from(source).to_string(),
            "Syntax at line 1 column 2"
        );
    }
}
