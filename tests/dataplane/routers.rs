//! Hosts with the routers of VPCs, on one public and one flat segment, and the internet beyond.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fogbank::agent::config::HostConfig;
use fogbank::agent::reconcile::{Applied, Reconciler};
use fogbank::agent::routers::Routers;
use fogbank::plan::*;
use fogbank::types::*;
use tokio::sync::{oneshot, watch};

use crate::lab::*;
use crate::state::{group, instance, port};

/// Where the internet's own machine is, beyond the public segment.
pub const BEYOND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
/// What the operator has for VPCs: on the public segment's link, among it the hosts' own addresses.
pub const POOL: &str = "2001:db8:f0::/48";
pub const VPC: &str = "2001:db8:f0:100::/56";
pub const SUBNET: &str = "2001:db8:f0:101::/64";

pub fn vpc() -> VpcId {
    VpcId::from_random(0x6)
}

/// An instance's address in the subnet.
pub fn ip6(n: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0xf0, 0x101, 0, 0, 0, 0x10 + n as u16)
}

pub fn host6(n: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0xf0, 0xffff, 0, 0, 0, 0x10 + n as u16)
}

pub struct Segment {
    pub internet: Ns,
    pub hosts: Vec<Node>,
}

/// A host that follows a state as a whole agent does, but for what it serves to flat networks and for the instances' driver.
pub struct Node {
    pub ns: Ns,
    pub guests: BTreeMap<usize, Ns>,
    config: HostConfig,
    states: watch::Sender<Option<Arc<HostState>>>,
    applied: watch::Receiver<Applied>,
    agent: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    generation: u64,
}

impl Segment {
    pub fn new(hosts: usize) -> Self {
        sweep();
        let internet = Ns::new("inet");
        let address = format!("ip addr add {BEYOND}/128 dev lo");
        internet.sh(&format!(
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0; {address}"
        ));
        for segment in ["public", "flat"] {
            internet.sh(&format!("ip link add {segment} type bridge; ip link set {segment} up"));
        }
        internet
            .sh("ip addr add 203.0.113.1/24 dev public; ip addr add 2001:db8:f0:ffff::1/48 dev public nodad");
        let hosts = (0..hosts).map(|number| Node::new(&internet, number)).collect();
        Self { internet, hosts }
    }

    /// Every host is told its state, in which the ports named for it have been made.
    pub fn apply(&mut self, state: &HostState, ports: &[(usize, usize, PortSection)]) {
        let mut whole = state.clone();
        let peer = |(number, node): (usize, &Node)| {
            let name: Arc<str> = node.config.name.as_str().into();
            let mac = mac(number);
            let next_hop = next_hop(number as u16 + 1);
            let section = PeerSection { name: name.clone(), next_hop, mac, flat_mtu: Some(1500) };
            (name, Arc::new(section))
        };
        whole.hosts = Arc::new(self.hosts.iter().enumerate().map(peer).collect());
        let place = |(host, _, port): &(usize, usize, PortSection)| {
            let section = PlaceSection {
                eni: port.eni,
                private_ip: port.private_ip,
                secondary_ips: [].into(),
                ipv6: port.ipv6.clone(),
                network: port.network.clone(),
                host: name(*host),
            };
            (port.eni, Arc::new(section))
        };
        whole.places = Arc::new(ports.iter().map(place).collect());
        for (number, node) in self.hosts.iter_mut().enumerate() {
            let mut own = HostState { host: name(number), ..whole.clone() };
            for (_, n, port) in ports.iter().filter(|(host, ..)| *host == number) {
                own.ports.insert(port.eni, Arc::new(port.clone()));
                own.instances.insert(port.instance, Arc::new(instance(port)));
                node.guests.entry(*n).or_insert_with(|| guest6(&node.ns, port));
            }
            node.apply(own);
        }
    }
}

fn name(host: usize) -> Arc<str> {
    format!("node{host}").into()
}

fn mac(host: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 7, host as u8])
}

/// A guest that takes router advertisements, as systems do.
fn guest6(host: &Ns, port: &PortSection) -> Ns {
    let vm = guest(host, port);
    vm.sh("ip link set eth0 down; sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.accept_dad=0; ip link set eth0 up; ip route replace default via 10.0.0.1");
    vm
}

impl Node {
    fn new(internet: &Ns, number: usize) -> Self {
        let ns = Ns::new("host");
        ns.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0");
        for (device, segment, address) in
            [("eth0", "public", mac(number + 100)), ("eth1", "flat", mac(number))]
        {
            sh(&format!(
                "ip -n {} link add {device} address {address} type veth peer name {segment}{number} netns {}",
                ns.name(),
                internet.name()
            ));
            internet.sh(&format!(
                "ip link set {segment}{number} master {segment}; ip link set {segment}{number} up"
            ));
            ns.sh(&format!("ip link set {device} up"));
        }
        ns.sh(&format!(
            "ip addr add 203.0.113.{}/24 dev eth0; ip addr add {}/64 dev eth0 nodad",
            2 + number,
            host6(number)
        ));
        ns.sh("ip route add default via 203.0.113.1; ip -6 route add default via 2001:db8:f0:ffff::1");
        let namespaces = format!("{}-vpc", ns.name());
        let config = HostConfig { name: name(number).to_string(), namespaces, ..Lab::config() };
        let (states, applied) = (watch::Sender::new(None), watch::channel(Applied::default()).1);
        Self { ns, guests: BTreeMap::new(), config, states, applied, agent: None, generation: 0 }
    }

