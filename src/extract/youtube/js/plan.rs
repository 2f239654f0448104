//! Which parts of a player script are cut away before it runs, and which of its functions are called.
//!
//! A player is one function called at once. Its top level holds the declarations that the challenges need and a few
//! calls that start the player in a page. Declarations and assignments stay, the other expressions go, as in yt-dlp's
//! ejs 0.8.0 (2026-06). The function that builds media addresses is known by a statement of its own,
//! `<name>.<member>("alr","yes")`, seen in every player of 2022-08 to 2026-01. The text is kept and spans are cut out
//! of it, so that no code generator is needed.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use super::Fault;
use super::scan::Scanner;
use super::statement::{MarkerCall, Statement};
use super::token::{Brace, Kind, LexError, Start, Token};

/// Name of the global value that holds the builders once the script has run.
pub(super) const BUILDERS: &str = "serverrsBuilders";

/// Builders kept of one script; every recorded player has one.
const MAX_BUILDERS: usize = 8;

impl From<LexError> for Fault {
    fn from(error: LexError) -> Self {
        Self::Form(error.reason())
    }
}

/// The script as it is run: without the calls that start the player, and with its builders put into [`BUILDERS`].
///
/// # Errors
/// [`Fault::Form`] when the text is no player script.
pub(super) fn prepare(script: &str) -> Result<String, Fault> {
    let source = script.as_bytes();
    let body = find_body(source)?;
    let mut text = String::with_capacity(script.len().saturating_add(256));
    let mut kept = 0;
    for cut in &body.cuts {
        text.push_str(&script[kept..cut.start]);
        text.push(';');
        kept = cut.end;
    }
    text.push_str(&script[kept..body.end]);
    text.push_str(";globalThis.");
    text.push_str(BUILDERS);
    text.push_str("=[");
    for builder in &body.builders {
        text.push_str(&script[builder.clone()]);
        text.push(',');
    }
    text.push_str("];");
    text.push_str(&script[body.end..]);
    Ok(text)
}

/// What was found in the function that makes up the player.
#[derive(Debug, Default)]
struct Body {
    cuts: Vec<Range<usize>>,
    builders: Vec<Range<usize>>,
    /// Where its closing brace is.
    end: usize,
}

/// Brackets around the statements of the player: `(function(g){` is two.
const BODY_DEPTH: usize = 2;

/// Walks the script up to the end of the first called function that holds a builder.
fn find_body(source: &[u8]) -> Result<Body, Fault> {
    let mut scanner = Scanner::new(source);
    let mut opening = Opening::default();
    let mut walk: Option<Walk> = None;
    while let Some(token) = scanner.next()? {
        if let Some(current) = &mut walk {
            if token.depth >= BODY_DEPTH {
                current.take(&token, scanner.text(&token.span));
                continue;
            }
            let body = current.finish(token.span.start);
            if !body.builders.is_empty() {
                rest_is_script(&mut scanner)?;
                return Ok(body);
            }
            walk = None;
        }
        if opening.is_complete(&token, scanner.text(&token.span)) {
            walk = Some(Walk::default());
        }
    }
    Err(Fault::Form("no function that builds media addresses"))
}

/// Walks to the end, so that a script cut short in transfer is known as such.
fn rest_is_script(scanner: &mut Scanner<'_>) -> Result<(), LexError> {
    while scanner.next()?.is_some() {}
    Ok(())
}

/// Recognises `(function(…){` at the start of a statement of the script.
#[derive(Debug, Default)]
struct Opening {
    /// Tokens of it seen: the parenthesis, the word.
    seen: u8,
}

impl Opening {
    fn is_complete(&mut self, token: &Token, text: &[u8]) -> bool {
        match (token.depth, token.kind) {
            (0, _) => {
                self.seen = u8::from(token.kind == Kind::Open(b'(') && token.start == Start::Fresh);
                false
            }
            (1, Kind::Word) if self.seen == 1 && text == b"function" => {
                self.seen = 2;
                false
            }
            // The name of the function, and its parameters.
            (1, Kind::Word | Kind::Open(b'(') | Kind::Close(b')')) if self.seen == 2 => false,
            (1, Kind::Open(b'{')) if self.seen == 2 => {
                self.seen = 0;
                true
            }
            (1, _) => {
                self.seen = 0;
                false
            }
            _ => false,
        }
    }
}

/// The walk through the statements of the player.
#[derive(Debug, Default)]
struct Walk {
    body: Body,
    statement: Option<Statement>,
    function: Option<Function>,
    /// Where the token before ended.
    last_end: usize,
}

/// A function that may turn out to be a builder.
#[derive(Debug)]
struct Function {
    name: Range<usize>,
    call: MarkerCall,
}

impl Walk {
    /// Takes the next token, which is inside the player's function.
    fn take(&mut self, token: &Token, text: &[u8]) {
        if token.depth == BODY_DEPTH {
            self.take_own(token, text);
        } else if let Some(function) = &mut self.function {
            function
                .call
                .take(token, text, token.depth.saturating_sub(BODY_DEPTH + 1));
        }
        self.last_end = token.span.end;
    }

    fn take_own(&mut self, token: &Token, text: &[u8]) {
        if matches!(token.kind, Kind::Close(_)) {
            self.end_function();
            if let Some(statement) = &mut self.statement {
                statement.close(token);
            }
            return;
        }
        if token.start == Start::Fresh && !is_continuation(text) {
            self.end_statement();
        }
        let statement = self
            .statement
            .get_or_insert_with(|| Statement::new(token.span.start));
        if matches!(token.brace, Some(Brace::Declaration | Brace::Function)) {
            let name = statement.function_name();
            self.function = name.map(|name| Function {
                name,
                call: MarkerCall::default(),
            });
        }
        statement.take(token, text);
    }

    fn end_function(&mut self) {
        if let Some(function) = self.function.take()
            && function.call.is_found()
            && self.body.builders.len() < MAX_BUILDERS
        {
            self.body.builders.push(function.name);
        }
    }

    fn end_statement(&mut self) {
        if let Some(statement) = self.statement.take()
            && !statement.is_kept()
        {
            self.body.cuts.push(statement.begin..self.last_end);
        }
    }

    fn finish(&mut self, end: usize) -> Body {
        self.end_statement();
        Body {
            end,
            ..std::mem::take(&mut self.body)
        }
    }
}

/// Whether a word at the start of a statement goes on with the statement before.
fn is_continuation(text: &[u8]) -> bool {
    matches!(text, b"else" | b"catch" | b"finally")
}
