//! The routes of a host, and of a VPC's router: there the table of the packet's mark, then the main one, as the agent writes them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use fogbank::agent::names::{PEERING_GATEWAY, TRANSIT_GATEWAY, peering_name, port_name, transit_name};
use fogbank::plan::{Exit, PlaceSection, PortSection, RouteTo, VpcSection, transit};
use fogbank::types::{Cidr, EniId, VpcId};

use super::host::{Exits, Host, Parcel, Route};

/// All addresses of a port.
pub(super) fn addresses(port: &PortSection) -> impl Iterator<Item = IpAddr> {
    port.private_ips().map(IpAddr::V4).chain(port.ipv6.iter().copied().map(IpAddr::V6))
}

fn has(place: &PlaceSection, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => place.private_ips().any(|own| own == ip),
        IpAddr::V6(ip) => place.ipv6.contains(&ip),
    }
}

/// A table's routes of the family of an address; `None` of them: thrown on to the main table.
type Table = BTreeMap<Cidr, Option<RouteTo>>;

fn table(vpc: &VpcSection, number: u16, to: IpAddr) -> Option<Table> {
    let (four, six) = (vpc.tables.get(&number), vpc.tables6.get(&number));
    let mut table = Table::new();
    match to {
        IpAddr::V4(_) => {
            table.extend(vpc.cidrs.iter().map(|block| (Cidr::V4(*block), None)));
            table.extend(four?.iter().map(|route| (Cidr::V4(route.destination), Some(route.to))));
        }
        IpAddr::V6(_) => {
            four.map(drop).or(six.map(drop))?;
            table.extend(vpc.cidrs6.iter().map(|block| (Cidr::V6(*block), None)));
            let six = six.into_iter().flatten();
            table.extend(six.map(|route| (Cidr::V6(route.destination), Some(route.to))));
        }
    }
    Some(table)
}

impl Host {
    /// The way on from here.
    pub(super) fn route(&self, parcel: &Parcel, input: Option<&str>) -> Result<Route, Exits> {
        let packet = &parcel.packet;
        let to = packet.destination;
        // What is said to all on a link is heard by the router.
        if matches!(to, IpAddr::V6(to) if to.segments()[0] == 0xff02) && self.vpc().is_some() {
            return Err(Exits::Own);
        }
        if to.is_multicast() {
            return Err(Exits::Dropped("multicast"));
        }
        // Of IPv6 the kernel asks no such thing.
        if input.is_some() && to.is_ipv4() && self.is_local(packet.source) {
            return Err(Exits::Dropped("martian source"));
        }
        if self.is_local(to) || to == Ipv4Addr::BROADCAST {
            return Err(Exits::Own);
        }
        // The kernel hands on nothing that is of a link, or of nobody (ip6_forward).
        let of_link = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if of_link(to)
            || of_link(packet.source)
            || (packet.source.is_ipv6() && packet.source.is_unspecified())
        {
            return Err(Exits::Dropped("of the link"));
        }
        match (self.vpc(), to, packet.source) {
            (Some(vpc), to, _) => self.route_in(vpc, to, parcel.mark),
            (None, IpAddr::V4(to), IpAddr::V4(source)) => self.route4(source, to, input),
            (None, to, _) => Ok(self.route6(to)),
        }
    }

    /// On the host IPv6 goes between its routers and the outside.
    fn route6(&self, to: IpAddr) -> Route {
        let vpc = self.state.routed6.iter().find(|(ip, _)| to == **ip).map(|(_, vpc)| *vpc);
        let next_hop = Some(to);
        match vpc {
            Some(vpc) => Route { interface: transit_name(vpc), to: Exits::Cable(vpc), next_hop },
            None => Route { interface: self.facts.public.clone(), to: Exits::Public, next_hop },
        }
    }

    fn route4(&self, source: Ipv4Addr, to: Ipv4Addr, input: Option<&str>) -> Result<Route, Exits> {
        let flat = |peer: &fogbank::plan::PeerSection| Route {
            interface: self.facts.flat.clone(),
            to: Exits::Flat(Some(peer.name.clone())),
            next_hop: Some(peer.next_hop.into()),
        };
        let mut networks = self.state.networks.values();
        let within = networks.any(|network| network.cidr.contains(to));
        let from_port = input.is_some_and(|name| *name != *self.facts.flat);
        let away = self.state.networks.values().find(|network| network.cidr.contains(source));
        if let Some(network) = away
            && let Exit::By(gateway) = &network.exit
            && from_port
            && !within
            && !self.keeps(to)
        {
            let peer = self.state.hosts.get(gateway);
            return peer.map(|peer| flat(peer)).ok_or(Exits::Dropped("unreachable"));
        }
        if let Some(port) = self.state.ports.values().find(|port| port.private_ips().any(|ip| ip == to)) {
            return Ok(Route {
                interface: port_name(port.eni),
                to: Exits::Port(port.eni),
                next_hop: Some(to.into()),
            });
        }
        let mut transits = self.state.addresses.values().filter_map(|address| address.transit);
        let cable = transits.find(|at| at.address == to && self.state.vpcs.contains_key(&at.vpc));
        if let Some(at) = cable {
            return Ok(Route {
                interface: transit_name(at.vpc),
                to: Exits::Cable(at.vpc),
                next_hop: Some(to.into()),
            });
        }
        let has = |place: &PlaceSection| place.private_ips().any(|ip| ip == to);
        let place = self.state.places.values().find(|place| has(place) && place.host != self.state.host);
        if let Some(peer) = place.and_then(|place| self.state.hosts.get(&place.host)) {
            return Ok(flat(peer));
        }
        if within {
            return Ok(Route {
                interface: self.facts.flat.clone(),
                to: Exits::Flat(None),
                next_hop: Some(to.into()),
            });
        }
        Ok(Route { interface: self.facts.public.clone(), to: Exits::Public, next_hop: Some(to.into()) })
    }

