//! What is said of a video inside its file: `udta/meta/ilst`, as iTunes writes it and all players read it.

use super::boxes::{append, append_full};
use super::error::Fault;
use crate::media::Tags;
use crate::media::tags::written;

/// Most bytes of a picture: the header is held in memory.
const MAX_COVER: usize = 2 * 1024 * 1024;
/// Type of a value: text in UTF-8.
const TEXT: u32 = 1;
/// Types of pictures.
const JPEG: u32 = 13;
const PNG: u32 = 14;

/// Appends the `udta`; nothing when nothing is said.
///
/// # Errors
/// The picture is too large.
pub(super) fn append_tags(out: &mut Vec<u8>, tags: &Tags<'_>) -> Result<(), Fault> {
    let mut items = Vec::new();
    append_items(&mut items, tags)?;
    if items.is_empty() {
        return Ok(());
    }
    append(out, *b"udta", |out| {
        append_full(out, *b"meta", 0, |out| {
            append_full(out, *b"hdlr", 0, |out| {
                out.extend_from_slice(b"\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0");
                Ok(())
            })?;
            append(out, *b"ilst", |out| {
                out.append(&mut items);
                Ok(())
            })
        })
    })
}

fn append_items(out: &mut Vec<u8>, tags: &Tags<'_>) -> Result<(), Fault> {
    let texts = [
        (*b"\xa9nam", tags.title),
        (*b"\xa9ART", tags.artist),
        (*b"\xa9day", tags.date),
        (*b"desc", tags.description),
        (*b"\xa9cmt", tags.source),
    ];
    for (kind, text) in texts {
        if let Some(text) = written(text) {
            append_item(out, kind, TEXT, text.as_bytes())?;
        }
    }
    let Some(cover) = tags.cover else {
        return Ok(());
    };
    if cover.bytes.len() > MAX_COVER {
        return Err(Fault::TooLarge("cover"));
    }
    let kind = if cover.is_png { PNG } else { JPEG };
    append_item(out, *b"covr", kind, cover.bytes)
}

fn append_item(
    out: &mut Vec<u8>,
    kind: [u8; 4],
    value_type: u32,
    value: &[u8],
) -> Result<(), Fault> {
    append(out, kind, |out| {
        append(out, *b"data", |out| {
            out.extend_from_slice(&value_type.to_be_bytes());
            // Of no particular country or language.
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(value);
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Cover;

    fn write(tags: Tags<'_>) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        append_tags(&mut out, &tags).map(|()| out)
    }

    #[test]
    fn nothing_said_writes_nothing() {
        assert_eq!(write(Tags::default()), Ok(Vec::new()));
        let blank = Tags {
            title: "\0",
            ..Tags::default()
        };
        assert_eq!(write(blank), Ok(Vec::new()));
    }

    #[test]
    fn picture_is_marked_by_its_type_and_bounded() {
        let cover = |is_png, bytes: &[u8]| {
            let cover = Some(Cover { is_png, bytes });
            write(Tags {
                cover,
                ..Tags::default()
            })
        };
        for (is_png, kind) in [(true, 14), (false, 13)] {
            let written = cover(is_png, b"bytes").unwrap();
            let at = written.windows(4).position(|name| name == b"covr").unwrap();
            assert_eq!(written[at + 12..at + 16], [0, 0, 0, kind]);
            assert!(written.ends_with(b"bytes"));
            let length = u32::from_be_bytes(written[..4].try_into().unwrap());
            assert_eq!(usize::try_from(length), Ok(written.len()));
        }
        let large = vec![0; MAX_COVER + 1];
        assert_eq!(cover(true, &large), Err(Fault::TooLarge("cover")));
    }
}
