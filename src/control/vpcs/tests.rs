//! VPCs with what is in them, from their making to their end.

use super::*;
use crate::control::testing::{Bench, texts};
use crate::control::{defaults, internet_gateways};
use crate::plan::{HostReport, InstanceReport, Phase};
use crate::world::*;
use FaultCode::*;

const TAG: [(&str, &str); 2] =
    [("TagSpecification.1.Tag.1.Key", "Name"), ("TagSpecification.1.Tag.1.Value", "mine")];

pub fn vpc(bench: &mut Bench, cidr: &str) -> String {
    bench.told("vpcId", "CreateVpc", &[("CidrBlock", cidr)])
}

pub fn subnet(bench: &mut Bench, vpc: &str, cidr: &str) -> String {
    bench.told("subnetId", "CreateSubnet", &[("VpcId", vpc), ("CidrBlock", cidr)])
}

pub fn instance(bench: &mut Bench, subnet: &str) -> String {
    let image = bench.world.images.keys().next().unwrap().to_string();
    let number = [("MinCount", "1"), ("MaxCount", "1")];
    let given = [&[("ImageId", &*image), ("SubnetId", subnet)], &number[..]].concat();
    bench.told("instanceId", "RunInstances", &given)
}

pub fn report(bench: &mut Bench, phase: Phase) {
    let of = |row: &Arc<Instance>| InstanceReport { id: row.id, boot: row.boot, phase };
    let instances = bench.world.instances_on("node1").map(of).collect();
    let applied = bench.world.generation;
    let report = HostReport { host: "node1".into(), applied, instances, ..HostReport::default() };
    bench.decide(|decision| crate::control::observed(decision, &report));
}

/// A gateway that is attached to the VPC.
pub fn gateway(bench: &mut Bench, vpc: &str) -> String {
    let gateway = bench.told("internetGatewayId", "CreateInternetGateway", &[]);
    bench.call("AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", vpc)]).unwrap();
    gateway
}

#[test]
fn a_vpc_comes_with_what_ec2_makes() {
    let mut bench = Bench::small();
    let id: VpcId = vpc(&mut bench, "10.0.0.9/16").parse().unwrap();
    let (world, owner) = (&bench.world, &bench.caller.owner);
    let row = &world.vpcs[&id];
    assert_eq!(row.cidr.to_string(), "10.0.0.0/16", "host bits are cleared");
    assert_eq!((row.vni, row.is_default, row.dns_support, row.dns_hostnames), (Some(1), false, true, false));
    assert_eq!(row.dhcp_options, defaults::vpc(world, owner).unwrap().dhcp_options);
    let tables: Vec<_> = world.route_tables_of(id).collect();
    let main = world.index.route_table_association_of[&(id, None)];
    assert_eq!(
        [world.route_table_associations[&main].table],
        tables.iter().map(|row| row.id).collect::<Vec<_>>()[..]
    );
    assert_eq!(world.routes_of(tables[0].id).count(), 0);
    let acl = default_acl(world, id).unwrap();
    for direction in [Direction::Ingress, Direction::Egress] {
        let entries: Vec<_> = world.acl_entries_of(acl, direction).collect();
        let told: Vec<_> = entries.iter().map(|row| (row.number, row.allow, row.traffic)).collect();
        assert_eq!(told, [(100, true, Traffic::All)]);
    }
    assert_eq!(world.rules_of(defaults::group(world, id).unwrap()).count(), 2);
    assert_eq!(internet_gateways::attached_to(world, id), None);
}

