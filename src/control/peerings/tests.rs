//! Peering connections from the request to their end, as both owners see them.

use super::*;
use crate::control::testing::{Bench, texts};
use crate::control::vpcs::tests::{instance, report, subnet, vpc};
use crate::plan::{Concern, Phase, concern, host_state};
use crate::world::NextHop;
use FaultCode::*;

mod others;
mod six;

/// Two accounts with a VPC each.
struct Two {
    bench: Bench,
    others: Owner,
    own: String,
    theirs: String,
}

const HOUR: i64 = 3600;

impl Two {
    fn new() -> Self {
        let mut bench = Bench::small();
        let others = Owner { account: "444455556666".parse().unwrap(), region: "us-east-1".into() };
        let (id, created) = (others.account, bench.now);
        bench.put(crate::world::Account { id, name: "other".into(), created });
        let own = vpc(&mut bench, "10.1.0.0/16");
        let mut two = Self { bench, others, own, theirs: String::new() };
        two.theirs = two.as_other(|bench| vpc(bench, "10.2.0.0/16"));
        two
    }

    fn as_other<T>(&mut self, run: impl FnOnce(&mut Bench) -> T) -> T {
        let own = std::mem::replace(&mut self.bench.caller.owner, self.others.clone());
        let result = run(&mut self.bench);
        self.bench.caller.owner = own;
        result
    }

    fn ask(&mut self, more: &[(&str, &str)]) -> String {
        let (own, theirs, account) = (self.own.clone(), self.theirs.clone(), self.others.account.to_string());
        let given = [("VpcId", &*own), ("PeerVpcId", &theirs), ("PeerOwnerId", &account)];
        self.bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &[&given[..], more].concat())
    }

    fn active(&mut self) -> String {
        let id = self.ask(&[]);
        self.as_other(|bench| bench.call("AcceptVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]))
            .unwrap();
        id
    }

    fn later(&mut self, seconds: i64) {
        self.bench.now = self.bench.now.plus_seconds(seconds);
        self.bench.decide(crate::control::tick);
    }

    /// What both are told, or that they are told nothing.
    fn told(&mut self) -> [Option<(String, String)>; 2] {
        let look = |bench: &mut Bench| {
            let xml = bench.call("DescribeVpcPeeringConnections", &[]).unwrap();
            Some((texts(&xml, "code").first()?.clone(), texts(&xml, "message")[0].clone()))
        };
        [look(&mut self.bench), self.as_other(look)]
    }
}

fn both(code: &str, message: &str) -> [Option<(String, String)>; 2] {
    let told = Some((code.to_owned(), message.to_owned()));
    [told.clone(), told]
}

fn main_table(bench: &mut Bench, vpc: &str) -> String {
    bench.told(
        "routeTableId",
        "DescribeRouteTables",
        &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)],
    )
}

#[test]
fn a_request_becomes_active_when_the_other_account_accepts_it() {
    let mut two = Two::new();
    let id = two.ask(&[]);
    assert_eq!(two.told(), both("pending-acceptance", "Pending Acceptance by 444455556666"));
    let named = [("VpcPeeringConnectionId", &*id)];
    assert_eq!(two.bench.refused("AcceptVpcPeeringConnection", &named), OperationNotPermitted);
    assert_eq!(two.bench.refused("RejectVpcPeeringConnection", &named), OperationNotPermitted);
    let xml = two.as_other(|bench| {
        assert_eq!(bench.refused("DeleteVpcPeeringConnection", &named), OperationNotPermitted);
        bench.call("AcceptVpcPeeringConnection", &named).unwrap()
    });
    assert_eq!(texts(&xml, "code"), ["provisioning"]);
    assert_eq!(two.told(), both("active", "Active"));
    let xml = two.bench.call("DescribeVpcPeeringConnections", &[]).unwrap();
    assert_eq!(texts(&xml, "ownerId"), ["444455556666", "111122223333"]);
    assert!(xml.contains("10.1.0.0/16") && xml.contains("10.2.0.0/16") && !xml.contains("expirationTime"));
    let again = two.as_other(|bench| bench.refused("AcceptVpcPeeringConnection", &named));
    assert_eq!(again, InvalidStateTransition);
    let (own, theirs, account) = (two.own.clone(), two.theirs.clone(), two.others.account.to_string());
    let given = [("VpcId", &*own), ("PeerVpcId", &theirs), ("PeerOwnerId", &account)];
    assert_eq!(two.bench.refused("CreateVpcPeeringConnection", &given), VpcPeeringConnectionAlreadyExists);
    // Nobody else hears of it.
    two.others.account = "777788889999".parse().unwrap();
    assert_eq!(two.told()[1], None);
    let third = two.as_other(|bench| bench.refused("DeleteVpcPeeringConnection", &named));
    assert_eq!(third, InvalidVpcPeeringConnectionIDNotFound);
}

