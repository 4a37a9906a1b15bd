//! The rules of the groups that changed, where nothing else did: the change of a rule costs what that group is, however many
//! instances and groups there are beside it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::groups::{self, group_chain, members_set};
use super::ipv6;
use super::model::*;
use super::render::Host;
use crate::plan::{GroupSection, HostState};
use crate::types::{Direction, GroupId};

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// The part of the rules that leads from what one state makes, which is `have`, to what the other does. `None` where it is
/// not so simple: there [`render`](super::render::render) has the answer.
///
/// The states must differ in groups alone, see [`HostState::differs_in_groups_alone`].
pub fn part(before: &HostState, after: &HostState, host: &Host, have: &Ruleset) -> Option<Part> {
    if keys(&before.groups) != keys(&after.groups) || keys(&before.members) != keys(&after.members) {
        return None;
    }
    let table = |family| have.tables.get(&family);
    let mut part = Part { names: Names::default(), rules: Ruleset::default() };
    let (mut inet, mut ip6) = (Table::default(), Table::default());
    for (id, section) in changed(&before.groups, &after.groups) {
        let old = before.groups.get(id)?;
        for direction in DIRECTIONS {
            let name = group_chain(direction, *id);
            let used = |family| table(family).is_some_and(|table| table.chains.contains_key(&name));
            if used(Family::Inet) {
                let rules = |section: &GroupSection, table: &mut Table| {
                    let mut named = BTreeSet::new();
                    groups::group(after, host, section, direction, table, &mut named);
                    named
                };
                // Who is named by no rule any more, or for the first time, takes a set along.
                if rules(old, &mut Table::default()) != rules(section, &mut inet) {
                    return None;
                }
            }
            if used(Family::Ip6) {
                let rules = |section: &GroupSection| {
                    let mut named = BTreeSet::new();
                    (ipv6::groups::group(after, host, section, direction, &mut named), named)
                };
                let (rules, named) = (rules(section), rules(old).1);
                if rules.1 != named {
                    return None;
                }
                ip6.chains.insert(name.clone(), Chain::of(rules.0));
            }
            part.names.0.insert(name);
        }
    }
    for (id, section) in changed(&before.members, &after.members) {
        let name = members_set(*id);
        let named = |family| table(family).is_some_and(|table| table.sets.contains_key(&name));
        if named(Family::Inet) {
            inet.sets.insert(name.clone(), groups::members_of(section));
        }
        if named(Family::Ip6) {
            ip6.sets.insert(name.clone(), ipv6::groups::members_of(section));
        }
        part.names.0.insert(name);
    }
    part.rules.tables = [(Family::Inet, inet), (Family::Arp, Table::default()), (Family::Ip6, ip6)].into();
    Some(part)
}

fn keys<V>(map: &BTreeMap<GroupId, V>) -> BTreeSet<GroupId> {
    map.keys().copied().collect()
}

fn changed<'a, S: PartialEq>(
    before: &'a BTreeMap<GroupId, Arc<S>>,
    after: &'a BTreeMap<GroupId, Arc<S>>,
) -> impl Iterator<Item = (&'a GroupId, &'a Arc<S>)> {
    let same = |a: &Arc<S>, b: &Arc<S>| Arc::ptr_eq(a, b) || a == b;
    after.iter().filter(move |(id, section)| !before.get(id).is_some_and(|old| same(old, section)))
}
