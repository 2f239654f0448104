//! What goes wrong, and is survived.

use serde_json::{Value, json};

use super::ahead::fat;
use super::{LIST, SMALL, Studio, UPRIGHT, WIDE, assert_smooth, kill};
use crate::broadcasts::{get, route};
use crate::harness::eventually;
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::upstream::youtube::{Layout, Playlist, Refusal, Video};
use crate::harness::upstream::{Fault, Gate, Rule};

/// Parts of a file after which each answer is cut.
const CUT: u64 = 20_000;

#[tokio::test]
async fn cuts_and_expired_addresses_lose_nothing() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    // The first one has more bytes than are read before it is on air.
    let list = studio.list(&[(UPRIGHT, 1), (WIDE, 6)]).await;
    // 150 kB a second: with as many cuts as a host may be asked again in that time.
    let grain = "noise=alls=6:allf=t";
    let film = super::film_with(grain, UPRIGHT, 20, studio.dir.path()).await;
    studio
        .youtube
        .video(super::video(&list.entries[0].id, film, 20));
    studio.stage.world().fault(Rule::path_prefix(
        "/videoplayback",
        Fault::Reset { at: CUT },
    ));
    let record = studio.start(json!({ "profile": fat() })).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    // Addresses that were good once are so no more.
    studio.youtube.revoke();
    studio
        .until(&record, "new addresses", |status| {
            let faults = &status["faults"];
            faults["url_refreshes"].as_u64() >= Some(1)
                && faults["upstream_resumes"].as_u64() >= Some(1)
        })
        .await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 26);
}

#[tokio::test]
async fn dead_item_is_passed_over_and_the_connection_stays() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 3), (SMALL, 3), (WIDE, 3)]).await;
    let dead = &list.entries[1].id;
    studio
        .youtube
        .video(Video::new(dead).refusing(Refusal::NotAvailable));
    let record = studio.start(json!({})).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 6);
    let items = studio.items(&record).await;
    assert_eq!(
        (&items[0]["state"], &items[2]["state"]),
        (&json!("ok"), &json!("ok"))
    );
    assert_ne!(items[1]["state"], "ok");
    assert!(items[1]["reason"].is_string());
}

#[tokio::test]
async fn lost_target_is_taken_up_again_without_a_loss() {
    let Some(studio) = Studio::new([Manner::CloseAfter(200), Manner::Keep]).await else {
        return;
    };
    studio.list(&[(WIDE, 12)]).await;
    let record = studio.start(json!({})).await;
    let status = studio.until(&record, "a second connection", |status| {
        status["faults"]["reconnects"].as_u64() >= Some(1)
    });
    status.await;
    studio.to_the_end(&record).await;
    let all = studio.ingest.publications();
    assert_eq!(all.len(), 2);
    let (before, after) = (studio.flashes(&all[0]).await, studio.flashes(&all[1]).await);
    // Sent again are the group that was cut and, while its end may be on its way, the one before: two seconds each.
    assert!(
        (12..=16).contains(&(before + after)),
        "{before} + {after} of 12"
    );
}