#[test]
fn what_cannot_be_is_told_as_failed_and_to_who_asked_alone() {
    let mut two = Two::new();
    let (own, theirs) = (two.own.clone(), two.theirs.clone());
    // Overlapping, of an account that has it not, of a region that has it not, with itself, and unknown.
    let overlapping = vpc(&mut two.bench, "10.1.0.0/20");
    let account = two.others.account.to_string();
    let none = "vpc-0123456789abcdef0";
    for given in [
        vec![("PeerVpcId", &*overlapping)],
        vec![("PeerVpcId", &theirs)],
        vec![("PeerVpcId", &theirs), ("PeerOwnerId", &account), ("PeerRegion", "eu-west-1")],
        vec![("PeerVpcId", &own)],
        vec![("PeerVpcId", none)],
    ] {
        let given = [&[("VpcId", &*own)], &given[..]].concat();
        let code = two.bench.told("code", "CreateVpcPeeringConnection", &given);
        assert_eq!(code, "initiating-request");
        let why = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range".to_owned();
        assert_eq!(two.told(), [Some(("failed".into(), why)), None]);
        let id = two.bench.told("vpcPeeringConnectionId", "DescribeVpcPeeringConnections", &[]);
        let named = [("VpcPeeringConnectionId", &*id)];
        assert_eq!(two.bench.refused("DeleteVpcPeeringConnection", &named), InvalidStateTransition);
        two.later(2 * HOUR);
        assert_eq!(two.told(), [None, None]);
        assert!(two.bench.world.peerings.is_empty(), "it is forgotten");
    }
    let flat =
        crate::control::defaults::vpc(&two.bench.world, &two.bench.caller.owner).unwrap().id.to_string();
    for given in [[("VpcId", &*own), ("PeerVpcId", &*flat)], [("VpcId", &flat), ("PeerVpcId", &own)]] {
        assert_eq!(two.bench.refused("CreateVpcPeeringConnection", &given), OperationNotPermitted);
    }
}

