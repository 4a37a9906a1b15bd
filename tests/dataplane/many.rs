//! Three hosts on one flat and one public segment, with instances on each, in both gateway modes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fogbank::agent::names::PORT_MAC;
use fogbank::plan::*;
use fogbank::types::{EniId, MacAddr};

use crate::hosts::{Host, SOON};
use crate::lab::{CLIENT, Ns, guest, sh, sweep, within};
use crate::probe::{Flow, Kind::*, Server, open, shut};
use crate::state::*;
use crate::watch::Watch;

/// A machine on the flat segment that is no instance.
const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 200);
/// Instances by host: the first has two, so that neighbours on one host are among the pairs.
const HOME: [usize; 4] = [0, 0, 1, 2];

struct Cluster {
    internet: Ns,
    /// Has the flat segment's bridge.
    machine: Ns,
    hosts: Vec<Host>,
    macs: Vec<MacAddr>,
    instances: Vec<Ns>,
    generation: AtomicU64,
}

/// What of a cluster a test changes.
#[derive(Clone)]
struct Want {
    /// Instance of each elastic address.
    elastic: Vec<usize>,
    /// The gateway host, in central mode.
    gateway: Option<usize>,
    /// Hosts that were declared dead.
    failed: Vec<usize>,
    wide: bool,
}

const PLAIN: Want = Want { elastic: vec![], gateway: None, failed: vec![], wide: true };

fn name(host: usize) -> Arc<str> {
    format!("host{}", host + 1).into()
}

fn public(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, 11 + host as u8)
}

fn eni(n: usize) -> EniId {
    port(n, &[]).eni
}

impl Cluster {
    fn new() -> Self {
        let (internet, machine) = Self::segments();
        machine.sh("ip link add br0 type bridge; ip link set br0 up; ip addr add 10.0.0.200/24 dev br0");
        let mut cluster = Self::around(internet, machine);
        for number in 0..3 {
            cluster.add_host(number, "eth1");
        }
        cluster.begin()
    }

    /// With hosts that have one interface for all; the machine is on that segment, too.
    fn of_one_nic() -> Self {
        let (internet, machine) = Self::segments();
        let (inet, other) = (internet.name(), machine.name());
        sh(&format!("ip -n {inet} link add machine type veth peer name br0 netns {other}"));
        sh(&format!("ip -n {inet} link set machine master br0 up"));
        machine.sh("ip link set br0 up; ip addr add 10.0.0.200/24 dev br0");
        let mut cluster = Self::around(internet, machine);
        for number in 0..3 {
            cluster.add_host(number, "eth0");
        }
        cluster.begin()
    }

    fn segments() -> (Ns, Ns) {
        sweep();
        let (internet, machine) = (Ns::new("inet"), Ns::new("flat"));
        internet.sh("ip link add br0 type bridge; ip link set br0 up; ip addr add 203.0.113.1/24 dev br0");
        (internet, machine)
    }

    fn around(internet: Ns, machine: Ns) -> Self {
        let (hosts, macs, instances) = (Vec::new(), Vec::new(), Vec::new());
        Self { internet, machine, hosts, macs, instances, generation: AtomicU64::new(0) }
    }

    fn add_host(&mut self, number: usize, flat: &str) {
        let mut host = Host::new(&name(number));
        host.config.flat_interface = flat.into();
        let cables = [("eth0", &self.internet), ("eth1", &self.machine)];
        for (interface, segment) in cables.into_iter().take(if flat == "eth0" { 1 } else { 2 }) {
            let (ns, there) = (host.ns.name(), segment.name());
            sh(&format!("ip -n {ns} link add {interface} type veth peer name port{number} netns {there}"));
            sh(&format!("ip -n {there} link set port{number} master br0 up"));
            host.ns.sh(&format!("ip link set {interface} up"));
        }
        let address = public(number);
        host.ns.sh(&format!("ip addr add {address}/24 dev eth0; ip route add default via 203.0.113.1"));
        self.macs.push(host.ns.sh(&format!("cat /sys/class/net/{flat}/address")).trim().parse().unwrap());
        self.hosts.push(host);
    }

    fn begin(mut self) -> Self {
        let instances = HOME.iter().enumerate();
        self.instances = instances.map(|(n, host)| guest(&self.hosts[*host].ns, &port(n, &[1]))).collect();
        self.hosts.iter_mut().for_each(Host::start);
        self
    }

