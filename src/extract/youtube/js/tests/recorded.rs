//! Recorded players, which are not part of the project: the tests say so and end when they are not there.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::extract::youtube::js::plan;

/// The recordings, in the directory of `SERVERRS_FIXTURES` or beside the project.
#[expect(
    clippy::disallowed_methods,
    reason = "names where the recordings are, for tests only"
)]
fn recordings() -> Option<PathBuf> {
    let place = std::env::var("SERVERRS_FIXTURES")
        .map_or_else(
            |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
            PathBuf::from,
        )
        .join("youtube");
    if place.is_dir() {
        return Some(place);
    }
    eprintln!(
        "skipped: no recordings at {}; set SERVERRS_FIXTURES",
        place.display()
    );
    None
}

/// Reads one recorded exchange.
fn exchange(place: &std::path::Path, name: &str) -> Value {
    let file = std::fs::File::open(place.join(name)).expect(name);
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect(name);
    serde_json::from_str(&text).expect(name)
}

fn script(place: &std::path::Path, name: &str) -> String {
    exchange(place, name)["response"]["text"]
        .as_str()
        .expect("a script")
        .to_owned()
}

#[derive(Deserialize)]
struct Vectors {
    player: String,
    file: String,
    sts: u32,
    n: Vec<Pair>,
    sig: Vec<Pair>,
    cipher_response: Option<String>,
    first_format_expect: Option<FirstFormat>,
}

#[derive(Deserialize)]
struct Pair {
    #[serde(rename = "in")]
    input: String,
    out: String,
}

#[derive(Deserialize)]
struct FirstFormat {
    sp: String,
    sig: String,
    n: String,
}

fn vectors(place: &std::path::Path) -> Vec<Vectors> {
    let text = std::fs::read(place.join("players/vectors.json")).expect("vectors");
    serde_json::from_slice(&text).expect("vectors")
}

fn columns(pairs: &[Pair]) -> (Vec<String>, Vec<String>) {
    pairs
        .iter()
        .map(|pair| (pair.input.clone(), pair.out.clone()))
        .unzip()
}

#[tokio::test]
async fn every_vector_of_every_recorded_player_is_solved() {
    let Some(place) = recordings() else { return };
    let solver = new_solver();
    for vectors in vectors(&place) {
        let source = Script::new(script(&place, &vectors.file));
        let player = key(&vectors.player);
        let days = solver
            .signature_timestamp(&player, &source)
            .await
            .expect("a day");
        assert_eq!(days, vectors.sts, "{player}");
        let ((n, n_out), (sig, sig_out)) = (columns(&vectors.n), columns(&vectors.sig));
        let solved = solver
            .solve(&player, &source, &n, &sig)
            .await
            .expect("solved");
        assert_eq!(
            solved,
            Solutions {
                n: n_out,
                signatures: sig_out
            },
            "{player}"
        );
    }
}

#[tokio::test]
async fn every_recorded_player_is_covered_by_vectors() {
    let Some(place) = recordings() else { return };
    let covered: Vec<String> = vectors(&place)
        .into_iter()
        .map(|vectors| vectors.file)
        .collect();
    for entry in std::fs::read_dir(place.join("players")).expect("players") {
        let name = entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name");
        let is_covered = covered.iter().any(|file| file.ends_with(&name));
        assert!(is_covered || !name.contains(".json.gz"), "{name}");
    }
}

#[tokio::test]
async fn ciphered_replies_give_whole_addresses() {
    let Some(place) = recordings() else { return };
    let solver = new_solver();
    for vectors in vectors(&place) {
        let (Some(reply), Some(expect)) = (&vectors.cipher_response, &vectors.first_format_expect)
        else {
            continue;
        };
        let reply = exchange(&place, reply);
        let ciphers = ciphers(&reply["response"]["json"]["streamingData"]);
        let n: Vec<String> = ciphers
            .iter()
            .filter_map(|cipher| n_of(&cipher.url))
            .map(Into::into)
            .collect();
        let signatures: Vec<String> = ciphers.iter().map(|c| c.signature.clone()).collect();
        assert_eq!(n.len(), ciphers.len());
        let source = Script::new(script(&place, &vectors.file));
        let player = key(&vectors.player);
        let solved = solver
            .solve(&player, &source, &n, &signatures)
            .await
            .expect("solved");
        for (at, cipher) in ciphers.iter().enumerate() {
            let url = with_n(&cipher.signed(&solved.signatures[at]), &solved.n[at]);
            assert_only_challenges_differ(&cipher.url, &url, &solved, at);
        }
        assert_eq!(ciphers[0].parameter, expect.sp);
        assert_eq!(
            (&solved.signatures[0], &solved.n[0]),
            (&expect.sig, &expect.n)
        );
    }
}

fn ciphers(streaming: &Value) -> Vec<Cipher> {
    let lists = ["formats", "adaptiveFormats"]
        .into_iter()
        .filter_map(|list| streaming[list].as_array());
    let texts = lists
        .flatten()
        .map(|format| format["signatureCipher"].as_str().expect("ciphered"));
    let ciphers: Vec<Cipher> = texts
        .map(|text| Cipher::parse(text).expect("a cipher"))
        .collect();
    assert!(ciphers.len() > 20);
    ciphers
}

fn assert_only_challenges_differ(before: &str, after: &str, solved: &Solutions, at: usize) {
    let fields = |url: &str| -> BTreeMap<String, String> {
        url::Url::parse(url)
            .expect("an address")
            .query_pairs()
            .into_owned()
            .collect()
    };
    let mut expected = fields(before);
    expected.insert("n".to_owned(), solved.n[at].clone());
    expected.insert("sig".to_owned(), solved.signatures[at].clone());
    assert_eq!(fields(after), expected);
    let (head, _) = before.split_once("&n=").expect("a challenge");
    assert!(after.starts_with(head));
}

#[test]
fn recorded_players_cut_anywhere_are_refused_or_prepared_without_panic() {
    let Some(place) = recordings() else { return };
    let script = script(&place, "players/c9168c90.json.gz");
    for part in 1..16 {
        let mut end = script.len() * part / 16;
        while !script.is_char_boundary(end) {
            end -= 1;
        }
        assert!(plan::prepare(&script[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn recorded_pages_name_their_player() {
    let Some(place) = recordings() else { return };
    let frame = std::fs::read_to_string(place.join("discovery/iframe_api.json")).expect("a reply");
    let frame: Value = serde_json::from_str(&frame).expect("JSON");
    let found = PlayerKey::find(frame["response"]["text"].as_str().expect("a script"));
    assert_eq!(found, Some(key("c9168c90")));
    let page = exchange(&place, "discovery/embed_page.json.gz");
    let found = PlayerKey::find(page["response"]["text"].as_str().expect("a page"));
    assert_eq!(found, Some(key("c9168c90")));
}
