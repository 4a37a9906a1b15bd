//! Prefixes, blocks and addresses, from the operator to an instance's interface.

use super::*;
use crate::control::testing::{Bench, texts};
use crate::control::vpcs::tests::{gateway, report, subnet, vpc};
use crate::plan::{HostState, Phase, RouteTo, host_state};
use crate::query::Fault;
use crate::query::FaultCode::{self, *};
use crate::types::*;

const SIX: (&str, &str) = ("AmazonProvidedIpv6CidrBlock", "true");

/// A bench whose operator has given a prefix with two blocks, and a VPC that has the first of them.
struct Site {
    bench: Bench,
    vpc: String,
    subnet: String,
}

impl Site {
    fn new() -> Self {
        let mut bench = Bench::small();
        prefix(&mut bench, "2001:db8:f0::/55").unwrap();
        let vpc = bench.told("vpcId", "CreateVpc", &[("CidrBlock", "10.0.0.0/16"), SIX]);
        let six = ("Ipv6CidrBlock", "2001:db8:f0:1::/64");
        let subnet =
            bench.told("subnetId", "CreateSubnet", &[("VpcId", &vpc), ("CidrBlock", "10.0.1.0/24"), six]);
        Self { bench, vpc, subnet }
    }

    fn interface(&mut self, more: &[(&str, &str)]) -> String {
        let given = [&[("SubnetId", &*self.subnet)][..], more].concat();
        self.bench.told("networkInterfaceId", "CreateNetworkInterface", &given)
    }

    fn addresses(&mut self, eni: &str) -> Vec<String> {
        let xml = self.bench.call("DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", eni)]).unwrap();
        texts(&xml, "ipv6Address")
    }

    /// The main route table, and a running instance in the subnet.
    fn launched(&mut self, more: &[(&str, &str)]) -> (String, String) {
        let image = ImageId::from_random(1).to_string();
        let given = [("ImageId", &*image), ("MinCount", "1"), ("MaxCount", "1"), ("SubnetId", &self.subnet)];
        let id = self.bench.told("instanceId", "RunInstances", &[&given[..], more].concat());
        report(&mut self.bench, Phase::Running);
        let table = self.bench.told(
            "routeTableId",
            "DescribeRouteTables",
            &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &self.vpc)],
        );
        (table, id)
    }

    fn plan(&self) -> HostState {
        host_state(&self.bench.world, "node1")
    }
}

fn prefix(bench: &mut Bench, cidr: &str) -> Result<(), Fault> {
    let cidr = cidr.parse().unwrap();
    bench.attempt(|decision| add(decision, cidr))
}

fn block_of(bench: &mut Bench, vpc: &str) -> Vec<String> {
    let xml = bench.call("DescribeVpcs", &[("VpcId.1", vpc)]).unwrap();
    texts(&xml, "ipv6CidrBlock")
}

#[test]
fn only_what_can_be_a_prefix_is_one_and_none_overlaps_another() {
    let mut bench = Bench::small();
    prefix(&mut bench, "2001:db8:f0::/48").unwrap();
    for no in [
        "::/0",
        "2000::/3",
        "fe80::/64",
        "ff02::/48",
        "::ffff:0:0/96",
        "2001:db8::/57",
        "2001:db8:f0:aa00::/56",
    ] {
        assert!(prefix(&mut bench, no).is_err(), "{no}");
    }
    let cidr = |text: &str| text.parse::<Cidr6>().unwrap();
    assert!(bench.attempt(|decision| remove(decision, cidr("2001:db8::/48"))).is_err());
    bench.attempt(|decision| remove(decision, cidr("2001:db8:f0::/48"))).unwrap();
    assert!(bench.world.ipv6_pools.is_empty());
}

#[test]
fn without_a_prefix_nobody_has_ipv6_and_is_told_what_to_do() {
    let mut bench = Bench::small();
    let fault = bench.call("CreateVpc", &[("CidrBlock", "10.0.0.0/16"), SIX]).unwrap_err();
    assert_eq!(fault.code, UnsupportedOperation);
    assert!(fault.message.contains("fogbank ipv6-pool add"), "{fault}");
    let flat = bench.world.vpcs.keys().next().unwrap().to_string();
    prefix(&mut bench, "2001:db8:f0::/48").unwrap();
    assert_eq!(bench.refused("AssociateVpcCidrBlock", &[("VpcId", &flat), SIX]), OperationNotPermitted);
    assert_eq!(bench.refused("CreateEgressOnlyInternetGateway", &[("VpcId", &flat)]), OperationNotPermitted);
}

