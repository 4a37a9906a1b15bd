//! Lookups over the indexes that both decisions and plans make.

use super::*;

impl World {
    /// A host's instances, by id.
    pub fn instances_on(&self, host: &str) -> impl Iterator<Item = &Arc<Instance>> {
        let host: Arc<str> = host.into();
        self.index
            .instances_by_host
            .range((host.clone(), InstanceId::from_random(0))..)
            .take_while(move |(on, _)| *on == host)
            .filter_map(|(_, id)| self.instances.get(id))
    }

    /// An instance's interfaces, by device index.
    pub fn interfaces_of(&self, instance: InstanceId) -> Vec<Arc<Eni>> {
        let mut enis: Vec<_> = self
            .index
            .enis_by_instance
            .range((instance, EniId::from_random(0))..)
            .take_while(|(of, _)| *of == instance)
            .filter_map(|(_, id)| self.enis.get(id).cloned())
            .collect();
        enis.sort_by_key(|eni| (eni.attachment.map(|attachment| attachment.device_index), eni.id));
        enis
    }

    /// The elastic addresses that lead to an interface.
    pub fn addresses_of(&self, eni: EniId) -> impl Iterator<Item = &Arc<Address>> {
        self.index
            .addresses_by_eni
            .range((eni, AllocationId::from_random(0))..)
            .take_while(move |(of, _)| *of == eni)
            .filter_map(|(_, id)| self.addresses.get(id))
    }

    /// The addresses that reverse DNS has a name for, with their names.
    pub fn reverse_names(&self) -> impl Iterator<Item = (std::net::Ipv4Addr, Arc<str>)> {
        let rows = self.index.addresses_with_name.iter().filter_map(|id| self.addresses.get(id));
        rows.filter_map(|row| Some((row.public_ip, row.domain_name.clone()?)))
    }

    /// The addresses that a host may answer for, or must let go of.
    pub fn claims_of(&self, host: &str) -> impl Iterator<Item = &Arc<Claim>> {
        let host: Arc<str> = host.into();
        let first = (host.clone(), Space::Pool(PoolId::from_random(0)), std::net::Ipv4Addr::UNSPECIFIED);
        self.index
            .claims_by_host
            .range(first..)
            .take_while(move |(of, ..)| *of == host)
            .filter_map(|(_, space, address)| self.claims.get(&(space.clone(), *address)))
    }

    /// A group's rules, by id.
    pub fn rules_of(&self, group: GroupId) -> impl Iterator<Item = &Arc<Rule>> {
        self.index
            .rules_by_group
            .range((group, RuleId::from_random(0))..)
            .take_while(move |(of, _)| *of == group)
            .filter_map(|(_, id)| self.rules.get(id))
    }

    /// A resource's tags, by key.
    pub fn tags_of(&self, resource: ResourceId) -> impl Iterator<Item = &Arc<Tag>> {
        let first: (ResourceId, Arc<str>) = (resource, "".into());
        self.tags.range(first..).take_while(move |((of, _), _)| *of == resource).map(|(_, tag)| tag)
    }
}
