//! IPv6 over the cables to the routers of peer VPCs, as [`crate::agent::kernel::peerings`] has IPv4: a peer's own addresses
//! come by one, for the VPC's own, and go on to its interfaces and nowhere else. Pure.

use super::rules::within;
use crate::agent::kernel::model::*;
use crate::agent::kernel::peerings::{all, any_peering, chain, from_peer};
use crate::agent::kernel::render::{Host, any_port, no_port};
use crate::plan::HostState;
use crate::types::Cidr6;

/// Adds what is asked of packets that come by a cable.
pub(super) fn render(state: &HostState, host: &Host, table: &mut Table) {
    from_peer(state, table);
    for (id, peering) in all(state) {
        let theirs = only(Field::Source6, &peering.cidrs6, Some("to_vpc"));
        table.chains.insert(chain(id), Chain::of(theirs));
    }
    let own: Vec<_> = state.vpcs.values().flat_map(|vpc| vpc.cidrs6.iter().copied()).collect();
    table.chains.insert("to_vpc".into(), Chain::of(only(Field::Destination6, &own, None)));
    let ways = vec![
        Rule::accept(vec![any_port(Field::OutInterface)]),
        Rule::accept(vec![host.flat(Field::OutInterface)]),
        Rule::drop(vec![]),
    ];
    table.chains.insert("between_peers".into(), Chain::of(ways));
}

/// What is in one of the blocks goes on, or is accepted; nothing else.
fn only(field: Field, blocks: &[Cidr6], next: Option<&str>) -> Vec<Rule> {
    let one = |block: &Cidr6| match next {
        Some(next) => Rule::goto(within(field, *block), next),
        None => Rule::accept(within(field, *block)),
    };
    blocks.iter().map(one).chain([Rule::drop(vec![])]).collect()
}

/// Ahead of all others: whose a packet is that comes by a cable.
pub(super) fn source() -> Rule {
    Rule::goto(vec![any_peering(Field::InInterface)], "from_peer")
}

/// A peer has no business with the router itself.
pub(super) fn input() -> Rule {
    Rule::drop(vec![any_peering(Field::InInterface)])
}

/// What comes by a cable goes to the VPC's interfaces, and only what they send leaves by one.
pub(super) fn forward() -> [Rule; 2] {
    [
        Rule::goto(vec![any_peering(Field::InInterface)], "between_peers"),
        Rule::drop(vec![any_peering(Field::OutInterface), no_port(Field::InInterface)]),
    ]
}
