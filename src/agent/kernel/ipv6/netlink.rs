//! What the kernel has of IPv6 that is ours: addresses, routes, routing rules, neighbours and proxy entries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage};
use rtnetlink::{Error, Handle, IpVersion, RouteMessageBuilder};

use crate::agent::kernel::absent::is_removed;
use crate::agent::kernel::policy::is_ours;
use crate::agent::kernel::routes::Kind;
use crate::agent::names::ROUTE_PROTOCOL;
use crate::types::{Cidr6, MacAddr};

/// An address and the index of an interface.
pub type Place = (Ipv6Addr, u32);

pub(super) const MAIN: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// What the kernel gives a route that says nothing (IP6_RT_PRIO_USER).
const METRIC: u32 = 1024;

/// What tells two of our routes apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    pub table: u32,
    pub to: Cidr6,
    pub metric: u32,
}

impl Key {
    pub fn new(table: u32, to: Cidr6) -> Self {
        Self { table, to, metric: METRIC }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.fmt(f)
    }
}

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub kind: Kind,
    /// 0 where it leads to none.
    pub interface: u32,
    pub via: Option<Ipv6Addr>,
}

/// Everything of ours, as read.
#[derive(Default)]
pub struct Found {
    /// The addresses of all interfaces, whosever.
    pub addresses: BTreeSet<Place>,
    /// Those with one key in the kernel's order.
    pub routes: BTreeMap<Key, Vec<Route>>,
    /// The permanent ones of all interfaces: address, and whether it has our mark.
    pub neighbours: BTreeMap<Place, (Vec<u8>, bool)>,
    /// Which mark leads to which table.
    pub rules: BTreeSet<(u32, u32)>,
}

impl Found {
    /// Reads it.
    ///
    /// # Errors
    /// What netlink says.
    pub async fn read(handle: &Handle) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut addresses = handle.address().get().execute();
        while let Some(message) = addresses.try_next().await? {
            let address = message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Address(IpAddr::V6(ip)) => Some(*ip),
                _ => None,
            });
            found.addresses.extend(address.map(|ip| (ip, message.header.index)));
        }
        let filter = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let mut routes = handle.route().get(filter).execute();
        while let Some(message) = routes.try_next().await? {
            if let Some((key, route)) = route(&message) {
                found.routes.entry(key).or_default().push(route);
            }
        }
        let request = handle.neighbours().get().set_address_family(AddressFamily::Inet6);
        let mut neighbours = request.execute();
        while let Some(message) = neighbours.try_next().await? {
            if message.header.state == NeighbourState::Permanent
                && let Some(place) = destination(&message)
            {
                found.neighbours.insert(place, neighbour(&message));
            }
        }
        let mut rules = handle.rule().get(IpVersion::V6).execute();
        while let Some(message) = rules.try_next().await? {
            found.rules.extend(rule(&message));
        }
        Ok(found)
    }
}

fn route(message: &RouteMessage) -> Option<(Key, Route)> {
    let header = &message.header;
    let (mut table, mut metric, mut to) = (header.table.into(), METRIC, Ipv6Addr::UNSPECIFIED);
    let kind = match header.kind {
        RouteType::Throw => Kind::Throw,
        RouteType::BlackHole => Kind::Blackhole,
        _ => Kind::Unicast,
    };
    let mut route = Route { kind, interface: 0, via: None };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => to = *address,
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            // The kernel names the loopback interface for those that lead to none.
            RouteAttribute::Oif(index) if kind == Kind::Unicast => route.interface = *index,
            RouteAttribute::Gateway(RouteAddress::Inet6(via)) => route.via = Some(*via),
            _ => {}
        }
    }
    let ours = u8::from(header.protocol) == ROUTE_PROTOCOL && header.address_family == AddressFamily::Inet6;
    let to = Cidr6::new(to, header.destination_prefix_length)?;
    (ours && (table == MAIN || is_ours(table))).then_some((Key { table, to, metric }, route))
}

fn route_message(key: Key, route: Route) -> RouteMessage {
    let kind = match route.kind {
        Kind::Unicast => RouteType::Unicast,
        Kind::Throw => RouteType::Throw,
        Kind::Blackhole => RouteType::BlackHole,
    };
    let mut builder = RouteMessageBuilder::<Ipv6Addr>::new()
        .table_id(key.table)
        .destination_prefix(key.to.network(), key.to.prefix_len())
        .protocol(RouteProtocol::from(ROUTE_PROTOCOL))
        .kind(kind)
        .scope(RouteScope::Universe)
        .priority(key.metric);
    if route.interface != 0 {
        builder = builder.output_interface(route.interface);
    }
    if let Some(via) = route.via {
        builder = builder.gateway(via);
    }
    builder.build()
}

