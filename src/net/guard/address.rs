//! Which IP addresses are public (reliability R5.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::Env;

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 ranges that are not public.
const PRIVATE_V4: [Ipv4Net; 18] = [
    v4(0, 0, 0, 8),       // this network, RFC 791
    v4(10, 0, 0, 8),      // private, RFC 1918
    v4(100, 64, 0, 10),   // carrier NAT, RFC 6598
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local, and cloud metadata services
    v4(172, 16, 0, 12),   // private, RFC 1918
    v4(192, 0, 0, 24),    // protocol assignments, RFC 6890
    v4(192, 0, 2, 24),    // documentation, RFC 5737
    v4(192, 31, 196, 24), // AS112, RFC 7535
    v4(192, 52, 193, 24), // AMT, RFC 7450
    v4(192, 88, 99, 24),  // 6to4 relay, RFC 7526
    v4(192, 168, 0, 16),  // private, RFC 1918
    v4(192, 175, 48, 24), // AS112, RFC 7534
    v4(198, 18, 0, 15),   // benchmarks, RFC 2544
    v4(198, 51, 100, 24), // documentation, RFC 5737
    v4(203, 0, 113, 24),  // documentation, RFC 5737
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, and broadcast
];

/// The only IPv6 range that holds public addresses. What lies outside, refused by that alone: loopback, IPv4-mapped
/// and -compatible, NAT64 (`64:ff9b::/96`, `64:ff9b:1::/48`), unique local, link-local, multicast.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Ranges inside [`GLOBAL_V6`] that are not public.
const PRIVATE_V6: [Ipv6Net; 5] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo among them, RFC 2928
    v6(0x2001, 0xdb8, 0, 32), // documentation, RFC 3849
    v6(0x2002, 0, 0, 16),     // 6to4: embeds an IPv4 address, RFC 3056
    v6(0x2620, 0x4f, 0x8000, 48), // AS112, RFC 7534
    v6(0x3fff, 0, 0, 20),     // documentation, RFC 9637
];

/// Whether `address` is a public one. Addresses that embed another (mapped, 6to4, NAT64, Teredo) are not: no site
/// that we ask has one, and what they lead to would have to be judged a second time.
pub(in crate::net) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !PRIVATE_V4.iter().any(|range| range.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !PRIVATE_V6.iter().any(|range| range.contains(&address))
        }
    }
}

/// Which addresses may be dialled: the public ones, and what the operator allows besides.
#[derive(Debug, Clone, Default)]
pub(in crate::net) struct AddressGuard {
    allowed: Vec<IpNet>,
}

impl AddressGuard {
    /// Reads `ALLOW_PRIVATE_UPSTREAM`, a list of CIDRs.
    pub(in crate::net) fn from_env(env: &mut Env) -> Self {
        let mut allowed = Vec::new();
        for text in env.list("ALLOW_PRIVATE_UPSTREAM") {
            match parse_range(&text) {
                Some(range) => allowed.push(range),
                None => env.fault(
                    "ALLOW_PRIVATE_UPSTREAM",
                    format_args!("`{text}`: not a range such as `10.0.0.0/8`"),
                ),
            }
        }
        Self { allowed }
    }

    /// Whether `address` may be dialled.
    pub(in crate::net) fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|range| range.contains(&address))
    }

    /// The ranges that the operator allows besides.
    pub(in crate::net) fn exceptions(&self) -> &[IpNet] {
        &self.allowed
    }
}

