//! When an instance has a public address by itself, and what is said of it.

use super::super::vpcs::tests::{gateway, instance, report, subnet, vpc};
use super::*;
use crate::control::operator;
use crate::control::testing::{Bench, texts};
use crate::plan::Phase;
use FaultCode::*;

/// A bench with a VPC, a gateway, and a subnet that gives public addresses.
fn bench() -> (Bench, String) {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    gateway(&mut bench, &vpc);
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    let given = [("SubnetId", &*subnet), ("MapPublicIpOnLaunch.Value", "true")];
    bench.call("ModifySubnetAttribute", &given).unwrap();
    (bench, subnet)
}

fn addresses_of(bench: &Bench) -> Vec<(Ipv4Addr, bool)> {
    let rows = bench.world.addresses.values().filter(|row| row.association.is_some());
    rows.map(|row| (row.public_ip, row.automatic)).collect()
}

fn launched(bench: &mut Bench, subnet: &str, given: &[(&str, &str)]) -> Result<String, FaultCode> {
    let image = bench.world.images.keys().next().unwrap().to_string();
    let base = [("ImageId", &*image), ("MinCount", "1"), ("NetworkInterface.1.DeviceIndex", "0")];
    let base = [&base[..], &[("NetworkInterface.1.SubnetId", subnet)], given].concat();
    let xml = bench.call("RunInstances", &base).map_err(|fault| fault.code)?;
    Ok(texts(&xml, "instanceId").remove(0))
}

const ONE: (&str, &str) = ("MaxCount", "1");
const PUBLIC: &str = "NetworkInterface.1.AssociatePublicIpAddress";

#[test]
fn a_pool_stays_while_instances_have_its_addresses_and_the_operator_is_told_what_to_do() {
    let (mut bench, subnet) = bench();
    let pool = bench.world.pools.values().next().unwrap().name.to_string();
    let id = instance(&mut bench, &subnet);
    let end = |bench: &mut Bench| bench.attempt(|decision| operator::remove_pool(decision, &pool));
    let message = end(&mut bench).unwrap_err().message;
    assert!(message.contains("1 addresses") && message.contains("stop or terminate"), "{message}");
    assert!(!message.contains("release"), "{message}");
    let own = bench.told("allocationId", "AllocateAddress", &[]);
    let message = end(&mut bench).unwrap_err().message;
    assert!(message.contains("release them first") && message.contains("stop or terminate"), "{message}");
    bench.call("ReleaseAddress", &[("AllocationId", &own)]).unwrap();
    report(&mut bench, Phase::Running);
    bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
    end(&mut bench).unwrap();
}

#[test]
fn an_instance_has_one_while_it_runs_and_another_after_its_next_start() {
    let (mut bench, subnet) = bench();
    let id = instance(&mut bench, &subnet);
    let first = addresses_of(&bench);
    assert_eq!(first.len(), 1);
    assert!(first[0].1);
    let state = crate::plan::host_state(&bench.world, "node1");
    assert_eq!(state.addresses.keys().copied().collect::<Vec<_>>(), [first[0].0], "it is real");
    report(&mut bench, Phase::Running);
    bench.call("RebootInstances", &[("InstanceId.1", &id)]).unwrap();
    report(&mut bench, Phase::Running);
    assert_eq!(addresses_of(&bench), first, "a reboot keeps it");
    bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
    assert!(bench.world.addresses.is_empty());
    assert!(bench.world.freed.keys().any(|(_, ip)| *ip == first[0].0));
    report(&mut bench, Phase::Stopped);
    bench.call("StartInstances", &[("InstanceId.1", &id)]).unwrap();
    let second = addresses_of(&bench);
    assert_eq!(second.len(), 1);
    assert_ne!(second, first);
    report(&mut bench, Phase::Running);
    // A shutdown from within is a stop as well.
    report(&mut bench, Phase::Exited);
    assert!(bench.world.addresses.is_empty());
    report(&mut bench, Phase::Stopped);
    bench.call("StartInstances", &[("InstanceId.1", &id)]).unwrap();
    bench.call("TerminateInstances", &[("InstanceId.1", &id)]).unwrap();
    assert!(bench.world.addresses.is_empty());
}

