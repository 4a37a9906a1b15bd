//! The model as netlink messages to nf_tables: one batch, one system call, one transaction.
//!
//! An element costs the kernel some microseconds so, where a process of `nft` costs as many milliseconds. The numbers
//! are those of linux/netfilter/nf_tables.h; what a rule is made of is what `nft --debug=netlink` shows for the same rule,
//! and a test holds the two against each other.

mod expressions;
mod kinds;
mod message;
mod send;

use super::model::*;
use super::nfnetlink::write;
use super::orders::{Orders, Verb};
use crate::agent::names::TABLE;
use expressions::Expressions;
use kinds::Kind;
use message::{Messages, be32, nest, text};
pub use send::{Failed, Wire};

const NEW_TABLE: u8 = 0;
const DELETE_TABLE: u8 = 2;
const NEW_CHAIN: u8 = 3;
const DELETE_CHAIN: u8 = 5;
const NEW_RULE: u8 = 6;
const DELETE_RULE: u8 = 8;
const NEW_SET: u8 = 9;
const DELETE_SET: u8 = 11;
const NEW_ELEMENTS: u8 = 12;
const DELETE_ELEMENTS: u8 = 14;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// NFT_SET_ANONYMOUS and _CONSTANT: a rule's own.
const ANONYMOUS: u32 = 0x1 | 0x2;
const INTERVAL: u32 = 0x4;
const MAP: u32 = 0x8;
const CONCATENATED: u32 = 0x80;
/// What a verdict's data type is called: NFT_DATA_VERDICT.
const VERDICT_TYPE: u32 = 0xffff_ff00;
/// An attribute's length has 16 bits: a list of elements is parted before it is full.
const LIST: usize = 0xf000;

/// A transaction on its way to the kernel.
#[derive(Default)]
pub struct Batch {
    messages: Messages,
    sets: u32,
    /// What cannot be said, which never happens to what our renderer makes: then nothing is sent.
    unsayable: Option<String>,
}

fn family(of: Family) -> u8 {
    match of {
        Family::Inet => 1,
        Family::Arp => 3,
        Family::Ip6 => 10,
    }
}

/// Where a hook is: NF_INET_* and NF_ARP_*.
fn hook_number(of: Family, hook: &str) -> Result<u32, String> {
    Ok(match (of, hook) {
        (Family::Arp, "input") => 0,
        (Family::Arp, "output") => 1,
        (Family::Inet | Family::Ip6, "prerouting") => 0,
        (Family::Inet | Family::Ip6, "input") => 1,
        (Family::Inet | Family::Ip6, "forward") => 2,
        (Family::Inet | Family::Ip6, "output") => 3,
        (Family::Inet | Family::Ip6, "postrouting") => 4,
        _ => return Err(format!("no hook {hook} in {of:?}")),
    })
}

/// A verdict, as data.
fn verdict(out: &mut Vec<u8>, is: &Verdict) {
    let (code, chain) = match is {
        Verdict::Drop => (0i32, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3, Some(chain)),
        Verdict::Goto(chain) => (-4, Some(chain)),
    };
    nest(out, 2, |out| {
        write(out, 1, &code.to_be_bytes());
        if let Some(chain) = chain {
            text(out, 2, chain);
        }
    });
}

/// The value that an element's key leads to.
fn data(out: &mut Vec<u8>, is: &Data) {
    match is {
        Data::Nothing => {}
        Data::Verdict(to) => nest(out, 2, |out| verdict(out, to)),
        Data::Address(address) => nest(out, 2, |out| write(out, 1, &address.octets())),
        Data::Mark(mark) => nest(out, 2, |out| write(out, 1, &mark.to_ne_bytes())),
    }
}

/// One element of a list; boxes have two corners.
fn element(kinds: &[Kind], interval: bool, key: &[Value], is: &Data) -> Result<Vec<u8>, String> {
    let (low, high) = kinds::corners(kinds, key)?;
    if !interval && low != high {
        return Err(format!("{key:?} is more than one key"));
    }
    let mut out = Vec::with_capacity(64);
    nest(&mut out, 1, |out| {
        nest(out, 1, |out| write(out, 1, &low));
        data(out, is);
        if interval {
            nest(out, 10, |out| write(out, 1, &high));
        }
    });
    Ok(out)
}

