//! Sockets that hear and speak on one port's interface only.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

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
