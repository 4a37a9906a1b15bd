//! One host with a real agent whose server and driver is the test, and everything that is in its kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fogbank::agent::kernel::ipv6;
use fogbank::agent::kernel::sysctl::{self, Switch};
use fogbank::agent::names::{
    PORT_MAC, PORT_PREFIX, ROUTER_OUT, ROUTER_VXLAN, peering_name, port_name, transit_name,
};
use fogbank::agent::routers::split;
use fogbank::plan::{Exit, Failure, HostState};
use fogbank::types::VpcId;
use serde_json::Value as Json;

use crate::hosts::Host;
use crate::lab::{Ns, run_in, sh, within};
use crate::wires::public_mac;
use crate::worlds::{mac, own};

/// How long a host takes at most with the routers of several VPCs, on a machine that does other things beside.
const PATIENCE: Duration = Duration::from_secs(30);

const FLUSH: &str = "nft flush ruleset; ip route flush table all proto 142 2>/dev/null; ip link del fb-gateway; \
     ip neigh flush nud permanent; \
     ip neigh show proxy | while read address _ name _; do ip neigh del proxy $address dev $name; done; \
     ip -4 -o addr show dev eth0 2>/dev/null | while read _ _ _ address _; do \
         case $address in */32) ip addr del $address dev eth0;; esac; done; \
     ip -6 route flush table all proto 142 2>/dev/null; \
     ip -6 -o addr show to fe80::1 | while read _ name _; do ip addr del fe80::1/64 dev $name; done; \
     ip -6 rule show | sed -n \"s/^\\(142[01][0-9]\\):.*/\\1/p\" | while read number; do ip -6 rule del pref $number; done; \
     ip rule show | sed -n \"s/^\\(142[01][0-9]\\):.*/\\1/p\" | while read number; do ip rule del pref $number; done";

const LIST: &str = "nft -j list ruleset; echo; echo ---; ip -4 -o addr; ip -6 -o addr show to fe80::1; echo ---; \
     ip -4 -d route show table all proto 142; ip -6 -d route show table all proto 142; echo ---; ip rule; ip -6 rule; \
     echo ---; ip neigh show nud permanent; echo ---; ip neigh show proxy; echo ---; ip -o link";

/// What is in a kernel, by kind; each a text that can be compared.
pub type Dump = BTreeMap<String, String>;

pub struct Stage {
    pub host: Host,
    /// Holds the other ends of all cables.
    beyond: Ns,
    told: u64,
    running: bool,
}

impl Stage {
    /// A host of this number, without an agent yet.
    pub fn new(number: usize, one_nic: bool) -> Self {
        let (mut host, beyond) = (Host::with_routers("host"), Ns::new("beyond"));
        let flat = if one_nic { "eth0" } else { "eth1" };
        host.config.flat_interface = flat.into();
        let mut lines = Vec::new();
        for interface in ["eth0", "eth1"].into_iter().take(if one_nic { 1 } else { 2 }) {
            let address = if interface == flat { mac(number) } else { public_mac(number) };
            let there = beyond.name();
            lines.push(format!(
                "link add {interface} address {address} type veth peer name {interface} netns {there}"
            ));
            lines.push(format!("link set {interface} up"));
            sh(&format!("ip -n {} -batch - <<E\n{}\nE", host.ns.name(), lines.join("\n")));
            sh(&format!("ip -n {there} link set {interface} up"));
            lines.clear();
        }
        lines.push(format!("addr add {}/24 dev eth0", own(number)));
        lines.push("route add default via 203.0.113.1".into());
        sh(&format!("ip -n {} -batch - <<E\n{}\nE", host.ns.name(), lines.join("\n")));
        Self { host, beyond, told: 0, running: false }
    }

    fn ip(&self, lines: &[String]) {
        if !lines.is_empty() {
            sh(&format!("ip -n {} -batch - <<E\n{}\nE", self.host.ns.name(), lines.join("\n")));
        }
    }

    /// Makes the interfaces of a state as a driver would: each with its alias, before the agent sees its name.
    pub fn plug(&mut self, state: &HostState) {
        let links = self.links();
        let missing = state.ports.values().filter(|port| !links.contains(&port_name(port.eni)));
        let mut lines = Vec::new();
        for port in missing {
            let (name, there) = (port_name(port.eni), self.beyond.name());
            let (peer, new) = (name.replacen(PORT_PREFIX, "g", 1), name.replacen(PORT_PREFIX, "n", 1));
            lines.push(format!("link add {new} address {PORT_MAC} type veth peer name {peer} netns {there}"));
            lines.push(format!("link set {new} alias {}", port.eni));
            lines.push(format!("link set {new} name {name}"));
        }
        self.ip(&lines);
    }

