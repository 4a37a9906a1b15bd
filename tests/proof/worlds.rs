//! Random worlds: few things, close together, so that they meet at their edges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use fogbank::plan::{HostState, host_state};
use fogbank::types::*;
use fogbank::verdict::{Facts, HostFacts};
use fogbank::world::*;

use crate::dice::Dice;
use crate::over::over;
use crate::through::through;

/// A machine of the outside, and one on the flat segment.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
pub const POOL: &str = "203.0.113.100-203.0.113.107";

/// The same one by IPv6.
pub const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);

/// A world and what its hosts are.
pub struct Made {
    pub world: World,
    pub facts: Facts,
    pub one_nic: bool,
}

pub fn name(host: usize) -> Arc<str> {
    format!("host{}", host + 1).into()
}

pub fn mac(host: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0xff, 0, host as u8 + 1])
}

/// A host's own address on the public segment.
pub fn own(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, 11 + host as u8)
}

/// And by IPv6.
pub fn own6(host: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0xf0, 0, 0, 0, 0, 0x11 + host as u16)
}

pub fn owner(account: usize) -> Owner {
    Owner { account: AccountId::from_random(account as u64 + 1), region: "us-east-1".into() }
}

/// Makes rows of a world, at random.
pub struct Maker<'a> {
    pub dice: &'a mut Dice,
    pub world: World,
    pub hosts: usize,
    pub accounts: usize,
    pub networks: Vec<Network>,
    /// Whether each VPC has ways through NAT gateways.
    pub with_open_ways: bool,
}

/// Makes one of flat networks.
pub fn make(dice: &mut Dice) -> Made {
    let one_nic = dice.once_in(4);
    finish(Maker::new(dice), one_nic)
}

/// Makes one with isolated VPCs, too.
pub fn make_with_vpcs(dice: &mut Dice) -> Made {
    with_vpcs(dice, false)
}

fn with_vpcs(dice: &mut Dice, with_open_ways: bool) -> Made {
    let one_nic = dice.once_in(4);
    let mut maker = Maker { with_open_ways, ..Maker::new(dice) };
    maker.vpcs();
    finish(maker, one_nic)
}

/// Makes one in which two isolated VPCs have the same block, and instances on the same two hosts; in which packets go
/// through NAT gateways, public and private, and those of IPv6 over a peering connection.
pub fn make_with_twins(dice: &mut Dice) -> Made {
    loop {
        let made = with_vpcs(dice, true);
        let nat = || [true, false].iter().all(|public| !through(&made, *public).is_empty());
        if has_twins(&made.world) && nat() && !over(&made).is_empty() {
            return made;
        }
    }
}

fn has_twins(world: &World) -> bool {
    let hosts: Vec<_> = world.hosts.keys().map(|host| host_state(world, host)).collect();
    let runs = |vpc: &Vpc| {
        let there = |state: &&HostState| state.ports.values().any(|port| port.vpc == vpc.id);
        hosts.iter().filter(there).map(|state| state.host.clone()).collect::<BTreeSet<_>>()
    };
    let vpcs: Vec<_> = world.vpcs.values().filter(|vpc| vpc.vni.is_some()).collect();
    let pair = |one: &Vpc, other: &Vpc| {
        one.id < other.id && one.cidr == other.cidr && runs(one).intersection(&runs(other)).count() > 1
    };
    vpcs.iter().any(|one| vpcs.iter().any(|other| pair(one, other)))
}

fn finish(maker: Maker<'_>, one_nic: bool) -> Made {
    let mut facts = BTreeMap::new();
    for host in 0..maker.hosts {
        let snat = Some(own(host)).filter(|_| !maker.dice.once_in(12));
        let flat = if one_nic { "eth0" } else { "eth1" };
        let row = HostFacts { public_interface: "eth0".into(), flat_interface: flat.into(), snat };
        facts.insert(name(host), row);
    }
    Made { world: maker.world, facts: Facts { hosts: facts }, one_nic }
}

