//! `serverrs health`: is the server on this machine well?

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::{EXIT_CONFIG, complain, say};
use crate::config::{Env, ServerConfig};

/// Time for each step; a health answer takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks `/health` where the server of the same environment listens.
pub(super) fn run() -> ExitCode {
    let mut env = Env::from_process();
    let config = ServerConfig::from_env(&mut env);
    if let Err(error) = env.finish() {
        complain(&error.to_string());
        return ExitCode::from(EXIT_CONFIG);
    }
    let target = SocketAddr::new(reachable(config.host), config.port);
    match ask(target) {
        Ok(status) if status.contains(" 200 ") => {
            say("ok");
            ExitCode::SUCCESS
        }
        Ok(status) => {
            complain(&format!("unwell: {status}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&format!("no answer from {target}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// An address that listens everywhere is asked on loopback.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}

/// The status line of `GET /health`.
fn ask(target: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n"
    )?;
    let mut head = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut head)?;
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}
