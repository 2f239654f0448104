//! `serverrs health`: is the server on this machine well?

use std::io::{Error, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::exit::Exit;
use super::{complain, pin, say};
use crate::config::{Env, ServerConfig, TlsConfig};

/// Time for each step; a health answer takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// A certificate that was just renewed is shown from the connection on that follows a refused one.
const TLS_TRIES: u32 = 3;
/// Time for the server to notice that it was refused.
const TLS_PAUSE: Duration = Duration::from_millis(100);

/// Asks `/health` where the server of the same environment listens.
pub(super) fn run() -> ExitCode {
    let mut env = Env::from_process();
    let config = ServerConfig::from_env(&mut env);
    if let Err(error) = env.finish() {
        complain(&error.to_string());
        return Exit::Config.into();
    }
    let target = SocketAddr::new(reachable(config.host), config.port);
    match status_of(target, config.tls.as_ref()) {
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
fn status_of(target: SocketAddr, tls: Option<&TlsConfig>) -> Result<String> {
    let Some(tls) = tls else {
        return ask(connect(target)?, target);
    };
    let mut tries = 1;
    loop {
        match secure(connect(target)?, target, tls) {
            Ok(stream) => return ask(stream, target),
            Err(error) if tries == TLS_TRIES => return Err(error),
            Err(_) => std::thread::sleep(TLS_PAUSE),
        }
        tries += 1;
    }
}

fn connect(target: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A handshake with the server that has our certificate.
fn secure(
    mut stream: TcpStream,
    target: SocketAddr,
    tls: &TlsConfig,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let pair = tls.pair();
    let certificate = pair.end_entity_cert().map_err(Error::other)?;
    let config = pin::client_config(certificate.clone().into_owned()).map_err(Error::other)?;
    let name = ServerName::from(target.ip());
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

fn ask(mut stream: impl Read + Write, target: SocketAddr) -> Result<String> {
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n"
    )?;
    let mut head = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut head)?;
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}