    fn state(&self, host: usize, want: &Want) -> HostState {
        let ports: Vec<_> = (0..HOME.len()).filter(|n| HOME[*n] == host).map(|n| port(n, &[1])).collect();
        let mut state = with_ports(empty(), &ports);
        if want.wide {
            state = wide(&state, 1);
        }
        for (at, instance) in want.elastic.iter().enumerate() {
            if want.gateway.unwrap_or(HOME[*instance]) == host {
                state = associate(&state, ELASTIC[at], *instance);
            }
        }
        let live = (0..3).filter(|host| !want.failed.contains(host));
        let peer = |host: usize| {
            let section = PeerSection {
                name: name(host),
                next_hop: next_hop(host as u16 + 1),
                mac: self.macs[host],
                flat_mtu: None,
            };
            (name(host), Arc::new(section))
        };
        let place = |n: usize| {
            let host = name(HOME[n]);
            let (secondary_ips, network) = ([].into(), "flat".into());
            (
                eni(n),
                Arc::new(PlaceSection {
                    eni: eni(n),
                    private_ip: ip(n),
                    secondary_ips,
                    ipv6: [].into(),
                    network,
                    host,
                }),
            )
        };
        let mut network = NetworkSection::clone(&state.networks["flat"]);
        network.exit = match want.gateway {
            None => Exit::Here,
            Some(gateway) if gateway == host => Exit::ForAll,
            Some(gateway) => Exit::By(name(gateway)),
        };
        state.networks.insert("flat".into(), Arc::new(network));
        state.host = name(host);
        state.hosts = Arc::new(live.map(peer).collect());
        let placed = (0..HOME.len()).filter(|n| !want.failed.contains(&HOME[*n]));
        state.places = Arc::new(placed.map(place).collect());
        state
    }

    /// Has the living hosts become what is wanted, and waits for it. As a server would, it has an elastic address go from
    /// where it is before it comes to where it should be.
    fn apply(&self, want: &Want) {
        let has = |host: usize, state: &HostState| {
            let held = self.hosts[host].applied.borrow().holding.clone();
            let kept = state.addresses.iter().filter(|(ip, _)| held.contains(ip));
            kept.map(|(ip, section)| (*ip, section.clone())).collect()
        };
        for all in [false, true] {
            let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
            let live = || (0..3).filter(|host| !want.failed.contains(host));
            for host in live() {
                let mut state = HostState { generation, ..self.state(host, want) };
                if !all {
                    state.addresses = has(host, &state);
                }
                self.hosts[host].tell(&state);
            }
            for host in live() {
                let applied = || self.hosts[host].applied.borrow().clone();
                assert!(within(SOON, || applied().generation == generation), "{:?}", applied());
                assert_eq!(applied().failures, []);
            }
        }
    }

    fn servers(&self) -> Vec<Server> {
        self.instances.iter().map(|instance| Server::start(instance, 80)).collect()
    }
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..HOME.len()).flat_map(|from| (0..HOME.len()).map(move |to| (from, to))).filter(|(a, b)| a != b)
}

#[test]
fn instances_reach_each_other_across_hosts_as_the_rules_say() {
    let cluster = Cluster::new();
    let watch = Watch::start(&[&cluster.machine, &cluster.internet], leak);
    cluster.apply(&Want { wide: false, ..PLAIN });
    let _servers = cluster.servers();
    let _machine = Server::start(&cluster.machine, 81);
    for (from, to) in pairs() {
        shut(&cluster.instances[from], ip(to), Tcp(80));
    }
    shut(&cluster.machine, ip(2), Tcp(80));
    cluster.apply(&PLAIN);
    for (from, to) in pairs() {
        let seen = open(&cluster.instances[from], ip(to), Tcp(80));
        assert_eq!(seen, ip(from).to_string(), "{from} to {to}");
    }
    open(&cluster.instances[3], ip(0), Udp(80));
    open(&cluster.instances[3], ip(0), Ping);
    for n in 0..HOME.len() {
        assert_eq!(open(&cluster.machine, ip(n), Tcp(80)), MACHINE.to_string());
        assert_eq!(open(&cluster.instances[n], MACHINE, Tcp(81)), ip(n).to_string());
    }
    let leaks = watch.stop();
    assert!(leaks.is_empty(), "{leaks:?}");
    // A listener would see the headers that are written into fragments later on their way.
    open(&cluster.instances[3], ip(0), Fragments(80));
}

