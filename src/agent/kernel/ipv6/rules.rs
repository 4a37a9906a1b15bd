//! The rules for IPv6, as values. Pure.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::{acls, by_mac, groups, host, link_local_block, peerings, ports};
use crate::agent::kernel::groups::chain_name;
use crate::agent::kernel::model::*;
use crate::agent::kernel::render::{Host, Side, any_port, name, no_port, number};
use crate::agent::names::PORT_LINK_LOCAL;
use crate::plan::{HostState, PortSection, Route6Section, RouteTo};
use crate::types::{Cidr6, Direction};

const ECHO_REQUEST: u32 = 128;
const REDIRECT: u32 = 137;
const SOLICIT_ROUTERS: u32 = 133;
const ADVERTISE_ROUTER: u32 = 134;
const SOLICIT_NEIGHBOUR: u32 = 135;
const ADVERTISE_NEIGHBOUR: u32 = 136;
/// Listeners of multicast: query, report, done (RFC 2710), report (RFC 3810). Nobody routes multicast; who reports is not refused.
const LISTENERS: [u32; 4] = [130, 131, 132, 143];
/// What a host says on its link to find others (RFC 4861), and never beyond it.
const DISCOVERY: [u32; 3] = [SOLICIT_ROUTERS, SOLICIT_NEIGHBOUR, ADVERTISE_NEIGHBOUR];
const DHCP_CLIENT: u32 = 546;
const DHCP_SERVER: u32 = 547;
/// All DHCP servers and relays of a link (RFC 8415, 7.1).
const DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// EC2's own services have addresses of this block: nobody is one of them.
const SERVICES: ([u16; 8], u8) = ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32);
const MULTICAST: ([u16; 8], u8) = ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8);
const OF_LINK: ([u16; 8], u8) = ([0xff02, 0, 0, 0, 0, 0, 0, 0], 16);
/// How often a second a router hears its guests under link-local addresses that are not made of their MACs.
const MADE_UP: u32 = 20;
const SERVICE_FIELDS: [Field; 3] = [Field::Destination6, Field::Protocol, Field::AnyDestPort];

/// The table for IPv6.
pub fn render(state: &HostState, host: &Host) -> Table {
    let mut table = Table::default();
    sets(state, &mut table);
    groups::render(state, host, &mut table);
    acls::render(state, &mut table);
    source(state, host, &mut table);
    leave(&mut table);
    input(host, &mut table);
    if host.side.is_router() {
        peerings::render(state, host, &mut table);
    }
    forward(state, host, &mut table);
    enter(host, &mut table);
    table
}

fn block(field: Field, (segments, length): ([u16; 8], u8)) -> Match {
    let net = ipnet::Ipv6Net::new_assert(Ipv6Addr::from(segments), length);
    Match::is(field, Value::Block6(Cidr6::from(net)))
}

pub(super) fn link_local(field: Field) -> Match {
    Match::is(field, Value::Block6(link_local_block()))
}

/// Multicast that stays on the link.
pub(super) fn of_link(field: Field) -> Match {
    block(field, OF_LINK)
}

fn address(field: Field, address: Ipv6Addr) -> Match {
    Match::is(field, Value::Address6(address))
}

fn icmp(kinds: impl IntoIterator<Item = u32>) -> Match {
    let kinds = kinds.into_iter().map(Value::Number).collect();
    Match::Fields(vec![Field::Icmp6Type], true, Right::OneOf(kinds))
}

fn dhcp(from: u32, to: u32) -> [Match; 2] {
    [number(Field::UdpSourcePort, from), number(Field::UdpDestPort, to)]
}

fn sets(state: &HostState, table: &mut Table) {
    let mut add = |name: &str, set| table.sets.insert(name.to_owned(), set);
    let own = |port: &Arc<PortSection>| {
        let name = name(port);
        port.ipv6.iter().map(move |ip| vec![name.clone(), Value::Address6(*ip)]).collect::<Vec<_>>()
    };
    let pair = ["ifname", "ipv6_addr"];
    add("port_addresses", Set::keys(&pair, ports(state).flat_map(own)));
    let checked = || ports(state).filter(|port| port.source_dest_check);
    add("port_checked", Set::keys(&["ifname"], checked().map(|port| vec![name(port)])));
    let routers = ports(state).filter(|port| !port.source_dest_check);
    add("port_routers", Set::keys(&["ifname"], routers.map(|port| vec![name(port)])));
    let macs = ports(state).map(|port| vec![name(port), Value::Mac(port.mac)]);
    add("port_macs", Set::keys(&["ifname", "ether_addr"], macs));
    let own_link = ports(state).map(|port| vec![name(port), Value::Address6(by_mac(port.mac))]);
    add("port_links", Set::keys(&pair, own_link));
    let instances = ports(state).flat_map(|port| port.ipv6.iter().map(|ip| vec![Value::Address6(*ip)]));
    add("instances", Set::keys(&["ipv6_addr"], instances));
    for (set, direction) in [("port_egress", Direction::Egress), ("port_ingress", Direction::Ingress)] {
        let chain = |port: &PortSection| Verdict::Goto(chain_name(direction, &port.groups));
        add(set, Set::verdicts("ifname", ports(state).map(|port| (name(port), chain(port)))));
    }
    let open = ports(state).filter_map(|port| {
        let number = state.subnets.get(&port.subnet)?.table?;
        let known = state.vpcs.values().any(|vpc| vpc.tables6.contains_key(&number));
        known.then(|| (name(port), Verdict::Goto(open_chain(number))))
    });
    add("port_open", Set::verdicts("ifname", open));
    let services = [DHCP_SERVERS, PORT_LINK_LOCAL]
        .map(|to| vec![Value::Address6(to), Value::Number(17), Value::Number(DHCP_SERVER)]);
    add("services", Set::keys(&["ipv6_addr", "inet_proto", "inet_service"], services));
}

