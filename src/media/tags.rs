//! What is said of a video inside its file, whatever the container.

/// Most bytes of one text; longer ones are cut.
const MAX_TEXT: usize = 4096;

/// A still picture for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover<'a> {
    /// PNG, not JPEG.
    pub is_png: bool,
    /// The picture.
    pub bytes: &'a [u8],
}

/// What is said; empty texts are left out, each is cut at 4 KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    /// Title.
    pub title: &'a str,
    /// Who made it.
    pub artist: &'a str,
    /// When it was published, `YYYY-MM-DD`.
    pub date: &'a str,
    /// What the author says about it.
    pub description: &'a str,
    /// Address of its page.
    pub source: &'a str,
    /// A still picture; only MP4 files hold one.
    pub cover: Option<Cover<'a>>,
}

/// A text without the control characters (a zero would end it) that don't lay it out, cut between characters; `None`
/// when nothing is left.
pub(super) fn written(text: &str) -> Option<String> {
    let mut written = String::new();
    for char in text.chars() {
        if written.len() + char.len_utf8() > MAX_TEXT {
            break;
        }
        if !char.is_control() || matches!(char, '\n' | '\t') {
            written.push(char);
        }
    }
    (!written.is_empty()).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_keeps_its_lines() {
        let long = format!("x{}", "é".repeat(MAX_TEXT));
        let cut = written(&long).unwrap();
        assert_eq!(cut.len(), MAX_TEXT - 1, "half a character less");
        assert_eq!(written("a\0b\n\tc\u{7f}").as_deref(), Some("ab\n\tc"));
        assert_eq!(written("\0"), None);
    }
}
