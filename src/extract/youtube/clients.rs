//! The shape of `clients.toml`: as whom we ask, in which order, and what each client needs.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::hosts::API;
use crate::config::Env;
use crate::extract::identity::{HeaderSet, HeaderText, load, milliseconds};

const EMBEDDED: &str = include_str!("clients.toml");

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClients {
    max_bytes: usize,
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    timeout: Duration,
    #[serde(rename = "extra_timeout_ms", deserialize_with = "milliseconds")]
    extra_timeout: Duration,
    visitor_seconds: u64,
    player_seconds: u64,
    cookies: Vec<(String, String)>,
    media: MediaRules,
    #[serde(default)]
    provider: ProviderRules,
    #[serde(default = "home")]
    login_page: String,
    order: RawOrder,
    clients: BTreeMap<String, Client>,
}

/// How media are asked for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaRules {
    /// Most bytes of a file that one request asks for.
    pub(super) part_bytes: NonZeroU64,
    /// Whether the last byte is asked for beside the first ones.
    pub(super) proves_tails: bool,
}

/// How a provider of tokens is asked.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProviderRules {
    /// Time to tell that it is there.
    #[serde(rename = "ping_timeout_ms", deserialize_with = "milliseconds")]
    pub(super) ping_timeout: Duration,
    /// Time for a token.
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    pub(super) timeout: Duration,
    /// How long it is left alone after it failed.
    #[serde(rename = "pause_ms", deserialize_with = "milliseconds")]
    pub(super) pause: Duration,
    /// How long a token is used whose end it doesn't tell.
    #[serde(rename = "token_ms", deserialize_with = "milliseconds")]
    pub(super) token_life: Duration,
}

impl Default for ProviderRules {
    fn default() -> Self {
        Self {
            ping_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(12),
            pause: Duration::from_secs(60),
            token_life: Duration::from_secs(6 * 3600),
        }
    }
}

/// What tokens of the provider are bound to, by use; `None` = it is not asked.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProviderTokens {
    /// Of player requests.
    pub(super) player: Option<Binding>,
    /// Of media requests.
    pub(super) media: Option<Binding>,
}

/// What a token is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Binding {
    /// The visitor id, or the account when logged in.
    Visitor,
    /// The video.
    Video,
}

/// The page that says who is logged in.
fn home() -> String {
    "/".to_owned()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOrder {
    anonymous: Vec<String>,
    logged_in: Vec<String>,
    metadata: String,
    pages: String,
    albums: Option<String>,
}

/// One identity.
#[derive(Debug, Clone, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a data file"
)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    /// Key of its table; set when the file is read.
    #[serde(skip)]
    pub(super) key: String,
    /// `clientName`.
    pub(super) name: HeaderText,
    /// `clientVersion`.
    pub(super) version: HeaderText,
    /// `X-YouTube-Client-Name`.
    pub(super) number: u32,
    /// Host of the interface.
    pub(super) host: String,
    /// How the player is asked.
    pub(super) endpoint: Endpoint,
    /// `User-Agent`, of media requests too.
    pub(super) user_agent: HeaderText,
    /// Further headers.
    #[serde(default)]
    pub(super) headers: HeaderSet,
    /// Whether the query carries `t` and `id`, as the apps write them.
    #[serde(default)]
    pub(super) has_app_query: bool,
    /// Page that the video is said to be embedded in.
    #[serde(default)]
    pub(super) embed_url: Option<String>,
    /// Whether its addresses need the player script.
    #[serde(default)]
    pub(super) needs_js: bool,
    /// Whether its media need a token that only a browser can make.
    #[serde(default)]
    pub(super) needs_media_token: bool,
    /// Formats that work without that token.
    #[serde(default)]
    pub(super) token_free_itags: Vec<u32>,
    /// Whether a token in the player request makes that one unnecessary.
    #[serde(default)]
    pub(super) player_token_suffices: bool,
    /// Tokens that the operator's provider makes for it.
    #[serde(default)]
    pub(super) provider_tokens: ProviderTokens,
    /// Whether the operator's cookies are sent.
    #[serde(default)]
    pub(super) takes_cookies: bool,
    /// Path of the page, `{id}` being the video, that gives its visitor id and its flags; `None` = it needs none.
    #[serde(default)]
    pub(super) settings_page: Option<String>,
    /// Further entries of `context.client`.
    pub(super) context: Map<String, Value>,
}

