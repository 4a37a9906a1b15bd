//! What each VPC has from its start to its end: a main route table, a default network ACL, a default security group.

use super::next_number;
use crate::control::groups::allow_all_out;
use crate::control::{Decision, defaults};
use crate::types::*;
use crate::world::*;

/// The number of the entry that lets everything pass in a default network ACL.
const EVERYTHING: u16 = 100;

/// Makes whatever the VPC lacks, and gives its subnets the default network ACL where they have none.
pub fn ensure(decision: &mut Decision<'_>, owner: &Owner, vpc: VpcId) {
    if !decision.world.index.route_table_association_of.contains_key(&(vpc, None)) {
        let id = decision.env.id(RouteTableAssociationId::from_random);
        if let Some(table) = make_route_table(decision, owner, vpc) {
            decision.put(RouteTableAssociation { id, owner: owner.clone(), vpc, table, subnet: None });
        }
    }
    let acl = default_acl(&decision.world, vpc).unwrap_or_else(|| make_default_acl(decision, owner, vpc));
    let without = |subnet: &SubnetId| !decision.world.index.acl_association_of.contains_key(subnet);
    let subnets: Vec<_> =
        defaults::subnets_of(&decision.world, vpc).map(|subnet| subnet.id).filter(without).collect();
    for subnet in subnets {
        let id = decision.env.id(NetworkAclAssociationId::from_random);
        decision.put(AclAssociation { id, owner: owner.clone(), acl, subnet });
    }
    if defaults::group(&decision.world, vpc).is_none() {
        defaults::make_group(decision, owner, vpc);
    }
}

/// The VPC's default network ACL.
pub fn default_acl(world: &World, vpc: VpcId) -> Option<NetworkAclId> {
    acls(world, vpc).find(|id| world.network_acls.get(id).is_some_and(|acl| acl.is_default))
}

fn acls(world: &World, vpc: VpcId) -> impl Iterator<Item = NetworkAclId> {
    let of_vpc = world.index.network_acls_by_vpc.range((vpc, NetworkAclId::from_random(0))..);
    of_vpc.take_while(move |(of, _)| *of == vpc).map(|(_, id)| *id)
}

fn groups(world: &World, vpc: VpcId) -> impl Iterator<Item = GroupId> {
    let of_vpc = world.index.groups_by_vpc.range((vpc, GroupId::from_random(0))..);
    of_vpc.take_while(move |(of, _)| *of == vpc).map(|(_, id)| *id)
}

/// Makes a route table without a route; `None` when the VPC has no number left for it.
pub fn make_route_table(decision: &mut Decision<'_>, owner: &Owner, vpc: VpcId) -> Option<RouteTableId> {
    let mut used: Vec<u32> = decision.world.route_tables_of(vpc).map(|table| table.number.into()).collect();
    used.sort_unstable();
    let number = u16::try_from(next_number(used.into_iter(), u16::MAX.into())?).ok()?;
    let id = decision.env.id(RouteTableId::from_random);
    let created = decision.env.now;
    decision.put(RouteTable { id, owner: owner.clone(), vpc, number, created });
    Some(id)
}

/// "The default network ACL is configured to allow all traffic to flow in and out of the subnets with which it is
/// associated" (<https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html>). What no entry matches is
/// denied without a row that says so.
fn make_default_acl(decision: &mut Decision<'_>, owner: &Owner, vpc: VpcId) -> NetworkAclId {
    let id = decision.env.id(NetworkAclId::from_random);
    let created = decision.env.now;
    decision.put(NetworkAcl { id, owner: owner.clone(), vpc, is_default: true, created });
    for direction in [Direction::Ingress, Direction::Egress] {
        decision.put(AclEntry {
            acl: id,
            owner: owner.clone(),
            direction,
            number: EVERYTHING,
            allow: true,
            traffic: Traffic::All,
            cidr: defaults::everything().into(),
            created,
        });
    }
    id
}

/// The number of the entry that lets all of IPv6 pass in a default network ACL.
const EVERYTHING6: u16 = 101;

