//! Calls that are worth making: mostly what makes sense as things are, often what just does not.

use crate::dice::Dice;

use super::call::Call;
use super::families::{Family, NETWORKS, Theme};
use super::world::*;
use super::{attributes, edits, gateways, launches, permits};

/// What chooses a call.
pub struct Chooser<'a> {
    pub world: &'a World,
    pub dice: &'a mut Dice,
    pub who: usize,
    /// Calls that were made before in this history.
    pub before: &'a [Call],
    pub theme: Theme,
}

const NAMES: &[&str] = &["web", "db", "Web", "app tier", "x.y_z-1", "a;{}!$*&"];
const TAGS: &[&str] = &["Name", "env", "a/b:c", "schlüssel", "<&>"];
const VALUES: &[&str] = &["", "x", "prod", "é <&> \"'", "*"];

/// Actions with how often each comes.
const WEIGHTS: &[(&str, usize)] = &[
    ("AllocateAddress", 6),
    ("AssociateAddress", 14),
    ("DisassociateAddress", 6),
    ("ReleaseAddress", 4),
    ("CreateSecurityGroup", 5),
    ("DeleteSecurityGroup", 4),
    ("AuthorizeSecurityGroupIngress", 10),
    ("AuthorizeSecurityGroupEgress", 4),
    ("RevokeSecurityGroupIngress", 7),
    ("RevokeSecurityGroupEgress", 4),
    ("ModifySecurityGroupRules", 6),
    ("UpdateSecurityGroupRuleDescriptionsIngress", 4),
    ("UpdateSecurityGroupRuleDescriptionsEgress", 3),
    ("ModifyAddressAttribute", 4),
    ("ResetAddressAttribute", 4),
    ("EnableAddressTransfer", 5),
    ("DisableAddressTransfer", 3),
    ("AcceptAddressTransfer", 6),
    ("RunInstances", 6),
    ("StartInstances", 6),
    ("StopInstances", 6),
    ("RebootInstances", 4),
    ("TerminateInstances", 4),
    ("ModifyInstanceAttribute", 8),
    ("ModifyInstanceMetadataOptions", 3),
    ("ResetInstanceAttribute", 2),
    ("CreateKeyPair", 2),
    ("ImportKeyPair", 3),
    ("DeleteKeyPair", 2),
    ("CreateTags", 7),
    ("DeleteTags", 4),
    ("CreateInternetGateway", 3),
    ("DeleteInternetGateway", 3),
    ("CreateDhcpOptions", 4),
    ("DeleteDhcpOptions", 3),
    ("AssociateDhcpOptions", 3),
    ("CreateNetworkInsightsPath", 5),
    ("DeleteNetworkInsightsPath", 2),
    ("StartNetworkInsightsAnalysis", 7),
    ("DeleteNetworkInsightsAnalysis", 4),
];

fn family(action: &str) -> Option<&'static Family> {
    NETWORKS.iter().find(|family| family.actions.iter().any(|(known, _)| *known == action))
}

