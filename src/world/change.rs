//! Changes: what a command does to the World, and what the store writes.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;

macro_rules! tables {
    ($($name:ident: $row:ty, $key:ty, |$this:ident| $of:expr;)*) => {
        /// A row to insert or replace.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Row { $($name(Arc<$row>),)* }

        /// The key of a row to delete.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Key { $($name($key),)* }

        impl Row {
            /// The key that the row is kept under.
            pub fn key(&self) -> Key {
                match self {
                    $(Self::$name($this) => Key::$name($of),)*
                }
            }
        }

        $(impl From<$row> for Row {
            fn from(row: $row) -> Self {
                Self::$name(Arc::new(row))
            }
        })*
    };
}

tables! {
    Account: Account, AccountId, |row| row.id;
    AccessKey: AccessKey, Arc<str>, |row| row.id.clone();
    Pool: Pool, PoolId, |row| row.id;
    Ipv6Pool: Ipv6Pool, Cidr6, |row| row.cidr;
    Network: Network, Arc<str>, |row| row.name.clone();
    Host: Host, Arc<str>, |row| row.name.clone();
    Image: Image, ImageId, |row| row.id;
    Vpc: Vpc, VpcId, |row| row.id;
    Subnet: Subnet, SubnetId, |row| row.id;
    DhcpOptions: DhcpOptions, DhcpOptionsId, |row| row.id;
    InternetGateway: InternetGateway, InternetGatewayId, |row| row.id;
    EgressGateway: EgressGateway, EgressGatewayId, |row| row.id;
    NatGateway: NatGateway, NatGatewayId, |row| row.id;
    Peering: Peering, VpcPeeringConnectionId, |row| row.id;
    RouteTable: RouteTable, RouteTableId, |row| row.id;
    RouteTableAssociation: RouteTableAssociation, RouteTableAssociationId, |row| row.id;
    Route: Route, (RouteTableId, Destination<Cidr4>), |row| (row.table, row.destination);
    Ipv6Route: Ipv6Route, (RouteTableId, Destination<Cidr6>), |row| (row.table, row.destination);
    SubnetCidrReservation: SubnetCidrReservation, SubnetCidrReservationId, |row| row.id;
    PrefixList: PrefixList, PrefixListId, |row| row.id;
    PrefixListVersion: PrefixListVersion, (PrefixListId, u64), |row| (row.list, row.number);
    NetworkAcl: NetworkAcl, NetworkAclId, |row| row.id;
    AclEntry: AclEntry, AclEntryKey, |row| (row.acl, row.direction, row.number);
    AclAssociation: AclAssociation, NetworkAclAssociationId, |row| row.id;
    Group: Group, GroupId, |row| row.id;
    Rule: Rule, RuleId, |row| row.id;
    KeyPair: KeyPair, KeyPairId, |row| row.id;
    InsightsPath: InsightsPath, InsightsPathId, |row| row.id;
    InsightsAnalysis: InsightsAnalysis, InsightsAnalysisId, |row| row.id;
    LaunchTemplate: LaunchTemplate, LaunchTemplateId, |row| row.id;
    LaunchTemplateVersion: LaunchTemplateVersion, (LaunchTemplateId, u64), |row| (row.template, row.number);
    Instance: Instance, InstanceId, |row| row.id;
    Eni: Eni, EniId, |row| row.id;
    Address: Address, AllocationId, |row| row.id;
    AddressTransfer: AddressTransfer, (Owner, AllocationId), |row| (row.owner.clone(), row.allocation);
    Tag: Tag, (ResourceId, Arc<str>), |row| (row.resource, row.key.clone());
    Claim: Claim, (Space, Ipv4Addr), |row| (row.space.clone(), row.address);
    Deployment: Deployment, (), |_row| ();
    Freed: Freed, (Space, Ipv4Addr), |row| (row.space.clone(), row.address);
    FreedIpv6: FreedIpv6, Cidr6, |row| row.cidr;
    Token: Token, TokenKey, |row| row.key.clone();
}

/// One step from a World to the next. Interpreted by `World::apply` and by the store, alike.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    Put(Row),
    Delete(Key),
}

impl Change {
    /// Inserts the row, or replaces the one with the same key.
    pub fn put(row: impl Into<Row>) -> Self {
        Self::Put(row.into())
    }
}
