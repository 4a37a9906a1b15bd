//! A packet's way through hosts.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::groups::decide;
use super::packet::{Packet, Transport};
use super::places::{self, Elastic, Facts, Served};
use super::trace::{Blocked, Hop, Interface, Origin, Outcome, Place, Service, Trace, Translation};
use crate::types::{Direction, EniId};
use crate::world::{Network, World};

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
const ECHO: u8 = 8;
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;

/// What becomes of the first packet of a flow. `entry`, for a packet of another machine, is the host that it is handed
/// to; `None` stands for the one that answers for the destination.
pub fn verdict(world: &World, facts: &Facts, origin: &Origin, packet: Packet, entry: Option<&str>) -> Trace {
    let mut walk = Walk { world, facts, packet, hops: Vec::new() };
    let result = match origin {
        Origin::Interface(eni) => walk.at_interface(*eni),
        Origin::Outside => walk.at_outside(entry),
        Origin::Flat => walk.at_flat(entry),
        Origin::Host(host) => walk.at_host(host),
    };
    let outcome = match result {
        Ok(place) => Outcome::Reaches(place, walk.packet),
        Err(why) => Outcome::Blocked(why),
    };
    Trace { origin: origin.clone(), packet, hops: walk.hops, outcome }
}

struct Walk<'a> {
    world: &'a World,
    facts: &'a Facts,
    /// As it looks now.
    packet: Packet,
    hops: Vec<Hop>,
}

type Way = Result<Place, Blocked>;

