//! Isolated VPCs for random worlds: the same blocks in several, subnets with ACLs and route tables of all kinds.

use std::net::Ipv4Addr;
use std::sync::Arc;

use fogbank::types::*;
use fogbank::world::*;

use crate::worlds::{CLIENT, Maker, POOL, owner, traffic};

/// Blocks that VPCs have: the first one is that of the flat networks, too.
const BLOCKS: [[u8; 4]; 4] = [[10, 0, 0, 0], [10, 0, 0, 0], [10, 1, 0, 0], [192, 168, 0, 0]];
const MORE: [u8; 4] = [100, 64, 0, 0];
const SUBNETS: usize = 3;
/// Of an interface or gateway that there is not.
pub const GONE: u64 = 0xdead;

fn block(base: [u8; 4], length: u8) -> Cidr4 {
    Cidr4::new(base.into(), length).unwrap()
}

/// A VPC by its number.
pub struct MadeVpc {
    pub number: usize,
    pub id: VpcId,
    pub owner: Owner,
    pub subnets: Vec<SubnetId>,
    pub groups: Vec<(usize, GroupId)>,
    /// Its peering connections in whatever state, each with the blocks at the other end.
    pub peerings: Vec<(VpcPeeringConnectionId, Vec<Cidr4>)>,
}

impl MadeVpc {
    /// An id's number that no other VPC's things have.
    pub fn seed(&self, n: usize) -> u64 {
        (self.number * 100 + n) as u64
    }
}

