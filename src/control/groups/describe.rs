//! DescribeSecurityGroups: a group's rules merged into EC2's permissions.

use std::sync::Arc;

use super::find;
use crate::control::{View, filter, rules, tags};
use crate::query::api::*;
use crate::query::{Fault, Filter};
use crate::types::*;
use crate::world::{Group, Rule};

pub fn describe_security_groups(
    view: &View,
    request: &DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResponse, Fault> {
    let mut wanted: Vec<GroupId> = Vec::new();
    for id in &request.group_ids {
        wanted.push(find::by_id(view, *id)?.id);
    }
    for name in &request.group_names {
        wanted.push(find::by_name(view, name)?.id);
    }
    let groups = find::of_caller(view)
        .into_iter()
        .filter(|group| wanted.is_empty() || wanted.contains(&group.id))
        .filter(|group| matches(view, group, &request.filters));
    let (groups, next_token) = request.page().cut(groups, |group| group.id.to_string())?;
    let security_groups = groups.into_iter().map(|group| describe(view, group)).collect();
    Ok(DescribeSecurityGroupsResponse { security_groups, next_token })
}

fn describe(view: &View, group: &Group) -> output::SecurityGroup {
    let permissions = |direction| {
        let rules = view.world.rules_of(group.id).filter(|rule| rule.direction == direction);
        rules::permissions(
            view.world,
            group.id,
            rules.map(|rule| (rule.traffic, &rule.target, rule.description.as_deref())),
        )
    };
    output::SecurityGroup {
        owner_id: group.owner.account,
        group_id: group.id,
        group_name: group.name.to_string(),
        description: group.description.to_string(),
        vpc_id: group.vpc,
        security_group_arn: super::arn(&group.owner, group.id),
        ip_permissions: permissions(Direction::Ingress),
        ip_permissions_egress: permissions(Direction::Egress),
        tags: tags::set_of(view.world, ResourceId::SecurityGroup(group.id)),
    }
}

fn matches(view: &View, group: &Group, filters: &[Filter]) -> bool {
    let resource = Some(ResourceId::SecurityGroup(group.id));
    filter::matches(view.world, resource, filters, |name| match name {
        "description" => vec![group.description.to_string()],
        "group-id" => vec![group.id.to_string()],
        "group-name" => vec![group.name.to_string()],
        "owner-id" => vec![group.owner.account.to_string()],
        "vpc-id" => vec![group.vpc.to_string()],
        _ => {
            let (direction, field) = match name.strip_prefix("egress.") {
                Some(rest) => (Direction::Egress, rest),
                None => (Direction::Ingress, name),
            };
            let rules = view.world.rules_of(group.id).filter(|rule| rule.direction == direction);
            rules.filter_map(|rule| rule_value(view, rule, field)).collect()
        }
    })
}

/// What one rule answers to an `ip-permission.` filter.
fn rule_value(view: &View, rule: &Arc<Rule>, field: &str) -> Option<String> {
    let ports = rule.traffic.ports();
    match (field.strip_prefix("ip-permission.")?, &rule.target) {
        ("protocol", _) => Some(rule.traffic.protocol().to_string()),
        ("from-port", _) => ports.map(|(from, _)| from.to_string()),
        ("to-port", _) => ports.map(|(_, to)| to.to_string()),
        ("cidr", RuleTarget::Cidr4(cidr)) => Some(cidr.to_string()),
        ("ipv6-cidr", RuleTarget::Cidr6(cidr)) => Some(cidr.to_string()),
        ("group-id", RuleTarget::Group { group, .. }) => Some(group.to_string()),
        ("user-id", RuleTarget::Group { account, .. }) => Some(account.to_string()),
        ("group-name", RuleTarget::Group { group, .. }) => {
            view.world.groups.get(group).map(|group| group.name.to_string())
        }
        ("prefix-list-id", RuleTarget::PrefixList(list)) => Some(list.to_string()),
        _ => None,
    }
}