#[test]
fn it_is_ec2s_own_and_no_action_on_addresses_knows_of_it() {
    let (mut bench, subnet) = bench();
    let id = instance(&mut bench, &subnet);
    let row = bench.world.addresses.values().next().unwrap().clone();
    let (ip, allocation) = (row.public_ip.to_string(), row.id.to_string());
    let xml = bench.call("DescribeNetworkInterfaces", &[]).unwrap();
    assert_eq!(texts(&xml, "publicIp"), [&*ip, &*ip], "of the interface, and of its private address");
    assert_eq!(texts(&xml, "ipOwnerId"), ["amazon", "amazon"]);
    assert!(texts(&xml, "allocationId").is_empty() && texts(&xml, "associationId").is_empty());
    let xml = bench.call("DescribeInstances", &[("InstanceId.1", &id)]).unwrap();
    assert_eq!((texts(&xml, "ipAddress"), texts(&xml, "ipOwnerId").len()), (vec![ip.clone()], 2));
    let by = |bench: &mut Bench, name, value| {
        let given = [("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        texts(&bench.call("DescribeNetworkInterfaces", &given).unwrap(), "networkInterfaceId").len()
    };
    assert_eq!(by(&mut bench, "association.ip-owner-id", "amazon"), 1);
    assert_eq!(by(&mut bench, "association.public-ip", &ip), 1);
    assert_eq!(by(&mut bench, "association.allocation-id", "*"), 0);
    let xml = bench.call("DescribeAddresses", &[]).unwrap();
    assert!(texts(&xml, "publicIp").is_empty());
    let association = row.association.unwrap().id.to_string();
    let to: &[(&str, &str)] = &[("TransferAccountId", "444455556666"), ("AllocationId", &allocation)];
    for (action, given, code) in [
        ("DescribeAddresses", &[("PublicIp.1", &*ip)][..], InvalidAddressNotFound),
        ("ReleaseAddress", &[("AllocationId", &*allocation)], InvalidAllocationIDNotFound),
        ("DisassociateAddress", &[("PublicIp", &*ip)], InvalidAddressNotFound),
        ("DisassociateAddress", &[("AssociationId", &*association)], InvalidAssociationIDNotFound),
        ("AssociateAddress", &[("PublicIp", &*ip), ("InstanceId", &*id)], InvalidAddressNotFound),
        ("EnableAddressTransfer", to, InvalidAllocationIDNotFound),
        ("CreateTags", &[("ResourceId.1", &*allocation), ("Tag.1.Key", "a")], InvalidAllocationIDNotFound),
    ] {
        assert_eq!(bench.refused(action, given), code, "{action}");
    }
    let gateway = bench
        .world
        .internet_gateways
        .values()
        .find(|row| row.vpc.is_some_and(|vpc| bench.world.vpcs[&vpc].vni.is_some()));
    let gateway = gateway.unwrap().clone();
    let (gateway, vpc) = (gateway.id.to_string(), gateway.vpc.unwrap().to_string());
    let given = [("InternetGatewayId", &*gateway), ("VpcId", &*vpc)];
    assert_eq!(bench.refused("DetachInternetGateway", &given), DependencyViolation);
}

#[test]
fn an_elastic_address_takes_its_place_until_the_next_start() {
    let (mut bench, subnet) = bench();
    let id = instance(&mut bench, &subnet);
    report(&mut bench, Phase::Running);
    let own = addresses_of(&bench)[0].0;
    let elastic = bench.told("allocationId", "AllocateAddress", &[]);
    let given = [("AllocationId", &*elastic), ("InstanceId", &*id), ("AllowReassociation", "false")];
    let association = bench.told("associationId", "AssociateAddress", &given);
    assert_eq!(addresses_of(&bench).iter().map(|(_, automatic)| *automatic).collect::<Vec<_>>(), [false]);
    assert!(bench.world.index.address_by_public_ip.get(&own).is_none(), "it is given back");
    bench.call("DisassociateAddress", &[("AssociationId", &association)]).unwrap();
    assert!(addresses_of(&bench).is_empty());
    let again = |bench: &mut Bench| {
        bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
        report(bench, Phase::Stopped);
        bench.call("StartInstances", &[("InstanceId.1", &id)]).unwrap();
        report(bench, Phase::Running);
    };
    again(&mut bench);
    assert_eq!(addresses_of(&bench).len(), 1);
    bench.call("AssociateAddress", &given).unwrap();
    again(&mut bench);
    assert_eq!(addresses_of(&bench).len(), 1, "one that keeps its elastic address gets no second one");
    bench.call("DisassociateAddress", &[("PublicIp", &addresses_of(&bench)[0].0.to_string())]).unwrap();
    // Nor does one with several interfaces.
    let vpc_subnet = ("SubnetId", &*subnet);
    let second = bench.told("networkInterfaceId", "CreateNetworkInterface", &[vpc_subnet]);
    let given = [("NetworkInterfaceId", &*second), ("InstanceId", &*id), ("DeviceIndex", "1")];
    bench.call("AttachNetworkInterface", &given).unwrap();
    again(&mut bench);
    assert!(addresses_of(&bench).is_empty());
}

#[test]
fn the_launch_says_otherwise_than_the_subnet() {
    let (mut bench, subnet) = bench();
    launched(&mut bench, &subnet, &[ONE, (PUBLIC, "false")]).unwrap();
    assert!(addresses_of(&bench).is_empty());
    let given = [("SubnetId", &*subnet), ("MapPublicIpOnLaunch.Value", "false")];
    bench.call("ModifySubnetAttribute", &given).unwrap();
    launched(&mut bench, &subnet, &[ONE]).unwrap();
    assert!(addresses_of(&bench).is_empty());
    launched(&mut bench, &subnet, &[ONE, (PUBLIC, "true")]).unwrap();
    assert_eq!(addresses_of(&bench).len(), 1);
    let two = [ONE, (PUBLIC, "true"), ("NetworkInterface.2.DeviceIndex", "1")];
    assert_eq!(launched(&mut bench, &subnet, &two), Err(InvalidParameterCombination));
    let there = bench.told("networkInterfaceId", "CreateNetworkInterface", &[("SubnetId", &subnet)]);
    let image = bench.world.images.keys().next().unwrap().to_string();
    let given = [("ImageId", &*image), ("MinCount", "1"), ONE, ("NetworkInterface.1.DeviceIndex", "0")];
    let given =
        [&given[..], &[("NetworkInterface.1.NetworkInterfaceId", &*there), (PUBLIC, "true")]].concat();
    assert_eq!(bench.refused("RunInstances", &given), InvalidParameterCombination);
}

#[test]
fn a_pool_that_is_used_up_lets_as_many_launch_as_there_are_addresses() {
    let (mut bench, subnet) = bench();
    // The pool has sixteen.
    let ids = launched(&mut bench, &subnet, &[("MaxCount", "20")]).map(drop);
    assert_eq!((ids, addresses_of(&bench).len(), bench.world.instances.len()), (Ok(()), 16, 16));
    let private = bench.world.enis.len();
    assert_eq!(launched(&mut bench, &subnet, &[ONE]), Err(InsufficientAddressCapacity));
    assert_eq!((bench.world.instances.len(), bench.world.enis.len()), (16, private));
    launched(&mut bench, &subnet, &[ONE, (PUBLIC, "false")]).unwrap();
    // One that cannot have its address does not start.
    let id = bench.world.instances.keys().next().unwrap().to_string();
    report(&mut bench, Phase::Running);
    bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
    report(&mut bench, Phase::Stopped);
    let had = bench.told("publicIp", "AllocateAddress", &[]);
    assert_eq!(bench.refused("StartInstances", &[("InstanceId.1", &id)]), InsufficientAddressCapacity);
    bench.call("ReleaseAddress", &[("PublicIp", &had)]).unwrap();
    bench.call("StartInstances", &[("InstanceId.1", &id)]).unwrap();
}

#[test]
fn without_a_gateway_it_is_there_and_leads_nowhere() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    launched(&mut bench, &subnet, &[ONE, (PUBLIC, "true")]).unwrap();
    let led = |bench: &Bench| crate::plan::host_state(&bench.world, "node1").addresses.len();
    assert_eq!((addresses_of(&bench).len(), led(&bench)), (1, 0));
    gateway(&mut bench, &vpc);
    assert_eq!((addresses_of(&bench).len(), led(&bench)), (1, 1));
}

#[test]
fn an_interface_is_told_to_get_one_at_its_instances_next_start() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    let id = launched(&mut bench, &subnet, &[ONE]).unwrap();
    let eni = bench.world.enis.keys().next().unwrap().to_string();
    let eni = [("NetworkInterfaceId", &*eni)];
    let given = [&eni[..], &[("AssociatePublicIpAddress", "true")]].concat();
    bench.call("ModifyNetworkInterfaceAttribute", &given).unwrap();
    let given = [&eni[..], &[("Attribute", "associatePublicIpAddress")]].concat();
    let told = bench.told("associatePublicIpAddress", "DescribeNetworkInterfaceAttribute", &given);
    assert_eq!((&*told, addresses_of(&bench).len()), ("true", 0));
    report(&mut bench, Phase::Running);
    bench.call("StopInstances", &[("InstanceId.1", &id)]).unwrap();
    report(&mut bench, Phase::Stopped);
    bench.call("StartInstances", &[("InstanceId.1", &id)]).unwrap();
    assert_eq!(addresses_of(&bench).len(), 1);
}

