//! What a transaction can be made of, in whatever form it reaches the kernel: as netlink messages, or as a document for `nft`.

use super::model::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Add,
    Delete,
}

/// The orders of one transaction, in their order.
pub trait Orders: Default {
    fn table(&mut self, verb: Verb, of: Family);

    /// An empty set or map.
    fn add_set(&mut self, of: Family, name: &str, set: &Set);

    /// A set or map that no rule names any more.
    fn delete_set(&mut self, of: Family, name: &str, set: &Set);

    fn elements<'a>(
        &mut self,
        verb: Verb,
        of: Family,
        set: (&str, &Set),
        elements: impl Iterator<Item = (&'a Vec<Value>, &'a Data)>,
    );

    /// A chain without its rules.
    fn add_chain(&mut self, of: Family, name: &str, chain: &Chain);

    /// Takes all rules out of a chain.
    fn flush_chain(&mut self, of: Family, name: &str);

    /// A chain that is empty, and that no rule names any more.
    fn delete_chain(&mut self, of: Family, name: &str);

    /// Appends rules to a chain.
    fn rules(&mut self, of: Family, chain: &str, rules: &[Rule]);
}
