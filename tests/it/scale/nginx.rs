//! Replicas behind nginx with the sample of `deploy/`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::upstream::tiktok::{WWW, captcha};
use crate::harness::upstream::{Fault, Gate, Page, Rule, Upstream};
use crate::harness::{Api, Builder, Fetched, TestServer, eventually, fetch, link, skip};

use super::redis::free_port;
use super::serve;

const SAMPLE: &str = include_str!("../../../deploy/nginx.conf");
/// The line of the sample that names the replicas.
const SERVER: &str = "server serverrs:3021 max_fails=0;";

/// An nginx with the sample's settings in front of some replicas. It is killed when dropped.
pub(super) struct Nginx {
    _child: Child,
    _dir: TempDir,
    pub(super) api: Api,
}

/// Where nginx is; Debian keeps it out of the path of users.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join("nginx"))
        .find(|file| file.is_file())
}

/// The sample, for these replicas and in this folder.
fn config(replicas: &[&TestServer], port: u16, dir: &Path) -> String {
    let servers: Vec<String> = replicas
        .iter()
        .map(|replica| {
            let address = replica.base().trim_start_matches("http://");
            SERVER.replace("serverrs:3021", address)
        })
        .collect();
    let changes = [
        (SERVER, servers.join("\n")),
        ("listen 8080;", format!("listen 127.0.0.1:{port};")),
        ("/tmp/", format!("{}/", dir.display())),
        (
            "worker_connections 16384;",
            "worker_connections 512;".to_owned(),
        ),
    ];
    changes
        .iter()
        .fold(SAMPLE.to_owned(), |text, (part, other)| {
            assert!(text.contains(part), "the sample has no `{part}`");
            text.replace(part, other)
        })
}

