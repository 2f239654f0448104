//! The proxy's second language: SOCKS 5 (RFC 1928), without a login.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const VERSION: u8 = 5;
const CONNECT: u8 = 1;

/// What a client is told of its CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// It speaks with the target from here on.
    Granted = 0,
    /// The rules don't allow it.
    Refused = 2,
}

/// Whether a client speaks it: no request of HTTP begins with its first byte.
pub(super) async fn is_spoken(tcp: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(tcp.peek(&mut first).await? == 1 && first == [VERSION])
}

/// Greets a client; returns the host and the port that it wants.
pub(super) async fn asked(tcp: &mut TcpStream) -> io::Result<(String, u16)> {
    let greeting: [u8; 2] = read(tcp).await?;
    tcp.read_exact(&mut vec![0; greeting[1].into()]).await?;
    tcp.write_all(&[VERSION, 0]).await?;
    let [version, command, _, kind]: [u8; 4] = read(tcp).await?;
    if (version, command) != (VERSION, CONNECT) {
        return Err(io::Error::other("no CONNECT"));
    }
    let host = match kind {
        1 => IpAddr::from(Ipv4Addr::from(read::<4>(tcp).await?)).to_string(),
        4 => IpAddr::from(Ipv6Addr::from(read::<16>(tcp).await?)).to_string(),
        3 => {
            let mut name = vec![0; tcp.read_u8().await?.into()];
            tcp.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
        _ => return Err(io::Error::other("an address of no kind")),
    };
    Ok((host, tcp.read_u16().await?))
}

/// Answers a client that has asked.
pub(super) async fn answer(tcp: &mut TcpStream, reply: Reply) -> io::Result<()> {
    // From no address that anybody would want to know.
    let answer = [VERSION, reply as u8, 0, 1, 0, 0, 0, 0, 0, 0];
    tcp.write_all(&answer).await
}

async fn read<const LENGTH: usize>(tcp: &mut TcpStream) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    tcp.read_exact(&mut bytes).await?;
    Ok(bytes)
}
