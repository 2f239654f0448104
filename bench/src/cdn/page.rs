//! Pages: the recorded one under any id, and small ones whose post has one file of a size of our choice.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::photo;
use crate::Result;

/// Host of the media.
const BENCH_HOST: &str = "v16-webapp-prime.tiktok.com";
/// Id of the post on the recorded page.
const RECORDED_ID: &str = "7524919459643919624";
/// First digit of the ids of posts that are made up.
const MADE_UP: char = '9';
/// First digit of the ids of posts whose pages come late.
const SLOW: &str = "/@bench/video/6";
/// How late.
pub(crate) const LATE: Duration = Duration::from_millis(200);
/// Bytes of the page that stands in for the recorded one; about its size.
const STAND_IN_BYTES: usize = 506_000;

/// Its file.
const STAND_IN_FILE: File = File {
    scheme: Scheme::Https,
    size: 5_000_000,
    rate: 0,
    flaw: None,
};

/// How a media address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// In the clear.
    Http,
    /// By TLS.
    Https,
}

impl Scheme {
    /// Its name in addresses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The connection ends in the middle when the file is asked for from its beginning.
    Cut,
    /// The CDN is too busy, always.
    Refused,
}

impl Flaw {
    /// Both.
    const ALL: [Self; 2] = [Self::Cut, Self::Refused];

    /// The digit of a flaw, 0 for none.
    fn digit(flaw: Option<Self>) -> usize {
        let place = Self::ALL.iter().position(|other| Some(*other) == flaw);
        place.map_or(0, |place| place + 1)
    }

    fn of_digit(digit: usize) -> Option<Self> {
        Self::ALL.get(digit.checked_sub(1)?).copied()
    }
}

/// A file of the CDN.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    /// How it is reached.
    pub(crate) scheme: Scheme,
    /// Its bytes; up to 11 digits.
    pub(crate) size: u64,
    /// Bytes per second at which the CDN sends it, up to 6 digits; 0: as fast as possible.
    pub(crate) rate: u64,
    /// What is wrong with it.
    pub(crate) flaw: Option<Flaw>,
}

impl File {
    /// Its path on the CDN.
    pub(crate) fn path(self) -> String {
        let flaw = Flaw::digit(self.flaw);
        format!("/video/{}/{}/{flaw}/", self.size, self.rate)
    }

    /// The file that [`File::path`] names; the scheme is the one that it was asked for by.
    pub(super) fn at(path: &str, scheme: Scheme) -> Option<Self> {
        let mut parts = path.strip_prefix("/video/")?.split('/');
        Some(Self {
            scheme,
            size: parts.next()?.parse().ok()?,
            rate: parts.next()?.parse().ok()?,
            flaw: Flaw::of_digit(parts.next()?.parse().ok()?),
        })
    }

    /// Address of the post that has this one file.
    pub(crate) fn post(self) -> String {
        let digit = usize::from(self.scheme == Scheme::Https) + 2 * Flaw::digit(self.flaw);
        let (rate, size) = (self.rate, self.size);
        format!("https://www.tiktok.com/@bench/video/{MADE_UP}{digit}{rate:06}{size:011}")
    }

    /// The file of the post with this id, if it is one of those.
    fn of_post(id: &str) -> Option<Self> {
        let (digit, rest) = id.strip_prefix(MADE_UP)?.split_at_checked(1)?;
        let (rate, size) = rest.split_at_checked(6)?;
        let digit: usize = digit.parse().ok()?;
        Some(Self {
            scheme: [Scheme::Http, Scheme::Https][digit % 2],
            size: size.parse().ok()?,
            rate: rate.parse().ok()?,
            flaw: Flaw::of_digit(digit / 2),
        })
    }
}

/// Address of one of many posts on the recorded page.
pub(crate) fn recorded_post(number: usize) -> String {
    format!("https://www.tiktok.com/@bench/video/7{number:018}")
}

/// Address of one of many posts whose pages come late.
pub(crate) fn slow_post(number: usize) -> String {
    format!("https://www.tiktok.com{SLOW}{number:018}")
}

/// How late the page at `path` comes.
pub(super) fn delay(path: &str) -> Duration {
    if path.starts_with(SLOW) {
        LATE
    } else {
        Duration::ZERO
    }
}

