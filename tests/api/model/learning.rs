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

    /// Whether an account has what came with a VPC or subnet, and no answer has told yet.
    pub fn has_unseen_parts(&self, who: usize) -> bool {
        let unseen = |id: &String| id.starts_with(UNSEEN);
        self.tables.iter().any(|one| one.who == who && unseen(&one.id))
            || self.acl_associations.iter().any(|one| self.subnet(&one.subnet).who == who && unseen(&one.id))
    }

    /// The ids of main route tables; `tree` is of DescribeRouteTables.
    pub fn learn_tables(&mut self, tree: &Tree) {
        let unseen = |one: &&super::routing::TableAssociation| one.id.starts_with(UNSEEN);
        for old in self.table_associations.iter().filter(unseen).cloned().collect::<Vec<_>>() {
            let main = |row: &&&Tree| {
                row.at("vpcId") == old.vpc && row.all("associationSet/main").contains(&"true".into())
            };
            let items = tree.items("routeTableSet");
            let Some(row) = items.iter().find(main) else { continue };
            let association = row.all("associationSet/routeTableAssociationId")[0].clone();
            let (table, id) =
                (self.new_id(row.at("routeTableId"), "rtb"), self.new_id(&association, "rtbassoc"));
            self.tables.iter_mut().filter(|one| one.id == old.table).for_each(|one| one.id = table.clone());
            self.routes
                .iter_mut()
                .filter(|one| one.table == old.table)
                .for_each(|one| one.table = table.clone());
            for one in self.table_associations.iter_mut().filter(|one| one.id == old.id) {
                (one.id, one.table) = (id.clone(), table.clone());
            }
        }
    }

    /// The ids of default network ACLs and of subnets' associations; `tree` is of DescribeNetworkAcls.
    pub fn learn_acls(&mut self, tree: &Tree) {
        let items = tree.items("networkAclSet");
        let unseen = |one: &&super::acls::Acl| one.id.starts_with(UNSEEN);
        for old in self.acls.iter().filter(unseen).cloned().collect::<Vec<_>>() {
            let is_it = |row: &&&Tree| row.at("vpcId") == old.vpc && row.at("default") == "true";
            let Some(row) = items.iter().find(is_it) else { continue };
            let id = self.new_id(row.at("networkAclId"), "acl");
            self.acls.iter_mut().filter(|one| one.id == old.id).for_each(|one| one.id = id.clone());
            self.acl_entries.iter_mut().filter(|one| one.acl == old.id).for_each(|one| one.acl = id.clone());
            self.acl_associations
                .iter_mut()
                .filter(|one| one.acl == old.id)
                .for_each(|one| one.acl = id.clone());
        }
        for at in 0..self.acl_associations.len() {
            let old = self.acl_associations[at].clone();
            let mut rows = items.iter().flat_map(|row| row.items("associationSet"));
            let told = rows.find(|row| row.at("subnetId") == old.subnet);
            if let Some(told) = told.filter(|_| old.id.starts_with(UNSEEN)) {
                self.acl_associations[at].id = self.new_id(told.at("networkAclAssociationId"), "aclassoc");
            }
        }
    }

    /// The ids of VPCs' default groups; `tree` is of DescribeSecurityGroups.
    pub fn learn_groups(&mut self, tree: &Tree) {
        let unseen = |one: &&Group| one.id.starts_with(UNSEEN);
        for old in self.groups.iter().filter(unseen).cloned().collect::<Vec<_>>() {
            let is_it = |row: &&&Tree| row.at("vpcId") == old.vpc && row.at("groupName") == "default";
            let items = tree.items("securityGroupInfo");
            let Some(row) = items.iter().find(is_it) else { continue };
            let id = self.new_id(row.at("groupId"), "sg");
            self.groups.iter_mut().filter(|one| one.id == old.id).for_each(|one| one.id = id.clone());
            for rule in self.rules.iter_mut().filter(|rule| rule.group == old.id) {
                rule.group = id.clone();
                if let Peer::Group(peer, _) = &mut rule.peer {
                    *peer = id.clone();
                }
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
