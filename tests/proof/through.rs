//! Ways through NAT gateways from end to end, and packets that go them: by chance alone hardly any world has one.

use std::net::Ipv4Addr;

use fogbank::types::*;
use fogbank::verdict::{Origin, Outcome, Packet, Trace, Transport, verdict};
use fogbank::world::*;

use crate::cases::Case;
use crate::returns::nat_gateway;
use crate::vpcs::MadeVpc;
use crate::worlds::{CLIENT, Made, Maker};

/// The place among a VPC's subnets, tables and other things that no other one has.
const OWN: usize = 3;

/// Of one kind of gateway, in one world.
const MOST: usize = 40;

/// Whether the packet goes through a NAT gateway that is, or is not, public.
pub fn is_through(made: &Made, trace: &Trace, public: bool) -> bool {
    nat_gateway(trace).is_some_and(|id| made.world.nat_gateways[&id].elastic.is_some() == public)
}

/// Packets that arrive through public NAT gateways, or through private ones.
pub fn through(made: &Made, public: bool) -> Vec<Case> {
    let inside = made.world.enis.values().filter(|eni| made.world.vpcs[&eni.vpc].vni.is_some());
    let inside: Vec<_> = inside.collect();
    let outside = [CLIENT, Ipv4Addr::from_bits(CLIENT.to_bits() + 1)];
    let to: Vec<_> = outside.into_iter().chain(inside.iter().map(|eni| eni.private_ip)).collect();
    let mut cases = Vec::new();
    for eni in &inside {
        for destination in &to {
            for transport in
                [Transport::Udp { from: 40_000, to: 80 }, Transport::Tcp { from: 40_000, to: 80 }]
            {
                let (origin, source) = (Origin::Interface(eni.id), eni.private_ip);
                let packet = Packet { source: source.into(), destination: (*destination).into(), transport };
                let trace = verdict(&made.world, &made.facts, &origin, packet, None);
                let arrives = matches!(trace.outcome, Outcome::Reaches(..));
                if arrives && is_through(made, &trace, public) && cases.len() < MOST {
                    cases.push(Case { origin, packet, entry: None, fragmented: false });
                }
            }
        }
    }
    cases
}

/// An address outside that a private gateway's table leads to an instance.
fn appliance() -> Ipv4Addr {
    Ipv4Addr::from_bits(CLIENT.to_bits() + 1)
}

fn only(ip: Ipv4Addr) -> Cidr4 {
    Cidr4::new(ip, 32).unwrap()
}

