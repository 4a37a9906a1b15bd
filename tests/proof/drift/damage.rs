//! What others may do to objects of ours: one of every kind that there is in a state.

use std::net::Ipv4Addr;

use fogbank::agent::kernel::{policy, sysctl};
use fogbank::agent::names::port_name;
use fogbank::plan::{Exit, HostState, PortSection, next_hop};
use serde_json::{Value as Json, json};

use crate::dice::Dice;
use crate::stage::Stage;

/// A command, and what it takes to repair what it does.
#[derive(Clone, Debug)]
pub struct Damage {
    pub kind: &'static str,
    pub line: String,
    /// Objects of routing that must be written.
    pub objects: usize,
    /// Transactions of rules.
    pub transactions: u32,
}

impl Damage {
    /// Whether the kernel tells nobody of it, nor of its repair: it is found at the next full look.
    pub fn is_silent(&self) -> bool {
        self.kind == "a host's mark"
    }
}

fn objects(kind: &'static str, line: String, objects: usize) -> Damage {
    Damage { kind, line, objects, transactions: 0 }
}

fn rules(kind: &'static str, line: String) -> Damage {
    Damage { kind, line, objects: 0, transactions: 1 }
}

/// All that can be done to this host, each to an object by chance.
pub fn all(stage: &Stage, state: &HostState, dice: &mut Dice) -> Vec<Damage> {
    let mut all = to_rules(stage, dice);
    let ports: Vec<_> = state.ports.values().cloned().collect();
    if !ports.is_empty() {
        let port = dice.pick(&ports).clone();
        all.extend(to_port(&port, state));
        all.extend(to_port_switches(&port));
        all.extend(to_proxies(&port, &stage.host.config.flat_interface));
    }
    all.extend(to_addresses(state));
    all.extend(to_ways(state, &stage.host.config.flat_interface));
    all.extend(to_outside_switches(state, stage));
    all
}

fn to_addresses(state: &HostState) -> Vec<Damage> {
    let mut all = Vec::new();
    if let Some(ip) = state.addresses.keys().next() {
        all.push(objects("an elastic address", format!("ip addr del {ip}/32 dev eth0"), 1));
        let line = format!("ip addr change {ip}/32 dev eth0 valid_lft 900 preferred_lft 900");
        all.push(objects("the time of an elastic address", line, 1));
    }
    for network in state.networks.values().take(1) {
        let gateway = network.gateway;
        // The kernel takes routes away with the address that they name.
        let routes = state.ports.values().filter(|port| port.network == network.name).count();
        all.push(objects("a gateway", format!("ip addr del {gateway}/32 dev fb-gateway"), 1 + routes));
        let line = format!("ip addr change {gateway}/32 dev fb-gateway valid_lft 900 preferred_lft 900");
        all.push(objects("the time of a gateway", line, 1));
    }
    let gateways = state.networks.len();
    // What was on the bridge or named its addresses; who writes a link is not told.
    let line = "ip link del fb-gateway".to_owned();
    all.push(objects("the gateways' bridge", line, gateways + state.ports.len()));
    all.push(objects("the bridge is down", "ip link set fb-gateway down".into(), 0));
    all
}

fn to_port(port: &PortSection, state: &HostState) -> Vec<Damage> {
    let (name, ip) = (port_name(port.eni), port.private_ip);
    let gateway = state.networks[&port.network].gateway;
    let mac = port.mac;
    vec![
        objects("a route", format!("ip route del {ip}/32"), 1),
        objects("where a route leads", format!("ip route replace {ip}/32 dev eth0 proto 142"), 1),
        objects("what kind a route is", format!("ip route replace blackhole {ip}/32 proto 142"), 1),
        objects(
            "a route's source",
            format!("ip route replace {ip}/32 dev {name} proto 142 scope link src 203.0.113.77"),
            1,
        ),
        objects("a route before ours", format!("ip route prepend {ip}/32 dev eth0 proto 142"), 1),
        objects("a route behind ours", format!("ip route append {ip}/32 dev eth0 proto 142"), 1),
        objects(
            "a route for some packets",
            format!("ip route add {ip}/32 tos 0x10 dev {name} proto 142 scope link src {gateway}"),
            1,
        ),
        objects("a route too many", format!("ip route add 192.0.2.77/32 dev {name} proto 142"), 1),
        objects("a neighbour", format!("ip neigh del {ip} dev {name}"), 1),
        objects(
            "a neighbour's address",
            format!("ip neigh change {ip} dev {name} lladdr 2:0:0:0:9:9 nud permanent"),
            1,
        ),
        objects("a neighbour's state", format!("ip neigh change {ip} dev {name} lladdr {mac} nud stale"), 1),
        objects(
            "a neighbour too many",
            format!("ip neigh add 192.0.2.77 dev {name} lladdr 2:0:0:0:9:9 nud permanent"),
            1,
        ),
        // With it go the route and the neighbour.
        objects("a port is down", format!("ip link set {name} down"), 2),
        objects("a port's address", format!("ip link set {name} address 2:0:0:0:9:9"), 1),
    ]
}

