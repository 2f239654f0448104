//! What a user says of a broadcast, and what of it is accepted. Pure.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::profile::Profile;
use super::publisher::{Scheme, Target, TargetError};
use crate::config::Secret;
use crate::extract::selector::Selector;

/// The selector of a broadcast that names none.
const DEFAULT_FORMAT: &str = "best[height<=720]/best";
/// Characters of a title.
const MAX_TITLE: usize = 200;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 5000;
/// Characters of an owner.
const MAX_OWNER: usize = 100;
/// Files of a list of files.
const MAX_FILES: usize = 1000;
/// Bytes of the name of a file.
const MAX_FILE_NAME: usize = 1024;
/// Bytes of a playlist's id or address.
const MAX_PLAYLIST: usize = 2048;
/// Minutes of one item, at most: a day.
const MAX_ITEM_MINUTES: u32 = 24 * 60;

/// Where the items come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamSource {
    /// Files below `BROADCAST_MEDIA_DIR`.
    MediaFiles,
    /// A playlist of a site.
    Playlist,
    /// The same, served as [`ServeMode::Direct`].
    PlaylistDirect,
}

/// How the items of a playlist get on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServeMode {
    /// Fetched to disk ahead of their turn.
    Download,
    /// Passed on as they come.
    Direct,
    /// The first ones kept on disk, the rest direct.
    Hybrid,
}

/// What happens to an item that can't be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnItemFailure {
    /// The next one is played.
    Skip,
}

/// The fields of a broadcast that its user sets, but for the stream key.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of the API, by their names"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// 1 to 200 characters.
    pub title: String,
    /// Up to 5000 characters.
    pub description: String,
    /// A label of up to 100 characters; there are no accounts.
    pub owner: String,
    /// Where the items come from.
    pub stream_source: StreamSource,
    /// Only with [`StreamSource::MediaFiles`]: 1 to 1000 names below `BROADCAST_MEDIA_DIR`.
    pub media_files: Vec<String>,
    /// Only with a playlist: its bare id.
    pub playlist_id: Option<String>,
    /// How the items get on air.
    pub playlist_serve_mode: ServeMode,
    /// With [`ServeMode::Hybrid`]: how many of the first items are kept.
    pub cache_first: u8,
    /// Whether the order is drawn.
    pub shuffle_playlist: bool,
    /// What the order is drawn from: the same seed and items give the same order. Drawn at the beginning.
    pub shuffle_seed: Option<u64>,
    /// Whether the list begins again after its end.
    pub loop_enabled: bool,
    /// Place of the first item, counted from 0.
    pub start_index: u32,
    /// Selector of the format.
    pub format: String,
    /// What is sent.
    pub profile: Profile,
    /// Where it is sent, without the stream key; needed at the start.
    pub target_url: Option<String>,
    /// What happens to an item that can't be played.
    pub on_item_failure: OnItemFailure,
    /// Minutes after which an item is ended; longer ones are skipped where their length is known. 0 for none.
    pub max_item_minutes: u32,
    /// Whether it starts with the server.
    pub autostart: bool,
    /// Whether something is sent before the first item is ready.
    pub start_with_slate: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: String::new(),
            description: String::new(),
            owner: String::new(),
            stream_source: StreamSource::Playlist,
            media_files: Vec::new(),
            playlist_id: None,
            playlist_serve_mode: ServeMode::Download,
            cache_first: 3,
            shuffle_playlist: false,
            shuffle_seed: None,
            loop_enabled: false,
            start_index: 0,
            format: DEFAULT_FORMAT.to_owned(),
            profile: Profile::default(),
            target_url: None,
            on_item_failure: OnItemFailure::Skip,
            max_item_minutes: 0,
            autostart: false,
            start_with_slate: true,
        }
    }
}

/// A field that can't be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Name of the field; empty for the whole body.
    pub field: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

impl FieldFault {
    /// A fault of a field.
    pub fn new(field: &'static str, message: impl Display) -> Self {
        Self {
            field,
            message: message.to_string(),
        }
    }
}

impl Settings {
    /// Reads them from a JSON object, checks them and brings them into their one form. Returned besides is the stream
    /// key: `key` with what stands behind the `?` of `target_url`, or without `key` the last part of its path.
    ///
    /// # Errors
    /// Every field that can't be used.
    pub fn read(
        fields: Map<String, Value>,
        key: Option<&str>,
    ) -> Result<(Self, Option<Secret>), Vec<FieldFault>> {
        let has_mode = fields.contains_key("playlist_serve_mode");
        let mut settings: Self = serde_json::from_value(Value::Object(fields))
            .map_err(|error| vec![FieldFault::new("", error)])?;
        let mut faults = Vec::new();
        settings.check_texts(&mut faults);
        settings.check_source(has_mode, &mut faults);
        settings.check_numbers(&mut faults);
        let key = settings.take_key(key, &mut faults);
        if faults.is_empty() {
            return Ok((settings, key));
        }
        Err(faults)
    }

    /// As a JSON object.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }

