//! API keys: those of `API_KEY`, and those of a file that is read again when it changes.
//!
//! Of a key only its SHA-256 is kept: keys are long and random, so that a fast hash is enough.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::Clock;
use crate::config::{FileStamp, open_regular};

/// Largest file in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Most keys: each request is compared with all of them.
const MAX_KEYS: usize = 1000;
/// Longest id of a key; it names a bucket of the limiter.
const MAX_ID: usize = 64;
/// Templates of the routes that a key may be for: those that resolve, and those that deliver.
pub const KEYED_ROUTES: [&str; 6] = [
    "/resolve",
    "/tiktok",
    "/playlist",
    "/stream",
    "/download",
    "/download-slideshow",
];
/// How long an answer is good before the file is looked at again.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// SHA-256 of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Of a key as it is shown.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Compares in a time that tells nothing of where they differ.
    fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    /// Whether both are of the same key.
    pub fn matches(&self, other: &Self) -> bool {
        self.is(other).into()
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// One key, without itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name, for limits and the log.
    pub id: Arc<str>,
    /// Its own limit in place of the general one; 0 for none.
    pub limit_per_minute: Option<u32>,
    digest: KeyDigest,
    /// Templates of the routes that it opens; `None` for all.
    routes: Option<Vec<String>>,
    /// Unix second from which it doesn't count.
    expires_at: Option<u64>,
}

impl Key {
    /// Whether it is for a route.
    pub fn opens(&self, route: &str) -> bool {
        let routes = self.routes.as_ref();
        routes.is_none_or(|routes| routes.iter().any(|open| open == route))
    }
}

/// Why a key doesn't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// There is none.
    Missing,
    /// It is none of ours.
    Unknown,
    /// It was one of ours.
    Expired,
}

/// Which keys there are.
#[derive(Debug, Clone, Default)]
pub struct KeysConfig {
    /// `API_KEY`.
    pub plain: Vec<Key>,
    /// `API_KEYS_FILE`, and what it held at the start.
    pub file: Option<KeyFile>,
}

/// A file of keys, as it was at the start.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    stamp: Option<FileStamp>,
    keys: Vec<Key>,
}

impl KeyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn open(path: PathBuf) -> Result<Self, String> {
        // The stamp is that of before the reading: a change meanwhile is seen the next time.
        let stamp = FileStamp::of(&path);
        let keys = read(&path)?;
        Ok(Self { path, stamp, keys })
    }

    /// The keys that it held.
    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// The keys that count now.
#[derive(Debug)]
pub struct Keys {
    plain: Vec<Key>,
    file: Option<Watched>,
    clock: Clock,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    keys: ArcSwap<Vec<Key>>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    checked_at: Instant,
    stamp: Option<FileStamp>,
}

impl Keys {
    /// With the keys of the start.
    pub fn new(config: KeysConfig, clock: Clock) -> Self {
        let file = config.file.map(|file| Watched {
            path: file.path,
            keys: ArcSwap::from_pointee(file.keys),
            seen: Mutex::new(Seen {
                checked_at: Instant::now(),
                stamp: file.stamp,
            }),
        });
        Self {
            plain: config.plain,
            file,
            clock,
        }
    }

    /// Whether any key is wanted at all. A file without keys wants one that nobody has.
    pub fn are_configured(&self) -> bool {
        !self.plain.is_empty() || self.file.is_some()
    }

    /// The key that was shown.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn find(&self, shown: Option<&[u8]>) -> Result<Key, KeyFault> {
        let shown = KeyDigest::of(shown.ok_or(KeyFault::Missing)?);
        let of_file = self.file.as_ref().map(|file| {
            file.renew(&self.plain, Instant::now());
            file.keys.load()
        });
        let of_file = of_file.iter().flat_map(|keys| keys.iter());
        let key = one_of(self.plain.iter().chain(of_file), &shown).ok_or(KeyFault::Unknown)?;
        let now = self.clock.unix_seconds();
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(KeyFault::Expired);
        }
        Ok(key.clone())
    }
}

/// The key with this digest. All are looked at, so that the time tells nothing of which it is.
fn one_of<'a>(keys: impl Iterator<Item = &'a Key> + Clone, shown: &KeyDigest) -> Option<&'a Key> {
    let mut found = 0_u64;
    for (place, key) in (1_u64..).zip(keys.clone()) {
        found.conditional_assign(&place, key.digest.is(shown));
    }
    let place = usize::try_from(found).ok()?.checked_sub(1)?;
    let mut keys = keys;
    keys.nth(place)
}