/// How the player is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Endpoint {
    /// `player`.
    Player,
    /// `reel/reel_item_watch`, which wraps the same answer.
    Reel,
}

/// The identities, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawClients")]
pub(super) struct Clients {
    /// Largest answer in bytes.
    pub(super) max_bytes: usize,
    /// Time for one answer.
    pub(super) timeout: Duration,
    /// Time for an answer that can be missed.
    pub(super) extra_timeout: Duration,
    /// How long a visitor id is used.
    pub(super) visitor_life: Duration,
    /// How long the current player script is taken for granted.
    pub(super) player_life: Duration,
    /// How media are asked for.
    pub(super) media: MediaRules,
    /// How a provider of tokens is asked.
    pub(super) provider: ProviderRules,
    /// Path of the page that says who is logged in.
    pub(super) login_page: String,
    /// Cookies set before anything is asked.
    pub(super) cookies: Vec<(String, String)>,
    /// Order without login.
    pub(super) anonymous: Vec<Client>,
    /// Order with login.
    pub(super) logged_in: Vec<Client>,
    /// Asked for what apps aren't told.
    pub(super) metadata: Client,
    /// Asked for playlists and chapters.
    pub(super) pages: Client,
    /// Asked which playlist an album is; `None` = albums are not served.
    pub(super) albums: Option<Client>,
}

impl TryFrom<RawClients> for Clients {
    type Error = String;

    fn try_from(raw: RawClients) -> Result<Self, String> {
        let find = |key: &String| {
            let client = raw
                .clients
                .get(key)
                .ok_or_else(|| format!("no client `{key}`"))?;
            if !API.contains(&client.host.as_str()) {
                return Err(format!("`{}` is no host of the interface", client.host));
            }
            Ok(Client {
                key: key.clone(),
                ..client.clone()
            })
        };
        let list = |keys: &[String]| match keys {
            [] => Err("an order is empty".to_owned()),
            keys => keys.iter().map(find).collect::<Result<Vec<_>, _>>(),
        };
        Ok(Self {
            anonymous: list(&raw.order.anonymous)?,
            logged_in: list(&raw.order.logged_in)?,
            metadata: find(&raw.order.metadata)?,
            pages: find(&raw.order.pages)?,
            albums: raw.order.albums.as_ref().map(find).transpose()?,
            max_bytes: raw.max_bytes,
            timeout: raw.timeout,
            extra_timeout: raw.extra_timeout,
            visitor_life: Duration::from_secs(raw.visitor_seconds),
            player_life: Duration::from_secs(raw.player_seconds),
            media: raw.media,
            provider: raw.provider,
            login_page: raw.login_page,
            cookies: raw.cookies,
        })
    }
}

impl Clients {
    /// Reads `YOUTUBE_CLIENTS_FILE`, else the embedded table.
    pub(super) fn from_env(env: &mut Env) -> Self {
        load(env, "YOUTUBE_CLIENTS_FILE", EMBEDDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Clients, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn embedded_table_is_valid_and_orders_as_ruled() {
        let clients = parse(EMBEDDED).unwrap();
        let keys = |list: &[Client]| {
            list.iter()
                .map(|client| client.key.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            keys(&clients.anonymous),
            ["visionos", "tv_samsung", "web_embedded", "web", "android"]
        );
        assert_eq!(clients.metadata.key, "web");
        assert!(clients.anonymous.iter().any(|client| !client.needs_js));
        assert!(clients.logged_in.iter().any(|client| client.takes_cookies));
    }

    #[test]
    fn unknown_clients_and_foreign_hosts_are_refused() {
        let missing = EMBEDDED.replace("metadata = \"web\"", "metadata = \"nobody\"");
        assert!(parse(&missing).unwrap_err().contains("nobody"));
        let foreign = EMBEDDED.replace("host = \"www.youtube.com\"", "host = \"evil.test\"");
        assert!(parse(&foreign).unwrap_err().contains("evil.test"));
        let empty = EMBEDDED.replace(
            "anonymous = [\"visionos\", \"tv_samsung\", \"web_embedded\", \"web\", \"android\"]",
            "anonymous = []",
        );
        assert!(parse(&empty).unwrap_err().contains("empty"));
    }
}
