//! Packets of isolated VPCs, one at a time.

mod ipv6;

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::control::testing::Bench;
use crate::types::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9));

/// A VPC with one instance or several, of which all may do everything.
struct Vpc {
    subnet: SubnetId,
    id: VpcId,
}

fn vpc(bench: &mut Bench) -> Vpc {
    let (id, subnet) = bench.isolated();
    let group = bench.world.groups.values().find(|group| group.vpc == id).unwrap().id.to_string();
    let rule = |name: &'static str, value: &'static str| (name, value);
    let all = [
        ("GroupId", &*group),
        rule("IpPermissions.1.IpProtocol", "-1"),
        rule("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ];
    bench.call("AuthorizeSecurityGroupIngress", &all).unwrap();
    bench.call("AuthorizeSecurityGroupEgress", &all).unwrap();
    Vpc { subnet, id }
}

impl Vpc {
    fn run(&self, bench: &mut Bench) -> EniId {
        let (image, subnet) = (ImageId::from_random(1).to_string(), self.subnet.to_string());
        let count = [("MinCount", "1"), ("MaxCount", "1")];
        let given = [&count[..], &[("ImageId", &*image), ("SubnetId", &*subnet)]].concat();
        bench.told("networkInterfaceId", "RunInstances", &given).parse().unwrap()
    }

    /// A gateway, and a route to it.
    fn open(&self, bench: &mut Bench) {
        let gateway = self.attach(bench);
        self.route(bench, "0.0.0.0/0", ("GatewayId", &gateway)).unwrap();
    }

    fn attach(&self, bench: &mut Bench) -> String {
        let gateway = bench.told("internetGatewayId", "CreateInternetGateway", &[]);
        let vpc = self.id.to_string();
        bench.call("AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).unwrap();
        gateway
    }

    fn route(
        &self,
        bench: &mut Bench,
        destination: &str,
        to: (&str, &str),
    ) -> Result<String, crate::query::Fault> {
        let table = bench.world.route_tables_of(self.id).next().unwrap().id.to_string();
        bench.call("CreateRoute", &[("RouteTableId", &table), ("DestinationCidrBlock", destination), to])
    }

    fn entry(&self, bench: &mut Bench, number: &str, egress: &str, action: &str, cidr: &str) {
        let acl = bench.world.acl_of(self.subnet).unwrap().id.to_string();
        let given = [
            ("NetworkAclId", &*acl),
            ("RuleNumber", number),
            ("Egress", egress),
            ("RuleAction", action),
            ("Protocol", "-1"),
            ("CidrBlock", cidr),
        ];
        bench.call("CreateNetworkAclEntry", &given).unwrap();
    }
}

fn elastic(bench: &mut Bench, eni: EniId) -> IpAddr {
    let id = bench.told("allocationId", "AllocateAddress", &[("Domain", "vpc")]);
    let eni = eni.to_string();
    bench.call("AssociateAddress", &[("AllocationId", &id), ("NetworkInterfaceId", &eni)]).unwrap();
    let row = bench.world.addresses.values().find(|row| row.id.to_string() == id).unwrap();
    row.public_ip.into()
}

fn ip(bench: &Bench, eni: EniId) -> IpAddr {
    bench.world.enis[&eni].private_ip.into()
}

fn ask(bench: &Bench, origin: &Origin, source: impl Into<IpAddr>, destination: impl Into<IpAddr>) -> Trace {
    let packet = Packet::new(source, destination, Transport::Tcp { from: 40_000, to: 80 });
    verdict(&bench.world, &Facts::default(), origin, packet, None)
}

fn from(bench: &Bench, eni: EniId, to: impl Into<IpAddr>) -> Trace {
    ask(bench, &Origin::Interface(eni), ip(bench, eni), to)
}

fn end(trace: &Trace) -> Result<(Place, IpAddr), Blocked> {
    match &trace.outcome {
        Outcome::Reaches(place, packet) => Ok((place.clone(), packet.source)),
        Outcome::Blocked(why) => Err(*why),
    }
}

#[test]
fn the_same_address_in_two_vpcs_is_two_interfaces() {
    let mut bench = Bench::small();
    let (one, other) = (vpc(&mut bench), vpc(&mut bench));
    let [a, b] = [one.run(&mut bench), one.run(&mut bench)];
    let [c, d] = [other.run(&mut bench), other.run(&mut bench)];
    assert_eq!((ip(&bench, a), ip(&bench, b)), (ip(&bench, c), ip(&bench, d)));
    assert_eq!(end(&from(&bench, a, ip(&bench, b))), Ok((Place::Interface(b), ip(&bench, a))));
    assert_eq!(end(&from(&bench, c, ip(&bench, d))), Ok((Place::Interface(d), ip(&bench, c))));
    let trace = from(&bench, a, ip(&bench, b));
    assert_eq!(trace.hops.iter().map(|hop| hop.vpc).collect::<Vec<_>>(), [Some(one.id)]);
    assert_eq!(trace.hops[0].acl_egress, None, "within a subnet nothing is asked");
    assert!(matches!(trace.hops[0].route.unwrap().leads, Leads::Local));
}

#[test]
fn outside_needs_a_route_a_gateway_and_an_elastic_address() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench);
    let a = vpc.run(&mut bench);
    assert_eq!(end(&from(&bench, a, CLIENT)), Err(Blocked::NoRoute));
    vpc.open(&mut bench);
    assert_eq!(end(&from(&bench, a, CLIENT)), Err(Blocked::NoPublicAddress));
    let public = elastic(&mut bench, a);
    assert_eq!(end(&from(&bench, a, CLIENT)), Ok((Place::Outside, public)));
    assert_eq!(end(&ask(&bench, &Origin::Outside, CLIENT, public)), Ok((Place::Interface(a), CLIENT)));
    let mut gateways = bench.world.internet_gateways.values();
    let gateway = gateways.find(|gateway| gateway.vpc == Some(vpc.id)).unwrap().clone();
    bench.put(crate::world::InternetGateway { vpc: None, ..(*gateway).clone() });
    assert_eq!(end(&from(&bench, a, CLIENT)), Err(Blocked::BlackHole));
    let flat = Ipv4Addr::new(10, 0, 0, 100);
    bench.put((*gateway).clone());
    assert_eq!(end(&from(&bench, a, flat)), Err(Blocked::NotForwarded), "not to the flat networks");
    let b = vpc.run(&mut bench);
    let own = ip(&bench, b);
    assert_eq!(end(&ask(&bench, &Origin::Outside, own, public)), Err(Blocked::ForgedSource));
    // Nor of the VPC's blocks where there is no subnet.
    let far = bench.world.vpcs[&vpc.id].cidr.last();
    assert_eq!(end(&ask(&bench, &Origin::Outside, far, public)), Err(Blocked::ForgedSource));
}

#[test]
fn nobody_outside_has_an_address_of_a_peers() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench);
    let a = vpc.run(&mut bench);
    vpc.open(&mut bench);
    let (public, far) = (elastic(&mut bench, a), Ipv4Addr::new(10, 9, 1, 1));
    let ends = |bench: &Bench| end(&ask(bench, &Origin::Outside, far, public));
    assert_eq!(ends(&bench), Ok((Place::Interface(a), far.into())));
    let peer = bench.told("vpcId", "CreateVpc", &[("CidrBlock", "10.9.0.0/16")]);
    let two = [("VpcId", &*vpc.id.to_string()), ("PeerVpcId", &peer)];
    let id = bench.told("vpcPeeringConnectionId", "CreateVpcPeeringConnection", &two);
    assert!(ends(&bench).is_ok(), "nobody has answered yet");
    bench.call("AcceptVpcPeeringConnection", &[("VpcPeeringConnectionId", &id)]).unwrap();
    assert_eq!(ends(&bench), Err(Blocked::ForgedSource));
}

