//! Links sealed, opened, and broken in every way.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::links::{Hint, Kind};

const NOW: u64 = 1_790_000_000;

static RING: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::derive(None, &[]));

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn sealer(key: Option<&str>, previous: &[&str], now: u64) -> Sealer {
    let secret = |text: &str| Secret::new(text.to_owned());
    let config = LinksConfig {
        key: key.map(secret),
        previous: previous.iter().copied().map(secret).collect(),
        ttl: Duration::from_secs(60),
    };
    Sealer::new(&config, Clock::Fixed(at(now)))
}

fn link() -> Link {
    Link {
        expires_at: NOW + 60,
        site: "tiktok".into(),
        id: "7445678901234567890".into(),
        format: "h264_720p_1234567-0".into(),
        track: None,
        kind: Kind::Video,
        author: "someone".into(),
        extension: "mp4".into(),
        index: None,
        egress: None,
        hint: Some(Hint {
            url: "https://v16-webapp-prime.tiktok.com/v/?a=1988&bti=x==&&ds=%7C|".into(),
            cookie: Some("a+b/c==".into()),
        }),
    }
}

fn links() -> impl Strategy<Value = Link> {
    let kind = prop::sample::select(vec![
        Kind::Video,
        Kind::Audio,
        Kind::Image,
        Kind::Slideshow,
        Kind::Archive,
    ]);
    let hint = ("\\PC{0,300}", prop::option::of("\\PC{0,80}"));
    let hint = prop::option::of(hint.prop_map(|(url, cookie)| Hint { url, cookie }));
    let texts = (
        "\\PC{0,20}",
        "\\PC{0,64}",
        "\\PC{0,40}",
        "\\PC{0,60}",
        "[a-z0-9]{0,5}",
        prop::option::of("\\PC{0,40}"),
    );
    let egress = prop::option::of("[A-Za-z0-9_-]{1,32}");
    (
        any::<u64>(),
        texts,
        kind,
        any::<Option<u32>>(),
        egress,
        hint,
    )
        .prop_map(
            |(
                expires_at,
                (site, id, format, author, extension, track),
                kind,
                index,
                egress,
                hint,
            )| {
                Link {
                    expires_at,
                    site,
                    id,
                    format,
                    track,
                    kind,
                    author,
                    extension,
                    index,
                    egress,
                    hint,
                }
            },
        )
}

fn purposes() -> impl Strategy<Value = (Purpose, Purpose)> {
    prop::sample::select(vec![
        (Purpose::Media, Purpose::Slideshow),
        (Purpose::Slideshow, Purpose::Media),
    ])
}

proptest! {
    #[test]
    fn link_round_trip_is_exact_and_purpose_bound(link in links(), (own, other) in purposes()) {
        let text = seal(&RING, own, &link);
        let is_ours = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        prop_assert!(text.chars().all(is_ours), "{}", text);
        prop_assert!(text.len() <= MAX_EMITTED_CHARS);
        prop_assert_eq!(open(&RING, own, &text), Some(link));
        prop_assert_eq!(open(&RING, other, &text), None);
    }

    #[test]
    fn link_with_foreign_text_spliced_in_is_refused(cut in 0..200_usize, alien in "[A-Za-z0-9_-]{1,4}") {
        let mut text = seal(&RING, Purpose::Media, &link());
        text.insert_str(cut, &alien);
        prop_assert_eq!(open(&RING, Purpose::Media, &text), None);
    }

    #[test]
    fn link_any_text_is_refused_without_panic(text in "\\PC{0,200}") {
        prop_assert_eq!(open(&RING, Purpose::Media, &text), None);
    }

    #[test]
    fn link_any_bytes_in_our_alphabet_are_refused(bytes: Vec<u8>) {
        let text = URL_SAFE_NO_PAD.encode(bytes);
        prop_assert_eq!(open(&RING, Purpose::Media, &text), None);
    }
}

#[test]
fn link_with_any_bit_flipped_is_refused() {
    let sealed = URL_SAFE_NO_PAD
        .decode(seal(&RING, Purpose::Media, &link()))
        .unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let text = URL_SAFE_NO_PAD.encode(forged);
        assert_eq!(open(&RING, Purpose::Media, &text), None, "bit {bit}");
    }
}

#[test]
fn link_truncated_anywhere_is_refused() {
    let text = seal(&RING, Purpose::Media, &link());
    for length in 0..text.len() {
        assert_eq!(
            open(&RING, Purpose::Media, &text[..length]),
            None,
            "{length}"
        );
        assert_eq!(
            open(&RING, Purpose::Media, &text[length + 1..]),
            None,
            "{length}"
        );
    }
}

#[test]
fn link_white_space_around_and_padding_are_accepted() {
    let text = seal(&RING, Purpose::Media, &link());
    for padded in [
        format!(" {text}\r\n"),
        format!("{text}="),
        format!("\t{text}==\n"),
    ] {
        assert_eq!(
            open(&RING, Purpose::Media, &padded),
            Some(link()),
            "{padded:?}"
        );
    }
    let (start, end) = text.split_at(40);
    for spoilt in [
        format!("{start} {end}"),
        format!("{start}={end}"),
        format!("={text}"),
        format!("\"{text}\""),
        format!("{text}}}"),
        format!("{text}+"),
    ] {
        assert_eq!(open(&RING, Purpose::Media, &spoilt), None, "{spoilt:?}");
    }
}

