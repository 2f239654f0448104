//! The same addresses through yt-dlp and through this server, both on the simulated upstream: what they say of a post
//! is the same, but for the differences in the table of `ytdlp_differences.rs`, and the bytes are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::harness::upstream::tiktok::{Challenge, Item, Post, samples};
use crate::harness::upstream::{Fault, Rule, Upstream, recorded, sha256_hex};
use crate::harness::{PythonEnv, TestServer, run, skip};
use crate::ytdlp_differences::{DIFFERENCES, Facts};

/// The release that is compared with.
const PACKAGE: &str = "yt-dlp==2026.10.26";

/// yt-dlp in an environment of its own; `None`, said aloud, when it can't be had.
pub(crate) async fn yt_dlp() -> Option<PythonEnv> {
    let name = format!(
        "ytdlp-venv-{}",
        PACKAGE.rsplit('=').next().unwrap_or_default()
    );
    match PythonEnv::with(&name, &[PACKAGE]).await {
        Ok(environment) => Some(environment),
        Err(reason) => {
            skip("ytdlp", &reason);
            None
        }
    }
}

/// Runs yt-dlp on the upstream with these arguments and returns what it printed. It may fail for some of several posts.
pub(crate) async fn run_yt_dlp(
    yt_dlp: &PythonEnv,
    upstream: &Upstream,
    dir: &Path,
    arguments: &[String],
) -> String {
    let fixed = [
        "-m",
        "yt_dlp",
        "--ignore-config",
        "--no-cache-dir",
        "--ignore-errors",
        "--proxy",
    ];
    let arguments = fixed
        .into_iter()
        .map(str::to_owned)
        .chain([upstream.proxy_url()])
        .chain(arguments.iter().cloned());
    let ca = upstream.ca_file().to_string_lossy().into_owned();
    let variables = BTreeMap::from([("SSL_CERT_FILE", ca)]);
    let output = run(yt_dlp.python(), arguments, &variables, dir).await;
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Both programs on one upstream.
struct Pair {
    upstream: Upstream,
    server: TestServer,
    yt_dlp: PythonEnv,
}

impl Pair {
    async fn new(yt_dlp: PythonEnv, posts: &[Post]) -> Self {
        let upstream = Upstream::start().await;
        for post in posts {
            post.clone().serve(&upstream.world);
        }
        let server = TestServer::start(&upstream).await;
        Self {
            upstream,
            server,
            yt_dlp,
        }
    }

    async fn run_yt_dlp(&self, arguments: &[String]) -> String {
        run_yt_dlp(&self.yt_dlp, &self.upstream, self.server.dir(), arguments).await
    }

    /// What yt-dlp says of all posts, by id; a post that it can't extract is missing.
    async fn their_facts(&self, posts: &[Post]) -> BTreeMap<String, Facts> {
        let mut arguments = vec!["--dump-json".to_owned()];
        arguments.extend(posts.iter().map(Post::url));
        let lines = self.run_yt_dlp(&arguments).await;
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .map(|json: Value| (text(&json["id"]), their_facts(&json)))
            .collect()
    }

    /// What this server says of a post. The addresses behind a format show when all that `theirs` knows for it fail.
    async fn our_facts(&self, post: &Post, theirs: &Facts) -> Facts {
        let body = self.server.api().resolve(&post.url()).await;
        let mut facts = our_facts(&body);
        for entry in body["data"]["video_data"].as_array().expect("video_data") {
            let id = text(&entry["format_id"]);
            let known = theirs.addresses_of(&id);
            if !known.is_empty() {
                let addresses = self.addresses_behind(&text(&entry["url"]), &known).await;
                facts.formats.insert(id, addresses);
            }
        }
        facts
    }

    async fn addresses_behind(&self, link: &str, known: &BTreeSet<String>) -> BTreeSet<String> {
        let good = self.server.api().head(link).await;
        assert_eq!(good.status, 200, "{link}: {}", self.server.logs());
        let seen = self.upstream.world.look(|traffic| traffic.records.len());
        for address in known {
            self.upstream
                .world
                .fault(Rule::address(address, Fault::Status(404)));
        }
        self.server.api().head(link).await;
        self.upstream.world.clear_faults();
        let asked = self.upstream.world.records().split_off(seen);
        let media = asked
            .into_iter()
            .filter(|record| record.host != "www.tiktok.com");
        media.map(|record| record.address).collect()
    }

    /// Compares all posts; returns which differences of the table showed.
    async fn compare(&self, posts: &[Post]) -> BTreeSet<&'static str> {
        let all_theirs = self.their_facts(posts).await;
        let mut shown = BTreeSet::new();
        for post in posts {
            let mut theirs = all_theirs.get(&post.id).cloned().unwrap_or_default();
            let mut ours = self.our_facts(post, &theirs).await;
            for difference in DIFFERENCES {
                let before = (theirs.clone(), ours.clone());
                (difference.settle)(&post.item, &mut theirs, &mut ours);
                if before != (theirs.clone(), ours.clone()) {
                    shown.insert(difference.about);
                }
            }
            assert_eq!(
                ours,
                theirs,
                "left: serverrs, right: yt-dlp: {}",
                post.url()
            );
        }
        self.upstream.world.assert_no_unknown();
        shown
    }

    /// Downloads the first format of a post with both programs and compares the bytes with the CDN's.
    async fn compare_files(&self, post: &Post) {
        let body = self.server.api().resolve(&post.url()).await;
        let first = &body["data"]["video_data"][0];
        let id = text(&first["format_id"]);
        let ours = self.server.api().get(&text(&first["url"])).await;
        assert!(ours.status == 200 && ours.is_whole, "{ours:?}");

        let file = self.server.dir().join(format!("{}.mp4", post.id));
        let output = file.to_string_lossy().into_owned();
        let format = format!("{id}-0/{id}");
        let arguments = [
            "--quiet",
            "--format",
            &format,
            "--output",
            &output,
            &post.url(),
        ];
        self.run_yt_dlp(&arguments.map(str::to_owned)).await;
        let theirs = std::fs::read(&file).expect("yt-dlp's file");
        assert_eq!(ours.sha256(), sha256_hex(&theirs), "{id} of {}", post.url());

        let served = self
            .upstream
            .world
            .records()
            .pop()
            .expect("a request")
            .address;
        let media = self.upstream.world.media_at(&served);
        assert_eq!(ours.sha256(), media.payload.sha256(), "{served}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Maps the JSON of yt-dlp.
fn their_facts(json: &Value) -> Facts {
    let formats = json["formats"].as_array().expect("formats");
    let id = |format: &Value| text(&format["format_id"]);
    let artists = json["artists"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    Facts {
        is_extracted: true,
        title: text(&json["title"]),
        description: text(&json["description"]),
        handle: text(&json["uploader"]),
        name: text(&json["channel"]),
        author_id: text(&json["uploader_id"]),
        counts: [
            "view_count",
            "like_count",
            "comment_count",
            "repost_count",
            "save_count",
        ]
        .map(|key| json[key].as_u64().unwrap_or(0)),
        duration_ms: json["duration"].as_u64().unwrap_or(0) * 1000,
        artist: artists.iter().map(text).collect::<Vec<_>>().join(", "),
        watermarked: formats
            .iter()
            .filter(|format| text(&format["format_note"]).contains("watermarked"))
            .map(id)
            .collect(),
        formats: formats
            .iter()
            .map(|format| (id(format), BTreeSet::from([text(&format["url"])])))
            .collect(),
    }
}

/// Maps the body of `POST /tiktok`, without addresses.
fn our_facts(body: &Value) -> Facts {
    let formats = body["data"]["video_data"].as_array().expect("video_data");
    let id = |format: &Value| text(&format["format_id"]);
    Facts {
        is_extracted: true,
        title: text(&body["title"]),
        description: text(&body["description"]),
        handle: text(&body["author"]["uniqueId"]),
        name: text(&body["author"]["nickname"]),
        author_id: text(&body["author"]["id"]),
        counts: [
            "play_count",
            "digg_count",
            "comment_count",
            "share_count",
            "save_count",
        ]
        .map(|key| body["statistics"][key].as_u64().expect("a count")),
        duration_ms: body["duration"].as_u64().expect("a duration"),
        artist: text(&body["artist"]),
        watermarked: formats
            .iter()
            .filter(|format| format["watermark"] == true)
            .map(id)
            .collect(),
        formats: formats
            .iter()
            .map(|format| (id(format), BTreeSet::new()))
            .collect(),
    }
}

/// yt-dlp as a referee of the harness: it takes the made-up pages for TikTok's, challenge and CDN included.
#[tokio::test]
async fn yt_dlp_solves_the_simulated_challenge_and_gets_the_files() {
    let Some(yt_dlp) = yt_dlp().await else { return };
    let upstream = Upstream::start().await;
    let item = Item::video("7524919459643919302");
    let post = Post::new(&item).behind(Challenge::solvable(12_345));
    let url = post.url();
    post.serve(&upstream.world);
    let dir = tempfile::tempdir().expect("temporary directory");
    let arguments = [
        "--no-simulate",
        "--dump-json",
        "--output",
        "%(format_id)s",
        "--format",
        "all",
        &url,
    ];
    let printed = run_yt_dlp(
        &yt_dlp,
        &upstream,
        dir.path(),
        &arguments.map(str::to_owned),
    )
    .await;
    let first = printed.lines().next().expect("a line for each format");
    let facts = their_facts(&serde_json::from_str(first).expect("JSON"));
    assert_eq!(facts.title, item.json()["desc"]);
    assert_eq!(facts.handle, item.json()["author"]["uniqueId"]);
    assert_eq!(facts.name, item.json()["author"]["nickname"]);
    assert_eq!(facts.counts, [2_200_000, 139_300, 3048, 2774, 8042]);
    assert_eq!(
        (facts.duration_ms, facts.artist.as_str()),
        (31_000, "The Harbour Band")
    );
    assert_eq!(facts.watermarked, BTreeSet::from(["download".to_owned()]));
    assert_eq!(facts.formats.len(), 10, "{:?}", facts.formats);
    for (id, addresses) in &facts.formats {
        let file = std::fs::read(dir.path().join(id)).expect("yt-dlp's file");
        let address = addresses.first().expect("an address");
        assert_eq!(
            sha256_hex(&file),
            upstream.world.media_at(address).payload.sha256(),
            "{id}"
        );
    }
    upstream.world.assert_no_unknown();
    assert_eq!(
        upstream.world.count(&url),
        2,
        "the challenge, then the page"
    );
}

#[tokio::test]
async fn made_up_posts_differ_only_as_the_table_says_and_in_all_its_ways() {
    let Some(yt_dlp) = yt_dlp().await else { return };
    let posts: Vec<Post> = samples().iter().map(Post::new).collect();
    let shown = Pair::new(yt_dlp, &posts).await.compare(&posts).await;
    let listed: BTreeSet<&str> = DIFFERENCES
        .iter()
        .map(|difference| difference.about)
        .collect();
    assert_eq!(shown, listed, "left: shown, right: listed");
}

#[tokio::test]
async fn recorded_posts_differ_only_as_the_table_says() {
    let Some(folder) = recorded::folder() else {
        return skip("fixtures", "the folder with recordings is not there");
    };
    for round in recorded::rounds(&folder) {
        let Some(yt_dlp) = yt_dlp().await else { return };
        let posts: Vec<Post> = round.into_iter().map(|recorded| recorded.post).collect();
        Pair::new(yt_dlp, &posts).await.compare(&posts).await;
    }
}

#[tokio::test]
async fn downloaded_files_are_the_same() {
    let Some(yt_dlp) = yt_dlp().await else { return };
    let mut posts = vec![Post::new(&Item::video("7524919459643919301"))];
    posts.extend(recorded_page(recorded::folder().as_deref()));
    let pair = Pair::new(yt_dlp, &posts).await;
    for post in &posts {
        pair.compare_files(post).await;
    }
}

/// The first post that was recorded as a whole page.
fn recorded_page(folder: Option<&Path>) -> Option<Post> {
    let posts = recorded::posts(folder?);
    posts.into_iter().map(|recorded| recorded.post).next()
}
