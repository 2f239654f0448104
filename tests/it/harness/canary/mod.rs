//! Secrets of a test, and every place in which one may turn up: printed, answered, written, told to a child.

mod children;
mod forms;
mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(super) use children::Overheard;
use forms::Forms;
use links::Links;
use serde_json::{Map, Value, json};

use super::upstream::tiktok;
use super::upstream::youtube::{self, TokenProvider};

/// Variables whose values are secret, themselves or in the file that their twin `…_FILE` names.
const VARIABLES: &[&str] = &[
    "API_KEY",
    "BROADCAST_API_TOKEN",
    "ENCRYPTION_KEY",
    "ENCRYPTION_KEY_PREVIOUS",
    "GLUETUN_API_KEY",
    "GLUETUN_PASSWORD",
    "METRICS_TOKEN",
    "YOUTUBE_PO_TOKENS",
    "YOUTUBE_VISITOR_DATA",
];
/// Variables that hold addresses, of which the passwords are secret, with twins of the same kind.
const ADDRESSES: &[&str] = &["EGRESS", "PROXY", "REDIS_URL"];
/// Files that are secret altogether: a private key, hashes of keys.
const FILES: &[&str] = &["API_KEYS_FILE", "TLS_KEY_FILE"];
/// Variables that name a file of cookies, or a folder of such files.
const COOKIES: &[&str] = &[
    "BROADCAST_COOKIES_DIR",
    "COOKIES_PATH",
    "DOUYIN_COOKIES_PATH",
    "YOUTUBE_COOKIES_PATH",
];
/// Part of stream keys.
const STREAM_KEY: &str = "canary-key-5d0c1f";
/// What the simulated sites sign addresses with, and what they and the provider of tokens give to whoever comes.
const OF_SITES: [&[&str]; 3] = [
    &tiktok::SIGNATURES,
    &youtube::SIGNATURES,
    &[tiktok::COOKIE, youtube::VISITOR, TokenProvider::TOKEN],
];
/// Routes whose answers name what TikTok has signed for clients, who ask the site for it themselves, and the fields in
/// which they do. Everything else there is named by links of our own.
const RESOLVING: [&str; 2] = ["/tiktok", "/resolve"];
const SIGNED: [&str; 6] = [
    "audio",
    "avatar",
    "avatarLarger",
    "avatarMedium",
    "avatarThumb",
    "cover",
];
/// The same where the field is called `url`.
const SIGNED_URLS: [&str; 2] = ["music", "photos"];
/// Shorter ones may be anywhere.
const SHORTEST: usize = 7;
/// Files of more bytes are media that are being made.
const MEDIA: u64 = 16 << 20;

/// Secrets of the servers that run in this process now.
static LIVE: Mutex<Vec<Weak<Canaries>>> = Mutex::new(Vec::new());

/// What must get out nowhere, in all its forms.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    secrets: Forms,
    /// Links that were answered.
    links: Links,
    /// Those that can't be looked for.
    too_short: Vec<String>,
    /// Files that the test has written itself.
    given: BTreeSet<PathBuf>,
}

impl Canaries {
    /// The secrets among these variables and files of a server in `folder`, those that the test names, and those of the
    /// sites.
    pub(super) fn of(
        folder: &Path,
        variables: &BTreeMap<String, String>,
        given: BTreeSet<PathBuf>,
        named: Vec<String>,
    ) -> Self {
        let mut all: BTreeSet<String> = named.into_iter().collect();
        let is_jar = |file: &&PathBuf| file.components().any(|part| part.as_os_str() == "cookies");
        all.extend(given.iter().filter(is_jar).flat_map(|file| cookies(file)));
        for (name, value) in variables {
            let path = folder.join(value);
            let content = || std::fs::read_to_string(&path).unwrap_or_default();
            if COOKIES.contains(&name.as_str()) {
                let within = std::fs::read_dir(&path).into_iter().flatten().flatten();
                let within = within.map(|entry| entry.path());
                let jars = within.chain([path.clone()]);
                all.extend(jars.flat_map(|file| cookies(&file)));
            }
            match name.strip_suffix("_FILE") {
                Some(_) if FILES.contains(&name.as_str()) => all.extend(long_words(&content())),
                Some(twin) => all.extend(secrets_of(twin, &content())),
                None => all.extend(secrets_of(name, value)),
            }
        }
        let (long, short): (Vec<_>, Vec<_>) = all
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .partition(|secret| secret.len() >= SHORTEST);
        let always = OF_SITES.into_iter().flatten().copied();
        let always = always.chain([STREAM_KEY]);
        Self {
            secrets: Forms::of(long.iter().map(String::as_str).chain(always)),
            links: Links::default(),
            too_short: short,
            given,
        }
    }

