//! The proof-of-work page: the number whose SHA-256 after a given prefix has a given value, sent back in a cookie.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::answer::Answer;
use super::super::wire::Request;

/// Name of the cookie that carries the solution, as the site had it in 2026.
const ANSWER_COOKIE: &str = "_wafchallengeid";
/// Name of the second cookie, which repeats a value of the page.
const RETURN_COOKIE: &str = "waforiginalreid";

/// Values of the two cookies of a solution; the second one only where the page asks for it.
type Cookies = (String, Option<String>);

/// A kind of challenge. Every page poses a new one; each solution is good once.
#[derive(Debug, Clone)]
pub(crate) struct Challenge {
    /// The number to be found; `None`: there is none.
    answer: Option<u32>,
    has_return_cookie: bool,
    /// `Cookie` values that solve the challenges posed so far.
    solutions: Arc<Mutex<HashSet<Cookies>>>,
}

impl Challenge {
    /// A challenge with this answer, and the second cookie to be sent along.
    pub(crate) fn solvable(answer: u32) -> Self {
        Self {
            answer: Some(answer),
            has_return_cookie: true,
            solutions: Arc::default(),
        }
    }

    /// A challenge without a solution.
    pub(crate) fn unsolvable() -> Self {
        Self {
            answer: None,
            ..Self::solvable(0)
        }
    }

    /// The same without the second cookie.
    pub(crate) fn without_return_cookie(mut self) -> Self {
        self.has_return_cookie = false;
        self
    }

    /// Poses a new challenge.
    pub(super) fn pose(&self, id: &str, nth: usize) -> Answer {
        let prefix = Sha256::digest(format!("challenge {id} {nth}"));
        let expected = match self.answer {
            Some(answer) => Sha256::new()
                .chain_update(prefix)
                .chain_update(answer.to_string())
                .finalize(),
            None => Sha256::digest("nothing hashes to this"),
        };
        // Of a shape with recordings: keys in this order, base64 without padding on the page.
        let task = json!({
            "v": { "a": STANDARD.encode(prefix), "b": 1_795_241_278, "c": STANDARD.encode(expected) },
            "s": STANDARD.encode(Sha256::digest(prefix)),
        });
        let page_value = STANDARD_NO_PAD.encode(task.to_string());
        let return_value = self
            .has_return_cookie
            .then(|| STANDARD.encode(&prefix[..12]));
        if let Some(answer) = self.answer {
            let solution = solution(task, answer);
            self.solutions
                .lock()
                .expect("solutions")
                .insert((solution, return_value.clone()));
        }
        Answer::html(page(&page_value, return_value.as_deref()))
    }

    /// Whether the request carries the cookies of a challenge posed before, byte for byte; they are used up.
    pub(super) fn is_solved_by(&self, request: &Request) -> bool {
        let Some(solution) = request.cookie(ANSWER_COOKIE) else {
            return false;
        };
        let return_value = request.cookie(RETURN_COOKIE).map(str::to_owned);
        let mut solutions = self.solutions.lock().expect("solutions");
        solutions.remove(&(solution.to_owned(), return_value))
    }
}

/// The task with the answer as its last key, compact, in base64 with padding.
fn solution(mut task: Value, answer: u32) -> String {
    task["d"] = STANDARD.encode(answer.to_string()).into();
    STANDARD.encode(task.to_string())
}

fn page(task: &str, return_value: Option<&str>) -> String {
    let returned = return_value.map_or_else(String::new, |value| {
        format!("<p id=\"rci\" class=\"{RETURN_COOKIE}\"></p><p id=\"rs\" class=\"{value}\"></p>")
    });
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><link rel=\"icon\" href=\"data:;base64,=\"></head><body>\
         <p id=\"cs\" class=\"{task}\"></p><p id=\"wci\" class=\"{ANSWER_COOKIE}\"></p>{returned}\
         Please wait...</body></html>"
    )
}
