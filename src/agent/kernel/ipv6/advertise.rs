//! Tells the public segment that an address is here now: unsolicited neighbour advertisements (RFC 4861, 7.2.6).
//!
//! Without them those who know the address by another MAC find out only when they ask again.

use std::io;
use std::net::Ipv6Addr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::agent::kernel::announce::link_address;
use crate::types::MacAddr;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// ICMPv6 with the target and its link-layer address (RFC 4861, 4.4).
const LENGTH: usize = 32;
const ETHERNET: usize = 14;
const HEADER: usize = 40;

/// To everybody on the interface's link.
///
/// # Errors
/// Why no packet could be sent; without CAP_NET_RAW, for one.
pub fn advertise(address: Ipv6Addr, interface: u32, mac: MacAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    socket.send_to(&frame(address, mac), &link_address(interface)?)?;
    Ok(())
}

fn frame(address: Ipv6Addr, mac: MacAddr) -> [u8; ETHERNET + HEADER + LENGTH] {
    let mut frame = [0; ETHERNET + HEADER + LENGTH];
    frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
    frame[6..12].copy_from_slice(&mac.0);
    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
    let (ethernet, ip) = frame.split_at_mut(ETHERNET);
    debug_assert_eq!(ethernet.len(), ETHERNET);
    // Version 6, the length, ICMPv6, and the hop limit that shows that it is of the link.
    ip[0] = 0x60;
    ip[4..8].copy_from_slice(&[0, LENGTH as u8, 58, 255]);
    ip[8..24].copy_from_slice(&address.octets());
    ip[24..40].copy_from_slice(&ALL_NODES.octets());
    // A router's, unasked, and to be taken in place of what was known.
    ip[40] = 136;
    ip[44] = 0xa0;
    ip[48..64].copy_from_slice(&address.octets());
    ip[64..66].copy_from_slice(&[2, 1]);
    ip[66..72].copy_from_slice(&mac.0);
    let sum = checksum(ip);
    ip[42..44].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// ICMPv6's checksum, over the pseudo-header too (RFC 8200, 8.1).
fn checksum(ip: &[u8]) -> u16 {
    let words = ip[8..].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>() + LENGTH as u32 + 58;
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_whole_is_zero() {
        let mut frame = frame("2001:db8::7".parse().unwrap(), MacAddr([2, 0, 0, 0, 0, 9]));
        assert_eq!(checksum(&frame[ETHERNET..]), 0);
        frame[ETHERNET + 8] ^= 1;
        assert_ne!(checksum(&frame[ETHERNET..]), 0);
    }
}
