//! How often the site is asked, one after the other, before there is an answer.

use super::{ID, Site};
use crate::harness::skip;
use crate::harness::upstream::youtube::{Video, joinable_tracks_without_tail};
use crate::harness::upstream::{Fault, Gate, Rule, Traffic};

/// Holds the answers to requests for this path until the gate opens.
fn hold(site: &Site, path: &str) -> Gate {
    hold_all(site, &format!("/youtubei/v1/{path}"))
}

/// Holds the answers to requests for everything that begins so until the gate opens.
fn hold_all(site: &Site, prefix: &str) -> Gate {
    let gate = Gate::new();
    let fault = Fault::StallBeforeHead(gate.clone());
    site.stage.world().fault(Rule::path_prefix(prefix, fault));
    gate
}

/// Waits until the interface was asked `count` times, and no more.
async fn asked(site: &Site, count: usize) {
    let is_api = |target: &str| target.starts_with("/youtubei/");
    let so_far = move |traffic: &Traffic| {
        let all = traffic
            .records
            .iter()
            .filter(|record| is_api(&record.target));
        all.count() == count
    };
    site.stage
        .world()
        .wait_for("requests to the interface", so_far)
        .await;
}

#[tokio::test]
async fn first_video_takes_two_round_trips_and_the_next_one_takes_one() {
    let site = Site::new().await;
    let [visitors, players] = ["visitor_id", "player"].map(|path| hold(&site, path));
    let first = async {
        // Everything of the first round is asked for while none of it is answered; so is everything of the second.
        asked(&site, 2).await;
        visitors.open();
        asked(&site, 4).await;
        players.open();
    };
    let (body, ()) = tokio::join!(site.resolve(Video::new(ID)), first);
    assert_eq!(body["id"], ID);
    asked(&site, 4).await;

    site.stage.world().clear_faults();
    let players = hold(&site, "player");
    let second = async {
        asked(&site, 6).await;
        players.open();
    };
    let (body, ()) = tokio::join!(site.resolve(Video::new("harbour0002")), second);
    assert_eq!(body["id"], "harbour0002");
    asked(&site, 6).await;
    site.assert_well().await;
}

#[tokio::test]
async fn video_of_two_tracks_is_told_with_its_length_in_two_round_trips() {
    let Some(tracks) = joinable_tracks_without_tail().await else {
        return skip("ffmpeg", "there is none that makes the tracks");
    };
    let site = Site::new().await;
    // By now the visitor is known.
    site.resolve(Video::new("harbour0002").with_tracks(Vec::from(tracks.clone())))
        .await;
    asked(&site, 4).await;
    let media = |traffic: &Traffic| {
        let records = traffic.records.iter();
        records
            .filter(|record| record.target.starts_with("/videoplayback"))
            .count()
    };
    let before = site.stage.world().look(media);
    let [players, files] =
        ["/youtubei/v1/player", "/videoplayback"].map(|prefix| hold_all(&site, prefix));
    let trips = async {
        asked(&site, 6).await;
        assert_eq!(site.stage.world().look(media), before);
        players.open();
        // The indices of both tracks are asked for while none has come.
        let both = move |traffic: &Traffic| media(traffic) == before + 2;
        site.stage
            .world()
            .wait_for("the indices of both", both)
            .await;
        files.open();
    };
    let video = Video::new(ID).with_tracks(Vec::from(tracks));
    let (body, ()) = tokio::join!(site.resolve(video), trips);
    let first = &body["data"]["video_data"][0];
    assert_eq!(
        (&first["merged"], first["filesize"].is_u64()),
        (&true.into(), true),
        "{first:#}"
    );
    asked(&site, 6).await;
    assert_eq!(
        site.stage.world().look(media),
        before + 2,
        "nothing more was read"
    );
    site.assert_well().await;
}
