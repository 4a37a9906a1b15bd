//! Managed prefix lists: rules and routes name them, and mean the blocks that are in them now
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html>).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::World;
use crate::types::*;

/// How a list came to be as it is; all that EC2 does step by step is done at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixListState {
    Created,
    Modified,
    Restored,
}

/// A managed prefix list. Its entries are rows of their own, a row for each version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixList {
    pub id: PrefixListId,
    pub owner: Owner,
    pub name: Arc<str>,
    /// Its entries are of IPv6, else of IPv4.
    pub is_ipv6: bool,
    /// What each rule or route that names it counts as.
    pub max_entries: u32,
    /// The one that counts, which is the newest.
    pub version: u64,
    pub state: PrefixListState,
    pub created: Micros,
}

/// What a list had in it: a version never changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixListVersion {
    pub list: PrefixListId,
    /// From 1.
    pub number: u64,
    /// By block, each once.
    pub entries: Arc<[PrefixListEntry]>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixListEntry {
    pub block: Cidr,
    pub description: Option<Arc<str>>,
}

/// What packets a route is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Destination<C> {
    Block(C),
    /// Those to the blocks that are in the list now.
    PrefixList(PrefixListId),
}

impl<C: fmt::Display> fmt::Display for Destination<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) => block.fmt(f),
            Self::PrefixList(id) => id.fmt(f),
        }
    }
}

impl<C: FromStr> FromStr for Destination<C> {
    type Err = C::Err;
    fn from_str(text: &str) -> Result<Self, C::Err> {
        text.parse().map(Self::PrefixList).or_else(|_| text.parse().map(Self::Block))
    }
}

impl<C> From<C> for Destination<C> {
    fn from(block: C) -> Self {
        Self::Block(block)
    }
}

impl<C> Destination<C> {
    /// The list that it is.
    pub const fn list(&self) -> Option<PrefixListId> {
        match self {
            Self::PrefixList(list) => Some(*list),
            Self::Block(_) => None,
        }
    }
}

impl World {
    /// The entries of a list now, by block; none of one that there is not.
    pub fn entries_of(&self, list: PrefixListId) -> Arc<[PrefixListEntry]> {
        let version = self.prefix_lists.get(&list).map(|row| row.version);
        let version = version.and_then(|number| self.prefix_list_versions.get(&(list, number)));
        version.map_or_else(|| [].into(), |row| row.entries.clone())
    }

    /// The rules that name a list, by id.
    pub fn rules_with_list(&self, list: PrefixListId) -> impl Iterator<Item = &Arc<super::Rule>> {
        let first = (list, RuleId::from_random(0));
        let naming = self.index.rules_by_prefix_list.range(first..).take_while(move |(of, _)| *of == list);
        naming.filter_map(|(_, rule)| self.rules.get(rule))
    }

    /// The route tables with a route to what is in a list, by id.
    pub fn tables_with_list(&self, list: PrefixListId) -> impl Iterator<Item = &Arc<super::RouteTable>> {
        let first = (list, RouteTableId::from_random(0));
        let naming = self.index.tables_by_prefix_list.range(first..).take_while(move |(of, _)| *of == list);
        naming.filter_map(|(_, table)| self.route_tables.get(table))
    }
}
