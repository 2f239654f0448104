//! The format id of a pair: `137+140`, of a part of it `137+140@2500-5000`, with the cover `137+140~cover`.

use std::fmt;

use crate::links::Link;
use crate::media::{Clip, Side};

/// A part of a video in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// First moment shown.
    pub start_ms: u64,
    /// First moment not shown any more; `None` = to the end.
    pub end_ms: Option<u64>,
}

impl Span {
    pub(super) fn clip(self) -> Clip {
        Clip {
            start_ms: self.start_ms,
            end_ms: self.end_ms,
        }
    }
}

/// Which two formats, and which part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::services) struct PairId {
    pub(super) picture: String,
    pub(super) sound: String,
    /// The site's id of the sound track, where that is one of several; not part of the text.
    pub(super) track: Option<String>,
    pub(super) span: Option<Span>,
    /// Whether the file is to hold the post's cover.
    pub(super) has_cover: bool,
}

impl PairId {
    /// Reads a format id; `None` when it is that of one file.
    pub(in crate::services) fn read(id: &str) -> Option<Self> {
        let (id, has_cover) = match id.strip_suffix(COVER) {
            Some(id) => (id, true),
            None => (id, false),
        };
        let (pair, span) = match id.split_once('@') {
            Some((pair, span)) => (pair, Some(read_span(span)?)),
            None => (id, None),
        };
        let (picture, sound) = pair.split_once('+')?;
        Some(Self {
            picture: picture.to_owned(),
            sound: sound.to_owned(),
            track: None,
            span,
            has_cover,
        })
    }

    /// Reads the format id of a link; `None` when it is that of one file.
    pub(in crate::services) fn of_link(link: &Link) -> Option<Self> {
        let id = Self::read(&link.format)?;
        Some(Self {
            track: link.track.clone(),
            ..id
        })
    }

    /// The format of one of them, and its sound track where that is one of several.
    pub(in crate::services) fn format(&self, side: Side) -> (&str, Option<&str>) {
        match side {
            Side::Picture => (&self.picture, None),
            Side::Sound => (&self.sound, self.track.as_deref()),
        }
    }

    /// The part of the post.
    pub(in crate::services) fn span(&self) -> Option<Span> {
        self.span
    }
}

/// What a pair with a cover ends with.
const COVER: &str = "~cover";

fn read_span(text: &str) -> Option<Span> {
    let (start, end) = text.split_once('-')?;
    let end_ms = match end {
        "" => None,
        end => Some(end.parse().ok()?),
    };
    Some(Span {
        start_ms: start.parse().ok()?,
        end_ms,
    })
}

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.picture, self.sound)?;
        if let Some(span) = self.span {
            write!(f, "@{}-", span.start_ms)?;
            span.end_ms.map_or(Ok(()), |end| write!(f, "{end}"))?;
        }
        f.write_str(if self.has_cover { COVER } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_id_is_read_as_it_is_written() {
        for text in [
            "137+140",
            "137+140-0@0-",
            "a+b@1500-2000",
            "1+2~cover",
            "1+2@5-~cover",
        ] {
            assert_eq!(
                PairId::read(text).map(|id| id.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in [
            "137", "image-3", "137@1-2", "1+2@", "1+2@5", "1+2@-5", "1+2@a-b", "1~cover",
        ] {
            assert_eq!(PairId::read(text), None, "{text}");
        }
    }
}
