//! Private NAT gateways in the router of a VPC. Pure.
//!
//! What a subnet's table leads to one that is at work here gets another mark: the gateway's own, whose lower part is the number
//! of the table of the gateway's subnet, so that this one is asked, here and on every further host. By the mark the packet is
//! the gateway's: its source becomes the gateway's address, and the ACL of the gateway's subnet judges it. Which destinations
//! these are is worked out from both tables: only what leads on to a peer or to an interface is marked, and all else finds a
//! black hole. To an internet gateway leads no private one
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html>), nor to a further NAT gateway.
//!
//! The gateway's address is nobody's on its host: what is no answer, to a flow that connection tracking knows, has no route.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::model::*;
use super::render::{Host, range};
use crate::plan::{HostState, PrivateNatSection, RouteTo, VpcSection};
use crate::types::{Cidr4, NatGatewayId, Range4};

/// The gateway's part of a mark. VXLAN takes the lower 16 bits along, and two above them mean something else to it.
const OWN_BITS: u32 = 24;
/// How many gateways of a VPC can be at work on one host; EC2 has five in a zone.
const MOST: u32 = (1 << (32 - OWN_BITS)) - 1;

/// The private gateways that are at work here, with the marks of what goes through them.
fn all(state: &HostState) -> impl Iterator<Item = (NatGatewayId, u32, &PrivateNatSection)> {
    let all = state.vpcs.values().flat_map(|vpc| vpc.private_nat_gateways.iter());
    let here = all.filter(|(_, gateway)| gateway.host == state.host);
    here.zip(1..=MOST).map(|((id, gateway), n)| (*id, n << OWN_BITS | u32::from(gateway.table), gateway))
}

/// The gateways themselves.
pub fn here(state: &HostState) -> impl Iterator<Item = &PrivateNatSection> {
    all(state).map(|(_, _, gateway)| gateway)
}

/// What tells the packets that one of them takes: on the way there, and back.
pub fn taken(mark: u32, gateway: &PrivateNatSection) -> [Match; 2] {
    [
        Match::is(Field::Mark, Value::Number(mark)),
        Match::is(Field::AnsweredAt, Value::Address(gateway.address)),
    ]
}

/// The gateways with their marks, for the ACLs.
pub fn marked(state: &HostState) -> impl Iterator<Item = (u32, &PrivateNatSection)> {
    all(state).map(|(_, mark, gateway)| (mark, gateway))
}

/// Adds the sets, and after the marks of ports' tables those of gateways.
pub fn render(state: &HostState, table: &mut Table) {
    let addresses = all(state).map(|(_, mark, gateway)| (Value::Number(mark), gateway.address));
    table.sets.insert("private_nat_sources".into(), Set::addresses("mark", addresses));
    let keys =
        all(state).map(|(_, mark, gateway)| vec![Value::Number(mark), Value::Address(gateway.address)]);
    table.sets.insert("private_nat_own".into(), Set::keys(&["mark", "ipv4_addr"], keys));
    let keys = all(state).map(|(_, mark, _)| vec![Value::Number(mark)]);
    table.sets.insert("private_nat_marks".into(), Set::keys(&["mark"], keys));
    let keys = all(state).map(|(_, _, gateway)| vec![Value::Address(gateway.address)]);
    table.sets.insert("private_nat_gateways".into(), Set::keys(&["ipv4_addr"], keys));
    let everywhere = state.vpcs.values().flat_map(|vpc| vpc.private_nat_gateways.values());
    let keys = everywhere.map(|gateway| vec![Value::Address(gateway.address)]);
    table.sets.insert("private_nat_addresses".into(), Set::keys(&["ipv4_addr"], keys));
    let mut by_table = Vec::new();
    for (number, rules) in led(state) {
        let chain = format!("by_table_{number}");
        by_table.push((Value::Number(number.into()), Verdict::Goto(chain.clone())));
        table.chains.insert(chain, Chain::of(rules));
    }
    if !by_table.is_empty()
        && let Some(marks) = table.chains.get_mut("marks")
    {
        marks.rules.push(Rule::then(vec![], Action::Choose(Field::Mark, by_table)));
    }
}

/// For each route table that leads to gateways here: the marks of what those lead on.
fn led(state: &HostState) -> BTreeMap<u16, Vec<Rule>> {
    let mut chains = BTreeMap::new();
    for vpc in state.vpcs.values() {
        let own: BTreeMap<_, _> = all(state).map(|(id, mark, gateway)| (id, (mark, gateway.table))).collect();
        if own.is_empty() {
            continue;
        }
        let tables: BTreeMap<_, _> =
            vpc.tables.keys().map(|number| (*number, lookup(vpc, *number))).collect();
        for (number, table) in &tables {
            let parts = parts(table, &tables, &own);
            if !parts.is_empty() {
                let rule =
                    |(part, mark)| Rule::then(vec![range(Field::Destination, part)], Action::MarkAs(mark));
                chains.insert(*number, parts.into_iter().map(rule).collect());
            }
        }
    }
    chains
}

