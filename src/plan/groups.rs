//! Security groups as a host needs them.

use super::{GroupSection, RuleSet, boxes};
use crate::types::{Direction, EniId, GroupId, RuleId};
use crate::world::World;

/// A group's section.
///
/// `needs_rules`: a port of the host is in the group. `needs_members`: a rule on the host names it.
pub fn group_section(world: &World, id: GroupId, needs_rules: bool, needs_members: bool) -> GroupSection {
    let rules = |direction| if needs_rules { rule_set(world, id, direction) } else { RuleSet::default() };
    let members = if needs_members { members(world, id) } else { Vec::new() };
    GroupSection {
        id,
        ingress: rules(Direction::Ingress),
        egress: rules(Direction::Egress),
        members,
        members6: Vec::new(),
    }
}

fn rule_set(world: &World, id: GroupId, direction: Direction) -> RuleSet {
    let of_group = world.index.rules_by_group.range((id, RuleId::from_random(0))..);
    let rules = of_group
        .take_while(|(group, _)| *group == id)
        .filter_map(|(_, rule)| world.rules.get(rule))
        .filter(|rule| rule.direction == direction);
    boxes::cut(rules.map(|rule| (&rule.target, &rule.traffic)))
}

/// The private addresses of the interfaces in the group, sorted. Default VPCs on one flat network
/// share one address space, so an address occurs once.
fn members(world: &World, id: GroupId) -> Vec<std::net::Ipv4Addr> {
    let of_group = world.index.enis_by_group.range((id, EniId::from_random(0))..);
    let mut members: Vec<_> = of_group
        .take_while(|(group, _)| *group == id)
        .filter_map(|(_, eni)| world.enis.get(eni))
        .flat_map(|eni| eni.private_ips())
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}
