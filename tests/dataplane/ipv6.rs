//! IPv6 in VPCs: what guests are told, what they may send, and who reaches whom.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpStream, UdpSocket};
use std::sync::Arc;
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

    // The stock image has no such client, and follows the metadata service.
    let folder = client.path("stock");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/compute/namespaces/stock/ipv6.sh");
    guest.sh(&format!(
        "mkdir -p {folder}/bin; /bin/busybox --install -s {folder}/bin; : > {folder}/dhcp-eth0; \
         sed \"s,/run/,{folder}/,; s,sleep 2,usleep 200000,\" {script} > {folder}/ipv6.sh; \
         PATH={folder}/bin timeout 10 sh {folder}/ipv6.sh > {folder}/log 2>&1 &"
    ));
    let has =
        |guest: &Ns, n: usize| guest.sh("ip -6 addr show dev eth0").contains(&format!("{}/128", ip6(n)));
    assert!(within(SOON, || has(guest, 1) && has(guest, 9)), "{}", guest.sh(&format!("cat {folder}/log")));
    open(guest, BEYOND, Ping);
    port.ipv6 = [ip6(1)].into();
    segment.apply(&state(RouteTo::Internet), &[(0, 1, port)]);
    let guest = &segment.hosts[0].guests[&1];
    assert!(within(SOON, || has(guest, 1) && !has(guest, 9)), "{}", guest.sh(&format!("cat {folder}/log")));
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
        // The host itself is outside, too, and asks under its own address.
        open(&segment.hosts[0].ns, ip6(1), Ping);
        // What is too long is told to its sender, by its own router and from beyond, and it sends less.
        let own_idea = "sysctl -qw net.ipv6.conf.eth0.accept_ra_mtu=0 net.ipv6.conf.eth0.mtu=1500; \
                        ip -6 route add default via fe80::1 dev eth0 metric 1";
        guest(0, 2).sh(own_idea);
        guest(1, 3).sh(own_idea);
        segment.hosts[0].ns.sh("ip -6 route change default via 2001:db8:f0:ffff::1 mtu lock 1300");
        for (to, mtu) in [(ip6(3), "mtu 1450"), (BEYOND, "mtu 1300")] {
            assert!(guest(0, 2).run(move || transfer(to)), "nothing long gets through to {to}");
            let told = guest(0, 2).sh(&format!("ip -6 route get {to}"));
            assert!(told.contains(mtu), "{told}");
        }
    }
    // Members of a group, wherever they are.
    let members = edit(&closed, 2, |of| of.ingress.groups = vec![(group(1), tcp(81))]);
    let in_it = MembersSection { ipv4: vec![], ipv6: vec![ip6(1), ip6(3)] };
    let members = HostState { members: [(group(1), Arc::new(in_it))].into(), ..members };
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

/// Whether so much comes back that no packet can be short.
fn transfer(to: Ipv6Addr) -> bool {
    const LENGTH: usize = 20_000;
    let Ok(mut stream) = TcpStream::connect_timeout(&(to, 80).into(), SOON) else { return false };
    stream.set_read_timeout(Some(SOON)).unwrap();
    // The greeting, and then everything again.
    let mut buffer = [0; 4096];
    let mut read = |stream: &mut TcpStream| stream.read(&mut buffer).ok().filter(|n| *n > 0);
    if read(&mut stream).is_none() || stream.write_all(&[b'x'; LENGTH]).is_err() {
        return false;
    }
    let mut back = 0;
    while back < LENGTH {
        let Some(n) = read(&mut stream) else { return false };
        back += n;
    }
    true
}

