//! Secrets of a test, and every form in which one may get out: printed, answered, written, told to a child.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio_util::task::AbortOnDropHandle;

use super::api::Fetched;

/// Variables whose values are secret.
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
/// Part of stream keys.
const STREAM_KEY: &str = "canary-key-5d0c1f";
/// Parts of how the simulated sites sign addresses. Answers hold them where they name a cover or the original sound,
/// which clients ask the site for themselves.
const SIGNATURES: [&str; 2] = ["7d1c0ffee", "0D2u5pggU94jpPKBgSBvSC"];
/// Shorter ones may be anywhere.
const SHORTEST: usize = 8;
/// Files of more bytes are media that are being made.
const MEDIA: u64 = 16 << 20;
/// Where children leave their words and surroundings, below the server's folder. A pipe: they may write no files.
const CHILDREN: &str = "children";
/// The program in front of FFmpeg, there too.
const LISTENER: &str = "ffmpeg-overheard";

/// What must get out nowhere, in all its forms.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    forms: Vec<String>,
    /// Those that answers may hold.
    signatures: Vec<String>,
    /// Files that the test has written itself.
    given: BTreeSet<PathBuf>,
}

impl Canaries {
    /// The secrets among these variables and files, and those of the sites.
    pub(super) fn of(variables: &BTreeMap<String, String>, given: BTreeSet<PathBuf>) -> Self {
        let named = variables
            .iter()
            .filter(|(name, _)| VARIABLES.contains(&name.as_str()));
        let values = named.flat_map(|(_, value)| value.split(',').map(str::to_owned));
        let passwords = variables.values().flat_map(|value| passwords(value));
        let cookies = given.iter().flat_map(|file| cookies(file));
        let always = [STREAM_KEY.to_owned()];
        let all: BTreeSet<String> = values
            .chain(passwords)
            .chain(cookies)
            .chain(always)
            .collect();
        let forms = all
            .iter()
            .filter(|value| value.len() >= SHORTEST)
            .flat_map(|value| forms(value))
            .collect();
        Self {
            forms,
            signatures: SIGNATURES.into_iter().flat_map(self::forms).collect(),
            given,
        }
    }

    /// This one secret.
    pub(crate) fn of_secret(secret: &str) -> Self {
        Self {
            forms: forms(secret),
            ..Self::default()
        }
    }

    /// The first one in a text.
    pub(crate) fn found_in(&self, text: &str) -> Option<&str> {
        first(&self.forms, text).or_else(|| first(&self.signatures, text))
    }

    /// The line of an answer in which one stands; media are not looked at.
    pub(super) fn found_in_answer(&self, answer: &Fetched) -> Option<String> {
        let kind = answer.header("content-type");
        let is_text = ["json", "text", "html"]
            .iter()
            .any(|part| kind.contains(part));
        let body = if is_text { &answer.body[..] } else { b"" };
        let text = format!("{:?}\n{}", answer.headers, String::from_utf8_lossy(body));
        let secret = first(&self.forms, &text)?;
        let mut lines = text.lines();
        lines.find(|line| line.contains(secret)).map(str::to_owned)
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
            let bytes = is_text.then(|| std::fs::read(&path).ok())??;
            let secret = self.found_in(&String::from_utf8_lossy(&bytes))?;
            let is_own = self.given.contains(&path);
            (!is_own).then(|| format!("{}: {secret}", path.display()))
        })
    }
}

fn first<'a>(forms: &'a [String], text: &str) -> Option<&'a str> {
    let mut forms = forms.iter().map(String::as_str);
    forms.find(|form| text.contains(form))
}

/// Passwords of addresses in a value.
fn passwords(value: &str) -> Vec<String> {
    let addresses = value.split(',').filter_map(|part| part.split_once("://"));
    let users = addresses.filter_map(|(_, rest)| rest.rsplit_once('@'));
    let passwords = users.filter_map(|(user, _)| user.split_once(':'));
    passwords.map(|(_, password)| password.to_owned()).collect()
}

/// Values of a cookie file.
fn cookies(file: &Path) -> Vec<String> {
    let is_cookie_file = file.components().any(|part| part.as_os_str() == "cookies");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter(|_| is_cookie_file);
    let values = lines.filter_map(|line| line.split('\t').nth(6));
    values.map(str::to_owned).collect()
}

/// What every FFmpeg of a server was told, in its arguments and its environment.
pub(super) struct Overheard {
    /// The program to be run in place of FFmpeg; it tells, and becomes it.
    pub(super) program: PathBuf,
    text: Arc<Mutex<Vec<u8>>>,
    rest: File,
    _task: AbortOnDropHandle<()>,
}

