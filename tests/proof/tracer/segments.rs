//! The hosts of a world, and the two segments between them.

use std::net::IpAddr;

use fogbank::agent::kernel::ipv6::switches::Closed6;
use fogbank::agent::kernel::render::{Host as Rendered, Side};
use fogbank::agent::names::{
    PEERING_MAC, ROUTER_MAC, ROUTER_OUT, ROUTER_VXLAN, TRANSIT_MAC, peering_name, transit_name, vxlan_mac,
};
use fogbank::agent::routers::split;
use fogbank::plan::{HostState, host_state};
use fogbank::types::{MacAddr, VpcId};
use fogbank::verdict::{Origin, Packet, Place, Transport};

use super::host::{Exits, Host, Parcel};
use super::tables::addresses;
use crate::worlds::{Made, mac, name, own6};

const VXLAN_PORT: u16 = 4789;

/// A machine's that is no host.
const MACHINE: MacAddr = MacAddr([2, 0, 0, 0xee, 0, 1]);

/// What became of a packet: where it arrived looking how, or where it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    At(Place, Packet, Option<Packet>),
    Nowhere(&'static str),
}

pub struct Segments {
    /// The hosts by number, then their routers of VPCs.
    parts: Vec<Host>,
    hosts: usize,
    /// Where the last packet was, and how it looked there.
    trail: Vec<(usize, Packet)>,
}

impl Segments {
    pub fn new(made: &Made) -> Self {
        let states: Vec<_> = made.world.hosts.keys().map(|name| host_state(&made.world, name)).collect();
        let own = states.iter().map(|state| {
            let facts = &made.facts.hosts[&state.host];
            let rendered = Rendered {
                public: facts.public_interface.to_string(),
                flat: facts.flat_interface.to_string(),
                snat: facts.snat,
                own: facts.snat.into_iter().collect(),
                router: false,
                side: Side::Host,
                vxlan_port: VXLAN_PORT,
                // It forwards for nobody else.
                closed6: Closed6::Public,
            };
            let number = (0..made.world.hosts.len()).find(|number| name(*number) == state.host).unwrap();
            Host::new(split::host(state), rendered, Some(own6(number)))
        });
        let routers = states.iter().flat_map(split::routers).map(|(vpc, router)| {
            let rendered = Rendered {
                public: ROUTER_OUT.into(),
                flat: ROUTER_VXLAN.into(),
                snat: None,
                own: Vec::new(),
                router: false,
                side: Side::Router(vpc),
                vxlan_port: VXLAN_PORT,
                closed6: Default::default(),
            };
            Host::new((*router.kernel).clone(), rendered, None)
        });
        Self { hosts: states.len(), parts: own.chain(routers).collect(), trail: Vec::new() }
    }

    /// Forgets every flow.
    pub fn forget(&mut self) {
        for host in &mut self.parts {
            host.flows.0.clear();
        }
    }

    fn named(&self, name: &str) -> usize {
        self.parts[..self.hosts].iter().position(|host| *host.name == *name).unwrap()
    }

    fn router(&self, host: &str, vpc: VpcId) -> Option<usize> {
        self.parts.iter().position(|part| *part.name == *host && part.vpc() == Some(vpc))
    }

    /// The way of the last packet, for people.
    pub fn trail(&self) -> String {
        let part = |(at, packet): &(usize, Packet)| {
            let part = &self.parts[*at];
            format!("{}, {:?}: {packet:?}", part.name, part.vpc())
        };
        self.trail.iter().map(part).collect::<Vec<_>>().join("\n")
    }

    /// Sends a packet from where it begins and follows it.
    pub fn send(&mut self, from: &Origin, entry: Option<&str>, parcel: Parcel) -> Arrival {
        let to = parcel.packet.destination;
        self.trail.clear();
        let (host, input, mac) = match from {
            Origin::Interface(eni) => {
                let Some(host) = self.parts.iter().position(|host| host.state.ports.contains_key(eni)) else {
                    return Arrival::Nowhere("it does not run");
                };
                (host, self.parts[host].port(*eni), self.parts[host].state.ports[eni].mac)
            }
            Origin::Outside => match entry.map(|name| self.named(name)).or_else(|| self.answers(to)) {
                Some(host) => (host, self.parts[host].public(), MACHINE),
                None => return Arrival::Nowhere("nobody answers for it"),
            },
            Origin::Flat => match entry.map(|name| self.named(name)).or_else(|| self.home(to)) {
                Some(host) => (host, self.parts[host].flat(), MACHINE),
                None => return Arrival::Nowhere("nobody answers for it"),
            },
            Origin::Host(name) => {
                let host = self.named(name);
                let (exits, parcel) = self.parts[host].send(parcel);
                return self.follow(host, exits, parcel);
            }
        };
        self.trail.push((host, parcel.packet));
        let (exits, parcel) = self.parts[host].receive(parcel, &input, mac);
        self.follow(host, exits, parcel)
    }

