//! The stream key, where it must not be.

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use super::{Studio, list};
use crate::broadcasts::{CANARY, TOKEN, get, route};
use crate::harness::film::MIXED;
use crate::harness::ingest::Manner;
use crate::harness::{Canaries, seen_of};

/// Reads server-sent events to their end, or as far as they come.
async fn follow(studio: &Studio, path: String, told: Arc<Mutex<String>>) {
    let request = studio.server().api().request(Method::GET, &path);
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    crate::harness::spawn(async move {
        while let Ok(Some(piece)) = answer.chunk().await {
            *told.lock().unwrap() += &String::from_utf8_lossy(&piece);
        }
    });
}

/// Arguments and environment of a process, as far as others may see them.
fn told_to(pid: u32) -> String {
    let files = ["cmdline", "environ"].into_iter();
    files.filter_map(|file| seen_of(pid, file)).collect()
}

/// An ingest that says no may repeat the key in its answer.
#[tokio::test]
async fn refused_key_is_told_nowhere() {
    let manners = [Manner::RefuseKey, Manner::RefuseKeyEncoded];
    let Some(studio) = Studio::new(manners).await else {
        return;
    };
    // Longer than what is held, so that the encoder runs while it is looked at.
    list(&studio, &[(MIXED[0], 40)]).await;
    let record = studio.make(json!({})).await;
    let base = route(&record);
    let told = Arc::<Mutex<String>>::default();
    for what in ["events?stats_interval=1", "logs?follow=true"] {
        follow(&studio, format!("{base}/{what}"), Arc::clone(&told)).await;
    }
    studio.post(&record, "start").await;
    let encoding = studio.until(&record, "an encoder", |status| status["pid"].is_u64());
    let pid = encoding.await["pid"].as_u64().unwrap();
    let seen = told_to(u32::try_from(pid).unwrap()) + &told_to(studio.server().pid());
    assert!(seen.contains("libx264"), "{seen}");
    let failed = studio
        .until(&record, "the failure", |status| {
            status["status"] == "failed"
        })
        .await;
    assert_eq!(failed["last_error"]["code"], "target_rejected");
    assert_eq!(failed["pids"], json!([]));
    let tries = studio.ingest.publications();
    assert_eq!(tries.len(), 3);
    assert!(
        tries
            .iter()
            .all(|one| one.key == CANARY && one.media.is_empty())
    );
    let mut texts = vec![
        ("processes", seen),
        ("events", told.lock().unwrap().clone()),
        ("status", failed.to_string()),
        ("output", studio.server().logs()),
    ];
    for what in ["", "/logs?limit=1000", "/items"] {
        let answer: Value = get(studio.server(), &format!("{base}{what}")).await;
        texts.push(("answer", answer.to_string()));
    }
    let files = std::fs::read_dir(studio.server().dir().join("data")).unwrap();
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        texts.push(("database", String::from_utf8_lossy(&bytes).into_owned()));
    }
    assert!(texts[1].1.contains("event: log") && texts[1].1.contains("event: state"));
    let canaries = Canaries::of_secret(CANARY);
    for (what, text) in texts {
        assert_eq!(canaries.found_in(&text), None, "{what}: {text}");
        assert!(!text.contains("canary-key"), "{what}: {text}");
    }
}