#[test]
fn the_lowest_free_block_comes_first_and_freed_ones_last() {
    let mut site = Site::new();
    assert_eq!(block_of(&mut site.bench, &site.vpc), ["2001:db8:f0::/56"]);
    let other = vpc(&mut site.bench, "10.1.0.0/16");
    let first = site.bench.told("associationId", "AssociateVpcCidrBlock", &[("VpcId", &other), SIX]);
    assert_eq!(block_of(&mut site.bench, &other), ["2001:db8:f0:100::/56"]);
    let cidr = "2001:db8:f0::/55".parse().unwrap();
    assert_eq!(used(&site.bench.world, cidr), 2);
    assert!(site.bench.attempt(|decision| remove(decision, cidr)).is_err(), "it is in use");
    let again = [("VpcId", &*other), SIX];
    assert_eq!(site.bench.refused("AssociateVpcCidrBlock", &again), InsufficientAddressCapacity);
    // A prefix that comes later has blocks that were never used: they go before freed ones.
    site.bench.call("DisassociateVpcCidrBlock", &[("AssociationId", &first)]).unwrap();
    assert!(block_of(&mut site.bench, &other).is_empty());
    prefix(&mut site.bench, "2001:db8:f1::/56").unwrap();
    site.bench.call("AssociateVpcCidrBlock", &again).unwrap();
    site.bench.call("AssociateVpcCidrBlock", &again).unwrap();
    assert_eq!(block_of(&mut site.bench, &other), ["2001:db8:f1::/56", "2001:db8:f0:100::/56"]);
    site.bench.call("DeleteVpc", &[("VpcId", &other)]).unwrap();
    assert_eq!(site.bench.world.freed_ipv6.len(), 2);
}

#[test]
fn the_blocks_of_a_prefix_that_comes_again_are_given_as_if_it_had_stayed() {
    let mut site = Site::new();
    site.bench.call("DeleteSubnet", &[("SubnetId", &site.subnet)]).unwrap();
    site.bench.call("DeleteVpc", &[("VpcId", &site.vpc)]).unwrap();
    for _ in 0..2 {
        let cidr = "2001:db8:f0::/55".parse().unwrap();
        site.bench.attempt(|decision| remove(decision, cidr)).unwrap();
        prefix(&mut site.bench, "2001:db8:f0::/55").unwrap();
    }
    let other = vpc(&mut site.bench, "10.1.0.0/16");
    let again = [("VpcId", &*other), SIX];
    for _ in 0..2 {
        site.bench.call("AssociateVpcCidrBlock", &again).unwrap();
    }
    assert_eq!(block_of(&mut site.bench, &other), ["2001:db8:f0:100::/56", "2001:db8:f0::/56"]);
    assert_eq!(site.bench.refused("AssociateVpcCidrBlock", &again), InsufficientAddressCapacity);
}

#[test]
fn a_block_is_nobodys_while_a_host_may_still_hold_it() {
    let mut site = Site::new();
    site.bench.call("DeleteSubnet", &[("SubnetId", &site.subnet)]).unwrap();
    let other = vpc(&mut site.bench, "10.1.0.0/16");
    let give = [("VpcId", &*other), SIX];
    site.bench.call("AssociateVpcCidrBlock", &give).unwrap();
    site.bench.status.hosts.get_mut("node1").unwrap().applied = site.bench.world.generation;
    site.bench.call("DeleteVpc", &[("VpcId", &site.vpc)]).unwrap();
    assert_eq!(site.bench.refused("AssociateVpcCidrBlock", &give), InsufficientAddressCapacity);
    site.bench.status.hosts.get_mut("node1").unwrap().applied = site.bench.world.generation;
    site.bench.call("AssociateVpcCidrBlock", &give).unwrap();
}

