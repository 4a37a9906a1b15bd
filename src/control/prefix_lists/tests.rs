//! Prefix lists from their making to their end, and the rules and routes that name them.

use super::super::vpcs::tests::{gateway, instance, report, subnet, vpc};
use crate::control::testing::{Bench, texts};
use crate::plan::{Concern, Phase, RouteTo, concern, host_state};
use crate::query::FaultCode::{self, *};
use crate::types::*;

type Given<'a> = Vec<(&'a str, &'a str)>;

fn list(bench: &mut Bench, max: &str, blocks: &[&str]) -> String {
    let names: Vec<_> = (1..=blocks.len()).map(|n| format!("Entry.{n}.Cidr")).collect();
    let mut given: Given = vec![("PrefixListName", "office"), ("AddressFamily", "IPv4"), ("MaxEntries", max)];
    given.extend(names.iter().map(String::as_str).zip(blocks.iter().copied()));
    bench.told("prefixListId", "CreateManagedPrefixList", &given)
}

fn entries(bench: &mut Bench, id: &str, more: &[(&str, &str)]) -> Vec<String> {
    let given = [&[("PrefixListId", id)], more].concat();
    texts(&bench.call("GetManagedPrefixListEntries", &given).unwrap(), "cidr")
}

fn modify(bench: &mut Bench, id: &str, given: &[(&str, &str)]) -> Result<String, FaultCode> {
    let given = [&[("PrefixListId", id)], given].concat();
    bench.call("ModifyManagedPrefixList", &given).map_err(|fault| fault.code)
}

/// The default group of the only account lets in what is in the list.
fn rule(bench: &mut Bench, group: &str, id: &str, port: &str) -> Result<String, FaultCode> {
    let given = [
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", port),
        ("IpPermissions.1.ToPort", port),
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", id),
        ("IpPermissions.1.PrefixListIds.1.Description", "office"),
    ];
    bench.call("AuthorizeSecurityGroupIngress", &given).map_err(|fault| fault.code)
}

fn default_group(bench: &Bench) -> String {
    bench.world.groups.values().next().unwrap().id.to_string()
}

#[test]
fn entries_come_and_go_in_versions_and_an_old_one_comes_back() {
    let mut bench = Bench::small();
    let id = list(&mut bench, "3", &["10.0.0.0/8", "192.0.2.9/24"]);
    let told = |bench: &mut Bench, element: &str| bench.told(element, "DescribeManagedPrefixLists", &[]);
    assert_eq!((&*told(&mut bench, "version"), &*told(&mut bench, "state")), ("1", "create-complete"));
    assert_eq!(
        told(&mut bench, "prefixListArn"),
        format!("arn:aws:ec2:us-east-1:111122223333:prefix-list/{id}")
    );
    assert_eq!(entries(&mut bench, &id, &[]), ["10.0.0.0/8", "192.0.2.0/24"], "host bits are cleared");
    let given = [
        ("CurrentVersion", "1"),
        ("RemoveEntry.1.Cidr", "10.0.0.0/8"),
        ("AddEntry.1.Cidr", "10.0.0.0/8"),
        ("AddEntry.1.Description", "another one"),
        ("AddEntry.2.Cidr", "198.51.100.0/24"),
    ];
    let xml = modify(&mut bench, &id, &given).unwrap();
    assert_eq!(
        (texts(&xml, "version"), texts(&xml, "state")),
        (vec!["2".into()], vec!["modify-in-progress".into()])
    );
    assert_eq!(told(&mut bench, "state"), "modify-complete");
    let three = ["10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24"];
    assert_eq!(entries(&mut bench, &id, &[]), three);
    assert_eq!(entries(&mut bench, &id, &[("TargetVersion", "1")]), three[..2]);
    for (given, code) in [
        (&[("CurrentVersion", "1"), ("AddEntry.1.Cidr", "203.0.113.0/24")][..], PrefixListVersionMismatch),
        (&[("CurrentVersion", "0"), ("AddEntry.1.Cidr", "203.0.113.0/24")], InvalidParameterValue),
        (&[("AddEntry.1.Cidr", "203.0.113.0/24")], PrefixListMaxEntriesExceeded),
        (&[("AddEntry.1.Cidr", "10.0.0.0/8")], InvalidPrefixListModification),
        (&[("RemoveEntry.1.Cidr", "10.0.0.0/9")], InvalidPrefixListModification),
        (&[("AddEntry.1.Cidr", "::/0")], InvalidParameterValue),
        (&[("AddEntry.1.Cidr", "10.0.0.1")], InvalidParameterValue),
        (&[("AddEntry.1.Cidr", "11.0.0.0/8"), ("AddEntry.2.Cidr", "11.0.0.0/8")], InvalidParameterValue),
        (&[("RemoveEntry.1.Cidr", "10.0.0.0/8"), ("MaxEntries", "9")], InvalidParameterCombination),
        (&[("MaxEntries", "2")], PrefixListMaxEntriesExceeded),
        (&[("PrefixListName", "com.amazonaws.x")], InvalidParameterValue),
        (&[], MissingParameter),
    ] {
        assert_eq!(modify(&mut bench, &id, given), Err(code), "{given:?}");
    }
    modify(&mut bench, &id, &[("PrefixListName", "home"), ("MaxEntries", "4")]).unwrap();
    assert_eq!(
        (&*told(&mut bench, "version"), &*told(&mut bench, "maxEntries")),
        ("2", "4"),
        "no new version"
    );
    let back = |now, old| [("PrefixListId", &*id), ("CurrentVersion", now), ("PreviousVersion", old)];
    let action = "RestoreManagedPrefixListVersion";
    assert_eq!(bench.refused(action, &back("1", "1")), PrefixListVersionMismatch);
    assert_eq!(bench.refused(action, &back("2", "3")), InvalidParameterValue);
    assert_eq!(bench.told("version", action, &back("2", "1")), "3");
    assert_eq!((&*told(&mut bench, "state"), entries(&mut bench, &id, &[]).len()), ("restore-complete", 2));
    bench.call("DeleteManagedPrefixList", &[("PrefixListId", &id)]).unwrap();
    assert!(bench.world.prefix_lists.is_empty() && bench.world.prefix_list_versions.is_empty());
}