#[test]
fn between_vpcs_and_within_one_an_elastic_address_is_seen_as_one() {
    let mut bench = Bench::small();
    let (one, other) = (vpc(&mut bench), vpc(&mut bench));
    let [a, b] = [one.run(&mut bench), one.run(&mut bench)];
    let c = other.run(&mut bench);
    one.open(&mut bench);
    other.attach(&mut bench);
    let [public_a, public_b, public_c] = [a, b, c].map(|eni| elastic(&mut bench, eni));
    assert_eq!(end(&from(&bench, a, public_c)), Ok((Place::Interface(c), public_a)));
    assert_eq!(end(&from(&bench, a, public_b)), Ok((Place::Interface(b), public_a)));
    assert_eq!(end(&from(&bench, c, public_a)), Err(Blocked::NoRoute));
    let parts: Vec<_> = from(&bench, a, public_c).hops.iter().map(|hop| hop.vpc).collect();
    assert_eq!(parts, [Some(one.id), None, Some(other.id)]);
}

#[test]
fn the_entry_with_the_lowest_number_decides_and_the_sender_is_told_which() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench);
    let a = vpc.run(&mut bench);
    vpc.open(&mut bench);
    let public = elastic(&mut bench, a);
    vpc.entry(&mut bench, "90", "true", "deny", "198.51.100.0/25");
    vpc.entry(&mut bench, "80", "true", "allow", "198.51.100.8/31");
    vpc.entry(&mut bench, "70", "false", "deny", "198.51.100.9/32");
    let trace = from(&bench, a, CLIENT);
    assert_eq!(end(&trace), Ok((Place::Outside, public)));
    assert_eq!(trace.hops[0].acl_egress.as_ref().unwrap().entry, Some(80));
    let trace = from(&bench, a, Ipv4Addr::new(198, 51, 100, 10));
    assert_eq!(end(&trace), Err(Blocked::NetworkAclEgress));
    assert_eq!(trace.hops[0].acl_egress.as_ref().unwrap().entry, Some(90));
    assert_eq!(end(&from(&bench, a, Ipv4Addr::new(198, 51, 100, 200))), Ok((Place::Outside, public)));
    let trace = ask(&bench, &Origin::Outside, CLIENT, public);
    assert_eq!(end(&trace), Err(Blocked::NetworkAclIngress));
    assert_eq!(trace.hops.last().unwrap().acl_ingress.as_ref().unwrap().entry, Some(70));
    let metadata = Ipv4Addr::new(169, 254, 169, 254);
    vpc.entry(&mut bench, "1", "true", "deny", "0.0.0.0/0");
    assert_eq!(end(&from(&bench, a, metadata)).unwrap().0, Place::Service(Service::Metadata));
}

