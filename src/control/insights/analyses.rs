//! Analyses: start, delete, describe.

use std::sync::Arc;

use super::finding::Finding;
use super::{paths, shape};
use crate::control::idempotency::Once;
use crate::control::{Decision, View, filter, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{InsightsAnalysis, Key, World};

const ACTION: &str = "StartNetworkInsightsAnalysis";

pub fn start_network_insights_analysis(
    decision: &mut Decision,
    request: &StartNetworkInsightsAnalysisRequest,
) -> Result<StartNetworkInsightsAnalysisResponse, Fault> {
    let plain = StartNetworkInsightsAnalysisRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok().cloned()
    })?;
    let row = match made {
        Some(row) => row,
        None => start(decision, request, once)?,
    };
    let network_insights_analysis = shape::analysis(&decision.world, &row)?;
    Ok(StartNetworkInsightsAnalysisResponse { network_insights_analysis })
}

fn start(
    decision: &mut Decision,
    request: &StartNetworkInsightsAnalysisRequest,
    once: Option<Once>,
) -> Result<Arc<InsightsAnalysis>, Fault> {
    const KIND: &str = "network-insights-analysis";
    let tags = tags::at_creation(&request.tag_specifications, &[KIND], KIND)?;
    let view = decision.view();
    let path = paths::find(&view, request.network_insights_path_id)?;
    let most = view.caller.quotas.network_insights_analyses;
    if of_caller(&view).count() >= most {
        return Err(FaultCode::ResourceLimitExceeded
            .with(format!("There are {most} network insights analyses: delete some first")));
    }
    let (path, finding) = (path.id, Finding::of(&view, path));
    let row = InsightsAnalysis {
        id: decision.env.id(InsightsAnalysisId::from_random),
        owner: decision.caller.owner.clone(),
        path,
        found: finding.found,
        finding: finding.to_json()?,
        started: decision.env.now,
    };
    decision.put(row.clone());
    decision.tag(ResourceId::InsightsAnalysis(row.id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, row.id.to_string().into());
    }
    Ok(Arc::new(row))
}

fn find<'w>(view: &View<'w>, id: InsightsAnalysisId) -> Result<&'w Arc<InsightsAnalysis>, Fault> {
    let row = view.world.insights_analyses.get(&id).filter(|row| row.owner == view.caller.owner);
    row.ok_or_else(|| {
        FaultCode::InvalidNetworkInsightsAnalysisIdNotFound
            .with(format!("The network insights analysis ID '{id}' does not exist"))
    })
}

/// The analyses of a path, by id.
pub fn of_path(world: &World, path: InsightsPathId) -> impl Iterator<Item = &Arc<InsightsAnalysis>> {
    let first = (path, InsightsAnalysisId::from_random(0));
    let all = world.index.insights_analyses_by_path.range(first..).take_while(move |(of, _)| *of == path);
    all.filter_map(|(_, id)| world.insights_analyses.get(id))
}

fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<InsightsAnalysis>> {
    let world = view.world;
    paths::of_caller(view).flat_map(|path| of_path(world, path.id))
}

pub fn describe_network_insights_analyses(
    view: &View,
    request: &DescribeNetworkInsightsAnalysesRequest,
) -> Result<DescribeNetworkInsightsAnalysesResponse, Fault> {
    let wanted = &request.network_insights_analysis_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let of = request.network_insights_path_id;
    of.map(|path| paths::find(view, path)).transpose()?;
    let mut matching: Vec<_> = of_caller(view)
        .filter(|row| wanted.is_empty() || wanted.contains(&row.id))
        .filter(|row| of.is_none_or(|path| row.path == path))
        .filter(|row| {
            let resource = Some(ResourceId::InsightsAnalysis(row.id));
            filter::matches(view.world, resource, &request.filters, |name| match name {
                "path-found" => vec![row.found.to_string()],
                "status" => vec![shape::status(row).to_owned()],
                _ => Vec::new(),
            })
        })
        .collect();
    matching.sort_unstable_by_key(|row| row.id);
    let (found, next_token) = request.page().cut(matching.into_iter(), |row| row.id.to_string())?;
    let shapes: Result<_, _> = found.into_iter().map(|row| shape::analysis(view.world, row)).collect();
    Ok(DescribeNetworkInsightsAnalysesResponse { network_insights_analyses: shapes?, next_token })
}

pub fn delete_network_insights_analysis(
    decision: &mut Decision,
    request: &DeleteNetworkInsightsAnalysisRequest,
) -> Result<DeleteNetworkInsightsAnalysisResponse, Fault> {
    let id = find(&decision.view(), request.network_insights_analysis_id)?.id;
    decision.untag_all(ResourceId::InsightsAnalysis(id));
    decision.delete(Key::InsightsAnalysis(id));
    Ok(DeleteNetworkInsightsAnalysisResponse { network_insights_analysis_id: id })
}