#[test]
fn the_last_hundred_versions_are_kept() {
    let mut bench = Bench::small();
    let id = list(&mut bench, "1", &[]);
    for _ in 0..60 {
        modify(&mut bench, &id, &[("AddEntry.1.Cidr", "10.0.0.0/8")]).unwrap();
        modify(&mut bench, &id, &[("RemoveEntry.1.Cidr", "10.0.0.0/8")]).unwrap();
    }
    let kept: Vec<_> = bench.world.prefix_list_versions.keys().map(|(_, number)| *number).collect();
    assert_eq!(kept, (22..=121).collect::<Vec<u64>>());
}

#[test]
fn a_rule_means_what_is_in_its_list_and_the_hosts_with_its_group_hear_of_a_change() {
    let mut bench = Bench::small();
    bench.host("node2", "us-east-1a");
    let id = list(&mut bench, "10", &["192.0.2.0/24"]);
    let group = default_group(&bench);
    let xml = rule(&mut bench, &group, &id, "80").unwrap();
    assert_eq!(texts(&xml, "prefixListId"), [&*id]);
    assert_eq!(rule(&mut bench, &group, &id, "80"), Err(InvalidPermissionDuplicate));
    let of_list = [("Filter.1.Name", "ip-permission.prefix-list-id"), ("Filter.1.Value.1", &*id)];
    assert_eq!(bench.told("groupId", "DescribeSecurityGroups", &of_list), group);
    let subnet = bench.world.subnets.values().next().unwrap().id.to_string();
    instance(&mut bench, &subnet);
    report(&mut bench, Phase::Running);
    let host = bench.world.instances.values().next().unwrap().host.clone();
    let ports = |bench: &Bench| {
        let state = host_state(&bench.world, &host);
        let section = state.groups.values().next().unwrap().clone();
        section.ingress.ports.iter().map(|one| one.addresses.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ports(&bench), ["192.0.2.0-192.0.2.255"]);
    let before = bench.world.clone();
    bench.changes.clear();
    modify(&mut bench, &id, &[("AddEntry.1.Cidr", "198.51.100.7/32")]).unwrap();
    assert_eq!(ports(&bench), ["192.0.2.0-192.0.2.255", "198.51.100.7-198.51.100.7"]);
    let told = concern(&before, &bench.world, &bench.changes);
    assert_eq!(told, Concern::Hosts([host.clone()].into()), "and no other host");
    // An empty list is nobody, and not everybody.
    let given = [("RemoveEntry.1.Cidr", "198.51.100.7/32"), ("RemoveEntry.2.Cidr", "192.0.2.0/24")];
    modify(&mut bench, &id, &given).unwrap();
    assert!(ports(&bench).is_empty());
    assert_eq!(bench.refused("DeleteManagedPrefixList", &[("PrefixListId", &id)]), DependencyViolation);
    let xml = bench.call("GetManagedPrefixListAssociations", &[("PrefixListId", &id)]).unwrap();
    assert_eq!(texts(&xml, "resourceId"), [&*group]);
    let revoke = [
        ("GroupId", &*group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "80"),
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", &*id),
    ];
    bench.call("RevokeSecurityGroupIngress", &revoke).unwrap();
    bench.call("DeleteManagedPrefixList", &[("PrefixListId", &id)]).unwrap();
    assert_eq!(rule(&mut bench, &group, &id, "80"), Err(InvalidPrefixListIDNotFound));
}

#[test]
fn a_rule_counts_as_all_that_its_list_may_have() {
    let mut bench = Bench::small();
    let (group, id) = (default_group(&bench), list(&mut bench, "30", &[]));
    // One rule for its own members is there from the start.
    rule(&mut bench, &group, &id, "80").unwrap();
    assert_eq!(rule(&mut bench, &group, &id, "81"), Err(RulesPerSecurityGroupLimitExceeded));
    modify(&mut bench, &id, &[("MaxEntries", "29")]).unwrap();
    rule(&mut bench, &group, &id, "81").unwrap();
    assert_eq!(
        modify(&mut bench, &id, &[("MaxEntries", "30")]),
        Err(RulesPerSecurityGroupLimitExceeded),
        "two rules have grown"
    );
}

#[test]
fn a_route_to_a_list_leads_what_is_in_it_but_nothing_of_the_vpcs_own() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    let internet = gateway(&mut bench, &vpc);
    instance(&mut bench, &subnet);
    report(&mut bench, Phase::Running);
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*vpc)];
    let table = bench.told("routeTableId", "DescribeRouteTables", &of_vpc);
    let blocks = ["198.51.100.0/24", "10.0.0.0/16", "10.0.1.0/24", "169.254.169.254/32", "10.0.0.0/8"];
    let id = list(&mut bench, "20", &blocks);
    let to = [("RouteTableId", &*table), ("GatewayId", &*internet), ("DestinationPrefixListId", &*id)];
    bench.call("CreateRoute", &to).unwrap();
    assert_eq!(bench.refused("CreateRoute", &to), RouteAlreadyExists);
    let xml = bench.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).unwrap();
    assert_eq!(texts(&xml, "destinationPrefixListId"), [&*id]);
    let by = [("Filter.1.Name", "route.destination-prefix-list-id"), ("Filter.1.Value.1", &*id)];
    assert_eq!(bench.told("routeTableId", "DescribeRouteTables", &by), table);
    let routes = |bench: &Bench| {
        let state = host_state(&bench.world, "node1");
        let tables = &state.vpcs.values().next().unwrap().tables;
        let routes = tables.values().next().unwrap().iter();
        routes.map(|row| (row.destination.to_string(), row.to)).collect::<Vec<_>>()
    };
    let out = |block: &str| (block.to_owned(), RouteTo::Internet);
    assert_eq!(routes(&bench), [out("10.0.0.0/8"), out("198.51.100.0/24")]);
    // A block's own route counts before the list's.
    let eni = bench.world.enis.keys().next().unwrap();
    let (eni, named) = (*eni, eni.to_string());
    let own = [
        ("RouteTableId", &*table),
        ("NetworkInterfaceId", &*named),
        ("DestinationCidrBlock", "198.51.100.0/24"),
    ];
    bench.call("CreateRoute", &own).unwrap();
    let inward = ("198.51.100.0/24".to_owned(), RouteTo::Interface(eni));
    assert_eq!(routes(&bench), [out("10.0.0.0/8"), inward]);
    let before = bench.world.clone();
    bench.changes.clear();
    modify(&mut bench, &id, &[("AddEntry.1.Cidr", "203.0.113.0/24")]).unwrap();
    assert_eq!(routes(&bench).len(), 3);
    assert_eq!(concern(&before, &bench.world, &bench.changes), Concern::Hosts(["node1".into()].into()));
    // It counts as twenty of fifty routes.
    let many = list(&mut bench, "30", &[]);
    let full = [("RouteTableId", &*table), ("GatewayId", &*internet), ("DestinationPrefixListId", &*many)];
    assert_eq!(bench.refused("CreateRoute", &full), RouteLimitExceeded);
    assert_eq!(modify(&mut bench, &id, &[("MaxEntries", "50")]), Err(RouteLimitExceeded));
    assert_eq!(bench.refused("DeleteManagedPrefixList", &[("PrefixListId", &id)]), DependencyViolation);
    bench.call("DeleteRoute", &[to[0], to[2]]).unwrap();
    assert_eq!(bench.refused("DeleteRoute", &[to[0], to[2]]), InvalidRouteNotFound);
    bench.call("DeleteManagedPrefixList", &[("PrefixListId", &id)]).unwrap();
}

