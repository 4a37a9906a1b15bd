//! What others do to a VPC's router is undone: to its rules, its ways, its cables, and to its network namespace.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use fogbank::agent::names::{ROUTER_OUT, ROUTER_VXLAN, port_name, transit_name};
use fogbank::agent::routers::split;
use fogbank::plan::HostState;
use fogbank::types::VpcId;

use crate::dice::{Dice, seeds};
use crate::history::History;
use crate::lab::{sh, sweep, within};
use crate::stage::{Dump, Stage, difference};
use crate::worlds::name;

const WORLDS: u64 = 2;

/// Routers are looked at once a second, and all that is in them as hosts are.
const BOUND: Duration = Duration::from_secs(20);

/// A kind, and a line that does it.
type Damage = (&'static str, String);

#[test]
fn what_others_do_to_a_router_is_undone() {
    sweep();
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for seed in seeds(WORLDS) {
            let done = &done;
            scope.spawn(move || Scene::new(seed).run(done));
        }
    });
    println!("{:?}", done.into_inner().unwrap());
}

struct Scene {
    seed: u64,
    dice: Dice,
    stage: Stage,
    state: HostState,
    vpc: VpcId,
    /// Its network namespace.
    name: String,
}

impl Scene {
    /// A host with a router that has a port, with IPv6, and a way to another host, which has lived for a while.
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (history, number, state, vpc) = loop {
            // Even ones have isolated VPCs.
            let history = History::new(dice.next() & !1, 2);
            let number = dice.below(history.hosts);
            let state = history.states(&name(number)).pop().unwrap();
            let whole = |(_, router): &(VpcId, split::Router)| {
                let kernel = &router.kernel;
                let away = kernel
                    .places
                    .values()
                    .any(|place| place.host != state.host && kernel.hosts.contains_key(&place.host));
                kernel.ports.values().any(|port| !port.ipv6.is_empty())
                    && away
                    && kernel.hosts.contains_key(&state.host)
            };
            let found = split::routers(&state).into_iter().find(whole).map(|(vpc, _)| vpc);
            if let Some(vpc) = found {
                break (history, number, state, vpc);
            }
        };
        let mut stage = Stage::new(number, history.one_nic);
        stage.plug(&state);
        stage.tell(&state);
        let name = format!("{}-{vpc}", stage.host.config.namespaces);
        let scene = Self { seed, dice, stage, state, vpc, name };
        scene.is_quiet();
        scene
    }

    fn is_quiet(&self) {
        let quiet = within(BOUND, || self.stage.failures().is_empty());
        assert!(quiet, "FOGBANK_SEED={}: {:?}", self.seed, self.stage.failures());
    }

    /// How it is when nothing has changed for as long as it takes to look.
    fn settled(&self) -> Dump {
        let mut last = Dump::new();
        let still = within(BOUND, || {
            let now = self.stage.dump(&self.state);
            std::mem::replace(&mut last, now) == last
        });
        assert!(still, "FOGBANK_SEED={}", self.seed);
        last
    }

    fn run(mut self, done: &Mutex<BTreeMap<&'static str, usize>>) {
        let wanted = self.settled();
        for (kind, line) in self.damages() {
            sh(&line);
            // What some do is silent: it is found at the next full look.
            self.stage.tell(&self.state);
            self.repaired(kind, &wanted);
            *done.lock().unwrap().entry(kind).or_default() += 1;
        }
        self.gone(&wanted);
    }

    fn damages(&mut self) -> Vec<Damage> {
        let inside = |line: &str| format!("ip netns exec {} sh -c '{line}'", self.name);
        let routes = sh(&inside("ip -4 route show table all proto 142"));
        let route = |picked: &str| {
            let words: Vec<_> = picked.split(" scope").next().unwrap().split_whitespace().collect();
            words
                .into_iter()
                .filter(|word| !["onlink", "linkdown", "dead"].contains(word))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let of =
            |what: &str| routes.lines().filter(|line| line.contains(what)).map(route).collect::<Vec<_>>();
        let (tables, ways) = (of(" table 1420"), of(&format!("dev {ROUTER_VXLAN}")));
        let peers = sh(&format!("bridge -n {} fdb show dev {ROUTER_VXLAN}", self.name));
        let peer = peers.lines().next().unwrap().split_whitespace().next().unwrap().to_owned();
        let table = self.dice.pick(&tables).clone();
        let mut all = vec![
            ("rules", inside("nft flush ruleset")),
            ("a subnet's route", inside(&format!("ip route del {table}"))),
            (
                "a route too many",
                inside(&format!("ip route add 192.0.2.0/24 dev {ROUTER_OUT} proto 142 table 1420001")),
            ),
            ("a way to another host", inside(&format!("ip route del {}", self.dice.pick(&ways)))),
            ("the rules of routing", inside("ip rule del pref 14210")),
            ("neighbours", inside("ip neigh flush nud permanent")),
            ("a host", inside(&format!("bridge fdb del {peer} dev {ROUTER_VXLAN}"))),
            (
                "a host's address",
                inside(&format!("bridge fdb replace {peer} dev {ROUTER_VXLAN} dst 169.254.191.9")),
            ),
            (
                "a host too many",
                inside(&format!("bridge fdb append 2:fb:1:0:3:3 dev {ROUTER_VXLAN} dst 169.254.191.9")),
            ),
            (
                "a host for all",
                inside(&format!("bridge fdb append 0:0:0:0:0:0 dev {ROUTER_VXLAN} dst 169.254.191.9")),
            ),
            ("the VXLAN device is down", inside(&format!("ip link set {ROUTER_VXLAN} down"))),
            ("the VXLAN device", inside(&format!("ip link del {ROUTER_VXLAN}"))),
            ("the cable is down", inside(&format!("ip link set {ROUTER_OUT} down"))),
            ("the cable", inside(&format!("ip link del {ROUTER_OUT}"))),
        ];
        all.extend(self.damages6());
        let host = self.stage.host.ns.name();
        all.push(("the cable's end", format!("ip -n {host} link set {} down", transit_name(self.vpc))));
        all
    }

    /// To what there is of IPv6, in the router and on its host.
    fn damages6(&mut self) -> Vec<Damage> {
        let (router, host) = (self.name.clone(), self.stage.host.ns.name().to_owned());
        let inside = |line: &str| format!("ip netns exec {router} sh -c '{line}'");
        let on_host = |line: &str| format!("ip netns exec {host} sh -c '{line}'");
        let switch = |name: &str, key: &str| format!("echo 0 > /proc/sys/net/ipv6/conf/{name}/{key}");
        let routes = sh(&inside("ip -6 route show table all proto 142"));
        let of = |what: &str| {
            let lines = routes.lines().filter(|line| line.contains(what));
            lines.map(|line| line.split(" metric").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let with = self.state.ports.values().filter(|port| port.vpc == self.vpc && !port.ipv6.is_empty());
        let port = with.min_by_key(|port| port.eni).unwrap().clone();
        let (name, ip, cable) = (port_name(port.eni), port.ipv6[0], transit_name(self.vpc));
        let table = self.dice.pick(&of(" table 1420")).clone();
        let number = table.split("table ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        vec![
            ("the table of IPv6", inside("nft delete table ip6 fogbank")),
            ("an element of IPv6", inside("nft flush set ip6 fogbank port_addresses")),
            ("a route of IPv6", inside(&format!("ip -6 route del {ip}"))),
            ("where a route of IPv6 leads", inside(&format!("ip -6 route replace blackhole {ip} proto 142"))),
            ("a subnet's route of IPv6", inside(&format!("ip -6 route flush table {number}"))),
            (
                "a route of IPv6 too many",
                inside(&format!("ip -6 route add 2001:db8:9::/48 dev {ROUTER_OUT} proto 142 table {number}")),
            ),
            ("the rules of routing of IPv6", inside("ip -6 rule del pref 14210")),
            ("the router's own address", inside(&format!("ip addr del fe80::1/64 dev {name}"))),
            ("neighbours of IPv6", inside("ip -6 neigh flush nud permanent")),
            ("the router's forwarding", inside(&switch("all", "forwarding"))),
            (
                "a port without IPv6",
                inside("echo 1 > /proc/sys/net/ipv6/conf/NAME/disable_ipv6").replace("NAME", &name),
            ),
            ("a way to a router", on_host(&format!("ip -6 route del {ip}"))),
            ("who answers outside", on_host(&format!("ip -6 neigh del proxy {ip} dev eth0"))),
            ("whether anybody does", on_host(&switch("eth0", "proxy_ndp"))),
            ("the cable's IPv6", on_host(&format!("echo 1 > /proc/sys/net/ipv6/conf/{cable}/disable_ipv6"))),
            // With it went the word that the host forwards for instances alone.
            ("the gateways' bridge", on_host("ip link del fb-gateway")),
        ]
    }

    /// Its network namespace is deleted, and its ports with it: they come back with their driver.
    fn gone(&mut self, wanted: &Dump) {
        sh(&format!("ip netns del {}", self.name));
        assert!(within(BOUND, || self.stage.routers().contains(&self.name)), "FOGBANK_SEED={}", self.seed);
        // The kernel takes its time to end what was in it.
        let lost: Vec<_> = self.state.ports.values().filter(|port| port.vpc == self.vpc).collect();
        let ended = || lost.iter().all(|port| !self.stage.links().contains(&port_name(port.eni)));
        assert!(within(BOUND, ended), "FOGBANK_SEED={}", self.seed);
        self.stage.plug(&self.state);
        self.repaired("the network namespace", wanted);
    }

    fn repaired(&self, kind: &str, wanted: &Dump) {
        let mut got = Dump::new();
        let same = within(BOUND, || {
            got = self.stage.dump(&self.state);
            got == *wanted
        });
        let (seed, failures) = (self.seed, self.stage.failures());
        let unlike = difference(&got, wanted);
        assert!(same, "FOGBANK_SEED={seed}, not repaired: {kind}\n{unlike}\n{failures:?}");
        self.is_quiet();
    }
}
