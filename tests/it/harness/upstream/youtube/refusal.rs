//! Everything that the interface says instead of playing a video.

use serde_json::{Value, json};

/// What stands in place of a player.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// "Not a bot".
    BotCheck,
    /// A captcha in place of the player.
    Captcha,
    /// "Confirm your age", as `LOGIN_REQUIRED`.
    Age,
    /// A status of its own for age.
    AgeCheck,
    /// Private.
    Private,
    /// For members of the channel.
    Members,
    /// For subscribers of a paid plan.
    Premium,
    /// To be rented or bought.
    Payment,
    /// Not in this country.
    Country,
    /// "Not available": what VISIONOS says of videos made for kids.
    NotAvailable,
    /// Still being processed.
    Processing,
    /// "Please sign in".
    SignIn,
    /// Too many requests.
    RateLimit,
    /// A broadcast that begins at this second.
    Upcoming(u64),
    /// Taken down, or never there.
    Missing,
    /// Removed for a violation.
    Removed,
    /// No answer in the answer.
    Empty,
    /// As recorded.
    Recorded(Value),
}

impl Refusal {
    /// `playabilityStatus`; `None`: the answer is an empty object.
    pub(super) fn playability(&self) -> Option<Value> {
        let status = match self {
            Self::Empty => return None,
            Self::Recorded(status) => return Some(status.clone()),
            Self::BotCheck => json!({
                "status": "LOGIN_REQUIRED",
                "reason": "Sign in to confirm you\u{2019}re not a bot",
                "messages": ["This helps protect our community. Learn more"],
            }),
            Self::Captcha => json!({
                "status": "LOGIN_REQUIRED",
                "errorScreen": { "playerCaptchaViewModel": { "captcha": "1" } },
            }),
            Self::Age => json!({
                "status": "LOGIN_REQUIRED",
                "reason": "Sign in to confirm your age",
                "errorScreen": screen(
                    "Sign in to confirm your age",
                    "This video may be inappropriate for some users.",
                ),
                "desktopLegacyAgeGateReason": 1,
            }),
            Self::AgeCheck => json!({ "status": "AGE_VERIFICATION_REQUIRED", "reason": "Verify" }),
            Self::Private => json!({
                "status": "LOGIN_REQUIRED",
                "reason": "This video is private",
                "messages": ["This is a private video. Please sign in to verify that you may see it."],
            }),
            Self::Payment => json!({
                "status": "UNPLAYABLE",
                "reason": "This video requires payment to watch",
                "errorScreen": {
                    "playerLegacyDesktopYpcTrailerRenderer": { "trailerVideoId": "trailer0001" },
                },
            }),
            Self::Upcoming(at) => json!({
                "status": "LIVE_STREAM_OFFLINE",
                "reason": "This live event will begin in 18 hours.",
                "liveStreamability": { "liveStreamabilityRenderer": { "offlineSlate": {
                    "liveStreamOfflineSlateRenderer": { "scheduledStartTime": at.to_string() },
                } } },
            }),
            other => other.worded(),
        };
        Some(status)
    }

    /// Those that differ by their words alone.
    fn worded(&self) -> Value {
        let (status, reason, subreason) = match self {
            Self::Members => (
                "UNPLAYABLE",
                "This video is available to this channel's members on level: Crew (or any higher level). \
                 Join this channel to get access to members-only content and other exclusive perks.",
                "",
            ),
            Self::Premium => (
                "UNPLAYABLE",
                "This video is only available to Music Premium members",
                "",
            ),
            Self::Country => (
                "UNPLAYABLE",
                "Video unavailable",
                "The uploader has not made this video available in your country",
            ),
            Self::NotAvailable => ("UNPLAYABLE", "This video is not available", ""),
            Self::Processing => (
                "UNPLAYABLE",
                "We're processing this video. Check back later.",
                "",
            ),
            Self::SignIn => ("UNPLAYABLE", "Please sign in", ""),
            Self::RateLimit => (
                "UNPLAYABLE",
                "This content isn\u{2019}t available, try again later.",
                "",
            ),
            Self::Removed => (
                "ERROR",
                "This video has been removed for violating YouTube's Terms of Service",
                "",
            ),
            _ => (
                "ERROR",
                "Video unavailable",
                "This video isn't available anymore",
            ),
        };
        json!({ "status": status, "reason": reason, "errorScreen": screen(reason, subreason) })
    }
}

fn screen(reason: &str, subreason: &str) -> Value {
    json!({ "playerErrorMessageRenderer": {
        "reason": { "simpleText": reason },
        "subreason": { "runs": [{ "text": subreason }] },
    } })
}
