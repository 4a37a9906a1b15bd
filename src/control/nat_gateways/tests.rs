//! NAT gateways from their making to their end, and the hosts that they are at work on.

use super::*;
use crate::control::hosts;
use crate::control::testing::{Bench, texts};
use crate::control::vpcs::tests::{gateway, instance, report, subnet, vpc};
use crate::plan::Phase;
use crate::query::FaultCode::*;
use crate::types::*;
use crate::world::*;

/// An account with a VPC that has a way out, and an address.
struct Site {
    bench: Bench,
    vpc: String,
    subnet: String,
    internet: String,
    address: String,
}

impl Site {
    fn new() -> Self {
        let mut bench = Bench::small();
        let address = bench.told("allocationId", "AllocateAddress", &[]);
        let vpc = vpc(&mut bench, "10.0.0.0/16");
        let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
        let internet = gateway(&mut bench, &vpc);
        Self { bench, vpc, subnet, internet, address }
    }

    fn make(&mut self, more: &[(&str, &str)]) -> String {
        let given = [&[("SubnetId", &*self.subnet), ("AllocationId", &self.address)][..], more].concat();
        self.bench.told("natGatewayId", "CreateNatGateway", &given)
    }

    fn another(&mut self) -> String {
        let address = self.bench.told("allocationId", "AllocateAddress", &[]);
        let given = [("SubnetId", &*self.subnet), ("AllocationId", &address)];
        self.bench.told("natGatewayId", "CreateNatGateway", &given)
    }

    fn row(&self, id: &str) -> &NatGateway {
        &self.bench.world.nat_gateways[&id.parse::<NatGatewayId>().unwrap()]
    }

    /// Where it is at work.
    fn host(&self, id: &str) -> Option<&str> {
        self.row(id).host.as_deref()
    }

    /// Who may answer for its private and its elastic address.
    fn claims(&self, id: &str) -> [Option<(&str, bool)>; 2] {
        let (row, world) = (self.row(id), &self.bench.world);
        let network = Space::Network(world.subnets[&row.subnet].network.clone());
        let elastic = row.elastic.unwrap();
        let pool = Space::Pool(world.addresses[&elastic.allocation].pool);
        [(network, row.private_ip), (pool, elastic.public_ip)]
            .map(|place| world.claims.get(&place).map(|claim| (&*claim.host, claim.leaving.is_some())))
    }

    fn state(&self, id: &str) -> String {
        describe::shape(&self.bench.world, self.row(id)).state
    }

    fn drain(&mut self, host: &str, drained: bool) {
        self.bench.attempt(|decision| hosts::drain(decision, host, drained)).unwrap();
    }

    fn fail(&mut self, host: &str) {
        self.bench.attempt(|decision| hosts::fail(decision, host)).unwrap();
    }
}

#[test]
fn a_nat_gateway_has_an_interface_and_an_address_that_lead_to_it() {
    let mut site = Site::new();
    let id = site.make(&[("PrivateIpAddress", "10.0.1.7"), ("ConnectivityType", "public")]);
    let xml = site.bench.call("DescribeNatGateways", &[("NatGatewayId.1", &id)]).unwrap();
    let eni = texts(&xml, "networkInterfaceId").remove(0);
    for (element, told) in [
        ("state", "available"),
        ("vpcId", &site.vpc),
        ("subnetId", &site.subnet),
        ("connectivityType", "public"),
        ("allocationId", &site.address),
        ("privateIp", "10.0.1.7"),
        ("isPrimary", "true"),
        ("status", "succeeded"),
    ] {
        assert_eq!(texts(&xml, element), [told], "{element}");
    }
    let associated = site.bench.told("associationId", "DescribeAddresses", &[]);
    assert_eq!(texts(&xml, "associationId"), [associated]);
    assert_eq!(texts(&xml, "publicIp"), [site.bench.told("publicIp", "DescribeAddresses", &[])]);
    assert!(texts(&xml, "deleteTime").is_empty());

    let managed = [("Filter.1.Name", "requester-managed"), ("Filter.1.Value.1", "true")];
    let kind = [("Filter.2.Name", "interface-type"), ("Filter.2.Value.1", "nat_gateway")];
    let xml = site.bench.call("DescribeNetworkInterfaces", &[managed, kind].concat()).unwrap();
    for (element, told) in [
        ("networkInterfaceId", &*eni),
        ("description", &format!("Interface for NAT Gateway {id}")),
        ("interfaceType", "nat_gateway"),
        ("requesterManaged", "true"),
        ("status", "in-use"),
        ("sourceDestCheck", "false"),
    ] {
        assert_eq!(texts(&xml, element), [told], "{element}");
    }
    assert_eq!(site.claims(&id), [Some(("node1", false)); 2]);
}

