//! Links that somebody made from ours: none opens, and all are answered alike (proofs T1, T2).

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{StreamExt as _, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serverrs::clock::Clock;
use serverrs::config::Secret;
use serverrs::links::{Hint, Kind, Link, LinkError, LinksConfig, Purpose, Sealer};

use crate::harness::{Fetched, KEY, Stage, is_long_form, without_request_id};

/// Links that forgeries are made of.
const LINKS: usize = 50;
/// Fewer would leave something out.
const FEWEST: usize = 300_000;
/// Bytes before the nonce: version and key id.
const NONCE_AT: usize = 2;
const NONCE_BYTES: usize = 12;
/// Links that are looked at for a nonce that comes twice; in the short form a tenth.
const NONCES: usize = 1_000_000;
/// How many forgeries of each link are also sent to a server.
const SENT: usize = 40;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn sealer() -> Sealer {
    sealer_with(KEY)
}

fn sealer_with(key: &str) -> Sealer {
    let config = LinksConfig {
        key: Some(Secret::new(key.to_owned())),
        previous: Vec::new(),
        ttl: Duration::from_secs(600),
    };
    Sealer::new(&config, Clock::System)
}

/// Links of different lengths and contents.
fn link(number: usize) -> Link {
    let hint = (number.is_multiple_of(2)).then(|| Hint {
        url: format!("https://v16-webapp-prime.tiktok.com/{}", "v".repeat(number)),
        cookie: (number.is_multiple_of(4)).then(|| "a+b/c==".to_owned()),
    });
    Link {
        expires_at: Clock::System.unix_seconds() + 3600,
        site: "tiktok".to_owned(),
        id: format!("75249194596439{number:05}"),
        format: "h264_720p_1490112".to_owned(),
        track: (number.is_multiple_of(3)).then(|| "en.4".to_owned()),
        kind: [Kind::Video, Kind::Audio, Kind::Image, Kind::Archive][number % 4],
        author: "x".repeat(number % 7),
        extension: "mp4".to_owned(),
        index: None,
        egress: None,
        hint,
    }
}

/// Calls `see` with everything that one change makes of a link.
async fn forge(text: &str, mut see: impl AsyncFnMut(&str)) {
    let sealed = URL_SAFE_NO_PAD.decode(text).expect("a link");
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        see(&URL_SAFE_NO_PAD.encode(flipped)).await;
    }
    for at in 0..sealed.len() {
        let mut dropped = sealed.clone();
        let byte = dropped.remove(at);
        see(&URL_SAFE_NO_PAD.encode(&dropped)).await;
        see(&URL_SAFE_NO_PAD.encode(&sealed[..at])).await;
        see(&URL_SAFE_NO_PAD.encode(&sealed[at + 1..])).await;
        for inserted in [0, byte, !byte, 0xff] {
            let mut longer = sealed.clone();
            longer.insert(at, inserted);
            see(&URL_SAFE_NO_PAD.encode(longer)).await;
        }
    }
    forge_text(text, see).await;
}

/// As [`forge`], on the characters.
async fn forge_text(text: &str, mut see: impl AsyncFnMut(&str)) {
    for at in 0..text.len() {
        let (start, rest) = text.split_at(at);
        let own = rest.as_bytes()[0];
        let place = ALPHABET.iter().position(|c| *c == own).expect("base64url");
        see(&format!("{start}{}", &rest[1..])).await;
        for step in [1, 7, 31, 32, 63] {
            let other = char::from(ALPHABET[(place + step) % 64]);
            see(&format!("{start}{other}{}", &rest[1..])).await;
            see(&format!("{start}{other}{rest}")).await;
        }
        if at > 0 {
            for alien in ["+", "/", "=", " ", "%", "\u{e9}", "\0"] {
                see(&format!("{start}{alien}{rest}")).await;
            }
        }
    }
    // Another spelling of the same bytes: what the last character has beyond them is not zero.
    let unused_bits = (text.len() * 6) % 8;
    let (start, last) = text.split_at(text.len() - 1);
    let place = ALPHABET.iter().position(|c| [*c] == last.as_bytes());
    let place = place.expect("base64url");
    for twin in 1..(1 << unused_bits) {
        let other = char::from(ALPHABET[place ^ twin]);
        see(&format!("{start}{other}")).await;
    }
}

#[tokio::test]
async fn no_forgery_opens() {
    let sealer = sealer();
    let mut seen = 0_usize;
    for number in 0..LINKS {
        let text = sealer.seal(Purpose::Media, &link(number)).await;
        assert!(sealer.open(Purpose::Media, &text).await.is_ok());
        forge(&text, async |forged| {
            seen += 1;
            if forged == text {
                return;
            }
            let opened = sealer.open(Purpose::Media, forged).await;
            assert_eq!(opened, Err(LinkError::Invalid), "{forged} of {text}");
        })
        .await;
    }
    assert!(seen >= FEWEST, "{seen}");
    println!("{seen} forgeries of {LINKS} links, none opened");
}

