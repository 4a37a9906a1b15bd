//! Hears when somebody else on the segment says that it has an address of ours.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::announce::{ETH_P_ARP, link_address};
use super::probe::claim;
use crate::types::MacAddr;

/// A socket that hears the ARP of one interface.
pub struct Challenges {
    socket: AsyncFd<Heard>,
    interface: u32,
}

struct Heard(Socket);

impl AsRawFd for Heard {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Challenges {
    /// Listens on an interface.
    ///
    /// # Errors
    /// No socket can be had; without CAP_NET_RAW, for one.
    pub fn on(interface: u32) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(ETH_P_ARP.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.bind(&link_address(interface)?)?;
        socket.set_nonblocking(true)?;
        // SAFETY: `Heard` owns its socket, never replaces it and closes it only when dropped.
        #[allow(unsafe_code)]
        let socket =
            unsafe { AsyncFd::register_with_interest(Heard(socket), tokio::io::Interest::READABLE) }?;
        Ok(Self { socket, interface })
    }

    /// The interface that is listened to.
    pub const fn interface(&self) -> u32 {
        self.interface
    }

    /// The next ones that somebody else than `own` says it has, of those that are `held`.
    ///
    /// # Errors
    /// The interface is gone.
    pub async fn next(
        &self,
        held: &BTreeSet<Ipv4Addr>,
        own: MacAddr,
    ) -> io::Result<Vec<(Ipv4Addr, MacAddr)>> {
        let mut frame = [0; 128];
        let mut found = Vec::new();
        loop {
            let mut ready = self.socket.readable().await?;
            loop {
                match recv(self.socket.get_ref().0.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                    Ok(length) => {
                        let claim = claim(frame.get(..length).unwrap_or_default());
                        found.extend(claim.filter(|(ip, mac)| *mac != own && held.contains(ip)));
                    }
                    Err(Errno::EAGAIN) => break,
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            ready.clear_ready();
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// What challenges say next; nothing without any.
///
/// # Errors
/// The interface is gone.
pub async fn hear(
    challenges: &Option<Challenges>,
    held: &BTreeSet<Ipv4Addr>,
    public: Option<(u32, MacAddr)>,
) -> io::Result<Vec<(Ipv4Addr, MacAddr)>> {
    match (challenges, public) {
        (Some(challenges), Some((_, mac))) => challenges.next(held, mac).await,
        _ => std::future::pending().await,
    }
}
