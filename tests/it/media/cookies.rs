//! The session of a page at its CDN, and the operator's cookies: sent to the site, told to nobody.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use serverrs::clock::Clock;
use serverrs::config::Secret;
use serverrs::links::{LinksConfig, Purpose, Sealer};

use crate::harness::upstream::tiktok::{Item, WWW};
use crate::harness::upstream::youtube::{Video, YouTube};
use crate::harness::upstream::{Fault, Record, Rule};
use crate::harness::{KEY, Stage, address, assert_refusal, eventually, link, text, token};

const ID: &str = "7524919459643919751";
const PLAY: &str = "h264_720p_1490112";

/// A cookie file with a login cookie of this value.
fn cookie_file(login: &str) -> String {
    format!(
        "# Netscape HTTP Cookie File\n\
         .tiktok.com\tTRUE\t/\tTRUE\t4102444800\tsid_tt\t{login}\n\
         #HttpOnly_.tiktok.com\tTRUE\t/\tTRUE\t4102444800\tsessionid\t{login}-http-only\n\
         .tiktok.com\tTRUE\t/\tTRUE\t1\told\texpired-canary\n\
         .example.com\tTRUE\t/\tTRUE\t4102444800\tforeign\tforeign-canary\n"
    )
}

/// The first request for an address.
fn asked(stage: &Stage, address: &str) -> Record {
    let records = stage.world().records();
    records
        .into_iter()
        .find(|record| record.address == address)
        .expect("a request")
}

