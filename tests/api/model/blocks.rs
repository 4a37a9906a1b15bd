//! Blocks of IPv4 addresses.

use super::world::{ip, ip_text};

/// The first address and the length of its prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Block {
    pub first: u32,
    pub bits: u32,
}

impl Block {
    /// "We modify the specified CIDR block to its canonical form" (API_CreateVpc).
    pub fn read(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let bits = length.parse::<u32>().ok().filter(|bits| bits.to_string() == length && *bits <= 32)?;
        let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
        Some(Self { first: ip(address)? & mask, bits })
    }

    pub fn last(self) -> u32 {
        u32::try_from(u64::from(self.first) + (1 << (32 - self.bits)) - 1).unwrap()
    }

    pub fn has(self, number: u32) -> bool {
        self.first <= number && number <= self.last()
    }

    /// Whether all of the other one is in this one.
    pub fn holds(self, other: Self) -> bool {
        self.has(other.first) && self.has(other.last())
    }

    pub fn meets(self, other: Self) -> bool {
        self.has(other.first) || other.has(self.first)
    }

    /// "The first four IP addresses and the last IP address in each subnet CIDR block are not available for your use."
    pub fn is_usable(self, number: u32) -> bool {
        self.first + 4 <= number && number < self.last()
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", ip_text(self.first), self.bits)
    }
}

/// A block that is written here.
pub fn block(text: &str) -> Block {
    Block::read(text).unwrap()
}
