//! DescribeNetworkAcls.

use super::{associations_of, entries_of, find, of_caller};
use crate::control::filter::{self, Values};
use crate::control::{View, defaults, tags};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::*;
use crate::world::{AclEntry, NetworkAcl, World};

/// The number of the entry that every network ACL has at its end in each direction; nobody can change it.
const LAST: i64 = 32_767;

/// That of the entry for IPv6, where the VPC has a block of it.
const LAST6: i64 = 32_768;

pub fn describe_network_acls(
    view: &View,
    request: &DescribeNetworkAclsRequest,
) -> Result<DescribeNetworkAclsResponse, Fault> {
    let wanted = &request.network_acl_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let matching = of_caller(view)
        .into_iter()
        .filter(|acl| wanted.is_empty() || wanted.contains(&acl.id))
        .map(|acl| shape(view.world, acl))
        .filter(|acl| {
            let resource = ResourceId::NetworkAcl(acl.network_acl_id);
            filter::matches(view.world, Some(resource), &request.filters, |name| attribute(acl, name))
        });
    let (network_acls, next_token) = request.page().cut(matching, |acl| acl.network_acl_id.to_string())?;
    Ok(DescribeNetworkAclsResponse { network_acls, next_token })
}

fn attribute(acl: &output::NetworkAcl, name: &str) -> Values {
    if let Some(name) = name.strip_prefix("association.") {
        return acl.associations.iter().filter_map(|one| association_attribute(one, name)).collect();
    }
    if let Some(name) = name.strip_prefix("entry.") {
        return acl.entries.iter().filter_map(|one| entry_attribute(one, name)).collect();
    }
    vec![match name {
        "default" => acl.is_default.to_string(),
        "network-acl-id" => acl.network_acl_id.to_string(),
        "owner-id" => acl.owner_id.to_string(),
        "vpc-id" => acl.vpc_id.to_string(),
        _ => return Values::new(),
    }]
}

fn association_attribute(one: &output::NetworkAclAssociation, name: &str) -> Option<String> {
    Some(match name {
        "association-id" => one.network_acl_association_id.to_string(),
        "network-acl-id" => one.network_acl_id.to_string(),
        "subnet-id" => one.subnet_id.to_string(),
        _ => return None,
    })
}

fn entry_attribute(one: &output::NetworkAclEntry, name: &str) -> Option<String> {
    Some(match name {
        "cidr" => one.cidr_block?.to_string(),
        "ipv6-cidr" => one.ipv6_cidr_block?.to_string(),
        "egress" => one.egress.to_string(),
        "icmp.code" => one.icmp_type_code.as_ref()?.code.to_string(),
        "icmp.type" => one.icmp_type_code.as_ref()?.kind.to_string(),
        "port-range.from" => one.port_range.as_ref()?.from.to_string(),
        "port-range.to" => one.port_range.as_ref()?.to.to_string(),
        "protocol" => one.protocol.clone(),
        "rule-action" => one.rule_action.clone(),
        "rule-number" => one.rule_number.to_string(),
        _ => return None,
    })
}

/// A network ACL as the wire tells it.
pub fn shape(world: &World, acl: &NetworkAcl) -> output::NetworkAcl {
    let associations = associations_of(world, acl.id).map(|row| output::NetworkAclAssociation {
        network_acl_association_id: row.id,
        network_acl_id: row.acl,
        subnet_id: row.subnet,
    });
    let is_ipv6 = world.vpcs.get(&acl.vpc).is_some_and(|vpc| !vpc.blocks6.is_empty());
    let mut entries = Vec::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        entries
            .extend(entries_of(world, acl.id).filter(|row| row.direction == direction).map(|row| entry(row)));
        entries.push(last(direction, LAST, defaults::everything().into()));
        if is_ipv6 {
            entries.push(last(direction, LAST6, defaults::everything6().into()));
        }
    }
    output::NetworkAcl {
        network_acl_id: acl.id,
        vpc_id: acl.vpc,
        owner_id: acl.owner.account,
        is_default: acl.is_default,
        entries,
        associations: associations.collect(),
        tags: tags::set_of(world, ResourceId::NetworkAcl(acl.id)),
    }
}

fn entry(row: &AclEntry) -> output::NetworkAclEntry {
    let protocol = match row.traffic.protocol() {
        Protocol::All => "-1".into(),
        Protocol::Number(number) => number.to_string(),
    };
    let ends = row.traffic.ports();
    let icmp = matches!(row.traffic, Traffic::Icmp(_) | Traffic::Icmpv6(_));
    output::NetworkAclEntry {
        rule_number: row.number.into(),
        protocol,
        rule_action: if row.allow { "allow" } else { "deny" }.into(),
        egress: row.direction == Direction::Egress,
        cidr_block: row.cidr.v4(),
        ipv6_cidr_block: row.cidr.v6(),
        icmp_type_code: ends.filter(|_| icmp).map(|(kind, code)| output::IcmpTypeCode { code, kind }),
        port_range: ends.filter(|_| !icmp).map(|(from, to)| output::PortRange { from, to }),
    }
}

/// What no entry matches is dropped.
fn last(direction: Direction, number: i64, everything: Cidr) -> output::NetworkAclEntry {
    output::NetworkAclEntry {
        rule_number: number,
        protocol: "-1".into(),
        rule_action: "deny".into(),
        egress: direction == Direction::Egress,
        cidr_block: everything.v4(),
        ipv6_cidr_block: everything.v6(),
        icmp_type_code: None,
        port_range: None,
    }
}
