//! The guard of addresses against a second judge: the registries of IANA as they are printed, read bit by bit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::is_public;

/// IANA IPv4 Special-Purpose Address Registry (as of 2025-05), whatever it says of reachability: no site lies in
/// these; and multicast (IPv4 Multicast Address Space Registry).
const V4: &[&str] = &[
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
];

/// IANA IPv6 Special-Purpose Address Registry (as of 2025-05), likewise.
const V6: &[&str] = &[
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
];

/// IANA Internet Protocol Version 6 Address Space: every block but the one of global unicast, `2000::/3`.
const V6_SPACE: &[&str] = &[
    "::/8",
    "100::/8",
    "200::/7",
    "400::/6",
    "800::/5",
    "1000::/4",
    "4000::/3",
    "6000::/3",
    "8000::/3",
    "a000::/3",
    "c000::/3",
    "e000::/4",
    "f000::/5",
    "f800::/6",
    "fc00::/7",
    "fe00::/9",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// An address as ones and zeros.
fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:032b}", address.to_bits()),
        IpAddr::V6(address) => format!("{:0128b}", address.to_bits()),
    }
}

/// The ones and zeros with which every address of a range begins.
fn prefix(range: &str) -> String {
    let (address, length) = range.split_once('/').unwrap();
    let mut bits = bits(address.parse().unwrap());
    bits.truncate(length.parse().unwrap());
    bits
}

/// The second judge.
struct Registries {
    v4: Vec<String>,
    v6: Vec<String>,
}

impl Registries {
    fn read() -> Self {
        let prefixes = |ranges: &[&str]| ranges.iter().map(|range| prefix(range)).collect();
        Self {
            v4: prefixes(V4),
            v6: prefixes(&[V6, V6_SPACE].concat()),
        }
    }

    fn is_public(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        let ranges = if address.is_ipv4() {
            &self.v4
        } else {
            &self.v6
        };
        !ranges.iter().any(|range| bits.starts_with(range))
    }

    #[track_caller]
    fn assert_agree(&self, address: IpAddr) {
        assert_eq!(is_public(address), self.is_public(address), "{address}");
    }
}

#[test]
fn guard_and_registries_agree_on_every_16_bits() {
    let registries = Registries::read();
    for high in 0..=u16::MAX {
        // First, last, and two inside that are others in every block.
        let mixed = u32::from(high).wrapping_mul(0x9e37_79b9) & 0xffff;
        for low in [0, 0xffff, mixed, !mixed & 0xffff] {
            let v4 = u32::from(high) << 16 | low;
            registries.assert_agree(Ipv4Addr::from_bits(v4).into());
            let spread = u128::from(low).wrapping_mul(0x0001_0001_0001_0001_0001_0001_0001);
            let v6 = u128::from(high) << 112 | spread & (u128::MAX >> 16);
            registries.assert_agree(Ipv6Addr::from_bits(v6).into());
        }
    }
}

#[test]
fn guard_and_registries_agree_at_every_edge() {
    let registries = Registries::read();
    for range in V4 {
        let (first, length) = range.split_once('/').unwrap();
        let first: Ipv4Addr = first.parse().unwrap();
        let size = 1_u64 << (32 - length.parse::<u32>().unwrap());
        let last = u32::try_from(u64::from(first.to_bits()) + size - 1).unwrap();
        for edge in [first.to_bits(), last] {
            for near in [edge.wrapping_sub(1), edge, edge.wrapping_add(1)] {
                registries.assert_agree(Ipv4Addr::from_bits(near).into());
            }
        }
    }
    for range in [V6, V6_SPACE].concat() {
        let (first, length) = range.split_once('/').unwrap();
        let first: Ipv6Addr = first.parse().unwrap();
        let host = u128::MAX.checked_shr(length.parse().unwrap()).unwrap_or(0);
        for edge in [first.to_bits(), first.to_bits() | host] {
            for near in [edge.wrapping_sub(1), edge, edge.wrapping_add(1)] {
                registries.assert_agree(Ipv6Addr::from_bits(near).into());
            }
        }
    }
}

/// The whole of every third octet in the blocks that hold ranges of 24 bits.
#[test]
fn guard_and_registries_agree_on_every_24_bits_of_the_crowded_blocks() {
    let registries = Registries::read();
    for block in [192, 198, 203] {
        for middle in 0..=u16::MAX {
            for low in [0, 9, 170, 255] {
                let bits = block << 24 | u32::from(middle) << 8 | low;
                registries.assert_agree(Ipv4Addr::from_bits(bits).into());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn guard_and_registries_agree_on_any_address(v4: u32, v6: u128) {
        let registries = Registries::read();
        registries.assert_agree(Ipv4Addr::from_bits(v4).into());
        registries.assert_agree(Ipv6Addr::from_bits(v6).into());
    }

    /// Inside of a range and just outside, where chance seldom leads.
    #[test]
    fn guard_and_registries_agree_near_their_ranges(
        which in 0..V6.len(),
        low: u128,
        flipped in 0_u32..128,
    ) {
        let registries = Registries::read();
        let (first, length) = V6[which].split_once('/').unwrap();
        let first: Ipv6Addr = first.parse().unwrap();
        let host = u128::MAX.checked_shr(length.parse().unwrap()).unwrap_or(0);
        let inside = first.to_bits() | low & host;
        for bits in [inside, inside ^ 1 << flipped] {
            registries.assert_agree(Ipv6Addr::from_bits(bits).into());
        }
    }
}
