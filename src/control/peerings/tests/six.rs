//! IPv6 between two VPCs that are peers.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::others::router;
use super::*;
use crate::agent::kernel::model::{Family, Field, Match, Right, Value};
use crate::agent::kernel::render::render;
use crate::agent::names::ROUTER_OUT;
use crate::agent::routers::split;
use crate::plan::{HostState, RouteTo};
use crate::verdict::{Blocked, Facts, Origin, Outcome, Packet, Transport, verdict};
use crate::world::{Eni, VpcBlock6};

const WANTED: (&str, &str) = ("AmazonProvidedIpv6CidrBlock", "true");

/// Both have a block, and an instance with an address of it on one host.
struct Six {
    two: Two,
    id: String,
    own: Arc<Eni>,
    theirs: Arc<Eni>,
}

fn block(bench: &Bench, vpc: &str) -> Cidr6 {
    bench.world.vpcs[&vpc.parse::<VpcId>().unwrap()].blocks6[0].cidr
}

fn interface(bench: &mut Bench, vpc: &str, cidr: &str) -> Arc<Eni> {
    bench.call("AssociateVpcCidrBlock", &[("VpcId", vpc), WANTED]).unwrap();
    let six = Cidr6::new(block(bench, vpc).network(), 64).unwrap().to_string();
    let given = [("VpcId", vpc), ("CidrBlock", cidr), ("Ipv6CidrBlock", &six)];
    let subnet = bench.told("subnetId", "CreateSubnet", &given);
    let image = bench.world.images.keys().next().unwrap().to_string();
    let given = [("ImageId", &*image), ("SubnetId", &subnet), ("MinCount", "1"), ("MaxCount", "1")];
    let given = [&given[..], &[("Ipv6AddressCount", "1")]].concat();
    let id = bench.told("instanceId", "RunInstances", &given).parse().unwrap();
    report(bench, Phase::Running);
    bench.world.interfaces_of(id)[0].clone()
}

impl Six {
    fn new() -> Self {
        let mut two = Two::new();
        let prefix = "2001:db8:f0::/52".parse().unwrap();
        two.bench.attempt(|decision| crate::control::ipv6::add(decision, prefix)).unwrap();
        let (vpc, theirs) = (two.own.clone(), two.theirs.clone());
        let own = interface(&mut two.bench, &vpc, "10.1.1.0/24");
        let theirs = two.as_other(|bench| interface(bench, &theirs, "10.2.1.0/24"));
        let id = two.active();
        Self { two, id, own, theirs }
    }

    /// From each VPC to the other's block, as its owner.
    fn route(&mut self) {
        let (id, vpcs) = (self.id.clone(), [self.two.own.clone(), self.two.theirs.clone()]);
        let to = |bench: &mut Bench, from: &str, beyond: &str| {
            let (table, block) = (main_table(bench, from), block(bench, beyond).to_string());
            let given = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", &block)];
            let given = [&given[..], &[("VpcPeeringConnectionId", &id)]].concat();
            bench.call("CreateRoute", &given).unwrap();
        };
        to(&mut self.two.bench, &vpcs[0], &vpcs[1]);
        self.two.as_other(|bench| to(bench, &vpcs[1], &vpcs[0]));
    }

    fn plan(&self) -> HostState {
        host_state(&self.two.bench.world, "node1")
    }

    /// What comes of the other's packet to us.
    fn asked(&self, origin: Origin, source: Ipv6Addr) -> Outcome {
        let packet = Packet::new(source, self.own.ipv6[0], Transport::Udp { from: 4000, to: 53 });
        verdict(&self.two.bench.world, &Facts::default(), &origin, packet, None).outcome
    }
}

