//! The clients that people already have, unchanged against this server: each is a script below `clients/` in the manner
//! of the published examples, run as a child process, and ends with the CDN's file on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::upstream::tiktok::{Item, Post};
use crate::harness::upstream::{Upstream, sha256_hex};
use crate::harness::{PythonEnv, TestServer, has_tool, run, skip};

const VIDEO: &str = "7524919459643919101";
const PHOTO: &str = "7524919459643919102";
/// The Python packages that clients use.
const PACKAGES: &[&str] = &["requests==2.32.5"];

/// The upstream with one video and one photo post, and a server on it.
struct Setting {
    upstream: Upstream,
    server: TestServer,
}

impl Setting {
    async fn new() -> Self {
        let upstream = Upstream::start().await;
        Post::new(&Item::video(VIDEO)).serve(&upstream.world);
        Post::new(&Item::photo(PHOTO, 2)).serve(&upstream.world);
        let server = TestServer::start(&upstream).await;
        Self { upstream, server }
    }

    /// Runs `program script BASE POST FILE` and compares the file with the one at `pointer` of the item.
    async fn downloads(&self, program: &Path, script: &str, item: &Item, pointer: &str) {
        let file = self.server.dir().join(format!("{script}.{}", item.id()));
        let arguments = [
            script_path(script),
            self.server.base().into(),
            Post::new(item).url().into(),
            file.clone(),
        ];
        let output = run(program, arguments, &BTreeMap::new(), self.server.dir()).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{script}: {}: {stderr}",
            output.status
        );
        let address = item
            .json()
            .pointer(pointer)
            .and_then(|address| address.as_str());
        let media = self.upstream.world.media_at(address.expect("an address"));
        let bytes = std::fs::read(&file).expect("the downloaded file");
        assert_eq!(sha256_hex(&bytes), media.payload.sha256(), "{script}");
        self.upstream.world.assert_no_unknown();
    }

    /// The default file of the video post: its only H.264 one without a mark.
    async fn downloads_video(&self, program: &Path, script: &str) {
        self.downloads(program, script, &Item::video(VIDEO), "/video/playAddr")
            .await;
    }
}

fn script_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/clients")
        .join(name)
}

/// The first of these programs that is missing.
async fn missing<'a>(tools: &[&'a str]) -> Option<&'a str> {
    for tool in tools {
        if !has_tool(tool).await {
            return Some(tool);
        }
    }
    None
}

#[tokio::test]
async fn curl_and_jq_download_the_first_format() {
    if let Some(tool) = missing(&["curl", "jq"]).await {
        return skip("clients", &format!("{tool} is not installed"));
    }
    let setting = Setting::new().await;
    setting.downloads_video(Path::new("sh"), "curl.sh").await;
}

#[tokio::test]
async fn curl_follows_the_download_links_of_videos_and_photos() {
    if let Some(tool) = missing(&["curl", "jq"]).await {
        return skip("clients", &format!("{tool} is not installed"));
    }
    let setting = Setting::new().await;
    setting.downloads_video(Path::new("sh"), "links.sh").await;
    let picture = "/imagePost/images/0/imageURL/urlList/0";
    setting
        .downloads(Path::new("sh"), "links.sh", &Item::photo(PHOTO, 2), picture)
        .await;
}

#[tokio::test]
async fn python_requests_downloads_the_first_format() {
    let python = match PythonEnv::with("clients-venv", PACKAGES).await {
        Ok(environment) => environment.python(),
        Err(reason) => return skip("clients", &reason),
    };
    let setting = Setting::new().await;
    setting.downloads_video(&python, "client.py").await;
}

#[tokio::test]
async fn node_downloads_the_first_format() {
    if let Some(tool) = missing(&["node"]).await {
        return skip("clients", &format!("{tool} is not installed"));
    }
    let setting = Setting::new().await;
    for script in ["client.mjs", "axios.mjs"] {
        setting.downloads_video(Path::new("node"), script).await;
    }
}

#[tokio::test]
async fn five_checks_of_operators_pass() {
    if let Some(tool) = missing(&["curl"]).await {
        return skip("clients", &format!("{tool} is not installed"));
    }
    let setting = Setting::new().await;
    let arguments = [
        script_path("five_checks.sh"),
        setting.server.base().into(),
        Post::new(&Item::video(VIDEO)).url().into(),
    ];
    let output = run("sh", arguments, &BTreeMap::new(), setting.server.dir()).await;
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert_eq!(stdout.matches(": PASS").count(), 5, "{stdout}");
}
