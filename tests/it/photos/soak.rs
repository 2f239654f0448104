//! Wear in short: thousands of streams, posts, upstreams that fail and clients that leave, with videos, sound and joined
//! files among them, on one server that gives everything back (proofs L5). `bench/soak.sh` is the long form.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::sound::{NOT_MP3, SOUND, assert_mp3};
use super::stage::{Photos, assert_whole, children, files};
use crate::harness::held::Held;
use crate::harness::upstream::tiktok::{Gear, Item, Post};
use crate::harness::upstream::youtube::{Track, Video, YouTube, joinable_tracks};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Api, Fetched, TestServer, address, eventually, fetch, link, text};
use crate::raw::Process;
use crate::raw::h1::Raw;

/// Clients at once, and posts that each of them takes, one after the other.
const CLIENTS: usize = 6;
const POSTS: usize = 40;
/// Streams of each post.
const STREAMS: usize = 8;
/// One post in so many has an upstream that cuts, one that refuses, and a client that leaves; another one has its sound made
/// into MP3 and a joined file fetched.
const ONE_IN: usize = 10;
/// Each client has so many slideshows made.
const SLIDESHOWS: usize = 1;
/// Bytes of the smallest file; every post has one of another size.
const SMALLEST: u64 = 16 * 1024;
/// Bytes of a file that is left in the middle: more than what lies between its ends.
const LEFT: u64 = 4 << 20;
const PLAY: &str = "h264_540p_942113";
const PAIR: &str = "136+140";
const VIDEO: &str = "harbour0001";
/// Seconds for which videos are kept: soon over when all is done.
const KEEP: &str = "10";
/// How long it may take until everything is given back.
const PATIENCE: Duration = Duration::from_secs(25);
/// The page client's look after its connections, which ends when it finds none, once a minute (hyper-util's pool).
const LOOK_AFTER: usize = 1;
/// Most that memory may grow from the first half to the end; generous, for what a server holds is seen over hours only.
const MOST_GROWTH: u64 = 48 << 20;

/// Everything that clients take.
struct Course {
    photos: Photos,
    /// The clients' own, so that their connections end with them.
    api: Api,
    picture: Bytes,
    sound: Bytes,
    tracks: [Track; 2],
    joined: String,
}

/// A server that is looked at over one connection, which counts among what it holds.
struct Looked<'a> {
    server: &'a TestServer,
    connection: Mutex<Raw>,
}

impl<'a> Looked<'a> {
    async fn at(server: &'a TestServer) -> Self {
        let connection = Mutex::new(Raw::connect(server.base()).await);
        Self { server, connection }
    }

    async fn held(&self) -> Held {
        let pid = self.server.pid();
        Held {
            tasks: self.metric("serverrs_tasks").await,
            descriptors: self.metric("process_open_fds").await,
            children: children(pid).len(),
            files: files(&self.server.dir().join("temp")).len(),
        }
    }

    /// A figure of `/metrics`.
    async fn metric(&self, name: &str) -> usize {
        self.connection.lock().await.metric(name).await
    }
}

impl Course {
    async fn prepare(photos: Photos, tracks: [Track; 2]) -> Self {
        let api = Api::new(photos.stage.server.base());
        let video = Video::new(VIDEO).with_tracks(tracks.to_vec());
        let url = video.url();
        YouTube::open(photos.stage.world()).video(video);
        let joined = link(&api.resolve(&url).await, PAIR);
        let picture = photos.studio.picture("a.jpg", "red", "108x192").await;
        let sound = super::sound::track(&photos, 1.0).await;
        Self {
            photos,
            api,
            picture,
            sound,
            tracks,
            joined,
        }
    }

    fn item(number: usize, size: u64) -> Item {
        let gear = Gear {
            name: "normal_540_0",
            codec: "h264",
            width: 576,
            height: 1024,
            bitrate: 942_113,
            size,
        };
        let id = (7_524_919_459_000_000_000 + number as u64).to_string();
        Item::video(&id).with_gears(&[gear])
    }

    async fn get(&self, link: &str) -> Fetched {
        let request = self.api.request(Method::GET, link);
        // A rendering takes its time on a busy machine.
        fetch(request.timeout(Duration::from_secs(240))).await
    }

    /// One client's posts. Returns how many answers came.
    async fn client(&self, number: usize) -> usize {
        let mut answers = 0;
        for post in (0..POSTS).map(|post| number * POSTS + post) {
            answers += self.post(post).await;
            match post % ONE_IN {
                0 => answers += self.cut(post).await,
                1 => answers += self.refused(post).await,
                2 => answers += self.left(post).await,
                3 => answers += self.sound(post).await,
                4 => answers += self.joined().await,
                _ => {}
            }
        }
        for slideshow in 0..SLIDESHOWS {
            answers += self.slideshow(number * SLIDESHOWS + slideshow).await;
        }
        answers
    }

    async fn resolved(&self, item: &Item) -> String {
        let url = self.photos.stage.serve(item);
        link(&self.api.resolve(&url).await, PLAY)
    }

    async fn whole(&self, item: &Item, link: &str) {
        let answer = self.get(link).await;
        let file = self.photos.stage.file(item, "/video/playAddr");
        assert_eq!(
            (answer.status.as_u16(), answer.is_whole, answer.sha256()),
            (200, true, file.payload.sha256())
        );
    }

