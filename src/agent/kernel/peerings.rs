//! Cables to the routers of peer VPCs, in the router of a VPC.
//!
//! By such a cable come the peer's own addresses alone, for the VPC's own alone, and they go on to its interfaces, here or on
//! other hosts, and nowhere else: a peering connection joins two VPCs, and none of their gateways, and no third one
//! (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations>). They are marked by no
//! route table, so that the main table alone is asked.
//!
//! A router between the two ends may see only one direction of a flow: nothing is decided here by connection tracking, but
//! at the ports alone, where both directions come by.

use std::collections::BTreeMap;

use super::host::Pass;
use super::model::*;
use super::render::{Host, any_port, no_port, range};
use super::{ipv6, links, sysctl};
use crate::agent::names::*;
use crate::plan::{HostState, PeeringSection};
use crate::types::{Cidr4, MacAddr, Range4, VpcPeeringConnectionId};

use super::neighbours;

pub(super) fn any_peering(field: Field) -> Match {
    Match::is(field, Value::Interface(format!("{PEERING_PREFIX}*")))
}

/// The peering connections of the VPC whose router it is.
pub(super) fn all(state: &HostState) -> impl Iterator<Item = (VpcPeeringConnectionId, &PeeringSection)> {
    state.vpcs.values().flat_map(|vpc| vpc.peerings.iter().map(|(id, peering)| (*id, peering)))
}

pub(super) fn chain(id: VpcPeeringConnectionId) -> String {
    format!("{id}.from")
}

/// Tells cables apart, for either family: each leads to its [`chain`], and one that is not known nowhere.
pub(super) fn from_peer(state: &HostState, table: &mut Table) {
    let name = |id| Value::Interface(peering_name(id));
    let chains = all(state).map(|(id, _)| (name(id), Verdict::Goto(chain(id))));
    table.sets.insert("peerings".into(), Set::verdicts("ifname", chains));
    let rules =
        vec![Rule::then(vec![], Action::Dispatch(Field::InInterface, "peerings".into())), Rule::drop(vec![])];
    table.chains.insert("from_peer".into(), Chain::of(rules));
}

/// Adds what is asked of packets that come by a cable.
pub fn render(state: &HostState, host: &Host, table: &mut Table) {
    from_peer(state, table);
    for (id, peering) in all(state) {
        table.chains.insert(chain(id), Chain::of(only(Field::Source, &peering.cidrs, Some("to_vpc"))));
    }
    let own: Vec<_> = state.vpcs.values().flat_map(|vpc| vpc.cidrs.iter().copied()).collect();
    table.chains.insert("to_vpc".into(), Chain::of(only(Field::Destination, &own, None)));
    let within = vec![
        Rule::accept(vec![any_port(Field::OutInterface)]),
        Rule::accept(vec![host.flat(Field::OutInterface)]),
    ];
    table.chains.insert("between_peers".into(), Chain::of([within, vec![Rule::drop(vec![])]].concat()));
}

/// What is in one of the blocks goes on, or is accepted; nothing else.
fn only(field: Field, blocks: &[Cidr4], next: Option<&str>) -> Vec<Rule> {
    let one = |block: &Cidr4| {
        let matches = vec![range(field, Range4::from(*block))];
        match next {
            Some(next) => Rule::goto(matches, next),
            None => Rule::accept(matches),
        }
    };
    blocks.iter().map(one).chain([Rule::drop(vec![])]).collect()
}

/// Ahead of all others: whose a packet is that comes by a cable.
pub fn source() -> Rule {
    Rule::goto(vec![any_peering(Field::InInterface)], "from_peer")
}

/// A peer has no business with the router itself: neither with its gateways nor with what it serves.
pub fn input() -> Rule {
    Rule::drop(vec![any_peering(Field::InInterface)])
}

/// What comes by a cable goes to the VPC's interfaces, and only what they send leaves by one.
pub fn forward() -> [Rule; 2] {
    [
        Rule::goto(vec![any_peering(Field::InInterface)], "between_peers"),
        Rule::drop(vec![any_peering(Field::OutInterface), no_port(Field::InInterface)]),
    ]
}

impl Pass<'_> {
    /// The cables that are there, by their interfaces' names.
    pub(super) fn peering_cables(&self) -> impl Iterator<Item = (String, &links::Link)> {
        let names = all(self.state).map(|(id, _)| peering_name(id));
        names.filter_map(|name| self.links.get(&name).map(|link| (name, link)))
    }

    /// The far ends of the cables are known for good: nobody asks.
    pub(super) fn peering_neighbours(&self, to: &mut BTreeMap<neighbours::Place, (MacAddr, String)>) {
        for (name, link) in self.peering_cables() {
            to.insert((PEERING_GATEWAY, link.index), (PEERING_MAC, format!("interface {name}")));
        }
    }

    /// Switches the cables on. What is too long for the other hosts' ways is told to its sender ahead of them.
    pub(super) async fn peering_links(&mut self) {
        let cables: Vec<_> = self.peering_cables().map(|(name, link)| (name, link.clone())).collect();
        let carried = ipv6::is_carried(self.state);
        for (name, link) in cables {
            self.raise(&name, PEERING_MAC, &sysctl::transit(&name, carried)).await;
            if let Some(mtu) = self.state.vxlan_mtu().filter(|mtu| *mtu != link.mtu) {
                let set = links::set_mtu(self.handle, link.index, mtu).await;
                self.check(|| format!("interface {name}"), set);
            }
        }
    }
}
