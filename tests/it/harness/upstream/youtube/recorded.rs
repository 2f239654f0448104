//! Recorded answers of the real site, made playable on the simulated one.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::refusal::Refusal;
use super::video::Video;

/// Recorded answers of VISIONOS, and the WEB answer about the same video.
const PLAYABLE: &[(&str, Option<&str>)] = &[
    ("visionos_ok_drc", Some("web_microformat_only")),
    ("visionos_ok_chapters", Some("web_microformat_chapters")),
    ("visionos_ok_audiotracks", None),
];

/// Recorded refusals.
const REFUSALS: &[&str] = &[
    "err_age_web",
    "err_bot_check_minimal",
    "err_geo",
    "err_members_only",
    "err_private",
    "err_unavailable_web",
    "web_scheduled_live",
];

/// A recording as a video that can be served.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Its file without ending.
    pub(crate) name: &'static str,
    /// The video.
    pub(crate) video: Video,
}

/// The answer in a recording, out of its wrapper.
fn answer(folder: &Path, name: &str) -> Value {
    let player = folder.join("youtube/player");
    let plain = player.join(format!("{name}.json"));
    let text = match std::fs::read_to_string(&plain) {
        Ok(text) => text,
        Err(_) => unpacked(&player.join(format!("{name}.json.gz"))),
    };
    let recorded: Value = serde_json::from_str(&text).expect("recorded JSON");
    let told = &recorded["response"]["json"];
    match &told["playerResponse"] {
        Value::Null => told.clone(),
        player => player.clone(),
    }
}

fn unpacked(path: &Path) -> String {
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("gzip");
    text
}

/// Every recorded video that VISIONOS plays.
pub(crate) fn recordings(folder: &Path) -> Vec<Recording> {
    let make = |(name, web): &(&'static str, Option<&str>)| {
        let web = web.map(|web| answer(folder, web));
        Recording {
            name,
            video: Video::recorded(&answer(folder, name), web.as_ref()),
        }
    };
    PLAYABLE.iter().map(make).collect()
}

/// Every recorded refusal: name and `playabilityStatus`.
pub(crate) fn refusals(folder: &Path) -> Vec<(&'static str, Refusal)> {
    let make = |name: &&'static str| {
        let status = answer(folder, name)["playabilityStatus"].clone();
        (*name, Refusal::Recorded(status))
    };
    REFUSALS.iter().map(make).collect()
}
