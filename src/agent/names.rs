//! Kernel names of ours: recognisable with no memory.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::types::{EniId, MacAddr, VpcId, VpcPeeringConnectionId};

/// Every interface whose name begins so is an instance's port.
pub const PORT_PREFIX: &str = "fbp";

/// The port-less bridge that carries the gateway addresses.
pub const GATEWAY_BRIDGE: &str = "fb-gateway";

/// The nft table.
pub const TABLE: &str = "fogbank";

/// Marks our routes (`ip route … proto 142`); unassigned in rtnetlink.h and iproute2.
pub const ROUTE_PROTOCOL: u8 = 142;

/// The address that every port has on the host's side. Locally administered; the same for all, so
/// that a guest's neighbour entry stays true when its instance moves.
pub const PORT_MAC: MacAddr = MacAddr([0x02, 0xfb, 0, 0, 0, 0x01]);

/// What every port's guest has as its IPv6 router: the same everywhere, as the MAC is.
pub const PORT_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The host-side interface name of a network interface: the prefix and the id's last 12 digits, the
/// 15 characters that Linux allows. The full id is the interface's alias.
pub fn port_name(eni: EniId) -> String {
    let id = eni.to_string();
    format!("{PORT_PREFIX}{}", &id[id.len().saturating_sub(12)..])
}

/// What a port is called until it is all that it will be: not taken up by its name, and behind the ports' rules already.
pub fn unfinished_name(eni: EniId) -> String {
    let id = eni.to_string();
    format!("{PORT_PREFIX}-{}", &id[id.len().saturating_sub(11)..])
}

/// Every interface whose name begins so leads to the router of a VPC.
pub const TRANSIT_PREFIX: &str = "fbt";

/// The host's end of the cable to a VPC's router, named as ports are.
pub fn transit_name(vpc: VpcId) -> String {
    let id = vpc.to_string();
    format!("{TRANSIT_PREFIX}{}", &id[id.len().saturating_sub(12)..])
}

/// A router's end of that cable, and its way to the other hosts.
pub const ROUTER_OUT: &str = "fb-out";
pub const ROUTER_VXLAN: &str = "fb-vxlan";

/// The addresses of the two ends of the cable. Both are known for good: nobody asks.
pub const TRANSIT_MAC: MacAddr = MacAddr([0x02, 0xfb, 0, 0, 0, 0x02]);
pub const ROUTER_MAC: MacAddr = MacAddr([0x02, 0xfb, 0, 0, 0, 0x03]);

/// Every interface of a router whose name begins so leads to the router of a peer VPC on the same host.
pub const PEERING_PREFIX: &str = "fbx";

/// Either end of the cable that stands for a peering connection, named as ports are.
pub fn peering_name(id: VpcPeeringConnectionId) -> String {
    let id = id.to_string();
    format!("{PEERING_PREFIX}{}", &id[id.len().saturating_sub(12)..])
}

/// The address of both ends of such a cable, and what each end calls the other: a next hop that is in no packet.
pub const PEERING_MAC: MacAddr = MacAddr([0x02, 0xfb, 0, 0, 0, 0x04]);
pub const PEERING_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 253);

/// What routers call the host: a next hop that is in no packet.
pub const TRANSIT_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 254);

/// What the host calls its routers, at the other end of each cable, for IPv6.
pub const TRANSIT_ROUTER: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 253);

/// The address of a host's VXLAN devices, by its next hop, see [`crate::plan::next_hop`].
pub const fn vxlan_mac(next_hop: Ipv4Addr) -> MacAddr {
    let [_, _, high, low] = next_hop.octets();
    MacAddr([0x02, 0xfb, 0x01, 0, high & 0x3f, low])
}

/// Where the metadata service listens on each port; 169.254.169.254:80 leads there.
pub const METADATA_PORT: u16 = 16980;

/// Where the resolver listens on each port; port 53 of the gateway and of 169.254.169.253 lead there.
pub const DNS_PORT: u16 = 16953;

/// The metadata service's address as instances know it.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The resolver's second address, the same in every network, as in EC2.
pub const RESOLVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
