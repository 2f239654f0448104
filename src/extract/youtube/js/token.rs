//! Tokens of JavaScript, and the lexical part of [`super::scan`], without any memory of what came before.
//!
//! Everything here works on bytes, never recurses, and ends at the end of the text whatever it holds.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

/// What a token is, as far as the search for statements needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number of any form.
    Number,
    /// A quoted text, quotes included.
    Text,
    /// A piece of a template: up to `${`, or up to the closing backtick.
    Template {
        /// Whether this piece closes the template.
        closes: bool,
    },
    /// A regular expression with its flags.
    Regex,
    /// `(`, `[` or `{`.
    Open(u8),
    /// `)`, `]` or `}`.
    Close(u8),
    /// `=`, `+=`, `??=` and the like.
    Assign,
    /// `=>`.
    Arrow,
    /// `.` or `?.`.
    Dot,
    /// `?`.
    Question,
    /// `:`.
    Colon,
    /// `;`.
    Semicolon,
    /// `,`.
    Comma,
    /// `++` or `--`.
    Step,
    /// Any other operator.
    Operator,
}

/// How a token relates to the statements around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Inside a statement.
    No,
    /// A statement begins here.
    Fresh,
    /// A statement begins here that belongs to the one before: the body of an `if`, a loop, a label.
    Nested,
}

/// What the braces around a token are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brace {
    /// Statements: a block, or the body of a `switch`.
    Block,
    /// The body of a function that is a declaration.
    Declaration,
    /// The body of a function that is a value, a method or an arrow.
    Function,
    /// The body of a class; the flag says whether the class is a declaration.
    Class(bool),
    /// An object.
    Object,
    /// `${…}` of a template.
    Substitution,
}

/// A token and its place.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it is.
    pub(super) span: Range<usize>,
    /// Whether it begins a statement.
    pub(super) start: Start,
    /// Brackets around it; an opening and its closing bracket have the depth of what is around both.
    pub(super) depth: usize,
    /// For an opening brace, what it opens.
    pub(super) brace: Option<Brace>,
}

/// Why a text can't be cut into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexError {
    /// A text, template, comment or regular expression that doesn't end.
    Unfinished,
    /// A byte that begins no token.
    Unknown,
    /// Brackets that don't match.
    Brackets,
    /// More brackets inside each other than any real script has.
    Depth,
}

impl LexError {
    /// The same in words.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unfinished => "a literal or comment does not end",
            Self::Unknown => "a byte begins no token",
            Self::Brackets => "brackets do not match",
            Self::Depth => "brackets are nested too deep",
        }
    }
}

/// End of white space and comments from `at` on, and whether a line ended among them.
pub(super) fn skip_blanks(source: &[u8], at: usize) -> Result<(usize, bool), LexError> {
    let mut newline = false;
    let mut rest = source.get(at..).unwrap_or_default();
    loop {
        rest = match rest {
            // No-break space, byte order mark, and the two separators that end a line (ECMA-262 §12.2, §12.3).
            [b' ' | b'\t' | 0x0b | 0x0c, after @ ..]
            | [0xc2, 0xa0, after @ ..]
            | [0xef, 0xbb, 0xbf, after @ ..] => after,
            [b'\n' | b'\r', after @ ..] | [0xe2, 0x80, 0xa8 | 0xa9, after @ ..] => {
                newline = true;
                after
            }
            [b'/', b'/', body @ ..] => {
                let end = memchr::memchr2(b'\n', b'\r', body);
                end.and_then(|end| body.get(end..)).unwrap_or_default()
            }
            [b'/', b'*', body @ ..] => {
                let end = memchr::memmem::find(body, b"*/");
                let parts = end.and_then(|end| body.split_at_checked(end));
                let (comment, after) = parts.ok_or(LexError::Unfinished)?;
                newline |= memchr::memchr2(b'\n', b'\r', comment).is_some();
                after.strip_prefix(b"*/").unwrap_or_default()
            }
            _ => return Ok((source.len().saturating_sub(rest.len()), newline)),
        }
    }
}

/// The token that begins at `at`, which is neither blank nor the end; `operand` says whether an operand may begin
/// here, which tells a regular expression from a division.
pub(super) fn token(
    source: &[u8],
    at: usize,
    operand: bool,
) -> Result<(Kind, Range<usize>), LexError> {
    let rest = source.get(at..).unwrap_or_default();
    let (kind, length) = match rest {
        [b'"' | b'\'', ..] => (Kind::Text, quoted(rest)?),
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => (Kind::Number, number(rest)),
        [b'/', ..] if operand => (Kind::Regex, regex(rest)?),
        [open @ (b'(' | b'[' | b'{'), ..] => (Kind::Open(*open), 1),
        [close @ (b')' | b']' | b'}'), ..] => (Kind::Close(*close), 1),
        [first, ..] if is_word(*first) || *first == b'#' => (Kind::Word, word(rest)),
        _ => operator(rest)?,
    };
    Ok((kind, at..at.saturating_add(length)))
}

