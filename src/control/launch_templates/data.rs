//! A version's parameters: kept as pairs of the wire, read by RunInstances' decoder, and laid under a request.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::tags::NewTag;
use super::super::{View, instances};
use super::{named, version};
use crate::query::api::*;
use crate::query::{self, Fault, FaultCode};
use crate::world::LaunchTemplateVersion;

pub type Pairs = Vec<(String, String)>;

/// Tags of what was launched from a template, as EC2 sets them: Terraform reads the template back from these.
pub const MARKS: [&str; 2] = ["aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version"];

/// What a request keeps.
pub fn pairs(data: &input::RequestLaunchTemplateData) -> Pairs {
    let mut pairs = Pairs::new();
    data.pairs("", &mut pairs);
    pairs
}

/// As a row has it.
pub fn text(pairs: &Pairs) -> Arc<str> {
    serde_json::to_string(pairs).unwrap_or_default().into()
}

/// # Errors
/// The row is of another Fogbank, which knew more.
pub fn kept(row: &LaunchTemplateVersion) -> Result<Pairs, Fault> {
    serde_json::from_str(&row.data).map_err(|_| unreadable(row))
}

fn unreadable(row: &LaunchTemplateVersion) -> Fault {
    FaultCode::InternalError.with(format!("Version {} of {} cannot be read", row.number, row.template))
}

/// What is kept, as answers tell it.
pub fn read(row: &LaunchTemplateVersion) -> Result<input::RequestLaunchTemplateData, Fault> {
    query::launch_template_data(&kept(row)?)
}

/// One instance with these parameters.
///
/// # Errors
/// RunInstances does not take them.
fn launch(pairs: &Pairs) -> Result<RunInstancesRequest, Fault> {
    let given = [("Action", "RunInstances"), ("Version", "2016-11-15"), ("MinCount", "1"), ("MaxCount", "1")];
    let mut whole: Pairs = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    whole.extend(pairs.iter().cloned());
    match query::decode(&whole)?.action {
        Action::RunInstances(request) => Ok(request),
        _ => Err(FaultCode::InternalError.with("RunInstances was decoded as another action")),
    }
}

/// Whether a launch could take the parameters: what there is may change, so that nothing is looked up.
///
/// # Errors
/// What no launch takes.
pub fn check(pairs: &Pairs) -> Result<(), Fault> {
    instances::launchable(&launch(pairs)?)
}

/// `new` laid over `old`: a parameter at the top takes the whole place of the one that was there.
pub fn over(old: Pairs, new: &Pairs) -> Pairs {
    let top = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let named: Vec<String> = new.iter().map(|(name, _)| top(name)).collect();
    let kept = old.into_iter().filter(|(name, _)| !named.contains(&top(name)));
    kept.chain(new.iter().cloned()).collect()
}

/// A launch with what its template says where the request is silent, and the marks of the template.
///
/// # Errors
/// There is no such template or version.
pub fn resolve<'r>(
    view: &View,
    request: &'r RunInstancesRequest,
) -> Result<(Cow<'r, RunInstancesRequest>, Vec<NewTag>), Fault> {
    let Some(wanted) = &request.launch_template else { return Ok((Cow::Borrowed(request), Vec::new())) };
    let template = named(view, wanted.launch_template_id, wanted.launch_template_name.as_deref())?;
    let version = version(view.world, template, wanted.version.as_deref().unwrap_or("$Default"))?;
    let values = [template.id.to_string(), version.number.to_string()];
    let marks = MARKS.into_iter().zip(values).map(|(key, value)| (key.into(), value.into())).collect();
    let under = launch(&kept(version)?)?;
    Ok((Cow::Owned(lay_over(under, request.clone())), marks))
}

