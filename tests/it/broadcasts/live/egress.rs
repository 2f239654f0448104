//! What is on air by a way out that the record names: nothing of it goes any other way.

use http::Method;
use serde_json::json;

use super::{LIST, Show, reel_in};
use crate::broadcasts::abroad::Abroad;
use crate::broadcasts::air::until;
use crate::broadcasts::{ask, route};
use crate::harness::upstream::youtube::{Layout, Playlist, State};
use crate::harness::upstream::{Fault, Rule};

#[tokio::test]
async fn way_that_rests_is_not_replaced_by_another_for_what_is_on_air() {
    let list = Playlist::new(LIST, Layout::Classic, 1).with_state(1, State::Live);
    let Some(abroad) = Abroad::new(&["a", "b"], list).await else {
        return;
    };
    let mut show = Show::new(reel_in(abroad.dir.path(), 40, "").await);
    show.pause();
    let sites = abroad.sites();
    for (_, youtube) in &sites {
        youtube.playlist(abroad.list.clone());
        youtube.air(abroad.id(), show.clone());
    }
    let fields = json!({ "allow_live": true });
    let (server, record) = abroad.start(|builder| builder, fields).await;
    until(&server, &record, "on air", |status| {
        status["now"]["source"] == "live"
    })
    .await;
    // The site turns this way away, and what it gave before is good no more.
    let away = Fault::RetryAfter("600");
    abroad.world().fault(Rule::path_prefix("/youtubei", away));
    sites[1].1.on_air(abroad.id(), Show::revoke);
    // The second one finds the way at rest.
    until(&server, &record, "two tries for new addresses", |status| {
        status["faults"]["url_refreshes"].as_u64() >= Some(2)
    })
    .await;
    abroad.assert_no_other_way();
    let stop = format!("{}/stop?wait=30", route(&record));
    ask(&server, Method::POST, &stop, None).await;
}
