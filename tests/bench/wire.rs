//! What passes by an instance's port.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::Ns;

const ETH_P_ALL: u16 = 3;

/// Datagrams to an address; the first of each port that leaves by an instance's port, and when the last one did.
pub struct Wire {
    /// To which they go; to none where it is 0.
    pub port: Arc<AtomicU16>,
    pub seen: Receiver<(u16, Instant)>,
    pub last: Arc<Mutex<Instant>>,
    done: Arc<AtomicBool>,
    threads: [JoinHandle<()>; 2],
}

impl Wire {
    pub fn open(internet: &Ns, host: &Ns, to: Ipv4Addr, mac: [u8; 6]) -> Self {
        let (port, done) = (Arc::new(AtomicU16::new(0)), Arc::new(AtomicBool::new(false)));
        let (sender, seen) = channel();
        let (ports, ends) = (port.clone(), done.clone());
        let send = internet.spawn(move || send(to, &ports, &ends));
        let ends = done.clone();
        let last = Arc::new(Mutex::new(Instant::now()));
        let heard = last.clone();
        let hear = host.spawn(move || hear(mac, &sender, &heard, &ends));
        Self { port, seen, last, done, threads: [send, hear] }
    }

    pub fn close(self) {
        self.done.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn send(to: Ipv4Addr, port: &AtomicU16, done: &AtomicBool) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    while !done.load(Ordering::Relaxed) {
        let port = port.load(Ordering::Relaxed);
        if port != 0 {
            // What comes back of an error is of the datagram before.
            let _ = socket.send_to(b"x", (to, port));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn hear(mac: [u8; 6], seen: &Sender<(u16, Instant)>, heard: &Mutex<Instant>, done: &AtomicBool) {
    let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
    let mut socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut frame, mut last) = ([0; 128], 0);
    while !done.load(Ordering::Relaxed) {
        match socket.read(&mut frame) {
            // Ethernet, IPv4 without options, UDP.
            Ok(length) if length > 38 && frame[..6] == mac && frame[12..14] == [8, 0] && frame[23] == 17 => {
                let (port, now) = (u16::from_be_bytes([frame[36], frame[37]]), Instant::now());
                *heard.lock().unwrap() = now;
                if port != last {
                    last = port;
                    let _ = seen.send((port, now));
                }
            }
            Ok(_) => {}
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
