//! Routes, the tables that they are in, and the gateways that they lead to.

use crate::control::testing::{Bench, texts};
use crate::control::vpcs::tests::{gateway, instance, report, subnet, vpc};
use crate::plan::Phase;
use crate::query::FaultCode::*;

#[test]
fn a_route_is_a_black_hole_while_its_target_is_away() {
    let mut bench = Bench::small();
    let id = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &id, "10.0.1.0/24");
    let (gateway, instance) = (gateway(&mut bench, &id), instance(&mut bench, &subnet));
    let table = bench.told(
        "routeTableId",
        "DescribeRouteTables",
        &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &id)],
    );
    let route = |destination| [("RouteTableId", &*table), ("DestinationCidrBlock", destination)];
    let to_gateway = [&route("0.0.0.0/0")[..], &[("GatewayId", &gateway)]].concat();
    bench.call("CreateRoute", &to_gateway).unwrap();
    let to_instance = [&route("198.51.100.7/24")[..], &[("InstanceId", &instance)]].concat();
    bench.call("CreateRoute", &to_instance).unwrap();
    let states = |bench: &mut Bench| {
        texts(&bench.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).unwrap(), "state")
    };
    // The last one is the association's.
    assert_eq!(states(&mut bench), ["active", "active", "active", "associated"]);
    report(&mut bench, Phase::Running);
    bench.call("StopInstances", &[("InstanceId.1", &instance)]).unwrap();
    report(&mut bench, Phase::Stopped);
    assert_eq!(states(&mut bench), ["active", "active", "blackhole", "associated"]);
    bench.call("DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &id)]).unwrap();
    assert_eq!(states(&mut bench), ["active", "blackhole", "blackhole", "associated"]);
    bench.call("TerminateInstances", &[("InstanceId.1", &instance)]).unwrap();
    report(&mut bench, Phase::Gone);
    assert_eq!(states(&mut bench), ["active", "blackhole", "blackhole", "associated"]);
    let xml = bench.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).unwrap();
    assert_eq!(texts(&xml, "networkInterfaceId").len(), 1, "it says still where it led");
    assert_eq!(texts(&xml, "destinationCidrBlock"), ["10.0.0.0/16", "0.0.0.0/0", "198.51.100.0/24"]);
    // Nothing leads to a gateway that is not attached, or out of the VPC.
    assert_eq!(bench.refused("ReplaceRoute", &to_gateway), InvalidParameterValue);
    let inside = [&route("10.0.1.0/24")[..], &[("GatewayId", &gateway)]].concat();
    assert_eq!(bench.refused("CreateRoute", &inside), InvalidParameterValue);
    let link_local = [&route("169.254.169.254/32")[..], &[("GatewayId", &gateway)]].concat();
    assert_eq!(bench.refused("CreateRoute", &link_local), InvalidParameterValue);
    assert_eq!(bench.refused("DeleteRoute", &route("10.0.0.0/16")), InvalidParameterValue);
    bench.call("DeleteRoute", &route("0.0.0.0/0")).unwrap();
    assert_eq!(bench.refused("DeleteRoute", &route("0.0.0.0/0")), InvalidRouteNotFound);
}

#[test]
fn another_table_takes_the_main_ones_place() {
    let mut bench = Bench::small();
    let id = vpc(&mut bench, "10.0.0.0/16");
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*id)];
    let old = bench.told("routeTableId", "DescribeRouteTables", &of_vpc);
    let main = bench.told("routeTableAssociationId", "DescribeRouteTables", &of_vpc);
    let new = bench.told("routeTableId", "CreateRouteTable", &[("VpcId", &id)]);
    assert_eq!(bench.refused("DisassociateRouteTable", &[("AssociationId", &main)]), InvalidParameterValue);
    assert_eq!(bench.refused("DeleteRouteTable", &[("RouteTableId", &old)]), DependencyViolation);
    let given = [("AssociationId", &*main), ("RouteTableId", &new)];
    let now = bench.told("newAssociationId", "ReplaceRouteTableAssociation", &given);
    assert_ne!(now, main);
    let of_main =
        [&of_vpc[..], &[("Filter.2.Name", "association.main"), ("Filter.2.Value.1", "true")]].concat();
    assert_eq!(bench.told("routeTableId", "DescribeRouteTables", &of_main), new);
    bench.call("DeleteRouteTable", &[("RouteTableId", &old)]).unwrap();
    let other = vpc(&mut bench, "10.0.0.0/16");
    let elsewhere = bench.told("routeTableId", "CreateRouteTable", &[("VpcId", &other)]);
    let given = [("AssociationId", &*now), ("RouteTableId", &elsewhere)];
    assert_eq!(bench.refused("ReplaceRouteTableAssociation", &given), InvalidParameterValue);
}

#[test]
fn an_elastic_address_needs_a_gateway_and_keeps_it() {
    let mut bench = Bench::small();
    let id = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &id, "10.0.1.0/24");
    let instance = instance(&mut bench, &subnet);
    let address = bench.told("allocationId", "AllocateAddress", &[]);
    let lead = [("AllocationId", &*address), ("InstanceId", &instance)];
    assert_eq!(bench.refused("AssociateAddress", &lead), GatewayNotAttached);
    let gateway = gateway(&mut bench, &id);
    let association = bench.told("associationId", "AssociateAddress", &lead);
    let detach = [("InternetGatewayId", &*gateway), ("VpcId", &id)];
    assert_eq!(bench.refused("DetachInternetGateway", &detach), DependencyViolation);
    bench.call("DisassociateAddress", &[("AssociationId", &association)]).unwrap();
    bench.call("DetachInternetGateway", &detach).unwrap();
    assert_eq!(bench.refused("DetachInternetGateway", &detach), GatewayNotAttached);
}
