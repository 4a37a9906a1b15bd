//! Rules that change in place, by EC2's reference: ModifySecurityGroupRules, UpdateSecurityGroupRuleDescriptionsIngress
//! and Egress.

use super::call::{COMBINATION, Call, Code, Faults, MISSING, Params, VALUE};
use super::groups::{self, plain};
use super::permits;
use super::rules::{Wanted, cidr4, cidr6, traffic, wanted};
use super::steps::Chooser;
use super::tree::leaf;
use super::world::*;

const NO_RULE: Code = "InvalidSecurityGroupRuleId.NotFound";
const WITHIN: &str = "SecurityGroupRule.";

pub fn modify(world: &mut World, call: &Call) -> Outcome {
    let group = groups::find(world, call)?;
    let mut faults = Faults::default();
    let (mut rules, mut named) = (world.rules.clone(), Vec::new());
    for update in call.params.structures("SecurityGroupRule") {
        let id = update.one("SecurityGroupRuleId").map(str::to_owned);
        faults.add_if(named.contains(&id), VALUE);
        named.push(id.clone());
        let asked = within(&update);
        faults.add_if(asked.0.is_empty(), MISSING);
        let is_it = |rule: &&mut Rule| rule.group == group.id && rule.id == id;
        let Some(rule) = rules.iter_mut().find(is_it) else {
            faults.add(NO_RULE);
            continue;
        };
        let peer = faults.note_all(peer(world, call.who, rule, &asked));
        let traffic = faults.note(traffic(&asked));
        let description = asked.one("Description").map(str::to_owned);
        faults.add_if(description.as_deref().is_some_and(|text| !plain(text)), VALUE);
        if let (Some(peer), Some(traffic)) = (peer, traffic) {
            *rule = Rule { peer, traffic, description, ..rule.clone() };
        }
    }
    let after = World { rules: rules.clone(), ..world.clone() };
    let crowded = [false, true].iter().any(|egress| after.is_crowded_group(&group.id, *egress));
    faults.add_if(crowded, "RulesPerSecurityGroupLimitExceeded");
    faults.done()?;
    for (at, rule) in rules.iter().enumerate() {
        let same = |other: &Rule| {
            (&other.group, other.egress, &other.traffic, &other.peer)
                == (&rule.group, rule.egress, &rule.traffic, &rule.peer)
        };
        if rules[..at].iter().any(same) {
            return Err("InvalidPermission.Duplicate".into());
        }
    }
    world.rules = rules;
    Ok(vec![leaf("return", true)])
}

/// What an update says of its rule.
fn within(update: &Params) -> Params {
    let inner =
        |(name, value): &(String, String)| Some((name.strip_prefix(WITHIN)?.to_owned(), value.clone()));
    Params(update.0.iter().filter_map(inner).collect())
}

/// "When you modify a rule, you cannot change the rule's source type."
fn peer(world: &World, who: usize, old: &Rule, asked: &Params) -> Result<Peer, Faults> {
    let mut faults = Faults::default();
    let mut peers = Vec::new();
    if let Some(cidr) = asked.one("CidrIpv4") {
        faults.add_if(!matches!(old.peer, Peer::V4(_)), VALUE);
        peers.push(cidr4(Some(cidr)).map(Peer::V4));
    }
    if let Some(cidr) = asked.one("CidrIpv6") {
        faults.add_if(!matches!(old.peer, Peer::V6(_)), VALUE);
        peers.push(cidr6(Some(cidr)).map(Peer::V6));
    }
    if let Some(id) = asked.one("ReferencedGroupId") {
        faults.add_if(!matches!(old.peer, Peer::Group(..)), VALUE);
        let own = world.groups.iter().any(|group| group.who == who && group.id == id);
        let own = own && world.may_name(&old.group, id);
        peers.push(match &old.peer {
            // Another account's group may stay what it is.
            Peer::Group(same, _) if same == id => Ok(old.peer.clone()),
            _ if own => Ok(Peer::Group(id.to_owned(), who)),
            _ => Err("InvalidGroup.NotFound"),
        });
    }
    if let Some(id) = asked.one("PrefixListId") {
        faults.add_if(!matches!(old.peer, Peer::List(_)), VALUE);
        peers.push(world.own_list(who, Some(id)).map(|_| Peer::List(id.to_owned())));
    }
    faults.add_if(peers.is_empty(), MISSING);
    faults.add_if(peers.len() > 1, COMBINATION);
    let peers: Vec<_> = peers.into_iter().filter_map(|peer| faults.note(peer)).collect();
    faults.done().map(|()| peers[0].clone())
}

