//! CreateNatGateway.

use std::sync::Arc;

use super::{describe, find, place};
use crate::control::idempotency::Once;
use crate::control::network_interfaces::Asked;
use crate::control::{Decision, View, addresses, internet_gateways, tags, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Address, Association, Eni, NatElastic, NatGateway, Subnet};

const ACTION: &str = "CreateNatGateway";

pub fn create_nat_gateway(
    decision: &mut Decision,
    request: &CreateNatGatewayRequest,
) -> Result<CreateNatGatewayResponse, Fault> {
    let plain = CreateNatGatewayRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok().map(|row| row.id)
    })?;
    let id = match made {
        Some(id) => id,
        None => create(decision, request, once)?,
    };
    let view = decision.view();
    Ok(CreateNatGatewayResponse {
        client_token: request.client_token.clone(),
        nat_gateway: describe::shape(view.world, find(&view, id)?),
    })
}

/// EC2 takes the request in any case, and tells of what is wrong in a gateway that has `failed`, with these codes and
/// messages (API_NatGateway, failureCode). Here they are known at once.
fn create(
    decision: &mut Decision,
    request: &CreateNatGatewayRequest,
    once: Option<Once>,
) -> Result<NatGatewayId, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["natgateway"], "natgateway")?;
    let view = decision.view();
    let subnet = subnet(&view, request.subnet_id)?;
    let address = match request.connectivity_type.as_deref() {
        Some("private") => no_address(request.allocation_id)?,
        _ => Some(public_address(&view, &subnet, request.allocation_id)?),
    };
    if count_in(&view, &subnet.zone) >= decision.caller.quotas.nat_gateways_per_zone {
        return Err(FaultCode::NatGatewayLimitExceeded.with(
            "Performing this operation would exceed the limit of NAT gateways in the Availability Zone",
        ));
    }
    let id = decision.env.id(NatGatewayId::from_random);
    let eni = interface(decision, id, &subnet, request)?;
    if let Some(address) = &address {
        let association = Association {
            id: decision.env.id(AssociationId::from_random),
            eni: eni.id,
            private_ip: eni.private_ip,
        };
        decision.put(Address { association: Some(association), ..(**address).clone() });
    }
    decision.put(NatGateway {
        id,
        owner: decision.caller.owner.clone(),
        vpc: subnet.vpc,
        subnet: subnet.id,
        eni: eni.id,
        private_ip: eni.private_ip,
        elastic: address.map(|row| NatElastic { allocation: row.id, public_ip: row.public_ip }),
        host: place::choose(&decision.world, &subnet.zone),
        client_token: request.client_token.as_deref().map(Into::into),
        created: decision.env.now,
        deleted: None,
    });
    decision.tag(ResourceId::NatGateway(id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, id.to_string().into());
    }
    Ok(id)
}

/// A subnet that a router leads out of: what flat networks send out is the operator's to say.
fn subnet(view: &View, id: SubnetId) -> Result<Arc<Subnet>, Fault> {
    let subnet = vpcs::find_subnet(view, id)?;
    match vpcs::find(view, subnet.vpc)?.vni {
        Some(_) => Ok(subnet.clone()),
        None => Err(FaultCode::UnsupportedOperation.with(format!(
            "The subnet {id} is one of the operator's flat networks, whose hosts translate for all instances already: NAT \
             gateways are made in subnets of VPCs that CreateVpc made"
        ))),
    }
}

/// "You can't associate an elastic IP address with a private NAT gateway", and it needs no internet gateway
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html>).
fn no_address(id: Option<AllocationId>) -> Result<Option<Arc<Address>>, Fault> {
    match id {
        None => Ok(None),
        Some(_) => Err(FaultCode::InvalidParameterCombination
            .with("The parameter AllocationId is not supported with ConnectivityType private")),
    }
}

/// The elastic address that is to lead to a public gateway.
fn public_address(view: &View, subnet: &Subnet, id: Option<AllocationId>) -> Result<Arc<Address>, Fault> {
    let address = free_address(view, id)?;
    match internet_gateways::attached_to(view.world, subnet.vpc) {
        Some(_) => Ok(address),
        None => Err(FaultCode::GatewayNotAttached
            .with(format!("Network {} has no Internet gateway attached", subnet.vpc))),
    }
}

fn free_address(view: &View, id: Option<AllocationId>) -> Result<Arc<Address>, Fault> {
    let id = id.ok_or_else(|| {
        FaultCode::MissingParameter.with("The request must contain the parameter AllocationId")
    })?;
    let address = addresses::find(view, Some(id), None)?;
    match address.association {
        None => Ok(address),
        Some(_) => Err(FaultCode::ResourceAlreadyAssociated
            .with(format!("Elastic IP address {id} is already associated"))),
    }
}

/// How many NAT gateways the caller has in a zone.
fn count_in(view: &View, zone: &str) -> usize {
    let world = view.world;
    let there = world.nat_gateways.values().filter(|row| {
        row.owner == view.caller.owner
            && row.deleted.is_none()
            && world.subnets.get(&row.subnet).is_some_and(|subnet| *subnet.zone == *zone)
    });
    there.count()
}

/// The interface is what the addresses belong to. No group judges what a NAT gateway takes, and it takes what is for
/// others.
fn interface(
    decision: &mut Decision,
    gateway: NatGatewayId,
    subnet: &Subnet,
    request: &CreateNatGatewayRequest,
) -> Result<Eni, Fault> {
    let asked = Asked { primary: request.private_ip_address, ..Asked::default() };
    let full = || {
        FaultCode::InsufficientFreeAddressesInSubnet
            .with("Subnet has insufficient free addresses to create this NAT gateway")
    };
    let private_ip = asked.try_take(decision, subnet)?.ok_or_else(full)?.primary;
    let eni = Eni {
        id: decision.env.id(EniId::from_random),
        owner: decision.caller.owner.clone(),
        vpc: subnet.vpc,
        subnet: subnet.id,
        network: subnet.network.clone(),
        description: format!("Interface for NAT Gateway {gateway}").into(),
        mac: MacAddr::from_random(decision.env.random()),
        private_ip,
        secondary_ips: Arc::new([]),
        ipv6: Arc::new([]),
        groups: Arc::new([]),
        source_dest_check: false,
        auto_public: false,
        attachment: None,
        created: decision.env.now,
    };
    decision.put(eni.clone());
    Ok(eni)
}
