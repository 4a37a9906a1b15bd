//! The rows of IPv6: the operator's prefixes, routes, egress-only internet gateways, and what was used before.

use std::fmt;
use std::str::FromStr;

use super::Destination;
use crate::types::*;

/// A prefix of the operator's, of which each VPC that wants IPv6 gets blocks of [`Ipv6Pool::BLOCK`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ipv6Pool {
    pub cidr: Cidr6,
    /// Every block from this one on was never given to a VPC; `None` when all have been.
    pub next: Option<Cidr6>,
    pub created: Micros,
}

impl Ipv6Pool {
    /// "We assign an IPv6 CIDR block from Amazon's pool of IPv6 addresses [...] with a fixed prefix length of /56"
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>).
    pub const BLOCK: u8 = 56;
}

/// A block of IPv6 addresses that something has, under the id of what gave it; written `ID=CIDR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Block6<I> {
    pub id: I,
    pub cidr: Cidr6,
}

/// That of a VPC.
pub type VpcBlock6 = Block6<VpcCidrAssociationId>;
/// That of a subnet.
pub type SubnetBlock6 = Block6<SubnetCidrAssociationId>;

impl<I: fmt::Display> fmt::Display for Block6<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.id, self.cidr)
    }
}

impl<I: FromStr<Err = ParseIdError>> FromStr for Block6<I> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (id, cidr) = text.split_once('=').ok_or_else(|| format!("{text:?} is no block"))?;
        let id = id.parse().map_err(|error: ParseIdError| error.to_string())?;
        Ok(Self { id, cidr: cidr.parse().map_err(|error: ParseCidrError| error.to_string())? })
    }
}

/// An egress-only internet gateway: what only those inside begin passes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EgressGateway {
    pub id: EgressGatewayId,
    pub owner: Owner,
    /// What it is attached to, from its start to its end.
    pub vpc: VpcId,
    pub created: Micros,
}

/// Where a route of IPv6 leads; written as the id, which tells by itself of what kind it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ipv6NextHop {
    InternetGateway(InternetGatewayId),
    EgressGateway(EgressGatewayId),
    /// To the VPC at the other end of a peering connection.
    Peering(VpcPeeringConnectionId),
    Interface(EniId),
}

impl fmt::Display for Ipv6NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InternetGateway(id) => id.fmt(f),
            Self::EgressGateway(id) => id.fmt(f),
            Self::Peering(id) => id.fmt(f),
            Self::Interface(id) => id.fmt(f),
        }
    }
}

impl FromStr for Ipv6NextHop {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let gateway = text.parse().map(Self::InternetGateway);
        let gateway = gateway.or_else(|_| text.parse().map(Self::EgressGateway));
        let beyond = gateway.or_else(|_| text.parse().map(Self::Peering));
        beyond.or_else(|_| text.parse().map(Self::Interface))
    }
}

/// A route of IPv6 that somebody made. Those to the VPC's own blocks are there without a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ipv6Route {
    pub table: RouteTableId,
    pub owner: Owner,
    pub destination: Destination<Cidr6>,
    /// May be gone: then the route is a black hole.
    pub to: Ipv6NextHop,
    pub created: Micros,
}

/// What was used before and may be used again: a block of a prefix, or one address of an interface as a /128.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FreedIpv6 {
    pub cidr: Cidr6,
    pub freed: Micros,
    /// The generation that freed it: hosts that have not come so far may still answer for it.
    pub freed_at: u64,
}
