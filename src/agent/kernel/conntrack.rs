//! Cuts flows that the present addresses would not make.
//!
//! Translation lives on in connection tracking after its rule is gone: without this, the next owner
//! of an elastic IP would inherit the flows of the last. Level-triggered: every translated entry is
//! held against the present maps, whoever made it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

use super::leaving::Leaving;
use super::nfnetlink::{Nfnetlink, attribute, attributes, write};
use super::{flat, paths, private_nat, subnets};
use crate::crash::{self, Point};
use crate::plan::HostState;
use crate::types::{Cidr4, Range4};

pub(super) const CT_GET: u16 = 1 << 8 | 1;
pub(super) const CT_DELETE: u16 = 1 << 8 | 2;
pub(super) const TUPLE_ORIG: u16 = 1;
pub(super) const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const AF_INET: u8 = 2;

/// What may be in connection tracking.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keep {
    pub to_private: BTreeMap<Ipv4Addr, Ipv4Addr>,
    pub to_elastic: BTreeMap<Ipv4Addr, Ipv4Addr>,
    pub pools: Vec<Range4>,
    /// What any instance may be outside, at the same time as others: NAT gateways.
    pub shared: BTreeSet<Ipv4Addr>,
    /// Addresses of which no flow may be left: instances that went, elastic IPs that went.
    pub gone: BTreeSet<Ipv4Addr>,
    /// All instances, and those whose source is translated on this host when they go outside.
    pub instances: BTreeSet<Ipv4Addr>,
    pub translated: BTreeSet<Ipv4Addr>,
    pub networks: Vec<Cidr4>,
    /// What instances alone have, and what of that is other machines' or the gateway's.
    pub ranges: Vec<Range4>,
    pub reserved: Vec<Range4>,
    /// Networks whose way to the outside is another now: flows that went the old one end.
    pub turned: BTreeSet<Cidr4>,
    /// In the router of a VPC: the ways of its ports.
    pub leaving: Leaving,
}

impl Keep {
    /// What the state allows, and what went since.
    pub fn new(state: &HostState, gone: BTreeSet<Ipv4Addr>, turned: BTreeSet<Cidr4>) -> Self {
        let addresses = || state.addresses.values();
        let translated = paths::translated(state).collect();
        let ports = state.ports.values().flat_map(|port| port.private_ips());
        let private = || private_nat::here(state).map(|gateway| gateway.address);
        let instances = flat::remote(state).flat_map(|place| place.private_ips());
        let instances = ports.chain(instances).chain(private()).collect();
        let networks = state.networks.values().map(|network| network.cidr).collect();
        let ranges = state.networks.values().map(|network| network.range).collect();
        let networks_of = || state.networks.values();
        // What a host serves under the gateway's address may lie in the range, and is no instance's.
        let gateways = networks_of().filter_map(|network| Range4::new(network.gateway, network.gateway));
        let reserved = networks_of().flat_map(|network| network.reserved.iter().copied());
        let reserved = reserved.chain(gateways).collect();
        let outward = addresses().map(|a| (a.private_ip, a.public_ip));
        Self {
            to_private: addresses().map(|a| (a.public_ip, a.private_ip)).collect(),
            to_elastic: outward.chain(paths::relayed_to_elastic(state)).collect(),
            pools: state.pools.to_vec(),
            shared: subnets::nat_gateways(state).map(|gateway| gateway.transit).chain(private()).collect(),
            gone,
            instances,
            translated,
            networks,
            ranges,
            reserved,
            turned,
            leaving: Leaving::new(state),
        }
    }

    /// Whether it is an instance's address that no instance has: of one that went while no agent ran, maybe.
    fn is_nobodys(&self, address: Ipv4Addr) -> bool {
        let within = |ranges: &[Range4]| ranges.iter().any(|range| range.contains(address));
        within(&self.ranges) && !within(&self.reserved) && !self.instances.contains(&address)
    }

    /// Whether one end is in a network whose way out has changed, and the other outside of all.
    fn has_turned(&self, one: Ipv4Addr, other: Ipv4Addr) -> bool {
        let out = |inner: Ipv4Addr, outer: Ipv4Addr| {
            self.turned.iter().any(|network| network.contains(inner))
                && self.instances.contains(&inner)
                && !self.networks.iter().any(|network| network.contains(outer))
        };
        out(one, other) || out(other, one)
    }

