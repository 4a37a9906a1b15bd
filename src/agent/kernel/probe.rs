//! Asks the segment whether somebody has an address already, before it becomes ours.
//!
//! RFC 5227 asks for seconds of waiting, for hosts that may be anywhere. Our segment is a switch or two with a
//! router, and whoever answers there answers within a millisecond.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};

use super::announce::{ETH_P_ARP, FRAME, link_address, request};
use crate::types::MacAddr;

/// How long answers are waited for, all addresses together.
const PATIENCE: Duration = Duration::from_millis(30);

/// Who else on the interface's segment answers for the addresses. Blocks for [`PATIENCE`].
///
/// # Errors
/// Packets cannot be sent or heard.
pub fn holders(
    addresses: &[Ipv4Addr],
    interface: u32,
    own: MacAddr,
) -> io::Result<BTreeMap<Ipv4Addr, MacAddr>> {
    let protocol = Protocol::from(i32::from(ETH_P_ARP.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    let everybody = link_address(interface)?;
    socket.bind(&everybody)?;
    for address in addresses {
        socket.send_to(&request(Ipv4Addr::UNSPECIFIED, *address, own), &everybody)?;
    }
    let end = Instant::now() + PATIENCE;
    let mut held = BTreeMap::new();
    let mut frame = [0; 128];
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left))?;
        match recv(socket.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            Ok(length) => {
                let claim = claim(frame.get(..length).unwrap_or_default());
                held.extend(claim.filter(|(ip, mac)| *mac != own && addresses.contains(ip)));
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(held)
}

/// Which address the sender of an ARP packet says that it has; whether it asks or answers.
fn claim(frame: &[u8]) -> Option<(Ipv4Addr, MacAddr)> {
    let arp = frame.get(..FRAME)?;
    let is_arp = arp.get(12..20)? == [8, 6, 0, 1, 8, 0, 6, 4];
    let mac = MacAddr(*arp.get(22..)?.first_chunk()?);
    let ip = Ipv4Addr::from(*arp.get(28..)?.first_chunk::<4>()?);
    (is_arp && !ip.is_unspecified()).then_some((ip, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_a_claim_and_a_probe_is_none() {
        let (ip, mac) = (Ipv4Addr::new(203, 0, 113, 7), MacAddr([2, 0, 0, 0, 0, 9]));
        assert_eq!(claim(&request(ip, ip, mac)), Some((ip, mac)));
        assert_eq!(claim(&request(Ipv4Addr::UNSPECIFIED, ip, mac)), None);
        assert_eq!(claim(&request(ip, ip, mac)[..41]), None);
    }
}