/// Adds a route, or leads one of ours elsewhere (`there`).
///
/// # Errors
/// What netlink says; that something of another's stands there already, too.
pub async fn write_route(handle: &Handle, key: Key, route: Route, there: bool) -> Result<(), Error> {
    let request = handle.route().add(route_message(key, route));
    if there { request.replace().execute().await } else { request.execute().await }
}

/// Removes one of our routes, if it is there.
///
/// # Errors
/// What netlink says.
pub async fn remove_route(handle: &Handle, key: Key, route: Route) -> Result<(), Error> {
    is_removed(handle.route().del(route_message(key, route)).execute().await)
}

fn destination(message: &NeighbourMessage) -> Option<Place> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some((*ip, message.header.ifindex)),
        _ => None,
    })
}

fn neighbour(message: &NeighbourMessage) -> (Vec<u8>, bool) {
    let mut entry = (Vec::new(), false);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => entry.0.clone_from(bytes),
            NeighbourAttribute::Protocol(by) => entry.1 = u8::from(*by) == ROUTE_PROTOCOL,
            _ => {}
        }
    }
    entry
}

fn neighbour_message(place: Place, flags: NeighbourFlags) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.ifindex = place.1;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unspec;
    message.header.flags = flags;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(place.0)),
        NeighbourAttribute::Protocol(RouteProtocol::from(ROUTE_PROTOCOL)),
    ];
    message
}

/// Makes a neighbour known for good.
///
/// # Errors
/// What netlink says.
pub async fn set_neighbour(handle: &Handle, place: Place, mac: MacAddr) -> Result<(), Error> {
    let mut request = handle.neighbours().add(place.1, place.0.into());
    *request.message_mut() = neighbour_message(place, NeighbourFlags::empty());
    request.link_layer_address(&mac.0).replace().execute().await
}

/// Answers neighbour solicitations for this address, and no other, on the interface.
///
/// # Errors
/// What netlink says.
pub async fn add_proxy(handle: &Handle, place: Place) -> Result<(), Error> {
    let mut request = handle.neighbours().add(place.1, place.0.into());
    *request.message_mut() = neighbour_message(place, NeighbourFlags::Proxy);
    request.replace().execute().await
}

/// Removes a proxy entry (`proxy`) or a neighbour, if it is there.
///
/// # Errors
/// What netlink says.
pub async fn remove_neighbour(handle: &Handle, place: Place, proxy: bool) -> Result<(), Error> {
    let flags = if proxy { NeighbourFlags::Proxy } else { NeighbourFlags::empty() };
    is_removed(handle.neighbours().del(neighbour_message(place, flags)).execute().await)
}

/// The proxy entries with our mark.
///
/// # Errors
/// What netlink says.
pub async fn proxies(handle: &Handle) -> Result<BTreeSet<Place>, Error> {
    let request = handle.neighbours().get().set_address_family(AddressFamily::Inet6).proxies();
    let messages: Vec<_> = request.execute().try_collect().await?;
    let ours = messages.iter().filter(|message| neighbour(message).1);
    Ok(ours.filter_map(destination).collect())
}

/// Gives an interface a link-local address of ours; that nobody else has it there is known.
///
/// # Errors
/// What netlink says.
pub async fn add_address(handle: &Handle, place: Place) -> Result<(), Error> {
    let (ip, index) = place;
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.prefix_len = 64;
    message.header.index = index;
    message.header.scope = AddressScope::Link;
    message.attributes = vec![
        AddressAttribute::Address(ip.into()),
        AddressAttribute::Local(ip.into()),
        AddressAttribute::Protocol(AddressProtocol::from(ROUTE_PROTOCOL)),
        AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Permanent),
    ];
    let mut request = handle.address().add(index, ip.into(), 64);
    *request.message_mut() = message;
    request.execute().await
}

fn rule(message: &RuleMessage) -> Option<(u32, u32)> {
    let (mut mark, mut table, mut ours) = (None, u32::from(message.header.table), false);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::FwMark(number) => mark = Some(*number),
            RuleAttribute::Protocol(protocol) => ours = u8::from(*protocol) == ROUTE_PROTOCOL,
            _ => {}
        }
    }
    mark.filter(|_| ours).map(|mark| (mark, table))
}

/// The message of the rule by which a mark leads to a table.
pub fn rule_message((mark, table): (u32, u32), priority: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header =
        RuleHeader { family: AddressFamily::Inet6, action: RuleAction::ToTable, ..RuleHeader::default() };
    message.attributes = vec![
        RuleAttribute::Priority(priority),
        RuleAttribute::Protocol(RouteProtocol::from(ROUTE_PROTOCOL)),
        RuleAttribute::FwMark(mark),
        RuleAttribute::Table(table),
    ];
    message
}
