//! Addresses in and out of pools and networks.
//!
//! What was never used comes first, then what was freed longest ago: a packet or a cached name that
//! is still about for the former owner should find nobody.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Decision, Status};
use crate::types::{Cidr4, PoolId, Range4, SubnetId};
use crate::world::{Condition, Freed, Host, Key, Network, Pool, Space, World};

/// Why a wanted address cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// Every address is taken.
    Exhausted,
    /// This one is taken or reserved.
    Taken,
    /// This one is outside the range.
    Outside,
}

impl Decision<'_> {
    /// Takes the next elastic address of a pool, or the wanted one.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn take_public(&mut self, pool: PoolId, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, Unavailable> {
        let row = self.world.pools.get(&pool).cloned().ok_or(Unavailable::Exhausted)?;
        let space = Space::Pool(pool);
        let known = known_everywhere(&self.world, self.status);
        let free = |_: Ipv4Addr| known >= self.world.begun;
        let found = find(&self.world, &space, (row.range, row.next), wanted, free, |_| false)?;
        self.take(space, found.address);
        if found.next != row.next {
            self.put(Pool { next: found.next, ..(*row).clone() });
        }
        self.pass_over(&Space::Pool(pool), found.skipped);
        Ok(found.address)
    }

    /// Takes the next private address of a network that no subnet CIDR reservation keeps, or the wanted one.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn take_private(&mut self, network: &str, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, Unavailable> {
        let row = self.world.networks.get(network).cloned().ok_or(Unavailable::Exhausted)?;
        let space = Space::Network(row.name.clone());
        let known = known_everywhere(&self.world, self.status);
        let free = |address| usable(&row, address) && is_forgotten(&self.world, &space, address, known);
        let kept: Vec<_> = reserved(&self.world, &row.name);
        let kept = |address| kept.iter().any(|block| block.contains(address));
        let found = find(&self.world, &space, (row.range, row.next), wanted, free, kept)?;
        self.take(space.clone(), found.address);
        if found.next != row.next {
            self.put(Network { next: found.next, ..(*row).clone() });
        }
        self.pass_over(&space, found.skipped);
        Ok(found.address)
    }

    /// Puts an address at the end of those that may be used again.
    pub fn give_back(&mut self, space: Space, address: Ipv4Addr) {
        let (freed, freed_at) = (self.env.now, self.world.generation + 1);
        self.put(Freed { space, address, freed, freed_at });
    }

    /// Keeps addresses for later that nobody has had: no host can still take one for a former owner's.
    fn pass_over(&mut self, space: &Space, skipped: Vec<Ipv4Addr>) {
        for address in skipped {
            let (space, freed) = (space.clone(), self.env.now);
            self.put(Freed { space, address, freed, freed_at: 0 });
        }
    }

    fn take(&mut self, space: Space, address: Ipv4Addr) {
        let key = (space, address);
        if self.world.freed.contains_key(&key) {
            self.delete(Key::Freed(key));
        }
    }
}

/// The generation that every live host has applied: what was freed before it is in nobody's sets any
/// more. A host that has never said anything holds nothing.
pub(super) fn known_everywhere(world: &World, status: &Status) -> u64 {
    let live = world.hosts.values().filter(|host| host.condition != Condition::Failed);
    let applied = |host: &Arc<Host>| match status.hosts.get(&host.name) {
        Some(status) => status.applied,
        None if host.flat_mac.is_some() => 0,
        None => u64::MAX,
    };
    live.map(applied).min().unwrap_or(u64::MAX)
}

/// Whether no host can still take the address for its former owner's.
fn is_forgotten(world: &World, space: &Space, address: Ipv4Addr, known: u64) -> bool {
    let key = (space.clone(), address);
    let freed = world.freed.get(&key).is_none_or(|row| row.freed_at <= known);
    known >= world.begun && freed && !world.claims.contains_key(&key)
}

/// Whether instances may have the address: not the network's own, the gateway's or a reserved one.
pub fn usable(network: &Network, address: Ipv4Addr) -> bool {
    let edge = address == network.cidr.network() || address == network.cidr.last();
    !edge && address != network.gateway && !network.reserved.iter().any(|range| range.contains(address))
}

/// The parts of the network's subnets that are kept from automatic allocation.
fn reserved(world: &World, network: &Arc<str>) -> Vec<Cidr4> {
    let subnets = world.index.subnets_by_network.range((network.clone(), SubnetId::from_random(0))..);
    let subnets = subnets.take_while(|(of, _)| of == network);
    subnets.flat_map(|(_, subnet)| world.reservations_of(*subnet)).map(|row| row.cidr).collect()
}

