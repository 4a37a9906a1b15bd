//! IPv6 in VPCs: what guests are told, what they may send, and who reaches whom.

use std::net::Ipv6Addr;
use std::time::Duration;

use fogbank::plan::*;
use fogbank::types::*;

use crate::lab::*;
use crate::probe::{Flow, Kind::*, Server, attempt, open, shut};
use crate::routers::*;
use crate::serve::Client;
use crate::state::{edit, group};

const SOON: Duration = Duration::from_secs(5);

fn tcp(port: u16) -> Traffic {
    Traffic::Tcp(PortRange::new(port, port).unwrap())
}

/// Gives a guest its address as DHCPv6 would.
fn address(guest: &Ns, n: usize) {
    guest.sh(&format!("ip -6 addr replace {}/128 dev eth0 nodad", ip6(n)));
}

fn learns_its_router(guest: &Ns) -> bool {
    within(SOON, || guest.sh("ip -6 route show default").contains("via fe80::1 dev eth0 proto ra"))
}

#[test]
fn a_guest_learns_its_router_by_advertisement_and_its_address_by_dhcp() {
    let mut segment = Segment::new(1);
    let mut port = port6(1, &[1]);
    port.ipv6 = [ip6(1), ip6(9)].into();
    segment.apply(&state(RouteTo::Internet), &[(0, 1, port.clone())]);
    let node = &segment.hosts[0];
    let guest = &node.guests[&1];
    assert!(learns_its_router(guest), "{}", guest.sh("ip -6 route; ip -6 addr"));
    // Nothing of the subnet is on the link, and no address is made up.
    let routes = guest.sh("ip -6 route show; ip -6 addr show scope global");
    assert!(!routes.contains("2001:db8"), "{routes}");
    assert_eq!(guest.sh("cat /proc/sys/net/ipv6/conf/eth0/mtu").trim(), "1450");
    guest.sh("ping -6 -c 1 -W 2 fe80::1%eth0");
    let client = Client::new("dhclient6", "[ \"$reason\" != BOUND6 ] || { env > TOLD; kill $PPID; }");
    let [conf, leases, pid, script] = ["conf", "leases", "pid", "script"].map(|name| client.path(name));
    std::fs::write(&conf, "").unwrap();
    guest.sh(&format!(
        "env -i PATH=\"$PATH\" timeout 20 dhclient -6 -1 -d -cf {conf} -lf {leases} -pf {pid} -sf {script} eth0 2>&1 || true"
    ));
    let told = std::fs::read_to_string(client.path("told")).unwrap_or_default();
    assert!(
        told.contains(&format!("new_ip6_address={}", ip6(1)))
            || told.contains(&format!("new_ip6_address={}", ip6(9))),
        "{told}"
    );
    client.was_told(&["new_preferred_life=140", "new_max_life=450"]);
}

