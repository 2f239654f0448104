//! One extraction's conversation with the interface: visitor ids, login, one retry, and answers turned into types.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::build::{self, PlayerAsk, Surroundings};
use super::{Answer, Ask, Call, PageCall};
use crate::clock::Clock;
use crate::extract::youtube::auth::AccountCookies;
use crate::extract::youtube::clients::{Client, Clients, Endpoint};
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
    pub(in crate::extract::youtube) visitors: &'a Visitors,
    /// The visitor id that the operator's tokens are bound to.
    pub(in crate::extract::youtube) fixed_visitor: Option<&'a str>,
    pub(in crate::extract::youtube) account: &'a AccountCookies,
    pub(in crate::extract::youtube) clock: Clock,
}

/// An answer with the visitor id it was asked with.
#[derive(Debug)]
pub(in crate::extract::youtube) struct Asked<T> {
    pub(in crate::extract::youtube) answer: T,
    pub(in crate::extract::youtube) visitor: String,
}

impl Session<'_> {
    /// What a client is told about a video; one whose addresses need the player script names the `day` of that.
    pub(in crate::extract::youtube) async fn player(
        &self,
        client: &Client,
        id: &VideoId,
        day: Option<u32>,
    ) -> Result<Asked<Player>, ExtractError> {
        let visitor = self.visitor(client).await?;
        let token = self.tokens.player(&client.key);
        let nonce = nonce();
        let authorization = self.authorization(client);
        let around = self.around(&visitor, authorization.as_deref(), &nonce);
        let ask = PlayerAsk {
            token,
            day,
            ..PlayerAsk::default()
        };
        let call = build::player(client, id, ask, around);
        let body = self.send(call).await?.body;
        let is_reel = client.endpoint == Endpoint::Reel && token.is_none();
        let answer = if is_reel {
            let reel: Reel = parse(&body, "reel")?;
            reel.player_response.into_inner().unwrap_or_default()
        } else {
            parse(&body, "player")?
        };
        Ok(Asked { answer, visitor })
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
        let client = &self.clients.pages;
        let visitor = match visitor {
            Some(visitor) => visitor.to_owned(),
            None => self.visitor(client).await?,
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
        self.visitors.forget(&client.key, visitor).await;
    }

    async fn visitor(&self, client: &Client) -> Result<String, ExtractError> {
        if let Some(fixed) = self.fixed_visitor {
            return Ok(fixed.to_owned());
        }
        let fetch = self.fetch_visitor(client);
        self.visitors
            .get(&client.key, self.clients.visitor_life, fetch)
            .await
    }

    async fn fetch_visitor(&self, client: &Client) -> Result<String, ExtractError> {
        let authorization = self.authorization(client);
        let around = Surroundings {
            visitor: None,
            authorization: authorization.as_deref(),
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
        &self,
        visitor: &'b str,
        authorization: Option<&'b str>,
        nonce: &'b str,
    ) -> Surroundings<'b> {
        Surroundings {
            visitor: Some(visitor),
            authorization,
            nonce,
            timeout: self.clients.timeout,
        }
    }

    fn authorization(&self, client: &Client) -> Option<String> {
        if !client.takes_cookies {
            return None;
        }
        let origin = format!("https://{}", client.host);
        self.account
            .authorization(&origin, self.clock.unix_seconds())
    }

    /// Sends a request, once more when that may help.
    async fn send(&self, call: Option<Call>) -> Result<Answer, ExtractError> {
        let call = call.ok_or(shape("request"))?;
        match self.send_once(call.clone()).await {
            Err(error) if error.may_retry() => self.send_once(call).await,
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
            // A redirect, or 400 for a request that the site no longer understands: asking again doesn't help.
            _ => Err(ExtractError::Blocked {
                site: SITE,
                block: Block::Maintenance,
                retry_after: None,
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
        source: Some(source),
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
