//! One extraction's conversation with the interface: visitor ids, login, one retry, and answers turned into types.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use http::StatusCode;
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::build::{self, PlayerAsk, Surroundings};
use super::{Answer, Ask, Call, PageCall};
use crate::clock::Clock;
use crate::extract::youtube::auth::AccountCookies;
use crate::extract::youtube::clients::{Binding, Client, Clients, Endpoint};
use crate::extract::youtube::page::{self, Login, PageSettings};
use crate::extract::youtube::provider::Provider;
use crate::extract::youtube::response::player::{AnyAnswer, Player, Reel};
use crate::extract::youtube::tokens::Tokens;
use crate::extract::youtube::visitor::Visitors;
use crate::extract::youtube::{SITE, VideoId};
use crate::extract::{Block, ExtractError};

/// Characters of a nonce.
const NONCE_LENGTH: usize = 28;
/// The parts of a player answer that apps aren't told.
const METADATA_FIELDS: &str = "microformat,videoDetails,playabilityStatus";

/// What one extraction asks with.
pub(in crate::extract::youtube) struct Session<'a> {
    pub(in crate::extract::youtube) transport: &'a dyn Ask,
    pub(in crate::extract::youtube) clients: &'a Clients,
    pub(in crate::extract::youtube) tokens: &'a Tokens,
    pub(in crate::extract::youtube) provider: Option<&'a Provider>,
    pub(in crate::extract::youtube) visitors: &'a Visitors,
    /// The visitor id that the operator's tokens are bound to.
    pub(in crate::extract::youtube) fixed_visitor: Option<&'a str>,
    pub(in crate::extract::youtube) account: &'a AccountCookies,
    /// Whose the account is, once the site told.
    pub(in crate::extract::youtube) login: Login,
    pub(in crate::extract::youtube) clock: Clock,
}

/// An answer with the visitor id it was asked with.
#[derive(Debug)]
pub(in crate::extract::youtube) struct Asked<T> {
    pub(in crate::extract::youtube) answer: T,
    pub(in crate::extract::youtube) visitor: String,
}

/// What a client is told about a video, and the tokens that belong to it.
#[derive(Debug)]
pub(in crate::extract::youtube) struct AskedPlayer {
    pub(in crate::extract::youtube) answer: Player,
    pub(in crate::extract::youtube) visitor: String,
    /// Whether it was asked for with a token.
    pub(in crate::extract::youtube) had_token: bool,
    /// Token that media requests carry.
    pub(in crate::extract::youtube) media_token: Option<String>,
}

