//! Filters: `height<=720`, `ext=mp4`, `vcodec^=avc1`, `filesize<?50M`.

use super::{Candidate, Value};

/// One filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    key: String,
    test: Test,
    /// Whether a format that doesn't say passes.
    passes_unknown: bool,
}

/// What the field is held against.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// A number, with the text it was written as: `format_id=18` compares texts.
    Number(Comparison, f64, String),
    Text {
        operator: TextOperator,
        text: String,
        is_negated: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextOperator {
    Equal,
    Starts,
    Ends,
    Contains,
}

/// Longer operators first, so that `<=` isn't read as `<`.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

const TEXT_OPERATORS: &[(&str, TextOperator)] = &[
    ("^=", TextOperator::Starts),
    ("$=", TextOperator::Ends),
    ("*=", TextOperator::Contains),
    ("=", TextOperator::Equal),
];

/// Bytes up to the closing bracket, which may also stand inside quotes.
pub(super) fn length(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ']') => return Some(at),
            _ => {}
        }
    }
    None
}

/// Reads what stands between the brackets.
pub(super) fn parse(text: &str) -> Option<Filter> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .filter(|end| *end > 0)?;
    let (key, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let (test, passes_unknown) = number_test(rest).or_else(|| text_test(rest))?;
    Some(Filter {
        key: key.to_owned(),
        test,
        passes_unknown,
    })
}

fn number_test(rest: &str) -> Option<(Test, bool)> {
    let (comparison, rest) = operator(rest, COMPARISONS)?;
    let (passes_unknown, value) = question_mark(rest);
    let test = Test::Number(comparison, size(value)?, value.to_owned());
    Some((test, passes_unknown))
}

fn text_test(rest: &str) -> Option<(Test, bool)> {
    let (is_negated, rest) = match rest.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, rest),
    };
    let (operator, rest) = operator(rest, TEXT_OPERATORS)?;
    let (passes_unknown, value) = question_mark(rest);
    let text = unquoted(value)?;
    Some((
        Test::Text {
            operator,
            text,
            is_negated,
        },
        passes_unknown,
    ))
}

/// The operator at the beginning, and what follows.
fn operator<'a, T: Copy>(text: &'a str, known: &[(&str, T)]) -> Option<(T, &'a str)> {
    known
        .iter()
        .find_map(|(word, operator)| Some((*operator, text.strip_prefix(word)?.trim_start())))
}

/// Whether a `?` stands before the value.
fn question_mark(text: &str) -> (bool, &str) {
    match text.strip_prefix('?') {
        Some(value) => (true, value.trim()),
        None => (false, text.trim()),
    }
}

/// A word, or a text in quotes with `\"`, `\'` and `\\`.
fn unquoted(text: &str) -> Option<String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let is_word = !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
        return is_word.then(|| text.to_owned());
    };
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(escaped(chars.next()?)),
            c if c == quote => return None,
            c => plain.push(c),
        }
    }
    (!plain.is_empty()).then_some(plain)
}

/// The characters that a backslash and `c` stand for.
fn escaped(c: char) -> impl Iterator<Item = char> {
    let keeps_backslash = !matches!(c, '"' | '\'' | '\\');
    keeps_backslash.then_some('\\').into_iter().chain([c])
}

/// A number, perhaps with a unit: `50M` and `50MB` are 50·10⁶, `50MiB` and `50m` 50·2²⁰ (yt-dlp `parse_filesize`).
fn size(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: f64 = digits.parse().ok()?;
    if unit.is_empty() {
        return Some(number);
    }
    Some(number * unit_factor(unit)?)
}

fn unit_factor(unit: &str) -> Option<f64> {
    let mut chars = unit.chars();
    let letter = chars.next()?;
    let power = "kmgtpezy".find(letter.to_ascii_lowercase())?;
    let is_binary = match chars.as_str() {
        "i" | "iB" | "ib" => true,
        "" | "B" => letter.is_ascii_lowercase(),
        "b" => false,
        _ => return None,
    };
    let base: f64 = if is_binary { 1024.0 } else { 1000.0 };
    Some(base.powi(i32::try_from(power).ok()?.checked_add(1)?))
}

impl Filter {
    /// Whether a format passes.
    pub(super) fn passes<C: Candidate>(&self, candidate: &C) -> bool {
        match (candidate.field(&self.key), &self.test) {
            (Value::Unknown, _) => self.passes_unknown,
            (Value::Number(number), Test::Number(comparison, limit, _)) => {
                comparison.holds(number, *limit)
            }
            (Value::Text(text), Test::Number(comparison, _, written)) => match comparison {
                Comparison::Equal => text == *written,
                Comparison::NotEqual => text != *written,
                _ => false,
            },
            (
                Value::Text(value),
                Test::Text {
                    operator,
                    text,
                    is_negated,
                },
            ) => operator.holds(&value, text) != *is_negated,
            (Value::Number(_), Test::Text { is_negated, .. }) => *is_negated,
        }
    }
}

impl Comparison {
    #[expect(clippy::float_cmp, reason = "a filter asks for the very value")]
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
            Self::Equal => value == limit,
            Self::NotEqual => value != limit,
        }
    }
}

impl TextOperator {
    fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Equal => value == text,
            Self::Starts => value.starts_with(text),
            Self::Ends => value.ends_with(text),
            Self::Contains => value.contains(text),
        }
    }
}
