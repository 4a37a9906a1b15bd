//! DescribeManagedPrefixLists, GetManagedPrefixListEntries, GetManagedPrefixListAssociations, DescribePrefixLists.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{find, no_list};
use crate::control::filter::{self, Values};
use crate::control::page::Page;
use crate::control::{View, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{PrefixList, PrefixListState, PrefixListVersion, World};

pub fn describe_managed_prefix_lists(
    view: &View,
    request: &DescribeManagedPrefixListsRequest,
) -> Result<DescribeManagedPrefixListsResponse, Fault> {
    let (world, wanted) = (view.world, &request.prefix_list_ids);
    for id in wanted {
        find(view, *id)?;
    }
    let own = world.prefix_lists.values().filter(|row| row.owner == view.caller.owner);
    let matching = own.filter(|row| wanted.is_empty() || wanted.contains(&row.id)).filter(|row| {
        let resource = Some(ResourceId::PrefixList(row.id));
        filter::matches(world, resource, &request.filters, |name| attribute(row, name))
    });
    let page = Page {
        max_results: request.max_results,
        next_token: request.next_token.as_deref(),
        filters: &request.filters,
    };
    let (found, next_token) = page.cut(matching, |row| row.id.to_string())?;
    let prefix_lists = found.into_iter().map(|row| shape(world, row)).collect();
    Ok(DescribeManagedPrefixListsResponse { prefix_lists, next_token })
}

fn attribute(row: &PrefixList, name: &str) -> Values {
    match name {
        "owner-id" => vec![row.owner.account.to_string()],
        "prefix-list-id" => vec![row.id.to_string()],
        "prefix-list-name" => vec![row.name.to_string()],
        _ => Values::new(),
    }
}

pub fn shape(world: &World, row: &PrefixList) -> output::ManagedPrefixList {
    let Owner { account, region } = &row.owner;
    output::ManagedPrefixList {
        prefix_list_id: row.id,
        address_family: if row.is_ipv6 { "IPv6" } else { "IPv4" }.into(),
        state: match row.state {
            PrefixListState::Created => "create-complete",
            PrefixListState::Modified => "modify-complete",
            PrefixListState::Restored => "restore-complete",
        }
        .into(),
        prefix_list_arn: format!("arn:aws:ec2:{region}:{account}:prefix-list/{}", row.id),
        prefix_list_name: row.name.to_string(),
        max_entries: row.max_entries.into(),
        version: i64::try_from(row.version).unwrap_or(i64::MAX),
        tags: tags::set_of(world, ResourceId::PrefixList(row.id)),
        owner_id: *account,
    }
}

/// A version of a list that is kept.
///
/// # Errors
/// There is none with this number.
pub fn version<'w>(
    world: &'w World,
    row: &PrefixList,
    number: i64,
) -> Result<&'w Arc<PrefixListVersion>, Fault> {
    let key = u64::try_from(number).ok().map(|number| (row.id, number));
    key.and_then(|key| world.prefix_list_versions.get(&key)).ok_or_else(|| {
        FaultCode::InvalidParameterValue
            .with(format!("The prefix list {} has no version {number}: it is now at {}", row.id, row.version))
    })
}

pub fn get_managed_prefix_list_entries(
    view: &View,
    request: &GetManagedPrefixListEntriesRequest,
) -> Result<GetManagedPrefixListEntriesResponse, Fault> {
    let row = find(view, request.prefix_list_id)?;
    let entries = match request.target_version {
        Some(number) => version(view.world, row, number)?.entries.clone(),
        None => view.world.entries_of(row.id),
    };
    let mut entries: Vec<_> = entries
        .iter()
        .map(|entry| output::PrefixListEntry {
            cidr: entry.block.to_string(),
            description: entry.description.as_deref().map(str::to_owned),
        })
        .collect();
    // In the order of the texts that page tokens are made of.
    entries.sort_by(|one, other| one.cidr.cmp(&other.cidr));
    let page =
        Page { max_results: request.max_results, next_token: request.next_token.as_deref(), filters: &[] };
    let (entries, next_token) = page.cut(entries.into_iter(), |entry| entry.cidr.clone())?;
    Ok(GetManagedPrefixListEntriesResponse { entries, next_token })
}

pub fn get_managed_prefix_list_associations(
    view: &View,
    request: &GetManagedPrefixListAssociationsRequest,
) -> Result<GetManagedPrefixListAssociationsResponse, Fault> {
    let (world, id) = (view.world, find(view, request.prefix_list_id)?.id);
    let rules = world.rules_with_list(id).map(|rule| (rule.group.to_string(), rule.owner.account));
    let tables = world.tables_with_list(id).map(|table| (table.id.to_string(), table.owner.account));
    // Each once, however many of its rules name the list.
    let all: BTreeMap<String, AccountId> = rules.chain(tables).collect();
    let page =
        Page { max_results: request.max_results, next_token: request.next_token.as_deref(), filters: &[] };
    let (found, next_token) = page.cut(all.into_iter(), |(resource, _)| resource.clone())?;
    let association =
        |(resource_id, resource_owner)| output::PrefixListAssociation { resource_id, resource_owner };
    let prefix_list_associations = found.into_iter().map(association).collect();
    Ok(GetManagedPrefixListAssociationsResponse { prefix_list_associations, next_token })
}

/// Those that gateway endpoints to AWS's services lead by: a cloud without such services has none.
pub fn describe_prefix_lists(
    _: &View,
    request: &DescribePrefixListsRequest,
) -> Result<DescribePrefixListsResponse, Fault> {
    if let Some(id) = request.prefix_list_ids.first() {
        return Err(no_list(*id));
    }
    let page = Page {
        max_results: request.max_results,
        next_token: request.next_token.as_deref(),
        filters: &request.filters,
    };
    let (prefix_lists, next_token) =
        page.cut(std::iter::empty(), |row: &output::PrefixList| row.prefix_list_id.to_string())?;
    Ok(DescribePrefixListsResponse { prefix_lists, next_token })
}
