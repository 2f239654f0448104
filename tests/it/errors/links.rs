//! Links that are not ours, not for this, or too old: nothing can be learned from the answers.

use std::time::{Duration, SystemTime};

use serverrs::clock::Clock;
use serverrs::config::Secret;
use serverrs::links::{Hint, Kind, Link, LinksConfig, Purpose, Sealer};

use crate::harness::upstream::tiktok::Item;
use crate::harness::{
    Builder, KEY, Stage, assert_bare_refusal, assert_refusal, link, token, without_request_id,
};

const ID: &str = "7524919459643919841";

fn sealer(key: &str, clock: Clock) -> Sealer {
    let config = LinksConfig {
        key: Some(Secret::new(key.to_owned())),
        previous: Vec::new(),
        ttl: Duration::from_secs(600),
    };
    Sealer::new(&config, clock)
}

fn claims(expires_at: u64) -> Link {
    Link {
        expires_at,
        site: "tiktok".to_owned(),
        id: ID.to_owned(),
        format: "h264_720p_1490112".to_owned(),
        track: None,
        kind: Kind::Video,
        author: "harbour.keeper".to_owned(),
        extension: "mp4".to_owned(),
        index: None,
        egress: None,
        hint: Some(Hint {
            url: "https://v16-webapp-prime.tiktok.com/video/x".to_owned(),
            cookie: None,
        }),
    }
}

fn later() -> u64 {
    Clock::System.unix_seconds() + 600
}

/// What is made of a good token to break it, by name.
async fn broken(good: &str) -> Vec<(&'static str, String)> {
    let flipped = |at: usize| {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    let ours = sealer(KEY, Clock::System);
    let other_site = Link {
        site: "elsewhere".to_owned(),
        ..claims(later())
    };
    let other_id = Link {
        id: "../../etc/passwd".to_owned(),
        ..claims(later())
    };
    vec![
        ("garbage", "garbage".to_owned()),
        ("not base64", "!!!!".to_owned()),
        (
            "standard alphabet",
            format!("{}+/", &good[..good.len() - 2]),
        ),
        ("first byte", flipped(0)),
        ("key id", flipped(2)),
        ("nonce", flipped(10)),
        ("claims", flipped(good.len() / 2)),
        ("tag", flipped(good.len() - 3)),
        ("cut", good[..good.len() - 4].to_owned()),
        ("longer", format!("{good}AAAA")),
        ("twice", format!("{good}{good}")),
        ("quoted", format!("%22{good}%22")),
        ("one byte", "AQ".to_owned()),
        ("too long", "A".repeat(8193)),
        (
            "foreign key",
            sealer("another-key-for-tests-Wn5yTqR7bKc2", Clock::System)
                .seal(Purpose::Media, &claims(later()))
                .await,
        ),
        (
            "wrong purpose",
            ours.seal(Purpose::Slideshow, &claims(later())).await,
        ),
        ("unknown site", ours.seal(Purpose::Media, &other_site).await),
        ("impossible id", ours.seal(Purpose::Media, &other_id).await),
        (
            "old cipher",
            "MTc5NTI0MTI3OHx7InVybCI6ICJodHRwczovL3YxNi50aWt0b2suY29tLyJ9".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn every_bad_link_has_the_identical_answer_and_nothing_is_dialled() {
    let stage = Stage::new().await;
    let good = link(&stage.resolve(&Item::video(ID)).await, "h264_720p_1490112");
    let asked = stage.world().records().len();
    let expected = without_request_id(&stage.api().get("/stream?data=x").await);
    assert_eq!(expected["message"], "Invalid or corrupted encrypted data");
    for (name, token) in broken(token(&good)).await {
        for route in ["/stream", "/download"] {
            let answer = stage.api().get(&format!("{route}?data={token}")).await;
            assert_refusal(&answer, 400, "link_invalid");
            assert_eq!(without_request_id(&answer), expected, "{name}");
            assert_bare_refusal(
                &stage.api().head(&format!("{route}?data={token}")).await,
                400,
            );
        }
    }
    assert_eq!(stage.world().records().len(), asked);
    assert_eq!(stage.api().get(&good).await.status, 200);
    stage.assert_well().await;
}

#[tokio::test]
async fn expired_link_says_so_in_the_words_that_clients_match() {
    let stage = Stage::new().await;
    let past = Clock::Fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let sealer = sealer(KEY, past);
    let now = Clock::System.unix_seconds();
    let expected = "Encrypted data has expired";
    for expires_at in [0, sealer.expiry(), now - 1, now] {
        let token = sealer.seal(Purpose::Media, &claims(expires_at)).await;
        let answer = stage.api().get(&format!("/stream?data={token}")).await;
        assert_eq!(
            assert_refusal(&answer, 400, "link_expired")["detail"],
            expected
        );
        assert_bare_refusal(
            &stage.api().head(&format!("/download?data={token}")).await,
            400,
        );
    }
    assert_eq!(stage.world().records().len(), 0);
    stage.assert_well().await;
}

#[tokio::test]
async fn missing_and_empty_data_are_told_apart() {
    let stage = Stage::new().await;
    for route in ["/stream", "/download"] {
        for query in ["", "?", "?Data=x", "?url=x"] {
            let body = assert_refusal(
                &stage.api().get(&format!("{route}{query}")).await,
                422,
                "missing_field",
            );
            assert_eq!(body["message"], "Encrypted data parameter is required");
            assert_eq!(
                body["detail"][0]["loc"],
                serde_json::json!(["query", "data"])
            );
        }
        for query in ["?data=", "?data", "?data=%20%0A"] {
            let body = assert_refusal(
                &stage.api().get(&format!("{route}{query}")).await,
                400,
                "missing_field",
            );
            assert_eq!(body["message"], "Encrypted data parameter is required");
        }
        assert_bare_refusal(&stage.api().head(route).await, 422);
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn former_key_opens_its_links_until_it_is_taken_away() {
    let stage = Stage::new().await;
    let good = link(&stage.resolve(&Item::video(ID)).await, "h264_720p_1490112");
    let path = &good[good.find("/stream?").expect("a stream link")..];
    let rotated = Builder::new(&stage.upstream)
        .env("ENCRYPTION_KEY", "the-next-key-for-tests-Gh3rYw9zVbM1")
        .env(
            "ENCRYPTION_KEY_PREVIOUS",
            &format!("some-other-key-Bx7kQm2nLp5d, {KEY}"),
        )
        .start()
        .await;
    assert_eq!(rotated.api().get(path).await.status, 200);
    let without = Builder::new(&stage.upstream)
        .env("ENCRYPTION_KEY", "the-next-key-for-tests-Gh3rYw9zVbM1")
        .start()
        .await;
    assert_refusal(&without.api().get(path).await, 400, "link_invalid");
}
