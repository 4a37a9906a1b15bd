//! Packets of IPv6, one at a time.

use std::net::Ipv6Addr;

use super::*;

const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
const SIX: (&str, &str) = ("AmazonProvidedIpv6CidrBlock", "true");

/// A VPC with a subnet of both families, in which all may do everything.
fn vpc6(bench: &mut Bench) -> Vpc {
    let pool = "2001:db8:f0::/48".parse().unwrap();
    if bench.world.ipv6_pools.is_empty() {
        bench.attempt(|decision| crate::control::ipv6::add(decision, pool)).unwrap();
    }
    let Vpc { id, subnet } = vpc(bench);
    let (vpc_text, subnet_text) = (id.to_string(), subnet.to_string());
    bench.call("AssociateVpcCidrBlock", &[("VpcId", &vpc_text), SIX]).unwrap();
    let block = bench.world.vpcs[&id].blocks6[0].cidr.network().to_string() + "/64";
    let given = [("SubnetId", &*subnet_text), ("Ipv6CidrBlock", &*block)];
    bench.call("AssociateSubnetCidrBlock", &given).unwrap();
    let group = bench.world.groups.values().find(|group| group.vpc == id).unwrap().id.to_string();
    let all = [
        ("GroupId", &*group),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0"),
    ];
    // Out of it everything may go as soon as its VPC has a block.
    bench.call("AuthorizeSecurityGroupIngress", &all).unwrap();
    Vpc { id, subnet }
}

/// A running interface with an address.
fn run6(bench: &mut Bench, vpc: &Vpc) -> (EniId, Ipv6Addr) {
    let eni = vpc.run(bench);
    let text = eni.to_string();
    bench.call("AssignIpv6Addresses", &[("NetworkInterfaceId", &text), ("Ipv6AddressCount", "1")]).unwrap();
    (eni, bench.world.enis[&eni].ipv6[0])
}

fn route6(bench: &mut Bench, vpc: &Vpc, to: (&str, &str)) {
    let table = bench.world.route_tables_of(vpc.id).next().unwrap().id.to_string();
    let given = [("RouteTableId", &*table), ("DestinationIpv6CidrBlock", "::/0"), to];
    if bench.call("CreateRoute", &given).is_err() {
        bench.call("ReplaceRoute", &given).unwrap();
    }
}

fn egress_only(bench: &mut Bench, vpc: &Vpc) -> String {
    let id = vpc.id.to_string();
    bench.told("egressOnlyInternetGatewayId", "CreateEgressOnlyInternetGateway", &[("VpcId", &id)])
}

#[test]
fn an_egress_only_gateway_lets_out_and_an_internet_gateway_in_as_well() {
    let mut bench = Bench::small();
    let vpc = vpc6(&mut bench);
    let (a, ip) = run6(&mut bench, &vpc);
    let out = |bench: &Bench| end(&ask(bench, &Origin::Interface(a), ip, FAR));
    let in_ = |bench: &Bench| end(&ask(bench, &Origin::Outside, FAR, ip));
    assert_eq!(out(&bench), Err(Blocked::NoRoute));
    assert_eq!(in_(&bench), Err(Blocked::ClosedToOutside));
    let egress = egress_only(&mut bench, &vpc);
    route6(&mut bench, &vpc, ("EgressOnlyInternetGatewayId", &egress));
    assert_eq!(out(&bench), Ok((Place::Outside, ip.into())), "as itself: nothing is translated");
    assert_eq!(in_(&bench), Err(Blocked::ClosedToOutside));
    let gateway = vpc.attach(&mut bench);
    route6(&mut bench, &vpc, ("GatewayId", &gateway));
    assert_eq!(out(&bench), Ok((Place::Outside, ip.into())));
    assert_eq!(in_(&bench), Ok((Place::Interface(a), FAR.into())));
    let own = Ipv6Addr::from_bits(ip.to_bits() + 1);
    assert_eq!(end(&ask(&bench, &Origin::Outside, own, ip)), Err(Blocked::ForgedSource));
}

#[test]
fn between_vpcs_ipv6_goes_by_the_internet_and_groups_mean_their_own_vpc() {
    let mut bench = Bench::small();
    let (one, other) = (vpc6(&mut bench), vpc6(&mut bench));
    let ((a, from), (b, to)) = (run6(&mut bench, &one), run6(&mut bench, &other));
    let egress = egress_only(&mut bench, &one);
    route6(&mut bench, &one, ("EgressOnlyInternetGatewayId", &egress));
    let gateway = other.attach(&mut bench);
    route6(&mut bench, &other, ("GatewayId", &gateway));
    let trace = ask(&bench, &Origin::Interface(a), from, to);
    assert_eq!(end(&trace), Ok((Place::Interface(b), from.into())));
    let parts: Vec<_> = trace.hops.iter().map(|hop| hop.vpc).collect();
    assert_eq!(parts, [Some(one.id), None, Some(other.id)]);
    let back = ask(&bench, &Origin::Interface(b), to, from);
    assert_eq!(end(&back), Err(Blocked::ClosedToOutside), "what begins there does not come in");
}

#[test]
fn on_its_link_a_guest_finds_its_router_and_dhcp_and_is_nobody_else() {
    let mut bench = Bench::small();
    let vpc = vpc6(&mut bench);
    let (a, ip) = run6(&mut bench, &vpc);
    let say = |bench: &Bench, source: &str, to: &str, transport| {
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let packet = Packet::new(address(source), address(to), transport);
        end(&verdict(&bench.world, &Facts::default(), &Origin::Interface(a), packet, None)).map(|end| end.0)
    };
    let own = ip.to_string();
    let icmp = |kind| Transport::Icmp6 { kind, code: 0 };
    let service = |service| Ok(Place::Service(service));
    assert_eq!(say(&bench, "::", "ff02::1:ff00:9", icmp(135)), service(Service::Discovery));
    assert_eq!(say(&bench, "fe80::9", "ff02::2", icmp(133)), service(Service::Discovery));
    assert_eq!(say(&bench, &own, "fe80::1", icmp(128)), service(Service::Gateway));
    let ask = Transport::Udp { from: 546, to: 547 };
    assert_eq!(say(&bench, "fe80::9", "ff02::1:2", ask), service(Service::Dhcp));
    assert_eq!(say(&bench, "fe80::1", "ff02::1", icmp(136)), Err(Blocked::ForgedSource));
    assert_eq!(say(&bench, "fe80::9", "ff02::1", icmp(134)), Err(Blocked::ForgedSource));
    assert_eq!(say(&bench, &own, "ff02::1", icmp(134)), Err(Blocked::Unasked));
    assert_eq!(say(&bench, &own, &own, icmp(135)), Err(Blocked::Unasked), "no router hands it on");
    assert_eq!(say(&bench, &own, "fd00:ec2::254", icmp(128)), Err(Blocked::NowhereToGo));
    assert_eq!(say(&bench, "fe80::9", &own, icmp(128)), Err(Blocked::ForgedSource));
    let without = vpc.run(&mut bench);
    let trace = super::ask(&bench, &Origin::Interface(without), FAR, ip);
    assert_eq!(end(&trace), Err(Blocked::NoIpv6));
}
