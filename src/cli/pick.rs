//! What of a post is fetched.

use crate::cli::exit::{Exit, Failure};
use crate::extract::Content;
use crate::extract::selector::Selector;
use crate::http::offline::Answer;
use crate::services::{Choice, Entry};

/// One downloadable thing of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pick {
    /// Its link.
    pub(super) token: String,
    /// What it is called among the things of the post.
    pub(super) format: String,
    /// Extension that it is offered with; the delivery may know better.
    pub(super) extension: &'static str,
    /// Number of a picture, from 1.
    pub(super) number: Option<u32>,
}

impl Pick {
    fn named(word: &str, extension: &'static str, token: Option<&String>) -> Option<Self> {
        Some(Self {
            token: token?.clone(),
            format: word.to_owned(),
            extension,
            number: None,
        })
    }

    fn entry(answer: &Answer, entry: &Entry) -> Self {
        let images = answer
            .offers
            .entries
            .iter()
            .filter(|entry| entry.image.is_some());
        let number = (1..)
            .zip(images)
            .find(|(_, image)| image.token == entry.token);
        Self {
            token: entry.token.clone(),
            format: entry.format_id.clone(),
            extension: entry.extension,
            number: number.map(|(number, _)| number),
        }
    }
}

/// The thing that `wanted` names, else the default one.
///
/// # Errors
/// The post has no such thing, or `wanted` can't be read.
pub(super) fn pick(answer: &Answer, wanted: Option<&str>) -> Result<Pick, Failure> {
    let picks = &answer.offers.picks;
    let is_video = matches!(answer.extraction.content, Content::Video { .. });
    let found = match wanted {
        None if is_video => best(answer),
        None | Some("zip") => Pick::named("zip", "zip", picks.archive.as_ref()),
        Some("mp3") => Pick::named("mp3", "mp3", picks.sound.as_ref()),
        Some(text) => chosen(answer, text)?,
    };
    found.ok_or_else(|| {
        let wanted = wanted.unwrap_or("video");
        let message =
            format!("format_not_found: the post has no `{wanted}`; `info` lists what it has");
        Failure::new(Exit::Unavailable, message)
    })
}

/// Something of which a single byte costs the site a single byte, to see whether media come.
pub(super) fn probe(answer: &Answer) -> Option<Pick> {
    let entries = &answer.offers.entries;
    let picture = entries.iter().find(|entry| entry.image.is_some());
    let plain = entries.iter().find(|entry| !entry.is_joined);
    let entry = picture.or(plain).map(|entry| Pick::entry(answer, entry));
    entry.or_else(|| best(answer))
}

/// The best clean file with sound, else whatever stands first.
fn best(answer: &Answer) -> Option<Pick> {
    let offers = &answer.offers;
    let best = offers.picks.no_watermark_hd.as_ref();
    let best = best.and_then(|token| offers.entries.iter().find(|entry| entry.token == *token));
    let best = best.or_else(|| offers.entries.first());
    best.map(|entry| Pick::entry(answer, entry))
}

/// By the id of a format, else by a selector.
fn chosen(answer: &Answer, text: &str) -> Result<Option<Pick>, Failure> {
    let among = |choice: &Choice| {
        let entry = choice.among(&answer.extraction, &answer.offers)?;
        Some(Pick::entry(answer, entry))
    };
    if let Some(pick) = among(&Choice::Format(text.to_owned())) {
        return Ok(Some(pick));
    }
    let selector = text.parse::<Selector>().map_err(|error| {
        let message = format!(
            "invalid_selector: {} at position {}, counted from 0",
            error.message, error.at
        );
        Failure::new(Exit::Usage, message)
    })?;
    Ok(among(&Choice::Selector(selector)))
}
