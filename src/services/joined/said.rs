//! What a joined file says of its post.

use time::OffsetDateTime;

use crate::extract::Extraction;
use crate::media::Tags;

/// The tags of a post that was published on `date`. Only what doesn't change from one answer of the site to the next: the
/// length of a file follows from them.
pub(super) fn tags<'a>(extraction: &'a Extraction, date: &'a str) -> Tags<'a> {
    let artist = extraction
        .music
        .as_ref()
        .map(|music| music.author.as_str())
        .filter(|artist| !artist.is_empty())
        .unwrap_or(&extraction.author.name);
    Tags {
        title: &extraction.title,
        artist,
        date,
        description: &extraction.description,
        source: &extraction.url,
        cover: None,
    }
}

/// The day on which a post was published; empty when the site doesn't say.
pub(super) fn date(extraction: &Extraction) -> String {
    extraction.created_at.and_then(day).unwrap_or_default()
}

/// The day of a Unix second.
fn day(second: u64) -> Option<String> {
    let moment = OffsetDateTime::from_unix_timestamp(i64::try_from(second).ok()?).ok()?;
    let date = moment.date();
    Some(format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_that_of_the_second() {
        assert_eq!(day(1_689_864_462).as_deref(), Some("2023-07-20"));
        assert_eq!(day(u64::MAX), None);
    }
}