#[test]
fn a_template_says_it_for_its_launches() {
    let mut bench = Bench::small();
    let image = bench.world.images.keys().next().unwrap().to_string();
    let template = [
        ("LaunchTemplateName", "public"),
        ("LaunchTemplateData.ImageId", &*image),
        ("LaunchTemplateData.NetworkInterface.1.DeviceIndex", "0"),
        ("LaunchTemplateData.NetworkInterface.1.AssociatePublicIpAddress", "true"),
    ];
    bench.call("CreateLaunchTemplate", &template).unwrap();
    let given = [("LaunchTemplate.LaunchTemplateName", "public"), ("MinCount", "1"), ONE];
    let xml = bench.call("RunInstances", &given).unwrap();
    assert_eq!(
        (texts(&xml, "ipAddress").len(), addresses_of(&bench).len()),
        (1, 1),
        "on a flat network, too"
    );
}

/// "If at least one of the attributes is set to false [...] instances with a public IP address do not receive corresponding
/// public DNS hostnames" (VPC User Guide, DNS attributes).
#[test]
fn a_public_address_has_a_name_where_the_vpc_gives_names() {
    let (mut bench, subnet) = bench();
    instance(&mut bench, &subnet);
    let vpc = bench.world.subnets[&subnet.parse::<SubnetId>().unwrap()].vpc.to_string();
    let names = |bench: &mut Bench| {
        let instances = bench.call("DescribeInstances", &[]).unwrap();
        let interfaces = bench.call("DescribeNetworkInterfaces", &[]).unwrap();
        let all = [
            texts(&instances, "dnsName"),
            texts(&instances, "publicDnsName"),
            texts(&interfaces, "publicDnsName"),
        ];
        all.concat().into_iter().filter(|name| name.starts_with("ec2-")).count()
    };
    let set = |bench: &mut Bench, name: &str, value: &str| {
        bench.call("ModifyVpcAttribute", &[("VpcId", &vpc), (name, value)]).unwrap();
    };
    assert_eq!(names(&mut bench), 0, "a VPC of one's own gives none at first");
    set(&mut bench, "EnableDnsHostnames.Value", "true");
    assert!(names(&mut bench) > 2);
    set(&mut bench, "EnableDnsSupport.Value", "false");
    assert_eq!(names(&mut bench), 0, "both attributes count");
}
