//! One host's whole desired state.
//!
//! Everything that a section names is in the state: a port's network, groups and instance, a rule's
//! groups with their members, an elastic address's port. So an agent never has to ask.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::groups::{group_section, is_in_force, members_section};
use super::made::{Made, only_rules};
use super::rules::*;
use super::state::*;
use super::vpcs;
use crate::types::*;
use crate::world::{Claim, Condition, Eni, Instance, InstanceState, Network, Space, Subnet, World};

/// Makes the states of hosts from one World: what several hosts need is made once.
pub struct Planner {
    world: Arc<World>,
    epoch: Arc<str>,
    hosts: Arc<BTreeMap<Arc<str>, Arc<PeerSection>>>,
    places: Arc<BTreeMap<EniId, Arc<PlaceSection>>>,
    pools: Arc<[Range4]>,
    pools6: Arc<[Cidr6]>,
    reverse_names: Arc<BTreeMap<Ipv4Addr, Arc<str>>>,
    groups: Made<GroupSection>,
    members: Made<MembersSection>,
    /// States of this World, or of one that differs from it in rules alone.
    states: HashMap<Arc<str>, Arc<HostState>>,
}

/// What the host must be at the World's generation. Pure, and equal Worlds give equal states.
pub fn host_state(world: &World, host: &str) -> HostState {
    HostState::clone(&Planner::new(Arc::new(world.clone()), "".into()).host_state(&host.into()))
}

impl Planner {
    pub fn new(world: Arc<World>, epoch: Arc<str>) -> Self {
        let (hosts, places) = (Arc::new(hosts(&world)), Arc::new(places(&world)));
        let pools = world.pools.values().map(|pool| pool.range).collect();
        let pools6 = world.ipv6_pools.keys().copied().collect();
        let reverse_names = Arc::new(world.reverse_names().collect());
        let (groups, members, states) = (Made::default(), Made::default(), HashMap::new());
        Self { world, epoch, hosts, places, pools, pools6, reverse_names, groups, members, states }
    }

    /// The planner of a later World. What has not changed since is the same in memory, too: a delta between
    /// two states need not look at it.
    pub fn advance(mut self, world: Arc<World>, epoch: Arc<str>) -> Self {
        if let Some(groups) = only_rules(&self.world, &world) {
            groups.into_iter().for_each(|group| self.groups.forget(group));
            return Self { world, epoch, ..self };
        }
        let mut new = Self::new(world, epoch);
        if new.hosts == self.hosts {
            new.hosts = self.hosts;
        }
        if new.places == self.places {
            new.places = self.places;
        }
        if new.pools == self.pools {
            new.pools = self.pools;
        }
        if new.pools6 == self.pools6 {
            new.pools6 = self.pools6;
        }
        if new.reverse_names == self.reverse_names {
            new.reverse_names = self.reverse_names;
        }
        new.groups = self.groups.advance();
        new.members = self.members.advance();
        new
    }

    /// The World that the states are of.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// A stopped instance keeps its address and its elastic association in the World, while its port
    /// and the elastic address are in nobody's state: both answer nowhere, as in EC2. The same goes
    /// for an address that another host must let go of first, see [`crate::world::Claim`].
    pub fn host_state(&mut self, host: &Arc<str>) -> Arc<HostState> {
        let mut state = match self.states.get(host) {
            Some(state) => HostState::clone(state),
            None => self.without_groups(host),
        };
        (state.epoch, state.generation) = (self.epoch.clone(), self.world.generation);
        (state.groups, state.members) = self.groups(&state.ports);
        let state = Arc::new(state);
        self.states.insert(host.clone(), state.clone());
        state
    }

    fn without_groups(&self, host: &Arc<str>) -> HostState {
        let world = &self.world;
        let mut state = HostState {
            host: host.clone(),
            networks: networks(world, host),
            pools: self.pools.clone(),
            pools6: self.pools6.clone(),
            reverse_names: self.reverse_names.clone(),
            hosts: self.hosts.clone(),
            places: self.places.clone(),
            addresses: addresses(world, host),
            address_lease: world.deployment.as_ref().map_or(0, |row| row.address_lease),
            ..HostState::default()
        };
        for instance in world.instances_on(host) {
            let Some(section) = instance_section(world, instance) else { continue };
            let run = section.run;
            state.instances.insert(instance.id, Arc::new(section));
            if run {
                for eni in world.interfaces_of(instance.id) {
                    add_port(world, &mut state, instance, &eni);
                }
            }
        }
        vpcs::add(world, &mut state);
        state
    }