#[test]
fn an_end_is_told_for_as_long_as_ec2_does() {
    let mut two = Two::new();
    let id = two.active();
    two.bench.call("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    assert_eq!(two.told(), both("deleted", "Deleted by 111122223333"));
    two.later(2 * HOUR);
    let [own, theirs] = two.told();
    assert_eq!((own, theirs.unwrap().0), (None, "deleted".to_owned()), "two hours, and two days");
    two.later(46 * HOUR);
    assert!(two.told() == [None, None] && two.bench.world.peerings.is_empty());
    let id = two.ask(&[]);
    two.as_other(|bench| bench.call("RejectVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]))
        .unwrap();
    assert_eq!(two.told(), both("rejected", "Rejected by 444455556666"));
    two.later(2 * HOUR);
    assert_eq!(two.told().map(|told| told.is_some()), [true, false]);
    two.later(46 * HOUR);
    // Nobody answers.
    let id = two.ask(&[]);
    two.bench.now = two.bench.now.plus_seconds(7 * 24 * HOUR);
    assert_eq!(two.told(), both("expired", "Expired"), "whether or not anybody has looked");
    let named = [("VpcPeeringConnectionId", &*id)];
    let late = two.as_other(|bench| bench.refused("AcceptVpcPeeringConnection", &named));
    assert_eq!(late, InvalidStateTransition);
    two.later(0);
    assert_eq!(two.told(), both("expired", "Expired"));
    two.later(48 * HOUR);
    assert!(two.bench.world.peerings.is_empty());
}

#[test]
fn each_end_has_tags_of_its_own() {
    let mut two = Two::new();
    let of_request = [
        ("TagSpecification.1.ResourceType", "vpc-peering-connection"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "ours"),
    ];
    let id = two.ask(&of_request);
    let given = [("ResourceId.1", &*id), ("Tag.1.Key", "Name"), ("Tag.1.Value", "theirs")];
    two.as_other(|bench| bench.call("CreateTags", &given)).unwrap();
    let look = |bench: &mut Bench| {
        let by_tag = [("Filter.1.Name", "tag-key"), ("Filter.1.Value.1", "Name")];
        let xml = bench.call("DescribeVpcPeeringConnections", &by_tag).unwrap();
        let tags = bench.call("DescribeTags", &[]).unwrap();
        let told = (texts(&tags, "resourceId"), texts(&tags, "resourceType"), texts(&tags, "value"));
        assert_eq!(told, (vec![id.clone()], vec!["vpc-peering-connection".into()], texts(&xml, "value")));
        texts(&xml, "value")
    };
    assert_eq!(look(&mut two.bench), ["ours"]);
    assert_eq!(two.as_other(look), ["theirs"]);
    let inner = id.replace("pcx-", "pcx-accepter-");
    assert_eq!(two.bench.refused("DeleteTags", &[("ResourceId.1", &inner)]), InvalidID);
    two.bench.call("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    two.later(48 * HOUR);
    assert!(two.bench.world.tags.is_empty());
}

#[test]
fn a_vpc_goes_as_its_connections_allow() {
    let mut two = Two::new();
    let id = two.active();
    let (own, theirs) = (two.own.clone(), two.theirs.clone());
    assert_eq!(two.bench.refused("DeleteVpc", &[("VpcId", &own)]), DependencyViolation);
    let named = [("VpcPeeringConnectionId", &*id)];
    two.bench.call("DeleteVpcPeeringConnection", &named).unwrap();
    two.ask(&[]);
    let asked = two.as_other(|bench| bench.refused("DeleteVpc", &[("VpcId", &theirs)]));
    assert_eq!(asked, DependencyViolation, "it has been asked");
    two.bench.call("DeleteVpc", &[("VpcId", &own)]).unwrap();
    let xml = two.as_other(|bench| bench.call("DescribeVpcPeeringConnections", &[])).unwrap();
    assert_eq!(texts(&xml, "code"), ["deleted", "deleted"]);
    two.as_other(|bench| bench.call("DeleteVpc", &[("VpcId", &theirs)])).unwrap();
    // The account that asked goes with what it is still told.
    let account = two.bench.caller.owner.account;
    two.bench.attempt(|decision| crate::control::operator::delete_account(decision, account)).unwrap();
    assert!(two.bench.world.peerings.is_empty());
}

#[test]
fn blocks_that_a_peer_has_are_refused() {
    let mut two = Two::new();
    let (own, theirs) = (two.own.clone(), two.theirs.clone());
    let id = two.ask(&[]);
    fn block<'a>(vpc: &'a str, cidr: &'a str) -> [(&'a str, &'a str); 2] {
        [("VpcId", vpc), ("CidrBlock", cidr)]
    }
    let more = two.bench.refused("AssociateVpcCidrBlock", &block(&own, "10.3.0.0/16"));
    assert_eq!(more, OperationNotPermitted, "who asks waits");
    two.as_other(|bench| {
        bench.call("AssociateVpcCidrBlock", &block(&theirs, "10.4.0.0/16")).unwrap();
        bench.call("AcceptVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    });
    let theirs_already = two.bench.refused("AssociateVpcCidrBlock", &block(&own, "10.4.0.0/20"));
    assert_eq!(theirs_already, InvalidVpcRange);
    two.bench.call("AssociateVpcCidrBlock", &block(&own, "10.3.0.0/16")).unwrap();
    // What is asked of a VPC that takes a block of who asks cannot be any more.
    let third = vpc(&mut two.bench, "10.5.0.0/16");
    let given = [("VpcId", &*third), ("PeerVpcId", &own)];
    let asked = two.bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &given);
    two.bench.call("AssociateVpcCidrBlock", &block(&own, "10.5.4.0/24")).unwrap();
    let named = [("VpcPeeringConnectionId.1", &*asked)];
    assert_eq!(two.bench.told("code", "DescribeVpcPeeringConnections", &named), "failed");
}

#[test]
fn a_route_over_a_connection_is_a_black_hole_until_it_is_active_and_after_it() {
    let mut two = Two::new();
    let id = two.ask(&[]);
    let own = two.own.clone();
    let table = main_table(&mut two.bench, &own);
    let route = [
        ("RouteTableId", &*table),
        ("DestinationCidrBlock", "10.2.0.0/16"),
        ("VpcPeeringConnectionId", &*id),
    ];
    two.bench.call("CreateRoute", &route).unwrap();
    let state = |bench: &mut Bench| {
        let given = [("Filter.1.Name", "route.vpc-peering-connection-id"), ("Filter.1.Value.1", &*id)];
        texts(&bench.call("DescribeRouteTables", &given).unwrap(), "state")
    };
    // Beside the local one and the association's.
    assert_eq!(state(&mut two.bench), ["active", "blackhole", "associated"]);
    let named = [("VpcPeeringConnectionId", &*id)];
    two.as_other(|bench| bench.call("AcceptVpcPeeringConnection", &named)).unwrap();
    assert_eq!(state(&mut two.bench), ["active", "active", "associated"]);
    two.bench.call("ReplaceRoute", &route).unwrap();
    two.as_other(|bench| bench.call("DeleteVpcPeeringConnection", &named)).unwrap();
    assert_eq!(state(&mut two.bench), ["active", "blackhole", "associated"]);
    assert_eq!(two.bench.refused("ReplaceRoute", &route), InvalidVpcPeeringConnectionIDNotFound);
    let third = vpc(&mut two.bench, "10.6.0.0/16");
    let apart = two.active();
    let table = main_table(&mut two.bench, &third);
    let route = [
        ("RouteTableId", &*table),
        ("DestinationCidrBlock", "10.2.0.0/16"),
        ("VpcPeeringConnectionId", &*apart),
    ];
    assert_eq!(two.bench.refused("CreateRoute", &route), InvalidParameterValue, "of another VPC");
    let inside = [
        ("RouteTableId", &*table),
        ("DestinationCidrBlock", "10.6.1.0/24"),
        ("VpcPeeringConnectionId", &*apart),
    ];
    assert_eq!(two.bench.refused("CreateRoute", &inside), InvalidParameterValue);
}

fn default_group(bench: &mut Bench, vpc: &str) -> String {
    bench.told("groupId", "DescribeSecurityGroups", &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)])
}

#[test]
fn a_peers_group_can_be_named_until_the_connection_or_the_group_goes() {
    let mut two = Two::new();
    let (own, theirs, account) = (two.own.clone(), two.theirs.clone(), two.others.account.to_string());
    let given = [("GroupName", "web"), ("GroupDescription", "d"), ("VpcId", &*theirs)];
    let web = two.as_other(|bench| bench.told("groupId", "CreateSecurityGroup", &given));
    let group = default_group(&mut two.bench, &own);
    let pair = [
        ("GroupId", &*group),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.Groups.1.GroupId", &web),
        ("IpPermissions.1.Groups.1.UserId", &account),
    ];
    assert_eq!(two.bench.refused("AuthorizeSecurityGroupIngress", &pair), InvalidGroupNotFound);
    let id = two.active();
    let over = [&pair[..], &[("IpPermissions.1.Groups.1.VpcPeeringConnectionId", "pcx-00000000")]].concat();
    let other = two.bench.refused("AuthorizeSecurityGroupIngress", &over);
    assert_eq!(other, InvalidVpcPeeringConnectionIDNotFound);
    let xml = two.bench.call("AuthorizeSecurityGroupIngress", &pair).unwrap();
    let told = |xml: &str| [texts(xml, "vpcPeeringConnectionId"), texts(xml, "peeringStatus")].concat();
    assert_eq!(told(&xml), [&*id, "active"]);
    let named = [("GroupId.1", &*web)];
    let xml = two.as_other(|bench| bench.call("DescribeSecurityGroupReferences", &named)).unwrap();
    assert_eq!(texts(&xml, "referencingVpcId"), [&*own]);
    let stale = |bench: &mut Bench| bench.call("DescribeStaleSecurityGroups", &[("VpcId", &*own)]).unwrap();
    assert!(texts(&stale(&mut two.bench), "groupId").is_empty());
    let ids = [group.parse().unwrap(), web.parse().unwrap()];
    assert!(two.bench.world.may_name(ids[0], ids[1]));
    // The connection goes.
    two.bench.call("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    assert!(!two.bench.world.may_name(ids[0], ids[1]));
    assert_eq!(told(&stale(&mut two.bench)), [&*id, "deleted"]);
    let xml = two.as_other(|bench| bench.call("DescribeSecurityGroupReferences", &named)).unwrap();
    assert!(texts(&xml, "referencingVpcId").is_empty());
    // Another one joins the two again; then the group goes.
    two.active();
    assert!(texts(&stale(&mut two.bench), "groupId").is_empty());
    two.as_other(|bench| bench.call("DeleteSecurityGroup", &[("GroupId", &web)])).unwrap();
    let xml = stale(&mut two.bench);
    assert_eq!(
        (texts(&xml, "groupId"), texts(&xml, "peeringStatus")),
        (vec![group.clone(), web.clone()], vec!["deleted".into()])
    );
    assert_eq!(two.bench.refused("AuthorizeSecurityGroupEgress", &pair), InvalidGroupNotFound);
    two.bench.call("RevokeSecurityGroupIngress", &pair).unwrap();
    assert!(texts(&stale(&mut two.bench), "groupId").is_empty());
}

#[test]
fn options_are_each_owners_and_want_names_on_both_sides() {
    let mut two = Two::new();
    let id = two.ask(&[]);
    let say = |side: &'static str, value: &'static str| {
        let name = match side {
            "Requester" => "RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc",
            _ => "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc",
        };
        [("VpcPeeringConnectionId".to_owned(), id.clone()), (name.to_owned(), value.to_owned())]
    };
    let call = |bench: &mut Bench, given: &[(String, String); 2]| {
        let given: Vec<_> = given.iter().map(|(name, value)| (&**name, &**value)).collect();
        bench.call("ModifyVpcPeeringConnectionOptions", &given).map_err(|fault| fault.code)
    };
    let named = [("VpcPeeringConnectionId", &*id)];
    assert_eq!(two.bench.refused("ModifyVpcPeeringConnectionOptions", &named), MissingParameter);
    assert_eq!(call(&mut two.bench, &say("Requester", "true")), Err(OperationNotPermitted), "not active");
    two.as_other(|bench| bench.call("AcceptVpcPeeringConnection", &named)).unwrap();
    assert_eq!(call(&mut two.bench, &say("Accepter", "true")), Err(OperationNotPermitted), "not his");
    let nameless = InvalidVpcPeeringConnectionStateDnsHostnamesDisabled;
    assert_eq!(call(&mut two.bench, &say("Requester", "true")), Err(nameless));
    call(&mut two.bench, &say("Requester", "false")).unwrap();
    let (own, theirs) = (two.own.clone(), two.theirs.clone());
    fn names(vpc: &str) -> [(&str, &str); 2] {
        [("VpcId", vpc), ("EnableDnsHostnames.Value", "true")]
    }
    two.bench.call("ModifyVpcAttribute", &names(&own)).unwrap();
    two.as_other(|bench| bench.call("ModifyVpcAttribute", &names(&theirs))).unwrap();
    let xml = call(&mut two.bench, &say("Requester", "true")).unwrap();
    assert_eq!(texts(&xml, "allowDnsResolutionFromRemoteVpc"), ["true"]);
    let xml = two.as_other(|bench| bench.call("DescribeVpcPeeringConnections", &[])).unwrap();
    assert_eq!(texts(&xml, "allowDnsResolutionFromRemoteVpc"), ["false", "true"]);
}

#[test]
fn a_host_has_a_router_of_the_peer_where_a_route_leads_there_and_is_woken() {
    let mut two = Two::new();
    two.bench.host("node2", "us-east-1b");
    let id = two.active();
    let own = two.own.clone();
    let subnet = subnet(&mut two.bench, &own, "10.1.1.0/24");
    instance(&mut two.bench, &subnet);
    report(&mut two.bench, Phase::Running);
    let theirs: VpcId = two.theirs.parse().unwrap();
    let here = |bench: &Bench, host| host_state(&bench.world, host).vpcs.contains_key(&theirs);
    assert!(!here(&two.bench, "node1"), "no route leads there");
    let table = main_table(&mut two.bench, &own);
    let route = [
        ("RouteTableId", &*table),
        ("DestinationCidrBlock", "10.2.0.0/16"),
        ("VpcPeeringConnectionId", &*id),
    ];
    two.bench.call("CreateRoute", &route).unwrap();
    assert!(here(&two.bench, "node1") && !here(&two.bench, "node2"));
    // What the peer gets is told where its router is.
    let (before, changes) = (two.bench.world.clone(), two.bench.changes.len());
    let given = [("VpcId", &*two.theirs), ("CidrBlock", "10.4.0.0/16")];
    let (own, others) = (two.bench.caller.owner.clone(), two.others.clone());
    two.bench.caller.owner = others;
    two.bench.call("AssociateVpcCidrBlock", &given).unwrap();
    two.bench.caller.owner = own;
    let woken = concern(&before, &two.bench.world, &two.bench.changes[changes..]);
    assert_eq!(woken, Concern::Hosts(["node1".into()].into()));
    let state = host_state(&two.bench.world, "node1");
    assert_eq!(state.vpcs[&two.own.parse().unwrap()].peerings[&id.parse().unwrap()].cidrs.len(), 2);
    // And when the connection goes.
    let (before, changes) = (two.bench.world.clone(), two.bench.changes.len());
    two.as_other(|bench| bench.call("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]))
        .unwrap();
    assert!(concern(&before, &two.bench.world, &two.bench.changes[changes..]).contains("node1"));
    assert!(!here(&two.bench, "node1"));
    let leads = two.bench.world.routes.values().any(|row| row.to == NextHop::Peering(id.parse().unwrap()));
    assert!(leads, "the route stays");
}

#[test]
fn a_vpc_has_so_many_peers_and_requests_and_no_more() {
    let mut two = Two::new();
    let id = two.ask(&[]);
    let row = (**two.bench.world.peerings.values().next().unwrap()).clone();
    let fill = |bench: &mut Bench, state, count: u64| {
        for n in 0..count {
            let id = VpcPeeringConnectionId::from_random(1 << 32 | n);
            let accepter = crate::world::PeeringEnd { vpc: VpcId::from_random(n), ..row.accepter.clone() };
            bench.put(Peering { id, accepter, state, ..row.clone() });
        }
    };
    let third = vpc(&mut two.bench, "10.7.0.0/16");
    let own = two.own.clone();
    let given = [("VpcId", &*own), ("PeerVpcId", &*third)];
    fill(&mut two.bench, PeeringState::Pending, 24);
    let many = two.bench.refused("CreateVpcPeeringConnection", &given);
    assert_eq!(many, OutstandingVpcPeeringConnectionLimitExceeded);
    fill(&mut two.bench, PeeringState::Active, 50);
    two.bench.call("CreateVpcPeeringConnection", &given).unwrap();
    let named = [("VpcPeeringConnectionId", &*id)];
    let full = two.as_other(|bench| bench.refused("AcceptVpcPeeringConnection", &named));
    assert_eq!(full, ActiveVpcPeeringConnectionPerVpcLimitExceeded);
    fill(&mut two.bench, PeeringState::Deleted, 1);
    two.as_other(|bench| bench.call("AcceptVpcPeeringConnection", &named)).unwrap();
}
