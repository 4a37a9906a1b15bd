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
        let wanted = parse::known_permissions(&decision.view(), group, &permissions)?;
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
        &decision.world,
        group.id,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::defaults;
    use crate::control::rules::authorize_security_group_ingress;
    use crate::control::testing::Bench;
    use crate::world::Vpc;

    fn group(bench: &Bench) -> GroupId {
        *bench.world.groups.keys().next().unwrap()
    }

    fn http(cidrs: &[&str]) -> input::IpPermission {
        let range = |cidr: &&str| input::IpRange { cidr_ip: Some((*cidr).to_owned()), description: None };
        input::IpPermission {
            ip_protocol: Some("tcp".into()),
            from_port: Some(80),
            to_port: Some(80),
            ip_ranges: cidrs.iter().map(range).collect(),
            ..input::IpPermission::default()
        }
    }

    /// A bench whose group lets two networks in, and the ids of these rules.
    fn bench() -> (Bench, Vec<RuleId>) {
        let mut bench = Bench::small();
        let request = AuthorizeSecurityGroupIngressRequest {
            group_id: Some(group(&bench)),
            ip_permissions: vec![http(&["192.0.2.0/24", "198.51.100.0/24"])],
            tag_specifications: vec![input::TagSpecification {
                resource_type: Some("security-group-rule".into()),
                tags: vec![input::Tag { key: Some("a".into()), value: None }],
            }],
            ..AuthorizeSecurityGroupIngressRequest::default()
        };
        let made = bench.attempt(|decision| authorize_security_group_ingress(decision, &request)).unwrap();
        let ids = made.security_group_rules.iter().map(|rule| rule.security_group_rule_id).collect();
        (bench, ids)
    }

    fn attempt(
        bench: &mut Bench,
        ip_permissions: Vec<input::IpPermission>,
        security_group_rule_ids: Vec<RuleId>,
    ) -> Result<RevokeSecurityGroupIngressResponse, FaultCode> {
        let request = RevokeSecurityGroupIngressRequest {
            group_id: Some(group(bench)),
            ip_permissions,
            security_group_rule_ids,
            ..RevokeSecurityGroupIngressRequest::default()
        };
        bench
            .attempt(|decision| revoke_security_group_ingress(decision, &request))
            .map_err(|fault| fault.code)
    }

    #[test]
    fn by_id_all_go_or_none_and_their_tags_with_them() {
        let (mut bench, ids) = bench();
        let before = (bench.world.rules.len(), bench.world.tags.len());
        let unknown = RuleId::from_random(99);
        let fault = attempt(&mut bench, vec![], vec![ids[0], unknown]).unwrap_err();
        assert_eq!(fault, FaultCode::InvalidSecurityGroupRuleIdNotFound);
        assert_eq!((bench.world.rules.len(), bench.world.tags.len()), before);
        // Twice the same is once.
        let gone = attempt(&mut bench, vec![], vec![ids[0], ids[1], ids[0]]).unwrap();
        assert_eq!(gone.revoked_security_group_rules.len(), 2);
        assert_eq!((bench.world.rules.len(), bench.world.tags.len()), (before.0 - 2, before.1 - 2));
    }

    #[test]
    fn a_rule_of_the_other_direction_or_of_another_group_is_not_found() {
        let (mut bench, ids) = bench();
        let egress = bench.world.rules.values().find(|rule| rule.direction == Direction::Egress).unwrap().id;
        let fault = attempt(&mut bench, vec![], vec![egress]).unwrap_err();
        assert_eq!(fault, FaultCode::InvalidSecurityGroupRuleIdNotFound);
        let other: GroupId = "sg-0123456789abcdef0".parse().unwrap();
        let row = Group {
            id: other,
            name: "z".into(),
            ..(**bench.world.groups.get(&group(&bench)).unwrap()).clone()
        };
        bench.put(row);
        let request = RevokeSecurityGroupIngressRequest {
            group_id: Some(other),
            security_group_rule_ids: vec![ids[0]],
            ..RevokeSecurityGroupIngressRequest::default()
        };
        let fault = bench.attempt(|decision| revoke_security_group_ingress(decision, &request)).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidSecurityGroupRuleIdNotFound);
        assert!(bench.world.rules.contains_key(&ids[0]));
    }

    #[test]
    fn ids_and_permissions_do_not_go_together_and_nothing_is_not_everything() {
        let (mut bench, ids) = bench();
        let before = bench.world.rules.len();
        let both = attempt(&mut bench, vec![http(&["192.0.2.0/24"])], vec![ids[0]]);
        assert_eq!(both.unwrap_err(), FaultCode::InvalidParameterCombination);
        assert_eq!(attempt(&mut bench, vec![], vec![]).unwrap_err(), FaultCode::MissingParameter);
        assert_eq!(
            attempt(&mut bench, vec![http(&[])], vec![]).unwrap_err(),
            FaultCode::MissingParameter,
            "a permission without a peer"
        );
        assert_eq!(bench.world.rules.len(), before);
    }

    #[test]
    fn outside_the_default_vpc_one_unknown_rule_keeps_all() {
        let (mut bench, _) = bench();
        let vpc = defaults::vpc(&bench.world, &bench.caller.owner).unwrap().clone();
        bench.put(Vpc { is_default: false, ..(*vpc).clone() });
        let before = bench.world.rules.len();
        let fault = attempt(&mut bench, vec![http(&["192.0.2.0/24", "203.0.113.0/24"])], vec![]).unwrap_err();
        assert_eq!(fault, FaultCode::InvalidPermissionNotFound);
        assert_eq!(bench.world.rules.len(), before);
        attempt(&mut bench, vec![http(&["192.0.2.9/24"])], vec![]).unwrap();
        assert_eq!(bench.world.rules.len(), before - 1, "host bits are set to zero here, too");
    }

    #[test]
    fn what_a_new_group_lets_out_can_be_taken_back() {
        let mut bench = Bench::small();
        let id = group(&bench);
        let any = input::IpRange { cidr_ip: Some("0.0.0.0/0".into()), description: None };
        let request = RevokeSecurityGroupEgressRequest {
            dry_run: false,
            group_id: id,
            ip_permissions: vec![input::IpPermission {
                ip_protocol: Some("-1".into()),
                ip_ranges: vec![any],
                ..input::IpPermission::default()
            }],
            security_group_rule_ids: vec![],
        };
        bench.attempt(|decision| revoke_security_group_egress(decision, &request)).unwrap();
        assert!(bench.world.rules_of(id).all(|rule| rule.direction == Direction::Ingress));
    }
}
