//! What a pass does on one side alone: in a host's own network namespace, or in a VPC's router; and switching interfaces on and off.

use std::collections::BTreeMap;

use super::host::Pass;
use super::links::Link;
use super::render::Side;
use super::routes::{self, Route};
use super::ways::together;
use super::{flat, ipv6, links, neighbours, subnets, sysctl};
use crate::agent::config::HostConfig;
use crate::agent::names::*;
use crate::crash::{self, Point};
use crate::plan::HostState;
use crate::types::{EniId, MacAddr};

impl Pass<'_> {
    /// The routes that only hosts, or only routers, have.
    pub(super) fn side_routes(&self, routes: &mut BTreeMap<routes::Key, (Route, String)>) {
        match self.side {
            Side::Host => self.transit_routes(routes),
            Side::Router(vpc) => {
                if let Some(vpc) = self.state.vpcs.get(&vpc) {
                    self.table_routes(vpc, routes);
                }
            }
        }
    }

    /// Their ways to each other.
    pub(super) async fn side_links(
        &mut self,
        neighbours: &mut BTreeMap<neighbours::Place, (MacAddr, String)>,
    ) {
        match self.side {
            Side::Host => {
                self.transit_links().await;
                self.transit_neighbours(neighbours);
            }
            Side::Router(_) => {
                if let Some(out) = self.public() {
                    neighbours.insert((TRANSIT_GATEWAY, out), (TRANSIT_MAC, "internet gateway".into()));
                    for gateway in subnets::nat_gateways(self.state) {
                        neighbours.insert((gateway.transit, out), (TRANSIT_MAC, "NAT gateway".into()));
                    }
                }
                self.peering_neighbours(neighbours);
                self.write_fdb().await;
            }
        }
    }

    /// Switches an interface of ours on, as it must be.
    pub(super) async fn raise(&mut self, name: &str, mac: MacAddr, switches: &[sysctl::Switch]) {
        let Some(link) = self.links.get(name).cloned() else { return };
        let subject = || format!("interface {name}");
        self.switches(&subject(), switches);
        if link.mac != mac.0 {
            let set = links::set_mac(self.handle, link.index, mac).await;
            self.check(subject, set);
        }
        if !link.up {
            let up = links::set_up(self.handle, link.index).await;
            self.check(subject, up);
        }
    }

    /// No rules keep anybody from the instances, and none can be written: nothing goes in or out.
    pub async fn close_ports(&mut self) {
        let prefixes = [PORT_PREFIX, TRANSIT_PREFIX, PEERING_PREFIX];
        let ours = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let open = |(name, link): &(&String, &Link)| ours(name) && link.up;
        let open: Vec<_> =
            self.links.iter().filter(open).map(|(name, link)| (name.clone(), link.index)).collect();
        for (name, index) in open {
            let down = links::set_down(self.handle, index).await;
            self.check(|| format!("interface {name}"), down);
        }
    }

    /// Switches ports on.
    pub(super) async fn raise_ports(&mut self, down: Vec<(u32, EniId)>) {
        let raised = together(down.iter().map(|(index, _)| links::set_up(self.handle, *index))).await;
        for ((_, eni), raised) in down.into_iter().zip(raised) {
            self.check(|| format!("port {eni}"), raised);
            crash::point(Point::PortRaised);
        }
    }

    /// A router's two ways out: its own, so that they are switched on only behind its rules.
    pub(super) async fn router_links(&mut self) {
        self.switches("VPC", &[sysctl::router()]);
        let own = self.state.hosts.get(&self.state.host).map(|own| vxlan_mac(own.next_hop));
        let carried = ipv6::is_carried(self.state);
        for (name, mac) in [(ROUTER_OUT, Some(ROUTER_MAC)), (ROUTER_VXLAN, own)] {
            if let Some(mac) = mac {
                self.raise(name, mac, &sysctl::transit(name, carried)).await;
            }
        }
        self.peering_links().await;
        // What is too long for any of the hosts is told to its sender here, and not lost on the way.
        let device = self.links.get(ROUTER_VXLAN).cloned();
        if let (Some(device), Some(mtu)) = (device, self.state.vxlan_mtu())
            && device.mtu != mtu
        {
            let set = links::set_mtu(self.handle, device.index, mtu).await;
            self.check(|| format!("interface {ROUTER_VXLAN}"), set);
        }
    }
}

/// The switches of the flat and the public interface; few enough to be looked at all the time.
pub fn outside_switches<'c>(
    config: &'c HostConfig,
    state: &HostState,
    side: Side,
) -> [(&'c str, Vec<sysctl::Switch>); 2] {
    let (relays, carried) = (flat::relays(state), ipv6::is_carried(state));
    let (public, flat) = (&config.public_interface[..], &config.flat_interface[..]);
    match side {
        Side::Host => {
            let mut switches = sysctl::public(public);
            if carried && !state.pools6.is_empty() {
                switches.extend(ipv6::switches::public(public));
            }
            [(public, switches), (flat, sysctl::flat(flat, relays))]
        }
        Side::Router(_) => [public, flat].map(|name| (name, sysctl::transit(name, carried))),
    }
}
