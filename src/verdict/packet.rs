//! A packet, as far as anything may depend on it.

use std::fmt;
use std::net::IpAddr;

/// The first packet of a flow. Both addresses are of one family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub transport: Transport,
}

impl Packet {
    /// One of either family.
    pub fn new(source: impl Into<IpAddr>, destination: impl Into<IpAddr>, transport: Transport) -> Self {
        Self { source: source.into(), destination: destination.into(), transport }
    }
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
    /// Of IPv4.
    Icmp {
        kind: u8,
        code: u8,
    },
    /// Of IPv6.
    Icmp6 {
        kind: u8,
        code: u8,
    },
    /// Another protocol, by its number: never 6 or 17, and not the family's own ICMP.
    Other(u8),
}

impl Transport {
    /// The IP protocol's number.
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Icmp { .. } => 1,
            Self::Tcp { .. } => 6,
            Self::Udp { .. } => 17,
            Self::Icmp6 { .. } => 58,
            Self::Other(number) => number,
        }
    }

    /// Whether a flow can begin with it. Connection tracking begins none with an ICMP message that answers a question or
    /// tells of an error; unasked for, such a message belongs to nothing and passes nowhere. So it is with the other family's
    /// ICMP, and with what is said on a link alone.
    pub const fn begins_a_flow(self) -> bool {
        const ECHO: u8 = 8;
        const TIMESTAMP: u8 = 13;
        const INFORMATION: u8 = 15;
        const ADDRESS_MASK: u8 = 17;
        const ECHO6: u8 = 128;
        const NODE_INFORMATION: u8 = 139;
        match self {
            Self::Icmp { kind, .. } => matches!(kind, ECHO | TIMESTAMP | INFORMATION | ADDRESS_MASK),
            Self::Icmp6 { kind, .. } => matches!(kind, ECHO6 | NODE_INFORMATION),
            Self::Other(number) => !matches!(number, 1 | 58),
            Self::Tcp { .. } | Self::Udp { .. } => true,
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
            Self::Icmp6 { kind: 128, .. } => f.write_str("icmpv6 echo"),
            Self::Icmp6 { kind, code } => write!(f, "icmpv6 type {kind} code {code}"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}
