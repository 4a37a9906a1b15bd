//! Our addresses: the gateways on their bridge and the elastic IPs on the public interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use rtnetlink::{Error, Handle};

use super::absent::is_removed;
use crate::agent::names::ROUTE_PROTOCOL;
use crate::types::Range4;

/// An IPv4 address and the index of the interface that has it.
pub type Place = (Ipv4Addr, u32);

/// What the kernel knows of an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub prefix_len: u8,
    /// Carries our IFA_PROTO; kernels before 5.18 cannot say.
    pub marked: bool,
    /// Usable as a source for the world.
    pub global: bool,
    /// The kernel removes it when this many seconds have passed; `None` for never.
    pub lifetime: Option<u32>,
}

/// All IPv4 addresses of the host, and the order in which each interface has them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    pub by_place: BTreeMap<Place, Address>,
    pub in_order: Vec<Place>,
}

impl Addresses {
    /// Reads them.
    ///
    /// # Errors
    /// What netlink says.
    pub async fn read(handle: &Handle) -> Result<Self, Error> {
        let messages: Vec<_> = handle.address().get().execute().try_collect().await?;
        let mut all = Self::default();
        for message in messages.into_iter().filter(|m| m.header.family == AddressFamily::Inet) {
            let global = message.header.scope == AddressScope::Universe;
            let prefix_len = message.header.prefix_len;
            let mut address = Address { prefix_len, marked: false, global, lifetime: None };
            let mut local = None;
            for attribute in &message.attributes {
                match attribute {
                    AddressAttribute::Local(IpAddr::V4(ip)) => local = Some(*ip),
                    AddressAttribute::Protocol(by) => address.marked = u8::from(*by) == ROUTE_PROTOCOL,
                    AddressAttribute::CacheInfo(info) => {
                        address.lifetime = (info.ifa_valid != FOR_EVER).then_some(info.ifa_valid);
                    }
                    _ => {}
                }
            }
            if let Some(ip) = local {
                all.by_place.insert((ip, message.header.index), address);
                all.in_order.push((ip, message.header.index));
            }
        }
        Ok(all)
    }

    /// The first address on the interface that is not ours and can be seen in the world.
    pub fn primary(&self, index: u32, ours: &BTreeSet<Place>) -> Option<Ipv4Addr> {
        let mut candidates = self.in_order.iter().filter(|place| place.1 == index && !ours.contains(place));
        candidates.find(|place| self.by_place.get(place).is_some_and(|a| a.global)).map(|place| place.0)
    }

    /// Which addresses are ours: marked, or, where the kernel keeps no marks, a /32 on the public
    /// interface from a pool, or on the gateways' bridge.
    pub fn ours(&self, public: Option<u32>, bridge: Option<u32>, pools: &[Range4]) -> BTreeSet<Place> {
        let kernel_marks = self.by_place.values().any(|address| address.marked);
        let looks_ours = |place: &Place, address: &Address| {
            let (ip, index) = *place;
            let pooled = Some(index) == public && pools.iter().any(|pool| pool.contains(ip));
            !kernel_marks && address.prefix_len == 32 && (pooled || Some(index) == bridge)
        };
        let ours = self.by_place.iter().filter(|(place, a)| a.marked || looks_ours(place, a));
        ours.map(|(place, _)| *place).collect()
    }
}

/// INFINITY_LIFE_TIME of net/addrconf.h.
const FOR_EVER: u32 = u32::MAX;

fn message(place: Place, scope: AddressScope) -> AddressMessage {
    let (ip, index) = place;
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.header.scope = scope;
    message.attributes = vec![
        AddressAttribute::Address(ip.into()),
        AddressAttribute::Local(ip.into()),
        AddressAttribute::Protocol(AddressProtocol::from(ROUTE_PROTOCOL)),
    ];
    message
}

/// Adds a /32 with our mark.
///
/// # Errors
/// What netlink says.
pub async fn add(handle: &Handle, place: Place, scope: AddressScope) -> Result<(), Error> {
    let (ip, index) = place;
    let mut request = handle.address().add(index, ip.into(), 32);
    *request.message_mut() = message(place, scope);
    request.execute().await
}

/// Adds a /32 with our mark that the kernel removes after so many seconds, or changes for how long one stays.
///
/// # Errors
/// What netlink says.
pub async fn hold(handle: &Handle, place: Place, lifetime: Option<u32>) -> Result<(), Error> {
    let (ip, index) = place;
    let mut request = handle.address().add(index, ip.into(), 32).replace();
    let mut message = message(place, AddressScope::Universe);
    let mut info = CacheInfo::default();
    (info.ifa_preferred, info.ifa_valid) = (lifetime.unwrap_or(FOR_EVER), lifetime.unwrap_or(FOR_EVER));
    message.attributes.push(AddressAttribute::CacheInfo(info));
    *request.message_mut() = message;
    request.execute().await
}

/// Removes a /32, if it is there.
///
/// # Errors
/// What netlink says.
pub async fn remove(handle: &Handle, place: Place) -> Result<(), Error> {
    is_removed(handle.address().del(message(place, AddressScope::Universe)).execute().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(last: u8, index: u32) -> Place {
        (Ipv4Addr::new(203, 0, 113, last), index)
    }

    fn addresses(list: &[(Place, u8, bool)]) -> Addresses {
        let mut all = Addresses::default();
        for &(place, prefix_len, marked) in list {
            all.by_place.insert(place, Address { prefix_len, marked, global: true, lifetime: None });
            all.in_order.push(place);
        }
        all
    }

    #[test]
    fn marks_decide_where_the_kernel_keeps_them() {
        let all = addresses(&[(place(2, 1), 24, false), (place(7, 1), 32, false), (place(8, 1), 32, true)]);
        let pool = "203.0.113.0/24".parse().unwrap();
        assert_eq!(all.ours(Some(1), None, &[pool]), [place(8, 1)].into());
    }

    #[test]
    fn without_marks_a_pool_address_on_the_public_interface_is_ours() {
        let all = addresses(&[(place(2, 1), 24, false), (place(7, 1), 32, false), (place(8, 2), 32, false)]);
        let pool = "203.0.113.0/24".parse().unwrap();
        let ours = all.ours(Some(1), None, &[pool]);
        assert_eq!(ours, [place(7, 1)].into());
        assert_eq!(all.primary(1, &ours), Some(place(2, 1).0));
    }
}
