//! The rules that a host must have, as values. Pure.
//!
//! The skeleton is static; what changes with instances, addresses and rules are elements of maps
//! and sets and the groups' own chains, so that a packet's cost does not grow with the number of
//! instances and a change's not with the table. A packet meets, in this order:
//!
//! | hook, priority | chain | what it decides |
//! |---|---|---|
//! | arp input 0 | `arp_in` | an instance's ARP names its own MAC and address |
//! | prerouting -450 | `source` | sources are real; before defragmentation, for a spoofed fragment would join its victim's |
//! | prerouting -150 | `leave` | egress, by port, at the destination that the instance used; unmapped pool addresses |
//! | prerouting -110 | `nat_in` | elastic IPs, metadata and DNS; ahead of other programs' -100 |
//! | output -110 | `nat_own` | elastic IPs, for the host's own packets |
//! | input 0 | `input` | what instances may ask of the host |
//! | forward 0 | `forward` | nothing enters from public that was not asked for |
//! | postrouting 90 | `nat_out` | elastic IPs and the SNAT address; ahead of other programs' 100 |
//! | postrouting 150 | `enter` | ingress, by port, at the source that the target sees; no private source leaves |
//!
//! IPv6 has the same in a table of its own, see [`ipv6`].

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::ipv6::switches::Closed6;
use super::model::*;
use super::{acls, arp, flat, groups, ipv6, paths, peerings, private_nat, subnets, transit};
use crate::agent::config::HostConfig;
use crate::agent::names::*;
use crate::plan::{HostState, PlaceSection, PortSection};
use crate::types::{Direction, Range4, VpcId};

/// Which of a host's network namespaces it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Side {
    /// The host's own, with the flat networks.
    #[default]
    Host,
    /// That of a VPC: its public interface is the cable to the host, its flat one the VXLAN device.
    Router(VpcId),
}

impl Side {
    pub fn is_router(self) -> bool {
        matches!(self, Self::Router(_))
    }
}

/// What the renderer must know of a host beside its desired state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    pub public: String,
    pub flat: String,
    /// The source of instances without an elastic IP; `None` where the host has no such address.
    pub snat: Option<Ipv4Addr>,
    /// The host's own addresses: never dropped, even where a pool's range holds one.
    pub own: Vec<Ipv4Addr>,
    /// Whether the host forwards for others, too (`net.ipv4.ip_forward`).
    pub router: bool,
    pub side: Side,
    /// VXLAN's UDP port.
    pub vxlan_port: u16,
    /// What IPv6 is forwarded for the instances' sake alone.
    pub closed6: Closed6,
}

impl Host {
    /// From the configuration and what the kernel says.
    pub fn new(config: &HostConfig, snat: Option<Ipv4Addr>, own: Vec<Ipv4Addr>, router: bool) -> Self {
        let (public, flat) = (config.public_interface.clone(), config.flat_interface.clone());
        Self {
            public,
            flat,
            snat,
            own,
            router,
            side: Side::Host,
            vxlan_port: config.vxlan_port,
            closed6: Closed6::default(),
        }
    }

    /// The same, of one of the network namespaces.
    #[must_use]
    pub fn on(self, side: Side) -> Self {
        // A network namespace is born with the host's switches: that the host forwards for others says nothing of it.
        Self { router: self.router && !side.is_router(), side, ..self }
    }

    pub(super) fn one_nic(&self) -> bool {
        self.public == self.flat
    }

    pub(super) fn outside(&self, field: Field) -> Match {
        let mut names = vec![Value::Interface(self.public.clone())];
        if !self.one_nic() {
            names.push(Value::Interface(self.flat.clone()));
        }
        Match::Fields(vec![field], true, Right::OneOf(names))
    }

    pub(super) fn public(&self, field: Field) -> Match {
        Match::is(field, Value::Interface(self.public.clone()))
    }

    pub(super) fn not_public(&self, field: Field) -> Match {
        Match::Fields(vec![field], false, Right::Is(Value::Interface(self.public.clone())))
    }

    pub(super) fn flat(&self, field: Field) -> Match {
        Match::is(field, Value::Interface(self.flat.clone()))
    }
}