impl Batch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.unsayable.is_none()
    }

    /// In bytes, as the kernel gets it.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Remembers the first thing that cannot be said.
    fn say(&mut self, said: Result<(), String>) {
        if let Err(problem) = said {
            self.unsayable.get_or_insert(problem);
        }
    }

    fn push(&mut self, kind: u8, flags: u16, of: Family, fill: impl FnOnce(&mut Vec<u8>)) {
        self.messages.push(kind, flags, family(of), |out| {
            text(out, 1, TABLE);
            fill(out);
        });
    }

    fn push_set(&mut self, of: Family, name: &str, set: &SetShape<'_>) -> u32 {
        self.sets += 1;
        let id = self.sets;
        self.push(NEW_SET, CREATE, of, |out| {
            text(out, 2, name);
            set.write(out);
            be32(out, 10, id);
        });
        id
    }

    fn push_elements(&mut self, kind: u8, of: Family, set: &str, id: Option<u32>, list: &[Vec<u8>]) {
        let flags = if kind == NEW_ELEMENTS { CREATE } else { 0 };
        let mut rest = list;
        while !rest.is_empty() {
            let mut length = 0;
            let fits = rest.iter().take_while(|element| {
                length += element.len();
                length <= LIST
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            self.push(kind, flags, of, |out| {
                text(out, 2, set);
                if let Some(id) = id {
                    be32(out, 4, id);
                }
                nest(out, 3, |out| now.iter().for_each(|element| out.extend(element)));
            });
            rest = later;
        }
    }

    /// A set of a rule's own, and its number.
    fn push_anonymous(
        &mut self,
        of: Family,
        kind: Kind,
        elements: &[(Value, Data)],
    ) -> Result<(&'static str, u32), String> {
        let verdicts = elements.iter().any(|(_, is)| *is != Data::Nothing);
        let (name, flags) = if verdicts { ("__map%d", ANONYMOUS | MAP) } else { ("__set%d", ANONYMOUS) };
        let data = if verdicts { DataType::Verdict } else { DataType::Nothing };
        let list: Vec<_> = elements
            .iter()
            .map(|(key, is)| element(&[kind], false, std::slice::from_ref(key), is))
            .collect::<Result<_, _>>()?;
        let shape = SetShape { kinds: &[kind], data, flags, size: Some(list.len()) };
        let id = self.push_set(of, name, &shape);
        self.push_elements(NEW_ELEMENTS, of, name, Some(id), &list);
        Ok((name, id))
    }

    fn push_rule(&mut self, of: Family, chain: &str, rule: &Rule) -> Result<(), String> {
        let expressions =
            Expressions::of(rule, of, |kind, elements| self.push_anonymous(of, kind, elements))?;
        self.push(NEW_RULE, CREATE | APPEND, of, |out| {
            text(out, 2, chain);
            nest(out, 4, |out| out.extend(&expressions));
        });
        Ok(())
    }

    fn push_chain(&mut self, of: Family, name: &str, chain: &Chain) -> Result<(), String> {
        const ACCEPT: u32 = 1;
        let hook = chain.hook.map(|(kind, hook, priority)| Ok((kind, hook_number(of, hook)?, priority)));
        let hook = hook.transpose().map_err(|problem: String| problem)?;
        self.push(NEW_CHAIN, CREATE, of, |out| {
            text(out, 3, name);
            if let Some((kind, number, priority)) = hook {
                nest(out, 4, |out| {
                    be32(out, 1, number);
                    write(out, 2, &priority.to_be_bytes());
                });
                be32(out, 5, ACCEPT);
                text(out, 7, kind);
            }
        });
        Ok(())
    }
}

/// What a set is, beside its name.
struct SetShape<'a> {
    kinds: &'a [Kind],
    data: DataType,
    flags: u32,
    /// How many elements it will ever have, where that is known.
    size: Option<usize>,
}

