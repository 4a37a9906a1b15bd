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

/// How thoroughly to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Care {
    /// How often (PROBE_NUM).
    probes: u32,
    /// How long answers to each are waited for, all addresses together.
    patience: Duration,
}

impl Care {
    /// A server has said that the address is ours: this only finds strangers.
    pub const QUICK: Self = Self { probes: 1, patience: Duration::from_millis(30) };
    /// Nobody has: another host may have it since, and one frame may be lost.
    pub const THOROUGH: Self = Self { probes: 3, patience: Duration::from_millis(400) };
}

/// How often a holder is asked to let go, and how long its agent may take the first time.
const RECLAIMS: u32 = 3;
const YIELD: Duration = Duration::from_millis(50);

/// Who else on the interface's segment answers for the addresses. Blocks for as long as care takes.
///
/// # Errors
/// Packets cannot be sent or heard.
pub fn holders(
    addresses: &[Ipv4Addr],
    interface: u32,
    own: MacAddr,
    care: Care,
) -> io::Result<BTreeMap<Ipv4Addr, MacAddr>> {
    let protocol = Protocol::from(i32::from(ETH_P_ARP.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    let everybody = link_address(interface)?;
    socket.bind(&everybody)?;
    let mut held = BTreeMap::new();
    for _ in 0..care.probes {
        for address in addresses {
            socket.send_to(&request(Ipv4Addr::UNSPECIFIED, *address, own), &everybody)?;
        }
        hear(&socket, care.patience, |ip, mac| {
            if mac != own && addresses.contains(&ip) {
                held.insert(ip, mac);
            }
        })?;
    }
    Ok(held)
}

/// Asks the holders to let go, each alone so that nobody else believes that we have the addresses, and then who still
/// has them. A host that no server can tell that it lost an address learns it so, see [`crate::agent::hold`].
///
/// # Errors
/// Packets cannot be sent or heard.
pub fn reclaim(
    mut held: BTreeMap<Ipv4Addr, MacAddr>,
    interface: u32,
    own: MacAddr,
) -> io::Result<BTreeMap<Ipv4Addr, MacAddr>> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    let everybody = link_address(interface)?;
    for attempt in 1..=RECLAIMS {
        if held.is_empty() {
            break;
        }
        for (ip, holder) in &held {
            let mut claim = request(*ip, *ip, own);
            claim[..6].copy_from_slice(&holder.0);
            socket.send_to(&claim, &everybody)?;
        }
        std::thread::sleep(YIELD * attempt);
        let addresses: Vec<_> = held.keys().copied().collect();
        held = holders(&addresses, interface, own, Care::QUICK)?;
    }
    Ok(held)
}

fn hear(socket: &Socket, patience: Duration, mut claimed: impl FnMut(Ipv4Addr, MacAddr)) -> io::Result<()> {
    let end = Instant::now() + patience;
    let mut frame = [0; 128];
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left))?;
        match recv(socket.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            Ok(length) => {
                if let Some((ip, mac)) = claim(frame.get(..length).unwrap_or_default()) {
                    claimed(ip, mac);
                }
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Which address the sender of an ARP packet says that it has; whether it asks or answers.
pub(super) fn claim(frame: &[u8]) -> Option<(Ipv4Addr, MacAddr)> {
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
