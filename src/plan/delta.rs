//! What of a state changed: sections that are new or other, and keys that went.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rules::*;
use super::state::*;
use crate::types::*;

/// The difference between two keyed lists of sections.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part<K: Ord, V> {
    /// In no order that matters; a list, for not every key is text.
    pub put: Vec<(K, Arc<V>)>,
    pub gone: Vec<K>,
}

impl<K: Ord, V> Default for Part<K, V> {
    fn default() -> Self {
        Self { put: Vec::new(), gone: Vec::new() }
    }
}

type Sections<K, V> = BTreeMap<K, Arc<V>>;

impl<K: Ord + Clone, V: PartialEq> Part<K, V> {
    fn between(old: &Sections<K, V>, new: &Sections<K, V>) -> Self {
        let same = |a: &Arc<V>, b: &Arc<V>| Arc::ptr_eq(a, b) || a == b;
        let put = new.iter().filter(|(key, section)| !old.get(key).is_some_and(|old| same(old, section)));
        let gone = old.keys().filter(|key| !new.contains_key(key));
        Self {
            put: put.map(|(key, section)| (key.clone(), section.clone())).collect(),
            gone: gone.cloned().collect(),
        }
    }

    fn shared(old: &Arc<Sections<K, V>>, new: &Arc<Sections<K, V>>) -> Self {
        if Arc::ptr_eq(old, new) { Self::default() } else { Self::between(old, new) }
    }

    fn apply(self, sections: &mut Sections<K, V>) {
        for key in &self.gone {
            sections.remove(key);
        }
        sections.extend(self.put);
    }

    const fn is_empty(&self) -> bool {
        self.put.is_empty() && self.gone.is_empty()
    }

    fn apply_shared(self, sections: &mut Arc<Sections<K, V>>)
    where
        V: Clone,
    {
        if !self.is_empty() {
            self.apply(Arc::make_mut(sections));
        }
    }
}

/// From one state of a host to a later one.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Delta {
    /// The state that it leads from.
    pub base: u64,
    pub generation: u64,
    pub networks: Part<Arc<str>, NetworkSection>,
    pub ports: Part<EniId, PortSection>,
    pub groups: Part<GroupId, GroupSection>,
    pub members: Part<GroupId, MembersSection>,
    pub addresses: Part<Ipv4Addr, AddressSection>,
    pub instances: Part<InstanceId, InstanceSection>,
    pub vpcs: Part<VpcId, VpcSection>,
    pub subnets: Part<SubnetId, SubnetSection>,
    pub acls: Part<NetworkAclId, AclSection>,
    pub hosts: Part<Arc<str>, PeerSection>,
    pub places: Part<EniId, PlaceSection>,
    pub pools: Option<Arc<[Range4]>>,
    pub pools6: Option<Arc<[Cidr6]>>,
    pub reverse_names: Option<Arc<BTreeMap<Ipv4Addr, Arc<str>>>>,
    pub address_lease: Option<u32>,
}

impl Delta {
    /// What leads from `old` to `new`, two states of one host.
    pub fn between(old: &HostState, new: &HostState) -> Self {
        Self {
            base: old.generation,
            generation: new.generation,
            networks: Part::between(&old.networks, &new.networks),
            ports: Part::between(&old.ports, &new.ports),
            groups: Part::between(&old.groups, &new.groups),
            members: Part::between(&old.members, &new.members),
            addresses: Part::between(&old.addresses, &new.addresses),
            instances: Part::between(&old.instances, &new.instances),
            vpcs: Part::between(&old.vpcs, &new.vpcs),
            subnets: Part::between(&old.subnets, &new.subnets),
            acls: Part::between(&old.acls, &new.acls),
            hosts: Part::shared(&old.hosts, &new.hosts),
            places: Part::shared(&old.places, &new.places),
            pools: (old.pools != new.pools).then(|| new.pools.clone()),
            pools6: (old.pools6 != new.pools6).then(|| new.pools6.clone()),
            reverse_names: (old.reverse_names != new.reverse_names).then(|| new.reverse_names.clone()),
            address_lease: (old.address_lease != new.address_lease).then_some(new.address_lease),
        }
    }

    /// The state after `old`; `None` where this delta leads from another one.
    pub fn applied_to(self, old: &HostState) -> Option<HostState> {
        if self.base != old.generation {
            return None;
        }
        let mut new = HostState { generation: self.generation, ..old.clone() };
        self.networks.apply(&mut new.networks);
        self.ports.apply(&mut new.ports);
        self.groups.apply(&mut new.groups);
        self.members.apply(&mut new.members);
        self.addresses.apply(&mut new.addresses);
        self.instances.apply(&mut new.instances);
        self.vpcs.apply(&mut new.vpcs);
        self.subnets.apply(&mut new.subnets);
        self.acls.apply(&mut new.acls);
        self.hosts.apply_shared(&mut new.hosts);
        self.places.apply_shared(&mut new.places);
        if let Some(pools) = self.pools {
            new.pools = pools;
        }
        if let Some(pools) = self.pools6 {
            new.pools6 = pools;
        }
        if let Some(names) = self.reverse_names {
            new.reverse_names = names;
        }
        new.address_lease = self.address_lease.unwrap_or(new.address_lease);
        Some(new)
    }
}
