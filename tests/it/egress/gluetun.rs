//! A VPN whose control server is told to take another address when the site turns us away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::{Internet, item};
use crate::harness::upstream::Page;
use crate::harness::upstream::tiktok::{WWW, captcha};
use crate::harness::{Stage, TestServer, eventually};
use crate::observe::{figure, metrics};

/// What the control server does and has seen.
#[derive(Debug, Default)]
struct Control {
    /// The line of a head that proves who asks.
    wants: String,
    seen: Vec<String>,
    is_running: bool,
    address: u8,
    is_stuck: bool,
    /// Whether it can't be started.
    fails: bool,
}

/// A control server as gluetun's: two words at one path, and the public address at another.
struct Gluetun {
    control: Arc<Mutex<Control>>,
    url: String,
    _task: AbortOnDropHandle<()>,
}

const AUTHORIZATION: &str = "authorization: Basic b3BlcmF0b3I6aHVudGVyMg==";

impl Gluetun {
    async fn start() -> Self {
        Self::guarded_by(AUTHORIZATION).await
    }

    /// One that wants this line in every request.
    async fn guarded_by(line: &str) -> Self {
        let control = Arc::new(Mutex::new(Control {
            wants: line.to_owned(),
            is_running: true,
            address: 1,
            ..Control::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::clone(&control);
        let task = crate::harness::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let control = Arc::clone(&shared);
                crate::harness::spawn(async move { serve(stream, &control).await });
            }
        });
        Self {
            control,
            url,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn control(&self) -> std::sync::MutexGuard<'_, Control> {
        self.control.lock().expect("control")
    }

    /// The changes of state that were asked for.
    fn changes(&self) -> Vec<String> {
        let control = self.control();
        let changes = control.seen.iter().filter(|line| line.starts_with("PUT"));
        changes.cloned().collect()
    }
}

/// One request; each connection carries one.
async fn serve(stream: TcpStream, control: &Mutex<Control>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let wanted = control.lock().expect("control").wants.clone();
    let (mut first, mut length, mut is_authorized) = (String::new(), 0, false);
    stream.read_line(&mut first).await.ok()?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        is_authorized |= line == wanted;
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    let request = first.strip_suffix(" HTTP/1.1\r\n")?;
    let (status, answer) = control
        .lock()
        .expect("control")
        .answer(request, &body, is_authorized);
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()
}

impl Control {
    fn answer(&mut self, request: &str, body: &str, is_authorized: bool) -> (&'static str, String) {
        self.seen.push(format!("{request} {body}"));
        if !is_authorized {
            return ("401 Unauthorized", String::new());
        }
        match (request, body) {
            ("GET /v1/vpn/status", "") => {
                let word = if self.is_running {
                    "running"
                } else {
                    "stopped"
                };
                ("200 OK", format!(r#"{{"status":"{word}"}}"#))
            }
            ("GET /v1/publicip/ip", "") => {
                let address = if self.is_running {
                    format!("203.0.113.{}", self.address)
                } else {
                    String::new()
                };
                (
                    "200 OK",
                    format!(r#"{{"public_ip":"{address}","country":"x"}}"#),
                )
            }
            ("PUT /v1/vpn/status", r#"{"status":"stopped"}"#) => {
                self.is_running = false;
                ("200 OK", r#"{"outcome":"stopped"}"#.to_owned())
            }
            ("PUT /v1/vpn/status", r#"{"status":"running"}"#) if self.fails => {
                ("500 Internal Server Error", String::new())
            }
            ("PUT /v1/vpn/status", r#"{"status":"running"}"#) => {
                self.is_running = !self.is_stuck;
                self.address += 1;
                ("200 OK", r#"{"outcome":"running"}"#.to_owned())
            }
            _ => ("400 Bad Request", String::new()),
        }
    }
}

async fn stage(gluetun: &Gluetun) -> Stage {
    Stage::with(|server| {
        server
            .env("GLUETUN_CONTROL_URL", &gluetun.url)
            .env("GLUETUN_USERNAME", "operator")
            .env("GLUETUN_PASSWORD", "hunter2")
    })
    .await
}

/// Turns away whoever asks for a post, until one is served anew.
fn block(stage: &Stage) {
    stage
        .world()
        .page(Page::new(WWW, "/*/*/*", vec![captcha()]));
}

const COMPOSE: &str = include_str!("../../../docker-compose.vpn.yml");

/// The value of a variable in the compose file, this key in it.
fn composed(name: &str, key: &str) -> String {
    let start = format!("{name}: ");
    let value = COMPOSE
        .lines()
        .find_map(|line| line.trim().strip_prefix(&start));
    let value = value.unwrap_or_else(|| panic!("no {name}"));
    value
        .trim_matches('\'')
        .replace("${GLUETUN_API_KEY:?set it in .env}", key)
}

/// gluetun gives the role of `HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE` to every route without one of its own.
#[tokio::test]
async fn server_of_the_compose_file_is_let_in_by_its_control_server() {
    let key = "key-of-the-control-server";
    let role = composed("HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE", key);
    let role: Value = serde_json::from_str(&role).expect("JSON");
    assert_eq!(role, serde_json::json!({"auth": "apikey", "apikey": key}));
    let address = composed("HTTP_CONTROL_SERVER_ADDRESS", key);
    let url = composed("GLUETUN_CONTROL_URL", key);
    assert_eq!(url, format!("http://{address}"));
    let gluetun = Gluetun::guarded_by(&format!("x-api-key: {key}")).await;
    let stage = Stage::with(|server| {
        server
            .env("GLUETUN_CONTROL_URL", &gluetun.url)
            .env("GLUETUN_API_KEY", &composed("GLUETUN_API_KEY", key))
    })
    .await;
    eventually("the VPN was looked at", async || {
        (vpn(&stage.server).await["public_ip"] == "203.0.113.1").then_some(())
    })
    .await;
    let url = stage.serve(&item(68));
    block(&stage);
    assert_eq!(stage.post(&url).await.status, 503);
    eventually("it has another address", async || {
        (vpn(&stage.server).await["public_ip"] == "203.0.113.2").then_some(())
    })
    .await;
    assert!(!stage.server.logs().contains(key));
}

async fn vpn(server: &TestServer) -> Value {
    server.api().get("/health").await.json()["vpn"].clone()
}

/// Whether `/health` tells that the VPN is missing.
async fn is_missed(stage: &Stage) -> bool {
    let health = stage.api().get("/health").await.json();
    let words = health["degraded"].as_array().expect("words");
    words.contains(&"vpn".into())
}

#[tokio::test]
async fn control_server_that_tells_nothing_is_missed_and_traffic_goes_on() {
    let gluetun = Gluetun::guarded_by("authorization: Basic another").await;
    let stage = stage(&gluetun).await;
    eventually("the control server was asked", async || {
        (!gluetun.control().seen.is_empty()).then_some(())
    })
    .await;
    assert_eq!(vpn(&stage.server).await["status"], "unknown");
    assert!(is_missed(&stage).await);
    let url = stage.serve(&item(69));
    assert_eq!(stage.post(&url).await.status, 200);
}

#[tokio::test]
async fn block_makes_the_vpn_take_another_address() {
    let gluetun = Gluetun::start().await;
    let stage = stage(&gluetun).await;
    eventually("the VPN was looked at", async || {
        (vpn(&stage.server).await["public_ip"] == "203.0.113.1").then_some(())
    })
    .await;
    assert!(gluetun.changes().is_empty(), "nothing without need");
    assert!(!is_missed(&stage).await);
    let url = stage.serve(&item(60));
    let other = stage.serve(&item(61));
    block(&stage);
    let blocked = stage.post(&url).await;
    assert_eq!(
        (blocked.status.as_u16(), &blocked.json()["error_code"]),
        (503, &"ip_blocked".into())
    );
    // While it connects anew nobody is sent that way.
    let asked = stage.pages_asked();
    let refused = stage.post(&other).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after")),
        (503, "5")
    );
    assert_eq!(stage.pages_asked(), asked);
    let health = stage.api().get("/health").await.json();
    assert_eq!(
        (&health["status"], &health["degraded"][0]),
        (&"ok".into(), &"vpn".into())
    );
    let after = eventually("it has another address", async || {
        let vpn = vpn(&stage.server).await;
        (vpn["status"] == "running" && vpn["last_reconnect"].is_u64()).then_some(vpn)
    })
    .await;
    assert_eq!(after["public_ip"], "203.0.113.2");
    assert_eq!(
        (&after["reconnect_attempts"], &after["max_attempts"]),
        (&0.into(), &3.into())
    );
    let changes = [
        r#"PUT /v1/vpn/status {"status":"stopped"}"#,
        r#"PUT /v1/vpn/status {"status":"running"}"#,
    ];
    assert_eq!(gluetun.changes(), changes);
    let page = metrics(stage.api()).await;
    for series in [
        "serverrs_vpn_reconnects_total{result=\"ok\"}",
        "serverrs_vpn{state=\"running\"}",
        "serverrs_egress_blocks_total{egress=\"default\"}",
    ] {
        assert_eq!(figure(&page, series).to_string(), "1", "{series} in {page}");
    }
    stage.serve(&item(60));
    assert_eq!(stage.post(&url).await.status, 200);
    // Another block within the cooldown changes nothing.
    block(&stage);
    assert_eq!(stage.post(&other).await.status, 503);
    assert_eq!(vpn(&stage.server).await["status"], "running");
    assert_eq!(gluetun.changes().len(), 2);
    assert!(!stage.server.logs().contains("hunter2"));
}

#[tokio::test]
async fn media_that_is_refused_is_no_reason_for_another_address() {
    let gluetun = Gluetun::start().await;
    let stage = stage(&gluetun).await;
    let item = item(62);
    let body = stage.resolve(&item).await;
    let link = crate::harness::text(&body, "/download_link/no_watermark_hd");
    for host in ["v16-webapp-prime.tiktok.com", "v19-webapp-prime.tiktok.com"] {
        let refusal = crate::harness::upstream::Fault::Status(403);
        stage
            .world()
            .fault(crate::harness::upstream::Rule::host(host, refusal));
    }
    stage.api().get(&link).await;
    assert!(gluetun.changes().is_empty());
}

#[tokio::test]
async fn control_server_that_refuses_us_costs_no_traffic() {
    let gluetun = Gluetun::start().await;
    let stage = Stage::with(|server| {
        server
            .env("GLUETUN_CONTROL_URL", &gluetun.url)
            .env("GLUETUN_API_KEY", "another-key")
    })
    .await;
    let url = stage.serve(&item(63));
    block(&stage);
    assert_eq!(stage.post(&url).await.status, 503);
    eventually("the attempt has failed", async || {
        (vpn(&stage.server).await["reconnect_attempts"] == 1).then_some(())
    })
    .await;
    assert!(gluetun.control().is_running, "nothing was stopped");
    stage.serve(&item(63));
    assert_eq!(stage.post(&url).await.status, 200);
    let last = eventually("there were three attempts", async || {
        let vpn = vpn(&stage.server).await;
        (vpn["reconnect_attempts"] == vpn["max_attempts"]).then_some(vpn)
    })
    .await;
    assert_eq!(last["max_attempts"], 3);
    assert!(
        gluetun
            .changes()
            .iter()
            .all(|line| line.contains("stopped")),
        "what was not stopped is not started"
    );
    assert_eq!(stage.post(&stage.serve(&item(66))).await.status, 200);
}

#[tokio::test]
async fn nobody_is_sent_that_way_between_attempts_that_fail() {
    let gluetun = Gluetun::start().await;
    gluetun.control().fails = true;
    let stage = stage(&gluetun).await;
    let url = stage.serve(&item(67));
    block(&stage);
    assert_eq!(stage.post(&url).await.status, 503);
    eventually("the first attempt has failed", async || {
        (vpn(&stage.server).await["reconnect_attempts"] == 1).then_some(())
    })
    .await;
    stage.serve(&item(67));
    let asked = stage.pages_asked();
    let refused = stage.post(&url).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after")),
        (503, "5")
    );
    assert_eq!(stage.pages_asked(), asked);
    assert_eq!(vpn(&stage.server).await["status"], "reconnecting");
    gluetun.control().fails = false;
    let after = eventually("it has another address", async || {
        let vpn = vpn(&stage.server).await;
        (vpn["status"] == "running" && vpn["last_reconnect"].is_u64()).then_some(vpn)
    })
    .await;
    assert_eq!(after["reconnect_attempts"], 0);
    assert_eq!(stage.post(&url).await.status, 200);
}

#[tokio::test]
async fn vpn_of_one_way_leaves_the_others_alone() {
    let gluetun = Gluetun::start().await;
    let internet = Internet::new(&["a", "b"]).await;
    let server = internet
        .builder()
        .env("GLUETUN_CONTROL_URL", &gluetun.url)
        .env("GLUETUN_USERNAME", "operator")
        .env("GLUETUN_PASSWORD", "hunter2")
        .env("GLUETUN_EGRESS", "a")
        .start()
        .await;
    gluetun.control().is_stuck = true;
    internet.block("a");
    let url = internet.serve(&item(64));
    internet.block("a");
    // By `b`, while `a` connects anew.
    server.api().resolve(&url).await;
    eventually("the VPN is stopped", async || {
        (!gluetun.control().is_running).then_some(())
    })
    .await;
    server.api().resolve(&internet.serve(&item(65))).await;
    let health = server.api().get("/health").await.json();
    assert_eq!(health["egresses"][0]["is_up"], false, "{health:#}");
    assert_eq!(health["egresses"][1]["is_up"], true);
    // The end of the server doesn't wait for it.
    let (status, _) = tokio::time::timeout(Duration::from_secs(20), server.stop())
        .await
        .expect("in time");
    assert!(status.success());
}
