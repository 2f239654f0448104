//! A walk over the tokens of a script that knows, at each one, whether a statement begins there.
//!
//! Not a parser: no tree, no recursion, one small record per open bracket. A script comes from the network, and a
//! recursive parser can be led into a stack overflow, which no caller can catch; this walk can't. What it must get
//! right are two questions that a lexer alone can't answer: whether `/` divides or begins a regular expression, and
//! whether `{` begins a block or a value. Both follow from the token before and from the bracket around.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use super::token::{self, Brace, Kind, LexError, Start, Token};

/// Brackets inside each other; recorded players stay below 60.
const MAX_DEPTH: usize = 2_000;

/// An open bracket.
#[derive(Debug, Clone, Copy)]
struct Frame {
    bracket: Bracket,
    /// Conditions `?` in it whose `:` is still to come.
    conditions: usize,
}

#[derive(Debug, Clone, Copy)]
enum Bracket {
    Paren(Paren),
    Square,
    Brace(Brace),
    /// A template whose pieces are being read.
    Template,
}

/// What a pair of parentheses belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paren {
    /// A call, a group, the parameters of a method or an arrow.
    Plain,
    /// The head of `if`, `for`, `while`, `with`, `switch`, `catch`.
    Head,
    /// The parameters after the word `function`; the flag says whether that is a declaration.
    Parameters(bool),
}

/// What the token before was, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The end of a value: a name, a literal, a closing bracket.
    Value,
    /// Something after which a value must come.
    Operator,
    /// `.`: a name must come, and no word is a keyword.
    Dot,
    /// The end of a statement, or the brace that begins a block.
    Statement,
    /// Something whose body is the next statement.
    Body,
    /// `)`.
    Paren(Paren),
    /// `=>`.
    Arrow,
}

/// The walk.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    frames: Vec<Frame>,
    before: Before,
    /// The word `function` or `class` whose parameters or body have not come yet, and whether it is a declaration.
    pending: Option<(Pending, bool)>,
    /// What the token before was, when it was a word that matters to the next token only.
    hint: Hint,
    outer_conditions: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Function,
    Class,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Hint {
    #[default]
    None,
    /// `async` at the start of a statement.
    Async,
    /// A keyword whose parentheses are a [`Paren::Head`].
    Head,
}