/// A VPC with a block of IPv6, gateways of both kinds, its table, and what its table leads where on the host.
struct Six {
    bench: Bench,
    vpc: String,
    own: String,
    internet: String,
    egress: String,
    table: String,
}

impl Six {
    fn new() -> Self {
        let mut bench = Bench::small();
        let prefix = "2001:db8:f0::/52".parse().unwrap();
        bench.attempt(|decision| crate::control::ipv6::add(decision, prefix)).unwrap();
        let vpc = vpc(&mut bench, "10.0.0.0/16");
        let six = [("VpcId", &*vpc), ("AmazonProvidedIpv6CidrBlock", "true")];
        let own = texts(&bench.call("AssociateVpcCidrBlock", &six).unwrap(), "ipv6CidrBlock")[0].clone();
        let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
        let internet = gateway(&mut bench, &vpc);
        let egress = "CreateEgressOnlyInternetGateway";
        let egress = bench.told("egressOnlyInternetGatewayId", egress, &[("VpcId", &vpc)]);
        instance(&mut bench, &subnet);
        report(&mut bench, Phase::Running);
        let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*vpc)];
        let table = bench.told("routeTableId", "DescribeRouteTables", &of_vpc);
        Self { bench, vpc, own, internet, egress, table }
    }

    fn list(&mut self, max: &str, blocks: &[&str]) -> String {
        let names: Vec<_> = (1..=blocks.len()).map(|n| format!("Entry.{n}.Cidr")).collect();
        let mut given: Given =
            vec![("PrefixListName", "six"), ("AddressFamily", "IPv6"), ("MaxEntries", max)];
        given.extend(names.iter().map(String::as_str).zip(blocks.iter().copied()));
        self.bench.told("prefixListId", "CreateManagedPrefixList", &given)
    }

    fn routes(&self) -> Vec<(String, RouteTo)> {
        let state = host_state(&self.bench.world, "node1");
        let tables = &state.vpcs.values().next().unwrap().tables6;
        let routes = tables.values().next().unwrap().iter();
        routes.map(|row| (row.destination.to_string(), row.to)).collect()
    }
}