impl Maker<'_> {
    /// Adds VPCs, and what is in them.
    pub fn vpcs(&mut self) {
        self.acls_of_flat_subnets();
        let count = 1 + self.dice.below(3);
        let mut made: Vec<MadeVpc> = (0..count).map(|n| self.vpc(n + 1)).collect();
        let mut enis = Vec::new();
        for vpc in &made {
            enis.extend(self.instances_of(vpc));
        }
        self.gateways(&made);
        self.egress_gateways(&made);
        let nat = self.nat_gateways(&made);
        self.peerings(&mut made);
        for vpc in &made {
            self.route_tables(vpc, &enis, &nat);
            self.routes6(vpc, &made, &enis);
            self.acls(vpc);
        }
        if self.with_open_ways || self.dice.once_in(8) {
            self.open_ways(&mut made, &enis);
        }
        if self.with_open_ways || self.dice.once_in(3) {
            self.open_ways6(&made);
        }
        self.elastic(&enis);
        for vpc in &made {
            self.rules_of(vpc);
            self.rules6(vpc);
        }
    }

    fn vpc(&mut self, number: usize) -> MadeVpc {
        let account = self.dice.below(self.accounts);
        let (id, owner) = (VpcId::from_random(100 + number as u64), owner(account));
        let base = *self.dice.pick(&BLOCKS);
        let more = Block { id: VpcCidrAssociationId::from_random(number as u64), cidr: block(MORE, 24) };
        let blocks: Arc<[Block]> = if self.dice.once_in(3) { [more].into() } else { [].into() };
        let length = if base[0] == 10 { 16 } else { 24 };
        let blocks6 = self.blocks6(number);
        let (second, dns_support) = (!blocks.is_empty(), !self.dice.once_in(4));
        self.put(Vpc {
            id,
            owner: owner.clone(),
            cidr: block(base, length),
            blocks,
            blocks6,
            is_default: false,
            dhcp_options: DhcpOptionsId::from_random(1),
            dns_support,
            dns_hostnames: true,
            vni: Some(number as u32),
            created: Micros(0),
        });
        let mut made =
            MadeVpc { number, id, owner, subnets: Vec::new(), groups: Vec::new(), peerings: Vec::new() };
        for n in 0..1 + self.dice.below(SUBNETS) {
            let base = if second && n == SUBNETS - 1 { MORE } else { base };
            self.subnet_of(&mut made, n, Ipv4Addr::from(base).to_bits() + 64 * n as u32);
        }
        for n in 0..1 + self.dice.below(2) {
            let id = GroupId::from_random(0xb00 + made.seed(n));
            let (name, owner) = (format!("v{n}").into(), made.owner.clone());
            self.put(Group { id, owner, vpc: made.id, name, description: "".into(), created: Micros(0) });
            made.groups.push((account, id));
        }
        made
    }

    pub fn subnet_of(&mut self, made: &mut MadeVpc, n: usize, base: u32) {
        let id = SubnetId::from_random(1000 + made.seed(n));
        let (network, at): (Arc<str>, _) = (id.to_string().into(), |n: u32| Ipv4Addr::from_bits(base + n));
        let (cidr, block6) = (Cidr4::new(at(0), 26).unwrap(), self.block6(made, n));
        self.put(Network {
            vpc: Some(made.id),
            name: network.clone(),
            cidr,
            gateway: at(1),
            range: Range4::new(at(4), at(62)).unwrap(),
            reserved: [].into(),
            zone: "a".into(),
            domain: "d".into(),
            next: None,
            gateway_host: None,
            created: Micros(0),
        });
        self.put(Subnet {
            id,
            owner: made.owner.clone(),
            vpc: made.id,
            cidr,
            zone: "a".into(),
            network,
            is_default: false,
            map_public_ip: false,
            block6,
            assign_ipv6: false,
            created: Micros(0),
        });
        made.subnets.push(id);
    }

    fn instances_of(&mut self, made: &MadeVpc) -> Vec<EniId> {
        let count = 1 + self.dice.below(5);
        let mut enis = Vec::new();
        for n in 0..count {
            let of = self.some_of(&made.groups, made.groups[0].0);
            let subnet = self.world.subnets[self.dice.pick(&made.subnets)].clone();
            let last = [4, 5, 6, 31, 62][n];
            let ip = Ipv4Addr::from_bits(subnet.cidr.network().to_bits() + last);
            let eni = self.instance_in(made.seed(n) as usize, made.groups[0].0, &of, &subnet, ip);
            let mut row = (*self.world.enis[&eni]).clone();
            row.source_dest_check = !self.dice.once_in(3);
            row.ipv6 = self.addresses6(&subnet, n);
            if self.dice.once_in(3) {
                let second = Ipv4Addr::from_bits(subnet.cidr.network().to_bits() + 40 + n as u32);
                row.secondary_ips = [second].into();
                let first = Space::Network(row.network.clone());
                let claim = self.world.claims.get(&(first.clone(), ip)).cloned();
                if let Some(claim) = claim.filter(|_| !self.dice.once_in(8)) {
                    self.claim(first, second, claim.host.clone());
                }
            }
            self.put(row);
            enis.push(eni);
        }
        enis
    }

    /// A gateway for each VPC: attached to it, to nothing, or to another one.
    fn gateways(&mut self, made: &[MadeVpc]) {
        for vpc in made {
            let id = InternetGatewayId::from_random(vpc.number as u64);
            let to = match self.dice.below(8) {
                0 => None,
                1 => Some(self.dice.pick(made).id),
                _ => Some(vpc.id),
            };
            self.put(InternetGateway { id, owner: vpc.owner.clone(), vpc: to, created: Micros(0) });
        }
    }

    /// Connections between those whose blocks allow it, most of them active.
    fn peerings(&mut self, made: &mut [MadeVpc]) {
        let count = made.len();
        for (a, b) in [(0, 1), (0, 2), (1, 2)].into_iter().filter(|(_, b)| *b < count) {
            let blocks = |n: usize| self.world.vpcs[&made[n].id].cidrs().collect::<Vec<_>>();
            let (ours, theirs) = (blocks(a), blocks(b));
            let overlap = ours.iter().any(|block| theirs.iter().any(|other| other.overlaps(block)));
            if overlap || self.dice.once_in(4) {
                continue;
            }
            let id = VpcPeeringConnectionId::from_random(10 * made[a].number as u64 + made[b].number as u64);
            let end =
                |n: usize| PeeringEnd { vpc: made[n].id, owner: made[n].owner.clone(), resolves: false };
            let state = *self.dice.pick(&[
                PeeringState::Active,
                PeeringState::Active,
                PeeringState::Active,
                PeeringState::Pending,
                PeeringState::Deleted,
            ]);
            let ended = (state == PeeringState::Deleted).then_some(Micros(0));
            let (requester, accepter, created) = (end(a), end(b), Micros(0));
            self.put(Peering {
                id,
                requester,
                accepter,
                state,
                created,
                expires: created,
                ended,
                ended_by: None,
            });
            made[a].peerings.push((id, theirs));
            made[b].peerings.push((id, ours));
        }
    }

    fn route_tables(&mut self, made: &MadeVpc, enis: &[EniId], nat: &[NatGatewayId]) {
        let tables = 1 + self.dice.below(3);
        for n in 0..tables {
            let (id, owner) = (RouteTableId::from_random(made.seed(n)), made.owner.clone());
            let number = n as u16 + 1;
            self.put(RouteTable { id, owner, vpc: made.id, number, created: Micros(0) });
            self.routes(made, id, enis, nat);
        }
        self.ways_of_nat(made, tables, nat);
        self.ways_of_private_nat(made, tables, enis);
        let associate = |maker: &mut Self, n: usize, table: usize, subnet: Option<SubnetId>| {
            let id = RouteTableAssociationId::from_random(made.seed(n));
            let (vpc, owner) = (made.id, made.owner.clone());
            let table = RouteTableId::from_random(made.seed(table));
            maker.put(RouteTableAssociation { id, owner, vpc, table, subnet });
        };
        associate(self, 0, 0, None);
        for (n, subnet) in made.subnets.iter().enumerate() {
            let with_nat = self.world.nat_gateways_of(made.id).any(|row| row.subnet == *subnet);
            if !with_nat && self.dice.once_in(2) {
                let table = self.dice.below(tables);
                associate(self, n + 1, table, Some(*subnet));
            }
        }
    }

    fn routes(&mut self, made: &MadeVpc, table: RouteTableId, enis: &[EniId], nat: &[NatGatewayId]) {
        let put = |maker: &mut Self, destination: Cidr4, to: NextHop| {
            let (owner, created) = (made.owner.clone(), Micros(0));
            maker.put(Route { table, owner, destination: destination.into(), to, created });
        };
        let gateway = NextHop::InternetGateway(InternetGatewayId::from_random(made.number as u64));
        if !self.dice.once_in(4) {
            let to = match self.dice.below(6) {
                0 => NextHop::Interface(*self.dice.pick(enis)),
                1 | 2 => self.one_of(made, nat).unwrap_or(gateway),
                _ => gateway,
            };
            put(self, "0.0.0.0/0".parse().unwrap(), to);
        }
        for (id, blocks) in &made.peerings {
            for block in blocks {
                if !self.dice.once_in(4) {
                    put(self, *block, NextHop::Peering(*id));
                }
            }
            if self.dice.once_in(6) {
                // Much more than the peer has.
                let base = Ipv4Addr::from([blocks[0].network().octets()[0], 0, 0, 0]);
                put(self, Cidr4::new(base, 7).unwrap(), NextHop::Peering(*id));
            }
        }
        let places: [(Ipv4Addr, u8); 5] = [
            (CLIENT, 24),
            (CLIENT, 32),
            (Ipv4Addr::new(203, 0, 113, 100), 30),
            (Ipv4Addr::new(8, 8, 8, 8), 8),
            (Ipv4Addr::new(172, 16, 0, 0), 12),
        ];
        for (at, length) in places {
            let to = match self.dice.below(9) {
                0 if self.dice.once_in(2) => NextHop::NatGateway(NatGatewayId::from_random(GONE)),
                0 => NextHop::InternetGateway(InternetGatewayId::from_random(GONE)),
                1 => NextHop::Interface(EniId::from_random(GONE)),
                2 | 3 => NextHop::Interface(*self.dice.pick(enis)),
                4 => gateway,
                5 => match self.one_of(made, nat) {
                    Some(to) => to,
                    None => continue,
                },
                _ => continue,
            };
            put(self, Cidr4::new(at, length).unwrap(), to);
        }
        let vpc = self.world.vpcs[&made.id].clone();
        for n in 0..self.dice.below(3) {
            let eni = NextHop::Interface(*self.dice.pick(enis));
            let to = if self.dice.once_in(2) { gateway } else { eni };
            self.route_to_list(&vpc, 100 + made.seed(n), table, to);
        }
    }

    fn acls(&mut self, made: &MadeVpc) {
        let count = 1 + self.dice.below(3);
        for n in 0..count {
            self.acl(NetworkAclId::from_random(made.seed(n)), &made.owner, made.id, n == 0);
        }
        for (n, subnet) in made.subnets.iter().enumerate() {
            // A subnet without one is closed.
            if !self.dice.once_in(20) {
                let acl = NetworkAclId::from_random(made.seed(self.dice.below(count)));
                let (id, owner) = (NetworkAclAssociationId::from_random(made.seed(n)), made.owner.clone());
                self.put(AclAssociation { id, owner, acl, subnet: *subnet });
            }
        }
    }

    /// Subnets of default VPCs have ACLs, too, if they are not of an older store.
    fn acls_of_flat_subnets(&mut self) {
        let subnets: Vec<_> = self.world.subnets.values().cloned().collect();
        for (n, subnet) in subnets.iter().enumerate() {
            if self.dice.once_in(2) {
                continue;
            }
            let acl = NetworkAclId::from_random(5000 + n as u64);
            let open = self.dice.once_in(2);
            self.acl(acl, &subnet.owner, subnet.vpc, open);
            let id = NetworkAclAssociationId::from_random(5000 + n as u64);
            self.put(AclAssociation { id, owner: subnet.owner.clone(), acl, subnet: subnet.id });
        }
    }

    pub fn acl(&mut self, acl: NetworkAclId, owner: &Owner, vpc: VpcId, is_default: bool) {
        self.put(NetworkAcl { id: acl, owner: owner.clone(), vpc, is_default, created: Micros(0) });
        let interesting = crate::worlds::interesting(&self.world);
        for direction in [Direction::Ingress, Direction::Egress] {
            let some = if is_default { 0 } else { self.dice.below(4) };
            for n in 0..some {
                let length = *self.dice.pick(&[32, 32, 31, 28, 26, 25, 24, 16, 8, 1, 0]);
                let cidr = Cidr4::new(*self.dice.pick(&interesting), length).unwrap();
                let (number, allow) = (10 * (n as u16 + 1), self.dice.once_in(2));
                let traffic = if self.dice.once_in(3) { Traffic::All } else { traffic(self.dice) };
                self.entry(acl, owner, direction, number, allow, traffic, cidr);
            }
            if is_default || !self.dice.once_in(4) {
                let all: Cidr4 = "0.0.0.0/0".parse().unwrap();
                self.entry(acl, owner, direction, 100, true, Traffic::All, all);
            }
        }
        self.entries6(acl, owner, is_default);
    }

    #[allow(clippy::too_many_arguments)]
    pub fn entry(
        &mut self,
        acl: NetworkAclId,
        owner: &Owner,
        direction: Direction,
        number: u16,
        allow: bool,
        traffic: Traffic,
        cidr: impl Into<Cidr>,
    ) {
        let (owner, created) = (owner.clone(), Micros(0));
        let cidr = cidr.into();
        self.put(AclEntry { acl, owner, direction, number, allow, traffic, cidr, created });
    }

    /// Elastic addresses that the flat networks have left.
    fn elastic(&mut self, enis: &[EniId]) {
        let range: Range4 = POOL.parse().unwrap();
        let mut free: Vec<(EniId, Ipv4Addr)> = Vec::new();
        for id in enis {
            free.extend(self.world.enis[id].private_ips().map(|ip| (*id, ip)));
        }
        for n in self.world.addresses.len()..range.count() as usize {
            if free.is_empty() {
                break;
            }
            let (eni, private_ip) = free.remove(self.dice.below(free.len()));
            let row = self.world.enis[&eni].clone();
            let public_ip = Ipv4Addr::from_bits(range.first().to_bits() + n as u32);
            let id = AssociationId::from_random(n as u64 + 1);
            let transit = (!self.dice.once_in(16)).then_some(n as u16 + 1);
            self.put(Address {
                id: AllocationId::from_random(n as u64 + 1),
                owner: row.owner.clone(),
                public_ip,
                pool: PoolId::from_random(1),
                association: Some(Association { id, eni, private_ip }),
                transit,
                domain_name: None,
                automatic: false,
                allocated: Micros(0),
            });
            let instance = self.world.instances[&row.attachment.unwrap().instance].clone();
            if instance.state == InstanceState::Running && !self.dice.once_in(12) {
                self.claim(Space::Pool(PoolId::from_random(1)), public_ip, instance.host.clone());
            }
        }
    }

    fn rules_of(&mut self, made: &MadeVpc) {
        let interesting = crate::worlds::interesting(&self.world);
        let first = 1000 * made.number;
        // Some rules name groups of others, peers or not.
        let others = self.world.groups.values().filter(|group| group.vpc != made.id);
        let others: Vec<_> = others.map(|group| group.id).collect();
        for n in 0..self.dice.below(10) {
            self.rule(first + n, &interesting, &made.groups);
            if self.dice.once_in(3) && !others.is_empty() {
                let row = (*self.world.rules[&RuleId::from_random((first + n) as u64 + 1)]).clone();
                let target =
                    RuleTarget::Group { group: *self.dice.pick(&others), account: row.owner.account };
                self.put(Rule { target, ..row });
            }
        }
        let all = RuleTarget::Cidr4("0.0.0.0/0".parse().unwrap());
        for (n, (_, group)) in made.groups.iter().enumerate() {
            for (direction, way) in [(Direction::Egress, 100), (Direction::Ingress, 200)] {
                // Many are open, that ACLs and routes have something to say.
                if self.dice.once_in(if way == 100 { 8 } else { 3 }) {
                    continue;
                }
                self.put(Rule {
                    id: RuleId::from_random((first + way + n) as u64),
                    owner: made.owner.clone(),
                    group: *group,
                    direction,
                    traffic: Traffic::All,
                    target: all.clone(),
                    description: None,
                    created: Micros(0),
                });
            }
        }
    }
}