/// Site and target go and come back together: nothing is to be done meanwhile but to wait.
#[tokio::test]
async fn uplink_that_was_away_is_waited_for_and_nothing_is_lost() {
    let Some(mut studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let film = super::grainy_film(SMALL, 24, studio.dir.path()).await;
    let cuts = Fault::Reset { at: 200_000 };
    assert!(film.len() > 2_000_000, "{} bytes", film.len());
    studio
        .youtube
        .video(super::video(&list.entries[0].id, film, 24));
    studio.youtube.playlist(list);
    let world = studio.stage.world();
    // So that the site is needed again and again, and nothing that it has begun to send comes through its absence.
    world.fault(Rule::path_prefix("/videoplayback", cuts.clone()));
    let record = studio.start(json!({ "profile": fat() })).await;
    studio
        .until(&record, "two seconds", |status| {
            status["now"]["position_ms"].as_u64() >= Some(2_000)
        })
        .await;
    studio
        .stage
        .world()
        .fault(Rule::path_prefix("/", Fault::CloseBeforeHead));
    let port = studio.ingest.port;
    let first = std::mem::replace(&mut studio.ingest, Ingest::start([Manner::Keep]));
    let before = first.close().await;
    let away = studio.until(&record, "its absence", |status| {
        status["status"] == "reconnecting"
    });
    let position = away.await["now"]["position_ms"].as_u64();
    let path = format!("{}/logs?limit=100", route(&record));
    eventually("some tries", async || {
        let said = get(studio.server(), &path).await.to_string();
        (said.matches("target lost").count() >= 4).then_some(())
    })
    .await;
    let world = studio.stage.world();
    world.clear_faults();
    world.fault(Rule::path_prefix("/videoplayback", cuts));
    studio.ingest = Ingest::start_on(port, [Manner::Keep]);
    let back = studio.until(&record, "its return", |status| {
        status["status"] == "running"
    });
    let back = back.await["now"]["position_ms"].as_u64();
    // The group that was cut comes again.
    let again = back.map(|back| back + 2_000);
    assert!(again >= position, "{back:?} after {position:?}");
    let stopped = studio.to_the_end(&record).await;
    assert_eq!(stopped["last_error"], Value::Null);
    assert_eq!(studio.items(&record).await[0]["state"], "ok");
    let (before, after) = (&before[0], studio.only());
    let flashes = studio.flashes(before).await + studio.flashes(&after).await;
    assert!((24..=25).contains(&flashes), "{flashes} of 24");
}

#[tokio::test]
async fn killed_encoder_is_replaced_where_it_stopped() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    // Longer than what is held, so that the encoder still runs while it is watched.
    studio.list(&[(SMALL, 22)]).await;
    let record = studio.start(json!({})).await;
    let running = studio.until(&record, "an encoder on air", |status| {
        status["status"] == "running" && status["pid"].is_u64()
    });
    let pid = running.await["pid"].as_u64().unwrap();
    kill(pid).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 22);
}

#[tokio::test]
async fn encoder_killed_shortly_before_the_end_is_replaced_too() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let film = super::grainy_film(UPRIGHT, 8, studio.dir.path()).await;
    let at = film.len() as u64 * 19 / 20;
    studio
        .youtube
        .video(super::video(&list.entries[0].id, film, 8));
    studio.youtube.playlist(list);
    // All but the last picture's second comes, and the encoder waits for the rest.
    let gate = Gate::new();
    let stall = Fault::Stall {
        at,
        gate: gate.clone(),
    };
    studio
        .stage
        .world()
        .fault(Rule::path_prefix("/videoplayback", stall));
    let record = studio.start(json!({ "profile": fat() })).await;
    let waiting = studio.until(&record, "the seventh second", |status| {
        status["now"]["position_ms"].as_u64() >= Some(6000)
    });
    let pid = waiting.await["pid"].as_u64().expect("an encoder");
    studio.stage.world().clear_faults();
    kill(pid).await;
    gate.open();
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 8);
}

#[tokio::test]
async fn film_that_is_a_list_of_addresses_leads_nowhere() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 3), (SMALL, 3)]).await;
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = trap.local_addr().unwrap();
    let playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://{address}/a.ts\n#EXT-X-ENDLIST\n"
    );
    let fake = playlist.repeat(50).into_bytes();
    studio
        .youtube
        .video(super::video(&list.entries[0].id, fake.into(), 5));
    let record = studio.start(json!({})).await;
    studio.to_the_end(&record).await;
    let was_asked = tokio::time::timeout(std::time::Duration::from_millis(10), trap.accept()).await;
    assert!(was_asked.is_err(), "the address in the film was asked");
    assert_eq!(studio.flashes(&studio.only()).await, 3);
    let items = studio.items(&record).await;
    assert_eq!(items[0]["state"], "failed");
    assert_ne!(items[0]["reason"], Value::Null);
}