pub(super) fn any_port(field: Field) -> Match {
    Match::is(field, Value::Interface(format!("{PORT_PREFIX}*")))
}

pub(super) fn no_port(field: Field) -> Match {
    Match::Fields(vec![field], false, Right::Is(Value::Interface(format!("{PORT_PREFIX}*"))))
}

pub(super) fn address(field: Field, address: Ipv4Addr) -> Match {
    Match::is(field, Value::Address(address))
}

pub(super) fn range(field: Field, range: Range4) -> Match {
    Match::is(field, Value::Addresses(range))
}

pub(super) fn number(field: Field, number: u32) -> Match {
    Match::is(field, Value::Number(number))
}

/// IPv6 is judged by a table of its own, see [`ipv6`]; here it passes unseen.
pub(super) fn other_table() -> Rule {
    Rule::accept(vec![Match::is(Field::IpVersion, Value::Word("ipv6"))])
}

pub(super) fn from_host() -> Match {
    Match::is(Field::SourceKind, Value::Word("local"))
}

pub(super) fn networks(state: &HostState) -> impl Iterator<Item = Range4> {
    state.networks.values().map(|network| Range4::from(network.cidr))
}

pub(super) const LINK_LOCAL: (Ipv4Addr, Ipv4Addr) =
    (Ipv4Addr::new(169, 254, 0, 0), Ipv4Addr::new(169, 254, 255, 255));
const ICMP_ECHO: u32 = 8;
/// The key of the set of what a host serves its instances.
const SERVICE_FIELDS: [Field; 3] = [Field::Destination, Field::Protocol, Field::AnyDestPort];

/// Everything that nftables must hold of ours.
pub fn render(state: &HostState, host: &Host) -> Ruleset {
    let mut inet = Table::default();
    port_sets(state, &mut inet);
    address_sets(state, host, &mut inet);
    peers(state, &mut inet);
    groups::render(state, host, &mut inet);
    source(state, host, &mut inet);
    leave(state, host, &mut inet);
    dnat(&mut inet);
    input(state, host, &mut inet);
    paths::render(state, host, &mut inet);
    acls::render(state, host.side, &mut inet);
    match host.side {
        Side::Host => transit::render(state, host, &mut inet),
        Side::Router(_) => {
            subnets::render(state, &mut inet);
            private_nat::render(state, &mut inet);
            peerings::render(state, host, &mut inet);
        }
    }
    let tables =
        [(Family::Inet, inet), (Family::Arp, arp::render(state)), (Family::Ip6, ipv6::render(state, host))];
    Ruleset { tables: tables.into() }
}

pub(super) fn name(port: &PortSection) -> Value {
    Value::Interface(port_name(port.eni))
}

fn port_sets(state: &HostState, table: &mut Table) {
    let ports = || state.ports.values();
    let source = |port: &Arc<PortSection>| {
        let (name, mac) = (name(port), Value::Mac(port.mac));
        port.private_ips()
            .map(move |ip| vec![name.clone(), mac.clone(), Value::Address(ip)])
            .collect::<Vec<_>>()
    };
    let sources = ports().flat_map(source);
    table.sets.insert("port_sources".into(), Set::keys(&["ifname", "ether_addr", "ipv4_addr"], sources));
    let routers = ports().filter(|port| !port.source_dest_check);
    let routers = routers.map(|port| vec![name(port), Value::Mac(port.mac)]);
    table.sets.insert("port_routers".into(), Set::keys(&["ifname", "ether_addr"], routers));
    let checked = ports().filter(|port| port.source_dest_check);
    let of_checked = |port: &Arc<PortSection>| {
        let name = name(port);
        port.private_ips().map(move |ip| vec![name.clone(), Value::Address(ip)]).collect::<Vec<_>>()
    };
    let destinations = checked.clone().flat_map(of_checked);
    table.sets.insert("port_destinations".into(), Set::keys(&["ifname", "ipv4_addr"], destinations));
    table.sets.insert("port_checked".into(), Set::keys(&["ifname"], checked.map(|port| vec![name(port)])));
    let macs = ports().map(|port| vec![name(port), Value::Mac(port.mac)]);
    table.sets.insert("port_macs".into(), Set::keys(&["ifname", "ether_addr"], macs));
    let instances = ports().flat_map(|port| port.private_ips()).map(|ip| vec![Value::Address(ip)]);
    table.sets.insert("instances".into(), Set::keys(&["ipv4_addr"], instances));
    let gateways = ports().filter_map(|port| Some((name(port), state.networks.get(&port.network)?.gateway)));
    table.sets.insert("port_gateway".into(), Set::addresses("ifname", gateways));
    for (set, direction) in [("port_egress", Direction::Egress), ("port_ingress", Direction::Ingress)] {
        let verdicts =
            ports().map(|port| (name(port), Verdict::Goto(groups::chain_name(direction, &port.groups))));
        table.sets.insert(set.into(), Set::verdicts("ifname", verdicts));
    }
}

