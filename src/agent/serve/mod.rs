//! What the host serves to its own instances: DHCP, DNS, metadata; for IPv6 router advertisements and DHCPv6.
//!
//! Every port has sockets of its own, bound to its interface (SO_BINDTODEVICE, socket(7)): who asks is
//! known by the interface that the question came by, which no guest can choose, and never by its source
//! address alone. Nothing is remembered: every answer is made from the host's state.

mod advertise;
mod dhcp;
mod dhcp6;
pub mod dns;
mod metadata;
mod port;
mod port6;
mod sockets;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::config::HostConfig;
use super::kernel::events::Events;
use super::names::port_name;
use super::routers::Lookups;
use crate::plan::{HostState, InstanceSection, NetworkSection, PortSection, VpcSection};
use crate::types::EniId;
use port::PortServers;

/// How often ports whose sockets could not be had are tried again; a new interface is heard of at once.
const RETRY: Duration = Duration::from_secs(1);

type States = watch::Receiver<Option<Arc<HostState>>>;

/// A port with what belongs to it, as one state has it.
struct Place {
    state: Arc<HostState>,
    port: Arc<PortSection>,
    network: Arc<NetworkSection>,
    instance: Arc<InstanceSection>,
}

impl Place {
    /// `None` while the port is in no state: then nothing is answered.
    fn of(states: &States, eni: EniId) -> Option<Self> {
        let state = states.borrow().clone()?;
        let port = state.ports.get(&eni)?.clone();
        let network = state.networks.get(&port.network)?.clone();
        let instance = state.instances.get(&port.instance)?.clone();
        Some(Self { state, port, network, instance })
    }

    /// The isolated VPC that it is in.
    fn vpc(&self) -> Option<&VpcSection> {
        self.state.vpcs.get(&self.port.vpc).map(|vpc| &**vpc)
    }

    /// What a guest may send without being told that it is too long; `port` is what its port takes.
    fn guest_mtu(&self, port: Option<u16>) -> Option<u16> {
        let between = self.vpc().and_then(|_| self.state.vxlan_mtu()).and_then(|mtu| u16::try_from(mtu).ok());
        match (port, between) {
            (Some(port), Some(between)) => Some(port.min(between)),
            (port, between) => port.or(between),
        }
    }
}

/// Serves the ports of the states until their sender is gone. Other names than instances' are looked up from here, or, where it
/// has no way to resolvers, by `lookups`.
///
/// # Errors
/// There is no hearing of interfaces.
pub async fn run(config: Arc<HostConfig>, mut states: States, lookups: Option<Lookups>) -> io::Result<()> {
    let asks = Arc::new(dns::Asks { config: config.clone(), lookups });
    let links = Events::of_links()?.registered()?;
    let tokens = Arc::new(metadata::Tokens::new());
    let mut servers: BTreeMap<EniId, PortServers> = BTreeMap::new();
    // What was said of a port is not said again at each try.
    let mut failures: BTreeMap<EniId, String> = BTreeMap::new();
    let mut retry = interval(RETRY);
    retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut at: Option<Arc<HostState>> = None;
    states.mark_changed();
    loop {
        let mut told = false;
        tokio::select! {
            changed = states.changed() => match changed {
                Ok(()) => told = true,
                Err(_) => return Ok(()),
            },
            ready = links.readable() => {
                let mut ready = ready?;
                ready.clear_ready();
                ready.get_inner().drain(|_, _| true);
            }
            _ = retry.tick() => {}
        }
        let Some(state) = states.borrow_and_update().clone() else { continue };
        let same = at.replace(state.clone()).is_some_and(|before| before.differs_in_groups_alone(&state));
        if told && same {
            continue;
        }
        servers.retain(|eni, _| state.ports.contains_key(eni));
        failures.retain(|eni, _| state.ports.contains_key(eni));
        for eni in state.ports.keys() {
            // An interface that was made anew has another index, and none of the old one's sockets.
            let index = nix::net::if_::if_nametoindex(port_name(*eni).as_str()).ok();
            let live = servers.get_mut(eni).and_then(|servers| servers.live().then_some(servers.index));
            if live == index {
                continue;
            }
            servers.remove(eni);
            let Some(index) = index else { continue };
            match PortServers::start(*eni, index, &asks, &states, &tokens) {
                Ok(started) => {
                    servers.insert(*eni, started);
                    failures.remove(eni);
                }
                Err(error) => {
                    let said = error.to_string();
                    if failures.get(eni) != Some(&said) {
                        tracing::warn!(port = %eni, %error, "cannot serve a port yet");
                        failures.insert(*eni, said);
                    }
                }
            }
        }
    }
}
