//! Whether our tables are still what we wrote: by fingerprint, never by reading rules.
//!
//! Others change the rules' generation all the time. It costs 3 us to read and says "look"; looking
//! is a raw dump of our tables, of which only the bytes are compared. Nothing is parsed but names.

use std::collections::BTreeMap;
use std::io;

use super::model::{Family, Names, Ruleset};
use super::nfnetlink::{Nfnetlink, attribute, attributes, write};
use crate::agent::names::TABLE;
use crate::types::Digest;

const NFTABLES: u16 = 10 << 8;
const GET_TABLE: u16 = NFTABLES | 1;
const GET_CHAIN: u16 = NFTABLES | 4;
const GET_RULE: u16 = NFTABLES | 7;
const GET_SET: u16 = NFTABLES | 10;
const GET_ELEMENTS: u16 = NFTABLES | 13;
const GET_GENERATION: u16 = NFTABLES | 16;

/// What a look tells apart: rules by chain, elements by set, the flags of each table (one that is dormant does nothing), and
/// the policies of base chains.
type Place = (Family, char, String);

/// One of those, as the kernel has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Found {
    count: usize,
    /// The sum of the digests of everything in it; the kernel may tell it in any order.
    digest: u128,
}

/// What a look at our tables found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Look(BTreeMap<Place, Found>);

impl Look {
    /// Whether anything is kept out by what was found: a table that is empty or dormant (NFT_TABLE_F_DORMANT) keeps nobody.
    pub fn guards(&self) -> bool {
        const DORMANT: usize = 1;
        let of = |what: char| {
            self.0.iter().filter(move |((family, kind, _), _)| (*family, *kind) == (Family::Inet, what))
        };
        of('c').any(|(_, rules)| rules.count > 0) && of('t').all(|(_, flags)| flags.count & DORMANT == 0)
    }

    /// Looks again at what has these names, and no further.
    ///
    /// # Errors
    /// As [`look`].
    pub fn again(&mut self, rules: &Ruleset, names: &Names) -> io::Result<()> {
        let mut socket = Nfnetlink::open()?;
        self.0.retain(|(_, _, name), _| !names.cover(name));
        for (&family, table) in &rules.tables {
            for name in table.chains.keys().filter(|name| names.cover(name)) {
                self.chain(&mut socket, family, name)?;
            }
            for name in table.sets.keys().filter(|name| names.cover(name)) {
                self.set(&mut socket, family, name)?;
            }
        }
        Ok(())
    }

    fn at(&mut self, family: Family, what: char, name: &str) -> &mut Found {
        self.0.entry((family, what, name.to_owned())).or_default()
    }

    fn chain(&mut self, socket: &mut Nfnetlink, family: Family, name: &str) -> io::Result<()> {
        let filter = |name_attribute| named(name_attribute, name);
        for chain in socket.ask(GET_CHAIN, number(family), &filter(3))? {
            self.found_chain(family, &chain);
        }
        // The rules' dump knows a chain by its second attribute, the chains' by its third.
        for rule in socket.dump(GET_RULE, number(family), &filter(2))? {
            if text(&rule, 2).as_deref() == Some(name) {
                self.found_rule(family, &rule);
            }
        }
        Ok(())
    }

    fn set(&mut self, socket: &mut Nfnetlink, family: Family, name: &str) -> io::Result<()> {
        for set in socket.ask(GET_SET, number(family), &named(2, name))? {
            self.found_set(socket, family, &set)?;
        }
        Ok(())
    }

    fn found_chain(&mut self, family: Family, chain: &[u8]) {
        let name = text(chain, 3).unwrap_or_default();
        // NFTA_CHAIN_POLICY: of base chains alone.
        if let Some(policy) = attribute(chain, 5).and_then(|policy| policy.first_chunk()) {
            self.at(family, 'p', &name).count = u32::from_be_bytes(*policy) as usize;
        }
        self.at(family, 'c', &name).add(chain);
    }

    fn found_rule(&mut self, family: Family, rule: &[u8]) {
        let found = self.at(family, 'c', &text(rule, 2).unwrap_or_default());
        found.add(rule);
        found.count += 1;
    }

    fn found_set(&mut self, socket: &mut Nfnetlink, family: Family, set: &[u8]) -> io::Result<()> {
        let name = text(set, 2).unwrap_or_default();
        // Rules' own anonymous sets cannot be changed.
        if name.starts_with("__") {
            return Ok(());
        }
        let found = self.at(family, 's', &name);
        found.add(set);
        for message in socket.dump(GET_ELEMENTS, number(family), &named(2, &name))? {
            for (_, element, _) in attributes(attribute(&message, 3).unwrap_or_default()) {
                found.add(element);
                found.count += 1;
            }
        }
        Ok(())
    }
}

impl Found {
    fn add(&mut self, bytes: &[u8]) {
        let digest = u128::from_ne_bytes(Digest::of(bytes).0);
        self.digest = self.digest.wrapping_add(digest);
    }
}

fn number(family: Family) -> u8 {
    match family {
        Family::Inet => 1,
        Family::Arp => 3,
        Family::Ip6 => 10,
    }
}

/// The number of the rules' last change, by whomever.
///
/// # Errors
/// What the kernel says.
pub fn generation() -> io::Result<u32> {
    let answers = Nfnetlink::open()?.ask(GET_GENERATION, 0, &[])?;
    let id = answers.first().and_then(|answer| attribute(answer, 1)?.first_chunk().copied());
    id.map(u32::from_be_bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Looks at our tables.
///
/// # Errors
/// What the kernel says; `Interrupted` where somebody wrote meanwhile.
pub fn look() -> io::Result<Look> {
    let mut socket = Nfnetlink::open()?;
    let mut look = Look::default();
    for family in [Family::Inet, Family::Arp, Family::Ip6] {
        match look_at(&mut socket, &mut look, family) {
            // No such table: the counts say so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(look)
}

fn look_at(socket: &mut Nfnetlink, look: &mut Look, family: Family) -> io::Result<()> {
    // The table's name is attribute 1 of every kind of message; not every dump honours the filter.
    let mut filter = Vec::new();
    write(&mut filter, 1, &terminated(TABLE.as_bytes()));
    let ours = |message: &Vec<u8>| text(message, 1).as_deref() == Some(TABLE);
    for table in socket.dump(GET_TABLE, number(family), &[])?.iter().filter(|m| ours(m)) {
        let flags = attribute(table, 2).and_then(|flags| flags.first_chunk());
        look.at(family, 't', TABLE).count = flags.map_or(0, |flags| u32::from_be_bytes(*flags)) as usize;
    }
    for chain in socket.dump(GET_CHAIN, number(family), &filter)?.iter().filter(|m| ours(m)) {
        look.found_chain(family, chain);
    }
    for rule in socket.dump(GET_RULE, number(family), &filter)?.iter().filter(|m| ours(m)) {
        look.found_rule(family, rule);
    }
    for set in socket.dump(GET_SET, number(family), &filter)?.iter().filter(|m| ours(m)) {
        look.found_set(socket, family, set)?;
    }
    Ok(())
}

/// What asks for one thing in our table.
fn named(attribute: u16, name: &str) -> Vec<u8> {
    let mut which = Vec::new();
    write(&mut which, 1, &terminated(TABLE.as_bytes()));
    write(&mut which, attribute, &terminated(name.as_bytes()));
    which
}

fn terminated(text: &[u8]) -> Vec<u8> {
    [text, &[0]].concat()
}

fn text(message: &[u8], kind: u16) -> Option<String> {
    let bytes = attribute(message, kind)?;
    Some(String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned())
}
