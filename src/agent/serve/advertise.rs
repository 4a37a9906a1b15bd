//! Router advertisements for one port (RFC 4861, 4.2): by whom its guest leaves, and that its address comes by DHCPv6.
//!
//! The subnet's prefix is neither on the link nor for addresses that the guest makes itself: everything goes by the router,
//! as everything goes by its gateway in IPv4.

use crate::agent::names::PORT_MAC;
use crate::types::Cidr6;

/// For how long the router is one, in seconds: three times the pause between two advertisements, and the longest that
/// RFC 4861, 6.2.1, allows is 9000.
const LIFETIME: u16 = 1800;

/// What its guest is told of a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The subnet's.
    pub prefix: Option<Cidr6>,
    pub mtu: Option<u16>,
}

/// The advertisement without its checksum, which the kernel writes.
pub fn advertisement(link: Link) -> Vec<u8> {
    // Addresses and all else by DHCPv6 (M, O).
    let mut message = vec![134, 0, 0, 0, 64, 0xc0];
    message.extend(LIFETIME.to_be_bytes());
    // No word on how long neighbours are reachable.
    message.extend([0; 8]);
    // The router's link-layer address: nobody need ask for it.
    message.extend([1, 1]);
    message.extend(PORT_MAC.0);
    if let Some(mtu) = link.mtu {
        message.extend([5, 1, 0, 0]);
        message.extend(u32::from(mtu).to_be_bytes());
    }
    if let Some(prefix) = link.prefix {
        // Neither on-link nor autonomous (RFC 4861, 4.6.2): for ever, and of no use but to be known.
        message.extend([3, 4, prefix.prefix_len(), 0]);
        message.extend([u32::MAX, u32::MAX, 0].map(u32::to_be_bytes).concat());
        message.extend(prefix.network().octets());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_neither_on_link_nor_for_made_up_addresses() {
        let prefix: Cidr6 = "2001:db8:0:1::/64".parse().unwrap();
        let message = advertisement(Link { prefix: Some(prefix), mtu: Some(1450) });
        assert_eq!(message.len() % 8, 0);
        assert_eq!(message[5], 0xc0, "managed, and other configuration");
        let information = &message[32..];
        assert_eq!(information[..4], [3, 4, 64, 0]);
        assert_eq!(information[16..], prefix.network().octets());
        assert_eq!(message[24..32], [5, 1, 0, 0, 0, 0, 0x05, 0xaa]);
    }
}