impl Session<'_> {
    /// What a client is told about a video; one whose addresses need the player script names the `day` of that.
    pub(in crate::extract::youtube) async fn player(
        &self,
        client: &Client,
        id: &VideoId,
        day: Option<u32>,
    ) -> Result<AskedPlayer, ExtractError> {
        let (visitor, host_flags) = self.visitor_for(client, id).await?;
        let token = self.player_token(client, id, &visitor).await;
        let nonce = nonce();
        let authorization = self.authorization(client);
        let around = self.around(&visitor, authorization.as_deref(), &nonce);
        let ask = PlayerAsk {
            token: token.as_deref(),
            day,
            host_flags: host_flags.as_deref(),
            ..PlayerAsk::default()
        };
        let call = build::player(client, id, ask, around);
        // A provider takes its time; the answer doesn't depend on it.
        let (sent, media_token) = join(
            Box::pin(self.send(call)),
            Box::pin(self.media_token(client, id, &visitor)),
        )
        .await;
        let body = sent?.body;
        let is_reel = client.endpoint == Endpoint::Reel && token.is_none();
        let answer = if is_reel {
            let reel: Reel = parse(&body, "reel")?;
            reel.player_response.into_inner().unwrap_or_default()
        } else {
            parse(&body, "player")?
        };
        Ok(AskedPlayer {
            answer,
            visitor,
            had_token: token.is_some(),
            media_token,
        })
    }

    /// The visitor id for a player, and the flags that come with it where the client plays inside a page.
    async fn visitor_for(
        &self,
        client: &Client,
        id: &VideoId,
    ) -> Result<(String, Option<String>), ExtractError> {
        // Flags are good for the visitor of their page alone, so a configured one goes without.
        if let Some(page) = client
            .settings_page
            .as_ref()
            .filter(|_| self.fixed_visitor.is_none())
        {
            let path = page.replace("{id}", id.as_str());
            let settings = Box::pin(self.settings(client, &path)).await;
            if let Some(visitor) = settings.visitor {
                return Ok((visitor, settings.host_flags));
            }
        }
        Ok((self.visitor(client).await?, None))
    }

    /// What a page says of its visitor; nothing when it doesn't come in time.
    async fn settings(&self, client: &Client, path: &str) -> PageSettings {
        let Some(call) = build::settings(client, path, self.clients.extra_timeout) else {
            return PageSettings::default();
        };
        match self.send_once(call).await {
            Ok(answer) => page::read(&String::from_utf8_lossy(&answer.body)),
            Err(error) => {
                tracing::debug!(site = SITE, client = client.key, %error, "page without settings");
                PageSettings::default()
            }
        }
    }

    /// Who is logged in, as the site's own page says; `None` when it doesn't.
    pub(in crate::extract::youtube) async fn fetch_login(&self) -> Option<Login> {
        let page = self.settings(&self.clients.pages, &self.clients.login_page);
        let login = Box::pin(page).await.login;
        (login != Login::default()).then_some(login)
    }

    /// Token of a player request: the operator's own, else the provider's.
    async fn player_token(&self, client: &Client, id: &VideoId, visitor: &str) -> Option<String> {
        if let Some(token) = self.tokens.player(&client.key) {
            return Some(token.to_owned());
        }
        let binding = client.provider_tokens.player?;
        self.provided(client, binding, id, visitor).await
    }

    /// Token of media requests: the operator's own, else the provider's.
    async fn media_token(&self, client: &Client, id: &VideoId, visitor: &str) -> Option<String> {
        if let Some(token) = self.tokens.media(&client.key) {
            return Some(token.to_owned());
        }
        let binding = client.provider_tokens.media?;
        self.provided(client, binding, id, visitor).await
    }

    async fn provided(
        &self,
        client: &Client,
        binding: Binding,
        id: &VideoId,
        visitor: &str,
    ) -> Option<String> {
        let account = self
            .login
            .data_sync
            .as_deref()
            .filter(|_| client.takes_cookies && self.account.is_logged_in());
        let bound_to = match binding {
            Binding::Video => id.as_str(),
            Binding::Visitor => account.unwrap_or(visitor),
        };
        self.provider?.token(bound_to).await
    }

    /// Whether media of a client can have a token.
    pub(in crate::extract::youtube) fn can_have_media_token(&self, client: &Client) -> bool {
        let is_provided = self.provider.is_some() && client.provider_tokens.media.is_some();
        is_provided || self.tokens.media(&client.key).is_some()
    }

    /// Whether a player request of a client can have a token.
    pub(in crate::extract::youtube) fn can_have_player_token(&self, client: &Client) -> bool {
        let is_provided = self.provider.is_some() && client.provider_tokens.player.is_some();
        is_provided || self.tokens.player(&client.key).is_some()
    }

    /// The facts about a video that only web clients are told.
    pub(in crate::extract::youtube) async fn metadata(
        &self,
        id: &VideoId,
    ) -> Result<Player, ExtractError> {
        let client = &self.clients.metadata;
        let visitor = self.visitor(client).await?;
        let nonce = nonce();
        let authorization = self.authorization(client);
        let around = self.around(&visitor, authorization.as_deref(), &nonce);
        let ask = PlayerAsk {
            fields: Some(METADATA_FIELDS),
            ..PlayerAsk::default()
        };
        let call = build::player(client, id, ask, around);
        parse(&self.send(call).await?.body, "metadata")
    }

    /// A page, with the visitor id of the page before it.
    pub(in crate::extract::youtube) async fn page(
        &self,
        page: &PageCall,
        visitor: Option<&str>,
    ) -> Result<Asked<Value>, ExtractError> {
        self.page_as(&self.clients.pages, page, visitor).await
    }

    /// A page, asked for as a certain client.
    pub(in crate::extract::youtube) async fn page_as(
        &self,
        client: &Client,
        page: &PageCall,
        visitor: Option<&str>,
    ) -> Result<Asked<Value>, ExtractError> {
        let visitor = match visitor {
            Some(visitor) => visitor.to_owned(),
            None => self.visitor(&self.clients.pages).await?,
        };
        let nonce = nonce();
        let authorization = self.authorization(client);
        let around = self.around(&visitor, authorization.as_deref(), &nonce);
        let body = self.send(build::page(client, page, around)).await?.body;
        let answer: Value = parse(&body, page.endpoint)?;
        let named = answer
            .pointer("/responseContext/visitorData")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Ok(Asked {
            answer,
            visitor: named.unwrap_or(visitor),
        })
    }

    /// A script of the site's own host.
    pub(in crate::extract::youtube) async fn script(
        &self,
        path: &str,
    ) -> Result<Bytes, ExtractError> {
        let call = build::script(&self.clients.pages, path, self.clients.timeout);
        Ok(self.send(call).await?.body)
    }

    /// Drops a visitor id that the site distrusts.
    pub(in crate::extract::youtube) async fn forget_visitor(&self, client: &Client, visitor: &str) {
        self.visitors
            .forget(&self.visitor_slot(client), visitor)
            .await;
    }

    async fn visitor(&self, client: &Client) -> Result<String, ExtractError> {
        if let Some(fixed) = self.fixed_visitor {
            return Ok(fixed.to_owned());
        }
        let fetch = self.fetch_visitor(client);
        self.visitors
            .get(&self.visitor_slot(client), self.clients.visitor_life, fetch)
            .await
    }

    /// Visitor ids are given to a client and the address that it comes from.
    fn visitor_slot(&self, client: &Client) -> String {
        let egress = self.transport.egress().unwrap_or_default();
        format!("{egress}/{}", client.key)
    }

    async fn fetch_visitor(&self, client: &Client) -> Result<String, ExtractError> {
        let authorization = self.authorization(client);
        let around = Surroundings {
            visitor: None,
            authorization: authorization.as_deref(),
            login: Some(&self.login),
            nonce: "",
            timeout: self.clients.timeout,
        };
        let answer: AnyAnswer = parse(
            &self.send(build::visitor(client, around)).await?.body,
            "visitor id",
        )?;
        answer
            .response_context
            .into_inner()
            .and_then(|context| context.visitor_data.as_ref().cloned())
            .ok_or(shape("visitor id"))
    }

    fn around<'b>(
        &'b self,
        visitor: &'b str,
        authorization: Option<&'b str>,
        nonce: &'b str,
    ) -> Surroundings<'b> {
        Surroundings {
            visitor: Some(visitor),
            authorization,
            login: Some(&self.login),
            nonce,
            timeout: self.clients.timeout,
        }
    }

    fn authorization(&self, client: &Client) -> Option<String> {
        if !client.takes_cookies {
            return None;
        }
        let origin = format!("https://{}", client.host);
        self.account.authorization(
            &origin,
            self.login.user.as_deref(),
            self.clock.unix_seconds(),
        )
    }

    /// Sends a request, once more when that may help.
    async fn send(&self, call: Option<Call>) -> Result<Answer, ExtractError> {
        let call = call.ok_or(shape("request"))?;
        match self.send_once(call.clone()).await {
            Err(error) if error.may_retry() && self.transport.take_retry(&call.url) => {
                self.send_once(call).await
            }
            done => done,
        }
    }

    async fn send_once(&self, call: Call) -> Result<Answer, ExtractError> {
        let answer = self.transport.ask(call).await?;
        let blocked = |block, wait: Option<u64>| ExtractError::Blocked {
            site: SITE,
            block,
            retry_after: answer.retry_after.or(wait.map(Duration::from_secs)),
        };
        match answer.status {
            status if status.is_success() => Ok(answer),
            StatusCode::TOO_MANY_REQUESTS => Err(blocked(Block::RateLimited, Some(600))),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                Err(blocked(Block::Forbidden, None))
            }
            // Seen now and then for videos that are there (yt-dlp retries it too).
            status if status.is_server_error() || status == StatusCode::NOT_FOUND => {
                Err(ExtractError::Upstream {
                    site: SITE,
                    code: status.as_u16().into(),
                })
            }
            status if status.is_redirection() => Err(blocked(Block::SentAway, None)),
            // 400 for a request that the site no longer understands, or for a token that is none of its own.
            status => Err(ExtractError::Rejected {
                site: SITE,
                code: status.as_u16(),
            }),
        }
    }
}

fn shape(step: &'static str) -> ExtractError {
    ExtractError::Shape {
        site: SITE,
        step,
        source: None,
    }
}

fn parse<T: DeserializeOwned>(body: &[u8], step: &'static str) -> Result<T, ExtractError> {
    serde_json::from_slice(body).map_err(|source| ExtractError::Shape {
        site: SITE,
        step,
        source: Some(source.into()),
    })
}

/// Random characters of base64url.
fn nonce() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut rng = rand::rng();
    (0..NONCE_LENGTH)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}
