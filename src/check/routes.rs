//! Whether the flat networks collide with the way the host reaches others.

use std::fs;
use std::net::Ipv4Addr;

use serde_json::Value;

use super::Finding;
use crate::agent::config::HostConfig;
use crate::agent::names::{GATEWAY_BRIDGE, PORT_PREFIX};
use crate::types::Cidr4;

/// A row of /proc/net/route.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Route {
    interface: String,
    to: Cidr4,
    via: Ipv4Addr,
}

/// `networks` is what the running server answered; without one there is nothing to compare with.
pub fn findings(host: &HostConfig, networks: Option<Result<Value, String>>) -> Vec<Finding> {
    let Some(Ok(Value::Array(networks))) = networks else {
        return vec![Finding::note("no server runs here: networks were not compared with the host's routes")];
    };
    let routes = parse(&fs::read_to_string("/proc/net/route").unwrap_or_default());
    networks.iter().flat_map(|network| of_network(host, network, &routes)).collect()
}

fn of_network(host: &HostConfig, network: &Value, routes: &[Route]) -> Vec<Finding> {
    let text = |field: &str| network[field].as_str().unwrap_or_default().to_owned();
    let (name, gateway) = (text("name"), text("gateway"));
    let Ok(cidr) = text("cidr").parse::<Cidr4>() else { return Vec::new() };
    let mut all: Vec<Finding> = routes
        .iter()
        .filter(|route| collides(host, route, cidr))
        .map(|route| {
            Finding::stop(format!(
                "network {name} ({cidr}) overlaps the host's route to {} by {}: choose another block",
                route.to, route.interface
            ))
        })
        .collect();
    if routes.iter().any(|route| route.via.to_string() == gateway) {
        all.push(Finding::stop(format!("network {name}: its gateway {gateway} is this host's next hop")));
    }
    if all.is_empty() {
        all.push(Finding::fine(format!("network {name} ({cidr}) collides with no route")));
    }
    all
}

/// The default route, our own routes and those of the flat interface may overlap the network.
fn collides(host: &HostConfig, route: &Route, cidr: Cidr4) -> bool {
    let interface = route.interface.as_str();
    let ours =
        interface.starts_with(PORT_PREFIX) || interface == GATEWAY_BRIDGE || interface == host.flat_interface;
    !ours && route.to.prefix_len() > 0 && route.to.overlaps(&cidr)
}

/// The table's numbers are hexadecimal, addresses in the order of the wire read as this machine's.
fn parse(table: &str) -> Vec<Route> {
    let address = |text: &str| u32::from_str_radix(text, 16).ok().map(|n| Ipv4Addr::from(n.to_ne_bytes()));
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let mask = address(words.get(7)?)?;
        let to = format!("{}/{}", address(words.get(1)?)?, u32::from(mask).count_ones());
        let via = address(words.get(2)?)?;
        Some(Route { interface: (*words.first()?).to_owned(), to: to.parse().ok()?, via })
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0
eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
tun0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0
";

    fn host(flat: &str) -> HostConfig {
        toml::from_str(&format!("name='a'\npublic_interface='eth0'\nflat_interface='{flat}'")).unwrap()
    }

    fn stops(flat: &str, cidr: &str, gateway: &str) -> usize {
        let network = serde_json::json!({"name": "flat", "cidr": cidr, "gateway": gateway});
        let found = of_network(&host(flat), &network, &parse(TABLE));
        found.iter().filter(|finding| finding.level == super::super::Level::Stop).count()
    }

    #[test]
    fn a_block_that_the_host_reaches_otherwise_is_in_the_way() {
        assert_eq!(stops("eth1", "10.7.0.0/16", "10.7.0.1"), 1, "tun0 leads to all of 10/8");
        assert_eq!(stops("tun0", "10.7.0.0/16", "10.7.0.1"), 0, "the flat interface's own route");
        assert_eq!(stops("eth1", "172.16.0.0/16", "172.16.0.1"), 0, "the default route overlaps everything");
        assert_eq!(stops("eth1", "172.16.0.0/16", "192.0.2.1"), 1, "the next hop");
    }
}
