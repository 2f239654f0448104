//! The recorded refusals.

use super::recorded;
use crate::extract::youtube::playability::{self, Kind};
use crate::extract::{Block, Unavailable};

#[test]
fn recorded_refusals_are_understood() {
    for (name, expected) in [
        ("err_age_web", Kind::Post(Unavailable::AgeRestricted)),
        ("err_bot_check_minimal", Kind::Us(Block::BotCheck)),
        ("err_geo", Kind::Post(Unavailable::RegionBlocked)),
        ("err_invalid_id", Kind::Post(Unavailable::NotFound)),
        ("err_members_only", Kind::Post(Unavailable::MembersOnly)),
        ("err_private", Kind::Post(Unavailable::Private)),
        ("err_unavailable_web", Kind::Post(Unavailable::NotFound)),
        ("visionos_unplayable_not_available", Kind::NotHere),
        ("visionos_live", Kind::Post(Unavailable::Live)),
        (
            "web_scheduled_live",
            Kind::Post(Unavailable::Upcoming {
                starts_at: Some(1_677_592_800),
            }),
        ),
    ] {
        let Some(player) = recorded::player(&format!("player/{name}.json")) else {
            return;
        };
        let fault = playability::fault(&player).unwrap();
        assert_eq!(fault.kind, expected, "{name}: {}", fault.message);
        assert!(fault.message.len() < 400, "{name}");
    }
}

#[test]
fn recorded_playable_answers_have_no_fault() {
    for name in [
        "player/visionos_ok_drc.json.gz",
        "player/visionos_ok_chapters.json.gz",
        "player/visionos_ok_audiotracks.json.gz",
        "player/ios_ok.json",
        "player/android_reel_ok_sabr.json.gz",
        "player/android_reel_fallback_ok.json",
        "player/tv_cipher_2025-02_sts20129.json.gz",
        "player/web_cipher_2024-04_sts19822.json.gz",
        "player/web_direct_2024.json",
    ] {
        let Some(player) = recorded::player(name) else {
            return;
        };
        assert_eq!(playability::fault(&player), None, "{name}");
    }
}
