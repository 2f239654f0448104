//! What a page of the site says of its visitor: the objects that it passes to `ytcfg.set` (yt-dlp `extract_ytcfg`). Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use serde::Deserialize;

use crate::extract::lenient::{Count, Object, Text};

/// Calls of `ytcfg.set` that are read; pages have two or three.
const MAX_CALLS: usize = 16;
/// Longest value that is used; the longest ones seen have some 200 characters.
const MAX_LENGTH: usize = 2048;

/// What a page says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PageSettings {
    /// The visitor id that the page was given to.
    pub(super) visitor: Option<String>,
    /// What an embedded player tells about the page around it; good for the page's visitor only.
    pub(super) host_flags: Option<String>,
    /// Whom the page takes the visitor for.
    pub(super) login: Login,
}

/// Who is logged in, in the site's own terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    /// `<delegated>||<user>` for a further channel of an account, `<user>||` for its own.
    pub(super) data_sync: Option<String>,
    /// The account; part of every proof of a login.
    pub(super) user: Option<String>,
    /// A further channel of the account, when that is used.
    pub(super) delegated: Option<String>,
    /// Place among the accounts of the cookies.
    pub(super) index: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
struct Settings {
    visitor_data: Text,
    #[serde(rename = "DATASYNC_ID")]
    data_sync: Text,
    user_session_id: Text,
    delegated_session_id: Text,
    session_index: Count,
    web_player_context_configs: Object<Contexts>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
struct Contexts {
    web_player_context_config_id_embedded_player: Object<Embedded>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Embedded {
    encrypted_host_flags: Text,
}

/// Reads a page; what it doesn't say, or says in a form that can't be right, is left out.
pub(super) fn read(page: &str) -> PageSettings {
    let mut found = PageSettings::default();
    for (at, call) in page.match_indices("ytcfg.set(").take(MAX_CALLS) {
        let rest = page.get(at..).and_then(|rest| rest.strip_prefix(call));
        let rest = rest.unwrap_or_default();
        let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<Settings>();
        if let Some(Ok(settings)) = objects.next() {
            found.add(&settings);
        }
    }
    found
}

impl PageSettings {
    fn add(&mut self, settings: &Settings) {
        let contexts = settings.web_player_context_configs.as_ref();
        let embedded =
            contexts.and_then(|all| all.web_player_context_config_id_embedded_player.as_ref());
        keep(&mut self.visitor, &settings.visitor_data);
        if let Some(embedded) = embedded {
            keep(&mut self.host_flags, &embedded.encrypted_host_flags);
        }
        self.login.add(settings);
    }
}

impl Login {
    fn add(&mut self, settings: &Settings) {
        keep(&mut self.data_sync, &settings.data_sync);
        keep(&mut self.user, &settings.user_session_id);
        keep(&mut self.delegated, &settings.delegated_session_id);
        self.index = self.index.or(*settings.session_index);
        let (delegated, user) = split(self.data_sync.as_deref().unwrap_or_default());
        self.user = self.user.take().or(user);
        self.delegated = self.delegated.take().or(delegated);
    }
}

/// Keeps the first value that can stand in a header.
fn keep(slot: &mut Option<String>, value: &Text) {
    let text = value.text();
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=%+/.|".contains(&byte);
    if slot.is_none() && !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(is_byte) {
        *slot = Some(text.to_owned());
    }
}

/// The further channel and the account in a `DATASYNC_ID`.
fn split(text: &str) -> (Option<String>, Option<String>) {
    let some = |part: &str| (!part.is_empty()).then(|| part.to_owned());
    match text.split_once("||") {
        Some((account, "")) => (None, some(account)),
        Some((channel, account)) => (some(channel), some(account)),
        None => (None, some(text)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accounts_and_channels_are_told_apart() {
        let login = |text: &str| read(&format!("ytcfg.set({text});")).login;
        let own = login(r#"{"DATASYNC_ID":"123||","SESSION_INDEX":"2"}"#);
        assert_eq!(
            (own.user.as_deref(), own.delegated.as_deref(), own.index),
            (Some("123"), None, Some(2))
        );
        let channel = login(r#"{"DATASYNC_ID":"77||123"}"#);
        assert_eq!(
            (channel.user.as_deref(), channel.delegated.as_deref()),
            (Some("123"), Some("77"))
        );
        let named =
            login(r#"{"USER_SESSION_ID":"9","DELEGATED_SESSION_ID":"8","DATASYNC_ID":"77||123"}"#);
        assert_eq!(
            (named.user.as_deref(), named.delegated.as_deref()),
            (Some("9"), Some("8"))
        );
    }

    #[test]
    fn values_that_cannot_be_right_are_left_out() {
        for text in [
            "",
            "ytcfg.set(",
            "ytcfg.set(\"KEY\", 1)",
            r#"ytcfg.set({"VISITOR_DATA":"a\r\nb"})"#,
            r#"ytcfg.set({"VISITOR_DATA":{"a":1},"WEB_PLAYER_CONTEXT_CONFIGS":[]})"#,
        ] {
            assert_eq!(read(text), PageSettings::default(), "{text}");
        }
        let long = format!("ytcfg.set({{\"VISITOR_DATA\":\"{}\"}})", "a".repeat(3000));
        assert_eq!(read(&long), PageSettings::default());
    }

    proptest! {
        #[test]
        fn any_page_is_read_without_panic(before in "\\PC{0,40}", after in "\\PC{0,80}") {
            let _ = read(&format!("{before}ytcfg.set({{{after}"));
            let _ = read(&format!("{before}ytcfg.set({after}"));
        }
    }
}
