//! What is accepted, and what is not.

use serde_json::json;

use super::*;

fn read(fields: &Value) -> Result<(Settings, Option<String>), Vec<&'static str>> {
    let Value::Object(mut all) = json!({"title": "T", "playlist_id": "PLx"}) else {
        unreachable!()
    };
    all.extend(fields.as_object().unwrap().clone());
    all.retain(|_, value| !value.is_null());
    let fields =
        |faults: Vec<FieldFault>| faults.iter().map(|fault| fault.field).collect::<Vec<_>>();
    let read = Settings::read(all, None).map_err(fields)?;
    Ok((read.0, read.1.map(|key| key.reveal().to_owned())))
}

#[test]
fn settings_unset_are_the_defaults() {
    let (settings, key) = read(&json!({})).unwrap();
    let expected = Settings {
        title: "T".to_owned(),
        playlist_id: Some("PLx".to_owned()),
        ..Settings::default()
    };
    assert_eq!((settings, key), (expected, None));
}

#[test]
fn each_bad_field_is_named() {
    for (fields, field) in [
        (json!({"title": "  "}), "title"),
        (json!({"title": "x".repeat(201)}), "title"),
        (json!({"description": "x".repeat(5001)}), "description"),
        (json!({"owner": "x".repeat(101)}), "owner"),
        (json!({"format": "best["}), "format"),
        (json!({"playlist_id": null}), "playlist_id"),
        (json!({"media_files": ["a"]}), "media_files"),
        (json!({"cache_first": 101}), "cache_first"),
        (json!({"schedule": {"windows": []}}), ""),
        (json!({"schedule": {"tz": "Nowhere"}}), "schedule"),
        (
            json!({"schedule": {"tz": "UTC", "start_at": "2030-01-01T00:00:00Z",
            "prefetch": {"from": "24:00", "to": "04:00", "items": 3}}}),
            "schedule",
        ),
        (
            json!({"schedule": {"tz": "UTC", "start_at": "2030-01-01T00:00:00Z",
            "prefetch": {"from": "03:00", "to": "04:00", "items": 101}}}),
            "schedule",
        ),
        (
            json!({"stream_source": "playlist_direct", "schedule": {"tz": "UTC", "start_at": "2030-01-01T00:00:00Z",
            "prefetch": {"from": "03:00", "to": "04:00", "items": 3}}}),
            "schedule",
        ),
        (json!({"video_mode": "transcode"}), ""),
        (json!({"resume": "some"}), ""),
        (json!({"max_item_minutes": 10_081}), "max_item_minutes"),
        (json!({"profile": {"width": 15}}), "profile"),
        (json!({"target_url": "http://a/b/c"}), "target_url"),
        (json!({"nonsense": 1}), ""),
        (json!({"stream_source": "radio"}), ""),
        (json!({"loop_enabled": "yes"}), ""),
        (
            json!({"stream_source": "playlist_direct", "playlist_serve_mode": "download"}),
            "playlist_serve_mode",
        ),
    ] {
        assert_eq!(read(&fields).unwrap_err(), [field], "{fields}");
    }
}

#[test]
fn direct_source_is_the_mode() {
    let (settings, _) = read(&json!({"stream_source": "playlist_direct"})).unwrap();
    assert_eq!(settings.serve_mode(), ServeMode::Direct);
}

#[test]
fn files_lie_below_their_directory() {
    let files = |names: Value| {
        read(&json!({"stream_source": "media_files", "playlist_id": null, "media_files": names}))
    };
    assert!(files(json!(["a.mp4", "b/c d.mkv"])).is_ok());
    for name in ["", "/etc/passwd", "../a", "a/../b", "a//b", "a\\b", "./a"] {
        assert_eq!(files(json!([name])).unwrap_err(), ["media_files"], "{name}");
    }
    assert_eq!(files(json!([])).unwrap_err(), ["media_files"]);
}

#[test]
fn key_leaves_the_address() {
    let (settings, key) = read(&json!({"target_url": "rtmp://a.example/live2/KEY"})).unwrap();
    let target = settings.target_url.as_deref();
    assert_eq!(
        (target, key.as_deref()),
        (Some("rtmp://a.example/live2"), Some("KEY"))
    );
}

#[test]
fn names_are_no_paths() {
    for name in [
        "",
        ".hidden",
        "..",
        "a/b",
        "a b",
        "a\0",
        "ä",
        &"x".repeat(65),
    ] {
        for field in ["account", "proxy"] {
            let faults = read(&json!({field: name})).unwrap_err();
            assert_eq!(faults[0], field, "{name}");
        }
    }
}

#[test]
fn values_without_effect_are_refused() {
    let fields = json!({"stream_source": "media_files", "playlist_id": null, "media_files": ["a"], "account": "a"});
    assert_eq!(read(&fields).unwrap_err(), ["account"], "{fields}");
}
