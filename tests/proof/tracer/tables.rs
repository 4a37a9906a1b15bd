//! The routes of a VPC's router: the table of the packet's mark, then the main one, as the agent writes them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fogbank::agent::names::{PEERING_GATEWAY, TRANSIT_GATEWAY, peering_name, port_name};
use fogbank::plan::RouteTo;
use fogbank::types::{EniId, VpcId};

use super::host::{Exits, Host, Route};

impl Host {
    pub(super) fn route_in(&self, vpc: VpcId, to: Ipv4Addr, mark: u32) -> Result<Route, Exits> {
        let section = &self.state.vpcs[&vpc];
        // The mark's lower part, which is all that rules of routing look at.
        let table = section.tables.get(&(mark as u16));
        let Some(table) = table else { return self.main(to) };
        // `None` throws the packet on to the main table.
        let mut routes: BTreeMap<_, Option<RouteTo>> =
            section.cidrs.iter().map(|block| (*block, None)).collect();
        routes.extend(table.iter().map(|route| (route.destination, Some(route.to))));
        let fits = routes.iter().filter(|(block, _)| block.contains(to));
        match fits.max_by_key(|(block, _)| block.prefix_len()).map(|(_, to)| *to) {
            Some(None) => self.main(to),
            Some(Some(RouteTo::Internet)) => {
                let interface = self.facts.public.clone();
                Ok(Route { interface, to: Exits::Public, next_hop: Some(TRANSIT_GATEWAY) })
            }
            Some(Some(RouteTo::Interface(eni))) => self.to_interface(eni),
            Some(Some(RouteTo::Nat(id))) => match section.nat_gateways.get(&id) {
                Some(gateway) if gateway.host == self.state.host => {
                    let (interface, next_hop) = (self.facts.public.clone(), Some(gateway.transit));
                    Ok(Route { interface, to: Exits::Public, next_hop })
                }
                Some(gateway) => self.by_vxlan(&gateway.host),
                None => match section.private_nat_gateways.get(&id) {
                    Some(gateway) if gateway.host != self.state.host => self.by_vxlan(&gateway.host),
                    _ => Err(Exits::Dropped("a black hole")),
                },
            },
            Some(Some(RouteTo::Peering(id))) => {
                let (interface, next_hop) = (peering_name(id), Some(PEERING_GATEWAY));
                Ok(Route { interface, to: Exits::Peering(id), next_hop })
            }
            Some(Some(RouteTo::EgressOnly | RouteTo::Nowhere)) | None => Err(Exits::Dropped("a black hole")),
        }
    }

    fn to_interface(&self, eni: EniId) -> Result<Route, Exits> {
        if let Some(port) = self.state.ports.get(&eni) {
            let (interface, to) = (port_name(eni), Exits::Port(eni));
            return Ok(Route { interface, to, next_hop: Some(port.private_ip) });
        }
        let place = self.state.places.get(&eni).filter(|place| place.host != self.state.host);
        place.map_or(Err(Exits::Dropped("a black hole")), |place| self.by_vxlan(&place.host))
    }

    fn by_vxlan(&self, host: &str) -> Result<Route, Exits> {
        let peer = self.state.hosts.get(host).ok_or(Exits::Dropped("a host that is not known"))?;
        let interface = self.facts.flat.clone();
        Ok(Route { interface, to: Exits::Flat(Some(peer.name.clone())), next_hop: Some(peer.next_hop) })
    }

    fn main(&self, to: Ipv4Addr) -> Result<Route, Exits> {
        let port = self.state.ports.values().find(|port| port.private_ips().any(|ip| ip == to));
        if let Some(port) = port {
            let (interface, exits) = (port_name(port.eni), Exits::Port(port.eni));
            return Ok(Route { interface, to: exits, next_hop: Some(to) });
        }
        let mut places = self.state.places.values().filter(|place| place.host != self.state.host);
        let place = places.find(|place| place.private_ips().any(|ip| ip == to));
        place.map_or(Err(Exits::Dropped("unreachable")), |place| self.by_vxlan(&place.host))
    }
}
