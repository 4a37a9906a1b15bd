//! Interfaces: found by name, never made, save the bridge without ports that carries the gateways.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkFlags};
use rtnetlink::{Error, Handle, LinkBridge, LinkUnspec};

use super::sysctl::Told;
use crate::agent::names::GATEWAY_BRIDGE;
use crate::types::MacAddr;

/// An interface of the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub index: u32,
    /// Switched on by its manager; says nothing of the cable.
    pub up: bool,
    /// There is a cable, with something at its other end.
    pub carrier: bool,
    /// The longest packet that it takes.
    pub mtu: u32,
    /// Its Ethernet address; empty where it has none.
    pub mac: Vec<u8>,
    /// The full id of the network interface, on ports.
    pub alias: Option<String>,
    /// How some of its switches stood when it was listed.
    pub told: Told,
}

/// All interfaces, by name.
///
/// # Errors
/// What netlink says.
pub async fn list(handle: &Handle) -> Result<BTreeMap<String, Link>, Error> {
    // Counters are a third of what a list says, and nobody here reads them.
    let unread = vec![LinkExtentMask::SkipStats];
    let list = handle.link().get().set_filter_mask(AddressFamily::Unspec, unread);
    let messages: Vec<_> = list.execute().try_collect().await?;
    let mut links = BTreeMap::new();
    for message in messages {
        let up = message.header.flags.contains(LinkFlags::Up);
        let carrier = message.header.flags.contains(LinkFlags::LowerUp);
        let index = message.header.index;
        let mut link =
            Link { index, up, carrier, mtu: 0, mac: Vec::new(), alias: None, told: Told::default() };
        let mut name = None;
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = Some(text),
                LinkAttribute::Address(bytes) => link.mac = bytes,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::IfAlias(text) => link.alias = Some(text),
                LinkAttribute::AfSpecUnspec(specs) => link.told = Told::of(&specs),
                _ => {}
            }
        }
        if let Some(name) = name {
            links.insert(name, link);
        }
    }
    Ok(links)
}

/// Switches an interface on.
///
/// # Errors
/// What netlink says.
pub async fn set_up(handle: &Handle, index: u32) -> Result<(), Error> {
    handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await
}

/// Gives an interface the address that it must have.
///
/// # Errors
/// What netlink says.
pub async fn set_mac(handle: &Handle, index: u32, mac: MacAddr) -> Result<(), Error> {
    handle.link().set(LinkUnspec::new_with_index(index).address(mac.0.to_vec()).build()).execute().await
}

/// Sets the longest packet that an interface takes.
///
/// # Errors
/// What netlink says.
pub async fn set_mtu(handle: &Handle, index: u32, mtu: u32) -> Result<(), Error> {
    handle.link().set(LinkUnspec::new_with_index(index).mtu(mtu).build()).execute().await
}

/// Switches an interface off.
///
/// # Errors
/// What netlink says.
pub async fn set_down(handle: &Handle, index: u32) -> Result<(), Error> {
    handle.link().set(LinkUnspec::new_with_index(index).down().build()).execute().await
}

/// Makes the gateway bridge. It never gets a port, and no other program's bridge filter sees it.
///
/// # Errors
/// What netlink says.
pub async fn add_gateway_bridge(handle: &Handle) -> Result<(), Error> {
    let bridge = || LinkBridge::new(GATEWAY_BRIDGE);
    let unfiltered = bridge().nf_call_iptables(false).nf_call_ip6tables(false).nf_call_arptables(false);
    handle.link().add(unfiltered.build()).execute().await
}