fn parse_range(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// First and last address of each range, and the neighbours outside where those are public.
    const V4_EDGES: [(&str, &str, &str, &str); 16] = [
        ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
        ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        (
            "100.63.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "100.128.0.0",
        ),
        (
            "126.255.255.255",
            "127.0.0.0",
            "127.255.255.255",
            "128.0.0.0",
        ),
        (
            "169.253.255.255",
            "169.254.0.0",
            "169.254.255.255",
            "169.255.0.0",
        ),
        (
            "172.15.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "172.32.0.0",
        ),
        ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
        ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
        (
            "192.31.195.255",
            "192.31.196.0",
            "192.31.196.255",
            "192.31.197.0",
        ),
        (
            "192.52.192.255",
            "192.52.193.0",
            "192.52.193.255",
            "192.52.194.0",
        ),
        (
            "192.88.98.255",
            "192.88.99.0",
            "192.88.99.255",
            "192.88.100.0",
        ),
        (
            "192.167.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "192.169.0.0",
        ),
        (
            "192.175.47.255",
            "192.175.48.0",
            "192.175.48.255",
            "192.175.49.0",
        ),
        (
            "198.17.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.20.0.0",
        ),
        (
            "198.51.99.255",
            "198.51.100.0",
            "198.51.100.255",
            "198.51.101.0",
        ),
        (
            "203.0.112.255",
            "203.0.113.0",
            "203.0.113.255",
            "203.0.114.0",
        ),
    ];

    const V6_EDGES: [(&str, &str, &str, &str); 5] = [
        ("2000:ffff::", "2001::", "2001:1ff:ffff::ffff", "2001:200::"),
        (
            "2001:db7:ffff::",
            "2001:db8::",
            "2001:db8:ffff::ffff",
            "2001:db9::",
        ),
        ("2001:ffff::", "2002::", "2002:ffff::ffff", "2003::"),
        (
            "2620:4f:7fff::",
            "2620:4f:8000::",
            "2620:4f:8000:ffff::ffff",
            "2620:4f:8001::",
        ),
        ("3ffe:ffff::", "3fff::", "3fff:fff::ffff", "3fff:1000::"),
    ];

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn address_range_edges_are_exact() {
        for (before, first, last, after) in V4_EDGES.into_iter().chain(V6_EDGES) {
            assert!(before.is_empty() || public(before), "{before}");
            assert!(!public(first), "{first}");
            assert!(!public(last), "{last}");
            assert!(public(after), "{after}");
        }
    }

    #[test]
    fn address_upper_ranges_are_refused_to_the_end() {
        assert!(public("223.255.255.255"));
        for refused in [
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
        ] {
            assert!(!public(refused), "{refused}");
        }
    }

    #[test]
    fn address_outside_global_unicast_is_refused() {
        assert!(public("2000::") && public("2a00:1450:4001:81b::200e"));
        for refused in [
            "::",
            "::1",
            "::8.8.8.8",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "1fff:ffff::",
            "4000::",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert!(!public(refused), "{refused}");
        }
    }

    #[test]
    fn address_exceptions_allow_only_themselves() {
        let mut env = Env::from_pairs([("ALLOW_PRIVATE_UPSTREAM", "127.0.0.0/8, ::1,10.1.2.3")]);
        let guard = AddressGuard::from_env(&mut env);
        env.finish().unwrap();
        let allows = |text: &str| guard.allows(text.parse().unwrap());
        assert!(allows("127.9.9.9") && allows("::1") && allows("10.1.2.3") && allows("8.8.8.8"));
        assert!(!allows("10.1.2.4") && !allows("::2") && !allows("::ffff:127.0.0.1"));
    }

    proptest! {
        #[test]
        fn address_inside_a_private_range_is_refused(index in 0..PRIVATE_V4.len(), host: u32) {
            let range = PRIVATE_V4[index];
            let inside = range.network().to_bits() | (host & range.hostmask().to_bits());
            prop_assert!(!is_public(IpAddr::V4(Ipv4Addr::from_bits(inside))));
        }

        #[test]
        fn address_that_embeds_any_ipv4_is_refused(embedded: u32) {
            let low = u128::from(embedded);
            for bits in [
                low,                                      // ::/96
                0xffff_u128 << 32 | low,                  // IPv4-mapped
                0x64_ff9b_u128 << 96 | low,               // NAT64
                0x2002_u128 << 112 | low << 80,           // 6to4
                0x2001_0000_u128 << 96 | (!low & 0xffff_ffff), // Teredo: the client's address, inverted
            ] {
                prop_assert!(!is_public(IpAddr::V6(Ipv6Addr::from_bits(bits))));
            }
        }
    }
}
