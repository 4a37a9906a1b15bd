//! Whether an answer comes back: network ACLs forget every question, and from a VPC it needs a route of its own.

use std::net::{IpAddr, Ipv4Addr};

use fogbank::types::{Cidr, Cidr4, Cidr6, Direction, EniId, IcmpMatch, NatGatewayId, PrefixListId, Traffic};
use fogbank::verdict::{Interface, Leads, Origin, Packet, Place, Trace, Transport};
use fogbank::world::{AclEntry, Destination, Eni, Space, Vpc, World};

use crate::worlds::Made;

/// Whether every host on the way is known to the others: an answer cannot be sent to one that is not.
pub fn way_back(made: &Made, trace: &Trace) -> bool {
    let known = |host: &str| made.world.hosts[host].flat_mac.is_some();
    trace.hops.len() < 2 || trace.hops.iter().all(|hop| known(&hop.host))
}

/// The NAT gateway that a question was led to.
pub fn nat_gateway(trace: &Trace) -> Option<NatGatewayId> {
    trace.hops.iter().find_map(|hop| match hop.route?.leads {
        Leads::NatGateway(id) => Some(id),
        _ => None,
    })
}

/// A block that has a route already keeps it.
fn add(made: &mut Vec<(Cidr, Leads)>, blocks: Vec<Cidr>, to: Leads) {
    for block in blocks {
        if made.iter().all(|(other, _)| *other != block) {
            made.push((block, to));
        }
    }
}

/// Both ends of a question that has arrived.
pub struct Ends<'a> {
    pub world: &'a World,
    pub trace: &'a Trace,
}

