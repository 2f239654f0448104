//! Formats of a video: what is said of them, and their bytes.

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::media::Payload;

/// `lastModified` of formats made up, in microseconds.
const MODIFIED: u64 = 1_689_864_462_380_829;
/// Bytes of a format whose length isn't said.
const UNSAID_LENGTH: u64 = 2_000_003;

/// One format.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    json: Value,
    content: Option<Payload>,
    elsewhere: Option<String>,
}

/// A format as a table has it.
struct Row(
    u64,
    &'static str,
    &'static str,
    Option<(u64, u64, u64)>,
    u64,
);

/// Formats of an ordinary video of 2026: itag, type, codecs, picture (width, height, frames), bytes.
const ROWS: &[Row] = &[
    Row(
        18,
        "video/mp4",
        "avc1.42001E, mp4a.40.2",
        Some((640, 360, 25)),
        2_000_003,
    ),
    Row(
        137,
        "video/mp4",
        "avc1.640028",
        Some((1920, 1080, 25)),
        12_345_678,
    ),
    Row(248, "video/webm", "vp9", Some((1920, 1080, 25)), 6_000_007),
    Row(
        136,
        "video/mp4",
        "avc1.4d401f",
        Some((1280, 720, 25)),
        3_000_001,
    ),
    Row(
        135,
        "video/mp4",
        "avc1.4d401e",
        Some((854, 480, 25)),
        1_400_003,
    ),
    Row(
        134,
        "video/mp4",
        "avc1.4d401e",
        Some((640, 360, 25)),
        800_011,
    ),
    Row(
        160,
        "video/mp4",
        "avc1.4d400c",
        Some((256, 144, 25)),
        300_007,
    ),
    Row(
        399,
        "video/mp4",
        "av01.0.08M.08",
        Some((1920, 1080, 25)),
        5_000_011,
    ),
    Row(140, "audio/mp4", "mp4a.40.2", None, 700_001),
    Row(251, "audio/webm", "opus", None, 650_003),
];

impl Track {
    /// A format of the table.
    ///
    /// # Panics
    /// The table doesn't have it.
    pub(crate) fn of(itag: u64, seconds: u64) -> Self {
        let row = ROWS.iter().find(|row| row.0 == itag);
        let Row(itag, container, codecs, picture, size) = row.expect("an itag of the table");
        let bitrate = size * 8 / seconds.max(1);
        let mut json = json!({
            "itag": itag,
            "mimeType": format!("{container}; codecs=\"{codecs}\""),
            "bitrate": bitrate + bitrate / 7,
            "averageBitrate": bitrate,
            "contentLength": size.to_string(),
            "lastModified": (MODIFIED + itag).to_string(),
            "approxDurationMs": (seconds * 1000 + 40).to_string(),
            "projectionType": "RECTANGULAR",
        });
        if let Some((width, height, fps)) = picture {
            json["width"] = json!(width);
            json["height"] = json!(height);
            json["fps"] = json!(fps);
            json["quality"] = json!(quality(*height));
            json["qualityLabel"] = json!(format!("{height}p"));
        }
        let has_sound = picture.is_none() || codecs.contains(',');
        if has_sound {
            json["audioQuality"] = json!("AUDIO_QUALITY_MEDIUM");
            json["audioSampleRate"] = json!("44100");
            json["audioChannels"] = json!(2);
        }
        if picture.is_none() {
            json["quality"] = json!("tiny");
        }
        let mut track = Self {
            json,
            content: None,
            elsewhere: None,
        };
        if track.is_muxed() {
            track.remove("contentLength");
        } else {
            track.json["initRange"] = json!({ "start": "0", "end": "741" });
            track.json["indexRange"] = json!({ "start": "742", "end": "881" });
        }
        track
    }

    /// A format as it was recorded; its address is replaced.
    pub(super) fn recorded(json: &Value) -> Self {
        Self {
            json: json.clone(),
            content: None,
            elsewhere: None,
        }
    }

