//! What a joined file says of its post.

use time::OffsetDateTime;

use crate::extract::Extraction;
use crate::media::fmp4::{Fault, Tags};

/// The tags of a post, written. Only what doesn't change from one answer of the site to the next: the length of a file
/// follows from them.
///
/// # Errors
/// None for texts; the type is that of the writer.
pub(super) fn tags(extraction: &Extraction) -> Result<Vec<u8>, Fault> {
    let artist = extraction
        .music
        .as_ref()
        .map(|music| music.author.as_str())
        .filter(|artist| !artist.is_empty())
        .unwrap_or(&extraction.author.name);
    let date = extraction.created_at.and_then(date).unwrap_or_default();
    Tags {
        title: &extraction.title,
        artist,
        date: &date,
        description: &extraction.description,
        source: &extraction.url,
        cover: None,
    }
    .write()
}

/// The day of a Unix second.
fn date(second: u64) -> Option<String> {
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
        assert_eq!(date(1_689_864_462).as_deref(), Some("2023-07-20"));
        assert_eq!(date(u64::MAX), None);
    }
}
