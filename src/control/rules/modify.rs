//! ModifySecurityGroupRules, UpdateSecurityGroupRuleDescriptionsIngress and Egress: rules that are there, changed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::sync::Arc;

use super::describe;
use super::parse::{self, Wanted};
use crate::control::{Decision, View, groups};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Group, Rule, World};

/// The rows that are to be put, by id: a request may name each once.
type Rows = BTreeMap<RuleId, Rule>;

/// All rules change in one step, so that no packet meets a group that is half changed.
pub fn modify_security_group_rules(
    decision: &mut Decision,
    request: &ModifySecurityGroupRulesRequest,
) -> Result<ModifySecurityGroupRulesResponse, Fault> {
    let view = decision.view();
    let group = groups::by_id(&view, request.group_id)?;
    let mut rows = Rows::new();
    for update in &request.security_group_rules {
        let id = update.security_group_rule_id;
        let old = view.world.rules.get(&id).filter(|rule| rule.group == group.id);
        let old = old.ok_or_else(|| describe::not_found(id))?;
        let asked = update
            .security_group_rule
            .as_ref()
            .ok_or_else(|| missing("SecurityGroupRule.SecurityGroupRule"))?;
        let Wanted { traffic, target, description } = instead(&view, &group, old, asked)?;
        add(&mut rows, Rule { traffic, target, description, ..(**old).clone() })?;
    }
    check_distinct(&decision.world, &group, &rows)?;
    rows.into_values().for_each(|row| decision.put(row));
    Ok(ModifySecurityGroupRulesResponse { result: true })
}

fn missing(parameter: &str) -> Fault {
    FaultCode::MissingParameter.with(format!("The request must contain the parameter {parameter}"))
}

fn add(rows: &mut Rows, row: Rule) -> Result<(), Fault> {
    let id = row.id;
    match rows.insert(id, row) {
        None => Ok(()),
        Some(_) => Err(FaultCode::InvalidParameterValue
            .with(format!("The same security group rule must not appear multiple times: {id}"))),
    }
}

/// What a rule is to match from now on.
///
/// "When you modify a rule, you cannot change the rule's source type"
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/working-with-security-group-rules.html>).
fn instead(
    view: &View,
    group: &Group,
    old: &Rule,
    asked: &input::SecurityGroupRuleRequest,
) -> Result<Wanted, Fault> {
    let traffic = parse::traffic(asked.ip_protocol.as_deref(), asked.from_port, asked.to_port)?;
    let (cidr4, cidr6) = (asked.cidr_ipv4.as_deref(), asked.cidr_ipv6.as_deref());
    let target = match (cidr4, cidr6, asked.prefix_list_id, asked.referenced_group_id) {
        (Some(cidr), None, None, None) => RuleTarget::Cidr4(parse::cidr(Some(cidr), "CidrIpv4")?),
        (None, Some(cidr), None, None) => RuleTarget::Cidr6(parse::cidr(Some(cidr), "CidrIpv6")?),
        (None, None, Some(list), None) => RuleTarget::PrefixList(parse::listed(view, Some(list))?),
        (None, None, None, Some(id)) => named_group(view, group, old, id)?,
        (None, None, None, None) => {
            return Err(missing("CidrIpv4, CidrIpv6, PrefixListId or ReferencedGroupId"));
        }
        _ => {
            return Err(FaultCode::InvalidParameterCombination.with(
                "A rule has one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId, and no more",
            ));
        }
    };
    if discriminant(&target) != discriminant(&old.target) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "You may not change the type of the source or destination of a security group rule: revoke {} and \
             authorize another one",
            old.id
        )));
    }
    parse::one(traffic, target, asked.description.as_deref())
}

/// One of the caller's groups, or the one that the rule names already: whose it is cannot be said here,
/// and so nobody can ask for another account's.
fn named_group(view: &View, of: &Group, old: &Rule, id: GroupId) -> Result<RuleTarget, Fault> {
    if matches!(old.target, RuleTarget::Group { group, .. } if group == id) {
        return Ok(old.target.clone());
    }
    let group = groups::by_id(view, id)?;
    if !parse::same_network(view, of, &group) {
        return Err(FaultCode::InvalidGroupNotFound
            .with("You have specified two resources that belong to different networks."));
    }
    Ok(RuleTarget::Group { group: id, account: group.owner.account })
}