impl Maker<'_> {
    /// In each VPC: a public and a private gateway at work in a subnet of their own, and what leads an open instance by them to
    /// the outside, to another instance that forwards, and to a peer, and back.
    pub fn open_ways(&mut self, made: &mut [MadeVpc], enis: &[EniId]) {
        for vpc in made {
            let of_vpc = |id: &&EniId| self.world.enis[*id].vpc == vpc.id;
            let own: Vec<_> = enis.iter().filter(of_vpc).copied().collect();
            let [from, to] = [0; 2].map(|_| *self.dice.pick(&own));
            let base = self.world.vpcs[&vpc.id].cidr.network().to_bits() + 64 * OWN as u32;
            self.subnet_of(vpc, OWN, base);
            let (subnet, owner) = (*vpc.subnets.last().unwrap(), vpc.owner.clone());
            self.open_subnet(vpc, subnet, OWN);
            for (n, eni) in [from, to].into_iter().enumerate() {
                self.open_instance(vpc, eni, OWN + 1 + n);
            }
            let (id, created) = (RouteTableId::from_random(vpc.seed(OWN)), Micros(0));
            let number = OWN as u16 + 1;
            self.put(RouteTable { id, owner: owner.clone(), vpc: vpc.id, number, created });
            let association = RouteTableAssociationId::from_random(vpc.seed(OWN + 1));
            let subnet = Some(subnet);
            self.put(RouteTableAssociation { id: association, owner, vpc: vpc.id, table: id, subnet });
            self.by_public(vpc, from, id);
            self.by_private(vpc, from, to, id);
        }
    }

    fn lead(&mut self, vpc: &MadeVpc, table: RouteTableId, destination: Ipv4Addr, to: NextHop) {
        let (owner, created) = (vpc.owner.clone(), Micros(0));
        self.put(Route { table, owner, destination: only(destination).into(), to, created });
    }

    fn table_of(&self, eni: EniId) -> RouteTableId {
        let eni = &self.world.enis[&eni];
        self.world.route_table_of(eni.vpc, eni.subnet).unwrap().id
    }

    fn by_public(&mut self, vpc: &MadeVpc, from: EniId, table: RouteTableId) {
        if self.next_elastic().is_none() {
            return;
        }
        let gateway = InternetGatewayId::from_random(vpc.number as u64);
        let (owner, created) = (vpc.owner.clone(), Micros(0));
        self.put(InternetGateway { id: gateway, owner, vpc: Some(vpc.id), created });
        let nat = self.nat_gateway_in(vpc, OWN, false, *vpc.subnets.last().unwrap(), true);
        self.lead(vpc, self.table_of(from), CLIENT, NextHop::NatGateway(nat));
        self.lead(vpc, table, CLIENT, NextHop::InternetGateway(gateway));
    }

    fn by_private(&mut self, vpc: &MadeVpc, from: EniId, to: EniId, table: RouteTableId) {
        let nat = self.nat_gateway_in(vpc, OWN + 1, true, *vpc.subnets.last().unwrap(), true);
        self.lead(vpc, self.table_of(from), appliance(), NextHop::NatGateway(nat));
        self.lead(vpc, table, appliance(), NextHop::Interface(to));
        let row = Eni { source_dest_check: false, ..(*self.world.enis[&to]).clone() };
        self.put(row);
        for (id, _) in &vpc.peerings {
            let Some((_, peer)) = self.world.peers_of(vpc.id).find(|(row, _)| row.id == *id) else {
                continue;
            };
            let Some(eni) = self.world.enis.values().find(|eni| eni.vpc == peer && !eni.groups.is_empty())
            else {
                continue;
            };
            let (eni, there) = (eni.id, eni.private_ip);
            self.lead(vpc, self.table_of(from), there, NextHop::NatGateway(nat));
            self.lead(vpc, table, there, NextHop::Peering(*id));
            let owner = self.world.vpcs[&peer].owner.clone();
            let (table, as_nat) = (self.table_of(eni), self.world.nat_gateways[&nat].private_ip);
            let (destination, to, created) = (only(as_nat).into(), NextHop::Peering(*id), Micros(0));
            self.put(Route { table, owner, destination, to, created });
        }
    }

    /// Its ACL lets everything pass.
    fn open_subnet(&mut self, vpc: &MadeVpc, subnet: SubnetId, n: usize) {
        let acl = NetworkAclId::from_random(vpc.seed(n));
        self.acl(acl, &vpc.owner, vpc.id, true);
        let old = self.world.acl_associations.values().find(|row| row.subnet == subnet).map(|row| row.id);
        let id = old.unwrap_or(NetworkAclAssociationId::from_random(vpc.seed(n)));
        self.put(AclAssociation { id, owner: vpc.owner.clone(), acl, subnet });
    }

    /// It runs, and its groups and its subnet let everything pass.
    pub fn open_instance(&mut self, vpc: &MadeVpc, eni: EniId, number: usize) {
        let eni = (*self.world.enis[&eni]).clone();
        let instance = (*self.world.instances[&eni.attachment.unwrap().instance]).clone();
        let (space, address, host) =
            (Space::Network(eni.network.clone()), eni.private_ip, instance.host.clone());
        self.put(Claim { space, address, host, leaving: None });
        self.put(Instance { state: InstanceState::Running, ..instance });
        self.open_subnet(vpc, eni.subnet, number);
        for (n, direction) in [Direction::Ingress, Direction::Egress].into_iter().enumerate() {
            self.put(Rule {
                id: RuleId::from_random(0xf_0000 + 10 * vpc.seed(number) + n as u64),
                owner: vpc.owner.clone(),
                group: eni.groups[0],
                direction,
                traffic: Traffic::All,
                target: RuleTarget::Cidr4("0.0.0.0/0".parse().unwrap()),
                description: None,
                created: Micros(0),
            });
        }
    }
}
