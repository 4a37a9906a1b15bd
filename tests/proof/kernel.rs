//! The verdict that is read off the World is the kernel's: real packets through real agents' rules, a sample of worlds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fogbank::agent::names::PORT_MAC;
use fogbank::types::MacAddr;
use fogbank::verdict::*;

use crate::cases::{Case, Palette};
use crate::dice::{Dice, seeds};
use crate::frames::frames;
use crate::lab::within;
use crate::over::{is_over, over};
use crate::returns::{Ends, way_back};
use crate::through::{is_through, through};
use crate::tracer::reversed;
use crate::wires::{MACHINE, MACHINES, Wires, public_mac};
use crate::worlds::{CLIENT, CLIENT6, Made, mac, make, make_with_twins, name};

const WORLDS: u64 = 9;
const PACKETS: usize = 1500;
/// Every third world has isolated VPCs, of which two have the same addresses on the same two hosts.
const WITH_VPCS: u64 = 3;

/// Answers carry this beside the mark of the question.
const ANSWER: u32 = 1 << 31;

#[test]
fn real_packets_are_judged_like_the_world_says() {
    let mut total = Tally::default();
    for seed in seeds(WORLDS) {
        let tally = World::new(seed).run();
        total.packets += tally.packets;
        total.arrived += tally.arrived;
        total.answers += tally.answers;
        for (way, count) in tally.ways {
            *total.ways.entry(way).or_default() += count;
        }
    }
    println!("{total:?} through kernels");
    let one = std::env::var("FOGBANK_SEED").is_ok();
    let missing = ANSWERED.iter().find(|way| !total.ways.contains_key(*way));
    assert!(one || missing.is_none(), "nothing went {missing:?}");
    let six = total.ways.get(SIX_OVER).copied().unwrap_or_default();
    let back = total.ways.get(SIX_BACK).copied().unwrap_or_default();
    assert!(one || (six > 3 && back > 1), "hardly anything of IPv6 went over a peering connection");
    assert!(total.arrived * 20 > total.packets, "too few arrive for the test to mean anything");
    assert!(total.answers * 3 > total.arrived, "too few are answered for the test to mean anything");
}

const BY_NAT: [&str; 2] = ["a NAT gateway", "a private NAT gateway"];
const ANSWERED: [&str; 2] = ["back by a NAT gateway", "back by a private NAT gateway"];

const SIX_OVER: &str = "IPv6 over a peering connection";
const SIX_BACK: &str = "IPv6 back over a peering connection";

#[derive(Debug, Default)]
struct Tally {
    packets: usize,
    arrived: usize,
    answers: usize,
    /// How many of those that arrived in or from isolated VPCs went which way.
    ways: BTreeMap<&'static str, usize>,
}

/// Which parts of VPCs a packet went through.
fn parts(made: &Made, trace: &Trace) -> BTreeSet<&'static str> {
    let routers = trace.hops.iter().filter(|hop| hop.vpc.is_some());
    let by = |hop: &Hop| match (hop.entered, hop.route.map(|route| route.leads)) {
        (Interface::Vxlan, _) => Some("VXLAN"),
        (Interface::Cable(_), _) => Some("into a VPC"),
        (_, Some(Leads::InternetGateway(_))) => Some("an internet gateway"),
        (_, Some(Leads::EgressGateway(_))) => Some("an egress-only gateway"),
        (_, Some(Leads::NatGateway(_))) if is_through(made, trace, true) => Some(BY_NAT[0]),
        (_, Some(Leads::NatGateway(_))) => Some(BY_NAT[1]),
        (Interface::Peering(_), _) => Some("a peering connection"),
        (_, Some(Leads::Interface(_))) => Some("an interface"),
        (_, Some(Leads::Local)) => Some("local"),
        _ => None,
    };
    let six = trace.packet.source.is_ipv6().then_some("IPv6");
    routers.filter_map(by).chain(six).chain(is_over(trace).then_some(SIX_OVER)).collect()
}

