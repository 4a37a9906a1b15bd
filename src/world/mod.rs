//! The whole control-plane state as plain values with structural sharing.
//!
//! A [`World`] is cheap to clone and never changes under a reader: the writer edits its own copy
//! with [`Change`]s and publishes it by an atomic swap. Rows are what the store keeps, one type per
//! table; indexes are derived from rows in `apply` and nowhere else, so a loaded World and one that
//! grew by changes are equal.

mod apply;
mod change;
mod index;
mod ipv6;
mod lookup;
mod peerings;
mod prefix_lists;
mod rows;
mod vpcs;

pub use change::{Change, Key, Row};
pub use ipv6::*;
pub use peerings::*;
pub use prefix_lists::*;
pub use rows::*;
pub use vpcs::*;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::types::*;

/// Which pool of addresses a private or public address was taken from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    /// The elastic addresses of a pool.
    Pool(PoolId),
    /// The instance addresses of a network, by its name.
    Network(Arc<str>),
}

/// The state of everything, at one generation.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct World {
    /// Grows by one with each committed transaction.
    pub generation: u64,
    /// The generation that the present history began with, after a backup was restored or commits were lost; 0 where nothing
    /// ever was. A host that has not come so far may have addresses that nothing here knows of.
    pub begun: u64,

    pub accounts: OrdMap<AccountId, Arc<Account>>,
    pub access_keys: OrdMap<Arc<str>, Arc<AccessKey>>,
    pub pools: OrdMap<PoolId, Arc<Pool>>,
    pub ipv6_pools: OrdMap<Cidr6, Arc<Ipv6Pool>>,
    pub networks: OrdMap<Arc<str>, Arc<Network>>,
    pub hosts: OrdMap<Arc<str>, Arc<Host>>,
    pub images: OrdMap<ImageId, Arc<Image>>,
    pub vpcs: OrdMap<VpcId, Arc<Vpc>>,
    pub subnets: OrdMap<SubnetId, Arc<Subnet>>,
    pub dhcp_options: OrdMap<DhcpOptionsId, Arc<DhcpOptions>>,
    pub internet_gateways: OrdMap<InternetGatewayId, Arc<InternetGateway>>,
    pub egress_gateways: OrdMap<EgressGatewayId, Arc<EgressGateway>>,
    pub nat_gateways: OrdMap<NatGatewayId, Arc<NatGateway>>,
    pub peerings: OrdMap<VpcPeeringConnectionId, Arc<Peering>>,
    pub route_tables: OrdMap<RouteTableId, Arc<RouteTable>>,
    pub route_table_associations: OrdMap<RouteTableAssociationId, Arc<RouteTableAssociation>>,
    pub routes: OrdMap<(RouteTableId, Destination<Cidr4>), Arc<Route>>,
    pub ipv6_routes: OrdMap<(RouteTableId, Destination<Cidr6>), Arc<Ipv6Route>>,
    pub subnet_cidr_reservations: OrdMap<SubnetCidrReservationId, Arc<SubnetCidrReservation>>,
    pub prefix_lists: OrdMap<PrefixListId, Arc<PrefixList>>,
    /// By list and number.
    pub prefix_list_versions: OrdMap<(PrefixListId, u64), Arc<PrefixListVersion>>,
    pub network_acls: OrdMap<NetworkAclId, Arc<NetworkAcl>>,
    pub acl_entries: OrdMap<AclEntryKey, Arc<AclEntry>>,
    pub acl_associations: OrdMap<NetworkAclAssociationId, Arc<AclAssociation>>,
    pub groups: OrdMap<GroupId, Arc<Group>>,
    pub rules: OrdMap<RuleId, Arc<Rule>>,
    pub key_pairs: OrdMap<KeyPairId, Arc<KeyPair>>,
    pub insights_paths: OrdMap<InsightsPathId, Arc<InsightsPath>>,
    pub insights_analyses: OrdMap<InsightsAnalysisId, Arc<InsightsAnalysis>>,
    pub launch_templates: OrdMap<LaunchTemplateId, Arc<LaunchTemplate>>,
    /// By template and number.
    pub launch_template_versions: OrdMap<(LaunchTemplateId, u64), Arc<LaunchTemplateVersion>>,
    pub instances: OrdMap<InstanceId, Arc<Instance>>,
    pub enis: OrdMap<EniId, Arc<Eni>>,
    pub addresses: OrdMap<AllocationId, Arc<Address>>,
    /// By the account that they are from.
    pub address_transfers: OrdMap<(Owner, AllocationId), Arc<AddressTransfer>>,
    pub tags: OrdMap<(ResourceId, Arc<str>), Arc<Tag>>,
    pub claims: OrdMap<(Space, Ipv4Addr), Arc<Claim>>,
    pub deployment: Option<Arc<Deployment>>,
    pub freed: OrdMap<(Space, Ipv4Addr), Arc<Freed>>,
    pub freed_ipv6: OrdMap<Cidr6, Arc<FreedIpv6>>,
    pub tokens: OrdMap<TokenKey, Arc<Token>>,

    pub index: Index,
}

