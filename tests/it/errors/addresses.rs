//! Addresses that are refused before anything is dialled.

use crate::harness::{Stage, assert_refusal};

async fn assert_refused(stage: &Stage, urls: &[&str], codes: &[&str]) {
    for url in urls {
        let answer = stage.post(url).await;
        let code = answer.json()["error_code"]
            .as_str()
            .expect("a code")
            .to_owned();
        assert!(codes.contains(&code.as_str()), "{url}: {code}");
        let body = assert_refusal(&answer, 400, &code);
        let told = body.to_string();
        assert!(
            !told.contains("evil") && !told.contains("tiktok.com"),
            "{url} comes back in {told}"
        );
    }
    let dialled = stage.world().look(|traffic| {
        (
            traffic.tunnels.len(),
            traffic.records.len(),
            traffic.open_connections,
        )
    });
    assert_eq!(dialled, (0, 0, 0), "something was dialled");
    stage.assert_well().await;
}

#[tokio::test]
async fn other_hosts_are_named_unsupported() {
    let stage = Stage::new().await;
    let urls = [
        "https://invalid.com",
        "https://example.com/@user/video/7524919459643919801",
        "https://evil.example/?tiktok.com",
        "https://evil.example/www.tiktok.com/@user/video/7524919459643919801",
        "https://evil.example/#https://www.tiktok.com/@user/video/7524919459643919801",
        "https://tiktok.com.evil.example/@user/video/7524919459643919801",
        "https://nottiktok.com/@user/video/7524919459643919801",
        "https://tiktok.co/@user/video/7524919459643919801",
        "https://www-tiktok.com/@user/video/7524919459643919801",
        "https://tikt\u{43e}k.com/@user/video/7524919459643919801",
        "https://ｗｗｗ.tiktok.com.evil.example/",
        "https://vm.tiktok.com.evil.example/ZMabc/",
        "https://youtube.evil.example/watch?v=dQw4w9WgXcQ",
        "https://evil.example\\@www.tiktok.com/@user/video/7524919459643919801",
    ];
    for url in urls {
        let message = stage.post(url).await.json()["message"].clone();
        let start = "Only TikTok and Douyin URLs are supported";
        assert!(
            message
                .as_str()
                .is_some_and(|message| message.starts_with(start)),
            "{url}: {message}"
        );
    }
    assert_refused(&stage, &urls, &["unsupported_host"]).await;
}

#[tokio::test]
async fn addresses_into_our_own_network_are_refused() {
    let stage = Stage::new().await;
    let urls = [
        "http://127.0.0.1/?tiktok.com",
        "http://127.0.0.1:8080/?tiktok.com",
        "http://127.0.0.1/www.tiktok.com/@user/video/7524919459643919801",
        "http://localhost/@user/video/7524919459643919801",
        "http://[::1]/@user/video/7524919459643919801",
        "http://[::ffff:127.0.0.1]/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/",
        "https://192.168.0.1./",
    ];
    assert_refused(&stage, &urls, &["bad_url", "unsupported_host"]).await;
}

#[tokio::test]
async fn addresses_in_a_form_that_no_site_uses_are_bad() {
    let stage = Stage::new().await;
    let urls = [
        "hello",
        "hello world",
        "://",
        "https://",
        "http:/www.tiktok.com/",
        "ftp://www.tiktok.com/@user/video/7524919459643919801",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,https",
        "https://user@www.tiktok.com/@user/video/7524919459643919801",
        "https://user:secret@www.tiktok.com/@user/video/7524919459643919801",
        "https://www.tiktok.com@evil.example/",
        "https://www.tiktok.com:8443/@user/video/7524919459643919801",
        "http://www.tiktok.com:443/@user/video/7524919459643919801",
        "https://www.tiktok.com:99999/",
        "https://www.tiktok.com/",
        "https://www.tiktok.com/@user/video/",
        "https://www.tiktok.com/@user/video/123",
        "https://www.tiktok.com/@user/video/75249194596439198017524919459643919801",
        "https://www.tiktok.com/@user/video/7524919459643919x01",
        "https://www.tiktok.com/@user/video/%37524919459643919801/more",
        "https://vm.tiktok.com/",
        "https://vm.tiktok.com/%2e%2e%2f",
        "https://www.douyin.com/video/1",
    ];
    assert_refused(
        &stage,
        &urls,
        &["bad_url", "unsupported_url", "unsupported_host"],
    )
    .await;
    let endless = format!(
        "https://www.tiktok.com/@user/video/7524919459643919801?{}",
        "a".repeat(20_000)
    );
    assert_refused(&stage, &[&endless], &["bad_url"]).await;
}

#[tokio::test]
async fn pages_that_are_no_post_say_what_is_accepted() {
    let stage = Stage::new().await;
    let profiles = [
        "https://www.tiktok.com/@user",
        "https://www.tiktok.com/@user?lang=en",
        "https://www.tiktok.com/@user/playlist/list-7524919459643919801",
        "https://www.tiktok.com/tag/sea",
        "https://www.tiktok.com/music/Sea-song-7000000000000000001",
        "https://www.tiktok.com/search?q=sea",
        "https://www.tiktok.com/foryou",
        "https://www.douyin.com/user/MS4wLjABAAAA",
    ];
    assert_refused(&stage, &profiles, &["unsupported_url"]).await;
    let live = [
        "https://www.tiktok.com/@user/live",
        "https://www.tiktok.com/live",
        "https://live.douyin.com/123",
    ];
    assert_refused(&stage, &live, &["live_unsupported"]).await;
}
