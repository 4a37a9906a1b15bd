//! Packets that are likely to be judged wrongly: at the edges of rules, between known places, and lies.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fogbank::types::{Cidr, EniId, IcmpMatch, RuleTarget, Traffic};
use fogbank::verdict::{Origin, Packet, Transport};
use fogbank::world::{Address, Eni, Network, World};

use crate::cases6::Palette6;
use crate::dice::Dice;
use crate::worlds::{CLIENT, Made, PORTS, interesting, name, own};

/// One packet and where it enters.
#[derive(Clone, Debug)]
pub struct Case {
    pub origin: Origin,
    pub packet: Packet,
    /// The host that another machine hands it to; `None` for the one that answers.
    pub entry: Option<Arc<str>>,
    pub fragmented: bool,
}

/// What packets of a world are made of.
pub struct Palette {
    addresses: Vec<Ipv4Addr>,
    transports: Vec<Transport>,
    private: Vec<Ipv4Addr>,
    elastic: Vec<Ipv4Addr>,
    six: Option<Palette6>,
}

impl Palette {
    pub fn new(world: &World) -> Self {
        let mut addresses = interesting(world);
        let mut transports = Vec::new();
        let entries = world.acl_entries.values();
        transports.extend(entries.flat_map(|entry| edges(&entry.traffic)));
        let listed = world.prefix_list_versions.values().flat_map(|version| version.entries.iter());
        let listed = listed.filter_map(|entry| match entry.block {
            Cidr::V4(block) => Some([block.network(), block.last()]),
            Cidr::V6(_) => None,
        });
        addresses.extend(listed.flatten().filter(|ip| is_plain(*ip)));
        for rule in world.rules.values() {
            if let RuleTarget::Cidr4(block) = rule.target {
                let (first, last) = (block.network().to_bits(), block.last().to_bits());
                let edges = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                addresses.extend(edges.map(Ipv4Addr::from_bits).into_iter().filter(|ip| is_plain(*ip)));
            }
            transports.extend(edges(&rule.traffic));
        }
        for port in PORTS {
            transports.push(Transport::Tcp { from: 40000, to: port });
            transports.push(Transport::Udp { from: 40000, to: port });
        }
        transports.extend([(67, 68), (68, 67), (53, 4000)].map(|(from, to)| Transport::Udp { from, to }));
        transports.extend([0, 3, 5, 8, 13].map(|kind| Transport::Icmp { kind, code: 0 }));
        transports.extend([47, 50, 58, 132].map(Transport::Other));
        let private = world.enis.values().flat_map(|eni| eni.private_ips()).collect();
        let elastic = world.addresses.values().map(|row| row.public_ip).collect();
        transports.retain(|transport| !matches!(transport, Transport::Icmp6 { .. }));
        Self { addresses, transports, private, elastic, six: Palette6::new(world) }
    }

    /// A packet of an interface: in worlds of many kinds there are many that are worth a try.
    pub fn case(&self, dice: &mut Dice, made: &Made) -> Case {
        if let Some(six) = self.six.as_ref().filter(|_| dice.once_in(2)) {
            return six.case(dice, made);
        }
        let world = &made.world;
        let enis: Vec<_> = world.enis.values().collect();
        let transport = *dice.pick(&self.transports);
        let host = name(dice.below(world.hosts.len()));
        let (origin, source, destination, entry) = match dice.below(10) {
            0..=4 => {
                let eni = dice.pick(&enis);
                let lies = dice.once_in(if eni.source_dest_check { 12 } else { 3 });
                let own: Vec<_> = eni.private_ips().collect();
                let source = if lies { *dice.pick(&self.addresses) } else { *dice.pick(&own) };
                (Origin::Interface(eni.id), source, self.destination(dice), None)
            }
            5 | 6 => {
                let source = self.outside(dice, made);
                let entry = dice.once_in(4).then_some(host);
                let any = self.elastic.is_empty() || entry.is_some() && dice.once_in(2);
                let to = if any { *dice.pick(&self.addresses) } else { *dice.pick(&self.elastic) };
                (Origin::Outside, source, to, entry)
            }
            7 | 8 => {
                let source = self.on_flat(dice, made);
                let entry = dice.once_in(4).then_some(host);
                (Origin::Flat, source, *dice.pick(&self.private), entry)
            }
            _ => {
                let to = self.destination_of_host(dice, world, &host);
                // By another host to an instance of its own: no kernel takes a packet from itself.
                let elsewhere =
                    |network: &Arc<Network>| network.gateway_host.as_ref().is_some_and(|g| *g != host);
                let away = world.networks.values().any(elsewhere);
                match made.facts.snat(&host).filter(|_| !away) {
                    Some(IpAddr::V4(source)) => (Origin::Host(host), source, to, None),
                    _ => (Origin::Outside, CLIENT, to, None),
                }
            }
        };
        let odd = match &origin {
            // An error of the host's own making is its own affair.
            Origin::Host(_) => !transport.begins_a_flow(),
            // Without ports, what comes back from one's own elastic address looks like the answer to itself.
            Origin::Interface(id) => {
                matches!(transport, Transport::Other(_)) && is_its_own(made, *id, source, destination)
            }
            _ => false,
        };
        let transport = if odd { Transport::Tcp { from: 40000, to: 80 } } else { transport };
        let packet = Packet::new(source, destination, transport);
        Case { origin, packet, entry, fragmented: dice.once_in(8) && source != Ipv4Addr::UNSPECIFIED }
    }

