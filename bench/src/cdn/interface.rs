//! YouTube's interface: a visitor id, and the answers about one video, under any id that is asked for.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::dash::Dash;
use super::page::{gzip, replaced};
use crate::Result;

/// Recorded answers in the folder that `--players` names: of VISIONOS with its formats, and of WEB with the facts.
const RECORDED: [&str; 2] = [
    "visionos_ok_chapters.json.gz",
    "web_microformat_chapters.json",
];
/// Id of the video made up, as long as every one.
const MADE_UP: &str = "bench000000";
/// Its formats: itag, media type, height, bytes.
const FORMATS: [(u32, &str, u32, u64); 8] = [
    (137, "video/mp4; codecs=\"avc1.640028\"", 1080, 60_000_000),
    (248, "video/webm; codecs=\"vp9\"", 1080, 40_000_000),
    (399, "video/mp4; codecs=\"av01.0.08M.08\"", 1080, 30_000_000),
    (136, "video/mp4; codecs=\"avc1.4d401f\"", 720, 30_000_000),
    (135, "video/mp4; codecs=\"avc1.4d401e\"", 480, 15_000_000),
    (160, "video/mp4; codecs=\"avc1.4d400c\"", 144, 3_000_000),
    (140, "audio/mp4; codecs=\"mp4a.40.2\"", 0, 5_000_000),
    (251, "audio/webm; codecs=\"opus\"", 0, 5_000_000),
];

/// Address of one of many videos.
pub(crate) fn video(number: usize) -> String {
    format!("https://www.youtube.com/watch?v=bench{number:06}")
}

/// The answers, as text.
pub(super) struct Interface {
    id: String,
    formats: Vec<u8>,
    facts: Vec<u8>,
    /// The video of two tracks.
    pub(super) dash: Dash,
}

impl Interface {
    /// The recorded answers in `folder`, else made-up ones; `of_run` is where tracks lie.
    pub(super) fn new(folder: Option<&Path>, of_run: &Path) -> Result<Self> {
        let [formats, facts] = match folder {
            Some(folder) => [
                body(&folder.join(RECORDED[0]))?,
                body(&folder.join(RECORDED[1]))?,
            ],
            None => [made_up(), json!({ "videoDetails": { "videoId": MADE_UP } })],
        };
        let id = formats["videoDetails"]["videoId"]
            .as_str()
            .ok_or("a player without an id")?;
        Ok(Self {
            id: id.to_owned(),
            formats: serde_json::to_vec(&formats)?,
            facts: serde_json::to_vec(&facts)?,
            dash: Dash::new(of_run),
        })
    }

    /// The answer to a request for `target`, gzipped; `None` for what this interface hasn't got.
    pub(super) fn answer(&self, target: &str, body: &[u8]) -> Option<Vec<u8>> {
        let path = target.strip_prefix("/youtubei/v1/")?;
        if path.starts_with("visitor_id") {
            let visitor =
                json!({ "responseContext": { "visitorData": "CgtiZW5jaG1hcmtlcg%3D%3D" } });
            return gzip(visitor.to_string().as_bytes()).ok();
        }
        let asked: Value = serde_json::from_slice(body).ok()?;
        let id = asked["videoId"].as_str()?;
        let client = asked["context"]["client"]["clientName"].as_str()?;
        if client == "VISIONOS"
            && let Some(player) = self.dash.player(id)
        {
            return gzip(player.to_string().as_bytes()).ok();
        }
        let answer = match client {
            "VISIONOS" => &self.formats,
            _ => &self.facts,
        };
        let is_id = id.len() == self.id.len();
        is_id
            .then(|| gzip(&replaced(answer, &self.id, id)).ok())
            .flatten()
    }
}

/// The body of a recorded answer.
fn body(file: &Path) -> Result<Value> {
    let mut bytes = std::fs::read(file)?;
    if file.extension().is_some_and(|extension| extension == "gz") {
        let mut plain = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain)?;
        bytes = plain;
    }
    let mut exchange: Value = serde_json::from_slice(&bytes)?;
    Ok(exchange["response"]["json"].take())
}

fn made_up() -> Value {
    let formats = FORMATS.map(|(itag, kind, height, bytes)| {
        json!({
            "itag": itag, "mimeType": kind, "contentLength": bytes.to_string(), "bitrate": 1_000_000,
            "width": height * 16 / 9, "height": height, "lastModified": "1754000000000000",
            "approxDurationMs": "600000",
            "url": format!("https://rr1---sn-bench.googlevideo.com/videoplayback?itag={itag}&clen={bytes}"),
        })
    });
    json!({
        "playabilityStatus": { "status": "OK" },
        "videoDetails": { "videoId": MADE_UP, "title": "bench", "lengthSeconds": "600" },
        "streamingData": { "adaptiveFormats": formats },
    })
}
