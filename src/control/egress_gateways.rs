//! Egress-only internet gateways: create, delete, describe. Each is attached to its VPC from its start to its end.

use std::sync::Arc;

use super::filter::{self, Values};
use super::idempotency::Once;
use super::{Decision, View, tags, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{EgressGateway, Key, World};

const ACTION: &str = "CreateEgressOnlyInternetGateway";

/// What EC2 calls them where tags are given.
const KIND: &str = "egress-only-internet-gateway";

/// The caller's gateway with this id, if there is one.
pub fn of_caller<'w>(view: &View<'w>, id: EgressGatewayId) -> Option<&'w Arc<EgressGateway>> {
    view.world.egress_gateways.get(&id).filter(|row| row.owner == view.caller.owner)
}

fn find<'w>(view: &View<'w>, id: EgressGatewayId) -> Result<&'w Arc<EgressGateway>, Fault> {
    of_caller(view, id).ok_or_else(|| {
        FaultCode::InvalidEgressOnlyInternetGatewayIdNotFound
            .with(format!("The egressOnlyInternetGateway ID '{id}' does not exist"))
    })
}

pub fn create_egress_only_internet_gateway(
    decision: &mut Decision,
    request: &CreateEgressOnlyInternetGatewayRequest,
) -> Result<CreateEgressOnlyInternetGatewayResponse, Fault> {
    let plain = CreateEgressOnlyInternetGatewayRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok().map(|row| row.id)
    })?;
    let id = match made {
        Some(id) => id,
        None => create(decision, request, once)?,
    };
    let view = decision.view();
    Ok(CreateEgressOnlyInternetGatewayResponse {
        client_token: request.client_token.clone(),
        egress_only_internet_gateway: shape(view.world, find(&view, id)?),
    })
}

/// "You can attach only one egress-only internet gateway to a VPC at a time" (VPC User Guide, quotas): so there are not
/// more of them than VPCs, and no other quota is needed.
fn create(
    decision: &mut Decision,
    request: &CreateEgressOnlyInternetGatewayRequest,
    once: Option<Once>,
) -> Result<EgressGatewayId, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &[KIND], KIND)?;
    let view = decision.view();
    let vpc = vpcs::find(&view, request.vpc_id)?;
    vpcs::changeable(vpc, "gateways")?;
    let vpc = vpc.id;
    if let Some(other) = view.world.egress_gateways_of(vpc).next() {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Network {vpc} already has an egress-only internet gateway attached: {}",
            other.id
        )));
    }
    let id = decision.env.id(EgressGatewayId::from_random);
    let (owner, created) = (decision.caller.owner.clone(), decision.env.now);
    decision.put(EgressGateway { id, owner, vpc, created });
    decision.tag(ResourceId::EgressGateway(id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, id.to_string().into());
    }
    Ok(id)
}

/// Routes to it stay and are black holes.
pub fn delete_egress_only_internet_gateway(
    decision: &mut Decision,
    request: &DeleteEgressOnlyInternetGatewayRequest,
) -> Result<DeleteEgressOnlyInternetGatewayResponse, Fault> {
    let id = find(&decision.view(), request.egress_only_internet_gateway_id)?.id;
    decision.untag_all(ResourceId::EgressGateway(id));
    decision.delete(Key::EgressGateway(id));
    Ok(DeleteEgressOnlyInternetGatewayResponse { return_code: true })
}

pub fn describe_egress_only_internet_gateways(
    view: &View,
    request: &DescribeEgressOnlyInternetGatewaysRequest,
) -> Result<DescribeEgressOnlyInternetGatewaysResponse, Fault> {
    let wanted = &request.egress_only_internet_gateway_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let own = view.world.egress_gateways.values().filter(|row| row.owner == view.caller.owner);
    let matching = own.filter(|row| wanted.is_empty() || wanted.contains(&row.id)).filter(|row| {
        let resource = Some(ResourceId::EgressGateway(row.id));
        // Only tags are asked for.
        filter::matches(view.world, resource, &request.filters, |_| Values::new())
    });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let egress_only_internet_gateways = found.into_iter().map(|row| shape(view.world, row)).collect();
    Ok(DescribeEgressOnlyInternetGatewaysResponse { egress_only_internet_gateways, next_token })
}

fn shape(world: &World, row: &EgressGateway) -> output::EgressOnlyInternetGateway {
    output::EgressOnlyInternetGateway {
        egress_only_internet_gateway_id: row.id,
        attachment_set: vec![output::InternetGatewayAttachment { vpc_id: row.vpc, state: "attached".into() }],
        tag_set: tags::set_of(world, ResourceId::EgressGateway(row.id)),
    }
}