#[test]
fn link_not_canonical_is_refused() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // An author of the right length leaves unused bits in the last character.
    let mut link = link();
    let text = loop {
        let text = seal(&RING, Purpose::Media, &link);
        if !text.len().is_multiple_of(4) {
            break text;
        }
        link.author.push('x');
    };
    let (start, last) = text.split_at(text.len() - 1);
    let place = ALPHABET
        .iter()
        .position(|c| [*c] == last.as_bytes())
        .unwrap();
    let other = char::from(ALPHABET[place ^ 1]);
    assert_eq!(
        open(&RING, Purpose::Media, &format!("{start}{other}")),
        None
    );
}

#[test]
fn link_too_long_loses_its_hint_and_keeps_the_rest() {
    let with_hint = |length: usize| {
        let url = "x".repeat(length);
        let hint = Some(Hint { url, cookie: None });
        Link { hint, ..link() }
    };
    let bare = seal(
        &RING,
        Purpose::Media,
        &Link {
            hint: None,
            ..link()
        },
    );
    // `,"u":""` is seven bytes around the address.
    let room = MAX_EMITTED_CHARS / 4 * 3 - bare.len() * 3 / 4 - 7;
    let fitting = seal(&RING, Purpose::Media, &with_hint(room));
    assert_eq!(fitting.len(), MAX_EMITTED_CHARS);
    assert_eq!(open(&RING, Purpose::Media, &fitting), Some(with_hint(room)));
    let dropped = seal(&RING, Purpose::Media, &with_hint(room + 1));
    assert_eq!(dropped.len(), bare.len());
    assert_eq!(
        open(&RING, Purpose::Media, &dropped),
        Some(Link {
            hint: None,
            ..link()
        })
    );
}

#[test]
fn link_incoming_over_the_limit_is_refused_undecoded() {
    let text = seal(&RING, Purpose::Media, &link());
    let pad = |total: usize| format!("{text}{}", " ".repeat(total - text.len()));
    assert!(open(&RING, Purpose::Media, &pad(MAX_INCOMING_CHARS)).is_some());
    assert_eq!(
        open(&RING, Purpose::Media, &pad(MAX_INCOMING_CHARS + 1)),
        None
    );
}

#[test]
fn link_claims_of_another_shape_are_refused() {
    for claims in [&b"{}"[..], b"[]", b"", b"{\"e\":-1}", b"\xff"] {
        let text = URL_SAFE_NO_PAD.encode(RING.seal(Purpose::Media, claims));
        assert_eq!(open(&RING, Purpose::Media, &text), None, "{claims:?}");
    }
}

#[tokio::test]
async fn link_expires_at_its_very_second() {
    let ring = "a key for this test only";
    let text = sealer(Some(ring), &[], NOW)
        .seal(Purpose::Media, &link())
        .await;
    for (now, expected) in [
        (0, Ok(link())),
        (NOW + 59, Ok(link())),
        (NOW + 60, Err(LinkError::Expired)),
        (NOW + 61, Err(LinkError::Expired)),
    ] {
        let sealer = sealer(Some(ring), &[], now);
        assert_eq!(sealer.open(Purpose::Media, &text).await, expected, "{now}");
    }
    assert_eq!(sealer(None, &[], NOW).expiry(), NOW + 60);
}

#[tokio::test]
async fn link_opens_wherever_the_key_is_known_and_nowhere_else() {
    let (old, new) = ("the key of last year", "the key of this year");
    let text = sealer(Some(old), &[], NOW)
        .seal(Purpose::Media, &link())
        .await;
    let replica = sealer(Some(old), &[], NOW);
    assert_eq!(replica.open(Purpose::Media, &text).await, Ok(link()));
    let rotated = sealer(Some(new), &["unrelated key of old", old], NOW);
    assert_eq!(rotated.open(Purpose::Media, &text).await, Ok(link()));
    let invalid = Err(LinkError::Invalid);
    assert_eq!(
        sealer(Some(new), &[], NOW)
            .open(Purpose::Media, &text)
            .await,
        invalid
    );
    assert_eq!(
        sealer(None, &[], NOW).open(Purpose::Media, &text).await,
        invalid
    );
}

/// Made with Python's `hashlib.scrypt` and `cryptography`: links outlive a release, so the format must stay.
#[tokio::test]
async fn link_of_another_implementation_opens() {
    let text = "ASAAAQIDBAUGBwgJCgsllFxihrZwnvl1Qcn-uz1xn7MYeZhDBupp60B-4mjYnfs5GU6kVsCxH3nWyMOf0cRR\
        rooZH3LVjUJ6kP-zwl65USApgxdogpBqhBJ5KTSIL5ObC-96V8y6RwIsnCzRNjBqRNINyOHbOhvuwRNZfwqYFxLI\
        bs42bSCkIXOamz129A";
    let expected = Link {
        format: "image-3".into(),
        kind: Kind::Image,
        extension: "jpeg".into(),
        index: Some(3),
        hint: None,
        ..link()
    };
    let sealer = sealer(Some("the key of last year"), &[], NOW);
    let opened = sealer.open(Purpose::Slideshow, text).await;
    assert_eq!(opened, Ok(expected));
}

#[tokio::test]
async fn link_unset_key_is_one_random_key_for_the_process() {
    let sealer = sealer(None, &[], NOW);
    sealer.warm_up().await;
    let text = sealer.seal(Purpose::Media, &link()).await;
    assert_eq!(sealer.open(Purpose::Media, &text).await, Ok(link()));
}

#[test]
fn link_errors_tell_nothing_but_their_kind() {
    assert_eq!(LinkError::Invalid.to_string(), "invalid link");
    assert_eq!(LinkError::Expired.to_string(), "expired link");
}
