//! Addresses, answers, pages and scripts, for [`crate::fuzz`].

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use ::url::Url;

use super::clients::ProviderRules;
use super::formats::{Mapping, Stream};
use super::hosts::Hosts;
use super::metadata::{Answers, describe};
use super::provider::{self, Provider};
use super::response::player::Player;
use super::{VideoId, js, page as settings, playability, playlist, url};
use crate::clock::Clock;
use crate::config::Env;
use crate::extract::Content;
use crate::net::MediaSession;

pub(in crate::extract) fn address(url: &Url) {
    let _address = url::read(url);
}

/// Formats lead to hosts of media alone.
pub(in crate::extract) fn player(data: &[u8]) {
    let Ok(player) = serde_json::from_slice::<Player>(data) else {
        return;
    };
    let hosts = Hosts::default();
    let mapping = Mapping {
        hosts: &hosts,
        media_token: None,
        token_free_itags: None,
    };
    let mapped = mapping.map(&player);
    let fault = playability::fault(&player);
    let fault = fault.or_else(|| playability::format_fault(&player, &mapped));
    let _told = fault.map(|fault| fault.into_error().to_string());
    let formats: Vec<_> = mapped
        .streams
        .iter()
        .filter_map(Stream::to_format)
        .collect();
    for address in formats.iter().flat_map(|format| &format.urls) {
        let url = Url::parse(address);
        assert!(
            url.is_ok_and(|url| hosts.all.check(&url).is_ok()),
            "{address}"
        );
    }
    let answers = Answers {
        player: &player,
        web: Some(&player),
        next: None,
    };
    if let Some(id) = VideoId::parse("dQw4w9WgXcQ") {
        let content = Content::Video { formats };
        describe(&id, answers, &hosts, content, MediaSession::default());
    }
}

/// Entries are videos.
pub(in crate::extract) fn list(data: &[u8]) {
    let Ok(answer) = serde_json::from_slice(data) else {
        return;
    };
    for entry in playlist::read_anything(&answer, &Hosts::default()) {
        assert!(VideoId::parse(&entry.id).is_some(), "{}", entry.id);
    }
}

pub(in crate::extract) fn page(data: &[u8]) {
    let _settings = settings::read(&String::from_utf8_lossy(data));
}

/// The script is cut up without being run.
pub(in crate::extract) fn script(data: &[u8]) {
    js::read_anything(data);
}

/// A provider that is never asked.
static PROVIDER: LazyLock<Option<Provider>> = LazyLock::new(|| {
    let mut env = Env::from_pairs([("YOUTUBE_POT_PROVIDER_URL", "http://127.0.0.1:9")]);
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Provider::from_env(&mut env, ProviderRules::default(), Clock::Fixed(now))
});

/// Answers of the operator's token provider.
pub(in crate::extract) fn provider(data: &[u8]) {
    let provider = PROVIDER.as_ref();
    assert!(provider.is_some());
    if let Some(provider) = provider {
        provider::read_anything(provider, data);
    }
}
