//! What an answer says about the video: playable, or why not (youtube.md §2.5). Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod rules;

use std::time::Duration;

use super::SITE;
use super::formats::Mapped;
use super::response::player::{PlayabilityStatus, Player};
use super::response::text::plain;
use crate::extract::line::one_line;
use crate::extract::{Block, ExtractError, Unavailable};

/// How long to wait after the site took us for a robot; it forgets slowly, and asking on makes it worse.
const BOT_CHECK_WAIT: Duration = Duration::from_secs(600);
/// How long to wait after the site limited us: it says an hour at most (yt-dlp wiki, `Extractors`).
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(3600);
/// Why a client may not play a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Which kind of no.
    pub(super) kind: Kind,
    /// The site's own words, on a line.
    pub(super) message: String,
    /// For a video withheld here: the regions where it is not, as far as they are known.
    pub(super) available_in: Vec<String>,
}

/// Which kind of no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that every client would say.
    Post(Unavailable),
    /// Something about us.
    Us(Block),
    /// "Not available", which may mean this client only (made for kids).
    NotHere,
    /// A status without a reason that we know.
    Unknown,
}

/// What is done after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The next client may do better.
    Client,
    /// Once more with a new visitor id, then no further.
    NewVisitor,
    /// No client will do better.
    Stop,
}

impl Fault {
    pub(super) fn new(kind: Kind, message: &str) -> Self {
        Self {
            kind,
            message: one_line(message),
            available_in: Vec::new(),
        }
    }

    /// The same with what a web client's answer says besides: only those are told where a video can be seen.
    pub(super) fn informed_by(self, web: &Player) -> Self {
        match self.kind {
            Kind::Post(Unavailable::RegionBlocked) if self.available_in.is_empty() => Self {
                available_in: regions(web),
                ..self
            },
            _ => self,
        }
    }

    /// What to do after it.
    pub(super) fn next(&self) -> Next {
        match self.kind {
            Kind::Us(Block::BotCheck) => Next::NewVisitor,
            Kind::Us(Block::RateLimited)
            | Kind::Post(
                Unavailable::Private
                | Unavailable::MembersOnly
                | Unavailable::PremiumOnly
                | Unavailable::PaymentRequired
                | Unavailable::RegionBlocked
                | Unavailable::Upcoming { .. }
                | Unavailable::Live
                | Unavailable::Processing,
            ) => Next::Stop,
            // Also a missing video: one client says so of videos that another one plays.
            _ => Next::Client,
        }
    }

    /// How much the fault tells; of several the most telling one is reported.
    pub(super) fn weight(&self) -> u8 {
        match self.kind {
            Kind::Unknown => 0,
            Kind::NotHere => 1,
            Kind::Post(Unavailable::NotFound) => 2,
            Kind::Us(_) => 3,
            Kind::Post(Unavailable::LoginRequired) => 4,
            Kind::Post(_) => 5,
        }
    }

    /// The word for metrics: that of the error it becomes.
    pub(super) fn as_str(&self) -> &'static str {
        match self.kind {
            Kind::Post(_) | Kind::NotHere => "unavailable",
            Kind::Us(_) => "blocked",
            Kind::Unknown => "shape",
        }
    }

    /// The fault as the extraction's error.
    pub(super) fn into_error(self) -> ExtractError {
        let unavailable = |reason| ExtractError::Unavailable {
            site: SITE,
            reason,
            message: self.message.clone(),
        };
        match self.kind {
            Kind::Post(Unavailable::RegionBlocked) if !self.available_in.is_empty() => {
                ExtractError::RegionBlocked {
                    site: SITE,
                    available_in: self.available_in,
                    message: self.message,
                }
            }
            Kind::Post(reason) => unavailable(reason),
            Kind::NotHere => unavailable(Unavailable::NotFound),
            Kind::Us(block) => ExtractError::Blocked {
                site: SITE,
                block,
                retry_after: wait(block),
            },
            Kind::Unknown => ExtractError::Shape {
                site: SITE,
                step: "playability status",
                source: None,
            },
        }
    }
}

/// How long to wait after a block.
fn wait(block: Block) -> Option<Duration> {
    match block {
        Block::BotCheck => Some(BOT_CHECK_WAIT),
        Block::RateLimited => Some(RATE_LIMIT_WAIT),
        _ => None,
    }
}