struct Sent {
    case: Case,
    trace: Trace,
    wanted: Wanted,
    /// `None` for what nobody is to answer; else whether the answer comes back.
    answer: Option<bool>,
}

struct World {
    seed: u64,
    dice: Dice,
    made: Made,
    wires: Wires,
}

impl World {
    fn new(seed: u64) -> Self {
        println!("FOGBANK_SEED={seed}");
        let mut dice = Dice::new(seed);
        let made = if seed.is_multiple_of(WITH_VPCS) { make_with_twins(&mut dice) } else { make(&mut dice) };
        let wires = Wires::new(&made);
        Self { seed, dice, made, wires }
    }

    fn run(mut self) -> Tally {
        let sent = self.put();
        let marks = sent.iter().enumerate().filter(|(_, sent)| matches!(sent.wanted, Wanted::At(..)));
        let marks: Vec<_> = marks.map(|(mark, _)| mark as u32).collect();
        let heard = self.heard(&marks);
        for (mark, sent) in sent.iter().enumerate() {
            let mut got = seen(&heard, mark as u32);
            // What a host itself answers carries the mark, too.
            if matches!(sent.trace.outcome, Outcome::Reaches(Place::Host(_) | Place::Service(_), _)) {
                got.retain(|(_, packet)| packet.source != sent.case.packet.destination);
            }
            let right = match &sent.wanted {
                Wanted::At(place, packet) => got == BTreeSet::from([(place.clone(), *packet)]),
                Wanted::Nowhere => got.is_empty(),
                Wanted::Whatever => true,
            };
            assert!(right, "{}: heard: {got:?}", self.tell(mark, sent));
        }
        let mut ways = BTreeMap::new();
        let arrived = || sent.iter().filter(|sent| matches!(sent.wanted, Wanted::At(..)));
        for part in arrived().flat_map(|sent| parts(&self.made, &sent.trace)) {
            *ways.entry(part).or_default() += 1;
        }
        let answered = arrived().filter(|sent| sent.answer == Some(true));
        for part in
            answered.flat_map(|sent| parts(&self.made, &sent.trace)).filter(|part| BY_NAT.contains(part))
        {
            *ways.entry(if part == BY_NAT[0] { ANSWERED[0] } else { ANSWERED[1] }).or_default() += 1;
        }
        let back = sent.iter().filter(|sent| sent.answer == Some(true) && is_over(&sent.trace));
        *ways.entry(SIX_BACK).or_default() += back.count();
        Tally { packets: sent.len(), arrived: marks.len(), answers: self.answer(&sent, &heard), ways }
    }

    fn tell(&self, mark: usize, sent: &Sent) -> String {
        let Sent { case, trace, .. } = sent;
        format!("FOGBANK_SEED={}, packet {mark}\n{case:?}\nby the World: {trace:?}\n", self.seed)
    }

    fn put(&mut self) -> Vec<Sent> {
        let palette = Palette::new(&self.made.world);
        let (mut sent, mut flows) = (Vec::new(), BTreeSet::new());
        let through = [true, false].into_iter().flat_map(|public| through(&self.made, public));
        let through: Vec<_> = through.collect();
        let random = (0..PACKETS).map(|_| palette.case(&mut self.dice, &self.made));
        let over = over(&self.made);
        for mut case in through.into_iter().chain(over).chain(random) {
            own_flow(&mut case.packet, sent.len());
            let made = &self.made;
            let Some(way) = Way::of(made, &self.wires, &case) else { continue };
            let trace = verdict(&made.world, &made.facts, &case.origin, case.packet, case.entry.as_deref());
            if of_its_own(&mut flows, &case.packet, &trace.outcome) {
                way.put(&self.wires, &case, sent.len() as u32);
                let wanted = wanted(made, &trace.outcome);
                let answer = answer(made, &trace);
                sent.push(Sent { case, trace, wanted, answer });
            }
        }
        sent
    }

