//! Who may ask the interface, and what a request of each must look like.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;
use sha1::{Digest as _, Sha1};

use super::super::wire::Request;
use super::{ACCOUNT, API, MUSIC, WWW};

/// How a client's addresses come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gets {
    /// Single tracks, ready to be used; no muxed file.
    Tracks,
    /// Everything, signatures ciphered and `n` to be transformed.
    Ciphered,
    /// Everything, `n` to be transformed.
    Challenged,
    /// The muxed file only: ready to be used.
    MuxedOnly,
    /// The muxed file only, ciphered.
    MuxedCiphered,
}

/// One identity that the interface knows.
#[derive(Debug)]
pub(super) struct Client {
    /// `clientName`.
    pub(super) name: &'static str,
    /// `X-YouTube-Client-Name`.
    number: &'static str,
    /// Hosts on which it is answered.
    hosts: &'static [&'static str],
    /// Whether it runs the player script, and so must name its timestamp.
    has_script: bool,
    /// Whether it plays inside another page, and so must name it.
    is_embedded: bool,
    pub(super) has_microformat: bool,
    pub(super) gets: Gets,
}

const fn client(name: &'static str, number: &'static str, gets: Gets) -> Client {
    Client {
        name,
        number,
        hosts: &[WWW, API],
        has_script: false,
        is_embedded: false,
        has_microformat: false,
        gets,
    }
}

const fn page(name: &'static str, number: &'static str, gets: Gets) -> Client {
    Client {
        hosts: &[WWW],
        has_script: true,
        ..client(name, number, gets)
    }
}

/// All of them; numbers as in youtube.md §2.3.
const CLIENTS: &[Client] = &[
    client("VISIONOS", "101", Gets::Tracks),
    client("ANDROID", "3", Gets::MuxedOnly),
    Client {
        has_microformat: true,
        ..page("WEB", "1", Gets::MuxedCiphered)
    },
    page("TVHTML5", "7", Gets::Ciphered),
    Client {
        is_embedded: true,
        ..page("WEB_EMBEDDED_PLAYER", "56", Gets::Challenged)
    },
    Client {
        hosts: &[MUSIC],
        ..page("WEB_REMIX", "67", Gets::MuxedCiphered)
    },
];

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A visitor id: nothing can be known of the visitor yet.
    Visitor,
    /// The formats of a video.
    Formats,
    /// Anything else.
    Other,
}

/// A request in order.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) client: &'static Client,
    pub(super) body: Value,
    /// The visitor id it was asked with.
    pub(super) visitor: Option<String>,
}

/// What was handed out so far, and what requests must name.
pub(super) struct HandedOut<'a> {
    pub(super) visitors: &'a HashSet<String>,
    /// Flags of embedding pages.
    pub(super) flags: &'a HashSet<String>,
    /// Of the player script.
    pub(super) timestamp: u32,
}

/// Checks everything that a request must have.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(
    request: &Request,
    subject: Subject,
    known: &HandedOut<'_>,
) -> Result<Asked, String> {
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let client = check_client(request, &body)?;
    if request.query("key").is_some() {
        return Err("an API key".to_owned());
    }
    check_login(request)?;
    let visitor = check_visitor(request, &body, subject, known.visitors)?;
    if subject == Subject::Formats {
        check_playback(client, &body, known)?;
    }
    Ok(Asked {
        client,
        body,
        visitor,
    })
}

