//! CreateManagedPrefixList.

use super::{describe, entries, find};
use crate::control::idempotency::Once;
use crate::control::{Decision, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{PrefixList, PrefixListState, PrefixListVersion};

const ACTION: &str = "CreateManagedPrefixList";

pub fn create_managed_prefix_list(
    decision: &mut Decision,
    request: &CreateManagedPrefixListRequest,
) -> Result<CreateManagedPrefixListResponse, Fault> {
    let plain = CreateManagedPrefixListRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok().map(|row| row.id)
    })?;
    if let Some(id) = made {
        let view = decision.view();
        return Ok(CreateManagedPrefixListResponse {
            prefix_list: describe::shape(view.world, find(&view, id)?),
        });
    }
    let id = create(decision, request)?;
    if let Some(once) = once {
        once.remember(decision, id.to_string().into());
    }
    let view = decision.view();
    // What EC2 says while others hear of it: so it is while the answer is on its way.
    let state = "create-in-progress".into();
    let prefix_list = output::ManagedPrefixList { state, ..describe::shape(view.world, find(&view, id)?) };
    Ok(CreateManagedPrefixListResponse { prefix_list })
}

fn create(decision: &mut Decision, request: &CreateManagedPrefixListRequest) -> Result<PrefixListId, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["prefix-list"], "prefix-list")?;
    let name = entries::name(&request.prefix_list_name)?;
    let is_ipv6 = request.address_family == "IPv6";
    let max_entries = u32::try_from(request.max_entries).unwrap_or(u32::MAX);
    let entries = entries::added(is_ipv6, &request.entries)?;
    entries::fit(entries.len(), max_entries)?;
    let owner = decision.caller.owner.clone();
    if decision.world.prefix_lists.values().filter(|row| row.owner == owner).count()
        >= decision.caller.quotas.prefix_lists
    {
        return Err(FaultCode::PrefixListLimitExceeded.with(format!(
            "You have reached the maximum number of prefix lists: {}",
            decision.caller.quotas.prefix_lists
        )));
    }
    let id = decision.env.id(PrefixListId::from_random);
    let (version, state, created) = (1, PrefixListState::Created, decision.env.now);
    decision.put(PrefixList { id, owner, name, is_ipv6, max_entries, version, state, created });
    decision.put(PrefixListVersion { list: id, number: version, entries: entries::kept(entries) });
    decision.tag(ResourceId::PrefixList(id), &tags)?;
    Ok(id)
}
