//! The chain of clients (youtube.md §2.4): who is asked, who is asked next, and what is reported when nobody plays.

use futures_util::future::{OptionFuture, join3};
use serde_json::{Map, Value, json};
use tracing::debug;

use super::clients::Client;
use super::formats::{Mapped, Mapping};
use super::hosts::Hosts;
use super::innertube::{AskedPlayer, PageCall, Session};
use super::metadata;
use super::playability::{self, Fault, Kind, Next};
use super::response::player::Player;
use super::scripts::{Script, Scripts};
use super::{SITE, VideoId};
use crate::extract::{ExtractError, OK, Unavailable};

/// A video that a client plays.
#[derive(Debug)]
pub(super) struct Played {
    /// `User-Agent` of the client, which its media want too.
    pub(super) user_agent: String,
    pub(super) player: Player,
    pub(super) mapped: Mapped,
    pub(super) web: Option<Player>,
    pub(super) next: Option<Value>,
}

/// The chain for one extraction.
pub(super) struct Chain<'a> {
    pub(super) session: Session<'a>,
    pub(super) hosts: &'a Hosts,
    /// Completes the addresses of clients that need it; without it they are passed over.
    pub(super) scripts: Option<&'a Scripts>,
    /// In the order in which they are asked.
    pub(super) clients: &'a [Client],
    /// Whether the page beside the video is asked for (chapters, comments).
    pub(super) wants_page: bool,
}

/// Why one client gave nothing.
#[derive(Debug)]
pub(super) enum Miss {
    /// It may not play the video.
    Fault(Fault),
    /// No answer, or none that is understood.
    Error(ExtractError),
}

impl Miss {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.as_str(),
            Self::Error(error) => error.as_str(),
        }
    }

    pub(super) fn next(&self) -> Next {
        match self {
            Self::Fault(fault) => fault.next(),
            // Throttled: the next client would be too, and asking on makes it worse.
            Self::Error(ExtractError::Blocked {
                retry_after: Some(_),
                ..
            }) => Next::Stop,
            Self::Error(_) => Next::Client,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Fault(fault) => fault.weight(),
            Self::Error(ExtractError::Blocked { .. }) => 3,
            Self::Error(_) => 1,
        }
    }

    /// The same with what the web client's answer says besides.
    fn informed_by(self, web: Option<&Player>) -> Self {
        match (self, web) {
            (Self::Fault(fault), Some(web)) => Self::Fault(fault.informed_by(web)),
            (miss, _) => miss,
        }
    }

    pub(super) fn into_error(self) -> ExtractError {
        match self {
            Self::Fault(fault) => fault.into_error(),
            Self::Error(error) => error,
        }
    }
}

/// Keeps the more telling of two misses, the earlier one of equals.
pub(super) fn more_telling(first: Option<Miss>, second: Miss) -> Miss {
    match first {
        Some(first) if first.weight() >= second.weight() => first,
        _ => second,
    }
}

