//! What others than the two make of a peering connection, and what is left of one's end.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;
use crate::agent::kernel::model::{Family, Field, Match, Right, Value};
use crate::agent::kernel::render::{Host, Side, render};
use crate::agent::names::{ROUTER_OUT, ROUTER_VXLAN};
use crate::agent::routers::split;
use crate::plan::HostState;
use crate::verdict::{Blocked, Facts, Origin, Outcome, Packet, Transport, verdict};
use crate::world::Eni;

/// Both have an instance on one host, and a route from the caller's leads to the other's.
struct Joined {
    two: Two,
    /// The instance's of the other account.
    theirs: Arc<Eni>,
    own: Arc<Eni>,
}

fn interface(bench: &mut Bench, vpc: &str, cidr: &str) -> Arc<Eni> {
    let subnet = subnet(bench, vpc, cidr);
    let id = instance(bench, &subnet).parse().unwrap();
    report(bench, Phase::Running);
    bench.world.interfaces_of(id)[0].clone()
}

fn route(bench: &mut Bench, vpc: &str, block: &str, to: (&str, &str)) {
    let table = main_table(bench, vpc);
    bench.call("CreateRoute", &[("RouteTableId", &table), ("DestinationCidrBlock", block), to]).unwrap();
}

impl Two {
    /// Lets in to one's own interface whoever is in the group of the other's.
    pub fn name_group(&mut self, own: &Eni, theirs: &Eni) {
        let (group, named) = (own.groups[0].to_string(), theirs.groups[0].to_string());
        let account = self.others.account.to_string();
        let pair = [
            ("GroupId", &*group),
            ("IpPermissions.1.IpProtocol", "-1"),
            ("IpPermissions.1.Groups.1.GroupId", &named),
            ("IpPermissions.1.Groups.1.UserId", &account),
        ];
        self.bench.call("AuthorizeSecurityGroupIngress", &pair).unwrap();
    }
}

impl Joined {
    fn new() -> Self {
        let mut two = Two::new();
        let id = two.active();
        let (vpc, theirs) = (two.own.clone(), two.theirs.clone());
        let own = interface(&mut two.bench, &vpc, "10.1.1.0/24");
        let theirs = two.as_other(|bench| interface(bench, &theirs, "10.2.1.0/24"));
        route(&mut two.bench, &vpc, "10.2.0.0/16", ("VpcPeeringConnectionId", &id));
        Self { two, theirs, own }
    }

    fn state(&self) -> HostState {
        host_state(&self.two.bench.world, "node1")
    }
}

/// A VPC's router, for which rules are.
pub fn router(vpc: VpcId) -> Host {
    Host {
        public: ROUTER_OUT.into(),
        flat: ROUTER_VXLAN.into(),
        snat: None,
        own: Vec::new(),
        router: false,
        side: Side::Router(vpc),
        vxlan_port: 4789,
        closed6: Default::default(),
    }
}

#[test]
fn whom_a_peer_has_for_peers_is_not_told_to_a_host_without_it_and_wakes_it_not() {
    // The caller alone has an instance on the host: of the peer there is but its router.
    let mut two = Two::new();
    let (id, own) = (two.active(), two.own.clone());
    interface(&mut two.bench, &own, "10.1.1.0/24");
    route(&mut two.bench, &own, "10.2.0.0/16", ("VpcPeeringConnectionId", &id));
    let peer = two.theirs.clone();
    let third = two.as_other(|bench| {
        let third = vpc(bench, "10.7.0.0/16");
        let given = [("VpcId", &*peer), ("PeerVpcId", &third)];
        let id = bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &given);
        bench.call("AcceptVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
        route(bench, &peer, "10.7.0.0/16", ("VpcPeeringConnectionId", &id));
        third
    });
    let state = |two: &Two| HostState { generation: 0, ..host_state(&two.bench.world, "node1") };
    let (before, changes, then) = (two.bench.world.clone(), two.bench.changes.len(), state(&two));
    assert_eq!(
        then.vpcs[&peer.parse().unwrap()].peerings.len(),
        1,
        "but the one that it has with a VPC of the host"
    );
    two.as_other(|bench| {
        bench.call("AssociateVpcCidrBlock", &[("VpcId", &third), ("CidrBlock", "10.9.0.0/16")]).unwrap();
    });
    assert!(!concern(&before, &two.bench.world, &two.bench.changes[changes..]).contains("node1"));
    assert_eq!(state(&two), then);
}

