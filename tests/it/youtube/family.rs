//! The kind of IP address: media answer only to the address that they were given to, so a host that has addresses of both
//! kinds is dialled at one of that kind. Seen from outside, in a network of the test's own.

use crate::harness::link;
use crate::harness::upstream::youtube::{Track, Video, YouTube};
use crate::ssrf::territory::Territory;

const NAME: &str =
    "youtube::family::media_are_asked_for_over_the_kind_of_address_that_they_were_given_to";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_are_asked_for_over_the_kind_of_address_that_they_were_given_to() {
    let Some(territory) = Territory::enter(NAME).await else {
        return;
    };
    let stage = &territory.stage;
    let youtube = YouTube::open(stage.world());
    let mut before = 0;
    for (id, given_to, is_v6) in [
        ("harbour0001", "192.0.2.1", false),
        ("harbour0002", "2001:db8::1", true),
        ("harbour0003", "192.0.2.7", false),
    ] {
        youtube.see_visitor_at(given_to);
        let video = Video::new(id);
        let url = video.url();
        youtube.video(video);
        let body = stage.api().resolve(&url).await;
        let whole = stage.api().get(&link(&body, "140")).await;
        assert_eq!(
            (whole.status.as_u16(), whole.is_whole),
            (200, true),
            "{given_to}"
        );
        assert_eq!(whole.sha256(), Track::of(140, 213).sha256(id));
        let reached = territory.media_reached();
        let new = &reached[before..];
        assert!(!new.is_empty(), "{given_to}: nobody came");
        assert!(
            new.iter().all(|address| address.is_ipv6() == is_v6),
            "{given_to}: {new:?}"
        );
        before = reached.len();
    }
    stage.assert_well().await;
}
