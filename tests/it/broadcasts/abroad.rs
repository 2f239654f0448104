//! Broadcasts by a way out: a server that has several, one of which alone leads to an ingest.

use std::net::SocketAddr;

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::air::small;
use super::{CANARY, TOKEN, ask, has_ffmpeg, made, route};
use crate::egress::Internet;
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::upstream::youtube::{Playlist, YouTube};
use crate::harness::upstream::{TunnelFault, World};
use crate::harness::{Builder, TestServer, skip};

/// The way that the broadcast names, and that its target is behind.
const NAMED: &str = "b";

/// A server that has broadcasts and these ways out.
pub(super) fn builder(internet: &Internet) -> Builder {
    internet
        .builder()
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env("STREAM_TEMP_DIR", "streams")
}

/// See the module.
pub(super) struct Abroad {
    pub(super) internet: Internet,
    pub(super) list: Playlist,
    pub(super) ingest: Ingest,
    pub(super) dir: TempDir,
}

impl Abroad {
    /// For a list of one item; `None` when there is no FFmpeg here.
    pub(super) async fn new(ways: &[&'static str], list: Playlist) -> Option<Self> {
        if !has_ffmpeg().await {
            skip("ffmpeg", "ffmpeg is not installed");
            return None;
        }
        let internet = Internet::new(ways).await;
        let ingest = Ingest::start([Manner::Keep]);
        // A name that nobody but this proxy knows.
        let place = SocketAddr::from(([127, 0, 0, 1], ingest.port));
        let world = &internet.get(NAMED).world;
        world.tunnel_fault("ingest.example", TunnelFault::Through(place));
        Some(Self {
            internet,
            list,
            ingest,
            dir: tempfile::tempdir().unwrap(),
        })
    }

    /// The only item.
    pub(super) fn id(&self) -> &str {
        &self.list.entries[0].id
    }

    /// The site as each way leads to it.
    pub(super) fn sites(&self) -> Vec<(&'static str, YouTube)> {
        let upstreams = self.internet.upstreams.iter();
        let sites = upstreams.map(|(name, upstream)| (*name, YouTube::open(&upstream.world)));
        sites.collect()
    }

    /// A server with further settings, and a broadcast of the list on it that was started.
    pub(super) async fn start(
        &self,
        settings: impl FnOnce(Builder) -> Builder,
        fields: Value,
    ) -> (TestServer, Value) {
        let server = settings(builder(&self.internet)).start().await;
        let mut all = json!({
            "proxy": NAMED, "stream_source": "playlist_direct", "target_url": "rtmp://ingest.example/live",
            "stream_key": CANARY, "profile": small(),
        });
        let all_fields = all.as_object_mut().unwrap();
        all_fields.extend(fields.as_object().unwrap().clone());
        let record = made(&server, all).await;
        let path = format!("{}/start", route(&record));
        let answer = ask(&server, Method::POST, &path, None).await;
        assert_eq!(answer.status, 202, "{}", answer.json());
        (server, record)
    }

    /// What is played behind the way that is named.
    pub(super) fn world(&self) -> &World {
        &self.internet.get(NAMED).world
    }

    /// The way that nobody named was not taken.
    pub(super) fn assert_no_other_way(&self) {
        let taken = self.internet.get("a").world.records().len();
        assert_eq!(taken, 0, "a way was taken that nobody named");
    }
}
