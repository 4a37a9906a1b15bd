//! The groups of one VPC, and what peering would make of them.

use super::find;
use crate::control::{View, filter, tags};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::ResourceId;

/// The VPCs that refer to the groups over a peering connection: none, for there is no peering.
pub fn describe_security_group_references(
    view: &View,
    request: &DescribeSecurityGroupReferencesRequest,
) -> Result<DescribeSecurityGroupReferencesResponse, Fault> {
    for id in &request.group_ids {
        find::by_id(view, *id)?;
    }
    Ok(DescribeSecurityGroupReferencesResponse { security_group_reference_set: Vec::new() })
}

/// A rule grows stale when the group that it names goes (refused: see `user_of`) or when the peering
/// connection between the two ends, of which there is none.
pub fn describe_stale_security_groups(
    view: &View,
    request: &DescribeStaleSecurityGroupsRequest,
) -> Result<DescribeStaleSecurityGroupsResponse, Fault> {
    super::vpc(view, Some(request.vpc_id))?;
    let (stale_security_group_set, next_token) = request
        .page()
        .cut(std::iter::empty(), |group: &output::StaleSecurityGroup| group.group_id.to_string())?;
    Ok(DescribeStaleSecurityGroupsResponse { stale_security_group_set, next_token })
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
