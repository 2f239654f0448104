//! Addresses of media as they are handed out, and what becomes of requests for them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use serverrs::clock::Clock;
use url::Url;
use url::form_urlencoded::Serializer;

use super::super::cdn::{Ruling, Served};
use super::super::media::{Media, parse_range, sha256_hex};
use super::super::wire::Request;
use super::SIGNATURES;
use super::script::Script;
use super::track::Track;

/// Longest read that is served at full speed.
pub(crate) const LONGEST_READ: u64 = 10 << 20;
/// Parameters that a player adds to an address as it plays.
const ADDED: &[&str] = &[
    "alr",
    "cms_redirect",
    "cpn",
    "cver",
    "pot",
    "range",
    "rbuf",
    "redirect_counter",
    "rn",
];

/// Where and until when addresses are good.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The address of the visitor as the site sees it.
    pub(super) visitor_address: String,
    /// Seconds until new addresses expire; negative: they are expired from the beginning.
    pub(super) lifetime: i64,
    /// Whether the first host sends on to another one.
    pub(super) moves: bool,
    /// Whether an `n` that was not transformed is refused; otherwise it is served at a crawl.
    pub(super) refuses_plain_n: bool,
    /// Whether an address is good for one read alone. A look at the last byte is none.
    pub(super) serves_once: bool,
}

/// What must be done with an address before it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Puzzle {
    /// Nothing.
    None,
    /// `n` is to be transformed.
    Number,
    /// `n` is to be transformed, and the signature to be put in order.
    Cipher,
}

/// One address that was handed out.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    fixed: BTreeMap<String, String>,
    /// `n` as handed out and as it must be sent.
    number: Option<(String, String)>,
    token: Option<String>,
    signature: String,
    hosts: [String; 2],
    expires: u64,
    media: Media,
    /// Reads that begin here are refused before its time.
    ended: Range<u64>,
    was_read: bool,
}

/// What an address is made of.
pub(super) struct Wanted<'a> {
    pub(super) video: &'a str,
    pub(super) track: &'a Track,
    pub(super) client: &'a str,
    /// Names the answer that hands it out.
    pub(super) event: &'a str,
    /// Token that requests must carry.
    pub(super) token: Option<&'a str>,
    pub(super) puzzle: Puzzle,
}

impl Grant {
    /// Makes an address.
    pub(super) fn new(ask: &Wanted<'_>, around: &Surroundings, script: &Script) -> Self {
        let Wanted {
            video,
            track,
            client,
            event,
            token,
            puzzle,
        } = ask;
        let payload = track.content(video);
        let expires = Clock::System
            .unix_seconds()
            .saturating_add_signed(around.lifetime);
        let length = payload.len();
        let digest =
            sha256_hex(format!("{video}/{event}/{}/{:?}", track.itag(), track.xtags()).as_bytes());
        let text = |value: &str| value.to_owned();
        let mut fixed = BTreeMap::from([
            ("expire", expires.to_string()),
            ("ei", text(event)),
            ("ip", around.visitor_address.clone()),
            ("id", format!("o-{}", &sha256_hex(video.as_bytes())[..20])),
            ("itag", track.itag().to_string()),
            ("source", text("youtube")),
            ("requiressl", text("yes")),
            ("mm", text("31,29")),
            ("mime", track.mime()),
            ("dur", track.duration()),
            ("lmt", track.modified().to_string()),
            ("c", text(client)),
            ("lsig", format!("APa{}{}==", SIGNATURES[0], &digest[20..44])),
        ]);
        if track.is_muxed() {
            fixed.insert("ratebypass", text("yes"));
        } else {
            fixed.insert("gir", text("yes"));
            fixed.insert("clen", length.to_string());
        }
        if let Some(xtags) = track.xtags() {
            fixed.insert("xtags", xtags);
        }
        let signed = fixed.keys().copied().collect::<Vec<_>>().join(",");
        fixed.insert("sparams", signed);
        let number = (*puzzle != Puzzle::None).then(|| {
            let plain = format!("{}_-Z", &digest[..14]);
            let solved = script.solve_n(&plain);
            (plain, solved)
        });
        let modified = UNIX_EPOCH + Duration::from_micros(track.modified());
        Self {
            fixed: fixed
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            number,
            token: token.map(str::to_owned),
            signature: format!(
                "AJfQdSswRAIg{}{}{}==",
                &digest[10..26],
                SIGNATURES[0],
                &digest[26..58]
            ),
            hosts: hosts(&digest),
            expires,
            media: Media {
                payload,
                content_type: track.mime(),
                etag: String::new(),
                last_modified: httpdate::fmt_http_date(modified),
                needs: Vec::new(),
            },
            ended: 0..0,
            was_read: false,
        }
    }

    /// The address without signature.
    fn unsigned(&self) -> String {
        let number = self.number.as_ref().map(|(plain, _)| ("n", plain.as_str()));
        let pairs = self
            .fixed
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let query = Serializer::new(String::new())
            .extend_pairs(pairs.chain(number))
            .finish();
        format!("https://{}/videoplayback?{query}", self.hosts[0])
    }

    /// The address, ready but for `n`.
    pub(super) fn address(&self) -> String {
        format!(
            "{}&sig={}",
            self.unsigned(),
            self.signature.replace('=', "%3D")
        )
    }