impl Overheard {
    /// Begins to listen below a server's folder; `None` without an FFmpeg.
    pub(super) fn begin(folder: &Path) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut programs = std::env::split_paths(&path).map(|folder| folder.join("ffmpeg"));
        let ffmpeg = programs.find(|program| program.is_file())?;
        let pipe = folder.join(CHILDREN);
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &pipe, FileType::Fifo, mode, 0).expect("a pipe");
        // Open for writing too, so that it never ends.
        let receiver = OpenOptions::new().read_write(true).open_receiver(&pipe);
        let flags = OFlags::RDWR | OFlags::NONBLOCK;
        let rest = rustix::fs::open(&pipe, flags, Mode::empty()).expect("a pipe");
        let script = format!(
            "#!/bin/sh\n{{ printf '%s\\n' \"$@\"; export -p; }} >'{}'\nexec '{}' \"$@\"\n",
            pipe.display(),
            ffmpeg.display()
        );
        let program = folder.join(LISTENER);
        std::fs::write(&program, script).expect("a program");
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("mode");
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let task = tokio::spawn(listen(receiver.expect("a pipe"), Arc::clone(&text)));
        Some(Self {
            program,
            text,
            rest: rest.into(),
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Everything so far.
    pub(super) fn text(&self) -> String {
        let mut text = self.text.lock().expect("what was told");
        // What is left behind what was read ends where waiting would begin.
        let _would_wait = (&self.rest).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

async fn listen(pipe: Receiver, text: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while pipe.readable().await.is_ok() {
        let mut text = text.lock().expect("what was told");
        if let Ok(count) = pipe.try_read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
    }
}

/// A secret as it is, percent-encoded, in hex, and in base64 wherever it may begin in what is encoded.
fn forms(secret: &str) -> Vec<String> {
    let hex: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let mut forms = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        hex.to_uppercase(),
        hex,
    ];
    for before in 0..3 {
        let shifted = [&vec![0; before], secret.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            // Characters that hold bits of a neighbour are left out.
            let text = engine.encode(&shifted);
            forms.push(text[(before * 4).div_ceil(3)..text.len() - 1].to_owned());
        }
    }
    forms
}

#[cfg(test)]
fn canaries(variables: &[(&str, &str)], given: BTreeSet<PathBuf>) -> Canaries {
    let variables = variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Canaries::of(&variables.collect(), given)
}

#[test]
fn secret_is_found_in_every_form() {
    let canaries = canaries(&[("API_KEY", "a secret, perhaps")], BTreeSet::new());
    for text in [
        "xx a secret xx",
        "a%20secret",
        "%20perhaps",
        "6120736563726574",
        "206120736563726574",
    ] {
        assert!(canaries.found_in(text).is_some(), "{text}");
    }
    for before in ["", "x", "xy", "xyz"] {
        let text = STANDARD_NO_PAD.encode(format!("{before}a secret and more"));
        assert!(canaries.found_in(&text).is_some(), "{text}");
    }
    assert!(canaries.found_in("nothing of it").is_none());
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
    let given = BTreeSet::from([write("cookies/site.txt", line)]);
    let canaries = canaries(
        &[("PROXY", "http://user:word-of-a-proxy@127.0.0.1:1")],
        given,
    );
    assert_eq!(canaries.found_below(folder.path()), None);
    for secret in ["value-of-a-cookie", "word-of-a-proxy"] {
        let path = write("data/a.db", &format!("\0\u{ff}{secret}\0"));
        let found = canaries.found_below(folder.path()).expect("it is there");
        assert_eq!(found, format!("{}: {secret}", path.display()));
    }
}

#[tokio::test]
async fn child_is_overheard_and_becomes_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(overheard) = Overheard::begin(folder.path()) else {
        super::skip("ffmpeg", "ffmpeg is not installed");
        return;
    };
    let variables = BTreeMap::from([("TOLD", "a-secret-of-a-child".to_owned())]);
    let output = super::run(&overheard.program, ["-version"], &variables, folder.path()).await;
    assert!(output.stdout.starts_with(b"ffmpeg version"), "{output:?}");
    let text = overheard.text();
    assert!(text.starts_with("-version\n"), "{text}");
    let canaries = canaries(&[("API_KEY", "a-secret-of-a-child")], BTreeSet::new());
    assert_eq!(canaries.found_in(&text), Some("a-secret-of-a-child"));
}
