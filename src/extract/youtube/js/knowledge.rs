//! What was learnt from player scripts, so that a script is fetched and run as seldom as possible.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::Permutation;
use super::lru::Lru;
use super::player::PlayerKey;

/// Players of which facts are kept: some 1 KB each.
const PLAYERS: usize = 32;

/// Signature lengths of one player; a real one sees about ten.
const LENGTHS: usize = 64;

/// What outlasts a restart. Serialised, it holds no address, no challenge and nothing of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    /// The least recently used player first.
    #[serde(default)]
    players: Vec<PlayerFacts>,
}

/// What is known of one player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PlayerFacts {
    player: String,
    #[serde(default)]
    facts: Facts,
}

/// What is known of a player without running it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature_timestamp: Option<u32>,
    #[serde(default)]
    permutations: BTreeMap<usize, Permutation>,
}

impl Facts {
    /// The facts without those that can't be true, which a damaged file may hold.
    fn checked(mut self) -> Self {
        self.permutations
            .retain(|length, permutation| permutation.is_valid(*length));
        while self.permutations.len() > LENGTHS {
            self.permutations.pop_last();
        }
        self
    }
}

/// The answers known so far.
#[derive(Debug)]
pub(super) struct Known {
    players: Lru<PlayerKey, Facts>,
    n: Lru<(PlayerKey, Box<str>), Box<str>>,
}

impl Known {
    /// Begins with what an earlier run left.
    pub(super) fn new(knowledge: Knowledge, n_answers: usize) -> Self {
        let mut players = Lru::new(PLAYERS);
        for PlayerFacts { player, facts } in knowledge.players {
            if let Ok(key) = player.parse() {
                players.insert(key, facts.checked());
            }
        }
        Self {
            players,
            n: Lru::new(n_answers),
        }
    }

    /// What outlasts a restart.
    pub(super) fn knowledge(&self) -> Knowledge {
        let players = self
            .players
            .iter()
            .map(|(key, facts)| PlayerFacts {
                player: key.to_string(),
                facts: facts.clone(),
            })
            .collect();
        Knowledge { players }
    }

    /// Days since the epoch at which the player was built.
    pub(super) fn signature_timestamp(&mut self, player: &PlayerKey) -> Option<u32> {
        self.players.get(player)?.signature_timestamp
    }

    /// Keeps the day at which the player was built.
    pub(super) fn learn_signature_timestamp(&mut self, player: &PlayerKey, days: u32) {
        self.players
            .update(player, |facts| facts.signature_timestamp = Some(days));
    }

    /// The answer to the challenge `n`.
    pub(super) fn n(&mut self, player: &PlayerKey, n: &str) -> Option<String> {
        let key = (player.clone(), n.into());
        self.n.get(&key).map(|answer| answer.to_string())
    }

    /// Keeps an answer that was found good.
    pub(super) fn learn_n(&mut self, player: &PlayerKey, n: &str, answer: &str) {
        self.n.insert((player.clone(), n.into()), answer.into());
    }

    /// The solved form of a signature.
    pub(super) fn signature(&mut self, player: &PlayerKey, signature: &str) -> Option<String> {
        self.players
            .get(player)?
            .permutations
            .get(&signature.len())?
            .apply(signature)
    }

    /// Keeps a permutation, in the place of that of the shortest signatures when there are too many.
    pub(super) fn learn_permutation(
        &mut self,
        player: &PlayerKey,
        length: usize,
        permutation: Permutation,
    ) {
        self.players.update(player, |facts| {
            if facts.permutations.len() >= LENGTHS {
                facts.permutations.pop_first();
            }
            facts.permutations.insert(length, permutation);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PlayerKey {
        PlayerKey::new("0123abcd").expect("an id")
    }

    #[test]
    fn knowledge_outlasts_a_restart() {
        let mut known = Known::new(Knowledge::default(), 8);
        let permutation = Permutation::of_answer(3, "\u{2}\u{0}").expect("valid");
        known.learn_signature_timestamp(&key(), 20_000);
        known.learn_permutation(&key(), 3, permutation);
        known.learn_n(&key(), "abc", "xyz");
        let text = serde_json::to_string(&known.knowledge()).expect("serialises");
        assert_eq!(
            text,
            r#"{"players":[{"player":"0123abcd-main","facts":{"signature_timestamp":20000,"permutations":{"3":[2,0]}}}]}"#
        );
        let mut restored = Known::new(serde_json::from_str(&text).expect("parses"), 8);
        assert_eq!(restored.signature_timestamp(&key()), Some(20_000));
        assert_eq!(restored.signature(&key(), "abc").as_deref(), Some("ca"));
        assert_eq!(restored.n(&key(), "abc"), None);
    }

    #[test]
    fn damaged_knowledge_is_left_out() {
        let text = r#"{"players":[{"player":"nothing"},
            {"player":"0123abcd-main","facts":{"permutations":{"3":[0,3],"4":[1,1],"2":[1,0]}}}]}"#;
        let mut known = Known::new(serde_json::from_str(text).expect("parses"), 8);
        assert_eq!(known.signature(&key(), "abc"), None);
        assert_eq!(known.signature(&key(), "abcd"), None);
        assert_eq!(known.signature(&key(), "ab").as_deref(), Some("ba"));
        assert_eq!(known.knowledge().players.len(), 1);
    }

    #[test]
    fn permutations_of_one_player_are_bounded() {
        let mut known = Known::new(Knowledge::default(), 8);
        for length in 1..=2 * LENGTHS {
            let permutation = Permutation::of_answer(length, "\u{0}").expect("valid");
            known.learn_permutation(&key(), length, permutation);
        }
        assert_eq!(
            known.knowledge().players[0].facts.permutations.len(),
            LENGTHS
        );
    }
}
