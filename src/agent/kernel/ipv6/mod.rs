//! IPv6, which isolated VPCs alone carry: a table of rules of its own, routes, neighbours and switches.
//!
//! A router has the say as it has for IPv4, and asks the same connection tracking. There is no translation: an instance's
//! addresses are the world's. So the host has a /128 to each of its instances by the cable to their router, and answers for it on
//! the public interface by an exact proxy entry; and who may begin from outside is decided in the router, by the subnet's
//! route table: where that leads the sender to an internet gateway, and not to an egress-only one.
//!
//! The order in which the table is asked is that of [`super::render`].

mod acls;
mod advertise;
mod flows;
pub(super) mod groups;
mod host;
mod netlink;
mod peerings;
mod rules;
pub mod switches;
mod ways;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub use flows::Flows;
pub use netlink::{Place, proxies};
pub use rules::render;

use super::flat;
use crate::plan::{HostState, PortSection};
use crate::types::{Cidr6, EniId, MacAddr};

/// Link-local addresses (RFC 4291, 2.4): of the link alone, and never forwarded.
fn link_local_block() -> Cidr6 {
    Cidr6::from(ipnet::Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10))
}

/// The next hop that a next hop of IPv4 is for IPv6: in no packet, and known by a permanent neighbour entry.
const fn next_hop(of: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = of.octets();
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// The link-local address that is made of a MAC (modified EUI-64, RFC 4291, appendix A).
fn by_mac(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0.map(u16::from);
    Ipv6Addr::new(0xfe80, 0, 0, 0, (a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f)
}

/// Whether anything of IPv6 is to be done in this network namespace.
pub fn is_carried(state: &HostState) -> bool {
    ports(state).next().is_some()
        || !state.routed6.is_empty()
        || state.vpcs.values().any(|vpc| !vpc.cidrs6.is_empty())
}

/// The ports that carry it.
fn ports(state: &HostState) -> impl Iterator<Item = &Arc<PortSection>> + Clone {
    state.ports.values().filter(|port| !port.ipv6.is_empty())
}

/// Where the instances' addresses are, on this host and on others: for what flows must end when one of them goes.
pub fn everywhere(state: &HostState) -> BTreeMap<Ipv6Addr, (EniId, Arc<str>)> {
    let remote = flat::remote(state).flat_map(|at| at.ipv6.iter().map(|ip| (*ip, (at.eni, at.host.clone()))));
    let here = ports(state);
    let here = here.flat_map(|port| port.ipv6.iter().map(|ip| (*ip, (port.eni, state.host.clone()))));
    remote.chain(here).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_is_made_as_the_kernel_makes_it() {
        let made = by_mac(MacAddr([0x02, 0, 0, 0, 0x01, 0x0a]));
        assert_eq!(made.to_string(), "fe80::ff:fe00:10a");
    }

    #[test]
    fn next_hops_are_of_the_link() {
        let hop = next_hop(crate::plan::next_hop(5));
        assert_eq!(hop.to_string(), "fe80::a9fe:8005");
        assert!(link_local_block().contains(hop));
    }
}
