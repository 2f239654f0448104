//! How often the site is asked, one after the other, before there is an answer.

use super::{ID, Site};
use crate::harness::upstream::youtube::Video;
use crate::harness::upstream::{Fault, Gate, Rule};

/// Holds the answers to requests for this path until the gate opens.
fn hold(site: &Site, path: &str) -> Gate {
    let gate = Gate::new();
    let fault = Fault::StallBeforeHead(gate.clone());
    let path = format!("/youtubei/v1/{path}");
    site.stage.world().fault(Rule::path_prefix(&path, fault));
    gate
}

/// Waits until the interface was asked `count` times, and no more.
async fn asked(site: &Site, count: usize) {
    let is_api = |target: &str| target.starts_with("/youtubei/");
    let so_far = move |traffic: &crate::harness::upstream::Traffic| {
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