/// Derived from the rows; equal rows give an equal index.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Index {
    pub vpcs_by_owner: OrdSet<(Owner, VpcId)>,
    pub subnets_by_vpc: OrdSet<(VpcId, SubnetId)>,
    pub subnets_by_network: OrdSet<(Arc<str>, SubnetId)>,
    pub reservations_by_subnet: OrdSet<(SubnetId, SubnetCidrReservationId)>,
    pub vpcs_by_dhcp_options: OrdSet<(DhcpOptionsId, VpcId)>,
    pub vpcs_by_vni: OrdSet<(u32, VpcId)>,
    pub internet_gateways_by_vpc: OrdSet<(VpcId, InternetGatewayId)>,
    pub nat_gateways_by_vpc: OrdSet<(VpcId, NatGatewayId)>,
    pub egress_gateways_by_vpc: OrdSet<(VpcId, EgressGatewayId)>,
    /// Which NAT gateway an interface is of; none of those that are deleted.
    pub nat_gateway_by_eni: OrdMap<EniId, NatGatewayId>,
    pub nat_gateways_by_host: OrdSet<(Arc<str>, NatGatewayId)>,
    /// Deleted ones, oldest first, for the reaper.
    pub nat_gateways_deleted: OrdSet<(Micros, NatGatewayId)>,
    /// By both of their VPCs.
    pub peerings_by_vpc: OrdSet<(VpcId, VpcPeeringConnectionId)>,
    /// Those that something becomes of with time, by when that is, see [`Peering::due`].
    pub peerings_due: OrdSet<(Micros, VpcPeeringConnectionId)>,
    pub route_tables_by_vpc: OrdSet<(VpcId, RouteTableId)>,
    pub route_table_associations_by_table: OrdSet<(RouteTableId, RouteTableAssociationId)>,
    /// Which table is the main one of a VPC, or that of a subnet: (VPC, subnet or main).
    pub route_table_association_of: OrdMap<(VpcId, Option<SubnetId>), RouteTableAssociationId>,
    pub network_acls_by_vpc: OrdSet<(VpcId, NetworkAclId)>,
    pub acl_associations_by_acl: OrdSet<(NetworkAclId, NetworkAclAssociationId)>,
    pub acl_association_of: OrdMap<SubnetId, NetworkAclAssociationId>,
    pub groups_by_vpc: OrdSet<(VpcId, GroupId)>,
    pub group_by_name: OrdMap<(VpcId, Arc<str>), GroupId>,
    pub rules_by_group: OrdSet<(GroupId, RuleId)>,
    /// Rules that name a group as their source or destination: (the group named, the rule).
    pub rules_by_target: OrdSet<(GroupId, RuleId)>,
    /// Rules, and tables with routes, that name a prefix list.
    pub rules_by_prefix_list: OrdSet<(PrefixListId, RuleId)>,
    pub tables_by_prefix_list: OrdSet<(PrefixListId, RouteTableId)>,
    pub key_pair_by_name: OrdMap<(Owner, Arc<str>), KeyPairId>,
    pub insights_paths_by_owner: OrdSet<(Owner, InsightsPathId)>,
    pub insights_analyses_by_path: OrdSet<(InsightsPathId, InsightsAnalysisId)>,
    pub launch_template_by_name: OrdMap<(Owner, Arc<str>), LaunchTemplateId>,
    pub instances_by_owner: OrdSet<(Owner, InstanceId)>,
    pub instances_by_host: OrdSet<(Arc<str>, InstanceId)>,
    /// Terminated instances, oldest first, for the reaper.
    pub terminated: OrdSet<(Micros, InstanceId)>,
    pub enis_by_owner: OrdSet<(Owner, EniId)>,
    pub enis_by_subnet: OrdSet<(SubnetId, EniId)>,
    pub enis_by_instance: OrdSet<(InstanceId, EniId)>,
    pub enis_by_group: OrdSet<(GroupId, EniId)>,
    /// Private addresses, secondary ones too, within a subnet's network: (network name, address).
    pub eni_by_private_ip: OrdMap<(Arc<str>, Ipv4Addr), EniId>,
    /// IPv6 addresses, each of which is there once: no two VPCs have the same block.
    pub eni_by_ipv6: OrdMap<Ipv6Addr, EniId>,
    pub addresses_by_owner: OrdSet<(Owner, AllocationId)>,
    /// How many each has that did not come by themselves: to count thousands takes longer than to give out another.
    pub elastic_addresses: OrdMap<Owner, usize>,
    pub address_by_public_ip: OrdMap<Ipv4Addr, AllocationId>,
    pub addresses_by_eni: OrdSet<(EniId, AllocationId)>,
    /// Addresses that reverse DNS has a name for.
    pub addresses_with_name: OrdSet<AllocationId>,
    pub address_by_association: OrdMap<AssociationId, AllocationId>,
    pub addresses_by_transit: OrdSet<(u16, AllocationId)>,
    /// Transfers by when nobody is told of them any more, soonest first.
    pub transfers_by_end: OrdSet<(Micros, (Owner, AllocationId))>,
    pub claims_by_host: OrdSet<(Arc<str>, Space, Ipv4Addr)>,
    /// Freed addresses of a space, oldest first.
    pub freed_by_age: OrdSet<(Space, Micros, Ipv4Addr)>,
    /// What was freed of IPv6, by the length of its prefix, oldest first.
    pub freed_ipv6_by_age: OrdSet<(u8, Micros, Cidr6)>,
    pub tokens_by_age: OrdSet<(Micros, TokenKey)>,
}
