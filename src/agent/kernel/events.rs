//! Hears at once when somebody changes the kernel under us.
//!
//! What is heard is never used as state; it only says "look again".

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::Socket;
use tokio::io::Interest as Readiness;
use tokio::io::unix::AsyncFd;

use super::nfnetlink::{HEADER, attributes, header};
use crate::agent::names::{PORT_PREFIX, ROUTE_PROTOCOL, TRANSIT_PREFIX};

/// A socket that is subscribed to notifications.
pub struct Events(Socket);

impl Events {
    /// Links, addresses, routes, routing rules, neighbours and per-interface switches.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn of_routing() -> io::Result<Self> {
        // RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE,
        // IPV4_NETCONF, IPV6_NETCONF.
        Self::open(0, &[1, 3, 5, 7, 8, 9, 11, 19, 24, 25])
    }

    /// Links alone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn of_links() -> io::Result<Self> {
        Self::open(0, &[1])
    }

    /// Every change of anybody's rules.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn of_rules() -> io::Result<Self> {
        // NETLINK_NETFILTER, NFNLGRP_NFTABLES.
        Self::open(12, &[7])
    }

    fn open(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Puts the socket under tokio's reactor.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn registered(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: `Events` owns its socket, never replaces it and closes it only when dropped.
        #[allow(unsafe_code)]
        let registered = unsafe { AsyncFd::register_with_interest(self, Readiness::READABLE) };
        Ok(registered?)
    }

    /// Reads what has been heard and says whether any of it matters. That more was said than the
    /// socket could keep matters, too.
    pub fn drain(&self, mut matters: impl FnMut(u16, &[u8]) -> bool) -> bool {
        let mut heard = false;
        let mut buffer = bytes::BytesMut::with_capacity(1 << 16);
        loop {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Ok(_) => {
                    let mut rest = &buffer[..];
                    while let Some((length, kind, ..)) = header(rest) {
                        heard = heard || matters(kind, rest.get(HEADER..length).unwrap_or_default());
                        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                    }
                }
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => heard = true,
                Err(_) => return heard,
            }
        }
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Whether a neighbour's message is about an address that stands for a host.
fn is_next_hop(body: &[u8]) -> bool {
    const NDA_DST: u16 = 1;
    let destination = attributes(body.get(12..).unwrap_or_default()).find(|(kind, ..)| *kind == NDA_DST);
    destination.is_some_and(|(.., to)| matches!(to, [169, 254, third, _] if third & 0xc0 == 128))
}

/// What of routing's notifications can concern us.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Names of the interfaces that are ours to watch beside the ports.
    pub interfaces: Vec<String>,
    /// Indexes of the ports: a neighbour entry behind them is ours.
    pub ports: BTreeSet<u32>,
}

impl Interest {
    /// Whether to look at the kernel again after this message.
    pub fn in_routing(&self, kind: u16, body: &[u8]) -> bool {
        const IFLA_IFNAME: u16 = 3;
        const NTF_PROXY: u8 = 8;
        match kind {
            // RTM_NEWLINK, DELLINK.
            16 | 17 => {
                let mut parts = attributes(body.get(16..).unwrap_or_default());
                let name = parts.find(|(kind, ..)| *kind == IFLA_IFNAME);
                name.is_none_or(|(_, _, text)| {
                    let text = text.strip_suffix(&[0]).unwrap_or(text);
                    text.starts_with(PORT_PREFIX.as_bytes())
                        || text.starts_with(TRANSIT_PREFIX.as_bytes())
                        || self.interfaces.iter().any(|name| name.as_bytes() == text)
                })
            }
            // RTM_NEWROUTE, DELROUTE.
            24 | 25 => body.get(5) == Some(&ROUTE_PROTOCOL),
            // RTM_NEWNEIGH, DELNEIGH: the flat network's own comings and goings are many.
            28 | 29 => {
                let index = body.get(4..).and_then(|rest| rest.first_chunk());
                let port = index.is_some_and(|index| self.ports.contains(&u32::from_ne_bytes(*index)));
                port || body.get(10).is_some_and(|flags| flags & NTF_PROXY != 0) || is_next_hop(body)
            }
            _ => true,
        }
    }
}