    /// The ports that there are, on the host or in routers: those whose other ends are. They go with a router.
    pub fn links(&self) -> BTreeSet<String> {
        let text = sh(&format!("ip -n {} -o link", self.beyond.name()));
        let names = text.lines().filter_map(|line| line.split([':', '@']).nth(1));
        let ends = names.filter_map(|name| Some(format!("{PORT_PREFIX}{}", name.trim().strip_prefix('g')?)));
        ends.collect()
    }

    /// Takes away the interfaces that a state has not.
    pub fn unplug(&mut self, state: &HostState) {
        let want: BTreeSet<_> = state.ports.values().map(|port| port_name(port.eni)).collect();
        // It may be in a router by now: with its other end it goes wherever it is.
        let gone =
            self.links().difference(&want).map(|name| name.replacen(PORT_PREFIX, "g", 1)).collect::<Vec<_>>();
        let gone: Vec<_> = gone.into_iter().map(|name| format!("link del {name}")).collect();
        if !gone.is_empty() {
            sh(&format!(
                "ip -n {} -force -batch - 2>&1 <<E || true\n{}\nE",
                self.beyond.name(),
                gone.join("\n")
            ));
        }
    }

    /// Hands the agent a state, and waits until it has done what it can.
    pub fn tell(&mut self, state: &HostState) {
        self.told += 1;
        let state = HostState { generation: self.told, ..state.clone() };
        self.host.tell(&state);
        if !self.running {
            self.running = true;
            self.host.start();
        }
        let applied = || self.host.applied.borrow().clone();
        assert!(within(PATIENCE, || applied().generation == state.generation), "{:?}", applied());
    }

    /// Has the agent look at everything there is, as it does by itself from time to time: told the same again, it takes no
    /// short way.
    pub fn look(&mut self, state: &HostState) {
        let state = HostState { generation: self.told, ..state.clone() };
        self.host.applied.mark_unchanged();
        self.host.tell(&state);
        assert!(within(PATIENCE, || self.host.applied.has_changed().unwrap()), "no look");
    }

    /// Ends the agent; the next state is told to another one.
    pub fn stop(&mut self) {
        self.host.stop();
        self.running = false;
    }

    /// What the agent could not do, as it last said.
    pub fn failures(&self) -> Vec<Failure> {
        self.host.applied.borrow().failures.clone()
    }

    /// The network namespaces of routers that there are.
    pub fn routers(&self) -> Vec<String> {
        let prefix = format!("{}-", self.host.config.namespaces);
        let all = std::fs::read_dir("/run/netns").unwrap();
        let names = all.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let mut found: Vec<_> = names.filter(|name| name.starts_with(&prefix)).collect();
        found.sort();
        found
    }

    /// Deletes everything that the agent has written.
    pub fn flush(&self) {
        self.host.ns.sh(FLUSH);
        for router in self.routers() {
            sh(&format!("ip netns exec {router} sh -c '{FLUSH}'"));
        }
    }

    /// Everything of ours, or near it, as it is now: the host's own, and each router's under its VPC.
    pub fn dump(&self, state: &HostState) -> Dump {
        let mut dump = self.part(self.host.ns.name(), &split::host(state), self.switches(state));
        let wanted: Vec<_> = split::routers(state).into_iter().collect();
        let there = self.routers();
        let short = |name: &String| name.rsplit("vpc-").next().unwrap_or_default().to_owned();
        dump.insert("routers".into(), format!("{:?}", there.iter().map(short).collect::<Vec<_>>()));
        for (vpc, router) in wanted {
            let name = format!("{}-{vpc}", self.host.config.namespaces);
            if !there.contains(&name) {
                continue;
            }
            let ports = router.kernel.ports.values();
            let mut switches: Vec<_> = ports.flat_map(|port| sysctl::port(&sysctl::Port::of(port))).collect();
            if ipv6::is_carried(&router.kernel) {
                switches.push(ipv6::switches::router());
                let vpcs = router.kernel.vpcs.values();
                let cables = vpcs.flat_map(|vpc| vpc.peerings.keys().map(|id| peering_name(*id)));
                let cables = cables.chain([ROUTER_OUT, ROUTER_VXLAN].map(str::to_owned));
                switches.extend(cables.flat_map(|name| ipv6::switches::ours(&name)));
            }
            let part = self.part(&name, &router.kernel, switches);
            dump.extend(part.into_iter().map(|(key, text)| (format!("{vpc} {key}"), text)));
            let device = format!("ip -n {name} -d -j link show fb-vxlan 2>/dev/null || echo [{{}}]");
            let device: Json = serde_json::from_str(&sh(&device)).unwrap();
            dump.insert(format!("{vpc} VXLAN"), device[0]["linkinfo"]["info_data"].to_string());
            let entries = sh(&format!("bridge -n {name} fdb show dev fb-vxlan 2>/dev/null || true"));
            let entries = entries.lines().map(|line| line.split(" link-netnsid").next().unwrap());
            let mut entries: Vec<_> = entries.collect();
            entries.sort_unstable();
            dump.insert(format!("{vpc} peers"), entries.join("\n"));
        }
        dump
    }

