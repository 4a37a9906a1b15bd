//! The rules of one host as plain values: what is rendered, compared, digested and sent.
//!
//! The model knows only what we use of nftables. It is never read back from the kernel; a test can
//! walk it with a packet of its own making.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Bound::{Included, Unbounded};

use crate::types::{Cidr6, MacAddr, Range4};

/// The nftables family of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Of both versions of IP; what is said there is of IPv4.
    Inet,
    Arp,
    Ip6,
}

/// What of a packet is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Field {
    InInterface,
    OutInterface,
    EtherSource,
    Source,
    Destination,
    Source6,
    Destination6,
    /// The transport protocol's number.
    Protocol,
    /// The destination port of whatever transport protocol.
    AnyDestPort,
    TcpDestPort,
    UdpDestPort,
    UdpSourcePort,
    IcmpType,
    IcmpCode,
    Icmp6Type,
    Icmp6Code,
    /// `ipv4` or `ipv6`.
    IpVersion,
    ArpSenderMac,
    ArpSenderAddress,
    CtState,
    /// `original` for the way that the flow began, or `reply`.
    CtDirection,
    /// What kind of address the source is to this host, e.g. `local`.
    SourceKind,
    /// What a rule before has marked the packet with; 0 for nothing.
    Mark,
    /// The address that the packet is handed to.
    NextHop,
    /// Where the answers to the flow's first packet go.
    AnsweredAt,
}

/// A constant that a field is compared with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// An interface's name; a trailing `*` is a prefix.
    Interface(String),
    /// A word of nftables' own, such as `established`.
    Word(&'static str),
    Mac(MacAddr),
    Address(Ipv4Addr),
    Addresses(Range4),
    Address6(Ipv6Addr),
    Block6(Cidr6),
    Number(u32),
    Numbers(u32, u32),
}

/// The right-hand side of a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Right {
    Is(Value),
    OneOf(Vec<Value>),
    Set(String),
}

/// A condition of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Match {
    /// The fields, concatenated, are (`true`) or are not what stands on the right.
    Fields(Vec<Field>, bool, Right),
    /// The flow's destination was (`true`) or was not translated.
    Dnat(bool),
    /// The flow's source was or was not translated.
    Snat(bool),
    /// Packets came here oftener than so many times a second.
    Oftener(u32),
}

/// Where a flow is translated to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Address(Ipv4Addr),
    /// What the map has for the field; where it has nothing, the rule does not match.
    Map(Field, String),
}

/// The end of a rule, or the value of a verdict map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accept,
    Drop,
    Goto(String),
    Jump(String),
}

/// What a rule does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    Verdict(Verdict),
    /// The verdict that a named map has for the field.
    Dispatch(Field, String),
    /// The verdict that stands here for the field.
    Choose(Field, Vec<(Value, Verdict)>),
    Dnat(Target, Option<u16>),
    Snat(Target),
    /// Gives the packet the mark that a named map has for the field, and goes on.
    Mark(Field, String),
    /// Gives it this mark, and goes on.
    MarkAs(u32),
}

/// Conditions, all of which must hold, and what then happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub matches: Vec<Match>,
    pub action: Action,
}

/// Where a base chain hangs: (type, hook, priority).
pub type Hook = (&'static str, &'static str, i32);

/// Rules in order; a base chain's policy is accept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chain {
    pub hook: Option<Hook>,
    pub rules: Vec<Rule>,
}

/// What a set maps its keys to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataType {
    Nothing,
    Address,
    Verdict,
    Mark,
}

/// The value of an element, `Nothing` in plain sets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    Nothing,
    Address(Ipv4Addr),
    Verdict(Verdict),
    Mark(u32),
}

/// A named set or map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Set {
    /// nftables' names of the key's parts.
    pub key: Vec<&'static str>,
    pub data: DataType,
    /// Keys are boxes of ranges; they must not overlap.
    pub interval: bool,
    pub elements: BTreeMap<Vec<Value>, Data>,
}

/// A table with our name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    pub sets: BTreeMap<String, Set>,
    pub chains: BTreeMap<String, Chain>,
}

/// Everything of ours that nftables holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ruleset {
    pub tables: BTreeMap<Family, Table>,
}

/// Some of the names in our tables, by how they begin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names(pub BTreeSet<String>);

impl Names {
    /// Whether the name is one of them.
    pub fn cover(&self, name: &str) -> bool {
        // The only one that it can begin with is the last one that is not behind it: none begins with another.
        self.0
            .range::<str, _>((Unbounded, Included(name)))
            .next_back()
            .is_some_and(|beginning| name.starts_with(beginning.as_str()))
    }
}

