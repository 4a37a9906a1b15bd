//! The vocabulary of Fogbank: ids, addresses, ports, protocols.
//!
//! Everything here is parsed once at the door and trusted inside. A value of one of these types
//! has been checked; nothing that failed to parse can become one, and in particular no broken
//! CIDR can become "any". This module imports nothing else of ours.

mod hash;
mod ids;
mod mac;
mod net;
mod owner;
mod rule;
mod time;

pub use hash::{Digest, ParseDigestError};
pub use ids::*;
pub use mac::{MacAddr, ParseMacError};
pub use net::{Cidr, Cidr4, Cidr6, ParseCidrError, Range4};
pub use owner::{AccountId, Owner, ParseAccountError, Region};
pub use rule::{Direction, IcmpMatch, PortRange, Protocol, RuleTarget, Traffic, TrafficError};
pub use time::Micros;