fn to_port_switches(port: &PortSection) -> Vec<Damage> {
    let switches = sysctl::port(&sysctl::Port::of(port));
    let kinds = [
        "a port speaks IPv6",
        "a port hears routers",
        "a port's sources",
        "a port's redirects are heard",
        "a port is redirected",
        "a port answers late",
        "a port answers for nobody",
        "a port is not forwarded",
    ];
    kinds.into_iter().zip(switches).map(|(kind, switch)| turn(kind, &switch)).collect()
}

fn turn(kind: &'static str, (path, value): &sysctl::Switch) -> Damage {
    let other = if *value == "0" { "1" } else { "0" };
    let line = format!("echo {other} > /proc/sys/net/{path}");
    Damage { kind, line, objects: 0, transactions: 0 }
}

fn to_outside_switches(state: &HostState, stage: &Stage) -> Vec<Damage> {
    let relays = state.networks.values().any(|network| matches!(network.exit, Exit::By(_)));
    let flat = sysctl::flat(&stage.host.config.flat_interface, relays);
    let flat = flat.iter().map(|switch| turn("a switch of the flat interface", switch));
    flat.chain(sysctl::public("eth0").iter().map(|switch| turn("a switch of the public interface", switch)))
        .collect()
}

fn to_proxies(port: &PortSection, flat: &str) -> Vec<Damage> {
    let ip = port.private_ip;
    vec![
        objects("a proxy entry", format!("ip neigh del proxy {ip} dev {flat}"), 0),
        objects(
            "a proxy entry's mark",
            format!("ip neigh del proxy {ip} dev {flat}; ip neigh add proxy {ip} dev {flat}"),
            0,
        ),
        objects(
            "a proxy entry too many",
            format!("ip neigh add proxy 192.0.2.77 dev {flat} protocol 142"),
            0,
        ),
    ]
}

/// The ways to other hosts.
fn to_ways(state: &HostState, flat: &str) -> Vec<Damage> {
    let mut all = Vec::new();
    let network = state.networks.values().next();
    all.extend(network.map(|network| {
        objects("a flat network's route", format!("ip route del {} proto 142", network.cidr), 1)
    }));
    let Some(peer) = state.hosts.values().find(|peer| peer.name != state.host) else { return all };
    let (hop, mac) = (peer.next_hop, peer.mac);
    all.push(objects("a host", format!("ip neigh del {hop} dev {flat}"), 1));
    all.push(objects(
        "a host's address",
        format!("ip neigh change {hop} dev {flat} lladdr 2:0:0:0:9:9 nud permanent"),
        1,
    ));
    all.push(objects(
        "a host's mark",
        // Deleted and added without one, it may keep the mark: the kernel takes an entry that is in use up again.
        format!("ip neigh replace {hop} dev {flat} lladdr {mac} nud permanent protocol 99"),
        0,
    ));
    let stranger = next_hop(99);
    all.push(objects(
        "a host too many",
        format!("ip neigh add {stranger} dev {flat} lladdr 2:0:0:0:9:9 nud permanent protocol 142"),
        1,
    ));
    let remote = state
        .places
        .values()
        .find(|place| *place.host == *peer.name && !state.ports.contains_key(&place.eni));
    all.extend(remote.map(|place| {
        let line = format!("ip route del {}/32 proto 142", place.private_ip);
        objects("a route to another host", line, 1)
    }));
    all.extend(to_routing_rules(state, flat));
    all
}

fn to_routing_rules(state: &HostState, flat: &str) -> Vec<Damage> {
    let relayed = state.networks.values().find_map(|network| match &network.exit {
        Exit::By(gateway) => Some((network, state.hosts.get(gateway)?)),
        _ => None,
    });
    let Some((network, gateway)) = relayed else { return Vec::new() };
    let (from, table) = (network.cidr, policy::table(gateway.next_hop));
    vec![
        objects("a routing rule", format!("ip rule del pref 14202 from {from}"), 1),
        objects(
            "where a routing rule leads",
            format!(
                "ip rule del pref 14202 from {from}; ip rule add pref 14202 from {from} lookup main protocol 142"
            ),
            2,
        ),
        objects(
            "a routing rule too many",
            format!("ip rule add pref 14202 from 192.0.2.0/24 lookup {table} protocol 142"),
            1,
        ),
        objects("the way to a gateway", format!("ip route del default table {table}"), 1),
        objects(
            "another way to a gateway",
            format!(
                "ip route replace default via {} dev {flat} onlink proto 142 table {table}",
                Ipv4Addr::new(169, 254, 130, 9)
            ),
            1,
        ),
    ]
}

