//! Site, server and ingest, with a broadcast on air.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::Result;
use crate::film::MIXED;
use crate::held::figure;
use crate::ingest::{Ingest, Manner};
use crate::lateness::Lateness;
use crate::upstream::Upstream;
use crate::upstream::youtube::{Layout, Playlist, Refusal, Track, Video, YouTube};

const LIST: &str = "PLharbour00000000000000";
const TOKEN: &str = "a-token-of-benchmarks-41ab";
/// Seconds of each film.
const SECONDS: u32 = 12;
/// What stands before the address in the line that the server prints when it is up.
const LISTENING: &str = "listening on ";
/// How long start and stop may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that runs.
pub(crate) struct Studio {
    _upstream: Upstream,
    /// How late the machine lets a timer of this program ring.
    pub(crate) lateness: Lateness,
    /// What takes the broadcast.
    pub(crate) ingest: Ingest,
    server: Child,
    address: String,
    id: String,
    /// Where all of it lies.
    pub(crate) dir: tempfile::TempDir,
}

impl Studio {
    /// Opens it, with the list on air.
    pub(crate) async fn open(server: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let upstream = Upstream::start().await;
        serve(&upstream, dir.path()).await?;
        let ingest = Ingest::start([Manner::Keep]);
        let child = spawn(server, &upstream, &ingest, dir.path())?;
        let address = listening(&dir.path().join("server.log")).await?;
        let mut studio = Self {
            _upstream: upstream,
            lateness: Lateness::watch(),
            ingest,
            server: child,
            address,
            id: String::new(),
            dir,
        };
        let record = studio.ask("POST", "?start=true", &studio.wanted()).await?;
        record["id"]
            .as_str()
            .ok_or("no record")?
            .clone_into(&mut studio.id);
        Ok(studio)
    }

    fn wanted(&self) -> String {
        json!({
            "title": "A loop", "playlist_id": LIST, "stream_source": "playlist_direct", "loop_enabled": true,
            "target_url": self.ingest.url(), "stream_key": "a-key-of-benchmarks",
            "profile": {"width": 320, "height": 180, "fps": 30, "video_kbps": 300, "audio_kbps": 64,
                "preset": "ultrafast", "gop_s": 1},
        })
        .to_string()
    }

    /// The server's process.
    pub(crate) fn server(&mut self) -> Result<u32> {
        if let Some(status) = self.server.try_wait()? {
            return Err(format!("the server ended: {status}").into());
        }
        Ok(self.server.id().ok_or("the server ended")?)
    }

    /// Where the database lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `GET /broadcasts/{id}/status`.
    pub(crate) async fn status(&self) -> Result<Value> {
        self.ask("GET", &format!("/{}/status", self.id), "").await
    }

    /// What the server has open, by its own word: who isn't root may not look. The question is among it.
    pub(crate) async fn descriptors(&self) -> Result<usize> {
        let page = self.exchange("GET", "/metrics", "").await?;
        Ok(figure(&page, "process_open_fds").ok_or("no process_open_fds in /metrics")?)
    }

    /// Takes the list off the air and ends the server.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.ask("POST", &format!("/{}/stop?wait=30", self.id), "")
            .await?;
        self.server.kill().await?;
        Ok(())
    }

    /// Asks the server for something below `/broadcasts`.
    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let path = format!("/broadcasts{path}");
        Ok(serde_json::from_str(
            &self.exchange(method, &path, body).await?,
        )?)
    }

    /// The body of an answer.
    async fn exchange(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.address
        );
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await??;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if !head.starts_with("HTTP/1.1 20") {
            return Err(format!("{method} {path}: {answer}").into());
        }
        Ok(body.to_owned())
    }
}

/// Puts the films and their list on the site.
async fn serve(upstream: &Upstream, dir: &Path) -> Result<()> {
    let youtube = YouTube::open(&upstream.world);
    let list = Playlist::new(LIST, Layout::Classic, MIXED.len());
    for (entry, shape) in list.entries.iter().zip(MIXED) {
        let film = shape.film(SECONDS, dir).await?;
        let track = Track::of(18, SECONDS.into()).holding_bytes(film);
        let video = Video::new(&entry.id)
            .with("/videoDetails/lengthSeconds", json!(SECONDS.to_string()))
            .with_tracks(vec![track]);
        // Merged files are for the app alone.
        let clients = ["VISIONOS", "TVHTML5", "WEB_EMBEDDED_PLAYER"].into_iter();
        youtube.video(clients.fold(video, |video, client| {
            video.refusing_client(client, Refusal::NotAvailable)
        }));
    }
    youtube.playlist(list);
    Ok(())
}

fn spawn(server: &Path, upstream: &Upstream, ingest: &Ingest, dir: &Path) -> Result<Child> {
    let log = File::create(dir.join("server.log"))?;
    let mut command = Command::new(server);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("ENCRYPTION_KEY", "a-key-for-benchmarks-only-3Kd9sWqz")
        .env("TEMP_DIR", dir.join("temp"))
        .env("STREAM_TEMP_DIR", dir.join("streams"))
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env(
            "BROADCAST_ALLOW_PRIVATE_TARGETS",
            format!("127.0.0.1:{}", ingest.port),
        )
        .env("PROXY", upstream.proxy_url())
        .env("EXTRA_CA_FILE", upstream.ca_file())
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

/// The address that the server prints.
async fn listening(log: &Path) -> Result<String> {
    let reading = async {
        loop {
            let text = tokio::fs::read_to_string(log).await?;
            let found = text.lines().find_map(|line| line.split_once(LISTENING));
            if let Some((_, address)) = found {
                let address = address.split_whitespace().next().unwrap_or_default();
                return Result::Ok(address.trim_start_matches("http://").to_owned());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await?
}