impl<'a> Maker<'a> {
    /// One that has made a world.
    pub fn new(dice: &'a mut Dice) -> Self {
        let (hosts, accounts) = (1 + dice.below(3), 1 + dice.below(2));
        let mut maker =
            Self { dice, world: World::default(), hosts, accounts, networks: vec![], with_open_ways: false };
        maker.fabric();
        let groups = maker.groups();
        let enis = maker.instances(&groups);
        maker.addresses(&enis);
        maker.lists();
        maker.rules(&groups);
        maker
    }

    pub fn put(&mut self, row: impl Into<Row>) {
        self.world.apply(&Change::put(row));
    }

    /// Pools, networks, hosts, and each account's default VPC.
    fn fabric(&mut self) {
        let range: Range4 = POOL.parse().unwrap();
        self.put(Pool {
            id: PoolId::from_random(1),
            name: "p".into(),
            range,
            next: None,
            created: Micros(0),
        });
        for number in 0..1 + self.dice.below(2) {
            self.network(number);
        }
        for host in 0..self.hosts {
            // One that was added and has not been heard of yet.
            let heard_of = !self.dice.once_in(16);
            self.put(Host {
                name: name(host),
                zone: "a".into(),
                number: host as u16 + 1,
                condition: Condition::Active,
                flat_mac: heard_of.then(|| mac(host)),
                flat_mtu: None,
                join: None,
                sealed_secret: None,
                created: Micros(0),
            });
        }
        for account in 0..self.accounts {
            let (vpc, owner) = (VpcId::from_random(account as u64 + 1), owner(account));
            let dhcp_options = DhcpOptionsId::from_random(1);
            let cidr = "10.0.0.0/16".parse().unwrap();
            self.put(Account { id: owner.account, name: "a".into(), created: Micros(0) });
            self.put(Vpc {
                id: vpc,
                owner: owner.clone(),
                cidr,
                blocks: [].into(),
                blocks6: [].into(),
                is_default: true,
                dhcp_options,
                dns_support: true,
                dns_hostnames: true,
                vni: None,
                created: Micros(0),
            });
            for at in 0..self.networks.len() {
                self.subnet(account, at);
            }
        }
    }

    fn network(&mut self, number: usize) {
        let gateway_host = self.dice.once_in(3).then(|| name(self.dice.below(self.hosts)));
        let reserved: &[Range4] = if self.dice.once_in(2) {
            &[format!("10.{number}.0.40-10.{number}.0.43").parse().unwrap()]
        } else {
            &[]
        };
        let network = Network {
            vpc: None,
            name: format!("net{number}").into(),
            cidr: format!("10.{number}.0.0/25").parse().unwrap(),
            gateway: Ipv4Addr::new(10, number as u8, 0, 1),
            range: format!("10.{number}.0.4-10.{number}.0.63").parse().unwrap(),
            reserved: reserved.into(),
            zone: "a".into(),
            domain: "d".into(),
            next: None,
            gateway_host,
            created: Micros(0),
        };
        self.networks.push(network.clone());
        self.put(network);
    }

    /// One network more.
    pub fn another_network(&mut self) {
        let at = self.networks.len();
        self.network(at);
        for account in 0..self.accounts {
            self.subnet(account, at);
        }
    }

    fn subnet(&mut self, account: usize, at: usize) {
        let network = self.networks[at].clone();
        self.put(Subnet {
            id: subnet(account, at),
            owner: owner(account),
            vpc: VpcId::from_random(account as u64 + 1),
            cidr: network.cidr,
            zone: "a".into(),
            network: network.name,
            is_default: true,
            map_public_ip: false,
            block6: None,
            assign_ipv6: false,
            created: Micros(0),
        });
    }

