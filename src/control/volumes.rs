//! DescribeVolumes and what else asks for volumes: there are none. An instance lives on its host's disk, which EC2 calls
//! `instance-store`, and nothing is made up to please those who ask.

use super::View;
use crate::query::api::*;
use crate::query::{Fault, FaultCode, Page};
use crate::types::VolumeId;

/// A page of nothing.
///
/// # Errors
/// A volume was named, or the token is none of ours.
fn none<T>(ids: &[VolumeId], page: &Page<'_>) -> Result<Vec<T>, Fault> {
    if let Some(id) = ids.first() {
        return Err(FaultCode::InvalidVolumeNotFound.with(format!("The volume '{id}' does not exist.")));
    }
    page.cut(std::iter::empty(), |_| String::new()).map(|(found, _)| found)
}

pub fn describe_volumes(
    _view: &View,
    request: &DescribeVolumesRequest,
) -> Result<DescribeVolumesResponse, Fault> {
    let volumes = none(&request.volume_ids, &request.page())?;
    Ok(DescribeVolumesResponse { volumes, next_token: None })
}

pub fn describe_volume_status(
    _view: &View,
    request: &DescribeVolumeStatusRequest,
) -> Result<DescribeVolumeStatusResponse, Fault> {
    let volume_statuses = none(&request.volume_ids, &request.page())?;
    Ok(DescribeVolumeStatusResponse { volume_statuses, next_token: None })
}

pub fn describe_volumes_modifications(
    _view: &View,
    request: &DescribeVolumesModificationsRequest,
) -> Result<DescribeVolumesModificationsResponse, Fault> {
    let volume_modifications = none(&request.volume_ids, &request.page())?;
    Ok(DescribeVolumesModificationsResponse { volume_modifications, next_token: None })
}
