//! Links at a process that knows nothing of the post: the hint inside, and without one the site.

use std::time::Duration;

use serverrs::clock::Clock;
use serverrs::config::Secret;
use serverrs::links::{Hint, Kind, Link, LinksConfig, Purpose, Sealer};

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{KEY, Stage, TestServer, address, assert_refusal, link};

const ID: &str = "7524919459643919771";
const PLAY: &str = "h264_720p_1490112";

/// A link to a format of [`ID`], without hint.
fn reference(format: &str, kind: Kind) -> Link {
    Link {
        expires_at: Clock::System.unix_seconds() + 600,
        site: "tiktok".to_owned(),
        id: ID.to_owned(),
        format: format.to_owned(),
        track: None,
        kind,
        author: "somebody".to_owned(),
        extension: "mp4".to_owned(),
        index: None,
        egress: None,
        hint: None,
    }
}

/// The path of a link under the harness's key.
async fn sealed(link: &Link) -> String {
    let config = LinksConfig {
        key: Some(Secret::new(KEY.to_owned())),
        previous: Vec::new(),
        ttl: Duration::from_secs(600),
    };
    let token = Sealer::new(&config, Clock::System)
        .seal(Purpose::Media, link)
        .await;
    format!("/stream?data={token}")
}

/// The same link at another server.
fn at(link: &str) -> &str {
    &link[link.find("/stream?").expect("a stream link")..]
}

#[tokio::test]
async fn second_process_serves_by_the_hint_without_asking_the_page() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    let second = TestServer::start(&stage.upstream).await;
    let answer = second.api().get(at(&link)).await;
    assert_eq!(
        answer.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
    let part = second.api().get_range(at(&link), "bytes=-10").await;
    assert_eq!(
        (part.status.as_u16(), part.header("content-range")),
        (206, "bytes 600001-600010/600011")
    );
    assert_eq!(stage.pages_asked(), 1, "only the first process asked");
    assert_eq!(
        stage.world().look(|traffic| traffic.refused.clone()),
        Vec::<String>::new()
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn hint_that_fails_is_replaced_by_a_fresh_page_once() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    let second = TestServer::start(&stage.upstream).await;
    let hinted = address(&item, "/video/playAddr");
    stage
        .world()
        .fault(Rule::address(&hinted, Fault::Status(403)).first(1));
    let answer = second.api().get(at(&link)).await;
    assert_eq!(
        answer.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
    assert_eq!(stage.pages_asked(), 2);
    second.api().get(at(&link)).await;
    assert_eq!(stage.pages_asked(), 2, "now it is cached there too");
    stage.assert_well().await;
}

#[tokio::test]
async fn link_without_a_hint_asks_the_site() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    stage.serve(&item);
    let answer = stage
        .api()
        .get(&sealed(&reference(PLAY, Kind::Video)).await)
        .await;
    assert_eq!(
        answer.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
    assert_eq!(answer.header("x-filename"), "somebody.mp4");
    assert_eq!(stage.pages_asked(), 1);
    stage.assert_well().await;
}

#[tokio::test]
async fn format_that_never_was_gives_the_nearest_of_its_kind() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    stage.serve(&item);
    let video = stage
        .api()
        .get(&sealed(&reference("h264_999p_1", Kind::Video)).await)
        .await;
    assert_eq!(
        video.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
    let sound = stage
        .api()
        .get(&sealed(&reference("voice", Kind::Audio)).await)
        .await;
    assert_eq!(
        sound.sha256(),
        stage.file(&item, "/music/playUrl").payload.sha256()
    );
    for (format, kind) in [
        ("image-1", Kind::Image),
        ("image-0", Kind::Image),
        ("x", Kind::Image),
    ] {
        assert_refusal(
            &stage
                .api()
                .get(&sealed(&reference(format, kind)).await)
                .await,
            404,
            "format_not_found",
        );
    }
    stage.assert_well().await;
    for kind in [Kind::Slideshow, Kind::Archive] {
        let made = sealed(&reference("x", kind)).await;
        assert_refusal(&stage.api().get(&made).await, 400, "not_image_post");
    }
}

#[tokio::test]
async fn hint_that_leads_elsewhere_is_not_dialled() {
    let stage = Stage::new().await;
    for (number, url) in [
        "https://evil.example/x.mp4",
        "http://127.0.0.1:9/x.mp4",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://user@v16-webapp-prime.tiktok.com/x",
        "https://v16-webapp-prime.tiktok.com:8443/x",
        "file:///etc/passwd",
        "no address",
    ]
    .into_iter()
    .enumerate()
    {
        let link = Link {
            id: format!("75249194596439{number:05}"),
            hint: Some(Hint {
                url: url.to_owned(),
                cookie: None,
            }),
            ..reference(PLAY, Kind::Video)
        };
        let answer = stage.api().get(&sealed(&link).await).await;
        assert_refusal(&answer, 502, "upstream_error");
    }
    assert_eq!(
        stage.world().look(|traffic| traffic.tunnels.clone()),
        Vec::<String>::new()
    );
    stage.assert_well().await;
}
