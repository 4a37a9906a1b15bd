//! Hears who writes to a kernel.

use std::collections::BTreeSet;

use fogbank::agent::kernel::inspect;
use netlink_sys::Socket;

use crate::lab::run_in;

/// RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR.
const GROUPS: [u32; 6] = [1, 3, 5, 7, 8, 9];

/// RTNLGRP_IPV4_NETCONF, IPV6_NETCONF: who writes a switch is not told.
const SWITCHES: [u32; 2] = [24, 25];

/// Sockets that hear everything, and by what port the agent writes.
pub struct Monitor {
    ns: String,
    changes: Socket,
    switches: Socket,
    writers: BTreeSet<u32>,
}

/// What was written since the last look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Objects of routing, by the agent.
    pub objects: usize,
    /// Switches, by anybody.
    pub switches: usize,
}

impl Monitor {
    /// Listens in a namespace in which an agent runs.
    pub fn new(ns: &str) -> Self {
        let (changes, switches, writers) = run_in(ns, || {
            let writers = writers();
            (open(&GROUPS), open(&SWITCHES), writers)
        });
        assert!(!writers.is_empty(), "an agent has a socket");
        Self { ns: ns.to_owned(), changes, switches, writers }
    }

    /// What was heard since the last time.
    pub fn written(&self) -> Written {
        let objects = heard(&self.changes).into_iter().filter(|port| self.writers.contains(port)).count();
        Written { objects, switches: heard(&self.switches).len() }
    }

    /// How many transactions there have been of rules, by anybody.
    pub fn transactions(&self) -> u32 {
        run_in(&self.ns, || inspect::generation().unwrap())
    }
}

fn open(groups: &[u32]) -> Socket {
    let mut socket = Socket::new(0).unwrap();
    socket.bind_auto().unwrap();
    for group in groups {
        socket.add_membership(*group).unwrap();
    }
    socket.set_non_blocking(true).unwrap();
    socket
}

/// The ports of the sockets of this namespace that ask the kernel's routing and hear nothing.
fn writers() -> BTreeSet<u32> {
    let text = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let asks = |row: &Vec<&str>| row[1] == "0" && row[2] != "0" && u32::from_str_radix(row[3], 16) == Ok(0);
    rows.filter(asks).map(|row| row[2].parse().unwrap()).collect()
}

/// By which port each change was made.
fn heard(socket: &Socket) -> Vec<u32> {
    let mut ports = Vec::new();
    let mut buffer = bytes::BytesMut::with_capacity(1 << 16);
    loop {
        buffer.clear();
        match socket.recv(&mut buffer, 0) {
            Ok(_) => {
                let mut rest = &buffer[..];
                while rest.len() >= 16 {
                    let number = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
                    ports.push(number(12));
                    rest = rest.get((number(0) as usize).next_multiple_of(4)..).unwrap_or_default();
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return ports,
            Err(error) => panic!("{error}"),
        }
    }
}
