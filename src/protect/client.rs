//! The client behind proxies of ours.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Hops that are looked at; more than any chain of proxies has.
const MAX_HOPS: usize = 32;

/// Address of the client whose request came from `peer`.
///
/// `X-Forwarded-For` counts only when the peer is one of our proxies, and of its addresses the rightmost that is none:
/// what stands further left was written by that client (reliability R2.4). `Forwarded` and `X-Real-IP` don't count,
/// because a proxy that writes one of the headers passes the others on as the client sent them. `lines` are the values
/// of the header in their order. A hop that is no address ends the search at the last one that was understood.
pub fn client_address<'a>(
    peer: IpAddr,
    lines: impl DoubleEndedIterator<Item = &'a str>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let mut client = peer.to_canonical();
    let hops = lines.rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(MAX_HOPS) {
        if !is_trusted(client) {
            break;
        }
        match address(hop.trim()) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// An address, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = bare
        .unwrap_or(hop)
        .parse()
        .or_else(|_| hop.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// The smallest block of addresses that one subscriber gets: an IPv4 address, or an IPv6 /64.
pub fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client as seen by a server whose proxies are in 10.0.0.0/8 and at `2001:db8::1`.
    fn client(peer: &str, lines: &[&str]) -> String {
        let peer = peer.parse().unwrap();
        let found = client_address(peer, lines.iter().copied(), |address| match address {
            IpAddr::V4(v4) => v4.octets()[0] == 10,
            IpAddr::V6(v6) => v6 == "2001:db8::1".parse::<Ipv6Addr>().unwrap(),
        });
        found.to_string()
    }

    #[test]
    fn header_of_a_stranger_does_not_count() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn rightmost_untrusted_hop_is_the_client() {
        for (lines, expected) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (&["1.1.1.1, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            (
                &["1.1.1.1", "198.51.100.7 ,10.0.0.2", "10.9.9.9"],
                "198.51.100.7",
            ),
            (&["2001:db8::7, 2001:db8::1"], "2001:db8::7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn hop_that_is_no_address_ends_the_search() {
        for (lines, expected) in [
            (&["1.1.1.1, unknown"][..], "10.0.0.1"),
            (&["1.1.1.1, _hidden, 10.0.0.2"], "10.0.0.2"),
            (&[""], "10.0.0.1"),
            (&["1.1.1.1,,"], "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
        }
        let long = "10.0.0.3,".repeat(5000);
        assert_eq!(
            client("10.0.0.1", &[&format!("1.1.1.1,{long}10.0.0.4")]),
            "10.0.0.3"
        );
    }

    #[test]
    fn block_is_an_address_or_a_64() {
        let block = |text: &str| block(text.parse().unwrap()).to_string();
        assert_eq!(block("192.0.2.7"), "192.0.2.7");
        assert_eq!(block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(block("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
