//! Tokens that only a browser can make (PO tokens), brought by the operator.

use std::collections::BTreeMap;

use crate::config::{Env, Secret};

/// The tokens, by client.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, ClientTokens>);

/// The tokens of one client.
#[derive(Debug, Default)]
pub(super) struct ClientTokens {
    /// For the player request.
    pub(super) player: Option<Secret>,
    /// For media requests.
    pub(super) media: Option<Secret>,
}

/// Longest token that is accepted.
const MAX_LENGTH: usize = 1024;

/// Whether a text has the form of a token.
pub(super) fn is_token(text: &str) -> bool {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=%+/".contains(&byte);
    !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(is_byte)
}

impl Tokens {
    /// Reads `YOUTUBE_PO_TOKENS`: `<client>.player=<token>` and `<client>.media=<token>`, separated by commas.
    pub(super) fn from_env(env: &mut Env) -> Self {
        let Some(text) = env.secret("YOUTUBE_PO_TOKENS") else {
            return Self::default();
        };
        Self::parse(text.reveal()).unwrap_or_else(|message| {
            env.fault("YOUTUBE_PO_TOKENS", message);
            Self::default()
        })
    }

    /// Reads the list; the message of an error names no token.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut tokens = Self::default();
        for entry in text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            let (name, token) = entry
                .split_once('=')
                .ok_or("must be `<client>.<player|media>=<token>`, separated by commas")?;
            let (client, kind) = name
                .split_once('.')
                .ok_or("must name a client and `player` or `media`, as in `web.media=…`")?;
            if !is_token(token) {
                return Err("a token is empty, too long or not base64");
            }
            let of_client = tokens.0.entry(client.to_owned()).or_default();
            let slot = match kind {
                "player" => &mut of_client.player,
                "media" => &mut of_client.media,
                _ => return Err("the kind of a token must be `player` or `media`"),
            };
            *slot = Some(Secret::new(token.to_owned()));
        }
        Ok(tokens)
    }

    /// The token of a client for its player requests.
    pub(super) fn player(&self, client: &str) -> Option<&str> {
        self.0.get(client)?.player.as_ref().map(Secret::reveal)
    }

    /// The token of a client for its media requests.
    pub(super) fn media(&self, client: &str) -> Option<&str> {
        self.0.get(client)?.media.as_ref().map(Secret::reveal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_by_client_and_kind() {
        let tokens = Tokens::parse("web.media=MnQ_-=, android.player=abc==,").unwrap();
        assert_eq!(tokens.media("web"), Some("MnQ_-="));
        assert_eq!(tokens.player("web"), None);
        assert_eq!(tokens.player("android"), Some("abc=="));
    }

    #[test]
    fn faults_name_the_variable_and_no_token() {
        for value in [
            "web.media",
            "webmedia=secret",
            "web.other=secret",
            "web.media=sec ret",
            "web.media=",
        ] {
            let mut env = Env::from_pairs([("YOUTUBE_PO_TOKENS", value)]);
            Tokens::from_env(&mut env);
            let error = env.finish().unwrap_err().to_string();
            assert!(
                error.contains("YOUTUBE_PO_TOKENS") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
