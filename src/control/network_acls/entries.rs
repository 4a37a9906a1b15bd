//! The entries of network ACLs: create, replace, delete.

use std::sync::Arc;

use super::{entries_of, find};
use crate::control::Decision;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{AclEntry, AclEntryKey, Key, NetworkAcl};

/// What a request says of an entry.
struct Wanted {
    number: u16,
    direction: Direction,
    allow: bool,
    traffic: Traffic,
    cidr: Cidr,
}

pub fn create_network_acl_entry(
    decision: &mut Decision,
    request: &CreateNetworkAclEntryRequest,
) -> Result<CreateNetworkAclEntryResponse, Fault> {
    let acl = find(&decision.view(), request.network_acl_id)?;
    let cidr = cidr(request.cidr_block, request.ipv6_cidr_block)?;
    let wanted = Wanted {
        number: number(request.rule_number)?,
        direction: direction(request.egress),
        allow: request.rule_action == "allow",
        traffic: traffic(&request.protocol, cidr, request.port_range.as_ref(), request.icmp.as_ref())?,
        cidr,
    };
    if decision.world.acl_entries.contains_key(&(acl.id, wanted.direction, wanted.number)) {
        return Err(FaultCode::NetworkAclEntryAlreadyExists
            .with(format!("The network acl entry identified by {} already exists.", wanted.number)));
    }
    room(decision, &acl, &wanted)?;
    put(decision, &acl, wanted);
    Ok(CreateNetworkAclEntryResponse { result: true })
}

pub fn replace_network_acl_entry(
    decision: &mut Decision,
    request: &ReplaceNetworkAclEntryRequest,
) -> Result<ReplaceNetworkAclEntryResponse, Fault> {
    let acl = find(&decision.view(), request.network_acl_id)?;
    let cidr = cidr(request.cidr_block, request.ipv6_cidr_block)?;
    let wanted = Wanted {
        number: number(request.rule_number)?,
        direction: direction(request.egress),
        allow: request.rule_action == "allow",
        traffic: traffic(&request.protocol, cidr, request.port_range.as_ref(), request.icmp.as_ref())?,
        cidr,
    };
    let old = there(decision, (acl.id, wanted.direction, wanted.number))?;
    // Of the other family there may be enough.
    if is_six(old.cidr) != is_six(wanted.cidr) {
        room(decision, &acl, &wanted)?;
    }
    put(decision, &acl, wanted);
    Ok(ReplaceNetworkAclEntryResponse { result: true })
}

pub fn delete_network_acl_entry(
    decision: &mut Decision,
    request: &DeleteNetworkAclEntryRequest,
) -> Result<DeleteNetworkAclEntryResponse, Fault> {
    let acl = find(&decision.view(), request.network_acl_id)?;
    let key = (acl.id, direction(request.egress), number(request.rule_number)?);
    there(decision, key)?;
    decision.delete(Key::AclEntry(key));
    Ok(DeleteNetworkAclEntryResponse { result: true })
}

fn put(decision: &mut Decision, acl: &NetworkAcl, wanted: Wanted) {
    let Wanted { number, direction, allow, traffic, cidr } = wanted;
    let (owner, created) = (acl.owner.clone(), decision.env.now);
    decision.put(AclEntry { acl: acl.id, owner, direction, number, allow, traffic, cidr, created });
}

fn is_six(cidr: Cidr) -> bool {
    cidr.v6().is_some()
}

/// Whether the network ACL may have one more entry of this direction and family.
fn room(decision: &Decision, acl: &NetworkAcl, wanted: &Wanted) -> Result<(), Fault> {
    let most = decision.caller.quotas.entries_per_network_acl;
    let alike = |entry: &&Arc<AclEntry>| {
        entry.direction == wanted.direction && is_six(entry.cidr) == is_six(wanted.cidr)
    };
    match entries_of(&decision.world, acl.id).filter(alike).count() < most {
        true => Ok(()),
        false => Err(FaultCode::NetworkAclEntryLimitExceeded.with(format!(
            "The network ACL {} has {most} {} entries: delete one first",
            acl.id,
            word(wanted.direction)
        ))),
    }
}

