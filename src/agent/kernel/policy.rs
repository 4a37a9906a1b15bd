//! Which of the routing tables instances' packets are looked up in: those of networks with a gateway
//! host go to that host.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteHeader, RouteProtocol};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage};
use rtnetlink::{Error, Handle, IpVersion};

use super::absent::is_removed;
use crate::agent::names::ROUTE_PROTOCOL;
use crate::plan::{Exit, HostState, MAX_HOSTS, transit};
use crate::types::Cidr4;

/// The first of our tables: one for each gateway host, by its number. Far from the numbers of rt_tables(5) and from those
/// that network managers count up from.
const TABLES: u32 = 14_200;

/// The order of our rules, ahead of the main table's 32766. What comes from the host itself or from the flat segment, then
/// what stays within the networks, then the rest.
const NOT_FROM_PORTS: u32 = 14_200;
const WITHIN: u32 = 14_201;
const AWAY: u32 = 14_202;

/// The length of the block of all addresses in transit.
const TRANSIT_LENGTH: u8 = 18;

/// The table of a gateway host, by its next hop.
pub const fn table(gateway: Ipv4Addr) -> u32 {
    let [_, _, high, low] = gateway.octets();
    TABLES + (((high & 0x3f) as u32) << 8 | low as u32)
}

/// The first of a VPC's tables in its router, where nobody else has any.
const SUBNETS: u32 = 1_420_000;

/// The table that a route table of a VPC is, by its number.
pub const fn subnets_table(number: u16) -> u32 {
    SUBNETS + number as u32
}

/// Whether a table is one of ours.
pub const fn is_ours(table: u32) -> bool {
    let of_host = table > TABLES && table <= TABLES + MAX_HOSTS as u32;
    of_host || (table > SUBNETS && table <= SUBNETS + u16::MAX as u32)
}

/// Where a packet is looked up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lookup {
    Main,
    Table(u32),
    /// Nowhere: the sender is told.
    Unreachable,
}

/// One of our rules: packets from a network, to one, by an interface.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rule {
    priority: u32,
    pub from: Cidr4,
    to: Option<Cidr4>,
    by: Option<String>,
    /// Packets with this mark alone, and of it these bits.
    pub mark: Option<(u32, u32)>,
    pub lookup: Lookup,
}

impl Rule {
    /// For all packets.
    fn from_all(priority: u32, lookup: Lookup) -> Self {
        let from = Cidr4::from(ipnet::Ipv4Net::default());
        Self { priority, from, to: None, by: None, mark: None, lookup }
    }

    /// For those with the mark of a route table, which is its lower part.
    pub fn by_mark(priority: u32, mark: u16, lookup: Lookup) -> Self {
        Self { mark: Some((mark.into(), u16::MAX.into())), ..Self::from_all(priority, lookup) }
    }
}

/// The rules that a state needs: none where each network's way out is here.
///
/// By the source's network and not by each port: a packet's cost must not grow with the number of instances.
pub fn wanted(state: &HostState, flat: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    for network in state.networks.values() {
        let Exit::By(gateway) = &network.exit else { continue };
        let rule = |priority, lookup| Rule { from: network.cidr, ..Rule::from_all(priority, lookup) };
        for name in ["lo", flat] {
            rules.push(Rule { by: Some(name.to_owned()), ..rule(NOT_FROM_PORTS, Lookup::Main) });
        }
        for other in state.networks.values() {
            rules.push(Rule { to: Some(other.cidr), ..rule(WITHIN, Lookup::Main) });
        }
        // What asks for an elastic IP that leads from here to a router has its address in transit by then.
        if state.addresses.values().any(|address| address.transit.is_some()) {
            rules.push(Rule { to: Cidr4::new(transit(0), TRANSIT_LENGTH), ..rule(WITHIN, Lookup::Main) });
        }
        let known = state.hosts.get(gateway);
        rules.push(rule(AWAY, known.map_or(Lookup::Unreachable, |peer| Lookup::Table(table(peer.next_hop)))));
    }
    rules.sort();
    rules
}