impl Nginx {
    pub(super) async fn start(replicas: &[&TestServer]) -> Option<Self> {
        let Some(program) = program() else {
            skip("nginx", "nginx is not installed");
            return None;
        };
        let dir = TempDir::new().expect("a folder");
        let port = free_port();
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, config(replicas, port, dir.path())).expect("a file");
        let child = Command::new(program)
            .arg("-c")
            .arg(&file)
            // One process, so that its end is the end of all.
            .args(["-g", "daemon off; master_process off;"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx");
        eventually("nginx listens", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Some(Self {
            _child: child,
            _dir: dir,
            api: Api::new(&format!("http://127.0.0.1:{port}")),
        })
    }
}

/// Path and query of a link to media.
pub(super) fn path_of(link: &str) -> &str {
    &link[link.find("/stream?").expect("a link")..]
}

#[tokio::test]
async fn link_of_one_replica_is_served_by_the_other() {
    let upstream = Upstream::start().await;
    let first = TestServer::start(&upstream).await;
    let second = TestServer::start(&upstream).await;
    let Some(nginx) = Nginx::start(&[&first, &second]).await else {
        return;
    };
    let body = first.api().resolve(&serve(&upstream, 1000)).await;
    let path = link(&body, "h264_720p_1490112");
    let (status, _) = first.stop().await;
    assert!(status.success());
    // Whichever of the two nginx turns to first.
    for _ in 0..4 {
        let fetched = nginx.api.get(path_of(&path)).await;
        assert_eq!((fetched.status.as_u16(), fetched.is_whole), (200, true));
        let part = nginx.api.get_range(path_of(&path), "bytes=10-19").await;
        assert_eq!((part.status.as_u16(), part.body.len()), (206, 10));
    }
}

/// A replica whose address the site turns away says so by 503, and nginx asks the next one, for POST too.
#[tokio::test]
async fn replica_that_is_blocked_is_passed_over() {
    let (blocked, free) = (Upstream::start().await, Upstream::start().await);
    let way = |upstream: &Upstream| {
        Builder::new(upstream)
            .without("PROXY")
            .env("EGRESS", &format!("own={}", upstream.proxy_url()))
    };
    let (first, second) = (way(&blocked).start().await, way(&free).start().await);
    let Some(nginx) = Nginx::start(&[&first, &second]).await else {
        return;
    };
    let urls: Vec<String> = (1100..1112).map(|number| serve(&free, number)).collect();
    blocked
        .world
        .page(Page::new(WWW, "/*/*/*", vec![captcha()]));
    for url in &urls {
        for route in ["/tiktok", "/resolve"] {
            let body = serde_json::json!({ "url": url }).to_string();
            let answer = nginx.api.post(route, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.json());
        }
    }
    let asked = |upstream: &Upstream| upstream.world.look(|traffic| traffic.to_host(WWW).count());
    assert!(asked(&blocked) >= 1, "it was asked, and said no");
    assert_eq!(asked(&free), urls.len());
    let told = first.logs().matches(" status=503 ").count();
    assert!(told > 1, "it went on saying no at once: {}", first.logs());
}

/// One request that nginx may send again, which must be answered. Returns whether the answer came whole.
async fn ask(api: &Api, is_post: bool, url: &str, path: &str) -> bool {
    let answer = if is_post {
        let body = serde_json::json!({ "url": url }).to_string();
        api.post("/tiktok", &body).await
    } else {
        api.head(path).await
    };
    assert_eq!(answer.status, 200);
    if is_post && answer.is_whole {
        assert_eq!(answer.json()["status"], "tunnel");
    }
    answer.is_whole
}

/// What nginx may send again is not lost when a replica dies. An answer of 16 KB goes out in two parts, of which one may
/// have come: then it is cut for all to see, and asked again it is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_that_is_killed_under_load_loses_no_request() {
    let upstream = Upstream::start().await;
    let mut first = TestServer::start(&upstream).await;
    let second = TestServer::start(&upstream).await;
    let Some(nginx) = Nginx::start(&[&first, &second]).await else {
        return;
    };
    let url = serve(&upstream, 1200);
    let body = first.api().resolve(&url).await;
    let path = path_of(&link(&body, "h264_720p_1490112")).to_owned();
    second.api().resolve(&url).await;
    let [done, cut] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (api, url, path) = (nginx.api.clone(), url.clone(), path.clone());
        let (done, cut) = (Arc::clone(&done), Arc::clone(&cut));
        clients.spawn(async move {
            for _ in 0..40 {
                let is_post = number % 2 == 0;
                let is_whole = ask(&api, is_post, &url, &path).await;
                cut.fetch_add(usize::from(!is_whole), Ordering::SeqCst);
                assert!(
                    is_whole || ask(&api, is_post, &url, &path).await,
                    "cut again"
                );
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    eventually("the load runs", async || {
        (done.load(Ordering::SeqCst) >= 80).then_some(())
    })
    .await;
    first.signal("KILL").await;
    first.wait().await;
    let before = done.load(Ordering::SeqCst);
    assert!(before < 320, "the load was over too soon");
    clients.join_all().await;
    let cut = cut.load(Ordering::SeqCst);
    assert!(cut <= 4, "{cut} were cut, of four posts at a time");
}

/// A post that a replica was working on when it died is done by another: that it isn't idempotent is no reason to lose
/// it (`non_idempotent` in the sample). What had begun to arrive is cut, and the client resumes it.
#[tokio::test]
async fn post_under_way_at_a_replica_that_is_killed_is_done_by_another() {
    let upstream = Upstream::start().await;
    let mut replicas = vec![
        TestServer::start(&upstream).await,
        TestServer::start(&upstream).await,
    ];
    let Some(nginx) = Nginx::start(&[&replicas[0], &replicas[1]]).await else {
        return;
    };
    let url = serve(&upstream, 1250);
    let gate = Gate::new();
    upstream
        .world
        .fault(Rule::host(WWW, Fault::StallBeforeHead(gate)).nth(1));
    let (api, asked) = (nginx.api.clone(), url.clone());
    let posted = crate::harness::spawn(async move { api.resolve(&asked).await });
    upstream
        .world
        .wait_for("the page is asked for", |traffic| {
            !traffic.records.is_empty()
        })
        .await;
    let mut at_work = None;
    for (place, replica) in replicas.iter().enumerate() {
        let health = replica.api().get("/health").await.json();
        if health["workers"]["active"] == 1 {
            at_work = Some(place);
        }
    }
    let mut lost = replicas.remove(at_work.expect("one works"));
    lost.signal("KILL").await;
    lost.wait().await;
    let body = posted.await.expect("a request");
    assert_eq!(body["status"], "tunnel");
    let pages = upstream.world.look(|traffic| traffic.to_host(WWW).count());
    assert_eq!(pages, 2, "each replica asked once");
    let path = link(&body, "h264_720p_1490112");
    let fetched = nginx.api.get(path_of(&path)).await;
    assert_eq!((fetched.status.as_u16(), fetched.is_whole), (200, true));
}

/// What nginx answers itself has the shape of every other error.
#[tokio::test]
async fn errors_of_nginx_are_those_of_the_api() {
    let upstream = Upstream::start().await;
    let replica = TestServer::start(&upstream).await;
    let Some(nginx) = Nginx::start(&[&replica]).await else {
        return;
    };
    let long = "x".repeat(70_000);
    let expect = |answer: &Fetched, status: u16, word: &str| {
        let body = answer.json();
        assert_eq!(answer.status.as_u16(), status, "{body:#}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(body["error_code"], word);
        assert_eq!(body["code"], status);
        assert_eq!(body["success"], false);
        for name in ["error", "message", "detail", "request_id"] {
            assert_ne!(body[name].as_str().unwrap_or_default(), "", "{name}");
        }
    };
    let body = serde_json::json!({ "url": long }).to_string();
    expect(
        &nginx.api.post("/tiktok", &body).await,
        413,
        "body_too_large",
    );
    let address = format!("/stream?data={}", &long[..17_000]);
    expect(&nginx.api.get(&address).await, 414, "target_too_long");
    expect(&nginx.api.get("/metrics").await, 404, "route_not_found");
    replica.stop().await;
    for route in ["/health", "/stream?data=x"] {
        let answer = nginx.api.get(route).await;
        expect(&answer, 503, "busy");
        assert_ne!(answer.header("retry-after"), "");
    }
}

/// A client can't be somebody else by a header of its own.
#[tokio::test]
async fn client_that_names_itself_is_counted_by_its_address() {
    let upstream = Upstream::start().await;
    let replica = Builder::new(&upstream)
        .env("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")
        .env("RATE_LIMIT_PER_MINUTE", "2")
        .start()
        .await;
    let Some(nginx) = Nginx::start(&[&replica]).await else {
        return;
    };
    let body = serde_json::json!({ "url": serve(&upstream, 1350) }).to_string();
    let mut statuses = Vec::new();
    for number in 1..=4 {
        let request = nginx
            .api
            .request(Method::POST, "/tiktok")
            .header("content-type", "application/json")
            .header("x-forwarded-for", format!("203.0.113.{number}, 10.0.0.1"))
            .body(body.clone());
        statuses.push(fetch(request).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
}

/// Downloads of one address at once are bounded, for the replicas see one client alone: nginx.
#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let upstream = Upstream::start().await;
    let replica = TestServer::start(&upstream).await;
    let Some(nginx) = Nginx::start(&[&replica]).await else {
        return;
    };
    let body = replica.api().resolve(&serve(&upstream, 1360)).await;
    let path = path_of(&link(&body, "h264_720p_1490112")).to_owned();
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: 1000,
        gate: gate.clone(),
    };
    upstream
        .world
        .fault(Rule::parameter("mime_type", "video_mp4", stall).besides_tail());
    let mut held = Vec::new();
    for _ in 0..100 {
        let answer = nginx.api.request(Method::GET, &path).send();
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 200);
        held.push(answer);
    }
    let refused = nginx.api.get(&path).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error_code"], "rate_limited");
    gate.open();
}

#[tokio::test]
async fn bad_posts_take_no_replica_out() {
    let upstream = Upstream::start().await;
    let first = TestServer::start(&upstream).await;
    let second = TestServer::start(&upstream).await;
    let Some(nginx) = Nginx::start(&[&first, &second]).await else {
        return;
    };
    // A page that can't be read: 502 from each replica in turn.
    let broken = Page::new(
        WWW,
        "/*/*/*",
        vec![crate::harness::upstream::Answer::html("<html>")],
    );
    upstream.world.page(broken);
    for number in 0..8_u64 {
        let url = format!(
            "https://{WWW}/@x/video/{}",
            7_524_919_459_643_970_000 + number
        );
        let body = serde_json::json!({ "url": url }).to_string();
        let answer = nginx.api.post("/tiktok", &body).await;
        assert!(answer.status.is_server_error(), "{}", answer.status);
        assert!(
            answer.json()["error_code"].is_string(),
            "the API's own error"
        );
    }
    let good = serve(&upstream, 1300);
    nginx.api.resolve(&good).await;
}