fn there(decision: &Decision, key: AclEntryKey) -> Result<Arc<AclEntry>, Fault> {
    let (_, direction, number) = key;
    decision.world.acl_entries.get(&key).cloned().ok_or_else(|| {
        FaultCode::InvalidNetworkAclEntryNotFound
            .with(format!("no {} entry with number {number}", word(direction)))
    })
}

/// The decoder knows the limits; what is beyond them here is a fault of ours.
fn number(number: i64) -> Result<u16, Fault> {
    u16::try_from(number)
        .map_err(|_| FaultCode::InvalidParameterValue.with("RuleNumber is a number from 1 to 32766"))
}

fn direction(egress: bool) -> Direction {
    if egress { Direction::Egress } else { Direction::Ingress }
}

const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn missing(parameter: &str) -> Fault {
    FaultCode::MissingParameter.with(format!("The request must contain the parameter {parameter}"))
}

/// The block, which is of one family.
fn cidr(four: Option<Cidr4>, six: Option<Cidr6>) -> Result<Cidr, Fault> {
    match (four, six) {
        (Some(four), None) => Ok(Cidr::V4(four)),
        (None, Some(six)) => Ok(Cidr::V6(six)),
        (None, None) => Err(missing("CidrBlock or Ipv6CidrBlock")),
        (Some(_), Some(_)) => Err(FaultCode::InvalidParameterCombination
            .with("CidrBlock and Ipv6CidrBlock may not be used together")),
    }
}

/// "If you specify '-1' or a protocol number other than '6', '17', or '1', traffic on all ports is allowed, regardless
/// of any ports or ICMP types or codes that you specify"; "if you specify protocol '58' (ICMPv6) and specify an IPv4 CIDR
/// block, traffic for all ICMP types and codes allowed, regardless of any that you specify. If you specify protocol '58'
/// (ICMPv6) and specify an IPv6 CIDR block, you must specify an ICMP type and code" (API_CreateNetworkAclEntry).
fn traffic(
    protocol: &str,
    cidr: Cidr,
    ports: Option<&input::PortRange>,
    icmp: Option<&input::IcmpTypeCode>,
) -> Result<Traffic, Fault> {
    let shown: String = protocol.chars().take(32).collect();
    let invalid = |error: TrafficError| {
        FaultCode::InvalidParameterValue.with(format!("Invalid value '{shown}' for protocol: {error}"))
    };
    let protocol: Protocol = protocol.parse().map_err(invalid)?;
    match protocol {
        Protocol::TCP | Protocol::UDP => {
            let ends = ports.and_then(|range| range.from.zip(range.to));
            let (from, to) = ends.ok_or_else(|| missing("PortRange.From and PortRange.To"))?;
            Traffic::parse(protocol, Some(from), Some(to)).map_err(|_| {
                FaultCode::InvalidParameterValue.with(format!(
                    "Invalid TCP/UDP port range ({from}, {to}): From must not be greater than To"
                ))
            })
        }
        Protocol::ICMPV6 if cidr.v4().is_some() => Ok(Traffic::Icmpv6(IcmpMatch::Any)),
        Protocol::ICMP | Protocol::ICMPV6 => {
            let both = icmp.and_then(|icmp| icmp.kind.zip(icmp.code));
            let (kind, code) = both.ok_or_else(|| missing("Icmp.Type and Icmp.Code"))?;
            Traffic::parse(protocol, Some(kind), Some(code)).map_err(|_| {
                FaultCode::InvalidParameterValue
                    .with(format!("Invalid ICMP type and code ({kind}, {code}): all types means all codes"))
            })
        }
        other => Traffic::parse(other, None, None).map_err(invalid),
    }
}