    /// The VPC's router.
    pub fn router(&self) -> String {
        format!("{}-{}", self.config.namespaces, vpc())
    }

    fn start(&mut self) {
        let (sender, applied) = watch::channel(Applied::default());
        let (states, config) = (self.states.subscribe(), self.config.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = self.ns.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let (own, own_states) = watch::channel(None);
                let (own_report, own_applied) = watch::channel(Applied::default());
                let kernel = Reconciler::new(config.clone()).unwrap();
                let routers = Routers::new(Arc::new(config)).unwrap();
                tokio::select! {
                    result = kernel.run(own_states, own_report) => result.unwrap(),
                    result = routers.run(states, own, own_applied, sender) => result.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        (self.applied, self.agent) = (applied, Some((stop, thread)));
    }

    /// As a kill would.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.agent.take() {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }

    #[track_caller]
    fn apply(&mut self, state: HostState) {
        self.generation += 1;
        let wanted = self.generation;
        self.states.send_replace(Some(Arc::new(HostState { generation: wanted, ..state })));
        if self.agent.is_none() {
            self.start();
        }
        let applied = &self.applied;
        let done = within(Duration::from_secs(10), || {
            let applied = applied.borrow();
            applied.generation == wanted && applied.failures.is_empty() && applied.pending.is_empty()
        });
        assert!(done, "not applied: {:?}", self.applied.borrow());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.router()]).status();
    }
}

/// A VPC of one subnet, whose table leads everything somewhere, and a group that lets everything out.
pub fn state(to: RouteTo) -> HostState {
    let all6 = Cidr6::from(ipnet::Ipv6Net::default());
    let subnet_id = SubnetId::from_random(0x61);
    let acl_id = NetworkAclId::from_random(0x62);
    let network = NetworkSection {
        name: "subnet".into(),
        vpc: Some(vpc()),
        cidr: "10.0.0.0/24".parse().unwrap(),
        cidr6: SUBNET.parse().ok(),
        gateway: [10, 0, 0, 1].into(),
        range: "10.0.0.4-10.0.0.199".parse().unwrap(),
        reserved: [].into(),
        exit: Exit::Here,
        domain: "lab".into(),
    };
    let vpc_section = VpcSection {
        peerings: BTreeMap::new(),
        id: vpc(),
        vni: 606,
        cidrs: ["10.0.0.0/24".parse().unwrap()].into(),
        cidrs6: [VPC.parse().unwrap()].into(),
        dns_support: true,
        dns_hostnames: false,
        dhcp: DhcpSection::default(),
        nat_gateways: BTreeMap::new(),
        private_nat_gateways: BTreeMap::new(),
        tables: [(1, vec![])].into(),
        tables6: [(1, vec![Route6Section { destination: all6, to }])].into(),
    };
    let everything = AclEntry6Section { allow: true, traffic: Traffic::All, cidr: all6 };
    let everything4 =
        AclEntrySection { allow: true, traffic: Traffic::All, cidr: "0.0.0.0/0".parse().unwrap() };
    let acl = AclSection {
        ingress: vec![everything4],
        egress: vec![everything4],
        ingress6: vec![everything],
        egress6: vec![everything],
    };
    let subnet =
        SubnetSection { cidr: network.cidr, cidr6: network.cidr6, table: Some(1), acl: Some(acl_id) };
    let egress = RuleSet { ipv6: vec![(all6, Traffic::All)], ..RuleSet::default() };
    let section = |n| {
        let section = GroupSection { id: group(n), ingress: RuleSet::default(), egress: egress.clone() };
        (group(n), Arc::new(section))
    };
    HostState {
        networks: [(network.name.clone(), Arc::new(network))].into(),
        vpcs: [(vpc(), Arc::new(vpc_section))].into(),
        subnets: [(subnet_id, Arc::new(subnet))].into(),
        acls: [(acl_id, Arc::new(acl))].into(),
        groups: [section(1), section(2)].into(),
        pools6: [POOL.parse().unwrap()].into(),
        ..HostState::default()
    }
}

/// An interface in the subnet with one IPv6 address.
pub fn port6(n: usize, groups: &[usize]) -> PortSection {
    PortSection {
        network: "subnet".into(),
        vpc: vpc(),
        subnet: SubnetId::from_random(0x61),
        ipv6: [ip6(n)].into(),
        subnet_cidr6: SUBNET.parse().ok(),
        ..port(n, groups)
    }
}
