//! One pass over what a network namespace has of IPv6.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use super::netlink::{self, Found, Key, MAIN, Place, Route};
use super::{Flows, advertise, by_mac, is_carried, next_hop, ports, switches};
use crate::agent::kernel::flat;
use crate::agent::kernel::host::Pass;
use crate::agent::kernel::policy::subnets_table;
use crate::agent::kernel::render::Side;
use crate::agent::kernel::routes::Kind;
use crate::agent::kernel::subnets::BY_MARK;
use crate::agent::names::*;
use crate::plan::{Route6Section, RouteTo, VpcSection};
use crate::types::{Cidr6, EniId, MacAddr, VpcId};

/// The last entry of each table: after any that a table has.
const LAST: u32 = u32::MAX;

/// What must be there: each with whom to name where it cannot be.
#[derive(Default)]
struct Want {
    routes: BTreeMap<Key, (Route, String)>,
    neighbours: BTreeMap<Place, (MacAddr, String)>,
    rules: BTreeSet<(u32, u32)>,
}

fn to_instance(address: Ipv6Addr) -> Option<Key> {
    Some(Key::new(MAIN, Cidr6::new(address, 128)?))
}

const fn by(interface: u32, via: Option<Ipv6Addr>) -> Route {
    Route { kind: Kind::Unicast, interface, via }
}

const fn to_none(kind: Kind) -> Route {
    Route { kind, interface: 0, via: None }
}

