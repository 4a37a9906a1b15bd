//! What of one World's plan is that of the next one, too.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use crate::types::GroupId;
use crate::world::World;

/// Sections of groups: those of this World, and those of the one before, which are the same in memory where they are equal.
pub(super) struct Made<S> {
    now: HashMap<GroupId, Arc<S>>,
    old: HashMap<GroupId, Arc<S>>,
}

impl<S> Default for Made<S> {
    fn default() -> Self {
        Self { now: HashMap::new(), old: HashMap::new() }
    }
}

impl<S: PartialEq> Made<S> {
    pub fn get(&mut self, group: GroupId, make: impl FnOnce() -> S) -> Arc<S> {
        if let Some(made) = self.now.get(&group) {
            return made.clone();
        }
        let section = make();
        let old = self.old.remove(&group).filter(|old| **old == section);
        let section = old.unwrap_or_else(|| Arc::new(section));
        self.now.insert(group, section.clone());
        section
    }

    pub fn advance(self) -> Self {
        Self { now: HashMap::new(), old: self.now }
    }

    /// Has the group's section made anew.
    pub fn forget(&mut self, group: GroupId) {
        if let Some(section) = self.now.remove(&group) {
            self.old.insert(group, section);
        }
    }
}

/// The groups whose rules differ, where nothing else does that hosts are told.
pub(super) fn only_rules(before: &World, after: &World) -> Option<BTreeSet<GroupId>> {
    let mut same = before.clone();
    same.generation = after.generation;
    same.rules = after.rules.clone();
    same.tokens = after.tokens.clone();
    let (old, new) = (&mut same.index, &after.index);
    old.rules_by_group = new.rules_by_group.clone();
    old.rules_by_target = new.rules_by_target.clone();
    old.rules_by_prefix_list = new.rules_by_prefix_list.clone();
    old.tokens_by_age = new.tokens_by_age.clone();
    // What two Worlds share is not looked at.
    let changed = || before.rules.diff(&after.rules);
    let groups = changed().flat_map(|change| match change {
        DiffItem::Add(_, rule) | DiffItem::Remove(_, rule) => vec![rule.group],
        DiffItem::Update { old, new } => vec![old.1.group, new.1.group],
    });
    (same == *after).then(|| groups.collect())
}