fn address_sets(state: &HostState, host: &Host, table: &mut Table) {
    let plain = |list: Vec<Ipv4Addr>| {
        Set::keys(&["ipv4_addr"], list.into_iter().map(|address| vec![Value::Address(address)]))
    };
    let mapped = || state.addresses.values();
    let inward = mapped().map(|a| (Value::Address(a.public_ip), a.private_ip));
    table.sets.insert("elastic_to_private".into(), Set::addresses("ipv4_addr", inward));
    let outward = mapped().map(|a| (Value::Address(a.private_ip), a.public_ip));
    table.sets.insert("private_to_elastic".into(), Set::addresses("ipv4_addr", outward));
    table.sets.insert("elastic".into(), plain(mapped().map(|a| a.public_ip).collect()));
    table.sets.insert("own".into(), plain(host.own.clone()));
    let gateways: Vec<_> = state.networks.values().map(|network| network.gateway).collect();
    let resolvers = resolvers(state, host, &gateways);
    table.sets.insert("gateways".into(), plain(gateways.clone()));
    table.sets.insert("resolvers".into(), plain(resolvers.clone()));
    let service =
        |address, protocol, port| vec![Value::Address(address), Value::Number(protocol), Value::Number(port)];
    let mut services = vec![service(Ipv4Addr::BROADCAST, 17, 67), service(METADATA_ADDRESS, 6, 80)];
    services.extend(gateways.into_iter().map(|gateway| service(gateway, 17, 67)));
    for resolver in resolvers {
        services.extend([17, 6].map(|protocol| service(resolver, protocol, 53)));
    }
    table.sets.insert("services".into(), Set::keys(&["ipv4_addr", "inet_proto", "inet_service"], services));
}

/// Where instances find the resolver: on flat networks under the gateway's address, in a VPC where EC2 has it, and everywhere
/// under the address that is the same in all.
fn resolvers(state: &HostState, host: &Host, gateways: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
    let own = match host.side {
        Side::Host => gateways.to_vec(),
        Side::Router(_) => state.vpcs.values().filter_map(|vpc| vpc.resolver()).collect(),
    };
    let answers = host.side == Side::Host || !own.is_empty();
    own.into_iter().chain(answers.then_some(RESOLVER_ADDRESS)).collect()
}

/// The instances of other hosts, and what their packets come from.
fn peers(state: &HostState, table: &mut Table) {
    let known = flat::remote(state).filter_map(|place| Some((place, state.hosts.get(&place.host)?.mac)));
    let known = known.flat_map(|(place, mac)| {
        place.private_ips().map(move |ip| vec![Value::Address(ip), Value::Mac(mac)])
    });
    table.sets.insert("peers".into(), Set::keys(&["ipv4_addr", "ether_addr"], known));
    let addresses = |place: &Arc<PlaceSection>| {
        place.private_ips().map(|ip| vec![Value::Address(ip)]).collect::<Vec<_>>()
    };
    table.sets.insert("remote".into(), Set::keys(&["ipv4_addr"], flat::remote(state).flat_map(addresses)));
    // None but for moments, so it costs nothing beside "remote".
    let unreached = flat::remote(state).filter(|place| !state.hosts.contains_key(&place.host));
    table.sets.insert("unreached".into(), Set::keys(&["ipv4_addr"], unreached.flat_map(addresses)));
}

