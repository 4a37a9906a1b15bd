//! The hosts of a world, and the two segments between them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use fogbank::agent::kernel::render::Host as Rendered;
use fogbank::plan::host_state;
use fogbank::types::MacAddr;
use fogbank::verdict::{Origin, Packet, Place};

use super::host::{Exits, Host, Parcel};
use crate::worlds::{Made, mac};

/// A machine's that is no host.
const MACHINE: MacAddr = MacAddr([2, 0, 0, 0xee, 0, 1]);

/// What became of a packet: where it arrived looking how, or where it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    At(Place, Packet, Option<Packet>),
    Nowhere(&'static str),
}

pub struct Segments {
    hosts: Vec<Host>,
}

impl Segments {
    pub fn new(made: &Made) -> Self {
        let host = |name: &Arc<str>| {
            let facts = &made.facts.hosts[name];
            let rendered = Rendered {
                public: facts.public_interface.to_string(),
                flat: facts.flat_interface.to_string(),
                snat: facts.snat,
                own: facts.snat.into_iter().collect(),
                router: false,
            };
            Host::new(host_state(&made.world, name), rendered)
        };
        Self { hosts: made.world.hosts.keys().map(host).collect() }
    }

    /// Forgets every flow.
    pub fn forget(&mut self) {
        for host in &mut self.hosts {
            host.flows.0.clear();
        }
    }

    fn named(&self, name: &str) -> usize {
        self.hosts.iter().position(|host| *host.name == *name).unwrap()
    }

    /// Sends a packet from where it begins and follows it.
    pub fn send(&mut self, from: &Origin, entry: Option<&str>, parcel: Parcel) -> Arrival {
        let to = parcel.packet.destination;
        let (host, input, mac) = match from {
            Origin::Interface(eni) => {
                let Some(host) = self.hosts.iter().position(|host| host.state.ports.contains_key(eni)) else {
                    return Arrival::Nowhere("it does not run");
                };
                (host, self.hosts[host].port(*eni), self.hosts[host].state.ports[eni].mac)
            }
            Origin::Outside => match entry.map(|name| self.named(name)).or_else(|| self.answers(to)) {
                Some(host) => (host, self.hosts[host].public(), MACHINE),
                None => return Arrival::Nowhere("nobody answers for it"),
            },
            Origin::Flat => match entry.map(|name| self.named(name)).or_else(|| self.home(to)) {
                Some(host) => (host, self.hosts[host].flat(), MACHINE),
                None => return Arrival::Nowhere("nobody answers for it"),
            },
            Origin::Host(name) => {
                let host = self.named(name);
                let (exits, parcel) = self.hosts[host].send(parcel);
                return self.follow(host, exits, parcel);
            }
        };
        let (exits, parcel) = self.hosts[host].receive(parcel, &input, mac);
        self.follow(host, exits, parcel)
    }

    /// Who answers by ARP on the public segment: for an elastic address, or for a host's own.
    fn answers(&self, ip: Ipv4Addr) -> Option<usize> {
        let all: Vec<_> = (0..self.hosts.len())
            .filter(|host| self.hosts[*host].state.addresses.contains_key(&ip))
            .collect();
        assert!(all.len() <= 1, "{ip} has several owners");
        all.first().copied().or_else(|| self.hosts.iter().position(|host| host.is_own(ip)))
    }

    fn home(&self, ip: Ipv4Addr) -> Option<usize> {
        self.hosts.iter().position(|host| host.state.ports.values().any(|port| port.private_ip == ip))
    }

    fn follow(&mut self, mut at: usize, mut exits: Exits, mut parcel: Parcel) -> Arrival {
        for _ in 0..8 {
            let ends = |place| Arrival::At(place, parcel.packet, parcel.about);
            let (next, input) = match exits {
                Exits::Port(eni) => return ends(Place::Interface(eni)),
                Exits::Served(service) => return ends(Place::Service(service)),
                Exits::Own => return ends(Place::Host(self.hosts[at].name.clone())),
                Exits::Dropped(at) => return Arrival::Nowhere(at),
                Exits::Flat(None) => return ends(Place::Flat),
                Exits::Flat(Some(peer)) => {
                    let next = self.named(&peer);
                    (next, self.hosts[next].flat())
                }
                Exits::Public => match self.answers(parcel.packet.destination) {
                    Some(next) if next != at => (next, self.hosts[next].public()),
                    _ => return ends(Place::Outside),
                },
            };
            let sender = mac(at);
            (exits, parcel) = self.hosts[next].receive(parcel, &input, sender);
            at = next;
        }
        Arrival::Nowhere("it goes round and round")
    }
}
