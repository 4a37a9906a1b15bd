//! Paths: create, delete, describe.

use std::sync::Arc;

use super::shape;
use crate::control::idempotency::Once;
use crate::control::{Decision, View, filter, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{InsightsPath, Key};

const ACTION: &str = "CreateNetworkInsightsPath";

pub fn create_network_insights_path(
    decision: &mut Decision,
    request: &CreateNetworkInsightsPathRequest,
) -> Result<CreateNetworkInsightsPathResponse, Fault> {
    let plain = CreateNetworkInsightsPathRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok().cloned()
    })?;
    let row = match made {
        Some(row) => row,
        None => create(decision, request, once)?,
    };
    Ok(CreateNetworkInsightsPathResponse { network_insights_path: shape::path(&decision.world, &row) })
}

fn create(
    decision: &mut Decision,
    request: &CreateNetworkInsightsPathRequest,
    once: Option<Once>,
) -> Result<Arc<InsightsPath>, Fault> {
    let tags =
        tags::at_creation(&request.tag_specifications, &["network-insights-path"], "network-insights-path")?;
    let view = decision.view();
    let source = end(&view, "Source", &request.source)?;
    let destination =
        request.destination.as_deref().map(|text| end(&view, "Destination", text)).transpose()?;
    if destination.is_none() && request.destination_ip.is_none() {
        return Err(FaultCode::MissingParameter
            .with("The request must contain the parameter Destination or DestinationIp"));
    }
    let most = view.caller.quotas.network_insights_paths;
    if of_caller(&view).count() >= most {
        return Err(FaultCode::ResourceLimitExceeded
            .with(format!("There are {most} network insights paths: delete one first")));
    }
    let row = InsightsPath {
        id: decision.env.id(InsightsPathId::from_random),
        owner: decision.caller.owner.clone(),
        source,
        destination,
        source_ip: request.source_ip,
        destination_ip: request.destination_ip,
        udp: request.protocol == "udp",
        destination_port: request.destination_port.and_then(|port| u16::try_from(port).ok()),
        created: decision.env.now,
    };
    decision.put(row.clone());
    decision.tag(ResourceId::InsightsPath(row.id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, row.id.to_string().into());
    }
    Ok(Arc::new(row))
}

/// An instance or a network interface of the caller's, by its id or ARN.
fn end(view: &View, parameter: &str, text: &str) -> Result<ResourceId, Fault> {
    let id = text.rsplit_once('/').map_or(text, |(_, id)| id);
    let owner = &view.caller.owner;
    if let Ok(instance) = id.parse::<InstanceId>() {
        return match view.world.instances.get(&instance) {
            Some(row) if row.owner == *owner => Ok(ResourceId::Instance(instance)),
            _ => Err(FaultCode::InvalidInstanceIDNotFound
                .with(format!("The instance ID '{instance}' does not exist"))),
        };
    }
    if let Ok(eni) = id.parse::<EniId>() {
        return match view.world.enis.get(&eni) {
            Some(row) if row.owner == *owner => Ok(ResourceId::NetworkInterface(eni)),
            _ => Err(FaultCode::InvalidNetworkInterfaceIDNotFound
                .with(format!("The networkInterface ID '{eni}' does not exist"))),
        };
    }
    Err(FaultCode::InvalidParameterValue.with(format!(
        "{parameter} '{text}' is none that can be analyzed: give an instance (i-...) or a network interface (eni-...)"
    )))
}

/// The caller's path with this id.
pub fn find<'w>(view: &View<'w>, id: InsightsPathId) -> Result<&'w Arc<InsightsPath>, Fault> {
    let row = view.world.insights_paths.get(&id).filter(|row| row.owner == view.caller.owner);
    row.ok_or_else(|| {
        FaultCode::InvalidNetworkInsightsPathIdNotFound
            .with(format!("The network insights path ID '{id}' does not exist"))
    })
}

/// The caller's paths, by id.
pub fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<InsightsPath>> {
    let (owner, world) = (view.caller.owner.clone(), view.world);
    let first = (owner.clone(), InsightsPathId::from_random(0));
    let owned = world.index.insights_paths_by_owner.range(first..).take_while(move |(of, _)| *of == owner);
    owned.filter_map(|(_, id)| world.insights_paths.get(id))
}

pub fn describe_network_insights_paths(
    view: &View,
    request: &DescribeNetworkInsightsPathsRequest,
) -> Result<DescribeNetworkInsightsPathsResponse, Fault> {
    let wanted = &request.network_insights_path_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let matching =
        of_caller(view).filter(|row| wanted.is_empty() || wanted.contains(&row.id)).filter(|row| {
            filter::matches(view.world, Some(ResourceId::InsightsPath(row.id)), &request.filters, |name| {
                match name {
                    "source" => vec![row.source.to_string()],
                    "destination" => row.destination.iter().map(ToString::to_string).collect(),
                    "protocol" => vec![shape::protocol(row).to_owned()],
                    _ => Vec::new(),
                }
            })
        });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let network_insights_paths = found.into_iter().map(|row| shape::path(view.world, row)).collect();
    Ok(DescribeNetworkInsightsPathsResponse { network_insights_paths, next_token })
}

pub fn delete_network_insights_path(
    decision: &mut Decision,
    request: &DeleteNetworkInsightsPathRequest,
) -> Result<DeleteNetworkInsightsPathResponse, Fault> {
    let id = find(&decision.view(), request.network_insights_path_id)?.id;
    if super::analyses::of_path(&decision.world, id).next().is_some() {
        return Err(FaultCode::AnalysisExistsForNetworkInsightsPath
            .with(format!("The network insights path '{id}' has analyses: delete them first")));
    }
    decision.untag_all(ResourceId::InsightsPath(id));
    decision.delete(Key::InsightsPath(id));
    Ok(DeleteNetworkInsightsPathResponse { network_insights_path_id: id })
}
