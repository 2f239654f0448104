//! From text to a tree.

use super::filter::{self, Filter};

/// Longest selector that is read, in bytes.
const MAX_LENGTH: usize = 1024;
/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 16;

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format selector: {message} at character {at}")]
pub struct SelectorError {
    /// What is wrong.
    pub message: &'static str,
    /// Where, counted in bytes from 0.
    pub at: usize,
}

/// A part of a selector with the filters behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) filters: Vec<Filter>,
}

/// What a part of a selector asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    /// The first one that gives something.
    FirstOf(Vec<Node>),
    /// All of them together.
    Joined(Vec<Node>),
    /// A format by its place among those with certain tracks.
    Ranked(Ranked),
    /// A format by its id or file type.
    Named(String),
}

/// A format by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) is_best: bool,
    pub(super) tracks: Wanted,
    /// Whether other tracks may be there too.
    pub(super) is_loose: bool,
    /// Place, counted from 0.
    pub(super) place: usize,
}

/// The tracks that a format by its place must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Both,
    Video,
    Audio,
}

/// Reads a selector.
pub(super) fn parse(text: &str) -> Result<Node, SelectorError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    if text.len() > MAX_LENGTH {
        return Err(parser.error("too long"));
    }
    let node = parser.first_of()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error("unexpected character")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, message: &'static str) -> SelectorError {
        SelectorError {
            message,
            at: self.at,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// The next character after white space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest().trim_start();
        self.at = self.text.len().saturating_sub(rest.len());
        self.rest().chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.skip(wanted.len_utf8());
        }
        is_there
    }

    fn first_of(&mut self) -> Result<Node, SelectorError> {
        self.separated('/', Self::joined, NodeKind::FirstOf)
    }

    fn joined(&mut self) -> Result<Node, SelectorError> {
        self.separated('+', Self::item, NodeKind::Joined)
    }

    /// One or more parts with a separator between; a single one stands for itself.
    fn separated(
        &mut self,
        separator: char,
        part: fn(&mut Self) -> Result<Node, SelectorError>,
        kind: fn(Vec<Node>) -> NodeKind,
    ) -> Result<Node, SelectorError> {
        let first = part(self)?;
        if !self.eat(separator) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.eat(separator) {
            parts.push(part(self)?);
        }
        Ok(Node {
            kind: kind(parts),
            filters: Vec::new(),
        })
    }

    /// A group, a name or nothing (`best`), with filters.
    fn item(&mut self) -> Result<Node, SelectorError> {
        let mut node = match self.peek() {
            Some('(') => self.group()?,
            Some('[') => Node {
                kind: atom("best"),
                filters: Vec::new(),
            },
            _ => Node {
                kind: self.name()?,
                filters: Vec::new(),
            },
        };
        while self.eat('[') {
            node.filters.push(self.filter()?);
        }
        Ok(node)
    }

    fn group(&mut self) -> Result<Node, SelectorError> {
        self.eat('(');
        if self.depth == MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        self.depth = self.depth.saturating_add(1);
        let inner = self.first_of()?;
        self.depth = self.depth.saturating_sub(1);
        if !self.eat(')') {
            return Err(self.error("missing `)`"));
        }
        // A node of its own, so that filters behind the group don't mix with those inside.
        Ok(Node {
            kind: NodeKind::FirstOf(vec![inner]),
            filters: Vec::new(),
        })
    }

    fn name(&mut self) -> Result<NodeKind, SelectorError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '*')))
            .unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if name.is_empty() {
            return Err(self.error("a format is missing"));
        }
        if matches!(name, "all" | "mergeall") {
            return Err(self.error("selecting several formats is not supported"));
        }
        self.skip(end);
        Ok(atom(name))
    }

    fn filter(&mut self) -> Result<Filter, SelectorError> {
        let rest = self.rest();
        let length = filter::length(rest).ok_or_else(|| self.error("missing `]`"))?;
        let filter = rest
            .get(..length)
            .and_then(filter::parse)
            .ok_or_else(|| self.error("not a filter"))?;
        // With the bracket.
        self.skip(length.saturating_add(1));
        Ok(filter)
    }
}

/// What a name asks for.
fn atom(name: &str) -> NodeKind {
    ranked(name).map_or_else(|| NodeKind::Named(name.to_owned()), NodeKind::Ranked)
}

/// Reads `best`, `wv*`, `ba.2` and their like.
fn ranked(name: &str) -> Option<Ranked> {
    let (is_best, rest) = [("best", true), ("worst", false), ("b", true), ("w", false)]
        .into_iter()
        .find_map(|(word, is_best)| Some((is_best, name.strip_prefix(word)?)))?;
    let (tracks, rest) = [
        ("video", Wanted::Video),
        ("audio", Wanted::Audio),
        ("v", Wanted::Video),
        ("a", Wanted::Audio),
    ]
    .into_iter()
    .find_map(|(word, tracks)| Some((tracks, rest.strip_prefix(word)?)))
    .unwrap_or((Wanted::Both, rest));
    let (is_loose, rest) = match rest.strip_prefix('*') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let place = match rest {
        "" => 0,
        rest => place(rest.strip_prefix('.')?)?,
    };
    Some(Ranked {
        is_best,
        tracks,
        is_loose,
        place,
    })
}

/// A place counted from 1, as one counted from 0.
fn place(text: &str) -> Option<usize> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_number
        .then(|| text.parse::<usize>().ok()?.checked_sub(1))
        .flatten()
}
