//! What is said of a video inside its file: `udta/meta/ilst`, as iTunes writes it and all players read it.

use super::boxes::{append, append_full};
use super::error::Fault;

/// Most bytes of one text.
const MAX_TEXT: usize = 4096;
/// Most bytes of a picture.
const MAX_COVER: usize = 2 * 1024 * 1024;
/// Type of a value: text in UTF-8.
const TEXT: u32 = 1;

/// A still picture for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover<'a> {
    /// PNG, not JPEG.
    pub is_png: bool,
    /// The picture.
    pub bytes: &'a [u8],
}

/// What is said; empty texts are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    /// Title.
    pub title: &'a str,
    /// Who made it.
    pub artist: &'a str,
    /// Date, `YYYY-MM-DD`.
    pub date: &'a str,
    /// What the author says about it; cut at 4 KiB.
    pub description: &'a str,
    /// Address of its page.
    pub source: &'a str,
    /// A still picture.
    pub cover: Option<Cover<'a>>,
}

impl Tags<'_> {
    /// Writes the `udta`; nothing when nothing is said.
    ///
    /// # Errors
    /// The picture is too large.
    pub fn write(&self) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        if *self == Self::default() {
            return Ok(out);
        }
        if self
            .cover
            .is_some_and(|cover| cover.bytes.len() > MAX_COVER)
        {
            return Err(Fault::TooLarge("cover"));
        }
        append(&mut out, *b"udta", |out| {
            append_full(out, *b"meta", 0, |out| {
                append_full(out, *b"hdlr", 0, |out| {
                    out.extend_from_slice(b"\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0");
                    Ok(())
                })?;
                append(out, *b"ilst", |out| self.append_items(out))
            })
        })?;
        Ok(out)
    }

    fn append_items(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let texts = [
            (*b"\xa9nam", self.title),
            (*b"\xa9ART", self.artist),
            (*b"\xa9day", self.date),
            (*b"desc", self.description),
            (*b"\xa9cmt", self.source),
        ];
        for (kind, text) in texts {
            if !text.is_empty() {
                append_item(out, kind, TEXT, cut(text).as_bytes())?;
            }
        }
        if let Some(cover) = self.cover {
            let kind = if cover.is_png { 14 } else { 13 };
            append_item(out, *b"covr", kind, cover.bytes)?;
        }
        Ok(())
    }
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

/// The beginning of a text that is too long, without half a character.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_writes_nothing() {
        assert_eq!(Tags::default().write(), Ok(Vec::new()));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let description = "é".repeat(MAX_TEXT);
        let tags = Tags {
            title: "a",
            description: &format!("x{description}"),
            ..Tags::default()
        };
        let written = tags.write().unwrap();
        let at = written.windows(4).position(|kind| kind == b"desc").unwrap();
        let text = &written[at + 20..];
        assert_eq!(text.len(), MAX_TEXT - 1, "half a character less");
        assert!(std::str::from_utf8(text).is_ok());
        assert_eq!(
            written.len(),
            usize::from(u16::from_be_bytes([written[2], written[3]]))
        );
    }

    #[test]
    fn picture_is_marked_by_its_type_and_bounded() {
        let cover = |is_png, bytes: &[u8]| {
            let cover = Some(Cover { is_png, bytes });
            let tags = Tags {
                cover,
                ..Tags::default()
            };
            tags.write()
        };
        for (is_png, kind) in [(true, 14), (false, 13)] {
            let written = cover(is_png, b"bytes").unwrap();
            let at = written.windows(4).position(|name| name == b"covr").unwrap();
            assert_eq!(written[at + 12..at + 16], [0, 0, 0, kind]);
            assert!(written.ends_with(b"bytes"));
        }
        let large = vec![0; MAX_COVER + 1];
        assert_eq!(cover(true, &large), Err(Fault::TooLarge("cover")));
    }
}
