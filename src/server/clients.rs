//! How many connections each client has open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protect::block;

/// Counts open connections per IPv4 address or IPv6 /64, the smallest block one subscriber gets.
#[derive(Debug)]
pub(super) struct Clients {
    max: usize,
    /// Only clients with a connection are in here, so it is bounded by the connections themselves.
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of a client; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Mutex::default(),
        }
    }

    /// Takes a place for a client, unless it has all of its own.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let client = block(address);
        let mut open = self.lock();
        let count = open.entry(client).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Seat {
            clients: Arc::clone(self),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.clients.lock();
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn full_client_is_refused_until_one_connection_ends() {
        let clients = Arc::new(Clients::new(2));
        let first = clients.admit(address("192.0.2.1")).unwrap();
        let _second = clients.admit(address("192.0.2.1")).unwrap();
        assert!(clients.admit(address("192.0.2.1")).is_none());
        assert!(clients.admit(address("192.0.2.2")).is_some());
        drop(first);
        assert!(clients.admit(address("192.0.2.1")).is_some());
    }

    #[test]
    fn ipv6_clients_share_their_slash_64() {
        let clients = Arc::new(Clients::new(1));
        let _first = clients.admit(address("2001:db8:1:2::1")).unwrap();
        assert!(clients.admit(address("2001:db8:1:2:ffff::9")).is_none());
        assert!(clients.admit(address("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn mapped_ipv4_counts_as_ipv4() {
        let clients = Arc::new(Clients::new(1));
        let _first = clients.admit(address("::ffff:192.0.2.1")).unwrap();
        assert!(clients.admit(address("192.0.2.1")).is_none());
    }

    #[test]
    fn clients_without_connections_take_no_memory() {
        let clients = Arc::new(Clients::new(1));
        drop(clients.admit(address("192.0.2.1")));
        assert!(clients.lock().is_empty());
    }
}