/// Why the video of an answer may not be played; `None` when it may.
pub(super) fn fault(player: &Player) -> Option<Fault> {
    let Some(status) = player.playability_status.as_ref() else {
        // The reel of an unknown video is `{}` (recorded).
        return Some(Fault::new(
            Kind::Post(Unavailable::NotFound),
            "no playability status",
        ));
    };
    let by_status = of_status(status);
    let details = player.video_details.as_ref();
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    if let Some(details) = details.filter(|_| by_status.is_none()) {
        let kind = match () {
            () if is(*details.is_upcoming) => Unavailable::Upcoming {
                starts_at: starts_at(status),
            },
            () if is(*details.is_live) => Unavailable::Live,
            () => return None,
        };
        return Some(Fault::new(Kind::Post(kind), "a broadcast"));
    }
    by_status
}

/// Why none of the formats of a playable video can be used; `None` when one can.
pub(super) fn format_fault(player: &Player, mapped: &Mapped) -> Option<Fault> {
    if mapped
        .streams
        .iter()
        .any(|stream| stream.challenge.is_none())
    {
        return None;
    }
    let skipped = mapped.skipped;
    let data = player.streaming_data.as_ref();
    let is_licensed = data.is_some_and(|data| !data.license_infos.is_empty());
    let is_post_live = player
        .video_details
        .as_ref()
        .is_some_and(|details| details.is_post_live_dvr.unwrap_or(false));
    let kind = match () {
        () if is_licensed || skipped.drm > 0 => Kind::Post(Unavailable::Drm),
        () if is_post_live || skipped.fragmented > 0 => Kind::Post(Unavailable::Processing),
        () if skipped.no_address > 0
            || data.is_some_and(|data| data.server_abr_streaming_url.is_some()) =>
        {
            Kind::Us(Block::ProtocolOnly)
        }
        () => Kind::Unknown,
    };
    Some(Fault::new(kind, "no usable format"))
}

fn of_status(status: &PlayabilityStatus) -> Option<Fault> {
    let word = status.status.text();
    if word == "OK" {
        return None;
    }
    let texts = texts(status);
    let kind = of_screen(status)
        .or_else(|| rules::meaning(word, &normal(&texts)))
        .unwrap_or(Kind::Unknown);
    let kind = match kind {
        Kind::Post(Unavailable::Upcoming { .. }) => Kind::Post(Unavailable::Upcoming {
            starts_at: starts_at(status),
        }),
        other => other,
    };
    Some(Fault::new(kind, &format!("{word}: {texts}")))
}

/// Where a video can be seen, as an answer of a web client says.
fn regions(player: &Player) -> Vec<String> {
    let told = player.microformat();
    let told = told.map_or(&[][..], |facts| &facts.available_countries);
    let is_region =
        |text: &&String| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut regions: Vec<String> = told.iter().filter(is_region).cloned().collect();
    regions.sort();
    regions.dedup();
    regions
}

/// What the kind of the error screen says.
fn of_screen(status: &PlayabilityStatus) -> Option<Kind> {
    let screen = status.error_screen.as_ref()?;
    if screen.player_captcha_view_model.is_some() {
        // Says the same as the words of the check, in a picture.
        return Some(Kind::Us(Block::BotCheck));
    }
    let is_offer = screen.player_legacy_desktop_ypc_trailer_renderer.is_some()
        || screen.player_legacy_desktop_ypc_offer_renderer.is_some();
    is_offer.then_some(Kind::Post(Unavailable::PaymentRequired))
}

/// All texts of a status in one.
fn texts(status: &PlayabilityStatus) -> String {
    let screen = status
        .error_screen
        .as_ref()
        .and_then(|screen| screen.player_error_message_renderer.as_ref());
    let mut all = vec![status.reason.text().to_owned()];
    if let Some(screen) = screen {
        all.push(plain(&screen.reason));
        all.push(plain(&screen.subreason));
    }
    all.extend(status.messages.iter().cloned());
    if status
        .desktop_legacy_age_gate_reason
        .is_some_and(|reason| reason > 0)
    {
        all.push("age-restricted".to_owned());
    }
    all.retain(|text| !text.is_empty());
    all.dedup();
    all.join(" | ")
}

/// A text in the form of the table.
fn normal(text: &str) -> String {
    text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'")
}

