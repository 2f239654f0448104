//! Redirects of media: followed inside the CDN, refused outside, never dialled there.

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Media, Rule};
use crate::harness::{Stage, assert_refusal, link};

const PLAY: &str = "h264_720p_1490112";

/// Sends everything under `/video/` of a post on to `to`.
async fn moved(stage: &Stage, id: &str, to: &str) -> String {
    let link = link(&stage.resolve(&Item::video(id)).await, PLAY);
    stage.world().clear_faults();
    let redirect = Fault::Redirect {
        status: 302,
        to: to.to_owned(),
    };
    stage
        .world()
        .fault(Rule::path_prefix("/video/tos/", redirect));
    link
}

#[tokio::test]
async fn redirect_inside_the_cdn_is_followed() {
    let stage = Stage::new().await;
    let target = "https://v16m.tiktokcdn.com/elsewhere/file.mp4?a=1&&b=%7C";
    let media = Media::random(5, 90_001, "video/mp4");
    stage.world().media(target, media.clone());
    stage.world().hand_out(target);
    let link = moved(&stage, "7524919459643919781", target).await;
    let answer = stage.api().get(&link).await;
    assert_eq!(
        (answer.status.as_u16(), answer.sha256()),
        (200, media.payload.sha256())
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn redirect_outside_is_refused_and_not_dialled() {
    let stage = Stage::new().await;
    for (number, target) in [
        "https://evil.example/file.mp4",
        "https://tiktokcdn.com.evil.example/file.mp4",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://v16-webapp-prime.tiktok.com/video/plain.mp4",
        "https://v16-webapp-prime.tiktok.com:8080/video/port.mp4",
        "https://user:pass@v16-webapp-prime.tiktok.com/video/user.mp4",
        "file:///etc/passwd",
        "//evil.example/file.mp4",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let link = moved(&stage, &format!("75249194596438{number:05}"), target).await;
        assert_refusal(&stage.api().get(&link).await, 502, "upstream_error");
    }
    let foreign: Vec<String> = stage.world().look(|traffic| {
        let is_foreign = |tunnel: &&String| !tunnel.ends_with(".tiktok.com:443");
        traffic.tunnels.iter().filter(is_foreign).cloned().collect()
    });
    assert_eq!(foreign, Vec::<String>::new());
    let plain = stage
        .world()
        .records()
        .into_iter()
        .filter(|record| record.address.starts_with("http://"))
        .count();
    assert_eq!(plain, 0);
    stage.assert_well().await;
}

#[tokio::test]
async fn redirects_without_end_are_given_up() {
    let stage = Stage::new().await;
    let link = moved(&stage, "7524919459643919783", "/video/tos/again").await;
    for host in ["v16-webapp-prime", "v19-webapp-prime"] {
        let again = format!("https://{host}.tiktok.com/video/tos/again");
        stage
            .world()
            .media(&again, Media::random(5, 9, "video/mp4"));
    }
    assert_refusal(&stage.api().get(&link).await, 502, "upstream_error");
    assert!(stage.world().records().len() < 50);
    stage.assert_well().await;
}
