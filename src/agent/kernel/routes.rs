//! Our routes: a /32 to each instance by its port, and each flat network by the flat interface.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
};
use rtnetlink::{Error, Handle, RouteMessageBuilder};

use crate::agent::names::ROUTE_PROTOCOL;
use crate::types::Cidr4;

/// The flat network's on-link route yields to any that the host's manager has made.
pub const FLAT_METRIC: u32 = 4242;

/// What tells two of our routes apart: destination, prefix length, metric.
pub type Key = (Ipv4Addr, u8, u32);

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub interface: u32,
    /// The address that the host itself uses towards there.
    pub source: Option<Ipv4Addr>,
}

/// The key of the route to an instance.
pub const fn to_instance(address: Ipv4Addr) -> Key {
    (address, 32, 0)
}

/// The key of the route to a flat network's other machines.
pub const fn to_network(cidr: Cidr4) -> Key {
    (cidr.network(), cidr.prefix_len(), FLAT_METRIC)
}

/// The routes with our mark in the main table.
///
/// # Errors
/// What netlink says.
pub async fn list(handle: &Handle) -> Result<BTreeMap<Key, Route>, Error> {
    let filter = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let messages: Vec<_> = handle.route().get(filter).execute().try_collect().await?;
    Ok(messages.iter().filter_map(read).collect())
}

fn read(message: &RouteMessage) -> Option<(Key, Route)> {
    let header = &message.header;
    let ours = u8::from(header.protocol) == ROUTE_PROTOCOL
        && header.table == RouteHeader::RT_TABLE_MAIN
        && header.address_family == AddressFamily::Inet;
    let mut key = (Ipv4Addr::UNSPECIFIED, header.destination_prefix_length, 0);
    let mut route = Route { interface: 0, source: None };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(to)) => key.0 = *to,
            RouteAttribute::Oif(index) => route.interface = *index,
            RouteAttribute::PrefSource(RouteAddress::Inet(from)) => route.source = Some(*from),
            RouteAttribute::Priority(metric) => key.2 = *metric,
            _ => {}
        }
    }
    ours.then_some((key, route))
}

fn message(key: Key, route: Route) -> RouteMessage {
    let (to, prefix_len, metric) = key;
    let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(to, prefix_len)
        .output_interface(route.interface)
        .protocol(RouteProtocol::from(ROUTE_PROTOCOL))
        .scope(RouteScope::Link);
    if metric != 0 {
        builder = builder.priority(metric);
    }
    if let Some(source) = route.source {
        builder = builder.pref_source(source);
    }
    builder.build()
}

/// Adds a route; never in the place of another program's.
///
/// # Errors
/// What netlink says; that something stands there already, too.
pub async fn add(handle: &Handle, key: Key, route: Route) -> Result<(), Error> {
    handle.route().add(message(key, route)).execute().await
}

/// Leads one of our routes elsewhere, without a gap.
///
/// # Errors
/// What netlink says.
pub async fn change(handle: &Handle, key: Key, route: Route) -> Result<(), Error> {
    handle.route().add(message(key, route)).replace().execute().await
}

/// Removes one of our routes.
///
/// # Errors
/// What netlink says.
pub async fn remove(handle: &Handle, key: Key, route: Route) -> Result<(), Error> {
    handle.route().del(message(key, route)).execute().await
}