/// A route table as it is asked; `None` is what stays within the VPC.
type Table4 = BTreeMap<Cidr4, Option<RouteTo>>;

fn lookup(vpc: &VpcSection, number: u16) -> Table4 {
    let own = vpc.cidrs.iter().map(|block| (*block, None));
    let routes = vpc.tables.get(&number).into_iter().flatten();
    own.chain(routes.map(|route| (route.destination, Some(route.to)))).collect()
}

fn longest(table: &Table4, to: Ipv4Addr) -> Option<RouteTo> {
    let mut blocks = (0..=32).rev().filter_map(|length| table.get(&Cidr4::new(to, length)?));
    blocks.next().copied().flatten()
}

/// The destinations that a table leads to gateways, and those on to where they may lead, in disjoint ranges, with the
/// gateways' marks. Between two addresses at which a block of either table begins or has ended, all are led the same way.
fn parts(
    table: &Table4,
    tables: &BTreeMap<u16, Table4>,
    own: &BTreeMap<NatGatewayId, (u32, u16)>,
) -> Vec<(Range4, u32)> {
    let led = |to| match to {
        Some(RouteTo::Nat(id)) => own.get(&id).copied(),
        _ => None,
    };
    let asked: BTreeSet<u16> = table.values().filter_map(|to| led(*to)).map(|(_, further)| further).collect();
    let further = asked.iter().filter_map(|number| tables.get(number));
    let blocks: Vec<_> = further.chain([table]).flat_map(|table| table.keys()).collect();
    let after = |last: Ipv4Addr| last.to_bits().checked_add(1).map(Ipv4Addr::from_bits);
    let edges = blocks.iter().flat_map(|block| [Some(block.network()), after(block.last())]);
    let edges: BTreeSet<_> = if asked.is_empty() { BTreeSet::new() } else { edges.flatten().collect() };
    let mark = |at| {
        let (mark, further) = led(longest(table, at))?;
        let on = longest(tables.get(&further)?, at);
        matches!(on, Some(RouteTo::Peering(_) | RouteTo::Interface(_))).then_some(mark)
    };
    let lasts = edges.iter().skip(1).map(|next| Ipv4Addr::from_bits(next.to_bits() - 1));
    let ranges = edges.iter().zip(lasts.chain([Ipv4Addr::BROADCAST]));
    let mut parts: Vec<(Range4, u32)> = Vec::new();
    for (first, last) in ranges {
        let Some((range, mark)) = Range4::new(*first, last).zip(mark(*first)) else { continue };
        match parts.last_mut() {
            Some((before, same)) if *same == mark && after(before.last()) == Some(*first) => {
                *before = Range4::new(before.first(), last).unwrap_or(range);
            }
            _ => parts.push((range, mark)),
        }
    }
    parts
}

/// What goes through is let through, but to the outside.
pub fn forward(host: &Host) -> Vec<Rule> {
    let marked = || Match::within(&[Field::Mark], "private_nat_marks");
    let answers = Match::within(&[Field::AnsweredAt], "private_nat_gateways");
    vec![
        Rule::drop(vec![marked(), host.public(Field::OutInterface)]),
        Rule::accept(vec![marked()]),
        Rule::goto(
            vec![host.flat(Field::InInterface), host.flat(Field::OutInterface), answers],
            "from_outside",
        ),
    ]
}

/// Not even who may send for others is a gateway: what one has sent would be taken for the gateway's.
pub fn port_source() -> Rule {
    Rule::drop(vec![Match::within(&[Field::Source], "private_nat_addresses")])
}

/// Ahead of all other translation: it is the gateway's, whoever sent it and wherever it goes.
pub fn snat() -> Rule {
    Rule::then(vec![], Action::Snat(Target::Map(Field::Mark, "private_nat_sources".into())))
}

/// Under another address than the gateway's own nothing goes on: a gateway knows nothing of flows that came another way.
pub fn enter() -> Rule {
    let own = [Field::Mark, Field::Source].to_vec();
    let foreign = Match::Fields(own, false, Right::Set("private_nat_own".into()));
    Rule::drop(vec![Match::within(&[Field::Mark], "private_nat_marks"), foreign])
}
