//! A real redis-server, as Debian has it.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::{eventually, has_tool, skip};

/// A password, to be seen nowhere.
pub(super) const PASSWORD: &str = "canary-of-redis";

/// A redis-server on a port of its own. It is killed when dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    dir: TempDir,
    scheme: &'static str,
}

impl Redis {
    /// Starts one; `None`, said aloud, where it isn't installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(free_port(), &[]).await
    }

    /// As [`Redis::start`], with TLS by this certificate and key.
    pub(crate) async fn start_with_tls(certificate: &str, key: &str) -> Option<Self> {
        let dir = TempDir::new().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.to_string_lossy().into_owned()
        };
        let (certificate, key) = (file("cert.pem", certificate), file("key.pem", key));
        let port = free_port();
        let tls = [
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &certificate,
            "--tls-auth-clients",
            "no",
        ];
        let redis = Self::with(port, &tls).await?;
        Some(Self {
            scheme: "rediss",
            ..redis
        })
    }

    async fn with(port: u16, further: &[&str]) -> Option<Self> {
        if !has_tool("redis-server").await || !has_tool("redis-cli").await {
            skip("redis", "redis-server is not installed");
            return None;
        }
        let dir = TempDir::new().expect("a folder");
        let plain = if further.is_empty() { port } else { 0 };
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &plain.to_string(), "--requirepass", PASSWORD])
            .args(further)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server");
        eventually("Redis listens", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Some(Self {
            child,
            port,
            dir,
            scheme: "redis",
        })
    }

    /// Value of `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// As [`Redis::url`], for something that stands before it.
    pub(super) fn url_at(&self, port: u16) -> String {
        format!("{}://:{PASSWORD}@127.0.0.1:{port}/1", self.scheme)
    }

    /// Its port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Sends a signal by name.
    pub(super) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("a running process").to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .await;
        assert!(status.expect("kill").success());
    }

    /// Kills it, and returns when it is gone.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.expect("kill");
    }

    /// What a command is answered, as text.
    pub(super) async fn ask(&self, words: &[&str]) -> Vec<u8> {
        let output = Command::new("redis-cli")
            .args([
                "-p",
                &self.port.to_string(),
                "-n",
                "1",
                "--no-auth-warning",
                "--raw",
            ])
            .args(words)
            .env("REDISCLI_AUTH", PASSWORD)
            .current_dir(self.dir.path())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(30), output).await;
        let output = output.expect("in time").expect("redis-cli");
        assert!(output.status.success(), "{words:?}: {output:?}");
        output.stdout
    }

    /// The keys, sorted.
    pub(super) async fn keys(&self) -> Vec<String> {
        let text = String::from_utf8(self.ask(&["KEYS", "*"]).await).expect("keys");
        let mut keys: Vec<String> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        keys.sort();
        keys
    }
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