#[test]
fn nobody_outside_is_a_member_of_a_peers_group() {
    let mut joined = Joined::new();
    joined.two.name_group(&joined.own, &joined.theirs);
    let (own, member) = (joined.own.clone(), joined.theirs.private_ip);
    let bench = &mut joined.two.bench;
    let gateway = crate::control::vpcs::tests::gateway(bench, &joined.two.own);
    route(bench, &joined.two.own, "0.0.0.0/0", ("GatewayId", &gateway));
    let id = bench.told("allocationId", "AllocateAddress", &[("Domain", "vpc")]);
    let eni = own.id.to_string();
    bench.call("AssociateAddress", &[("AllocationId", &id), ("NetworkInterfaceId", &eni)]).unwrap();
    report(bench, Phase::Running);
    let elastic = bench.world.addresses.values().next().unwrap().public_ip;
    let world = &bench.world;
    let ask = |origin: &Origin, destination: Ipv4Addr| {
        let packet = Packet::new(member, destination, Transport::Udp { from: 4000, to: 53 });
        verdict(world, &Facts::default(), origin, packet, None).outcome
    };
    assert_eq!(ask(&Origin::Outside, elastic), Outcome::Blocked(Blocked::ForgedSource));
    let over = ask(&Origin::Interface(joined.theirs.id), own.private_ip);
    assert_eq!(over, Outcome::Blocked(Blocked::NoRoute), "which the other has not made");
    // And so say the rules.
    let rules = render(&split::routers(&joined.state())[&own.vpc].kernel, &router(own.vpc));
    let chain = &rules.tables[&Family::Inet].chains[&format!("{}.in", own.groups[0])];
    let named = Match::within(&[Field::Source], format!("{}.members", joined.theirs.groups[0]));
    let inside = Right::Is(Value::Interface(ROUTER_OUT.into()));
    let inside = Match::Fields(vec![Field::InInterface], false, inside);
    let mut naming = chain.rules.iter().filter(|rule| rule.matches.contains(&named));
    assert!(naming.next().is_some_and(|rule| rule.matches.contains(&inside)) && naming.next().is_none());
}

#[test]
fn a_third_peer_that_takes_a_members_address_does_not_pass_for_the_member() {
    let mut joined = Joined::new();
    joined.two.name_group(&joined.own, &joined.theirs);
    let (own, theirs) = (joined.own.clone(), joined.theirs.clone());
    let bench = &mut joined.two.bench;
    let third = vpc(bench, "10.7.0.0/16");
    let given = [("VpcId", &*third), ("PeerVpcId", &*joined.two.own)];
    let id = bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &given);
    bench.call("AcceptVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    route(bench, &third, "10.1.0.0/16", ("VpcPeeringConnectionId", &id));
    let named = |bench: &Bench| {
        let state = host_state(&bench.world, "node1");
        state.groups[&own.groups[0]].ingress.groups.iter().any(|(group, _)| *group == theirs.groups[0])
    };
    assert!(named(bench));
    // Nobody asks the caller whether his peer may have more blocks.
    let more = [("VpcId", &*third), ("CidrBlock", "10.2.0.0/16")];
    let (before, changes) = (bench.world.clone(), bench.changes.len());
    bench.call("AssociateVpcCidrBlock", &more).unwrap();
    assert!(concern(&before, &bench.world, &bench.changes[changes..]).contains("node1"));
    assert!(!named(bench));
    let liar = interface(bench, &third, "10.2.1.0/24");
    assert_eq!(liar.private_ip, theirs.private_ip);
    let (source, destination) = (liar.private_ip, own.private_ip);
    let packet = Packet::new(source, destination, Transport::Udp { from: 4000, to: 53 });
    let trace = verdict(&bench.world, &Facts::default(), &Origin::Interface(liar.id), packet, None);
    assert_eq!(trace.outcome, Outcome::Blocked(Blocked::Ingress));
}

#[test]
fn an_account_goes_with_what_others_have_written_on_its_connections() {
    let mut two = Two::new();
    let id = two.active();
    let given = [("ResourceId.1", &*id), ("Tag.1.Key", "Name"), ("Tag.1.Value", "theirs")];
    two.as_other(|bench| bench.call("CreateTags", &given)).unwrap();
    two.bench.call("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    let own = two.own.clone();
    two.bench.call("DeleteVpc", &[("VpcId", &own)]).unwrap();
    let account = two.bench.caller.owner.account;
    two.bench.attempt(|decision| crate::control::operator::delete_account(decision, account)).unwrap();
    assert!(two.bench.world.peerings.is_empty() && two.bench.world.tags.is_empty());
}
