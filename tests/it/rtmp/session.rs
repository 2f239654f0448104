//! One connection: what is said, what is heard, and how it fails.

use std::time::{Duration, Instant};

use serverrs::broadcast::flv::{Tag, TagKind};
use serverrs::broadcast::publisher::amf0::Value;
use serverrs::broadcast::publisher::rtmp::Session;
use serverrs::broadcast::publisher::{Connect, PublishError, Publisher, Rtmp, Step, Target};
use serverrs::config::Secret;
use serverrs::net::DialError;

use super::{KEY, METADATA, picture, publisher, publisher_with};
use crate::harness::ingest::{Ingest, Manner};

fn video(timestamp_ms: u32) -> Tag {
    Tag {
        kind: TagKind::Video,
        timestamp_ms,
        data: picture(1, timestamp_ms, true),
    }
}

/// The error names the step and holds nothing of the key, in any of its forms.
#[track_caller]
fn assert_silent(error: &PublishError) {
    let texts = [error.to_string(), format!("{error:?}")];
    assert!(!texts.concat().contains("canary"), "{texts:?}");
}

#[tokio::test]
async fn session_publishes_tags_as_they_are() {
    let ingest = Ingest::start([Manner::Keep]);
    let mut publisher = publisher(&ingest.url(), ingest.port)
        .connect()
        .await
        .unwrap();
    publisher.send(&METADATA.tag()).await.unwrap();
    // Over 24 bits, and a picture of many chunks.
    let times = [0, 33, 0xff_fffe, 0xff_ffff, 0x100_0020, 0x100_0041];
    let mut tags: Vec<_> = times.map(video).into();
    tags[4].data = vec![0x17; 100_000].into();
    for tag in &tags {
        publisher.send(tag).await.unwrap();
    }
    publisher.close().await;
    ingest.until("good-bye", |all| all[0].is_closed).await;
    let publication = &ingest.publications()[0];
    assert_eq!(publication.app, "live");
    assert_eq!(publication.address, ingest.url());
    assert_eq!(publication.key, KEY);
    let commands = [
        "connect",
        "releaseStream",
        "FCPublish",
        "createStream",
        "publish",
        "FCUnpublish",
        "deleteStream",
    ];
    assert_eq!(publication.commands, commands);
    let got: Vec<_> = publication
        .media
        .iter()
        .map(|got| got.tag.clone())
        .collect();
    let values = Value::read_all(&got[0].data).unwrap();
    assert_eq!(values[0], Value::text("@setDataFrame"));
    assert_eq!(values[2].field("width"), Some(&Value::Number(320.0)));
    assert_eq!(got[1..], tags);
}

#[tokio::test]
async fn session_answers_pings_and_follows_acknowledgements() {
    let ingest = Ingest::start([Manner::Keep]);
    let mut publisher = publisher(&ingest.url(), ingest.port)
        .connect()
        .await
        .unwrap();
    let mut big = video(0);
    big.data = vec![0x17; 600_000].into();
    publisher.send(&big).await.unwrap();
    let sent = publisher.stats().sent_bytes;
    assert!(sent > 600_000);
    while publisher
        .stats()
        .acknowledged_bytes
        .is_none_or(|count| count < 500_000)
    {
        publisher
            .wait_until(Instant::now() + Duration::from_millis(20))
            .await
            .unwrap();
    }
    assert!(publisher.stats().acknowledged_bytes <= Some(sent));
    ingest.until("a pong", |all| all[0].pongs == 1).await;
}