pub fn describe(world: &mut World, call: &Call, egress: bool) -> Outcome {
    let group = groups::find(world, call)?;
    let of = |rule: &Rule| rule.group == group.id && rule.egress == egress;
    let by_id = call.params.structures("SecurityGroupRuleDescription");
    let mut faults = Faults::default();
    // Places in the list of rules, and what is said of each.
    let mut said: Vec<(usize, Option<String>)> = Vec::new();
    match (by_id.is_empty(), call.params.structures("IpPermissions").is_empty()) {
        (true, true) => return Err(MISSING.into()),
        (false, false) => return Err(COMBINATION.into()),
        (true, false) => {
            for Wanted { traffic, peer, description } in wanted(world, call, egress, Some(&group))? {
                let same = |rule: &Rule| of(rule) && rule.traffic == traffic && rule.peer == peer;
                let at = world.rules.iter().position(same).ok_or("InvalidPermission.NotFound");
                said.extend(faults.note(at).map(|at| (at, description)));
            }
        }
        (false, true) => {
            for one in by_id {
                let (id, text) = (one.one("SecurityGroupRuleId"), one.one("Description").map(str::to_owned));
                faults.add_if(id.is_none(), MISSING);
                faults.add_if(text.as_deref().is_some_and(|text| !plain(text)), VALUE);
                let same = |rule: &Rule| of(rule) && id.is_some() && rule.id.as_deref() == id;
                let at = world.rules.iter().position(same).ok_or(NO_RULE);
                said.extend(faults.note(at).map(|at| (at, text)));
            }
        }
    }
    for (n, (at, _)) in said.iter().enumerate() {
        faults.add_if(said[..n].iter().any(|(other, _)| other == at), VALUE);
    }
    faults.done()?;
    said.into_iter().for_each(|(at, text)| world.rules[at].description = text);
    Ok(vec![leaf("return", true)])
}

/// A call that modifies rules: mostly to something else of their kind.
pub fn modifying(chooser: &mut Chooser, call: Call) -> Call {
    let id = chooser.id("sg");
    let mut call = call.with("GroupId", id.clone());
    let there: Vec<Rule> = chooser.world.rules.iter().filter(|rule| rule.group == id).cloned().collect();
    let count = chooser.dice.below(2) + 1;
    for index in chooser.indexes(count) {
        let at = format!("SecurityGroupRule.{index}");
        let rule =
            (!there.is_empty() && !chooser.dice.once_in(12)).then(|| chooser.dice.pick(&there).clone());
        let id = rule.as_ref().map_or_else(|| chooser.id("sgr"), |rule| rule.id.clone().unwrap());
        call.params.set(format!("{at}.SecurityGroupRuleId"), id);
        if chooser.dice.once_in(25) {
            continue;
        }
        let at = format!("{at}.{WITHIN}");
        permits::traffic(chooser, &mut call, &at);
        // Its own kind of peer, another one, two or none.
        let own = match rule.map(|rule| rule.peer) {
            Some(Peer::V4(_)) | None => 0,
            Some(Peer::V6(_)) => 1,
            Some(Peer::Group(..)) => 2,
            Some(Peer::List(_)) => 3,
        };
        let kinds = match chooser.dice.below(20) {
            0 => vec![],
            1 => vec![own, (own + 1) % 4],
            2 => vec![(own + 2) % 4],
            _ => vec![own],
        };
        for kind in kinds {
            let (name, value) = match kind {
                0 => ("CidrIpv4", permits::cidr(chooser)),
                1 => ("CidrIpv6", permits::cidr_v6(chooser)),
                3 => ("PrefixListId", chooser.id("pl")),
                _ => ("ReferencedGroupId", chooser.id("sg")),
            };
            call.params.set(format!("{at}{name}"), value);
        }
        permits::describe(chooser, &mut call, at.trim_end_matches('.'));
    }
    call
}

/// A call that describes rules anew.
pub fn describing(chooser: &mut Chooser, call: Call) -> Call {
    let egress = call.action.ends_with("Egress");
    let id = chooser.id("sg");
    let there = |rule: &&Rule| rule.group == id && rule.egress == egress;
    let there: Vec<Rule> = chooser.world.rules.iter().filter(there).cloned().collect();
    let mut call = call.with("GroupId", id.clone());
    let style = chooser.dice.below(20);
    let count = chooser.dice.below(2) + 1;
    if style < 10 {
        for index in chooser.indexes(count) {
            let at = format!("SecurityGroupRuleDescription.{index}");
            let rule =
                (!there.is_empty() && !chooser.dice.once_in(10)).then(|| chooser.dice.pick(&there).clone());
            let id = rule.map_or_else(|| chooser.id("sgr"), |rule| rule.id.unwrap());
            call.params.set(format!("{at}.SecurityGroupRuleId"), id);
            permits::describe(chooser, &mut call, &at);
        }
    }
    if style == 0 || (10..19).contains(&style) {
        for index in chooser.indexes(count) {
            let at = format!("IpPermissions.{index}");
            if there.is_empty() || chooser.dice.once_in(8) {
                permits::permission(chooser, &mut call, &at);
            } else {
                let rule = chooser.dice.pick(&there).clone();
                let peer = permits::same(chooser, &mut call, &rule, &at);
                permits::describe(chooser, &mut call, &peer);
            }
        }
    }
    call
}
