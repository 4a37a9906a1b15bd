//! ModifyManagedPrefixList, RestoreManagedPrefixListVersion and DeleteManagedPrefixList.

use std::collections::BTreeSet;

use super::entries::{self, Entries};
use super::{describe, find};
use crate::control::{Decision, View, routes, rules, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, PrefixList, PrefixListState, PrefixListVersion, World};

/// So many versions of a list are kept, the newest ones. EC2 keeps 1,000: with 1,000 entries each, one account's lists
/// would fill a server's memory.
const KEPT: u64 = 100;

pub fn modify_managed_prefix_list(
    decision: &mut Decision,
    request: &ModifyManagedPrefixListRequest,
) -> Result<ModifyManagedPrefixListResponse, Fault> {
    let view = decision.view();
    let old = find(&view, request.prefix_list_id)?.clone();
    let changes_entries = !request.add_entries.is_empty() || !request.remove_entries.is_empty();
    if changes_entries && request.max_entries.is_some() {
        return Err(FaultCode::InvalidParameterCombination.with(
            "You cannot modify the entries and the maximum entries for the prefix list in the same request.",
        ));
    }
    if !changes_entries && request.max_entries.is_none() && request.prefix_list_name.is_none() {
        return Err(FaultCode::MissingParameter.with(
            "The request must contain one of the parameters AddEntry, RemoveEntry, MaxEntries, PrefixListName",
        ));
    }
    entries::is_current(&old, request.current_version)?;
    let mut row = PrefixList { state: PrefixListState::Modified, ..PrefixList::clone(&old) };
    if let Some(name) = &request.prefix_list_name {
        row.name = entries::name(name)?;
    }
    if let Some(wanted) = request.max_entries {
        row.max_entries = u32::try_from(wanted).unwrap_or(u32::MAX);
        entries::fit(view.world.entries_of(row.id).len(), row.max_entries)?;
    }
    if changes_entries {
        let changed = changed(view.world, &old, request)?;
        next_version(decision, &mut row, changed)?;
    }
    decision.put(row);
    if request.max_entries.is_some() {
        check_references(&decision.view(), old.id)?;
    }
    let prefix_list = told(&decision.world, &decision.world.prefix_lists[&old.id], "modify-in-progress");
    Ok(ModifyManagedPrefixListResponse { prefix_list })
}

/// The entries after what goes and what comes, in this order: so an entry gets another description.
fn changed(
    world: &World,
    row: &PrefixList,
    request: &ModifyManagedPrefixListRequest,
) -> Result<Entries, Fault> {
    let refuse = |block: Cidr, why: &str| {
        FaultCode::InvalidPrefixListModification.with(format!("The prefix list entry ({block}) {why}."))
    };
    let mut now = entries::of(&world.entries_of(row.id));
    let mut gone = BTreeSet::new();
    for entry in &request.remove_entries {
        let block = entries::block(row.is_ipv6, entry.cidr.as_deref())?;
        if !gone.insert(block) {
            return Err(entries::twice(block));
        }
        if now.remove(&block).is_none() {
            return Err(refuse(block, "does not exist"));
        }
    }
    for (block, description) in entries::added(row.is_ipv6, &request.add_entries)? {
        if now.insert(block, description).is_some() {
            return Err(refuse(block, "already exists"));
        }
    }
    Ok(now)
}

/// Gives a list another version, which counts from now on.
fn next_version(decision: &mut Decision, row: &mut PrefixList, entries: Entries) -> Result<(), Fault> {
    entries::fit(entries.len(), row.max_entries)?;
    row.version += 1;
    decision.put(PrefixListVersion { list: row.id, number: row.version, entries: entries::kept(entries) });
    if let Some(oldest) = row.version.checked_sub(KEPT).filter(|oldest| *oldest > 0) {
        decision.delete(Key::PrefixListVersion((row.id, oldest)));
    }
    Ok(())
}

/// "If any of the resources that reference the prefix list cannot support the new maximum size, the modify operation fails"
/// (API_ModifyManagedPrefixList).
fn check_references(view: &View, list: PrefixListId) -> Result<(), Fault> {
    let world = view.world;
    let groups: BTreeSet<_> = world.rules_with_list(list).map(|rule| (rule.group, rule.direction)).collect();
    for (group, direction) in groups {
        let of = world.rules_of(group).filter(|rule| rule.direction == direction);
        rules::check_count(view, of.map(|rule| &rule.target))?;
    }
    world.tables_with_list(list).try_for_each(|table| routes::check_count(view, table.id))
}

pub fn restore_managed_prefix_list_version(
    decision: &mut Decision,
    request: &RestoreManagedPrefixListVersionRequest,
) -> Result<RestoreManagedPrefixListVersionResponse, Fault> {
    let view = decision.view();
    let old = find(&view, request.prefix_list_id)?.clone();
    entries::is_current(&old, Some(request.current_version))?;
    let number = request.previous_version;
    let then = describe::version(view.world, &old, number)?;
    let mut row = PrefixList { state: PrefixListState::Restored, ..PrefixList::clone(&old) };
    next_version(decision, &mut row, entries::of(&then.entries))?;
    decision.put(row);
    let prefix_list = told(&decision.world, &decision.world.prefix_lists[&old.id], "restore-in-progress");
    Ok(RestoreManagedPrefixListVersionResponse { prefix_list })
}

pub fn delete_managed_prefix_list(
    decision: &mut Decision,
    request: &DeleteManagedPrefixListRequest,
) -> Result<DeleteManagedPrefixListResponse, Fault> {
    let world = decision.world.clone();
    let row = find(&decision.view(), request.prefix_list_id)?.clone();
    if world.rules_with_list(row.id).next().is_some() || world.tables_with_list(row.id).next().is_some() {
        return Err(vpcs::has_dependencies("prefix list", row.id));
    }
    let prefix_list = told(&world, &row, "delete-in-progress");
    let versions = world.prefix_list_versions.range((row.id, 0)..).take_while(|((of, _), _)| *of == row.id);
    versions.for_each(|(key, _)| decision.delete(Key::PrefixListVersion(*key)));
    decision.untag_all(ResourceId::PrefixList(row.id));
    decision.delete(Key::PrefixList(row.id));
    Ok(DeleteManagedPrefixListResponse { prefix_list })
}

/// What EC2 says while others hear of a change: so it is while the answer is on its way.
fn told(world: &World, row: &PrefixList, state: &str) -> output::ManagedPrefixList {
    output::ManagedPrefixList { state: state.into(), ..describe::shape(world, row) }
}