    /// The groups that ports are in, and the members of those that the rules of such groups name.
    fn groups(&mut self, ports: &BTreeMap<EniId, Arc<PortSection>>) -> (Groups, Members) {
        let Self { world, groups, members, .. } = self;
        let used: BTreeSet<GroupId> = ports.values().flat_map(|port| port.groups.iter().copied()).collect();
        let named: BTreeSet<GroupId> = used
            .iter()
            .flat_map(|group| world.rules_of(*group))
            .filter(|rule| is_in_force(world, rule))
            .filter_map(|rule| match rule.target {
                RuleTarget::Group { group, .. } => Some(group),
                RuleTarget::Cidr4(_) | RuleTarget::Cidr6(_) | RuleTarget::PrefixList(_) => None,
            })
            .collect();
        let groups = used.into_iter().map(|id| (id, groups.get(id, || group_section(world, id))));
        let members = named.into_iter().map(|id| (id, members.get(id, || members_section(world, id))));
        (groups.collect(), members.collect())
    }
}

type Groups = BTreeMap<GroupId, Arc<GroupSection>>;
type Members = BTreeMap<GroupId, Arc<MembersSection>>;

/// The flat networks: every host joins them.
fn networks(world: &World, host: &str) -> BTreeMap<Arc<str>, Arc<NetworkSection>> {
    let flat = world.flat_networks();
    flat.map(|network| (network.name.clone(), Arc::new(network_section(world, network, host)))).collect()
}

pub(super) fn network_section(world: &World, network: &Network, host: &str) -> NetworkSection {
    NetworkSection {
        cidr6: subnet_of(world, network).and_then(|subnet| vpcs::cidr6(subnet)),
        name: network.name.clone(),
        vpc: network.vpc,
        cidr: network.cidr,
        gateway: network.gateway,
        range: network.range,
        reserved: network.reserved.clone(),
        exit: match &network.gateway_host {
            None => Exit::Here,
            Some(gateway) if **gateway == *host => Exit::ForAll,
            Some(gateway) => Exit::By(gateway.clone()),
        },
        domain: network.domain.clone(),
    }
}

/// The subnet that a network of an isolated VPC carries: it has its own.
fn subnet_of<'w>(world: &'w World, network: &Network) -> Option<&'w Arc<Subnet>> {
    network.vpc?;
    let mut on = world.index.subnets_by_network.range((network.name.clone(), SubnetId::from_random(0))..);
    let (name, id) = on.next()?;
    world.subnets.get(id).filter(|_| *name == network.name)
}

/// The hosts that have said their MAC. A failed one is nobody's way to anything.
fn hosts(world: &World) -> BTreeMap<Arc<str>, Arc<PeerSection>> {
    let live = world.hosts.values().filter(|host| host.condition != Condition::Failed);
    let section = |host: &Arc<crate::world::Host>| {
        let (name, flat_mtu) = (host.name.clone(), host.flat_mtu);
        let section = PeerSection { name, next_hop: next_hop(host.number), mac: host.flat_mac?, flat_mtu };
        Some((host.name.clone(), Arc::new(section)))
    };
    live.filter_map(section).collect()
}

fn places(world: &World) -> BTreeMap<EniId, Arc<PlaceSection>> {
    let served = world.claims.values().filter(|claim| claim.leaving.is_none());
    let section = |claim: &Arc<Claim>| {
        let Space::Network(network) = &claim.space else { return None };
        let id = *world.index.eni_by_private_ip.get(&(network.clone(), claim.address))?;
        // Its further addresses are where its first one is.
        let eni = world.enis.get(&id).filter(|eni| eni.private_ip == claim.address)?;
        let (private_ip, network, host) = (claim.address, network.clone(), claim.host.clone());
        let secondary_ips = secondary_ips(world, eni, &host);
        let ipv6 = eni.ipv6.clone();
        Some((id, Arc::new(PlaceSection { eni: id, private_ip, secondary_ips, ipv6, network, host })))
    };
    served.filter_map(section).collect()
}

/// The further addresses of an interface that the host has the claim to.
fn secondary_ips(world: &World, eni: &Eni, host: &str) -> Arc<[Ipv4Addr]> {
    let claimed = |ip: &&Ipv4Addr| {
        let claim = world.claims.get(&(Space::Network(eni.network.clone()), **ip));
        claim.is_some_and(|claim| *claim.host == *host && claim.leaving.is_none())
    };
    eni.secondary_ips.iter().filter(claimed).copied().collect()
}

