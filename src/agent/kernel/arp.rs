//! The rules for ARP, as values: an instance speaks under its own addresses. Pure.

use std::net::Ipv4Addr;

use super::model::*;
use super::render::{any_port, name};
use crate::plan::{HostState, PortSection};

/// The table for ARP.
pub(super) fn render(state: &HostState) -> Table {
    let sender =
        |port: &PortSection, address| vec![name(port), Value::Mac(port.mac), Value::Address(address)];
    // A probe for its own address has no sender address yet (RFC 5227).
    let unsaid = std::iter::once(Ipv4Addr::UNSPECIFIED);
    let senders = state.ports.values().flat_map(|port| {
        port.private_ips().chain(unsaid.clone()).map(|ip| sender(port, ip)).collect::<Vec<_>>()
    });
    let mut table = Table::default();
    table.sets.insert("senders".into(), Set::keys(&["ifname", "ether_addr", "ipv4_addr"], senders));
    let fields = vec![Field::InInterface, Field::ArpSenderMac, Field::ArpSenderAddress];
    let unknown = Match::Fields(fields, false, Right::Set("senders".into()));
    let rules = vec![Rule::drop(vec![any_port(Field::InInterface), unknown])];
    table.chains.insert("arp_in".into(), Chain::base(("filter", "input", 0), rules));
    table
}