/// The pages of the site, compressed once each.
pub(super) struct Pages {
    recording: Vec<u8>,
    folder: PathBuf,
    ready: Mutex<HashMap<String, Arc<[u8]>>>,
}

impl Pages {
    pub(super) fn new(recording: Option<&Path>, folder: &Path) -> Result<Self> {
        let recording = match recording {
            Some(file) => std::fs::read(file)?,
            None => stand_in(),
        };
        Ok(Self {
            recording,
            folder: folder.to_owned(),
            ready: Mutex::default(),
        })
    }

    /// The page at `path`, gzipped; `None` when there is none.
    pub(super) fn get(&self, path: &str) -> Option<Arc<[u8]>> {
        let path = path.split('?').next()?;
        let (_, id) = path.strip_prefix("/@")?.split_once("/video/")?;
        if id.len() != RECORDED_ID.len() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = ready.get(id) {
            return Some(Arc::clone(page));
        }
        let page: Arc<[u8]> = gzip(&self.write(id)).ok()?.into();
        ready.insert(id.to_owned(), Arc::clone(&page));
        Some(page)
    }

    /// The folder of this run.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&self, id: &str) -> Vec<u8> {
        if let Some(post) = photo::of_post(id) {
            return page_of(&photo::item(id, post), "").into_bytes();
        }
        if delay(&format!("/@bench/video/{id}")) > Duration::ZERO {
            return page_of(&item(id, STAND_IN_FILE), "").into_bytes();
        }
        match File::of_post(id) {
            Some(file) => page_of(&item(id, file), "").into_bytes(),
            None => replaced(&self.recording, RECORDED_ID, id),
        }
    }
}

/// Compresses a page as sites do.
pub(super) fn gzip(page: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page)?;
    Ok(encoder.finish()?)
}

/// A page with another id of the same length.
pub(super) fn replaced(page: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut page = page.to_vec();
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&page[from..], old.as_bytes()) {
        let start = from + at;
        from = start + old.len();
        page[start..from].copy_from_slice(new.as_bytes());
    }
    page
}

/// A post with one file.
fn item(id: &str, file: File) -> serde_json::Value {
    let (scheme, path) = (file.scheme.as_str(), file.path());
    let address = format!("{scheme}://{BENCH_HOST}{path}?mime_type=video_mp4");
    json!({
        "id": id,
        "desc": "bench",
        "createTime": "1754000000",
        "author": { "id": "1", "uniqueId": "bench", "nickname": "bench" },
        "video": {
            "width": 576, "height": 1024, "duration": 60, "codecType": "h264",
            "playAddr": address,
            "bitrateInfo": [{
                "GearName": "normal_540_0", "CodecType": "h264", "Bitrate": 900_000,
                "PlayAddr": {
                    "DataSize": file.size.to_string(), "Width": 576, "Height": 1024,
                    "UrlKey": "v0_h264_540p_900000", "UrlList": [address],
                },
            }],
        },
    })
}

fn page_of(item: &serde_json::Value, filler: &str) -> String {
    let data = json!({ "__DEFAULT_SCOPE__": {
        "webapp.i18n-translation": filler,
        "webapp.video-detail": { "statusCode": 0, "itemInfo": { "itemStruct": item } },
    }});
    format!(
        "<!DOCTYPE html><html><body><script id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\" \
         type=\"application/json\">{data}</script></body></html>"
    )
}

/// A page of the recorded one's size for machines without recordings: text of letters and escapes around one post.
fn stand_in() -> Vec<u8> {
    let words = [
        "play",
        "na\u{ef}ve \u{e9}t\u{e9}",
        "\"quoted\"",
        "https:\\/\\/a.example\\/x",
        "1754000000",
    ];
    let mut filler = String::with_capacity(STAND_IN_BYTES);
    let mut state = 1_usize;
    while filler.len() < STAND_IN_BYTES {
        // Any sequence that doesn't repeat soon; the constants are those of Numerical Recipes.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % (1 << 32);
        filler.push_str(words[(state >> 16) % words.len()]);
        filler.push_str(&state.to_string());
    }
    page_of(&item(RECORDED_ID, STAND_IN_FILE), &filler).into_bytes()
}
