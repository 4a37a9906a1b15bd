//! Permanent neighbours on ports and for other hosts, and exact proxy entries on the flat interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteProtocol, RouteType};
use rtnetlink::{Error, Handle};

use super::absent::is_removed;
use crate::agent::names::ROUTE_PROTOCOL;
use crate::types::MacAddr;

/// An address and the index of the interface behind which it is.
pub type Place = (Ipv4Addr, u32);

fn destination(message: &NeighbourMessage) -> Option<Place> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some((*ip, message.header.ifindex)),
        _ => None,
    })
}

/// A permanent neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    pub mac: Vec<u8>,
    /// Whether it has our mark.
    pub ours: bool,
}

/// The permanent neighbours of all interfaces.
///
/// # Errors
/// What netlink says.
pub async fn permanent(handle: &Handle) -> Result<BTreeMap<Place, Entry>, Error> {
    let request = handle.neighbours().get().set_address_family(AddressFamily::Inet);
    let messages: Vec<_> = request.execute().try_collect().await?;
    let permanent = messages.iter().filter(|message| message.header.state == NeighbourState::Permanent);
    Ok(permanent.filter_map(|message| Some((destination(message)?, entry(message)))).collect())
}

fn entry(message: &NeighbourMessage) -> Entry {
    let mut entry = Entry::default();
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => entry.mac.clone_from(bytes),
            NeighbourAttribute::Protocol(by) => entry.ours = u8::from(*by) == ROUTE_PROTOCOL,
            _ => {}
        }
    }
    entry
}

/// Makes a neighbour's address known for good.
///
/// # Errors
/// What netlink says.
pub async fn set(handle: &Handle, place: Place, mac: MacAddr) -> Result<(), Error> {
    let mut request = handle.neighbours().add(place.1, place.0.into());
    *request.message_mut() = message(place, NeighbourFlags::empty());
    request.link_layer_address(&mac.0).replace().execute().await
}

/// The proxy entries with our mark.
///
/// # Errors
/// What netlink says.
pub async fn proxies(handle: &Handle) -> Result<BTreeSet<Place>, Error> {
    let request = handle.neighbours().get().set_address_family(AddressFamily::Inet).proxies();
    let messages: Vec<_> = request.execute().try_collect().await?;
    let ours = |message: &&NeighbourMessage| {
        let by = message.attributes.iter().find_map(|attribute| match attribute {
            NeighbourAttribute::Protocol(by) => Some(u8::from(*by)),
            _ => None,
        });
        by == Some(ROUTE_PROTOCOL)
    };
    Ok(messages.iter().filter(ours).filter_map(destination).collect())
}

/// Answers ARP for this address, and no other, on the interface.
///
/// # Errors
/// What netlink says.
pub async fn add_proxy(handle: &Handle, place: Place) -> Result<(), Error> {
    let mut request = handle.neighbours().add(place.1, place.0.into());
    *request.message_mut() = message(place, NeighbourFlags::Proxy);
    request.replace().execute().await
}

/// Removes a proxy entry (`proxy`) or a neighbour, if it is there.
///
/// # Errors
/// What netlink says.
pub async fn remove(handle: &Handle, place: Place, proxy: bool) -> Result<(), Error> {
    let flags = if proxy { NeighbourFlags::Proxy } else { NeighbourFlags::empty() };
    is_removed(handle.neighbours().del(message(place, flags)).execute().await)
}

fn message(place: Place, flags: NeighbourFlags) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = place.1;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unspec;
    message.header.flags = flags;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(place.0)),
        NeighbourAttribute::Protocol(RouteProtocol::from(ROUTE_PROTOCOL)),
    ];
    message
}
