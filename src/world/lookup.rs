//! Lookups over the indexes that both decisions and plans make.

use super::*;

impl World {
    /// The networks that hosts join on their flat interface, by name.
    pub fn flat_networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.networks.values().filter(|network| network.vpc.is_none())
    }

    /// A host's instances, by id.
    pub fn instances_on(&self, host: &str) -> impl Iterator<Item = &Arc<Instance>> {
        let host: Arc<str> = host.into();
        self.index
            .instances_by_host
            .range((host.clone(), InstanceId::from_random(0))..)
            .take_while(move |(on, _)| *on == host)
            .filter_map(|(_, id)| self.instances.get(id))
    }

    /// An instance's interfaces, by device index.
    pub fn interfaces_of(&self, instance: InstanceId) -> Vec<Arc<Eni>> {
        let mut enis: Vec<_> = self
            .index
            .enis_by_instance
            .range((instance, EniId::from_random(0))..)
            .take_while(|(of, _)| *of == instance)
            .filter_map(|(_, id)| self.enis.get(id).cloned())
            .collect();
        enis.sort_by_key(|eni| (eni.attachment.map(|attachment| attachment.device_index), eni.id));
        enis
    }

    /// The elastic addresses that lead to an interface.
    pub fn addresses_of(&self, eni: EniId) -> impl Iterator<Item = &Arc<Address>> {
        self.index
            .addresses_by_eni
            .range((eni, AllocationId::from_random(0))..)
            .take_while(move |(of, _)| *of == eni)
            .filter_map(|(_, id)| self.addresses.get(id))
    }

    /// The addresses that reverse DNS has a name for, with their names.
    pub fn reverse_names(&self) -> impl Iterator<Item = (std::net::Ipv4Addr, Arc<str>)> {
        let rows = self.index.addresses_with_name.iter().filter_map(|id| self.addresses.get(id));
        rows.filter_map(|row| Some((row.public_ip, row.domain_name.clone()?)))
    }

    /// The addresses that a host may answer for, or must let go of.
    pub fn claims_of(&self, host: &str) -> impl Iterator<Item = &Arc<Claim>> {
        let host: Arc<str> = host.into();
        let first = (host.clone(), Space::Pool(PoolId::from_random(0)), std::net::Ipv4Addr::UNSPECIFIED);
        self.index
            .claims_by_host
            .range(first..)
            .take_while(move |(of, ..)| *of == host)
            .filter_map(|(_, space, address)| self.claims.get(&(space.clone(), *address)))
    }

    /// The networks of an isolated VPC's subnets.
    pub fn networks_of(&self, vpc: VpcId) -> impl Iterator<Item = &Arc<Network>> {
        let of_vpc = move |network: &&Arc<Network>| network.vpc == Some(vpc);
        self.subnets_of(vpc).filter_map(|subnet| self.networks.get(&subnet.network)).filter(of_vpc)
    }

    /// The parts of a subnet that are kept from automatic allocation, by id.
    pub fn reservations_of(&self, subnet: SubnetId) -> impl Iterator<Item = &Arc<SubnetCidrReservation>> {
        self.index
            .reservations_by_subnet
            .range((subnet, SubnetCidrReservationId::from_random(0))..)
            .take_while(move |(of, _)| *of == subnet)
            .filter_map(|(_, id)| self.subnet_cidr_reservations.get(id))
    }

    /// A VPC's subnets, by id.
    pub fn subnets_of(&self, vpc: VpcId) -> impl Iterator<Item = &Arc<Subnet>> {
        self.index
            .subnets_by_vpc
            .range((vpc, SubnetId::from_random(0))..)
            .take_while(move |(of, _)| *of == vpc)
            .filter_map(|(_, id)| self.subnets.get(id))
    }

    /// The NAT gateway that an interface is of.
    pub fn nat_gateway_of(&self, eni: EniId) -> Option<&Arc<NatGateway>> {
        self.nat_gateways.get(self.index.nat_gateway_by_eni.get(&eni)?)
    }

    /// A VPC's NAT gateways, those that are deleted too, by id.
    pub fn nat_gateways_of(&self, vpc: VpcId) -> impl Iterator<Item = &Arc<NatGateway>> {
        self.index
            .nat_gateways_by_vpc
            .range((vpc, NatGatewayId::from_random(0))..)
            .take_while(move |(of, _)| *of == vpc)
            .filter_map(|(_, id)| self.nat_gateways.get(id))
    }

    /// The NAT gateways that are at work on a host, by id.
    pub fn nat_gateways_on(&self, host: &str) -> impl Iterator<Item = &Arc<NatGateway>> {
        let host: Arc<str> = host.into();
        self.index
            .nat_gateways_by_host
            .range((host.clone(), NatGatewayId::from_random(0))..)
            .take_while(move |(on, _)| *on == host)
            .filter_map(|(_, id)| self.nat_gateways.get(id))
    }

    /// A VPC's route tables, by id.
    pub fn route_tables_of(&self, vpc: VpcId) -> impl Iterator<Item = &Arc<RouteTable>> {
        self.index
            .route_tables_by_vpc
            .range((vpc, RouteTableId::from_random(0))..)
            .take_while(move |(of, _)| *of == vpc)
            .filter_map(|(_, id)| self.route_tables.get(id))
    }

    /// The route table that a subnet obeys: its own, else the VPC's main one.
    pub fn route_table_of(&self, vpc: VpcId, subnet: SubnetId) -> Option<&Arc<RouteTable>> {
        let associations = &self.index.route_table_association_of;
        let id = associations.get(&(vpc, Some(subnet))).or_else(|| associations.get(&(vpc, None)))?;
        self.route_tables.get(&self.route_table_associations.get(id)?.table)
    }

    /// The routes that were made in a table, by destination.
    pub fn routes_of(&self, table: RouteTableId) -> impl Iterator<Item = &Arc<Route>> {
        let first = Destination::Block(ipnet::Ipv4Net::default().into());
        self.routes.range((table, first)..).take_while(move |((of, _), _)| *of == table).map(|(_, row)| row)
    }

    /// The routes of IPv6 that were made in a table, by destination.
    pub fn ipv6_routes_of(&self, table: RouteTableId) -> impl Iterator<Item = &Arc<Ipv6Route>> {
        let first = Destination::Block(ipnet::Ipv6Net::default().into());
        self.ipv6_routes
            .range((table, first)..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|(_, row)| row)
    }

    /// A VPC's egress-only internet gateways, by id.
    pub fn egress_gateways_of(&self, vpc: VpcId) -> impl Iterator<Item = &Arc<EgressGateway>> {
        self.index
            .egress_gateways_by_vpc
            .range((vpc, EgressGatewayId::from_random(0))..)
            .take_while(move |(of, _)| *of == vpc)
            .filter_map(|(_, id)| self.egress_gateways.get(id))
    }

    /// The network ACL of a subnet.
    pub fn acl_of(&self, subnet: SubnetId) -> Option<&Arc<NetworkAcl>> {
        let id = self.index.acl_association_of.get(&subnet)?;
        self.network_acls.get(&self.acl_associations.get(id)?.acl)
    }

    /// The entries of a network ACL in one direction, by number.
    pub fn acl_entries_of(
        &self,
        acl: NetworkAclId,
        direction: Direction,
    ) -> impl Iterator<Item = &Arc<AclEntry>> {
        self.acl_entries
            .range((acl, direction, 0)..)
            .take_while(move |((of, way, _), _)| *of == acl && *way == direction)
            .map(|(_, row)| row)
    }

    /// A group's rules, by id.
    pub fn rules_of(&self, group: GroupId) -> impl Iterator<Item = &Arc<Rule>> {
        self.index
            .rules_by_group
            .range((group, RuleId::from_random(0))..)
            .take_while(move |(of, _)| *of == group)
            .filter_map(|(_, id)| self.rules.get(id))
    }

    /// A resource's tags, by key.
    pub fn tags_of(&self, resource: ResourceId) -> impl Iterator<Item = &Arc<Tag>> {
        let first: (ResourceId, Arc<str>) = (resource, "".into());
        self.tags.range(first..).take_while(move |((of, _), _)| *of == resource).map(|(_, tag)| tag)
    }
}