    /// Groups with the account that each is of.
    fn groups(&mut self) -> Vec<(usize, GroupId)> {
        let count = 1 + self.dice.below(4);
        let mut made = Vec::new();
        for n in 0..count {
            let account = if n < self.accounts { n } else { self.dice.below(self.accounts) };
            made.push((account, self.group(n, account)));
        }
        made
    }

    pub fn group(&mut self, n: usize, account: usize) -> GroupId {
        let id = GroupId::from_random(0xa0 + n as u64);
        let (vpc, name) = (VpcId::from_random(account as u64 + 1), format!("g{n}").into());
        let owner = owner(account);
        self.put(Group { id, owner, vpc, name, description: "".into(), created: Micros(0) });
        id
    }

    fn instances(&mut self, groups: &[(usize, GroupId)]) -> Vec<EniId> {
        let count = 1 + self.dice.below(6);
        let mut made = Vec::new();
        for n in 0..count {
            let account = groups[self.dice.below(groups.len())].0;
            let of = self.some_of(groups, account);
            let at = self.dice.below(self.networks.len());
            // At the edges of the range, and one beyond the other.
            let last = [4, 5, 6, 31, 32, 62, 63][n];
            made.push(self.instance(n, account, &of, at, Ipv4Addr::new(10, at as u8, 0, last)));
        }
        made
    }

    /// Groups of an account for one interface: at least one.
    pub fn some_of(&mut self, groups: &[(usize, GroupId)], account: usize) -> Vec<GroupId> {
        let own: Vec<GroupId> =
            groups.iter().filter(|group| group.0 == account).map(|group| group.1).collect();
        let mut of: Vec<GroupId> = own.iter().copied().filter(|_| self.dice.once_in(2)).collect();
        if of.is_empty() {
            of.push(*self.dice.pick(&own));
        }
        of
    }

    pub fn instance(
        &mut self,
        n: usize,
        account: usize,
        groups: &[GroupId],
        at: usize,
        ip: Ipv4Addr,
    ) -> EniId {
        let subnet = self.world.subnets[&subnet(account, at)].clone();
        self.instance_in(n, account, groups, &subnet, ip)
    }

    /// An instance in a subnet, on some host.
    pub fn instance_in(
        &mut self,
        n: usize,
        account: usize,
        groups: &[GroupId],
        subnet: &Subnet,
        ip: Ipv4Addr,
    ) -> EniId {
        let (id, host) = (InstanceId::from_random(n as u64 + 1), name(self.dice.below(self.hosts)));
        let state = if self.dice.once_in(8) { InstanceState::Stopped } else { InstanceState::Running };
        let network = subnet.network.clone();
        self.put(Instance {
            id,
            owner: owner(account),
            reservation: ReservationId::from_random(1),
            launch_index: 0,
            image: ImageId::from_random(1),
            instance_type: "m1.small".into(),
            key_name: None,
            public_key: None,
            user_data: None,
            host: host.clone(),
            zone: "a".into(),
            state,
            state_reason: None,
            boot: 1,
            metadata: MetadataOptions {
                tokens_required: false,
                hop_limit: 1,
                enabled: true,
                instance_tags: false,
            },
            terminate_on_shutdown: false,
            disable_api_termination: false,
            disable_api_stop: false,
            launched: Micros(0),
            terminated: None,
            seen_boot: 1,
            state_since: Micros(0),
            client_token: None,
        });
        let attachment = Attachment {
            id: AttachmentId::from_random(n as u64 + 1),
            instance: id,
            device_index: 0,
            delete_on_termination: true,
            attached: Micros(0),
        };
        let eni = EniId::from_random(0xe0 + n as u64);
        self.put(Eni {
            id: eni,
            owner: owner(account),
            vpc: subnet.vpc,
            subnet: subnet.id,
            network: network.clone(),
            description: "".into(),
            mac: MacAddr([2, 0, 0, 0, 1 + (n >> 8) as u8, n as u8]),
            private_ip: ip,
            secondary_ips: [].into(),
            ipv6: [].into(),
            groups: groups.into(),
            source_dest_check: true,
            auto_public: false,
            attachment: Some(attachment),
            created: Micros(0),
        });
        if state == InstanceState::Running && !self.dice.once_in(12) {
            self.claim(Space::Network(network), ip, host);
        }
        eni
    }

