//! What an agent has made of a host's kernel, as text that can be compared.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::lab::Ns;

/// Everything that the agent writes, line by line, without what counts, ages or is numbered by the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kernel(Vec<String>);

impl Kernel {
    /// With the switches of these interfaces.
    pub fn of(host: &Ns, interfaces: &[&str]) -> Self {
        let rules: Value = serde_json::from_str(&host.sh("nft -j list ruleset")).unwrap();
        let objects = rules["nftables"].as_array().unwrap().iter().filter(|it| it.get("metainfo").is_none());
        let rules = objects.map(|object| plain(object).to_string());
        let routing = host.sh(&format!(
            "ip route show table all proto 142; ip rule; ip neigh show proxy; ip neigh show nud permanent; \
             for port in {}; do for key in rp_filter proxy_arp forwarding arp_ignore; do \
             echo $port $key $(cat /proc/sys/net/ipv4/conf/$port/$key); done; done",
            interfaces.join(" "),
        ));
        let routing = routing.lines().map(|line| line.trim().to_owned());
        let mut all: Vec<_> =
            rules.chain(routing).chain(Self::addresses(host).split('\n').map(str::to_owned)).collect();
        all.sort();
        Self(all)
    }

    /// Which interface has which address.
    pub fn addresses(host: &Ns) -> String {
        host.sh("ip -4 -o addr show | tr -s \" \" | cut -d\" \" -f2-4")
    }

    /// What is in one and not in the other; nothing where they are equal.
    pub fn difference(&self, other: &Self) -> String {
        let lines = |mark: &str, of: &Self, not_in: &Self| -> String {
            let only = of.0.iter().filter(|line| !not_in.0.contains(line));
            only.map(|line| format!("{mark} {line}\n")).collect()
        };
        lines("+", self, other) + &lines("-", other, self)
    }
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let counted = ["handle", "packets", "bytes"];
            let kept = map.iter().filter(|(key, _)| !counted.contains(&key.as_str()));
            kept.map(|(key, inner)| (key.clone(), plain(inner))).collect()
        }
        // A set's elements come in any order.
        Value::Array(list) => {
            let mut list: Vec<_> = list.iter().map(plain).collect();
            list.sort_by_key(Value::to_string);
            list.into()
        }
        other => other.clone(),
    }
}

/// Where the rules lead each elastic address.
pub fn mapped(host: &Ns) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    let text = host.sh("nft -j list map inet fogbank elastic_to_private");
    let map: Value = serde_json::from_str(&text).unwrap();
    let objects = map["nftables"].as_array().unwrap().iter();
    let elements = objects.filter_map(|object| object["map"]["elem"].as_array()).flatten();
    elements
        .map(|pair| {
            let end = |at: usize| pair[at].as_str().unwrap().parse().unwrap();
            (end(0), end(1))
        })
        .collect()
}
