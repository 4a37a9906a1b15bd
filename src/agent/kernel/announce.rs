//! Gratuitous ARP: tells the segment that an address is here now.
//!
//! Without it a moved address is unreachable until the neighbours' entries age, 33 s when measured.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::types::MacAddr;

/// When after the first announcement the others follow: one may be lost, a switch may be learning.
const REPEATS: [Duration; 2] = [Duration::from_millis(700), Duration::from_millis(1300)];

pub(super) const ETH_P_ARP: u16 = 0x0806;

/// ARP for IPv4 in an Ethernet frame.
pub(super) const FRAME: usize = 42;

/// An ARP request for the address by the address itself (RFC 5227, 2.3), as an Ethernet frame.
fn frame(address: Ipv4Addr, mac: MacAddr) -> [u8; FRAME] {
    request(address, address, mac)
}

/// An ARP request for `target` to everybody, as an Ethernet frame.
pub(super) fn request(sender: Ipv4Addr, target: Ipv4Addr, mac: MacAddr) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&mac.0);
    frame[12..14].copy_from_slice(&ETH_P_ARP.to_be_bytes());
    // Ethernet, IPv4, their address lengths, request.
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac.0);
    frame[28..32].copy_from_slice(&sender.octets());
    frame[38..42].copy_from_slice(&target.octets());
    frame
}

/// How late a repetition may be: one that was held up says what may not be true any more.
const LATE: Duration = Duration::from_millis(200);

/// Announces addresses, and repeats it for as long as they are ours.
#[derive(Default)]
pub struct Announcer {
    repeats: BTreeMap<(Ipv4Addr, u32), AbortOnDrop>,
    /// One for all: closing it waits until no processor uses it (net/packet/af_packet.c, `packet_release`), some 10 ms. With one
    /// for each address, an agent that had announced a thousand stood still for ten seconds.
    socket: Option<Arc<Socket>>,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Announcer {
    /// Announces the address now, and again in the background.
    ///
    /// # Errors
    /// Why no packet could be sent; without CAP_NET_RAW, for one.
    pub fn announce(&mut self, address: Ipv4Addr, interface: u32, mac: MacAddr) -> io::Result<()> {
        let socket = self.socket()?;
        let to = link_address(interface)?;
        let frame = frame(address, mac);
        socket.send_to(&frame, &to)?;
        let repeat = tokio::spawn(async move {
            for pause in REPEATS {
                let due = Instant::now() + pause;
                tokio::time::sleep_until(due).await;
                if due.elapsed() > LATE {
                    return;
                }
                if let Err(error) = socket.send_to(&frame, &to) {
                    tracing::debug!(%address, %error, "announcement not repeated");
                }
            }
        });
        self.repeats.insert((address, interface), AbortOnDrop(repeat));
        Ok(())
    }

    /// Hears nothing; says by which interface each time.
    fn socket(&mut self) -> io::Result<Arc<Socket>> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let socket = Arc::new(Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?);
        self.socket = Some(socket.clone());
        Ok(socket)
    }

    /// An address that is not ours any more is not announced again: the new owner would be called a liar.
    pub fn retain(&mut self, ours: impl Fn(Ipv4Addr) -> bool) {
        self.repeats.retain(|(address, _), task| ours(*address) && !task.0.is_finished());
    }
}

#[allow(unsafe_code)]
pub(super) fn link_address(interface: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(interface).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: sockaddr_ll fits in the zeroed sockaddr_storage that try_init hands out, and its
    // length is set to the length of what was written.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = storage.cast::<nix::libc::sockaddr_ll>();
            (*link).sll_family = nix::libc::AF_PACKET as u16;
            (*link).sll_protocol = ETH_P_ARP.to_be();
            (*link).sll_ifindex = index;
            (*link).sll_halen = 6;
            *length = size_of::<nix::libc::sockaddr_ll>() as nix::libc::socklen_t;
            Ok(())
        })
    }?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_and_target_are_the_address() {
        let frame = frame(Ipv4Addr::new(203, 0, 113, 7), MacAddr([2, 0, 0, 0, 0, 9]));
        assert_eq!(frame[28..32], frame[38..42]);
        assert_eq!(frame[38..42], [203, 0, 113, 7]);
        assert_eq!(frame[6..12], frame[22..28]);
        assert_eq!(frame[20..22], [0, 1]);
    }
}
