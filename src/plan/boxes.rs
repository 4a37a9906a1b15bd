//! Security group rules as disjoint boxes.
//!
//! The kernel's concatenated interval sets refuse an element that starts or ends inside another, and
//! rules overlap as users please (10.0.0.0/8 tcp 22, then 10.1.0.0/16 tcp 20-30). So the rules of one
//! direction are cut: a line sweeps over the addresses, and between two edges the rest of what a rule
//! matches (ports, types) is a union of ranges. A range that holds across an edge stays one box.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{IcmpBox, PortBox, ProtocolBox, RuleSet};
use crate::types::{IcmpMatch, PortRange, Protocol, Range4, RuleTarget, Traffic};

/// An inclusive range of ports, or of ICMP types and codes as `type << 8 | code`.
type Span = (u16, u16);

/// The rules of one direction as the kernel can hold them.
///
/// What a rule for everything covers needs no box of its own. ICMPv6 from an IPv4 block matches
/// nothing: such a packet does not exist.
pub fn cut<'a>(rules: impl IntoIterator<Item = (&'a RuleTarget, &'a Traffic)>) -> RuleSet {
    let mut sorted = Sorted::default();
    for (target, traffic) in rules {
        match target {
            RuleTarget::Cidr4(cidr) => sorted.add((*cidr).into(), *traffic),
            RuleTarget::Cidr6(cidr) => sorted.ipv6.push((*cidr, *traffic)),
            RuleTarget::Group { group, .. } => sorted.groups.push((*group, *traffic)),
            // Nothing knows here what is in it: whoever asks has put its blocks in its place.
            RuleTarget::PrefixList(_) => {}
        }
    }
    sorted.finish()
}

/// Rules by the list that they end in.
#[derive(Default)]
struct Sorted {
    all: Vec<(Range4, Protocol)>,
    others: Vec<(Range4, Protocol)>,
    tcp: Vec<(Range4, Span)>,
    udp: Vec<(Range4, Span)>,
    icmp: Vec<(Range4, Span)>,
    groups: Vec<(crate::types::GroupId, Traffic)>,
    ipv6: Vec<(crate::types::Cidr6, Traffic)>,
}

impl Sorted {
    fn add(&mut self, from: Range4, traffic: Traffic) {
        match traffic {
            Traffic::All => self.all.push((from, Protocol::All)),
            Traffic::Other(number) => self.others.push((from, Protocol::Number(number))),
            Traffic::Tcp(ports) => self.tcp.push((from, (ports.from(), ports.to()))),
            Traffic::Udp(ports) => self.udp.push((from, (ports.from(), ports.to()))),
            Traffic::Icmp(icmp) => self.icmp.push((from, icmp_span(icmp))),
            Traffic::Icmpv6(_) => {}
        }
    }

    fn finish(mut self) -> RuleSet {
        let everything = sweep(&self.all, protocols);
        let covered = |range: &Range4| {
            everything.iter().any(|(all, _)| all.first() <= range.first() && range.last() <= all.last())
        };
        for spans in [&mut self.tcp, &mut self.udp, &mut self.icmp] {
            spans.retain(|(range, _)| !covered(range));
        }
        let mut protocol_rules = self.all;
        protocol_rules.extend(self.others);
        let mut ports: Vec<PortBox> = [(6, &self.tcp), (17, &self.udp)]
            .into_iter()
            .flat_map(|(protocol, rules)| {
                sweep(rules, union).into_iter().filter_map(move |(addresses, (from, to))| {
                    PortRange::new(from, to).map(|ports| PortBox { addresses, protocol, ports })
                })
            })
            .collect();
        let mut protocols: Vec<ProtocolBox> = sweep(&protocol_rules, protocols)
            .into_iter()
            .map(|(addresses, protocol)| ProtocolBox { addresses, protocol })
            .collect();
        let mut icmp: Vec<IcmpBox> = sweep(&self.icmp, icmp_rectangles)
            .into_iter()
            .map(|(addresses, (types, codes))| IcmpBox { addresses, types, codes })
            .collect();
        ports.sort_unstable();
        protocols.sort_unstable();
        icmp.sort_unstable();
        let groups = self.groups.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let ipv6 = self.ipv6.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        RuleSet { ports, protocols, icmp, groups, ipv6 }
    }
}

fn icmp_span(icmp: IcmpMatch) -> Span {
    match icmp {
        IcmpMatch::Any => (0, u16::MAX),
        IcmpMatch::Type(kind) => (u16::from_be_bytes([kind, 0]), u16::from_be_bytes([kind, u8::MAX])),
        IcmpMatch::TypeCode(kind, code) => {
            let both = u16::from_be_bytes([kind, code]);
            (both, both)
        }
    }
}