#[test]
fn who_calls_himself_an_instance_is_not_heard() {
    let cluster = Cluster::new();
    cluster.apply(&PLAIN);
    let _servers = cluster.servers();
    let machine = |address: Ipv4Addr| {
        cluster.machine.sh(&format!("ip addr flush dev br0; ip addr add {address}/24 dev br0"));
        // What was learnt of it under another address is of no use.
        cluster.machine.sh("ip neigh flush all");
    };
    open(&cluster.machine, ip(2), Tcp(80));
    // In the instances' range: nobody's, and one that another host has. Not one packet arrives.
    let heard = Watch::start(&[&cluster.instances[2]], of_the_thief);
    machine(ip(50));
    shut(&cluster.machine, ip(2), Udp(80));
    machine(ip(3));
    shut(&cluster.machine, ip(2), Udp(80));
    assert_eq!(heard.stop(), Vec::<String>::new());
    // Nor is anything handed to it.
    let told = Watch::start(&[&cluster.machine], of_the_thief);
    cluster.machine.sh("ip addr flush dev br0; ip addr add 10.0.0.60/24 dev br0");
    shut(&cluster.instances[2], Ipv4Addr::new(10, 0, 0, 60), Udp(81));
    assert_eq!(told.stop(), Vec::<String>::new());
    machine(MACHINE);
    open(&cluster.machine, ip(2), Tcp(80));
    // A host that was declared dead while its kernel lives: its instance has no voice any more.
    let mut flow = Flow::open(&cluster.instances[3], ip(2), 80);
    assert!(flow.lives());
    cluster.apply(&Want { failed: vec![2], ..PLAIN });
    assert!(!flow.lives());
    shut(&cluster.instances[3], ip(2), Udp(80));
    cluster.apply(&PLAIN);
    open(&cluster.instances[3], ip(2), Udp(80));
}

#[test]
fn each_host_answers_for_its_own_instances() {
    let cluster = Cluster::new();
    let (_servers, _client) = (cluster.servers(), Server::start(&cluster.internet, 80));
    let want = Want { elastic: vec![0, 2, 3], ..PLAIN };
    cluster.apply(&want);
    for (at, instance) in want.elastic.iter().enumerate() {
        assert_eq!(open(&cluster.internet, ELASTIC[at], Tcp(80)), CLIENT.to_string());
        assert_eq!(open(&cluster.instances[*instance], CLIENT, Tcp(80)), ELASTIC[at].to_string());
    }
    assert_eq!(open(&cluster.instances[1], CLIENT, Tcp(80)), public(0).to_string());
    // From each to each elastic address, its own too, whichever host: as from outside.
    for (from, instance) in cluster.instances.iter().enumerate() {
        let own = want.elastic.iter().position(|instance| *instance == from);
        let source = own.map_or_else(|| public(HOME[from]), |at| ELASTIC[at]);
        for (at, _) in want.elastic.iter().enumerate() {
            let seen = open(instance, ELASTIC[at], Tcp(80));
            assert_eq!(seen, source.to_string(), "{from} to {}", ELASTIC[at]);
        }
    }
    let [own, others @ ..] =
        [1, 0, 2].map(|host: usize| Watch::start(&[&cluster.hosts[host].ns], to_the_second));
    open(&cluster.internet, ELASTIC[1], Tcp(80));
    assert!(own.stop().len() >= 4, "by its own host");
    for other in others {
        assert_eq!(other.stop(), Vec::<String>::new(), "and by no other");
    }
}