impl Pass<'_> {
    /// Everything but the rules; before it they must stand.
    pub async fn ipv6(&mut self, flows: &mut Flows) {
        let carried = is_carried(self.state);
        if !carried && flows.idle {
            return;
        }
        if carried {
            self.switch_on().await;
        }
        let found = match Found::read(self.handle).await {
            Ok(found) => found,
            // A kernel without IPv6 has nothing of it.
            Err(_) if !carried => {
                flows.idle = true;
                return;
            }
            Err(error) => return self.fail("IPv6".into(), error),
        };
        self.link_addresses(&found).await;
        let want = self.want();
        // A next hop is known before a route names it.
        self.write_neighbours6(&found, &want).await;
        self.write_routes6(&found, &want).await;
        self.write_rules6(&found, &want).await;
        if self.side == Side::Host {
            self.write_proxies6().await;
        }
        flows.cut(self).await;
        flows.idle = !carried && flows.all_cut();
    }

    /// Of the host, and of a router. The ports' own have been set with the ports.
    async fn switch_on(&mut self) {
        let public = self.config.public_interface.clone();
        if self.side.is_router() {
            self.switches("VPC", &[switches::router()]);
            let cables: Vec<_> = self.peering_cables().map(|(name, _)| name).collect();
            for name in [ROUTER_OUT, ROUTER_VXLAN].into_iter().chain(cables.iter().map(String::as_str)) {
                if self.links.contains_key(name) {
                    self.switches(&format!("interface {name}"), &switches::ours(name));
                }
            }
            return;
        }
        let vpcs: BTreeSet<VpcId> = self.state.routed6.values().copied().collect();
        for name in vpcs.into_iter().map(transit_name) {
            if self.links.contains_key(&name) {
                self.switches(&format!("interface {name}"), &switches::cable(&name));
            }
        }
        if self.state.pools6.is_empty() || !self.links.contains_key(&public) {
            return;
        }
        let ours = |name: &str| {
            [PORT_PREFIX, TRANSIT_PREFIX].iter().any(|prefix| name.starts_with(prefix)) || name == "lo"
        };
        let others = self.links.keys().map(String::as_str).filter(|name| !ours(name));
        if let Err(error) = switches::keep_learning(others) {
            return self.fail("IPv6".into(), format!("cannot keep what the host learns of routers: {error}"));
        }
        self.switches(&format!("interface {public}"), &switches::public(&public));
    }

    /// The router's own address on each port.
    async fn link_addresses(&mut self, found: &Found) {
        for port in ports(self.state) {
            let Some(index) = self.index(&port_name(port.eni)) else { continue };
            let place = (PORT_LINK_LOCAL, index);
            if !found.addresses.contains(&place) {
                let added = netlink::add_address(self.handle, place).await;
                self.check(|| format!("port {}", port.eni), added);
            }
        }
    }

    fn want(&self) -> Want {
        let mut want = Want::default();
        match self.side {
            Side::Host => self.want_of_host(&mut want),
            Side::Router(vpc) => {
                self.want_of_router(&mut want);
                if let Some(vpc) = self.state.vpcs.get(&vpc).filter(|_| is_carried(self.state)) {
                    self.want_of_tables(vpc, &mut want);
                }
            }
        }
        want
    }

    fn want_of_host(&self, want: &mut Want) {
        let router = next_hop(TRANSIT_ROUTER);
        for (ip, vpc) in self.state.routed6.iter() {
            let Some(cable) = self.index(&transit_name(*vpc)) else { continue };
            let subject = format!("address {ip} of {vpc}");
            want.neighbours.insert((router, cable), (ROUTER_MAC, subject.clone()));
            want.routes.extend(to_instance(*ip).map(|key| (key, (by(cable, Some(router)), subject))));
        }
    }

    fn want_of_router(&self, want: &mut Want) {
        if !is_carried(self.state) {
            return;
        }
        for port in ports(self.state) {
            let Some(index) = self.index(&port_name(port.eni)) else { continue };
            let subject = format!("port {}", port.eni);
            want.neighbours.insert((by_mac(port.mac), index), (port.mac, subject.clone()));
            for ip in port.ipv6.iter() {
                want.neighbours.insert((*ip, index), (port.mac, subject.clone()));
                want.routes.extend(to_instance(*ip).map(|key| (key, (by(index, None), subject.clone()))));
            }
        }
        if let Some(out) = self.public() {
            let gateway = (next_hop(TRANSIT_GATEWAY), out);
            want.neighbours.insert(gateway, (TRANSIT_MAC, "internet gateway".into()));
        }
        for (name, link) in self.peering_cables() {
            let far = (next_hop(PEERING_GATEWAY), link.index);
            want.neighbours.insert(far, (PEERING_MAC, format!("interface {name}")));
        }
        let Some(vxlan) = self.flat() else { return };
        for peer in self.state.hosts.values().filter(|peer| peer.name != self.state.host) {
            let subject = format!("host {}", peer.name);
            want.neighbours.insert((next_hop(peer.next_hop), vxlan), (peer.mac, subject));
        }
        for place in flat::remote(self.state) {
            let Some(way) = self.to_host(&place.host) else { continue };
            let subject = format!("interface {} on {}", place.eni, place.host);
            for key in place.ipv6.iter().filter_map(|ip| to_instance(*ip)) {
                want.routes.insert(key, (way, subject.clone()));
            }
        }
    }

    /// The subnets' route tables, as [`crate::agent::kernel::subnets`] has them for IPv4.
    fn want_of_tables(&self, vpc: &VpcSection, want: &mut Want) {
        let numbers: BTreeSet<u16> = vpc.tables.keys().chain(vpc.tables6.keys()).copied().collect();
        for number in numbers {
            let table = subnets_table(number);
            want.rules.insert((number.into(), table));
            let subject = format!("route table {number} of {}", vpc.id);
            let mut add = |key, route| want.routes.insert(key, (route, subject.clone()));
            for own in vpc.cidrs6.iter() {
                add(Key::new(table, *own), to_none(Kind::Throw));
            }
            for route in vpc.tables6.get(&number).into_iter().flatten() {
                let leads = self.leads6(route).unwrap_or(to_none(Kind::Blackhole));
                add(Key::new(table, route.destination), leads);
            }
            let rest = Key { metric: LAST, ..Key::new(table, Cidr6::from(ipnet::Ipv6Net::default())) };
            add(rest, to_none(Kind::Blackhole));
        }
    }

    /// `None` where it leads nowhere now.
    fn leads6(&self, route: &Route6Section) -> Option<Route> {
        match route.to {
            RouteTo::Internet | RouteTo::EgressOnly => {
                Some(by(self.index(ROUTER_OUT)?, Some(next_hop(TRANSIT_GATEWAY))))
            }
            RouteTo::Interface(eni) => self.to_interface6(eni),
            RouteTo::Peering(id) => Some(by(self.index(&peering_name(id))?, Some(next_hop(PEERING_GATEWAY)))),
            // EC2 has NAT gateways for IPv6 only where they translate to IPv4.
            RouteTo::Nat(_) | RouteTo::Nowhere => None,
        }
    }

    fn to_interface6(&self, eni: EniId) -> Option<Route> {
        if let Some(port) = self.state.ports.get(&eni) {
            return Some(by(self.index(&port_name(eni))?, Some(*port.ipv6.first()?)));
        }
        self.to_host(&self.state.places.get(&eni)?.host)
    }

    /// By VXLAN to another host.
    fn to_host(&self, host: &str) -> Option<Route> {
        let peer = self.state.hosts.get(host).filter(|_| *host != *self.state.host)?;
        Some(by(self.flat()?, Some(next_hop(peer.next_hop))))
    }

    async fn write_neighbours6(&mut self, found: &Found, want: &Want) {
        for (place, (mac, subject)) in &want.neighbours {
            if found.neighbours.get(place).is_none_or(|(known, ours)| *known != mac.0 || !ours) {
                let set = netlink::set_neighbour(self.handle, *place, *mac).await;
                self.check(|| subject.clone(), set);
            }
        }
        let cables = self.cables();
        let left = found.neighbours.iter().filter(|(place, (_, ours))| {
            (*ours || cables.contains(&place.1))
                && !want.neighbours.contains_key(*place)
                && !place.0.is_multicast()
        });
        for place in left.map(|(place, _)| *place).collect::<Vec<_>>() {
            let removed = netlink::remove_neighbour(self.handle, place, false).await;
            self.check(|| format!("neighbour {}", place.0), removed);
        }
    }

    async fn write_routes6(&mut self, found: &Found, want: &Want) {
        for (key, (route, subject)) in &want.routes {
            let mut have = found.routes.get(key).cloned().unwrap_or_default();
            if let Some(at) = have.iter().position(|have| have == route) {
                have.remove(at);
            } else {
                let there = !have.is_empty();
                if there {
                    have.remove(0);
                }
                let written = netlink::write_route(self.handle, *key, *route, there).await;
                self.check(|| format!("{subject}: route {key}"), written);
            }
            self.remove_routes6(*key, have).await;
        }
        for (key, routes) in found.routes.iter().filter(|(key, _)| !want.routes.contains_key(key)) {
            self.remove_routes6(*key, routes.clone()).await;
        }
    }

    async fn remove_routes6(&mut self, key: Key, gone: Vec<Route>) {
        for route in gone {
            let removed = netlink::remove_route(self.handle, key, route).await;
            self.check(|| format!("route {key}"), removed);
        }
    }

    async fn write_rules6(&mut self, found: &Found, want: &Want) {
        for rule in want.rules.difference(&found.rules) {
            let mut request = self.handle.rule().add();
            *request.message_mut() = netlink::rule_message(*rule, BY_MARK);
            let added = request.execute().await;
            self.check(|| format!("rule for mark {}", rule.0), added);
        }
        for rule in found.rules.difference(&want.rules) {
            let removed = self.handle.rule().del(netlink::rule_message(*rule, BY_MARK)).execute().await;
            self.check(
                || format!("rule for mark {}", rule.0),
                crate::agent::kernel::absent::is_removed(removed),
            );
        }
    }

    /// The proxy entries that the public interface must have for IPv6.
    pub fn wanted_proxies6(&self) -> BTreeSet<Place> {
        let Some(public) = self.public().filter(|_| self.side == Side::Host) else { return BTreeSet::new() };
        let behind =
            self.state.routed6.iter().filter(|(_, vpc)| self.links.contains_key(&transit_name(**vpc)));
        behind.map(|(ip, _)| (*ip, public)).collect()
    }

    async fn write_proxies6(&mut self) {
        let want = self.wanted_proxies6();
        let have = match netlink::proxies(self.handle).await {
            Ok(have) => have,
            Err(_) if want.is_empty() => return,
            Err(error) => return self.fail("IPv6 proxy entries".into(), error),
        };
        for place in have.difference(&want) {
            let removed = netlink::remove_neighbour(self.handle, *place, true).await;
            self.check(|| format!("proxy entry {}", place.0), removed);
        }
        let mac = self.public_link().map(|(_, mac)| mac);
        for place in want.difference(&have) {
            let added = netlink::add_proxy(self.handle, *place).await;
            if let (Ok(()), Some(mac)) = (&added, mac)
                && let Err(error) = advertise::advertise(place.0, place.1, mac)
            {
                self.fail(format!("address {}", place.0), format!("cannot announce it: {error}"));
            }
            self.check(|| format!("proxy entry {}", place.0), added);
        }
    }
}
