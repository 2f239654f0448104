//! Breaking a tree of JSON in one place: taking a part away, putting something of another type there, or something
//! hostile of any type.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// A part of a tree: keys and places in lists, as a JSON pointer.
pub(super) type Pointer = String;

/// Picks a part, the deeper ones as likely as the higher ones. Never the whole tree.
pub(super) fn pick(value: &Value, rng: &mut StdRng) -> Pointer {
    let mut pointer = String::new();
    let mut here = value;
    loop {
        let goes_down = pointer.is_empty() || rng.random_range(0..10) != 0;
        let (part, next) = match here {
            Value::Object(map) if goes_down && !map.is_empty() => {
                let at = rng.random_range(0..map.len());
                let (key, next) = map.iter().nth(at).unwrap();
                (key.replace('~', "~0").replace('/', "~1"), next)
            }
            Value::Array(list) if goes_down && !list.is_empty() => {
                let at = rng.random_range(0..list.len());
                (at.to_string(), &list[at])
            }
            _ => return pointer,
        };
        pointer = format!("{pointer}/{part}");
        here = next;
    }
}

/// The container of a part, and its key or place there.
fn parent<'a>(value: &'a mut Value, pointer: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = pointer.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    Some((value.pointer_mut(parent)?, key))
}

/// Takes a part away; nothing when it is not there any more.
pub(super) fn remove(value: &mut Value, pointer: &str) {
    match parent(value, pointer) {
        Some((Value::Object(map), key)) => drop(map.shift_remove(&key)),
        Some((Value::Array(list), key)) => {
            if let Some(at) = key.parse().ok().filter(|at| *at < list.len()) {
                list.remove(at);
            }
        }
        _ => {}
    }
}

/// Gives a part of an object another name.
pub(super) fn rename(value: &mut Value, pointer: &str) {
    if let Some((Value::Object(map), key)) = parent(value, pointer)
        && let Some(value) = map.shift_remove(&key)
    {
        map.insert(format!("{key}2"), value);
    }
}

/// Puts something in the place of a part that can't be read as what was there: numbers are also written as texts, so
/// that a text in place of a number is none of these.
pub(super) fn retype(value: &mut Value, pointer: &str, rng: &mut StdRng) {
    let Some(part) = value.pointer_mut(pointer) else {
        return;
    };
    let others = match part {
        Value::Object(_) => [Value::Null, json!([]), json!(true)],
        Value::Array(_) => [Value::Null, json!({}), json!(true)],
        _ => [Value::Null, json!({}), json!([])],
    };
    *part = others[rng.random_range(0..others.len())].clone();
}

/// Puts something hostile in the place of a part.
pub(super) fn poison(value: &mut Value, pointer: &str, rng: &mut StdRng) {
    if let Some(part) = value.pointer_mut(pointer) {
        *part = strange(rng);
    }
}

/// A value of another kind, or a hostile one of the same.
fn strange(rng: &mut StdRng) -> Value {
    let choices = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("\u{0}\u{202e}\u{1f600}"),
        json!("https://evil.test/videoplayback"),
        json!("https://evil.test\\@r1.googlevideo.com/"),
        json!("//evil.test/x.jpg"),
        json!("video/mp4; codecs=\"\""),
        json!("99999999999999999999"),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!({"simpleText": {"runs": 1}}),
        json!("url=https%3A%2F%2Fevil.test%2F&s=AAAA&sp=sig"),
        json!("s=AAAA&sp=sig&url=https%3A%2F%2Fr1.googlevideo.com%2Fvideoplayback%3Fn%3D%0D%0A"),
        json!("-:-:-"),
    ];
    choices[rng.random_range(0..choices.len())].clone()
}

/// Longest list that is left: enough to hold every kind of line, and short enough for thousands of readings.
const MAX_LIST: usize = 9;
/// Longest text that is left, in bytes: a ciphered address has some 1,500.
const MAX_TEXT: usize = 2500;

/// Keys that nobody reads: dropped, so that most cases hit something that is read.
const NOISE: &[&str] = &[
    "trackingParams",
    "clickTrackingParams",
    "playerConfig",
    "playbackTracking",
    "storyboards",
    "attestation",
    "adPlacements",
    "frameworkUpdates",
    "secondaryResults",
    "translationLanguages",
    "endScreen",
    "menu",
    "loggingContext",
    "autoplay",
    "playerSettingsMenuData",
    "cards",
    "endscreen",
    "responseContext",
    "microformatDataRenderer",
    "topbar",
    "contextParams",
    "subscriptionButton",
    "heartbeatParams",
    "background",
    "onActiveCommand",
    "commandMetadata",
    "watchEndpointSupportedOnesieConfig",
    "serviceEndpoint",
    "accessibility",
    "loggingDirectives",
    "structuredDescriptionContentRenderer",
    "mealbarPromoRenderer",
];

/// Keys of what stands around the first video of a mix.
const BESIDE_MIX: &[&str] = &["results", "engagementPanels"];

/// Drops what nobody reads, and thins out long lists evenly. `is_mix`: what stands around a mix's first video is noise.
pub(super) fn without_noise(value: &mut Value, is_mix: bool) {
    match value {
        Value::Object(map) => {
            let is_noise =
                |key: &str| NOISE.contains(&key) || (is_mix && BESIDE_MIX.contains(&key));
            map.retain(|key, _| !is_noise(key));
            map.values_mut()
                .for_each(|value| without_noise(value, is_mix));
        }
        Value::Array(list) => {
            thin_out(list);
            for value in list {
                without_noise(value, is_mix);
            }
        }
        Value::String(text) if text.len() > MAX_TEXT => text.clear(),
        _ => {}
    }
}

fn thin_out(list: &mut Vec<Value>) {
    let total = list.len();
    if total <= MAX_LIST {
        return;
    }
    // The last one too: lists end with what leads on.
    let kept: Vec<usize> = (0..MAX_LIST)
        .map(|at| at * (total - 1) / (MAX_LIST - 1))
        .collect();
    let mut at = 0;
    list.retain(|_| {
        at += 1;
        kept.contains(&(at - 1))
    });
}
