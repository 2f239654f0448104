//! A new version comes out: instances behind nginx are replaced one after the other while requests keep coming.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::harness::upstream::Upstream;
use crate::harness::{Api, Builder, TestServer, eventually, is_long_form, link};

use super::nginx::{Nginx, path_of};
use super::serve;

/// Nobody else listens here, and no connection begins here: a port that was given up is free for its successor.
const HOST: &str = "127.77.0.1";
/// Pause between requests: 50 a second.
const PACE: Duration = Duration::from_millis(20);
/// Requests that are answered while an instance is away, and again before the next one goes.
const BETWEEN: usize = 25;
/// How often each instance is replaced; in the short form once.
const ROUNDS: usize = 10;
/// The file that is asked for.
const PLAY: &str = "h264_720p_1490112";

async fn instance(upstream: &Upstream, port: &str) -> TestServer {
    let builder = Builder::new(upstream).env("HOST", HOST).env("PORT", port);
    builder.start().await
}

/// Requests that come at their pace, whether or not those before are answered.
struct Load {
    stop: CancellationToken,
    began: Instant,
    asked: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    task: JoinHandle<Vec<String>>,
}

impl Load {
    fn begin(api: &Api, url: &str, path: &str) -> Self {
        let stop = CancellationToken::new();
        let [asked, answered] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let asker = Asker {
            api: api.clone(),
            url: url.to_owned(),
            path: path.to_owned(),
            asked: Arc::clone(&asked),
            answered: Arc::clone(&answered),
        };
        let began = Instant::now();
        let task = crate::harness::spawn(asker.ask_until(stop.clone()));
        Self {
            stop,
            began,
            asked,
            answered,
            task,
        }
    }

    /// Returns when so many more requests are answered.
    async fn goes_on(&self) {
        let until = self.answered.load(Ordering::SeqCst) + BETWEEN;
        eventually("requests are answered", async || {
            (self.answered.load(Ordering::SeqCst) >= until).then_some(())
        })
        .await;
    }

    /// Number of requests, and what was wrong with them.
    ///
    /// # Panics
    /// They didn't come at their pace, so that nothing is proven.
    async fn end(self) -> (usize, Vec<String>) {
        let (began, asked) = (self.began, self.asked.load(Ordering::SeqCst));
        let due = began.elapsed().as_millis() / PACE.as_millis();
        // Those that a busy machine held up have been made up for, but for the last ones.
        assert!(asked as u128 * 10 >= due * 9, "{asked} of {due} requests");
        self.stop.cancel();
        let wrong = self.task.await.expect("the load");
        (self.answered.load(Ordering::SeqCst), wrong)
    }
}

#[derive(Clone)]
struct Asker {
    api: Api,
    url: String,
    path: String,
    asked: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

impl Asker {
    async fn ask_until(self, stop: CancellationToken) -> Vec<String> {
        let mut pace = interval(PACE);
        let mut running = JoinSet::new();
        let asking = async {
            for number in 0.. {
                pace.tick().await;
                self.asked.fetch_add(1, Ordering::SeqCst);
                running.spawn(self.clone().ask(number));
            }
        };
        stop.run_until_cancelled(asking).await;
        running.join_all().await.into_iter().flatten().collect()
    }

    /// One short request, of each kind in turn; says what is wrong with the answer.
    async fn ask(self, number: usize) -> Option<String> {
        let (kind, expected) =
            [("post", 200), ("head", 200), ("part", 206), ("whole", 200)][number % 4];
        let answer = match kind {
            "post" => {
                let body = serde_json::json!({ "url": self.url }).to_string();
                self.api.post("/tiktok", &body).await
            }
            "head" => self.api.head(&self.path).await,
            "part" => self.api.get_range(&self.path, "bytes=100-199").await,
            _ => self.api.get(&self.path).await,
        };
        self.answered.fetch_add(1, Ordering::SeqCst);
        let is_good = answer.status == expected && answer.is_whole;
        (!is_good).then(|| format!("{number}, {kind}: {}", answer.status))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_replaced_in_turn_without_a_failed_request() {
    let upstream = Upstream::start().await;
    let mut servers = [
        instance(&upstream, "0").await,
        instance(&upstream, "0").await,
    ];
    let Some(nginx) = Nginx::start(&[&servers[0], &servers[1]]).await else {
        return;
    };
    let url = serve(&upstream, 1400);
    let path = link(&servers[0].api().resolve(&url).await, PLAY);
    let load = Load::begin(&nginx.api, &url, path_of(&path));
    load.goes_on().await;
    for _ in 0..if is_long_form() { ROUNDS } else { 1 } {
        for server in &mut servers {
            let (_, port) = server.base().rsplit_once(':').expect("a port");
            let port = port.to_owned();
            server.signal("TERM").await;
            assert_eq!(server.wait().await.code(), Some(0), "nothing was cut");
            load.goes_on().await;
            *server = instance(&upstream, &port).await;
            load.goes_on().await;
            server.wait_for_log("request{").await;
        }
    }
    let (count, wrong) = load.end().await;
    assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
    println!("{count} requests, none failed");
}