/// Cuts overlapping rules into boxes that share no address and cross section.
///
/// `section` makes of what the rules at one address match a list of disjoint parts.
fn sweep<M: Copy, S: Copy + Ord>(
    rules: &[(Range4, M)],
    section: impl Fn(Vec<M>) -> Vec<S>,
) -> Vec<(Range4, S)> {
    let bits = |address: Ipv4Addr| u64::from(address.to_bits());
    let edges: BTreeSet<u64> =
        rules.iter().flat_map(|(range, _)| [bits(range.first()), bits(range.last()) + 1]).collect();
    let mut open: BTreeMap<S, u64> = BTreeMap::new();
    let mut boxes = Vec::new();
    for edge in edges {
        let here =
            rules.iter().filter(|(range, _)| bits(range.first()) <= edge && edge <= bits(range.last()));
        let parts: BTreeSet<S> = section(here.map(|(_, what)| *what).collect()).into_iter().collect();
        open.retain(|part, from| {
            let stays = parts.contains(part);
            if !stays {
                boxes.extend(range(*from, edge - 1).map(|addresses| (addresses, *part)));
            }
            stays
        });
        for part in parts {
            open.entry(part).or_insert(edge);
        }
    }
    boxes
}

fn range(first: u64, last: u64) -> Option<Range4> {
    let address = |bits: u64| u32::try_from(bits).ok().map(Ipv4Addr::from_bits);
    Range4::new(address(first)?, address(last)?)
}