#[test]
fn with_its_block_a_vpc_is_open_to_ipv6_as_it_is_to_ipv4() {
    let mut site = Site::new();
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*site.vpc)];
    let acls = site.bench.call("DescribeNetworkAcls", &of_vpc).unwrap();
    let numbers = ["100", "101", "32767", "32768"];
    assert_eq!(texts(&acls, "ruleNumber"), [numbers, numbers].concat());
    assert_eq!(texts(&acls, "ipv6CidrBlock"), ["::/0"; 4]);
    let named = [("GroupName", "web"), ("GroupDescription", "web"), ("VpcId", &site.vpc)];
    site.bench.call("CreateSecurityGroup", &named).unwrap();
    let groups = site.bench.call("DescribeSecurityGroups", &of_vpc).unwrap();
    assert_eq!(texts(&groups, "cidrIpv6"), ["::/0"; 2], "both groups let everything out");
    let tables = site.bench.call("DescribeRouteTables", &of_vpc).unwrap();
    assert_eq!(texts(&tables, "destinationIpv6CidrBlock"), ["2001:db8:f0::/56"]);
    assert_eq!(texts(&tables, "gatewayId"), ["local"; 2]);
}

#[test]
fn what_somebody_has_changed_is_not_opened_to_ipv6_by_itself() {
    let mut site = Site::new();
    let other = vpc(&mut site.bench, "10.1.0.0/16");
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*other)];
    let acl = site.bench.told("networkAclId", "DescribeNetworkAcls", &of_vpc);
    let group = site.bench.told("groupId", "DescribeSecurityGroups", &of_vpc);
    let entry = [("NetworkAclId", &*acl), ("RuleNumber", "100"), ("Egress", "false")];
    site.bench.call("DeleteNetworkAclEntry", &entry).unwrap();
    let out = [
        ("GroupId", &*group),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ];
    site.bench.call("RevokeSecurityGroupEgress", &out).unwrap();
    site.bench.call("AssociateVpcCidrBlock", &[("VpcId", &other), SIX]).unwrap();
    let acls = site.bench.call("DescribeNetworkAcls", &of_vpc).unwrap();
    assert_eq!(texts(&acls, "ruleNumber"), ["100", "101", "32767", "32768", "32767", "32768"]);
    assert!(texts(&site.bench.call("DescribeSecurityGroups", &of_vpc).unwrap(), "cidrIpv6").is_empty());
}

#[test]
fn a_subnet_has_a_64_of_its_vpcs_and_keeps_it_while_it_is_in_use() {
    let mut site = Site::new();
    let plain = subnet(&mut site.bench, &site.vpc, "10.0.2.0/24");
    let mut associate = |cidr: &str| {
        let given = [("SubnetId", &*plain), ("Ipv6CidrBlock", cidr)];
        site.bench.call("AssociateSubnetCidrBlock", &given).map_err(|fault| fault.code)
    };
    assert_eq!(associate("2001:db8:f0:2::/60"), Err(InvalidParameterValue));
    assert_eq!(associate("2001:db8:f0:100::/64"), Err(InvalidSubnetRange), "the next VPC's");
    assert_eq!(associate("2001:db8:f0:1::/64"), Err(InvalidSubnetConflict));
    let id = texts(&associate("2001:db8:f0:2::/64").unwrap(), "associationId").remove(0);
    assert_eq!(associate("2001:db8:f0:3::/64"), Err(CidrLimitExceeded));
    let attribute = "AssignIpv6AddressOnCreation.Value";
    let switch = [("SubnetId", &*plain), (attribute, "true")];
    site.bench.call("ModifySubnetAttribute", &switch).unwrap();
    let gone = [("AssociationId", &*id)];
    assert_eq!(site.bench.refused("DisassociateSubnetCidrBlock", &gone), InvalidCidrBlockInUse);
    let eni = site.bench.told("networkInterfaceId", "CreateNetworkInterface", &[("SubnetId", &plain)]);
    assert_eq!(site.addresses(&eni).len(), 1, "as the subnet says");
    site.bench.call("ModifySubnetAttribute", &[("SubnetId", &plain), (attribute, "false")]).unwrap();
    assert_eq!(site.bench.refused("DisassociateSubnetCidrBlock", &gone), InvalidCidrBlockInUse);
    let ip = site.addresses(&eni).remove(0);
    site.bench
        .call("UnassignIpv6Addresses", &[("NetworkInterfaceId", &eni), ("Ipv6Addresses.1", &ip)])
        .unwrap();
    site.bench.call("DisassociateSubnetCidrBlock", &gone).unwrap();
    assert_eq!(site.bench.refused("ModifySubnetAttribute", &switch), InvalidParameterValue);
    let of_vpc = site.bench.told(
        "associationId",
        "DescribeVpcs",
        &[
            ("Filter.1.Name", "ipv6-cidr-block-association.ipv6-cidr-block"),
            ("Filter.1.Value.1", "2001:db8:f0::/56"),
        ],
    );
    let ids = texts(&site.bench.call("DescribeVpcs", &[("VpcId.1", &site.vpc)]).unwrap(), "associationId");
    assert!(ids.contains(&of_vpc));
    assert_eq!(
        site.bench.refused("DisassociateVpcCidrBlock", &[("AssociationId", &ids[1])]),
        InvalidCidrBlockInUse
    );
}