    fn destination(&self, dice: &mut Dice) -> Ipv4Addr {
        match dice.below(8) {
            0..=2 => *dice.pick(&self.private),
            3 | 4 if !self.elastic.is_empty() => *dice.pick(&self.elastic),
            5 => *dice.pick(&[
                Ipv4Addr::new(10, 0, 0, 1),
                Ipv4Addr::new(10, 0, 0, 2),
                Ipv4Addr::new(10, 0, 0, 65),
                Ipv4Addr::new(192, 168, 0, 2),
                Ipv4Addr::new(169, 254, 169, 254),
                Ipv4Addr::new(169, 254, 169, 253),
                Ipv4Addr::new(169, 254, 1, 1),
                Ipv4Addr::new(224, 0, 0, 251),
                Ipv4Addr::BROADCAST,
            ]),
            6 => CLIENT,
            _ => *dice.pick(&self.addresses),
        }
    }

    /// An elastic address, or an instance of the host's own: how a host speaks on the flat segment is its own affair.
    fn destination_of_host(&self, dice: &mut Dice, world: &World, host: &str) -> Ipv4Addr {
        let here = world.instances_on(host).flat_map(|instance| world.interfaces_of(instance.id));
        let flat = |eni: &Arc<Eni>| world.vpcs[&eni.vpc].vni.is_none();
        let mut found: Vec<_> = here.filter(flat).map(|eni| eni.private_ip).collect();
        found.extend(&self.elastic);
        if found.is_empty() { CLIENT } else { *dice.pick(&found) }
    }

    /// A source that such a machine may have, or pretends to have: not one that a kernel refuses by itself.
    fn outside(&self, dice: &mut Dice, made: &Made) -> Ipv4Addr {
        if dice.once_in(12) {
            return Ipv4Addr::from(*dice.pick(&[
                [169, 254, 169, 254],
                [169, 254, 169, 253],
                [169, 254, 1, 1],
                // In transit between a host and its routers, maybe.
                [169, 254, 192, 1],
                [169, 254, 192, 2],
            ]));
        }
        let others = |ip: &Ipv4Addr| !self.elastic.contains(ip) && !is_own(made, *ip) && !on_flat(made, *ip);
        let found = Some(*dice.pick(&self.addresses)).filter(others);
        // With one segment for all, who has an address of the flat network is there.
        let real = |ip: &Ipv4Addr| !made.one_nic || !in_network(made, *ip);
        found.filter(real).unwrap_or(CLIENT)
    }

    fn on_flat(&self, dice: &mut Dice, made: &Made) -> Ipv4Addr {
        let found =
            Some(*dice.pick(&self.addresses)).filter(|ip| in_network(made, *ip) && !is_gateway(made, *ip));
        found.unwrap_or(Ipv4Addr::new(10, 0, 0, 100))
    }
}

/// Whether the address is what the sender is outside, by a NAT gateway too, or who it says that it is.
fn is_its_own(made: &Made, id: EniId, source: Ipv4Addr, ip: Ipv4Addr) -> bool {
    let vpc = made.world.enis[&id].vpc;
    let nat = |eni| made.world.nat_gateways_of(vpc).any(|gateway| gateway.eni == eni);
    let of = |row: &&Arc<Address>| {
        row.association.is_some_and(|to| to.eni == id || to.private_ip == source || nat(to.eni))
    };
    made.world.addresses.values().filter(of).any(|row| row.public_ip == ip)
}

fn is_own(made: &Made, ip: Ipv4Addr) -> bool {
    (0..made.world.hosts.len()).any(|host| own(host) == ip)
}

fn in_network(made: &Made, ip: Ipv4Addr) -> bool {
    made.world.flat_networks().any(|network| network.cidr.contains(ip))
}

fn is_gateway(made: &Made, ip: Ipv4Addr) -> bool {
    made.world.flat_networks().any(|network| network.gateway == ip)
}

fn on_flat(made: &Made, ip: Ipv4Addr) -> bool {
    is_gateway(made, ip)
}

/// Not an address that every kernel drops by itself, or broadcasts to.
fn is_plain(ip: Ipv4Addr) -> bool {
    let first = ip.octets()[0];
    (1..224).contains(&first) && !ip.is_loopback() && !ip.is_link_local()
}

/// What a rule matches at its ends, and what is just beyond.
pub fn edges(traffic: &Traffic) -> Vec<Transport> {
    let around = |from: u16, to: u16| [from, to, from.wrapping_sub(1), to.wrapping_add(1)];
    match traffic {
        Traffic::Tcp(range) => {
            around(range.from(), range.to()).map(|to| Transport::Tcp { from: 40000, to }).to_vec()
        }
        Traffic::Udp(range) => {
            around(range.from(), range.to()).map(|to| Transport::Udp { from: 40000, to }).to_vec()
        }
        Traffic::Icmp(IcmpMatch::TypeCode(kind, code)) => {
            [(*kind, *code), (*kind, code + 1)].map(|(kind, code)| Transport::Icmp { kind, code }).to_vec()
        }
        Traffic::Icmpv6(IcmpMatch::TypeCode(kind, code)) => {
            [(*kind, *code), (*kind, code + 1)].map(|(kind, code)| Transport::Icmp6 { kind, code }).to_vec()
        }
        Traffic::Icmpv6(_) => [128, 139].map(|kind| Transport::Icmp6 { kind, code: 7 }).to_vec(),
        Traffic::Icmp(_) => [8, 13].map(|kind| Transport::Icmp { kind, code: 7 }).to_vec(),
        Traffic::Other(number) => {
            let near = [*number, number.wrapping_add(3)];
            near.into_iter().filter(|n| ![1, 6, 17].contains(n)).map(Transport::Other).collect()
        }
        Traffic::All => vec![],
    }
}
