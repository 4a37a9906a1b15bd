//! What the kernel notifies nobody of is looked at now and then: most switches, and proxy entries.

use std::collections::BTreeSet;

use rtnetlink::Handle;

use super::sysctl::{self, Switch};
use super::{ipv6, neighbours};

/// How many ports are looked at at a time, so that a glance takes no longer where there are many.
const PORTS: usize = 64;

/// What the last pass left.
#[derive(Default)]
pub struct Watched {
    /// The flat and the public interface's.
    switches: Vec<Switch>,
    ports: Vec<sysctl::Port>,
    next: usize,
    /// `None` before the first pass that had rules.
    proxies: Option<BTreeSet<neighbours::Place>>,
    /// The same for IPv6.
    proxies6: BTreeSet<ipv6::Place>,
}

impl Watched {
    /// These are to be so from now on.
    pub fn set(&mut self, switches: Vec<Switch>, ports: Vec<sysctl::Port>) {
        (self.switches, self.ports) = (switches, ports);
    }

    /// These proxy entries are to be there, and no other of ours.
    pub fn set_proxies(&mut self, proxies: BTreeSet<neighbours::Place>, proxies6: BTreeSet<ipv6::Place>) {
        (self.proxies, self.proxies6) = (Some(proxies), proxies6);
    }

    /// Whether the host answers for anything on the flat segment.
    pub fn answers(&self) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| !proxies.is_empty())
    }

    /// Whether something is off, as far as one glance goes.
    pub async fn off(&mut self, handle: &Handle) -> bool {
        let off = |switch: &Switch| sysctl::exists(switch) && !sysctl::holds(switch);
        if self.switches.iter().any(off) {
            return true;
        }
        let from = if self.next < self.ports.len() { self.next } else { 0 };
        self.next = from + PORTS;
        let looked_at = self.ports.iter().skip(from).take(PORTS);
        if looked_at.flat_map(sysctl::port).any(|switch| off(&switch)) {
            return true;
        }
        let Some(want) = &self.proxies else { return false };
        let off = neighbours::proxies(handle).await.is_ok_and(|have| have != *want);
        off || !self.proxies6.is_empty()
            && ipv6::proxies(handle).await.is_ok_and(|have| have != self.proxies6)
    }
}