#[test]
fn both_are_told_of_the_blocks_of_ipv6_and_routes_to_them_go_with_the_connection() {
    let mut six = Six::new();
    six.route();
    let (own, theirs) = (six.two.own.clone(), six.two.theirs.clone());
    let blocks = [theirs.clone(), own.clone()].map(|vpc| block(&six.two.bench, &vpc));
    let look = |bench: &mut Bench| {
        texts(&bench.call("DescribeVpcPeeringConnections", &[]).unwrap(), "ipv6CidrBlock")
    };
    // The accepter's is told first.
    assert_eq!(look(&mut six.two.bench), blocks.map(|block| block.to_string()));
    assert_eq!(six.two.as_other(look), blocks.map(|block| block.to_string()));
    let routes = |six: &mut Six, state: &str| {
        let by = [
            ("Filter.1.Name", "route.destination-ipv6-cidr-block"),
            ("Filter.1.Value.1", &*blocks[0].to_string()),
            ("Filter.2.Name", "route.vpc-peering-connection-id"),
            ("Filter.2.Value.1", &six.id),
            ("Filter.3.Name", "route.state"),
            ("Filter.3.Value.1", state),
        ];
        texts(&six.two.bench.call("DescribeRouteTables", &by).unwrap(), "vpcPeeringConnectionId")
    };
    assert_eq!(routes(&mut six, "active"), [six.id.clone()]);
    let lead = |six: &Six| {
        let section = &six.plan().vpcs[&six.own.vpc];
        section.tables6.values().flatten().map(|route| route.to).collect::<Vec<_>>()
    };
    assert_eq!(lead(&six), [RouteTo::Peering(six.id.parse().unwrap())]);
    let before = (six.two.bench.world.clone(), six.two.bench.changes.len());
    six.two.bench.call("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &six.id)]).unwrap();
    let changes = &six.two.bench.changes[before.1..];
    assert!(concern(&before.0, &six.two.bench.world, changes).contains("node1"));
    assert_eq!(routes(&mut six, "blackhole"), [six.id.clone()]);
    assert_eq!(lead(&six), [RouteTo::Nowhere]);
    assert!(look(&mut six.two.bench).is_empty());
}

#[test]
fn who_is_told_of_a_peers_new_block_is_every_host_of_the_other() {
    let mut six = Six::new();
    six.route();
    let theirs = six.two.theirs.clone();
    let before = (six.two.bench.world.clone(), six.two.bench.changes.len());
    six.two.as_other(|bench| bench.call("AssociateVpcCidrBlock", &[("VpcId", &theirs), WANTED])).unwrap();
    assert!(
        concern(&before.0, &six.two.bench.world, &six.two.bench.changes[before.1..]).contains("node1"),
        "it lets in what comes of it"
    );
    let plan = six.plan();
    let [peering] = plan.vpcs[&six.own.vpc].peerings.values().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(peering.cidrs6.len(), 2);
}

#[test]
fn a_peers_group_means_its_addresses_of_ipv6_and_nobody_outside_who_has_taken_one() {
    let mut six = Six::new();
    six.route();
    let (source, theirs) = (six.theirs.ipv6[0], Origin::Interface(six.theirs.id));
    assert_eq!(six.asked(theirs.clone(), source), Outcome::Blocked(Blocked::Ingress));
    six.two.name_group(&six.own, &six.theirs);
    assert!(matches!(six.asked(theirs, source), Outcome::Reaches(..)));
    // One that no host has: those of the host's own instances nobody outside can take.
    let (subnet, group) = (six.theirs.subnet.to_string(), six.theirs.groups[0].to_string());
    let given = [("SubnetId", &*subnet), ("SecurityGroupId.1", &group), ("Ipv6AddressCount", "1")];
    let source = six.two.as_other(|bench| bench.told("ipv6Address", "CreateNetworkInterface", &given));
    let source: Ipv6Addr = source.parse().unwrap();
    assert_eq!(six.asked(Origin::Outside, source), Outcome::Blocked(Blocked::ClosedToOutside));
    // Also where the way back to such an address is the internet gateway.
    let (own, bench) = (six.two.own.clone(), &mut six.two.bench);
    let gateway = crate::control::vpcs::tests::gateway(bench, &own);
    let (table, only) = (main_table(bench, &own), format!("{source}/128"));
    let given = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", &only), ("GatewayId", &gateway)];
    bench.call("CreateRoute", &given).unwrap();
    assert_eq!(six.asked(Origin::Outside, source), Outcome::Blocked(Blocked::Ingress));
    // And so say the rules.
    let rules = render(&split::routers(&six.plan())[&six.own.vpc].kernel, &router(six.own.vpc));
    let table = &rules.tables[&Family::Ip6];
    let members = format!("{}.members", six.theirs.groups[0]);
    assert_eq!(table.sets[&members].elements.len(), 2);
    let named = Match::within(&[Field::Source6], members);
    let inside = Right::Is(Value::Interface(ROUTER_OUT.into()));
    let inside = Match::Fields(vec![Field::InInterface], false, inside);
    let chain = &table.chains[&format!("{}.in", six.own.groups[0])];
    let mut naming = chain.rules.iter().filter(|rule| rule.matches.contains(&named));
    assert!(naming.next().is_some_and(|rule| rule.matches.contains(&inside)) && naming.next().is_none());
}

#[test]
fn a_group_is_nobody_while_a_third_peer_has_an_address_of_its_members() {
    let mut six = Six::new();
    six.route();
    six.two.name_group(&six.own, &six.theirs);
    let third = vpc(&mut six.two.bench, "10.7.0.0/16");
    let given = [("VpcId", &*third), ("PeerVpcId", &*six.two.own)];
    let id = six.two.bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &given);
    six.two.bench.call("AcceptVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    let named = |six: &Six| !six.plan().groups[&six.own.groups[0]].ingress.groups.is_empty();
    assert_eq!(six.plan().groups[&six.own.groups[0]].ingress.groups.len(), 2, "its own and the peer's");
    let origin = Origin::Interface(six.theirs.id);
    assert!(named(&six) && matches!(six.asked(origin.clone(), six.theirs.ipv6[0]), Outcome::Reaches(..)));
    // No prefix gives a block twice.
    let taken = block(&six.two.bench, &six.two.theirs);
    let row = (*six.two.bench.world.vpcs[&third.parse::<VpcId>().unwrap()]).clone();
    let id = VpcCidrAssociationId::from_random(7);
    six.two.bench.put(Vpc { blocks6: [VpcBlock6 { id, cidr: taken }].into(), ..row });
    assert_eq!(six.plan().groups[&six.own.groups[0]].ingress.groups.len(), 1);
    assert_eq!(six.asked(origin, six.theirs.ipv6[0]), Outcome::Blocked(Blocked::Ingress));
}

#[test]
fn those_with_a_block_of_ipv6_in_common_are_no_peers() {
    let mut six = Six::new();
    let taken = block(&six.two.bench, &six.two.own);
    let third = vpc(&mut six.two.bench, "10.7.0.0/16");
    let row = (*six.two.bench.world.vpcs[&third.parse::<VpcId>().unwrap()]).clone();
    let id = VpcCidrAssociationId::from_random(7);
    let cidr = Cidr6::new(taken.network(), 60).unwrap();
    six.two.bench.put(Vpc { blocks6: [VpcBlock6 { id, cidr }].into(), ..row });
    let given = [("VpcId", &*six.two.own), ("PeerVpcId", &*third)];
    let id = six.two.bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &given);
    let xml = six.two.bench.call("DescribeVpcPeeringConnections", &[("VpcPeeringConnectionId.1", &id)]);
    assert_eq!(texts(&xml.unwrap(), "code"), ["failed"]);
}