#[tokio::test]
async fn no_nonce_comes_twice() {
    let sealer = sealer();
    let link = Link {
        hint: None,
        ..link(1)
    };
    let count = if is_long_form() { NONCES } else { NONCES / 10 };
    let mut nonces = HashSet::with_capacity(count);
    for _ in 0..count {
        let text = sealer.seal(Purpose::Media, &link).await;
        let sealed = URL_SAFE_NO_PAD.decode(text).expect("a link");
        let nonce: [u8; NONCE_BYTES] = sealed[NONCE_AT..NONCE_AT + NONCE_BYTES]
            .try_into()
            .expect("a nonce");
        assert!(nonces.insert(nonce), "twice: {nonce:?}");
    }
}

/// What a client sees of an answer, but for what tells one request from another.
fn seen(answer: &Fetched) -> String {
    let mut headers = answer.headers.clone();
    for own in ["x-request-id", "date"] {
        assert!(headers.remove(own).is_some(), "{own}");
    }
    let body = without_request_id(answer);
    format!("{} {headers:?} {body}", answer.status)
}

fn encoded(link: &str) -> String {
    utf8_percent_encode(link, NON_ALPHANUMERIC).to_string()
}

/// Some of what one change makes of a link, as they stand in an address.
async fn some_forgeries(text: &str) -> HashSet<String> {
    let mut forged = Vec::new();
    forge(text, async |one| {
        // What trimming and padding make of a link is no forgery (ruling 24), and nothing at all is missing.
        if !one.is_empty() && one.trim().trim_end_matches('=') != text {
            forged.push(encoded(one));
        }
    })
    .await;
    let step = forged.len() / SENT;
    forged.into_iter().step_by(step).collect()
}

/// Routes that take links, with what each opens.
const ROUTES: [(&str, Purpose); 3] = [
    ("/stream?data=", Purpose::Media),
    ("/download?data=", Purpose::Media),
    ("/download-slideshow?url=", Purpose::Slideshow),
];

/// Forgeries of many links, links of another purpose, under another key and of another version: a client can't tell
/// which is which, on any route.
#[tokio::test]
async fn forgeries_are_answered_alike() {
    let stage = Stage::new().await;
    let (ours, theirs) = (sealer(), sealer_with("another-key-for-tests-Wn5yTqR7bKc2"));
    let mut wanted = Vec::new();
    for number in 0..LINKS {
        let (route, purpose) = ROUTES[number % ROUTES.len()];
        let text = ours.seal(purpose, &link(number)).await;
        let forged = some_forgeries(&text).await;
        wanted.extend(forged.iter().map(|one| format!("{route}{one}")));
        for (route, purpose) in ROUTES {
            let other = match purpose {
                Purpose::Media => Purpose::Slideshow,
                Purpose::Slideshow => Purpose::Media,
            };
            let of_another_purpose = ours.seal(other, &link(number)).await;
            let under_another_key = theirs.seal(purpose, &link(number)).await;
            let sealed = URL_SAFE_NO_PAD.decode(&under_another_key).expect("a link");
            let own = URL_SAFE_NO_PAD.decode(&text).expect("a link");
            // The name of our key, and a version that is none.
            let renamed = [&own[..NONCE_AT], &sealed[NONCE_AT..]].concat();
            let of_another_version = [&[own[0] + 1], &own[1..]].concat();
            wanted.extend([
                format!("{route}{of_another_purpose}"),
                format!("{route}{under_another_key}"),
                format!("{route}{}", URL_SAFE_NO_PAD.encode(renamed)),
                format!("{route}{}", URL_SAFE_NO_PAD.encode(of_another_version)),
            ]);
        }
    }
    let count = wanted.len();
    assert!(count >= LINKS * SENT, "{count}");
    let answers: HashSet<_> = stream::iter(wanted)
        .map(|one| {
            let api = stage.api();
            async move { seen(&api.get(&one).await) }
        })
        .buffer_unordered(8)
        .collect()
        .await;
    let answers: Vec<_> = answers.into_iter().collect();
    let [answer] = &answers[..] else {
        panic!("{answers:#?}");
    };
    assert!(
        answer.starts_with("400 ") && answer.contains("\"link_invalid\""),
        "{answer}"
    );
    println!("{count} links refused, all with the same answer");
    stage.assert_well().await;
}

/// Only who holds a link that we made learns that its time is over (ruling 10): any change of it is answered as every
/// forgery is, whatever its time.
#[tokio::test]
async fn end_of_a_link_is_told_to_its_holder_alone() {
    let stage = Stage::new().await;
    let dead = Link {
        expires_at: 1,
        ..link(1)
    };
    for (route, purpose) in ROUTES {
        let text = sealer().seal(purpose, &dead).await;
        let answer = stage.api().get(&format!("{route}{text}")).await;
        let body = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &body["error_code"]),
            (400, &"link_expired".into())
        );
        let other = stage.api().get(&format!("{route}none")).await;
        for forged in some_forgeries(&text).await {
            let answer = stage.api().get(&format!("{route}{forged}")).await;
            assert_eq!(seen(&answer), seen(&other), "{route}{forged}");
        }
    }
    stage.assert_well().await;
}