fn source(state: &HostState, host: &Host, table: &mut Table) {
    let instances = || Match::within(&[Field::Source], "instances");
    let mut rules = vec![other_table()];
    // First what most packets are.
    if !host.one_nic() {
        let nets = networks(state).map(|net| Rule::drop(vec![range(Field::Source, net)]));
        let forged = match host.side {
            Side::Host => transit::forged().into_iter().collect(),
            Side::Router(_) => subnets::forged(state),
        };
        let all = nets.chain(forged).chain([Rule::drop(vec![instances()])]).collect();
        table.chains.insert("public_source".into(), Chain::of(all));
        rules.push(Rule::goto(vec![host.public(Field::InInterface)], "public_source"));
    }
    rules.push(Rule::goto(vec![any_port(Field::InInterface)], "port_source"));
    match host.side {
        Side::Host => {
            rules.push(transit::source());
            rules.extend(transit::forged());
            rules.push(Rule::drop(vec![host.flat(Field::InInterface), instances()]));
        }
        // Between routers an instance may hand on what one of here has sent.
        Side::Router(_) => rules.push(peerings::source()),
    }
    rules.extend(flat::source(state, host, table));
    table.chains.insert("source".into(), Chain::base(("filter", "prerouting", -450), rules));
    let device = [Field::InInterface, Field::EtherSource];
    let mut rules =
        vec![Rule::accept(vec![Match::within(&[device[0], device[1], Field::Source], "port_sources")])];
    // Not even who may send for others is a service, a host, or, on a flat network, another instance: what one has sent opens its
    // groups for the answers.
    if let Some(link_local) = Range4::new(LINK_LOCAL.0, LINK_LOCAL.1) {
        rules.push(Rule::drop(vec![range(Field::Source, link_local)]));
    }
    if host.side == Side::Host {
        let others = ["instances", "remote"].map(|set| Match::within(&[Field::Source], set));
        rules.extend(others.map(|other| Rule::drop(vec![other])));
    } else {
        rules.push(private_nat::port_source());
    }
    rules.extend([
        Rule::accept(vec![Match::within(&device, "port_routers")]),
        // A DHCP client that has no address yet.
        Rule::accept(vec![
            address(Field::Source, Ipv4Addr::UNSPECIFIED),
            address(Field::Destination, Ipv4Addr::BROADCAST),
            number(Field::UdpSourcePort, 68),
            number(Field::UdpDestPort, 67),
            Match::within(&device, "port_macs"),
        ]),
        Rule::drop(vec![]),
    ]);
    table.chains.insert("port_source".into(), Chain::of(rules));
}

fn leave(state: &HostState, host: &Host, table: &mut Table) {
    let mut rules = vec![
        other_table(),
        Rule::goto(vec![any_port(Field::InInterface)], "from_port"),
        Rule::accept(vec![Match::within(&[Field::Destination], "elastic")]),
        Rule::accept(vec![Match::within(&[Field::Destination], "own")]),
    ];
    // The gateways' addresses are on the instances' side only.
    let gateways = Match::within(&[Field::Destination], "gateways");
    rules.push(Rule::drop(vec![host.outside(Field::InInterface), gateways]));
    // What a gateway host is handed for another's elastic address goes on to there.
    if paths::is_gateway(state) {
        rules.push(Rule::accept(vec![
            host.flat(Field::InInterface),
            Match::within(&[Field::Source], "central"),
        ]));
    }
    if host.side.is_router() {
        rules.push(subnets::leave(host));
    }
    // Elastic addresses without a mapping here: nobody answers for them, nothing is forwarded.
    rules.extend(
        state
            .pools
            .iter()
            .map(|pool| Rule::drop(vec![host.outside(Field::InInterface), range(Field::Destination, *pool)])),
    );
    table.chains.insert("leave".into(), Chain::base(("filter", "prerouting", -150), rules));
    let mut rules = vec![
        Rule::by_state(),
        // Only the host is a DHCP server.
        Rule::drop(vec![number(Field::UdpSourcePort, 67), number(Field::UdpDestPort, 68)]),
        Rule::accept(vec![Match::within(&SERVICE_FIELDS, "services")]),
        Rule::accept(vec![
            Match::within(&[Field::Destination], "gateways"),
            number(Field::IcmpType, ICMP_ECHO),
        ]),
    ];
    // The rest of link-local may be the host's own cloud's metadata.
    if let Some(link_local) = Range4::new(LINK_LOCAL.0, LINK_LOCAL.1) {
        rules.push(Rule::drop(vec![range(Field::Destination, link_local)]));
    }
    rules.push(Rule::then(vec![], Action::Dispatch(Field::InInterface, "port_egress".into())));
    rules.push(Rule::drop(vec![]));
    table.chains.insert("from_port".into(), Chain::of(rules));
}

