//! Resource ids: `i-0123456789abcdef0`, each kind a type of its own.
//!
//! EC2 ids are a prefix and 17 hexadecimal digits; before 2016 they had 8
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>). Both forms parse, so
//! that a well-formed id of the past is "not found" and not "malformed". We only make the long one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Marks an id that was written with 8 digits; a 17-digit value has 68 bits and never reaches it.
const SHORT: u128 = 1 << 127;

/// Room for the text of any id.
const LONGEST: usize = 64;

/// The text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}-0123456789abcdef0")]
pub struct ParseIdError {
    /// The prefix that was wanted, without the dash.
    pub prefix: &'static str,
}

fn parse_hex(prefix: &'static str, text: &str) -> Result<u128, ParseIdError> {
    let bad = ParseIdError { prefix };
    let hex = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).ok_or(bad.clone())?;
    let lower = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mark = match (lower, hex.len()) {
        (true, 17) => 0,
        (true, 8) => SHORT,
        _ => return Err(bad),
    };
    u128::from_str_radix(hex, 16).map(|value| value | mark).map_err(|_| bad)
}

/// In one piece: answers have thousands of ids.
fn write_hex(f: &mut fmt::Formatter<'_>, prefix: &str, value: u128) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = if value & SHORT != 0 { 8 } else { 17 };
    let mut text = [0; LONGEST];
    let length = prefix.len() + 1 + digits;
    let bytes = text.get_mut(..length).ok_or(fmt::Error)?;
    bytes[..prefix.len()].copy_from_slice(prefix.as_bytes());
    bytes[prefix.len()] = b'-';
    for (at, byte) in bytes[prefix.len() + 1..].iter_mut().rev().enumerate() {
        *byte = DIGITS[(value >> (4 * at) & 15) as usize];
    }
    f.write_str(std::str::from_utf8(bytes).map_err(|_| fmt::Error)?)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The id's prefix, without the dash.
            pub const PREFIX: &'static str = $prefix;

            /// An id from 64 random bits, as EC2 makes them: a zero digit, then 16 digits.
            pub const fn from_random(bits: u64) -> Self {
                Self(bits as u128)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An instance.
    InstanceId = "i";
    /// What one RunInstances call launched.
    ReservationId = "r";
    /// An elastic IP's allocation.
    AllocationId = "eipalloc";
    /// An elastic IP's association with a private address.
    AssociationId = "eipassoc";
    /// A security group.
    GroupId = "sg";
    /// One rule of a security group.
    RuleId = "sgr";
    /// A network interface.
    EniId = "eni";
    /// A network interface's attachment to an instance.
    AttachmentId = "eni-attach";
    /// A VPC.
    VpcId = "vpc";
    /// A block of addresses that a VPC has.
    VpcCidrAssociationId = "vpc-cidr-assoc";
    /// A subnet.
    SubnetId = "subnet";
    /// A block of IPv6 addresses that a subnet has.
    SubnetCidrAssociationId = "subnet-cidr-assoc";
    /// A route table.
    RouteTableId = "rtb";
    /// What makes a route table a subnet's, or a VPC's main one.
    RouteTableAssociationId = "rtbassoc";
    /// An internet gateway.
    InternetGatewayId = "igw";
    /// An egress-only internet gateway.
    EgressGatewayId = "eigw";
    /// A NAT gateway.
    NatGatewayId = "nat";
    /// A VPC peering connection.
    VpcPeeringConnectionId = "pcx";
    /// The same as the account that was asked knows it: each end gives it tags of its own.
    PeeringAccepterId = "pcx-accepter";
    /// A network ACL.
    NetworkAclId = "acl";
    /// What makes a network ACL a subnet's.
    NetworkAclAssociationId = "aclassoc";
    /// A managed prefix list.
    PrefixListId = "pl";
    /// A part of a subnet that is kept from automatic allocation.
    SubnetCidrReservationId = "scr";
    /// A machine image.
    ImageId = "ami";
    /// A key pair.
    KeyPairId = "key";
    /// A launch template.
    LaunchTemplateId = "lt";
    /// A set of DHCP options.
    DhcpOptionsId = "dopt";
    /// A volume, of which there are none.
    VolumeId = "vol";
    /// A pool of public IPv4 addresses.
    PoolId = "ipv4pool-ec2";
    /// A path that Reachability Analyzer is asked about.
    InsightsPathId = "nip";
    /// What Reachability Analyzer found of a path.
    InsightsAnalysisId = "nia";
}

impl VpcPeeringConnectionId {
    /// What carries the tags of the accepter's end.
    pub const fn at_accepter(self) -> PeeringAccepterId {
        PeeringAccepterId(self.0)
    }
}

impl PeeringAccepterId {
    /// What everybody calls it.
    pub const fn connection(self) -> VpcPeeringConnectionId {
        VpcPeeringConnectionId(self.0)
    }
}

/// Any id that can carry tags, in the order in which DescribeTags lists them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ResourceId {
    Address(AllocationId),
    DhcpOptions(DhcpOptionsId),
    EgressGateway(EgressGatewayId),
    Image(ImageId),
    Instance(InstanceId),
    KeyPair(KeyPairId),
    LaunchTemplate(LaunchTemplateId),
    InsightsAnalysis(InsightsAnalysisId),
    InsightsPath(InsightsPathId),
    InternetGateway(InternetGatewayId),
    NatGateway(NatGatewayId),
    NetworkAcl(NetworkAclId),
    NetworkInterface(EniId),
    PrefixList(PrefixListId),
    RouteTable(RouteTableId),
    SecurityGroup(GroupId),
    SecurityGroupRule(RuleId),
    Subnet(SubnetId),
    SubnetCidrReservation(SubnetCidrReservationId),
    Vpc(VpcId),
    VpcPeeringConnection(VpcPeeringConnectionId),
    /// See [`PeeringAccepterId`].
    PeeringAccepter(PeeringAccepterId),
}

