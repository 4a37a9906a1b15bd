//! Packets of IPv6 that are likely to be judged wrongly: between known places, on the link, and lies.

use std::net::Ipv6Addr;

use fogbank::types::RuleTarget;
use fogbank::verdict::{Origin, Packet, Transport};
use fogbank::world::World;

use crate::cases::{Case, edges};
use crate::dice::Dice;
use crate::ipv6::interesting6;
use crate::worlds::{CLIENT6, Made, PORTS, name, own6};

const fn link_local(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)
}

const fn multicast(scope: u16, group: u32) -> Ipv6Addr {
    let [high, low] = [(group >> 16) as u16, group as u16];
    Ipv6Addr::new(0xff00 | scope, 0, 0, 0, 0, 0, high, low)
}

/// The router, another machine of the link, all of it, all routers, all DHCP servers, and what is beyond it.
const OF_LINK: [Ipv6Addr; 8] = [
    link_local(1),
    link_local(9),
    multicast(2, 1),
    multicast(2, 2),
    multicast(2, 0x1_0002),
    // Who has fe80::1 (RFC 4291, 2.7.1).
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1),
    multicast(5, 2),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253),
];

/// Whom nobody is.
const NOBODY: [Ipv6Addr; 6] = [
    Ipv6Addr::UNSPECIFIED,
    link_local(1),
    link_local(9),
    multicast(2, 1),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253),
];

/// What packets of IPv6 of a world are made of.
pub struct Palette6 {
    addresses: Vec<Ipv6Addr>,
    transports: Vec<Transport>,
    own: Vec<Ipv6Addr>,
}

impl Palette6 {
    /// `None` where the world has no IPv6.
    pub fn new(world: &World) -> Option<Self> {
        let own: Vec<_> = world.enis.values().flat_map(|eni| eni.ipv6.iter().copied()).collect();
        let mut addresses = interesting6(world);
        let entries = world.acl_entries.values();
        let mut transports: Vec<_> = entries.flat_map(|entry| edges(&entry.traffic)).collect();
        for rule in world.rules.values() {
            if let RuleTarget::Cidr6(block) = rule.target {
                let (first, last) = (block.network().to_bits(), block.last().to_bits());
                let around = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                addresses.extend(around.map(Ipv6Addr::from_bits).into_iter().filter(|ip| is_plain(*ip)));
            }
            transports.extend(edges(&rule.traffic));
        }
        let listed = world.prefix_list_versions.values().flat_map(|version| version.entries.iter());
        let listed = listed.filter_map(|entry| entry.block.v6());
        let ends = listed.flat_map(|block| [block.network(), block.last()]);
        addresses.extend(ends.filter(|ip| is_plain(*ip)));
        transports.retain(|transport| match transport {
            Transport::Icmp { .. } => false,
            // Headers of IPv6 itself (RFC 8200, 4; RFC 4302; RFC 6275, 6.1).
            Transport::Other(number) => ![0, 43, 44, 51, 58, 59, 60, 135, 139, 140].contains(number),
            _ => true,
        });
        for to in PORTS {
            transports.extend([Transport::Tcp { from: 40000, to }, Transport::Udp { from: 40000, to }]);
        }
        let udp = |(from, to)| Transport::Udp { from, to };
        transports.extend([(546, 547), (547, 546), (40000, 547), (40000, 546)].map(udp));
        transports.extend([1, 2, 3, 128, 128, 129, 139, 140].map(icmp));
        transports.extend([1, 47, 50, 132].map(Transport::Other));
        (!own.is_empty()).then_some(Self { addresses, transports, own })
    }

    /// A packet of an interface, or of a machine outside, or of a host.
    pub fn case(&self, dice: &mut Dice, made: &Made) -> Case {
        let world = &made.world;
        let number = dice.below(world.hosts.len());
        let (origin, source, destination, entry) = match dice.below(10) {
            0..=5 => {
                let enis: Vec<_> = world.enis.values().filter(|eni| eni.attachment.is_some()).collect();
                let with: Vec<_> = enis.iter().copied().filter(|eni| !eni.ipv6.is_empty()).collect();
                let eni = if dice.once_in(12) { *dice.pick(&enis) } else { *dice.pick(&with) };
                let lies = eni.ipv6.is_empty() || dice.once_in(if eni.source_dest_check { 8 } else { 3 });
                let source = if lies { self.lie(dice) } else { *dice.pick(&eni.ipv6) };
                (Origin::Interface(eni.id), source, self.destination(dice), None)
            }
            6..=8 => {
                let source = if dice.once_in(3) { *dice.pick(&self.addresses) } else { CLIENT6 };
                let entry = dice.once_in(4).then(|| name(number));
                let to = if dice.once_in(5) { *dice.pick(&self.addresses) } else { *dice.pick(&self.own) };
                (Origin::Outside, source, to, entry)
            }
            _ => {
                let to = if dice.once_in(6) { CLIENT6 } else { *dice.pick(&self.own) };
                (Origin::Host(name(number)), own6(number), to, None)
            }
        };
        let on_link = OF_LINK.contains(&destination) || NOBODY.contains(&source);
        let transport = match &origin {
            Origin::Interface(_) if dice.once_in(if on_link { 2 } else { 12 }) => said(dice),
            // An error of the host's own making is its own affair.
            Origin::Host(_) => Transport::Tcp { from: 40000, to: *dice.pick(&PORTS) },
            _ => *dice.pick(&self.transports),
        };
        let packet = Packet::new(source, destination, transport);
        Case { origin, packet, entry, fragmented: !on_link && dice.once_in(8) }
    }

    fn lie(&self, dice: &mut Dice) -> Ipv6Addr {
        if dice.once_in(2) { *dice.pick(&NOBODY) } else { *dice.pick(&self.addresses) }
    }

    fn destination(&self, dice: &mut Dice) -> Ipv6Addr {
        match dice.below(8) {
            0..=3 => *dice.pick(&self.own),
            4 => *dice.pick(&OF_LINK),
            5 | 6 => CLIENT6,
            _ => *dice.pick(&self.addresses),
        }
    }
}

const fn icmp(kind: u8) -> Transport {
    Transport::Icmp6 { kind, code: 0 }
}

/// What is said on a link: routers and neighbours, listeners, DHCP.
fn said(dice: &mut Dice) -> Transport {
    match dice.below(5) {
        0 => Transport::Udp { from: 546, to: 547 },
        1 => icmp(128),
        _ => icmp(*dice.pick(&[130, 131, 132, 133, 134, 135, 136, 137, 143])),
    }
}

/// Not an address that every kernel drops by itself, or that is many's.
fn is_plain(ip: Ipv6Addr) -> bool {
    (0x2000..0x4000).contains(&ip.segments()[0])
}