    /// This one secret.
    pub(crate) fn of_secret(secret: &str) -> Self {
        Self {
            secrets: Forms::of([secret]),
            ..Self::default()
        }
    }

    /// Has answers of all servers looked through for these as long as they live ([`assert_no_secret_in`]).
    pub(super) fn watched(self) -> Arc<Self> {
        let canaries = Arc::new(self);
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|one| one.strong_count() > 0);
        live.push(Arc::downgrade(&canaries));
        canaries
    }

    /// Fails a test whose server runs with a secret that can't be told from other words.
    pub(super) fn assert_long_enough(&self) {
        let short = &self.too_short;
        assert!(short.is_empty(), "too short to be looked for: {short:?}");
    }

    /// The first one in a text, and where.
    pub(crate) fn found_in(&self, text: &str) -> Option<String> {
        self.secrets.found_in(text)
    }

    /// The same, sealed links among them, in what no client is answered: printed, written, told to a child.
    pub(super) fn found_inside(&self, text: &str) -> Option<String> {
        self.found_in(text).or_else(|| self.links.found_in(text))
    }

    /// A file below a folder in which one stands, and which one: the database, what was left.
    pub(super) fn found_below(&self, folder: &Path) -> Option<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).find_map(|path| {
            if path.is_dir() && !path.is_symlink() {
                return self.found_below(&path);
            }
            let facts = path.metadata();
            let is_text = facts.is_ok_and(|facts| facts.is_file() && facts.len() <= MEDIA);
            let is_own = self.given.contains(&path);
            let bytes = (is_text && !is_own).then(|| std::fs::read(&path).ok())??;
            let found = self.found_inside(&String::from_utf8_lossy(&bytes))?;
            Some(format!("{}: {found}", path.display()))
        })
    }
}

/// Fails the test when a secret of a server that runs stands in what one has answered, heads included. Links in it are
/// secrets from now on.
pub(crate) fn assert_no_secret_in(answer: &str) {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for canaries in live.iter().filter_map(Weak::upgrade) {
        if let Some(found) = canaries.found_in(answer) {
            panic!("answered by the server: {found}");
        }
        canaries.links.learn(answer);
    }
}

/// An answer of a route as it is looked through: without what TikTok has signed for clients. In a part of such an answer
/// nobody can tell what that is.
pub(super) fn looked_through(route: &str, body: &str, is_whole: bool) -> String {
    let resolves = RESOLVING.contains(&route);
    match serde_json::from_str(body) {
        Ok(Value::Object(mut facts)) if resolves => {
            take_signed(&mut facts);
            Value::Object(facts).to_string()
        }
        Err(_) if resolves && !is_whole => String::new(),
        _ => body.to_owned(),
    }
}

/// Takes away what a post names by addresses of the site's own.
fn take_signed(facts: &mut Map<String, Value>) {
    facts.retain(|name, value| !(value.is_string() && SIGNED.contains(&name.as_str())));
    for (name, value) in facts {
        let within: Vec<&mut Value> = match value {
            Value::Array(values) => values.iter_mut().collect(),
            value => vec![value],
        };
        for facts in within.into_iter().filter_map(Value::as_object_mut) {
            if SIGNED_URLS.contains(&name.as_str()) {
                facts.remove("url");
            }
            take_signed(facts);
        }
    }
}

/// What is secret in the value of a variable.
fn secrets_of(name: &str, value: &str) -> Vec<String> {
    let parts = value.split(',').map(|part| part.trim().to_owned());
    match name {
        // `<client>.player=<token>`.
        "YOUTUBE_PO_TOKENS" => parts
            .filter_map(|part| Some(part.split_once('=')?.1.to_owned()))
            .collect(),
        name if VARIABLES.contains(&name) => parts.collect(),
        _ => passwords(value),
    }
}

