//! A broadcast as it is kept and shown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Settings;
use super::state::Status;

/// Characters that a key has, at least, before the last four of them are shown.
const HINTED_KEY: usize = 12;

/// A broadcast.
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// Its id, made here.
    pub id: String,
    /// What its user says.
    pub settings: Settings,
    /// The stream key, sealed.
    pub sealed_key: Option<Vec<u8>>,
    /// What the server says.
    pub facts: Facts,
}

/// What the server says of a broadcast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The last characters of a long stream key.
    pub stream_key_hint: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Process that encodes the current item.
    pub pid: Option<u32>,
    /// When it was last started; RFC 3339, as all times here.
    pub started_at: Option<String>,
    /// When it last ended.
    pub stopped_at: Option<String>,
    /// When it starts by its schedule; in the past while that is tried.
    pub next_start_at: Option<String>,
    /// When it ends by its schedule, while it is on air.
    pub next_stop_at: Option<String>,
    /// When items are fetched next before a time on air; in the past while that is about to begin.
    pub next_prefetch_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When its user last changed it.
    pub updated_at: String,
    /// What went wrong last.
    pub last_error: Option<LastError>,
    /// Where it is in its list.
    pub position: Option<Position>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// Stable word.
    pub code: String,
    /// For people.
    pub message: String,
    /// When.
    pub at: String,
}

/// A place in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Place in the order of the cycle, counted from 0.
    pub index: u32,
    /// The site's id of the item, or the name of the file.
    pub item_id: String,
    /// Milliseconds of the item that were sent.
    pub offset_ms: u64,
    /// How often the list was begun before.
    pub cycle: u32,
    /// Milliseconds on air since the start.
    pub on_air_ms: u64,
}

impl Facts {
    /// Those of a broadcast made at this time.
    pub fn new(at: &str) -> Self {
        Self {
            stream_key_hint: None,
            status: Status::Created,
            pid: None,
            started_at: None,
            stopped_at: None,
            next_start_at: None,
            next_stop_at: None,
            next_prefetch_at: None,
            created_at: at.to_owned(),
            updated_at: at.to_owned(),
            last_error: None,
            position: None,
        }
    }
}

impl Broadcast {
    /// As it is shown: every field but the key.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), json!(self.id));
        fields.extend(self.settings.to_map());
        let is_set = self.sealed_key.is_some();
        fields.insert("stream_key_set".to_owned(), json!(is_set));
        if let Ok(Value::Object(facts)) = serde_json::to_value(&self.facts) {
            fields.extend(facts);
        }
        Value::Object(fields)
    }
}

/// What may be shown of a key.
pub(super) fn hint(key: &str) -> Option<String> {
    let chars: Vec<char> = key.chars().collect();
    (chars.len() >= HINTED_KEY).then(|| chars[chars.len() - 4..].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_is_of_long_keys_alone() {
        assert_eq!(hint("abcdefghijkl").as_deref(), Some("ijkl"));
        assert_eq!(hint("abcdefghijk"), None);
    }

    #[test]
    fn sealed_key_is_not_shown() {
        let broadcast = Broadcast {
            id: "1".to_owned(),
            settings: Settings::default(),
            sealed_key: Some(vec![1, 2, 3]),
            facts: Facts::new("2026-01-01T00:00:00Z"),
        };
        let shown = broadcast.to_json();
        assert_eq!(shown["stream_key_set"], true);
        assert!(shown.get("stream_key").is_none() && shown.get("sealed_key").is_none());
    }
}
