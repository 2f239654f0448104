//! One statement of a player's top level: whether it stays, and which function it names.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use super::token::{Kind, Start, Token};

/// What is known of a statement after the tokens seen so far. Tokens inside brackets are not shown to it.
#[derive(Debug)]
pub(super) struct Statement {
    /// Where it begins.
    pub(super) begin: usize,
    form: Form,
    tokens: usize,
    name: Option<Range<usize>>,
    part: Part,
    /// Whether every part before the present one is an assignment.
    all_assigned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Not begun.
    New,
    /// `function …`.
    Function,
    /// `var`, `let`, `const`.
    Variables,
    /// A single literal, such as a directive.
    Literal,
    /// Any other statement that is no expression.
    Other,
    /// An expression, or several behind commas.
    Expression,
}

/// What stands between two commas.
#[derive(Debug, Default)]
struct Part {
    span: Option<Range<usize>>,
    /// Whether something was seen that can't be the left side of an assignment.
    is_complex: bool,
    /// Whether the token before is a dot, after which no word is an operator.
    is_member: bool,
    target: Option<Range<usize>>,
    value: Value,
}

/// What is assigned, as far as it may be a function.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Value {
    #[default]
    New,
    Function,
    /// What may be the parameters of an arrow.
    Parameters,
    Arrow,
    Other,
}

impl Statement {
    /// A statement that begins at `begin`.
    pub(super) fn new(begin: usize) -> Self {
        Self {
            begin,
            form: Form::New,
            tokens: 0,
            name: None,
            part: Part::default(),
            all_assigned: true,
        }
    }

    /// Takes the next token that is not inside brackets.
    pub(super) fn take(&mut self, token: &Token, text: &[u8]) {
        self.tokens = self.tokens.saturating_add(1);
        if token.start == Start::Nested {
            self.form = Form::Other;
        }
        match self.form {
            Form::New => self.begin_with(token, text),
            Form::Function if self.tokens == 2 && token.kind == Kind::Word => {
                self.name = Some(token.span.clone());
            }
            Form::Literal if token.kind != Kind::Semicolon => self.form = Form::Expression,
            Form::Function | Form::Literal | Form::Other => {}
            Form::Variables | Form::Expression => self.take_part(token, text),
        }
    }

    /// Takes a bracket that closes.
    pub(super) fn close(&mut self, token: &Token) {
        if let Some(span) = &mut self.part.span {
            span.end = token.span.end;
        }
    }

    /// The function whose body begins with the next token, when it has a name and isn't `async`.
    pub(super) fn function_name(&self) -> Option<Range<usize>> {
        match self.part.value {
            Value::Function | Value::Arrow => self.part.target.clone(),
            _ => self.name.clone(),
        }
    }

    /// Whether the statement stays in the script.
    pub(super) fn is_kept(&self) -> bool {
        self.form != Form::Expression || (self.all_assigned && self.part.target.is_some())
    }

    fn begin_with(&mut self, token: &Token, text: &[u8]) {
        self.form = Form::of(token, text);
        match self.form {
            Form::Expression => self.part.take(token, text),
            Form::Literal => self.part.is_complex = true,
            _ => {}
        }
    }

    fn take_part(&mut self, token: &Token, text: &[u8]) {
        match token.kind {
            Kind::Comma => {
                self.all_assigned &= self.part.target.is_some();
                self.part = Part::default();
            }
            Kind::Semicolon => {}
            _ => self.part.take(token, text),
        }
    }
}

impl Form {
    fn of(token: &Token, text: &[u8]) -> Self {
        match (token.kind, text) {
            (Kind::Text | Kind::Number, _) => Self::Literal,
            (Kind::Word, b"function") => Self::Function,
            (Kind::Word, b"var" | b"let" | b"const") => Self::Variables,
            (Kind::Open(b'{') | Kind::Semicolon, _) => Self::Other,
            (Kind::Word, word) if is_statement(word) => Self::Other,
            _ => Self::Expression,
        }
    }
}

impl Part {
    fn take(&mut self, token: &Token, text: &[u8]) {
        if self.target.is_some() {
            self.value = self.value.after(token.kind, text);
            return;
        }
        let is_member = std::mem::replace(&mut self.is_member, token.kind == Kind::Dot);
        match token.kind {
            Kind::Assign if !self.is_complex => self.target.clone_from(&self.span),
            Kind::Dot | Kind::Open(_) => self.extend(token),
            Kind::Word if is_member || !is_operator(text) => self.extend(token),
            _ => self.is_complex = true,
        }
    }

    fn extend(&mut self, token: &Token) {
        let begin = self
            .span
            .as_ref()
            .map_or(token.span.start, |span| span.start);
        self.span = Some(begin..token.span.end);
    }
}

impl Value {
    fn after(self, kind: Kind, text: &[u8]) -> Self {
        match (self, kind) {
            (Self::New, Kind::Word) if text == b"function" => Self::Function,
            (Self::New, Kind::Word) if text != b"async" => Self::Parameters,
            (Self::New, Kind::Open(b'(')) => Self::Parameters,
            (Self::Function, Kind::Word | Kind::Open(b'(')) => Self::Function,
            (Self::Parameters, Kind::Arrow) => Self::Arrow,
            _ => Self::Other,
        }
    }
}

/// Whether a word begins a statement that is neither a declaration of a name nor an expression.
fn is_statement(text: &[u8]) -> bool {
    matches!(
        text,
        b"async"
            | b"class"
            | b"if"
            | b"for"
            | b"while"
            | b"do"
            | b"switch"
            | b"try"
            | b"with"
            | b"throw"
            | b"return"
            | b"debugger"
    )
}

/// Whether a word is an operator, so that what it begins is no left side of an assignment.
fn is_operator(text: &[u8]) -> bool {
    matches!(
        text,
        b"typeof" | b"void" | b"delete" | b"await" | b"yield" | b"in" | b"instanceof"
    )
}

/// Recognises the statement `<name>.<member>("alr","yes")` among the statements of a function.
#[derive(Debug, Default)]
pub(super) struct MarkerCall {
    matched: usize,
    is_found: bool,
}

/// Tokens of the marker: the name, dot, member, parenthesis, two texts with a comma, parenthesis.
const MARKER_TOKENS: usize = 8;

impl MarkerCall {
    /// Takes the next token of the function; `depth` counts the brackets around it inside the body.
    pub(super) fn take(&mut self, token: &Token, text: &[u8], depth: usize) {
        if self.matched == MARKER_TOKENS && depth == 0 {
            self.is_found |= token.kind == Kind::Semicolon || token.start == Start::Fresh;
        }
        let is_next = match (self.matched, depth, token.kind) {
            (1, 0, Kind::Dot)
            | (2, 0, Kind::Word)
            | (3, 0, Kind::Open(b'('))
            | (5, 1, Kind::Comma)
            | (7, 0, Kind::Close(b')')) => true,
            (4, 1, Kind::Text) => unquoted(text) == b"alr",
            (6, 1, Kind::Text) => unquoted(text) == b"yes",
            _ => false,
        };
        self.matched = if is_next {
            self.matched.saturating_add(1)
        } else {
            usize::from(depth == 0 && token.kind == Kind::Word && token.start == Start::Fresh)
        };
    }

    /// Whether the statement was among those of the function, which has ended.
    pub(super) fn is_found(&self) -> bool {
        self.is_found || self.matched == MARKER_TOKENS
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.get(1..text.len().saturating_sub(1))
        .unwrap_or_default()
}
