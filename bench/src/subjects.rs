//! What is measured: serverrs and nginx, both in front of the same CDN.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::sleep;

use crate::cdn::{Doors, File, Recordings};
use crate::process::Process;
use crate::{Result, client};

/// Longest wait for a server to be up.
const PATIENCE: Duration = Duration::from_secs(10);
/// A key that serverrs accepts; worth nothing outside a run.
const KEY: &str = "bench-only-3mQ9vTz7Lw2XcR5k";

/// The fast CDN.
pub(crate) struct Cdn {
    pub(crate) process: Process,
    pub(crate) doors: Doors,
    folder: PathBuf,
}

impl Cdn {
    /// Starts this program's other half.
    pub(crate) async fn start(folder: &Path, recordings: &Recordings) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("cdn").arg(folder);
        for (option, path) in [
            ("--recording", &recordings.page),
            ("--players", &recordings.players),
        ] {
            if let Some(path) = path {
                command.arg(option).arg(path);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command, &folder.join("cdn.log"))?;
        let output = process.output().ok_or("no output of the CDN")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.ok_or("the CDN did not start")?;
        let (plain, tls) = line.split_once(' ').ok_or("the CDN said no ports")?;
        let doors = Doors {
            plain: plain.parse()?,
            tls: tls.parse()?,
        };
        Ok(Self {
            process,
            doors,
            folder: folder.to_owned(),
        })
    }

    /// The folder of this run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }
}

/// A running proxy for media.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// From exec to the first good answer.
    pub(crate) ready: Duration,
}

impl Subject {
    /// The path at which it serves a file of the CDN.
    pub(crate) async fn path(&self, file: File) -> Result<String> {
        match self.name {
            "nginx" => Ok(format!("/{}{}", file.scheme.as_str(), file.path())),
            _ => client::mint(self.port, &file.post()).await,
        }
    }
}

/// Starts serverrs as it is shipped, with these settings besides its way out: the CDN is its proxy.
pub(crate) async fn serverrs(
    binary: &Path,
    cdn: &Cdn,
    settings: &[(&str, &str)],
) -> Result<Subject> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command
        .env_clear()
        // For ffmpeg.
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOST", "127.0.0.1")
        .env("PORT", port.to_string())
        .env("ENCRYPTION_KEY", KEY)
        .env("PROXY", format!("http://127.0.0.1:{}", cdn.doors.plain))
        .env("EXTRA_CA_FILE", cdn.ca_file())
        .envs(settings.iter().copied())
        .current_dir(&cdn.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let started = Instant::now();
    let process = Process::start(command, &cdn.folder.join("serverrs.log"))?;
    until_up(port, "/health", started).await?;
    Ok(Subject {
        name: "serverrs",
        process,
        port,
        ready: started.elapsed(),
    })
}

/// Starts nginx with the configuration of `template`.
pub(crate) async fn nginx(template: &Path, cdn: &Cdn) -> Result<Subject> {
    let port = free_port()?;
    let folder = cdn.folder.join("nginx");
    std::fs::create_dir_all(&folder)?;
    let config = std::fs::read_to_string(template)?
        .replace("@PORT@", &port.to_string())
        .replace("@PLAIN@", &cdn.doors.plain.to_string())
        .replace("@TLS@", &cdn.doors.tls.to_string())
        .replace("@CA_FILE@", &cdn.ca_file().to_string_lossy());
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(&folder)
        .arg("-c")
        .arg(&file)
        .args(["-e", "stderr"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let started = Instant::now();
    let process = Process::start(command, &folder.join("nginx.log"))?;
    until_up(port, "/health", started).await?;
    Ok(Subject {
        name: "nginx",
        process,
        port,
        ready: started.elapsed(),
    })
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}

async fn until_up(port: u16, path: &str, started: Instant) -> Result<()> {
    while started.elapsed() < PATIENCE {
        match client::get(port, path).await {
            Ok((200, _)) => return Ok(()),
            _ => sleep(Duration::from_millis(1)).await,
        }
    }
    Err(format!("nothing answers on port {port}; see the logs").into())
}
