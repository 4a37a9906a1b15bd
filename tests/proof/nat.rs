//! NAT gateways for random worlds, public and private: at work, on the way to another host, deleted, or with nowhere to go.

use std::net::Ipv4Addr;

use fogbank::types::*;
use fogbank::world::*;

use crate::vpcs::MadeVpc;
use crate::worlds::{CLIENT, Maker, POOL, name};

/// The pool's other addresses are for instances.
const MOST: usize = 3;

impl Maker<'_> {
    /// A gateway or two in some of the VPCs; the ids of all, for routes.
    pub fn nat_gateways(&mut self, made: &[MadeVpc]) -> Vec<NatGatewayId> {
        let mut ids = Vec::new();
        for vpc in made {
            for n in 0..self.dice.below(3) {
                let private = self.dice.once_in(2);
                let public = ids.iter().filter(|id| self.world.nat_gateways[*id].elastic.is_some()).count();
                if private || (public < MOST && self.next_elastic().is_some()) {
                    ids.push(self.nat_gateway(vpc, n, private));
                }
            }
        }
        ids
    }

    /// A gateway of the VPC, and rarely that of another one, which is nobody's way out here.
    pub fn one_of(&mut self, made: &MadeVpc, all: &[NatGatewayId]) -> Option<NextHop> {
        let strange = self.dice.once_in(8);
        let fits = |id: &NatGatewayId| strange || self.world.nat_gateways[id].vpc == made.id;
        let fit: Vec<_> = all.iter().copied().filter(fits).collect();
        (!fit.is_empty()).then(|| NextHop::NatGateway(*self.dice.pick(&fit)))
    }

    /// The first table, that of the gateways' subnets, mostly leads outside, and the others often to a gateway.
    pub fn ways_of_nat(&mut self, made: &MadeVpc, tables: usize, all: &[NatGatewayId]) {
        let own = self.world.nat_gateways_of(made.id).count();
        if own == 0 || self.dice.once_in(4) {
            return;
        }
        let outside = NextHop::InternetGateway(InternetGatewayId::from_random(made.number as u64));
        for n in 0..tables {
            let to = if n == 0 { Some(outside) } else { self.one_of(made, all) };
            let (table, owner) = (RouteTableId::from_random(made.seed(n)), made.owner.clone());
            if let Some(to) = to {
                let destination = "0.0.0.0/0".parse().unwrap();
                self.put(Route { table, owner, destination, to, created: Micros(0) });
            }
        }
    }

    /// What a private gateway is for: the first table leads to peers and to instances, and others by the gateway.
    pub fn ways_of_private_nat(&mut self, made: &MadeVpc, tables: usize, enis: &[EniId]) {
        let of_vpc = self.world.nat_gateways_of(made.id).filter(|row| row.elastic.is_none());
        let private: Vec<_> = of_vpc.map(|row| row.id).collect();
        if private.is_empty() || self.dice.once_in(4) {
            return;
        }
        let by = NextHop::NatGateway(*self.dice.pick(&private));
        let peers = made.peerings.iter().flat_map(|(id, blocks)| blocks.iter().map(|block| (*block, *id)));
        let mut ways: Vec<_> = peers.map(|(block, id)| (block, NextHop::Peering(id))).collect();
        ways.push((Cidr4::new(CLIENT, 28).unwrap(), NextHop::Interface(*self.dice.pick(enis))));
        for (destination, to) in ways {
            for n in 0..tables {
                let (table, owner) = (RouteTableId::from_random(made.seed(n)), made.owner.clone());
                let to = if n == 0 { to } else { by };
                if !self.dice.once_in(6) {
                    let (destination, created) = (destination.into(), Micros(0));
                    self.put(Route { table, owner, destination, to, created });
                }
            }
        }
    }

    fn flaw(&mut self, sound: bool) -> bool {
        !sound && self.dice.once_in(16)
    }

    pub fn next_elastic(&self) -> Option<(u64, Ipv4Addr)> {
        let range: Range4 = POOL.parse().unwrap();
        let (n, first) = (self.world.addresses.len() as u64, range.first().to_bits());
        (n < range.count()).then(|| (n, Ipv4Addr::from_bits(first + n as u32)))
    }

    fn nat_gateway(&mut self, made: &MadeVpc, n: usize, private: bool) -> NatGatewayId {
        let subnet = *self.dice.pick(&made.subnets);
        self.nat_gateway_in(made, n, private, subnet, false)
    }

    /// One in a subnet; `sound` if it has all that it needs.
    pub fn nat_gateway_in(
        &mut self,
        made: &MadeVpc,
        n: usize,
        private: bool,
        subnet: SubnetId,
        sound: bool,
    ) -> NatGatewayId {
        let id = NatGatewayId::from_random(made.seed(n));
        let subnet = self.world.subnets[&subnet].clone();
        let private_ip = Ipv4Addr::from_bits(subnet.cidr.network().to_bits() + 20 + n as u32);
        let host = Some(name(self.dice.below(self.hosts))).filter(|_| !self.flaw(sound));
        let deleted = self.flaw(sound).then_some(Micros(0));
        let eni = EniId::from_random(0xf000 + made.seed(n));
        let elastic = if private { None } else { self.next_elastic() };
        let allocation = |number: u64| AllocationId::from_random(number + 1);
        self.put(NatGateway {
            id,
            owner: made.owner.clone(),
            vpc: made.id,
            subnet: subnet.id,
            eni,
            private_ip,
            elastic: elastic
                .map(|(number, public_ip)| NatElastic { allocation: allocation(number), public_ip }),
            host: host.clone(),
            client_token: None,
            created: Micros(0),
            deleted,
        });
        let pool = PoolId::from_random(1);
        if let Some((number, public_ip)) = elastic {
            let association = AssociationId::from_random(number + 1);
            let association = Association { id: association, eni, private_ip };
            let transit = (!self.flaw(sound)).then_some(number as u16 + 1);
            self.put(Address {
                automatic: false,
                id: allocation(number),
                owner: made.owner.clone(),
                public_ip,
                pool,
                association: Some(association).filter(|_| deleted.is_none()),
                transit,
                domain_name: None,
                allocated: Micros(0),
            });
        }
        if deleted.is_some() {
            return id;
        }
        self.put(Eni {
            ipv6: [].into(),
            auto_public: false,
            id: eni,
            owner: made.owner.clone(),
            vpc: made.id,
            subnet: subnet.id,
            network: subnet.network.clone(),
            description: "".into(),
            mac: MacAddr([2, 0, 0, 1, made.number as u8, n as u8]),
            private_ip,
            secondary_ips: [].into(),
            groups: [].into(),
            source_dest_check: false,
            attachment: None,
            created: Micros(0),
        });
        let Some(host) = host else { return id };
        let public = elastic.map(|(_, public_ip)| (Space::Pool(pool), public_ip));
        for (space, ip) in public.into_iter().chain([(Space::Network(subnet.network.clone()), private_ip)]) {
            if sound {
                self.put(Claim { space, address: ip, host: host.clone(), leaving: None });
            } else if !self.flaw(sound) {
                self.claim(space, ip, host.clone());
            }
        }
        id
    }
}