impl Watched {
    /// Looks at the file, once a second at most, and takes over what it holds now. A file that can't be used leaves the
    /// keys in force and is logged once.
    ///
    /// It is read in place, not on a thread of its own: it is small, local and rarely looked at.
    fn renew(&self, plain: &[Key], now: Instant) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(seen.checked_at) < CHECK_INTERVAL {
            return;
        }
        seen.checked_at = now;
        let stamp = FileStamp::of(&self.path);
        if stamp == seen.stamp {
            return;
        }
        seen.stamp = stamp;
        let path = self.path.display();
        let keys = read(&self.path).and_then(|keys| {
            check_unique(plain.iter().chain(&keys))?;
            Ok(keys)
        });
        match keys {
            Ok(keys) => {
                tracing::info!(%path, keys = keys.len(), "API keys renewed");
                self.keys.store(Arc::new(keys));
            }
            Err(reason) => {
                tracing::warn!(%path, reason, "API keys not renewed: those from before stay in force");
            }
        }
    }
}

/// One entry of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    sha256: String,
    limit_per_minute: Option<u32>,
    routes: Option<Vec<String>>,
    expires: Option<Moment>,
}

/// A Unix second, or RFC 3339.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Second(u64),
    Text(String),
}

impl Moment {
    fn unix_second(&self) -> Option<u64> {
        match self {
            Self::Second(second) => Some(*second),
            Self::Text(text) => {
                let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
                Some(u64::try_from(moment.unix_timestamp()).unwrap_or(0))
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<Key>, String> {
    let mut content = Vec::new();
    let file = open_regular(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(|error| error.to_string())?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err("larger than 1 MiB".to_owned());
    }
    parse(&content)
}

fn parse(content: &[u8]) -> Result<Vec<Key>, String> {
    // The reader names positions and fields, and of values only those of a wrong type.
    let entries: Vec<Entry> = serde_json::from_slice(content)
        .map_err(|error| format!("not a JSON list of keys: {error}"))?;
    if entries.len() > MAX_KEYS {
        return Err(format!("more than {MAX_KEYS} keys"));
    }
    let numbered = (1..).zip(entries);
    let keys = numbered
        .map(|(number, entry)| key(entry).map_err(|fault| format!("key number {number}: {fault}")));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    check_unique(keys.iter())?;
    Ok(keys)
}

fn key(entry: Entry) -> Result<Key, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if !(1..=MAX_ID).contains(&entry.id.len()) || !entry.id.bytes().all(is_plain) {
        return Err("`id` must be 1 to 64 letters, digits or any of `-_.@`".to_owned());
    }
    let digest = KeyDigest::from_hex(&entry.sha256)
        .ok_or("`sha256` must be 64 hexadecimal digits, the SHA-256 of the key")?;
    let mut routes = entry.routes.iter().flatten();
    if let Some(route) = routes.find(|route| !KEYED_ROUTES.contains(&route.as_str())) {
        let known = KEYED_ROUTES.join(", ");
        return Err(format!(
            "`routes`: {route:?} asks for no key; those that do are {known}"
        ));
    }
    let expires_at =
        match &entry.expires {
            Some(moment) => Some(moment.unix_second().ok_or(
                "`expires` must be a Unix second or a time such as `2030-01-31T12:00:00Z`",
            )?),
            None => None,
        };
    Ok(Key {
        id: entry.id.into(),
        limit_per_minute: entry.limit_per_minute,
        digest,
        routes: entry.routes,
        expires_at,
    })
}

/// A key of `API_KEY`: for every route, without end. Its id is its place.
pub(super) fn plain(place: usize, key: &str) -> Key {
    Key {
        id: format!("API_KEY-{place}").into(),
        limit_per_minute: None,
        digest: KeyDigest::of(key.as_bytes()),
        routes: None,
        expires_at: None,
    }
}

/// Whether ids and keys are there once each.
pub(super) fn check_unique<'a>(keys: impl Iterator<Item = &'a Key> + Clone) -> Result<(), String> {
    let mut ids = std::collections::BTreeSet::new();
    let mut digests = std::collections::BTreeMap::new();
    for key in keys {
        if !ids.insert(&*key.id) {
            return Err(format!("the id `{}` is there twice", key.id));
        }
        if let Some(other) = digests.insert(key.digest.0, &key.id) {
            return Err(format!("`{other}` and `{}` are the same key", key.id));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