impl ResourceId {
    /// The id as clients are told it.
    #[must_use]
    pub const fn told(self) -> Self {
        match self {
            Self::PeeringAccepter(id) => Self::VpcPeeringConnection(id.connection()),
            other => other,
        }
    }

    /// EC2's name for the kind, as DescribeTags and TagSpecification use it
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TagSpecification.html>).
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "elastic-ip",
            Self::DhcpOptions(_) => "dhcp-options",
            Self::EgressGateway(_) => "egress-only-internet-gateway",
            Self::Image(_) => "image",
            Self::Instance(_) => "instance",
            Self::KeyPair(_) => "key-pair",
            Self::LaunchTemplate(_) => "launch-template",
            Self::InsightsAnalysis(_) => "network-insights-analysis",
            Self::InsightsPath(_) => "network-insights-path",
            Self::InternetGateway(_) => "internet-gateway",
            Self::NatGateway(_) => "natgateway",
            Self::NetworkAcl(_) => "network-acl",
            Self::NetworkInterface(_) => "network-interface",
            Self::PrefixList(_) => "prefix-list",
            Self::RouteTable(_) => "route-table",
            Self::SecurityGroup(_) => "security-group",
            Self::SecurityGroupRule(_) => "security-group-rule",
            Self::Subnet(_) => "subnet",
            Self::SubnetCidrReservation(_) => "subnet-cidr-reservation",
            Self::Vpc(_) => "vpc",
            Self::VpcPeeringConnection(_) | Self::PeeringAccepter(_) => "vpc-peering-connection",
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(id) => id.fmt(f),
            Self::DhcpOptions(id) => id.fmt(f),
            Self::EgressGateway(id) => id.fmt(f),
            Self::Image(id) => id.fmt(f),
            Self::Instance(id) => id.fmt(f),
            Self::KeyPair(id) => id.fmt(f),
            Self::LaunchTemplate(id) => id.fmt(f),
            Self::InsightsAnalysis(id) => id.fmt(f),
            Self::InsightsPath(id) => id.fmt(f),
            Self::InternetGateway(id) => id.fmt(f),
            Self::NatGateway(id) => id.fmt(f),
            Self::NetworkAcl(id) => id.fmt(f),
            Self::NetworkInterface(id) => id.fmt(f),
            Self::PrefixList(id) => id.fmt(f),
            Self::RouteTable(id) => id.fmt(f),
            Self::SecurityGroup(id) => id.fmt(f),
            Self::SecurityGroupRule(id) => id.fmt(f),
            Self::Subnet(id) => id.fmt(f),
            Self::SubnetCidrReservation(id) => id.fmt(f),
            Self::Vpc(id) => id.fmt(f),
            Self::VpcPeeringConnection(id) => id.fmt(f),
            Self::PeeringAccepter(id) => id.fmt(f),
        }
    }
}