#[test]
fn by_an_egress_only_gateway_come_answers_alone() {
    let mut segment = Segment::new(1);
    let ports = [(0, 1, port6(1, &[1]))];
    let all: Cidr6 = "::/0".parse().unwrap();
    let wide = |to| edit(&state(to), 1, |group| group.ingress.ipv6 = vec![(all, Traffic::All)]);
    // It gets its address while it runs.
    let bare = PortSection { ipv6: [].into(), ..ports[0].2.clone() };
    segment.apply(&wide(RouteTo::EgressOnly), &[(0, 1, bare)]);
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
    // What began when that was allowed is no answer either.
    segment.apply(&wide(RouteTo::EgressOnly), &ports);
    assert!(!flow.lives(), "a flow from outside outlives its way in");
    let mut own = Flow::open(&segment.hosts[0].guests[&1], BEYOND, 80);
    segment.apply(&wide(RouteTo::Internet), &ports);
    assert!(own.lives());
    let asks = segment.hosts[0].guests[&1].run(|| UdpSocket::bind((ip6(1), 6000)).unwrap());
    let beyond = segment.internet.run(|| UdpSocket::bind((BEYOND, 5000)).unwrap());
    for socket in [&asks, &beyond] {
        socket.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    }
    let answered = || {
        beyond.send_to(b"answer", (ip6(1), 6000)).unwrap();
        heard(&asks).is_some()
    };
    asks.send_to(b"question", (BEYOND, 5000)).unwrap();
    assert!(heard(&beyond).is_some() && answered());
    segment.apply(&wide(RouteTo::EgressOnly), &ports);
    assert!(answered());
    // Without a route nothing goes out, and nothing comes in, not even an answer.
    segment.apply(&wide(RouteTo::Nowhere), &ports);
    assert!(!answered(), "an answer comes by a way that there is no more");
    shut(&segment.hosts[0].guests[&1], BEYOND, Tcp(80));
    shut(&segment.internet, ip6(1), Tcp(80));
    // What no instance has is dropped on the host that it comes to, and does not come back.
    assert_eq!(attempt(&segment.internet, ip6(7), Ping), None);
}

/// Sends from an address that the sender has.
fn send_as(guest: &Ns, from: Ipv6Addr, to: Ipv6Addr) {
    guest.run(move || {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        let _ = socket.send_to(from.to_string().as_bytes(), (to, 5000));
    });
}

/// Hears what is sent to it, on a machine.
fn hears(ns: &Ns) -> UdpSocket {
    let socket = ns.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 5000)).unwrap());
    socket.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    socket
}

fn heard(socket: &UdpSocket) -> Option<String> {
    let mut buffer = [0; 64];
    socket.recv(&mut buffer).ok().map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned())
}

#[test]
fn an_instance_speaks_as_itself_and_nobody_inherits_its_flows() {
    let mut segment = Segment::new(1);
    let all: Cidr6 = "::/0".parse().unwrap();
    let open_to_all =
        edit(&state(RouteTo::Internet), 1, |group| group.ingress.ipv6 = vec![(all, Traffic::All)]);
    let mut forwards = port6(2, &[2]);
    forwards.source_dest_check = false;
    let mut ports = vec![(0, 1, port6(1, &[1])), (0, 2, forwards), (0, 3, port6(3, &[2]))];
    segment.apply(&open_to_all, &ports);
    let node = &segment.hosts[0];
    for n in 1..=3 {
        address(&node.guests[&n], n);
        assert!(learns_its_router(&node.guests[&n]));
    }
    let (within, outside) = (hears(&node.guests[&1]), hears(&segment.internet));
    let foreign = Ipv6Addr::new(0x2001, 0xdb8, 0xf0, 0x101, 0, 0, 0, 0x77);
    // Checked as it is by default, it is itself; one that may forward is others within the VPC, and never beyond.
    for (n, from, in_vpc, beyond) in [
        (3, ip6(3), true, true),
        (3, ip6(2), false, false),
        (3, foreign, false, false),
        (2, foreign, true, false),
    ] {
        for (to, socket, passes) in [(ip6(1), &within, in_vpc), (BEYOND, &outside, beyond)] {
            node.guests[&n].sh(&format!("ip -6 addr replace {from}/128 dev eth0 nodad"));
            send_as(&node.guests[&n], from, to);
            assert_eq!(heard(socket).is_some(), passes, "{n} as {from} to {to}");
        }
    }
    node.guests[&3].sh(&format!("ip -6 addr del {}/128 dev eth0", ip6(2)));

    // A flow from outside to the first, whose address the third has next, and whose group lets nobody in.
    let servers = [1, 3].map(|n| Server::start6(&node.guests[&n], 80));
    let client = segment.internet.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap());
    client.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    let answered = || {
        let _ = client.send_to(b"x", (ip6(1), 80));
        client.recv(&mut [0; 64]).is_ok()
    };
    assert!(within_soon(&answered));
    (ports[0].2.ipv6, ports[2].2.ipv6) = ([ip6(8)].into(), [ip6(3), ip6(1)].into());
    address(&node.guests[&3], 1);
    segment.apply(&open_to_all, &ports);
    // What was answered late is no answer to what is asked now.
    while client.recv(&mut [0; 64]).is_ok() {}
    assert!(!answered(), "the next who has the address inherits the flow");
    drop(servers);
}

