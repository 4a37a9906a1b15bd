//! Route tables: create, delete, describe.

use super::{associations_of, find, shape};
use crate::control::filter::Values;
use crate::control::idempotency::Once;
use crate::control::{Decision, View, defaults, filter, tags, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;

const ACTION: &str = "CreateRouteTable";

pub fn create_route_table(
    decision: &mut Decision,
    request: &CreateRouteTableRequest,
) -> Result<CreateRouteTableResponse, Fault> {
    let plain = CreateRouteTableRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok().map(|table| table.id)
    })?;
    let id = match made {
        Some(id) => id,
        None => create(decision, request, once)?,
    };
    let view = decision.view();
    Ok(CreateRouteTableResponse {
        route_table: shape::table(view.world, find(&view, id)?),
        client_token: request.client_token.clone(),
    })
}

fn create(
    decision: &mut Decision,
    request: &CreateRouteTableRequest,
    once: Option<Once>,
) -> Result<RouteTableId, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["route-table"], "route-table")?;
    let view = decision.view();
    let vpc = vpcs::find(&view, request.vpc_id)?.id;
    let full =
        || FaultCode::RouteTableLimitExceeded.with("The maximum number of route tables has been reached.");
    if view.world.route_tables_of(vpc).count() >= view.caller.quotas.route_tables_per_vpc {
        return Err(full());
    }
    let owner = decision.caller.owner.clone();
    let id = vpcs::make_route_table(decision, &owner, vpc).ok_or_else(full)?;
    decision.tag(ResourceId::RouteTable(id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, id.to_string().into());
    }
    Ok(id)
}

pub fn delete_route_table(
    decision: &mut Decision,
    request: &DeleteRouteTableRequest,
) -> Result<DeleteRouteTableResponse, Fault> {
    let id = find(&decision.view(), request.route_table_id)?.id;
    if associations_of(&decision.world, id).next().is_some() {
        return Err(vpcs::has_dependencies("routeTable", id));
    }
    vpcs::delete_route_table(decision, id);
    Ok(DeleteRouteTableResponse { result: true })
}

pub fn describe_route_tables(
    view: &View,
    request: &DescribeRouteTablesRequest,
) -> Result<DescribeRouteTablesResponse, Fault> {
    let (world, wanted) = (view.world, &request.route_table_ids);
    for id in wanted {
        find(view, *id)?;
    }
    let mut tables: Vec<_> = defaults::vpcs_of(world, &view.caller.owner)
        .flat_map(|vpc| world.route_tables_of(vpc.id))
        .filter(|row| wanted.is_empty() || wanted.contains(&row.id))
        .map(|row| shape::table(world, row))
        .collect();
    tables.sort_by_key(|table| table.route_table_id);
    let matching = tables.into_iter().filter(|table| {
        let resource = Some(ResourceId::RouteTable(table.route_table_id));
        filter::matches(world, resource, &request.filters, |name| attribute(table, name))
    });
    let (route_tables, next_token) =
        request.page().cut(matching, |table| table.route_table_id.to_string())?;
    Ok(DescribeRouteTablesResponse { route_tables, next_token })
}

fn attribute(table: &output::RouteTable, name: &str) -> Values {
    if let Some(name) = name.strip_prefix("association.") {
        let value = |row: &output::RouteTableAssociation| match name {
            "main" => Some(row.main.to_string()),
            "route-table-association-id" => Some(row.route_table_association_id.to_string()),
            "route-table-id" => Some(row.route_table_id.to_string()),
            "subnet-id" => row.subnet_id.map(|id| id.to_string()),
            // Gateways have no route tables here.
            _ => None,
        };
        return table.association_set.iter().filter_map(value).collect();
    }
    if let Some(name) = name.strip_prefix("route.") {
        let value = |row: &output::Route| match name {
            "destination-cidr-block" => row.destination_cidr_block.map(|block| block.to_string()),
            "destination-prefix-list-id" => row.destination_prefix_list_id.map(|id| id.to_string()),
            "destination-ipv6-cidr-block" => row.destination_ipv6_cidr_block.map(|cidr| cidr.to_string()),
            "egress-only-internet-gateway-id" => row.egress_only_internet_gateway_id.map(|id| id.to_string()),
            "gateway-id" => row.gateway_id.clone(),
            "nat-gateway-id" => row.nat_gateway_id.map(|id| id.to_string()),
            "instance-id" => row.instance_id.map(|id| id.to_string()),
            "vpc-peering-connection-id" => row.vpc_peering_connection_id.map(|id| id.to_string()),
            "origin" => Some(row.origin.clone()),
            "state" => Some(row.state.clone()),
            // Nothing else is led to.
            _ => None,
        };
        return table.route_set.iter().filter_map(value).collect();
    }
    match name {
        "owner-id" => vec![table.owner_id.to_string()],
        "route-table-id" => vec![table.route_table_id.to_string()],
        "vpc-id" => vec![table.vpc_id.to_string()],
        _ => Values::new(),
    }
}