fn lay_over(under: RunInstancesRequest, request: RunInstancesRequest) -> RunInstancesRequest {
    let groups = !request.security_groups.is_empty() || !request.security_group_ids.is_empty();
    let (security_groups, security_group_ids) = match groups {
        true => (request.security_groups, request.security_group_ids),
        false => (under.security_groups, under.security_group_ids),
    };
    RunInstancesRequest {
        image_id: request.image_id.or(under.image_id),
        instance_type: request.instance_type.or(under.instance_type),
        key_name: request.key_name.or(under.key_name),
        user_data: request.user_data.or(under.user_data),
        security_groups,
        security_group_ids,
        network_interfaces: interfaces(under.network_interfaces, request.network_interfaces),
        placement: placement(under.placement, request.placement),
        tag_specifications: tags(under.tag_specifications, request.tag_specifications),
        instance_initiated_shutdown_behavior: request
            .instance_initiated_shutdown_behavior
            .or(under.instance_initiated_shutdown_behavior),
        disable_api_termination: request.disable_api_termination.or(under.disable_api_termination),
        disable_api_stop: request.disable_api_stop.or(under.disable_api_stop),
        metadata_options: metadata(under.metadata_options, request.metadata_options),
        monitoring: request.monitoring.or(under.monitoring),
        ebs_optimized: request.ebs_optimized.or(under.ebs_optimized),
        hibernation_options: request.hibernation_options.or(under.hibernation_options),
        enclave_options: request.enclave_options.or(under.enclave_options),
        maintenance_options: request.maintenance_options.or(under.maintenance_options),
        launch_template: None,
        ..request
    }
}

/// An interface of the request takes the place of the template's with the same device index.
fn interfaces(
    under: Vec<input::InstanceNetworkInterface>,
    given: Vec<input::InstanceNetworkInterface>,
) -> Vec<input::InstanceNetworkInterface> {
    let index = |one: &input::InstanceNetworkInterface| one.device_index.unwrap_or(0);
    let taken: Vec<_> = given.iter().map(index).collect();
    let kept = under.into_iter().filter(|one| !taken.contains(&index(one)));
    given.into_iter().chain(kept).collect()
}

fn placement(under: Option<input::Placement>, given: Option<input::Placement>) -> Option<input::Placement> {
    let (Some(under), Some(given)) = (&under, &given) else { return given.or(under) };
    Some(input::Placement {
        availability_zone: given.availability_zone.clone().or(under.availability_zone.clone()),
        tenancy: given.tenancy.clone().or(under.tenancy.clone()),
        host_id: given.host_id.clone().or(under.host_id.clone()),
    })
}

fn metadata(
    under: Option<input::InstanceMetadataOptions>,
    given: Option<input::InstanceMetadataOptions>,
) -> Option<input::InstanceMetadataOptions> {
    let (Some(under), Some(given)) = (&under, &given) else { return given.or(under) };
    let (under, given) = (under.clone(), given.clone());
    Some(input::InstanceMetadataOptions {
        http_tokens: given.http_tokens.or(under.http_tokens),
        http_put_response_hop_limit: given.http_put_response_hop_limit.or(under.http_put_response_hop_limit),
        http_endpoint: given.http_endpoint.or(under.http_endpoint),
        http_protocol_ipv6: given.http_protocol_ipv6.or(under.http_protocol_ipv6),
        instance_metadata_tags: given.instance_metadata_tags.or(under.instance_metadata_tags),
    })
}

/// Tags of both; where the same key is on the same kind of resource, the request's.
fn tags(
    under: Vec<input::TagSpecification>,
    given: Vec<input::TagSpecification>,
) -> Vec<input::TagSpecification> {
    let has = |kind: &Option<String>, key: &Option<String>| {
        let of_kind = given.iter().filter(|one| one.resource_type == *kind);
        of_kind.flat_map(|one| &one.tags).any(|tag| tag.key == *key)
    };
    let kept: Vec<_> = under
        .into_iter()
        .map(|mut one| {
            one.tags.retain(|tag| !has(&one.resource_type, &tag.key));
            one
        })
        .collect();
    kept.into_iter().chain(given).collect()
}
