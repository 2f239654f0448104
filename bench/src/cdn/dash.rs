//! A video whose picture and sound are apart, as YouTube's CDN has them: fragmented MP4 with one index each.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

/// The folder below that of the run.
const FOLDER: &str = "tracks";
/// Id of the video.
const ID: &str = "benchjoined";
/// Where the tracks lie on the CDN.
const PATH: &str = "/videoplayback?";

/// A track of the video.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Track {
    /// Its format id.
    pub(crate) itag: u32,
    /// Its file in [`folder`].
    pub(crate) file: &'static str,
    media_type: &'static str,
    height: u32,
}

/// Picture and sound.
pub(crate) const TRACKS: [Track; 2] = [
    Track {
        itag: 136,
        file: "picture.mp4",
        media_type: "video/mp4; codecs=\"avc1.4d401f\"",
        height: 720,
    },
    Track {
        itag: 140,
        file: "sound.mp4",
        media_type: "audio/mp4; codecs=\"mp4a.40.2\"",
        height: 0,
    },
];

impl Track {
    /// Its path and query.
    pub(crate) fn path(self) -> String {
        format!("{PATH}itag={}&mime=video%2Fmp4", self.itag)
    }
}

/// Where the files of the tracks lie.
pub(crate) fn folder(of_run: &Path) -> PathBuf {
    of_run.join(FOLDER)
}

/// Address of the video.
pub(crate) fn video() -> String {
    format!("https://www.youtube.com/watch?v={ID}")
}

/// The tracks in memory, read when they are first asked for.
pub(super) struct Dash {
    folder: PathBuf,
    files: OnceLock<Option<[Arc<[u8]>; 2]>>,
}

impl Dash {
    pub(super) fn new(of_run: &Path) -> Self {
        Self {
            folder: folder(of_run),
            files: OnceLock::new(),
        }
    }

    fn files(&self) -> Option<&[Arc<[u8]>; 2]> {
        let read = |track: Track| std::fs::read(self.folder.join(track.file)).ok();
        let files = self.files.get_or_init(|| {
            let [picture, sound] = TRACKS.map(read);
            Some([picture?.into(), sound?.into()])
        });
        files.as_ref()
    }

    /// The track at a path.
    pub(super) fn file(&self, path: &str) -> Option<Arc<[u8]>> {
        let itag = path.strip_prefix(PATH)?.strip_prefix("itag=")?;
        let itag = itag.split('&').next()?.parse::<u32>().ok()?;
        let place = TRACKS.iter().position(|track| track.itag == itag)?;
        Some(Arc::clone(&self.files()?[place]))
    }

    /// What the interface says of the video, if that is asked for.
    pub(super) fn player(&self, id: &str) -> Option<Value> {
        let files = self.files().filter(|_| id == ID)?;
        let formats: Option<Vec<Value>> = TRACKS.iter().zip(files).map(format).collect();
        Some(json!({
            "playabilityStatus": { "status": "OK" },
            "videoDetails": { "videoId": ID, "title": "bench", "lengthSeconds": "600" },
            "streamingData": { "adaptiveFormats": formats? },
        }))
    }
}

fn format((track, file): (&Track, &Arc<[u8]>)) -> Option<Value> {
    let index = index(file)?;
    let place = |range: Range<usize>| json!({ "start": range.start.to_string(), "end": (range.end - 1).to_string() });
    let mut format = json!({
        "itag": track.itag, "mimeType": track.media_type, "contentLength": file.len().to_string(),
        "bitrate": 1_000_000, "lastModified": "1754000000000000", "approxDurationMs": "600000",
        "initRange": place(0..index.start), "indexRange": place(index),
        "url": format!("https://rr1---sn-bench.googlevideo.com{}", track.path()),
    });
    if track.height > 0 {
        format["width"] = json!(track.height * 16 / 9);
        format["height"] = json!(track.height);
    }
    Some(format)
}

/// The first `sidx` at the top of a file (ISO/IEC 14496-12 §4.2).
fn index(file: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        let header = file.get(at..at + 8)?;
        let (size, kind) = header.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
        if kind == b"sidx" {
            return Some(at..at + size);
        }
        at += size.max(8);
    }
}
