//! The servers of one port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::{Place, States, dhcp, dns, metadata, port6, sockets};
use crate::agent::names::{DNS_PORT, METADATA_PORT, port_name};
use crate::types::EniId;

const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;

/// Larger than any DHCP packet that an Ethernet frame carries.
const DATAGRAM: usize = 1500;

/// Serves until dropped.
pub struct PortServers {
    /// The interface that the sockets are bound to.
    pub index: u32,
    tasks: JoinSet<()>,
}

impl PortServers {
    /// # Errors
    /// A socket cannot be had.
    pub fn start(
        eni: EniId,
        index: u32,
        asks: &Arc<dns::Asks>,
        states: &States,
        tokens: &Arc<metadata::Tokens>,
    ) -> io::Result<Self> {
        let interface = port_name(eni);
        let hears = sockets::udp(&interface, Ipv4Addr::UNSPECIFIED, DHCP_SERVER)?;
        let listener = sockets::tcp(&interface, METADATA_PORT)?;
        let dns_udp = sockets::udp(&interface, Ipv4Addr::UNSPECIFIED, DNS_PORT)?;
        let dns_tcp = sockets::tcp(&interface, DNS_PORT)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_dhcp(hears, interface, eni, states.clone()));
        tasks.spawn(metadata::serve(listener, eni, states.clone(), Arc::clone(tokens)));
        tasks.spawn(dns::serve_udp(dns_udp, eni, states.clone(), Arc::clone(asks)));
        tasks.spawn(dns::serve_tcp(dns_tcp, eni, states.clone(), Arc::clone(asks)));
        // A kernel without IPv6 has no such sockets, and its ports no need of them.
        match (port6::routers(eni, index, states.clone()), port6::dhcp(eni, index, states.clone())) {
            (Ok(routers), Ok(dhcp)) => {
                tasks.spawn(routers);
                tasks.spawn(dhcp);
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(port = %eni, %error, "IPv6 is not served");
            }
        }
        Ok(Self { index, tasks })
    }

    /// Whether none of the servers has ended, which only a panic makes them do.
    pub fn live(&mut self) -> bool {
        self.tasks.try_join_next().is_none()
    }
}

async fn serve_dhcp(hears: UdpSocket, interface: String, eni: EniId, states: States) {
    let mut buffer = [0; DATAGRAM];
    loop {
        let length = match hears.recv_from(&mut buffer).await {
            Ok((length, _)) => length,
            Err(error) => {
                tracing::debug!(port = %eni, %error, "DHCP cannot hear");
                // ENETDOWN is told once for each time the interface goes down.
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Some(place) = Place::of(&states, eni) else { continue };
        let heard = buffer.get(..length).unwrap_or_default();
        let mtu = place.guest_mtu(sockets::mtu(&hears, &interface));
        let lan = dhcp::Lan { network: &place.network, vpc: place.vpc(), mtu };
        let Some(reply) = dhcp::reply(heard, &place.port, lan) else {
            // No louder: a guest can say so as often as it likes.
            if let Some(remark) = dhcp::remark(heard, &place.port) {
                tracing::debug!(port = %eni, address = %place.port.private_ip, "an address was {remark}");
            }
            continue;
        };
        if let Err(error) = send(&interface, place.network.gateway, &reply).await {
            tracing::warn!(port = %eni, %error, "a DHCP answer could not be sent");
        }
    }
}

/// Sends from the gateway's address, which a socket bound to it does; the one that hears broadcasts cannot.
async fn send(interface: &str, gateway: Ipv4Addr, reply: &dhcp::Reply) -> io::Result<()> {
    let speaks = sockets::udp(interface, gateway, DHCP_SERVER)?;
    speaks.send_to(&reply.bytes, SocketAddr::V4(SocketAddrV4::new(reply.to, DHCP_CLIENT))).await?;
    Ok(())
}
