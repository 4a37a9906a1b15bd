//! What the kernel notifies nobody of is looked at now and then: most switches, and proxy entries.

use std::collections::BTreeSet;

use rtnetlink::Handle;

use super::neighbours;
use super::sysctl::{self, Switch};

/// How many ports are looked at at a time, so that a glance takes no longer where there are many.
const PORTS: usize = 64;

/// What the last pass left.
#[derive(Default)]
pub struct Watched {
    /// The flat and the public interface's.
    switches: Vec<Switch>,
    ports: Vec<(String, bool)>,
    next: usize,
    /// `None` before the first pass that had rules.
    proxies: Option<BTreeSet<neighbours::Place>>,
}

impl Watched {
    /// These are to be so from now on.
    pub fn set(&mut self, switches: Vec<Switch>, ports: Vec<(String, bool)>) {
        (self.switches, self.ports) = (switches, ports);
    }

    /// These proxy entries are to be there, and no other of ours.
    pub fn set_proxies(&mut self, proxies: BTreeSet<neighbours::Place>) {
        self.proxies = Some(proxies);
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
        if looked_at.flat_map(|(name, checked)| sysctl::port(name, *checked)).any(|switch| off(&switch)) {
            return true;
        }
        let Some(want) = &self.proxies else { return false };
        neighbours::proxies(handle).await.is_ok_and(|have| have != *want)
    }
}
