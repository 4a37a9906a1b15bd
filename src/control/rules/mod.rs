//! Rules of security groups: authorize, modify, revoke, describe.

mod describe;
mod merge;
mod modify;
mod parse;
mod revoke;

pub use describe::describe_security_group_rules;
pub use merge::{pair, permissions};
pub use modify::{
    modify_security_group_rules, update_security_group_rule_descriptions_egress,
    update_security_group_rule_descriptions_ingress,
};
pub use revoke::{revoke_security_group_egress, revoke_security_group_ingress};

use std::collections::BTreeSet;

use super::{Decision, View, groups, prefix_lists, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Group, Rule};
use parse::{Flat, Wanted};

pub fn authorize_security_group_ingress(
    decision: &mut Decision,
    request: &AuthorizeSecurityGroupIngressRequest,
) -> Result<AuthorizeSecurityGroupIngressResponse, Fault> {
    let group = groups::named(&decision.view(), request.group_id, request.group_name.as_deref())?;
    let flat = Flat {
        protocol: request.ip_protocol.as_deref(),
        from_port: request.from_port,
        to_port: request.to_port,
        cidr: request.cidr_ip.as_deref(),
        source_name: request.source_security_group_name.as_deref(),
        source_owner: request.source_security_group_owner_id,
    };
    let permissions = flat.or(&request.ip_permissions)?;
    let security_group_rules =
        authorize(decision, &group, Direction::Ingress, &permissions, &request.tag_specifications)?;
    Ok(AuthorizeSecurityGroupIngressResponse { result: true, security_group_rules })
}

pub fn authorize_security_group_egress(
    decision: &mut Decision,
    request: &AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResponse, Fault> {
    let group = groups::by_id(&decision.view(), request.group_id)?;
    let permissions = Flat::default().or(&request.ip_permissions)?;
    let security_group_rules =
        authorize(decision, &group, Direction::Egress, &permissions, &request.tag_specifications)?;
    Ok(AuthorizeSecurityGroupEgressResponse { result: true, security_group_rules })
}

/// Adds all of the permissions' rules; the first that cannot be fails the whole request.
fn authorize(
    decision: &mut Decision,
    group: &Group,
    direction: Direction,
    permissions: &[input::IpPermission],
    tag_specifications: &[input::TagSpecification],
) -> Result<Vec<output::SecurityGroupRule>, Fault> {
    let tags = tags::at_creation(tag_specifications, &["security-group-rule"], "security-group-rule")?;
    let wanted = parse::permissions(&decision.view(), group, permissions)?;
    check_new(decision, group.id, direction, &wanted)?;
    let mut made = Vec::with_capacity(wanted.len());
    for Wanted { traffic, target, description } in wanted {
        let id = decision.env.id(RuleId::from_random);
        let (owner, group, created) = (group.owner.clone(), group.id, decision.env.now);
        let row = Rule { id, owner, group, direction, traffic, target, description, created };
        decision.put(row.clone());
        decision.tag(ResourceId::SecurityGroupRule(id), &tags)?;
        made.push(describe::rule(&decision.world, &row));
    }
    Ok(made)
}

fn check_new(
    decision: &Decision,
    group: GroupId,
    direction: Direction,
    wanted: &[Wanted],
) -> Result<(), Fault> {
    fn key(new: &Wanted) -> (&Traffic, &RuleTarget) {
        (&new.traffic, &new.target)
    }
    let there: Vec<_> = decision.world.rules_of(group).filter(|rule| rule.direction == direction).collect();
    let asked: BTreeSet<_> = wanted.iter().map(key).collect();
    let same = there.iter().map(|rule| (&rule.traffic, &rule.target)).filter(|rule| asked.contains(rule));
    let taken: BTreeSet<_> = same.collect();
    if let Some(rule) = wanted.iter().find(|new| taken.contains(&key(new))) {
        return Err(FaultCode::InvalidPermissionDuplicate
            .with(format!("the specified rule \"{rule}\" already exists")));
    }
    let mut seen = BTreeSet::new();
    if let Some(new) = wanted.iter().find(|new| !seen.insert(key(new))) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("The same permission must not appear multiple times: \"{new}\"")));
    }
    let targets = there.iter().map(|rule| &rule.target).chain(wanted.iter().map(|new| &new.target));
    check_count(&decision.view(), targets)
}

/// "This quota is enforced separately for IPv4 rules and IPv6 rules"; "a rule that references a security group or
/// AWS-managed prefix list ID counts as one rule for IPv4 and one rule for IPv6"; one that references a customer's list, as
/// the maximum number of its entries (VPC User Guide, quotas).
///
/// # Errors
/// That is more than a group may have in one direction.
pub fn check_count<'t>(view: &View, targets: impl Iterator<Item = &'t RuleTarget>) -> Result<(), Fault> {
    let is_ipv6 = |list| view.world.prefix_lists.get(&list).is_some_and(|row| row.is_ipv6);
    let weights = |target: &RuleTarget| match target {
        RuleTarget::Cidr4(_) => (1, 0),
        RuleTarget::Cidr6(_) => (0, 1),
        RuleTarget::Group { .. } => (1, 1),
        RuleTarget::PrefixList(list) if is_ipv6(*list) => (0, prefix_lists::weight(view.world, *list)),
        RuleTarget::PrefixList(list) => (prefix_lists::weight(view.world, *list), 0),
    };
    let most = view.caller.quotas.rules_per_security_group;
    let (four, six) = targets
        .map(weights)
        .fold((0_usize, 0_usize), |(four, six), (v4, v6)| (four.saturating_add(v4), six.saturating_add(v6)));
    match four.max(six) <= most {
        true => Ok(()),
        false => Err(FaultCode::RulesPerSecurityGroupLimitExceeded.with(format!(
            "The maximum number of rules per security group has been reached: {most} in each direction"
        ))),
    }
}

#[cfg(test)]
mod tests;
