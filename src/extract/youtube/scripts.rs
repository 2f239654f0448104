//! The player script that the site uses now: which one it is, its day, and the challenges of an answer.
//!
//! `js` solves; here is what it needs from the site, and how its solutions come into addresses.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tracing::{debug, warn};

use super::SITE;
use super::formats::Stream;
use super::innertube::Session;
use super::js::{Cipher, Limits, PlayerKey, ScriptSource, SolveError, Solver, solver, with_n};
use super::store::Store;
use crate::config::Env;
use crate::extract::ExtractError;

/// A small script that names the current player (yt-dlp `_extract_player_url`).
const DISCOVERY: &str = "/iframe_api";

/// Solves for all extractions, and knows the current player.
pub(super) struct Scripts {
    solver: Arc<dyn Solver>,
    /// Keeps what was learnt; `None` = for this process only.
    store: Option<Store>,
    /// Locked while the site is asked, so that it is asked once.
    current: Mutex<Option<(PlayerKey, Instant)>>,
}

/// The player that an answer is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    player: PlayerKey,
    /// The day it was built, which the request must name.
    pub(super) day: u32,
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}

impl Scripts {
    /// The solver of this build; `None` when it has none. Reads `YOUTUBE_STATE_DIR`.
    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        // Without a solver there is nothing to keep.
        let folder = env
            .path("YOUTUBE_STATE_DIR")
            .filter(|_| cfg!(feature = "js"));
        let kept = folder.and_then(|folder| Store::open(&folder));
        let (store, knowledge) = kept.unzip();
        let solver = solver(Limits::default(), knowledge.unwrap_or_default())?;
        Some(Self {
            solver,
            store,
            current: Mutex::new(None),
        })
    }

    /// The current player, its script fetched at least once.
    ///
    /// # Errors
    /// The site doesn't name one, doesn't give it, or gave one that is of no use.
    pub(super) async fn current(&self, session: &Session<'_>) -> Result<Script, ExtractError> {
        let player = self.player(session).await?;
        match self.solver.signature_timestamp(&player, session).await {
            Ok(day) => {
                self.keep().await;
                Ok(Script { player, day })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Keeps what is new for the next start.
    async fn keep(&self) {
        if let Some(store) = &self.store {
            Box::pin(store.keep(self.solver.knowledge())).await;
        }
    }

    async fn player(&self, session: &Session<'_>) -> Result<PlayerKey, ExtractError> {
        let mut current = self.current.lock().await;
        let life = session.clients.player_life;
        if let Some((player, since)) = current.as_ref()
            && since.elapsed() < life
        {
            return Ok(player.clone());
        }
        let page = session.script(DISCOVERY).await?;
        let named = PlayerKey::find(&String::from_utf8_lossy(&page)).ok_or(shape("player name"))?;
        let player = named.main();
        *current = Some((player.clone(), Instant::now()));
        Ok(player)
    }

    /// Solves the challenges of an answer and completes the addresses.
    ///
    /// # Errors
    /// One of them can't be solved; no address is changed then.
    pub(super) async fn complete(
        &self,
        session: &Session<'_>,
        script: &Script,
        streams: &mut [Stream],
    ) -> Result<(), ExtractError> {
        let challenges = Challenges::of(streams);
        if challenges.is_empty() {
            return Ok(());
        }
        let solved = self
            .solver
            .solve(
                &script.player,
                session,
                &challenges.n,
                &challenges.signatures,
            )
            .await
            .map_err(failed)?;
        debug!(site = SITE, "challenge solved");
        self.keep().await;
        let n = challenges.n.into_iter().zip(solved.n).collect();
        let signatures = challenges
            .signatures
            .into_iter()
            .zip(solved.signatures)
            .collect();
        let solutions = Solutions { n, signatures };
        for stream in streams {
            solutions.complete(stream);
        }
        Ok(())
    }
}

/// The different challenges of an answer.
#[derive(Debug, Default)]
struct Challenges {
    n: Vec<String>,
    signatures: Vec<String>,
}

impl Challenges {
    fn of(streams: &[Stream]) -> Self {
        let mut all = Self::default();
        for challenge in streams
            .iter()
            .filter_map(|stream| stream.challenge.as_ref())
        {
            all.n.extend(challenge.n.clone());
            let signature = challenge.signature.as_ref();
            all.signatures
                .extend(signature.map(|(text, _)| text.clone()));
        }
        for list in [&mut all.n, &mut all.signatures] {
            list.sort_unstable();
            list.dedup();
        }
        all
    }

    fn is_empty(&self) -> bool {
        self.n.is_empty() && self.signatures.is_empty()
    }
}

/// Solutions by challenge.
struct Solutions {
    n: HashMap<String, String>,
    signatures: HashMap<String, String>,
}

impl Solutions {
    /// Completes an address; one whose challenge is not among the solved ones keeps it.
    fn complete(&self, stream: &mut Stream) {
        let Some(url) = self.url(stream) else {
            return;
        };
        stream.url = url;
        stream.challenge = None;
    }

    fn url(&self, stream: &Stream) -> Option<String> {
        let challenge = stream.challenge.as_ref()?;
        let mut url = stream.url.clone();
        if let Some((signature, parameter)) = &challenge.signature {
            let cipher = Cipher {
                url,
                parameter: parameter.clone(),
                signature: signature.clone(),
            };
            url = cipher.signed(self.signatures.get(signature)?);
        }
        match &challenge.n {
            Some(n) => Some(with_n(&url, self.n.get(n)?)),
            None => Some(url),
        }
    }
}

impl ScriptSource for Session<'_> {
    fn fetch<'a>(&'a self, player: &'a PlayerKey) -> BoxFuture<'a, Result<Bytes, ExtractError>> {
        async move { self.script(&player.path()).await }.boxed()
    }
}

fn failed(error: SolveError) -> ExtractError {
    match error {
        SolveError::Script(error) => error,
        error => {
            warn!(site = SITE, %error, "challenges of the player script not solved");
            shape("player script")
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
