//! Videos that are on air: which client is asked for the address of their playlists (youtube.md §3.4).
//!
//! VISIONOS gets playlists of single tracks (`/demuxed/1/` in their address), the reel of ANDROID those of both tracks in
//! one file (recorded 2026-06). One file is taken where it can be had: its tracks can't drift apart.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::SITE;
use super::chain::{Chain, Miss, more_telling, with_start};
use super::clients::Client;
use super::ids::VideoId;
use super::innertube::AskedPlayer;
use super::media_session;
use super::playability::{self, Fault, Kind, Next};
use crate::extract::{Block, ExtractError, LivePost, Unavailable};

/// In the address of playlists of single tracks.
const SPLIT: &str = "/demuxed/1/";
/// In an address that the player script would have to complete.
const CHALLENGE: &str = "/n/";

/// What a client says.
enum OnAir {
    /// The video is on air, here.
    Here(LivePost),
    /// It is not, or no longer.
    No,
}

impl Chain<'_> {
    /// Asks until a client names a playlist; `None` when the video is not on air.
    ///
    /// # Errors
    /// The most telling reason of those that the clients gave.
    pub(super) async fn live(&self, id: &VideoId) -> Result<Option<LivePost>, ExtractError> {
        let (mut split, mut worst) = (None, None);
        for client in self.clients.iter().filter(|client| self.can_use(client)) {
            match self.ask_live(client, id).await {
                Ok(OnAir::Here(post)) if post.playlist.contains(SPLIT) => {
                    split.get_or_insert(post);
                }
                Ok(OnAir::Here(post)) => return Ok(Some(post)),
                Ok(OnAir::No) => break,
                Err(miss) => {
                    let is_end = miss.next() != Next::Client;
                    worst = Some(more_telling(worst, miss));
                    if is_end {
                        break;
                    }
                }
            }
        }
        match (split, worst) {
            (None, Some(miss)) => Err(miss.into_error()),
            (split, _) => Ok(split),
        }
    }

    async fn ask_live(&self, client: &Client, id: &VideoId) -> Result<OnAir, Miss> {
        let script = Box::pin(self.script(client)).await.map_err(Miss::Error)?;
        let told = self.ask_twice(client, id, script.as_ref(), |asked| {
            self.judge_live(client, id, &asked)
        });
        let told = told.await;
        let word = told
            .as_ref()
            .map_or_else(Miss::as_str, |_| crate::extract::OK);
        self.session.transport.note(&client.key, word);
        told
    }

    fn judge_live(
        &self,
        client: &Client,
        id: &VideoId,
        asked: &AskedPlayer,
    ) -> Result<OnAir, Miss> {
        let player = &asked.answer;
        if player.video_id().is_some_and(|named| named != id.as_str()) {
            return Err(Miss::Error(ExtractError::Shape {
                site: SITE,
                step: "video id of the player",
                source: None,
            }));
        }
        match playability::fault(player) {
            None => return Ok(OnAir::No),
            Some(fault) if fault.kind == Kind::Post(Unavailable::Live) => {}
            Some(fault) => return Err(Miss::Fault(with_start(fault, player))),
        }
        let data = player.streaming_data.as_ref();
        let playlist = data.map_or("", |data| data.hls_manifest_url.text());
        if !self.hosts.is_media(playlist) || playlist.contains(CHALLENGE) {
            let fault = Fault::new(Kind::Us(Block::ProtocolOnly), "no playlist");
            return Err(Miss::Fault(fault));
        }
        let details = player.video_details.as_ref();
        Ok(OnAir::Here(LivePost {
            title: details.map_or_else(String::new, |details| details.title.text().to_owned()),
            playlist: playlist.to_owned(),
            session: media_session(client.user_agent.as_str()),
        }))
    }
}