/// Passwords of addresses in a value.
fn passwords(value: &str) -> Vec<String> {
    let addresses = value.split(',').filter_map(|part| part.split_once("://"));
    let users = addresses.filter_map(|(_, rest)| rest.rsplit_once('@'));
    let passwords = users.filter_map(|(user, _)| user.split_once(':'));
    passwords.map(|(_, password)| password.to_owned()).collect()
}

/// The lines of a key in PEM, hashes in JSON.
fn long_words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || letter == '"');
    let words = words.filter(|word| word.len() >= 32);
    words.map(str::to_owned).collect()
}

/// Values of a cookie file, which may also be something that can't be read to an end.
fn cookies(file: &Path) -> Vec<String> {
    if !file.is_file() {
        return Vec::new();
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let values = text.lines().filter_map(|line| line.split('\t').nth(6));
    // Among them are words that sites set for anybody.
    let values = values.filter(|value| value.len() >= SHORTEST);
    values.map(str::to_owned).collect()
}

#[cfg(test)]
fn canaries(folder: &Path, variables: &[(&str, &str)], given: BTreeSet<PathBuf>) -> Canaries {
    let variables = variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Canaries::of(folder, &variables.collect(), given, Vec::new())
}

#[test]
fn secret_is_found_wherever_it_was_given_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    };
    let line = ".site.example\tTRUE\t/\tTRUE\t0\tsession\tvalue-of-a-cookie\n";
    let key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n";
    let another = tempfile::tempdir().expect("a folder");
    let jar = |name: &str, value: &str| {
        let line = line.replace("value-of-a-cookie", value);
        std::fs::write(another.path().join(name), line).expect("a file");
    };
    jar("jar.txt", "value-of-a-named-file");
    std::fs::create_dir(another.path().join("jars")).expect("a folder");
    jar("jars/quay", "value-of-an-account");
    let [named, folder_of_jars] = ["jar.txt", "jars"].map(|name| another.path().join(name));
    let given = BTreeSet::from([
        write("cookies/site.txt", line),
        write("token", "token-of-metrics\r\n"),
        write("way", "socks5h://user:word-of-a-file@127.0.0.1:1\n"),
        write("key.pem", key),
    ]);
    let canaries = canaries(
        folder.path(),
        &[
            ("PROXY", "http://user:word-of-a-proxy@127.0.0.1:1"),
            ("EGRESS_FILE", "way"),
            ("GLUETUN_PASSWORD", "hunter2"),
            ("COOKIES_PATH", &named.to_string_lossy()),
            ("BROADCAST_COOKIES_DIR", &folder_of_jars.to_string_lossy()),
            ("METRICS_TOKEN_FILE", "token"),
            ("TLS_KEY_FILE", "key.pem"),
            ("YOUTUBE_PO_TOKENS", "visionos.player=a-token=="),
        ],
        given,
    );
    canaries.assert_long_enough();
    assert_eq!(canaries.found_below(folder.path()), None);
    for secret in [
        "value-of-a-cookie",
        "value-of-a-named-file",
        "value-of-an-account",
        "word-of-a-proxy",
        "word-of-a-file",
        "hunter2",
        "token-of-metrics",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
        "a-token==",
        STREAM_KEY,
        tiktok::SIGNATURES[0],
        youtube::SIGNATURES[1],
        tiktok::COOKIE,
        youtube::VISITOR,
        TokenProvider::TOKEN,
    ] {
        let path = write("data/a.db", &format!("\0\u{ff}{secret}\0"));
        let found = canaries.found_below(folder.path()).expect("it is there");
        assert!(
            found.starts_with(&format!("{}: `{secret}`", path.display())),
            "{found}"
        );
    }
}

#[test]
fn every_setting_that_may_come_from_a_file_is_known_as_secret() {
    let settings = include_str!("../../../../.env.example");
    let names = settings.lines().filter_map(|line| line.split_once('='));
    let names: BTreeSet<&str> = names
        .map(|(name, _)| name.trim_start_matches('#'))
        .collect();
    let twins = names.iter().filter_map(|name| name.strip_suffix("_FILE"));
    let twins: BTreeSet<&str> = twins.filter(|twin| names.contains(twin)).collect();
    let known: BTreeSet<&str> = VARIABLES.iter().chain(ADDRESSES).copied().collect();
    assert_eq!(twins, known);
}