#[test]
fn an_address_is_in_its_subnet_is_one_interfaces_and_is_forgotten_before_it_is_given_again() {
    let mut site = Site::new();
    let one = site.interface(&[
        ("Ipv6Addresses.1.Ipv6Address", "2001:db8:f0:1::10"),
        ("Ipv6Addresses.2.Ipv6Address", "2001:db8:f0:1::11"),
    ]);
    assert_eq!(site.addresses(&one), ["2001:db8:f0:1::10", "2001:db8:f0:1::11"]);
    let two = site.interface(&[("Ipv6AddressCount", "2")]);
    let chosen = site.addresses(&two);
    assert_eq!(chosen.len(), 2);
    assert!(chosen.iter().all(|ip| ip.starts_with("2001:db8:f0:1:")) && chosen[0] != chosen[1]);
    let assign = |site: &mut Site, ip: &str| -> Result<String, FaultCode> {
        let given = [("NetworkInterfaceId", &*two), ("Ipv6Addresses.1", ip)];
        site.bench.call("AssignIpv6Addresses", &given).map_err(|fault| fault.code)
    };
    for no in
        ["2001:db8:f0:2::10", "2001:db8:f0:1::", "2001:db8:f0:1::3", "2001:db8:f0:1:ffff:ffff:ffff:ffff"]
    {
        assert_eq!(assign(&mut site, no), Err(InvalidParameterValue), "{no}");
    }
    assert_eq!(assign(&mut site, "2001:db8:f0:1::10"), Err(InvalidIPAddressInUse));
    site.bench.status.hosts.get_mut("node1").unwrap().applied = site.bench.world.generation;
    site.bench.call("DeleteNetworkInterface", &[("NetworkInterfaceId", &one)]).unwrap();
    assert_eq!(
        assign(&mut site, "2001:db8:f0:1::10"),
        Err(InvalidIPAddressInUse),
        "a host may answer for it"
    );
    site.bench.status.hosts.get_mut("node1").unwrap().applied = site.bench.world.generation;
    let told = assign(&mut site, "2001:db8:f0:1::10").unwrap();
    assert!(
        told.contains("<assignedIpv6Addresses><item>2001:db8:f0:1::10</item></assignedIpv6Addresses>"),
        "{told}"
    );
    site.bench.call("DeleteNetworkInterface", &[("NetworkInterfaceId", &two)]).unwrap();
    let long_ago: Cidr6 = "2001:db8:f0:1::11/128".parse().unwrap();
    assert!(!site.bench.world.freed_ipv6.contains_key(&long_ago), "forgotten everywhere");
}

#[test]
fn an_instance_has_its_addresses_on_its_host_and_in_its_groups() {
    let mut site = Site::new();
    let (_, id) = site.launched(&[("Ipv6Address.1.Ipv6Address", "2001:db8:f0:1::10")]);
    let told = site.bench.call(
        "DescribeInstances",
        &[("Filter.1.Name", "ipv6-address"), ("Filter.1.Value.1", "2001:db8:f0:1::10")],
    );
    let told = told.unwrap();
    assert_eq!(texts(&told, "instanceId"), [&*id]);
    assert_eq!(texts(&told, "ipv6Address"), ["2001:db8:f0:1::10"; 2]);
    let ip = "2001:db8:f0:1::10".parse().unwrap();
    let (block, subnet) = ("2001:db8:f0::/56".parse().unwrap(), "2001:db8:f0:1::/64".parse().unwrap());
    let plan = site.plan();
    let port = plan.ports.values().next().unwrap();
    assert_eq!((&*port.ipv6, port.subnet_cidr6), (&[ip][..], Some(subnet)));
    assert_eq!(plan.places[&port.eni].ipv6, port.ipv6);
    assert_eq!(plan.subnets[&port.subnet].cidr6, Some(subnet));
    assert_eq!(plan.networks[&port.network].cidr6, Some(subnet));
    assert_eq!(*plan.vpcs[&port.vpc].cidrs6, [block]);
    assert_eq!(*plan.pools6, ["2001:db8:f0::/55".parse().unwrap()]);
    let group = &plan.groups[&port.groups[0]];
    assert_eq!(plan.members[&group.id].ipv6, [ip], "the default group names itself");
    assert_eq!(group.egress.ipv6, [("::/0".parse().unwrap(), Traffic::All)]);
    let acl = plan.acls.values().next().unwrap();
    assert_eq!((acl.ingress.len(), acl.ingress6.len(), acl.egress6.len()), (1, 1, 1));
    assert!(plan.networks["flat"].cidr6.is_none());
    site.bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
    assert!(site.plan().ports.is_empty());
}