    /// Who answers on the public segment: for an elastic address, for an instance's own one of IPv6, or for a host's own.
    fn answers(&self, ip: IpAddr) -> Option<usize> {
        let has = |state: &HostState| match ip {
            IpAddr::V4(ip) => state.addresses.contains_key(&ip),
            IpAddr::V6(ip) => state.routed6.contains_key(&ip),
        };
        let all: Vec<_> = (0..self.hosts).filter(|host| has(&self.parts[*host].state)).collect();
        assert!(all.len() <= 1, "{ip} has several owners");
        all.first().copied().or_else(|| self.parts[..self.hosts].iter().position(|host| host.is_own(ip)))
    }

    fn home(&self, ip: IpAddr) -> Option<usize> {
        let hosts = &self.parts[..self.hosts];
        hosts
            .iter()
            .position(|host| host.state.ports.values().any(|port| addresses(port).any(|own| own == ip)))
    }

    fn follow(&mut self, mut at: usize, mut exits: Exits, mut parcel: Parcel) -> Arrival {
        for _ in 0..12 {
            let ends = |place| Arrival::At(place, parcel.packet, parcel.about);
            let host = self.parts[at].name.clone();
            let vpc = self.parts[at].vpc();
            let (next, input, sender) = match exits {
                Exits::Port(eni) => return ends(Place::Interface(eni)),
                Exits::Served(service) => return ends(Place::Service(service)),
                Exits::Own => return ends(Place::Host(host)),
                Exits::Dropped(at) => return Arrival::Nowhere(at),
                Exits::Flat(None) => return ends(Place::Flat),
                Exits::Flat(Some(peer)) => match vpc {
                    None => (self.named(&peer), self.parts[self.named(&peer)].flat(), mac(at)),
                    Some(vpc) => {
                        let Some(next) = self.tunnelled(&host, &peer, vpc) else {
                            return Arrival::Nowhere("between hosts");
                        };
                        (next, self.parts[next].flat(), vxlan_mac(self.parts[at].state.hosts[&host].next_hop))
                    }
                },
                Exits::Public => match vpc {
                    Some(vpc) => (self.named(&host), transit_name(vpc), ROUTER_MAC),
                    None => match self.answers(parcel.packet.destination) {
                        Some(next) if next != at => (next, self.parts[next].public(), mac(at)),
                        _ => return ends(Place::Outside),
                    },
                },
                Exits::Peering(id) => {
                    let peering = self.parts[at].state.vpcs[&vpc.unwrap()].peerings[&id].clone();
                    let next = self.router(&host, peering.vpc).expect("a cable has two ends");
                    (next, peering_name(id), PEERING_MAC)
                }
                Exits::Cable(vpc) => {
                    let next = self.router(&host, vpc).expect("a cable has two ends");
                    (next, self.parts[next].public(), TRANSIT_MAC)
                }
            };
            // VXLAN takes 16 bits along (`VXLAN_GBP_ID_MASK` in the kernel's include/net/vxlan.h), cables nothing.
            let tunnelled = vpc.is_some() && input == ROUTER_VXLAN;
            parcel.mark = if tunnelled { parcel.mark & 0xffff } else { 0 };
            self.trail.push((next, parcel.packet));
            (exits, parcel) = self.parts[next].receive(parcel, &input, sender);
            at = next;
        }
        Arrival::Nowhere("it goes round and round")
    }

    /// The router on the other host, if that takes VXLAN from this one.
    fn tunnelled(&mut self, from: &str, to: &str, vpc: VpcId) -> Option<usize> {
        let (here, there) = (self.named(from), self.named(to));
        let source = self.parts[here].underlay()?;
        let destination = self.parts[here].state.hosts.get(to)?.next_hop;
        let transport = Transport::Udp { from: 50_000, to: VXLAN_PORT };
        let outer = Parcel::of(Packet::new(source, destination, transport), None, false);
        let flat = self.parts[there].flat();
        let (exits, _) = self.parts[there].receive(outer, &flat, mac(here));
        if exits == Exits::Own { self.router(to, vpc) } else { None }
    }
}
