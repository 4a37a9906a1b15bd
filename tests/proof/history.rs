//! A world that changes step by step, and the states that a host is told on the way.

use std::net::Ipv4Addr;
use std::sync::Arc;

use fogbank::plan::{Delta, HostState, Planner, host_state};
use fogbank::types::*;
use fogbank::world::*;

use crate::dice::Dice;
use crate::rules::LISTS;
use crate::worlds::{Maker, POOL, interesting, mac, name, owner};

/// Few, so that who comes often has the address of one who went.
const PLACES: [u8; 8] = [4, 5, 6, 31, 32, 44, 62, 63];

/// More networks than this never come.
const NETWORKS: usize = 3;

/// The worlds of one history, the first one included.
pub struct History {
    pub hosts: usize,
    pub one_nic: bool,
    worlds: Vec<Arc<World>>,
}

impl History {
    pub fn new(seed: u64, steps: usize) -> Self {
        let mut dice = Dice::new(seed);
        let one_nic = dice.once_in(4);
        let mut maker = Maker::new(&mut dice);
        // Half of them have isolated VPCs.
        if seed.is_multiple_of(2) {
            maker.vpcs();
        }
        let mut changing = Changing { maker, next: 100 };
        let mut worlds = vec![Arc::new(changing.maker.world.clone())];
        for step in 0..steps {
            for _ in 0..1 + changing.below(3) {
                changing.change();
            }
            changing.claims();
            changing.maker.world.generation = step as u64 + 1;
            worlds.push(Arc::new(changing.maker.world.clone()));
        }
        Self { hosts: changing.maker.hosts, one_nic, worlds }
    }

    /// What a host is told, numbered from 1. Each state is also what deltas make of the one before, and what one plans
    /// that knows nothing of the worlds before.
    pub fn states(&self, host: &str) -> Vec<HostState> {
        let mut planner = Planner::new(self.worlds[0].clone(), "".into());
        let mut states: Vec<HostState> = Vec::new();
        for (n, world) in self.worlds.iter().enumerate() {
            planner = planner.advance(world.clone(), "".into());
            let mut state = HostState::clone(&planner.host_state(&host.into()));
            assert_eq!(state, host_state(world, host), "planned after others and planned anew");
            state.generation = n as u64 + 1;
            if let Some(before) = states.last() {
                let delta = Delta::between(before, &state);
                assert_eq!(delta.applied_to(before).as_ref(), Some(&state), "by a delta");
            }
            states.push(state);
        }
        states
    }
}

struct Changing<'a> {
    maker: Maker<'a>,
    /// The next number for whatever is made.
    next: usize,
}

