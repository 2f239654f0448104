//! The choice among ways out, and that what follows stays on the one that was chosen.

use serde_json::json;

use super::{Internet, cut, download, item};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::youtube::{Video, YouTube};
use crate::harness::{TestServer, link};
use crate::observe::{figure, metrics};

async fn health(server: &TestServer) -> serde_json::Value {
    server.api().get("/health").await.json()
}

#[tokio::test]
async fn links_stay_on_the_way_that_the_extraction_took() {
    let internet = Internet::new(&["a", "b"]).await;
    let server = internet.server().await;
    for number in 0..4 {
        let body = server.api().resolve(&internet.serve(&item(number))).await;
        let before = [internet.files("a"), internet.files("b")];
        download(server.api(), &body).await;
        let after = [internet.files("a"), internet.files("b")];
        let (own, other) = if number % 2 == 0 { (0, 1) } else { (1, 0) };
        assert!(after[own] > before[own] && after[other] == before[other]);
    }
    assert_eq!([internet.pages("a"), internet.pages("b")], [2, 2], "spread");
    internet.assert_well();
    let ways = health(&server).await["egresses"].clone();
    assert_eq!(
        ways[0],
        json!({"name": "a", "kind": "proxy", "active": 0, "is_up": true, "benched": {}})
    );
    assert_eq!(ways[1]["name"], "b");
}

/// The addresses of this site answer to nobody else, and its links carry none: the site is asked again, the same way.
#[tokio::test]
async fn link_without_an_address_is_resolved_by_the_way_it_names() {
    let internet = Internet::new(&["a", "b"]).await;
    let sites = ["a", "b"].map(|name| YouTube::open(&internet.get(name).world));
    let server = internet.builder().env("CACHE_TTL", "1").start().await;
    let other = internet.server().await;
    let ids = ["mErG0zQ1egA", "mErG0zQ1egB"];
    for (turn, id) in ids.into_iter().enumerate() {
        for site in &sites {
            site.video(Video::new(id));
        }
        let url = format!("https://www.youtube.com/watch?v={id}");
        let body = server.api().resolve(&url).await;
        let path = link(&body, "140");
        let path = &path[path.find("/stream?").expect("a link")..];
        let (own, away) = if turn == 0 { ("a", "b") } else { ("b", "a") };
        let before = internet.files(away);
        assert_eq!(other.api().get(path).await.status, 200);
        assert_eq!(internet.files(away), before, "{id} stays on {own}");
    }
    internet.assert_well();
}

#[tokio::test]
async fn way_that_is_blocked_is_benched_and_its_work_done_by_another() {
    let internet = Internet::new(&["a", "b"]).await;
    let server = internet.server().await;
    let urls: Vec<String> = (10..14)
        .map(|number| internet.serve(&item(number)))
        .collect();
    internet.block("a");
    for url in &urls {
        let body = server.api().resolve(url).await;
        download(server.api(), &body).await;
    }
    let asked = internet.pages("a");
    assert!(asked >= 1, "it was tried first");
    assert_eq!(internet.files("a"), 0);
    let health = health(&server).await;
    let rest = health["egresses"][0]["benched"]["tiktok"].as_u64();
    assert!(rest.is_some_and(|rest| rest <= 30), "{health:#}");
    assert_eq!(health["egresses"][1]["benched"], json!({}));
    assert!(!health["degraded"].to_string().contains("egress"));
    server.api().resolve(&internet.serve(&item(14))).await;
    assert_eq!(internet.pages("a"), asked, "it rests");
    server.assert_logged("egress is blocked and benched").await;
}

#[tokio::test]
async fn all_ways_blocked_is_told_at_once_and_asks_nobody() {
    let internet = Internet::new(&["a", "b"]).await;
    let server = internet.server().await;
    let url = internet.serve(&item(20));
    let cached = internet.serve(&item(21));
    server.api().resolve(&cached).await;
    internet.block("a");
    internet.block("b");
    for round in 0..2 {
        let (status, headers, body) = server.api().post_tiktok(&url).await;
        assert_eq!(
            (status.as_u16(), &body["error_code"]),
            (503, &"ip_blocked".into())
        );
        let after: u64 = headers["retry-after"]
            .to_str()
            .expect("ASCII")
            .parse()
            .expect("seconds");
        assert!((1..=60).contains(&after), "round {round}: {after}");
    }
    let asked = [internet.pages("a"), internet.pages("b")];
    server.api().post_tiktok(&url).await;
    assert_eq!([internet.pages("a"), internet.pages("b")], asked);
    server.api().resolve(&cached).await;
    let health = health(&server).await;
    assert_eq!(health["status"], "ok");
    assert!(
        health["degraded"].to_string().contains("\"egress\""),
        "{health:#}"
    );
}

#[tokio::test]
async fn way_that_leads_nowhere_is_passed_over() {
    let internet = Internet::new(&["a", "b"]).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let list = format!("dead=http://127.0.0.1:{port},{}", internet.egress());
    let server = internet.builder().env("EGRESS", &list).start().await;
    cut(internet.get("a"));
    for number in 30..33 {
        let body = server.api().resolve(&internet.serve(&item(number))).await;
        download(server.api(), &body).await;
    }
    assert!(internet.files("b") > 0);
}

#[tokio::test]
async fn link_of_a_way_that_is_unknown_here_is_served_by_another() {
    let there = Internet::new(&["a"]).await;
    let here = Internet::new(&["c"]).await;
    let (first, second) = (there.server().await, here.server().await);
    let photo = Item::photo("7524919459643950041", 2);
    for (item, format) in [(item(40), "h264_720p_1490112"), (photo, "image-1")] {
        there.serve(&item);
        let url = here.serve(&item);
        // Else nobody handed the addresses out there.
        second.api().resolve(&url).await;
        let link = link(&first.api().resolve(&url).await, format);
        let at = link.find("/stream?").or_else(|| link.find("/download?"));
        let fetched = second.api().get(&link[at.expect("a link")..]).await;
        assert_eq!((fetched.status.as_u16(), fetched.is_whole), (200, true));
    }
    assert_eq!(there.files("a"), 0);
}

#[tokio::test]
async fn local_address_must_be_one_of_this_machine() {
    let internet = Internet::new(&["a"]).await;
    let (status, output) = internet
        .builder()
        .env("EGRESS", "a=127.0.0.2,b=192.0.2.9,a=direct")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    assert!(
        output.contains("EGRESS: entry 2") && output.contains("EGRESS: entry 3"),
        "{output}"
    );
    let started = internet
        .builder()
        .env("EGRESS", "a=127.0.0.2")
        .start()
        .await;
    assert_eq!(health(&started).await["egresses"][0]["kind"], "source");
}

#[tokio::test]
async fn figures_tell_of_each_way() {
    let internet = Internet::new(&["a", "b"]).await;
    let server = internet.server().await;
    let url = internet.serve(&item(40));
    internet.block("a");
    server.api().resolve(&url).await;
    server.api().resolve(&internet.serve(&item(41))).await;
    let page = metrics(server.api()).await;
    for (metric, of_a, of_b) in [
        ("egress_uses_total", "1", "2"),
        ("egress_blocks_total", "1", "0"),
        ("egress_benched_sites", "1", "0"),
        ("egress_active", "0", "0"),
        ("egress_up", "1", "1"),
    ] {
        let of = |name: &str| figure(&page, &format!("serverrs_{metric}{{egress=\"{name}\"}}"));
        let found = [of("a"), of("b")].map(|figure| figure.to_string());
        assert_eq!(found, [of_a, of_b], "{metric} in {page}");
    }
}
