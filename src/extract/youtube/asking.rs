//! Asks the site: for a video, for what is on air, for a part of a list.

use std::sync::Arc;

use ::url::Url;
use tokio::time::Instant;
use tracing::debug;

use super::auth::AccountCookies;
use super::chain::{Chain, Played};
use super::formats::Stream;
use super::ids::{PlaylistId, PlaylistKind, VideoId};
use super::innertube::{Ask, NetTransport, Session};
use super::page::Login;
use super::playlist::{self, Lister};
use super::{SITE, YouTube, media_session, metadata};
use crate::config::Secret;
use crate::extract::{
    Content, ExtractError, Extraction, LivePost, Part, Playlist, PlaylistSource, Refusal, Source,
    SourceKey,
};
use crate::net::{Client, Jar, OperatorCookies};

impl YouTube {
    /// Lists a part of a playlist through `transport`.
    pub(super) async fn list_through(
        &self,
        transport: &dyn Ask,
        account: &AccountCookies,
        list: &PlaylistSource,
        part: &Part,
        until: Instant,
    ) -> Result<Playlist, ExtractError> {
        let id = PlaylistId::parse(&list.id).ok_or(ExtractError::Refused(Refusal::BadUrl))?;
        let lister = Lister {
            session: self.session(transport, account).await,
            hosts: &self.hosts,
            id: &id,
            seed: playlist::seed(&id, list.post.as_deref()),
            until,
        };
        match id.kind() {
            PlaylistKind::Album => lister.list_album(part).await,
            _ => lister.list(part).await,
        }
    }

    pub(super) async fn fetch_list(
        &self,
        net: &Client,
        list: &PlaylistSource,
        part: &Part,
        until: Instant,
    ) -> Result<Playlist, ExtractError> {
        let transport = self.transport(net);
        let account = account(transport.operator.clone());
        self.list_through(&transport, &account, list, part, until)
            .await
    }

    /// Fetches a video through `transport`.
    pub(super) async fn video(
        &self,
        transport: &dyn Ask,
        account: &AccountCookies,
        id: &VideoId,
    ) -> Result<Extraction, ExtractError> {
        let chain = self.chain(transport, account).await;
        let played = Box::pin(chain.play(id)).await?;
        debug!(
            site = SITE,
            source_id = id.as_str(),
            formats = played.mapped.streams.len(),
            skipped = ?played.mapped.skipped,
            "formats mapped"
        );
        self.finish(id, &played)
    }

    pub(super) async fn chain<'a>(
        &'a self,
        transport: &'a dyn Ask,
        account: &'a AccountCookies,
    ) -> Chain<'a> {
        Chain {
            session: self.session(transport, account).await,
            hosts: &self.hosts,
            scripts: self.scripts.as_deref(),
            clients: if account.is_logged_in() {
                &self.clients.logged_in
            } else {
                &self.clients.anonymous
            },
            wants_page: self.wants_page,
        }
    }

    async fn session<'a>(
        &'a self,
        transport: &'a dyn Ask,
        account: &'a AccountCookies,
    ) -> Session<'a> {
        let session = Session {
            transport,
            clients: &self.clients,
            tokens: &self.tokens,
            provider: self.provider.as_deref(),
            visitors: &self.visitors,
            fixed_visitor: self.fixed_visitor.as_ref().map(Secret::reveal),
            account,
            login: Login::default(),
            clock: self.clock,
        };
        let login = self.logins.get(account, session.fetch_login()).await;
        Session { login, ..session }
    }

    /// Puts the answers together.
    fn finish(&self, id: &VideoId, played: &Played) -> Result<Extraction, ExtractError> {
        let formats: Vec<_> = played
            .mapped
            .streams
            .iter()
            .filter_map(Stream::to_format)
            .collect();
        if formats.is_empty() {
            return Err(ExtractError::Shape {
                site: SITE,
                step: "file types",
                source: None,
            });
        }
        let session = media_session(played.user_agent.as_str());
        let answers = metadata::Answers {
            player: &played.player,
            web: played.web.as_ref(),
            next: played.next.as_ref(),
        };
        let content = Content::Video { formats };
        Ok(metadata::describe(
            id,
            answers,
            &self.hosts,
            content,
            session,
        ))
    }

    fn transport<'a>(&'a self, client: &'a Client) -> NetTransport<'a> {
        NetTransport {
            client,
            hosts: &self.api_hosts,
            cookies: &self.clients.cookies,
            operator: self.cookies.load(),
            max_bytes: self.clients.max_bytes,
        }
    }

    pub(super) async fn fetch_live(
        &self,
        net: &Client,
        post: &Source,
    ) -> Result<Option<LivePost>, ExtractError> {
        let id = video_id(post)?;
        let transport = self.transport(net);
        let account = account(transport.operator.clone());
        let chain = self.chain(&transport, &account).await;
        Box::pin(chain.live(&id)).await
    }

    pub(super) async fn fetch(
        &self,
        net: &Client,
        post: &Source,
    ) -> Result<Extraction, ExtractError> {
        let id = video_id(post)?;
        let transport = self.transport(net);
        let account = account(transport.operator.clone());
        self.video(&transport, &account, &id).await
    }
}
/// The video that a source names.
fn video_id(post: &Source) -> Result<VideoId, ExtractError> {
    let SourceKey::Post(id) = &post.key else {
        return Err(ExtractError::Refused(Refusal::BadUrl));
    };
    VideoId::parse(id).ok_or(ExtractError::Refused(Refusal::BadUrl))
}
/// The login in the operator's cookies.
fn account(operator: Option<Arc<OperatorCookies>>) -> AccountCookies {
    let Ok(url) = Url::parse("https://www.youtube.com/youtubei/v1/player") else {
        return AccountCookies::default();
    };
    let header = Jar::new(operator).header(&url);
    header
        .as_ref()
        .and_then(|header| header.to_str().ok())
        .map(AccountCookies::parse)
        .unwrap_or_default()
}
