//! Tokens from a provider of the operator's own.

use serde_json::Value;

use super::{ID, Site, assert_file, muxed_only, parameter};
use crate::harness::upstream::youtube::{ProviderFault, Refusal, TokenProvider, Track, Video};
use crate::harness::{Builder, link, text};

/// The clients, with little patience for a provider.
const HASTY: [(&str, &str); 2] = [
    ("ping_timeout_ms = 3000", "ping_timeout_ms = 300"),
    ("timeout_ms = 12000", "timeout_ms = 300"),
];

fn with_provider(builder: Builder, url: &str) -> Builder {
    let table = include_str!("../../../src/extract/youtube/clients.toml");
    let hasty = HASTY.iter().fold(table.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    builder
        .file("clients.toml", &hasty)
        .env("YOUTUBE_CLIENTS_FILE", "clients.toml")
        .env("YOUTUBE_POT_PROVIDER_URL", url)
}

/// A video that only WEB and the app for Android play.
fn for_web(id: &str) -> Video {
    ["VISIONOS", "TVHTML5", "WEB_EMBEDDED_PLAYER"]
        .into_iter()
        .fold(Video::new(id), |video, client| {
            video.refusing_client(client, Refusal::NotAvailable)
        })
}

fn formats(body: &Value) -> Vec<String> {
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    entries
        .iter()
        .map(|entry| text(entry, "/format_id"))
        .collect()
}

#[tokio::test]
async fn provider_opens_the_web_client() {
    let provider = TokenProvider::start().await;
    let site = Site::with(|builder| with_provider(builder, provider.url())).await;
    site.youtube.let_web_play();
    let body = site.resolve(for_web(ID)).await;
    assert!(
        formats(&body).contains(&"137".to_owned()),
        "{:?}",
        formats(&body)
    );
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    let players = site.stage.world().records().into_iter().filter(|record| {
        record.header("x-youtube-client-name") == Some("1")
            && record.target.starts_with("/youtubei/v1/player")
    });
    let asked = players.last().expect("WEB was asked");
    let visitor = asked.header("x-goog-visitor-id").expect("a visitor id");
    assert_eq!(provider.bindings(), [visitor]);
    for record in site.media_asked() {
        assert_eq!(parameter(&record, "pot"), TokenProvider::token_for(visitor));
    }
    let logs = site.stage.server.logs();
    assert!(
        !logs.contains(&TokenProvider::token_for(visitor)),
        "a token in the log"
    );
    assert!(logs.contains("token provider is there"));
    // The visitor is the same, so its token is good for the next video too.
    site.resolve(for_web("harbour0002")).await;
    assert_eq!((provider.bindings().len(), provider.pings()), (1, 1));
    site.assert_well().await;
}

#[tokio::test]
async fn provider_is_asked_directly_and_only_by_the_server_itself() {
    let provider = TokenProvider::start().await;
    let site = Site::with(|builder| with_provider(builder, provider.url())).await;
    for address in [
        provider.url().to_owned(),
        format!("{}/get_pot", provider.url()),
        format!("{}/?youtube.com/watch?v=harbour0001", provider.url()),
    ] {
        let answer = site.stage.post(&address).await;
        assert_eq!(answer.status, 400, "{address}");
    }
    assert_eq!((provider.bindings().len(), provider.pings()), (0, 0));
    site.resolve(Video::new(ID)).await;
    assert_eq!(provider.pings(), 0, "VISIONOS needs no token");
    site.youtube.let_web_play();
    site.resolve(for_web("harbour0002")).await;
    assert_eq!(provider.bindings().len(), 1);
    let tunnels = site.stage.world().look(|traffic| traffic.tunnels.clone());
    assert!(
        tunnels
            .iter()
            .all(|to| to.contains("youtube") || to.contains("google")),
        "{tunnels:?}"
    );
}

#[tokio::test]
async fn provider_that_fails_costs_its_client_and_a_warning() {
    let token = |text: &str| format!("{{\"poToken\":\"{text}\"}}");
    for fault in [
        ProviderFault::Status(500),
        ProviderFault::Status(302),
        ProviderFault::Silent,
        ProviderFault::Says("<html>".to_owned()),
        ProviderFault::Says("{}".to_owned()),
        ProviderFault::Says("{\"error\":\"BotGuard\"}".to_owned()),
        ProviderFault::Says(token("a&itag=18")),
        ProviderFault::Says(token("a b")),
        ProviderFault::Says(token(&"a".repeat(5000))),
        ProviderFault::Says(" ".repeat(100_000)),
        ProviderFault::Says("{\"poToken\":\"abc\",\"contentBinding\":\"another\"}".to_owned()),
    ] {
        let provider = TokenProvider::start().await;
        provider.fail(fault.clone());
        let site = Site::with(|builder| with_provider(builder, provider.url())).await;
        site.youtube.let_web_play();
        let body = site.resolve(for_web(ID)).await;
        assert_eq!(formats(&body), ["18"], "ANDROID stands in: {fault:?}");
        assert_file(&site.get(&link(&body, "18")).await, &Track::of(18, 213));
        let asked = (provider.bindings().len(), provider.pings());
        site.resolve(for_web("harbour0002")).await;
        let again = (provider.bindings().len(), provider.pings());
        assert_eq!(asked, again, "it is left alone: {fault:?}");
        let logs = site.stage.server.logs();
        let warnings = logs.matches("token provider gives no token").count();
        assert_eq!(warnings, 1, "{fault:?}");
        site.assert_well().await;
    }
}

#[tokio::test]
async fn provider_that_is_not_there_costs_its_client() {
    let provider = TokenProvider::start().await;
    let url = provider.url().to_owned();
    drop(provider);
    let site = Site::with(|builder| with_provider(builder, &url)).await;
    site.youtube.let_web_play();
    assert_eq!(formats(&site.resolve(for_web(ID)).await), ["18"]);
    site.assert_well().await;
}

#[tokio::test]
async fn web_client_is_passed_over_without_any_token() {
    let site = Site::new().await;
    site.youtube.let_web_play();
    assert_eq!(formats(&site.resolve(muxed_only()).await), ["18"]);
    let web = site.stage.world().records().into_iter().filter(|record| {
        record.header("x-youtube-client-name") == Some("1")
            && !record.target.contains("$fields")
            && record.target.starts_with("/youtubei/v1/player")
    });
    assert_eq!(web.count(), 0);
}

#[tokio::test]
async fn provider_address_that_is_none_is_a_fault() {
    for url in [
        "provider:4416",
        "ftp://provider",
        "http://user:canary@provider",
    ] {
        let (status, output) = Builder::offline()
            .env("YOUTUBE_POT_PROVIDER_URL", url)
            .run_to_end()
            .await;
        assert_eq!(status.code(), Some(78), "{output}");
        assert!(output.contains("  YOUTUBE_POT_PROVIDER_URL: "), "{output}");
        assert!(!output.contains("canary"), "{output}");
    }
}
