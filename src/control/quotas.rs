//! How many of a thing there may be: unless the operator says otherwise, what EC2 gives to each account in each region.

use serde::Deserialize;

/// The limits of one account in one region, the section `[quotas]` of the configuration. The defaults are EC2's
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>,
/// <https://docs.aws.amazon.com/general/latest/gr/ec2-service.html>).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    pub peerings_per_vpc: usize,
    /// Those that a VPC has asked for and nobody has answered.
    pub peering_requests_per_vpc: usize,
    pub dhcp_options: usize,
    pub prefix_lists: usize,
    pub network_acls_per_vpc: usize,
    /// Of each direction and family, besides the last one, which is always there.
    pub entries_per_network_acl: usize,
    pub network_interfaces: usize,
    pub security_groups_per_vpc: usize,
    /// Of each direction.
    pub rules_per_security_group: usize,
    pub security_groups_per_interface: usize,
    pub elastic_addresses: usize,
    pub key_pairs: usize,
    pub launch_templates: usize,
    pub versions_per_launch_template: usize,
    /// Images of the account's own.
    pub images: usize,
    pub network_insights_paths: usize,
    pub network_insights_analyses: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            vpcs: 5,
            blocks_per_vpc: 5,
            ipv6_blocks_per_vpc: 5,
            subnets_per_vpc: 200,
            route_tables_per_vpc: 200,
            routes_per_table: 500,
            internet_gateways: 5,
            nat_gateways_per_zone: 5,
            peerings_per_vpc: 50,
            peering_requests_per_vpc: 25,
            dhcp_options: 100,
            prefix_lists: 100,
            network_acls_per_vpc: 200,
            entries_per_network_acl: 20,
            network_interfaces: 5_000,
            security_groups_per_vpc: 2_500,
            rules_per_security_group: 60,
            security_groups_per_interface: 5,
            elastic_addresses: 5,
            key_pairs: 5_000,
            launch_templates: 5_000,
            versions_per_launch_template: 10_000,
            images: 50_000,
            network_insights_paths: 100,
            network_insights_analyses: 1_000,
        }
    }
}
