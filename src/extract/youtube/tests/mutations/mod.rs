//! Broken answers: recorded ones with parts cut off, renamed, of another type or hostile. Whatever comes, there is an
//! error with a type or a part of what the unbroken answer gave, and no address outside the known hosts. Read the whole
//! way: by the chain of clients, with the player script, and as lists.

mod breaking;
mod scene;
mod truth;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use self::breaking::{pick, poison, remove, rename, retype};
use self::scene::{Outcome, Scene, Subject};
use self::truth::{Truth, addresses};
use crate::extract::ExtractError;
use crate::extract::youtube::hosts::Hosts;

/// Cases in all.
const CASES: usize = 20_000;
/// How often the unbroken answer is read in between.
const CHECK_EVERY: usize = 250;

const DRC: &str = "player/visionos_ok_drc.json.gz";
const CHAPTERS: &str = "player/visionos_ok_chapters.json.gz";

/// The recordings that are broken, each in a test of its own.
const SCENES: [(&str, Subject); 20] = [
    (DRC, Subject::First),
    (CHAPTERS, Subject::First),
    ("player/visionos_ok_audiotracks.json.gz", Subject::First),
    ("player/visionos_live.json", Subject::First),
    (
        "player/visionos_unplayable_not_available.json",
        Subject::First,
    ),
    ("player/android_reel_ok_sabr.json.gz", Subject::Reel),
    ("player/android_reel_fallback_ok.json", Subject::Reel),
    ("player/ios_ok.json", Subject::First),
    (
        "player/tv_cipher_2025-02_sts20129.json.gz",
        Subject::Ciphered,
    ),
    (
        "player/web_cipher_2024-04_sts19822.json.gz",
        Subject::Ciphered,
    ),
    ("player/web_scheduled_live.json", Subject::First),
    ("player/web_microformat_only.json", Subject::Web(DRC)),
    (
        "player/web_microformat_chapters.json",
        Subject::Web(CHAPTERS),
    ),
    ("player/err_geo.json", Subject::First),
    ("player/err_age_web.json", Subject::First),
    ("playlist/page1_lockup_2026-09_pruned.json", Subject::List),
    ("playlist/page1_course.json.gz", Subject::List),
    ("playlist/meta_pop.json", Subject::List),
    ("mix/next_2.json.gz", Subject::Mix),
    ("next/chapters.json.gz", Subject::Next(CHAPTERS)),
];

/// One recording under test.
struct Lab {
    scene: Scene,
    hosts: Hosts,
    rng: StdRng,
    /// What the unbroken answer gives; an empty tree where it gives nothing.
    truth: Value,
    gives: bool,
    /// Every text of the unbroken answers.
    words: Vec<String>,
    /// Cases with an outcome, and those of them that gave something.
    counts: (usize, usize),
}

impl Lab {
    async fn new(number: usize) -> Option<Self> {
        let (name, subject) = SCENES[number];
        let scene = Scene::new(name, subject)?;
        let truth = scene.outcome(scene.answer.to_string()).await;
        Some(Self {
            hosts: Hosts::default(),
            rng: StdRng::seed_from_u64(number as u64),
            gives: truth.is_ok(),
            words: scene.words(),
            truth: truth.unwrap_or_default(),
            counts: (0, 0),
            scene,
        })
    }

    /// Reads an answer; what comes of it has a type, and leads nowhere else.
    async fn read(&mut self, text: String, case: &str) -> Outcome {
        let outcome = self.scene.outcome(text).await;
        self.counts.0 += 1;
        match &outcome {
            Ok(told) => {
                self.counts.1 += 1;
                self.check_addresses(told, case);
            }
            Err(error) => assert_is_typed(error, case),
        }
        outcome
    }

    fn check_addresses(&self, told: &Value, case: &str) {
        for address in addresses(told) {
            let is_page = address.starts_with("https://www.youtube.com/");
            let url = url::Url::parse(address);
            let is_known =
                url.is_ok_and(|url| url.scheme() == "https" && self.hosts.all.check(&url).is_ok());
            assert!(is_page || is_known, "{case}: {address}");
        }
    }

    /// Takes one to three parts away, by removing or renaming them: what is left is a part of the truth. Where it was
    /// one, something of another type in its place is the same as nothing.
    async fn cut(&mut self, case: &str) {
        let count = self.rng.random_range(1..4);
        let mut broken = self.scene.answer.clone();
        let mut retyped = None;
        for _ in 0..count {
            let pointer = pick(&broken, &mut self.rng);
            if count == 1 {
                let mut other = broken.clone();
                retype(&mut other, &pointer, &mut self.rng);
                retyped = Some((other, pointer.clone()));
            }
            match self.rng.random_range(0..3) {
                0 if retyped.is_none() => rename(&mut broken, &pointer),
                _ => remove(&mut broken, &pointer),
            }
        }
        let outcome = self.read(broken.to_string(), case).await;
        if let Ok(told) = &outcome {
            let truth = Truth {
                outcome: &self.truth,
                words: &self.words,
            };
            let wrong = truth.contradiction(told).filter(|_| self.gives);
            assert_eq!(wrong, None, "{case}: {:?}", retyped.map(|(_, at)| at));
        }
        if let Some((other, pointer)) = retyped {
            let same = self.read(other.to_string(), case).await;
            let told = |outcome: &Outcome| match outcome {
                Ok(told) => told.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(
                told(&same),
                told(&outcome),
                "{case}: {pointer} of another type"
            );
        }
    }

    /// Puts hostile things in one to three places, or cuts the text off.
    async fn poison(&mut self, case: &str) {
        let mut broken = self.scene.answer.clone();
        for _ in 0..self.rng.random_range(1..4) {
            let pointer = pick(&broken, &mut self.rng);
            poison(&mut broken, &pointer, &mut self.rng);
        }
        let mut text = broken.to_string();
        if self.rng.random_range(0..10) == 0 {
            let at = self.rng.random_range(0..text.len());
            let end = (0..=at).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or_default());
        }
        let _ = self.read(text, case).await;
    }

