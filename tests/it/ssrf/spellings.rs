//! The addresses that no request may reach, and the ways of writing them (reliability R5.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every range that is not public: first and last address.
pub(super) const V4: [(&str, &str); 18] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];

/// As [`V4`].
const V6: [(&str, &str); 14] = [
    ("::", "::ffff:ffff"),
    ("::ffff:0:0", "::ffff:ffff:ffff"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// One way of writing one address where an address has its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    /// What stands between `//` and the path.
    pub(super) host: String,
    /// What it means.
    pub(super) address: IpAddr,
}

/// Every spelling of the first address of each range, of its last one, and of one inside.
pub(super) fn all() -> Vec<Spelling> {
    let v4 = V4.iter().flat_map(|(first, last)| {
        let [first, last] = [first, last].map(|text| bits_v4(text));
        let inside = u32::midpoint(first, last);
        [first, inside, last].map(Ipv4Addr::from_bits)
    });
    let v6 = V6.iter().flat_map(|(first, last)| {
        let [first, last] = [first, last].map(|text| bits_v6(text));
        let inside = u128::midpoint(first, last);
        [first, inside, last].map(Ipv6Addr::from_bits)
    });
    let mut all: Vec<Spelling> = v4.flat_map(spell_v4).chain(v6.flat_map(spell_v6)).collect();
    all.dedup();
    all
}

fn bits_v4(text: &str) -> u32 {
    text.parse::<Ipv4Addr>().expect("an address").to_bits()
}

fn bits_v6(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().expect("an address").to_bits()
}

/// The name that the simulated name server answers with this address alone.
pub(super) fn name_of(address: IpAddr, domain: &str) -> String {
    match address {
        IpAddr::V4(address) => format!("at-{:08x}.{domain}", address.to_bits()),
        IpAddr::V6(address) => format!("at-{:032x}.{domain}", address.to_bits()),
    }
}

fn spell_v4(address: Ipv4Addr) -> Vec<Spelling> {
    let [a, b, c, d] = address.octets();
    let bits = address.to_bits();
    let low = u32::from(c) << 8 | u32::from(d);
    let (high_half, low_half) = (bits >> 16, bits & 0xffff);
    let dotted = address.to_string();
    let wide_digits: String = dotted.chars().map(full_width).collect();
    [
        dotted.clone(),
        bits.to_string(),
        format!("0x{bits:x}"),
        format!("0{bits:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{b}.{low}"),
        format!("{a}.{}", bits & 0x00ff_ffff),
        wide_digits,
        dotted.replace('.', "\u{3002}"),
        format!("{dotted}."),
        format!("%{:02x}{}", dotted.as_bytes()[0], &dotted[1..]),
        format!("[::ffff:{dotted}]"),
        format!("[::ffff:{high_half:x}:{low_half:x}]"),
        format!("[::{dotted}]"),
        format!("[2002:{high_half:x}:{low_half:x}::]"),
        format!("[64:ff9b::{dotted}]"),
        format!("{dotted}%25lo"),
    ]
    .into_iter()
    .map(|host| Spelling {
        host,
        address: address.into(),
    })
    .collect()
}

fn spell_v6(address: Ipv6Addr) -> Vec<Spelling> {
    let segments = address.segments().map(|segment| format!("{segment:04x}"));
    [
        format!("[{address}]"),
        format!("[{}]", segments.join(":")),
        format!("[{}]", segments.join(":").to_uppercase()),
        format!("[{address}%25lo]"),
        format!("[{address}%lo]"),
    ]
    .into_iter()
    .map(|host| Spelling {
        host,
        address: address.into(),
    })
    .collect()
}

/// The full-width form of a digit; browsers and [`url`] read it as the plain one.
fn full_width(c: char) -> char {
    match c.to_digit(10) {
        Some(digit) => char::from_u32(0xff10 + digit).expect("a full-width digit"),
        None => '\u{ff0e}',
    }
}
