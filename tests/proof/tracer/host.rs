//! One host, or its router of a VPC: the rules in netfilter's order, the routes, connection tracking.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use fogbank::agent::kernel::model::{Family, Ruleset, Table};
use fogbank::agent::kernel::render::{self, Host as Rendered, Side};
use fogbank::agent::names::{PORT_LINK_LOCAL, port_name};
use fogbank::plan::HostState;
use fogbank::types::{EniId, MacAddr, VpcId, VpcPeeringConnectionId};
use fogbank::verdict::{Packet, Service, Transport};

use super::conntrack::{Conntrack, Flow, Known, reversed, to_port};
use super::lookup::{End, View, run};

/// A packet on its way, with what an ICMP error quotes.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    pub packet: Packet,
    pub about: Option<Packet>,
    pub fragmented: bool,
    /// Which VXLAN takes along, and no cable.
    pub mark: u32,
}

impl Parcel {
    pub const fn of(packet: Packet, about: Option<Packet>, fragmented: bool) -> Self {
        Self { packet, about, fragmented, mark: 0 }
    }
}

/// Where a host puts a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exits {
    Port(EniId),
    /// On the flat segment: to a peer by its name, or to whoever answers for the address.
    Flat(Option<Arc<str>>),
    Public,
    /// To the router of a VPC.
    Cable(VpcId),
    /// To the router of a peer VPC.
    Peering(VpcPeeringConnectionId),
    Served(Service),
    /// To a program of the host's.
    Own,
    /// Dropped, and where.
    Dropped(&'static str),
}

pub struct Host {
    pub name: Arc<str>,
    pub state: HostState,
    pub(super) facts: Rendered,
    /// A host's own address of IPv6.
    own6: Option<Ipv6Addr>,
    rules: Ruleset,
    pub flows: Conntrack,
}

/// A route: the interface, and by way of whom.
pub(super) struct Route {
    pub interface: String,
    pub to: Exits,
    pub next_hop: Option<IpAddr>,
}

type Base<'a> = Vec<(&'a Table, &'a str, i32)>;

impl Host {
    pub fn new(state: HostState, facts: Rendered, own6: Option<Ipv6Addr>) -> Self {
        let rules = render::render(&state, &facts);
        Self { name: state.host.clone(), state, facts, own6, rules, flows: Conntrack::default() }
    }