#[test]
fn a_private_nat_gateway_needs_no_internet_gateway_and_has_no_elastic_address() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    let given = [("SubnetId", &*subnet), ("ConnectivityType", "private"), ("PrivateIpAddress", "10.0.1.7")];
    let id = bench.told("natGatewayId", "CreateNatGateway", &given);
    let named = [("NatGatewayId.1", &*id)];
    let xml = bench.call("DescribeNatGateways", &named).unwrap();
    for (element, told) in [
        ("state", "available"),
        ("connectivityType", "private"),
        ("privateIp", "10.0.1.7"),
        ("isPrimary", "true"),
    ] {
        assert_eq!(texts(&xml, element), [told], "{element}");
    }
    for absent in ["allocationId", "publicIp", "associationId"] {
        assert!(texts(&xml, absent).is_empty(), "{absent}");
    }
    let eni = texts(&xml, "networkInterfaceId").remove(0);
    let address = bench.told("allocationId", "AllocateAddress", &[]);
    let lead = [("AllocationId", &*address), ("NetworkInterfaceId", &*eni)];
    assert_eq!(bench.refused("AssociateAddress", &lead), AuthFailure, "none can be given to it later");
    let network = bench.world.subnets[&subnet.parse::<SubnetId>().unwrap()].network.clone();
    let place = (Space::Network(network), "10.0.1.7".parse().unwrap());
    assert_eq!(&*bench.world.claims[&place].host, "node1");
    bench.attempt(|decision| hosts::fail(decision, "node1")).unwrap();
    let xml = bench.call("DescribeNatGateways", &named).unwrap();
    assert_eq!(texts(&xml, "state"), ["pending"]);
    bench.call("DeleteNatGateway", &[("NatGatewayId", &id)]).unwrap();
    assert!(!bench.world.claims.contains_key(&place));
    bench.call("DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
}