    fn elastic(&self, address: Ipv4Addr) -> bool {
        self.to_private.contains_key(&address) || self.pools.iter().any(|pool| pool.contains(address))
    }
}

/// A flow's two ends as both directions name them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// The first packet's source and destination.
    pub original: (Ipv4Addr, Ipv4Addr),
    /// The answer's source and destination.
    pub reply: (Ipv4Addr, Ipv4Addr),
}

/// Whether the present maps would not make this flow.
pub fn stale(flow: &Flow, keep: &Keep) -> bool {
    let ((from, to), (answerer, answered)) = (flow.original, flow.reply);
    let went = |address: &Ipv4Addr| keep.gone.contains(address) || keep.is_nobodys(*address);
    if [from, to, answerer, answered].iter().any(went) {
        return true;
    }
    let to_elastic = to != answerer && keep.elastic(to) && keep.to_private.get(&to) != Some(&answerer);
    let shared = keep.shared.contains(&answered) && keep.instances.contains(&from);
    let as_elastic = from != answered
        && !shared
        && keep.elastic(answered)
        && keep.to_elastic.get(&from) != Some(&answered);
    // By the address of a host that translates for it no more; what it asks of an elastic address here is translated always.
    let here = to != answerer && keep.to_private.get(&to) == Some(&answerer);
    let translated = here || keep.translated.contains(&from);
    let as_host = from != answered && !shared && keep.instances.contains(&from) && !translated;
    let led_away = keep.leaving.is_other(from, answerer, answered, &keep.to_elastic);
    to_elastic || as_elastic || as_host || led_away || keep.has_turned(from, answerer)
}

fn ends(tuple: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let ip = attribute(tuple, 1)?;
    let address = |kind| attribute(ip, kind)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
    address(1).zip(address(2))
}

fn flow(message: &[u8]) -> Option<Flow> {
    Some(Flow {
        original: ends(attribute(message, TUPLE_ORIG)?)?,
        reply: ends(attribute(message, TUPLE_REPLY)?)?,
    })
}