    /// Nothing that was read before has changed what the unbroken answer gives.
    async fn check_unbroken(&self) {
        let again = self.scene.outcome(self.scene.answer.to_string()).await;
        assert_eq!(again.is_ok(), self.gives, "{}", self.scene.name);
        assert_eq!(again.unwrap_or_default(), self.truth, "{}", self.scene.name);
    }
}

/// Whatever is wrong with an answer has one of these types; none of them is about the network or the caller.
fn assert_is_typed(error: &ExtractError, case: &str) {
    let is_typed = matches!(
        error,
        ExtractError::Unavailable { .. }
            | ExtractError::RegionBlocked { .. }
            | ExtractError::Blocked { .. }
            | ExtractError::Shape { .. }
            | ExtractError::Upstream { .. }
            | ExtractError::Refused(_)
    );
    assert!(is_typed, "{case}: {error:?}");
    assert!(error.to_string().len() < 1000, "{case}");
}

/// Breaks one of the recordings.
async fn break_one(number: usize) {
    let Some(mut lab) = Lab::new(number).await else {
        return;
    };
    for at in 0..CASES / SCENES.len() {
        let case = format!("{} {at}", lab.scene.name);
        if at % 2 == 0 {
            lab.cut(&case).await;
        } else {
            lab.poison(&case).await;
        }
        if at % CHECK_EVERY == 0 {
            lab.check_unbroken().await;
        }
    }
    lab.check_unbroken().await;
    let (read, gave) = lab.counts;
    assert!(read >= CASES / SCENES.len());
    // Otherwise nothing would have been compared.
    assert!(
        !lab.gives || gave > read / 3,
        "{}: {gave} of {read}",
        lab.scene.name
    );
}

macro_rules! broken {
    ($($name:ident = $number:literal),* $(,)?) => {
        $(#[tokio::test] async fn $name() { break_one($number).await; })*

        #[test]
        fn every_recording_is_broken() {
            assert_eq!([$($number),*], std::array::from_fn::<usize, 20, _>(|at| at));
        }
    };
}

broken! {
    broken_answer_drc = 0,
    broken_answer_chapters = 1,
    broken_answer_audio_tracks = 2,
    broken_answer_live = 3,
    broken_answer_not_available = 4,
    broken_answer_reel_sabr = 5,
    broken_answer_reel = 6,
    broken_answer_ios = 7,
    broken_answer_ciphered_tv = 8,
    broken_answer_ciphered_web = 9,
    broken_answer_scheduled = 10,
    broken_answer_page_facts = 11,
    broken_answer_page_facts_of_chapters = 12,
    broken_answer_region = 13,
    broken_answer_age = 14,
    broken_answer_list_lockup = 15,
    broken_answer_list_course = 16,
    broken_answer_list_header = 17,
    broken_answer_mix = 18,
    broken_answer_page_beside = 19,
}

#[tokio::test]
async fn unbroken_recordings_give_what_they_should() {
    for (number, (name, subject)) in SCENES.iter().enumerate() {
        let Some(lab) = Lab::new(number).await else {
            return;
        };
        let is_refusal = ["live", "err_", "not_available"]
            .iter()
            .any(|part| name.contains(part))
            && !name.contains("microformat");
        assert_eq!(lab.gives, !is_refusal, "{name}");
        let formats = lab
            .truth
            .pointer("/content/Video/formats")
            .and_then(Value::as_array);
        let count = formats.map_or(0, Vec::len);
        let entries = lab.truth["entries"].as_array().map_or(0, Vec::len);
        match subject {
            Subject::List | Subject::Mix => assert!(entries > 2 || name.contains("meta"), "{name}"),
            _ if is_refusal => {}
            Subject::Reel => assert!(count >= 1, "{name}"),
            _ => assert!(count >= 6, "{name}: {count}"),
        }
        if lab.scene.is_ciphered() {
            let told = lab.truth.to_string();
            assert!(told.contains("&sig=") && told.contains("n="), "{name}");
        }
    }
}

#[test]
fn contradictions_are_found() {
    use serde_json::json;
    let truth = json!({"title": "a", "formats": [
        {"urls": ["https://a/1"], "width": 640, "label": "360p"},
        {"urls": ["https://a/2"], "width": 320}], "region": "DE"});
    let truth = Truth {
        outcome: &truth,
        words: &["b".to_owned()],
    };
    let contradiction = |got: &Value| truth.contradiction(got);
    for part in [
        json!({}),
        json!({"region": null, "formats": []}),
        json!({"title": "b"}),
        json!({"formats": [{"urls": ["https://a/2"]}]}),
        json!({"formats": [{"urls": ["https://a/1"], "width": 640}], "region": "DE"}),
    ] {
        assert_eq!(contradiction(&part), None, "{part}");
    }
    for other in [
        json!({"region": "NO"}),
        json!({"title": "c"}),
        json!({"formats": [{"urls": ["https://a/3"]}]}),
        json!({"formats": [{"urls": ["https://a/1"], "width": 320}]}),
        json!({"formats": [{"urls": ["https://a/2"], "label": "360p"}]}),
        json!({"other": 1}),
    ] {
        assert!(contradiction(&other).is_some(), "{other}");
    }
}
