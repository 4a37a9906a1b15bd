//! The verdict that is read off the World is the one that the hosts' rules give.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank::types::{Direction, GroupId, RuleId, RuleTarget, Traffic};
use fogbank::verdict::{Blocked, Origin, Outcome, Packet, Place, Trace, Transport, verdict};

use crate::cases::{Case, Palette};
use crate::dice::{Dice, seeds};
use crate::over::{is_over, pretended};
use crate::returns::{Ends, nat_gateway, way_back};
use crate::tracer::Parcel;
use crate::tracer::{Arrival, Segments, reversed};
use crate::worlds::{Made, make, make_with_vpcs};

/// Worlds of a run, and packets of each: a million packets in all, answers and errors not counted.
const WORLDS: u64 = 1_000;
const PACKETS: usize = 1_000;

#[test]
fn a_million_packets_are_judged_alike() {
    let seeds = seeds(WORLDS);
    let (packets, passed) = (AtomicU64::new(0), AtomicU64::new(0));
    let endings = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for part in seeds.chunks(seeds.len().div_ceil(2)) {
            let (packets, passed, endings) = (&packets, &passed, &endings);
            scope.spawn(move || {
                for seed in part {
                    let (some, open) = one_world(*seed, endings);
                    packets.fetch_add(some, Ordering::Relaxed);
                    passed.fetch_add(open, Ordering::Relaxed);
                }
            });
        }
    });
    let (packets, passed) = (packets.into_inner(), passed.into_inner());
    println!("{packets} packets in {} worlds, {passed} of them arrived", seeds.len());
    assert!(passed * 10 > packets, "too few arrive for the test to mean anything");
    let endings = endings.into_inner().unwrap();
    let missing: Vec<_> = ENDINGS
        .iter()
        .chain(&BY_NAT)
        .chain(&BETWEEN_PEERS[..3])
        .filter(|ending| !endings.contains(**ending))
        .collect();
    assert!(seeds.len() == 1 || missing.is_empty(), "no packet ended as {missing:?}, only as {endings:?}");
}

/// Packets that were compared, and those that arrived.
fn one_world(seed: u64, endings: &Mutex<BTreeSet<String>>) -> (u64, u64) {
    let mut dice = Dice::new(seed);
    let made = if dice.once_in(2) { make_with_vpcs(&mut dice) } else { make(&mut dice) };
    let palette = Palette::new(&made.world);
    let mut segments = Segments::new(&made);
    let (mut passed, mut here) = (0, BTreeSet::new());
    let mut cases = pretended(&made);
    cases.extend((cases.len()..PACKETS).map(|_| palette.case(&mut dice, &made)));
    for case in cases {
        segments.forget();
        let trace = agrees(seed, &made, &mut segments, &case);
        let arrives = matches!(trace.outcome, Outcome::Reaches(..));
        passed += u64::from(arrives);
        here.extend(between_peers(&made, &trace).into_iter().map(String::from));
        here.insert(ending(&trace.outcome));
        if arrives && let Some(id) = nat_gateway(&trace) {
            let gateway = &made.world.nat_gateways[&id];
            let [at, there] = if gateway.elastic.is_some() { [0, 1] } else { [2, 3] };
            let is_here = Some(&trace.hops[0].host) == gateway.host.as_ref();
            here.insert(BY_NAT[if is_here { at } else { there }].into());
            let peer =
                trace.hops.iter().any(|hop| matches!(hop.entered, fogbank::verdict::Interface::Peering(_)));
            if peer {
                here.insert(BY_NAT[4].into());
            }
        }
    }
    endings.lock().unwrap().extend(here);
    (PACKETS as u64, passed)
}

/// By way of a NAT gateway on the sender's host, and on another one.
const BY_NAT: [&str; 5] = [
    "a NAT gateway here",
    "a NAT gateway there",
    "a private NAT gateway here",
    "a private NAT gateway there",
    "a private NAT gateway, to a peer",
];

/// Of IPv6: to a peer on the sender's host and on another one, and as nobody but a member of a group of the peer. Too seldom to
/// be counted on comes one from outside with such a member's address, which helps nobody in.
const BETWEEN_PEERS: [&str; 4] =
    ["IPv6 to a peer here", "IPv6 to a peer there", "IPv6 of a peer's group", "IPv6 of a false member"];

fn between_peers(made: &Made, trace: &Trace) -> Vec<&'static str> {
    let arrives = matches!(trace.outcome, Outcome::Reaches(..)) && is_over(trace);
    let there = trace.hops.first().map(|hop| &hop.host) != trace.hops.last().map(|hop| &hop.host);
    let decision = trace.hops.last().and_then(|hop| hop.ingress.as_ref());
    let by_group = |rule: &RuleId| matches!(made.world.rules[rule].target, RuleTarget::Group { .. });
    let member = decision.is_some_and(|decision| decision.allowed_by.iter().all(|(_, rule)| by_group(rule)));
    let false_member = trace.origin == Origin::Outside
        && trace.outcome == Outcome::Blocked(Blocked::Ingress)
        && decision.is_some_and(|decision| is_named(made, &decision.groups, trace.packet.source));
    let found = [!there && arrives, there && arrives, member && arrives, false_member];
    BETWEEN_PEERS.into_iter().zip(found).filter(|(_, is)| *is).map(|(way, _)| way).collect()
}

