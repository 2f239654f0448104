//! A Rust file as the rules need it: code without comments and tests, and the paths it names.

/// Code of a file without comments and without the tests at its bottom; strings are kept.
pub(crate) fn code(text: &str) -> String {
    let code = without_comments(text);
    match code.find("#[cfg(test)]\nmod tests") {
        Some(at) => code[..at].to_owned(),
        None => code,
    }
}

fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            rest = &rest[end..];
            continue;
        } else if rest.starts_with("/*") {
            rest = &rest[block_comment(rest)..];
            continue;
        } else if first == '"' {
            string(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            raw_string(rest)
        } else if first == '\'' {
            character(rest)
        } else if first == '_' || first.is_alphanumeric() {
            // Whole, so that the `r` at the end of a name begins no raw string.
            rest.find(|c: char| c != '_' && !c.is_alphanumeric())
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        // A raw identifier.
        return 1 + hashes;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    text[start..]
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            text[after..]
                .find('\'')
                .map_or(after, |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        // A lifetime.
        _ => 1,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    /// `::`
    Of,
    Other(char),
}

fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if first == '_' || first.is_alphabetic() {
            let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric());
            let length = end.unwrap_or(rest.len());
            if rest[length..].starts_with(['"', '#']) && &rest[..length] == "r" {
                raw_string(rest)
            } else {
                found.push(Token::Name(rest[..length].to_owned()));
                length
            }
        } else if first == '"' {
            found.push(Token::Other('"'));
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else if rest.starts_with("::") {
            found.push(Token::Of);
            2
        } else {
            if !first.is_whitespace() {
                found.push(Token::Other(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// Every path the code names, groups spread out: `use std::{env, io::Read}` gives `std::env` and `std::io::Read`.
/// One-segment paths count only after `use`.
pub(crate) fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_start = matches!(tokens[at], Token::Name(_));
        let is_used = at > 0 && tokens[at - 1] == Token::Name("use".to_owned());
        if !is_start {
            at += 1;
            continue;
        }
        let mut leaves = Vec::new();
        at = tree(&tokens, at, &[], &mut leaves);
        found.extend(leaves.into_iter().filter(|path| is_used || path.len() > 1));
    }
    found
}

/// Reads the path tree at `at`, adds its leaves and returns where it ends.
fn tree(tokens: &[Token], at: usize, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = at;
    loop {
        match tokens.get(at) {
            Some(Token::Name(name)) => path.push(name.clone()),
            Some(Token::Other('{')) if tokens.get(at.wrapping_sub(1)) == Some(&Token::Of) => {
                return group(tokens, at + 1, &path, leaves);
            }
            _ => break,
        }
        at += 1;
        if tokens.get(at) != Some(&Token::Of) {
            break;
        }
        at += 1;
    }
    leaves.push(path);
    at
}

fn group(tokens: &[Token], at: usize, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut at = at;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Other('}') => return at + 1,
            Token::Name(_) => at = tree(tokens, at, prefix, leaves),
            _ => at += 1,
        }
    }
    at
}
