//! For the recorded answers with a twin (what yt-dlp made of them): format list, order, fields and selections are equal.
//!
//! | where | yt-dlp | here | why |
//! |---|---|---|---|
//! | `has_drm` | a field | encrypted formats are left out | nothing of ours can decrypt them |

use serde_json::{Map, Value, json};

use super::recorded;
use crate::extract::selector::Selector;
use crate::extract::youtube::formats::{Mapping, Stream};
use crate::extract::youtube::hosts::Hosts;
use crate::extract::{DynamicRange, Format};

/// Fields of the twins that are not held against ours, by the table above.
const NOT_COMPARED: &[&str] = &["has_drm"];

/// The formats of a twin's first input, best first.
fn streams(twin: &Value) -> Option<Vec<Stream>> {
    let player = recorded::player(twin["inputs"][0].as_str().unwrap())?;
    let hosts = Hosts::default();
    // Recorded for Android: without a token only format 18 is used, as by yt-dlp.
    let is_android = twin["client"] == "android";
    let mapping = Mapping {
        hosts: &hosts,
        media_token: None,
        token_free_itags: is_android.then_some(&[18]),
    };
    Some(mapping.map(&player).streams)
}

/// A format as yt-dlp writes it.
fn as_yt_dlp(stream: &Stream) -> Value {
    let is_audio = stream.vcodec.is_none();
    let is_single = is_audio || stream.acodec.is_none();
    let rate = |is_other: bool| {
        is_single.then(|| {
            if is_other {
                json!(0)
            } else {
                json!(stream.tbr())
            }
        })
    };
    let fields = [
        ("format_id", json!(stream.format_id)),
        ("ext", json!(stream.ext)),
        ("vcodec", json!(stream.vcodec.as_deref().unwrap_or("none"))),
        ("acodec", json!(stream.acodec.as_deref().unwrap_or("none"))),
        ("width", json!(stream.width)),
        ("height", json!(stream.height)),
        ("fps", json!(stream.fps)),
        ("tbr", json!(stream.tbr())),
        ("vbr", json!(rate(is_audio))),
        ("abr", json!(rate(!is_audio))),
        ("asr", json!(stream.asr)),
        ("audio_channels", json!(stream.audio_channels)),
        ("filesize", json!(stream.filesize)),
        ("filesize_approx", json!(stream.filesize_approx())),
        ("protocol", json!("https")),
        ("language", json!(stream.language)),
        ("language_preference", json!(stream.language_preference)),
        (
            "dynamic_range",
            json!(stream.dynamic_range.map(DynamicRange::name)),
        ),
        ("quality", json!(stream.quality)),
        ("source_preference", json!(stream.source_preference)),
        ("preference", json!(stream.preference)),
        ("format_note", json!(stream.format_note)),
        ("container", json!(stream.container())),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect::<Map<_, _>>()
        .into()
}

/// A twin's format without the fields that are not compared.
fn expected(format: &Value) -> Value {
    let fields = format.as_object().unwrap();
    fields
        .iter()
        .filter(|(key, _)| !NOT_COMPARED.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// Compares every selection of a twin.
fn check_selections<C: crate::extract::selector::Candidate>(
    name: &str,
    twin: &Value,
    formats: &[C],
) {
    for (text, expected) in twin["select"].as_object().unwrap() {
        let selector: Selector = text.parse().unwrap();
        let chosen = selector.select(formats).map(|selection| selection.id());
        assert_eq!(json!(chosen), *expected, "{name}: {text}");
    }
}

#[test]
fn formats_and_selections_are_those_of_yt_dlp() {
    let names = recorded::names("expected");
    assert!(
        recorded::folder().is_none() || names.len() >= 6,
        "{names:?}"
    );
    for name in names {
        let twin = recorded::json(&name).unwrap();
        let streams = streams(&twin).unwrap();
        let wanted: Vec<Value> = twin["formats_sorted_worst_to_best"]
            .as_array()
            .unwrap()
            .iter()
            .map(expected)
            .collect();
        let got: Vec<Value> = streams.iter().rev().map(as_yt_dlp).collect();
        let ids = |list: &[Value]| {
            list.iter()
                .map(|f| f["format_id"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&got), ids(&wanted), "{name}");
        for (got, wanted) in got.iter().zip(&wanted) {
            assert_eq!(got, wanted, "{name}");
        }
        check_selections(&name, &twin, &streams);
        let formats: Vec<Format> = streams.iter().filter_map(Stream::to_format).collect();
        assert_eq!(formats.len(), streams.len(), "{name}");
        check_selections(&name, &twin, &formats);
    }
}
