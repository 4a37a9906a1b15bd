//! A packet, as far as anything may depend on it.

use std::fmt;
use std::net::Ipv4Addr;

/// The first packet of a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub transport: Transport,
}

/// What it carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    Tcp {
        from: u16,
        to: u16,
    },
    Udp {
        from: u16,
        to: u16,
    },
    Icmp {
        kind: u8,
        code: u8,
    },
    /// Another protocol, by its number: never 1, 6 or 17.
    Other(u8),
}

impl Transport {
    /// The IP protocol's number.
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Icmp { .. } => 1,
            Self::Tcp { .. } => 6,
            Self::Udp { .. } => 17,
            Self::Other(number) => number,
        }
    }

    /// Whether a flow can begin with it. Connection tracking begins none with an ICMP message that answers a question or
    /// tells of an error; unasked for, such a message belongs to nothing and passes nowhere.
    pub const fn begins_a_flow(self) -> bool {
        const ECHO: u8 = 8;
        const TIMESTAMP: u8 = 13;
        const INFORMATION: u8 = 15;
        const ADDRESS_MASK: u8 = 17;
        match self {
            Self::Icmp { kind, .. } => matches!(kind, ECHO | TIMESTAMP | INFORMATION | ADDRESS_MASK),
            _ => true,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tcp { to, .. } => write!(f, "tcp {to}"),
            Self::Udp { to, .. } => write!(f, "udp {to}"),
            Self::Icmp { kind: 8, .. } => f.write_str("icmp echo"),
            Self::Icmp { kind, code } => write!(f, "icmp type {kind} code {code}"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}
