//! Who has an address, and by which hosts it is reached.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::types::EniId;
use crate::world::{Condition, Eni, InstanceState, Network, Space, World};

/// What a host is, beside the World.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostFacts {
    pub public_interface: Arc<str>,
    pub flat_interface: Arc<str>,
    /// What instances without an elastic address are outside.
    pub snat: Option<Ipv4Addr>,
}

/// The hosts' own word of themselves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    pub hosts: BTreeMap<Arc<str>, HostFacts>,
}

impl Facts {
    /// Whether public and flat segment are one.
    pub fn one_nic(&self, host: &str) -> bool {
        self.hosts.get(host).is_some_and(|facts| facts.public_interface == facts.flat_interface)
    }

    /// The host whose own address outside it is.
    pub fn host_with(&self, ip: Ipv4Addr) -> Option<Arc<str>> {
        self.hosts.iter().find(|(_, facts)| facts.snat == Some(ip)).map(|(name, _)| name.clone())
    }

    /// What a host's instances without an elastic address are outside.
    pub fn snat(&self, host: &str) -> Option<Ipv4Addr> {
        self.hosts.get(host)?.snat
    }
}

/// An interface that a host serves just now.
#[derive(Clone, Debug)]
pub struct Served {
    pub eni: Arc<Eni>,
    pub host: Arc<str>,
    /// Through which host the outside is.
    pub exit: Arc<str>,
}

/// An elastic address that a host answers for.
#[derive(Clone, Debug)]
pub struct Elastic {
    /// Which host answers for it.
    pub holder: Arc<str>,
    /// `None` while the interface is served by no host.
    pub target: Option<Served>,
}

/// The interface, if its instance runs and its host has the claim to its address.
pub fn served(world: &World, id: EniId) -> Option<Served> {
    let eni = world.enis.get(&id)?;
    let instance = world.instances.get(&eni.attachment?.instance)?;
    if !matches!(instance.state, InstanceState::Pending | InstanceState::Running) {
        return None;
    }
    let claim = world.claims.get(&(Space::Network(eni.network.clone()), eni.private_ip))?;
    if claim.leaving.is_some() || claim.host != instance.host {
        return None;
    }
    let gateway = world.networks.get(&eni.network)?.gateway_host.clone();
    let exit = gateway.unwrap_or_else(|| instance.host.clone());
    Some(Served { eni: eni.clone(), host: instance.host.clone(), exit })
}

/// Who has the private address.
pub fn at(world: &World, address: Ipv4Addr) -> Option<Served> {
    let enis = world.enis.values().filter(|eni| eni.private_ip == address);
    enis.filter_map(|eni| served(world, eni.id)).next()
}

/// Where the elastic address leads.
pub fn elastic(world: &World, ip: Ipv4Addr) -> Option<Elastic> {
    let row = world.addresses.values().find(|row| row.public_ip == ip)?;
    let claim = world.claims.get(&(Space::Pool(row.pool), ip)).filter(|claim| claim.leaving.is_none())?;
    let target = served(world, row.association?.eni).filter(|target| target.exit == claim.host);
    Some(Elastic { holder: claim.host.clone(), target })
}

/// The elastic address that the interface is, outside; where asked for, only one that a host answers for.
pub fn outside_of(world: &World, id: EniId, answered: bool) -> Option<Ipv4Addr> {
    let led = world.addresses.values().filter(|row| row.association.is_some_and(|to| to.eni == id));
    let leads = |ip: &Ipv4Addr| elastic(world, *ip).is_some_and(|elastic| elastic.target.is_some());
    led.map(|row| row.public_ip).find(|ip| !answered || leads(ip))
}

/// The network whose block has the address.
pub fn network_of(world: &World, address: Ipv4Addr) -> Option<&Arc<Network>> {
    world.networks.values().find(|network| network.cidr.contains(address))
}

/// Whether the address belongs to instances, and to no other machine.
pub fn of_instances(network: &Network, address: Ipv4Addr) -> bool {
    network.range.contains(address) && !network.reserved.iter().any(|part| part.contains(address))
}

/// Whether others can send the host anything by the flat segment.
pub fn known(world: &World, host: &str) -> bool {
    world.hosts.get(host).is_some_and(|row| row.condition != Condition::Failed && row.flat_mac.is_some())
}
