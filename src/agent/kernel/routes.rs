//! Our routes: a /32 to each instance, by its port or by way of its host; each flat network by the
//! flat interface; and a default route to each gateway host.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::{Error, Handle, RouteMessageBuilder};

use super::absent::is_removed;
use super::policy::{self, is_ours};
use crate::agent::names::ROUTE_PROTOCOL;
use crate::types::Cidr4;

/// The flat network's on-link route yields to any that the host's manager has made.
pub const FLAT_METRIC: u32 = 4242;

const MAIN: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// What tells two of our routes apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    pub table: u32,
    pub to: Ipv4Addr,
    pub prefix_len: u8,
    pub metric: u32,
    /// For which packets; 0 for all, as each of ours.
    pub tos: u8,
}

/// What a route does with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// Hands it on.
    #[default]
    Unicast,
    /// Looks on in the next table.
    Throw,
    /// Drops it.
    Blackhole,
}

impl Kind {
    const fn route_type(self) -> RouteType {
        match self {
            Self::Unicast => RouteType::Unicast,
            Self::Throw => RouteType::Throw,
            Self::Blackhole => RouteType::BlackHole,
        }
    }
}

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Route {
    pub kind: Kind,
    /// 0 where it leads to none.
    pub interface: u32,
    /// The host that it goes through: its number's address, see [`crate::plan::next_hop`].
    pub via: Option<Ipv4Addr>,
    /// The address that the host itself uses towards there.
    pub source: Option<Ipv4Addr>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.to, self.prefix_len)
    }
}

impl Route {
    /// By an interface.
    pub const fn by(interface: u32) -> Self {
        Self { kind: Kind::Unicast, interface, via: None, source: None }
    }

    /// To nowhere.
    pub const fn of(kind: Kind) -> Self {
        Self { kind, interface: 0, via: None, source: None }
    }
}

impl Key {
    /// Whether this is a route to an instance.
    pub const fn is_to_instance(&self) -> bool {
        self.table == MAIN && self.prefix_len == 32 && self.metric == 0 && self.tos == 0
    }
}

/// The key of the route to an instance.
pub const fn to_instance(address: Ipv4Addr) -> Key {
    Key { table: MAIN, to: address, prefix_len: 32, metric: 0, tos: 0 }
}

/// The key of the route to a flat network's other machines.
pub const fn to_network(cidr: Cidr4) -> Key {
    Key { table: MAIN, to: cidr.network(), prefix_len: cidr.prefix_len(), metric: FLAT_METRIC, tos: 0 }
}

/// The key of a route in a table of ours.
pub const fn in_table(table: u32, to: Cidr4) -> Key {
    Key { table, to: to.network(), prefix_len: to.prefix_len(), metric: 0, tos: 0 }
}

/// The key of the route to another host for VXLAN, by its next hop.
pub const fn to_peer(next_hop: Ipv4Addr) -> Key {
    Key { metric: FLAT_METRIC, ..to_instance(next_hop) }
}

/// The key of the way out by a gateway host, in the table of that host.
pub const fn to_outside(gateway: Ipv4Addr) -> Key {
    Key { table: policy::table(gateway), to: Ipv4Addr::UNSPECIFIED, prefix_len: 0, metric: 0, tos: 0 }
}

/// The routes with our mark in the main table and in ours; those with one key in the kernel's order, of which the first counts.
///
/// # Errors
/// What netlink says.
pub async fn list(handle: &Handle) -> Result<BTreeMap<Key, Vec<Route>>, Error> {
    let filter = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let messages: Vec<_> = handle.route().get(filter).execute().try_collect().await?;
    let mut routes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (key, route) in messages.iter().filter_map(read) {
        routes.entry(key).or_default().push(route);
    }
    Ok(routes)
}

fn read(message: &RouteMessage) -> Option<(Key, Route)> {
    let header = &message.header;
    let (table, to) = (header.table.into(), Ipv4Addr::UNSPECIFIED);
    let (prefix_len, tos) = (header.destination_prefix_length, header.tos);
    let mut key = Key { table, to, prefix_len, metric: 0, tos };
    let mut route = Route::of(match header.kind {
        RouteType::Throw => Kind::Throw,
        RouteType::BlackHole => Kind::Blackhole,
        _ => Kind::Unicast,
    });
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(to)) => key.to = *to,
            RouteAttribute::Table(table) => key.table = *table,
            RouteAttribute::Priority(metric) => key.metric = *metric,
            RouteAttribute::Oif(index) => route.interface = *index,
            RouteAttribute::Gateway(RouteAddress::Inet(via)) => route.via = Some(*via),
            RouteAttribute::PrefSource(RouteAddress::Inet(from)) => route.source = Some(*from),
            _ => {}
        }
    }
    let ours = u8::from(header.protocol) == ROUTE_PROTOCOL
        && header.address_family == AddressFamily::Inet
        && (key.table == MAIN || is_ours(key.table));
    ours.then_some((key, route))
}

fn message(key: Key, route: Route) -> RouteMessage {
    let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
        .table_id(key.table)
        .destination_prefix(key.to, key.prefix_len)
        .protocol(RouteProtocol::from(ROUTE_PROTOCOL))
        .kind(route.kind.route_type())
        .scope(if route.kind == Kind::Unicast { RouteScope::Link } else { RouteScope::Universe });
    if route.interface != 0 {
        builder = builder.output_interface(route.interface);
    }
    if key.metric != 0 {
        builder = builder.priority(key.metric);
    }
    if let Some(via) = route.via {
        builder = builder.gateway(via).onlink().scope(RouteScope::Universe);
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

/// Removes one of our routes, of whatever kind, if it is there.
///
/// # Errors
/// What netlink says.
pub async fn remove(handle: &Handle, key: Key, route: Route) -> Result<(), Error> {
    let mut message = message(key, route);
    (message.header.kind, message.header.scope) = (RouteType::Unspec, RouteScope::NoWhere);
    message.header.tos = key.tos;
    message.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Oif(0)));
    is_removed(handle.route().del(message).execute().await)
}