    /// Sets a field.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.json[key] = value;
        self
    }

    /// Gives it another length.
    pub(crate) fn sized(self, bytes: u64) -> Self {
        self.with("contentLength", json!(bytes.to_string()))
    }

    /// Makes it one of several sound tracks: `en.4`, `English original`.
    pub(crate) fn spoken(self, id: &str, name: &str, is_default: bool) -> Self {
        let kind = match id.rsplit('.').next() {
            Some("4") => "original",
            Some("2") => "descriptive",
            _ => "dubbed",
        };
        let language = id.split('.').next().unwrap_or_default();
        self.with(
            "audioTrack",
            json!({ "id": id, "displayName": name, "audioIsDefault": is_default }),
        )
        .with("xtags", json!(format!("acont={kind}:lang={language}")))
    }

    /// Makes it the one with even loudness.
    pub(crate) fn drc(self) -> Self {
        self.with("isDrc", json!(true))
            .with("xtags", json!("drc=1"))
    }

    /// Gives it real content: a file whose index lies between `init_end` and `index_end`.
    pub(super) fn holding(mut self, content: Payload, init_end: u64, index_end: u64) -> Self {
        let ms: u64 = self.text("approxDurationMs").parse().expect("a duration");
        let bitrate = content.len() * 8000 / ms;
        let place = |start: u64, end: u64| json!({ "start": start.to_string(), "end": (end - 1).to_string() });
        self = self
            .sized(content.len())
            .with("bitrate", json!(bitrate))
            .with("averageBitrate", json!(bitrate))
            .with("initRange", place(0, init_end))
            .with("indexRange", place(init_end, index_end));
        self.content = Some(content);
        self
    }

    /// Gives it other content of the same length, whatever is said of it.
    pub(crate) fn holding_bytes(mut self, content: Bytes) -> Self {
        self.content = Some(Payload::Bytes(content));
        self
    }

    /// Names this address in place of one of the site's own.
    pub(crate) fn lying_at(mut self, address: &str) -> Self {
        self.elsewhere = Some(address.to_owned());
        self
    }

    /// The address that is named in place of one of the site's own.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        self.elsewhere.as_deref()
    }

    fn remove(&mut self, key: &str) {
        if let Some(fields) = self.json.as_object_mut() {
            fields.shift_remove(key);
        }
    }

    /// What is said of it, without an address.
    pub(super) fn json(&self) -> Value {
        let mut track = self.clone();
        for key in ["url", "signatureCipher", "cipher"] {
            track.remove(key);
        }
        track.json
    }

    /// Whether picture and sound are in one file.
    pub(super) fn is_muxed(&self) -> bool {
        self.json["mimeType"]
            .as_str()
            .is_some_and(|text| text.contains(','))
    }

    pub(super) fn itag(&self) -> u64 {
        self.json["itag"].as_u64().expect("an itag")
    }

    pub(super) fn modified(&self) -> u64 {
        self.text("lastModified").parse().unwrap_or(MODIFIED)
    }

    pub(super) fn mime(&self) -> String {
        let text = self.text("mimeType");
        text.split(';').next().unwrap_or_default().to_owned()
    }

    /// `xtags` of its address; the recordings have it in base64 in the format and plain in the address.
    pub(super) fn xtags(&self) -> Option<String> {
        let address = self.text("url");
        let of_address = address
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("xtags="))
            .map(|value| value.replace("%3D", "=").replace("%3A", ":"));
        let of_format = self.json["xtags"].as_str().map(str::to_owned);
        of_address.or(of_format)
    }

    /// Seconds with milliseconds, as the address says them.
    pub(super) fn duration(&self) -> String {
        let ms: u64 = self.text("approxDurationMs").parse().unwrap_or_default();
        format!("{}.{:03}", ms / 1000, ms % 1000)
    }

    fn text(&self, key: &str) -> String {
        self.json[key].as_str().unwrap_or_default().to_owned()
    }

    /// SHA-256 of its bytes as a format of this video, in hex.
    pub(crate) fn sha256(&self, id: &str) -> String {
        self.content(id).sha256()
    }

    /// Its bytes as a format of this video.
    pub(crate) fn whole(&self, id: &str) -> Bytes {
        self.content(id).whole()
    }

    /// Its bytes: the same for every client and every time.
    pub(crate) fn content(&self, id: &str) -> Payload {
        if let Some(content) = &self.content {
            return content.clone();
        }
        let name = format!(
            "{id}/{}/{:?}/{}",
            self.itag(),
            self.xtags(),
            self.modified()
        );
        let digest = Sha256::digest(name);
        Payload::Random {
            seed: u64::from_le_bytes(*digest.first_chunk().expect("32 bytes")),
            length: self.text("contentLength").parse().unwrap_or(UNSAID_LENGTH),
        }
    }
}

fn quality(height: u64) -> &'static str {
    match height {
        1080 => "hd1080",
        720 => "hd720",
        480 => "large",
        360 => "medium",
        240 => "small",
        _ => "tiny",
    }
}