/// The piece of a template that begins at `at`, just after a backtick or the `}` of a substitution.
pub(super) fn template(source: &[u8], at: usize) -> Result<(Kind, Range<usize>), LexError> {
    let mut end = at;
    loop {
        match source.get(end..).unwrap_or_default() {
            [] => return Err(LexError::Unfinished),
            [b'`', ..] => {
                let kind = Kind::Template { closes: true };
                return Ok((kind, at..end.saturating_add(1)));
            }
            [b'$', b'{', ..] => {
                let kind = Kind::Template { closes: false };
                return Ok((kind, at..end.saturating_add(2)));
            }
            [b'\\', ..] => end = end.saturating_add(2),
            _ => end = end.saturating_add(1),
        }
    }
}

/// Whether a byte may be part of a name; every byte of a non-ASCII letter counts.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'\\' | 0x80..)
}

/// Length of the name that `rest` begins with; `\u{…}` escapes count as part of it.
fn word(rest: &[u8]) -> usize {
    let mut end: usize = 1;
    while let Some((before, after @ [byte, ..])) = rest.split_at_checked(end) {
        if *byte == b'{' && before.ends_with(b"\\u") {
            end = end.saturating_add(memchr::memchr(b'}', after).unwrap_or(0));
        } else if !is_word(*byte) {
            break;
        }
        end = end.saturating_add(1);
    }
    end
}

/// Length of a number: digits, letters, dots, and the sign of an exponent.
fn number(rest: &[u8]) -> usize {
    let hexadecimal = matches!(rest, [b'0', b'x' | b'X', ..]);
    let is_part = |before: u8, byte: u8| {
        let sign = matches!(byte, b'+' | b'-') && !hexadecimal && matches!(before, b'e' | b'E');
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign
    };
    let more = rest
        .windows(2)
        .take_while(|pair| matches!(pair, [before, byte] if is_part(*before, *byte)));
    more.count().saturating_add(1)
}

/// Length of a quoted text.
fn quoted(rest: &[u8]) -> Result<usize, LexError> {
    let quote = rest.first();
    let mut end: usize = 1;
    loop {
        let length = match rest.get(end..).unwrap_or_default() {
            [] | [b'\n', ..] => return Err(LexError::Unfinished),
            [b'\\', b'\r', b'\n', ..] => 3,
            [b'\\', ..] => 2,
            [byte, ..] if Some(byte) == quote => return Ok(end.saturating_add(1)),
            _ => 1,
        };
        end = end.saturating_add(length);
    }
}

/// Length of a regular expression and its flags; a slash inside a class doesn't end it.
fn regex(rest: &[u8]) -> Result<usize, LexError> {
    let mut end: usize = 1;
    let mut class = false;
    loop {
        match rest.get(end..).unwrap_or_default() {
            [] | [b'\n' | b'\r', ..] => return Err(LexError::Unfinished),
            [b'\\', ..] => end = end.saturating_add(2),
            [b'/', after @ ..] if !class => {
                let flags = after.iter().take_while(|byte| is_word(**byte)).count();
                return Ok(end.saturating_add(1).saturating_add(flags));
            }
            [byte, ..] => {
                class = (class || *byte == b'[') && *byte != b']';
                end = end.saturating_add(1);
            }
        }
    }
}

/// The operators that are more than a run of bytes to the caller, longest first.
const OPERATORS: [(&[u8], Kind); 36] = [
    (b">>>=", Kind::Assign),
    (b"...", Kind::Operator),
    (b"===", Kind::Operator),
    (b"!==", Kind::Operator),
    (b"**=", Kind::Assign),
    (b"<<=", Kind::Assign),
    (b">>=", Kind::Assign),
    (b"&&=", Kind::Assign),
    (b"||=", Kind::Assign),
    (b"??=", Kind::Assign),
    (b"=>", Kind::Arrow),
    (b"==", Kind::Operator),
    (b"!=", Kind::Operator),
    (b"<=", Kind::Operator),
    (b">=", Kind::Operator),
    (b"&&", Kind::Operator),
    (b"||", Kind::Operator),
    (b"??", Kind::Operator),
    (b"++", Kind::Step),
    (b"--", Kind::Step),
    (b"+=", Kind::Assign),
    (b"-=", Kind::Assign),
    (b"*=", Kind::Assign),
    (b"/=", Kind::Assign),
    (b"%=", Kind::Assign),
    (b"&=", Kind::Assign),
    (b"|=", Kind::Assign),
    (b"^=", Kind::Assign),
    (b"=", Kind::Assign),
    (b".", Kind::Dot),
    (b"?", Kind::Question),
    (b":", Kind::Colon),
    (b";", Kind::Semicolon),
    (b",", Kind::Comma),
    (b"`", Kind::Template { closes: false }),
    (b"@", Kind::Operator),
];

/// The operator that `rest` begins with.
fn operator(rest: &[u8]) -> Result<(Kind, usize), LexError> {
    // `a?.5:b` is a condition, `a?.b` a chain (ECMA-262 §12.8).
    if let [b'?', b'.', after, ..] = rest
        && !after.is_ascii_digit()
    {
        return Ok((Kind::Dot, 2));
    }
    if let Some((text, kind)) = OPERATORS.iter().find(|(text, _)| rest.starts_with(text)) {
        return Ok((*kind, text.len()));
    }
    match rest.first() {
        Some(b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'!' | b'~' | b'<' | b'>') => {
            Ok((Kind::Operator, 1))
        }
        _ => Err(LexError::Unknown),
    }
}
