//! How many connections there may be, in all and from one peer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections; a full house or a greedy peer gets no more.
pub(crate) struct Connections {
    total: usize,
    per_peer: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// One connection's place, given back when dropped.
pub(crate) struct Place {
    connections: Arc<Connections>,
    peer: IpAddr,
}

/// Who counts as one peer: an IPv4 address, or an IPv6 /64, which one machine has to itself.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        other => other,
    }
}

impl Connections {
    pub fn new(total: usize, per_peer: usize) -> Arc<Self> {
        Arc::new(Self { total, per_peer, open: Mutex::default() })
    }

    /// A place for a connection from `address`, or none.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let peer = peer_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = open.by_peer.get(&peer).copied().unwrap_or(0);
        if open.total >= self.total || of_peer >= self.per_peer {
            return None;
        }
        open.total += 1;
        open.by_peer.insert(peer, of_peer + 1);
        Some(Place { connections: Arc::clone(self), peer })
    }

    /// Connections at this moment.
    pub fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greedy_peer_leaves_room_for_others() {
        let connections = Connections::new(3, 2);
        let greedy: IpAddr = "2001:db8::1".parse().unwrap();
        let same: IpAddr = "2001:db8::ffff:2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        let places = [connections.admit(greedy), connections.admit(same)];
        assert!(places.iter().all(Option::is_some));
        assert!(connections.admit(greedy).is_none());
        let last = connections.admit(other);
        assert!(last.is_some());
        assert!(connections.admit("192.0.2.2".parse().unwrap()).is_none(), "the house is full");
        drop(places);
        assert_eq!(connections.count(), 1);
        assert!(connections.admit(greedy).is_some());
        drop(last);
        assert!(connections.open.lock().unwrap().by_peer.is_empty());
    }
}