impl Chooser<'_> {
    /// A call that writes, not spoilt yet.
    pub fn write(&mut self) -> Call {
        if let Some(call) = self.lacking() {
            return call;
        }
        let mut action = self.action();
        while !self.has_what_it_takes(action) && !self.dice.once_in(8) {
            action = self.action();
        }
        let mut call = self.of(action);
        if self.dice.once_in(12) {
            call.params.set("DryRun", self.dice.pick(&["true", "True", "1", "false"]));
        }
        call
    }

    fn action(&mut self) -> &'static str {
        let mut all: Vec<(&str, usize)> = Vec::new();
        let mut add = |actions: &[(&'static str, usize)], times: usize| {
            all.extend(actions.iter().map(|(action, weight)| (*action, weight * times)));
        };
        add(WEIGHTS, self.theme.weight(None));
        for (at, family) in NETWORKS.iter().enumerate() {
            add(family.actions, self.theme.weight(Some(at)));
        }
        let total: usize = all.iter().map(|(_, weight)| weight).sum();
        let mut left = self.dice.below(total);
        for (action, weight) in all {
            if left < weight {
                return action;
            }
            left -= weight;
        }
        unreachable!("the weights have a sum")
    }

    /// Whether the account has anything that the action is about.
    fn has_what_it_takes(&self, action: &str) -> bool {
        if let Some(family) = family(action) {
            return (family.has_what_it_takes)(self, action);
        }
        let some = |prefix: &str| !self.own(self.who, prefix).is_empty();
        let any = |states: &[State]| {
            self.world.instances.iter().any(|one| one.who == self.who && states.contains(&one.state))
        };
        match action {
            "AssociateAddress" => some("eipalloc") && any(&[State::Pending, State::Running, State::Stopped]),
            "DisassociateAddress" => some("eipassoc"),
            "ReleaseAddress"
            | "ModifyAddressAttribute"
            | "ResetAddressAttribute"
            | "EnableAddressTransfer" => some("eipalloc"),
            "DisableAddressTransfer" | "AcceptAddressTransfer" => self.has_transfer(action),
            "DeleteSecurityGroup" => self.own(self.who, "sg").len() > 1,
            "StartInstances" => any(&[State::Stopped]),
            "StopInstances" | "RebootInstances" => any(&[State::Running]),
            "TerminateInstances"
            | "ModifyInstanceAttribute"
            | "ModifyInstanceMetadataOptions"
            | "ResetInstanceAttribute"
            | "CreateNetworkInsightsPath" => any(&[State::Pending, State::Running, State::Stopped]),
            "DeleteKeyPair" => some("key"),
            "DeleteInternetGateway" => self.own(self.who, "igw").len() > 1,
            "DeleteDhcpOptions" => self.own(self.who, "dopt").len() > 1,
            "DeleteNetworkInsightsPath" | "StartNetworkInsightsAnalysis" => some("nip"),
            "DeleteNetworkInsightsAnalysis" => some("nia"),
            _ => true,
        }
    }

    fn of(&mut self, action: &'static str) -> Call {
        let call = Call::new(self.who, action);
        if let Some(family) = family(action) {
            return (family.choose)(self, call);
        }
        match action {
            "AllocateAddress" => self.allocate(call),
            "AssociateAddress" => self.associate(call),
            "DisassociateAddress" => self.disassociate(call),
            "ReleaseAddress" => self.address(call),
            "CreateSecurityGroup" => self.group(call),
            "DeleteSecurityGroup" => match self.named_by_others() {
                Some(id) if self.dice.once_in(3) => call.with("GroupId", id),
                _ if self.dice.once_in(2) => {
                    let unused = self.unused_groups();
                    let id = self.mostly(unused, "sg");
                    call.with("GroupId", id)
                }
                _ => self.named_group(call),
            },
            "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
                permits::authorize(self, call)
            }
            "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => permits::revoke(self, call),
            "ModifySecurityGroupRules" => edits::modifying(self, call),
            "UpdateSecurityGroupRuleDescriptionsIngress" | "UpdateSecurityGroupRuleDescriptionsEgress" => {
                edits::describing(self, call)
            }
            "ModifyAddressAttribute"
            | "ResetAddressAttribute"
            | "EnableAddressTransfer"
            | "DisableAddressTransfer"
            | "AcceptAddressTransfer" => self.handing(call),
            "RunInstances" => launches::run(self, call),
            "StartInstances" | "StopInstances" | "RebootInstances" | "TerminateInstances" => {
                launches::power(self, call)
            }
            "ModifyInstanceAttribute" | "ModifyInstanceMetadataOptions" | "ResetInstanceAttribute" => {
                attributes::choose(self, call)
            }
            "CreateKeyPair" | "ImportKeyPair" => self.key(call),
            "DeleteKeyPair" => self.delete_key(call),
            "CreateTags" | "DeleteTags" => self.tags_of_resources(call),
            "CreateInternetGateway"
            | "DeleteInternetGateway"
            | "CreateDhcpOptions"
            | "DeleteDhcpOptions"
            | "AssociateDhcpOptions" => gateways::choose(self, call),
            "CreateNetworkInsightsPath" => self.path(call),
            "StartNetworkInsightsAnalysis" => {
                let id = self.id("nip");
                let call = self.token(call.with("NetworkInsightsPathId", id));
                self.with_tags(call, "network-insights-analysis")
            }
            "DeleteNetworkInsightsPath" => {
                let id = self.id("nip");
                call.with("NetworkInsightsPathId", id)
            }
            _ => {
                let id = self.id("nia");
                call.with("NetworkInsightsAnalysisId", id)
            }
        }
    }

    /// Groups that nothing needs.
    fn unused_groups(&self) -> Vec<String> {
        let unused = |group: &&Group| {
            let has = |one: &Interface| one.groups.contains(&group.id);
            let named = |rule: &Rule| matches!(&rule.peer, Peer::Group(id, _) if *id == group.id);
            let own = group.who == self.who && group.name != "default";
            own && !self.world.interfaces.iter().any(has) && !self.world.rules.iter().any(named)
        };
        self.world.groups.iter().filter(unused).map(|group| group.id.clone()).collect()
    }

    /// A group, not the default one, that a rule of another group names.
    fn named_by_others(&self) -> Option<String> {
        let named = |group: &&Group| {
            let by = |rule: &Rule| {
                rule.group != group.id && matches!(&rule.peer, Peer::Group(id, _) if *id == group.id)
            };
            group.who == self.who && group.name != "default" && self.world.rules.iter().any(by)
        };
        self.world.groups.iter().find(named).map(|group| group.id.clone())
    }

    /// `name.1`, `name.2`; or from 0, with gaps, or the name alone for a single one.
    pub fn listed(&mut self, mut call: Call, name: &str, values: &[String]) -> Call {
        if values.len() == 1 && self.dice.once_in(8) {
            return call.with(name, &values[0]);
        }
        let indexes = self.indexes(values.len());
        for (index, value) in indexes.iter().zip(values) {
            call.params.set(format!("{name}.{index}"), value);
        }
        call
    }

    /// Growing numbers for the entries of a list.
    pub fn indexes(&mut self, count: usize) -> Vec<usize> {
        let (first, step) = *self.dice.pick(&[(1, 1), (1, 1), (1, 1), (0, 1), (3, 4), (9, 1)]);
        (0..count).map(|at| first + at * step).collect()
    }

    pub fn with_tags(&mut self, mut call: Call, kind: &str) -> Call {
        if !self.dice.once_in(4) {
            return call;
        }
        let kind = if self.dice.once_in(15) { "vpc" } else { kind };
        call.params.set("TagSpecification.1.ResourceType", kind);
        let count = self.dice.below(3);
        for index in self.indexes(count + 1) {
            let (key, value) = self.tag();
            call.params.set(format!("TagSpecification.1.Tag.{index}.Key"), key);
            call.params.set(format!("TagSpecification.1.Tag.{index}.Value"), value);
        }
        call
    }

    fn tag(&mut self) -> (String, String) {
        let long = if self.dice.once_in(2) { 128 } else { 129 };
        let key = match self.dice.below(30) {
            0 => (*self.dice.pick(&["aws:x", "AWS:Name"])).to_owned(),
            1 => "k".repeat(long),
            2 => format!("k{}", self.dice.below(60)),
            _ => (*self.dice.pick(TAGS)).to_owned(),
        };
        let value = if self.dice.once_in(30) {
            "é".repeat(128 + long)
        } else {
            (*self.dice.pick(VALUES)).to_owned()
        };
        (key, value)
    }

    pub fn token(&mut self, call: Call) -> Call {
        if !self.dice.once_in(3) {
            return call;
        }
        // The same call again, or another one with its token.
        let same =
            |old: &&Call| old.who == self.who && old.action == call.action && old.params.has("ClientToken");
        let earlier: Vec<&Call> = self.before.iter().filter(same).collect();
        if !earlier.is_empty() && self.dice.once_in(2) {
            let old = (*self.dice.pick(&earlier)).clone();
            if self.dice.once_in(2) {
                let token = old.params.one("ClientToken").unwrap().to_owned();
                return call.with("ClientToken", token);
            }
            let mut again = Call { spoilt: None, ..old };
            again.params.0.reverse();
            again.params.0.retain(|(name, _)| name != "DryRun");
            return again;
        }
        let token = format!("token-{}", self.dice.below(1000));
        call.with("ClientToken", token)
    }

    fn group(&mut self, mut call: Call) -> Call {
        let bad = ["sg-1", "default", "DEFAULT", "schön", "a<b"];
        let name = match self.dice.below(12) {
            0 => (*self.dice.pick(&bad)).to_owned(),
            1 => "n".repeat(254 + self.dice.below(3)),
            2 => format!("{}  ", self.dice.pick(NAMES)),
            _ => (*self.dice.pick(NAMES)).to_owned(),
        };
        call.params.set("GroupName", name);
        call.params.set(
            "GroupDescription",
            self.dice.pick(&["what for", "a-z (0)", "x", "x", "x", "x", "x", "x", "x", "ü"]),
        );
        if self.dice.once_in(5) {
            let vpc = self.id("vpc");
            call.params.set("VpcId", vpc);
        }
        self.with_tags(call, "security-group")
    }

    /// GroupId or GroupName; sometimes both or none.
    pub fn named_group(&mut self, mut call: Call) -> Call {
        let style = self.dice.below(24);
        if style != 0 && style < 17 {
            let id = self.id("sg");
            call.params.set("GroupId", id);
        }
        if style == 1 || style >= 17 {
            let name = self.group_name();
            call.params.set("GroupName", name);
        }
        call
    }

    pub fn group_name(&mut self) -> String {
        let known: Vec<String> = self.world.groups.iter().map(|group| group.name.clone()).collect();
        if self.dice.once_in(10) { "Default".into() } else { self.dice.pick(&known).clone() }
    }

    fn tags_of_resources(&mut self, call: Call) -> Call {
        let there: Vec<_> = self.world.tags.iter().filter(|tag| tag.who == self.who).collect();
        if call.action == "DeleteTags" && !there.is_empty() && self.dice.once_in(2) {
            // One that is there, with its own value, another one or any.
            let tag = *self.dice.pick(&there);
            let call = call.with("ResourceId.1", &tag.resource).with("Tag.1.Key", &tag.key);
            return match self.dice.below(3) {
                0 => call,
                1 => call.with("Tag.1.Value", &tag.value),
                _ => call.with("Tag.1.Value", self.dice.pick(VALUES)),
            };
        }
        let own = self.world.resources(self.who);
        let some = |chooser: &mut Self| match chooser.dice.below(24) {
            0 => {
                let kind =
                    chooser.dice.pick(&["eipalloc", "i", "key", "eni", "sg", "sgr", "subnet", "vpc", "nip"]);
                format!("{kind}-0123456789abcdef0")
            }
            1 => chooser.world.image.clone(),
            2 => chooser.dice.pick(&chooser.world.resources(1 - chooser.who)).clone(),
            _ => chooser.dice.pick(&own).clone(),
        };
        let count = [0, 1, 1, 1, 1, 1, 2, 3][self.dice.below(8)];
        let resources: Vec<String> = (0..count).map(|_| some(self)).collect();
        let mut call = self.listed(call, "ResourceId", &resources);
        if call.action == "CreateTags" && self.dice.once_in(20) {
            for index in 1..=50 {
                call.params.set(format!("Tag.{index}.Key"), format!("k{index}"));
                call.params.set(format!("Tag.{index}.Value"), index);
            }
            return call;
        }
        let count = [0, 1, 1, 1, 2, 2][self.dice.below(6)];
        for index in self.indexes(count) {
            let (key, value) = self.tag();
            call.params.set(format!("Tag.{index}.Key"), key);
            if call.action == "CreateTags" || self.dice.once_in(2) {
                call.params.set(format!("Tag.{index}.Value"), value);
            }
        }
        call
    }
}
