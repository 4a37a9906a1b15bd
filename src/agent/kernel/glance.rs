//! What the kernel notifies nobody of is looked at now and then: most switches, and proxy entries.

use std::collections::BTreeSet;

use rtnetlink::Handle;
use tokio::task::JoinHandle;

use super::foreign::Obstacles;
use super::sysctl::{self, Switch};
use super::{ipv6, neighbours};

/// How many ports are looked at at a time, so that a glance takes no longer where there are many.
const PORTS: usize = 32;

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

    /// What one glance goes over.
    pub fn part(&mut self) -> Part {
        let from = if self.next < self.ports.len() { self.next } else { 0 };
        self.next = from + PORTS;
        let ports = self.ports.iter().skip(from).take(PORTS).flat_map(sysctl::port);
        Part {
            switches: self.switches.iter().cloned().chain(ports).collect(),
            proxies: self.proxies.clone(),
            proxies6: self.proxies6.clone(),
        }
    }
}

/// A part of it, to be looked at while other work goes on.
pub struct Part {
    switches: Vec<Switch>,
    proxies: Option<BTreeSet<neighbours::Place>>,
    proxies6: BTreeSet<ipv6::Place>,
}

impl Part {
    /// Whether something is off.
    pub async fn is_off(self, handle: &Handle) -> bool {
        let Self { switches, proxies, proxies6 } = self;
        let switches = tokio::task::spawn_blocking(move || switches.iter().any(sysctl::is_off));
        if switches.await.unwrap_or_default() {
            return true;
        }
        let Some(want) = proxies else { return false };
        let off = neighbours::proxies(handle).await.is_ok_and(|have| have != want);
        off || !proxies6.is_empty() && ipv6::proxies(handle).await.is_ok_and(|have| have != proxies6)
    }
}

/// What a glance found.
pub struct Glance {
    pub off: bool,
    pub obstacles: Obstacles,
}

/// Waits for a glance that is under way. One that failed found nothing.
pub async fn ended(glancing: &mut Option<JoinHandle<Glance>>) -> Option<Glance> {
    let ended = glancing.as_mut()?.await.ok();
    if ended.is_none() {
        *glancing = None;
    }
    ended
}
