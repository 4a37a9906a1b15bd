//! How many of a thing there may be: what EC2 gives to each account in each region
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>).

/// The limits of one account in one region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quotas {
    pub vpcs: usize,
    pub blocks_per_vpc: usize,
    pub ipv6_blocks_per_vpc: usize,
    pub subnets_per_vpc: usize,
    pub route_tables_per_vpc: usize,
    /// "Enforced separately for IPv4 routes and IPv6 routes"; the VPC's own blocks are not counted.
    pub routes_per_table: usize,
    pub internet_gateways: usize,
    pub nat_gateways_per_zone: usize,
    pub dhcp_options: usize,
    pub network_acls_per_vpc: usize,
    /// Of each direction, besides the last one, which is always there.
    pub entries_per_network_acl: usize,
}

/// The same for everybody.
pub const QUOTAS: Quotas = Quotas {
    vpcs: 5,
    blocks_per_vpc: 5,
    ipv6_blocks_per_vpc: 5,
    subnets_per_vpc: 200,
    route_tables_per_vpc: 200,
    routes_per_table: 50,
    internet_gateways: 5,
    nat_gateways_per_zone: 5,
    dhcp_options: 100,
    network_acls_per_vpc: 200,
    entries_per_network_acl: 20,
};