    /// Whether a rule keeps what goes there in the main table: all that is in transit to routers.
    fn keeps(&self, to: Ipv4Addr) -> bool {
        let first = transit(0).octets();
        let in_transit = to.octets()[..2] == first[..2] && to.octets()[2] >= first[2];
        in_transit && self.state.addresses.values().any(|address| address.transit.is_some())
    }

    fn route_in(&self, vpc: VpcId, to: IpAddr, mark: u32) -> Result<Route, Exits> {
        let section = &self.state.vpcs[&vpc];
        // The mark's lower part, which is all that rules of routing look at.
        let Some(table) = table(section, mark as u16, to) else {
            return self.main(to);
        };
        let fits = table.iter().filter(|(block, _)| block.contains(to));
        let black_hole = Err(Exits::Dropped("a black hole"));
        let leads = match fits.max_by_key(|(block, _)| block.prefix_len()).map(|(_, leads)| *leads) {
            None => return black_hole,
            Some(None) => return self.main(to),
            Some(Some(leads)) => leads,
        };
        match leads {
            RouteTo::EgressOnly if to.is_ipv4() => black_hole,
            RouteTo::Internet | RouteTo::EgressOnly => {
                let interface = self.facts.public.clone();
                Ok(Route { interface, to: Exits::Public, next_hop: Some(TRANSIT_GATEWAY.into()) })
            }
            RouteTo::Interface(eni) => self.to_interface(eni, to),
            RouteTo::Nat(_) if to.is_ipv6() => black_hole,
            RouteTo::Nat(id) => match section.nat_gateways.get(&id) {
                Some(gateway) if gateway.host == self.state.host => {
                    let (interface, next_hop) = (self.facts.public.clone(), Some(gateway.transit.into()));
                    Ok(Route { interface, to: Exits::Public, next_hop })
                }
                Some(gateway) => self.by_vxlan(&gateway.host),
                None => match section.private_nat_gateways.get(&id) {
                    Some(gateway) if gateway.host != self.state.host => self.by_vxlan(&gateway.host),
                    _ => black_hole,
                },
            },
            RouteTo::Peering(id) => {
                let (interface, next_hop) = (peering_name(id), Some(PEERING_GATEWAY.into()));
                Ok(Route { interface, to: Exits::Peering(id), next_hop })
            }
            RouteTo::Nowhere => black_hole,
        }
    }

    fn to_interface(&self, eni: EniId, to: IpAddr) -> Result<Route, Exits> {
        if let Some(port) = self.state.ports.get(&eni) {
            let next_hop = addresses(port).find(|own| own.is_ipv4() == to.is_ipv4());
            let (interface, exits) = (port_name(eni), Exits::Port(eni));
            let next_hop = Some(next_hop.ok_or(Exits::Dropped("a black hole"))?);
            return Ok(Route { interface, to: exits, next_hop });
        }
        let place = self.state.places.get(&eni).filter(|place| place.host != self.state.host);
        place.map_or(Err(Exits::Dropped("a black hole")), |place| self.by_vxlan(&place.host))
    }

    fn by_vxlan(&self, host: &str) -> Result<Route, Exits> {
        let peer = self.state.hosts.get(host).ok_or(Exits::Dropped("a host that is not known"))?;
        let (interface, next_hop) = (self.facts.flat.clone(), Some(peer.next_hop.into()));
        Ok(Route { interface, to: Exits::Flat(Some(peer.name.clone())), next_hop })
    }

    fn main(&self, to: IpAddr) -> Result<Route, Exits> {
        let port = self.state.ports.values().find(|port| addresses(port).any(|ip| ip == to));
        if let Some(port) = port {
            let (interface, exits) = (port_name(port.eni), Exits::Port(port.eni));
            return Ok(Route { interface, to: exits, next_hop: Some(to) });
        }
        let mut places = self.state.places.values().filter(|place| place.host != self.state.host);
        let place = places.find(|place| has(place, to));
        place.map_or(Err(Exits::Dropped("unreachable")), |place| self.by_vxlan(&place.host))
    }
}
