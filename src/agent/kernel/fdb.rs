//! Which host is behind which address of a VXLAN device: written by us alone, never learned (ip-link(8), bridge(8)).

use std::collections::BTreeSet;
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

/// By address; that of all others, all zeros, may lead to several hosts.
type Entries = BTreeSet<(MacAddr, Ipv4Addr)>;

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
            // What family an address of a bridge's neighbour has, its length says.
            NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
                to = <[u8; 4]>::try_from(&**bytes).ok().map(Ipv4Addr::from);
            }
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
        for (mac, to) in want.difference(&have) {
            let added = add(self.handle, device, *mac, *to).await;
            self.check(|| format!("host {to}: VXLAN"), added);
        }
        // One that led elsewhere has been replaced.
        for (mac, to) in have.iter().filter(|(mac, _)| !want.iter().any(|(other, _)| other == mac)) {
            let removed = self.handle.neighbours().del(message(device, *mac, *to)).execute().await;
            self.check(|| format!("host {to}: VXLAN"), is_removed(removed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_the_kernel_tells_it() {
        let mac = MacAddr([2, 0xfb, 1, 0, 0, 3]);
        let mut told = message(7, mac, Ipv4Addr::new(169, 254, 128, 3));
        let destination = NeighbourAddress::Other(vec![169, 254, 128, 3]);
        told.attributes[1] = NeighbourAttribute::Destination(destination);
        assert_eq!(read(&told), Some((mac, Ipv4Addr::new(169, 254, 128, 3))));
    }
}
