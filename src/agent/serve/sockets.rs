//! Sockets that hear and speak on one port's interface only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, UdpSocket};

const BACKLOG: i32 = 64;

fn bound(kind: Type, protocol: Protocol, interface: &str, address: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind.nonblocking(), Some(protocol))?;
    // Before bind(2): the address is then taken on this interface alone, beside any other listener.
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(address).into())?;
    Ok(socket)
}

/// UDP on a port of the interface; `Ipv4Addr::UNSPECIFIED` hears broadcasts too.
///
/// # Errors
/// The interface does not exist, or the port is taken on all interfaces.
pub fn udp(interface: &str, address: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = bound(Type::DGRAM, Protocol::UDP, interface, SocketAddrV4::new(address, port))?;
    socket.set_broadcast(true)?;
    UdpSocket::from_std(socket.into())
}

/// TCP on a port of the interface.
///
/// # Errors
/// The interface does not exist, or the port is taken on all interfaces.
pub fn tcp(interface: &str, port: u16) -> io::Result<TcpListener> {
    let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    let socket = bound(Type::STREAM, Protocol::TCP, interface, address)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// UDP over IPv6 on a port of the interface, with what is sent to the group there.
///
/// # Errors
/// The interface does not exist, or the port is taken on all interfaces.
pub fn udp6(interface: &str, index: u32, port: u16, group: Ipv6Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_reuse_address(true)?;
    socket.set_only_v6(true)?;
    socket.bind(&SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)).into())?;
    socket.join_multicast_v6(&group, index)?;
    UdpSocket::from_std(socket.into())
}

/// Hears router solicitations on an interface, and answers.
pub struct Solicitations(AsyncFd<Socket>);

/// A raw socket for them (RFC 3542).
///
/// # Errors
/// The interface does not exist, or we may not have such a socket.
pub fn solicitations(interface: &str, index: u32, group: Ipv6Addr) -> io::Result<Solicitations> {
    let socket = Socket::new(Domain::IPV6, Type::RAW.nonblocking(), Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    only_solicitations(&socket)?;
    socket.join_multicast_v6(&group, index)?;
    socket.set_multicast_if_v6(index)?;
    // The hop limit that shows that it comes from the link (RFC 4861, 6.1.2).
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_loop_v6(false)?;
    // SAFETY: the `AsyncFd` owns the socket, which is never replaced and closed only when that is dropped.
    #[allow(unsafe_code)]
    let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    Ok(Solicitations(registered?))
}

impl Solicitations {
    /// Waits until one has come, and forgets whatever else is there by then.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn asked(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut heard = Ok(false);
            loop {
                match ready.get_inner().recv(&mut [std::mem::MaybeUninit::uninit(); 8]) {
                    Ok(_) => heard = Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        heard = Err(error);
                        break;
                    }
                }
            }
            // An error that was told is not told again: what is left will be.
            ready.clear_ready();
            if heard? {
                return Ok(());
            }
        }
    }

    /// Sends, from the only address that the interface has on the link.
    ///
    /// # Errors
    /// There is none yet, or the interface is down.
    pub async fn say(&self, message: &[u8], to: SocketAddrV6) -> io::Result<()> {
        self.0.get_ref().send_to(message, &SocketAddr::V6(to).into()).map(|_| ())
    }

    /// See [`mtu`].
    pub fn mtu(&self, interface: &str) -> Option<u16> {
        mtu(self.0.get_ref(), interface)
    }
}

/// Lets nothing but solicitations come (icmp6_filter: a bit for each type that is not wanted).
#[allow(unsafe_code)]
fn only_solicitations(socket: &Socket) -> io::Result<()> {
    const ICMP6_FILTER: libc::c_int = 1;
    const SOLICITATION: usize = 133;
    let mut filter = [u32::MAX; 8];
    filter[SOLICITATION / 32] = !(1 << (SOLICITATION % 32));
    // SAFETY: the kernel reads as many bytes as the filter has.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_ICMPV6,
            ICMP6_FILTER,
            filter.as_ptr().cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An interface's MTU, which its guest is to have, too (netdevice(7)). Asked of the socket, for /sys shows the
/// interfaces of the namespace that it was mounted in.
#[allow(unsafe_code)]
pub fn mtu(socket: &impl AsRawFd, interface: &str) -> Option<u16> {
    // SAFETY: an ifreq is numbers and addresses, for all of which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    // SAFETY: the kernel reads and writes one ifreq, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as _, &mut request) };
    if result != 0 {
        return None;
    }
    // SAFETY: this is the field that the kernel has just filled.
    u16::try_from(unsafe { request.ifr_ifru.ifru_mtu }).ok()
}