impl Walk<'_> {
    fn enter(&mut self, host: &Arc<str>, by: Interface) {
        let (translations, egress, ingress) = (Vec::new(), None, None);
        self.hops.push(Hop { host: host.clone(), entered: by, left: None, egress, translations, ingress });
    }

    fn leave(&mut self, by: Interface) {
        self.here(|hop| hop.left = Some(by));
    }

    fn here(&mut self, change: impl FnOnce(&mut Hop)) {
        if let Some(hop) = self.hops.last_mut() {
            change(hop);
        }
    }

    fn source_becomes(&mut self, to: Ipv4Addr) {
        let from = std::mem::replace(&mut self.packet.source, to);
        if from != to {
            self.here(|hop| hop.translations.push(Translation::Source(from, to)));
        }
    }

    fn destination_becomes(&mut self, to: Ipv4Addr) {
        let from = std::mem::replace(&mut self.packet.destination, to);
        self.here(|hop| hop.translations.push(Translation::Destination(from, to)));
    }

    fn at_interface(&mut self, id: EniId) -> Way {
        let from = places::served(self.world, id).ok_or(Blocked::NotRunning)?;
        self.enter(&from.host, Interface::Port(id));
        if let Some(service) = self.service(&from) {
            return service.map(Place::Service);
        }
        let decision = decide(self.world, &from.eni, Direction::Egress, &self.packet);
        let allowed = !decision.allowed_by.is_empty();
        self.here(|hop| hop.egress = Some(decision));
        if !allowed {
            return Err(Blocked::Egress);
        }
        let to = self.packet.destination;
        if self.is_gateway(to) || to.is_broadcast() || self.facts.snat(&from.host) == Some(to) {
            return Err(Blocked::HostIsProtected);
        }
        if to.is_multicast() {
            return Err(Blocked::NowhereToGo);
        }
        if let Some(network) = places::network_of(self.world, to) {
            return match places::at(self.world, to) {
                Some(target) => self.carry(&from.host.clone(), &target),
                None => self.reach_machine(network, to),
            };
        }
        self.away(&from)
    }

    /// What is decided before any group is asked, and AWS's groups do not filter either: DHCP, DNS and metadata.
    fn service(&self, from: &Served) -> Option<Result<Service, Blocked>> {
        let Packet { source, destination: to, transport } = self.packet;
        let discover = Transport::Udp { from: DHCP_CLIENT, to: DHCP_SERVER };
        let unconfigured = source.is_unspecified() && to.is_broadcast() && transport == discover;
        if from.eni.source_dest_check && source != from.eni.private_ip && !unconfigured {
            return Some(Err(Blocked::ForgedSource));
        }
        if !transport.begins_a_flow() {
            return Some(Err(Blocked::Unasked));
        }
        match transport {
            Transport::Udp { from: DHCP_SERVER, to: DHCP_CLIENT } => Some(Err(Blocked::OnlyHostsServeDhcp)),
            Transport::Udp { to: DHCP_SERVER, .. } if to.is_broadcast() || self.is_gateway(to) => {
                Some(Ok(Service::Dhcp))
            }
            Transport::Udp { to: 53, .. } | Transport::Tcp { to: 53, .. }
                if to == RESOLVER || self.is_gateway(to) =>
            {
                Some(Ok(Service::Dns))
            }
            Transport::Tcp { to: 80, .. } if to == METADATA => Some(Ok(Service::Metadata)),
            Transport::Icmp { kind: ECHO, .. } if self.is_gateway(to) => Some(Ok(Service::Gateway)),
            _ if to.is_link_local() => Some(Err(Blocked::NowhereToGo)),
            _ => None,
        }
    }

    fn is_gateway(&self, ip: Ipv4Addr) -> bool {
        self.world.networks.values().any(|network| network.gateway == ip)
    }

    /// To the outside, or to an elastic address: by the network's way out, translated there in any case. An address that
    /// the instance's own host answers for is no further away.
    fn away(&mut self, from: &Served) -> Way {
        let elastic = places::elastic(self.world, self.packet.destination);
        let held = |host: &Arc<str>| elastic.as_ref().is_some_and(|elastic| elastic.holder == *host);
        let exit = if held(&from.host) { &from.host } else { &from.exit };
        if *exit != from.host {
            self.cross_flat(exit)?;
        }
        if let Some(elastic) = elastic.as_ref().filter(|elastic| elastic.holder == *exit) {
            let target = self.associated(elastic)?;
            self.translate(from, exit)?;
            return self.carry(exit, &target);
        }
        if self.facts.snat(exit) == Some(self.packet.destination) {
            return Err(Blocked::HostIsProtected);
        }
        self.translate(from, exit)?;
        self.leave(Interface::Public);
        self.by_public()
    }

    /// At the host that answers for an elastic address.
    fn associated(&mut self, elastic: &Elastic) -> Result<Served, Blocked> {
        let target = elastic.target.clone().ok_or(Blocked::NotRunning)?;
        self.destination_becomes(target.eni.private_ip);
        Ok(target)
    }

    /// Outside an instance is its elastic address, else the host that is its way out.
    fn translate(&mut self, from: &Served, exit: &str) -> Result<(), Blocked> {
        // At its own host it is what the association says, whether or not its way out answers for that just now.
        let early = *exit == *from.host && from.exit != from.host;
        let own = places::outside_of(self.world, from.eni.id, !early);
        let to = own.or_else(|| self.facts.snat(exit)).ok_or(Blocked::NoPublicAddress)?;
        self.source_becomes(to);
        Ok(())
    }

    /// On the public segment: to the host that answers for the address, or beyond.
    fn by_public(&mut self) -> Way {
        match places::elastic(self.world, self.packet.destination) {
            Some(elastic) => {
                self.enter(&elastic.holder, Interface::Public);
                self.arrives_from_elsewhere(&elastic.holder)?;
                let target = self.associated(&elastic)?;
                self.carry(&elastic.holder, &target)
            }
            None => Ok(self.facts.host_with(self.packet.destination).map_or(Place::Outside, Place::Host)),
        }
    }

    fn cross_flat(&mut self, to: &Arc<str>) -> Result<(), Blocked> {
        let here = self.hops.last().map(|hop| hop.host.clone());
        if !places::known(self.world, to) {
            return Err(Blocked::HostUnknown);
        }
        self.leave(Interface::Flat);
        self.enter(to, Interface::Flat);
        if here.is_some_and(|here| !places::known(self.world, &here) && !self.heard_from_anybody(to)) {
            return Err(Blocked::HostUnknown);
        }
        self.arrives_from_elsewhere(to)
    }

    /// Whether a host takes the packet from the flat segment whoever hands it on there. An instance's address is heard only
    /// by the MAC of its host; where one segment is all, so is what comes from outside, by that of the gateway host.
    fn heard_from_anybody(&self, host: &str) -> bool {
        let source = self.packet.source;
        let of_instance = self.world.networks.values().any(|network| places::of_instances(network, source));
        let outside = self.facts.one_nic(host) && places::network_of(self.world, source).is_none();
        !of_instance && !outside
    }

    /// No kernel takes a packet whose source is an address of its own.
    fn arrives_from_elsewhere(&self, host: &Arc<str>) -> Result<(), Blocked> {
        let source = self.packet.source;
        let held = || places::elastic(self.world, source).is_some_and(|elastic| elastic.holder == *host);
        if self.facts.snat(host) == Some(source) || held() {
            Err(Blocked::BackWhereItCameFrom)
        } else {
            Ok(())
        }
    }

    /// From a host into an interface, by that interface's host.
    fn carry(&mut self, here: &Arc<str>, target: &Served) -> Way {
        if target.host != *here {
            self.cross_flat(&target.host)?;
        }
        if !self.packet.transport.begins_a_flow() {
            return Err(Blocked::Unasked);
        }
        let decision = decide(self.world, &target.eni, Direction::Ingress, &self.packet);
        let allowed = !decision.allowed_by.is_empty();
        self.here(|hop| hop.ingress = Some(decision));
        if !allowed {
            return Err(Blocked::Ingress);
        }
        self.leave(Interface::Port(target.eni.id));
        Ok(Place::Interface(target.eni.id))
    }

    fn at_outside(&mut self, entry: Option<&str>) -> Way {
        let to = self.packet.destination;
        let elastic = places::elastic(self.world, to);
        let host: Arc<str> = match (entry, &elastic) {
            (Some(host), _) => host.into(),
            (None, Some(elastic)) => elastic.holder.clone(),
            (None, None) => self.facts.host_with(to).ok_or_else(|| self.nobody_answers())?,
        };
        self.enter(&host, Interface::Public);
        if !self.facts.one_nic(&host) && places::network_of(self.world, self.packet.source).is_some() {
            return Err(Blocked::ForgedSource);
        }
        match elastic.filter(|elastic| elastic.holder == host) {
            Some(elastic) => {
                let target = self.associated(&elastic)?;
                self.carry(&host, &target)
            }
            None if self.facts.snat(&host) == Some(to) => Ok(Place::Host(host)),
            None => Err(self.nobody_answers()),
        }
    }

    fn nobody_answers(&self) -> Blocked {
        let elastic = self.world.pools.values().any(|pool| pool.range.contains(self.packet.destination));
        if elastic { Blocked::NoAssociation } else { Blocked::NotForwarded }
    }

    fn at_flat(&mut self, entry: Option<&str>) -> Way {
        let Packet { source, destination, .. } = self.packet;
        let target = places::at(self.world, destination);
        let host: Arc<str> = match (entry, &target) {
            (Some(host), _) => host.into(),
            (None, Some(target)) => target.host.clone(),
            (None, None) => return Err(Blocked::NotForwarded),
        };
        self.enter(&host, Interface::Flat);
        if self.world.networks.values().any(|network| places::of_instances(network, source)) {
            return Err(Blocked::ForgedSource);
        }
        match target.filter(|target| target.host == host) {
            Some(target) => self.carry(&host, &target),
            None => Err(Blocked::NotForwarded),
        }
    }

    /// A host's own packets are filtered, too, save what serves the instance: the answers of DHCP.
    fn at_host(&mut self, host: &Arc<str>) -> Way {
        self.enter(host, Interface::Own);
        let to = self.packet.destination;
        let elastic = places::elastic(self.world, to);
        let target = match elastic.filter(|elastic| elastic.holder == *host) {
            Some(elastic) => {
                let target = self.associated(&elastic)?;
                if let Some(own) = self.facts.snat(host) {
                    self.source_becomes(own);
                }
                Some(target)
            }
            None => places::at(self.world, to),
        };
        match target {
            Some(target) if target.host == *host && self.is_dhcp_answer() => {
                self.leave(Interface::Port(target.eni.id));
                Ok(Place::Interface(target.eni.id))
            }
            Some(target) => self.carry(host, &target),
            None => match places::network_of(self.world, to) {
                Some(network) => self.reach_machine(network, to),
                None => {
                    self.leave(Interface::Public);
                    self.by_public()
                }
            },
        }
    }

    /// To a machine on the flat segment that is no instance.
    fn reach_machine(&mut self, network: &Network, to: Ipv4Addr) -> Way {
        if places::of_instances(network, to) {
            return Err(Blocked::NobodyHasIt);
        }
        self.leave(Interface::Flat);
        Ok(Place::Flat)
    }

    const fn is_dhcp_answer(&self) -> bool {
        matches!(self.packet.transport, Transport::Udp { from: DHCP_SERVER, to: DHCP_CLIENT })
    }
}
