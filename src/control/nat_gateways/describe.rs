//! DescribeNatGateways, and how NAT gateways look in answers.

use super::find;
use crate::control::filter::{self, Values};
use crate::control::{View, tags};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::*;
use crate::world::{NatGateway, World};

pub fn describe_nat_gateways(
    view: &View,
    request: &DescribeNatGatewaysRequest,
) -> Result<DescribeNatGatewaysResponse, Fault> {
    let (world, wanted) = (view.world, &request.nat_gateway_ids);
    for id in wanted {
        find(view, *id)?;
    }
    let own = world.nat_gateways.values().filter(|row| row.owner == view.caller.owner);
    let matching = own.filter(|row| wanted.is_empty() || wanted.contains(&row.id)).filter(|row| {
        let resource = Some(ResourceId::NatGateway(row.id));
        filter::matches(world, resource, &request.filters, |name| attribute(row, name))
    });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let nat_gateways = found.into_iter().map(|row| shape(world, row)).collect();
    Ok(DescribeNatGatewaysResponse { nat_gateways, next_token })
}

fn attribute(row: &NatGateway, name: &str) -> Values {
    match name {
        "nat-gateway-id" => vec![row.id.to_string()],
        "state" => vec![state(row).into()],
        "subnet-id" => vec![row.subnet.to_string()],
        "vpc-id" => vec![row.vpc.to_string()],
        _ => Values::new(),
    }
}

/// One that has no host yet takes nothing: it is `pending`, as EC2 says of those that are still made.
fn state(row: &NatGateway) -> &'static str {
    match (row.deleted, &row.host) {
        (Some(_), _) => "deleted",
        (None, Some(_)) => "available",
        (None, None) => "pending",
    }
}

pub fn shape(world: &World, row: &NatGateway) -> output::NatGateway {
    // A deleted one is told with what it had.
    let association = world.addresses_of(row.eni).find_map(|address| address.association);
    let address = output::NatGatewayAddress {
        allocation_id: row.elastic.map(|elastic| elastic.allocation),
        association_id: association.map(|association| association.id),
        network_interface_id: row.eni,
        private_ip: row.private_ip,
        public_ip: row.elastic.map(|elastic| elastic.public_ip),
        is_primary: true,
        status: "succeeded".into(),
    };
    output::NatGateway {
        nat_gateway_id: row.id,
        subnet_id: row.subnet,
        vpc_id: row.vpc,
        state: state(row).into(),
        connectivity_type: if row.elastic.is_some() { "public" } else { "private" }.into(),
        availability_mode: "zonal".into(),
        create_time: row.created,
        delete_time: row.deleted,
        nat_gateway_address_set: vec![address],
        tag_set: tags::set_of(world, ResourceId::NatGateway(row.id)),
    }
}
