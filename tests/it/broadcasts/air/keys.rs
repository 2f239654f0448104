//! Stream keys of every kind: each arrives at its target as it was given, and is told nowhere else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::plays::seen_of_children;
use super::srt::{Listener, Tap, has_srt};
use super::{SMALL, Studio};
use crate::broadcasts::{get, route};
use crate::harness::ingest::Manner;
use crate::harness::{Builder, Canaries, skip};

/// Keys as people paste them, and as those write them who want something else than a broadcast.
const KEYS: [&str; 7] = [
    "  a key with  blanks ",
    "it's a \"key\" of `id` $(id) ;|\\n\\",
    "100%-%41%zz%%-%00%0d%0a",
    "key?of=an&address=#1&?",
    "live%2Fkey%2fwith/../slashes//",
    "ключ-потока-ü-🎬-\u{202e}yek",
    "-f flv rtmp://a.example/live",
];
/// Keys that stand in an address, where they are no less what they are.
const IN_ADDRESS: [&str; 2] = [
    "address-key%2Fof%20one?token=a%26b&e=1",
    "ключ-адреса+1?s=%E2%82%AC",
];

/// One of 200 bytes, besides the others.
fn keys() -> Vec<String> {
    let parts: Vec<String> = (0..40).map(|number| format!("k{number:03}_")).collect();
    let long = parts.concat();
    assert_eq!(long.len(), 200);
    let keys = KEYS.iter().map(|key| (*key).to_owned());
    keys.chain([long]).collect()
}

/// Asks for everything about a broadcast. The harness looks through answers for secrets, as through all that the server
/// writes, prints and tells its programs.
async fn look_everywhere(studio: &Studio, record: &Value) -> String {
    let mut told = String::new();
    for what in ["", "/status", "/items", "/logs?limit=1000"] {
        let path = format!("{}{what}", route(record));
        told += &get(studio.server(), &path).await.to_string();
    }
    told
}

#[tokio::test]
async fn keys_arrive_as_they_are_and_are_told_nowhere() {
    let given = keys();
    let with = |builder: Builder| {
        let all = given.iter().map(String::as_str).chain(IN_ADDRESS);
        let builder = all.fold(builder, Builder::secret);
        builder.env("BROADCAST_MAX_RUNNING", "16")
    };
    // Says no once to each, and repeats the key in doing so.
    let Some(studio) = Studio::with([Manner::RefuseKeyOnce], with).await else {
        return;
    };
    studio.list(&[(SMALL, 3)]).await;
    let mut records = Vec::new();
    for key in &given {
        records.push(studio.start(json!({ "stream_key": key })).await);
    }
    for key in IN_ADDRESS {
        let address = format!("{}/{key}", studio.ingest.url());
        let fields = json!({ "target_url": address, "stream_key": null });
        records.push(studio.start(fields).await);
    }
    studio
        .until(&records[0], "on air", |status| {
            status["status"] == "running"
        })
        .await;
    let seen = seen_of_children();
    for record in &records {
        let stopped = studio.to_the_end(record).await;
        assert_eq!(stopped["last_error"], Value::Null, "{stopped}");
        let told = look_everywhere(&studio, record).await;
        assert!(told.contains("*** is not for you"), "{told}");
        assert_eq!(record["stream_key_set"], true);
    }
    let expected: BTreeSet<&str> = given.iter().map(String::as_str).chain(IN_ADDRESS).collect();
    let all = studio.ingest.publications();
    assert_eq!(all.len(), 2 * expected.len(), "connections");
    for has_media in [false, true] {
        let of_kind = all.iter().filter(|one| one.media.is_empty() != has_media);
        let keys: BTreeSet<&str> = of_kind.map(|one| one.key.as_str()).collect();
        assert_eq!(keys, expected, "with media: {has_media}");
    }
    for key in expected {
        assert_eq!(Canaries::of_secret(key).found_in(&seen), None);
    }
}

/// What a key of SRT says: the stream and the passphrase, as they must reach the target.
struct Said {
    key: &'static str,
    stream: &'static str,
    passphrase: Option<&'static str>,
}

const OF_SRT: [Said; 3] = [
    Said {
        key: " it's a \"stream\" of `id` $(id) 100%2F%zz a=b&c;d #e\\",
        stream: " it's a \"stream\" of `id` $(id) 100%2F%zz a=b&c;d #e\\",
        passphrase: None,
    },
    Said {
        key: "?streamid=%23!::r%3Dlive/a%3Fb%26c%20d%2Fe%25&passphrase=p%20%26%25%23%22=%27-%C3%BCber",
        stream: "#!::r=live/a?b&c d/e%",
        passphrase: Some("p &%#\"='-über"),
    },
    Said {
        key: "ключ-потока-SRT-🎬?passphrase=correct+horse",
        stream: "ключ-потока-SRT-🎬",
        passphrase: Some("correct+horse"),
    },
];

#[tokio::test]
async fn keys_of_srt_arrive_as_they_are_and_are_told_nowhere() {
    if !has_srt().await {
        return skip("srt", "ffmpeg was built without it");
    }
    let listener = Listener::new();
    let tap = Tap::before(listener.port).await;
    let with = |builder: Builder| {
        let secrets = OF_SRT.iter();
        let secrets = secrets.flat_map(|said| [Some(said.key), Some(said.stream), said.passphrase]);
        let builder = secrets.flatten().fold(builder, Builder::secret);
        builder.env("BROADCAST_ALLOW_PRIVATE_TARGETS", &tap.address())
    };
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    studio.list(&[(SMALL, 30)]).await;
    for said in OF_SRT {
        let mut listening = listener.listen(said.passphrase, studio.dir.path());
        let target = format!("srt://{}", tap.address());
        let fields = json!({ "target_url": target, "stream_key": said.key });
        let record = studio.start(fields).await;
        // Not before the target has answered, which it does for its passphrase alone.
        studio
            .until(&record, "on air", |status| status["status"] == "running")
            .await;
        let seen = seen_of_children();
        assert!(seen.contains(&tap.address()), "{seen}");
        // The passphrase is an argument of the listener.
        for secret in [said.key, said.stream] {
            assert_eq!(Canaries::of_secret(secret).found_in(&seen), None);
        }
        assert_eq!(tap.taken(), [said.stream]);
        studio.post(&record, "stop?wait=30").await;
        look_everywhere(&studio, &record).await;
        listening.kill().await.unwrap();
    }
}