/// Whether the groups would let in whoever has the address of IPv6, as another group's member.
fn is_named(made: &Made, groups: &[GroupId], address: IpAddr) -> bool {
    let rules = made.world.rules.values().filter(|rule| groups.contains(&rule.group));
    let open = rules.filter(|rule| (rule.direction, rule.traffic) == (Direction::Ingress, Traffic::All));
    open.into_iter().any(|rule| match rule.target {
        RuleTarget::Group { group, .. } => {
            let members = made.world.enis.values().filter(|eni| eni.groups.contains(&group));
            let peers = made.world.may_name(rule.group, group);
            peers && members.flat_map(|eni| eni.ipv6.iter()).any(|ip| address == *ip)
        }
        _ => false,
    })
}

/// Every way to end: a run in which one is missing proves less than it says.
const ENDINGS: [&str; 31] = [
    "Interface",
    "Dhcp",
    "Dns",
    "Metadata",
    "Gateway",
    "Discovery",
    "Outside",
    "Flat",
    "Host",
    "Egress",
    "Ingress",
    "NetworkAclEgress",
    "NetworkAclIngress",
    "ForgedSource",
    "DestinationCheck",
    "NoIpv6",
    "ClosedToOutside",
    "NoRoute",
    "BeyondThePeer",
    "BlackHole",
    "NotRunning",
    "NowhereToGo",
    "HostIsProtected",
    "OnlyHostsServeDhcp",
    "Unasked",
    "NobodyHasIt",
    "NoAssociation",
    "NotForwarded",
    "NoPublicAddress",
    "BackWhereItCameFrom",
    "HostUnknown",
];

fn ending(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reaches(Place::Interface(_), _) => "Interface".into(),
        Outcome::Reaches(Place::Host(_), _) => "Host".into(),
        Outcome::Reaches(Place::Service(service), _) => format!("{service:?}"),
        Outcome::Reaches(place, _) => format!("{place:?}"),
        Outcome::Blocked(why) => format!("{why:?}"),
    }
}

/// By the World; that the rules say the same is asserted.
fn agrees(seed: u64, made: &Made, segments: &mut Segments, case: &Case) -> Trace {
    let entry = case.entry.as_deref();
    let wanted = verdict(&made.world, &made.facts, &case.origin, case.packet, entry);
    let parcel = Parcel::of(case.packet, None, case.fragmented);
    let got = segments.send(&case.origin, entry, parcel);
    let trail = segments.trail();
    let fail = |what: &str| {
        panic!(
            "{what}: FOGBANK_SEED={seed}\n{case:?}\nby the World: {wanted:?}\nby the rules: {got:?}\n{trail}"
        )
    };
    match (&wanted.outcome, &got) {
        (Outcome::Blocked(_), Arrival::Nowhere(_)) => return wanted,
        (Outcome::Reaches(place, packet), Arrival::At(there, looking, _)) => {
            if place != there {
                fail("it arrives elsewhere");
            }
            // What a host serves is translated to where it listens; what comes is the business of the service.
            if !matches!(place, Place::Service(_)) && packet != looking {
                fail("it arrives looking otherwise");
            }
        }
        (Outcome::Reaches(..), Arrival::Nowhere(_)) => fail("the rules drop what should arrive"),
        (Outcome::Blocked(_), Arrival::At(..)) => fail("the rules let pass what should not"),
    }
    if let Outcome::Reaches(place, packet) = &wanted.outcome
        && may_answer(case, place)
        && way_back(made, &wanted)
    {
        let ends = Ends { world: &made.world, trace: &wanted };
        if !ends.is_a_lie() {
            answers(segments, &ends, case, place, *packet, &fail);
        }
    }
    wanted
}

/// Broadcasts are answered in other ways, a packet that another host was handed is a lie, and how a host itself speaks
/// with others on the flat segment is not ours to say.
fn may_answer(case: &Case, place: &Place) -> bool {
    let by_flat = matches!((&case.origin, place), (Origin::Host(_), Place::Flat));
    case.packet.destination != Ipv4Addr::BROADCAST && case.entry.is_none() && !by_flat
}

/// The answer comes back to where the question began, whatever the groups' rules, and so does an error about it: unless
/// network ACLs or routes are against it.
fn answers(
    segments: &mut Segments,
    ends: &Ends<'_>,
    case: &Case,
    place: &Place,
    packet: Packet,
    fail: &dyn Fn(&str),
) {
    let there = match place {
        Place::Interface(eni) => Origin::Interface(*eni),
        Place::Outside => Origin::Outside,
        Place::Flat => Origin::Flat,
        Place::Service(_) | Place::Host(_) => return,
    };
    let back = match &case.origin {
        Origin::Interface(eni) => Place::Interface(*eni),
        Origin::Outside => Place::Outside,
        Origin::Flat => Place::Flat,
        Origin::Host(name) => Place::Host(name.clone()),
    };
    let (answer, seen) = (reversed(&packet), reversed(&case.packet));
    let got = segments.send(&there, None, Parcel::of(answer, None, false));
    let arrived = matches!(&got, Arrival::At(at, looking, _) if *at == back && *looking == seen);
    if arrived != ends.come_back(place, &answer, &seen) {
        fail(&format!("the answer {answer:?} ends as {got:?}"));
    }
    let transport = unreachable(&answer);
    let (error, seen) = (Packet { transport, ..answer }, Packet { transport, ..seen });
    let got = segments.send(&there, None, Parcel::of(error, Some(packet), false));
    let arrived = matches!(&got, Arrival::At(at, looking, Some(about))
        if *at == back && *about == case.packet && looking.destination == case.packet.source);
    if arrived != ends.come_back(place, &error, &seen) {
        fail(&format!("the error {error:?} ends as {got:?}"));
    }
}

/// That nobody listens on the port (RFC 792; RFC 4443, 3.1).
fn unreachable(about: &Packet) -> Transport {
    match about.source.is_ipv4() {
        true => Transport::Icmp { kind: 3, code: 3 },
        false => Transport::Icmp6 { kind: 1, code: 4 },
    }
}