#[test]
fn who_is_let_in_is_let_in_and_nobody_else() {
    let mut segment = Segment::new(2);
    let ports = [(0, 1, port6(1, &[1])), (0, 2, port6(2, &[2])), (1, 3, port6(3, &[1]))];
    let closed = state(RouteTo::Internet);
    let all: Cidr6 = "::/0".parse().unwrap();
    let with = edit(&closed, 1, |group| {
        group.ingress.ipv6 = vec![(all, Traffic::Icmpv6(IcmpMatch::Any)), (VPC.parse().unwrap(), tcp(80))];
    });
    segment.apply(&with, &ports);
    for (host, n) in [(0, 1), (0, 2), (1, 3)] {
        let guest = &segment.hosts[host].guests[&n];
        address(guest, n);
        assert!(learns_its_router(guest));
    }
    let servers: Vec<_> = [(0, 1), (0, 2), (1, 3)]
        .into_iter()
        .flat_map(|(host, n)| {
            let guest = &segment.hosts[host].guests[&n];
            [Server::start6(guest, 80), Server::start6(guest, 81)]
        })
        .collect();
    let beyond = Server::start6(&segment.internet, 80);
    {
        let guest = |host: usize, n: usize| &segment.hosts[host].guests[&n];
        // On one host, and by VXLAN.
        assert_eq!(open(guest(0, 2), ip6(1), Tcp(80)), ip6(2).to_string());
        assert_eq!(open(guest(0, 2), ip6(3), Tcp(80)), ip6(2).to_string());
        open(guest(1, 3), ip6(1), Ping);
        for to in [ip6(1), ip6(3)] {
            shut(guest(0, 2), to, Tcp(81));
            shut(guest(0, 2), to, Udp(80));
        }
        shut(guest(1, 3), ip6(2), Tcp(80));
        // From outside, where the group lets in all: by neighbour discovery on the public segment.
        open(&segment.internet, ip6(1), Ping);
        open(&segment.internet, ip6(3), Ping);
        shut(&segment.internet, ip6(1), Tcp(80));
        shut(&segment.internet, ip6(2), Ping);
        // And to the outside, as itself.
        assert_eq!(open(guest(0, 2), BEYOND, Tcp(80)), ip6(2).to_string());
        assert_eq!(open(guest(1, 3), BEYOND, Tcp(80)), ip6(3).to_string());
        // A whole segment by VXLAN: what is too long is told to its sender, and it sends less.
        let sent = guest(0, 2).run(|| attempt_long(ip6(3)));
        assert!(sent, "a long transfer does not get through");
    }
    // Members of a group, wherever they are.
    let members = edit(&closed, 2, |of| of.ingress.groups = vec![(group(1), tcp(81))]);
    let members = edit(&members, 1, |of| of.members6 = vec![ip6(1), ip6(3)]);
    segment.apply(&members, &ports);
    {
        let guest = |host: usize, n: usize| &segment.hosts[host].guests[&n];
        open(guest(0, 1), ip6(2), Tcp(81));
        open(guest(1, 3), ip6(2), Tcp(81));
        shut(guest(1, 3), ip6(2), Tcp(80));
        shut(&segment.internet, ip6(2), Tcp(81));
    }
    drop((servers, beyond));
}

fn attempt_long(to: Ipv6Addr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect_timeout(&(to, 80).into(), SOON) else { return false };
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    let mut line = [0; 64];
    // The greeting, and then everything comes back.
    if stream.read(&mut line).is_err() || stream.write_all(&[b'x'; 20_000]).is_err() {
        return false;
    }
    let (mut back, mut buffer) = (0, [0; 4096]);
    while back < 20_000 {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(n) => back += n,
        }
    }
    true
}

#[test]
fn by_an_egress_only_gateway_come_answers_alone() {
    let mut segment = Segment::new(1);
    let ports = [(0, 1, port6(1, &[1]))];
    let all: Cidr6 = "::/0".parse().unwrap();
    let wide = |to| edit(&state(to), 1, |group| group.ingress.ipv6 = vec![(all, Traffic::All)]);
    segment.apply(&wide(RouteTo::EgressOnly), &ports);
    address(&segment.hosts[0].guests[&1], 1);
    assert!(learns_its_router(&segment.hosts[0].guests[&1]));
    let _beyond = Server::start6(&segment.internet, 80);
    let _own = Server::start6(&segment.hosts[0].guests[&1], 80);
    assert_eq!(open(&segment.hosts[0].guests[&1], BEYOND, Tcp(80)), ip6(1).to_string());
    shut(&segment.internet, ip6(1), Tcp(80));
    shut(&segment.internet, ip6(1), Ping);
    segment.apply(&wide(RouteTo::Internet), &ports);
    open(&segment.internet, ip6(1), Tcp(80));
    let mut flow = Flow::open(&segment.internet, ip6(1), 80);
    assert!(flow.lives());
    // Without a route nothing goes out, and nothing comes in.
    segment.apply(&wide(RouteTo::Nowhere), &ports);
    shut(&segment.hosts[0].guests[&1], BEYOND, Tcp(80));
    shut(&segment.internet, ip6(1), Tcp(80));
    // What no instance has is dropped on the host that it comes to, and does not come back.
    assert_eq!(attempt(&segment.internet, ip6(7), Ping), None);
}