#[test]
fn what_a_nat_gateway_had_goes_with_it_and_itself_an_hour_later() {
    let mut site = Site::new();
    let mut bare = Bench::small();
    bare.told("allocationId", "AllocateAddress", &[]);
    let kind = [("TagSpecification.1.ResourceType", "natgateway"), ("ClientToken", "once")];
    let tag = [("TagSpecification.1.Tag.1.Key", "Name"), ("TagSpecification.1.Tag.1.Value", "mine")];
    let id = site.make(&[kind, tag].concat());
    assert_eq!(site.make(&[kind, tag].concat()), id, "the same request makes nothing again");
    let named = [("NatGatewayId", &*id)];
    let other = [("SubnetId", &*site.subnet), ("AllocationId", &site.address), ("ClientToken", "once")];
    assert_eq!(site.bench.refused("CreateNatGateway", &other), IdempotentParameterMismatch);
    let before = texts(&site.bench.call("DescribeNatGateways", &[]).unwrap(), "privateIp");
    assert_eq!(site.bench.refused("DeleteSubnet", &[("SubnetId", &site.subnet)]), DependencyViolation);
    let (internet, vpc) = (site.internet.clone(), site.vpc.clone());
    let detach = [("InternetGatewayId", &*internet), ("VpcId", &vpc)];
    assert_eq!(site.bench.refused("DetachInternetGateway", &detach), DependencyViolation);

    assert_eq!(site.bench.told("natGatewayId", "DeleteNatGateway", &named), id);
    assert_eq!(site.state(&id), "deleted");
    assert_eq!(site.claims(&id), [Some(("node1", true)); 2]);
    let changes = site.bench.changes.len();
    site.bench.call("DeleteNatGateway", &named).unwrap();
    assert_eq!(site.bench.changes.len(), changes, "a second time changes nothing");
    let xml = site.bench.call("DescribeNatGateways", &[]).unwrap();
    assert_eq!(texts(&xml, "privateIp"), before, "what it had is told still");
    assert_eq!((texts(&xml, "deleteTime").len(), texts(&xml, "associationId").len()), (1, 0));
    report(&mut site.bench, Phase::Running);
    assert_eq!(site.claims(&id), [None, None]);

    site.bench.call("DetachInternetGateway", &detach).unwrap();
    site.bench.call("DeleteInternetGateway", &detach[..1]).unwrap();
    site.bench.call("DeleteSubnet", &[("SubnetId", &site.subnet)]).unwrap();
    site.bench.call("DeleteVpc", &detach[1..]).unwrap();
    site.bench.now = site.bench.now.plus_seconds(3599);
    assert!(!is_forgettable(&site.bench.world, site.bench.now));
    site.bench.now = site.bench.now.plus_seconds(1);
    assert!(crate::control::due(&site.bench.world, site.bench.now));
    site.bench.decide(crate::control::tick);
    assert_eq!(site.bench.refused("DeleteNatGateway", &named), NatGatewayNotFound);
    site.bench.now = site.bench.now.plus_seconds(200_000);
    site.bench.decide(crate::control::tick);
    let (world, bare) = (&site.bench.world, &bare.world);
    assert_eq!((&world.nat_gateways, &world.enis, &world.tags), (&bare.nat_gateways, &bare.enis, &bare.tags));
    assert_eq!((&world.claims, &world.freed, &world.tokens), (&bare.claims, &bare.freed, &bare.tokens));
    assert!(world.addresses.values().all(|row| row.association.is_none() && row.transit.is_none()));
}

#[test]
fn a_nat_gateway_leaves_a_host_that_is_drained_or_has_failed() {
    let mut site = Site::new();
    let id = site.make(&[]);
    // Nobody else can have it: it is at work there still.
    site.drain("node1", true);
    let state = site.state(&id);
    assert_eq!((site.host(&id), &*state), (Some("node1"), "available"));
    // The host of another zone is none for it.
    site.bench.host("far", "us-east-1b");
    assert_eq!(site.host(&id), Some("node1"));
    site.bench.host("node2", "us-east-1a");
    assert_eq!(site.host(&id), Some("node2"), "a host has come");
    assert_eq!(site.claims(&id), [Some(("node1", true)); 2], "what has the addresses lets go of them first");
    // Rows that the bench puts count no generation.
    site.bench.world.generation += 1;
    report(&mut site.bench, Phase::Running);
    assert_eq!(site.claims(&id), [Some(("node2", false)); 2]);
    // It does not go back by itself.
    site.drain("node1", false);
    assert_eq!(site.host(&id), Some("node2"));
    site.fail("node2");
    assert_eq!(site.host(&id), Some("node1"));
    assert_eq!(site.claims(&id), [Some(("node1", false)); 2], "a dead host lets go at once");
    site.fail("node1");
    let state = site.state(&id);
    assert_eq!((site.host(&id), &*state), (None, "pending"));
    assert_eq!(site.claims(&id), [None, None]);
    report(&mut site.bench, Phase::Running);
    let state = site.state(&id);
    assert_eq!((site.host(&id), &*state), (Some("node1"), "available"), "it is back");
    let removed = site.bench.attempt(|decision| hosts::remove(decision, "node1")).unwrap_err();
    assert!(removed.message.contains("1 NAT gateways"), "{}", removed.message);
}

