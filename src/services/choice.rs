//! Which one of the offers a caller wants: by the name of a format, or by a selector.

use super::{Entry, Offers};
use crate::extract::selector::Selector;
use crate::extract::{Content, Extraction, Format};

/// One of the offers, as a caller names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// By format id: `137`, `137+140`, `image-3`.
    Format(String),
    /// By a rule among the formats.
    Selector(Selector),
}

impl Choice {
    /// The offer that is meant; `None` when the post has nothing that fits, or nothing of it that is offered.
    pub fn among<'a>(&self, extraction: &Extraction, offers: &'a Offers) -> Option<&'a Entry> {
        let selected;
        let id = match self {
            Self::Format(id) => id,
            Self::Selector(selector) => {
                selected = selector.select(formats(&extraction.content))?.id();
                &selected
            }
        };
        offers.entries.iter().find(|entry| entry.format_id == *id)
    }
}

/// The formats of a post, best first.
fn formats(content: &Content) -> &[Format] {
    match content {
        Content::Video { formats } => formats,
        Content::Slideshow { audio, .. } => audio.as_slice(),
    }
}