    async fn post(&self, number: usize) -> usize {
        let item = Self::item(number, SMALLEST + number as u64);
        let link = self.resolved(&item).await;
        for _ in 0..STREAMS {
            self.whole(&item, &link).await;
        }
        1 + STREAMS
    }

    /// An upstream that cuts once is survived.
    async fn cut(&self, number: usize) -> usize {
        let item = Self::item(100_000 + number, 4 * SMALLEST);
        let link = self.resolved(&item).await;
        let reset = Fault::Reset { at: SMALLEST };
        let rule = Rule::address(&address(&item, "/video/playAddr"), reset);
        self.photos.stage.world().fault(rule.besides_tail().nth(1));
        self.whole(&item, &link).await;
        2
    }

    /// Upstreams that refuse are told of.
    async fn refused(&self, number: usize) -> usize {
        let item = Self::item(200_000 + number, SMALLEST);
        let link = self.resolved(&item).await;
        let mirrors = "/video/bitrateInfo/0/PlayAddr/UrlList";
        let mirrors = item.json().pointer(mirrors).and_then(Value::as_array);
        for mirror in mirrors.expect("mirrors").iter().filter_map(Value::as_str) {
            let rule = Rule::address(mirror, Fault::Status(500));
            self.photos.stage.world().fault(rule);
        }
        let status = self.get(&link).await.status.as_u16();
        assert!((502..=504).contains(&status), "{status}");
        2
    }

    /// A client that goes away in the middle.
    async fn left(&self, number: usize) -> usize {
        let item = Self::item(300_000 + number, LEFT);
        let link = self.resolved(&item).await;
        let base = self.photos.stage.server.base();
        let mut client = Raw::connect_narrow(base).await;
        client.get(link.trim_start_matches(base)).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        client.take(1000).await;
        client.reset();
        2
    }

    async fn sound(&self, number: usize) -> usize {
        let id = (7_524_919_459_000_400_000 + number as u64).to_string();
        let item = Item::photo(&id, 1).with(SOUND, NOT_MP3.into());
        let url = self.photos.stage.serve(&item);
        self.photos.put(&item, SOUND, &self.sound, "audio/mp4");
        let body = self.api.resolve(&url).await;
        assert_mp3(&self.get(&text(&body, "/download_link/mp3")).await);
        2
    }

    async fn joined(&self) -> usize {
        let answer = self.get(&self.joined).await;
        let tracks: usize = self
            .tracks
            .iter()
            .map(|track| track.whole(VIDEO).len())
            .sum();
        assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
        assert!(answer.body.len() > tracks / 2, "{}", answer.body.len());
        1
    }

    async fn slideshow(&self, number: usize) -> usize {
        let id = (7_524_919_459_000_500_000 + number as u64).to_string();
        let pictures = [self.picture.clone(), self.picture.clone()];
        let item = self.photos.serve(&id, &pictures, None);
        let body = self.api.resolve(&Post::new(&item).url()).await;
        assert_whole(&self.get(&text(&body, "/download_slideshow_link")).await);
        2
    }

    /// As [`crate::harness::Stage::assert_well`], over connections that end with the others.
    async fn assert_well(&self) {
        let health = self.api.get("/health").await;
        assert_eq!(health.status, 200);
        assert_eq!(health.json()["status"], "ok");
        self.photos.stage.world().assert_no_unknown();
    }

    /// Clients until their ends; the answers that they got.
    async fn run(&self, clients: std::ops::Range<usize>) -> usize {
        let clients = clients.map(|number| self.client(number));
        join_all(clients).await.into_iter().sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_gives_everything_back_after_thousands_of_requests() {
    let photos = Photos::with(|_, builder| builder.env("SLIDESHOW_KEEP", KEEP)).await;
    let (Some(photos), Some(tracks)) = (photos, joinable_tracks().await) else {
        return;
    };
    let process = Process(photos.stage.server.pid());
    let looked = Looked::at(&photos.stage.server).await;
    // At its start the server asks FFmpeg what it can do.
    let idle = eventually("nothing runs", async || {
        let held = looked.held().await;
        (held.children + held.files == 0).then_some(held)
    })
    .await;
    drop(looked);
    let course = Course::prepare(photos, tracks).await;
    let began = Instant::now();
    let first = course.run(0..CLIENTS / 2).await;
    let halfway = process.resident();
    let second = course.run(CLIENTS / 2..CLIENTS).await;
    let (answers, taken) = (first + second, began.elapsed());
    assert!(answers >= 2_000, "{answers}");
    course.assert_well().await;
    let grown = process.resident().saturating_sub(halfway);
    assert!(grown <= MOST_GROWTH, "{grown} bytes more than halfway");
    // Connections that are kept for later end with their other sides.
    drop(course.api);
    let stage = course.photos.stage;
    drop(stage.upstream);
    let most = Held {
        tasks: idle.tasks + LOOK_AFTER,
        ..idle
    };
    let last = Cell::new(idle);
    let looked = Looked::at(&stage.server).await;
    let given_back = eventually("everything is given back", async || {
        last.set(looked.held().await);
        last.get().is_within(most).then_some(())
    });
    let is_so = timeout(PATIENCE, given_back).await.is_ok();
    let after = last.get();
    assert!(
        is_so,
        "{idle:?} before, {after:?} after; open: {:?}",
        process.open()
    );
    assert_eq!(looked.metric("serverrs_http_panics_total").await, 0);
    println!(
        "{answers} answers in {taken:?}: {idle:?} before, {after:?} after, {} KiB more than halfway",
        grown / 1024
    );
}