fn by(block: &str, to: RouteTo) -> (String, RouteTo) {
    (block.to_owned(), to)
}

#[test]
fn a_route_to_a_list_of_ipv6_leads_what_is_in_it_but_nothing_of_the_vpcs_own() {
    let mut six = Six::new();
    let (own, inside) = (six.own.clone(), six.own.replace("::/56", "::/64"));
    let id = six.list("30", &["2001:db8:a::/48", &own, &inside, "fe80::/64", "ff02::/16", "2001:db8::/32"]);
    let (table, internet, egress) = (six.table.clone(), six.internet.clone(), six.egress.clone());
    let to = [("RouteTableId", &*table), ("DestinationPrefixListId", &*id)];
    let out = [&to[..], &[("EgressOnlyInternetGatewayId", &*egress)]].concat();
    six.bench.call("CreateRoute", &out).unwrap();
    assert_eq!(six.bench.refused("CreateRoute", &out), RouteAlreadyExists);
    let xml = six.bench.call("DescribeRouteTables", &[("RouteTableId.1", &table)]).unwrap();
    assert_eq!(texts(&xml, "destinationPrefixListId"), [&*id]);
    let associated = six.bench.call("GetManagedPrefixListAssociations", &[("PrefixListId", &id)]).unwrap();
    assert_eq!(texts(&associated, "resourceId"), [&*table]);
    let only = RouteTo::EgressOnly;
    assert_eq!(six.routes(), [by("2001:db8::/32", only), by("2001:db8:a::/48", only)]);
    // A block's own route counts before the list's.
    let block = ("DestinationIpv6CidrBlock", "2001:db8:a::/48");
    six.bench.call("CreateRoute", &[to[0], block, ("GatewayId", &internet)]).unwrap();
    assert_eq!(six.routes(), [by("2001:db8::/32", only), by("2001:db8:a::/48", RouteTo::Internet)]);
    let before = six.bench.world.clone();
    six.bench.changes.clear();
    modify(&mut six.bench, &id, &[("AddEntry.1.Cidr", "2001:db8:b::/48")]).unwrap();
    assert_eq!(six.routes().len(), 3);
    assert_eq!(
        concern(&before, &six.bench.world, &six.bench.changes),
        Concern::Hosts(["node1".into()].into())
    );
    six.bench.call("ReplaceRoute", &[to[0], to[1], ("GatewayId", &internet)]).unwrap();
    assert_eq!(six.routes()[0], by("2001:db8::/32", RouteTo::Internet));
}

