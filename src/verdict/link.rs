//! What is said on the link between an instance and its host or router, under addresses that are not the instance's own.
//!
//! In IPv4 that is the question of a DHCP client. In IPv6 it is neighbour discovery (RFC 4861), who listens to which multicast
//! (RFC 2710, RFC 3810), and DHCPv6 (RFC 8415); no router hands any of it on.

use std::net::{IpAddr, Ipv6Addr};

use super::groups::covers;
use super::packet::{Packet, Transport};
use super::trace::{Blocked, Service};
use crate::types::Cidr6;

/// The router, on every link.
pub const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// All DHCP servers and relays (RFC 8415, 7.1).
const DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// EC2's services have addresses in `fd00:ec2::/32`.
const SERVICES: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0);
const DHCP_DISCOVER: Transport = Transport::Udp { from: 68, to: 67 };
const DHCP6_ASK: Transport = Transport::Udp { from: 546, to: 547 };
const ECHO: u8 = 128;
const SOLICIT_ROUTERS: u8 = 133;
const SOLICIT_NEIGHBOUR: u8 = 135;
const ADVERTISE_NEIGHBOUR: u8 = 136;

/// Whether the address is multicast of the link.
pub fn is_multicast(address: Ipv6Addr) -> bool {
    Cidr6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0), 16).is_some_and(|block| covers(block, address))
}

/// Whether it stands for an elastic address between a host and the router of a VPC (169.254.192.0/18), and for nobody anywhere else.
pub fn is_in_transit(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_link_local() && address.octets()[2] >= 192)
}

/// Whether nobody who sends anything has the address: it is a service's, many's, or none.
pub fn is_nobodys(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || address.is_multicast()
                || address.is_loopback()
                || address.is_unspecified()
                || is_service(address)
        }
    }
}

fn is_service(address: Ipv6Addr) -> bool {
    Cidr6::new(SERVICES, 32).is_some_and(|block| covers(block, address))
}

/// Listeners of multicast: query, report, done, report of the second version.
const fn listens(kind: u8) -> bool {
    matches!(kind, 130..=132 | 143)
}

/// Whether it stays on the link.
fn is_of_link(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || is_multicast(address)
}

/// Whether a guest may send it under an address of the link, or under none.
pub fn may_say(packet: &Packet) -> bool {
    let Packet { source, destination, transport } = *packet;
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(to)) => {
            source.is_unspecified() && to.is_broadcast() && transport == DHCP_DISCOVER
        }
        (IpAddr::V6(source), IpAddr::V6(to)) if source.is_unspecified() => match transport {
            Transport::Icmp6 { kind: SOLICIT_ROUTERS | SOLICIT_NEIGHBOUR, .. } => is_of_link(to),
            Transport::Icmp6 { kind, .. } => listens(kind) && is_of_link(to),
            _ => false,
        },
        (IpAddr::V6(source), IpAddr::V6(to)) => {
            let said = match transport {
                Transport::Icmp6 { kind, .. } => kind == ECHO || is_said(kind),
                transport => transport == DHCP6_ASK,
            };
            source.is_unicast_link_local() && is_of_link(to) && said
        }
        _ => false,
    }
}

const fn is_said(kind: u8) -> bool {
    matches!(kind, SOLICIT_ROUTERS | SOLICIT_NEIGHBOUR | ADVERTISE_NEIGHBOUR) || listens(kind)
}

/// Whether it is what a host says to its router, or asks of all on its link.
pub fn is_discovery(packet: &Packet) -> bool {
    let IpAddr::V6(to) = packet.destination else { return false };
    let kind = matches!(packet.transport, Transport::Icmp6 { kind, .. } if is_said(kind));
    kind && (to == ROUTER || is_multicast(to))
}

/// What becomes of a packet of IPv6 before any group is asked.
pub fn service(packet: &Packet) -> Option<Result<Service, Blocked>> {
    let IpAddr::V6(to) = packet.destination else { return None };
    match packet.transport {
        Transport::Udp { from: 547, to: 546 } => Some(Err(Blocked::OnlyHostsServeDhcp)),
        _ if is_discovery(packet) => Some(Ok(Service::Discovery)),
        Transport::Udp { to: 547, .. } if to == DHCP_SERVERS || to == ROUTER => Some(Ok(Service::Dhcp)),
        Transport::Icmp6 { kind: ECHO, .. } if to == ROUTER => Some(Ok(Service::Gateway)),
        _ if to.is_unicast_link_local() || to.is_multicast() || is_service(to) => {
            Some(Err(Blocked::NowhereToGo))
        }
        _ => None,
    }
}
