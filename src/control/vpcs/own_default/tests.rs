use super::*;
use crate::control::operator;
use crate::control::testing::{Bench, texts};
use crate::control::vpcs::tests::{instance, report, subnet};
use crate::plan::{Phase, host_state};
use FaultCode::*;

/// Whoever calls is in a region with isolated default VPCs, and a second zone has a host.
fn bench() -> Bench {
    let mut bench = Bench::small();
    bench.host("node2", "us-east-1b");
    bench.caller.owner.region = "eu-central-1".into();
    bench.caller.isolated = true;
    let owner = bench.caller.owner.clone();
    bench.decide(|decision| ensure(decision, &owner));
    bench
}

fn own(bench: &Bench) -> Vpc {
    (**defaults::vpc(&bench.world, &bench.caller.owner).unwrap()).clone()
}

#[test]
fn an_account_has_what_ec2_gives_it_and_nothing_twice() {
    let mut bench = bench();
    let vpc = own(&bench);
    assert_eq!(
        (vpc.cidr.to_string().as_str(), vpc.vni.is_some(), vpc.dns_hostnames),
        ("172.31.0.0/16", true, true)
    );
    let xml = bench.call("DescribeSubnets", &[]).unwrap();
    let mut told: Vec<_> =
        texts(&xml, "availabilityZone").into_iter().zip(texts(&xml, "cidrBlock")).collect();
    told.sort();
    let wanted = [("us-east-1a", "172.31.0.0/20"), ("us-east-1b", "172.31.16.0/20")];
    assert_eq!(told, wanted.map(|(zone, block)| (zone.into(), block.into())));
    assert_eq!([texts(&xml, "defaultForAz"), texts(&xml, "mapPublicIpOnLaunch")], [["true"; 2]; 2]);
    let xml = bench.call("DescribeRouteTables", &[]).unwrap();
    assert_eq!(texts(&xml, "destinationCidrBlock"), ["172.31.0.0/16", "0.0.0.0/0"]);
    let xml = bench.call("DescribeDhcpOptions", &[]).unwrap();
    assert_eq!(texts(&xml, "value"), ["eu-central-1.compute.internal", "AmazonProvidedDNS"]);
    let (before, owner) = (bench.changes.len(), bench.caller.owner.clone());
    bench.decide(|decision| ensure(decision, &owner));
    bench.decide(|decision| defaults::ensure(decision, &owner));
    bench.decide(defaults::ensure_all);
    assert_eq!(bench.changes.len(), before);
}

#[test]
fn two_accounts_have_the_same_addresses_on_one_host_apart() {
    let mut bench = bench();
    let launch = |bench: &mut Bench| {
        let image = bench.world.images.keys().next().unwrap().to_string();
        let given = [("ImageId", &*image), ("Placement.AvailabilityZone", "us-east-1a")];
        let given = [&given[..], &[("MinCount", "1"), ("MaxCount", "1")]].concat();
        let id = bench.told("instanceId", "RunInstances", &given).parse().unwrap();
        report(bench, Phase::Running);
        bench.world.interfaces_of(id)[0].clone()
    };
    let one = launch(&mut bench);
    bench.caller.owner.account = "444455556666".parse().unwrap();
    let owner = bench.caller.owner.clone();
    bench.put(crate::world::Account { id: owner.account, name: "other".into(), created: bench.now });
    bench.decide(|decision| ensure(decision, &owner));
    let two = launch(&mut bench);
    assert_eq!((one.private_ip.to_string(), two.private_ip), ("172.31.0.4".into(), one.private_ip));
    let state = host_state(&bench.world, "node1");
    let vnis: Vec<u32> = [&one, &two].iter().map(|eni| state.vpcs[&eni.vpc].vni).collect();
    assert_ne!(vnis[0], vnis[1]);
    // They have public addresses of their own, as instances of default subnets do.
    assert_eq!(bench.world.addresses.values().filter(|row| row.automatic).count(), 2);
}

