//! Under which address what an instance sends has to leave its VPC's router: as its route table leads it now. Pure.
//!
//! Connection tracking keeps a flow's translation for as long as something is said. Where a route leads elsewhere since (from a
//! NAT gateway to an internet gateway, say), the flow must not go on under the address of the way that it took before: in EC2
//! each packet goes as the route table says, "and we apply the changes immediately"
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::plan::{HostState, RouteSection, RouteTo, VpcSection};
use crate::types::{Cidr4, NatGatewayId};

/// What the router of a VPC knows of its ports' ways.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Leaving {
    /// The number of each port's route table, by its addresses. Flat networks have none.
    tables: BTreeMap<Ipv4Addr, u16>,
    routes: BTreeMap<u16, Vec<RouteSection>>,
    /// The VPC's own blocks: no table has a say there.
    own: Vec<Cidr4>,
    /// The addresses of the NAT gateways that are at work here.
    gateways: BTreeMap<NatGatewayId, Ipv4Addr>,
}

impl Leaving {
    pub fn new(state: &HostState) -> Self {
        let numbered = state.ports.values().filter_map(|port| {
            let number = state.subnets.get(&port.subnet)?.table?;
            Some(port.private_ips().map(move |ip| (ip, number)))
        });
        let tables: BTreeMap<_, _> = numbered.flatten().collect();
        if tables.is_empty() {
            return Self::default();
        }
        let vpcs = || state.vpcs.values();
        let of_vpc = |vpc: &Arc<VpcSection>| {
            let public = vpc.nat_gateways.iter().filter(|(_, gateway)| gateway.host == state.host);
            let public = public.map(|(id, gateway)| (*id, gateway.transit));
            let private = vpc.private_nat_gateways.iter().filter(|(_, gateway)| gateway.host == state.host);
            public.chain(private.map(|(id, gateway)| (*id, gateway.address))).collect::<Vec<_>>()
        };
        Self {
            tables,
            routes: vpcs().flat_map(|vpc| vpc.tables.iter().map(|(n, list)| (*n, list.clone()))).collect(),
            own: vpcs().flat_map(|vpc| vpc.cidrs.iter().copied()).collect(),
            gateways: vpcs().flat_map(of_vpc).collect(),
        }
    }

    /// Whether what a port here sends there may not have this source any more. What is not a port's, or stays in the VPC, may.
    pub fn is_other(
        &self,
        from: Ipv4Addr,
        to: Ipv4Addr,
        source: Ipv4Addr,
        to_elastic: &BTreeMap<Ipv4Addr, Ipv4Addr>,
    ) -> bool {
        let Some(table) = self.tables.get(&from) else { return false };
        if self.own.iter().any(|block| block.contains(to)) {
            return false;
        }
        let routes = self.routes.get(table).into_iter().flatten();
        let longest =
            routes.filter(|route| route.destination.contains(to)).max_by_key(|r| r.destination.prefix_len());
        let translated = longest.and_then(|route| match route.to {
            RouteTo::Internet => to_elastic.get(&from).copied(),
            RouteTo::Nat(id) => self.gateways.get(&id).copied(),
            RouteTo::EgressOnly | RouteTo::Interface(_) | RouteTo::Peering(_) | RouteTo::Nowhere => None,
        });
        source != translated.unwrap_or(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{EniId, VpcPeeringConnectionId};

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 4);
    const ELASTIC: Ipv4Addr = Ipv4Addr::new(169, 254, 192, 2);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 192, 1);
    const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

    /// Whether what goes outside by these routes under that source has to end, with an elastic address and without.
    fn ends(routes: &[(&str, RouteTo)], source: Ipv4Addr) -> [bool; 2] {
        let routes = routes.iter().map(|&(text, to)| RouteSection { destination: text.parse().unwrap(), to });
        let leaving = Leaving {
            tables: [(OWN, 3)].into(),
            routes: [(3, routes.collect())].into(),
            own: vec!["10.0.0.0/16".parse().unwrap()],
            gateways: [(NatGatewayId::from_random(1), GATEWAY)].into(),
        };
        assert!(
            !leaving.is_other(OWN, Ipv4Addr::new(10, 0, 9, 9), source, &BTreeMap::new()),
            "within the VPC"
        );
        assert!(!leaving.is_other(GATEWAY, OUTSIDE, source, &BTreeMap::new()), "no port of here");
        [BTreeMap::from([(OWN, ELASTIC)]), BTreeMap::new()]
            .map(|to| leaving.is_other(OWN, OUTSIDE, source, &to))
    }

    #[test]
    fn a_flow_leaves_under_the_address_of_the_way_that_its_route_leads_now() {
        let ends_of = |routes: &[(&str, RouteTo)]| [OWN, ELASTIC, GATEWAY].map(|source| ends(routes, source));
        let everywhere = |to| ends_of(&[("0.0.0.0/0", to)]);
        let own = [[false, false], [true, true], [true, true]];
        let nat = |n| RouteTo::Nat(NatGatewayId::from_random(n));
        let internet = [[true, false], [false, true], [true, true]];
        assert_eq!(everywhere(RouteTo::Internet), internet);
        assert_eq!(everywhere(nat(1)), [[true, true], [true, true], [false, false]]);
        // Another host's gateway translates there.
        for to in [nat(2), RouteTo::Interface(EniId::from_random(1)), RouteTo::Nowhere] {
            assert_eq!(everywhere(to), own, "{to:?}");
        }
        assert_eq!(everywhere(RouteTo::Peering(VpcPeeringConnectionId::from_random(1))), own);
        assert_eq!(ends_of(&[]), own);
        let longer = [("198.51.100.0/24", RouteTo::Internet), ("0.0.0.0/0", nat(1))];
        assert_eq!(ends_of(&longer), internet);
    }
}
