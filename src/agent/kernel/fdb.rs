//! Which host is behind which address of a VXLAN device: written by us alone, never learned (ip-link(8), bridge(8)).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteType;
use rtnetlink::{Error, Handle};

use super::absent::is_removed;
use super::host::Pass;
use crate::agent::names::vxlan_mac;
use crate::types::MacAddr;

type Entries = BTreeMap<MacAddr, Ipv4Addr>;

async fn list(handle: &Handle, device: u32) -> Result<Entries, Error> {
    let request = handle.neighbours().get().set_address_family(AddressFamily::Bridge);
    let messages: Vec<_> = request.execute().try_collect().await?;
    let of_device = messages.iter().filter(|message| message.header.ifindex == device);
    Ok(of_device.filter_map(read).collect())
}

fn read(message: &NeighbourMessage) -> Option<(MacAddr, Ipv4Addr)> {
    let (mut mac, mut to) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.first_chunk().copied().map(MacAddr),
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => to = Some(*ip),
            _ => {}
        }
    }
    mac.zip(to)
}

fn message(device: u32, mac: MacAddr, to: Ipv4Addr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = device;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unspec;
    message.header.flags = NeighbourFlags::Own;
    message.attributes = vec![
        NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet(to)),
    ];
    message
}

async fn add(handle: &Handle, device: u32, mac: MacAddr, to: Ipv4Addr) -> Result<(), Error> {
    let mut request = handle.neighbours().add(device, to.into());
    *request.message_mut() = message(device, mac, to);
    request.replace().execute().await
}

impl Pass<'_> {
    /// Makes the other hosts known to the VXLAN device, and forgets those that are gone.
    pub(super) async fn write_fdb(&mut self) {
        let Some(device) = self.flat() else { return };
        let others = self.state.hosts.values().filter(|peer| peer.name != self.state.host);
        let want: Entries = others.map(|peer| (vxlan_mac(peer.next_hop), peer.next_hop)).collect();
        let have = match list(self.handle, device).await {
            Ok(have) => have,
            Err(error) => return self.fail("VXLAN".into(), error),
        };
        for (mac, to) in want.iter().filter(|(mac, to)| have.get(mac) != Some(to)) {
            let added = add(self.handle, device, *mac, *to).await;
            self.check(|| format!("host {to}: VXLAN"), added);
        }
        for (mac, to) in have.iter().filter(|(mac, _)| !want.contains_key(mac)) {
            let removed = self.handle.neighbours().del(message(device, *mac, *to)).execute().await;
            self.check(|| format!("host {to}: VXLAN"), is_removed(removed));
        }
    }
}