/// Sources are real; before defragmentation.
fn source(state: &HostState, host: &Host, table: &mut Table) {
    let mut rules = vec![Rule::goto(vec![any_port(Field::InInterface)], "port_source")];
    match host.side {
        Side::Host => rules.extend(host::source(host)),
        Side::Router(_) => {
            rules.push(peerings::source());
            // What the VPC's blocks hold is within it, and nothing of a link comes from beyond it.
            let out = || host.public(Field::InInterface);
            let blocks = state.vpcs.values().flat_map(|vpc| vpc.cidrs6.iter());
            rules.extend(
                blocks.map(|own| Rule::drop(vec![out(), Match::is(Field::Source6, Value::Block6(*own))])),
            );
            rules.push(Rule::drop(vec![host.outside(Field::InInterface), link_local(Field::Source6)]));
        }
    }
    table.chains.insert("source".into(), Chain::base(("filter", "prerouting", -450), rules));
    let device = [Field::InInterface, Field::EtherSource];
    let unknown = Match::Fields(device.to_vec(), false, Right::Set("port_macs".into()));
    let rules = vec![
        Rule::drop(vec![unknown]),
        // Only the router is one, and only it knows better ways (RFC 6105).
        Rule::drop(vec![icmp([ADVERTISE_ROUTER, REDIRECT])]),
        Rule::accept(vec![Match::within(&[Field::InInterface, Field::Source6], "port_addresses")]),
        Rule::goto(vec![address(Field::Source6, Ipv6Addr::UNSPECIFIED)], "unnamed"),
        Rule::goto(vec![link_local(Field::Source6)], "of_link"),
        // Not even who may send for others is one of EC2's services, or many, or the router itself.
        Rule::drop(vec![block(Field::Source6, SERVICES)]),
        Rule::drop(vec![block(Field::Source6, MULTICAST)]),
        Rule::drop(vec![address(Field::Source6, Ipv6Addr::LOCALHOST)]),
        Rule::accept(vec![Match::within(&[Field::InInterface], "port_routers")]),
        Rule::drop(vec![]),
    ];
    table.chains.insert("port_source".into(), Chain::of(rules));
    // Who has no address yet asks whether it may have one, and for routers.
    let asks = [SOLICIT_ROUTERS, SOLICIT_NEIGHBOUR].into_iter().chain(LISTENERS);
    let rules = vec![Rule::accept(vec![icmp(asks)]), Rule::drop(vec![])];
    table.chains.insert("unnamed".into(), Chain::of(rules));
    let said = DISCOVERY.into_iter().chain(LISTENERS).chain([ECHO_REQUEST, ECHO_REQUEST + 1]);
    let said: Vec<_> = said.collect();
    let on_link = [link_local(Field::Destination6), of_link(Field::Destination6)];
    // Whoever speaks makes the router remember it, in a table that all network namespaces share: not under ever new names.
    let pair = vec![Field::InInterface, Field::Source6];
    let made_up = Match::Fields(pair, false, Right::Set("port_links".into()));
    let mut rules = vec![
        // Nobody is his own router.
        Rule::drop(vec![address(Field::Source6, PORT_LINK_LOCAL)]),
        Rule::drop(vec![made_up, Match::Oftener(MADE_UP)]),
    ];
    for to in on_link {
        let [from, port] = dhcp(DHCP_CLIENT, DHCP_SERVER);
        rules.push(Rule::accept(vec![to.clone(), icmp(said.clone())]));
        rules.push(Rule::accept(vec![to, from, port]));
    }
    rules.push(Rule::drop(vec![]));
    table.chains.insert("of_link".into(), Chain::of(rules));
}

