//! A packet's way through the routers of isolated VPCs: one on each host where the VPC has interfaces that run.

use std::net::IpAddr;
use std::sync::Arc;

use super::acls;
use super::groups::covers;
use super::link;
use super::places::{self, Served};
use super::routes::{self, Leads};
use super::trace::{Blocked, Interface};
use super::walk::{Walk, Way};
use crate::types::{
    Cidr, Direction, EgressGatewayId, EniId, InternetGatewayId, NatGatewayId, VpcPeeringConnectionId,
};
use crate::world::Vpc;

impl Walk<'_> {
    /// Onward from an interface, as its subnet's route table says.
    pub fn by_table(&mut self, from: &Served, vpc: &Arc<Vpc>) -> Way {
        let to = self.packet.destination;
        let table = routes::table_of(self.world, vpc, from.eni.subnet).ok_or(Blocked::NoRoute)?;
        let route = routes::route(self.world, vpc, table, to).ok_or(Blocked::NoRoute)?;
        self.here(|hop| hop.route = Some(route));
        match route.leads {
            Leads::Local => {
                let target = places::at(self.world, Some(vpc.id), to).ok_or(Blocked::NobodyHasIt)?;
                self.within(&from.host, vpc, &target)
            }
            Leads::Interface(id) => self.through(&from.host, vpc, id),
            Leads::InternetGateway(id) => self.by_internet_gateway(from, vpc, id),
            Leads::EgressGateway(id) => self.by_egress_gateway(from, vpc, id),
            Leads::Peering(id) => self.by_peering(&from.host, vpc, id),
            Leads::NatGateway(id) => self.by_nat_gateway(&from.host, vpc, id, route.destination),
        }
    }

    /// To an interface of the same VPC, by its router on that interface's host.
    fn within(&mut self, here: &Arc<str>, vpc: &Vpc, target: &Served) -> Way {
        if target.host != *here {
            self.cross_vxlan(here, vpc, &target.host)?;
        }
        self.arrive(target)
    }

    /// To an interface that a route leads to, whoever the packet is for.
    fn through(&mut self, here: &Arc<str>, vpc: &Vpc, id: EniId) -> Way {
        let six = self.packet.destination.is_ipv6();
        let takes = |target: &Served| {
            target.eni.vpc == vpc.id && (!six || target.addresses.iter().any(IpAddr::is_ipv6))
        };
        let target = places::served(self.world, id).filter(takes).ok_or(Blocked::BlackHole)?;
        if target.host != *here {
            self.cross_vxlan(here, vpc, &target.host)?;
        }
        if target.eni.source_dest_check && !target.addresses.contains(&self.packet.destination) {
            return Err(Blocked::DestinationCheck);
        }
        self.arrive(&target)
    }

    /// Two hosts exchange packets of VPCs where each knows the other.
    fn cross_vxlan(&mut self, here: &Arc<str>, vpc: &Vpc, to: &Arc<str>) -> Result<(), Blocked> {
        if !places::known(self.world, to) || !places::known(self.world, here) {
            return Err(Blocked::HostUnknown);
        }
        self.leave(Interface::Vxlan);
        self.enter_part(to, Some(vpc.id), Interface::Vxlan);
        Ok(())
    }

    /// Out of a VPC, by the interface's own host: only what has an elastic address or is of IPv6, and only to the outside and
    /// to addresses that others have there.
    fn by_internet_gateway(&mut self, from: &Served, vpc: &Vpc, id: InternetGatewayId) -> Way {
        if !places::attached(self.world, id, vpc.id) {
            return Err(Blocked::BlackHole);
        }
        if self.packet.source.is_ipv6() {
            return self.as_itself(from, vpc);
        }
        let outside = places::outside_of_vpc(self.world, vpc.id, &from.host, self.packet.source);
        self.out_of(&from.host, vpc, outside.ok_or(Blocked::NoPublicAddress)?)
    }

    /// The same way for IPv6; it differs in what comes back.
    fn by_egress_gateway(&mut self, from: &Served, vpc: &Vpc, id: EgressGatewayId) -> Way {
        let gateway = self.world.egress_gateways.get(&id).filter(|gateway| gateway.vpc == vpc.id);
        gateway.ok_or(Blocked::BlackHole)?;
        self.as_itself(from, vpc)
    }

    /// Nothing is translated, so whatever an interface hands on for others, outside it is itself.
    fn as_itself(&mut self, from: &Served, vpc: &Vpc) -> Way {
        let source = self.packet.source;
        if !from.addresses.contains(&source) {
            return Err(Blocked::ForgedSource);
        }
        self.out_of(&from.host, vpc, source)
    }

    /// To an interface of the VPC at the other end of a peering connection, by that VPC's router on the same host. Only what
    /// the two VPCs have themselves goes from one to the other.
    fn by_peering(&mut self, here: &Arc<str>, vpc: &Vpc, id: VpcPeeringConnectionId) -> Way {
        let peer = places::at_other_end(self.world, id, vpc.id).ok_or(Blocked::BlackHole)?;
        self.leave(Interface::Peering(id));
        self.enter_part(here, Some(peer.id), Interface::Peering(id));
        if !places::blocks(vpc).any(|block| covers(block, self.packet.source)) {
            return Err(Blocked::ForgedSource);
        }
        let to = self.packet.destination;
        if !places::blocks(&peer).any(|block| covers(block, to)) {
            return Err(Blocked::BeyondThePeer);
        }
        let target = places::at(self.world, Some(peer.id), to).ok_or(Blocked::NobodyHasIt)?;
        self.within(here, &peer, &target)
    }

    /// To the host of a NAT gateway, into the gateway's subnet, and out of it as the gateway: a public one's ways are those of
    /// the block that led there, a private one's those of the destination.
    fn by_nat_gateway(&mut self, here: &Arc<str>, vpc: &Vpc, id: NatGatewayId, block: Cidr) -> Way {
        let (gateway, host) = places::nat_gateway(self.world, vpc.id, id).ok_or(Blocked::BlackHole)?;
        let table = routes::table_of(self.world, vpc, gateway.subnet).ok_or(Blocked::BlackHole)?;
        let (to, elastic) = (self.packet.destination, gateway.elastic);
        let onward = match elastic {
            Some(_) => routes::route_of_block(self.world, vpc, table, block),
            None => routes::route(self.world, vpc, table, to).map(|route| route.leads),
        };
        let leads = match (onward, elastic) {
            (Some(Leads::InternetGateway(id)), Some(_)) => places::attached(self.world, id, vpc.id),
            (Some(Leads::Peering(_) | Leads::Interface(_)), None) => true,
            _ => false,
        };
        if !leads {
            return Err(Blocked::BlackHole);
        }
        if host != *here {
            self.cross_vxlan(here, vpc, &host)?;
        }
        let eni = self.world.enis.get(&gateway.eni).cloned().ok_or(Blocked::BlackHole)?;
        for (direction, why) in
            [(Direction::Ingress, Blocked::NetworkAclIngress), (Direction::Egress, Blocked::NetworkAclEgress)]
        {
            let asked = acls::decide(self.world, &eni, direction, &self.packet);
            if asked.is_some_and(|asked| !asked.allowed) {
                return Err(why);
            }
        }
        match (onward, elastic) {
            (_, Some(elastic)) => self.out_of(&host, vpc, elastic.public_ip.into()),
            (Some(Leads::Peering(id)), None) => {
                self.source_becomes(gateway.private_ip.into());
                self.by_peering(&host, vpc, id)
            }
            (Some(Leads::Interface(id)), None) => {
                self.source_becomes(gateway.private_ip.into());
                self.through(&host, vpc, id)
            }
            _ => Err(Blocked::BlackHole),
        }
    }

    /// From a router to the outside and to addresses that others have there, as this address.
    fn out_of(&mut self, here: &Arc<str>, vpc: &Vpc, outside: IpAddr) -> Way {
        let to = self.packet.destination;
        self.leave(Interface::Cable(vpc.id));
        self.enter(here, Interface::Cable(vpc.id));
        let elastic = places::elastic(self.world, to).filter(|elastic| elastic.holder == *here);
        if let Some(elastic) = elastic {
            let target = self.associated(&elastic)?;
            self.source_becomes(outside);
            return self.carry(here, &target);
        }
        if places::is_gateway(self.world, None, to) || self.facts.snat(here) == Some(to) {
            return Err(Blocked::HostIsProtected);
        }
        if places::network_of(self.world, None, to).is_some() {
            return Err(Blocked::NotForwarded);
        }
        self.source_becomes(outside);
        self.leave(Interface::Public);
        self.by_public()
    }

    /// From a host into its router of a VPC. Nothing of the VPC's own addresses comes from there, nor of its peers', and nothing of
    /// a link.
    pub fn enter_router(&mut self, here: &Arc<str>, vpc: &Vpc, target: &Served) -> Result<(), Blocked> {
        self.leave(Interface::Cable(vpc.id));
        self.enter_part(here, Some(vpc.id), Interface::Cable(vpc.id));
        let source = self.packet.source;
        let holds = |vpc: &Vpc| places::blocks(vpc).any(|block| covers(block, source));
        let peers = self.world.peerings.keys().filter_map(|id| places::at_other_end(self.world, *id, vpc.id));
        let of_peer = source.is_ipv4() && peers.into_iter().any(|peer| holds(&peer));
        if holds(vpc) || of_peer || link::is_nobodys(source) {
            return Err(Blocked::ForgedSource);
        }
        if source.is_ipv4() || self.is_open(vpc, target) { Ok(()) } else { Err(Blocked::ClosedToOutside) }
    }

    /// Whether a flow of IPv6 may begin from outside: where the target answers through an internet gateway, and not through an
    /// egress-only one (<https://docs.aws.amazon.com/vpc/latest/userguide/egress-only-internet-gateway.html>).
    fn is_open(&self, vpc: &Vpc, target: &Served) -> bool {
        let table = routes::table_of(self.world, vpc, target.eni.subnet);
        let back = table.and_then(|table| routes::route(self.world, vpc, table, self.packet.source));
        match back.map(|route| route.leads) {
            Some(Leads::InternetGateway(id)) => places::attached(self.world, id, vpc.id),
            _ => false,
        }
    }
}
