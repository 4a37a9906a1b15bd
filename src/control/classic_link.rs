//! DescribeVpcClassicLink and DescribeVpcClassicLinkDnsSupport, which Terraform asks of every VPC: no VPC has either.

use std::sync::Arc;

use super::page::Page;
use super::{View, defaults, filter, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::{ResourceId, VpcId};
use crate::world::Vpc;

/// The caller's VPCs with these ids, or all of them, by id.
fn wanted<'w>(view: &View<'w>, ids: &[VpcId]) -> Result<Vec<&'w Arc<Vpc>>, Fault> {
    let owner = &view.caller.owner;
    let absent = |id: &&VpcId| view.world.vpcs.get(*id).is_none_or(|vpc| vpc.owner != *owner);
    if let Some(id) = ids.iter().find(absent) {
        return Err(FaultCode::InvalidVpcIDNotFound.with(format!("The vpc ID '{id}' does not exist")));
    }
    let own = defaults::vpcs_of(view.world, owner);
    Ok(own.filter(|vpc| ids.is_empty() || ids.contains(&vpc.id)).collect())
}

pub fn describe_vpc_classic_link(
    view: &View,
    request: &DescribeVpcClassicLinkRequest,
) -> Result<DescribeVpcClassicLinkResponse, Fault> {
    let told = |vpc: &&Arc<Vpc>| output::VpcClassicLink {
        vpc_id: vpc.id,
        classic_link_enabled: false,
        tag_set: tags::set_of(view.world, ResourceId::Vpc(vpc.id)),
    };
    let vpcs = wanted(view, &request.vpc_ids)?;
    let matching = vpcs.iter().filter(|vpc| {
        filter::matches(view.world, Some(ResourceId::Vpc(vpc.id)), &request.filters, |_| vec!["false".into()])
    });
    Ok(DescribeVpcClassicLinkResponse { vpcs: matching.map(told).collect() })
}

pub fn describe_vpc_classic_link_dns_support(
    view: &View,
    request: &DescribeVpcClassicLinkDnsSupportRequest,
) -> Result<DescribeVpcClassicLinkDnsSupportResponse, Fault> {
    let vpcs = wanted(view, &request.vpc_ids)?;
    let page =
        Page { max_results: request.max_results, next_token: request.next_token.as_deref(), filters: &[] };
    let (found, next_token) = page.cut(vpcs.into_iter(), |vpc| vpc.id.to_string())?;
    let told = found
        .into_iter()
        .map(|vpc| output::ClassicLinkDnsSupport { vpc_id: vpc.id, classic_link_dns_supported: false });
    Ok(DescribeVpcClassicLinkDnsSupportResponse { vpcs: told.collect(), next_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;
    use crate::query::Filter;

    #[test]
    fn no_vpc_is_linked_and_none_is_found_that_is() {
        let bench = Bench::small();
        let id = *bench.world.vpcs.keys().next().unwrap();
        let linked = |value: &str| {
            let filters = vec![Filter { name: "is-classic-link-enabled".into(), values: vec![value.into()] }];
            let request = DescribeVpcClassicLinkRequest { filters, ..Default::default() };
            describe_vpc_classic_link(&bench.view(), &request).unwrap().vpcs
        };
        let told = output::VpcClassicLink { vpc_id: id, classic_link_enabled: false, tag_set: vec![] };
        assert_eq!(linked("false"), vec![told]);
        assert_eq!(linked("true"), vec![]);
        let other = DescribeVpcClassicLinkDnsSupportRequest {
            vpc_ids: vec![VpcId::from_random(9)],
            ..Default::default()
        };
        let fault = describe_vpc_classic_link_dns_support(&bench.view(), &other).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidVpcIDNotFound);
        let own = DescribeVpcClassicLinkDnsSupportRequest { vpc_ids: vec![id], ..Default::default() };
        let told = describe_vpc_classic_link_dns_support(&bench.view(), &own).unwrap().vpcs;
        assert_eq!(
            told,
            vec![output::ClassicLinkDnsSupport { vpc_id: id, classic_link_dns_supported: false }]
        );
    }
}