#[test]
fn one_gateway_host_answers_for_all() {
    let cluster = Cluster::new();
    let watch = Watch::start(&[&cluster.machine, &cluster.internet], leak);
    let (_servers, _client) = (cluster.servers(), Server::start(&cluster.internet, 80));
    let want = Want { elastic: vec![0, 2, 3], gateway: Some(0), ..PLAIN };
    cluster.apply(&want);
    for (from, to) in pairs() {
        assert_eq!(open(&cluster.instances[from], ip(to), Tcp(80)), ip(from).to_string());
    }
    for (at, instance) in want.elastic.iter().enumerate() {
        assert_eq!(open(&cluster.internet, ELASTIC[at], Tcp(80)), CLIENT.to_string());
        assert_eq!(open(&cluster.instances[*instance], CLIENT, Tcp(80)), ELASTIC[at].to_string());
    }
    for from in 0..HOME.len() {
        let own = want.elastic.iter().position(|instance| *instance == from);
        let source = own.map_or_else(|| public(0), |at| ELASTIC[at]);
        for (at, _) in want.elastic.iter().enumerate() {
            let seen = open(&cluster.instances[from], ELASTIC[at], Tcp(80));
            assert_eq!(seen, source.to_string(), "{from} to {}", ELASTIC[at]);
        }
    }
    let watches = [0, 1, 2].map(|host: usize| Watch::start(&[&cluster.hosts[host].ns], to_the_second));
    open(&cluster.internet, ELASTIC[1], Tcp(80));
    let [gateway, own, other] = watches.map(Watch::stop);
    assert!(gateway.len() >= 8 && own.len() >= 4, "by the gateway and to its own host: {gateway:?} {own:?}");
    assert!(gateway.iter().any(|line| line.contains(&ELASTIC[1].to_string())));
    assert!(
        !own.iter().any(|line| line.contains(&ELASTIC[1].to_string())),
        "translated at the gateway: {own:?}"
    );
    assert_eq!(other, Vec::<String>::new(), "and by no other");
    assert_eq!(open(&cluster.machine, ip(2), Tcp(80)), MACHINE.to_string());
    // The gateway forwards for instances alone.
    let gateway = cluster.macs[0];
    cluster.machine.sh(&format!("ip neigh add 10.0.0.201 dev br0 lladdr {gateway}"));
    cluster.machine.sh("ip route add default via 10.0.0.201");
    shut(&cluster.machine, CLIENT, Udp(80));
    // Rules are kept on the instance's own host.
    cluster.apply(&Want { wide: false, ..want.clone() });
    shut(&cluster.internet, ELASTIC[1], Tcp(80));
    let leaks = watch.stop();
    assert!(leaks.is_empty(), "{leaks:?}");
    cluster.apply(&want);
    open(&cluster.internet, ELASTIC[1], Fragments(80));
}

#[test]
fn turning_from_one_mode_to_the_other_converges_and_leaves_nothing() {
    let mut cluster = Cluster::new();
    let (_servers, _client) = (cluster.servers(), Server::start(&cluster.internet, 80));
    let distributed = Want { elastic: vec![2], ..PLAIN };
    let central = Want { gateway: Some(0), ..distributed.clone() };
    let other = Want { gateway: Some(2), ..distributed.clone() };
    let source = |want: &Want, n: usize| public(want.gateway.unwrap_or(HOME[n])).to_string();
    for (round, want) in [&distributed, &central, &other, &distributed].into_iter().enumerate() {
        let old = (round > 0).then(|| {
            let flows = [
                Flow::open(&cluster.internet, ELASTIC[0], 80),
                Flow::open(&cluster.instances[2], CLIENT, 80),
                Flow::open(&cluster.instances[3], CLIENT, 80),
            ];
            (flows, Flow::open(&cluster.instances[3], ip(2), 80))
        });
        if round == 2 {
            // Hosts that were away meanwhile know by the kernel alone what was before.
            cluster.hosts.iter_mut().for_each(Host::stop);
            cluster.hosts.iter_mut().for_each(Host::start);
        }
        cluster.apply(want);
        if let Some(([mut inward, mut outward, mut by_host], mut within)) = old {
            assert!(within.lives(), "round {round}: a flow between instances");
            assert!(inward.lives() && outward.lives(), "round {round}: the elastic IP is the same");
            // Its own host is the gateway in the third round; else it comes from another address now.
            assert_eq!(by_host.lives(), round == 3, "round {round}: a flow by the address of a host");
        }
        assert_eq!(open(&cluster.internet, ELASTIC[0], Tcp(80)), CLIENT.to_string());
        assert_eq!(open(&cluster.instances[2], CLIENT, Tcp(80)), ELASTIC[0].to_string());
        assert_eq!(open(&cluster.instances[3], CLIENT, Tcp(80)), source(want, 3));
        assert_eq!(open(&cluster.instances[3], ELASTIC[0], Tcp(80)), source(want, 3));
    }
    for host in &cluster.hosts {
        assert!(!host.ns.sh("ip rule").contains("142"), "{}", host.ns.sh("ip rule"));
        assert_eq!(host.ns.sh("ip route show table all proto 142 | grep ^default || true"), "");
    }
}