/// A part of a ruleset: what these names stand for, and nothing where it is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub names: Names,
    pub rules: Ruleset,
}

impl Ruleset {
    /// Takes a part out.
    pub fn take(&mut self, names: &Names) -> Self {
        let mut tables = BTreeMap::new();
        for (family, table) in &mut self.tables {
            let mut part = Table::default();
            for beginning in &names.0 {
                taken(&mut table.sets, beginning, &mut part.sets);
                taken(&mut table.chains, beginning, &mut part.chains);
            }
            tables.insert(*family, part);
        }
        Self { tables }
    }

    /// Puts a part in whose place is free.
    pub fn put(&mut self, part: Self) {
        for (family, table) in part.tables {
            let into = self.tables.entry(family).or_default();
            into.sets.extend(table.sets);
            into.chains.extend(table.chains);
        }
    }
}

fn taken<T>(from: &mut BTreeMap<String, T>, beginning: &str, into: &mut BTreeMap<String, T>) {
    let names = from.range::<str, _>((Included(beginning), Unbounded)).map(|(name, _)| name);
    let names: Vec<_> = names.take_while(|name| name.starts_with(beginning)).cloned().collect();
    into.extend(names.into_iter().filter_map(|name| from.remove_entry(&name)));
}

impl Set {
    /// A set of keys.
    pub fn keys(key: &[&'static str], elements: impl IntoIterator<Item = Vec<Value>>) -> Self {
        let elements = elements.into_iter().map(|key| (key, Data::Nothing)).collect();
        Self { key: key.to_vec(), data: DataType::Nothing, interval: false, elements }
    }

    /// A set of boxes.
    pub fn boxes(key: &[&'static str], elements: impl IntoIterator<Item = Vec<Value>>) -> Self {
        Self { interval: true, ..Self::keys(key, elements) }
    }

    /// A map from one field to an address.
    pub fn addresses(key: &'static str, elements: impl IntoIterator<Item = (Value, Ipv4Addr)>) -> Self {
        let elements = elements.into_iter().map(|(key, to)| (vec![key], Data::Address(to))).collect();
        Self { key: vec![key], data: DataType::Address, interval: false, elements }
    }

    /// A map from one field to a packet's mark.
    pub fn marks(key: &'static str, elements: impl IntoIterator<Item = (Value, u32)>) -> Self {
        let elements = elements.into_iter().map(|(key, to)| (vec![key], Data::Mark(to))).collect();
        Self { key: vec![key], data: DataType::Mark, interval: false, elements }
    }

    /// A map from one field to a verdict.
    pub fn verdicts(key: &'static str, elements: impl IntoIterator<Item = (Value, Verdict)>) -> Self {
        let elements = elements.into_iter().map(|(key, to)| (vec![key], Data::Verdict(to))).collect();
        Self { key: vec![key], data: DataType::Verdict, interval: false, elements }
    }
}

impl Match {
    /// The field has this value.
    pub fn is(field: Field, value: Value) -> Self {
        Self::Fields(vec![field], true, Right::Is(value))
    }

    /// The concatenated fields are in the named set.
    pub fn within(fields: &[Field], set: impl Into<String>) -> Self {
        Self::Fields(fields.to_vec(), true, Right::Set(set.into()))
    }
}

impl Rule {
    pub fn accept(matches: Vec<Match>) -> Self {
        Self { matches, action: Action::Verdict(Verdict::Accept) }
    }

    pub fn drop(matches: Vec<Match>) -> Self {
        Self { matches, action: Action::Verdict(Verdict::Drop) }
    }

    pub fn goto(matches: Vec<Match>, chain: impl Into<String>) -> Self {
        Self { matches, action: Action::Verdict(Verdict::Goto(chain.into())) }
    }

    pub fn jump(matches: Vec<Match>, chain: impl Into<String>) -> Self {
        Self { matches, action: Action::Verdict(Verdict::Jump(chain.into())) }
    }

    pub fn then(matches: Vec<Match>, action: Action) -> Self {
        Self { matches, action }
    }

    /// Established and related packets pass, invalid ones do not, others go on to the next rule.
    pub fn by_state() -> Self {
        let verdicts = vec![
            (Value::Word("established"), Verdict::Accept),
            (Value::Word("related"), Verdict::Accept),
            (Value::Word("invalid"), Verdict::Drop),
        ];
        Self { matches: vec![], action: Action::Choose(Field::CtState, verdicts) }
    }
}

impl Chain {
    pub fn base(hook: Hook, rules: Vec<Rule>) -> Self {
        Self { hook: Some(hook), rules }
    }

    pub fn of(rules: Vec<Rule>) -> Self {
        Self { hook: None, rules }
    }
}