/// The elastic addresses that the host has the claim to.
fn addresses(world: &World, host: &str) -> BTreeMap<Ipv4Addr, Arc<AddressSection>> {
    let section = |claim: &Arc<Claim>| {
        let id = world.index.address_by_public_ip.get(&claim.address)?;
        let row = world.addresses.get(id)?;
        let association = row.association?;
        let (public_ip, private_ip, eni) = (claim.address, association.private_ip, association.eni);
        // Into an isolated VPC nothing leads that has no place in transit.
        let vpc = world.enis.get(&eni).and_then(|eni| world.vpcs.get(&eni.vpc));
        // Nor into one without an internet gateway, where addresses come by themselves all the same.
        let transit = match vpc.filter(|vpc| vpc.vni.is_some()) {
            Some(vpc) if !is_public(world, vpc.id) || vpcs::rests(world, vpc.id, eni) => return None,
            Some(vpc) => Some(TransitSection { vpc: vpc.id, address: transit(row.transit?) }),
            None => None,
        };
        Some((public_ip, Arc::new(AddressSection { public_ip, private_ip, eni, transit })))
    };
    let claims = world.claims_of(host).filter(|claim| claim.leaving.is_none());
    claims.filter(|claim| matches!(claim.space, Space::Pool(_))).filter_map(section).collect()
}

fn is_public(world: &World, vpc: VpcId) -> bool {
    let first = (vpc, InternetGatewayId::from_random(0));
    world.index.internet_gateways_by_vpc.range(first..).next().is_some_and(|(of, _)| *of == vpc)
}

/// `None` for what should not exist on the host any more.
fn instance_section(world: &World, instance: &Instance) -> Option<InstanceSection> {
    let run = match instance.state {
        InstanceState::Pending | InstanceState::Running => true,
        InstanceState::Stopping | InstanceState::Stopped => false,
        InstanceState::ShuttingDown | InstanceState::Terminated => return None,
    };
    let image = world.images.get(&instance.image);
    Some(InstanceSection {
        id: instance.id,
        run,
        boot: instance.boot,
        image: instance.image,
        image_location: image.map_or_else(|| "".into(), |image| image.location.clone()),
        user_data: instance.user_data.clone(),
        key_name: instance.key_name.clone(),
        public_key: instance.public_key.clone(),
        reservation: instance.reservation,
        launch_index: instance.launch_index,
        instance_type: instance.instance_type.clone(),
        zone: instance.zone.clone(),
        region: instance.owner.region.clone(),
        account: instance.owner.account,
        launched: instance.launched,
        tokens_required: instance.metadata.tokens_required,
        hop_limit: instance.metadata.hop_limit,
        metadata_enabled: instance.metadata.enabled,
        interfaces: world.interfaces_of(instance.id).iter().map(|eni| eni.id).collect(),
        tags: if instance.metadata.instance_tags { tags(world, instance.id) } else { Vec::new() },
    })
}