fn check_client(request: &Request, body: &Value) -> Result<&'static Client, String> {
    let context = &body["context"]["client"];
    let name = context["clientName"].as_str().unwrap_or_default();
    let client = CLIENTS.iter().find(|client| client.name == name);
    let client = client.ok_or_else(|| format!("client `{name}`"))?;
    let version = context["clientVersion"].as_str();
    let agent = request.header("user-agent").unwrap_or_default();
    let origin = format!("https://{}", request.host);
    let named_origin = request.header("origin");
    let facts = [
        (
            "a host of this client",
            client.hosts.contains(&&*request.host),
        ),
        (
            "the number of its name",
            request.header("x-youtube-client-name") == Some(client.number),
        ),
        (
            "a version",
            version.is_some_and(|version| !version.is_empty()),
        ),
        (
            "the same version in its header",
            request.header("x-youtube-client-version") == version,
        ),
        (
            "JSON",
            request
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("application/json")),
        ),
        ("a user agent", agent.len() > 10),
        (
            "the same user agent in its context",
            context["userAgent"]
                .as_str()
                .is_none_or(|named| named == agent),
        ),
        (
            "its origin",
            named_origin.map_or(!client.has_script, |named| named == origin),
        ),
        (
            "English",
            context["hl"]
                .as_str()
                .is_some_and(|language| language.starts_with("en")),
        ),
        (
            "a page around it that is not YouTube's",
            client.is_embedded == is_elsewhere(&body["context"]["thirdParty"]["embedUrl"]),
        ),
    ];
    match facts.into_iter().find(|(_, is_so)| !is_so) {
        Some((missing, _)) => Err(format!("{name} without {missing}")),
        None => Ok(client),
    }
}

fn is_elsewhere(page: &Value) -> bool {
    page.as_str()
        .is_some_and(|page| page.starts_with("https://") && !page.contains("youtube"))
}

fn check_visitor(
    request: &Request,
    body: &Value,
    subject: Subject,
    visitors: &HashSet<String>,
) -> Result<Option<String>, String> {
    let of_header = request.header("x-goog-visitor-id");
    let of_body = body["context"]["client"]["visitorData"].as_str();
    let visitor = of_header.or(of_body);
    match visitor {
        None if subject == Subject::Visitor => Ok(None),
        None => Err("no visitor id".to_owned()),
        Some(_) if of_header.zip(of_body).is_some_and(|(a, b)| a != b) => {
            Err("two visitor ids".to_owned())
        }
        Some(visitor) if !visitors.contains(visitor) => {
            Err(format!("a visitor id that nobody gave out, `{visitor}`"))
        }
        visitor => Ok(visitor.map(str::to_owned)),
    }
}

/// A login is proved with the cookie, and with the account that the site's pages name.
fn check_login(request: &Request) -> Result<(), String> {
    let (Some(_), Some(cookie)) = (request.cookie("LOGIN_INFO"), request.cookie("SAPISID")) else {
        return Ok(());
    };
    let proof = request.header("authorization").unwrap_or_default();
    let time = proof
        .strip_prefix("SAPISIDHASH ")
        .and_then(|rest| rest.split('_').next())
        .unwrap_or_default();
    let origin = format!("https://{}", request.host);
    let digest = Sha1::digest(format!("{ACCOUNT} {time} {cookie} {origin}"));
    let digest = digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    });
    let expected = format!("SAPISIDHASH {time}_{digest}_u");
    if !proof.starts_with(&expected) {
        return Err(format!(
            "a login proved by `{proof}` instead of `{expected}`"
        ));
    }
    match request.header("x-goog-authuser") {
        Some("1") => Ok(()),
        other => Err(format!("account number {other:?} of the cookies")),
    }
}

fn check_playback(client: &Client, body: &Value, known: &HandedOut<'_>) -> Result<(), String> {
    let playback = &body["playbackContext"]["contentPlaybackContext"];
    let timestamp = known.timestamp;
    let flags = playback["encryptedHostFlags"].as_str().unwrap_or_default();
    if client.is_embedded && !known.flags.contains(flags) {
        return Err(format!("{} with the flags `{flags}`", client.name));
    }
    match playback["signatureTimestamp"].as_u64() {
        Some(named) if named != u64::from(timestamp) => {
            Err(format!("signatureTimestamp {named} instead of {timestamp}"))
        }
        None if client.has_script => Err(format!("{} without signatureTimestamp", client.name)),
        _ => Ok(()),
    }
}

/// The client whose answer stands in pages.
pub(super) fn web() -> &'static Client {
    let web = CLIENTS.iter().find(|client| client.name == "WEB");
    web.expect("the table has it")
}
