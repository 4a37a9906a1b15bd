//! Network ACLs for IPv6, as [`crate::agent::kernel::acls`] has them.

use std::collections::BTreeSet;

use super::groups::traffic6;
use super::{ports, rules};
use crate::agent::kernel::acls::{chain, edge, peer as peer4, port, word};
use crate::agent::kernel::model::*;
use crate::agent::kernel::render::{any_port, name};
use crate::plan::{AclEntry6Section, HostState, SubnetSection};
use crate::types::{Direction, NetworkAclId, SubnetId, Traffic};

/// The far end's address.
const fn peer(direction: Direction) -> Field {
    match peer4(direction) {
        Field::Source => Field::Source6,
        _ => Field::Destination6,
    }
}

/// Adds the chains of both directions. Subnets whose ACL lets everything pass have none.
pub(super) fn render(state: &HostState, table: &mut Table) {
    for (direction, hook) in [
        (Direction::Egress, ("filter", "prerouting", -160)),
        (Direction::Ingress, ("filter", "postrouting", 140)),
    ] {
        let map = format!("port_acl_{}", word(direction));
        let subnets: BTreeSet<SubnetId> = ports(state).map(|port| port.subnet).collect();
        let judged = |id: &SubnetId| {
            let subnet = state.subnets.get(id)?;
            (!is_open(state, subnet, direction)).then_some((*id, &**subnet))
        };
        let judged: Vec<_> = subnets.iter().filter_map(judged).collect();
        let is_judged = |id: SubnetId| judged.iter().any(|(judged, _)| *judged == id);
        let verdicts = ports(state).filter(|port| is_judged(port.subnet));
        let verdicts = verdicts.map(|port| (name(port), Verdict::Goto(edge(port.subnet, direction))));
        table.sets.insert(map.clone(), Set::verdicts("ifname", verdicts));
        let dispatch = Rule::then(vec![any_port(port(direction))], Action::Dispatch(port(direction), map));
        table.chains.insert(format!("acl_{}", word(direction)), Chain::base(hook, vec![dispatch]));
        for (id, subnet) in &judged {
            table.chains.insert(edge(*id, direction), Chain::of(crossing(subnet, direction)));
            if let Some(acl) = subnet.acl {
                table.chains.insert(chain(acl, direction), Chain::of(entries(state, acl, direction)));
            }
        }
    }
}

fn list(state: &HostState, acl: NetworkAclId, direction: Direction) -> &[AclEntry6Section] {
    state.acls.get(&acl).map_or(&[], |acl| match direction {
        Direction::Ingress => &acl.ingress6[..],
        Direction::Egress => &acl.egress6[..],
    })
}

/// Whether the first entry lets everything pass.
fn is_open(state: &HostState, subnet: &SubnetSection, direction: Direction) -> bool {
    let first = subnet.acl.and_then(|acl| list(state, acl, direction).first());
    first.is_some_and(|entry| entry.allow && entry.traffic == Traffic::All && entry.cidr.prefix_len() == 0)
}

/// Within the subnet and with its router, DHCP among that, nothing is asked.
fn crossing(subnet: &SubnetSection, direction: Direction) -> Vec<Rule> {
    let peer = peer(direction);
    let mut rules: Vec<_> =
        subnet.cidr6.map(|own| Rule::accept(rules::within(peer, own))).into_iter().collect();
    rules.push(Rule::accept(vec![rules::link_local(peer)]));
    if direction == Direction::Egress {
        rules.push(Rule::accept(vec![rules::of_link(peer)]));
    }
    rules.push(match subnet.acl {
        Some(acl) => Rule::goto(vec![], chain(acl, direction)),
        None => Rule::drop(vec![]),
    });
    rules
}

fn entries(state: &HostState, acl: NetworkAclId, direction: Direction) -> Vec<Rule> {
    let rule = |entry: &AclEntry6Section| {
        let mut matches = rules::within(peer(direction), entry.cidr);
        matches.extend(traffic6(&entry.traffic)?);
        Some(if entry.allow { Rule::accept(matches) } else { Rule::drop(matches) })
    };
    let mut rules: Vec<_> = list(state, acl, direction).iter().filter_map(rule).collect();
    rules.push(Rule::drop(vec![]));
    rules
}