#[test]
fn what_others_take_away_of_the_ways_between_hosts_is_back_within_a_second() {
    let cluster = Cluster::new();
    cluster.apply(&Want { gateway: Some(0), ..PLAIN });
    let host = &cluster.hosts[1].ns;
    let ways = "ip rule; ip route show table all proto 142; ip neigh show nud permanent; cat /proc/sys/net/ipv4/conf/eth1/rp_filter";
    let before = host.sh(ways);
    for taken in [
        "ip rule del pref 14202",
        "ip route flush table 14201",
        "ip neigh del 169.254.128.1 dev eth1",
        "ip route del 10.0.0.10/32",
        "echo 1 > /proc/sys/net/ipv4/conf/eth1/rp_filter",
    ] {
        host.sh(taken);
        assert!(
            within(Duration::from_millis(1500), || host.sh(ways) == before),
            "{taken}: {}",
            host.sh(ways)
        );
    }
}

#[test]
fn one_nic_is_enough_for_many_hosts() {
    let cluster = Cluster::of_one_nic();
    let watch = Watch::start(&[&cluster.machine, &cluster.internet], leak);
    let (_servers, _client) = (cluster.servers(), Server::start(&cluster.internet, 80));
    cluster.internet.sh("ip route add 10.0.0.0/24 dev br0");
    for gateway in [None, Some(0)] {
        let want = Want { elastic: vec![2], gateway, ..PLAIN };
        cluster.apply(&want);
        for (from, to) in pairs() {
            assert_eq!(open(&cluster.instances[from], ip(to), Tcp(80)), ip(from).to_string());
        }
        assert_eq!(open(&cluster.machine, ip(2), Tcp(80)), MACHINE.to_string());
        assert_eq!(open(&cluster.internet, ELASTIC[0], Tcp(80)), CLIENT.to_string());
        assert_eq!(open(&cluster.instances[2], CLIENT, Tcp(80)), ELASTIC[0].to_string());
        let host = public(gateway.unwrap_or(2)).to_string();
        assert_eq!(open(&cluster.instances[3], CLIENT, Tcp(80)), host);
        assert_eq!(open(&cluster.instances[3], ELASTIC[0], Tcp(80)), host);
        assert_eq!(open(&cluster.instances[2], ELASTIC[0], Tcp(80)), ELASTIC[0].to_string());
        shut(&cluster.internet, ip(2), Udp(80));
    }
    let leaks = watch.stop();
    assert!(leaks.is_empty(), "{leaks:?}");
}

/// Why a frame must not be on a segment between hosts.
fn leak(frame: &[u8]) -> Option<String> {
    let gateway = Ipv4Addr::new(10, 0, 0, 1).octets();
    let arp = frame.get(12..14) == Some(&[8, 6]);
    if frame.get(6..12) == Some(&PORT_MAC.0) || frame.get(..6) == Some(&PORT_MAC.0) {
        return Some(format!("the ports' MAC: {frame:02x?}"));
    }
    if arp && (frame.get(28..32) == Some(&gateway) || frame.get(38..42) == Some(&gateway)) {
        return Some(format!("ARP of the gateway: {frame:02x?}"));
    }
    if arp && frame.get(38..40) == Some(&[169, 254]) {
        return Some(format!("ARP for a next hop: {frame:02x?}"));
    }
    None
}

/// IPv4 between the client and the second host's instance, by whichever address.
fn to_the_second(frame: &[u8]) -> Option<String> {
    let address =
        |at: usize| frame.get(at..at + 4)?.first_chunk().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets));
    let ends = [address(26)?, address(30)?];
    let is = frame.get(12..14) == Some(&[8, 0])
        && ends.contains(&CLIENT)
        && (ends.contains(&ELASTIC[1]) || ends.contains(&ip(2)));
    is.then(|| format!("{} to {}", ends[0], ends[1]))
}

/// IPv4 or ARP of an address that the machine has no right to.
fn of_the_thief(frame: &[u8]) -> Option<String> {
    let udp = frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&17);
    let from = frame.get(26..30).filter(|from| **from == ip(50).octets() || **from == ip(3).octets());
    let to_nobody = [30..34, 38..42].into_iter().any(|at| frame.get(at) == Some(&[10, 0, 0, 60]));
    (udp && from.is_some() || to_nobody).then(|| format!("{frame:02x?}"))
}
