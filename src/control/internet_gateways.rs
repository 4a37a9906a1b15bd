//! Internet gateways: create, attach, detach, delete, describe.

use std::sync::Arc;

use super::filter::{self, Values};
use super::{Decision, View, defaults, tags, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{InternetGateway, Key, World};

/// The caller's gateway with this id.
///
/// # Errors
/// There is none.
pub fn find<'w>(view: &View<'w>, id: InternetGatewayId) -> Result<&'w Arc<InternetGateway>, Fault> {
    let gateway = view.world.internet_gateways.get(&id).filter(|row| row.owner == view.caller.owner);
    gateway.ok_or_else(|| {
        FaultCode::InvalidInternetGatewayIDNotFound
            .with(format!("The internetGateway ID '{id}' does not exist"))
    })
}

/// The gateway that is attached to a VPC: there is one at most.
pub fn attached_to(world: &World, vpc: VpcId) -> Option<&Arc<InternetGateway>> {
    let first = (vpc, InternetGatewayId::from_random(0));
    let mut attached = world.index.internet_gateways_by_vpc.range(first..);
    let (of, id) = attached.next()?;
    world.internet_gateways.get(id).filter(|_| *of == vpc)
}

fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<InternetGateway>> {
    let owner = view.caller.owner.clone();
    view.world.internet_gateways.values().filter(move |row| row.owner == owner)
}

pub fn create_internet_gateway(
    decision: &mut Decision,
    request: &CreateInternetGatewayRequest,
) -> Result<CreateInternetGatewayResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["internet-gateway"], "internet-gateway")?;
    if of_caller(&decision.view()).count() >= decision.caller.quotas.internet_gateways {
        return Err(FaultCode::InternetGatewayLimitExceeded
            .with("The maximum number of internet gateways has been reached."));
    }
    let id = decision.env.id(InternetGatewayId::from_random);
    let (owner, created) = (decision.caller.owner.clone(), decision.env.now);
    decision.put(InternetGateway { id, owner, vpc: None, created });
    decision.tag(ResourceId::InternetGateway(id), &tags)?;
    let view = decision.view();
    Ok(CreateInternetGatewayResponse { internet_gateway: shape(view.world, find(&view, id)?) })
}

pub fn delete_internet_gateway(
    decision: &mut Decision,
    request: &DeleteInternetGatewayRequest,
) -> Result<DeleteInternetGatewayResponse, Fault> {
    let gateway = find(&decision.view(), request.internet_gateway_id)?.clone();
    if gateway.vpc.is_some() {
        return Err(vpcs::has_dependencies("internetGateway", gateway.id));
    }
    decision.untag_all(ResourceId::InternetGateway(gateway.id));
    decision.delete(Key::InternetGateway(gateway.id));
    Ok(DeleteInternetGatewayResponse { result: true })
}

pub fn attach_internet_gateway(
    decision: &mut Decision,
    request: &AttachInternetGatewayRequest,
) -> Result<AttachInternetGatewayResponse, Fault> {
    let view = decision.view();
    let gateway = find(&view, request.internet_gateway_id)?.clone();
    let vpc = vpcs::find(&view, request.vpc_id)?.id;
    if let Some(other) = gateway.vpc {
        return Err(FaultCode::ResourceAlreadyAssociated
            .with(format!("resource {} is already attached to network {other}", gateway.id)));
    }
    if attached_to(view.world, vpc).is_some() {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("Network {vpc} already has an internet gateway attached")));
    }
    decision.put(InternetGateway { vpc: Some(vpc), ..(*gateway).clone() });
    Ok(AttachInternetGatewayResponse { result: true })
}

pub fn detach_internet_gateway(
    decision: &mut Decision,
    request: &DetachInternetGatewayRequest,
) -> Result<DetachInternetGatewayResponse, Fault> {
    let view = decision.view();
    let gateway = find(&view, request.internet_gateway_id)?.clone();
    let vpc = vpcs::find(&view, request.vpc_id)?;
    if gateway.vpc != Some(vpc.id) {
        return Err(FaultCode::GatewayNotAttached
            .with(format!("resource {} is not attached to network {}", gateway.id, vpc.id)));
    }
    vpcs::changeable(vpc, "internet gateway")?;
    if is_led_into(view.world, vpc.id) {
        return Err(FaultCode::DependencyViolation.with(format!(
            "Network {} has some mapped public address(es). Please unmap those public address(es) before detaching the \
             gateway.",
            vpc.id
        )));
    }
    decision.put(InternetGateway { vpc: None, ..(*gateway).clone() });
    Ok(DetachInternetGatewayResponse { result: true })
}

/// Whether an elastic address leads to an interface of the VPC.
fn is_led_into(world: &World, vpc: VpcId) -> bool {
    let subnets = defaults::subnets_of(world, vpc).map(|subnet| subnet.id);
    let mut enis = subnets.flat_map(|subnet| {
        let inside = world.index.enis_by_subnet.range((subnet, EniId::from_random(0))..);
        inside.take_while(move |(of, _)| *of == subnet).map(|(_, eni)| *eni)
    });
    enis.any(|eni| world.addresses_of(eni).next().is_some())
}

/// May be called for an address that is to lead into a VPC.
///
/// # Errors
/// The VPC is isolated, and no gateway is attached to it.
pub fn is_public(world: &World, vpc: VpcId) -> Result<(), Fault> {
    if attached_to(world, vpc).is_some() || world.vpcs.get(&vpc).is_none_or(|vpc| vpc.vni.is_none()) {
        return Ok(());
    }
    Err(FaultCode::GatewayNotAttached.with(format!("Network {vpc} is not attached to any internet gateway")))
}

pub fn describe_internet_gateways(
    view: &View,
    request: &DescribeInternetGatewaysRequest,
) -> Result<DescribeInternetGatewaysResponse, Fault> {
    let wanted = &request.internet_gateway_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let matching =
        of_caller(view).filter(|row| wanted.is_empty() || wanted.contains(&row.id)).filter(|row| {
            let resource = Some(ResourceId::InternetGateway(row.id));
            filter::matches(view.world, resource, &request.filters, |name| attribute(row, name))
        });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let internet_gateways = found.into_iter().map(|row| shape(view.world, row)).collect();
    Ok(DescribeInternetGatewaysResponse { internet_gateways, next_token })
}

/// "Indicates the state of the attachment: available. Present only if a VPC is attached" (API_DescribeInternetGateways).
const ATTACHED: &str = "available";

fn attribute(row: &InternetGateway, name: &str) -> Values {
    match name {
        "attachment.state" => row.vpc.iter().map(|_| ATTACHED.to_owned()).collect(),
        "attachment.vpc-id" => row.vpc.iter().map(ToString::to_string).collect(),
        "internet-gateway-id" => vec![row.id.to_string()],
        "owner-id" => vec![row.owner.account.to_string()],
        _ => Values::new(),
    }
}

fn shape(world: &World, row: &InternetGateway) -> output::InternetGateway {
    let attachment =
        |vpc_id: &VpcId| output::InternetGatewayAttachment { vpc_id: *vpc_id, state: ATTACHED.into() };
    output::InternetGateway {
        internet_gateway_id: row.id,
        owner_id: row.owner.account,
        attachment_set: row.vpc.iter().map(attachment).collect(),
        tag_set: tags::set_of(world, ResourceId::InternetGateway(row.id)),
    }
}
