//! Choosing among formats by a small language: `bv*[ext=mp4][height<=1080]+ba[ext=m4a]/b`.
//!
//! A subset of yt-dlp's (`YoutubeDL.build_format_selector`) with the same meaning:
//! `b`/`best`, `w`/`worst`, with `v`/`video` or `a`/`audio` for a single track, `*` for "also with the other track",
//! `.2` for the second best; a format id; a file type (`mp4`, `m4a`, …); filters in brackets; `+` joins a picture with a
//! sound track, `/` falls back, parentheses group. `height` is the height of the stream, for upright pictures too.
//!
//! Not in the subset: `,`, `all`, `mergeall` and regular expressions (`~=`). Pure; text and nesting are bounded.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod choose;
mod filter;
mod format;
mod parse;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::str::FromStr;

pub use parse::SelectorError;

/// A value of a field, as a filter sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// The format doesn't say.
    Unknown,
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// A borrowed text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Unknown, Self::text)
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(Cow::Owned(text)))
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Unknown, |number| Self::Number(number as f64))
    }
}

macro_rules! small_numbers {
    ($($kind:ty),*) => {$(
        impl From<Option<$kind>> for Value<'_> {
            fn from(number: Option<$kind>) -> Self {
                number.map_or(Self::Unknown, |number| Self::Number(number.into()))
            }
        }
    )*};
}

small_numbers!(u8, u32, i32, f64);

/// Something that can be chosen.
pub trait Candidate {
    /// The format id.
    fn id(&self) -> &str;
    /// Whether it carries a picture.
    fn has_video(&self) -> bool;
    /// Whether it carries sound.
    fn has_audio(&self) -> bool;
    /// The field of a filter, by yt-dlp's name.
    fn field(&self, name: &str) -> Value<'_>;
}

/// What was chosen.
#[derive(Debug)]
pub enum Selection<'a, C> {
    /// One format.
    Single(&'a C),
    /// A picture and a sound track, to be joined.
    Pair(&'a C, &'a C),
}

impl<C: Candidate> Selection<'_, C> {
    /// The format id, `137+140` for a pair.
    pub fn id(&self) -> String {
        match self {
            Self::Single(only) => only.id().to_owned(),
            Self::Pair(first, second) => format!("{}+{}", first.id(), second.id()),
        }
    }
}

impl<C> Clone for Selection<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Selection<'_, C> {}

/// A selector, ready for use.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector(parse::Node);

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parse::parse(text).map(Self)
    }
}

impl Selector {
    /// Chooses among formats that stand best first; `None` when nothing fits.
    pub fn select<'a, C: Candidate>(&self, best_first: &'a [C]) -> Option<Selection<'a, C>> {
        let all: Vec<&C> = best_first.iter().collect();
        choose::choose(&self.0, choose::Stock::new(&all), &all)
    }
}
