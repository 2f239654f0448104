//! What a user says of a broadcast, and what of it is accepted. Pure.

mod rules;

use std::fmt::Display;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::profile::Profile;
use super::publisher::TargetError;
use super::schedule::Schedule;
use crate::config::Secret;
pub(super) use rules::LONGEST_ITEM;

/// The selector of a broadcast that names none.
const DEFAULT_FORMAT: &str = "best[height<=720]/best";

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
    /// It is fetched whole, and played then.
    FallbackDownload,
}

/// How the picture and sound of items become those of the broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoMode {
    /// Every item is encoded.
    Encode,
    /// An item that fits as it is passes through.
    Copy,
}

/// What is sent when the target is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// Everything: it goes on where it stopped.
    All,
    /// What is due by then: the rest is dropped.
    Live,
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
    /// Name of a file of cookies that the site is asked with; for private lists.
    pub account: Option<String>,
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
    /// How items become what is sent.
    pub video_mode: VideoMode,
    /// Where it is sent, without the stream key; needed at the start.
    pub target_url: Option<String>,
    /// What is sent when the target is back.
    pub resume: Resume,
    /// Name of the egress by which the site is asked, items are fetched and the target is dialled.
    pub proxy: Option<String>,
    /// When it is on air by itself.
    pub schedule: Option<Schedule>,
    /// What happens to an item that can't be played.
    pub on_item_failure: OnItemFailure,
    /// Minutes after which an item is ended; longer ones are skipped where their length is known. 0 for none, and for 60
    /// where an item is live.
    pub max_item_minutes: u32,
    /// Whether live items are played.
    pub allow_live: bool,
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
            account: None,
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
            video_mode: VideoMode::Encode,
            target_url: None,
            resume: Resume::All,
            proxy: None,
            schedule: None,
            on_item_failure: OnItemFailure::Skip,
            max_item_minutes: 0,
            allow_live: false,
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
        settings.check_names(&mut faults);
        settings.check_schedule(&mut faults);
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

    /// Whether items that were fetched for one are good for the other: the same files, in the same order.
    pub(super) fn is_fetched_alike(&self, other: &Self) -> bool {
        self.stream_source == other.stream_source
            && self.serve_mode() == other.serve_mode()
            && self.cache_first == other.cache_first
            && self.playlist_id == other.playlist_id
            && self.account == other.account
            && self.proxy == other.proxy
            && self.format == other.format
            && self.seed() == other.seed()
            && self.start_index == other.start_index
    }

    /// Whether what lies on disk of a broadcast that doesn't run is as good for the other.
    pub(super) fn is_kept_alike(&self, other: &Self) -> bool {
        let is_for_good = |settings: &Self| settings.serve_mode() == ServeMode::Hybrid;
        if is_for_good(self) && is_for_good(other) {
            return self.playlist_id == other.playlist_id && self.format == other.format;
        }
        self.is_fetched_alike(other)
    }

    /// What the order is drawn from, where it is drawn.
    pub(super) fn seed(&self) -> Option<u64> {
        self.shuffle_seed.filter(|_| self.shuffle_playlist)
    }

    /// How long one item may be; `None` for any length.
    pub(super) fn longest_item(&self) -> Option<Duration> {
        let minutes = u64::from(self.max_item_minutes);
        (minutes > 0).then(|| Duration::from_secs(60 * minutes))
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
mod tests;
