//! What sequences of requests do to VPCs, and what must hold of these.

use std::collections::BTreeSet;

use super::property::pick;
use super::testing::{Bed, commit};
use crate::control::testing::Bench;
use crate::types::*;
use crate::world::*;

pub const CALLS: &[&[(&str, &str)]] = &[
    &[("Action", "CreateVpc"), ("CidrBlock", "10.0.0.0/16")],
    &[("Action", "DeleteVpc"), ("VpcId", "$vpc")],
    &[("Action", "CreateSubnet"), ("VpcId", "$vpc"), ("CidrBlock", "10.0.1.0/24")],
    &[("Action", "CreateSubnet"), ("VpcId", "$vpc"), ("CidrBlock", "10.0.2.0/24")],
    &[("Action", "DeleteSubnet"), ("SubnetId", "$subnet")],
    &[
        ("Action", "RunInstances"),
        ("SubnetId", "$subnet"),
        ("ImageId", "$image"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ],
    &[("Action", "CreateInternetGateway")],
    &[("Action", "AttachInternetGateway"), ("VpcId", "$vpc"), ("InternetGatewayId", "$igw")],
    &[("Action", "DetachInternetGateway"), ("VpcId", "$vpc"), ("InternetGatewayId", "$igw")],
    &[("Action", "DeleteInternetGateway"), ("InternetGatewayId", "$igw")],
    &[("Action", "CreateRouteTable"), ("VpcId", "$vpc")],
    &[("Action", "DeleteRouteTable"), ("RouteTableId", "$rtb")],
    &[("Action", "AssociateRouteTable"), ("RouteTableId", "$rtb"), ("SubnetId", "$subnet")],
    &[("Action", "DisassociateRouteTable"), ("AssociationId", "$rtbassoc")],
    &[("Action", "ReplaceRouteTableAssociation"), ("AssociationId", "$rtbassoc"), ("RouteTableId", "$rtb")],
    &[
        ("Action", "CreateRoute"),
        ("RouteTableId", "$rtb"),
        ("GatewayId", "$igw"),
        ("DestinationCidrBlock", "0.0.0.0/0"),
    ],
    &[
        ("Action", "CreateRoute"),
        ("RouteTableId", "$rtb"),
        ("InstanceId", "$instance"),
        ("DestinationCidrBlock", "198.51.100.0/24"),
    ],
    &[
        ("Action", "ReplaceRoute"),
        ("RouteTableId", "$rtb"),
        ("NetworkInterfaceId", "$eni"),
        ("DestinationCidrBlock", "0.0.0.0/0"),
    ],
    &[("Action", "DeleteRoute"), ("RouteTableId", "$rtb"), ("DestinationCidrBlock", "0.0.0.0/0")],
    &[("Action", "CreateNatGateway"), ("SubnetId", "$subnet"), ("AllocationId", "$address")],
    &[
        ("Action", "CreateNatGateway"),
        ("SubnetId", "$subnet"),
        ("AllocationId", "$address"),
        ("ClientToken", "once"),
        ("TagSpecification.1.ResourceType", "natgateway"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
    ],
    &[("Action", "CreateNatGateway"), ("SubnetId", "$subnet"), ("ConnectivityType", "private")],
    &[("Action", "DeleteNatGateway"), ("NatGatewayId", "$nat")],
    &[("Action", "ModifySubnetAttribute"), ("SubnetId", "$subnet"), ("MapPublicIpOnLaunch.Value", "true")],
    &[
        ("Action", "CreateSubnetCidrReservation"),
        ("SubnetId", "$subnet"),
        ("Cidr", "10.0.1.0/28"),
        ("ReservationType", "explicit"),
    ],
    &[("Action", "DeleteSubnetCidrReservation"), ("SubnetCidrReservationId", "$scr")],
    &[
        ("Action", "CreateManagedPrefixList"),
        ("PrefixListName", "<one> \"two\""),
        ("AddressFamily", "IPv4"),
        ("MaxEntries", "2"),
        ("Entry.1.Cidr", "198.51.100.0/24"),
        ("Entry.1.Description", "\"<&>, \u{e9}"),
    ],
    &[("Action", "ModifyManagedPrefixList"), ("PrefixListId", "$pl"), ("AddEntry.1.Cidr", "0.0.0.0/0")],
    &[("Action", "ModifyManagedPrefixList"), ("PrefixListId", "$pl"), ("RemoveEntry.1.Cidr", "0.0.0.0/0")],
    &[("Action", "DeleteManagedPrefixList"), ("PrefixListId", "$pl")],
    &[
        ("Action", "CreateRoute"),
        ("RouteTableId", "$rtb"),
        ("GatewayId", "$igw"),
        ("DestinationPrefixListId", "$pl"),
    ],
    &[("Action", "DeleteRoute"), ("RouteTableId", "$rtb"), ("DestinationPrefixListId", "$pl")],
    &[
        ("Action", "AuthorizeSecurityGroupIngress"),
        ("GroupId", "$group"),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", "$pl"),
    ],
    &[
        ("Action", "CreateRoute"),
        ("RouteTableId", "$rtb"),
        ("NatGatewayId", "$nat"),
        ("DestinationCidrBlock", "0.0.0.0/0"),
    ],
    &[("Action", "CreateVpc"), ("CidrBlock", "10.4.0.0/16")],
    &[
        ("Action", "CreateVpcPeeringConnection"),
        ("VpcId", "$vpc"),
        ("PeerVpcId", "$vpc"),
        ("TagSpecification.1.ResourceType", "vpc-peering-connection"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
    ],
    &[("Action", "AcceptVpcPeeringConnection"), ("VpcPeeringConnectionId", "$pcx")],
    &[("Action", "RejectVpcPeeringConnection"), ("VpcPeeringConnectionId", "$pcx")],
    &[("Action", "DeleteVpcPeeringConnection"), ("VpcPeeringConnectionId", "$pcx")],
    &[
        ("Action", "CreateRoute"),
        ("RouteTableId", "$rtb"),
        ("VpcPeeringConnectionId", "$pcx"),
        ("DestinationCidrBlock", "10.0.0.0/8"),
    ],
    &[("Action", "AssociateVpcCidrBlock"), ("VpcId", "$vpc"), ("CidrBlock", "10.3.0.0/16")],
    &[("Action", "DisassociateVpcCidrBlock"), ("AssociationId", "$block")],
    &[("Action", "ModifyVpcAttribute"), ("VpcId", "$vpc"), ("EnableDnsSupport.Value", "false")],
    &[("Action", "ModifyVpcAttribute"), ("VpcId", "$vpc"), ("EnableDnsHostnames.Value", "true")],
    &[
        ("Action", "CreateDhcpOptions"),
        ("DhcpConfiguration.1.Key", "ntp-servers"),
        ("DhcpConfiguration.1.Value.1", "192.0.2.1"),
    ],
    &[("Action", "AssociateDhcpOptions"), ("VpcId", "$vpc"), ("DhcpOptionsId", "$dopt")],
    &[("Action", "DeleteDhcpOptions"), ("DhcpOptionsId", "$dopt")],
];

/// Something of VPCs that there is, chosen by a number; `None` where the value is no word for it.
pub fn fill(world: &World, value: &str, n: u8) -> Option<String> {
    Some(match value {
        "$vpc" => pick(world.vpcs.keys(), n, "vpc-00000000"),
        "$subnet" => pick(world.subnets.keys(), n, "subnet-00000000"),
        "$igw" => pick(world.internet_gateways.keys(), n, "igw-00000000"),
        "$nat" => pick(world.nat_gateways.keys(), n, "nat-00000000"),
        "$pcx" => pick(world.peerings.keys(), n, "pcx-00000000"),
        "$rtb" => pick(world.route_tables.keys(), n, "rtb-00000000"),
        "$rtbassoc" => pick(world.route_table_associations.keys(), n, "rtbassoc-00000000"),
        "$pl" => pick(world.prefix_lists.keys(), n, "pl-00000000"),
        "$scr" => pick(world.subnet_cidr_reservations.keys(), n, "scr-00000000"),
        "$dopt" => pick(world.dhcp_options.keys(), n, "dopt-00000000"),
        "$block" => {
            let blocks = world.vpcs.values().flat_map(|vpc| vpc.blocks.iter().map(|block| block.id));
            pick(blocks, n, "vpc-cidr-assoc-00000000")
        }
        _ => return None,
    })
}

/// Everything in a VPC is of that VPC, and whatever has to be there once is.
pub fn check(world: &World) {
    let vnis: BTreeSet<_> = world.vpcs.values().filter_map(|vpc| vpc.vni).collect();
    assert_eq!(vnis.len(), world.vpcs.values().filter(|vpc| vpc.vni.is_some()).count());
    let within = |vpc: VpcId| world.vpcs.get(&vpc).expect("what a VPC has goes before it");
    for vpc in world.vpcs.values() {
        let main = world.index.route_table_association_of[&(vpc.id, None)];
        assert_eq!(within(world.route_table_associations[&main].vpc), vpc);
        assert!(world.dhcp_options.contains_key(&vpc.dhcp_options));
    }
    for subnet in world.subnets.values() {
        let network = &world.networks[&subnet.network];
        assert_eq!(network.vpc.is_some(), within(subnet.vpc).vni.is_some());
        assert!(world.acl_of(subnet.id).is_some_and(|acl| acl.vpc == subnet.vpc));
        assert!(world.route_table_of(subnet.vpc, subnet.id).is_some());
    }
    let carrying = world.networks.values().filter(|network| network.vpc.is_some()).count();
    let carried = world.subnets.values().filter(|subnet| within(subnet.vpc).vni.is_some()).count();
    assert_eq!(carrying, carried, "a network goes with its subnet");
    let tables: BTreeSet<_> = world.route_tables.values().map(|table| (table.vpc, table.number)).collect();
    assert_eq!(tables.len(), world.route_tables.len());
    for association in world.route_table_associations.values() {
        assert_eq!(world.route_tables[&association.table].vpc, association.vpc);
        assert!(association.subnet.is_none_or(|subnet| world.subnets[&subnet].vpc == association.vpc));
    }
    assert!(world.routes.keys().all(|(table, _)| world.route_tables.contains_key(table)));
    assert!(world.freed.keys().all(|(space, _)| match space {
        Space::Network(name) => world.networks.contains_key(name),
        Space::Pool(id) => world.pools.contains_key(id),
    }));
    nat_gateways(world);
    peerings(world);
    for list in world.prefix_lists.values() {
        let newest = world.prefix_list_versions.range((list.id, 0)..=(list.id, u64::MAX)).next_back();
        assert_eq!(
            newest.map(|((_, number), _)| *number),
            Some(list.version),
            "a list is at its newest version"
        );
    }
    let lists = world.routes.keys().filter_map(|(_, destination)| destination.list());
    let mut lists = lists.chain(world.ipv6_routes.keys().filter_map(|(_, destination)| destination.list()));
    assert!(lists.all(|list| world.prefix_lists.contains_key(&list)), "a route to a list that is gone");
    for row in world.addresses.values().filter(|row| row.automatic) {
        let eni =
            row.association.map(|to| &world.enis[&to.eni]).expect("one that came by itself leads somewhere");
        let of = eni.attachment.map(|at| &world.instances[&at.instance]).expect("an instance has it");
        assert!(
            matches!(of.state, InstanceState::Pending | InstanceState::Running),
            "{} stays",
            row.public_ip
        );
        assert_eq!(
            world
                .addresses_of(eni.id)
                .filter(|row| row.association.unwrap().private_ip == eni.private_ip)
                .count(),
            1
        );
    }
    let mut attached = BTreeSet::new();
    for vpc in world.internet_gateways.values().filter_map(|gateway| gateway.vpc) {
        assert!(attached.insert(within(vpc).id), "{vpc} has two gateways");
    }
}

/// Rows are written in the order of their keys, whichever gave up what the other takes.
#[test]
fn what_one_gives_up_another_takes_in_the_same_transaction() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bench = Bench::small();
    let vpc = bench.told("vpcId", "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
    let given = [("VpcId", &*vpc), ("CidrBlock", "10.0.1.0/24")];
    let subnet = bench.told("subnetId", "CreateSubnet", &given);
    let image = bench.world.images.keys().next().unwrap().to_string();
    let given = [("ImageId", &*image), ("SubnetId", &subnet), ("MinCount", "1"), ("MaxCount", "1")];
    let instance = bench.told("instanceId", "RunInstances", &given);
    let mut many = |element: &str, action: &str| {
        let mut made: Vec<String> = (0..3).map(|_| bench.told(element, action, &[])).collect();
        made.sort();
        made
    };
    let gateways = many("internetGatewayId", "CreateInternetGateway");
    let addresses = many("allocationId", "AllocateAddress");
    let attached = |at: usize| [("VpcId", &*vpc), ("InternetGatewayId", &*gateways[at])];
    let led = |at: usize| [("AllocationId", &*addresses[at]), ("InstanceId", &*instance)];
    bench.call("AttachInternetGateway", &attached(1)).unwrap();
    bench.call("AssociateAddress", &led(1)).unwrap();
    let bed = Bed::sqlite();
    let mut store = runtime.block_on(bed.store());
    runtime.block_on(commit(&mut store, &std::mem::take(&mut bench.changes))).unwrap();
    for (old, new) in [(1, 0), (0, 2)] {
        bench.call("AssociateAddress", &led(new)).unwrap();
        runtime.block_on(commit(&mut store, &std::mem::take(&mut bench.changes))).unwrap();
        assert_eq!(bench.world.index.addresses_by_transit.len(), 1);
        let given = [("AllocationId.1", &*addresses[new])];
        let association = bench.told("associationId", "DescribeAddresses", &given);
        bench.call("DisassociateAddress", &[("AssociationId", &association)]).unwrap();
        bench.call("DetachInternetGateway", &attached(old)).unwrap();
        bench.call("AttachInternetGateway", &attached(new)).unwrap();
        bench.call("AssociateAddress", &led(new)).unwrap();
        runtime.block_on(commit(&mut store, &std::mem::take(&mut bench.changes))).unwrap();
    }
}

/// Those that join two VPCs join two that are there and share no address.
fn peerings(world: &World) {
    for row in world.peerings.values() {
        assert_eq!(row.ended.is_some(), !matches!(row.state, PeeringState::Pending | PeeringState::Active));
        if row.state == PeeringState::Active {
            let [one, other] = row.ends().map(|end| &world.vpcs[&end.vpc]);
            assert!(!one.cidrs().any(|block| other.cidrs().any(|theirs| theirs.overlaps(&block))));
        }
    }
}

/// What a NAT gateway has is there as long as it is, and it is at work where a host of its zone can have it.
fn nat_gateways(world: &World) {
    for row in world.nat_gateways.values() {
        let eni = world.enis.get(&row.eni);
        if row.deleted.is_some() {
            assert!(eni.is_none() && row.host.is_none(), "{} is deleted and has something still", row.id);
            continue;
        }
        let eni = eni.expect("a NAT gateway has its interface");
        assert!(
            eni.attachment.is_none() && eni.private_ips().eq([row.private_ip]) && eni.subnet == row.subnet
        );
        let led: Vec<_> = world.addresses_of(row.eni).map(|row| (row.id, row.public_ip)).collect();
        let elastic = row.elastic.map(|elastic| (elastic.allocation, elastic.public_ip));
        assert!(
            led.iter().copied().eq(elastic),
            "one address leads to a public one, and none to a private one"
        );
        let zone = &world.subnets[&row.subnet].zone;
        let fit = |host: &Host| host.condition == Condition::Active && host.zone == *zone;
        let on = row.host.as_ref().map(|name| &world.hosts[name]);
        if world.hosts.values().any(|host| fit(host)) {
            assert!(on.is_some_and(|host| fit(host)), "{} has another host to be at work on", row.id);
        }
        assert!(on.is_none_or(|host| host.condition != Condition::Failed), "{} is on a dead host", row.id);
    }
}