fn starts_at(status: &PlayabilityStatus) -> Option<u64> {
    *status
        .live_streamability
        .as_ref()?
        .live_streamability_renderer
        .as_ref()?
        .offline_slate
        .as_ref()?
        .live_stream_offline_slate_renderer
        .as_ref()?
        .scheduled_start_time
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(json: &str) -> Option<Kind> {
        let player: Player = serde_json::from_str(json).unwrap();
        fault(&player).map(|fault| fault.kind)
    }

    fn kind_of(status: &str, reason: &str) -> Option<Kind> {
        kind(&format!(
            r#"{{"playabilityStatus":{{"status":"{status}","reason":"{reason}"}}}}"#
        ))
    }

    #[test]
    fn reasons_are_told_apart() {
        let post = |reason| Some(Kind::Post(reason));
        for (status, reason, expected) in [
            ("OK", "", None),
            (
                "LOGIN_REQUIRED",
                "Sign in to confirm you\u{2019}re not a bot",
                Some(Kind::Us(Block::BotCheck)),
            ),
            (
                "LOGIN_REQUIRED",
                "Sign in to confirm your age",
                post(Unavailable::AgeRestricted),
            ),
            (
                "AGE_VERIFICATION_REQUIRED",
                "",
                post(Unavailable::AgeRestricted),
            ),
            (
                "LOGIN_REQUIRED",
                "This video is private",
                post(Unavailable::Private),
            ),
            (
                "UNPLAYABLE",
                "Join this channel to get access to members-only content",
                post(Unavailable::MembersOnly),
            ),
            (
                "UNPLAYABLE",
                "This video is only available to Music Premium members",
                post(Unavailable::PremiumOnly),
            ),
            (
                "UNPLAYABLE",
                "This video requires payment to watch",
                post(Unavailable::PaymentRequired),
            ),
            (
                "UNPLAYABLE",
                "We're processing this video. Check back later.",
                post(Unavailable::Processing),
            ),
            (
                "UNPLAYABLE",
                "Please sign in",
                post(Unavailable::LoginRequired),
            ),
            (
                "UNPLAYABLE",
                "This content isn\u{2019}t available, try again later.",
                Some(Kind::Us(Block::RateLimited)),
            ),
            ("ERROR", "Video unavailable", post(Unavailable::NotFound)),
            (
                "ERROR",
                "This video has been removed by the uploader",
                post(Unavailable::NotFound),
            ),
            (
                "UNPLAYABLE",
                "This video is not available",
                Some(Kind::NotHere),
            ),
            ("UNPLAYABLE", "Quite new words", Some(Kind::Unknown)),
            (
                "LOGIN_REQUIRED",
                "Quite new words",
                post(Unavailable::LoginRequired),
            ),
        ] {
            assert_eq!(kind_of(status, reason), expected, "{status} {reason}");
        }
    }

    #[test]
    fn screens_decide_before_texts() {
        let status = |screen: &str| {
            kind(&format!(
                r#"{{"playabilityStatus":{{"status":"UNPLAYABLE","reason":"x","errorScreen":{{"{screen}":{{}}}}}}}}"#
            ))
        };
        assert_eq!(
            status("playerCaptchaViewModel"),
            Some(Kind::Us(Block::BotCheck))
        );
        assert_eq!(
            status("playerLegacyDesktopYpcTrailerRenderer"),
            Some(Kind::Post(Unavailable::PaymentRequired))
        );
    }

    #[test]
    fn age_gate_without_words_is_known() {
        let json =
            r#"{"playabilityStatus":{"status":"UNPLAYABLE","desktopLegacyAgeGateReason":1}}"#;
        assert_eq!(kind(json), Some(Kind::Post(Unavailable::AgeRestricted)));
    }

    #[test]
    fn empty_answer_is_a_missing_video() {
        assert_eq!(kind("{}"), Some(Kind::Post(Unavailable::NotFound)));
    }

    #[test]
    fn words_of_the_site_are_one_short_line_in_every_error() {
        let forged = "\\n2026-11-22T12:00:00Z  INFO serverrs: all is well";
        let long = "x".repeat(300_000);
        for (status, reason) in [
            (format!("X{forged}{long}"), String::new()),
            (
                "ERROR".to_owned(),
                format!("Video unavailable{forged}{long}"),
            ),
            ("LOGIN_REQUIRED".to_owned(), format!("{long}{forged}")),
        ] {
            let json =
                format!(r#"{{"playabilityStatus":{{"status":"{status}","reason":"{reason}"}}}}"#);
            let player: Player = serde_json::from_str(&json).unwrap();
            let fault = fault(&player).unwrap();
            let (miss, error) = (format!("{fault:?}"), fault.into_error().to_string());
            for text in [miss, error] {
                assert!(text.len() < 400 && !text.contains('\n'), "{text}");
            }
        }
    }

    #[test]
    fn what_follows_a_fault_depends_on_its_kind() {
        let next = |kind| Fault::new(kind, "").next();
        assert_eq!(next(Kind::NotHere), Next::Client);
        assert_eq!(next(Kind::Us(Block::ProtocolOnly)), Next::Client);
        assert_eq!(next(Kind::Us(Block::BotCheck)), Next::NewVisitor);
        assert_eq!(next(Kind::Us(Block::RateLimited)), Next::Stop);
        assert_eq!(next(Kind::Post(Unavailable::Private)), Next::Stop);
        assert_eq!(next(Kind::Post(Unavailable::AgeRestricted)), Next::Client);
    }
}