#[test]
fn a_deleted_one_stays_away_until_its_owner_makes_another() {
    let mut bench = bench();
    let owner = bench.caller.owner.clone();
    let id = own(&bench).id.to_string();
    assert_eq!(bench.refused("CreateDefaultVpc", &[]), DefaultVpcAlreadyExists);
    let gateway = bench.told("internetGatewayId", "DescribeInternetGateways", &[]);
    bench.call("DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &id)]).unwrap();
    let xml = bench.call("DescribeSubnets", &[]).unwrap();
    for subnet in texts(&xml, "subnetId") {
        bench.call("DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
    }
    let zone = ("AvailabilityZone", "us-east-1b");
    let image = bench.world.images.keys().next().unwrap().to_string();
    let run = [("ImageId", &*image), ("MinCount", "1"), ("MaxCount", "1")];
    assert_eq!(bench.refused("RunInstances", &run), MissingInput, "it has no subnet");
    let made = bench.told("cidrBlock", "CreateDefaultSubnet", &[zone]);
    assert_eq!(made, "172.31.0.0/20");
    assert_eq!(bench.refused("CreateDefaultSubnet", &[zone]), DefaultSubnetAlreadyExistsInAvailabilityZone);
    assert_eq!(bench.refused("DeleteVpc", &[("VpcId", &id)]), DependencyViolation);
    let subnet = bench.told("subnetId", "DescribeSubnets", &[]);
    bench.call("DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
    bench.call("DeleteVpc", &[("VpcId", &id)]).unwrap();
    bench.decide(|decision| ensure(decision, &owner));
    bench.decide(defaults::ensure_all);
    assert!(defaults::vpc(&bench.world, &owner).is_none());
    for (action, given) in [
        ("RunInstances", &run[..]),
        ("CreateSecurityGroup", &[("GroupName", "x"), ("GroupDescription", "x")]),
        ("DeleteSecurityGroup", &[("GroupName", "x")]),
    ] {
        assert_eq!(bench.refused(action, given), VPCIdNotSpecified, "{action}");
    }
    assert_eq!(bench.refused("CreateDefaultSubnet", &[zone]), DefaultVpcDoesNotExist);
    // Others are made as before, with the first set of DHCP options, which stays.
    let set = bench.told("dhcpOptionsId", "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
    assert_eq!(bench.told("dhcpOptionsId", "DescribeDhcpOptions", &[]), set);
    let other = bench.told("vpcId", "DescribeVpcs", &[]);
    bench.call("DeleteVpc", &[("VpcId", &other)]).unwrap();
    assert_eq!(bench.refused("DeleteDhcpOptions", &[("DhcpOptionsId", &set)]), DependencyViolation);
    assert!(
        texts(&bench.call("DescribeRegions", &[]).unwrap(), "regionName").contains(&"eu-central-1".into())
    );
    let others: Vec<_> =
        (0..5).map(|_| bench.told("vpcId", "CreateVpc", &[("CidrBlock", "10.0.0.0/16")])).collect();
    assert_eq!(bench.refused("CreateDefaultVpc", &[]), VpcLimitExceeded);
    bench.call("DeleteVpc", &[("VpcId", &others[0])]).unwrap();
    let again = bench.told("vpcId", "CreateDefaultVpc", &[]);
    assert_ne!(again, id);
    assert_eq!(texts(&bench.call("DescribeSubnets", &[]).unwrap(), "vpcId"), [&*again; 2]);
}

/// The default subnet of the first zone.
fn first(bench: &mut Bench) -> String {
    let of_zone = [("Filter.1.Name", "availability-zone"), ("Filter.1.Value.1", "us-east-1a")];
    let default = [("Filter.2.Name", "default-for-az"), ("Filter.2.Value.1", "true")];
    bench.told("subnetId", "DescribeSubnets", &[of_zone, default].concat())
}

#[test]
fn a_new_zone_has_a_default_subnet_and_one_that_was_deleted_stays_away() {
    let mut bench = bench();
    let subnet = first(&mut bench);
    bench.call("DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
    bench.decide(|decision| crate::control::hosts::add(decision, "node3", Some("us-east-1c")).unwrap());
    let xml = bench.call("DescribeSubnets", &[]).unwrap();
    let mut zones = texts(&xml, "availabilityZone");
    zones.sort();
    assert_eq!(zones, ["us-east-1b", "us-east-1c"]);
}

#[test]
fn it_takes_as_many_default_subnets_as_have_room() {
    let mut bench = bench();
    let id = own(&bench).id.to_string();
    for place in 2..16 {
        subnet(&mut bench, &id, &format!("172.31.{}.0/24", place * 16));
    }
    let default = first(&mut bench);
    bench.call("DeleteSubnet", &[("SubnetId", &default)]).unwrap();
    let taken = subnet(&mut bench, &id, "172.31.0.0/28");
    let zone = [("AvailabilityZone", "us-east-1a")];
    assert_eq!(bench.refused("CreateDefaultSubnet", &zone), OperationNotPermitted);
    bench.call("DeleteSubnet", &[("SubnetId", &taken)]).unwrap();
    bench.call("CreateDefaultSubnet", &zone).unwrap();
}

#[test]
fn it_goes_with_its_account() {
    let mut bench = bench();
    let subnet = bench.told("subnetId", "DescribeSubnets", &[]);
    let id = instance(&mut bench, &subnet);
    let account = bench.caller.owner.account;
    bench.attempt(|decision| operator::delete_account(decision, account)).unwrap_err();
    let row = bench.world.instances[&id.parse::<InstanceId>().unwrap()].clone();
    bench.decide(|decision| crate::control::lifecycle::terminated(decision, &row));
    bench.decide(|decision| decision.delete(crate::world::Key::Instance(row.id)));
    bench.attempt(|decision| operator::delete_account(decision, account)).unwrap();
    let world = &bench.world;
    assert_eq!([world.vpcs.len(), world.subnets.len(), world.networks.len()], [0, 0, 1]);
}
