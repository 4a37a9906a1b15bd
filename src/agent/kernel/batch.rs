//! From one ruleset to another in one transaction, as small as the difference.

use super::model::*;
use super::orders::{Orders, Verb};
use crate::agent::diff;

/// Replaces whatever stands under our names: atomic, whole, lossless.
pub fn replace<O: Orders>(want: &Ruleset) -> O {
    let mut out = O::default();
    for (&family, table) in &want.tables {
        // Deleting needs a table; `destroy` is unknown to nft 1.0.6.
        out.table(Verb::Add, family);
        out.table(Verb::Delete, family);
        out.table(Verb::Add, family);
        change_table(&mut out, family, &Table::default(), table);
    }
    out
}

/// What leads from `have` to `want`; both must have the same tables.
pub fn change<O: Orders>(have: &Ruleset, want: &Ruleset) -> O {
    let mut out = O::default();
    let none = Table::default();
    for (&family, table) in &want.tables {
        change_table(&mut out, family, have.tables.get(&family).unwrap_or(&none), table);
    }
    out
}

/// Whether two sets differ in more than their elements.
fn other_kind(a: &Set, b: &Set) -> bool {
    (&a.key, a.data, a.interval) != (&b.key, b.data, b.interval)
}

/// Sets and chains exist before something names them and go after nothing does. Elements go before
/// others come: a changed value is a removal and an addition of one key, and a box may take a place
/// that another leaves.
fn change_table(out: &mut impl Orders, family: Family, have: &Table, want: &Table) {
    debug_assert!(want.sets.iter().all(|(n, s)| have.sets.get(n).is_none_or(|h| !other_kind(h, s))));
    let sets = diff::maps(&have.sets, &want.sets);
    let chains = diff::maps(&have.chains, &want.chains);
    for (name, set) in &sets.added {
        out.add_set(family, name, set);
    }
    for (name, chain) in &chains.added {
        out.add_chain(family, name, chain);
    }
    for (name, before, after) in &sets.changed {
        let elements = diff::maps(&before.elements, &after.elements);
        let gone =
            elements.removed.into_iter().chain(elements.changed.into_iter().map(|(k, old, _)| (k, old)));
        out.elements(Verb::Delete, family, (name, before), gone);
    }
    for (name, before, after) in &sets.changed {
        let elements = diff::maps(&before.elements, &after.elements);
        let come = elements.added.into_iter().chain(elements.changed.into_iter().map(|(k, _, new)| (k, new)));
        out.elements(Verb::Add, family, (name, after), come);
    }
    for (name, set) in &sets.added {
        out.elements(Verb::Add, family, (name, set), set.elements.iter());
    }
    for (name, _, chain) in &chains.changed {
        out.flush_chain(family, name);
        out.rules(family, name, &chain.rules);
    }
    for (name, chain) in &chains.added {
        out.rules(family, name, &chain.rules);
    }
    for (name, _) in &chains.removed {
        out.flush_chain(family, name);
    }
    for (name, _) in &chains.removed {
        out.delete_chain(family, name);
    }
    for (name, set) in &sets.removed {
        out.delete_set(family, name, set);
    }
}