impl SetShape<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        be32(out, 3, self.flags);
        be32(out, 4, kinds::type_number(self.kinds));
        be32(out, 5, kinds::length(self.kinds) as u32);
        match self.data {
            DataType::Nothing => {}
            DataType::Verdict => be32(out, 6, VERDICT_TYPE),
            DataType::Address => (be32(out, 6, kinds::type_number(&[Kind::Address])), be32(out, 7, 4)).1,
            DataType::Mark => (be32(out, 6, kinds::type_number(&[Kind::Mark])), be32(out, 7, 4)).1,
        }
        nest(out, 9, |out| {
            if let Some(size) = self.size {
                be32(out, 1, size as u32);
            }
            if self.flags & CONCATENATED != 0 {
                let part =
                    |out: &mut Vec<u8>, kind: &Kind| nest(out, 1, |out| be32(out, 1, kind.length() as u32));
                nest(out, 2, |out| self.kinds.iter().for_each(|kind| part(out, kind)));
            }
        });
        write(out, 13, &self.byte_orders());
    }

    /// What `nft` keeps with a set for itself (`enum nftnl_udata_set_types`), without which it cannot list names.
    fn byte_orders(&self) -> Vec<u8> {
        const OF_KEY: u8 = 0;
        const OF_DATA: u8 = 1;
        let key = if let [one] = self.kinds { one.byte_order() } else { 0 };
        let data = match self.data {
            DataType::Nothing | DataType::Verdict => 0,
            DataType::Address => Kind::Address.byte_order(),
            DataType::Mark => Kind::Mark.byte_order(),
        };
        let known = |what: u8, order: u32| [&[what, 4], &order.to_ne_bytes()[..]].concat();
        [known(OF_KEY, key), known(OF_DATA, data)].concat()
    }
}

impl Orders for Batch {
    fn table(&mut self, verb: Verb, of: Family) {
        match verb {
            Verb::Add => self.push(NEW_TABLE, CREATE, of, |_| {}),
            Verb::Delete => self.push(DELETE_TABLE, 0, of, |_| {}),
        }
    }

    fn add_set(&mut self, of: Family, name: &str, set: &Set) {
        match kinds::named(&set.key) {
            Ok(kinds) => {
                let interval = if set.interval { INTERVAL | CONCATENATED } else { 0 };
                let map = if set.data == DataType::Nothing { 0 } else { MAP };
                let shape = SetShape { kinds: &kinds, data: set.data, flags: interval | map, size: None };
                self.push_set(of, name, &shape);
            }
            Err(problem) => self.say(Err(problem)),
        }
    }

    fn delete_set(&mut self, of: Family, name: &str, _: &Set) {
        self.push(DELETE_SET, 0, of, |out| text(out, 2, name));
    }

    fn elements<'a>(
        &mut self,
        verb: Verb,
        of: Family,
        (name, set): (&str, &Set),
        elements: impl Iterator<Item = (&'a Vec<Value>, &'a Data)>,
    ) {
        let list = kinds::named(&set.key).and_then(|kinds| {
            let all = elements.map(|(key, is)| {
                let is = if verb == Verb::Add { is } else { &Data::Nothing };
                element(&kinds, set.interval, key, is)
            });
            all.collect::<Result<Vec<_>, _>>()
        });
        let kind = if verb == Verb::Add { NEW_ELEMENTS } else { DELETE_ELEMENTS };
        let said = list.map(|list| self.push_elements(kind, of, name, None, &list));
        self.say(said);
    }

    fn add_chain(&mut self, of: Family, name: &str, chain: &Chain) {
        let said = self.push_chain(of, name, chain);
        self.say(said);
    }

    fn flush_chain(&mut self, of: Family, name: &str) {
        self.push(DELETE_RULE, 0, of, |out| text(out, 2, name));
    }

    fn delete_chain(&mut self, of: Family, name: &str) {
        self.push(DELETE_CHAIN, 0, of, |out| text(out, 3, name));
    }

    fn rules(&mut self, of: Family, chain: &str, rules: &[Rule]) {
        for rule in rules {
            let said = self.push_rule(of, chain, rule);
            self.say(said);
        }
    }
}
