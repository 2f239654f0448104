//! The whole solver, from a script to its answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::*;

mod hostile;
mod memory;
mod recorded;
mod scan;

/// The player of `tests/fixtures/youtube`.
const SMALL: &str = include_str!("../../../../../tests/fixtures/youtube/player_small.js");

/// A source that counts how often it is asked.
struct Script {
    text: Bytes,
    fetches: AtomicUsize,
}

impl Script {
    fn new(text: impl Into<Bytes>) -> Self {
        Self {
            text: text.into(),
            fetches: AtomicUsize::new(0),
        }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

impl ScriptSource for Script {
    fn fetch<'a>(&'a self, _: &'a PlayerKey) -> BoxFuture<'a, Result<Bytes, ExtractError>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(self.text.clone()) })
    }
}

fn key(id: &str) -> PlayerKey {
    PlayerKey::new(id).expect("an id")
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn new_solver() -> Arc<dyn Solver> {
    solver(Limits::default(), Knowledge::default()).expect("the feature is on")
}

/// What the small player does to a challenge, in other words.
fn expected_n(n: &str) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    let mut sum = n.len();
    let mut answer = Vec::new();
    for byte in n.bytes() {
        let place = LETTERS
            .iter()
            .position(|letter| *letter == byte)
            .expect("a letter");
        sum = (sum * 5 + place + 1) % 64;
        answer.insert(0, LETTERS[sum]);
    }
    String::from_utf8(answer).expect("ASCII")
}

/// What the small player does to a signature, in other words.
fn expected_signature(signature: &str) -> String {
    let mut bytes: Vec<u8> = signature.bytes().skip(2).collect();
    bytes.reverse();
    let at = 7 % bytes.len();
    bytes.swap(0, at);
    String::from_utf8(bytes).expect("ASCII")
}

#[tokio::test]
async fn small_player_solves_every_challenge() {
    let (solver, source) = (new_solver(), Script::new(SMALL));
    let n = strings(&[
        "IlLiA21ny7gqA2m4p37",
        "ZdZIqFPQK-Ty8wId",
        "IlLiA21ny7gqA2m4p37",
        "a_-9",
    ]);
    let signatures = strings(&["AOq0QJ8wRgIhAKx=%&-_x", "aaaaaaaaaa", "0123456789", "xyz"]);
    let solved = solver
        .solve(&key("00000001"), &source, &n, &signatures)
        .await
        .expect("solved");
    let expected = Solutions {
        n: n.iter().map(|n| expected_n(n)).collect(),
        signatures: signatures.iter().map(|s| expected_signature(s)).collect(),
    };
    assert_eq!(solved, expected);
}

#[tokio::test]
async fn day_of_the_player_is_known_before_its_challenges() {
    let (solver, source, player) = (new_solver(), Script::new(SMALL), key("00000001"));
    for _ in 0..2 {
        let days = solver
            .signature_timestamp(&player, &source)
            .await
            .expect("a day");
        assert_eq!(days, 20_123);
    }
    let n = strings(&["abcdef"]);
    let solved = solver
        .solve(&player, &source, &n, &[])
        .await
        .expect("solved");
    assert_eq!(solved.n, [expected_n("abcdef")]);
    assert_eq!(source.fetches(), 1, "the script was loaded in advance");
}

#[tokio::test]
async fn nothing_asked_fetches_nothing() {
    let source = Script::new("");
    let solved = new_solver()
        .solve(&key("00000001"), &source, &[], &[])
        .await;
    assert_eq!(solved.expect("solved"), Solutions::default());
    assert_eq!(source.fetches(), 0);
}

#[tokio::test]
async fn challenge_of_another_form_is_refused_before_the_script_is_fetched() {
    let (solver, source) = (new_solver(), Script::new(SMALL));
    for (n, signatures) in [
        (strings(&["a b"]), vec![]),
        (strings(&[""]), vec![]),
        (vec![], strings(&["é"])),
        (vec![], vec!["x".repeat(10_000)]),
    ] {
        let refused = solver
            .solve(&key("00000001"), &source, &n, &signatures)
            .await;
        assert!(matches!(refused, Err(SolveError::Challenge)), "{refused:?}");
    }
    let many = vec!["abc".to_owned(); 257];
    let refused = solver.solve(&key("00000001"), &source, &many, &[]).await;
    assert!(matches!(refused, Err(SolveError::TooMany)), "{refused:?}");
    assert_eq!(source.fetches(), 0);
}