    pub fn claim(&mut self, space: Space, address: Ipv4Addr, host: Arc<str>) {
        let leaving = self.dice.once_in(15).then_some(0);
        self.put(Claim { space, address, host, leaving });
    }

    fn addresses(&mut self, enis: &[EniId]) {
        let range: Range4 = POOL.parse().unwrap();
        let mut free: Vec<EniId> = enis.to_vec();
        for n in 0..self.dice.below(6) {
            let public_ip = Ipv4Addr::from_bits(range.first().to_bits() + n as u32);
            let pool = PoolId::from_random(1);
            let to =
                (!free.is_empty() && !self.dice.once_in(4)).then(|| free.remove(self.dice.below(free.len())));
            let eni = to.map(|id| self.world.enis[&id].clone());
            let association = eni.as_ref().map(|eni| Association {
                id: AssociationId::from_random(n as u64 + 1),
                eni: eni.id,
                private_ip: eni.private_ip,
            });
            let (id, account) = (AllocationId::from_random(n as u64 + 1), self.dice.below(self.accounts));
            let owner = eni.as_ref().map_or_else(|| owner(account), |eni| eni.owner.clone());
            let (transit, domain_name, automatic, allocated) = (None, None, false, Micros(0));
            self.put(Address {
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
            let Some(eni) = eni else { continue };
            let instance = self.world.instances[&eni.attachment.unwrap().instance].clone();
            let network = self.networks.iter().find(|network| network.name == eni.network).unwrap();
            let holder = network.gateway_host.clone().unwrap_or_else(|| instance.host.clone());
            if instance.state == InstanceState::Running && !self.dice.once_in(12) {
                self.claim(Space::Pool(pool), public_ip, holder);
            }
        }
    }
}

fn subnet(account: usize, network: usize) -> SubnetId {
    SubnetId::from_random((account * 8 + network) as u64 + 1)
}

/// Ports at the ends of what there is, and a few that rules share.
pub const PORTS: [u16; 12] = [0, 1, 22, 52, 53, 54, 67, 68, 80, 443, 65534, 65535];

pub fn traffic(dice: &mut Dice) -> Traffic {
    let ports = |dice: &mut Dice| {
        let (one, other) = (*dice.pick(&PORTS), *dice.pick(&PORTS));
        PortRange::new(one.min(other), one.max(other)).unwrap()
    };
    match dice.below(9) {
        0 => Traffic::All,
        1..=3 => Traffic::Tcp(ports(dice)),
        4 | 5 => Traffic::Udp(ports(dice)),
        6 => Traffic::Icmp(*dice.pick(&[
            IcmpMatch::Any,
            IcmpMatch::Type(8),
            IcmpMatch::TypeCode(8, 0),
            IcmpMatch::TypeCode(13, 0),
        ])),
        7 => Traffic::Other(*dice.pick(&[0, 2, 47, 50, 132, 255])),
        _ => Traffic::Icmpv6(*dice.pick(&[
            IcmpMatch::Any,
            IcmpMatch::Type(128),
            IcmpMatch::TypeCode(128, 0),
            IcmpMatch::TypeCode(139, 0),
        ])),
    }
}

/// Every address that something has.
pub fn interesting(world: &World) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = world.enis.values().flat_map(|eni| eni.private_ips()).collect();
    found.extend(world.addresses.values().map(|row| row.public_ip));
    found.extend((0..world.hosts.len()).map(own));
    for network in world.networks.values() {
        let block = network.cidr.network().to_bits();
        found.extend([2, 40, 50, 64, 100].map(|n| Ipv4Addr::from_bits(block + n)));
    }
    found.extend([CLIENT, Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(203, 0, 113, 107)]);
    found
}