/// Two rules may change places; in the end no two of a direction are the same.
fn check_distinct(world: &World, group: &Group, rows: &Rows) -> Result<(), Fault> {
    let stay = world.rules_of(group.id).filter(|rule| !rows.contains_key(&rule.id)).map(|rule| &**rule);
    let mut seen = BTreeSet::new();
    for rule in stay.chain(rows.values()) {
        if !seen.insert((rule.direction, &rule.traffic, &rule.target)) {
            let (traffic, target) = (rule.traffic, rule.target.clone());
            let shown = Wanted { traffic, target, description: None };
            return Err(FaultCode::InvalidPermissionDuplicate
                .with(format!("the specified rule \"{shown}\" already exists")));
        }
    }
    let targets = |direction| {
        let of = seen.iter().filter(move |(way, ..)| *way == direction);
        of.map(|(_, _, target)| *target)
    };
    [Direction::Ingress, Direction::Egress]
        .into_iter()
        .try_for_each(|direction| super::check_count(world, targets(direction)))
}

pub fn update_security_group_rule_descriptions_ingress(
    decision: &mut Decision,
    request: &UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResponse, Fault> {
    let group = groups::named(&decision.view(), request.group_id, request.group_name.as_deref())?;
    let (permissions, rules) = (&request.ip_permissions, &request.security_group_rule_descriptions);
    describe_anew(decision, &group, Direction::Ingress, permissions, rules)?;
    Ok(UpdateSecurityGroupRuleDescriptionsIngressResponse { result: true })
}

pub fn update_security_group_rule_descriptions_egress(
    decision: &mut Decision,
    request: &UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResponse, Fault> {
    let group = groups::named(&decision.view(), request.group_id, request.group_name.as_deref())?;
    let (permissions, rules) = (&request.ip_permissions, &request.security_group_rule_descriptions);
    describe_anew(decision, &group, Direction::Egress, permissions, rules)?;
    Ok(UpdateSecurityGroupRuleDescriptionsEgressResponse { result: true })
}

/// "You can remove a description for a security group rule by omitting the description parameter in the
/// request" (API_UpdateSecurityGroupRuleDescriptionsIngress).
fn describe_anew(
    decision: &mut Decision,
    group: &Group,
    direction: Direction,
    permissions: &[input::IpPermission],
    descriptions: &[input::SecurityGroupRuleDescription],
) -> Result<(), Fault> {
    let view = decision.view();
    let rules: Vec<_> =
        view.world.rules_of(group.id).filter(|rule| rule.direction == direction).cloned().collect();
    let rows = match (permissions.is_empty(), descriptions.is_empty()) {
        (false, true) => by_match(&view, group, &rules, permissions)?,
        (true, false) => by_id(&rules, descriptions)?,
        (true, true) => return Err(missing("IpPermissions or SecurityGroupRuleDescription")),
        (false, false) => {
            return Err(FaultCode::InvalidParameterCombination.with(
                "Name the rules by SecurityGroupRuleDescription or by IpPermissions, but not by both",
            ));
        }
    };
    rows.into_values().for_each(|row| decision.put(row));
    Ok(())
}

fn by_match(
    view: &View,
    group: &Group,
    rules: &[Arc<Rule>],
    permissions: &[input::IpPermission],
) -> Result<Rows, Fault> {
    let mut rows = Rows::new();
    for Wanted { traffic, target, description } in parse::permissions(view, group, permissions)? {
        let rule = rules.iter().find(|rule| (rule.traffic, &rule.target) == (traffic, &target));
        let rule = rule.ok_or_else(|| {
            FaultCode::InvalidPermissionNotFound
                .with("The specified rule does not exist in this security group.")
        })?;
        add(&mut rows, Rule { description, ..(**rule).clone() })?;
    }
    Ok(rows)
}

fn by_id(rules: &[Arc<Rule>], descriptions: &[input::SecurityGroupRuleDescription]) -> Result<Rows, Fault> {
    let mut rows = Rows::new();
    for named in descriptions {
        let id = named
            .security_group_rule_id
            .ok_or_else(|| missing("SecurityGroupRuleDescription.SecurityGroupRuleId"))?;
        let rule = rules.iter().find(|rule| rule.id == id).ok_or_else(|| describe::not_found(id))?;
        let text = named.description.as_deref();
        text.map_or(Ok(()), |text| groups::check_description(text, "rule"))?;
        add(&mut rows, Rule { description: text.map(Into::into), ..(**rule).clone() })?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