#[test]
fn nat_gateways_spread_over_the_hosts_of_their_zone() {
    let mut site = Site::new();
    site.bench.host("far", "us-east-1b");
    site.bench.host("node2", "us-east-1a");
    let ids = [site.make(&[]), site.another(), site.another(), site.another()];
    let hosts = |site: &Site| ids.each_ref().map(|id| site.host(id).unwrap().to_owned());
    assert_eq!(hosts(&site), ["node1", "node2", "node1", "node2"]);
    site.bench.host("node3", "us-east-1a");
    assert_eq!(hosts(&site), ["node1", "node2", "node1", "node2"], "what is at work stays where it is");
    site.fail("node1");
    let mut spread = hosts(&site);
    spread.sort();
    assert_eq!(spread, ["node2", "node2", "node3", "node3"]);
}

#[test]
fn a_zone_has_five_nat_gateways_of_an_account() {
    let mut site = Site::new();
    site.bench.host("far", "us-east-1b");
    let first = site.make(&[]);
    for _ in 0..4 {
        site.another();
    }
    let address = site.bench.told("allocationId", "AllocateAddress", &[]);
    let given = [("SubnetId", &*site.subnet), ("AllocationId", &address)];
    assert_eq!(site.bench.refused("CreateNatGateway", &given), NatGatewayLimitExceeded);
    let zone = [("VpcId", &*site.vpc), ("CidrBlock", "10.0.2.0/24"), ("AvailabilityZone", "us-east-1b")];
    let far = site.bench.told("subnetId", "CreateSubnet", &zone);
    let id = site.bench.told("natGatewayId", "CreateNatGateway", &[("SubnetId", &*far), given[1]]);
    assert_eq!(site.host(&id), Some("far"));
    site.bench.call("DeleteNatGateway", &[("NatGatewayId", &first)]).unwrap();
    let again = [("SubnetId", &*site.subnet), ("AllocationId", &site.address)];
    site.bench.call("CreateNatGateway", &again).unwrap();
}

#[test]
fn what_a_nat_gateway_lacks_is_said_at_once() {
    let mut site = Site::new();
    let (good, address) = (("SubnetId", &*site.subnet), ("AllocationId", &*site.address));
    let own: VpcId = site.vpc.parse().unwrap();
    let flat = site.bench.world.subnets.values().find(|row| row.vpc != own).unwrap().id.to_string();
    let bench = &mut site.bench;
    let mut refused = |given: &[(&str, &str)]| bench.refused("CreateNatGateway", given);
    assert_eq!(refused(&[("SubnetId", &flat), address]), UnsupportedOperation);
    assert_eq!(refused(&[good, address, ("ConnectivityType", "private")]), InvalidParameterCombination);
    assert_eq!(refused(&[good]), MissingParameter);
    assert_eq!(refused(&[good, address, ("PrivateIpAddress", "10.0.2.7")]), InvalidParameterValue);
    let inside = instance(bench, good.1);
    let used = bench.told("privateIpAddress", "DescribeInstances", &[("InstanceId.1", &inside)]);
    assert_eq!(
        bench.refused("CreateNatGateway", &[good, address, ("PrivateIpAddress", &used)]),
        InvalidIPAddressInUse
    );
    bench.call("AssociateAddress", &[address, ("InstanceId", &inside)]).unwrap();
    assert_eq!(bench.refused("CreateNatGateway", &[good, address]), ResourceAlreadyAssociated);
    let private = vpc(bench, "10.9.0.0/16");
    let private = subnet(bench, &private, "10.9.0.0/24");
    let free = bench.told("allocationId", "AllocateAddress", &[]);
    let given = [("SubnetId", &*private), ("AllocationId", &*free)];
    assert_eq!(bench.refused("CreateNatGateway", &given), GatewayNotAttached);
}

