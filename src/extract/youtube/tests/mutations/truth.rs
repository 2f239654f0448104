//! Whether an outcome is a part of the one that the unbroken answer has: what is still told is told as there.

use serde_json::Value;

/// Fields that fall back to another source of the answer, or are reckoned from several fields: where one is broken they
/// may differ. Each with the reason.
const FALLS_BACK: &[(&str, &str)] = &[
    (
        "id",
        "numbered among formats of equal id, and without its suffix where the flag for that is gone",
    ),
    ("bitrate_bps", "the peak where the average is gone"),
    ("filesize_approx", "reckoned from the bit rate"),
    (
        "language",
        "of the recognised subtitles where the track names none",
    ),
    (
        "preference",
        "of a track that isn't said to be the original",
    ),
    ("dynamic_range", "from the codec where the colours are gone"),
    ("title", "of the page facts"),
    ("description", "of the page facts"),
    ("name", "of the page facts, or of the list's other header"),
    ("handle", "the channel's id where the handle is gone"),
    ("author", "of another line of the entry"),
    ("url", "of the author: by id where the handle is gone"),
    ("cover", "the largest picture that is left"),
    (
        "created_at",
        "of the upload where the publication is gone, and the other way round",
    ),
    (
        "duration_ms",
        "of the page facts, or the text on the picture",
    ),
    ("end_ms", "the start of the next chapter that is left"),
    (
        "likes",
        "of the page beside the video where the facts have none",
    ),
    ("live", "a broadcast that isn't said to be one"),
    ("music", "read out of the description"),
    ("index", "counted where the entry has no number"),
    (
        "availability",
        "told by several signs; without them an entry counts as unavailable",
    ),
    ("thumbnail", "the largest picture that is left"),
    ("entry_count", "of another header"),
    ("next_cursor", "where the list goes on is not what is in it"),
    ("chapters", "of the description where the page has none"),
    ("is_automatic", "a written track where the kind is gone"),
];

/// Those of them that are the site's own words, from wherever in its answers.
const OWN_WORDS: &[&str] = &[
    "title",
    "description",
    "name",
    "handle",
    "author",
    "cover",
    "thumbnail",
];

fn falls_back(key: &str) -> bool {
    FALLS_BACK.iter().any(|(name, _)| *name == key)
}

/// What an outcome is held against.
pub(super) struct Truth<'a> {
    /// The outcome of the unbroken answer.
    pub(super) outcome: &'a Value,
    /// Every text of the unbroken answers.
    pub(super) words: &'a [String],
}

impl Truth<'_> {
    /// Where `got` tells something that the truth doesn't; nothing when it is a part of it.
    pub(super) fn contradiction(&self, got: &Value) -> Option<String> {
        self.differs(got, self.outcome, "")
    }

    fn differs(&self, got: &Value, truth: &Value, at: &str) -> Option<String> {
        let key = at.rsplit('.').next().unwrap_or_default();
        // A picture is named with several sizes.
        let is_size = at.contains("thumbnails") && matches!(key, "width" | "height");
        if is_nothing(got) || got == truth || is_size {
            return None;
        }
        match (got, truth) {
            (Value::String(text), _) if OWN_WORDS.contains(&key) => {
                (!self.says(text)).then(|| format!("{at}: {got} is none of the site's words"))
            }
            _ if falls_back(key) => None,
            (Value::Object(got), Value::Object(truth)) => got.iter().find_map(|(key, value)| {
                let known = truth.get(key).unwrap_or(&Value::Null);
                self.differs(value, known, &format!("{at}.{key}"))
            }),
            (Value::Array(got), Value::Array(truth)) => {
                got.iter().find_map(|item| self.foreign(item, truth, at))
            }
            _ => Some(format!("{at}: {got} in place of {truth}")),
        }
    }

    /// Whether the site says it, in one text or in several that follow each other.
    fn says(&self, text: &str) -> bool {
        let text = text.strip_prefix("https:").unwrap_or(text);
        self.words.iter().any(|word| word.contains(text))
    }

    /// What is wrong with an item of a list: it is none of the unbroken one's. Things with an address or an id are held
    /// against their own kind.
    fn foreign(&self, item: &Value, truth: &[Value], at: &str) -> Option<String> {
        let name = |value: &Value| {
            let names = ["/urls/0", "/url", "/id", "/start_ms"];
            names.iter().find_map(|name| value.pointer(name).cloned())
        };
        let own = name(item);
        let mut same = truth
            .iter()
            .filter(|known| own.is_none() || name(known) == own);
        let first = same
            .clone()
            .find_map(|known| self.differs(item, known, &format!("{at}[]")));
        let is_known = same.any(|known| self.differs(item, known, &format!("{at}[]")).is_none());
        (!is_known)
            .then(|| first.unwrap_or_else(|| format!("{at}: {item} is not in the unbroken one")))
    }
}

/// Whether a value says nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
        Value::Bool(true) => false,
    }
}

/// Every text in a tree.
pub(super) fn texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, into)),
        Value::Object(map) => map.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

/// Fields that hold addresses; any other text is somebody's words, and may look like one.
const ADDRESSES: &[&str] = &[
    "urls",
    "url",
    "srt_url",
    "cover",
    "thumbnail",
    "avatar_thumb",
    "avatar_medium",
    "avatar_larger",
];

/// Every address in an outcome.
pub(super) fn addresses(told: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    collect(told, &mut found);
    found.retain(|address| !address.is_empty());
    found
}

fn collect<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| collect(value, into)),
        Value::Object(map) => {
            for (key, value) in map {
                if ADDRESSES.contains(&key.as_str()) {
                    texts(value, into);
                }
                collect(value, into);
            }
        }
        _ => {}
    }
}
