//! Changes: what a command does to the World, and what the store writes.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;

macro_rules! tables {
    ($($name:ident: $row:ty, $key:ty;)*) => {
        /// A row to insert or replace.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Row { $($name(Arc<$row>),)* }

        /// The key of a row to delete.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Key { $($name($key),)* }

        $(impl From<$row> for Row {
            fn from(row: $row) -> Self {
                Self::$name(Arc::new(row))
            }
        })*
    };
}

tables! {
    Account: Account, AccountId;
    AccessKey: AccessKey, Arc<str>;
    Pool: Pool, PoolId;
    Network: Network, Arc<str>;
    Host: Host, Arc<str>;
    Image: Image, ImageId;
    Vpc: Vpc, VpcId;
    Subnet: Subnet, SubnetId;
    Group: Group, GroupId;
    Rule: Rule, RuleId;
    KeyPair: KeyPair, KeyPairId;
    Instance: Instance, InstanceId;
    Eni: Eni, EniId;
    Address: Address, AllocationId;
    Tag: Tag, (ResourceId, Arc<str>);
    Freed: Freed, (Space, Ipv4Addr);
    Token: Token, TokenKey;
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
