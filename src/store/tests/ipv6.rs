//! What sequences of requests do to IPv6, and what must hold of it.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::property::pick;
use super::testing::{Bed, commit};
use crate::control::testing::Bench;
use crate::types::*;
use crate::world::*;

/// What the operator has given: two VPCs' blocks.
pub const PREFIX: &str = "2001:db8:f0::/55";

const GIVE: (&str, &str) = ("AmazonProvidedIpv6CidrBlock", "true");

pub const CALLS: &[&[(&str, &str)]] = &[
    &[("Action", "CreateVpc"), ("CidrBlock", "10.0.0.0/16"), GIVE],
    &[("Action", "AssociateVpcCidrBlock"), ("VpcId", "$vpc"), GIVE],
    &[("Action", "DisassociateVpcCidrBlock"), ("AssociationId", "$block6")],
    &[("Action", "CreateSubnet"), ("VpcId", "$vpc"), ("CidrBlock", "10.0.3.0/24"), ("Ipv6CidrBlock", "$six")],
    &[("Action", "AssociateSubnetCidrBlock"), ("SubnetId", "$subnet"), ("Ipv6CidrBlock", "$six")],
    &[("Action", "DisassociateSubnetCidrBlock"), ("AssociationId", "$subnetblock")],
    &[
        ("Action", "ModifySubnetAttribute"),
        ("SubnetId", "$six-subnet"),
        ("AssignIpv6AddressOnCreation.Value", "true"),
    ],
    &[("Action", "CreateNetworkInterface"), ("SubnetId", "$six-subnet"), ("Ipv6AddressCount", "2")],
    &[
        ("Action", "RunInstances"),
        ("SubnetId", "$six-subnet"),
        ("Ipv6AddressCount", "1"),
        ("ImageId", "$image"),
        ("MinCount", "1"),
        ("MaxCount", "2"),
    ],
    &[("Action", "AssignIpv6Addresses"), ("NetworkInterfaceId", "$eni"), ("Ipv6AddressCount", "1")],
    &[("Action", "AssignIpv6Addresses"), ("NetworkInterfaceId", "$eni"), ("Ipv6Addresses.1", "$ipv6")],
    &[("Action", "UnassignIpv6Addresses"), ("NetworkInterfaceId", "$six-eni"), ("Ipv6Addresses.1", "$ipv6")],
    &[("Action", "CreateEgressOnlyInternetGateway"), ("VpcId", "$vpc")],
    &[("Action", "DeleteEgressOnlyInternetGateway"), ("EgressOnlyInternetGatewayId", "$eigw")],
    &[
        ("Action", "CreateRoute"),
        ("RouteTableId", "$rtb"),
        ("EgressOnlyInternetGatewayId", "$eigw"),
        ("DestinationIpv6CidrBlock", "::/0"),
    ],
    &[
        ("Action", "ReplaceRoute"),
        ("RouteTableId", "$rtb"),
        ("GatewayId", "$igw"),
        ("DestinationIpv6CidrBlock", "::/0"),
    ],
    &[("Action", "DeleteRoute"), ("RouteTableId", "$rtb"), ("DestinationIpv6CidrBlock", "::/0")],
    &[
        ("Action", "CreateNetworkAclEntry"),
        ("NetworkAclId", "$acl"),
        ("RuleNumber", "51"),
        ("Protocol", "58"),
        ("Icmp.Type", "128"),
        ("Icmp.Code", "0"),
        ("RuleAction", "deny"),
        ("Egress", "false"),
        ("Ipv6CidrBlock", "2001:db8::/32"),
    ],
];

/// Something of IPv6 that there is, chosen by a number; `None` where the value is no word for it.
pub fn fill(world: &World, value: &str, n: u8) -> Option<String> {
    let with_six = || world.enis.values().filter(|eni| !eni.ipv6.is_empty());
    Some(match value {
        "$eigw" => pick(world.egress_gateways.keys(), n, "eigw-00000000"),
        "$block6" => {
            let blocks = world.vpcs.values().flat_map(|vpc| vpc.blocks6.iter().map(|block| block.id));
            pick(blocks, n, "vpc-cidr-assoc-00000000")
        }
        "$six" => {
            let blocks = world.vpcs.values().flat_map(|vpc| vpc.blocks6.iter());
            pick(blocks.map(|block| format!("{}/64", block.cidr.network())), n, "2001:db8:bad::/64")
        }
        "$six-subnet" => {
            let subnets = world.subnets.values().filter(|subnet| subnet.block6.is_some());
            pick(subnets.map(|subnet| subnet.id), n, "subnet-00000000")
        }
        "$subnetblock" => {
            let blocks = world.subnets.values().filter_map(|subnet| subnet.block6);
            pick(blocks.map(|block| block.id), n, "subnet-cidr-assoc-00000000")
        }
        "$six-eni" => pick(with_six().map(|eni| eni.id), n, "eni-00000000"),
        "$ipv6" => {
            let freed = world.freed_ipv6.keys().filter(|cidr| cidr.prefix_len() == 128);
            let known = with_six().flat_map(|eni| eni.ipv6.iter().copied());
            pick(known.chain(freed.map(|cidr| cidr.network())), n, "2001:db8:f0::10")
        }
        _ => return None,
    })
}

