//! How many connections there may be, in all and from one peer, and who goes when there are too many.
//!
//! Whoever holds a connection and asks for nothing holds a place that another could use. So a full house is not closed:
//! the peer that has the most connections loses the one that has waited longest for its client, as long as that makes
//! the shares more equal. A request that the server works on is never cut.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A connection that has waited for so long may go for a peer that has as many.
const LONG: Duration = Duration::from_secs(1);

/// Counts connections; a greedy peer gets no more, and makes room where the house is full.
pub(crate) struct Connections {
    total: usize,
    per_peer: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// By number: who came first has the lowest.
    guests: BTreeMap<u64, Guest>,
    by_peer: HashMap<IpAddr, usize>,
    last: u64,
}

struct Guest {
    peer: IpAddr,
    turn: Arc<Turn>,
}

/// One connection's place, given back when dropped.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    turn: Arc<Turn>,
}

/// Whose turn it is on a connection.
pub(crate) struct Turn {
    whose: Mutex<Whose>,
    ended: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The client's, since then.
    Client(Instant),
    /// Ours: we work for it.
    Ours,
    /// The connection goes: nothing is begun for it any more.
    Nobodys,
}

/// It is the client's turn again when this is dropped.
pub(crate) struct Work<'a>(&'a Turn);

impl Turn {
    fn new() -> Self {
        Self { whose: Mutex::new(Whose::Client(Instant::now())), ended: Notify::new() }
    }

    fn whose(&self) -> MutexGuard<'_, Whose> {
        self.whose.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits_since(&self) -> Option<Instant> {
        match *self.whose() {
            Whose::Client(since) => Some(since),
            Whose::Ours | Whose::Nobodys => None,
        }
    }

    /// The client has said all that it has to say: the connection stays until the answer is there. `None` where it has made
    /// room for another's already, and nobody would hear the answer.
    pub fn work(&self) -> Option<Work<'_>> {
        let mut whose = self.whose();
        if *whose == Whose::Nobodys {
            return None;
        }
        *whose = Whose::Ours;
        Some(Work(self))
    }

    /// Ends the connection unless there is work for it.
    fn lose(&self) -> bool {
        let mut whose = self.whose();
        let loses = matches!(*whose, Whose::Client(_));
        if loses {
            *whose = Whose::Nobodys;
            self.ended.notify_one();
        }
        loses
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        *self.0.whose() = Whose::Client(Instant::now());
    }
}

/// Who counts as one peer: an IPv4 address, or an IPv6 /64, which one machine has to itself.
pub(super) fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        other => other,
    }
}