impl Changing<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.maker.dice.below(n)
    }

    fn world(&self) -> &World {
        &self.maker.world
    }

    fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn delete(&mut self, key: Key) {
        self.maker.world.apply(&Change::Delete(key));
    }

    fn any<T: Clone>(&mut self, of: impl Iterator<Item = T>) -> Option<T> {
        let all: Vec<T> = of.collect();
        (!all.is_empty()).then(|| self.maker.dice.pick(&all).clone())
    }

    fn eni(&mut self) -> Option<Arc<Eni>> {
        let enis: Vec<_> =
            self.world().enis.values().filter(|eni| eni.attachment.is_some()).cloned().collect();
        self.any(enis.into_iter())
    }

    /// Whether the interface is in an isolated VPC.
    fn is_isolated(&self, eni: &Eni) -> bool {
        self.world().vpcs.get(&eni.vpc).is_some_and(|vpc| vpc.vni.is_some())
    }

    /// Those of flat networks.
    fn groups(&self) -> Vec<(usize, GroupId)> {
        let account = |of: &Group| (0..).find(|n| owner(*n) == of.owner).unwrap();
        let flat = |group: &&Arc<Group>| self.world().vpcs[&group.vpc].vni.is_none();
        self.world().groups.values().filter(flat).map(|group| (account(group), group.id)).collect()
    }

    fn change(&mut self) {
        if self.below(2) == 0 && self.maker.change_vpc().is_some() {
            return;
        }
        match self.below(16) {
            0 | 1 => self.launch(None),
            2 => {
                if let Some(eni) = self.eni() {
                    self.terminate(&eni);
                }
            }
            3 => self.turn_on_or_off(),
            // Another instance takes the address at once, maybe on another host.
            4 => {
                if let Some(eni) = self.eni() {
                    self.terminate(&eni);
                    let at = self.maker.networks.iter().position(|network| network.name == eni.network);
                    self.launch(at.map(|at| (at, eni.private_ip)));
                }
            }
            5 => self.other_interface(),
            6 | 7 => self.rules(),
            8 => self.other_groups(),
            9 | 10 => self.associate(),
            11 => self.disassociate(),
            12 => self.turn_gateway(),
            13 => self.host_changes(),
            14 => self.network_comes_or_goes(),
            _ => self.pool_comes_or_goes(),
        }
    }

    fn launch(&mut self, place: Option<(usize, Ipv4Addr)>) {
        let groups = self.groups();
        let flat = self.world().enis.values().filter(|eni| !self.is_isolated(eni)).count();
        if flat > 9 {
            return;
        }
        let at = self.below(self.maker.networks.len());
        let ip = Ipv4Addr::new(10, at as u8, 0, *self.maker.dice.pick(&PLACES));
        let (at, ip) = place.unwrap_or((at, ip));
        let network = self.maker.networks[at].name.clone();
        let taken = self.world().enis.values().any(|eni| eni.network == network && eni.private_ip == ip);
        if taken || !self.world().networks.contains_key(&network) {
            return;
        }
        let account = groups[self.below(groups.len())].0;
        let (n, of) = (self.number(), self.maker.some_of(&groups, account));
        self.maker.instance(n, account, &of, at, ip);
    }

    fn terminate(&mut self, eni: &Eni) {
        let of_eni: Vec<_> = self.world().addresses_of(eni.id).cloned().collect();
        for row in of_eni {
            self.maker.put(Address { association: None, ..Address::clone(&row) });
        }
        self.delete(Key::Eni(eni.id));
        if let Some(attachment) = &eni.attachment {
            self.delete(Key::Instance(attachment.instance));
        }
    }

    fn turn_on_or_off(&mut self) {
        let instances: Vec<_> = self.world().instances.values().cloned().collect();
        let Some(row) = self.any(instances.into_iter()) else { return };
        let state = match row.state {
            InstanceState::Running => InstanceState::Stopped,
            _ => InstanceState::Running,
        };
        self.maker.put(Instance { state, boot: row.boot + 1, ..Instance::clone(&row) });
    }

    fn other_interface(&mut self) {
        let Some(eni) = self.eni() else { return };
        if self.below(3) == 0 {
            let source_dest_check = !eni.source_dest_check;
            return self.maker.put(Eni { source_dest_check, ..Eni::clone(&eni) });
        }
        if self.is_isolated(&eni) {
            return;
        }
        let all = self.groups();
        let account = (0..).find(|n| owner(*n) == eni.owner).unwrap();
        let groups = self.maker.some_of(&all, account).into();
        self.maker.put(Eni { groups, ..Eni::clone(&eni) });
    }

    fn rules(&mut self) {
        let (groups, interesting) = (self.groups(), interesting(self.world()));
        if self.below(3) == 0 {
            let list = self.below(LISTS) as u64 + 1;
            self.maker.list(list, &[]);
        }
        for _ in 0..self.below(4) {
            let n = self.number();
            self.maker.rule(n, &interesting, &groups);
        }
        for _ in 0..self.below(4) {
            let rules: Vec<_> = self.world().rules.keys().copied().collect();
            if let Some(id) = self.any(rules.into_iter()) {
                self.delete(Key::Rule(id));
            }
        }
    }

    fn other_groups(&mut self) {
        let (groups, n) = (self.groups(), self.number());
        let Some((account, id)) = self.any(groups.iter().copied()) else { return };
        if self.below(2) == 0 && groups.len() < 6 {
            self.maker.group(n, account);
            return;
        }
        let used = self.world().enis.values().any(|eni| eni.groups.contains(&id));
        let last = groups.iter().filter(|group| group.0 == account).count() == 1;
        if !used && !last {
            let named = |rule: &Rule| {
                rule.group == id || matches!(rule.target, RuleTarget::Group { group, .. } if group == id)
            };
            let gone: Vec<_> =
                self.world().rules.values().filter(|rule| named(rule)).map(|rule| rule.id).collect();
            for rule in gone {
                self.delete(Key::Rule(rule));
            }
            self.delete(Key::Group(id));
        }
    }

    /// An elastic address comes to an instance, from another maybe.
    fn associate(&mut self) {
        let Some(eni) = self.eni() else { return };
        let of_eni: Vec<_> = self.world().addresses_of(eni.id).cloned().collect();
        for row in of_eni {
            self.maker.put(Address { association: None, ..Address::clone(&row) });
        }
        let range: Range4 = POOL.parse().unwrap();
        let at = self.below(6);
        let (public_ip, n) = (Ipv4Addr::from_bits(range.first().to_bits() + at as u32), self.number());
        let association = AssociationId::from_random(n as u64);
        let association = Association { id: association, eni: eni.id, private_ip: eni.private_ip };
        let pool = PoolId::from_random(1);
        let id = AllocationId::from_random(at as u64 + 1);
        let owner = eni.owner.clone();
        let association = Some(association);
        let transit = self.is_isolated(&eni).then_some(at as u16 + 1);
        let nat = self.world().addresses.get(&id).and_then(|row| row.association).map(|to| to.eni);
        if nat.is_some_and(|eni| self.world().enis.get(&eni).is_some_and(|eni| eni.attachment.is_none())) {
            return;
        }
        let (domain_name, automatic, allocated) = (None, false, Micros(0));
        self.maker.put(Address {
            id,
            owner,
            public_ip,
            pool,
            association,
            transit,
            domain_name,
            automatic,
            allocated,
        });
    }

    fn disassociate(&mut self) {
        let nat = |row: &&Arc<Address>| {
            self.world()
                .nat_gateways
                .values()
                .any(|gateway| gateway.elastic.is_some_and(|elastic| elastic.allocation == row.id))
        };
        let rows: Vec<_> = self.world().addresses.values().filter(|row| !nat(row)).cloned().collect();
        let Some(row) = self.any(rows.into_iter()) else { return };
        if self.below(2) == 0 {
            self.delete(Key::Address(row.id));
        } else {
            self.maker.put(Address { association: None, ..Address::clone(&row) });
        }
    }

    fn turn_gateway(&mut self) {
        let networks: Vec<_> = self.world().flat_networks().cloned().collect();
        let Some(row) = self.any(networks.into_iter()) else { return };
        let host = name(self.below(self.maker.hosts));
        let gateway_host = (self.below(3) > 0).then_some(host);
        self.maker.put(Network { gateway_host, ..Network::clone(&row) });
    }

    fn host_changes(&mut self) {
        let number = self.below(self.maker.hosts);
        let row = self.world().hosts[&name(number)].clone();
        let condition = match row.condition {
            Condition::Active => Condition::Failed,
            Condition::Drained | Condition::Failed => Condition::Active,
        };
        let row = match self.below(3) {
            0 => Host { condition, ..Host::clone(&row) },
            1 => Host { flat_mac: Some(mac(10 * (number + 1) + self.below(3))), ..Host::clone(&row) },
            _ => Host { flat_mac: row.flat_mac.is_none().then(|| mac(number)), ..Host::clone(&row) },
        };
        self.maker.put(row);
    }

    fn network_comes_or_goes(&mut self) {
        if self.below(2) == 0 && self.maker.networks.len() < NETWORKS {
            return self.maker.another_network();
        }
        let at = self.below(self.maker.networks.len());
        let network = self.maker.networks[at].clone();
        if !self.world().networks.contains_key(&network.name) {
            return self.maker.put(network);
        }
        if self.world().flat_networks().count() > 1 {
            let there: Vec<_> =
                self.world().enis.values().filter(|eni| eni.network == network.name).cloned().collect();
            for eni in there {
                self.terminate(&eni);
            }
            self.delete(Key::Network(network.name));
        }
    }

    fn pool_comes_or_goes(&mut self) {
        let id = PoolId::from_random(2);
        if self.world().pools.contains_key(&id) {
            return self.delete(Key::Pool(id));
        }
        let range = "203.0.113.120-203.0.113.127".parse().unwrap();
        self.maker.put(Pool { id, name: "q".into(), range, next: None, created: Micros(0) });
    }

    /// Claims follow what runs where, some of them later than others.
    fn claims(&mut self) {
        let world = self.world().clone();
        let mut want: Vec<((Space, Ipv4Addr), Arc<str>)> = Vec::new();
        for eni in world.enis.values() {
            let Some(instance) = eni.attachment.and_then(|at| world.instances.get(&at.instance)) else {
                continue;
            };
            if instance.state == InstanceState::Running {
                let place = |ip| (Space::Network(eni.network.clone()), ip);
                want.extend(eni.private_ips().map(|ip| (place(ip), instance.host.clone())));
            }
        }
        for row in world.nat_gateways.values() {
            let (Some(eni), Some(host)) = (world.enis.get(&row.eni), &row.host) else { continue };
            want.push(((Space::Network(eni.network.clone()), row.private_ip), host.clone()));
        }
        for row in world.addresses.values() {
            let Some(eni) = row.association.and_then(|association| world.enis.get(&association.eni)) else {
                continue;
            };
            let private_ip = row.association.map_or(eni.private_ip, |association| association.private_ip);
            let place = (Space::Network(eni.network.clone()), private_ip);
            let runs = want.iter().find(|(claimed, _)| *claimed == place).map(|(_, host)| host.clone());
            let central = world.networks.get(&eni.network).and_then(|network| network.gateway_host.clone());
            if let Some(host) = runs {
                want.push(((Space::Pool(row.pool), row.public_ip), central.unwrap_or(host)));
            }
        }
        for (key, claim) in &world.claims {
            let host = want.iter().find(|(wanted, _)| wanted == key).map(|(_, host)| host);
            if host != Some(&claim.host) && self.below(5) > 0 {
                self.delete(Key::Claim(key.clone()));
            } else if host == Some(&claim.host) && claim.leaving.is_some() {
                self.maker.put(Claim { leaving: None, ..Claim::clone(claim) });
            }
        }
        for ((space, address), host) in want {
            if !self.world().claims.contains_key(&(space.clone(), address)) && self.below(12) > 0 {
                self.maker.put(Claim { space, address, host, leaving: None });
            }
        }
    }
}
