//! A packet's way through hosts.

use std::net::IpAddr;
use std::sync::Arc;

use super::packet::{Packet, Transport};
use super::places::{self, Elastic, Facts, METADATA, Served};
use super::trace::{Blocked, Hop, Interface, Origin, Outcome, Place, Service, Trace, Translation};
use super::{acls, groups, link};
use crate::types::{Direction, EniId, VpcId};
use crate::world::{Eni, Network, Vpc, World};

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

pub(super) struct Walk<'a> {
    pub world: &'a World,
    pub facts: &'a Facts,
    /// As it looks now.
    pub packet: Packet,
    pub hops: Vec<Hop>,
}

pub(super) type Way = Result<Place, Blocked>;

impl Walk<'_> {
    pub fn enter(&mut self, host: &Arc<str>, by: Interface) {
        self.enter_part(host, None, by);
    }

    /// A host's own part, or its router of a VPC.
    pub fn enter_part(&mut self, host: &Arc<str>, vpc: Option<VpcId>, by: Interface) {
        self.hops.push(Hop {
            host: host.clone(),
            vpc,
            entered: by,
            left: None,
            acl_egress: None,
            egress: None,
            route: None,
            translations: Vec::new(),
            acl_ingress: None,
            ingress: None,
        });
    }

    pub fn leave(&mut self, by: Interface) {
        self.here(|hop| hop.left = Some(by));
    }

    pub fn here(&mut self, change: impl FnOnce(&mut Hop)) {
        if let Some(hop) = self.hops.last_mut() {
            change(hop);
        }
    }

    pub fn source_becomes(&mut self, to: IpAddr) {
        let from = std::mem::replace(&mut self.packet.source, to);
        if from != to {
            self.here(|hop| hop.translations.push(Translation::Source(from, to)));
        }
    }

    fn destination_becomes(&mut self, to: IpAddr) {
        let from = std::mem::replace(&mut self.packet.destination, to);
        if from != to {
            self.here(|hop| hop.translations.push(Translation::Destination(from, to)));
        }
    }

    fn at_interface(&mut self, id: EniId) -> Way {
        let from = places::served(self.world, id).ok_or(Blocked::NotRunning)?;
        let vpc = places::isolated(self.world, &from.eni);
        self.enter_part(&from.host, vpc.map(|vpc| vpc.id), Interface::Port(id));
        self.is_true(&from, vpc)?;
        self.acl(&from.eni, Direction::Egress)?;
        if let Some(service) = self.service(vpc) {
            return service.map(Place::Service);
        }
        self.groups(&from.eni, Direction::Egress)?;
        let to = self.packet.destination;
        if places::is_gateway(self.world, vpc.map(|vpc| vpc.id), to) || places::is_broadcast(to) {
            return Err(Blocked::HostIsProtected);
        }
        if to.is_multicast() {
            return Err(Blocked::NowhereToGo);
        }
        match vpc {
            Some(vpc) => self.by_table(&from, vpc),
            None => self.on_flat(&from),
        }
    }

    /// Onward from an interface of a flat network.
    fn on_flat(&mut self, from: &Served) -> Way {
        let to = self.packet.destination;
        if self.facts.snat(&from.host) == Some(to) {
            return Err(Blocked::HostIsProtected);
        }
        if let Some(network) = places::network_of(self.world, None, to) {
            return match places::at(self.world, None, to) {
                Some(target) => self.carry(&from.host.clone(), &target),
                None => self.reach_machine(network, to),
            };
        }
        self.away(from)
    }

    /// Whether the source is the sender's own, unless it may send for others; and whether it is no answer to nothing.
    fn is_true(&self, from: &Served, vpc: Option<&Arc<Vpc>>) -> Result<(), Blocked> {
        let source = self.packet.source;
        if source.is_ipv6() && from.eni.ipv6.is_empty() {
            return Err(Blocked::NoIpv6);
        }
        let own = from.addresses.contains(&source) || link::may_say(&self.packet);
        // No kernel takes a packet from itself.
        let host = places::is_gateway(self.world, vpc.map(|vpc| vpc.id), source);
        // Nobody is a service, a host or a NAT gateway, and on a flat network, none is another instance.
        let another = link::is_nobodys(source)
            || match vpc {
                Some(vpc) => places::is_private_nat_gateway(self.world, vpc.id, source),
                None => places::at(self.world, None, source).is_some(),
            };
        if ((from.eni.source_dest_check || another) && !own) || host {
            return Err(Blocked::ForgedSource);
        }
        let begins = self.packet.transport.begins_a_flow() || link::is_discovery(&self.packet);
        if begins { Ok(()) } else { Err(Blocked::Unasked) }
    }

    /// The network ACL of the interface's subnet.
    fn acl(&mut self, eni: &Eni, direction: Direction) -> Result<(), Blocked> {
        let Some(decision) = acls::decide(self.world, eni, direction, &self.packet) else { return Ok(()) };
        let allowed = decision.allowed;
        let why = match direction {
            Direction::Egress => Blocked::NetworkAclEgress,
            Direction::Ingress => Blocked::NetworkAclIngress,
        };
        self.here(|hop| match direction {
            Direction::Egress => hop.acl_egress = Some(decision),
            Direction::Ingress => hop.acl_ingress = Some(decision),
        });
        if allowed { Ok(()) } else { Err(why) }
    }

    /// The groups of the interface.
    fn groups(&mut self, eni: &Eni, direction: Direction) -> Result<(), Blocked> {
        let by_cable = |hop: &Hop| hop.vpc.is_some() && matches!(hop.entered, Interface::Cable(_));
        let from_outside = direction == Direction::Ingress && self.hops.last().is_some_and(by_cable);
        let decision = groups::decide(self.world, eni, direction, &self.packet, from_outside);
        let allowed = !decision.allowed_by.is_empty();
        let why = match direction {
            Direction::Egress => Blocked::Egress,
            Direction::Ingress => Blocked::Ingress,
        };
        self.here(|hop| match direction {
            Direction::Egress => hop.egress = Some(decision),
            Direction::Ingress => hop.ingress = Some(decision),
        });
        if allowed { Ok(()) } else { Err(why) }
    }

    /// What is decided before any group is asked, and AWS's groups do not filter either: DHCP, DNS and metadata.
    fn service(&self, vpc: Option<&Arc<Vpc>>) -> Option<Result<Service, Blocked>> {
        let Packet { destination, transport, .. } = self.packet;
        let IpAddr::V4(address) = destination else { return link::service(&self.packet) };
        let to = destination;
        let gateway = || places::is_gateway(self.world, vpc.map(|vpc| vpc.id), to);
        match transport {
            Transport::Udp { from: DHCP_SERVER, to: DHCP_CLIENT } => Some(Err(Blocked::OnlyHostsServeDhcp)),
            Transport::Udp { to: DHCP_SERVER, .. } if address.is_broadcast() || gateway() => {
                Some(Ok(Service::Dhcp))
            }
            Transport::Udp { to: 53, .. } | Transport::Tcp { to: 53, .. }
                if places::is_resolver(self.world, vpc, to) =>
            {
                Some(Ok(Service::Dns))
            }
            Transport::Tcp { to: 80, .. } if to == METADATA => Some(Ok(Service::Metadata)),
            Transport::Icmp { kind: ECHO, .. } if gateway() => Some(Ok(Service::Gateway)),
            _ if address.is_link_local() => Some(Err(Blocked::NowhereToGo)),
            _ => None,
        }
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
    pub fn associated(&mut self, elastic: &Elastic) -> Result<Served, Blocked> {
        let target = elastic.target.clone().ok_or(Blocked::NotRunning)?;
        self.destination_becomes(elastic.private_ip);
        Ok(target)
    }

    /// Outside an instance is its elastic address, else the host that is its way out.
    fn translate(&mut self, from: &Served, exit: &str) -> Result<(), Blocked> {
        // At its own host it is what the association says, whether or not its way out answers for that just now.
        let early = *exit == *from.host && from.exit != from.host;
        let own = places::outside_of(self.world, from.eni.id, self.packet.source, !early);
        let to = own.or_else(|| self.facts.snat(exit)).ok_or(Blocked::NoPublicAddress)?;
        self.source_becomes(to);
        Ok(())
    }

    /// On the public segment: to the host that answers for the address, or beyond.
    pub fn by_public(&mut self) -> Way {
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
        let outside = self.facts.one_nic(host) && places::network_of(self.world, None, source).is_none();
        !places::is_flat_instance(self.world, source) && !outside
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
    pub fn carry(&mut self, here: &Arc<str>, target: &Served) -> Way {
        if let Some(vpc) = places::isolated(self.world, &target.eni) {
            self.enter_router(here, vpc, target)?;
        } else if target.host != *here {
            self.cross_flat(&target.host)?;
        }
        self.arrive(target)
    }

    /// Into an interface of the host where the packet is.
    pub fn arrive(&mut self, target: &Served) -> Way {
        if !self.packet.transport.begins_a_flow() {
            return Err(Blocked::Unasked);
        }
        // Nobody who is further away than the link has such an address (RFC 3927, 2.7).
        if matches!(self.packet.source, IpAddr::V4(source) if source.is_link_local()) {
            return Err(Blocked::ForgedSource);
        }
        self.acl(&target.eni, Direction::Ingress)?;
        self.groups(&target.eni, Direction::Ingress)?;
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
        let source = self.packet.source;
        let within = !self.facts.one_nic(&host) && places::network_of(self.world, None, source).is_some();
        if within || link::is_in_transit(source) {
            return Err(Blocked::ForgedSource);
        }
        self.arrives_from_elsewhere(&host)?;
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
        let world = self.world;
        match self.packet.destination {
            IpAddr::V4(to) if world.pools.values().any(|pool| pool.range.contains(to)) => {
                Blocked::NoAssociation
            }
            IpAddr::V6(to) if world.ipv6_pools.keys().any(|pool| pool.contains(to)) => Blocked::NobodyHasIt,
            _ => Blocked::NotForwarded,
        }
    }

    fn at_flat(&mut self, entry: Option<&str>) -> Way {
        let Packet { source, destination, .. } = self.packet;
        let target = places::at(self.world, None, destination);
        let host: Arc<str> = match (entry, &target) {
            (Some(host), _) => host.into(),
            (None, Some(target)) => target.host.clone(),
            (None, None) => return Err(Blocked::NotForwarded),
        };
        self.enter(&host, Interface::Flat);
        if places::is_flat_instance(self.world, source) {
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
                if let Some(own) = self.facts.snat(host).filter(|_| to.is_ipv4()) {
                    self.source_becomes(own);
                }
                Some(target)
            }
            None => places::at(self.world, None, to),
        };
        match target {
            Some(target) if target.host == *host && self.is_dhcp_answer() && !self.is_in_vpc(&target) => {
                self.acl(&target.eni, Direction::Ingress)?;
                self.leave(Interface::Port(target.eni.id));
                Ok(Place::Interface(target.eni.id))
            }
            Some(target) => self.carry(host, &target),
            None => match places::network_of(self.world, None, to) {
                Some(network) => self.reach_machine(network, to),
                None => {
                    self.leave(Interface::Public);
                    self.by_public()
                }
            },
        }
    }

    /// To a machine on the flat segment that is no instance.
    fn reach_machine(&mut self, network: &Network, to: IpAddr) -> Way {
        if places::of_instances(network, to) {
            return Err(Blocked::NobodyHasIt);
        }
        self.leave(Interface::Flat);
        Ok(Place::Flat)
    }

    fn is_in_vpc(&self, target: &Served) -> bool {
        places::isolated(self.world, &target.eni).is_some()
    }

    const fn is_dhcp_answer(&self) -> bool {
        matches!(self.packet.transport, Transport::Udp { from: DHCP_SERVER, to: DHCP_CLIENT })
    }
}
