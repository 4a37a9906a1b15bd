//! One host with a real agent whose server and driver is the test, and everything that is in its kernel.

use std::collections::{BTreeMap, BTreeSet};

use fogbank::agent::kernel::sysctl::{self, Switch};
use fogbank::agent::names::{PORT_MAC, PORT_PREFIX, port_name};
use fogbank::plan::{Exit, Failure, HostState};
use serde_json::Value as Json;

use crate::hosts::{Host, SOON};
use crate::lab::{Ns, sh, within};
use crate::wires::public_mac;
use crate::worlds::{mac, own};

/// What is in a kernel, by kind; each a text that can be compared.
pub type Dump = BTreeMap<String, String>;

pub struct Stage {
    pub host: Host,
    /// Holds the other ends of all cables.
    _beyond: Ns,
    told: u64,
    running: bool,
    links: BTreeSet<String>,
}

impl Stage {
    /// A host of this number, without an agent yet.
    pub fn new(number: usize, one_nic: bool) -> Self {
        let (mut host, beyond) = (Host::new("host"), Ns::new("beyond"));
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
        Self { host, _beyond: beyond, told: 0, running: false, links: BTreeSet::new() }
    }

    fn ip(&self, lines: &[String]) {
        if !lines.is_empty() {
            sh(&format!("ip -n {} -batch - <<E\n{}\nE", self.host.ns.name(), lines.join("\n")));
        }
    }

    /// Makes the interfaces of a state as a driver would.
    pub fn plug(&mut self, state: &HostState) {
        let missing = state.ports.values().filter(|port| !self.links.contains(&port_name(port.eni)));
        let mut lines = Vec::new();
        for port in missing {
            let (name, there) = (port_name(port.eni), self._beyond.name());
            let peer = name.replacen(PORT_PREFIX, "g", 1);
            lines
                .push(format!("link add {name} address {PORT_MAC} type veth peer name {peer} netns {there}"));
            lines.push(format!("link set {name} alias {}", port.eni));
        }
        self.ip(&lines);
        self.links.extend(state.ports.values().map(|port| port_name(port.eni)));
    }

    /// Takes away the interfaces that a state has not.
    pub fn unplug(&mut self, state: &HostState) {
        let want: BTreeSet<_> = state.ports.values().map(|port| port_name(port.eni)).collect();
        let gone: Vec<_> = self.links.difference(&want).map(|name| format!("link del {name}")).collect();
        self.ip(&gone);
        self.links.retain(|name| want.contains(name));
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
        assert!(within(SOON, || applied().generation == state.generation), "{:?}", applied());
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

    /// Deletes everything that the agent has written.
    pub fn flush(&self) {
        self.host.ns.sh(
            "nft flush ruleset; ip route flush table all proto 142 2>/dev/null; ip link del fb-gateway; \
             ip neigh flush nud permanent; \
             ip neigh show proxy | while read address _ name _; do ip neigh del proxy $address dev $name; done; \
             ip -4 -o addr show dev eth0 | while read _ _ _ address _; do \
                 case $address in */32) ip addr del $address dev eth0;; esac; done; \
             ip rule show | sed -n \"s/^\\(1420[0-9]\\):.*/\\1/p\" | while read number; do ip rule del pref $number; done",
        );
    }

    /// Everything of ours, or near it, as it is now. The order of what has none is not told, nor what the kernel numbers.
    pub fn dump(&self, state: &HostState) -> Dump {
        let text = self.host.ns.sh(
            "nft -j list ruleset; echo; echo ---; ip -4 -o addr; echo ---; ip -d route show table all proto 142; \
             echo ---; ip rule; echo ---; ip neigh show nud permanent; echo ---; ip neigh show proxy; echo ---; \
             ip -o link",
        );
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
        let switches = self.switches(state);
        dump.extend(self.host.ns.run(move || {
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
        all
    }
}

/// A line of `ip` without numbers of interfaces and what comes and goes with a cable.
fn plain(line: &str) -> String {
    let line = match line.split_once(": ") {
        Some((number, rest)) if number.parse::<u32>().is_ok() => {
            // Rules begin with their priority, addresses with their interface's number.
            if rest.contains("inet ") { rest.to_owned() } else { line.to_owned() }
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
