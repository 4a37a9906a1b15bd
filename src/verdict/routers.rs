//! A packet's way through the routers of isolated VPCs: one on each host where the VPC has interfaces that run.

use std::sync::Arc;

use super::places::{self, Served};
use super::routes::{self, Leads};
use super::trace::{Blocked, Interface};
use super::walk::{Walk, Way};
use crate::types::{EniId, InternetGatewayId};
use crate::world::{NextHop, Vpc};

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
            Leads::To(NextHop::Interface(id)) => self.through(&from.host, vpc, id),
            Leads::To(NextHop::InternetGateway(id)) => self.by_internet_gateway(&from.host, vpc, id),
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
        let of_vpc = |target: &Served| target.eni.vpc == vpc.id;
        let target = places::served(self.world, id).filter(of_vpc).ok_or(Blocked::BlackHole)?;
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

    /// Out of a VPC, by the interface's own host: only what has an elastic address, and only to the outside and to other
    /// elastic addresses.
    fn by_internet_gateway(&mut self, here: &Arc<str>, vpc: &Vpc, id: InternetGatewayId) -> Way {
        let gateway = self.world.internet_gateways.get(&id);
        gateway.filter(|gateway| gateway.vpc == Some(vpc.id)).ok_or(Blocked::BlackHole)?;
        let (source, to) = (self.packet.source, self.packet.destination);
        let outside = places::outside_of_vpc(self.world, vpc.id, here, source);
        let outside = outside.ok_or(Blocked::NoPublicAddress)?;
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

    /// From a host into its router of a VPC. Nothing of the VPC's own addresses comes from there.
    pub fn into_router(&mut self, here: &Arc<str>, vpc: &Vpc) -> Result<(), Blocked> {
        self.leave(Interface::Cable(vpc.id));
        self.enter_part(here, Some(vpc.id), Interface::Cable(vpc.id));
        match places::network_of(self.world, Some(vpc.id), self.packet.source) {
            Some(_) => Err(Blocked::ForgedSource),
            None => Ok(()),
        }
    }
}