impl Chain<'_> {
    /// Asks until a client plays the video.
    ///
    /// # Errors
    /// The most telling reason of those that the clients gave.
    pub(super) async fn play(&self, id: &VideoId) -> Result<Played, ExtractError> {
        let mut usable = self.clients.iter().filter(|client| self.can_use(client));
        let Some(first) = usable.next() else {
            return Err(Fault::new(Kind::Unknown, "no client can be used").into_error());
        };
        let (attempt, web, next) = Box::pin(self.first_round(first, id)).await;
        let missing = match attempt {
            Ok(played) => {
                return Ok(Played {
                    web,
                    next,
                    ..played
                });
            }
            Err(miss) => miss,
        };
        debug!(site = SITE, source_id = id.as_str(), client = first.key, miss = ?missing, "client does not play");
        if let Some(error) = settled(&missing, web.as_ref()) {
            return Err(error);
        }
        let missing = missing.informed_by(web.as_ref());
        self.further_rounds(usable, missing, id)
            .await
            .map(|played| Played {
                web,
                next,
                ..played
            })
    }

    /// The first client, and beside it what apps aren't told.
    async fn first_round(
        &self,
        first: &Client,
        id: &VideoId,
    ) -> (Result<Played, Miss>, Option<Player>, Option<Value>) {
        let page = OptionFuture::from(self.wants_page.then(|| self.page(id)));
        let (attempt, web, page) = join3(
            Box::pin(self.attempt(first, id)),
            self.soon(self.session.metadata(id)),
            self.soon(page),
        )
        .await;
        let web = web
            .and_then(Result::ok)
            .filter(|web| web.video_id() == Some(id.as_str()));
        (attempt, web, page.flatten().flatten())
    }

    /// What comes in time of something that can be missed.
    async fn soon<T>(&self, extra: impl Future<Output = T>) -> Option<T> {
        let limit = self.session.clients.extra_timeout;
        tokio::time::timeout(limit, extra).await.ok()
    }

    /// The clients after the first.
    async fn further_rounds(
        &self,
        clients: impl Iterator<Item = &Client>,
        miss: Miss,
        id: &VideoId,
    ) -> Result<Played, ExtractError> {
        let mut worst = miss;
        if worst.next() != Next::Client {
            return Err(worst.into_error());
        }
        for client in clients {
            let miss = match self.attempt(client, id).await {
                Ok(played) => return Ok(played),
                Err(miss) => miss,
            };
            debug!(
                site = SITE,
                source_id = id.as_str(),
                client = client.key,
                ?miss,
                "client does not play"
            );
            let is_end = miss.next() != Next::Client;
            worst = more_telling(Some(worst), miss);
            if is_end {
                break;
            }
        }
        Err(worst.into_error())
    }

    /// Asks one client, and counts what came of it.
    async fn attempt(&self, client: &Client, id: &VideoId) -> Result<Played, Miss> {
        let played = self.ask(client, id).await;
        let word = played.as_ref().map_or_else(Miss::as_str, |_| OK);
        self.session.transport.note(&client.key, word);
        played
    }

    /// Asks one client.
    async fn ask(&self, client: &Client, id: &VideoId) -> Result<Played, Miss> {
        // Boxed, because most extractions need no script.
        let script = Box::pin(self.script(client)).await.map_err(Miss::Error)?;
        let judge = |asked| self.judge(client, id, asked);
        let played = self.ask_twice(client, id, script.as_ref(), judge).await?;
        Box::pin(self.complete(played, script.as_ref())).await
    }

    /// Asks one client and judges what it is told, once more with a new visitor id when it takes us for a robot.
    pub(super) async fn ask_twice<T>(
        &self,
        client: &Client,
        id: &VideoId,
        script: Option<&Script>,
        judge: impl Fn(AskedPlayer) -> Result<T, Miss>,
    ) -> Result<T, Miss> {
        let day = script.map(|script| script.day);
        let ask = || self.session.player(client, id, day);
        let asked = ask().await.map_err(Miss::Error)?;
        let visitor = asked.visitor.clone();
        match judge(asked) {
            Err(Miss::Fault(fault)) if fault.next() == Next::NewVisitor => {
                self.session.forget_visitor(client, &visitor).await;
                judge(ask().await.map_err(Miss::Error)?)
            }
            done => done,
        }
    }

    /// The player script for a client that needs one.
    pub(super) async fn script(&self, client: &Client) -> Result<Option<Script>, ExtractError> {
        match self.scripts.filter(|_| client.needs_js) {
            Some(scripts) => scripts.current(&self.session).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lets the player script complete the addresses. Those that still lack something are of no use.
    async fn complete(&self, mut played: Played, script: Option<&Script>) -> Result<Played, Miss> {
        let streams = &mut played.mapped.streams;
        let mut unsolved = None;
        if let (Some(scripts), Some(script)) = (self.scripts, script) {
            unsolved = scripts.complete(&self.session, script, streams).await.err();
        }
        let fault = playability::format_fault(&played.player, &played.mapped);
        match (fault, unsolved) {
            (Some(_), Some(error)) => return Err(Miss::Error(error)),
            (Some(fault), None) => return Err(Miss::Fault(fault)),
            (None, _) => {}
        }
        played
            .mapped
            .streams
            .retain(|stream| stream.challenge.is_none());
        Ok(played)
    }

    /// What an answer is worth, as far as it goes without the player script.
    fn judge(&self, client: &Client, id: &VideoId, asked: AskedPlayer) -> Result<Played, Miss> {
        let player = asked.answer;
        if player.video_id().is_some_and(|named| named != id.as_str()) {
            return Err(Miss::Error(ExtractError::Shape {
                site: SITE,
                step: "video id of the player",
                source: None,
            }));
        }
        if let Some(fault) = playability::fault(&player) {
            return Err(Miss::Fault(with_start(fault, &player)));
        }
        if player.video_id().is_none() {
            return Err(Miss::Error(ExtractError::Shape {
                site: SITE,
                step: "details of the player",
                source: None,
            }));
        }
        let needs_token =
            client.needs_media_token && !(client.player_token_suffices && asked.had_token);
        let mapping = Mapping {
            hosts: self.hosts,
            media_token: asked.media_token.as_deref(),
            token_free_itags: needs_token.then_some(client.token_free_itags.as_slice()),
        };
        let mapped = mapping.map(&player);
        Ok(Played {
            user_agent: client.user_agent.as_str().to_owned(),
            player,
            mapped,
            web: None,
            next: None,
        })
    }

    /// Whether a client can give anything: some need the player script, and some media need a token.
    pub(super) fn can_use(&self, client: &Client) -> bool {
        let has_token = !client.needs_media_token
            || !client.token_free_itags.is_empty()
            || self.session.can_have_media_token(client)
            || (client.player_token_suffices && self.session.can_have_player_token(client));
        (!client.needs_js || self.scripts.is_some()) && has_token
    }

    /// The page beside the video; without it the extraction goes on.
    async fn page(&self, id: &VideoId) -> Option<Value> {
        let payload: Map<String, Value> = [
            ("videoId".to_owned(), json!(id.as_str())),
            ("contentCheckOk".to_owned(), json!(true)),
            ("racyCheckOk".to_owned(), json!(true)),
        ]
        .into_iter()
        .collect();
        let call = PageCall {
            endpoint: "next",
            payload,
        };
        self.session
            .page(&call, None)
            .await
            .ok()
            .map(|asked| asked.answer)
    }
}

/// The error, when the web client's answer makes it plain that no client will play: it names a reason that holds
/// for all, or says "missing" too.
fn settled(miss: &Miss, web: Option<&Player>) -> Option<ExtractError> {
    let web = web?;
    web.playability_status.as_ref()?;
    let fault = playability::fault(web)?;
    let is_missing = |fault: &Fault| fault.kind == Kind::Post(Unavailable::NotFound);
    let is_agreed = matches!(miss, Miss::Fault(first) if is_missing(first) && is_missing(&fault));
    let is_final = matches!(fault.kind, Kind::Post(_)) && fault.next() == Next::Stop;
    (is_agreed || is_final).then(|| with_start(fault, web).informed_by(web).into_error())
}

/// A fault of an announced broadcast with the start that only the web client is told.
pub(super) fn with_start(fault: Fault, player: &Player) -> Fault {
    match fault.kind {
        Kind::Post(Unavailable::Upcoming { starts_at: None }) => Fault {
            kind: Kind::Post(Unavailable::Upcoming {
                starts_at: metadata::starts_at(player),
            }),
            ..fault
        },
        _ => fault,
    }
}
