//! The rules of the fields. Pure.

use std::time::Duration;

use super::{FieldFault, ServeMode, Settings, StreamSource};
use crate::broadcast::publisher::Target;
use crate::broadcast::schedule::Plan;
use crate::config::Secret;
use crate::extract::selector::Selector;

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
/// Characters of the name of an account or an egress.
const MAX_NAME: usize = 64;
/// Items that are fetched before a time on air.
const MAX_PREFETCH: u32 = 100;
/// Minutes of one item, at most: a week.
const MAX_ITEM_MINUTES: u32 = 7 * 24 * 60;
/// The same, for whatever bounds the work on one item.
pub(in crate::broadcast) const LONGEST_ITEM: Duration =
    Duration::from_secs(60 * MAX_ITEM_MINUTES as u64);

impl Settings {
    pub(super) fn check_texts(&mut self, faults: &mut Vec<FieldFault>) {
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

    pub(super) fn check_source(&mut self, has_mode: bool, faults: &mut Vec<FieldFault>) {
        let is_files = self.stream_source == StreamSource::MediaFiles;
        if is_files {
            self.check_files(faults);
        } else if !self.media_files.is_empty() {
            faults.push(FieldFault::new(
                "media_files",
                "only with `stream_source` `media_files`",
            ));
        }
        if is_files && self.account.is_some() {
            faults.push(FieldFault::new("account", "only with a playlist"));
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

    pub(super) fn check_files(&self, faults: &mut Vec<FieldFault>) {
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

    pub(super) fn check_numbers(&self, faults: &mut Vec<FieldFault>) {
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

    /// Names that the operator gives.
    pub(super) fn check_names(&self, faults: &mut Vec<FieldFault>) {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        for (field, name) in [("account", &self.account), ("proxy", &self.proxy)] {
            let is_name = name.as_ref().is_none_or(|name| {
                (1..=MAX_NAME).contains(&name.len())
                    && name.bytes().all(is_plain)
                    && !name.starts_with('.')
            });
            if !is_name {
                let message = format!(
                    "must be 1 to {MAX_NAME} of A-Z, a-z, 0-9, `.`, `_` and `-`, not beginning with `.`"
                );
                faults.push(FieldFault::new(field, message));
            }
        }
    }

    pub(super) fn check_schedule(&self, faults: &mut Vec<FieldFault>) {
        let Some(schedule) = &self.schedule else {
            return;
        };
        faults.extend(Plan::new(schedule).err());
        let Some(prefetch) = &schedule.prefetch else {
            return;
        };
        faults.extend(Plan::early(schedule).err());
        if !(1..=MAX_PREFETCH).contains(&prefetch.items) {
            let message = format!("`prefetch` must be of 1 to {MAX_PREFETCH} `items`");
            faults.push(FieldFault::new("schedule", message));
        }
        let is_played_from_disk = self.stream_source != StreamSource::MediaFiles
            && self.serve_mode() != ServeMode::Direct;
        if !is_played_from_disk {
            let message =
                "can have `prefetch` only with a playlist served by `download` or `hybrid`";
            faults.push(FieldFault::new("schedule", message));
        }
    }

    pub(super) fn take_key(
        &mut self,
        key: Option<&str>,
        faults: &mut Vec<FieldFault>,
    ) -> Option<Secret> {
        let Some(text) = self.target_url.as_deref() else {
            return key.map(|key| Secret::new(key.to_owned()));
        };
        match Target::parse(text, key) {
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