fn dnat(table: &mut Table) {
    let gateway = || Target::Map(Field::InInterface, "port_gateway".into());
    let elastic = || {
        Rule::then(vec![], Action::Dnat(Target::Map(Field::Destination, "elastic_to_private".into()), None))
    };
    let resolver = |port| {
        let matches = vec![
            any_port(Field::InInterface),
            Match::within(&[Field::Destination], "resolvers"),
            number(port, 53),
        ];
        Rule::then(matches, Action::Dnat(gateway(), Some(DNS_PORT)))
    };
    let metadata = vec![
        any_port(Field::InInterface),
        address(Field::Destination, METADATA_ADDRESS),
        number(Field::TcpDestPort, 80),
    ];
    let rules = vec![
        Rule::then(metadata, Action::Dnat(gateway(), Some(METADATA_PORT))),
        resolver(Field::UdpDestPort),
        resolver(Field::TcpDestPort),
        elastic(),
    ];
    table.chains.insert("nat_in".into(), Chain::base(("nat", "prerouting", -110), rules));
    table.chains.insert("nat_own".into(), Chain::base(("nat", "output", -110), vec![elastic()]));
}

fn input(state: &HostState, host: &Host, table: &mut Table) {
    let mut rules = vec![other_table(), Rule::goto(vec![any_port(Field::InInterface)], "to_host")];
    if host.side == Side::Host {
        rules.extend(transit::input(host));
    } else {
        rules.push(peerings::input());
    }
    // For the instances of others it is their way out, and nothing else.
    if paths::is_gateway(state) {
        let central = Match::within(&[Field::Source], "central");
        rules.push(Rule::goto(vec![host.flat(Field::InInterface), central], "to_host"));
    }
    rules.push(Rule::accept(vec![Match::within(&[Field::Destination], "own")]));
    // The /32 of an elastic IP makes the host listen on it; only replies to the host's own flows to
    // an elastic IP may arrive there.
    rules.extend(
        state.pools.iter().map(|pool| Rule::goto(vec![range(Field::Destination, *pool)], "elastic_in")),
    );
    rules.push(Rule::goto(vec![Match::within(&[Field::Destination], "elastic")], "elastic_in"));
    table.chains.insert("input".into(), Chain::base(("filter", "input", 0), rules));
    let rules = vec![Rule::by_state(), Rule::drop(vec![])];
    table.chains.insert("elastic_in".into(), Chain::of(rules));
    let rules = vec![
        Rule::by_state(),
        // DHCP; the others have been translated by now.
        Rule::accept(vec![Match::within(&SERVICE_FIELDS, "services")]),
        Rule::accept(vec![Match::Dnat(true), number(Field::TcpDestPort, METADATA_PORT.into())]),
        Rule::accept(vec![Match::Dnat(true), number(Field::UdpDestPort, DNS_PORT.into())]),
        Rule::accept(vec![Match::Dnat(true), number(Field::TcpDestPort, DNS_PORT.into())]),
        Rule::accept(vec![
            Match::within(&[Field::Destination], "gateways"),
            number(Field::IcmpType, ICMP_ECHO),
        ]),
        Rule::drop(vec![]),
    ];
    table.chains.insert("to_host".into(), Chain::of(rules));
}