    /// One network namespace. The order of what has none is not told, nor what the kernel numbers.
    fn part(&self, ns: &str, state: &HostState, switches: Vec<Switch>) -> Dump {
        let text = sh(&format!("ip netns exec {ns} sh -c '{LIST}'"));
        let parts: Vec<&str> = text.split("---\n").collect();
        let mut dump = rules(parts[0]);
        let kinds = ["addresses", "routes", "routing rules", "neighbours", "proxy entries"];
        for (kind, part) in kinds.into_iter().zip(&parts[1..]) {
            let mut lines: Vec<_> = part.lines().map(plain).collect();
            lines.sort();
            dump.insert(kind.into(), lines.join("\n"));
        }
        let ours: BTreeSet<_> = state.ports.values().map(|port| port_name(port.eni)).collect();
        for line in parts[6].lines() {
            let words: Vec<_> = line.split([' ', ':', '@']).filter(|word| !word.is_empty()).collect();
            if ours.contains(words[1]) || words[1] == "fb-gateway" {
                let up = line.contains(",UP") || line.contains("<UP");
                let mac = (words[1] != "fb-gateway")
                    .then(|| line.split("link/ether ").nth(1).unwrap()[..17].to_owned());
                let alias = line.split("alias ").nth(1).map(str::trim);
                dump.insert(format!("link {}", words[1]), format!("{up} {mac:?} {alias:?}"));
            }
        }
        dump.extend(run_in(ns, move || {
            let read = |(path, _): Switch| {
                let value = std::fs::read_to_string(format!("/proc/sys/net/{path}")).unwrap_or_default();
                (path, value.trim().to_owned())
            };
            switches.into_iter().map(read).collect::<Vec<_>>()
        }));
        dump
    }

    /// The switches that the state needs.
    fn switches(&self, state: &HostState) -> Vec<Switch> {
        let relays = state.networks.values().any(|network| matches!(network.exit, Exit::By(_)));
        let config = &self.host.config;
        let mut all = sysctl::flat(&config.flat_interface, relays);
        all.extend(sysctl::public(&config.public_interface));
        for port in state.ports.values() {
            all.extend(sysctl::port(&sysctl::Port::of(port)));
        }
        let carried: BTreeSet<VpcId> = split::host(state).routed6.values().copied().collect();
        all.extend(carried.iter().flat_map(|vpc| ipv6::switches::cable(&transit_name(*vpc))));
        if !carried.is_empty() {
            let of = |key: &str| (format!("ipv6/conf/{}/{key}", config.public_interface), "1");
            all.extend(["proxy_ndp", "forwarding", "force_forwarding"].map(of));
        }
        all
    }
}

/// A line of `ip` without numbers of interfaces and what comes and goes with a cable.
fn plain(line: &str) -> String {
    let line = match line.split_once(": ") {
        Some((number, rest)) if number.parse::<u32>().is_ok() => {
            // Rules begin with their priority, addresses with their interface's number.
            if rest.contains("inet") { rest.to_owned() } else { line.to_owned() }
        }
        _ => line.to_owned(),
    };
    let words = line.split_whitespace().filter(|word| *word != "linkdown" && *word != "\\");
    words.collect::<Vec<_>>().join(" ")
}

/// What nft lists, by set and chain: rules in order, elements in none.
fn rules(text: &str) -> Dump {
    let document: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut dump = Dump::new();
    for object in document["nftables"].as_array().unwrap() {
        let (kind, object) = object.as_object().unwrap().iter().next().unwrap();
        if kind == "metainfo" {
            continue;
        }
        let mut object = object.clone();
        let fields = object.as_object_mut().unwrap();
        fields.remove("handle");
        if let Some(Json::Array(elements)) = fields.get_mut("elem") {
            elements.sort_by_key(Json::to_string);
        }
        let word = |key: &str| object[key].as_str().unwrap_or_default();
        let name = if kind == "rule" { word("chain") } else { word("name") };
        let key = format!("nft {} {} {name}", word("family"), word("table"));
        let entry = dump.entry(key).or_default();
        entry.push_str(&format!("{kind} {object}\n"));
    }
    dump
}

/// Where two differ, for people.
pub fn difference(one: &Dump, other: &Dump) -> String {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let other_than = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    let told = other_than.map(|key| {
        let text = |dump: &Dump| dump.get(key).cloned().unwrap_or_else(|| "nothing".into());
        format!("{key}:\n{}\nwanted:\n{}\n", text(one), text(other))
    });
    told.collect()
}
