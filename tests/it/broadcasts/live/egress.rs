//! What is on air by a way out that the record names: nothing of it goes any other way.

use http::Method;
use serde_json::json;

use super::{LIST, Show, reel_in};
use crate::broadcasts::air::until;
use crate::broadcasts::{CANARY, TOKEN, ask, has_ffmpeg, made, route};
use crate::egress::Internet;
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::upstream::youtube::{Layout, Playlist, State, YouTube};
use crate::harness::upstream::{Fault, Rule, TunnelFault};

#[tokio::test]
async fn way_that_rests_is_not_replaced_by_another_for_what_is_on_air() {
    if !has_ffmpeg().await {
        return crate::harness::skip("ffmpeg", "ffmpeg is not installed");
    }
    let internet = Internet::new(&["a", "b"]).await;
    let dir = tempfile::tempdir().unwrap();
    let list = Playlist::new(LIST, Layout::Classic, 1).with_state(1, State::Live);
    let id = list.entries[0].id.clone();
    let mut show = Show::new(reel_in(dir.path(), 40, "").await);
    show.pause();
    let sites: Vec<YouTube> = internet
        .upstreams
        .iter()
        .map(|(_, upstream)| YouTube::open(&upstream.world))
        .collect();
    for youtube in &sites {
        youtube.playlist(list.clone());
        youtube.air(&id, show.clone());
    }
    let world = &internet.get("b").world;
    let ingest = Ingest::start([Manner::Keep]);
    let place = std::net::SocketAddr::from(([127, 0, 0, 1], ingest.port));
    world.tunnel_fault("ingest.example", TunnelFault::Through(place));
    let builder = internet.builder().env("BROADCAST_API_TOKEN", TOKEN);
    let server = builder.env("STREAM_TEMP_DIR", "streams").start().await;
    let record = made(
        &server,
        json!({
            "proxy": "b", "stream_source": "playlist_direct", "allow_live": true,
            "target_url": "rtmp://ingest.example/live", "stream_key": CANARY,
            "profile": {"width": 320, "height": 180, "fps": 30, "video_kbps": 300, "audio_kbps": 64,
                "preset": "ultrafast", "gop_s": 1},
        }),
    )
    .await;
    let start = format!("{}/start", route(&record));
    ask(&server, Method::POST, &start, None).await;
    until(&server, &record, "on air", |status| {
        status["now"]["source"] == "live"
    })
    .await;
    // The site turns this way away, and what it gave before is good no more.
    world.fault(Rule::path_prefix("/youtubei", Fault::RetryAfter("600")));
    sites[1].on_air(&id, Show::revoke);
    // The second one finds the way at rest.
    until(&server, &record, "two tries for new addresses", |status| {
        status["faults"]["url_refreshes"].as_u64() >= Some(2)
    })
    .await;
    let by_the_other = internet.get("a").world.records().len();
    assert_eq!(by_the_other, 0, "another way was taken");
    let stop = format!("{}/stop?wait=30", route(&record));
    ask(&server, Method::POST, &stop, None).await;
}
