//! The columns of each table.

mod groups;
mod insights;
mod instances;
mod ipv6;
mod launch_templates;
mod operator;
mod peerings;
mod prefix_lists;
mod resources;
mod vpcs;

/// `Row, "table", keys; |row| { column: cell, … }; |reader| Row { … }`
macro_rules! table {
    ($row:ty, $name:literal, $keys:literal;
     |$this:ident| { $($column:ident: $cell:expr),+ $(,)? };
     |$reader:ident| $read:expr) => {
        impl Table for $row {
            const NAME: &'static str = $name;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),+];
            const KEYS: usize = $keys;

            fn cells(&self) -> Vec<Cell> {
                let $this = self;
                vec![$($cell),+]
            }

            fn read($reader: &Reader<'_>) -> Result<Self, ReadError> {
                Ok($read)
            }
        }
    };
}
use table;

pub(super) use resources::{parse_space, space_word};
pub(super) use vpcs::{direction_word, parse_direction};

/// Gives the types of all tables' rows to a macro.
macro_rules! every_table {
    ($with:ident) => {
        $with! {
            Account, AccessKey, Pool, Ipv6Pool, Network, Host, Image, Vpc, Subnet, DhcpOptions, InternetGateway, EgressGateway,
            NatGateway, Peering, RouteTable, RouteTableAssociation, Route, Ipv6Route, SubnetCidrReservation, PrefixList,
            PrefixListVersion, NetworkAcl, AclEntry, AclAssociation, Group, Rule, KeyPair, Instance, Eni,
            Address, AddressTransfer, InsightsPath, InsightsAnalysis, LaunchTemplate, LaunchTemplateVersion, Tag, Claim,
            Deployment, Freed, FreedIpv6, Token
        }
    };
}
pub(super) use every_table;

/// The names of all tables that a World has rows of.
pub(super) fn names() -> Vec<&'static str> {
    use super::table::Table;
    use crate::world::*;
    macro_rules! names {
        ($($row:ident),*) => { vec![$($row::NAME),*] };
    }
    every_table!(names)
}

/// What every file of tables uses.
mod prelude {
    pub(super) use super::table;
    pub(super) use crate::store::cell::{Cell, ReadError, Reader, bool, count, int, text, text_or_null};
    pub(super) use crate::store::table::Table;
    pub(super) use crate::world::*;
}
