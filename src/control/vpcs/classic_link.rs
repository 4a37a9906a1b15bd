//! What is left of EC2-Classic: clients ask each VPC whether it is linked to it, and none is.

use std::sync::Arc;

use super::find;
use crate::control::{View, defaults, filter, tags};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::{ResourceId, VpcId};
use crate::world::Vpc;

/// The VPCs that are named, else all of the caller's.
fn named<'w>(view: &View<'w>, wanted: &[VpcId]) -> Result<Vec<&'w Arc<Vpc>>, Fault> {
    for id in wanted {
        find(view, *id)?;
    }
    let all = defaults::vpcs_of(view.world, &view.caller.owner);
    Ok(all.filter(|vpc| wanted.is_empty() || wanted.contains(&vpc.id)).collect())
}

pub fn describe_vpc_classic_link(
    view: &View,
    request: &DescribeVpcClassicLinkRequest,
) -> Result<DescribeVpcClassicLinkResponse, Fault> {
    let mut vpcs = named(view, &request.vpc_ids)?;
    vpcs.retain(|vpc| {
        filter::matches(view.world, Some(ResourceId::Vpc(vpc.id)), &request.filters, |name| match name {
            "is-classic-link-enabled" => vec!["false".into()],
            _ => Vec::new(),
        })
    });
    let vpcs = vpcs.into_iter().map(|vpc| output::VpcClassicLink {
        vpc_id: vpc.id,
        classic_link_enabled: false,
        tag_set: tags::set_of(view.world, ResourceId::Vpc(vpc.id)),
    });
    Ok(DescribeVpcClassicLinkResponse { vpcs: vpcs.collect() })
}

pub fn describe_vpc_classic_link_dns_support(
    view: &View,
    request: &DescribeVpcClassicLinkDnsSupportRequest,
) -> Result<DescribeVpcClassicLinkDnsSupportResponse, Fault> {
    let vpcs = named(view, &request.vpc_ids)?;
    let (found, next_token) = request.page().cut(vpcs.into_iter(), |vpc| vpc.id.to_string())?;
    let vpcs = found
        .into_iter()
        .map(|vpc| output::ClassicLinkDnsSupport { vpc_id: vpc.id, classic_link_dns_supported: false });
    Ok(DescribeVpcClassicLinkDnsSupportResponse { vpcs: vpcs.collect(), next_token })
}