/// Opens to IPv6 what is open to IPv4 by default, now that the VPC has a block of it: "we automatically add rules that
/// allow all IPv6 traffic to flow in and out of your subnet", but "if you've modified your default network ACL's inbound
/// rules, we don't automatically add an allow rule for inbound IPv6 traffic" (VPC User Guide, default network ACLs), and
/// likewise for outbound traffic and for the outbound rules of the default security group.
pub fn open_to_ipv6(decision: &mut Decision<'_>, vpc: VpcId) {
    let world = decision.world.clone();
    if let Some(acl) = default_acl(&world, vpc).and_then(|id| world.network_acls.get(&id)) {
        let both = [Direction::Ingress, Direction::Egress].into_iter();
        for direction in both.filter(|direction| is_unmodified(&world, acl.id, *direction)) {
            decision.put(AclEntry {
                acl: acl.id,
                owner: acl.owner.clone(),
                direction,
                number: EVERYTHING6,
                allow: true,
                traffic: Traffic::All,
                cidr: defaults::everything6().into(),
                created: decision.env.now,
            });
        }
    }
    if let Some(group) = defaults::group(&world, vpc) {
        let out: Vec<_> = world.rules_of(group).filter(|rule| rule.direction == Direction::Egress).collect();
        let first = RuleTarget::Cidr4(defaults::everything());
        if out.len() == 1 && out.iter().all(|rule| rule.traffic == Traffic::All && rule.target == first) {
            allow_all_out(decision, group, RuleTarget::Cidr6(defaults::everything6()));
        }
    }
}

/// Whether the network ACL says in this direction what it was made with.
fn is_unmodified(world: &World, acl: NetworkAclId, direction: Direction) -> bool {
    let entries: Vec<_> = world.acl_entries_of(acl, direction).collect();
    let first = |entry: &AclEntry| {
        (entry.number, entry.allow, entry.traffic, entry.cidr)
            == (EVERYTHING, true, Traffic::All, defaults::everything().into())
    };
    entries.len() == 1 && entries.iter().all(|entry| first(entry))
}

/// Whether the VPC has a route table, network ACL or group besides those it was made with. Rules of a peer VPC that name the
/// group stay, and mean nobody.
pub fn are_all(world: &World, vpc: VpcId) -> bool {
    let default = defaults::group(world, vpc);
    world.route_tables_of(vpc).count() <= 1
        && acls(world, vpc).count() <= 1
        && groups(world, vpc).all(|group| Some(group) == default)
}

/// Deletes all of it.
pub fn delete(decision: &mut Decision<'_>, vpc: VpcId) {
    let world = decision.world.clone();
    for table in world.route_tables_of(vpc) {
        delete_route_table(decision, table.id);
    }
    for acl in acls(&world, vpc) {
        for direction in [Direction::Ingress, Direction::Egress] {
            for entry in world.acl_entries_of(acl, direction) {
                decision.delete(Key::AclEntry((acl, direction, entry.number)));
            }
        }
        decision.untag_all(ResourceId::NetworkAcl(acl));
        decision.delete(Key::NetworkAcl(acl));
    }
    for group in groups(&world, vpc) {
        for rule in world.rules_of(group) {
            decision.untag_all(ResourceId::SecurityGroupRule(rule.id));
            decision.delete(Key::Rule(rule.id));
        }
        decision.untag_all(ResourceId::SecurityGroup(group));
        decision.delete(Key::Group(group));
    }
}

/// Deletes a route table with its routes and what it is associated with.
pub fn delete_route_table(decision: &mut Decision<'_>, table: RouteTableId) {
    let world = decision.world.clone();
    for route in world.routes_of(table) {
        decision.delete(Key::Route((table, route.destination)));
    }
    for route in world.ipv6_routes_of(table) {
        decision.delete(Key::Ipv6Route((table, route.destination)));
    }
    for association in crate::control::routes::associations_of(&world, table) {
        decision.delete(Key::RouteTableAssociation(association.id));
    }
    decision.untag_all(ResourceId::RouteTable(table));
    decision.delete(Key::RouteTable(table));
}