    /// All that is heard, once these were, or should have been.
    fn heard(&self, marks: &[u32]) -> BTreeMap<u32, Vec<(Place, Packet, MacAddr)>> {
        let heard = || self.wires.heard.lock().unwrap();
        within(Duration::from_secs(3), || marks.iter().all(|mark| heard().contains_key(mark)));
        // What should not arrive gets as long as what should.
        within(Duration::from_millis(100), || false);
        heard().clone()
    }

    /// Each that arrived is answered, and the answer comes back whatever the groups' rules: unless network ACLs or routes are
    /// against it.
    fn answer(&self, sent: &[Sent], heard: &BTreeMap<u32, Vec<(Place, Packet, MacAddr)>>) -> usize {
        let asked = sent.iter().enumerate().filter_map(|(mark, sent)| {
            let (place, packet, from) = heard.get(&(mark as u32))?.first()?;
            let comes = sent.answer.filter(|_| matches!(sent.wanted, Wanted::At(..)))?;
            let home = home(&self.made, &sent.case)?;
            let answer = reversed(packet);
            let frames = frames(*from, self.wires.mac_at(place), &answer, mark as u32 | ANSWER, false);
            self.wires.put(place, &frames);
            Some((mark, sent, home, comes))
        });
        let asked: Vec<_> = asked.collect();
        let come = asked.iter().filter(|(_, _, _, comes)| *comes);
        let marks: Vec<_> = come.map(|(mark, ..)| *mark as u32 | ANSWER).collect();
        let heard = self.heard(&marks);
        for (mark, sent, home, comes) in &asked {
            let got = seen(&heard, *mark as u32 | ANSWER);
            let answer = (home.clone(), reversed(&sent.case.packet));
            // What does not come back may be a question somewhere else: of two peers with the same block one has the route.
            let right = if *comes { got == BTreeSet::from([answer]) } else { !got.contains(&answer) };
            assert!(right, "{}its answer, which comes: {comes}: heard: {got:?}", self.tell(*mark, sent));
        }
        marks.len()
    }
}

/// `None` for a question that was a lie, or whose answer nobody can send; else whether that comes back.
fn answer(made: &Made, trace: &Trace) -> Option<bool> {
    let Outcome::Reaches(place, packet) = &trace.outcome else { return None };
    let ends = Ends { world: &made.world, trace };
    let honest = way_back(made, trace) && !ends.is_a_lie();
    honest.then(|| ends.come_back(place, &reversed(packet), &reversed(&trace.packet)))
}

fn seen(heard: &BTreeMap<u32, Vec<(Place, Packet, MacAddr)>>, mark: u32) -> BTreeSet<(Place, Packet)> {
    heard.get(&mark).into_iter().flatten().map(|(place, packet, _)| (place.clone(), *packet)).collect()
}

/// Where an answer comes to; `None` for a packet that was no honest question.
fn home(made: &Made, case: &Case) -> Option<Place> {
    if case.entry.is_some() || case.packet.destination == Ipv4Addr::BROADCAST {
        return None;
    }
    let place = match &case.origin {
        Origin::Interface(eni) => Place::Interface(*eni),
        Origin::Outside => Place::Outside,
        Origin::Flat => Place::Flat,
        Origin::Host(_) => return None,
    };
    let back = Outcome::Reaches(place, reversed(&case.packet));
    match wanted(made, &back) {
        Wanted::At(place, _) => Some(place),
        Wanted::Nowhere | Wanted::Whatever => None,
    }
}

/// Each packet has a flow of its own, by its source port.
fn own_flow(packet: &mut Packet, number: usize) {
    let fresh = 20_000 + number as u16;
    match &mut packet.transport {
        Transport::Tcp { from, .. } | Transport::Udp { from, .. } if *from == 40_000 => *from = fresh,
        _ => {}
    }
}

/// Whether connection tracking takes neither this packet nor its answer for part of a flow that was there.
fn of_its_own(flows: &mut BTreeSet<String>, packet: &Packet, outcome: &Outcome) -> bool {
    let mut all = vec![key(packet), key(&reversed(packet))];
    if let Outcome::Reaches(_, translated) = outcome {
        all.push(key(&reversed(translated)));
    }
    let fresh = all.iter().all(|key| !flows.contains(key));
    flows.extend(all);
    fresh
}

