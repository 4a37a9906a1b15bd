//! DescribeSecurityGroupRules, and a rule as answers carry it.

use crate::control::{View, filter, groups, peerings, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode, Filter};
use crate::types::*;
use crate::world::{Rule, World};

pub fn describe_security_group_rules(
    view: &View,
    request: &DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResponse, Fault> {
    let wanted = &request.security_group_rule_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let mut rules: Vec<_> = groups::of_caller(view)
        .into_iter()
        .flat_map(|group| view.world.rules_of(group.id))
        .filter(|rule| wanted.is_empty() || wanted.contains(&rule.id))
        .filter(|rule| matches(view, rule, &request.filters))
        .collect();
    rules.sort_unstable_by_key(|rule| rule.id);
    let (rules, next_token) = request.page().cut(rules.into_iter(), |rule| rule.id.to_string())?;
    let security_group_rules = rules.into_iter().map(|row| rule(view.world, row)).collect();
    Ok(DescribeSecurityGroupRulesResponse { security_group_rules, next_token })
}

/// The caller's rule with this id.
pub fn find<'w>(view: &View<'w>, id: RuleId) -> Result<&'w Rule, Fault> {
    let rule = view.world.rules.get(&id).filter(|rule| rule.owner == view.caller.owner);
    rule.map(|rule| &**rule).ok_or_else(|| not_found(id))
}

pub fn not_found(id: RuleId) -> Fault {
    FaultCode::InvalidSecurityGroupRuleIdNotFound
        .with(format!("The security group rule ID '{id}' does not exist"))
}

fn matches(view: &View, rule: &Rule, filters: &[Filter]) -> bool {
    let resource = Some(ResourceId::SecurityGroupRule(rule.id));
    filter::matches(view.world, resource, filters, |name| match name {
        "group-id" => vec![rule.group.to_string()],
        "security-group-rule-id" => vec![rule.id.to_string()],
        _ => Vec::new(),
    })
}

/// EC2 answers -1 for ports that a protocol does not have, here and only here.
fn ports(traffic: Traffic) -> (i64, i64) {
    traffic.ports().unwrap_or((-1, -1))
}

fn cidrs(target: &RuleTarget) -> (Option<String>, Option<String>) {
    match target {
        RuleTarget::Cidr4(cidr) => (Some(cidr.to_string()), None),
        RuleTarget::Cidr6(cidr) => (None, Some(cidr.to_string())),
        RuleTarget::Group { .. } | RuleTarget::PrefixList(_) => (None, None),
    }
}

const fn list(target: &RuleTarget) -> Option<PrefixListId> {
    match target {
        RuleTarget::PrefixList(list) => Some(*list),
        _ => None,
    }
}

/// A rule as Authorize and Describe answer it.
pub fn rule(world: &World, rule: &Rule) -> output::SecurityGroupRule {
    let (from_port, to_port) = ports(rule.traffic);
    let (cidr_ipv4, cidr_ipv6) = cidrs(&rule.target);
    let referenced_group_info = match rule.target {
        RuleTarget::Group { group, account } => {
            let over = peerings::over(world, rule.group, group);
            Some(output::ReferencedSecurityGroup {
                group_id: group,
                user_id: account,
                vpc_id: over.and_then(|over| over.vpc),
                vpc_peering_connection_id: over.and_then(|over| over.peering),
                peering_status: over.map(|over| over.status.to_owned()),
            })
        }
        RuleTarget::Cidr4(_) | RuleTarget::Cidr6(_) | RuleTarget::PrefixList(_) => None,
    };
    let Owner { account, region } = &rule.owner;
    output::SecurityGroupRule {
        security_group_rule_id: rule.id,
        group_id: rule.group,
        group_owner_id: *account,
        is_egress: rule.direction == Direction::Egress,
        ip_protocol: rule.traffic.protocol().to_string(),
        from_port,
        to_port,
        cidr_ipv4,
        cidr_ipv6,
        prefix_list_id: list(&rule.target),
        referenced_group_info,
        description: rule.description.as_deref().map(str::to_owned),
        tags: tags::set_of(world, ResourceId::SecurityGroupRule(rule.id)),
        security_group_rule_arn: format!("arn:aws:ec2:{region}:{account}:security-group-rule/{}", rule.id),
    }
}

/// A rule as Revoke answers it.
pub fn revoked(rule: &Rule) -> output::RevokedSecurityGroupRule {
    let (from_port, to_port) = ports(rule.traffic);
    let (cidr_ipv4, cidr_ipv6) = cidrs(&rule.target);
    let referenced_group_id = match rule.target {
        RuleTarget::Group { group, .. } => Some(group),
        RuleTarget::Cidr4(_) | RuleTarget::Cidr6(_) | RuleTarget::PrefixList(_) => None,
    };
    output::RevokedSecurityGroupRule {
        security_group_rule_id: rule.id,
        group_id: rule.group,
        is_egress: rule.direction == Direction::Egress,
        ip_protocol: rule.traffic.protocol().to_string(),
        from_port,
        to_port,
        cidr_ipv4,
        cidr_ipv6,
        prefix_list_id: list(&rule.target),
        referenced_group_id,
        description: rule.description.as_deref().map(str::to_owned),
    }
}
