//! Managed prefix lists: create, modify, restore, delete, describe; what names them.

mod change;
mod create;
mod describe;
mod entries;
#[cfg(test)]
mod tests;

pub use change::{
    delete_managed_prefix_list, modify_managed_prefix_list, restore_managed_prefix_list_version,
};
pub use create::create_managed_prefix_list;
pub use describe::{
    describe_managed_prefix_lists, describe_prefix_lists, get_managed_prefix_list_associations,
    get_managed_prefix_list_entries,
};

use std::sync::Arc;

use super::View;
use crate::query::{Fault, FaultCode};
use crate::types::PrefixListId;
use crate::world::{PrefixList, World};

/// The caller's prefix list with this id.
///
/// # Errors
/// There is none.
pub fn find<'w>(view: &View<'w>, id: PrefixListId) -> Result<&'w Arc<PrefixList>, Fault> {
    let row = view.world.prefix_lists.get(&id).filter(|row| row.owner == view.caller.owner);
    row.ok_or_else(|| no_list(id))
}

fn no_list(id: PrefixListId) -> Fault {
    FaultCode::InvalidPrefixListIDNotFound.with(format!("The prefix list ID '{id}' does not exist"))
}

/// As how many rules, or routes, one counts that names the list: "the maximum number of entries for the prefix list counts
/// against the quota for the number of entries for the resource", however many there are
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html>).
pub fn weight(world: &World, id: PrefixListId) -> usize {
    world.prefix_lists.get(&id).map_or(1, |row| usize::try_from(row.max_entries).unwrap_or(usize::MAX))
}
