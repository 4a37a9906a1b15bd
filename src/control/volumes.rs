//! DescribeVolumes and what else asks for volumes: there are none. An instance lives on its host's disk, which EC2 calls
//! `instance-store`, and nothing is made up to please those who ask.

use super::View;
use super::page::Page;
use crate::query::api::*;
use crate::query::{Fault, FaultCode, Filter};
use crate::types::VolumeId;

/// A page of nothing.
///
/// # Errors
/// A volume was named, or the token is none of ours.
fn none<T>(
    ids: &[VolumeId],
    filters: &[Filter],
    max_results: Option<i64>,
    token: Option<&str>,
) -> Result<Vec<T>, Fault> {
    if let Some(id) = ids.first() {
        return Err(FaultCode::InvalidVolumeNotFound.with(format!("The volume '{id}' does not exist.")));
    }
    let page = Page { max_results, next_token: token, filters };
    page.cut(std::iter::empty(), |_| String::new()).map(|(found, _)| found)
}

pub fn describe_volumes(
    _view: &View,
    request: &DescribeVolumesRequest,
) -> Result<DescribeVolumesResponse, Fault> {
    let DescribeVolumesRequest { volume_ids, filters, max_results, next_token, .. } = request;
    let volumes = none(volume_ids, filters, *max_results, next_token.as_deref())?;
    Ok(DescribeVolumesResponse { volumes, next_token: None })
}

pub fn describe_volume_status(
    _view: &View,
    request: &DescribeVolumeStatusRequest,
) -> Result<DescribeVolumeStatusResponse, Fault> {
    let DescribeVolumeStatusRequest { volume_ids, filters, max_results, next_token, .. } = request;
    let volume_statuses = none(volume_ids, filters, *max_results, next_token.as_deref())?;
    Ok(DescribeVolumeStatusResponse { volume_statuses, next_token: None })
}

pub fn describe_volumes_modifications(
    _view: &View,
    request: &DescribeVolumesModificationsRequest,
) -> Result<DescribeVolumesModificationsResponse, Fault> {
    let DescribeVolumesModificationsRequest { volume_ids, filters, max_results, next_token, .. } = request;
    let volume_modifications = none(volume_ids, filters, *max_results, next_token.as_deref())?;
    Ok(DescribeVolumesModificationsResponse { volume_modifications, next_token: None })
}
