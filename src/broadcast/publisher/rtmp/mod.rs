//! RTMP and RTMPS without a child process, so that the key is in no argument list, the address that was judged is the
//! one that is dialled, and TLS is verified.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod chunk;
mod command;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod handshake;
mod session;
mod wire;

use std::sync::Arc;

pub use chunk::{ChunkError, ChunkReader, ChunkWriter, DEFAULT_CHUNK, Message, kind};
pub use session::Session;

use super::{Connect, PublishError, Scheme, Target};
use crate::config::Secret;
use crate::net::{TargetDialer, TargetStream};

/// Connects to one RTMP or RTMPS target.
#[derive(Clone)]
pub struct Rtmp {
    dialer: Arc<TargetDialer>,
    target: Target,
    key: Secret,
}

impl Rtmp {
    /// A publisher for `target`, one of RTMP or RTMPS; the key may be empty where the application alone decides.
    pub fn new(dialer: Arc<TargetDialer>, target: Target, key: Secret) -> Self {
        Self {
            dialer,
            target,
            key,
        }
    }
}

impl Connect for Rtmp {
    type Publisher = Session<TargetStream>;

    async fn connect(&mut self) -> Result<Self::Publisher, PublishError> {
        let target = &self.target;
        let is_tls = target.scheme() == Scheme::Rtmps;
        let stream = self
            .dialer
            .dial(target.host(), target.port(), is_tls)
            .await?;
        Session::open(stream, target.app(), &target.to_string(), self.key.clone()).await
    }
}
