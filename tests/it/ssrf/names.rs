//! A name server whose answers tests decide: `at-<hex>-<n>.…` is that address, `once-<n>.…` is public the first
//! time and private from then on, `flip-<n>.…` every other time, `both-<n>.…` is always both, names that a test has put elsewhere are there, the operator's own
//! proxy is on loopback, every other name is the simulated sites'; hosts of YouTube's media have addresses of both kinds.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::UdpSocket;

/// Address of the simulated sites.
pub(super) const SITES: Ipv4Addr = Ipv4Addr::new(23, 50, 0, 1);
/// Addresses of YouTube's media.
pub(super) const MEDIA: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(23, 50, 0, 2),
    Ipv6Addr::new(0x2a00, 0x1450, 0x4001, 0, 0, 0, 0, 2),
);
/// Where names lead that have turned.
const INSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);
/// Type of a question: IPv4 address.
const A: u16 = 1;
/// Type of a question: IPv6 address.
const AAAA: u16 = 28;
/// Bytes of a message's header.
const HEADER: usize = 12;

/// The operator's own proxy, by name.
pub(super) const OWN_PROXY: &str = "proxy.operator.example";

/// What was asked of the name server, and what it was told to answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    /// How often each name was asked for its IPv4 addresses.
    counts: HashMap<String, usize>,
    /// Where tests have put names.
    places: HashMap<String, IpAddr>,
}

impl Asked {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().expect("names")
    }

    /// Number of questions for names that begin so.
    pub(super) fn count(&self, prefix: &str) -> usize {
        let names = self.names();
        let meant = names
            .counts
            .iter()
            .filter(|(name, _)| name.starts_with(prefix));
        meant.map(|(_, count)| count).sum()
    }

    /// Number of questions for one name.
    pub(super) fn count_of(&self, name: &str) -> usize {
        self.names().counts.get(name).copied().unwrap_or_default()
    }

    /// Every name that was asked for.
    pub(super) fn all(&self) -> Vec<String> {
        self.names().counts.keys().cloned().collect()
    }

    /// Answers these names with one address; those put somewhere before are the sites' again.
    pub(super) fn put(&self, names: &[&str], address: IpAddr) {
        let places = names.iter().map(|name| ((*name).to_owned(), address));
        self.names().places = places.collect();
    }

    /// Counts a question; returns how many came before it.
    fn note(&self, name: &str) -> usize {
        let mut names = self.names();
        let count = names.counts.entry(name.to_owned()).or_default();
        *count += 1;
        *count - 1
    }

    /// Turns a name, public so far, to an address that is not.
    pub(super) fn turn(&self, name: &str) {
        let places = &mut self.names().places;
        places.insert(name.to_owned(), INSIDE.into());
    }

    fn place(&self, name: &str) -> Option<IpAddr> {
        self.names().places.get(name).copied()
    }
}

/// Answers questions until it is dropped.
pub(super) async fn answer_all(socket: UdpSocket, asked: Asked) {
    let mut message = [0; 512];
    while let Ok((length, client)) = socket.recv_from(&mut message).await {
        if let Some(reply) = reply(&message[..length], &asked) {
            socket.send_to(&reply, client).await.expect("a reply");
        }
    }
}

/// The reply to a message with one question (RFC 1035 §4.1); `None` when it is something else.
fn reply(message: &[u8], asked: &Asked) -> Option<Vec<u8>> {
    let (name, end) = question_name(message)?;
    let kind = u16::from_be_bytes(message.get(end..end + 2)?.try_into().ok()?);
    let addresses: Vec<IpAddr> = addresses(&name, kind, asked)
        .into_iter()
        .filter(|address| address.is_ipv4() == (kind == A))
        .collect();
    let mut reply = message[..2].to_vec();
    let count = u16::try_from(addresses.len()).expect("few addresses");
    for field in [0x8180, 1, count, 0, 0] {
        reply.extend_from_slice(&u16::to_be_bytes(field));
    }
    reply.extend_from_slice(message.get(HEADER..end + 4)?);
    for address in addresses {
        let data = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        // The name by its place in the message, the type, class IN, and no time to live.
        reply.extend_from_slice(&[0xc0, 12]);
        reply.extend_from_slice(&kind.to_be_bytes());
        reply.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        reply.extend_from_slice(&u16::try_from(data.len()).expect("an address").to_be_bytes());
        reply.extend_from_slice(&data);
    }
    Some(reply)
}

/// The name that is asked for, lower case, and where it ends.
fn question_name(message: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            return Some((labels.join("."), at + 1));
        }
        let label = std::str::from_utf8(message.get(at + 1..at + 1 + length)?).ok()?;
        labels.push(label.to_ascii_lowercase());
        at += 1 + length;
    }
}

fn addresses(name: &str, kind: u16, asked: &Asked) -> Vec<IpAddr> {
    let before = match kind {
        A => asked.note(name),
        AAAA => asked.count_of(name).saturating_sub(1),
        _ => return Vec::new(),
    };
    if let Some(address) = asked.place(name) {
        return vec![address];
    }
    let inside = [IpAddr::V4(INSIDE), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let label = name.split('.').next().unwrap_or_default();
    match label.split_once('-') {
        Some(("at", rest)) => vec![address_in(rest)],
        Some(("once", _)) if before > 0 => inside.into(),
        Some(("flip", _)) if before % 2 == 1 => inside.into(),
        Some(("both", _)) => [&inside[..1], &[SITES.into()], &inside[1..]].concat(),
        _ if name == OWN_PROXY => vec![Ipv4Addr::LOCALHOST.into()],
        _ if name.ends_with(".googlevideo.com") => vec![MEDIA.1.into(), MEDIA.0.into()],
        _ => vec![SITES.into()],
    }
}

/// The address of a name that says it itself.
pub(super) fn address_of(name: &str) -> IpAddr {
    address_in(name.trim_start_matches("at-"))
}

/// The address in hex, before the number of the name.
fn address_in(rest: &str) -> IpAddr {
    let hex = rest.split(['-', '.']).next().unwrap_or_default();
    let bits = u128::from_str_radix(hex, 16).expect("an address in hex");
    match u32::try_from(bits) {
        Ok(bits) if hex.len() == 8 => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    }
}
