//! CIDR blocks and address ranges.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// The text is not a CIDR block of the wanted family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a CIDR block such as {example}")]
pub struct ParseCidrError {
    /// A block of the wanted family, for the message.
    pub example: &'static str,
}

/// An IPv4 CIDR block in canonical form: host bits are zero, as EC2 stores them
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Ipv4Net", into = "Ipv4Net")]
pub struct Cidr4(Ipv4Net);

/// An IPv6 CIDR block in canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Ipv6Net", into = "Ipv6Net")]
pub struct Cidr6(Ipv6Net);

macro_rules! cidr {
    ($name:ident, $net:ident, $addr:ident, $example:literal) => {
        impl $name {
            /// The block that `addr` and the prefix length name; `None` where the length is too long.
            pub fn new(addr: $addr, prefix_len: u8) -> Option<Self> {
                $net::new(addr, prefix_len).ok().map(|net| Self(net.trunc()))
            }

            /// The first address, which is the block's name.
            pub const fn network(&self) -> $addr {
                self.0.addr()
            }

            /// The last address of the block.
            pub fn last(&self) -> $addr {
                self.0.broadcast()
            }

            /// How many leading bits are fixed.
            pub const fn prefix_len(&self) -> u8 {
                self.0.prefix_len()
            }

            /// Whether the address lies in the block.
            pub fn contains(&self, addr: $addr) -> bool {
                self.0.contains(&addr)
            }

            /// Whether the other block lies in this one.
            pub fn holds(&self, other: &Self) -> bool {
                self.0.contains(&other.0)
            }

            /// Whether the two blocks share an address.
            pub fn overlaps(&self, other: &Self) -> bool {
                self.0.contains(&other.0) || other.0.contains(&self.0)
            }
        }

        impl From<$net> for $name {
            fn from(net: $net) -> Self {
                Self(net.trunc())
            }
        }

        impl From<$name> for $net {
            fn from(cidr: $name) -> Self {
                cidr.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseCidrError;
            fn from_str(text: &str) -> Result<Self, ParseCidrError> {
                let bad = ParseCidrError { example: $example };
                let (addr, len) = text.split_once('/').ok_or(bad.clone())?;
                // `parse::<u8>` takes "+8" and "08"; EC2 takes neither.
                let plain = len.bytes().all(|b| b.is_ascii_digit()) && (len == "0" || !len.starts_with('0'));
                let len = Some(len).filter(|_| plain).and_then(|len| len.parse().ok()).ok_or(bad.clone())?;
                addr.parse().ok().and_then(|addr| Self::new(addr, len)).ok_or(bad)
            }
        }
    };
}

cidr!(Cidr4, Ipv4Net, Ipv4Addr, "198.51.100.0/24");
cidr!(Cidr6, Ipv6Net, Ipv6Addr, "2001:db8::/32");

/// A CIDR block of either family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cidr {
    V4(Cidr4),
    V6(Cidr6),
}

impl Cidr {
    /// The block, if it is one of IPv4.
    pub const fn v4(self) -> Option<Cidr4> {
        match self {
            Self::V4(cidr) => Some(cidr),
            Self::V6(_) => None,
        }
    }

    /// The block, if it is one of IPv6.
    pub const fn v6(self) -> Option<Cidr6> {
        match self {
            Self::V4(_) => None,
            Self::V6(cidr) => Some(cidr),
        }
    }

    /// How many leading bits are fixed.
    pub const fn prefix_len(self) -> u8 {
        match self {
            Self::V4(cidr) => cidr.prefix_len(),
            Self::V6(cidr) => cidr.prefix_len(),
        }
    }

    /// Whether the address lies in the block: never in one of the other family.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(cidr), IpAddr::V4(address)) => cidr.contains(address),
            (Self::V6(cidr), IpAddr::V6(address)) => cidr.contains(address),
            _ => false,
        }
    }
}

impl From<Cidr4> for Cidr {
    fn from(cidr: Cidr4) -> Self {
        Self::V4(cidr)
    }
}

impl From<Cidr6> for Cidr {
    fn from(cidr: Cidr6) -> Self {
        Self::V6(cidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(cidr) => cidr.fmt(f),
            Self::V6(cidr) => cidr.fmt(f),
        }
    }
}

impl FromStr for Cidr {
    type Err = ParseCidrError;
    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        if text.contains(':') { text.parse().map(Self::V6) } else { text.parse().map(Self::V4) }
    }
}

/// An inclusive range of IPv4 addresses, `first <= last`, written `first-last`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Range4 {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl Range4 {
    /// `None` when the range would be empty.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    pub const fn first(&self) -> Ipv4Addr {
        self.first
    }

    pub const fn last(&self) -> Ipv4Addr {
        self.last
    }

    pub fn contains(&self, addr: Ipv4Addr) -> bool {
        self.first <= addr && addr <= self.last
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many addresses the range holds: 1 to 2^32.
    pub fn count(&self) -> u64 {
        u64::from(self.last.to_bits()) - u64::from(self.first.to_bits()) + 1
    }
}

impl From<Cidr4> for Range4 {
    fn from(cidr: Cidr4) -> Self {
        Self { first: cidr.network(), last: cidr.last() }
    }
}

impl fmt::Display for Range4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Range4 {
    type Err = ParseCidrError;
    /// `first-last`, one address, or a CIDR block.
    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        let bad = ParseCidrError { example: "198.51.100.10-198.51.100.20" };
        if text.contains('/') {
            return text.parse::<Cidr4>().map(Self::from);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = first.parse().ok().zip(last.parse().ok()).ok_or(bad.clone())?;
        Self::new(first, last).ok_or(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn host_bits_are_cleared() {
        assert_eq!("100.68.0.18/18".parse::<Cidr4>().unwrap().to_string(), "100.68.0.0/18");
    }

    #[test]
    fn what_is_not_a_block_is_refused() {
        for text in [
            "",
            "/0",
            "0.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "010.0.0.0/8",
            "10.0.0/8",
            "::/0",
            "10.0.0.0/",
            "10.0.0.0/8 ",
        ] {
            assert!(text.parse::<Cidr4>().is_err(), "{text}");
        }
        for text in ["", "0.0.0.0/0", "::/129", "fe80::1%eth0/64", "::/-1"] {
            assert!(text.parse::<Cidr6>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn blocks_hold_exactly_the_range_they_name(addr: u32, len in 0u8..=32, probe: u32) {
            let cidr = Cidr4::new(Ipv4Addr::from_bits(addr), len).unwrap();
            let range = Range4::from(cidr);
            let probe = Ipv4Addr::from_bits(probe);
            prop_assert_eq!(cidr.contains(probe), range.contains(probe));
            prop_assert_eq!(cidr.to_string().parse::<Cidr4>().unwrap(), cidr);
            prop_assert_eq!(range.to_string().parse::<Range4>().unwrap(), range);
        }
    }
}