impl Ends<'_> {
    fn eni(&self, id: EniId) -> &Eni {
        &self.world.enis[&id]
    }

    fn vpc(&self, eni: &Eni) -> Option<&Vpc> {
        self.world.vpcs.get(&eni.vpc).filter(|vpc| vpc.vni.is_some()).map(|vpc| &**vpc)
    }

    /// Whether an answer to an interface leads to another one: the question pretended to come from there.
    pub fn is_a_lie(&self) -> bool {
        match &self.trace.origin {
            Origin::Interface(id) => {
                let eni = self.eni(*id);
                let source = match self.trace.packet.source {
                    IpAddr::V4(source) => source,
                    IpAddr::V6(source) => return !eni.ipv6.contains(&source),
                };
                let claim = self.world.claims.get(&(Space::Network(eni.network.clone()), source));
                let served = claim.is_some_and(|claim| claim.leaving.is_none());
                !served || !eni.private_ips().any(|ip| ip == source)
            }
            // As an instance of another VPC, whose own address it is.
            _ => match self.trace.packet.source {
                IpAddr::V4(_) => false,
                IpAddr::V6(source) => self.world.enis.values().any(|eni| eni.ipv6.contains(&source)),
            },
        }
    }

    /// `answer` is how the target sends it, `seen` how it arrives where the question began.
    pub fn come_back(&self, place: &Place, answer: &Packet, seen: &Packet) -> bool {
        let leaves = match place {
            Place::Interface(id) => {
                let eni = self.eni(*id);
                self.acl(eni, Direction::Egress, answer) && self.leads_back(eni, answer.destination)
            }
            _ => true,
        };
        let enters = match &self.trace.origin {
            Origin::Interface(id) => self.acl(self.eni(*id), Direction::Ingress, seen),
            _ => true,
        };
        leaves && enters && self.through_nat(seen)
    }

    /// The subnet of a NAT gateway is one more that an answer enters and leaves: from where the question went, whoever that
    /// address stands for.
    fn through_nat(&self, seen: &Packet) -> bool {
        nat_gateway(self.trace).is_none_or(|id| {
            let eni = self.eni(self.world.nat_gateways[&id].eni);
            self.acl(eni, Direction::Ingress, seen) && self.acl(eni, Direction::Egress, seen)
        })
    }

    /// Whether the route of an answer goes where the question came from.
    fn leads_back(&self, eni: &Eni, to: IpAddr) -> bool {
        let Some(vpc) = self.vpc(eni) else { return true };
        let through_gateway =
            self.trace.hops.last().is_some_and(|hop| matches!(hop.entered, Interface::Cable(_)));
        let over = self.trace.hops.iter().find_map(|hop| match hop.entered {
            Interface::Peering(id) => Some(id),
            _ => None,
        });
        let own = vpc.cidrs().map(Cidr::V4).chain(vpc.blocks6.iter().map(|block| Cidr::V6(block.cidr)));
        let local = own.map(|block| (block, Leads::Local));
        let table = self.world.route_table_of(vpc.id, eni.subnet).unwrap();
        let mut made: Vec<(Cidr, Leads)> = Vec::new();
        for route in self.world.routes_of(table.id) {
            let blocks = match route.destination {
                Destination::Block(block) => vec![block.into()],
                Destination::PrefixList(list) => self.listed(vpc, list, true),
            };
            add(&mut made, blocks, route.to.into());
        }
        for route in self.world.ipv6_routes_of(table.id) {
            let blocks = match route.destination {
                Destination::Block(block) => vec![block.into()],
                Destination::PrefixList(list) => self.listed(vpc, list, false),
            };
            add(&mut made, blocks, route.to.into());
        }
        let fits = local.chain(made).filter(|(block, _)| block.contains(to));
        match fits.max_by_key(|(block, _)| block.prefix_len()).map(|(_, leads)| leads) {
            Some(Leads::Local) => !through_gateway && over.is_none(),
            Some(Leads::Peering(id)) => over == Some(id),
            Some(Leads::InternetGateway(id)) => {
                let gateway = self.world.internet_gateways.get(&id);
                through_gateway && gateway.is_some_and(|gateway| gateway.vpc == Some(vpc.id))
            }
            Some(Leads::EgressGateway(id)) => {
                let gateway = self.world.egress_gateways.get(&id);
                through_gateway && gateway.is_some_and(|gateway| gateway.vpc == vpc.id)
            }
            Some(Leads::Interface(_) | Leads::NatGateway(_)) | None => false,
        }
    }

    /// The blocks in a prefix list, without those that no route leads away.
    fn listed(&self, vpc: &Vpc, list: PrefixListId, four: bool) -> Vec<Cidr> {
        let kept4 = |block: Cidr4| {
            let has = |own: Cidr4| own.contains(block.network()) && own.contains(block.last());
            vpc.cidrs().any(has) || has("169.254.0.0/16".parse().unwrap())
        };
        let kept6 = |block: Cidr6| {
            let of_links = ["fe80::/10", "ff00::/8"].map(|text| text.parse::<Cidr6>().unwrap());
            vpc.blocks6.iter().map(|own| own.cidr).chain(of_links).any(|own| own.holds(&block))
        };
        let leads = |block: &Cidr| match *block {
            Cidr::V4(block) => four && !kept4(block),
            Cidr::V6(block) => !four && !kept6(block),
        };
        self.world.entries_of(list).iter().map(|entry| entry.block).filter(leads).collect()
    }

    fn acl(&self, eni: &Eni, direction: Direction, packet: &Packet) -> bool {
        let subnet = &self.world.subnets[&eni.subnet];
        let peer = if direction == Direction::Egress { packet.destination } else { packet.source };
        // A DHCP client asks everybody.
        let dhcp = Transport::Udp { from: 68, to: 67 };
        if direction == Direction::Egress && packet.transport == dhcp && peer == Ipv4Addr::BROADCAST {
            return true;
        }
        let blocks = [Some(subnet.cidr.into()), subnet.block6.map(|block| block.cidr.into())];
        let within = blocks.into_iter().flatten().any(|block: Cidr| block.contains(peer));
        if within || self.is_served(eni, peer) {
            return true;
        }
        let Some(acl) = self.world.acl_of(subnet.id) else { return self.vpc(eni).is_none() };
        let mut entries = self.world.acl_entries_of(acl.id, direction);
        let holds = |entry: &AclEntry| entry.cidr.contains(peer);
        let first = entries.find(|entry| holds(entry) && fits(&entry.traffic, packet.transport));
        first.is_some_and(|entry| entry.allow)
    }

    fn is_served(&self, eni: &Eni, peer: IpAddr) -> bool {
        let IpAddr::V4(peer) = peer else { return false };
        let vpc = self.vpc(eni);
        let mut networks = self.world.networks.values().filter(|net| net.vpc == vpc.map(|vpc| vpc.id));
        let third = |vpc: &Vpc| vpc.dns_support && peer.to_bits() == vpc.cidr.network().to_bits() + 2;
        networks.any(|network| network.gateway == peer) || vpc.is_some_and(third)
    }
}

fn fits(traffic: &Traffic, transport: Transport) -> bool {
    match (traffic, transport) {
        (Traffic::All, _) => true,
        (Traffic::Tcp(range), Transport::Tcp { to, .. })
        | (Traffic::Udp(range), Transport::Udp { to, .. }) => (range.from()..=range.to()).contains(&to),
        (Traffic::Icmp(what), Transport::Icmp { kind, code })
        | (Traffic::Icmpv6(what), Transport::Icmp6 { kind, code }) => match *what {
            IcmpMatch::Any => true,
            IcmpMatch::Type(wanted) => wanted == kind,
            IcmpMatch::TypeCode(wanted, of) => (wanted, of) == (kind, code),
        },
        (Traffic::Other(wanted), Transport::Other(number)) => *wanted == number,
        _ => false,
    }
}
