//! What passes by the interfaces of a namespace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::Ns;

/// Listens to all that passes by the interfaces of namespaces, and keeps what a test looks for.
pub struct Watch {
    stop: Arc<AtomicBool>,
    listeners: Vec<JoinHandle<Vec<String>>>,
}

impl Watch {
    pub fn start(segments: &[&Ns], looks_for: fn(&[u8]) -> Option<String>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ready = Arc::new(Barrier::new(segments.len() + 1));
        let listen = |ns: &&Ns| {
            let (stop, ready) = (stop.clone(), ready.clone());
            ns.spawn(move || listen(&stop, &ready, looks_for))
        };
        let listeners = segments.iter().map(listen).collect();
        ready.wait();
        Self { stop, listeners }
    }

    pub fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.listeners.into_iter().flat_map(|listener| listener.join().unwrap()).collect()
    }
}

fn listen(stop: &AtomicBool, ready: &Barrier, looks_for: fn(&[u8]) -> Option<String>) -> Vec<String> {
    let all = Some(socket2::Protocol::from(i32::from(0x0003_u16.to_be())));
    let socket = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW, all).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    ready.wait();
    let (mut seen, mut frame) = (Vec::new(), [0; 2048]);
    loop {
        match std::io::Read::read(&mut &socket, &mut frame) {
            Ok(length) => seen.extend(looks_for(&frame[..length])),
            // All that came before the end has been read.
            Err(_) if stop.load(Ordering::Relaxed) => return seen,
            Err(_) => {}
        }
    }
}
