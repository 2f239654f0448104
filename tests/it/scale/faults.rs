//! A Redis that fails costs no client an error.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::harness::upstream::Upstream;
use crate::harness::{TestServer, eventually};
use crate::observe::{figure, metrics};

use super::redis::Redis;
use super::{instance, instances, serve, wait_for_redis};

/// Posts resolved at once while something goes wrong.
const CROWD: u64 = 24;

/// Resolves many posts at once; every one must come.
async fn crowd(servers: &[TestServer], upstream: &Upstream, from: u64) {
    let mut asked = tokio::task::JoinSet::new();
    for number in from..from + CROWD {
        let url = serve(upstream, number);
        for server in servers {
            let (api, url) = (server.api().clone(), url.clone());
            asked.spawn(async move { api.post_tiktok(&url).await });
        }
    }
    for (status, _, body) in asked.join_all().await {
        assert_eq!(status, 200, "{body:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_killed_under_load_costs_no_error() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let servers = instances(&upstream, &redis, ["a", "b"]).await;
    let ((), ()) = tokio::join!(redis.kill(), crowd(&servers, &upstream, 100));
    crowd(&servers, &upstream, 200).await;
    for server in &servers {
        wait_for_redis(server, "disconnected").await;
        let health = server.api().get("/health").await.json();
        assert_eq!(health["status"], "ok");
        assert!(health["degraded"].to_string().contains("redis"));
        let page = metrics(server.api()).await;
        let is = |series: &str| figure(&page, &format!("serverrs_redis_{series}"));
        assert!(is("up") < 0.5 && is("losses_total") > 0.5, "{page}");
        assert!(is("calls_total{result=\"away\"}") > 0.5, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_stopped_under_load_costs_no_error_and_comes_back() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let servers = instances(&upstream, &redis, ["a", "b"]).await;
    let ((), ()) = tokio::join!(redis.signal("STOP"), crowd(&servers, &upstream, 300));
    crowd(&servers, &upstream, 400).await;
    for server in &servers {
        wait_for_redis(server, "disconnected").await;
    }
    redis.signal("CONT").await;
    for server in &servers {
        wait_for_redis(server, "connected").await;
    }
    let url = serve(&upstream, 500);
    servers[0].api().resolve(&url).await;
    let page = metrics(servers[0].api()).await;
    assert!(figure(&page, "serverrs_redis_up") > 0.5, "{page}");
    let answered = figure(&page, "serverrs_redis_calls_total{result=\"ok\"}");
    assert!(answered > 0.5, "{page}");
    let (_, headers, _) = servers[1].api().post_tiktok(&url).await;
    assert_eq!(headers["x-cache"], "hit");
}

/// Passes bytes on to a Redis, or says something else.
struct Relay {
    mode: Arc<AtomicU8>,
    port: u16,
    _task: AbortOnDropHandle<()>,
}

const PASS: u8 = 0;
const NOISE: u8 = 1;
const OTHER_TYPES: u8 = 2;

impl Relay {
    async fn start(to: u16) -> Self {
        let mode = Arc::new(AtomicU8::new(PASS));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::clone(&mode);
        let task = crate::harness::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mode = Arc::clone(&shared);
                crate::harness::spawn(async move { relay(client, to, &mode).await });
            }
        });
        Self {
            mode,
            port,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn say(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn relay(client: TcpStream, to: u16, mode: &AtomicU8) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
    let (mut from_server, mut to_server) = server.split();
    let (mut from_client, mut to_client) = client.into_split();
    let up = copy(&mut from_client, &mut to_server);
    let down = async {
        let mut buffer = [0; 4096];
        loop {
            let length = from_server.read(&mut buffer).await?;
            if length == 0 {
                return Ok::<_, std::io::Error>(());
            }
            let said = match mode.load(Ordering::SeqCst) {
                PASS => &buffer[..length],
                NOISE => b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\xfe",
                _ => b"*2\r\n:1\r\n$3\r\nabc\r\n",
            };
            to_client.write_all(said).await?;
        }
    };
    tokio::select! {
        _ = up => Ok(()),
        result = down => result,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_answers_garbage_costs_no_error_and_comes_back() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let relay = Relay::start(redis.port()).await;
    let server = instance(&upstream, "a", &redis.url_at(relay.port))
        .start()
        .await;
    let servers = [server];
    for (round, mode) in (0..).zip([NOISE, OTHER_TYPES]) {
        wait_for_redis(&servers[0], "connected").await;
        relay.say(mode);
        crowd(&servers, &upstream, 600 + 100 * round).await;
        // What it is called depends on where the nonsense comes.
        eventually("it is given up", async || {
            let health = servers[0].api().get("/health").await.json();
            (health["redis"]["status"] != "connected").then_some(())
        })
        .await;
        crowd(&servers, &upstream, 650 + 100 * round).await;
        relay.say(PASS);
    }
    wait_for_redis(&servers[0], "connected").await;
}

/// A Redis that takes what it is told and says nothing but, if it likes, that it lives.
struct Mute {
    port: u16,
    heard: Arc<Mutex<Heard>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Heard {
    lives: bool,
    connections: usize,
    /// Commands but pings.
    commands: usize,
}

impl Mute {
    async fn start() -> Self {
        let heard = Arc::new(Mutex::new(Heard {
            lives: true,
            connections: 0,
            commands: 0,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::clone(&heard);
        let task = crate::harness::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.lock().expect("heard").connections += 1;
                let heard = Arc::clone(&shared);
                crate::harness::spawn(async move { listen(client, &heard).await });
            }
        });
        Self {
            port,
            heard,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("heard")
    }
}

/// Reads commands (arrays of bulk strings), and answers pings alone.
async fn listen(client: TcpStream, heard: &Mutex<Heard>) -> Option<()> {
    let mut client = BufReader::new(client);
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await.ok()?;
        let parts: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
        let mut name = Vec::new();
        for part in 0..parts {
            let mut line = String::new();
            client.read_line(&mut line).await.ok()?;
            let length: usize = line.trim_end().strip_prefix('$')?.parse().ok()?;
            let mut text = vec![0; length + 2];
            client.read_exact(&mut text).await.ok()?;
            if part == 0 {
                name = text;
            }
        }
        let is_answered = {
            let mut heard = heard.lock().expect("heard");
            let is_ping = name == b"PING\r\n";
            heard.commands += usize::from(!is_ping);
            is_ping && heard.lives
        };
        if is_answered {
            client.write_all(b"+PONG\r\n").await.ok()?;
        }
    }
}

/// Posts of [`asked_one_by_one`].
const POSTS: u64 = 20;
/// Far more than the budget of a call, and far less than all of these calls would take that are not answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Resolves posts one after the other; each is answered soon.
async fn asked_one_by_one(server: &TestServer, upstream: &Upstream, from: u64) {
    for number in from..from + POSTS {
        let url = serve(upstream, number);
        let answered = tokio::time::timeout(PATIENCE, server.api().post_tiktok(&url)).await;
        let (status, _, body) = answered.expect("in time");
        assert_eq!(status, 200, "{body:#}");
    }
}

#[tokio::test]
async fn redis_that_falls_silent_is_given_up_by_its_first_call() {
    let (mute, upstream) = (Mute::start().await, Upstream::start().await);
    let server = instance(&upstream, "a", &mute.url()).start().await;
    wait_for_redis(&server, "connected").await;
    mute.heard().lives = false;
    asked_one_by_one(&server, &upstream, 820).await;
    wait_for_redis(&server, "error").await;
    // The ping may have come before the first post.
    let heard = format!("{:?}", mute.heard());
    assert!(mute.heard().commands <= 1, "{heard}");
    let page = metrics(server.api()).await;
    let calls = |result: &str| {
        let series = format!("serverrs_redis_calls_total{{result=\"{result}\"}}");
        figure(&page, &series)
    };
    assert!(
        calls("failed") <= 1.0 && calls("away") >= POSTS as f64,
        "{page}"
    );
    mute.heard().lives = true;
    wait_for_redis(&server, "connected").await;
}

#[tokio::test]
async fn redis_that_only_says_that_it_lives_costs_each_connection_one_call() {
    let (mute, upstream) = (Mute::start().await, Upstream::start().await);
    let server = instance(&upstream, "a", &mute.url()).start().await;
    wait_for_redis(&server, "connected").await;
    asked_one_by_one(&server, &upstream, 850).await;
    let heard = mute.heard();
    assert!(
        (1..=heard.connections).contains(&heard.commands),
        "{heard:?}"
    );
}

#[tokio::test]
async fn something_that_is_no_redis_or_lets_nobody_in_holds_nothing_up() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::start().await;
    let no_redis = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = no_redis.local_addr().expect("an address").port();
    let cases = [
        (
            format!("redis://:wrong-canary@127.0.0.1:{}", redis.port()),
            "error",
        ),
        (upstream.proxy_url().replace("http://", "redis://"), "error"),
        (format!("redis://127.0.0.1:{silent}"), "error"),
        ("redis://nowhere.invalid".to_owned(), "disconnected"),
    ];
    for (number, (url, status)) in (0..).zip(cases) {
        let server = instance(&upstream, "a", &url).start().await;
        server.api().resolve(&serve(&upstream, 800 + number)).await;
        wait_for_redis(&server, status).await;
        assert!(!server.logs().contains("wrong-canary"));
    }
}