struct Found {
    address: Ipv4Addr,
    next: Option<Ipv4Addr>,
    /// Free addresses below the new `next` that were passed over: for a wanted one, or because they are kept.
    skipped: Vec<Ipv4Addr>,
}

/// A wanted address far ahead would make this many rows of freed ones; then it is not worth it.
const MAX_SKIPPED: u32 = 65_536;

/// `kept`: only who names the address may have it.
fn find(
    world: &World,
    space: &Space,
    (range, next): (Range4, Option<Ipv4Addr>),
    wanted: Option<Ipv4Addr>,
    usable: impl Fn(Ipv4Addr) -> bool,
    kept: impl Fn(Ipv4Addr) -> bool,
) -> Result<Found, Unavailable> {
    let after = |address: Ipv4Addr| {
        let bits = address.to_bits().checked_add(1)?;
        Some(Ipv4Addr::from_bits(bits)).filter(|address| *address <= range.last())
    };
    let Some(wanted) = wanted else {
        let (mut fresh, mut skipped) = (next, Vec::new());
        while let Some(address) = fresh {
            match (usable(address), kept(address)) {
                (true, false) => return Ok(Found { address, next: after(address), skipped }),
                (true, true) => skipped.push(address),
                (false, _) => {}
            }
            fresh = after(address);
        }
        let free = |address| usable(address) && !kept(address);
        let address = oldest_freed(world, space, free).ok_or(Unavailable::Exhausted)?;
        return Ok(Found { address, next: None, skipped });
    };
    if !range.contains(wanted) {
        return Err(Unavailable::Outside);
    }
    match next {
        _ if !usable(wanted) => Err(Unavailable::Taken),
        Some(next) if wanted >= next => {
            if wanted.to_bits() - next.to_bits() > MAX_SKIPPED {
                return Err(Unavailable::Outside);
            }
            let between = (next.to_bits()..wanted.to_bits()).map(Ipv4Addr::from_bits);
            Ok(Found {
                address: wanted,
                next: after(wanted),
                skipped: between.filter(|a| usable(*a)).collect(),
            })
        }
        next if world.freed.contains_key(&(space.clone(), wanted)) => {
            Ok(Found { address: wanted, next, skipped: Vec::new() })
        }
        _ => Err(Unavailable::Taken),
    }
}

fn oldest_freed(world: &World, space: &Space, usable: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let first = (space.clone(), crate::types::Micros(i64::MIN), Ipv4Addr::UNSPECIFIED);
    let of_space = world.index.freed_by_age.range(first..).take_while(|(other, ..)| other == space);
    of_space.map(|(_, _, address)| *address).find(|address| usable(*address))
}

/// The pool that a caller means by id or name, or the first by name when it names none.
pub fn pool(world: &World, named: Option<&str>) -> Option<Arc<Pool>> {
    match named {
        Some(named) => {
            world.pools.values().find(|pool| &*pool.name == named || pool.id.to_string() == named).cloned()
        }
        None => world.pools.values().min_by(|a, b| a.name.cmp(&b.name)).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::control::HostStatus;
    use crate::control::testing::Bench;

    #[test]
    fn what_a_wanted_address_was_ahead_of_can_be_had_before_hosts_know() {
        let mut bench = Bench::small();
        let applied = bench.world.generation;
        bench.status.hosts.insert("node1".into(), HostStatus { applied, ..HostStatus::default() });
        let ip = |last: u8| Some(std::net::Ipv4Addr::new(10, 0, 0, last));
        let mut take = |wanted| bench.attempt(|decision| decision.take_private("flat", wanted));
        assert!(take(ip(30)).is_ok() && take(ip(20)).is_ok(), "one after the other, downwards");
        assert!(take(ip(30)).is_err() && take(ip(20)).is_err(), "and each once");
    }

    #[test]
    fn after_lost_commits_nothing_is_given_out_before_every_live_host_has_come_along() {
        let mut bench = Bench::small();
        bench.host("node2", "us-east-1a");
        bench.world.begun = 1_000_000;
        let pool = *bench.world.pools.keys().next().unwrap();
        let take = |bench: &mut Bench, applied: u64| {
            for name in ["node1", "node2"] {
                let applied = if name == "node1" { u64::MAX } else { applied };
                bench.status.hosts.insert(name.into(), HostStatus { applied, ..HostStatus::default() });
            }
            (
                bench.attempt(|decision| decision.take_public(pool, None)).is_ok(),
                bench.attempt(|decision| decision.take_private("flat", None)).is_ok(),
            )
        };
        assert_eq!(take(&mut bench, 999_999), (false, false));
        assert_eq!(take(&mut bench, 1_000_000), (true, true));
        bench.attempt(|decision| crate::control::hosts::fail(decision, "node2")).unwrap();
        assert_eq!(take(&mut bench, 999_999), (true, true));
    }
}