    /// Names of the fields in which two differ.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.to_map(), other.to_map());
        let differs = ours
            .into_iter()
            .filter(|(name, value)| theirs.get(name) != Some(value));
        differs.map(|(name, _)| name).collect()
    }

    /// Whether the selector is the one that is taken when none is named.
    pub fn is_default_format(&self) -> bool {
        self.format == DEFAULT_FORMAT
    }

    /// How the items really get on air.
    pub fn serve_mode(&self) -> ServeMode {
        match self.stream_source {
            StreamSource::PlaylistDirect => ServeMode::Direct,
            StreamSource::Playlist => self.playlist_serve_mode,
            StreamSource::MediaFiles => ServeMode::Download,
        }
    }

    fn check_texts(&mut self, faults: &mut Vec<FieldFault>) {
        self.title = self.title.trim().to_owned();
        if self.title.is_empty() {
            faults.push(FieldFault::new("title", "must not be empty"));
        }
        for (field, text, most) in [
            ("title", &self.title, MAX_TITLE),
            ("description", &self.description, MAX_DESCRIPTION),
            ("owner", &self.owner, MAX_OWNER),
        ] {
            if text.chars().count() > most {
                faults.push(FieldFault::new(
                    field,
                    format_args!("must have {most} characters at most"),
                ));
            }
        }
        if let Err(error) = self.format.parse::<Selector>() {
            let message = format!("{} at position {}", error.message, error.at);
            faults.push(FieldFault::new("format", message));
        }
    }

    fn check_source(&mut self, has_mode: bool, faults: &mut Vec<FieldFault>) {
        let is_files = self.stream_source == StreamSource::MediaFiles;
        if is_files {
            self.check_files(faults);
        } else if !self.media_files.is_empty() {
            faults.push(FieldFault::new(
                "media_files",
                "only with `stream_source` `media_files`",
            ));
        }
        match &self.playlist_id {
            Some(_) if is_files => faults.push(FieldFault::new(
                "playlist_id",
                "not with `stream_source` `media_files`",
            )),
            Some(id) if id.is_empty() || id.len() > MAX_PLAYLIST => {
                faults.push(FieldFault::new(
                    "playlist_id",
                    "must be the id or address of a playlist",
                ));
            }
            None if !is_files => faults.push(FieldFault::new("playlist_id", "is needed")),
            _ => {}
        }
        match self.stream_source {
            StreamSource::PlaylistDirect => {
                if has_mode && self.playlist_serve_mode != ServeMode::Direct {
                    faults.push(FieldFault::new(
                        "playlist_serve_mode",
                        "`playlist_direct` means `direct`",
                    ));
                }
                self.playlist_serve_mode = ServeMode::Direct;
            }
            StreamSource::MediaFiles => self.playlist_serve_mode = ServeMode::Download,
            StreamSource::Playlist => {}
        }
    }

    fn check_files(&self, faults: &mut Vec<FieldFault>) {
        if !(1..=MAX_FILES).contains(&self.media_files.len()) {
            faults.push(FieldFault::new(
                "media_files",
                format_args!("must be 1 to {MAX_FILES} names"),
            ));
        }
        let is_bad = |name: &String| {
            name.is_empty()
                || name.len() > MAX_FILE_NAME
                || name.starts_with('/')
                || name.contains(['\\', '\0'])
                || name.split('/').any(|part| matches!(part, "" | "." | ".."))
        };
        if self.media_files.iter().any(is_bad) {
            faults.push(FieldFault::new(
                "media_files",
                "names are relative to the media directory, without `..`",
            ));
        }
    }

    fn check_numbers(&self, faults: &mut Vec<FieldFault>) {
        if self.cache_first > 100 {
            faults.push(FieldFault::new("cache_first", "must be 0 to 100"));
        }
        if self.max_item_minutes > MAX_ITEM_MINUTES {
            faults.push(FieldFault::new(
                "max_item_minutes",
                format_args!("must be 0 to {MAX_ITEM_MINUTES}"),
            ));
        }
        faults.extend(self.profile.fault());
    }

    fn take_key(&mut self, key: Option<&str>, faults: &mut Vec<FieldFault>) -> Option<Secret> {
        let Some(text) = self.target_url.as_deref() else {
            return key.map(|key| Secret::new(key.to_owned()));
        };
        match Target::parse(text, key) {
            Ok((target, _)) if target.scheme() == Scheme::Srt => {
                let message = "must begin with `rtmp://` or `rtmps://`";
                faults.push(FieldFault::new("target_url", message));
                None
            }
            Ok((target, key)) => {
                self.target_url = Some(target.to_string());
                key
            }
            Err(error) => {
                faults.push(error.into());
                None
            }
        }
    }
}

impl From<TargetError> for FieldFault {
    fn from(error: TargetError) -> Self {
        let field = match error {
            TargetError::Key => "stream_key",
            _ => "target_url",
        };
        Self::new(field, error)
    }
}

#[cfg(test)]
mod tests {
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
            (json!({"max_item_minutes": 1441}), "max_item_minutes"),
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
            read(
                &json!({"stream_source": "media_files", "playlist_id": null, "media_files": names}),
            )
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
}
