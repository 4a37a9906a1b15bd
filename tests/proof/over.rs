//! IPv6 over peering connections from end to end, and packets that go there: by chance alone few worlds have such a way.

use fogbank::types::*;
use fogbank::verdict::{Interface, Origin, Outcome, Packet, Trace, Transport, verdict};
use fogbank::world::*;

use crate::cases::Case;
use crate::vpcs::MadeVpc;
use crate::worlds::{CLIENT6, Made, Maker};

/// The place among a VPC's things that no other one has.
const OWN: usize = 7;

/// In one world.
const MOST: usize = 40;

/// Whether a packet of IPv6 goes over a peering connection.
pub fn is_over(trace: &Trace) -> bool {
    let over = |entered: Interface| matches!(entered, Interface::Peering(_));
    trace.packet.source.is_ipv6() && trace.hops.iter().any(|hop| over(hop.entered))
}

/// Packets of IPv6 that arrive over peering connections.
pub fn over(made: &Made) -> Vec<Case> {
    let all = made.world.enis.values();
    let inside: Vec<_> = all.flat_map(|eni| eni.ipv6.iter().map(|ip| (eni.id, eni.vpc, *ip))).collect();
    let mut cases = Vec::new();
    for (eni, vpc, source) in &inside {
        for (_, _, destination) in inside.iter().filter(|(_, other, _)| other != vpc) {
            for transport in
                [Transport::Udp { from: 40_000, to: 80 }, Transport::Tcp { from: 40_000, to: 80 }]
            {
                let origin = Origin::Interface(*eni);
                let packet =
                    Packet { source: (*source).into(), destination: (*destination).into(), transport };
                let trace = verdict(&made.world, &made.facts, &origin, packet, None);
                let arrives = matches!(trace.outcome, Outcome::Reaches(..));
                if arrives && is_over(&trace) && cases.len() < MOST {
                    cases.push(Case { origin, packet, entry: None, fragmented: false });
                }
            }
        }
    }
    cases
}

/// Packets from outside under addresses that instances of other VPCs have.
pub fn pretended(made: &Made) -> Vec<Case> {
    let inside = || made.world.enis.values().flat_map(|eni| eni.ipv6.iter().map(|ip| (eni.vpc, *ip)));
    let pairs = inside().flat_map(|to| inside().map(move |from| (from, to)));
    let others = pairs.filter(|(from, to)| from.0 != to.0).map(|((_, source), (_, destination))| {
        let transport = Transport::Udp { from: 40_000, to: 80 };
        Packet { source: source.into(), destination: destination.into(), transport }
    });
    let case = |packet| Case { origin: Origin::Outside, packet, entry: None, fragmented: false };
    others.map(case).take(MOST).collect()
}

impl Maker<'_> {
    /// At both ends of each active connection: an open instance with routes to what the other end has, that lets in the
    /// members of the other one's group, or everybody.
    pub fn open_ways6(&mut self, made: &[MadeVpc]) {
        for vpc in made {
            let peers: Vec<_> = self.world.peers_of(vpc.id).map(|(row, peer)| (row.id, peer)).collect();
            for (n, (id, peer)) in peers.into_iter().enumerate() {
                if let Some((own, theirs)) = self.with_six(vpc.id).zip(self.with_six(peer)) {
                    self.open_way6(vpc, OWN + n, id, &own, &theirs);
                }
            }
        }
    }

    fn with_six(&self, vpc: VpcId) -> Option<Eni> {
        let of_vpc = |eni: &Eni| eni.vpc == vpc && !eni.ipv6.is_empty() && !eni.groups.is_empty();
        self.world.enis.values().find(|eni| of_vpc(eni)).map(|eni| (**eni).clone())
    }

    fn open_way6(
        &mut self,
        vpc: &MadeVpc,
        number: usize,
        peering: VpcPeeringConnectionId,
        own: &Eni,
        theirs: &Eni,
    ) {
        self.open_instance(vpc, own.id, number);
        let table = self.world.route_table_of(vpc.id, own.subnet).unwrap().id;
        let blocks = self.world.vpcs[&theirs.vpc].blocks6.clone();
        for block in blocks.iter() {
            self.route6(vpc, table, block.cidr, Ipv6NextHop::Peering(peering));
        }
        if !self.with_open_ways && self.dice.once_in(3) {
            // One of them is to be outside: who says from there that he is it, comes in, and is no member.
            let only = Cidr6::new(theirs.ipv6[0], 128).unwrap();
            let gateway = InternetGatewayId::from_random(vpc.number as u64);
            self.route6(vpc, table, only, Ipv6NextHop::InternetGateway(gateway));
        }
        let all = RuleTarget::Cidr6(Cidr6::new(CLIENT6, 0).unwrap());
        let member = RuleTarget::Group { group: theirs.groups[0], account: theirs.owner.account };
        let let_in = if self.dice.once_in(3) { all.clone() } else { member };
        for (n, (direction, target)) in
            [(Direction::Egress, all), (Direction::Ingress, let_in)].into_iter().enumerate()
        {
            let id = 0xe_0000 + 10 * vpc.seed(number) as usize + n;
            self.rule6(vpc, id, own.groups[0], direction, Traffic::All, target);
        }
    }
}