fn key(packet: &Packet) -> String {
    match packet.transport {
        // Each has an identifier of its own.
        Transport::Icmp { .. } | Transport::Icmp6 { .. } => format!("{packet:?}"),
        // Connection tracking knows them by their ends alone, and by what those are translated to.
        Transport::Other(number) => format!("{number}"),
        _ => format!("{packet:?}"),
    }
}

/// Connection tracking drops a DCCP or SCTP packet without a body that makes sense: the bench makes none.
fn needs_a_form(transport: Transport) -> bool {
    matches!(transport, Transport::Other(33 | 132))
}

/// By which wire a case enters.
enum Way {
    Guest,
    Outside(MacAddr),
    Flat(MacAddr),
}

impl Way {
    /// `None` for what the bench has no wire for.
    fn of(made: &Made, wires: &Wires, case: &Case) -> Option<Self> {
        let number = |host: &str| (0..made.world.hosts.len()).find(|n| *name(*n) == *host);
        let entry = || {
            let trace = verdict(&made.world, &made.facts, &case.origin, case.packet, case.entry.as_deref());
            number(&trace.hops.first()?.host)
        };
        let edge = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if matches!(ip.octets(), [203, 0, 113, 0 | 255] | [_, _, _, 127]));
        if edge(case.packet.source) || edge(case.packet.destination) || needs_a_form(case.packet.transport) {
            return None;
        }
        match &case.origin {
            Origin::Interface(eni) => wires.serves(*eni).then_some(Self::Guest),
            Origin::Outside => {
                let host = entry()?;
                Some(Self::Outside(if made.one_nic { mac(host) } else { public_mac(host) }))
            }
            Origin::Flat => Some(Self::Flat(mac(entry()?))),
            Origin::Host(_) => None,
        }
    }

    fn put(&self, wires: &Wires, case: &Case, mark: u32) {
        let frames = |to, from| frames(to, from, &case.packet, mark, case.fragmented);
        match (self, &case.origin) {
            (Self::Guest, Origin::Interface(eni)) => {
                // Its own address: it is not lying about that.
                let place = Place::Interface(*eni);
                wires.put(&place, &frames(PORT_MAC, wires.mac_at(&place)));
            }
            (Self::Outside(to), _) => wires.put(&Place::Outside, &frames(*to, MACHINE)),
            (Self::Flat(to), _) => wires.put(&Place::Flat, &frames(*to, MACHINE)),
            (Self::Guest, other) => panic!("{other:?} has no interface"),
        }
    }
}

enum Wanted {
    At(Place, Packet),
    Nowhere,
    /// There is no ear where it goes.
    Whatever,
}

fn wanted(made: &Made, outcome: &Outcome) -> Wanted {
    match outcome {
        Outcome::Reaches(place @ Place::Interface(_), packet) => Wanted::At(place.clone(), *packet),
        // Somebody must answer for the address on the segment.
        Outcome::Reaches(Place::Outside, packet)
            if packet.destination == CLIENT || packet.destination == CLIENT6 =>
        {
            Wanted::At(Place::Outside, *packet)
        }
        Outcome::Reaches(Place::Flat, packet) => {
            let heard = |to: Ipv4Addr| {
                MACHINES.contains(&to.octets()[3])
                    && made.world.flat_networks().any(|network| network.cidr.contains(to))
            };
            if matches!(packet.destination, IpAddr::V4(to) if heard(to)) {
                Wanted::At(Place::Flat, *packet)
            } else {
                Wanted::Whatever
            }
        }
        Outcome::Reaches(Place::Outside, _) => Wanted::Whatever,
        Outcome::Reaches(Place::Service(_) | Place::Host(_), _) | Outcome::Blocked(_) => Wanted::Nowhere,
    }
}
