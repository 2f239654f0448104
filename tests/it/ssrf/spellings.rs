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

/// As [`V4`]: all of what is outside of `2000::/3`, with each range that has a name of its own, and what is not public
/// inside.
const V6: [(&str, &str); 24] = [
    ("::", "::ffff:ffff"),
    ("::1:0:0", "::fffe:ffff:ffff"),
    ("::ffff:0:0", "::ffff:ffff:ffff"),
    ("::1:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f01::", "dfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("e000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// Ranges whose addresses hold one of IPv4: what stands before its 32 bits, and how many bits behind it.
const EMBEDDINGS: [(&str, u32); 7] = [
    ("::ffff:0:0", 0),
    ("::", 0),
    ("64:ff9b::", 0),
    ("64:ff9b:1::", 0),
    // As NAT64 puts them behind a prefix of 48 bits (RFC 6052 §2.2), without its middle byte.
    ("64:ff9b:1::", 48),
    ("2002::", 80),
    ("2001::", 0),
];

/// Addresses of IPv4 that are put into others: what anybody would look for behind such a gate.
const EMBEDDED: [Ipv4Addr; 3] = [
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(169, 254, 169, 254),
];

/// One way of writing one address where an address has its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    /// What stands between `//` and the path.
    pub(super) host: String,
    /// What it means.
    pub(super) address: IpAddr,
}

/// One address that is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Private {
    pub(super) address: IpAddr,
    /// Whether it stands for its range: the one in its middle.
    pub(super) is_inside: bool,
}

/// The first address of each range, one inside, the last one, and those that hold another.
pub(super) fn addresses() -> Vec<Private> {
    let v4 = V4.iter().flat_map(|(first, last)| {
        let [first, last] = [first, last].map(|text| bits_v4(text));
        [first, u32::midpoint(first, last), last].map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
    });
    let v6 = V6.iter().flat_map(|(first, last)| {
        let [first, last] = [first, last].map(|text| bits_v6(text));
        [first, u128::midpoint(first, last), last].map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
    });
    let edges = v4.chain(v6).enumerate().map(|(number, address)| Private {
        address,
        is_inside: number % 3 == 1,
    });
    edges.chain(embedding()).collect()
}

fn embedding() -> impl Iterator<Item = Private> {
    EMBEDDINGS.into_iter().flat_map(|(range, behind)| {
        EMBEDDED.map(|address| {
            let mut low = address.to_bits();
            if range == "2001::" {
                // Teredo has the client's address with every bit turned (RFC 4380 §4).
                low = !low;
            }
            let bits = bits_v6(range) | u128::from(low) << behind;
            Private {
                address: Ipv6Addr::from_bits(bits).into(),
                is_inside: false,
            }
        })
    })
}

/// Every spelling of every address.
pub(super) fn all() -> Vec<Spelling> {
    let all = addresses().into_iter().flat_map(|one| match one.address {
        IpAddr::V4(address) => spell_v4(address),
        IpAddr::V6(address) => spell_v6(address),
    });
    let mut all: Vec<Spelling> = all.collect();
    all.dedup();
    all
}

fn bits_v4(text: &str) -> u32 {
    text.parse::<Ipv4Addr>().expect("an address").to_bits()
}

fn bits_v6(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().expect("an address").to_bits()
}

/// A name that the simulated name server answers with this address alone; each number makes another one.
pub(super) fn name_of(address: IpAddr, number: usize, domain: &str) -> String {
    match address {
        IpAddr::V4(address) => format!("at-{:08x}-{number}.{domain}", address.to_bits()),
        IpAddr::V6(address) => format!("at-{:032x}-{number}.{domain}", address.to_bits()),
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