#[test]
fn one_address_is_for_one_instance_and_types_have_their_limits() {
    let mut site = Site::new();
    let image = ImageId::from_random(1).to_string();
    let subnet = site.subnet.clone();
    let base = [("ImageId", &*image), ("MinCount", "1"), ("SubnetId", &subnet), ("InstanceType", "t3.micro")];
    let mut launch = |count: &str, more: &[(&str, &str)]| {
        let given = [&base[..], &[("MaxCount", count)], more].concat();
        site.bench.call("RunInstances", &given).map_err(|fault| fault.code)
    };
    let named = ("Ipv6Address.1.Ipv6Address", "2001:db8:f0:1::10");
    assert_eq!(launch("2", &[named]), Err(InvalidParameterCombination));
    assert_eq!(launch("1", &[named, ("Ipv6AddressCount", "1")]), Err(InvalidParameterCombination));
    assert_eq!(launch("1", &[("Ipv6AddressCount", "3")]), Err(PrivateIpAddressLimitExceeded));
    let two = launch("2", &[("Ipv6AddressCount", "1")]).unwrap();
    let mut addresses = texts(&two, "ipv6Address");
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 2, "one each");
    let flat = site.bench.world.subnets.values().find(|row| row.is_default).unwrap().id.to_string();
    let given = [("SubnetId", &*flat), ("Ipv6AddressCount", "1")];
    assert_eq!(site.bench.refused("CreateNetworkInterface", &given), InvalidParameterValue);
}

#[test]
fn a_route_of_ipv6_is_a_black_hole_while_its_target_is_away() {
    let mut site = Site::new();
    let (table, id) = site.launched(&[]);
    let vpc = site.vpc.clone();
    let internet = gateway(&mut site.bench, &vpc);
    let egress =
        site.bench.told("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", &[("VpcId", &vpc)]);
    assert_eq!(
        site.bench.refused("CreateEgressOnlyInternetGateway", &[("VpcId", &vpc)]),
        InvalidParameterValue
    );
    let mut route = |action: &str, to: &str, target: (&str, &str)| {
        let given = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", to), target];
        site.bench.call(action, &given).map_err(|fault| fault.code)
    };
    route("CreateRoute", "::/0", ("GatewayId", &internet)).unwrap();
    route("CreateRoute", "2001:db8:aa::/48", ("EgressOnlyInternetGatewayId", &egress)).unwrap();
    route("CreateRoute", "2001:db8:bb::/48", ("InstanceId", &id)).unwrap();
    assert_eq!(route("CreateRoute", "::/0", ("GatewayId", &internet)), Err(RouteAlreadyExists));
    assert_eq!(
        route("CreateRoute", "2001:db8:f0:5::/64", ("GatewayId", &internet)),
        Err(InvalidParameterValue)
    );
    assert_eq!(route("CreateRoute", "2001:db8:f0:5::/64", ("InstanceId", &id)), Err(UnsupportedOperation));
    for no in ["fe80::/64", "ff02::/16"] {
        assert_eq!(route("CreateRoute", no, ("InstanceId", &id)), Err(InvalidParameterValue), "{no}");
    }
    assert_eq!(route("ReplaceRoute", "2001:db8:cc::/48", ("InstanceId", &id)), Err(InvalidParameterValue));
    let states = |site: &mut Site| {
        let xml = site.bench.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).unwrap();
        texts(&xml, "state").into_iter().filter(|state| state != "associated").collect::<Vec<_>>()
    };
    let led = |site: &Site| {
        let plan = site.plan();
        let tables = &plan.vpcs[&vpc.parse().unwrap()].tables6;
        tables.values().flatten().map(|route| route.to).collect::<Vec<_>>()
    };
    let eni = site.plan().ports.keys().copied().next().unwrap();
    assert_eq!(states(&mut site), ["active"; 5], "two of them local");
    assert_eq!(led(&site), [RouteTo::Internet, RouteTo::EgressOnly, RouteTo::Interface(eni)]);
    let gone = [("EgressOnlyInternetGatewayId", &*egress)];
    let deleted = site.bench.told("returnCode", "DeleteEgressOnlyInternetGateway", &gone);
    assert_eq!(deleted, "true");
    site.bench.call("DetachInternetGateway", &[("InternetGatewayId", &internet), ("VpcId", &vpc)]).unwrap();
    assert_eq!(led(&site), [RouteTo::Nowhere, RouteTo::Nowhere, RouteTo::Interface(eni)]);
    site.bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
    assert_eq!(states(&mut site), ["active", "active", "blackhole", "blackhole", "blackhole"]);
    let given = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", "::/0")];
    site.bench.call("DeleteRoute", &given).unwrap();
    assert_eq!(site.bench.refused("DeleteRoute", &given), InvalidRouteNotFound);
    let local = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", "2001:db8:f0::/56")];
    assert_eq!(site.bench.refused("DeleteRoute", &local), InvalidParameterValue);
}

