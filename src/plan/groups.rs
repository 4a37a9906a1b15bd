//! Security groups as a host needs them.

use super::{GroupSection, MembersSection, RuleSet, boxes};
use crate::types::{Cidr, Direction, EniId, GroupId, RuleId, RuleTarget};
use crate::world::{Eni, PrefixListEntry, Rule, World};

/// A group's rules.
pub fn group_section(world: &World, id: GroupId) -> GroupSection {
    let rules = |direction| rule_set(world, id, direction);
    GroupSection { id, ingress: rules(Direction::Ingress), egress: rules(Direction::Egress) }
}

/// Who is in a group.
pub fn members_section(world: &World, id: GroupId) -> MembersSection {
    let ipv4 = members(world, id, |eni| eni.private_ips().collect());
    MembersSection { ipv4, ipv6: members(world, id, |eni| eni.ipv6.to_vec()) }
}

fn rule_set(world: &World, id: GroupId, direction: Direction) -> RuleSet {
    let of_group = world.index.rules_by_group.range((id, RuleId::from_random(0))..);
    let rules = of_group
        .take_while(|(group, _)| *group == id)
        .filter_map(|(_, rule)| world.rules.get(rule))
        .filter(|rule| rule.direction == direction)
        .filter(|rule| is_in_force(world, rule))
        .flat_map(|rule| targets(world, &rule.target).into_iter().map(|target| (target, rule.traffic)));
    let rules: Vec<_> = rules.collect();
    boxes::cut(rules.iter().map(|(target, traffic)| (target, traffic)))
}

/// A prefix list is the blocks in it; what is not there is none.
fn targets(world: &World, target: &RuleTarget) -> Vec<RuleTarget> {
    let RuleTarget::PrefixList(list) = target else { return vec![target.clone()] };
    let blocks = world.entries_of(*list);
    let target = |entry: &PrefixListEntry| match entry.block {
        Cidr::V4(block) => RuleTarget::Cidr4(block),
        Cidr::V6(block) => RuleTarget::Cidr6(block),
    };
    blocks.iter().map(target).collect()
}

/// Whether a rule means anybody: one that names a group of another VPC does while the two are peers, and the addresses of its
/// members are nobody's at a third one.
pub(super) fn is_in_force(world: &World, rule: &Rule) -> bool {
    match rule.target {
        RuleTarget::Group { group, .. } => {
            world.may_name(rule.group, group) && !is_doubtful(world, rule.group, group)
        }
        RuleTarget::Cidr4(_) | RuleTarget::Cidr6(_) | RuleTarget::PrefixList(_) => true,
    }
}

/// Whether an address of the named group's members could be somebody's at another peer of the VPC as well: by its address
/// alone, which he may choose, he would pass for a member.
fn is_doubtful(world: &World, of: GroupId, named: GroupId) -> bool {
    let vpc = |id| world.groups.get(&id).map(|group| group.vpc);
    let (Some(own), Some(theirs)) = (vpc(of), vpc(named)) else { return true };
    let thirds = world.peers_of(own).map(|(_, peer)| peer).filter(|peer| own != theirs && *peer != theirs);
    let thirds: Vec<_> = thirds.filter_map(|peer| world.vpcs.get(&peer)).collect();
    if thirds.is_empty() {
        return false;
    }
    let members = members_section(world, named);
    let mut blocks = thirds.iter().flat_map(|vpc| vpc.cidrs());
    let mut blocks6 = thirds.iter().flat_map(|vpc| vpc.blocks6.iter());
    blocks.any(|block| members.ipv4.iter().any(|ip| block.contains(*ip)))
        || blocks6.any(|block| members.ipv6.iter().any(|ip| block.cidr.contains(*ip)))
}

/// Addresses of the interfaces in the group, sorted. Default VPCs on one flat network
/// share one address space, so an address occurs once.
fn members<A: Ord>(world: &World, id: GroupId, of: impl Fn(&Eni) -> Vec<A>) -> Vec<A> {
    let of_group = world.index.enis_by_group.range((id, EniId::from_random(0))..);
    let mut members: Vec<_> = of_group
        .take_while(|(group, _)| *group == id)
        .filter_map(|(_, eni)| world.enis.get(eni))
        .flat_map(|eni| of(eni))
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}
