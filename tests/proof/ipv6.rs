//! IPv6 for random worlds: blocks and addresses in most isolated VPCs, egress-only gateways, routes, entries and rules.

use std::net::Ipv6Addr;
use std::sync::Arc;

use fogbank::types::*;
use fogbank::world::*;

use crate::changes::guests;
use crate::vpcs::{GONE, MadeVpc};
use crate::worlds::{CLIENT6, Maker, traffic};

/// What all blocks are cut from.
pub const POOL6: &str = "2001:db8:1000::/36";

fn cidr(address: Ipv6Addr, length: u8) -> Cidr6 {
    Cidr6::new(address, length).unwrap()
}

/// A VPC's block of this number. They are next to each other.
fn block(vpc: usize, number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x1000 + number, (vpc as u16) << 8, 0, 0, 0, 0)
}

impl Maker<'_> {
    /// One block mostly, sometimes two or none.
    pub fn blocks6(&mut self, vpc: usize) -> Arc<[VpcBlock6]> {
        let cidr = POOL6.parse().unwrap();
        self.put(Ipv6Pool { cidr, next: None, created: Micros(0) });
        let count = *self.dice.pick(&[0, 1, 1, 1, 2]);
        let id = |n: u16| VpcCidrAssociationId::from_random(100 * (u64::from(n) + 1) + vpc as u64);
        let made = |n: u16| VpcBlock6 { id: id(n), cidr: Cidr6::new(block(vpc, n), 56).unwrap() };
        (0..count).map(made).collect()
    }

    /// A /64 of one of the VPC's blocks.
    pub fn block6(&mut self, made: &MadeVpc, n: usize) -> Option<SubnetBlock6> {
        let blocks = self.world.vpcs[&made.id].blocks6.clone();
        if blocks.is_empty() || self.dice.once_in(6) {
            return None;
        }
        let of = self.dice.pick(&blocks).cidr.network();
        let id = SubnetCidrAssociationId::from_random(made.seed(n));
        Some(SubnetBlock6 { id, cidr: cidr(Ipv6Addr::from_bits(of.to_bits() | (n as u128) << 64), 64) })
    }

    /// An interface's addresses: in a subnet that has a block most have one, and some two.
    pub fn addresses6(&mut self, subnet: &Subnet, n: usize) -> Arc<[Ipv6Addr]> {
        let Some(block) = subnet.block6 else { return [].into() };
        let count = *self.dice.pick(&[0, 1, 1, 1, 1, 2]);
        let at = |k: usize| Ipv6Addr::from_bits(block.cidr.network().to_bits() | (4 + n + 16 * k) as u128);
        (0..count).map(at).collect()
    }

    pub fn egress_gateways(&mut self, made: &[MadeVpc]) {
        for vpc in made {
            let (id, owner) = (EgressGatewayId::from_random(vpc.number as u64), vpc.owner.clone());
            let at = if self.dice.once_in(8) { self.dice.pick(made).id } else { vpc.id };
            self.put(EgressGateway { id, owner, vpc: at, created: Micros(0) });
        }
    }

    /// Where a route of IPv6 may lead.
    pub fn way6(&mut self, vpc: &MadeVpc, enis: &[EniId]) -> Ipv6NextHop {
        let gateway = vpc.number as u64;
        match self.dice.below(10) {
            9 if !vpc.peerings.is_empty() => Ipv6NextHop::Peering(self.dice.pick(&vpc.peerings).0),
            0 => Ipv6NextHop::InternetGateway(InternetGatewayId::from_random(GONE)),
            1 => Ipv6NextHop::EgressGateway(EgressGatewayId::from_random(GONE)),
            2 => Ipv6NextHop::Interface(EniId::from_random(GONE)),
            3 => Ipv6NextHop::Interface(*self.dice.pick(enis)),
            4 | 5 => Ipv6NextHop::EgressGateway(EgressGatewayId::from_random(gateway)),
            _ => Ipv6NextHop::InternetGateway(InternetGatewayId::from_random(gateway)),
        }
    }

    /// In each table: one to everything mostly, and some to what others have.
    pub fn routes6(&mut self, made: &MadeVpc, all: &[MadeVpc], enis: &[EniId]) {
        let tables: Vec<_> = self.world.route_tables_of(made.id).map(|table| table.id).collect();
        let others: Vec<_> = all.iter().map(|vpc| vpc.number).filter(|other| *other != made.number).collect();
        for (n, table) in tables.into_iter().enumerate() {
            let mut places =
                vec![(CLIENT6, 0), (CLIENT6, 0), (CLIENT6, 64), (CLIENT6, 128), (block(0, 0), 36)];
            places.extend(others.iter().map(|other| (block(*other, 0), 56)));
            for (n, (at, length)) in places.into_iter().enumerate() {
                if n > 0 && !self.dice.once_in(4) {
                    continue;
                }
                let (to, destination) = (self.way6(made, enis), cidr(at, length));
                self.route6(made, table, destination, to);
            }
            self.routes6_to_peers(made, table);
            if self.dice.once_in(3) {
                let list = PrefixListId::from_random(0x600 + made.seed(n));
                self.route6_to_list(made, table, list, enis);
            }
        }
    }

    pub fn route6(&mut self, made: &MadeVpc, table: RouteTableId, destination: Cidr6, to: Ipv6NextHop) {
        let (owner, created) = (made.owner.clone(), Micros(0));
        self.put(Ipv6Route { table, owner, destination: destination.into(), to, created });
    }

    /// To a list: beside blocks in it that have routes of their own, and within the VPC's own.
    fn route6_to_list(&mut self, made: &MadeVpc, table: RouteTableId, list: PrefixListId, enis: &[EniId]) {
        let own = self.world.vpcs[&made.id].blocks6.iter().map(|block| block.cidr).collect::<Vec<_>>();
        let within = own.iter().filter_map(|block| Cidr6::new(block.network(), 64)).collect::<Vec<_>>();
        let theirs =
            made.peerings.iter().map(|(id, _)| self.world.peerings[id].peer_of(made.id).unwrap().vpc);
        let theirs: Vec<_> = theirs.flat_map(|vpc| self.world.vpcs[&vpc].blocks6.to_vec()).collect();
        let theirs: Vec<_> = theirs.iter().map(|block| block.cidr).collect();
        let rest = [(CLIENT6, 128), (CLIENT6, 64), (CLIENT6, 0), (block(0, 0), 36)];
        let rest = rest.map(|(at, length)| cidr(at, length));
        self.list6(list, &[&own[..], &within, &theirs, &rest].concat());
        let (to, owner) = (self.way6(made, enis), made.owner.clone());
        let destination = Destination::PrefixList(list);
        self.put(Ipv6Route { table, owner, destination, to, created: Micros(0) });
    }

    /// Most of what peers have, and sometimes much more than that.
    fn routes6_to_peers(&mut self, made: &MadeVpc, table: RouteTableId) {
        for (id, _) in &made.peerings {
            let peer = self.world.peerings[id].peer_of(made.id).unwrap().vpc;
            let theirs: Vec<_> = self.world.vpcs[&peer].blocks6.iter().map(|block| block.cidr).collect();
            for block in theirs {
                if !self.dice.once_in(4) {
                    self.route6(made, table, block, Ipv6NextHop::Peering(*id));
                }
            }
            if self.dice.once_in(6) {
                self.route6(made, table, cidr(block(0, 0), 36), Ipv6NextHop::Peering(*id));
            }
        }
    }

    /// Entries between those for IPv4.
    pub fn entries6(&mut self, acl: NetworkAclId, owner: &Owner, is_default: bool) {
        let interesting = interesting6(&self.world);
        for direction in [Direction::Ingress, Direction::Egress] {
            let some = if is_default { 0 } else { self.dice.below(4) };
            for n in 0..some {
                let length = *self.dice.pick(&[128, 128, 127, 124, 64, 63, 56, 48, 32, 1, 0]);
                let cidr = cidr(*self.dice.pick(&interesting), length);
                let (number, allow) = (5 + 10 * n as u16, self.dice.once_in(2));
                let traffic = if self.dice.once_in(3) { Traffic::All } else { traffic(self.dice) };
                self.entry(acl, owner, direction, number, allow, traffic, cidr);
            }
            if is_default || !self.dice.once_in(4) {
                self.entry(acl, owner, direction, 101, true, Traffic::All, cidr(CLIENT6, 0));
            }
        }
    }

    /// Rules of a VPC's groups; many are open, that ACLs and routes have something to say.
    pub fn rules6(&mut self, made: &MadeVpc) {
        let interesting = interesting6(&self.world);
        let first = 1000 * made.number + 500;
        for n in 0..self.dice.below(8) {
            let length = *self.dice.pick(&[128, 128, 127, 124, 64, 63, 56, 32, 1]);
            let block = RuleTarget::Cidr6(cidr(*self.dice.pick(&interesting), length));
            let lists = self.world.prefix_lists.values().filter(|row| row.is_ipv6).map(|row| row.id);
            let lists: Vec<_> = lists.collect();
            let listed = !lists.is_empty() && self.dice.once_in(4);
            let target = if listed { RuleTarget::PrefixList(*self.dice.pick(&lists)) } else { block };
            let (direction, traffic) = (self.direction(), traffic(self.dice));
            let group = self.dice.pick(&made.groups).1;
            self.rule6(made, first + n, group, direction, traffic, target);
        }
        for (n, (_, group)) in made.groups.iter().enumerate() {
            for (direction, way) in [(Direction::Egress, 100), (Direction::Ingress, 200)] {
                if !self.dice.once_in(if way == 100 { 8 } else { 3 }) {
                    let all = RuleTarget::Cidr6(cidr(CLIENT6, 0));
                    self.rule6(made, first + way + n, *group, direction, Traffic::All, all);
                }
            }
        }
    }

    /// Changes something of a VPC's IPv6; `None` where there is no such thing.
    pub fn change6(&mut self) -> Option<()> {
        match self.dice.below(5) {
            4 => self.list6_changes(),
            0 => self.egress_gateway_comes_or_goes(),
            1 | 2 => self.route6_goes_or_leads_elsewhere(),
            _ => self.address6_comes_or_goes(),
        }
    }

    fn egress_gateway_comes_or_goes(&mut self) -> Option<()> {
        let vpc =
            self.choose(|world| world.internet_gateways.values().filter_map(|row| row.vpc).collect())?;
        let there = self.world.egress_gateways.values().find(|row| row.vpc == vpc).map(|row| row.id);
        if let Some(id) = there {
            self.delete(Key::EgressGateway(id));
            return Some(());
        }
        let (id, owner) = (EgressGatewayId::from_random(0xe), self.world.vpcs[&vpc].owner.clone());
        self.put(EgressGateway { id, owner, vpc, created: Micros(0) });
        Some(())
    }

    fn route6_goes_or_leads_elsewhere(&mut self) -> Option<()> {
        let row = self.choose(|world| world.ipv6_routes.values().cloned().collect())?;
        if self.dice.once_in(3) {
            self.delete(Key::Ipv6Route((row.table, row.destination)));
            return Some(());
        }
        let vpc = self.world.route_tables[&row.table].vpc;
        let to = self.choose(|world| {
            let open = world.internet_gateways.keys().map(|id| Ipv6NextHop::InternetGateway(*id));
            let egress = world.egress_gateways.keys().map(|id| Ipv6NextHop::EgressGateway(*id));
            let peers = world.peerings_of(vpc).map(|row| Ipv6NextHop::Peering(row.id));
            let enis = world.enis.values().filter(|eni| eni.vpc == vpc);
            open.chain(egress).chain(peers).chain(enis.map(|eni| Ipv6NextHop::Interface(eni.id))).collect()
        })?;
        self.put(Ipv6Route { to, ..(*row).clone() });
        Some(())
    }

    fn list6_changes(&mut self) -> Option<()> {
        let lists = |world: &World| world.prefix_lists.values().filter(|row| row.is_ipv6).cloned().collect();
        let row = self.choose(lists)?;
        self.list6(row.id, &[cidr(CLIENT6, 64), cidr(CLIENT6, 0)]);
        Some(())
    }

    fn address6_comes_or_goes(&mut self) -> Option<()> {
        let row = self.choose(guests)?;
        let block = self.world.subnets[&row.subnet].block6?.cidr.network().to_bits();
        let own = u128::from(row.private_ip.to_bits() & 0xff);
        let ipv6 = if row.ipv6.is_empty() {
            [Ipv6Addr::from_bits(block | 0x100 | own)].into()
        } else {
            row.ipv6[1..].into()
        };
        self.put(Eni { ipv6, ..(*row).clone() });
        Some(())
    }

    fn direction(&mut self) -> Direction {
        if self.dice.once_in(3) { Direction::Egress } else { Direction::Ingress }
    }

    pub fn rule6(
        &mut self,
        made: &MadeVpc,
        n: usize,
        group: GroupId,
        direction: Direction,
        traffic: Traffic,
        target: RuleTarget,
    ) {
        let (id, owner, created) = (RuleId::from_random(n as u64), made.owner.clone(), Micros(0));
        self.put(Rule { id, owner, group, direction, traffic, target, description: None, created });
    }
}

/// Every address of IPv6 that something has, and some that nothing has.
pub fn interesting6(world: &World) -> Vec<Ipv6Addr> {
    let mut found: Vec<_> = world.enis.values().flat_map(|eni| eni.ipv6.iter().copied()).collect();
    let subnets = world.subnets.values().filter_map(|subnet| subnet.block6);
    found.extend(subnets.map(|block| Ipv6Addr::from_bits(block.cidr.network().to_bits() | 0x99)));
    let blocks = world.vpcs.values().flat_map(|vpc| vpc.blocks6.iter());
    found.extend(blocks.map(|block| Ipv6Addr::from_bits(block.cidr.last().to_bits())));
    found.extend([CLIENT6, Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 2), block(0xf, 7)]);
    found
}
