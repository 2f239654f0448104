//! Targets that stall, say no, or go away from a broadcast that stays in time.

use serde_json::json;
use serverrs::broadcast::publisher::Step;

use super::{SMALL, Studio};
use crate::broadcasts::{get, route};
use crate::harness::eventually;
use crate::harness::ingest::Manner;

/// The connection is up and nobody reads (ruling 41): all that may not have arrived is sent again.
#[tokio::test]
async fn target_that_stalls_is_left_and_nothing_is_lost() {
    let Some(studio) = Studio::new([Manner::StallAfter(60), Manner::Keep]).await else {
        return;
    };
    // Longer than it takes to fill what the systems hold, and to see that it stays full.
    studio.list(&[(SMALL, 28)]).await;
    let record = studio.start(json!({ "start_with_slate": false })).await;
    let status = studio.until(&record, "another connection", |status| {
        status["faults"]["reconnects"] == 1
    });
    status.await;
    studio.to_the_end(&record).await;
    let all = studio.ingest.publications();
    assert_eq!(all.len(), 2);
    // What the first one got is sent again, as it never said that it has it.
    assert_eq!(studio.flashes(&all[1]).await, 28);
    let path = format!("{}/logs?limit=100", route(&record));
    let logs = get(studio.server(), &path).await.to_string();
    assert!(logs.contains("target takes no more data"), "{logs}");
}

/// It may hold the session before, and is asked three times within 30 s.
#[tokio::test]
async fn target_that_says_no_is_asked_three_times() {
    let Some(studio) = Studio::new([Manner::RefuseKey]).await else {
        return;
    };
    studio.list(&[(SMALL, 3)]).await;
    let record = studio.start(json!({})).await;
    let failed = studio
        .until(&record, "the failure", |status| {
            status["status"] == "failed"
        })
        .await;
    assert_eq!(failed["last_error"]["code"], "target_rejected");
    assert_eq!(studio.ingest.publications().len(), 3);
    assert!(!failed.to_string().contains("canary"), "{failed}");
}

/// One speaks otherwise, others say nothing more at a step: nothing is sent to them, and none holds the broadcast up for good.
#[tokio::test]
async fn target_that_is_none_at_first_is_tried_until_it_is_one() {
    let manners = [
        Manner::Foreign,
        Manner::Silent(Step::Connect),
        Manner::Silent(Step::Publish),
        Manner::Keep,
    ];
    let Some(studio) = Studio::new(manners).await else {
        return;
    };
    studio.list(&[(SMALL, 4)]).await;
    let record = studio.start(json!({ "start_with_slate": false })).await;
    let lost = async |count: usize| {
        let told = async || {
            let said = studio.messages(&record).await;
            (said.matches("target lost").count() >= count).then_some(said)
        };
        eventually("another loss", told).await
    };
    let said = lost(2).await;
    assert!(!said.contains(r#""connected""#), "{said}");
    let status = get(studio.server(), &format!("{}/status", route(&record))).await;
    assert_eq!(
        (&status["status"], &status["output"]["connected"]),
        (&json!("starting"), &json!(false))
    );
    let said = lost(3).await;
    assert!(!said.contains("canary"), "{said}");
    studio.to_the_end(&record).await;
    let all = studio.ingest.publications();
    assert_eq!(all.len(), manners.len());
    assert!(all[..3].iter().all(|one| one.media.is_empty()));
    assert_eq!(studio.flashes(&all[3]).await, 4);
}

#[tokio::test]
async fn broadcast_that_stays_in_time_repeats_nothing() {
    let Some(studio) = Studio::new([Manner::CloseAfter(100), Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 8)]).await;
    let record = studio
        .start(json!({ "resume": "live", "start_with_slate": false }))
        .await;
    studio.to_the_end(&record).await;
    let all = studio.ingest.publications();
    assert_eq!(all.len(), 2);
    let both = studio.flashes(&all[0]).await + studio.flashes(&all[1]).await;
    // The rest of the group that was cut is gone, and whatever was due before the next connection.
    assert!((5..=8).contains(&both), "{both}");
}
