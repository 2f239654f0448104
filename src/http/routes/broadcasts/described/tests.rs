//! The description against what the room `broadcast` has.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::*;
use crate::broadcast::{self, Facts, ItemState, LogLevel, Profile, Settings, Status};

fn described<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap()
}

fn names(schema: &Value) -> BTreeSet<String> {
    schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn described_fields_are_those_that_there_are() {
    let mut fields = keys(&Settings::default().to_map().into());
    fields.insert("stream_key".to_owned());
    assert_eq!(names(&described::<BroadcastFields>()), fields);
    let mut facts = keys(&serde_json::to_value(Facts::new("")).unwrap());
    facts.insert("stream_key_set".to_owned());
    assert_eq!(names(&described::<BroadcastFacts>()), facts);
    let profile = keys(&serde_json::to_value(Profile::default()).unwrap());
    assert_eq!(names(&described::<BroadcastProfile>()), profile);
    let schedule = json!({"tz": "UTC", "prefetch": {"from": "00:00", "to": "01:00", "items": 1},
        "windows": [{"from": "00:00", "to": "01:00"}]});
    let schedule: broadcast::Schedule = serde_json::from_value(schedule).unwrap();
    let schedule = serde_json::to_value(schedule).unwrap();
    assert_eq!(names(&described::<BroadcastSchedule>()), keys(&schedule));
    assert_eq!(
        names(&described::<BroadcastWindow>()),
        keys(&schedule["windows"][0])
    );
    assert_eq!(
        names(&described::<BroadcastPrefetch>()),
        keys(&schedule["prefetch"])
    );
    let position = keys(&serde_json::to_value(broadcast::Position::default()).unwrap());
    assert_eq!(names(&described::<BroadcastPosition>()), position);
}

#[test]
fn described_defaults_are_those_that_there_are() {
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    let profile = serde_json::to_value(Profile::default()).unwrap();
    for (described, defaults) in [
        (described::<BroadcastFields>(), defaults),
        (described::<BroadcastProfile>(), profile),
    ] {
        for (name, schema) in described["properties"].as_object().unwrap() {
            let Some(default) = schema.get("default") else {
                continue;
            };
            assert_eq!(default, &defaults[name], "{name}");
        }
    }
}

#[test]
fn described_words_are_those_that_there_are() {
    let words = |all: &[&str]| json!(all);
    let states = Status::ALL.map(Status::as_str);
    assert_eq!(described::<BroadcastState>()["enum"], words(&states));
    let levels = LogLevel::ALL.map(LogLevel::as_str);
    assert_eq!(described::<LogLevelName>()["enum"], words(&levels));
    let items = [
        ItemState::Pending,
        ItemState::Ok,
        ItemState::Skipped,
        ItemState::Failed,
    ];
    assert_eq!(described::<ItemStateName>()["enum"], json!(items));
    for (field, schema) in [
        ("stream_source", described::<StreamSourceName>()),
        ("playlist_serve_mode", described::<ServeModeName>()),
        ("video_mode", described::<VideoModeName>()),
        ("resume", described::<ResumeName>()),
        ("on_item_failure", described::<OnItemFailureName>()),
    ] {
        for word in schema["enum"].as_array().unwrap() {
            let mut fields = Settings::default().to_map();
            fields.insert(field.to_owned(), word.clone());
            assert!(
                serde_json::from_value::<Settings>(fields.into()).is_ok(),
                "{field} {word}"
            );
        }
    }
}

#[test]
fn described_bodies_of_starts_take_no_other_fields() {
    for schema in [
        described::<BroadcastStart>(),
        described::<BroadcastRestart>(),
    ] {
        assert_eq!(schema["additionalProperties"], json!(false), "{schema}");
    }
}