#[test]
#[should_panic(expected = "answered by the server")]
fn answer_with_a_secret_of_a_running_server_fails_the_test() {
    let canaries = Canaries::of_secret("a-secret-of-one-server").watched();
    assert_no_secret_in("nothing");
    assert_no_secret_in("{\"key\":\"a-secret-of-one-server\"}");
    drop(canaries);
}

#[test]
fn link_that_a_running_server_has_answered_is_secret_from_then_on() {
    let canaries = canaries(Path::new("/"), &[], BTreeSet::new()).watched();
    let token = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkq";
    let link = format!("http://a.example/stream?data={token}");
    assert_eq!(canaries.found_inside(&link), None);
    // Clients may be told again.
    assert_no_secret_in(&link);
    assert_no_secret_in(&link);
    assert!(canaries.found_inside(token).is_some());
}

#[test]
fn signed_addresses_are_passed_over_where_answers_name_the_sites_own_alone() {
    let address = format!("https://a.example/?x-signature={}", tiktok::SIGNATURES[2]);
    let canaries = canaries(Path::new("/"), &[], BTreeSet::new());
    let found = |route: &str, body: &Value| {
        let text = looked_through(route, &body.to_string(), true);
        canaries.found_in(&text).is_some()
    };
    for named in [
        json!({ "cover": address, "data": { "cover": address }, "author": { "avatarThumb": address } }),
        json!({ "audio": address, "music": { "cover": address, "url": address } }),
        json!({ "photos": [{ "url": address, "width": 1 }, { "url": address }] }),
    ] {
        assert!(!found("/tiktok", &named) && !found("/resolve", &named));
        assert!(found("/playlist", &named), "{named}");
    }
    for link in [
        json!({ "url": address }),
        json!({ "download_link": { "mp3": address } }),
        json!({ "data": { "video_data": [{ "url": address }] } }),
        json!({ "cover": { "large": address } }),
        json!({ "photos": [{ "link": address }] }),
    ] {
        assert!(found("/tiktok", &link), "{link}");
    }
    let is_found = |route: &str, is_whole: bool| {
        let text = looked_through(route, &address, is_whole);
        canaries.found_in(&text).is_some()
    };
    assert!(is_found("/tiktok", true) && is_found("/playlist", false));
    assert!(!is_found("/tiktok", false), "an answer that is cut");
}

#[test]
#[should_panic(expected = "too short to be looked for")]
fn secret_that_can_not_be_looked_for_is_refused() {
    canaries(Path::new("/"), &[("API_KEY", "short")], BTreeSet::new()).assert_long_enough();
}

#[tokio::test]
async fn child_is_overheard_and_becomes_the_program() {
    let installed = tempfile::tempdir().expect("a folder");
    let Some(overheard) = Overheard::begin(installed.path(), None) else {
        super::skip("ffmpeg", "ffmpeg is not installed");
        return;
    };
    let variables = BTreeMap::from([("TOLD", "a-secret-of-a-child".to_owned())]);
    let told = async |overheard: &Overheard| {
        super::run(&overheard.program, ["-version"], &variables, Path::new("/")).await
    };
    let output = told(&overheard).await;
    assert!(output.stdout.starts_with(b"ffmpeg version"), "{output:?}");
    // The same before a program that the test has named, and before none that can't be run.
    let named = tempfile::tempdir().expect("a folder");
    let program = overheard.program.to_string_lossy();
    let before_it = Overheard::begin(named.path(), Some(&program)).expect("a program");
    let output = told(&before_it).await;
    assert!(output.stdout.starts_with(b"ffmpeg version"), "{output:?}");
    assert!(Overheard::begin(named.path(), Some("/nowhere/ffmpeg")).is_none());
    let variables = [("API_KEY", "a-secret-of-a-child")];
    let canaries = canaries(Path::new("/"), &variables, BTreeSet::new());
    for overheard in [overheard, before_it] {
        let text = overheard.text();
        assert!(text.starts_with("-version\n"), "{text}");
        assert!(canaries.found_in(&text).is_some(), "{text}");
    }
}