/// Deletes the stale flows, and only those; says how many.
///
/// # Errors
/// What the kernel says; one flow that cannot be deleted does not keep the others.
pub fn cut(keep: &Keep) -> io::Result<usize> {
    let mut socket = Nfnetlink::open()?;
    let mut cut = 0;
    let mut failed = None;
    for message in socket.dump(CT_GET, AF_INET, &[])? {
        if flow(&message).is_some_and(|flow| stale(&flow, keep)) {
            match socket.ask(CT_DELETE, AF_INET, &identity(&message)) {
                Ok(_) => {
                    cut += 1;
                    crash::point(Point::FlowsCut);
                }
                // It ended by itself.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(cut), Err)
}

/// What names exactly this entry: a flow that was made anew has another id.
pub(super) fn identity(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, whole, _) in attributes(message).filter(|(kind, ..)| [TUPLE_ORIG, ID, ZONE].contains(kind)) {
        if kind == TUPLE_ORIG {
            out.extend(whole);
            out.resize(out.len().next_multiple_of(4), 0);
        } else {
            write(&mut out, kind, &whole[4..]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
    const ELASTIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
    const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const TWO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
    const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

    fn keep(mapped: &[(Ipv4Addr, Ipv4Addr)], gone: &[Ipv4Addr]) -> Keep {
        Keep {
            to_private: mapped.iter().copied().collect(),
            to_elastic: mapped.iter().map(|&(public, private)| (private, public)).collect(),
            pools: vec![Range4::new(ELASTIC, Ipv4Addr::new(203, 0, 113, 20)).unwrap()],
            shared: BTreeSet::new(),
            gone: gone.iter().copied().collect(),
            instances: [ONE, TWO].into(),
            translated: [ONE, TWO].into(),
            networks: vec!["10.0.0.0/24".parse().unwrap()],
            ranges: vec!["10.0.0.4-10.0.0.99".parse().unwrap()],
            reserved: vec!["10.0.0.40-10.0.0.43".parse().unwrap()],
            turned: BTreeSet::new(),
            leaving: Leaving::default(),
        }
    }

    const INWARD: Flow = Flow { original: (CLIENT, ELASTIC), reply: (ONE, CLIENT) };
    const OUTWARD: Flow = Flow { original: (ONE, CLIENT), reply: (CLIENT, ELASTIC) };

    #[test]
    fn what_the_gateway_serves_lives_though_it_lies_in_the_range() {
        let gateway = Ipv4Addr::new(10, 0, 0, 99);
        let network = crate::plan::NetworkSection {
            vpc: None,
            name: "flat".into(),
            cidr: "10.0.0.0/24".parse().unwrap(),
            cidr6: None,
            gateway,
            range: "10.0.0.4-10.0.0.99".parse().unwrap(),
            reserved: [].into(),
            exit: crate::plan::Exit::Here,
            domain: "ec2.internal".into(),
        };
        let mut state = HostState::default();
        state.networks.insert("flat".into(), network.into());
        let keep = Keep::new(&state, BTreeSet::new(), BTreeSet::new());
        assert!(!keep.is_nobodys(gateway) && keep.is_nobodys(ONE));
    }

    #[test]
    fn both_directions_live_while_the_address_is_mapped() {
        let keep = keep(&[(ELASTIC, ONE)], &[]);
        assert!(!stale(&INWARD, &keep));
        assert!(!stale(&OUTWARD, &keep));
    }

    #[test]
    fn both_directions_go_with_the_mapping() {
        for keep in [keep(&[], &[]), keep(&[(ELASTIC, TWO)], &[])] {
            assert!(stale(&INWARD, &keep));
            assert!(stale(&OUTWARD, &keep));
        }
    }

    #[test]
    fn others_translations_and_the_hosts_address_are_left() {
        let docker = Flow { original: (CLIENT, HOST), reply: (Ipv4Addr::new(172, 17, 0, 2), CLIENT) };
        let by_host = Flow { original: (TWO, CLIENT), reply: (CLIENT, HOST) };
        let plain = Flow { original: (ONE, TWO), reply: (TWO, ONE) };
        for flow in [docker, by_host, plain] {
            assert!(!stale(&flow, &keep(&[(ELASTIC, ONE)], &[])), "{flow:?}");
        }
    }

    #[test]
    fn flows_that_went_out_another_way_end_and_others_do_not() {
        let by_host = Flow { original: (TWO, CLIENT), reply: (CLIENT, HOST) };
        let of_machine = Flow { original: (Ipv4Addr::new(10, 0, 0, 200), CLIENT), reply: (CLIENT, HOST) };
        let mut keep = keep(&[], &[]);
        keep.translated.remove(&TWO);
        assert!(stale(&by_host, &keep));
        assert!(!stale(&of_machine, &keep));
        let plain = Flow { original: (CLIENT, ONE), reply: (ONE, CLIENT) };
        let out = Flow { original: (ONE, CLIENT), reply: (CLIENT, ONE) };
        let within = Flow { original: (ONE, TWO), reply: (TWO, ONE) };
        for flow in [plain, out] {
            assert!(!stale(&flow, &keep));
        }
        keep.turned.insert("10.0.0.0/24".parse().unwrap());
        for flow in [plain, out] {
            assert!(stale(&flow, &keep));
        }
        for flow in [within, of_machine] {
            assert!(!stale(&flow, &keep));
        }
    }

    #[test]
    fn nothing_is_left_of_an_address_that_no_instance_has() {
        let to = |last| Flow {
            original: (TWO, Ipv4Addr::new(10, 0, 0, last)),
            reply: (Ipv4Addr::new(10, 0, 0, last), TWO),
        };
        let keep = keep(&[], &[]);
        assert!(stale(&to(7), &keep) && stale(&to(99), &keep));
        for of_machine in [1, 3, 40, 43, 100, 200] {
            assert!(!stale(&to(of_machine), &keep), "{of_machine}");
        }
    }

    #[test]
    fn nothing_is_left_of_a_port_that_went() {
        let plain = Flow { original: (TWO, ONE), reply: (ONE, TWO) };
        assert!(stale(&plain, &keep(&[], &[ONE])));
    }
}
