//! Who is told a recorded answer, and what the site makes of it: the whole way, with the chain of clients, the player
//! script and the listing of pages.

use serde_json::{Value, json};

use super::super::recorded;
use super::super::script::{ANDROID, PAGE, Script, TV, VISIONOS, WEB, refusing, site};
use super::breaking::without_noise;
use super::truth::texts;
use crate::extract::youtube::YouTube;
use crate::extract::youtube::auth::AccountCookies;
use crate::extract::{ExtractError, Part, PlaylistSource};

/// A player of the tests' own, and where it is found.
const SMALL: &str = include_str!("../../../../../tests/fixtures/youtube/player_small.js");
const DISCOVERY: &str =
    r"var s='https:\/\/www.youtube.com\/s\/player\/0a1b2c3d\/www-widgetapi.vflset\/a.js';";

/// What a recorded answer is an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The first client's `player`.
    First,
    /// The reel of the last client; nobody before it plays.
    Reel,
    /// `player` of a client whose addresses the script completes.
    Ciphered,
    /// The facts beside another recording, which plays.
    Web(&'static str),
    /// The page beside another recording, which plays.
    Next(&'static str),
    /// A page of a list.
    List,
    /// A piece of a mix.
    Mix,
}

/// What became of an answer, as JSON, so that all its fields can be looked at.
pub(super) type Outcome = Result<Value, ExtractError>;

/// One recording, and the site that reads it again and again.
pub(super) struct Scene {
    pub(super) name: &'static str,
    subject: Subject,
    site: YouTube,
    id: String,
    /// The recording that plays, where this one stands beside it.
    other: Option<String>,
    pub(super) answer: Value,
}

impl Scene {
    /// `None` when there are no recordings.
    pub(super) fn new(name: &'static str, subject: Subject) -> Option<Self> {
        let mut answer = recorded::body(name)?;
        without_noise(&mut answer, matches!(subject, Subject::Mix));
        let mut other = match subject {
            Subject::Web(other) | Subject::Next(other) => Some(recorded::body(other)?),
            _ => None,
        };
        if let Some(other) = &mut other {
            without_noise(other, false);
        }
        let told = other.as_ref().unwrap_or(&answer);
        let id = [
            "/videoDetails/videoId",
            "/playerResponse/videoDetails/videoId",
        ]
        .iter()
        .find_map(|pointer| told.pointer(pointer)?.as_str());
        Some(Self {
            name,
            subject,
            site: site(&[("YOUTUBE_DETAILS", "1")]),
            id: id.unwrap_or("dQw4w9WgXcQ").to_owned(),
            other: other.map(|answer| answer.to_string()),
            answer,
        })
    }

    /// Whether its addresses come out of the player script.
    pub(super) fn is_ciphered(&self) -> bool {
        self.subject == Subject::Ciphered
    }

    /// Every text of the unbroken answers, and texts that are put together of several.
    pub(super) fn words(&self) -> Vec<String> {
        let other = self.other.as_deref().map(serde_json::from_str::<Value>);
        let other = other.and_then(Result::ok).unwrap_or_default();
        let mut all = Vec::new();
        for answer in [&self.answer, &other] {
            texts(answer, &mut all);
        }
        let mut words: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
        words.push(all.concat());
        words
    }

    fn script(&self, text: String) -> Script {
        let text = Value::String(text);
        let script = Script::default();
        let none = || refusing("UNPLAYABLE", "This video is not available");
        let other = || Value::String(self.other.clone().unwrap_or_default());
        match self.subject {
            Subject::First => script.with(VISIONOS, "player", text),
            Subject::Reel => {
                script
                    .with(VISIONOS, "player", none())
                    .with(ANDROID, "reel_item_watch", text)
            }
            Subject::Ciphered => script
                .with(VISIONOS, "player", none())
                .with(PAGE, "iframe_api", json!(DISCOVERY))
                .with(PAGE, "base.js", json!(SMALL))
                .with(TV, "player", text),
            Subject::Web(_) => script
                .with(VISIONOS, "player", other())
                .with(WEB, "player", text),
            Subject::Next(_) => script
                .with(VISIONOS, "player", other())
                .with(WEB, "next", text),
            // Behind the first page there is nothing.
            Subject::List => script
                .with(WEB, "browse", text)
                .with(WEB, "browse", json!({})),
            Subject::Mix => script.with(WEB, "next", text).with(WEB, "next", json!({})),
        }
    }

    /// What the site makes of an answer in this one's place.
    pub(super) async fn outcome(&self, text: String) -> Outcome {
        let script = self.script(text);
        let list = match self.subject {
            Subject::List => "PLMC9KNkIncKtPzgY-5rmhvj7fax8fdxoj",
            Subject::Mix => "RDFAqYW76GLPA",
            _ => {
                let extraction = script.extract_with(&self.site, &self.id, "").await?;
                return Ok(serde_json::to_value(extraction).unwrap());
            }
        };
        let source = PlaylistSource {
            site: "youtube",
            id: list.to_owned(),
            post: None,
        };
        let part = Part {
            cursor: None,
            limit: 100,
        };
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let account = AccountCookies::default();
        let listed = self
            .site
            .list_through(&script, &account, &source, &part, until);
        Ok(serde_json::to_value(listed.await?).unwrap())
    }
}
