//! A joined link in `FFplay`: read over HTTP by its demuxers, decoded, and played to its end.

use std::collections::BTreeMap;

use super::{PAIR, Pair, WEBM_PAIR, link, skip};
use crate::harness::run;

/// The variables of `FFplay` without a screen and a sound card; `None`, said aloud, where it isn't there.
async fn player() -> Option<BTreeMap<&'static str, String>> {
    let mut command = tokio::process::Command::new("ffplay");
    let told = command.arg("-version").kill_on_drop(true).output().await;
    if !told.is_ok_and(|told| told.status.success()) {
        skip("ffplay", "it is not installed");
        return None;
    }
    let drivers = ["SDL_VIDEODRIVER", "SDL_AUDIODRIVER"];
    Some(drivers.map(|name| (name, "dummy".to_owned())).into())
}

/// Plays the file of eight seconds with this id from this second on. The player says where it stands all the time, and
/// nothing else.
async fn assert_plays(player: &BTreeMap<&'static str, String>, pair: &Pair, id: &str, from: &str) {
    let link = &*link(&pair.resolve().await, id);
    let arguments = ["-v", "error", "-stats", "-autoexit", "-ss", from, link];
    let dir = tempfile::tempdir().expect("a folder");
    let output = run("ffplay", arguments, player, dir.path()).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let mut clock = f64::NAN;
    let lines = told
        .split(['\r', '\n'])
        .filter(|line| !line.trim().is_empty());
    for line in lines {
        assert!(line.contains(" fd="), "complains: {line}");
        // With both tracks the way from one to the other is told.
        if let Some((time, _)) = line.split_once("A-V:")
            && let Ok(time) = time.trim().parse()
        {
            clock = time;
        }
    }
    assert!((7.7..8.3).contains(&clock), "ends at {clock}: {told}");
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn player_plays_a_link_to_the_end() {
    let Some(player) = player().await else {
        return;
    };
    let Some(pair) = Pair::open().await else {
        return;
    };
    assert_plays(&player, &pair, PAIR, "0").await;
}

#[tokio::test]
async fn player_plays_webm_from_the_middle_to_the_end() {
    let Some(player) = player().await else {
        return;
    };
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    assert_plays(&player, &pair, WEBM_PAIR, "4").await;
}
