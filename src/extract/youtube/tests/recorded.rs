//! Reading recorded exchanges.

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::config::Env;
use crate::extract::youtube::response::player::{Player, Reel};

/// The folder of the recordings; `None` and a line on stderr when there is none.
pub(super) fn folder() -> Option<PathBuf> {
    let root = Env::from_process()
        .path("SERVERRS_FIXTURES")
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    let folder = root.join("youtube");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no recordings; set SERVERRS_FIXTURES");
    None
}

/// A recorded file, unpacked.
pub(super) fn read(name: &str) -> Option<Vec<u8>> {
    let path = folder()?.join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let is_packed = path.extension().is_some_and(|extension| extension == "gz");
    if !is_packed {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_end(&mut plain)
        .unwrap();
    Some(plain)
}

/// A recorded file as JSON.
pub(super) fn json(name: &str) -> Option<Value> {
    Some(serde_json::from_slice(&read(name)?).unwrap())
}

/// The body of a recorded answer.
pub(super) fn body(name: &str) -> Option<Value> {
    json(name).map(|mut exchange| exchange["response"]["json"].take())
}

/// The player answer in a recorded exchange, unwrapped.
pub(super) fn player(name: &str) -> Option<Player> {
    let body = body(name)?.to_string();
    let reel: Reel = serde_json::from_str(&body).unwrap();
    Some(match reel.player_response.into_inner() {
        Some(player) => player,
        None => serde_json::from_str(&body).unwrap(),
    })
}

/// The names of the recordings in a folder.
pub(super) fn names(sub: &str) -> Vec<String> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut names: Vec<String> = std::fs::read_dir(folder.join(sub))
        .unwrap()
        .map(|entry| format!("{sub}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names
}