#[tokio::test]
async fn session_refusals_are_typed_and_keep_the_key() {
    for (manner, step, code) in [
        (
            Manner::RefuseApp,
            Step::Connect,
            "NetConnection.Connect.Rejected",
        ),
        (
            Manner::RefuseKey,
            Step::Publish,
            "NetStream.Publish.BadName",
        ),
        (
            Manner::RefuseKeyEncoded,
            Step::Publish,
            "NetStream.Publish.BadName",
        ),
    ] {
        let ingest = Ingest::start([manner]);
        let error = publisher(&ingest.url(), ingest.port)
            .connect()
            .await
            .unwrap_err();
        assert_silent(&error);
        assert!(error.is_rejection());
        let PublishError::Rejected {
            step: at,
            code: word,
            description,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((at, word.as_str()), (step, code));
        let expected = match manner {
            Manner::RefuseApp => "xxx",
            Manner::RefuseKey => "*** is not for you",
            _ => "***",
        };
        assert!(description.starts_with(expected), "{description}");
    }
}

#[tokio::test]
async fn session_closed_at_any_byte_ends_with_an_error() {
    let limits = [0, 1, 1536, 1537, 3072, 3073, 3100, 3300, 3500, 4000, 10_000];
    for limit in limits {
        let ingest = Ingest::start([Manner::CloseAfterBytes(limit)]);
        let mut rtmp = publisher(&ingest.url(), ingest.port);
        let error = match rtmp.connect().await {
            Err(error) => error,
            Ok(mut publisher) => loop {
                if let Err(error) = publisher.send(&video(0)).await {
                    break error;
                }
            },
        };
        assert_silent(&error);
        assert!(
            matches!(error, PublishError::Closed(_)),
            "{limit}: {error:?}"
        );
    }
}

#[tokio::test]
async fn session_close_is_noticed_while_nothing_is_sent() {
    let ingest = Ingest::start([Manner::CloseAfter(1)]);
    let mut publisher = publisher(&ingest.url(), ingest.port)
        .connect()
        .await
        .unwrap();
    publisher.send(&video(0)).await.unwrap();
    let far = Instant::now() + Duration::from_secs(300);
    let error = publisher.wait_until(far).await.unwrap_err();
    assert!(
        matches!(error, PublishError::Closed(Step::Send)),
        "{error:?}"
    );
}

#[tokio::test]
async fn session_with_another_protocol_is_refused() {
    let ingest = Ingest::start([Manner::Foreign]);
    let error = publisher(&ingest.url(), ingest.port)
        .connect()
        .await
        .unwrap_err();
    assert!(matches!(error, PublishError::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn session_private_target_is_never_dialled() {
    let ingest = Ingest::start([Manner::Keep]);
    let (target, key) = Target::parse(&ingest.url(), Some(KEY)).unwrap();
    let dialer = std::sync::Arc::new(super::dialer(&[]));
    let error = Rtmp::new(dialer, target, key.unwrap())
        .connect()
        .await
        .unwrap_err();
    assert!(error.is_forbidden());
    assert_silent(&error);
    assert!(ingest.publications().is_empty());
}

#[tokio::test]
async fn session_over_tls_publishes_and_is_verified() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), own.cert.pem()).unwrap();
    let ingest = Ingest::start_tls([Manner::Keep], server_tls(&own));
    let url = format!("rtmps://127.0.0.1:{}/live", ingest.port);
    let trusted = [("EXTRA_CA_FILE", file.path().to_str().unwrap())];
    let mut publisher = publisher_with(&url, ingest.port, &trusted)
        .connect()
        .await
        .unwrap();
    publisher.send(&video(0)).await.unwrap();
    publisher.close().await;
    ingest.until("good-bye", |all| all[0].is_closed).await;
    let publication = &ingest.publications()[0];
    assert_eq!(
        (publication.key.as_str(), publication.media.len()),
        (KEY, 1)
    );
    assert_eq!(publication.address, url);
    let stranger = super::publisher(&url, ingest.port)
        .connect()
        .await
        .unwrap_err();
    assert!(
        matches!(stranger, PublishError::Dial(DialError::Tls(_))),
        "{stranger:?}"
    );
}

fn server_tls(own: &rcgen::CertifiedKey<rcgen::KeyPair>) -> rustls::ServerConfig {
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap()
}

/// The clock stands still but for its timers.
#[tokio::test(start_paused = true)]
async fn session_every_step_that_stays_silent_has_an_end() {
    for step in [
        Step::Handshake,
        Step::Connect,
        Step::CreateStream,
        Step::Publish,
    ] {
        let near = Ingest::in_memory(Manner::Silent(step));
        let key = Secret::new(KEY.to_owned());
        let open = Session::open(near, "live", "rtmp://a.example/live", key);
        let error = open.await.unwrap_err();
        assert!(
            matches!(error, PublishError::Timeout(at) if at == step),
            "{step}: {error:?}"
        );
        assert_silent(&error);
    }
}

/// Nothing is acknowledged and nothing read: the system's own queue says so, long before it is full.
#[tokio::test]
async fn session_target_that_stops_reading_is_stalled() {
    let ingest = Ingest::start([Manner::StallAfter(1)]);
    let mut publisher = publisher(&ingest.url(), ingest.port)
        .connect()
        .await
        .unwrap();
    let error = loop {
        if let Err(error) = publisher.send(&video(0)).await {
            break error;
        }
        let pause = Instant::now() + Duration::from_millis(2);
        if let Err(error) = publisher.wait_until(pause).await {
            break error;
        }
    };
    assert!(matches!(error, PublishError::Stalled), "{error:?}");
}

/// One that reads and never acknowledges is healthy (ruling 41).
#[tokio::test]
async fn session_target_that_never_acknowledges_is_kept() {
    let ingest = Ingest::start([Manner::NeverAcknowledge]);
    let mut publisher = publisher(&ingest.url(), ingest.port)
        .connect()
        .await
        .unwrap();
    let begun = Instant::now();
    let mut count = 0;
    // Longer than the limit of a stall.
    while begun.elapsed() < Duration::from_secs(12) {
        publisher.send(&video(count)).await.unwrap();
        count += 1;
        publisher
            .wait_until(Instant::now() + Duration::from_millis(5))
            .await
            .unwrap();
    }
    assert_eq!(publisher.stats().acknowledged_bytes, None);
    let all = usize::try_from(count).unwrap();
    ingest
        .until("all of it", |publications| {
            publications[0].media.len() == all
        })
        .await;
}
