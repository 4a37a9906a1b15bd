//! The servers of one port for IPv6: router advertisements, and DHCPv6.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::advertise::{Link, advertisement};
use super::{Place, States, dhcp6, sockets};
use crate::agent::names::port_name;
use crate::types::EniId;

const SERVER: u16 = 547;
const CLIENT: u16 = 546;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// Between two advertisements that nobody asked for; the first ones come sooner (RFC 4861, 6.2.1 and 6.2.4).
const PAUSE: Duration = Duration::from_secs(600);
const FIRST: (u8, Duration) = (3, Duration::from_secs(16));
/// Until the router's own address is there, which is a pass of the kernel's part away.
const NOT_YET: Duration = Duration::from_millis(100);
/// A guest that solicits without a pause is answered no oftener (RFC 4861, 6.2.6: MIN_DELAY_BETWEEN_RAS is 3 s for all; here
/// is one guest, which is told when it asks).
const LEAST: Duration = Duration::from_millis(20);

const DATAGRAM: usize = 1500;

fn link(place: &Place, mtu: Option<u16>) -> Option<Link> {
    let port = &place.port;
    (!port.ipv6.is_empty()).then(|| Link { prefix: port.subnet_cidr6, mtu: place.guest_mtu(mtu) })
}

/// Advertises the router on the port, now and then, where something changed, and to who asks.
///
/// # Errors
/// There is no socket to be had.
pub fn routers(
    eni: EniId,
    index: u32,
    states: States,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let interface = port_name(eni);
    let socket = sockets::solicitations(&interface, index, ALL_ROUTERS)?;
    Ok(advertise(socket, interface, eni, index, states))
}

async fn advertise(
    socket: sockets::Solicitations,
    interface: String,
    eni: EniId,
    index: u32,
    mut states: States,
) {
    let all = SocketAddrV6::new(ALL_NODES, 0, 0, index);
    let (mut said, mut count) = (None, 0);
    let mut due = Instant::now();
    loop {
        let now = tokio::select! {
            changed = states.changed() => match changed {
                Ok(()) => {
                    states.mark_unchanged();
                    false
                }
                Err(_) => return,
            },
            asked = socket.asked() => {
                if let Err(error) = asked {
                    tracing::debug!(port = %eni, %error, "router solicitations cannot be heard");
                    // ENETDOWN is told once for each time the interface goes down.
                    tokio::task::yield_now().await;
                }
                true
            }
            () = sleep_until(due) => true,
        };
        let place = Place::of(&states, eni);
        let link = place.as_ref().and_then(|place| link(place, socket.mtu(&interface)));
        let Some(link) = link else {
            (said, count, due) = (None, 0, Instant::now() + PAUSE);
            continue;
        };
        if !now && said == Some(link) {
            continue;
        }
        // To all, who are one: an answer to one who has no address yet has no other way.
        if socket.say(&advertisement(link), all).await.is_err() {
            (said, due) = (None, Instant::now() + NOT_YET);
            continue;
        }
        if said != Some(link) {
            count = 0;
        }
        said = Some(link);
        count = u8::saturating_add(count, 1);
        due = Instant::now() + if count < FIRST.0 { FIRST.1 } else { PAUSE };
        tokio::time::sleep(LEAST).await;
    }
}

/// Answers DHCPv6 on the port.
///
/// # Errors
/// There is no socket to be had.
pub fn dhcp(eni: EniId, index: u32, states: States) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let socket = sockets::udp6(&port_name(eni), index, SERVER, ALL_SERVERS)?;
    Ok(serve(socket, eni, states))
}

async fn serve(socket: UdpSocket, eni: EniId, states: States) {
    let mut buffer = [0; DATAGRAM];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(heard) => heard,
            Err(error) => {
                tracing::debug!(port = %eni, %error, "DHCPv6 cannot hear");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Some(place) = Place::of(&states, eni) else { continue };
        let heard = buffer.get(..length).unwrap_or_default();
        let Some(reply) = dhcp6::reply(heard, &place.port.ipv6) else { continue };
        // Clients speak from a link-local address (RFC 8415, 13.1), and hear on their own port.
        let SocketAddr::V6(mut to) = from else { continue };
        to.set_port(CLIENT);
        if let Err(error) = socket.send_to(&reply, to).await {
            tracing::debug!(port = %eni, %error, "a DHCPv6 answer could not be sent");
        }
    }
}
