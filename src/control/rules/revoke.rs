//! RevokeSecurityGroupIngress and Egress.

use super::parse::{self, Flat, Wanted};
use super::{describe, merge};
use crate::control::{Decision, groups};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Group, Key, Rule, World};

pub fn revoke_security_group_ingress(
    decision: &mut Decision,
    request: &RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResponse, Fault> {
    let group = groups::named(&decision.view(), request.group_id, request.group_name.as_deref())?;
    let flat = Flat {
        protocol: request.ip_protocol.as_deref(),
        from_port: request.from_port,
        to_port: request.to_port,
        cidr: request.cidr_ip.as_deref(),
        source_name: request.source_security_group_name.as_deref(),
        source_owner: request.source_security_group_owner_id,
    };
    let named = Named { flat, permissions: &request.ip_permissions, ids: &request.security_group_rule_ids };
    let (unknown_ip_permissions, revoked_security_group_rules) =
        revoke(decision, &group, Direction::Ingress, &named)?;
    Ok(RevokeSecurityGroupIngressResponse {
        result: true,
        unknown_ip_permissions,
        revoked_security_group_rules,
    })
}

pub fn revoke_security_group_egress(
    decision: &mut Decision,
    request: &RevokeSecurityGroupEgressRequest,
) -> Result<RevokeSecurityGroupEgressResponse, Fault> {
    let group = groups::by_id(&decision.view(), request.group_id)?;
    let named = Named {
        flat: Flat::default(),
        permissions: &request.ip_permissions,
        ids: &request.security_group_rule_ids,
    };
    let (unknown_ip_permissions, revoked_security_group_rules) =
        revoke(decision, &group, Direction::Egress, &named)?;
    Ok(RevokeSecurityGroupEgressResponse {
        result: true,
        unknown_ip_permissions,
        revoked_security_group_rules,
    })
}

/// The rules as a request names them: by what they match, or by id.
struct Named<'a> {
    flat: Flat<'a>,
    permissions: &'a [input::IpPermission],
    ids: &'a [RuleId],
}

/// What could not be found and what was deleted.
type Revoked = (Vec<output::IpPermission>, Vec<output::RevokedSecurityGroupRule>);

fn revoke(
    decision: &mut Decision,
    group: &Group,
    direction: Direction,
    named: &Named,
) -> Result<Revoked, Fault> {
    let (mut found, unknown) = if named.ids.is_empty() {
        let permissions = named.flat.or(named.permissions)?;
        let wanted = parse::permissions(&decision.view(), group, &permissions)?;
        by_match(&decision.world, group, direction, wanted)?
    } else if named.permissions.is_empty() && named.flat.is_empty() {
        (by_id(&decision.world, group, direction, named.ids)?, Vec::new())
    } else {
        return Err(FaultCode::InvalidParameterCombination
            .with("Name the rules by SecurityGroupRuleId or by IpPermissions, but not by both"));
    };
    found.sort_unstable_by_key(|rule| rule.id);
    found.dedup_by_key(|rule| rule.id);
    for rule in &found {
        decision.untag_all(ResourceId::SecurityGroupRule(rule.id));
        decision.delete(Key::Rule(rule.id));
    }
    let unknown = merge::permissions(
        unknown.iter().map(|wanted| (wanted.traffic, &wanted.target, wanted.description.as_deref())),
    );
    Ok((unknown, found.iter().map(describe::revoked).collect()))
}

fn by_id(world: &World, group: &Group, direction: Direction, ids: &[RuleId]) -> Result<Vec<Rule>, Fault> {
    let find = |id: &RuleId| {
        let rule = world.rules.get(id);
        let rule = rule.filter(|rule| rule.group == group.id && rule.direction == direction);
        rule.map(|rule| (**rule).clone()).ok_or_else(|| describe::not_found(*id))
    };
    ids.iter().map(find).collect()
}

/// "For a default VPC, if the values you specify do not match the existing rule's values, no error is
/// returned, and the output describes the security group rules that were not revoked. For a
/// non-default VPC [...] an InvalidPermission.NotFound client error is returned, and no rules are
/// revoked" (API_RevokeSecurityGroupIngress).
fn by_match(
    world: &World,
    group: &Group,
    direction: Direction,
    wanted: Vec<Wanted>,
) -> Result<(Vec<Rule>, Vec<Wanted>), Fault> {
    let rules: Vec<_> = world.rules_of(group.id).filter(|rule| rule.direction == direction).collect();
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for wanted in wanted {
        match rules.iter().find(|rule| (&rule.traffic, &rule.target) == (&wanted.traffic, &wanted.target)) {
            Some(rule) => found.push((***rule).clone()),
            None => unknown.push(wanted),
        }
    }
    let in_default = world.vpcs.get(&group.vpc).is_some_and(|vpc| vpc.is_default);
    if !unknown.is_empty() && !in_default {
        return Err(FaultCode::InvalidPermissionNotFound
            .with("The specified rule does not exist in this security group."));
    }
    Ok((found, unknown))
}
