//! The groups of one VPC, and what peering connections make of them.

use std::collections::BTreeSet;

use super::find;
use crate::control::{View, filter, peerings, rules, tags};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::{Direction, ResourceId, RuleId, RuleTarget};
use crate::world::{Group, World};

/// The VPCs whose rules name the groups over an active peering connection.
pub fn describe_security_group_references(
    view: &View,
    request: &DescribeSecurityGroupReferencesRequest,
) -> Result<DescribeSecurityGroupReferencesResponse, Fault> {
    let world = view.world;
    let mut found = BTreeSet::new();
    for id in &request.group_ids {
        let group = find::by_id(view, *id)?;
        let naming = world.index.rules_by_target.range((group.id, RuleId::from_random(0))..);
        let rules =
            naming.take_while(|(of, _)| *of == group.id).filter_map(|(_, rule)| world.rules.get(rule));
        for rule in rules {
            let over = peerings::over(world, rule.group, group.id).filter(|over| !over.is_stale());
            let vpc = world.groups.get(&rule.group).map(|row| row.vpc);
            found.extend(over.and_then(|over| Some((group.id, vpc?, over.peering?))));
        }
    }
    let reference = |(group_id, referencing_vpc_id, vpc_peering_connection_id)| {
        output::SecurityGroupReference { group_id, referencing_vpc_id, vpc_peering_connection_id }
    };
    let security_group_reference_set = found.into_iter().map(reference).collect();
    Ok(DescribeSecurityGroupReferencesResponse { security_group_reference_set })
}

/// "A stale security group rule is a rule that references a deleted security group in [...] the peer VPC, or that references a
/// security group in a peer VPC for which the VPC peering connection has been deleted"
/// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html>).
pub fn describe_stale_security_groups(
    view: &View,
    request: &DescribeStaleSecurityGroupsRequest,
) -> Result<DescribeStaleSecurityGroupsResponse, Fault> {
    let vpc = super::vpc(view, Some(request.vpc_id))?;
    let stale = find::in_vpc(view.world, vpc.id).filter_map(|group| stale(view.world, group));
    let (stale_security_group_set, next_token) =
        request.page().cut(stale, |group| group.group_id.to_string())?;
    Ok(DescribeStaleSecurityGroupsResponse { stale_security_group_set, next_token })
}

/// `None` for a group whose rules all mean somebody.
fn stale(world: &World, group: &Group) -> Option<output::StaleSecurityGroup> {
    let mut permissions = [Vec::new(), Vec::new()];
    for rule in world.rules_of(group.id) {
        let RuleTarget::Group { group: named, account } = rule.target else { continue };
        if !peerings::over(world, group.id, named).is_some_and(|over| over.is_stale()) {
            continue;
        }
        let ports = rule.traffic.ports();
        let description = rule.description.as_deref().map(str::to_owned);
        permissions[usize::from(rule.direction == Direction::Egress)].push(output::StaleIpPermission {
            ip_protocol: rule.traffic.protocol().to_string(),
            from_port: ports.map(|(from, _)| from),
            to_port: ports.map(|(_, to)| to),
            groups: vec![rules::pair(world, group.id, (named, account), description)],
        });
    }
    let [stale_ip_permissions, stale_ip_permissions_egress] = permissions;
    (!stale_ip_permissions.is_empty() || !stale_ip_permissions_egress.is_empty()).then(|| {
        output::StaleSecurityGroup {
            description: group.description.to_string(),
            group_id: group.id,
            group_name: group.name.to_string(),
            stale_ip_permissions,
            stale_ip_permissions_egress,
            vpc_id: group.vpc,
        }
    })
}

pub fn get_security_groups_for_vpc(
    view: &View,
    request: &GetSecurityGroupsForVpcRequest,
) -> Result<GetSecurityGroupsForVpcResponse, Fault> {
    let vpc = super::vpc(view, Some(request.vpc_id))?;
    let matching = find::in_vpc(view.world, vpc.id).filter(|group| {
        let resource = Some(ResourceId::SecurityGroup(group.id));
        filter::matches(view.world, resource, &request.filters, |name| match name {
            "description" => vec![group.description.to_string()],
            "group-id" => vec![group.id.to_string()],
            "group-name" => vec![group.name.to_string()],
            "owner-id" => vec![group.owner.account.to_string()],
            "primary-vpc-id" => vec![group.vpc.to_string()],
            _ => Vec::new(),
        })
    });
    let (groups, next_token) = request.page().cut(matching, |group| group.id.to_string())?;
    let shape = |group: &std::sync::Arc<crate::world::Group>| output::SecurityGroupForVpc {
        description: group.description.to_string(),
        group_name: group.name.to_string(),
        owner_id: group.owner.account,
        group_id: group.id,
        tags: tags::set_of(view.world, ResourceId::SecurityGroup(group.id)),
        primary_vpc_id: group.vpc,
    };
    let security_group_for_vpcs = groups.into_iter().map(shape).collect();
    Ok(GetSecurityGroupsForVpcResponse { security_group_for_vpcs, next_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::groups::create_security_group;
    use crate::control::testing::Bench;
    use crate::query::{FaultCode, Filter};
    use crate::types::VpcId;

    fn ask(max: Option<i64>, token: Option<String>, filters: Vec<Filter>) -> GetSecurityGroupsForVpcRequest {
        GetSecurityGroupsForVpcRequest {
            dry_run: false,
            filters,
            vpc_id: VpcId::from_random(0),
            max_results: max,
            next_token: token,
        }
    }

    #[test]
    fn a_vpcs_groups_come_page_by_page_and_those_of_another_vpc_never() {
        let mut bench = Bench::small();
        let vpc = *bench.world.vpcs.keys().next().unwrap();
        for n in 0..11 {
            let request = CreateSecurityGroupRequest {
                dry_run: false,
                group_name: format!("g{n}"),
                description: "d".into(),
                vpc_id: None,
                tag_specifications: vec![],
            };
            bench.attempt(|decision| create_security_group(decision, &request)).unwrap();
        }
        let (mut seen, mut token, mut pages) = (Vec::new(), None, 0);
        loop {
            let request = GetSecurityGroupsForVpcRequest { vpc_id: vpc, ..ask(Some(5), token, vec![]) };
            let answer = get_security_groups_for_vpc(&bench.view(), &request).unwrap();
            seen.extend(answer.security_group_for_vpcs.into_iter().map(|group| group.group_name));
            pages += 1;
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        seen.sort();
        assert_eq!((pages, seen.len()), (3, 12));
        seen.dedup();
        assert_eq!(seen.len(), 12, "none twice");
        let named = Filter { name: "group-name".into(), values: vec!["g1*".into()] };
        let request = GetSecurityGroupsForVpcRequest { vpc_id: vpc, ..ask(None, None, vec![named]) };
        let found = get_security_groups_for_vpc(&bench.view(), &request).unwrap();
        assert_eq!(found.security_group_for_vpcs.len(), 2, "g1 and g10");
        let fault = get_security_groups_for_vpc(&bench.view(), &ask(None, None, vec![])).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidVpcIDNotFound);
    }
}