    /// The base chains of a hook that a packet of IPv4 (`four`) or IPv6 comes to, by priority.
    fn chains(&self, kind: &str, hook: &str, four: bool) -> Base<'_> {
        let families = [Family::Inet, Family::Ip6].into_iter().take(if four { 1 } else { 2 });
        let tables = families.map(|family| &self.rules.tables[&family]);
        let chains =
            tables.flat_map(|table| table.chains.iter().map(move |(name, chain)| (table, name, chain)));
        let of_hook = chains.filter_map(|(table, name, chain)| {
            let (of, at, priority) = chain.hook?;
            (of == kind && at == hook).then_some((table, name.as_str(), priority))
        });
        let mut found: Vec<_> = of_hook.collect();
        found.sort_by_key(|(_, _, priority)| *priority);
        found
    }

    /// Whether every filter chain of the hook from one priority up to another lets it pass.
    fn passes(&self, hook: &str, priorities: std::ops::RangeInclusive<i32>, view: &View<'_>) -> bool {
        let chains = self.chains("filter", hook, view.packet.source.is_ipv4()).into_iter();
        let mut chains = chains.filter(|(_, _, at)| priorities.contains(at));
        chains.all(|(table, chain, _)| match run(table, chain, view) {
            End::Accept | End::Return => true,
            End::Drop => false,
            other => panic!("a filter chain translates: {other:?}"),
        })
    }

    /// Whose router it is.
    pub fn vpc(&self) -> Option<VpcId> {
        match self.facts.side {
            Side::Host => None,
            Side::Router(vpc) => Some(vpc),
        }
    }

    /// The host's address for VXLAN, while it has routers and is known itself.
    pub fn underlay(&self) -> Option<Ipv4Addr> {
        let needed = self.vpc().is_none() && !self.state.vpcs.is_empty();
        self.state.hosts.get(&self.state.host).filter(|_| needed).map(|own| own.next_hop)
    }

    pub(super) fn is_local(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else {
            return self.own6.is_some_and(|own| own == ip) || (self.vpc().is_some() && ip == PORT_LINK_LOCAL);
        };
        self.facts.own.contains(&ip)
            || self.underlay() == Some(ip)
            || self.state.addresses.contains_key(&ip)
            || self.state.networks.values().any(|network| network.gateway == ip)
    }

    /// Whether the host itself has the address, outside.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => self.facts.own.contains(&ip),
            IpAddr::V6(ip) => self.own6 == Some(ip),
        }
    }

    pub fn port(&self, eni: EniId) -> String {
        port_name(eni)
    }

    pub fn public(&self) -> String {
        self.facts.public.clone()
    }

    pub fn flat(&self) -> String {
        self.facts.flat.clone()
    }

    /// A frame that arrived.
    pub fn receive(&mut self, parcel: Parcel, input: &str, mac: MacAddr) -> (Exits, Parcel) {
        self.process(parcel, Some(input), Some(mac))
    }

    /// A packet of the host's own.
    pub fn send(&mut self, parcel: Parcel) -> (Exits, Parcel) {
        self.process(parcel, None, None)
    }

    fn process(&mut self, mut parcel: Parcel, input: Option<&str>, mac: Option<MacAddr>) -> (Exits, Parcel) {
        let known = self.flows.look(&parcel.packet, parcel.about.as_ref());
        let (state, dnat, snat) = self.standing(known);
        let source_is_local = self.is_local(parcel.packet.source);
        let mut view = View {
            packet: parcel.packet,
            input,
            output: None,
            ether_source: mac,
            state,
            direction: direction(known),
            dnat,
            snat,
            source_is_local,
            next_hop: None,
            answered_at: self.answered_at(known, &parcel.packet),
            headless: false,
            mark: Cell::new(parcel.mark),
        };
        if input.is_some() {
            let pieces: &[bool] = if parcel.fragmented { &[false, true] } else { &[false] };
            for headless in pieces {
                view.headless = *headless;
                if !self.passes("prerouting", i32::MIN..=-401, &view) {
                    return (Exits::Dropped("before defragmentation"), parcel);
                }
            }
            view.headless = false;
            if !self.passes("prerouting", -400..=-101, &view) {
                return (Exits::Dropped("prerouting"), parcel);
            }
            parcel.mark = view.mark.get();
        }
        let mut flow = self.flow(known, &parcel);
        let hook = if input.is_some() { "prerouting" } else { "output" };
        self.destination(hook, known, &mut flow, &mut parcel, &mut view);
        if input.is_none() {
            assert!(
                self.chains("filter", "output", parcel.packet.source.is_ipv4()).is_empty(),
                "an output filter that the tracer does not know"
            );
        }
        let exits = self.onward(known, &mut flow, &mut parcel, &mut view);
        if let (Known::New, Some(flow), false) = (known, flow, matches!(exits, Exits::Dropped(_))) {
            self.flows.0.push(Flow { confirmed: true, ..flow });
        }
        (exits, parcel)
    }

    fn answered_at(&self, known: Known, packet: &Packet) -> Option<IpAddr> {
        match known {
            Known::New => Some(packet.source),
            Known::Of(flow, _) | Known::About(flow, _) => Some(self.flows.0[flow].reply.destination),
            Known::Invalid | Known::Untracked => None,
        }
    }

    fn standing(&self, known: Known) -> (&'static str, bool, bool) {
        match known {
            Known::New => ("new", false, false),
            Known::Invalid => ("invalid", false, false),
            Known::Untracked => ("untracked", false, false),
            Known::Of(flow, _) => ("established", self.flows.0[flow].dnat, self.flows.0[flow].snat),
            Known::About(flow, _) => ("related", self.flows.0[flow].dnat, self.flows.0[flow].snat),
        }
    }

    fn flow(&self, known: Known, parcel: &Parcel) -> Option<Flow> {
        match known {
            Known::New => {
                let (original, reply) = (parcel.packet, reversed(&parcel.packet));
                Some(Flow { original, reply, dnat: false, snat: false, confirmed: false })
            }
            Known::Of(flow, _) | Known::About(flow, _) => Some(self.flows.0[flow]),
            Known::Invalid | Known::Untracked => None,
        }
    }

    /// Translation of where it goes, before the way is looked up.
    fn destination(
        &self,
        hook: &str,
        known: Known,
        flow: &mut Option<Flow>,
        parcel: &mut Parcel,
        view: &mut View<'_>,
    ) {
        let Some(flow) = flow else { return };
        match known {
            Known::New => {
                for (table, chain, _) in self.chains("nat", hook, view.packet.source.is_ipv4()) {
                    match run(table, chain, view) {
                        End::Dnat(to, port) => {
                            let before = parcel.packet;
                            parcel.packet.destination = to.into();
                            parcel.packet.transport = to_port(before.transport, port);
                            flow.reply = reversed(&parcel.packet);
                            flow.dnat = parcel.packet != before;
                            view.dnat = flow.dnat;
                            break;
                        }
                        End::Accept | End::Return => {}
                        other => panic!("{hook} ends with {other:?}"),
                    }
                }
            }
            Known::Of(_, true) => {
                let reply = reversed(&flow.reply);
                (parcel.packet.destination, parcel.packet.transport) = (reply.destination, reply.transport);
            }
            Known::Of(_, false) => {
                parcel.packet.destination = flow.original.source;
            }
            // What is quoted went one way, its error comes the other: to the quoted packet's sender.
            Known::About(_, first) => {
                parcel.packet.destination = if first { flow.original.source } else { flow.reply.source };
            }
            Known::Invalid | Known::Untracked => {}
        }
        view.packet = parcel.packet;
    }

    fn onward(
        &mut self,
        known: Known,
        flow: &mut Option<Flow>,
        parcel: &mut Parcel,
        view: &mut View<'_>,
    ) -> Exits {
        let route = match self.route(parcel, view.input) {
            Ok(route) => route,
            Err(Exits::Own) if view.input.is_some() => {
                if !self.passes("input", i32::MIN..=i32::MAX, view) {
                    return Exits::Dropped("input");
                }
                let served = self.own(view);
                // Answers to what the host itself sent are put back after the filter.
                if known != Known::New {
                    self.source(known, flow, parcel, view);
                }
                return served;
            }
            Err(end) => return end,
        };
        view.output = Some(route.interface.clone());
        view.next_hop = route.next_hop;
        if view.input.is_some() && !self.passes("forward", i32::MIN..=i32::MAX, view) {
            return Exits::Dropped("forward");
        }
        self.source(known, flow, parcel, view);
        if !self.passes("postrouting", i32::MIN..=i32::MAX, view) {
            return Exits::Dropped("postrouting");
        }
        route.to
    }

    /// Translation of where it comes from, after the way is known and before the last filter.
    fn source(&self, known: Known, flow: &mut Option<Flow>, parcel: &mut Parcel, view: &mut View<'_>) {
        let Some(flow) = flow else { return };
        match known {
            Known::New => {
                for (table, chain, priority) in
                    self.chains("nat", "postrouting", view.packet.source.is_ipv4())
                {
                    assert!(priority < 150, "ingress must see the source that the target sees");
                    match run(table, chain, view) {
                        End::Snat(to) => {
                            let to = IpAddr::V4(to);
                            flow.snat = parcel.packet.source != to;
                            parcel.packet.source = to;
                            flow.reply = reversed(&parcel.packet);
                            view.snat = flow.snat;
                            break;
                        }
                        End::Accept | End::Return => {}
                        other => panic!("postrouting ends with {other:?}"),
                    }
                }
            }
            Known::Of(_, true) => parcel.packet = reversed(&flow.reply),
            Known::Of(_, false) => parcel.packet = reversed(&flow.original),
            Known::About(_, first) => {
                // The sender of an error is the host or the target itself; as a translated target it is the address asked for.
                let target = if first { flow.reply.source } else { flow.original.source };
                if parcel.packet.source == target {
                    parcel.packet.source =
                        if first { flow.original.destination } else { flow.reply.destination };
                }
                // So is what it quotes put back.
                parcel.about = Some(if first { flow.original } else { flow.reply });
            }
            Known::Invalid | Known::Untracked => {}
        }
        view.packet = parcel.packet;
        view.source_is_local = self.is_local(parcel.packet.source);
    }

    /// What of the host a packet reached.
    fn own(&self, view: &View<'_>) -> Exits {
        let by_port = view.input.is_some_and(|name| name.starts_with(fogbank::agent::names::PORT_PREFIX));
        if by_port && view.state == "untracked" {
            return Exits::Served(Service::Discovery);
        }
        if !by_port || view.state != "new" {
            return Exits::Own;
        }
        use fogbank::agent::names::{DNS_PORT, METADATA_PORT};
        match view.packet.transport {
            Transport::Udp { to: 67 | 547, .. } => Exits::Served(Service::Dhcp),
            Transport::Tcp { to: METADATA_PORT, .. } if view.dnat => Exits::Served(Service::Metadata),
            Transport::Udp { to: DNS_PORT, .. } | Transport::Tcp { to: DNS_PORT, .. } if view.dnat => {
                Exits::Served(Service::Dns)
            }
            Transport::Icmp { kind: 8, .. } | Transport::Icmp6 { kind: 128, .. } => {
                Exits::Served(Service::Gateway)
            }
            _ => Exits::Own,
        }
    }
}

/// An error goes against what it quotes.
const fn direction(known: Known) -> Option<&'static str> {
    match known {
        Known::New | Known::Of(_, true) | Known::About(_, false) => Some("original"),
        Known::Of(_, false) | Known::About(_, true) => Some("reply"),
        Known::Invalid | Known::Untracked => None,
    }
}