impl FromStr for ResourceId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (prefix, _) = text.rsplit_once('-').ok_or(ParseIdError { prefix: "resource" })?;
        Ok(match prefix {
            AllocationId::PREFIX => Self::Address(text.parse()?),
            DhcpOptionsId::PREFIX => Self::DhcpOptions(text.parse()?),
            EgressGatewayId::PREFIX => Self::EgressGateway(text.parse()?),
            ImageId::PREFIX => Self::Image(text.parse()?),
            InstanceId::PREFIX => Self::Instance(text.parse()?),
            KeyPairId::PREFIX => Self::KeyPair(text.parse()?),
            LaunchTemplateId::PREFIX => Self::LaunchTemplate(text.parse()?),
            InsightsAnalysisId::PREFIX => Self::InsightsAnalysis(text.parse()?),
            InsightsPathId::PREFIX => Self::InsightsPath(text.parse()?),
            InternetGatewayId::PREFIX => Self::InternetGateway(text.parse()?),
            NatGatewayId::PREFIX => Self::NatGateway(text.parse()?),
            NetworkAclId::PREFIX => Self::NetworkAcl(text.parse()?),
            EniId::PREFIX => Self::NetworkInterface(text.parse()?),
            PrefixListId::PREFIX => Self::PrefixList(text.parse()?),
            RouteTableId::PREFIX => Self::RouteTable(text.parse()?),
            GroupId::PREFIX => Self::SecurityGroup(text.parse()?),
            RuleId::PREFIX => Self::SecurityGroupRule(text.parse()?),
            SubnetId::PREFIX => Self::Subnet(text.parse()?),
            SubnetCidrReservationId::PREFIX => Self::SubnetCidrReservation(text.parse()?),
            VpcId::PREFIX => Self::Vpc(text.parse()?),
            VpcPeeringConnectionId::PREFIX => Self::VpcPeeringConnection(text.parse()?),
            PeeringAccepterId::PREFIX => Self::PeeringAccepter(text.parse()?),
            _ => return Err(ParseIdError { prefix: "resource" }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_lengths_parse_and_print_as_they_came() {
        for text in ["i-0123456789abcdef0", "i-fedcba9876543210f", "i-1234abcd", "i-00000000"] {
            assert_eq!(text.parse::<InstanceId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "i",
            "i-",
            "i-123",
            "i-0123456789ABCDEF0",
            "eni-0123456789abcdef0",
            "i-+1234567",
            "i- 1234567",
        ] {
            assert!(text.parse::<InstanceId>().is_err(), "{text}");
        }
        assert!("eni-attach-0123456789abcdef0".parse::<EniId>().is_err());
    }

    proptest! {
        #[test]
        fn made_ids_round_trip(bits: u64) {
            let id = EniId::from_random(bits);
            prop_assert_eq!(id.to_string().parse::<EniId>().unwrap(), id);
            prop_assert_eq!(id.to_string().len(), "eni-".len() + 17);
        }
    }
}