/// What a port's guest says to its router on the link: the same where a packet leaves the port and where it arrives.
fn with_router() -> Vec<Rule> {
    let on_link = [link_local(Field::Destination6), of_link(Field::Destination6)];
    let said: Vec<_> = DISCOVERY.into_iter().chain(LISTENERS).collect();
    // Connection tracking does not follow neighbour discovery: ahead of its word.
    let mut rules: Vec<_> =
        on_link.into_iter().map(|to| Rule::accept(vec![to, icmp(said.clone())])).collect();
    rules.extend([
        Rule::by_state(),
        Rule::accept(vec![Match::within(&SERVICE_FIELDS, "services")]),
        Rule::accept(vec![address(Field::Destination6, PORT_LINK_LOCAL), icmp([ECHO_REQUEST])]),
    ]);
    rules
}

/// Egress, by port.
fn leave(table: &mut Table) {
    let rules = vec![Rule::goto(vec![any_port(Field::InInterface)], "from_port")];
    table.chains.insert("leave".into(), Chain::base(("filter", "prerouting", -150), rules));
    let mut rules = with_router();
    rules.extend([
        // Only the router is a DHCP server. Elsewhere those are ports as others, and an answer is one.
        Rule::drop(dhcp(DHCP_SERVER, DHCP_CLIENT).to_vec()),
        Rule::drop(vec![link_local(Field::Destination6)]),
        Rule::drop(vec![block(Field::Destination6, MULTICAST)]),
        Rule::drop(vec![block(Field::Destination6, SERVICES)]),
        Rule::then(vec![], Action::Dispatch(Field::InInterface, "port_egress".into())),
        Rule::drop(vec![]),
    ]);
    table.chains.insert("from_port".into(), Chain::of(rules));
}

fn input(host: &Host, table: &mut Table) {
    let mut rules = vec![Rule::goto(vec![any_port(Field::InInterface)], "to_host")];
    match host.side {
        Side::Host => rules.push(host::input()),
        Side::Router(_) => {
            rules.push(peerings::input());
            rules.push(Rule::goto(vec![host.outside(Field::InInterface)], "asked"));
        }
    }
    table.chains.insert("input".into(), Chain::base(("filter", "input", 0), rules));
    let mut rules = with_router();
    rules.push(Rule::drop(vec![]));
    table.chains.insert("to_host".into(), Chain::of(rules));
    table.chains.insert("asked".into(), Chain::of(vec![Rule::by_state(), Rule::drop(vec![])]));
}

fn forward(state: &HostState, host: &Host, table: &mut Table) {
    if host.side == Side::Host {
        return host::forward(state, host, table);
    }
    // Connection tracking does not follow what is said on a link, and no router hands it on (RFC 4861, 6.1; RFC 3810, 5).
    let links = DISCOVERY.into_iter().chain(LISTENERS).chain([ADVERTISE_ROUTER, REDIRECT]);
    let mut rules = vec![Rule::drop(vec![icmp(links)])];
    rules.extend(peerings::forward());
    rules.extend([
        Rule::goto(vec![host.public(Field::InInterface), any_port(Field::OutInterface)], "from_public"),
        Rule::goto(vec![host.public(Field::OutInterface)], "to_public"),
        Rule::drop(vec![host.outside(Field::InInterface), no_port(Field::OutInterface)]),
    ]);
    table.chains.insert("forward".into(), Chain::base(("filter", "forward", 0), rules));
    let rules = vec![
        Rule::then(vec![], Action::Dispatch(Field::OutInterface, "port_open".into())),
        Rule::goto(vec![], "answers"),
    ];
    table.chains.insert("from_public".into(), Chain::of(rules));
    let answers = vec![Match::is(Field::CtDirection, Value::Word("reply"))];
    let rules = vec![Rule { matches: answers.clone(), ..Rule::by_state() }, Rule::drop(vec![])];
    table.chains.insert("answers".into(), Chain::of(rules));
    let about = [answers, vec![Match::is(Field::CtState, Value::Word("related"))]].concat();
    table.chains.insert("about".into(), Chain::of(vec![Rule::accept(about), Rule::drop(vec![])]));
    // Whatever an instance hands on for others, outside it is itself.
    let own = Match::within(&[Field::InInterface, Field::Source6], "port_addresses");
    table.chains.insert("to_public".into(), Chain::of(vec![Rule::accept(vec![own]), Rule::drop(vec![])]));
    for vpc in state.vpcs.values() {
        for (number, routes) in &vpc.tables6 {
            table.chains.insert(open_chain(*number), Chain::of(open(routes)));
        }
    }
}

fn open_chain(table: u16) -> String {
    format!("open.{table}")
}

