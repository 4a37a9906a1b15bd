//! Whether our tables are still what we wrote: by counting and by fingerprint, never by reading rules.
//!
//! Others change the rules' generation all the time. It costs 3 us to read and says "look"; looking
//! is a raw dump of our tables, of which only the bytes are compared. Nothing is parsed but names.

use std::collections::BTreeMap;
use std::io;

use super::model::{Family, Ruleset};
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
/// The policy of our base chains: NF_ACCEPT.
const ACCEPT: usize = 1;

/// What one look at our tables found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Rules by chain and elements by set; and the flags of each table, for one that is dormant does nothing, and the policies
    /// of base chains.
    pub counts: BTreeMap<(Family, char, String), usize>,
    /// The sum of the digests of everything found; the kernel may tell it in any order.
    pub fingerprint: u128,
}

impl Look {
    /// Whether anything is kept out by what was found: a table that is empty or dormant (NFT_TABLE_F_DORMANT) keeps nobody.
    pub fn guards(&self) -> bool {
        const DORMANT: usize = 1;
        let of = |what: char| {
            self.counts.iter().filter(move |((family, kind, _), _)| (*family, *kind) == (Family::Inet, what))
        };
        of('c').any(|(_, rules)| *rules > 0) && of('t').all(|(_, flags)| flags & DORMANT == 0)
    }

    fn add(&mut self, bytes: &[u8]) {
        let digest = u128::from_ne_bytes(Digest::of(bytes).0);
        self.fingerprint = self.fingerprint.wrapping_add(digest);
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
    for (family, number) in [(Family::Inet, 1), (Family::Arp, 3), (Family::Ip6, 10)] {
        match look_at(&mut socket, &mut look, family, number) {
            // No such table: the counts say so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(look)
}

fn look_at(socket: &mut Nfnetlink, look: &mut Look, family: Family, number: u8) -> io::Result<()> {
    // The table's name is attribute 1 of every kind of message; not every dump honours the filter.
    let mut filter = Vec::new();
    write(&mut filter, 1, &terminated(TABLE.as_bytes()));
    let ours = |message: &Vec<u8>| text(message, 1).as_deref() == Some(TABLE);
    for table in socket.dump(GET_TABLE, number, &[])?.iter().filter(|m| ours(m)) {
        let flags = attribute(table, 2).unwrap_or_default();
        look.add(&[TABLE.as_bytes(), &[number], flags].concat());
        let flags = flags.first_chunk().map_or(0, |flags| u32::from_be_bytes(*flags));
        look.counts.insert((family, 't', TABLE.into()), flags as usize);
    }
    for chain in socket.dump(GET_CHAIN, number, &filter)?.iter().filter(|m| ours(m)) {
        look.add(chain);
        let name = text(chain, 3).unwrap_or_default();
        // NFTA_CHAIN_POLICY: of base chains alone.
        if let Some(policy) = attribute(chain, 5).and_then(|policy| policy.first_chunk()) {
            look.counts.insert((family, 'p', name.clone()), u32::from_be_bytes(*policy) as usize);
        }
        look.counts.insert((family, 'c', name), 0);
    }
    for rule in socket.dump(GET_RULE, number, &filter)?.iter().filter(|m| ours(m)) {
        look.add(rule);
        *look.counts.entry((family, 'c', text(rule, 2).unwrap_or_default())).or_default() += 1;
    }
    for set in socket.dump(GET_SET, number, &filter)?.iter().filter(|m| ours(m)) {
        look.add(set);
        let name = text(set, 2).unwrap_or_default();
        // Rules' own anonymous sets cannot be changed.
        if name.starts_with("__") {
            continue;
        }
        let mut which = filter.clone();
        write(&mut which, 2, &terminated(name.as_bytes()));
        let mut count = 0;
        for message in socket.dump(GET_ELEMENTS, number, &which)? {
            for (_, element, _) in attributes(attribute(&message, 3).unwrap_or_default()) {
                look.add(&[name.as_bytes(), element].concat());
                count += 1;
            }
        }
        look.counts.insert((family, 's', name), count);
    }
    Ok(())
}

fn terminated(text: &[u8]) -> Vec<u8> {
    [text, &[0]].concat()
}

fn text(message: &[u8], kind: u16) -> Option<String> {
    let bytes = attribute(message, kind)?;
    Some(String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned())
}

/// What a look should count.
pub fn expected(rules: &Ruleset) -> BTreeMap<(Family, char, String), usize> {
    let mut counts = BTreeMap::new();
    for (&family, table) in &rules.tables {
        counts.insert((family, 't', TABLE.into()), 0);
        let bases = table.chains.iter().filter(|(_, chain)| chain.hook.is_some());
        counts.extend(bases.map(|(name, _)| ((family, 'p', name.clone()), ACCEPT)));
        counts.extend(table.chains.iter().map(|(name, c)| ((family, 'c', name.clone()), c.rules.len())));
        counts.extend(table.sets.iter().map(|(name, s)| ((family, 's', name.clone()), s.elements.len())));
    }
    counts
}
