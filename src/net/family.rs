//! The two kinds of IP address, for sites whose media answer only to the address that asked for them.

use std::net::{IpAddr, SocketAddr};

/// A kind of IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// Four bytes.
    V4,
    /// Sixteen bytes.
    V6,
}

impl IpFamily {
    /// The kind of an address; IPv4 written as IPv6 is IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Keeps the addresses of this kind. When there are none, all stay: the site's own refusal says more than none.
    pub(super) fn keep(self, addresses: &mut Vec<SocketAddr>) {
        let is_kept = |address: &SocketAddr| Self::of(address.ip()) == self;
        if addresses.iter().any(is_kept) {
            addresses.retain(is_kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(family: IpFamily, addresses: &[&str]) -> Vec<String> {
        let mut addresses = addresses
            .iter()
            .map(|text| SocketAddr::new(text.parse().unwrap(), 0))
            .collect();
        family.keep(&mut addresses);
        addresses.iter().map(|at| at.ip().to_string()).collect()
    }

    #[test]
    fn family_keeps_its_own_addresses() {
        let both = [
            "2001:db8::1",
            "192.0.2.1",
            "2001:db8::2",
            "::ffff:192.0.2.2",
        ];
        assert_eq!(kept(IpFamily::V4, &both), ["192.0.2.1", "::ffff:192.0.2.2"]);
        assert_eq!(kept(IpFamily::V6, &both), ["2001:db8::1", "2001:db8::2"]);
    }

    #[test]
    fn family_without_an_address_leaves_the_others() {
        assert_eq!(kept(IpFamily::V6, &["192.0.2.1"]), ["192.0.2.1"]);
        assert_eq!(kept(IpFamily::V6, &[]), Vec::<String>::new());
    }
}