impl<'a> Scanner<'a> {
    /// A walk from the beginning of a script.
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            at: 0,
            frames: Vec::new(),
            before: Before::Statement,
            pending: None,
            hint: Hint::None,
            outer_conditions: 0,
        }
    }

    /// The bytes of a span.
    pub(super) fn text(&self, span: &Range<usize>) -> &'a [u8] {
        self.source.get(span.clone()).unwrap_or_default()
    }

    /// The next token, or `None` at the end.
    ///
    /// # Errors
    /// [`LexError`] where the text can't be a script; the walk must not go on then.
    pub(super) fn next(&mut self) -> Result<Option<Token>, LexError> {
        if matches!(self.top(), Some(Bracket::Template)) {
            return self.template_piece().map(Some);
        }
        let (at, newline) = token::skip_blanks(self.source, self.at)?;
        if at >= self.source.len() {
            return if self.frames.is_empty() {
                Ok(None)
            } else {
                Err(LexError::Brackets)
            };
        }
        let (kind, span) = token::token(self.source, at, self.operand_may_begin())?;
        self.at = span.end;
        let start = self.start(kind, &span, newline);
        let mut token = Token {
            kind,
            span,
            start,
            depth: self.frames.len(),
            brace: None,
        };
        self.advance(&mut token)?;
        Ok(Some(token))
    }

    fn top(&self) -> Option<Bracket> {
        self.frames.last().map(|frame| frame.bracket)
    }

    /// Whether what is directly around are statements.
    fn among_statements(&self) -> bool {
        match self.top() {
            None => true,
            Some(Bracket::Brace(brace)) => !matches!(brace, Brace::Object | Brace::Substitution),
            Some(_) => false,
        }
    }

    fn operand_may_begin(&self) -> bool {
        match self.before {
            Before::Value | Before::Dot => false,
            Before::Paren(paren) => paren == Paren::Head,
            Before::Operator | Before::Statement | Before::Body | Before::Arrow => true,
        }
    }

    fn start(&self, kind: Kind, span: &Range<usize>, newline: bool) -> Start {
        if !self.among_statements() || matches!(kind, Kind::Close(_)) {
            return Start::No;
        }
        match self.before {
            Before::Statement => Start::Fresh,
            Before::Body | Before::Paren(Paren::Head) => Start::Nested,
            // A semicolon that was left out (ECMA-262 §12.10): no token that begins a value can follow one.
            Before::Value | Before::Paren(_) if newline && self.begins_value(kind, span) => {
                Start::Fresh
            }
            _ => Start::No,
        }
    }

    fn begins_value(&self, kind: Kind, span: &Range<usize>) -> bool {
        match kind {
            Kind::Number | Kind::Text => true,
            Kind::Word => {
                self.pending.is_none() && !matches!(self.text(span), b"in" | b"instanceof")
            }
            _ => false,
        }
    }

    /// Updates the memory after `token`.
    fn advance(&mut self, token: &mut Token) -> Result<(), LexError> {
        let hint = std::mem::take(&mut self.hint);
        self.before = match token.kind {
            Kind::Word => self.word(token, hint),
            Kind::Number | Kind::Text | Kind::Regex => Before::Value,
            Kind::Open(bracket) => self.open(bracket, token, hint)?,
            Kind::Close(bracket) => {
                let before = self.close(bracket)?;
                token.depth = self.frames.len();
                before
            }
            Kind::Template { .. } => {
                self.push(Bracket::Template)?;
                Before::Operator
            }
            Kind::Dot => Before::Dot,
            Kind::Arrow => Before::Arrow,
            // Behind a value it belongs to the value, else a value must come.
            Kind::Step => match self.before {
                Before::Value | Before::Paren(Paren::Plain) => Before::Value,
                _ => Before::Operator,
            },
            Kind::Semicolon if self.among_statements() => self.statement(),
            Kind::Question => {
                let conditions = self.conditions();
                *conditions = conditions.saturating_add(1);
                Before::Operator
            }
            Kind::Colon => self.colon(),
            Kind::Semicolon | Kind::Assign | Kind::Comma | Kind::Operator => Before::Operator,
        };
        Ok(())
    }

    fn statement(&mut self) -> Before {
        *self.conditions() = 0;
        self.pending = None;
        Before::Statement
    }

    fn conditions(&mut self) -> &mut usize {
        match self.frames.last_mut() {
            Some(frame) => &mut frame.conditions,
            None => &mut self.outer_conditions,
        }
    }

    fn colon(&mut self) -> Before {
        let conditions = self.conditions();
        if *conditions > 0 {
            *conditions = conditions.saturating_sub(1);
            return Before::Operator;
        }
        self.pending = None;
        if self.among_statements() {
            Before::Body
        } else {
            Before::Operator
        }
    }

    fn word(&mut self, token: &Token, hint: Hint) -> Before {
        if self.before == Before::Dot {
            return Before::Value;
        }
        let starts = token.start != Start::No;
        let is_declaration = starts || hint == Hint::Async;
        match self.text(&token.span) {
            b"function" => self.pending = Some((Pending::Function, is_declaration)),
            b"class" => self.pending = Some((Pending::Class, is_declaration)),
            b"async" if starts => self.hint = Hint::Async,
            b"if" | b"for" | b"while" | b"with" | b"switch" | b"catch" => self.hint = Hint::Head,
            b"else" | b"do" | b"try" | b"finally" => return Before::Body,
            // `for await (…)`.
            b"await" if hint == Hint::Head => self.hint = Hint::Head,
            // Not a keyword everywhere.
            b"let" if starts => return Before::Operator,
            // Not `of`: shortened names may be called that.
            b"var" | b"const" | b"return" | b"typeof" | b"instanceof" | b"in" | b"new"
            | b"delete" | b"void" | b"throw" | b"case" | b"yield" | b"await" | b"extends" => {
                return Before::Operator;
            }
            _ => {}
        }
        Before::Value
    }

    fn push(&mut self, bracket: Bracket) -> Result<(), LexError> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(LexError::Depth);
        }
        self.frames.push(Frame {
            bracket,
            conditions: 0,
        });
        Ok(())
    }

    fn open(&mut self, bracket: u8, token: &mut Token, hint: Hint) -> Result<Before, LexError> {
        match bracket {
            b'(' => {
                let paren = self.paren(hint);
                self.push(Bracket::Paren(paren))?;
                Ok(Before::Operator)
            }
            b'[' => {
                self.push(Bracket::Square)?;
                Ok(Before::Operator)
            }
            _ => {
                let brace = self.brace(token.start);
                token.brace = Some(brace);
                self.push(Bracket::Brace(brace))?;
                Ok(if brace == Brace::Object {
                    Before::Operator
                } else {
                    Before::Statement
                })
            }
        }
    }

    fn paren(&mut self, hint: Hint) -> Paren {
        match self.pending {
            Some((Pending::Function, is_declaration)) => {
                self.pending = None;
                Paren::Parameters(is_declaration)
            }
            _ if hint == Hint::Head => Paren::Head,
            _ => Paren::Plain,
        }
    }

    fn brace(&mut self, start: Start) -> Brace {
        if let Some((Pending::Class, is_declaration)) = self.pending
            && self.before == Before::Value
        {
            self.pending = None;
            return Brace::Class(is_declaration);
        }
        match self.before {
            Before::Paren(Paren::Parameters(true)) => Brace::Declaration,
            Before::Paren(Paren::Parameters(false) | Paren::Plain) | Before::Arrow => {
                Brace::Function
            }
            // A method may be called `catch`.
            Before::Paren(Paren::Head) if start == Start::No => Brace::Function,
            Before::Statement | Before::Body if start == Start::No => Brace::Object,
            // `catch{` has no head; after any other value the brace stands on a line of its own.
            Before::Statement | Before::Body | Before::Paren(Paren::Head) | Before::Value => {
                Brace::Block
            }
            Before::Operator | Before::Dot => Brace::Object,
        }
    }

    fn close(&mut self, bracket: u8) -> Result<Before, LexError> {
        let frame = self.frames.pop().ok_or(LexError::Brackets)?;
        match (frame.bracket, bracket) {
            (Bracket::Paren(paren), b')') => Ok(Before::Paren(paren)),
            (Bracket::Square, b']') => Ok(Before::Value),
            (Bracket::Brace(brace), b'}') => Ok(self.close_brace(brace)),
            _ => Err(LexError::Brackets),
        }
    }

    fn close_brace(&mut self, brace: Brace) -> Before {
        self.pending = None;
        match brace {
            Brace::Block | Brace::Declaration | Brace::Class(true) => self.statement(),
            // Members of a class follow each other without a mark between them.
            Brace::Function if matches!(self.top(), Some(Bracket::Brace(Brace::Class(_)))) => {
                self.statement()
            }
            Brace::Function | Brace::Object | Brace::Class(false) => Before::Value,
            Brace::Substitution => Before::Operator,
        }
    }

    fn template_piece(&mut self) -> Result<Token, LexError> {
        let (kind, span) = token::template(self.source, self.at)?;
        self.at = span.end;
        let depth = self.frames.len();
        if kind == (Kind::Template { closes: true }) {
            self.frames.pop();
            self.before = Before::Value;
        } else {
            self.push(Bracket::Brace(Brace::Substitution))?;
            self.before = Before::Operator;
        }
        Ok(Token {
            kind,
            span,
            start: Start::No,
            depth,
            brace: None,
        })
    }
}
