//! The way to a target of any scheme.

use std::time::Instant;

use super::rtmp::Session;
use super::srt::{Srt, SrtSession};
use super::{Connect, PublishError, Publisher, PublisherStats, Rtmp};
use crate::broadcast::flv::Tag;
use crate::net::TargetStream;

/// Connects to a target.
pub enum Outlet {
    /// RTMP and RTMPS, in process.
    Rtmp(Rtmp),
    /// SRT, by FFmpeg.
    Srt(Box<Srt>),
}

/// A connection to it.
pub enum OutletSession {
    /// RTMP and RTMPS.
    Rtmp(Box<Session<TargetStream>>),
    /// SRT.
    Srt(Box<SrtSession>),
}

impl Connect for Outlet {
    type Publisher = OutletSession;

    async fn connect(&mut self) -> Result<OutletSession, PublishError> {
        Ok(match self {
            Self::Rtmp(rtmp) => OutletSession::Rtmp(Box::new(rtmp.connect().await?)),
            Self::Srt(srt) => OutletSession::Srt(Box::new(srt.connect().await?)),
        })
    }
}

impl Publisher for OutletSession {
    async fn send(&mut self, tag: &Tag) -> Result<(), PublishError> {
        match self {
            Self::Rtmp(session) => session.send(tag).await,
            Self::Srt(session) => session.send(tag).await,
        }
    }

    async fn wait_until(&mut self, until: Instant) -> Result<(), PublishError> {
        match self {
            Self::Rtmp(session) => session.wait_until(until).await,
            Self::Srt(session) => session.wait_until(until).await,
        }
    }

    fn is_taken(&self) -> bool {
        match self {
            Self::Rtmp(session) => session.is_taken(),
            Self::Srt(session) => session.is_taken(),
        }
    }

    fn stats(&self) -> PublisherStats {
        match self {
            Self::Rtmp(session) => session.stats(),
            Self::Srt(session) => session.stats(),
        }
    }

    async fn close(self) {
        match self {
            Self::Rtmp(session) => session.close().await,
            Self::Srt(session) => session.close().await,
        }
    }
}