    /// `signatureCipher` in place of the address.
    pub(super) fn cipher(&self) -> String {
        Serializer::new(String::new())
            .append_pair("s", &Script::cipher(&self.signature))
            .append_pair("sp", "sig")
            .append_pair("url", &self.unsigned())
            .finish()
    }

    /// Ends it before its time for reads that begin in `bytes`.
    pub(super) fn end_within(&mut self, bytes: Range<u64>) {
        self.ended = bytes;
    }

    /// Whether a request is for this one.
    fn is_meant(&self, asked: &BTreeMap<String, String>) -> bool {
        ["ei", "itag", "xtags"]
            .iter()
            .all(|key| asked.get(*key) == self.fixed.get(*key))
    }

    /// Why a request gets nothing; `None` when it does.
    fn refusal(
        &self,
        host: &str,
        asked: &BTreeMap<String, String>,
        around: &Surroundings,
    ) -> Option<String> {
        let changed = self
            .fixed
            .iter()
            .find(|(key, value)| asked.get(*key) != Some(value));
        let is_known = |key: &str| {
            self.fixed.contains_key(key) || ADDED.contains(&key) || matches!(key, "n" | "sig")
        };
        let is_plain_n = self
            .number
            .as_ref()
            .is_some_and(|(plain, _)| asked.get("n") == Some(plain));
        let n_fits = asked.get("n") == self.number.as_ref().map(|(_, solved)| solved) || is_plain_n;
        match () {
            () if !self.hosts.iter().any(|known| known == host) => Some("another host".to_owned()),
            () if changed.is_some() => changed.map(|(key, _)| format!("`{key}` was changed")),
            () if !asked.keys().all(|key| is_known(key)) => {
                Some("a parameter of its own".to_owned())
            }
            () if asked.get("sig") != Some(&self.signature) => {
                Some("the signature is wrong".to_owned())
            }
            () if self.expires <= Clock::System.unix_seconds() => {
                Some("the address has expired".to_owned())
            }
            () if self.fixed["ip"] != around.visitor_address => {
                Some("from another address".to_owned())
            }
            () if !n_fits => Some("`n` is wrong".to_owned()),
            () if self.token.is_some() && asked.get("pot") != self.token.as_ref() => {
                Some("the token is wrong".to_owned())
            }
            () if is_plain_n && around.refuses_plain_n => {
                Some("`n` was not transformed".to_owned())
            }
            () => None,
        }
    }

    fn serve(
        &mut self,
        request: &Request,
        asked: &BTreeMap<String, String>,
        serves_once: bool,
    ) -> Ruling {
        let length = self.media.payload.len();
        let part = asked
            .get("range")
            .map(|range| parse_range(&format!("bytes={range}"), length));
        let part = match part {
            Some(None) => return Ruling::Wrong("a `range` that is none".to_owned()),
            part => part.flatten(),
        };
        let wanted = part
            .clone()
            .or_else(|| parse_range(request.header("range")?, length));
        let begin = wanted.as_ref().map_or(0, |range| range.start);
        if self.ended.contains(&begin) {
            return Ruling::Refuse("the address was revoked".to_owned());
        }
        let wanted = wanted.map_or(length, |range| range.end.saturating_sub(range.start));
        if request.method == "GET" && (wanted, begin) != (1, length - 1) {
            if serves_once && self.was_read {
                return Ruling::Refuse("the address was read already".to_owned());
            }
            self.was_read = true;
        }
        let is_plain_n = self
            .number
            .as_ref()
            .is_some_and(|(plain, _)| asked.get("n") == Some(plain));
        let is_long = wanted > LONGEST_READ && !asked.contains_key("ratebypass");
        let crawl = match () {
            () if is_plain_n => Some("`n` was not transformed".to_owned()),
            () if is_long && request.method != "HEAD" => Some(format!("{wanted} bytes at once")),
            () => None,
        };
        Ruling::Serve(Served {
            media: self.media.clone(),
            part,
            crawl,
        })
    }
}

/// What a request for media gets.
pub(super) fn rule(request: &Request, grants: &mut [Grant], around: &Surroundings) -> Ruling {
    let Ok(url) = Url::parse(&request.address) else {
        return Ruling::Wrong("no address".to_owned());
    };
    let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    if url.path() != "/videoplayback" || !matches!(&*request.method, "GET" | "HEAD") {
        return Ruling::Wrong("nothing that media hosts answer".to_owned());
    }
    if request.header("cookie").is_some() || request.header("authorization").is_some() {
        return Ruling::Wrong("a login for a media host".to_owned());
    }
    let Some(grant) = grants.iter_mut().find(|grant| grant.is_meant(&asked)) else {
        return Ruling::Refuse("nobody handed this address out".to_owned());
    };
    if let Some(reason) = grant.refusal(&request.host, &asked, around) {
        return Ruling::Refuse(reason);
    }
    let [first, second] = &grant.hosts;
    if around.moves && request.host == *first {
        let there = request.address.replacen(first, second, 1);
        return Ruling::Move(format!("{there}&cms_redirect=yes"));
    }
    grant.serve(request, &asked, around.serves_once)
}

fn hosts(digest: &str) -> [String; 2] {
    let number = u8::from_str_radix(&digest[..1], 16).unwrap_or_default() % 5 + 1;
    [
        format!("rr{number}---sn-{}.googlevideo.com", &digest[2..10]),
        format!("rr{number}---sn-{}.googlevideo.com", &digest[12..20]),
    ]
}