#[test]
fn what_was_made_goes_without_a_trace() {
    let mut bench = Bench::small();
    let kind = [("TagSpecification.1.ResourceType", "vpc")];
    let before = bench.world.clone();
    let given = [&[("CidrBlock", "10.0.0.0/16")], &kind[..], &TAG].concat();
    let vpc = bench.told("vpcId", "CreateVpc", &given);
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    let kind = [("TagSpecification.1.ResourceType", "route-table")];
    let given = [&[("VpcId", &*vpc)], &kind[..], &TAG].concat();
    let table = bench.told("routeTableId", "CreateRouteTable", &given);
    let given = [("RouteTableId", &*table), ("SubnetId", &subnet)];
    let association = bench.told("associationId", "AssociateRouteTable", &given);
    let gateway = gateway(&mut bench, &vpc);
    let given = [("RouteTableId", &*table), ("DestinationCidrBlock", "0.0.0.0/0"), ("GatewayId", &gateway)];
    bench.call("CreateRoute", &given).unwrap();
    let instance = instance(&mut bench, &subnet);
    assert_eq!(bench.refused("DeleteSubnet", &[("SubnetId", &subnet)]), DependencyViolation);
    bench.call("TerminateInstances", &[("InstanceId.1", &instance)]).unwrap();
    report(&mut bench, Phase::Gone);
    assert_eq!(bench.refused("DeleteVpc", &[("VpcId", &vpc)]), DependencyViolation, "it has a subnet");
    assert_eq!(bench.refused("DeleteRouteTable", &[("RouteTableId", &table)]), DependencyViolation);
    bench.call("DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
    assert_eq!(
        bench.refused("DisassociateRouteTable", &[("AssociationId", &association)]),
        InvalidAssociationIDNotFound
    );
    assert_eq!(bench.refused("DeleteVpc", &[("VpcId", &vpc)]), DependencyViolation, "it has a route table");
    bench.call("DeleteRouteTable", &[("RouteTableId", &table)]).unwrap();
    assert_eq!(bench.refused("DeleteVpc", &[("VpcId", &vpc)]), DependencyViolation, "it has a gateway");
    bench.call("DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).unwrap();
    bench.call("DeleteInternetGateway", &[("InternetGatewayId", &gateway)]).unwrap();
    bench.call("DeleteVpc", &[("VpcId", &vpc)]).unwrap();
    bench.now = bench.now.plus_seconds(100_000);
    bench.decide(crate::control::tick);
    assert_eq!(World { generation: before.generation, ..bench.world.clone() }, before);
}

#[test]
fn a_subnet_has_a_network_of_its_own() {
    let mut bench = Bench::small();
    bench.host("node2", "us-east-1b");
    bench.caller.owner.region = "eu-west-1".into();
    let id = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &id, "10.0.1.0/24");
    let network = bench.world.networks[&*subnet].clone();
    assert_eq!((network.vpc, network.gateway.to_string()), (Some(id.parse().unwrap()), "10.0.1.1".into()));
    assert_eq!(network.range.to_string(), "10.0.1.4-10.0.1.254");
    assert_eq!((&*network.zone, &*network.domain), ("us-east-1a", "eu-west-1.compute.internal"));
    let xml = bench.call("DescribeSubnets", &[("SubnetId.1", &subnet)]).unwrap();
    assert_eq!(texts(&xml, "availableIpAddressCount"), ["251"]);
    assert!(bench.world.flat_networks().all(|network| *network.name != *subnet));
    let acl = default_acl(&bench.world, id.parse().unwrap()).unwrap();
    assert_eq!(bench.world.acl_of(subnet.parse().unwrap()).unwrap().id, acl);
    let far = [("VpcId", &*id), ("CidrBlock", "10.0.2.0/28"), ("AvailabilityZoneId", "euw1-az2")];
    assert_eq!(bench.told("availabilityZone", "CreateSubnet", &far), "us-east-1b");
}

#[test]
fn subnets_are_within_their_vpc_and_apart_from_each_other() {
    let mut bench = Bench::small();
    let id = vpc(&mut bench, "10.0.0.0/20");
    subnet(&mut bench, &id, "10.0.1.0/24");
    let mut tried = |cidr: &str| bench.refused("CreateSubnet", &[("VpcId", &id), ("CidrBlock", cidr)]);
    for cidr in ["10.0.16.0/24", "10.0.0.0/19", "10.0.2.0/29", "192.168.0.0/24"] {
        assert_eq!(tried(cidr), InvalidSubnetRange, "{cidr}");
    }
    for cidr in ["10.0.1.0/24", "10.0.1.128/28", "10.0.0.0/23"] {
        assert_eq!(tried(cidr), InvalidSubnetConflict, "{cidr}");
    }
    for cidr in ["10.0.0.0/15", "10.0.0.0/29", "127.0.0.0/16", "169.254.1.0/24", "224.0.0.0/16", "0.1.0.0/16"]
    {
        assert_eq!(bench.refused("CreateVpc", &[("CidrBlock", cidr)]), InvalidVpcRange, "{cidr}");
    }
    // The same addresses in another VPC are other addresses.
    let other = vpc(&mut bench, "10.0.0.0/16");
    subnet(&mut bench, &other, "10.0.1.0/24");
}

#[test]
fn an_instance_in_a_vpc_has_its_default_group_and_its_first_address() {
    let mut bench = Bench::small();
    bench.host("node2", "us-east-1b");
    let id = vpc(&mut bench, "10.0.0.0/16");
    let given = [("VpcId", &*id), ("CidrBlock", "10.0.1.0/24"), ("AvailabilityZone", "us-east-1b")];
    let subnet = bench.told("subnetId", "CreateSubnet", &given);
    let instance = instance(&mut bench, &subnet).parse().unwrap();
    let eni = bench.world.interfaces_of(instance)[0].clone();
    let group = defaults::group(&bench.world, id.parse().unwrap()).unwrap();
    assert_eq!((eni.private_ip.to_string().as_str(), &eni.groups[..]), ("10.0.1.4", &[group][..]));
    assert_eq!(&*bench.world.instances[&instance].host, "node2");
    // A group of another VPC is none there.
    let flat = defaults::vpc(&bench.world, &bench.caller.owner).unwrap().id;
    let flat = defaults::group(&bench.world, flat).unwrap().to_string();
    let image = bench.world.images.keys().next().unwrap().to_string();
    let given = [("ImageId", &*image), ("SubnetId", &subnet), ("SecurityGroupId.1", &flat)];
    let given = [&given[..], &[("MinCount", "1"), ("MaxCount", "1")]].concat();
    assert_eq!(bench.refused("RunInstances", &given), InvalidGroupNotFound);
}

#[test]
fn the_flat_default_vpc_is_there_to_read_and_not_to_change() {
    let mut bench = Bench::small();
    let owner = bench.caller.owner.clone();
    let id = defaults::vpc(&bench.world, &owner).unwrap().id;
    let gateway = internet_gateways::attached_to(&bench.world, id).unwrap().id.to_string();
    let xml = bench.call("DescribeRouteTables", &[]).unwrap();
    assert_eq!(texts(&xml, "destinationCidrBlock"), ["10.0.0.0/24", "0.0.0.0/0"]);
    assert_eq!(texts(&xml, "gatewayId"), ["local", &gateway]);
    assert_eq!(texts(&xml, "origin"), ["CreateRouteTable", "CreateRoute"]);
    assert_eq!(texts(&xml, "main"), ["true"]);
    let xml = bench.call("DescribeDhcpOptions", &[]).unwrap();
    assert_eq!(texts(&xml, "value"), ["ec2.internal", "AmazonProvidedDNS"]);
    let table = bench.world.route_tables_of(id).next().unwrap().id.to_string();
    let (id, everywhere) = (id.to_string(), ("DestinationCidrBlock", "0.0.0.0/0"));
    for (action, given) in [
        ("DeleteVpc", vec![("VpcId", &*id)]),
        ("DeleteRoute", vec![("RouteTableId", &table), everywhere]),
        ("DetachInternetGateway", vec![("InternetGatewayId", &gateway), ("VpcId", &id)]),
        ("AssociateVpcCidrBlock", vec![("VpcId", &id), ("CidrBlock", "10.8.0.0/16")]),
        ("CreateSubnet", vec![("VpcId", &id), ("CidrBlock", "10.0.0.0/28")]),
    ] {
        assert_eq!(bench.refused(action, &given), OperationNotPermitted, "{action}");
    }
}

#[test]
fn what_an_older_store_lacks_is_made_and_nothing_twice() {
    let mut bench = Bench::small();
    let owner = bench.caller.owner.clone();
    let whole = |world: &World| {
        let rows = [world.route_tables.len(), world.routes.len(), world.route_table_associations.len()];
        let more = [world.internet_gateways.len(), world.dhcp_options.len(), world.network_acls.len()];
        [&rows[..], &more, &[world.acl_entries.len(), world.acl_associations.len()]].concat()
    };
    assert_eq!(whole(&bench.world), [1, 1, 1, 1, 1, 1, 2, 1]);
    let world = bench.world.clone();
    bench.decide(|decision| {
        world.routes.keys().for_each(|key| decision.delete(Key::Route(*key)));
        let associations = world.route_table_associations.keys();
        associations.for_each(|id| decision.delete(Key::RouteTableAssociation(*id)));
        world.route_tables.keys().for_each(|id| decision.delete(Key::RouteTable(*id)));
        world.internet_gateways.keys().for_each(|id| decision.delete(Key::InternetGateway(*id)));
        world.dhcp_options.keys().for_each(|id| decision.delete(Key::DhcpOptions(*id)));
        world.acl_entries.keys().for_each(|key| decision.delete(Key::AclEntry(*key)));
        world.acl_associations.keys().for_each(|id| decision.delete(Key::AclAssociation(*id)));
        world.network_acls.keys().for_each(|id| decision.delete(Key::NetworkAcl(*id)));
    });
    assert_eq!(whole(&bench.world), [0; 8]);
    bench.decide(|decision| defaults::ensure(decision, &owner));
    assert_eq!(whole(&bench.world), [1, 1, 1, 1, 1, 1, 2, 1]);
    let before = bench.changes.len();
    bench.decide(|decision| defaults::ensure(decision, &owner));
    assert_eq!(bench.changes.len(), before);
}

#[test]
fn a_number_is_not_given_again_at_once() {
    for (used, most, wanted) in [
        (vec![], 3, Some(1)),
        (vec![1, 2], 3, Some(3)),
        (vec![3], 3, Some(1)),
        (vec![1, 3], 3, Some(2)),
        (vec![1, 2, 3], 3, None),
    ] {
        assert_eq!(next_number(used.clone().into_iter(), most), wanted, "{used:?}");
    }
    let mut bench = Bench::small();
    let first = vpc(&mut bench, "10.0.0.0/16");
    let second: VpcId = vpc(&mut bench, "10.0.0.0/16").parse().unwrap();
    bench.call("DeleteVpc", &[("VpcId", &first)]).unwrap();
    let third: VpcId = vpc(&mut bench, "10.0.0.0/16").parse().unwrap();
    assert_eq!([second, third].map(|id| bench.world.vpcs[&id].vni), [Some(2), Some(3)]);
}

#[test]
fn blocks_are_added_as_ec2_lets_them_be() {
    let mut bench = Bench::small();
    let id = vpc(&mut bench, "10.0.0.0/16");
    let tried = |bench: &mut Bench, cidr: &str| {
        let made = bench.call("AssociateVpcCidrBlock", &[("VpcId", &id), ("CidrBlock", cidr)]);
        made.map(|xml| texts(&xml, "associationId")[0].clone())
    };
    for cidr in ["10.0.128.0/17", "192.168.0.0/24", "172.16.0.0/16", "10.0.0.0/8", "100.64.0.0/29"] {
        assert_eq!(tried(&mut bench, cidr).unwrap_err().code, InvalidVpcRange, "{cidr}");
    }
    let public = tried(&mut bench, "100.64.0.0/16").unwrap();
    subnet(&mut bench, &id, "100.64.1.0/24");
    assert_eq!(bench.refused("DisassociateVpcCidrBlock", &[("AssociationId", &public)]), DependencyViolation);
    let gateway = gateway(&mut bench, &id);
    let table = bench.told("routeTableId", "CreateRouteTable", &[("VpcId", &id)]);
    let route = [("RouteTableId", &*table), ("DestinationCidrBlock", "10.7.1.0/24"), ("GatewayId", &gateway)];
    bench.call("CreateRoute", &route).unwrap();
    assert_eq!(tried(&mut bench, "10.7.0.0/16").unwrap_err().code, InvalidVpcRange, "a route leads there");
    let within = tried(&mut bench, "10.7.1.128/25").unwrap();
    let xml = bench.call("DescribeVpcs", &[("VpcId.1", &id)]).unwrap();
    assert_eq!(texts(&xml, "cidrBlock"), ["10.0.0.0/16", "10.0.0.0/16", "100.64.0.0/16", "10.7.1.128/25"]);
    let first = texts(&xml, "associationId")[0].clone();
    assert_eq!(
        bench.refused("DisassociateVpcCidrBlock", &[("AssociationId", &first)]),
        OperationNotPermitted
    );
    bench.call("DisassociateVpcCidrBlock", &[("AssociationId", &within)]).unwrap();
    assert_eq!(
        bench.refused("DisassociateVpcCidrBlock", &[("AssociationId", &within)]),
        InvalidVpcCidrBlockAssociationIDNotFound
    );
    // Two more, and it has the five that it may have.
    tried(&mut bench, "10.8.0.0/16").unwrap();
    tried(&mut bench, "10.9.0.0/16").unwrap();
    tried(&mut bench, "10.10.0.0/16").unwrap();
    assert_eq!(tried(&mut bench, "10.11.0.0/16").unwrap_err().code, CidrLimitExceeded);
}

#[test]
fn attributes_are_changed_one_at_a_time() {
    let mut bench = Bench::small();
    let id = vpc(&mut bench, "10.0.0.0/16");
    let told = |bench: &mut Bench, attribute: &str| {
        bench.told("value", "DescribeVpcAttribute", &[("VpcId", &id), ("Attribute", attribute)])
    };
    assert_eq!(told(&mut bench, "enableDnsHostnames"), "false");
    let (support, names) = ("EnableDnsSupport.Value", "EnableDnsHostnames.Value");
    let modify = |bench: &mut Bench, given: &[(&str, &str)]| {
        let given = [&[("VpcId", id.as_str())], given].concat();
        bench.call("ModifyVpcAttribute", &given).map(drop).map_err(|fault| fault.code)
    };
    modify(&mut bench, &[(names, "true")]).unwrap();
    assert_eq!(told(&mut bench, "enableDnsHostnames"), "true");
    assert_eq!(modify(&mut bench, &[(names, "true"), (support, "true")]), Err(InvalidParameterCombination));
    assert_eq!(modify(&mut bench, &[]), Err(MissingParameter));
    modify(&mut bench, &[(names, "false")]).unwrap();
    modify(&mut bench, &[(support, "false")]).unwrap();
    assert_eq!(
        modify(&mut bench, &[(names, "true")]),
        Err(InvalidParameterValue),
        "no names without a resolver"
    );
    assert_eq!(told(&mut bench, "enableDnsSupport"), "false");
    let subnet = subnet(&mut bench, &id, "10.0.0.0/24");
    let given = [("SubnetId", &*subnet), ("EnableDns64.Value", "true")];
    assert_eq!(bench.refused("ModifySubnetAttribute", &given), UnsupportedOperation);
    let given =
        [("SubnetId", &*subnet), ("EnableDns64.Value", "false"), ("MapPublicIpOnLaunch.Value", "true")];
    assert_eq!(bench.refused("ModifySubnetAttribute", &given), InvalidParameterCombination);
}

#[test]
fn a_set_of_dhcp_options_says_what_it_was_told() {
    let mut bench = Bench::small();
    let option = |n: usize, key: &str, values: &[&str]| {
        let values = values.iter().enumerate();
        let values = values
            .map(move |(at, value)| (format!("DhcpConfiguration.{n}.Value.{}", at + 1), (*value).to_owned()));
        [(format!("DhcpConfiguration.{n}.Key"), key.to_owned())].into_iter().chain(values).collect::<Vec<_>>()
    };
    let create = |bench: &mut Bench, given: Vec<Vec<(String, String)>>| {
        let given = given.concat();
        let given: Vec<_> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        bench.call("CreateDhcpOptions", &given)
    };
    let all = vec![
        option(1, "domain-name", &["example.org"]),
        option(2, "domain-name-servers", &["AmazonProvidedDNS", "192.0.2.1"]),
        option(3, "ntp-servers", &["192.0.2.2,192.0.2.3"]),
        option(4, "netbios-node-type", &["2"]),
    ];
    let xml = create(&mut bench, all).unwrap();
    let wanted = ["example.org", "AmazonProvidedDNS", "192.0.2.1", "2", "192.0.2.2", "192.0.2.3"];
    assert_eq!(texts(&xml, "value"), wanted);
    for (key, values) in [
        ("ntp-servers", &["AmazonProvidedDNS"][..]),
        ("domain-name-servers", &["1", "x"]),
        ("domain-name-servers", &["1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5"]),
        ("domain-name", &["no_name"]),
        ("domain-name", &["a.org", "b.org"]),
        ("netbios-node-type", &["3"]),
        ("router", &["192.0.2.1"]),
    ] {
        let fault = create(&mut bench, vec![option(1, key, values)]).unwrap_err();
        assert_eq!(fault.code, InvalidParameterValue, "{key} {values:?}");
    }
    let id = texts(&xml, "dhcpOptionsId")[0].clone();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    bench.call("AssociateDhcpOptions", &[("DhcpOptionsId", &id), ("VpcId", &vpc)]).unwrap();
    assert_eq!(bench.told("dhcpOptionsId", "DescribeVpcs", &[("VpcId.1", &vpc)]), id);
    assert_eq!(bench.refused("DeleteDhcpOptions", &[("DhcpOptionsId", &id)]), DependencyViolation);
    bench.call("AssociateDhcpOptions", &[("DhcpOptionsId", "default"), ("VpcId", &vpc)]).unwrap();
    let default = defaults::vpc(&bench.world, &bench.caller.owner).unwrap().dhcp_options.to_string();
    assert_eq!(bench.told("dhcpOptionsId", "DescribeVpcs", &[("VpcId.1", &vpc)]), default);
    bench.call("DeleteDhcpOptions", &[("DhcpOptionsId", &id)]).unwrap();
    assert_eq!(bench.refused("DeleteDhcpOptions", &[("DhcpOptionsId", &default)]), DependencyViolation);
}

#[test]
fn an_account_goes_with_its_default_vpc_and_not_with_one_of_its_own() {
    let mut bench = Bench::small();
    let account = bench.caller.owner.account;
    let id = vpc(&mut bench, "10.0.0.0/16");
    bench.attempt(|decision| crate::control::operator::delete_account(decision, account)).unwrap_err();
    bench.call("DeleteVpc", &[("VpcId", &id)]).unwrap();
    bench.call("CreateInternetGateway", &[]).unwrap();
    bench.attempt(|decision| crate::control::operator::delete_account(decision, account)).unwrap();
    let world = &bench.world;
    let left = [world.vpcs.len(), world.route_tables.len(), world.routes.len(), world.network_acls.len()];
    let more = [world.internet_gateways.len(), world.dhcp_options.len(), world.acl_associations.len()];
    let last = [world.acl_entries.len(), world.route_table_associations.len(), world.groups.len()];
    assert_eq!([&left[..], &more, &last].concat(), [0; 10]);
}
