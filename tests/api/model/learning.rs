//! What no answer to a write tells, and a look at everything shows for the first time.

use super::tree::Tree;
use super::world::*;

impl World {
    /// Whether an account has a public address that nobody has seen yet.
    pub fn has_unseen(&self, who: usize) -> bool {
        self.interfaces.iter().any(|one| one.who == who && one.public.as_deref() == Some(UNSEEN))
    }

    /// No answer tells which public address an instance got when it started; `tree` is of DescribeNetworkInterfaces.
    pub fn learn_public(&mut self, who: usize, tree: &Tree) {
        for at in 0..self.interfaces.len() {
            let one = &self.interfaces[at];
            if one.who == who && one.public.as_deref() == Some(UNSEEN) {
                let items = tree.items("networkInterfaceSet");
                let item = items.iter().find(|item| item.at("networkInterfaceId") == one.id);
                let told = item.map_or("", |item| item.at("association/publicIp"));
                self.interfaces[at].public = Some(self.new_public(told));
            }
        }
    }

    /// The ids of rules that came with a group; `tree` is of DescribeSecurityGroupRules.
    pub fn learn_rules(&mut self, tree: &Tree) {
        for at in 0..self.rules.len() {
            if self.rules[at].id.is_none() {
                let rule = self.rules[at].clone();
                let items = tree.items("securityGroupRuleSet");
                let new = |item: &&&Tree| {
                    rule.is(self, item) && !self.seen.contains(item.at("securityGroupRuleId"))
                };
                if let Some(item) = items.iter().find(new) {
                    let id = self.new_id(item.at("securityGroupRuleId"), "sgr");
                    self.rules[at].id = Some(id);
                }
            }
        }
    }
}
