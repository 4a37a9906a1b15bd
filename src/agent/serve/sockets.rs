//! Sockets that hear and speak on one port's interface only.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
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

/// An interface's MTU, which its guest is to have, too (netdevice(7)). Asked of the socket, for /sys shows the
/// interfaces of the namespace that it was mounted in.
#[allow(unsafe_code)]
pub fn mtu(socket: &UdpSocket, interface: &str) -> Option<u16> {
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