#[test]
fn a_route_to_a_list_of_ipv6_counts_as_all_that_it_may_have_and_keeps_it() {
    let mut six = Six::new();
    let (id, many) = (six.list("30", &[]), six.list("30", &[]));
    let (table, internet) = (six.table.clone(), six.internet.clone());
    let bench = &mut six.bench;
    let to = |id| [("RouteTableId", &*table), ("GatewayId", &*internet), ("DestinationPrefixListId", id)];
    bench.call("CreateRoute", &to(&*id)).unwrap();
    assert_eq!(bench.refused("CreateRoute", &to(&*many)), RouteLimitExceeded);
    assert_eq!(modify(bench, &id, &[("MaxEntries", "51")]), Err(RouteLimitExceeded));
    // Those of IPv4 are counted by themselves.
    let four = list(bench, "50", &[]);
    bench.call("CreateRoute", &to(&*four)).unwrap();
    assert_eq!(bench.refused("DeleteManagedPrefixList", &[("PrefixListId", &id)]), DependencyViolation);
    let route = [to(&*id)[0], to(&*id)[2]];
    bench.call("DeleteRoute", &route).unwrap();
    assert_eq!(bench.refused("DeleteRoute", &route), InvalidRouteNotFound);
    bench.call("DeleteManagedPrefixList", &[("PrefixListId", &id)]).unwrap();
}

#[test]
fn a_block_of_ipv6_that_a_route_leads_away_is_not_given() {
    let mut six = Six::new();
    let next = ("DestinationIpv6CidrBlock", "2001:db8:f0:100::/64");
    let given = [("RouteTableId", &*six.table), next, ("GatewayId", &*six.internet)];
    six.bench.call("CreateRoute", &given).unwrap();
    let more = [("VpcId", &*six.vpc), ("AmazonProvidedIpv6CidrBlock", "true")];
    assert_eq!(six.bench.refused("AssociateVpcCidrBlock", &more), InvalidVpcRange);
    six.bench.call("DeleteRoute", &given[..2]).unwrap();
    six.bench.call("AssociateVpcCidrBlock", &more).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut bench = Bench::small();
    let base = [("PrefixListName", "six"), ("AddressFamily", "IPv6"), ("MaxEntries", "1")];
    let make = |bench: &mut Bench, more: &[(&str, &str)]| {
        bench.call("CreateManagedPrefixList", &[&base, more].concat())
    };
    let code =
        |bench: &mut Bench, more: &[(&str, &str)]| make(bench, more).map(drop).map_err(|fault| fault.code);
    assert_eq!(code(&mut bench, &[("Entry.1.Cidr", "10.0.0.0/8")]), Err(InvalidParameterValue));
    let two = [("Entry.1.Cidr", "2001:db8::/32"), ("Entry.2.Cidr", "::/0")];
    assert_eq!(code(&mut bench, &two), Err(PrefixListMaxEntriesExceeded));
    let once = [("ClientToken", "t"), ("Entry.1.Cidr", "2001:db8::/32")];
    let id = bench.told("prefixListId", "CreateManagedPrefixList", &[&base[..], &once].concat());
    let again = bench.told("prefixListId", "CreateManagedPrefixList", &[&base[..], &once].concat());
    assert_eq!((id.clone(), bench.world.prefix_lists.len()), (again, 1));
    assert_eq!(code(&mut bench, &[("ClientToken", "t")]), Err(IdempotentParameterMismatch));
    assert_eq!(bench.refused("DescribePrefixLists", &[("PrefixListId.1", &id)]), InvalidPrefixListIDNotFound);
    assert!(texts(&bench.call("DescribePrefixLists", &[]).unwrap(), "prefixListId").is_empty());
    let owner = Owner { account: "444455556666".parse().unwrap(), ..bench.caller.owner.clone() };
    bench.caller.owner = owner;
    for action in
        ["DeleteManagedPrefixList", "GetManagedPrefixListEntries", "GetManagedPrefixListAssociations"]
    {
        assert_eq!(bench.refused(action, &[("PrefixListId", &id)]), InvalidPrefixListIDNotFound, "{action}");
    }
}
