//! What differs between what is and what should be.

use std::collections::BTreeMap;

/// The difference of two maps, each list in the keys' order.
#[derive(Debug)]
pub struct MapDiff<'a, K, V> {
    pub added: Vec<(&'a K, &'a V)>,
    pub removed: Vec<(&'a K, &'a V)>,
    /// Key, value before, value after.
    pub changed: Vec<(&'a K, &'a V, &'a V)>,
}

/// Compares two maps by key and value.
pub fn maps<'a, K: Ord, V: PartialEq>(
    have: &'a BTreeMap<K, V>,
    want: &'a BTreeMap<K, V>,
) -> MapDiff<'a, K, V> {
    let mut diff = MapDiff { added: vec![], removed: vec![], changed: vec![] };
    for (key, after) in want {
        match have.get(key) {
            None => diff.added.push((key, after)),
            Some(before) if before != after => diff.changed.push((key, before, after)),
            Some(_) => {}
        }
    }
    diff.removed = have.iter().filter(|(key, _)| !want.contains_key(*key)).collect();
    diff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_differs_leads_from_one_to_the_other(
            have: BTreeMap<u8, u8>,
            want: BTreeMap<u8, u8>,
        ) {
            let diff = maps(&have, &want);
            let mut result = have.clone();
            for (key, _) in diff.removed {
                prop_assert!(result.remove(key).is_some());
            }
            for (key, before, after) in diff.changed {
                prop_assert_eq!(result.insert(*key, *after), Some(*before));
            }
            for (key, value) in diff.added {
                prop_assert!(result.insert(*key, *value).is_none());
            }
            prop_assert_eq!(result, want);
        }
    }
}
