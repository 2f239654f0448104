//! The challenges of player scripts: the fallback path for clients whose media addresses are ciphered.
//!
//! A ciphered reply names a player script, and the script holds two functions: one that puts a signature in order and
//! one that transforms the parameter `n`. [`Solver`] answers both. The default client needs neither, so the server
//! works without this room's feature `js`; then [`solver`] gives none.
//!
//! Pure: [`PlayerKey`] and [`Cipher`] read and edit addresses, `plan` prepares a script, `answer` checks what came out.
//! `engine` joins them to a thread that owns the interpreter (`threads`, `worker`); only `interpreter` knows which one it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::super::ExtractError;

#[cfg_attr(
    all(not(feature = "js"), not(test)),
    expect(dead_code, reason = "the engine's, and tested without it")
)]
mod answer;
mod cipher;
#[cfg(feature = "js")]
mod engine;
#[cfg(feature = "js")]
mod failures;
#[cfg(feature = "js")]
mod flights;
#[cfg(feature = "js")]
mod interpreter;
#[cfg_attr(
    all(not(feature = "js"), not(test)),
    expect(dead_code, reason = "the engine's, and tested without it")
)]
mod knowledge;
mod lru;
#[cfg(feature = "js")]
mod plan;
mod player;
#[cfg(feature = "js")]
mod scan;
#[cfg(feature = "js")]
mod statement;
#[cfg(feature = "js")]
mod threads;
mod timestamp;
#[cfg(feature = "js")]
mod token;
#[cfg(feature = "js")]
mod worker;

#[cfg(test)]
#[cfg(feature = "js")]
mod tests;

pub use answer::Permutation;
pub use cipher::{Cipher, n_of, with_n};
pub use knowledge::Knowledge;
pub use player::{NotAPlayer, PlayerKey, Variant};
pub use timestamp::signature_timestamp;

/// Reads anything as a player script, as far as that needs no interpreter; for [`crate::fuzz`].
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn read_anything(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (
        signature_timestamp(data),
        PlayerKey::find(&text),
        Cipher::parse(&text),
    );
    #[cfg(feature = "js")]
    let _ = plan::prepare(&text);
}

/// Fetches player scripts; the caller knows client, cookies and egress.
pub trait ScriptSource: Send + Sync {
    /// The script at [`PlayerKey::path`] of the site's own host.
    fn fetch<'a>(&'a self, player: &'a PlayerKey) -> BoxFuture<'a, Result<Bytes, ExtractError>>;
}

/// Solves the challenges of player scripts.
pub trait Solver: Send + Sync {
    /// The day at which `player` was built, which a request for ciphered addresses must name.
    ///
    /// Fetches the script when the day is not known yet, and begins to load it: challenges of the same player follow.
    ///
    /// # Errors
    /// [`SolveError`]
    fn signature_timestamp<'a>(
        &'a self,
        player: &'a PlayerKey,
        source: &'a dyn ScriptSource,
    ) -> BoxFuture<'a, Result<u32, SolveError>>;

    /// Solves all challenges of one reply at once; fetches and loads the script only when something is not known yet.
    ///
    /// # Errors
    /// [`SolveError`], when one of them can't be solved.
    fn solve<'a>(
        &'a self,
        player: &'a PlayerKey,
        source: &'a dyn ScriptSource,
        n: &'a [String],
        signatures: &'a [String],
    ) -> BoxFuture<'a, Result<Solutions, SolveError>>;

    /// What is worth keeping for the next start.
    fn knowledge(&self) -> Knowledge;
}

/// Solved challenges, in the order in which they were asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Solutions {
    /// The answers to the challenges `n`.
    pub n: Vec<String>,
    /// The solved signatures.
    pub signatures: Vec<String>,
}

/// What a player script may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a script; 2.7 MB is the largest one seen. Default 8 MiB.
    pub script: usize,
    /// Bytes of the interpreter's heap, per live player; 10 MB is usual, 32 MiB needed while loading. Default 64 MiB.
    pub heap: usize,
    /// Bytes of the interpreter's stack. Default 1 MiB.
    pub stack: usize,
    /// Time to load a script. Default 10 s, of which it needs about half a second.
    pub load: Duration,
    /// Time for one challenge; all of one question get no more than `load`. Default 1 s, of which it needs about 20 ms.
    pub call: Duration,
    /// What the thread may exceed these times by, before it is given up. Default 1 s.
    pub margin: Duration,
    /// Players kept ready to run. Default 2: the current one and, while the site changes it, the one before.
    pub live: usize,
    /// Answers to challenges `n` kept, some 200 bytes each. Default 4,096.
    pub answers: usize,
    /// How long a player that failed is not tried again. Default 5 minutes.
    pub failed: Duration,
}

#[cfg(feature = "js")]
impl Limits {
    /// Time for so many challenges of one question.
    fn time_of(&self, challenges: usize) -> Duration {
        let calls = u32::try_from(challenges).unwrap_or(u32::MAX);
        self.call.saturating_mul(calls).min(self.load)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            script: 8 << 20,
            heap: 64 << 20,
            stack: 1 << 20,
            load: Duration::from_secs(10),
            call: Duration::from_secs(1),
            margin: Duration::from_secs(1),
            live: 2,
            answers: 4_096,
            failed: Duration::from_secs(300),
        }
    }
}

/// Why challenges were not solved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The script could not be fetched.
    #[error(transparent)]
    Script(#[from] ExtractError),
    /// The script is of no use; it is not tried again for a while.
    #[error("player {player}: {fault}")]
    Player {
        /// Which one.
        player: PlayerKey,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A challenge has not the form of one.
    #[error("a challenge of unknown form")]
    Challenge,
    /// More challenges than one reply holds.
    #[error("too many challenges at once")]
    TooMany,
    /// Other players hold every thread that there may be.
    #[error("the interpreter is held by other players, try again in a minute")]
    Busy,
    /// The interpreter's thread could not be started, or is gone.
    #[error("the interpreter does not run")]
    Stopped,
}

/// What is wrong with a player script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Larger than [`Limits::script`].
    #[error("script of {0} bytes is too large")]
    TooLarge(usize),
    /// Not the script of a player, or one whose shape is new.
    #[error("not a known form of player script: {0}")]
    Form(&'static str),
    /// No signature timestamp in it.
    #[error("no signature timestamp in the script")]
    NoTimestamp,
    /// Ran too long.
    #[error("ran too long")]
    Deadline,
    /// Needed too much memory.
    #[error("needed too much memory")]
    Memory,
    /// Threw an error; its first words.
    #[error("threw `{0}`")]
    Threw(Box<str>),
    /// Gave an answer that can't be right.
    #[error("gave an impossible answer")]
    Answer,
}

/// The solver that this build has, which begins with what an earlier run has left; `None` without the feature `js`.
pub fn solver(limits: Limits, knowledge: Knowledge) -> Option<Arc<dyn Solver>> {
    #[cfg(feature = "js")]
    return Some(Arc::new(engine::Engine::new(limits, knowledge)));
    #[cfg(not(feature = "js"))]
    {
        let _ = (limits, knowledge);
        None
    }
}