#[tokio::test]
async fn cdn_is_asked_as_the_page_was() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let url = stage.serve(&item);
    let body = stage.api().resolve(&url).await;
    assert_eq!(stage.api().get(&link(&body, PLAY)).await.status, 200);
    let (page, file) = (
        asked(&stage, &url),
        asked(&stage, &address(&item, "/video/playAddr")),
    );
    assert_eq!(page.header("cookie"), None, "a visit begins without any");
    assert_eq!(file.header("user-agent"), page.header("user-agent"));
    assert_eq!(file.header("referer"), Some("https://www.tiktok.com/"));
    assert_eq!(file.header("accept-encoding"), Some("identity"));
    let cookies = file.header("cookie").expect("cookies");
    for name in ["tt_chain_token=+/", "ttwid=1%7C", "tt_csrf_token="] {
        assert!(cookies.contains(name), "{name}: {cookies}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn visits_do_not_share_cookies() {
    let stage = Stage::new().await;
    let first = stage.resolve(&Item::video(ID)).await;
    let second = stage.resolve(&Item::video("7524919459643919752")).await;
    let pages = stage
        .world()
        .look(|traffic| traffic.to_host(WWW).cloned().collect::<Vec<_>>());
    assert!(pages.iter().all(|page| page.header("cookie").is_none()));
    for body in [second, first] {
        assert_eq!(
            stage.api().get(&link(&body, PLAY)).await.status,
            200,
            "each file with its own page's cookie"
        );
    }
    assert_eq!(
        stage.world().look(|traffic| traffic.refused.clone()),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn page_asked_by_another_browser_gives_that_browser_to_the_cdn() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let url = stage.serve(&item);
    stage
        .world()
        .fault(Rule::host(WWW, Fault::Status(502)).first(1));
    let body = stage.api().resolve(&url).await;
    stage.api().get(&link(&body, PLAY)).await;
    let pages = stage
        .world()
        .look(|traffic| traffic.to_host(WWW).cloned().collect::<Vec<_>>());
    let file = asked(&stage, &address(&item, "/video/playAddr"));
    assert_ne!(pages[0].header("user-agent"), pages[1].header("user-agent"));
    assert_eq!(file.header("user-agent"), pages[1].header("user-agent"));
}

#[tokio::test]
async fn operator_cookies_go_to_the_site_and_nowhere_else() {
    let stage = Stage::with(|builder| {
        builder
            .file(
                "cookies/www.tiktok.com_cookies.txt",
                &cookie_file("login-canary"),
            )
            .env("RUST_LOG", "trace")
    })
    .await;
    let item = Item::video(ID);
    let url = stage.serve(&item);
    let answer = stage.post(&url).await;
    let body = answer.json();
    let file = stage.api().get(&link(&body, PLAY)).await;
    assert_eq!((answer.status.as_u16(), file.status.as_u16()), (200, 200));
    for address in [url, address(&item, "/video/playAddr")] {
        let cookies = asked(&stage, &address)
            .header("cookie")
            .expect("cookies")
            .to_owned();
        assert!(cookies.contains("sid_tt=login-canary"), "{cookies}");
        assert!(
            cookies.contains("sessionid=login-canary-http-only"),
            "{cookies}"
        );
        assert!(
            !cookies.contains("expired-canary") && !cookies.contains("foreign-canary"),
            "{cookies}"
        );
    }
    stage
        .world()
        .fault(Rule::path_prefix("/", Fault::Status(403)));
    let refused = stage
        .post("https://www.tiktok.com/@a/video/7524919459643919753")
        .await;
    assert_refusal(&refused, 503, "ip_blocked");
    let broken = stage.api().get(&link(&body, PLAY)).await;
    assert!(broken.status.is_server_error());
    for told in [&answer, &file, &refused, &broken] {
        let head = format!("{:?}", told.headers);
        assert!(
            !head.contains("canary") && !String::from_utf8_lossy(&told.body).contains("canary")
        );
    }
    for link in all_tokens(&body) {
        let claims = format!("{:?}", open(&link).await);
        assert!(
            !claims.contains("canary") && !claims.contains("sid_tt"),
            "{claims}"
        );
    }
    let logs = stage.server.logs();
    assert!(
        logs.contains("extracted") && !logs.contains("canary"),
        "{logs}"
    );
}

#[tokio::test]
async fn guest_cookie_and_address_stay_out_of_the_log() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let body = stage.resolve(&item).await;
    let link = link(&body, PLAY);
    stage.api().get(&link).await;
    let cookies = asked(&stage, &address(&item, "/video/playAddr"))
        .header("cookie")
        .expect("cookies")
        .to_owned();
    let value = cookies
        .split("tt_chain_token=")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .expect("a value")
        .to_owned();
    let logs = stage.server.logs();
    for secret in [value.as_str(), token(&link), KEY, "signature=", "7d1c0ffee"] {
        assert!(!logs.contains(secret), "{secret} in {logs}");
    }
}

#[tokio::test]
async fn link_carries_the_one_guest_cookie_that_its_file_needs() {
    let stage = Stage::new().await;
    let body = stage.resolve(&Item::video(ID)).await;
    let opened = open(token(&link(&body, PLAY))).await;
    let hint = opened.hint.expect("a hint");
    assert!(hint.cookie.is_some_and(|cookie| cookie.starts_with("+/")));
    assert_eq!(
        (
            opened.site.as_str(),
            opened.id.as_str(),
            opened.format.as_str()
        ),
        ("tiktok", ID, PLAY)
    );
    assert_eq!(body["expires_at"], opened.expires_at);
    let now = Clock::System.unix_seconds();
    assert!(
        (now + 359 * 60..=now + 360 * 60).contains(&opened.expires_at),
        "360 minutes"
    );
    assert!(token(&link(&body, PLAY)).len() < 2000);
}

#[tokio::test]
async fn cookie_file_is_read_again_when_it_changes() {
    let stage = Stage::with(|builder| {
        builder
            .env("COOKIES_PATH", "jar.txt")
            .file("jar.txt", &cookie_file("first-login"))
    })
    .await;
    let url = stage.serve(&Item::video(ID));
    let request = json!({ "url": url, "no_cache": true }).to_string();
    let sent = async || {
        assert_eq!(stage.api().post("/tiktok", &request).await.status, 200);
        let last = stage.world().records().pop().expect("a request");
        last.header("cookie").unwrap_or_default().to_owned()
    };
    assert!(sent().await.contains("sid_tt=first-login"));
    let file = stage.server.dir().join("jar.txt");
    std::fs::write(&file, cookie_file("second-login")).expect("the file");
    let changed = async || Some(sent().await).filter(|cookies| !cookies.contains("first-login"));
    assert!(
        eventually("the new file is read", changed)
            .await
            .contains("sid_tt=second-login")
    );
    std::fs::remove_file(&file).expect("the file");
    let gone = async || Some(sent().await).filter(|cookies| !cookies.contains("second-login"));
    assert_eq!(eventually("the file is missed", gone).await, "");
}

/// The file is replaced by hand, by exporters and by volumes that come and go; none of it costs a login that is good.
#[tokio::test]
async fn cookie_file_that_is_half_written_or_out_of_reach_changes_nothing() {
    for (path, site) in [
        ("COOKIES_PATH", "tiktok.com"),
        ("YOUTUBE_COOKIES_PATH", "youtube.com"),
    ] {
        half_written(path, site).await;
    }
}

async fn half_written(variable: &str, site: &str) {
    let jar = |login: &str| cookie_file(login).replace(".tiktok.com", &format!(".{site}"));
    let stage = Stage::with(|builder| {
        builder
            .env(variable, "jar/jar.txt")
            .file("jar/jar.txt", &jar("first-login"))
    })
    .await;
    let page = if site == "youtube.com" {
        let youtube = YouTube::open(stage.world());
        youtube.video(Video::new("mErG0zQ1egC"));
        "https://www.youtube.com/watch?v=mErG0zQ1egC".to_owned()
    } else {
        stage.serve(&Item::video(ID))
    };
    let request = json!({ "url": page, "no_cache": true }).to_string();
    let sent = async || {
        let before = stage.world().records().len();
        stage.api().post("/resolve", &request).await;
        let records = stage.world().records().split_off(before);
        let cookies = records.iter().filter_map(|record| record.header("cookie"));
        cookies.collect::<Vec<_>>().join("; ")
    };
    assert!(sent().await.contains("sid_tt=first-login"));
    let (folder, aside) = (
        stage.server.dir().join("jar"),
        stage.server.dir().join("aside"),
    );
    let file = folder.join("jar.txt");
    let whole = jar("second-login");
    let in_a_value = whole.find("second-login-http-only").expect("a value") + 8;
    let between_fields = whole.find("\tsid_tt").expect("a name");
    let warnings = || {
        let logs = stage.server.logs();
        logs.matches("cookies not renewed").count()
    };
    let kept = async |count: usize| {
        let warned = async || {
            assert!(sent().await.contains("sid_tt=first-login"));
            (warnings() >= count).then_some(())
        };
        eventually("it is told that the old ones stay", warned).await;
        // Told once, however often it is asked.
        sent().await;
        assert_eq!(warnings(), count, "{}", stage.server.logs());
    };
    for (count, cut) in (1..).zip([in_a_value, between_fields, 0]) {
        std::fs::write(&file, &whole[..cut]).expect("the file");
        kept(count).await;
    }
    std::fs::rename(&folder, &aside).expect("the folder");
    kept(4).await;
    std::fs::rename(&aside, &folder).expect("the folder");
    std::fs::write(&file, &whole).expect("the file");
    let changed = async || Some(sent().await).filter(|sent| sent.contains("sid_tt=second-login"));
    eventually("the whole file is read", changed).await;
    assert!(!stage.server.logs().contains("-login"));
}

/// A pipe in the place of the file has nobody who writes to it; the server doesn't wait for one.
#[tokio::test]
async fn cookie_file_that_is_a_pipe_holds_nothing_up() {
    for is_there_first in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, pipe) = (folder.path().join("jar.txt"), folder.path().join("pipe"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        if is_there_first {
            std::fs::write(&file, cookie_file("first-login")).expect("the file");
        } else {
            std::fs::rename(&pipe, &file).expect("the pipe");
        }
        let path = file.to_string_lossy().into_owned();
        let mut stage = Stage::with(|builder| builder.env("COOKIES_PATH", &path)).await;
        let url = stage.serve(&Item::video(ID));
        let request = json!({ "url": url, "no_cache": true }).to_string();
        let has_login = async || {
            assert_eq!(stage.api().post("/tiktok", &request).await.status, 200);
            let last = stage.world().records().pop().expect("a request");
            let cookies = last.header("cookie").unwrap_or_default();
            cookies.contains("sid_tt=first-login")
        };
        assert_eq!(has_login().await, is_there_first);
        if is_there_first {
            std::fs::rename(&pipe, &file).expect("the pipe");
        }
        let told = async || {
            assert_eq!(has_login().await, is_there_first);
            let logs = stage.server.logs();
            logs.contains("is no regular file").then_some(())
        };
        eventually("it is told what the file is", told).await;
        stage.server.signal("TERM").await;
        assert!(stage.server.wait().await.success());
    }
}

/// Every token in a body.
fn all_tokens(body: &Value) -> Vec<String> {
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    entries
        .iter()
        .map(|entry| text(entry, "/streamData"))
        .collect()
}

/// What a token of the harness's key says.
async fn open(token: &str) -> serverrs::links::Link {
    let config = LinksConfig {
        key: Some(Secret::new(KEY.to_owned())),
        previous: Vec::new(),
        ttl: std::time::Duration::from_secs(60),
    };
    let sealer = Sealer::new(&config, Clock::System);
    sealer
        .open(Purpose::Media, token)
        .await
        .expect("a link of ours")
}
