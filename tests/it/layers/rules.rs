//! The table of who may know whom, and the check of one file against it.

use super::source::{code, paths};

/// Rooms at the bottom that everyone may know.
const COMMON: &[&str] = &["clock", "config", "observe", "task"];

/// What each room may import besides itself and [`COMMON`]. `main.rs` and `lib.rs` join them all.
const ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("config", &[]),
    ("observe", &[]),
    ("task", &[]),
    // Limits may be counted where instances share them, under names that they alone can tell.
    ("protect", &["links", "net"]),
    ("net", &[]),
    ("process", &[]),
    ("telemetry", &[]),
    ("lifecycle", &[]),
    ("temp", &[]),
    ("extract", &["net"]),
    ("links", &["net"]),
    ("transfer", &["net"]),
    ("media", &["net", "temp"]),
    (
        "services",
        &[
            "extract",
            "links",
            "transfer",
            "media",
            "net",
            "temp",
            "lifecycle",
        ],
    ),
    // It puts on air what the services find and open.
    (
        "broadcast",
        &[
            "services",
            "extract",
            "links",
            "transfer",
            "media",
            "net",
            "temp",
            "lifecycle",
        ],
    ),
    (
        "app",
        &[
            "services",
            "broadcast",
            "extract",
            "links",
            "transfer",
            "media",
            "net",
            "temp",
            "lifecycle",
            "process",
            "protect",
        ],
    ),
    // Besides the services they see the error types of the layers, to map them.
    (
        "http",
        &[
            "app",
            "services",
            "broadcast",
            "extract",
            "links",
            "transfer",
            "media",
            "net",
            "temp",
            "lifecycle",
            "process",
            "protect",
            "server",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "services",
            "broadcast",
            "extract",
            "links",
            "transfer",
            "media",
            "net",
            "temp",
            "lifecycle",
            "process",
            "protect",
            "server",
            "telemetry",
            "http",
        ],
    ),
    ("server", &["lifecycle", "protect"]),
    (
        "fuzz",
        &[
            "broadcast",
            "extract",
            "http",
            "links",
            "media",
            "net",
            "services",
            "transfer",
        ],
    ),
];

/// Paths that may be named in some rooms only.
const CRATES: &[(&[&str], &[&str])] = &[
    (&["axum"], &["http", "server"]),
    (&["tower_http"], &["http", "server"]),
    (&["utoipa"], &["http"]),
    (&["reqwest"], &["net"]),
    (&["redis"], &["net"]),
    (&["cookie_store"], &["net"]),
    (&["dotenvy"], &["config"]),
    (&["std", "env"], &["config"]),
    (&["prometheus_client"], &["observe"]),
    (&["tokio", "process"], &["media"]),
];

/// Words of sites: only `extract/` knows them.
const WORDS: &[&str] = &["tiktok", "douyin", "youtube", "itag", "innertube"];

/// Texts with such words that people and clients rely on, and where they may stand.
const FIXED_TEXTS: &[(&str, &str)] = &[
    // The first route of ServerPY, alone or after a method.
    ("http/", "/tiktok\""),
    ("protect/keys/mod.rs", "/tiktok\""),
    // Examples in the document of the API.
    (
        "http/openapi.rs",
        "https://www.tiktok.com/@whitehouse/video/7587051948285644087",
    ),
    ("http/openapi.rs", "https://vm.tiktok.com/ZMabcdefg/"),
    (
        "http/openapi.rs",
        "https://www.youtube.com/playlist?list=PLBCF2DAC6FFB574DE",
    ),
    // What a person is told to try first.
    ("cli/serve.rs", "{base_url}/tiktok "),
    ("cli/serve.rs", "https://www.tiktok.com/@user/video/ID"),
];

/// Faults of the file at this place under `src/`. `sites` are the folders of `extract`.
pub(crate) fn check(file: &str, text: &str, sites: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push("does not begin with `//!`".to_owned());
    }
    faults.extend(unfinished(text));
    if !is_test(file) {
        let code = code(text);
        faults.extend(imports(file, &code, sites));
        faults.extend(words(file, &code));
    }
    faults
        .into_iter()
        .map(|fault| format!("{file}: {fault}"))
        .collect()
}

fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs") || file.split('/').any(|part| part == "tests")
}

fn unfinished(text: &str) -> impl Iterator<Item = String> {
    // In two parts, so that a search for them finds no rule.
    [["to", "do!"], ["TO", "DO"], ["unimpl", "emented!"]]
        .map(|parts| parts.concat())
        .into_iter()
        .filter(|mark| text.contains(mark.as_str()))
        .map(|mark| format!("`{mark}` left"))
}

/// Names of the modules around the code of a file: `net/client.rs` is `net::client`, `net/mod.rs` is `net`.
fn module(file: &str) -> Vec<&str> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/')
        .filter(|part| !matches!(*part, "lib" | "main"))
        .collect()
}

fn imports(file: &str, code: &str, sites: &[&str]) -> Vec<String> {
    let module = module(file);
    let room = module.first().copied().unwrap_or("");
    let mut faults = Vec::new();
    for path in paths(code) {
        if let Some(inner) = absolute(&module, &path) {
            faults.extend(inner_fault(&module, &inner, sites));
        } else if let Some(name) = foreign(&path, room) {
            faults.push(format!("room `{room}` names `{name}`"));
        }
    }
    faults
}

/// The path from the root of the crate; `None` for a path that leads elsewhere or begins nearby.
fn absolute(module: &[&str], path: &[String]) -> Option<Vec<String>> {
    let (mut base, mut rest) = match path.first()?.as_str() {
        "crate" => (&module[..0], &path[1..]),
        "self" | "super" => (module, path),
        _ => return None,
    };
    while let Some(first) = rest.first() {
        match first.as_str() {
            "self" => {}
            "super" => base = &base[..base.len().checked_sub(1)?],
            _ => break,
        }
        rest = &rest[1..];
    }
    let base = base.iter().map(|part| (*part).to_owned());
    Some(base.chain(rest.iter().cloned()).collect())
}

fn inner_fault(module: &[&str], path: &[String], sites: &[&str]) -> Option<String> {
    let from = *module.first()?;
    let to = path.first()?.as_str();
    if from == to {
        return site_fault(module, path, sites);
    }
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == from) else {
        return Some(format!("room `{from}` is not in the table"));
    };
    let may = COMMON.contains(&to) || allowed.contains(&to);
    (!may).then(|| format!("room `{from}` imports `{}`", path.join("::")))
}

/// Sites built on another one: first, second. Douyin is TikTok's Chinese twin and answers in the same shapes.
const TWINS: &[(&str, &str)] = &[("douyin", "tiktok")];

/// Folders of `extract` that are no sites.
pub(crate) const SHARED: &[&str] = &["selector"];

/// Sites don't know each other; what they share lies in files beside their folders.
fn site_fault(module: &[&str], path: &[String], sites: &[&str]) -> Option<String> {
    let (["extract", from, ..], [_, to, ..]) = (module, path) else {
        return None;
    };
    let is_foreign = sites.contains(from) && sites.contains(&to.as_str()) && from != to;
    let is_foreign = is_foreign && !TWINS.contains(&(*from, to.as_str()));
    is_foreign.then(|| format!("site `{from}` imports `{}`", path.join("::")))
}

fn foreign(path: &[String], room: &str) -> Option<String> {
    let (name, rooms) = CRATES.iter().find(|(name, _)| {
        path.len() >= name.len() && path.iter().zip(*name).all(|(a, b)| a == b)
    })?;
    (!rooms.contains(&room)).then(|| name.join("::"))
}

fn words(file: &str, code: &str) -> Vec<String> {
    if file.starts_with("extract/") {
        return Vec::new();
    }
    let mut code = code.to_owned();
    for (place, text) in FIXED_TEXTS {
        if file.starts_with(place) {
            code = code.replace(text, "");
        }
    }
    let code = code.to_lowercase();
    WORDS
        .iter()
        .filter(|word| names(&code, word))
        .map(|word| format!("names `{word}`"))
        .collect()
}

/// Whether `word` stands in `code`, alone or as part of a name, but not inside another word such as `monitage`.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        // The long words are unmistakable.
        word.len() > 4 || !(is_letter(before) || is_letter(after))
    })
}
