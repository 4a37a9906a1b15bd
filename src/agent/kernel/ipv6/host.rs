//! The host's side of it: between its routers' cables and the public interface, and nothing else. Pure.

use super::switches::Closed6;
use crate::agent::kernel::model::*;
use crate::agent::kernel::render::Host;
use crate::agent::kernel::transit::any_transit;
use crate::agent::names::transit_name;
use crate::plan::HostState;

/// Ahead of everything: what comes by a cable is from an instance that is behind it, and what comes otherwise is not.
pub(super) fn source(host: &Host) -> Vec<Rule> {
    let here = Match::within(&[Field::Source6], "routed");
    vec![
        Rule::goto(vec![any_transit(Field::InInterface)], "cable_source"),
        Rule::drop(vec![host.outside(Field::InInterface), here]),
    ]
}

/// Nothing of the host's own is for its routers, but answers.
pub(super) fn input() -> Rule {
    Rule::goto(vec![any_transit(Field::InInterface)], "asked")
}

/// What goes through between the cables and the outside. The routers judge it.
pub(super) fn forward(state: &HostState, host: &Host, table: &mut Table) {
    let cables = state.routed6.iter();
    let cables = cables.map(|(ip, vpc)| vec![Value::Interface(transit_name(*vpc)), Value::Address6(*ip)]);
    table.sets.insert("cables".into(), Set::keys(&["ifname", "ipv6_addr"], cables));
    let routed = state.routed6.keys().map(|ip| vec![Value::Address6(*ip)]);
    table.sets.insert("routed".into(), Set::keys(&["ipv6_addr"], routed));
    let behind = |interface, address| Match::within(&[interface, address], "cables");
    let rules = vec![Rule::accept(vec![behind(Field::InInterface, Field::Source6)]), Rule::drop(vec![])];
    table.chains.insert("cable_source".into(), Chain::of(rules));

    let out = || any_transit(Field::OutInterface);
    let mut rules = vec![
        Rule::accept(vec![out(), behind(Field::OutInterface, Field::Destination6)]),
        Rule::drop(vec![out()]),
        Rule::goto(vec![any_transit(Field::InInterface)], "from_cable"),
    ];
    // An instance's address that no instance here has is not handed on: it would come back.
    let pools = state.pools6.iter();
    rules.extend(pools.map(|pool| {
        let nobody = Match::is(Field::Destination6, Value::Block6(*pool));
        Rule::drop(vec![host.outside(Field::InInterface), nobody])
    }));
    match host.closed6 {
        Closed6::No => {}
        Closed6::Public => rules.push(Rule::drop(vec![host.public(Field::InInterface)])),
        Closed6::All => rules.push(Rule::drop(vec![])),
    }
    table.chains.insert("forward".into(), Chain::base(("filter", "forward", 0), rules));
    // Other networks of the host's are reached by what begins there, and by nothing that begins here.
    let rules =
        vec![Rule::by_state(), Rule::accept(vec![host.public(Field::OutInterface)]), Rule::drop(vec![])];
    table.chains.insert("from_cable".into(), Chain::of(rules));
}