impl Connections {
    pub fn new(total: usize, per_peer: usize) -> Arc<Self> {
        Arc::new(Self { total, per_peer, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`, or none.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let open = self.open();
        (open.guests.len() < self.total).then(|| self.seat(open, address))?
    }

    /// As [`Self::admit`], where whoever holds a [`Place`] leaves when it is lost.
    pub fn admit_making_room(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = self.open();
        let peer = peer_of(address);
        while open.guests.len() >= self.total && open.of(peer) < self.per_peer {
            let number = open.goes_for(peer, Instant::now())?;
            // Work may have begun for it this moment: then another is looked for.
            if open.guests.get(&number).is_some_and(|guest| guest.turn.lose()) {
                open.leave(number);
            }
        }
        (open.guests.len() < self.total).then(|| self.seat(open, address))?
    }

    fn seat(self: &Arc<Self>, mut open: MutexGuard<'_, Open>, address: IpAddr) -> Option<Place> {
        let peer = peer_of(address);
        if open.of(peer) >= self.per_peer {
            return None;
        }
        *open.by_peer.entry(peer).or_default() += 1;
        open.last += 1;
        let (number, turn) = (open.last, Arc::new(Turn::new()));
        open.guests.insert(number, Guest { peer, turn: turn.clone() });
        Some(Place { connections: Arc::clone(self), number, turn })
    }

    /// Connections at this moment.
    pub fn count(&self) -> usize {
        self.open().guests.len()
    }
}

impl Open {
    fn of(&self, peer: IpAddr) -> usize {
        self.by_peer.get(&peer).copied().unwrap_or(0)
    }

    /// The connection that goes so that `peer` may have one more: of those that wait for their client, the longest waiting of
    /// the peer that has the most.
    fn goes_for(&self, peer: IpAddr, now: Instant) -> Option<u64> {
        let own = self.of(peer);
        let waits = |(number, guest): (&u64, &Guest)| {
            let since = guest.turn.waits_since()?;
            let has = self.of(guest.peer);
            let may_go = has >= own + 2 || has > own && now.duration_since(since) >= LONG;
            may_go.then_some((Reverse(has), since, *number))
        };
        self.guests.iter().filter_map(waits).min().map(|(.., number)| number)
    }

    fn leave(&mut self, number: u64) -> Option<Guest> {
        let guest = self.guests.remove(&number)?;
        if let Some(count) = self.by_peer.get_mut(&guest.peer) {
            *count -= 1;
            if *count == 0 {
                self.by_peer.remove(&guest.peer);
            }
        }
        Some(guest)
    }
}

impl Place {
    /// Whose turn it is on the connection that has this place.
    pub fn turn(&self) -> Arc<Turn> {
        self.turn.clone()
    }

    /// Resolves when the place is another's.
    pub async fn lost(&self) {
        self.turn.ended.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may be another's already.
        drop(self.connections.open().leave(self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn has_lost(place: &Place) -> bool {
        use futures_util::FutureExt;
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn a_greedy_peer_leaves_room_for_others() {
        let connections = Connections::new(3, 2);
        let (greedy, same) = (address("2001:db8::1"), address("2001:db8::ffff:2"));
        let places = [connections.admit(greedy), connections.admit(same)];
        assert!(places.iter().all(Option::is_some));
        assert!(connections.admit(greedy).is_none());
        let last = connections.admit(address("192.0.2.1"));
        assert!(last.is_some());
        drop(places);
        assert_eq!(connections.count(), 1);
        assert!(connections.admit(greedy).is_some());
        drop(last);
        assert!(connections.open().by_peer.is_empty());
    }

    #[test]
    fn in_a_full_house_the_greediest_loses_what_has_waited_longest() {
        let connections = Connections::new(3, 3);
        let (greedy, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let places: Vec<_> = (0..3).map(|_| connections.admit_making_room(greedy).unwrap()).collect();
        let turn = places[0].turn();
        let work = turn.work();
        let first = connections.admit_making_room(other).unwrap();
        assert_eq!(
            places.iter().map(has_lost).collect::<Vec<_>>(),
            [false, true, false],
            "the first is at work"
        );
        assert_eq!(connections.count(), 3);
        assert!(connections.admit_making_room(other).is_none(), "two and one are as equal as can be");
        assert!(connections.admit_making_room(greedy).is_none(), "nobody makes room for the greediest");
        drop(work);
        drop(places);
        assert_eq!(connections.count(), 1, "a place that was lost is not given back twice");
        drop(first);
        assert!(connections.open().by_peer.is_empty());
    }

    #[test]
    fn among_equals_only_what_has_waited_long_goes() {
        let connections = Connections::new(2, 2);
        let places =
            ["192.0.2.1", "192.0.2.2"].map(|peer| connections.admit_making_room(address(peer)).unwrap());
        let late = address("192.0.2.3");
        assert!(connections.admit_making_room(late).is_none());
        let now = Instant::now();
        assert_eq!(connections.open().goes_for(late, now + LONG), Some(1));
        let turns = places.each_ref().map(Place::turn);
        let _work = turns.each_ref().map(|turn| turn.work());
        assert_eq!(connections.open().goes_for(late, now + LONG), None, "all are at work");
    }
}