/// The union of ranges as ranges that neither overlap nor touch.
fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (from, to) in spans {
        match merged.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// Everything, or else each protocol once.
fn protocols(mut list: Vec<Protocol>) -> Vec<Protocol> {
    list.sort_unstable();
    list.dedup();
    if list.contains(&Protocol::All) { vec![Protocol::All] } else { list }
}

/// The union of type and code ranges as rectangles: a beginning of one type's codes, whole types,
/// an end of one type's codes.
fn icmp_rectangles(spans: Vec<Span>) -> Vec<((u8, u8), (u8, u8))> {
    let mut rectangles = Vec::new();
    for (from, to) in union(spans) {
        let ([mut first, start], [mut last, end]) = (from.to_be_bytes(), to.to_be_bytes());
        if first == last {
            rectangles.push(((first, first), (start, end)));
            continue;
        }
        if start != 0 {
            rectangles.push(((first, first), (start, u8::MAX)));
            first += 1;
        }
        if end != u8::MAX {
            rectangles.push(((last, last), (0, end)));
            last -= 1;
        }
        if first <= last {
            rectangles.push(((first, last), (0, u8::MAX)));
        }
    }
    rectangles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Cidr4;
    use proptest::prelude::*;

    fn cidr(text: &str) -> RuleTarget {
        RuleTarget::Cidr4(text.parse().unwrap())
    }

    fn tcp(from: u16, to: u16) -> Traffic {
        Traffic::Tcp(PortRange::new(from, to).unwrap())
    }

    fn cut_all(rules: &[(RuleTarget, Traffic)]) -> RuleSet {
        cut(rules.iter().map(|(target, traffic)| (target, traffic)))
    }

    #[test]
    fn a_block_within_a_block_is_cut_out_of_it() {
        let set = cut_all(&[(cidr("10.0.0.0/8"), tcp(22, 22)), (cidr("10.1.0.0/16"), tcp(20, 30))]);
        let boxes: Vec<String> = set
            .ports
            .iter()
            .map(|b| format!("{} {}-{}", b.addresses, b.ports.from(), b.ports.to()))
            .collect();
        assert_eq!(
            boxes,
            ["10.0.0.0-10.0.255.255 22-22", "10.1.0.0-10.1.255.255 20-30", "10.2.0.0-10.255.255.255 22-22"]
        );
    }

    #[test]
    fn neighbours_become_one_box() {
        let set = cut_all(&[
            (cidr("10.0.0.0/25"), tcp(80, 80)),
            (cidr("10.0.0.128/25"), tcp(80, 80)),
            (cidr("10.0.0.0/24"), tcp(81, 90)),
        ]);
        assert_eq!(set.ports.len(), 1);
        assert_eq!(set.ports[0].ports, PortRange::new(80, 90).unwrap());
    }

    #[test]
    fn a_rule_for_everything_swallows_what_it_covers() {
        let any = cidr("0.0.0.0/0");
        let set = cut_all(&[
            (any.clone(), Traffic::All),
            (any.clone(), tcp(1, 2)),
            (any.clone(), Traffic::Icmp(IcmpMatch::Any)),
            (any, Traffic::Other(47)),
        ]);
        assert!(set.ports.is_empty() && set.icmp.is_empty());
        assert_eq!(set.protocols.len(), 1);
        assert_eq!(set.protocols[0].protocol, Protocol::All);
        assert_eq!(set.protocols[0].addresses.count(), 1 << 32);
    }

    #[test]
    fn the_order_of_rules_does_not_matter_and_repeats_vanish() {
        let group = RuleTarget::Group {
            group: crate::types::GroupId::from_random(1),
            account: crate::types::AccountId::from_random(1),
        };
        let mut rules = vec![
            (cidr("10.0.0.0/8"), tcp(1, 9)),
            (cidr("10.3.0.0/16"), tcp(5, 20)),
            (cidr("10.3.4.0/24"), Traffic::Icmp(IcmpMatch::TypeCode(8, 0))),
            (group.clone(), Traffic::All),
            (group, Traffic::All),
        ];
        let set = cut_all(&rules);
        rules.reverse();
        assert_eq!(cut_all(&rules), set);
        assert_eq!(set.groups.len(), 1);
    }

    /// Addresses and ports in few places, so that rules touch, overlap and share edges.
    fn block() -> impl Strategy<Value = Cidr4> {
        let base = prop_oneof![Just(0x0a00_0000_u32), Just(0), Just(u32::MAX)];
        let len = prop_oneof![27u8..=32, Just(0)];
        (base, 0u32..32, len)
            .prop_map(|(base, low, len)| Cidr4::new(Ipv4Addr::from_bits(base ^ low), len).unwrap())
    }

    fn port() -> impl Strategy<Value = u16> {
        prop_oneof![0u16..6, Just(u16::MAX - 1), Just(u16::MAX)]
    }

    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![0u8..4, Just(254), Just(255)]
    }

    fn traffic() -> impl Strategy<Value = Traffic> {
        let ports = (port(), port()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap()).boxed();
        let icmp = prop_oneof![
            Just(IcmpMatch::Any),
            byte().prop_map(IcmpMatch::Type),
            (byte(), byte()).prop_map(|(t, c)| IcmpMatch::TypeCode(t, c)),
        ];
        prop_oneof![
            1 => Just(Traffic::All),
            8 => ports.clone().prop_map(Traffic::Tcp),
            4 => ports.prop_map(Traffic::Udp),
            8 => icmp.prop_map(Traffic::Icmp),
            2 => prop_oneof![Just(47u8), Just(50)].prop_map(Traffic::Other),
        ]
    }

    /// A packet as far as rules look at it.
    #[derive(Clone, Copy, Debug)]
    struct Packet {
        address: Ipv4Addr,
        protocol: u8,
        /// The port, or the type and code.
        rest: u16,
    }

    fn packet() -> impl Strategy<Value = Packet> {
        let icmp = (byte(), byte()).prop_map(|(t, c)| u16::from_be_bytes([t, c]));
        let rest = prop_oneof![port(), icmp];
        let protocol = prop_oneof![Just(1u8), Just(6), Just(17), Just(47), Just(50), Just(99)];
        (block(), protocol, rest).prop_map(|(block, protocol, rest)| Packet {
            address: block.network(),
            protocol,
            rest,
        })
    }

    /// The rule's meaning, straight from EC2's words.
    fn allows(target: &RuleTarget, traffic: &Traffic, packet: Packet) -> bool {
        let RuleTarget::Cidr4(cidr) = target else { return false };
        let [kind, code] = packet.rest.to_be_bytes();
        cidr.contains(packet.address)
            && match traffic {
                Traffic::All => true,
                Traffic::Tcp(ports) => {
                    packet.protocol == 6 && (ports.from()..=ports.to()).contains(&packet.rest)
                }
                Traffic::Udp(ports) => {
                    packet.protocol == 17 && (ports.from()..=ports.to()).contains(&packet.rest)
                }
                Traffic::Icmp(IcmpMatch::Any) => packet.protocol == 1,
                Traffic::Icmp(IcmpMatch::Type(t)) => packet.protocol == 1 && *t == kind,
                Traffic::Icmp(IcmpMatch::TypeCode(t, c)) => packet.protocol == 1 && (*t, *c) == (kind, code),
                Traffic::Icmpv6(_) => false,
                Traffic::Other(number) => packet.protocol == *number,
            }
    }

    /// How many boxes of each list hold the packet.
    fn hits(set: &RuleSet, packet: Packet) -> [usize; 3] {
        let [kind, code] = packet.rest.to_be_bytes();
        let ports = set.ports.iter().filter(|b| {
            b.addresses.contains(packet.address)
                && b.protocol == packet.protocol
                && (b.ports.from()..=b.ports.to()).contains(&packet.rest)
        });
        let protocols = set.protocols.iter().filter(|b| {
            b.addresses.contains(packet.address)
                && [Protocol::All, Protocol::Number(packet.protocol)].contains(&b.protocol)
        });
        let icmp = set.icmp.iter().filter(|b| {
            b.addresses.contains(packet.address)
                && packet.protocol == 1
                && (b.types.0..=b.types.1).contains(&kind)
                && (b.codes.0..=b.codes.1).contains(&code)
        });
        [ports.count(), protocols.count(), icmp.count()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn boxes_are_disjoint_and_match_what_the_rules_match(
            rules in prop::collection::vec((block().prop_map(RuleTarget::Cidr4), traffic()), 0..12),
            packets in prop::collection::vec(packet(), 60),
        ) {
            let set = cut_all(&rules);
            for packet in packets {
                let hits = hits(&set, packet);
                let wanted = rules.iter().any(|(target, traffic)| allows(target, traffic, packet));
                prop_assert_eq!(hits.iter().any(|n| *n > 0), wanted, "{:?} {:?}", packet, hits);
                prop_assert!(hits.iter().all(|n| *n <= 1), "{:?} {:?}", packet, hits);
            }
        }
    }
}