/// Who comes in from outside: with what begins there, to whom a route table leads through an internet gateway, and only for as
/// long as it does; with answers, to whom it leads through either gateway; with what is said about a flow on its way, anybody. But
/// what it leads to a peer is answered by the peer, and by nobody outside who has taken a peer's address. The longest route
/// counts. A table without a way out has none in.
fn open(routes: &[Route6Section]) -> Vec<Rule> {
    if !routes.iter().any(|route| matches!(route.to, RouteTo::Internet | RouteTo::EgressOnly)) {
        return vec![Rule::drop(vec![])];
    }
    let mut routes: Vec<_> = routes.iter().collect();
    routes.sort_by_key(|route| std::cmp::Reverse((route.destination.prefix_len(), route.destination)));
    let mut rules: Vec<_> = routes
        .into_iter()
        .map(|route| {
            let from = within(Field::Source6, route.destination);
            match route.to {
                RouteTo::Internet => Rule::accept(from),
                RouteTo::Peering(_) => Rule::drop(from),
                RouteTo::EgressOnly => Rule::goto(from, "answers"),
                RouteTo::Nowhere | RouteTo::Interface(_) | RouteTo::Nat(_) => Rule::goto(from, "about"),
            }
        })
        .collect();
    rules.push(Rule::goto(vec![], "about"));
    rules
}

/// Everything is no comparison that nft can make.
pub(super) fn within(field: Field, cidr: Cidr6) -> Vec<Match> {
    match cidr.prefix_len() {
        0 => Vec::new(),
        _ => vec![Match::is(field, Value::Block6(cidr))],
    }
}

/// Ingress, by port.
fn enter(host: &Host, table: &mut Table) {
    let rules = vec![Rule::goto(vec![any_port(Field::OutInterface)], "to_port")];
    table.chains.insert("enter".into(), Chain::base(("filter", "postrouting", 150), rules));
    // A link-local source is the router's own: others' are not forwarded.
    let from_router = || link_local(Field::Source6);
    let [from, to] = dhcp(DHCP_SERVER, DHCP_CLIENT);
    let mut rules = vec![
        Rule::drop(vec![icmp([REDIRECT])]),
        Rule::accept(vec![from_router(), icmp([ADVERTISE_ROUTER, SOLICIT_NEIGHBOUR, ADVERTISE_NEIGHBOUR])]),
        Rule::accept(vec![from_router(), from, to]),
        Rule::drop(vec![icmp([SOLICIT_ROUTERS, ADVERTISE_ROUTER, SOLICIT_NEIGHBOUR, ADVERTISE_NEIGHBOUR])]),
        not_for_it(any_port(Field::InInterface)),
    ];
    if host.side.is_router() {
        rules.push(not_for_it(host.flat(Field::InInterface)));
    }
    rules.extend([
        Rule::by_state(),
        Rule::then(vec![], Action::Dispatch(Field::OutInterface, "port_ingress".into())),
        Rule::drop(vec![]),
    ]);
    table.chains.insert("to_port".into(), Chain::of(rules));
}

/// What a route leads to an interface that takes only what is for itself.
fn not_for_it(from: Match) -> Rule {
    let own = vec![Field::OutInterface, Field::Destination6];
    let foreign = Match::Fields(own, false, Right::Set("port_addresses".into()));
    Rule::drop(vec![from, Match::within(&[Field::OutInterface], "port_checked"), foreign])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::VpcPeeringConnectionId;

    #[test]
    fn the_longest_route_decides_who_may_begin() {
        let route = |text: &str, to| Route6Section { destination: text.parse().unwrap(), to };
        let rules = open(&[
            route("::/0", RouteTo::Internet),
            route("2001:db8:1::/48", RouteTo::EgressOnly),
            route("2001:db8:1:2::/64", RouteTo::Internet),
            route("2001:db8:2::/56", RouteTo::Peering(VpcPeeringConnectionId::from_random(1))),
            route("2001:db8:3::/48", RouteTo::Nowhere),
        ]);
        let actions: Vec<_> = rules.into_iter().map(|rule| (rule.action, rule.matches.len())).collect();
        let to = |chain: &str| Verdict::Goto(chain.into());
        let wanted = [
            (Verdict::Accept, 1),
            (Verdict::Drop, 1),
            (to("about"), 1),
            (to("answers"), 1),
            (Verdict::Accept, 0),
            (to("about"), 0),
        ];
        assert_eq!(actions, wanted.map(|(verdict, matches)| (Action::Verdict(verdict), matches)));
    }

    #[test]
    fn no_answer_comes_in_where_no_route_leads_out() {
        let everything = "::/0".parse().unwrap();
        let gone = Route6Section { destination: everything, to: RouteTo::Nowhere };
        for routes in [&[][..], &[gone]] {
            assert_eq!(open(routes), [Rule::drop(vec![])]);
        }
    }
}
