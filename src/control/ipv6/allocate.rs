//! Blocks and addresses of IPv6, taken and given back.
//!
//! A block of a prefix that was never used comes first, the lowest one, then what was freed longest ago. The addresses of
//! interfaces are chosen at random, as EC2 chooses them: nobody finds one by trying. What was freed is nobody's until every
//! live host has applied a state without it.

use std::net::Ipv6Addr;
use std::sync::Arc;

use crate::control::Decision;
use crate::control::allocate::known_everywhere;
use crate::types::{Cidr6, Micros};
use crate::world::{FreedIpv6, Ipv6Pool, Key, World};

/// Why a VPC gets no block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoBlock {
    /// The operator has given no prefix.
    NoPrefix,
    /// Every block of his prefixes is taken.
    Exhausted,
}

/// Why an interface does not get an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// It is not the subnet's to give.
    Outside,
    Taken,
}

/// The length of one address as a block.
const ADDRESS: u8 = 128;

/// How many addresses are tried until one is free: of 2^64 the first one nearly always is.
const TRIES: usize = 16;

/// How many rows of what nobody remembers are deleted when something is freed.
const SWEEP: usize = 64;

impl Decision<'_> {
    /// Takes the next block of the operator's prefixes for a VPC.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn take_ipv6_block(&mut self) -> Result<Cidr6, NoBlock> {
        if self.world.ipv6_pools.is_empty() {
            return Err(NoBlock::NoPrefix);
        }
        let known = known_everywhere(&self.world, self.status);
        if known < self.world.begun {
            return Err(NoBlock::Exhausted);
        }
        let begun: Vec<_> =
            self.world.ipv6_pools.values().filter(|pool| pool.next.is_some()).cloned().collect();
        for pool in begun {
            let block = never_used(&self.world, &pool);
            // What was passed over is not fresh any more, even if nothing else is.
            let next = block.and_then(|block| after(&pool, block));
            self.put(Ipv6Pool { next, ..(*pool).clone() });
            if let Some(block) = block {
                return Ok(block);
            }
        }
        let block = oldest_freed(&self.world, known).ok_or(NoBlock::Exhausted)?;
        self.delete(Key::FreedIpv6(block));
        Ok(block)
    }

    /// Puts a VPC's block at the end of those that may be used again.
    pub fn give_back_ipv6_block(&mut self, block: Cidr6) {
        self.free_ipv6(block);
    }

    /// Takes the wanted address of a subnet's block, or one at random.
    ///
    /// # Errors
    /// Says why it cannot be had.
    pub fn take_ipv6(&mut self, block: Cidr6, wanted: Option<Ipv6Addr>) -> Result<Ipv6Addr, Unavailable> {
        let known = known_everywhere(&self.world, self.status);
        let address = match wanted {
            Some(address) if !usable(block, address) => return Err(Unavailable::Outside),
            Some(address) => Some(address).filter(|address| is_free(&self.world, *address, known)),
            None => (0..TRIES).find_map(|_| {
                let bits = block.network().to_bits() | u128::from(self.env.random());
                let address = Ipv6Addr::from_bits(bits);
                Some(address)
                    .filter(|address| usable(block, *address) && is_free(&self.world, *address, known))
            }),
        };
        let address = address.ok_or(Unavailable::Taken)?;
        let key = single(address);
        if self.world.freed_ipv6.contains_key(&key) {
            self.delete(Key::FreedIpv6(key));
        }
        Ok(address)
    }

    /// Gives back an interface's address.
    pub fn give_back_ipv6(&mut self, address: Ipv6Addr) {
        self.free_ipv6(single(address));
        let known = known_everywhere(&self.world, self.status);
        let first = (ADDRESS, Micros(i64::MIN), single(Ipv6Addr::UNSPECIFIED));
        let old = self.world.index.freed_ipv6_by_age.range(first..).map(|(.., cidr)| *cidr).take(SWEEP);
        let forgotten =
            |cidr: &Cidr6| self.world.freed_ipv6.get(cidr).is_some_and(|row| row.freed_at <= known);
        let old: Vec<Cidr6> = old.filter(forgotten).collect();
        old.into_iter().for_each(|cidr| self.delete(Key::FreedIpv6(cidr)));
    }

    fn free_ipv6(&mut self, cidr: Cidr6) {
        let (freed, freed_at) = (self.env.now, self.world.generation + 1);
        self.put(FreedIpv6 { cidr, freed, freed_at });
    }
}

/// An address as a block.
fn single(address: Ipv6Addr) -> Cidr6 {
    Cidr6::from(ipnet::Ipv6Net::from(address))
}

/// The next block of a prefix that nobody had: one that was taken away and given again has some that somebody had.
fn never_used(world: &World, pool: &Arc<Ipv6Pool>) -> Option<Cidr6> {
    let mut next = pool.next;
    while let Some(block) = next.filter(|block| world.freed_ipv6.contains_key(block)) {
        next = after(pool, block);
    }
    next
}

/// The block behind this one, if the prefix has it.
fn after(pool: &Arc<Ipv6Pool>, block: Cidr6) -> Option<Cidr6> {
    let next = block.last().to_bits().checked_add(1)?;
    Cidr6::new(Ipv6Addr::from_bits(next), Ipv6Pool::BLOCK).filter(|next| pool.cidr.holds(next))
}

fn oldest_freed(world: &World, known: u64) -> Option<Cidr6> {
    let first = (Ipv6Pool::BLOCK, Micros(i64::MIN), single(Ipv6Addr::UNSPECIFIED));
    let blocks = world.index.freed_ipv6_by_age.range(first..);
    let blocks = blocks.take_while(|(length, ..)| *length == Ipv6Pool::BLOCK).map(|(.., cidr)| *cidr);
    let mut blocks = blocks.filter(|cidr| world.ipv6_pools.values().any(|pool| pool.cidr.holds(cidr)));
    blocks.find(|cidr| world.freed_ipv6.get(cidr).is_some_and(|row| row.freed_at <= known))
}

/// "The first four IPv6 addresses and the last IPv6 address in each subnet CIDR block are not available for your use"
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>).
pub(super) fn usable(block: Cidr6, address: Ipv6Addr) -> bool {
    let from = block.network().to_bits();
    block.contains(address) && address.to_bits() >= from + 4 && address != block.last()
}

/// Whether nobody has the address, and no host can still take it for its former owner's.
fn is_free(world: &World, address: Ipv6Addr, known: u64) -> bool {
    let freed = world.freed_ipv6.get(&single(address)).is_none_or(|row| row.freed_at <= known);
    known >= world.begun && freed && !world.index.eni_by_ipv6.contains_key(&address)
}
