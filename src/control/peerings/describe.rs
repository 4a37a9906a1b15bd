//! DescribeVpcPeeringConnections, and how peering connections look in answers.

use super::*;
use crate::control::filter::{self, Values};
use crate::control::tags;
use crate::query::api::*;
use crate::world::PeeringEnd;

pub fn describe_vpc_peering_connections(
    view: &View,
    request: &DescribeVpcPeeringConnectionsRequest,
) -> Result<DescribeVpcPeeringConnectionsResponse, Fault> {
    let wanted = &request.vpc_peering_connection_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let told = view.world.peerings.values().map(|row| time::as_of(row, view.now));
    let told = told.filter(|row| row.is_told(&view.caller.owner, view.now));
    let named = told.filter(|row| wanted.is_empty() || wanted.contains(&row.id));
    let shown = named.map(|row| (row.resource(&view.caller.owner), shape(view, &row)));
    let matching = shown.filter(|(resource, shape)| {
        filter::matches(view.world, Some(*resource), &request.filters, |name| attribute(shape, name))
    });
    let (found, next_token) = request
        .page()
        .cut(matching.map(|(_, shape)| shape), |shape| shape.vpc_peering_connection_id.to_string())?;
    Ok(DescribeVpcPeeringConnectionsResponse { vpc_peering_connections: found, next_token })
}

fn attribute(shape: &output::VpcPeeringConnection, name: &str) -> Values {
    let of_end = |end: &output::VpcPeeringConnectionVpcInfo, name: &str| match name {
        "cidr-block" => end.cidr_block_set.iter().map(|block| block.cidr_block.to_string()).collect(),
        "owner-id" => vec![end.owner_id.to_string()],
        "vpc-id" => vec![end.vpc_id.to_string()],
        _ => Values::new(),
    };
    if let Some(name) = name.strip_prefix("accepter-vpc-info.") {
        return of_end(&shape.accepter_vpc_info, name);
    }
    if let Some(name) = name.strip_prefix("requester-vpc-info.") {
        return of_end(&shape.requester_vpc_info, name);
    }
    match name {
        "expiration-time" => shape.expiration_time.iter().map(ToString::to_string).collect(),
        "status-code" => vec![shape.status.code.clone()],
        "status-message" => vec![shape.status.message.clone()],
        "vpc-peering-connection-id" => vec![shape.vpc_peering_connection_id.to_string()],
        _ => Values::new(),
    }
}

/// The connection as the caller sees it.
///
/// "CIDR block information is only returned when describing an active VPC peering connection"
/// (API_VpcPeeringConnection); the requester's is returned before, too, as that page's examples have it.
pub fn shape(view: &View, row: &Peering) -> output::VpcPeeringConnection {
    let (active, pending) = (row.state == PeeringState::Active, row.state == PeeringState::Pending);
    output::VpcPeeringConnection {
        accepter_vpc_info: info(view.world, &row.accepter, active),
        expiration_time: pending.then_some(row.expires),
        requester_vpc_info: info(view.world, &row.requester, active || pending),
        status: output::VpcPeeringConnectionStatus { code: row.state.name().into(), message: message(row) },
        tag_set: tags::set_of(view.world, row.resource(&view.caller.owner)),
        vpc_peering_connection_id: row.id,
    }
}

fn info(world: &World, end: &PeeringEnd, full: bool) -> output::VpcPeeringConnectionVpcInfo {
    let vpc = world.vpcs.get(&end.vpc).filter(|_| full);
    let blocks = vpc.into_iter().flat_map(|vpc| vpc.cidrs());
    let six = vpc.into_iter().flat_map(|vpc| vpc.blocks6.iter().map(|block| block.cidr));
    output::VpcPeeringConnectionVpcInfo {
        owner_id: end.owner.account,
        vpc_id: end.vpc,
        region: end.owner.region.to_string(),
        cidr_block: vpc.map(|vpc| vpc.cidr),
        cidr_block_set: blocks.map(|cidr_block| output::PeeringCidrBlock { cidr_block }).collect(),
        ipv6_cidr_block_set: six
            .map(|ipv6_cidr_block| output::PeeringIpv6CidrBlock { ipv6_cidr_block })
            .collect(),
        peering_options: full.then(|| options::shape(end.resolves)),
    }
}

fn message(row: &Peering) -> String {
    let by = |what: &str| match row.ended_by {
        Some(account) => format!("{what} by {account}"),
        None => what.to_owned(),
    };
    match row.state {
        PeeringState::Pending => format!("Pending Acceptance by {}", row.accepter.owner.account),
        PeeringState::Active => "Active".into(),
        PeeringState::Rejected => by("Rejected"),
        PeeringState::Expired => "Expired".into(),
        PeeringState::Deleted => by("Deleted"),
        PeeringState::Failed => {
            "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range".into()
        }
    }
}