/// The rules with our mark.
///
/// # Errors
/// What netlink says.
pub async fn list(handle: &Handle) -> Result<Vec<Rule>, Error> {
    let messages: Vec<RuleMessage> = handle.rule().get(IpVersion::V4).execute().try_collect().await?;
    Ok(messages.iter().filter_map(read).collect())
}

fn read(message: &RuleMessage) -> Option<Rule> {
    let header = &message.header;
    let (mut priority, mut by, mut mark, mut mask, mut ours) = (0, None, None, u32::MAX, false);
    let (mut source, mut destination) = (Ipv4Addr::UNSPECIFIED, None);
    let mut table = u32::from(header.table);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(number) => priority = *number,
            RuleAttribute::Source(IpAddr::V4(address)) => source = *address,
            RuleAttribute::Destination(IpAddr::V4(address)) => destination = Some(*address),
            RuleAttribute::Iifname(name) => by = Some(name.clone()),
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::FwMark(number) => mark = Some(*number),
            RuleAttribute::FwMask(bits) => mask = *bits,
            RuleAttribute::Protocol(protocol) => ours = u8::from(*protocol) == ROUTE_PROTOCOL,
            _ => {}
        }
    }
    let lookup = match header.action {
        RuleAction::Unreachable => Lookup::Unreachable,
        _ if table == u32::from(RouteHeader::RT_TABLE_MAIN) => Lookup::Main,
        _ => Lookup::Table(table),
    };
    let from = Cidr4::new(source, header.src_len)?;
    let to = destination.and_then(|address| Cidr4::new(address, header.dst_len));
    let mark = mark.map(|mark| (mark, mask));
    ours.then_some(Rule { priority, from, to, by, mark, lookup })
}

fn message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header = RuleHeader {
        family: AddressFamily::Inet,
        src_len: rule.from.prefix_len(),
        dst_len: rule.to.map_or(0, |to| to.prefix_len()),
        ..RuleHeader::default()
    };
    message.attributes = vec![
        RuleAttribute::Priority(rule.priority),
        RuleAttribute::Protocol(RouteProtocol::from(ROUTE_PROTOCOL)),
    ];
    let more = &mut message.attributes;
    if rule.from.prefix_len() > 0 {
        more.push(RuleAttribute::Source(rule.from.network().into()));
    }
    more.extend(rule.to.map(|to| RuleAttribute::Destination(to.network().into())));
    more.extend(rule.by.clone().map(RuleAttribute::Iifname));
    if let Some((mark, mask)) = rule.mark {
        more.extend([RuleAttribute::FwMark(mark), RuleAttribute::FwMask(mask)]);
    }
    message.header.action = RuleAction::ToTable;
    match rule.lookup {
        Lookup::Main => message.header.table = RouteHeader::RT_TABLE_MAIN,
        Lookup::Table(table) => more.push(RuleAttribute::Table(table)),
        Lookup::Unreachable => message.header.action = RuleAction::Unreachable,
    }
    message
}

/// Adds a rule.
///
/// # Errors
/// What netlink says.
pub async fn add(handle: &Handle, rule: &Rule) -> Result<(), Error> {
    let mut request = handle.rule().add();
    *request.message_mut() = message(rule);
    request.execute().await
}

/// Removes one of our rules, if it is there.
///
/// # Errors
/// What netlink says.
pub async fn remove(handle: &Handle, rule: &Rule) -> Result<(), Error> {
    is_removed(handle.rule().del(message(rule)).execute().await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::next_hop;

    #[test]
    fn each_host_has_a_table_of_its_own() {
        assert!(!is_ours(TABLES));
        assert_eq!(table(next_hop(1)), TABLES + 1);
        assert_eq!(table(next_hop(MAX_HOSTS)), TABLES + u32::from(MAX_HOSTS));
        assert!(is_ours(table(next_hop(1))) && is_ours(table(next_hop(MAX_HOSTS))));
        assert!(!is_ours(table(next_hop(MAX_HOSTS)) + 1));
    }
}
