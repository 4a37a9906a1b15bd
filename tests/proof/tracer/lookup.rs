//! One chain's rules against one packet.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use fogbank::agent::kernel::model::*;
use fogbank::types::MacAddr;
use fogbank::verdict::{Packet, Transport};

/// What rules can see of a packet at a hook.
#[derive(Clone, Debug)]
pub struct View<'a> {
    pub packet: Packet,
    pub input: Option<&'a str>,
    pub output: Option<String>,
    pub ether_source: Option<MacAddr>,
    pub state: &'static str,
    /// Which way of its flow it goes; `None` for one that is of none.
    pub direction: Option<&'static str>,
    pub dnat: bool,
    pub snat: bool,
    pub source_is_local: bool,
    pub next_hop: Option<IpAddr>,
    /// Where the answers of its flow go.
    pub answered_at: Option<IpAddr>,
    /// A later fragment has no transport header.
    pub headless: bool,
    /// The number of the route table that the packet is looked up in; 0 for none.
    pub mark: Cell<u32>,
}

/// How a chain ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    Accept,
    Drop,
    /// Out of rules: the base chain's policy, or the caller's next rule.
    Return,
    Dnat(Ipv4Addr, Option<u16>),
    Snat(Ipv4Addr),
}

/// A value that a field of the packet has.
#[derive(Clone, PartialEq, Debug)]
enum Seen<'a> {
    Name(&'a str),
    Word(&'static str),
    Mac(MacAddr),
    Address(IpAddr),
    Number(u32),
}

/// Runs a chain.
pub fn run(table: &Table, chain: &str, view: &View<'_>) -> End {
    let chain = table.chains.get(chain).unwrap_or_else(|| panic!("no chain {chain}"));
    for rule in &chain.rules {
        if !rule.matches.iter().all(|condition| holds(table, condition, view)) {
            continue;
        }
        match act(table, &rule.action, view) {
            End::Return => {}
            end => return end,
        }
    }
    End::Return
}

fn act(table: &Table, action: &Action, view: &View<'_>) -> End {
    match action {
        Action::Verdict(verdict) => follow(table, verdict, view),
        Action::Dispatch(field, set) => match get(table, set, *field, view) {
            Some(Data::Verdict(verdict)) => follow(table, verdict, view),
            Some(other) => panic!("{set} maps to {other:?}"),
            None => End::Return,
        },
        Action::Choose(field, verdicts) => {
            let Some(seen) = seen(*field, view) else { return End::Return };
            let chosen = verdicts.iter().find(|(value, _)| is(&seen, value));
            chosen.map_or(End::Return, |(_, verdict)| follow(table, verdict, view))
        }
        Action::Dnat(target, port) => {
            target_of(table, target, view).map_or(End::Return, |to| End::Dnat(to, *port))
        }
        Action::Snat(target) => target_of(table, target, view).map_or(End::Return, End::Snat),
        Action::Mark(field, set) => {
            match get(table, set, *field, view) {
                Some(Data::Mark(mark)) => view.mark.set(*mark),
                Some(other) => panic!("{set} maps to {other:?}"),
                None => {}
            }
            End::Return
        }
        Action::MarkAs(mark) => {
            view.mark.set(*mark);
            End::Return
        }
    }
}

fn follow(table: &Table, verdict: &Verdict, view: &View<'_>) -> End {
    match verdict {
        Verdict::Accept => End::Accept,
        Verdict::Drop => End::Drop,
        Verdict::Jump(chain) => run(table, chain, view),
        // What a chain that was gone to leaves open, the base chain's policy decides: accept.
        Verdict::Goto(chain) => match run(table, chain, view) {
            End::Return => End::Accept,
            end => end,
        },
    }
}

fn target_of(table: &Table, target: &Target, view: &View<'_>) -> Option<Ipv4Addr> {
    match target {
        Target::Address(to) => Some(*to),
        Target::Map(field, set) => match get(table, set, *field, view)? {
            Data::Address(to) => Some(*to),
            other => panic!("{set} maps to {other:?}"),
        },
    }
}

fn get<'a>(table: &'a Table, set: &str, field: Field, view: &View<'_>) -> Option<&'a Data> {
    let set = table.sets.get(set).unwrap_or_else(|| panic!("no set {set}"));
    assert!(!set.interval, "a map of intervals");
    set.elements.get(&vec![value(&seen(field, view)?)])
}

fn holds(table: &Table, condition: &Match, view: &View<'_>) -> bool {
    match condition {
        Match::Dnat(wanted) => view.dnat == *wanted,
        Match::Snat(wanted) => view.snat == *wanted,
        // The tracer's packets come seldom.
        Match::Oftener(_) => false,
        Match::Fields(fields, wanted, right) => {
            let seen: Option<Vec<Seen<'_>>> = fields.iter().map(|field| seen(*field, view)).collect();
            // A field that the packet does not have ends the rule, whichever way the comparison is.
            let Some(seen) = seen else { return false };
            within(table, &seen, right) == *wanted
        }
    }
}

fn within(table: &Table, seen: &[Seen<'_>], right: &Right) -> bool {
    match (right, seen) {
        (Right::Is(value), [seen]) => is(seen, value),
        (Right::OneOf(values), [seen]) => values.iter().any(|value| is(seen, value)),
        (Right::Set(name), _) => {
            let set = table.sets.get(name).unwrap_or_else(|| panic!("no set {name}"));
            if !set.interval {
                return set.elements.contains_key(&seen.iter().map(value).collect::<Vec<_>>());
            }
            let fits = |key: &&Vec<Value>| seen.iter().zip(*key).all(|(seen, value)| is(seen, value));
            let hits = set.elements.keys().filter(fits).count();
            assert!(hits <= 1, "{name} has overlapping elements for {seen:?}");
            hits == 1
        }
        other => panic!("a comparison of {other:?}"),
    }
}

fn is(seen: &Seen<'_>, value: &Value) -> bool {
    match (seen, value) {
        (Seen::Name(name), Value::Interface(wanted)) => match wanted.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == wanted,
        },
        (Seen::Word(word), Value::Word(wanted)) => word == wanted,
        (Seen::Mac(mac), Value::Mac(wanted)) => mac == wanted,
        (Seen::Address(ip), Value::Address(wanted)) => ip == wanted,
        (Seen::Address(ip), Value::Address6(wanted)) => ip == wanted,
        (Seen::Address(IpAddr::V4(ip)), Value::Addresses(range)) => range.contains(*ip),
        (Seen::Address(IpAddr::V6(ip)), Value::Block6(block)) => block.contains(*ip),
        (Seen::Number(n), Value::Number(wanted)) => n == wanted,
        (Seen::Number(n), Value::Numbers(first, last)) => first <= n && n <= last,
        other => panic!("a comparison of {other:?}"),
    }
}

fn value(seen: &Seen<'_>) -> Value {
    match seen {
        Seen::Name(name) => Value::Interface((*name).to_owned()),
        Seen::Word(word) => Value::Word(word),
        Seen::Mac(mac) => Value::Mac(*mac),
        Seen::Address(IpAddr::V4(ip)) => Value::Address(*ip),
        Seen::Address(IpAddr::V6(ip)) => Value::Address6(*ip),
        Seen::Number(n) => Value::Number(*n),
    }
}

/// What the packet has there; `None` where it has no such field.
fn seen<'a>(field: Field, view: &'a View<'_>) -> Option<Seen<'a>> {
    let Packet { source, destination, transport } = view.packet;
    let number = |n: u16| Some(Seen::Number(n.into()));
    let (four, six) = (source.is_ipv4(), source.is_ipv6());
    let address = |of_family: bool, ip| of_family.then_some(Seen::Address(ip));
    if view.headless
        && !matches!(
            field,
            Field::InInterface
                | Field::EtherSource
                | Field::Source
                | Field::Destination
                | Field::Source6
                | Field::Destination6
                | Field::IpVersion
        )
    {
        assert!(
            matches!(
                field,
                Field::UdpSourcePort
                    | Field::UdpDestPort
                    | Field::TcpDestPort
                    | Field::AnyDestPort
                    | Field::Icmp6Type
            ),
            "{field:?} of a later fragment"
        );
        return None;
    }
    match (field, transport) {
        (Field::InInterface, _) => view.input.map(Seen::Name),
        (Field::OutInterface, _) => view.output.as_deref().map(Seen::Name),
        (Field::EtherSource, _) => view.ether_source.map(Seen::Mac),
        (Field::Source, _) => address(four, source),
        (Field::Destination, _) => address(four, destination),
        (Field::Source6, _) => address(six, source),
        (Field::Destination6, _) => address(six, destination),
        (Field::Protocol, _) => Some(Seen::Number(transport.protocol().into())),
        (Field::AnyDestPort | Field::TcpDestPort, Transport::Tcp { to, .. }) => number(to),
        (Field::AnyDestPort | Field::UdpDestPort, Transport::Udp { to, .. }) => number(to),
        // Whatever bytes are there; here some that would open a service.
        (Field::AnyDestPort, _) => number(if four { 53 } else { 547 }),
        (Field::UdpSourcePort, Transport::Udp { from, .. }) => number(from),
        (Field::IcmpType, Transport::Icmp { kind, .. }) => number(kind.into()),
        (Field::IcmpCode, Transport::Icmp { code, .. }) => number(code.into()),
        (Field::Icmp6Type, Transport::Icmp6 { kind, .. }) => number(kind.into()),
        (Field::Icmp6Code, Transport::Icmp6 { code, .. }) => number(code.into()),
        (
            Field::TcpDestPort
            | Field::UdpDestPort
            | Field::UdpSourcePort
            | Field::IcmpType
            | Field::IcmpCode
            | Field::Icmp6Type
            | Field::Icmp6Code,
            _,
        ) => None,
        (Field::CtDirection, _) => view.direction.map(Seen::Word),
        (Field::IpVersion, _) => Some(Seen::Word(if four { "ipv4" } else { "ipv6" })),
        (Field::CtState, _) => Some(Seen::Word(view.state)),
        (Field::SourceKind, _) => Some(Seen::Word(if view.source_is_local { "local" } else { "unicast" })),
        (Field::Mark, _) => Some(Seen::Number(view.mark.get())),
        (Field::NextHop, _) => view.next_hop.filter(IpAddr::is_ipv4).map(Seen::Address),
        (Field::AnsweredAt, _) => view.answered_at.filter(IpAddr::is_ipv4).map(Seen::Address),
        (Field::ArpSenderMac | Field::ArpSenderAddress, _) => panic!("{field:?} of an IP packet"),
    }
}
