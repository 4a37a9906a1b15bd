//! Small clients and servers on threads inside namespaces.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::lab::{Ns, within};

/// How long a probe waits before it calls a path shut.
const SHUT: Duration = Duration::from_millis(250);
/// How long an open path may take to be found open.
const OPEN: Duration = Duration::from_secs(3);

/// Answers on TCP and UDP with the address that it sees, until dropped.
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    pub fn start(ns: &Ns, port: u16) -> Self {
        Self::on(ns, Ipv4Addr::UNSPECIFIED.into(), port)
    }

    /// The same over IPv6.
    pub fn start6(ns: &Ns, port: u16) -> Self {
        Self::on(ns, Ipv6Addr::UNSPECIFIED.into(), port)
    }

    fn on(ns: &Ns, address: IpAddr, port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tcp_stop, udp_stop) = (stop.clone(), stop.clone());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let udp_ready = ready.clone();
        let threads = vec![
            ns.spawn(move || {
                let listener = TcpListener::bind((address, port)).unwrap();
                listener.set_nonblocking(true).unwrap();
                ready.send(()).unwrap();
                serve_tcp(&listener, &tcp_stop);
            }),
            ns.spawn(move || {
                let socket = UdpSocket::bind((address, port)).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                udp_ready.send(()).unwrap();
                let mut buffer = [0; 65536];
                while !udp_stop.load(Ordering::Relaxed) {
                    if let Ok((_, from)) = socket.recv_from(&mut buffer) {
                        let _ = socket.send_to(from.ip().to_string().as_bytes(), from);
                    }
                }
            }),
        ];
        for _ in &threads {
            is_ready.recv().unwrap();
        }
        Self { stop, threads }
    }
}

fn serve_tcp(listener: &TcpListener, stop: &AtomicBool) {
    let mut open: Vec<TcpStream> = vec![];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((mut stream, from)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            let _ = stream.write_all(format!("{}\n", from.ip()).as_bytes());
            open.push(stream);
        }
        // Echoes, so that a long flow can be told dead from alive.
        let mut buffer = [0; 64];
        open.retain_mut(|stream| match stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(n) => stream.write_all(&buffer[..n]).is_ok(),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A kind of traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Tcp(u16),
    Udp(u16),
    /// One datagram in several fragments.
    Fragments(u16),
    Ping,
}

/// One attempt: the source that the other side saw, or nothing.
pub fn attempt(ns: &Ns, to: impl Into<IpAddr>, kind: Kind) -> Option<String> {
    let to = to.into();
    match kind {
        Kind::Tcp(port) => ns.run(move || tcp(to, port).map(|(_, seen)| seen)),
        Kind::Udp(port) => ns.run(move || udp(to, port, 1)),
        Kind::Fragments(port) => ns.run(move || udp(to, port, 5000)),
        Kind::Ping => ns.run(move || ping(to)),
    }
}

fn tcp(to: IpAddr, port: u16) -> Option<(TcpStream, String)> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((to, port)), SHUT).ok()?;
    stream.set_read_timeout(Some(SHUT)).unwrap();
    let mut line = [0; 64];
    let n = stream.read(&mut line).ok()?;
    Some((stream, String::from_utf8_lossy(&line[..n]).trim().to_owned()))
}

fn udp(to: IpAddr, port: u16, size: usize) -> Option<String> {
    let socket = UdpSocket::bind((any(to), 0)).unwrap();
    socket.connect((to, port)).ok()?;
    socket.set_read_timeout(Some(SHUT)).unwrap();
    socket.send(&vec![b'x'; size]).ok()?;
    let mut buffer = [0; 64];
    let n = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..n]).into_owned())
}

/// Whatever address of the same version.
fn any(to: IpAddr) -> IpAddr {
    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn ping(to: IpAddr) -> Option<String> {
    match to {
        IpAddr::V4(to) => ping4(to),
        IpAddr::V6(_) => ping6(to),
    }
}

/// The kernel writes the checksum, and hands over what follows the header.
fn ping6(to: IpAddr) -> Option<String> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
    socket.set_read_timeout(Some(SHUT)).unwrap();
    socket.connect(&SocketAddr::from((to, 0)).into()).ok()?;
    socket.send(&[128, 0, 0, 0, 0x42, 0x42, 0, 1]).ok()?;
    let start = std::time::Instant::now();
    let mut buffer = [0; 256];
    while start.elapsed() < SHUT {
        let n = (&socket).read(&mut buffer).ok()?;
        if n >= 8 && buffer[0] == 129 {
            return Some(to.to_string());
        }
    }
    None
}

fn ping4(to: Ipv4Addr) -> Option<String> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
    socket.set_read_timeout(Some(SHUT)).unwrap();
    let id = (std::process::id() as u16).to_be_bytes();
    let mut packet = [8, 0, 0, 0, id[0], id[1], 0, 1];
    let words = packet.chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let sum: u32 = words.sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    socket.send_to(&packet, &SockAddr::from(SocketAddrV4::new(to, 0))).ok()?;
    let start = std::time::Instant::now();
    let mut buffer = [0; 256];
    while start.elapsed() < SHUT {
        let n = (&socket).read(&mut buffer).ok()?;
        let from = Ipv4Addr::new(buffer[12], buffer[13], buffer[14], buffer[15]);
        if n > 20 && buffer[20] == 0 && from == to {
            return Some(from.to_string());
        }
    }
    None
}

/// The path opens, within a bound; returns the source that the other side saw.
#[track_caller]
pub fn open(ns: &Ns, to: impl Into<IpAddr>, kind: Kind) -> String {
    let to = to.into();
    let mut seen = None;
    let opened = within(OPEN, || {
        seen = attempt(ns, to, kind);
        seen.is_some()
    });
    assert!(opened, "{ns:?} to {to} {kind:?} is shut");
    seen.unwrap()
}

/// The path is shut.
#[track_caller]
pub fn shut(ns: &Ns, to: impl Into<IpAddr>, kind: Kind) {
    let to = to.into();
    let seen = attempt(ns, to, kind);
    assert!(seen.is_none(), "{ns:?} to {to} {kind:?} is open, seen as {seen:?}");
}

/// A TCP flow that stays.
pub struct Flow(Option<TcpStream>);

impl Flow {
    #[track_caller]
    pub fn open(ns: &Ns, to: impl Into<IpAddr>, port: u16) -> Self {
        let to = to.into();
        let mut stream = None;
        let opened = within(OPEN, || {
            stream = ns.run(move || tcp(to, port).map(|(stream, _)| stream));
            stream.is_some()
        });
        assert!(opened, "no flow to {to}:{port}");
        Self(stream)
    }

    /// Whether what is sent comes back.
    pub fn lives(&mut self) -> bool {
        let stream = self.0.as_mut().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
        let mut buffer = [0; 1];
        stream.write_all(b"x").is_ok() && stream.read(&mut buffer).is_ok_and(|n| n == 1)
    }
}