/// A block is one VPC's and of a prefix, a subnet's is of its VPC's, an address is one interface's and of its subnet's; and
/// what is free is nobody's.
pub fn check(world: &World) {
    let mut blocks = BTreeSet::new();
    for block in world.vpcs.values().flat_map(|vpc| vpc.blocks6.iter()) {
        assert!(blocks.insert(block.cidr), "{} is given twice", block.cidr);
        let pool = world.ipv6_pools.values().find(|pool| pool.cidr.holds(&block.cidr)).expect("it is of one");
        assert!(pool.next.is_none_or(|next| block.cidr < next), "{} would be given again", block.cidr);
        assert!(!world.freed_ipv6.contains_key(&block.cidr), "{} is free to be taken", block.cidr);
    }
    let mut subnets = BTreeSet::new();
    for subnet in world.subnets.values() {
        let Some(block) = subnet.block6 else {
            assert!(!subnet.assign_ipv6, "{} has nothing to give", subnet.id);
            continue;
        };
        assert!(subnets.insert(block.cidr), "{} is two subnets'", block.cidr);
        assert!(world.vpcs[&subnet.vpc].blocks6.iter().any(|of| of.cidr.holds(&block.cidr)));
    }
    let mut addresses: BTreeSet<Ipv6Addr> = BTreeSet::new();
    for eni in world.enis.values() {
        for ip in eni.ipv6.iter() {
            assert!(addresses.insert(*ip), "{ip} is given twice");
            let block = world.subnets[&eni.subnet].block6.expect("its subnet has a block");
            assert!(block.cidr.contains(*ip));
            let freed = Cidr6::new(*ip, 128).is_some_and(|cidr| world.freed_ipv6.contains_key(&cidr));
            assert!(!freed, "{ip} of {} is free to be taken", eni.id);
        }
    }
    assert!(world.ipv6_routes.keys().all(|(table, _)| world.route_tables.contains_key(table)));
    let mut attached = BTreeSet::new();
    for gateway in world.egress_gateways.values() {
        assert!(world.vpcs.contains_key(&gateway.vpc) && attached.insert(gateway.vpc), "{}", gateway.id);
    }
}

/// Random histories seldom come so far.
#[test]
fn what_was_made_of_ipv6_is_what_is_loaded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bench = Bench::small();
    bench.decide(|decision| crate::control::ipv6::add(decision, PREFIX.parse().unwrap())).unwrap();
    let vpc = bench.told("vpcId", "CreateVpc", &[("CidrBlock", "10.0.0.0/16"), GIVE]);
    let six = [("VpcId", &*vpc), ("CidrBlock", "10.0.1.0/24"), ("Ipv6CidrBlock", "2001:db8:f0:1::/64")];
    let subnet = bench.told("subnetId", "CreateSubnet", &six);
    let assign = ("AssignIpv6AddressOnCreation.Value", "true");
    bench.call("ModifySubnetAttribute", &[("SubnetId", &subnet), assign]).unwrap();
    let eni = bench.told("networkInterfaceId", "CreateNetworkInterface", &[("SubnetId", &subnet)]);
    let gone = [("NetworkInterfaceId", &*eni), ("Ipv6Addresses.1", "2001:db8:f0:1::10")];
    bench.call("AssignIpv6Addresses", &gone).unwrap();
    // No host has heard of it yet: it is remembered.
    bench.status.hosts.get_mut("node1").unwrap().applied = 0;
    bench.call("UnassignIpv6Addresses", &gone).unwrap();
    let make = "CreateEgressOnlyInternetGateway";
    let gateway = bench.told("egressOnlyInternetGatewayId", make, &[("VpcId", &vpc)]);
    let table =
        bench.world.route_tables.values().find(|row| row.vpc.to_string() == vpc).unwrap().id.to_string();
    let route = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", "::/0")];
    let to = ("EgressOnlyInternetGatewayId", &*gateway);
    bench.call("CreateRoute", &[&route[..], &[to]].concat()).unwrap();
    let peer = bench.told("vpcId", "CreateVpc", &[("CidrBlock", "10.1.0.0/16")]);
    let asked = [("VpcId", &*vpc), ("PeerVpcId", &peer)];
    let peering = bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &asked);
    let over = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", "2001:db8:f7::/56")];
    bench.call("CreateRoute", &[&over[..], &[("VpcPeeringConnectionId", &peering)]].concat()).unwrap();
    let bed = Bed::sqlite();
    let mut store = runtime.block_on(bed.store());
    let generation = runtime.block_on(commit(&mut store, &std::mem::take(&mut bench.changes))).unwrap();
    bench.world.generation = generation;
    let loaded = runtime.block_on(async { bed.store().await.load().await.unwrap() });
    assert_eq!(loaded, bench.world);
    assert_eq!((loaded.freed_ipv6.len(), loaded.ipv6_routes.len(), loaded.egress_gateways.len()), (1, 2, 1));
    assert!(loaded.acl_entries.values().any(|entry| entry.cidr.v6().is_some()));
    assert!(loaded.index.eni_by_ipv6.len() == 1 && loaded.subnets.values().any(|subnet| subnet.assign_ipv6));
    // And what is deleted is gone for a server that catches up.
    bench.call("DeleteRoute", &route).unwrap();
    bench.call("DeleteRoute", &over).unwrap();
    bench.call("DeleteEgressOnlyInternetGateway", &[to]).unwrap();
    runtime.block_on(commit(&mut store, &std::mem::take(&mut bench.changes))).unwrap();
    let loaded = runtime.block_on(async { bed.store().await.load().await.unwrap() });
    assert!(loaded.ipv6_routes.is_empty() && loaded.egress_gateways.is_empty());
}