#[test]
fn the_interface_and_the_address_of_a_nat_gateway_are_its_own() {
    let mut site = Site::new();
    let id = site.make(&[]);
    let eni = site.row(&id).eni.to_string();
    let (eni, address) = (("NetworkInterfaceId", &*eni), ("AllocationId", &*site.address));
    let bench = &mut site.bench;
    let inside = instance(bench, &site.subnet);
    let other = bench.told("allocationId", "AllocateAddress", &[]);
    let association = bench.told("associationId", "DescribeAddresses", &[("AllocationId.1", address.1)]);
    let (image, number) =
        (bench.world.images.keys().next().unwrap().to_string(), [("MinCount", "1"), ("MaxCount", "1")]);
    let launch = [
        ("ImageId", &*image),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.NetworkInterfaceId", eni.1),
    ];
    for (action, given, code) in [
        ("DeleteNetworkInterface", vec![eni], InvalidParameterValue),
        (
            "AttachNetworkInterface",
            vec![eni, ("InstanceId", &inside), ("DeviceIndex", "1")],
            InvalidNetworkInterfaceInUse,
        ),
        ("RunInstances", [&launch[..], &number].concat(), InvalidNetworkInterfaceInUse),
        ("ModifyNetworkInterfaceAttribute", vec![eni, ("SourceDestCheck.Value", "true")], AuthFailure),
        ("ResetNetworkInterfaceAttribute", vec![eni, ("SourceDestCheck", "true")], AuthFailure),
        ("AssignPrivateIpAddresses", vec![eni, ("SecondaryPrivateIpAddressCount", "1")], AuthFailure),
        ("UnassignPrivateIpAddresses", vec![eni, ("PrivateIpAddress.1", "10.0.1.9")], AuthFailure),
        ("AssociateAddress", vec![eni, ("AllocationId", &other)], AuthFailure),
        (
            "AssociateAddress",
            vec![address, ("InstanceId", &inside), ("AllowReassociation", "true")],
            AuthFailure,
        ),
        ("DisassociateAddress", vec![("AssociationId", &association)], AuthFailure),
        ("ReleaseAddress", vec![address], AuthFailure),
    ] {
        assert_eq!(bench.refused(action, &given), code, "{action}");
    }
    bench.call("DeleteNatGateway", &[("NatGatewayId", &id)]).unwrap();
    bench.call("AssociateAddress", &[address, ("InstanceId", &inside)]).unwrap();
    assert_eq!(bench.refused("DeleteNetworkInterface", &[eni]), InvalidNetworkInterfaceIDNotFound);
}

#[test]
fn a_route_leads_to_a_nat_gateway_until_that_is_deleted() {
    let mut site = Site::new();
    let id = site.make(&[]);
    let bench = &mut site.bench;
    let table = |bench: &mut Bench, vpc: &str| {
        let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
        bench.told("routeTableId", "DescribeRouteTables", &of_vpc)
    };
    let (own, elsewhere) = (table(bench, &site.vpc), vpc(bench, "10.9.0.0/16"));
    let elsewhere = table(bench, &elsewhere);
    let route = |table, gateway| {
        [("RouteTableId", table), ("DestinationCidrBlock", "0.0.0.0/0"), ("NatGatewayId", gateway)]
    };
    bench.call("CreateRoute", &route(&own, &id)).unwrap();
    bench.call("ReplaceRoute", &route(&own, &id)).unwrap();
    let none = "nat-0123456789abcdef0";
    assert_eq!(bench.refused("CreateRoute", &route(&elsewhere, &id)), InvalidParameterValue);
    assert_eq!(bench.refused("CreateRoute", &route(&elsewhere, none)), InvalidNatGatewayIDNotFound);
    let two = [&route(&own, &id)[..], &[("GatewayId", &site.internet)]].concat();
    assert_eq!(bench.refused("ReplaceRoute", &two), InvalidParameterCombination);
    let led = [("Filter.1.Name", "route.nat-gateway-id"), ("Filter.1.Value.1", &*id)];
    let states = |bench: &mut Bench| {
        let xml = bench.call("DescribeRouteTables", &led).unwrap();
        (texts(&xml, "natGatewayId"), texts(&xml, "state"))
    };
    let told = |state: &str| (vec![id.clone()], ["active", state, "associated"].map(str::to_owned).to_vec());
    assert_eq!(states(bench), told("active"));
    bench.call("DeleteNatGateway", &[("NatGatewayId", &id)]).unwrap();
    assert_eq!(states(bench), told("blackhole"));
    assert_eq!(bench.refused("ReplaceRoute", &route(&own, &id)), InvalidNatGatewayIDNotFound);
}