fn within_soon(condition: &dyn Fn() -> bool) -> bool {
    within(SOON, condition)
}

#[test]
fn what_is_changed_is_repaired_and_the_host_is_nobody_elses_router() {
    let mut segment = Segment::new(1);
    let all: Cidr6 = "::/0".parse().unwrap();
    let wide = edit(&state(RouteTo::Internet), 1, |group| group.ingress.ipv6 = vec![(all, Traffic::All)]);
    // Another network of the host's, which knows the way back.
    let side = Ns::new("side");
    let node = &segment.hosts[0];
    sh(&format!("ip -n {} link add side0 type veth peer name eth0 netns {}", node.ns.name(), side.name()));
    node.ns.sh("ip link set side0 up; ip addr add 2001:db8:77::1/64 dev side0 nodad");
    side.sh("ip link set eth0 up; ip addr add 2001:db8:77::2/64 dev eth0 nodad; ip -6 route add default via 2001:db8:77::1");
    segment.internet.sh(&format!("ip -6 route add 2001:db8:77::/64 via {}", host6(0)));
    segment.apply(&wide, &[(0, 1, port6(1, &[1]))]);
    let node = &segment.hosts[0];
    let guest = &node.guests[&1];
    address(guest, 1);
    assert!(learns_its_router(guest));
    open(&segment.internet, ip6(1), Ping);
    let beside = hears(&side);
    send_as(&segment.internet, BEYOND, Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 2));
    assert_eq!(heard(&beside), None, "the host hands on what it is given");
    // It goes on learning of routers itself.
    assert_eq!(node.ns.sh("cat /proc/sys/net/ipv6/conf/eth0/accept_ra").trim(), "2");
    let router = node.router();
    let port = fogbank::agent::names::port_name(port6(1, &[]).eni);
    let in_router = format!("ip -n {router} -6");
    let before = kernel(&segment);
    for damage in [
        format!("{in_router} addr del fe80::1/64 dev {port}"),
        format!("{in_router} route del {}", ip6(1)),
        format!("{in_router} neigh del {} dev {port}", ip6(1)),
        format!("{in_router} rule del fwmark 1"),
        format!("{in_router} route flush table 1420001"),
        format!("ip netns exec {router} sysctl -qw net.ipv6.conf.{port}.disable_ipv6=1"),
        format!("ip netns exec {router} sysctl -qw net.ipv6.conf.all.forwarding=0"),
        format!("ip netns exec {router} nft flush table ip6 fogbank"),
        format!("ip -n {} -6 neigh del proxy {} dev eth0", node.ns.name(), ip6(1)),
        format!("ip -n {} -6 route del {}", node.ns.name(), ip6(1)),
        format!("ip netns exec {} sysctl -qw net.ipv6.conf.eth0.proxy_ndp=0", node.ns.name()),
    ] {
        sh(&damage);
        let mut now = String::new();
        let repaired = within(SOON, || {
            now = kernel(&segment);
            now == before
        });
        assert!(repaired, "{damage}:\n{before}\n is \n{now}");
    }
    // Who asks for a router is answered as before.
    guest.sh("ip link set eth0 down; ip link set eth0 up");
    address(guest, 1);
    assert!(learns_its_router(guest));
    open(&segment.internet, ip6(1), Ping);
}

/// What a router and its host have of IPv6 that is ours.
fn kernel(segment: &Segment) -> String {
    let node = &segment.hosts[0];
    let port = fogbank::agent::names::port_name(port6(1, &[]).eni);
    let common = "ip -6 route show table all proto 142; ip -6 rule; ip -6 neigh show nud permanent; nft list table ip6 fogbank";
    let router = format!(
        "{common}; ip -6 addr show dev {port}; cat /proc/sys/net/ipv6/conf/{port}/disable_ipv6 /proc/sys/net/ipv6/conf/all/forwarding"
    );
    let host = format!("{common}; ip -6 neigh show proxy; cat /proc/sys/net/ipv6/conf/eth0/proxy_ndp");
    sh(&format!(
        "ip netns exec {} sh -c \"{router}\" 2>&1; ip netns exec {} sh -c \"{host}\"",
        node.router(),
        node.ns.name()
    ))
}
