//! What a security group rule matches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AccountId, Cidr4, Cidr6, GroupId, PrefixListId};

/// Which way a rule judges, seen from the instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Direction {
    Ingress,
    Egress,
}

/// An IP protocol as EC2 names it: `-1` is all, four have names, the others are numbers
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Protocol {
    All,
    /// A number from the IANA registry. 1, 6, 17 and 58 print as icmp, tcp, udp and icmpv6.
    Number(u8),
}

impl Protocol {
    pub const ICMP: Self = Self::Number(1);
    pub const TCP: Self = Self::Number(6);
    pub const UDP: Self = Self::Number(17);
    pub const ICMPV6: Self = Self::Number(58);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::All => f.write_str("-1"),
            Self::ICMP => f.write_str("icmp"),
            Self::TCP => f.write_str("tcp"),
            Self::UDP => f.write_str("udp"),
            Self::ICMPV6 => f.write_str("icmpv6"),
            Self::Number(n) => n.fmt(f),
        }
    }
}

impl FromStr for Protocol {
    type Err = TrafficError;
    fn from_str(text: &str) -> Result<Self, TrafficError> {
        Ok(match text.to_ascii_lowercase().as_str() {
            // euca2ools sends "all" where aws-cli sends "-1".
            "-1" | "all" => Self::All,
            "icmp" => Self::ICMP,
            "tcp" => Self::TCP,
            "udp" => Self::UDP,
            "icmpv6" => Self::ICMPV6,
            n if n.bytes().all(|b| b.is_ascii_digit()) && (n == "0" || !n.starts_with('0')) => {
                Self::Number(n.parse().map_err(|_| TrafficError::Protocol)?)
            }
            _ => return Err(TrafficError::Protocol),
        })
    }
}

/// An inclusive range of TCP or UDP ports, `from <= to`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PortRange {
    from: u16,
    to: u16,
}

impl PortRange {
    pub const ALL: Self = Self { from: 0, to: u16::MAX };

    /// `None` when the range would be empty.
    pub fn new(from: u16, to: u16) -> Option<Self> {
        (from <= to).then_some(Self { from, to })
    }

    pub const fn from(&self) -> u16 {
        self.from
    }

    pub const fn to(&self) -> u16 {
        self.to
    }
}

/// ICMP types and codes: all, all codes of one type, or one code of one type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum IcmpMatch {
    Any,
    Type(u8),
    TypeCode(u8, u8),
}

/// What part of a peer's traffic a rule lets pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Traffic {
    /// Every protocol.
    All,
    Tcp(PortRange),
    Udp(PortRange),
    Icmp(IcmpMatch),
    Icmpv6(IcmpMatch),
    /// Any other protocol, whole: EC2 ignores ports there.
    Other(u8),
}

/// Why protocol and ports do not make sense together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrafficError {
    #[error("expected a protocol: tcp, udp, icmp, icmpv6, -1, or a number from 0 to 255")]
    Protocol,
    #[error("tcp and udp rules need FromPort and ToPort, from 0 to 65535 or both -1")]
    PortsMissing,
    #[error("FromPort must not be greater than ToPort")]
    PortsReversed,
    #[error("a port is a number from 0 to 65535")]
    PortOutOfRange,
    #[error("icmp rules need FromPort (the type, -1 for all) and ToPort (the code, -1 for all)")]
    IcmpMissing,
    #[error("an icmp type or code is a number from 0 to 255, or -1 for all; all types means all codes")]
    IcmpOutOfRange,
}

impl Traffic {
    /// From the request's `IpProtocol`, `FromPort` and `ToPort`.
    ///
    /// # Errors
    /// Says which combination EC2 refuses. `-1` and other protocols ignore the ports.
    pub fn parse(protocol: Protocol, from: Option<i64>, to: Option<i64>) -> Result<Self, TrafficError> {
        match protocol {
            Protocol::All => Ok(Self::All),
            Protocol::TCP => ports(from, to).map(Self::Tcp),
            Protocol::UDP => ports(from, to).map(Self::Udp),
            Protocol::ICMP => icmp(from, to).map(Self::Icmp),
            Protocol::ICMPV6 => icmp_or_all(from, to).map(Self::Icmpv6),
            Protocol::Number(n) => Ok(Self::Other(n)),
        }
    }

    /// The protocol as EC2 names it.
    pub const fn protocol(&self) -> Protocol {
        match *self {
            Self::All => Protocol::All,
            Self::Tcp(_) => Protocol::TCP,
            Self::Udp(_) => Protocol::UDP,
            Self::Icmp(_) => Protocol::ICMP,
            Self::Icmpv6(_) => Protocol::ICMPV6,
            Self::Other(n) => Protocol::Number(n),
        }
    }

    /// `FromPort` and `ToPort` as EC2 answers them; `None` where it leaves them out.
    pub fn ports(&self) -> Option<(i64, i64)> {
        match *self {
            Self::All | Self::Other(_) => None,
            Self::Tcp(range) | Self::Udp(range) => Some((range.from.into(), range.to.into())),
            Self::Icmp(icmp) | Self::Icmpv6(icmp) => Some(match icmp {
                IcmpMatch::Any => (-1, -1),
                IcmpMatch::Type(t) => (t.into(), -1),
                IcmpMatch::TypeCode(t, c) => (t.into(), c.into()),
            }),
        }
    }
}

fn ports(from: Option<i64>, to: Option<i64>) -> Result<PortRange, TrafficError> {
    let (from, to) = from.zip(to).ok_or(TrafficError::PortsMissing)?;
    if (from, to) == (-1, -1) {
        return Ok(PortRange::ALL);
    }
    let port = |n: i64| u16::try_from(n).map_err(|_| TrafficError::PortOutOfRange);
    PortRange::new(port(from)?, port(to)?).ok_or(TrafficError::PortsReversed)
}

fn icmp(from: Option<i64>, to: Option<i64>) -> Result<IcmpMatch, TrafficError> {
    let (from, to) = from.zip(to).ok_or(TrafficError::IcmpMissing)?;
    let byte = |n: i64| u8::try_from(n).map_err(|_| TrafficError::IcmpOutOfRange);
    match (from, to) {
        (-1, -1) => Ok(IcmpMatch::Any),
        (-1, _) => Err(TrafficError::IcmpOutOfRange),
        (kind, -1) => byte(kind).map(IcmpMatch::Type),
        (kind, code) => Ok(IcmpMatch::TypeCode(byte(kind)?, byte(code)?)),
    }
}

/// "For icmpv6, the port range is optional; if you omit the port range, traffic for all types and
/// codes is allowed" (API_IpPermission).
fn icmp_or_all(from: Option<i64>, to: Option<i64>) -> Result<IcmpMatch, TrafficError> {
    match (from, to) {
        (None, None) => Ok(IcmpMatch::Any),
        _ => icmp(from, to),
    }
}

/// The peer that a rule names: where traffic comes from (ingress) or goes to (egress).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum RuleTarget {
    Cidr4(Cidr4),
    Cidr6(Cidr6),
    /// The interfaces that are in this group.
    Group {
        group: GroupId,
        account: AccountId,
    },
    /// The blocks that are in this list now.
    PrefixList(PrefixListId),
}
