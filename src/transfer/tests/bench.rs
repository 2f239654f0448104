//! An engine for one transfer, and a client that reads it.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;

use super::fake::{Fake, SiteDown};
use crate::transfer::{
    Admission, Ask, Broken, Engine, Expected, Outcome, Transfer, TransferBody, TransferConfig,
    TransferError,
};

/// An engine, its admission, and what is asked of it.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) admission: Admission,
    pub(super) known_length: Option<u64>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(TransferConfig::default())
    }

    pub(super) fn with(config: TransferConfig) -> Self {
        Self {
            engine: Engine::new(config),
            admission: Admission::new(1, 0, Duration::ZERO),
            known_length: None,
        }
    }

    pub(super) async fn start(
        &self,
        fake: &Arc<Fake>,
        ask: Ask,
    ) -> Result<Transfer, TransferError<SiteDown>> {
        let permit = self.admission.admit().await.unwrap();
        let origin = Arc::clone(fake);
        self.engine
            .start(origin, Expected::Media, self.known_length, ask, permit)
            .await
    }

    /// Starts and reads to the end.
    pub(super) async fn fetch(&self, fake: &Arc<Fake>, ask: Ask) -> Read {
        read(self.start(fake, ask).await.unwrap().body).await
    }

    /// How the one transfer ended.
    pub(super) fn outcome(&self) -> Outcome {
        let stats = self.engine.stats();
        let ended = stats.ended.iter().filter(|(_, count)| *count > 0);
        let ended: Vec<_> = ended.collect();
        assert_eq!(ended.len(), 1, "{ended:?}");
        ended[0].0
    }

    /// Waits until no pump runs.
    pub(super) async fn drain(&self) {
        let tracker = self.engine.shutdown_handles().tracker;
        tracker.close();
        tracker.wait().await;
    }
}

/// All that a client got.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    /// Why it ended early; `None` for a clean end.
    pub(super) broken: Option<Outcome>,
}

impl Read {
    pub(super) fn clean(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            broken: None,
        }
    }
}

pub(super) async fn read(mut body: TransferBody) -> Read {
    let mut bytes = Vec::new();
    loop {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(Broken { outcome })) => {
                let broken = Some(outcome);
                return Read { bytes, broken };
            }
            None => return Read::clean(&bytes),
        }
    }
}

/// The client's ask for a range.
pub(super) fn range(header: &str) -> Ask {
    Ask {
        range: Some(header.to_owned()),
        ..Ask::default()
    }
}