/// An object of nft's list, of a kind.
fn listed(text: &str, kind: &str) -> Vec<Json> {
    let document: Json = serde_json::from_str(text).unwrap();
    let objects = document["nftables"].as_array().unwrap().iter();
    // Chains by the names of words of its own are none that nft can be told of.
    let word = |object: &Json| {
        ["name", "chain"].iter().any(|key| object[key] == "nat_in" || object[key] == "nat_out")
    };
    let ours = |object: &&Json| object["table"] == "fogbank" && object["family"] != "ip" && !word(object);
    objects.filter_map(|object| object.get(kind)).filter(ours).cloned().collect()
}

fn to_rules(stage: &Stage, dice: &mut Dice) -> Vec<Damage> {
    let text = stage.host.ns.sh("nft -j list ruleset");
    let mut all = vec![
        rules("the table", "nft delete table inet fogbank".into()),
        rules("the table of ARP", "nft delete table arp fogbank".into()),
        rules("a chain too many", "nft add chain inet fogbank theirs".into()),
        rules("a set too many", "nft add set inet fogbank theirs \"{ type ipv4_addr ; }\"".into()),
        rules("a table that is asleep", "nft add table inet fogbank \"{ flags dormant ; }\"".into()),
    ];
    let chain = dice.pick(&listed(&text, "chain")).clone();
    let place = |object: &Json, key: &str| {
        let word = |key: &str| object[key].as_str().unwrap().to_owned();
        format!("{} fogbank {}", word("family"), word(key))
    };
    all.push(rules("a rule too many", format!("nft add rule {} accept", place(&chain, "name"))));
    all.push(rules("a rule before all", format!("nft insert rule {} accept", place(&chain, "name"))));
    let rule = dice.pick(&listed(&text, "rule")).clone();
    let chain = place(&rule, "chain");
    all.push(rules("a chain's rules", format!("nft flush chain {chain}")));
    all.push(rules("a rule", format!("nft delete rule {chain} handle {}", rule["handle"])));
    all.push(rules("another rule", format!("nft replace rule {chain} handle {} counter", rule["handle"])));
    let base: Vec<_> = listed(&text, "chain").into_iter().filter(|chain| chain["hook"].is_string()).collect();
    let line = format!("nft add chain {} \"{{ policy drop ; }}\"", place(dice.pick(&base), "name"));
    all.push(rules("a policy", line));
    let mut sets = listed(&text, "set");
    sets.extend(listed(&text, "map"));
    sets.retain(|set| set["elem"].is_array());
    let set = dice.pick(&sets).clone();
    let kind = if set["map"].is_string() { "map" } else { "set" };
    all.push(rules("a set's elements", format!("nft flush {kind} {}", place(&set, "name"))));
    all.extend(to_elements(&sets, dice));
    all
}

fn to_elements(sets: &[Json], dice: &mut Dice) -> Vec<Damage> {
    let set = dice.pick(sets);
    let element = dice.pick(set["elem"].as_array().unwrap()).clone();
    let command = |verb: &str, set: &Json, element: &Json| {
        let element = json!([element]);
        json!({verb: {"element": {"family": set["family"], "table": "fogbank", "name": set["name"], "elem": element}}})
    };
    let all = |commands: &[Json]| format!("nft -j -f - <<E\n{}\nE\n", json!({"nftables": commands}));
    let mut damages = vec![rules("an element", all(&[command("delete", set, &element)]))];
    let plain = sets.iter().find(|set| set["name"] == "gateways").unwrap();
    let one = plain["elem"][0].clone();
    damages.push(rules("an element too many", all(&[command("add", plain, &json!("192.0.2.77"))])));
    // As many as before.
    let swapped = [command("delete", plain, &one), command("add", plain, &json!("192.0.2.77"))];
    damages.push(rules("another element", all(&swapped)));
    let map = sets.iter().find(|set| set["name"] == "elastic_to_private" && set["elem"].is_array());
    damages.extend(map.map(|map| {
        let pair = map["elem"][0].clone();
        let other = json!([pair[0], "192.0.2.77"]);
        rules("where an address leads", all(&[command("delete", map, &pair), command("add", map, &other)]))
    }));
    damages
}