fn tags(world: &World, instance: InstanceId) -> Vec<(Arc<str>, Arc<str>)> {
    let tags = world.tags_of(ResourceId::Instance(instance));
    tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// Adds the interface's port. An interface whose subnet or network is missing, or whose address
/// another host has the claim to, has no port: unknown traffic is dropped.
fn add_port(world: &World, state: &mut HostState, instance: &Instance, eni: &Eni) {
    let claim = world.claims.get(&(Space::Network(eni.network.clone()), eni.private_ip));
    let ours = claim.is_some_and(|claim| claim.host == state.host && claim.leaving.is_none());
    if let Some(port) = port_section(world, instance, eni).filter(|_| ours) {
        state.ports.insert(eni.id, Arc::new(port));
    }
}

fn port_section(world: &World, instance: &Instance, eni: &Eni) -> Option<PortSection> {
    let subnet = world.subnets.get(&eni.subnet)?;
    let vpc = world.vpcs.get(&eni.vpc)?;
    let network = world.networks.get(&eni.network)?;
    let mut groups: Vec<_> = eni.groups.iter().filter_map(|id| world.groups.get(id)).collect();
    groups.sort_by_key(|group| group.id);
    let elastic = world
        .addresses_of(eni.id)
        .find(|row| row.association.is_some_and(|association| association.private_ip == eni.private_ip));
    Some(PortSection {
        eni: eni.id,
        instance: instance.id,
        device_index: eni.attachment?.device_index,
        network: network.name.clone(),
        mac: eni.mac,
        private_ip: eni.private_ip,
        secondary_ips: secondary_ips(world, eni, &instance.host),
        ipv6: eni.ipv6.clone(),
        groups: groups.iter().map(|group| group.id).collect(),
        source_dest_check: eni.source_dest_check,
        public_ip: elastic.map(|row| row.public_ip),
        subnet: subnet.id,
        subnet_cidr: subnet.cidr,
        subnet_cidr6: vpcs::cidr6(subnet),
        vpc: vpc.id,
        vpc_cidr: vpc.cidr,
        group_names: groups.iter().map(|group| group.name.clone()).collect(),
        account: eni.owner.account,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;
    use crate::plan::{Concern, concern};
    use crate::query::api::{RunInstancesRequest, Writes};
    use crate::world::{Address, Association, Change};

    fn bench_with_one() -> (Bench, InstanceId) {
        let mut bench = Bench::small();
        let request = RunInstancesRequest { max_count: 1, ..crate::control::testing::run_request() };
        let made = bench.attempt(|decision| decision.run_instances(&request)).unwrap();
        (bench, made.instances_set[0].instance_id)
    }

    fn elastic(bench: &mut Bench, instance: InstanceId) {
        let eni = bench.world.interfaces_of(instance)[0].clone();
        bench.put(Address {
            id: AllocationId::from_random(7),
            owner: bench.caller.owner.clone(),
            public_ip: "203.0.113.7".parse().unwrap(),
            pool: PoolId::from_random(1),
            association: Some(Association {
                id: AssociationId::from_random(7),
                eni: eni.id,
                private_ip: eni.private_ip,
            }),
            transit: None,
            domain_name: None,
            automatic: false,
            allocated: bench.now,
        });
    }

    fn set_state(bench: &mut Bench, id: InstanceId, state: InstanceState) {
        let row = (**bench.world.instances.get(&id).unwrap()).clone();
        bench.put(Instance { state, ..row });
    }

    #[test]
    fn an_instance_comes_with_port_groups_address_and_network() {
        let (mut bench, id) = bench_with_one();
        elastic(&mut bench, id);
        let state = host_state(&bench.world, "node1");
        assert!(state.instances[&id].run);
        let port = state.ports.values().next().unwrap();
        assert_eq!(port.public_ip, Some("203.0.113.7".parse().unwrap()));
        assert_eq!(state.addresses[&"203.0.113.7".parse().unwrap()].eni, port.eni);
        let group = &state.groups[&port.groups[0]];
        assert_eq!(state.members[&group.id].ipv4, [port.private_ip], "the default group names itself");
        assert_eq!(group.egress.protocols.len(), 1);
        assert!(state.networks.contains_key(&port.network));
        assert_eq!(state.pools.len(), 1);
        assert_eq!(host_state(&bench.world, "node2").ports.len(), 0);
    }

    #[test]
    fn each_host_knows_the_reverse_name_of_each_address_wherever_it_leads() {
        let (mut bench, id) = bench_with_one();
        elastic(&mut bench, id);
        let row = (**bench.world.addresses.values().next().unwrap()).clone();
        let change = Change::put(Address { domain_name: Some("mail.example.com".into()), ..row });
        let mut after = bench.world.clone();
        after.apply(&change);
        assert_eq!(concern(&bench.world, &after, &[change]), Concern::All);
        for host in ["node1", "node2"] {
            let names = host_state(&after, host).reverse_names;
            assert_eq!(
                names.get(&"203.0.113.7".parse().unwrap()).map(|name| &**name),
                Some("mail.example.com")
            );
            assert!(host_state(&bench.world, host).reverse_names.is_empty());
        }
    }

    #[test]
    fn what_does_not_run_has_no_port_and_what_ends_is_absent() {
        let (mut bench, id) = bench_with_one();
        elastic(&mut bench, id);
        for state in [InstanceState::Stopping, InstanceState::Stopped] {
            set_state(&mut bench, id, state);
            let state = host_state(&bench.world, "node1");
            assert!(!state.instances[&id].run);
            assert!(state.ports.is_empty() && state.addresses.is_empty() && state.groups.is_empty());
        }
        for state in [InstanceState::ShuttingDown, InstanceState::Terminated] {
            set_state(&mut bench, id, state);
            let state = host_state(&bench.world, "node1");
            assert!(state.instances.is_empty() && state.ports.is_empty() && state.addresses.is_empty());
        }
    }
}