#[test]
fn a_vpc_with_an_egress_only_gateway_cannot_be_deleted() {
    let mut site = Site::new();
    site.bench.call("DeleteSubnet", &[("SubnetId", &site.subnet)]).unwrap();
    let given = [("VpcId", &*site.vpc), ("ClientToken", "once")];
    let made = |site: &mut Site| {
        site.bench.told("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", &given)
    };
    let mut site = Site { bench: site.bench, vpc: site.vpc.clone(), subnet: site.subnet };
    let id = made(&mut site);
    assert_eq!(made(&mut site), id, "the same request again");
    assert_eq!(site.bench.refused("DeleteVpc", &[("VpcId", given[0].1)]), DependencyViolation);
    site.bench.call("DeleteEgressOnlyInternetGateway", &[("EgressOnlyInternetGatewayId", &id)]).unwrap();
    site.bench.call("DeleteVpc", &[("VpcId", given[0].1)]).unwrap();
}

#[test]
fn entries_of_a_network_acl_are_of_one_family_each() {
    let mut site = Site::new();
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*site.vpc)];
    let acl = site.bench.told("networkAclId", "DescribeNetworkAcls", &of_vpc);
    let mut entry = |action: &str, more: &[(&str, &str)]| {
        let base =
            [("NetworkAclId", &*acl), ("RuleNumber", "90"), ("RuleAction", "deny"), ("Egress", "false")];
        site.bench.call(action, &[&base[..], more].concat()).map_err(|fault| fault.code)
    };
    let six = ("Ipv6CidrBlock", "2001:db8:bad::/48");
    assert_eq!(entry("CreateNetworkAclEntry", &[("Protocol", "-1")]), Err(MissingParameter));
    let both = [("Protocol", "-1"), six, ("CidrBlock", "0.0.0.0/0")];
    assert_eq!(entry("CreateNetworkAclEntry", &both), Err(InvalidParameterCombination));
    assert_eq!(entry("CreateNetworkAclEntry", &[("Protocol", "58"), six]), Err(MissingParameter));
    let echo = [("Protocol", "58"), six, ("Icmp.Type", "128"), ("Icmp.Code", "-1")];
    entry("CreateNetworkAclEntry", &echo).unwrap();
    let four = [("Protocol", "-1"), ("CidrBlock", "192.0.2.0/24")];
    assert_eq!(
        entry("CreateNetworkAclEntry", &four),
        Err(NetworkAclEntryAlreadyExists),
        "numbers are shared"
    );
    site.launched(&[]);
    let plan = site.plan();
    let section = plan.acls.values().next().unwrap();
    let denied = &section.ingress6[0];
    assert!(!denied.allow && denied.cidr == six.1.parse().unwrap());
    assert_eq!(denied.traffic, Traffic::Icmpv6(IcmpMatch::Type(128)));
    assert_eq!((section.ingress.len(), section.ingress6.len()), (1, 2));
}