#[test]
fn a_route_to_an_interface_asks_whether_that_takes_what_is_not_for_it() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench);
    let [a, b] = [vpc.run(&mut bench), vpc.run(&mut bench)];
    let id = b.to_string();
    vpc.route(&mut bench, "0.0.0.0/0", ("NetworkInterfaceId", &id)).unwrap();
    assert_eq!(end(&from(&bench, a, CLIENT)), Err(Blocked::DestinationCheck));
    assert_eq!(end(&ask(&bench, &Origin::Interface(b), CLIENT, ip(&bench, a))), Err(Blocked::ForgedSource));
    let row = bench.world.enis[&b].clone();
    bench.put(crate::world::Eni { source_dest_check: false, ..(*row).clone() });
    assert_eq!(end(&from(&bench, a, CLIENT)), Ok((Place::Interface(b), ip(&bench, a))));
    let forwarded = ask(&bench, &Origin::Interface(b), CLIENT, ip(&bench, a));
    assert_eq!(end(&forwarded), Ok((Place::Interface(a), CLIENT)));
    let instance = bench.world.instances[&row.attachment.unwrap().instance].clone();
    bench.put(crate::world::Instance { state: crate::world::InstanceState::Stopped, ..(*instance).clone() });
    assert_eq!(end(&from(&bench, a, CLIENT)), Err(Blocked::BlackHole));
}

#[test]
fn the_resolver_is_where_ec2_has_it_and_can_be_switched_off() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench);
    let a = vpc.run(&mut bench);
    let ask = |bench: &Bench, to: [u8; 4]| {
        let transport = Transport::Udp { from: 40_000, to: 53 };
        let packet = Packet::new(ip(bench, a), to, transport);
        end(&verdict(&bench.world, &Facts::default(), &Origin::Interface(a), packet, None)).map(|end| end.0)
    };
    for resolver in [[10, 1, 0, 2], [169, 254, 169, 253]] {
        assert_eq!(ask(&bench, resolver), Ok(Place::Service(Service::Dns)));
    }
    assert_eq!(ask(&bench, [10, 1, 1, 1]), Err(Blocked::HostIsProtected));
    let row = bench.world.vpcs[&vpc.id].clone();
    bench.put(crate::world::Vpc { dns_support: false, ..(*row).clone() });
    assert_eq!(ask(&bench, [10, 1, 0, 2]), Err(Blocked::NobodyHasIt));
    assert_eq!(ask(&bench, [169, 254, 169, 253]), Err(Blocked::NowhereToGo));
}
