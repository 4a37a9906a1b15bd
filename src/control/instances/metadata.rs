//! ModifyInstanceMetadataOptions. The host's metadata service obeys from the next request on.

use super::super::{Decision, tags};
use super::attributes::alive;
use super::{find, options, shape};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::ResourceId;
use crate::world::{Instance, MetadataOptions};

pub fn modify_instance_metadata_options(
    decision: &mut Decision,
    request: &ModifyInstanceMetadataOptionsRequest,
) -> Result<ModifyInstanceMetadataOptionsResponse, Fault> {
    let row = find(&decision.view(), request.instance_id)?;
    alive(&row)?;
    let old = row.metadata;
    let enabled = |said: &Option<String>, old: bool| said.as_ref().map_or(old, |said| said == "enabled");
    let hop_limit = request.http_put_response_hop_limit.map_or(Ok(old.hop_limit), u8::try_from);
    let metadata = MetadataOptions {
        tokens_required: request.http_tokens.as_ref().map_or(old.tokens_required, |said| said == "required"),
        hop_limit: hop_limit.map_err(|_| {
            FaultCode::InvalidParameterValue.with("HttpPutResponseHopLimit is a number from 1 to 64")
        })?,
        enabled: enabled(&request.http_endpoint, old.enabled),
        instance_tags: enabled(&request.instance_metadata_tags, old.instance_tags),
    };
    if metadata.instance_tags {
        let tags = tags::of(&decision.world, ResourceId::Instance(row.id));
        tags.map(|tag| &tag.key).try_for_each(|key| options::served_tag(key))?;
    }
    let changed = Instance { metadata, ..(*row).clone() };
    let told = shape::metadata_options(&changed);
    decision.put(changed);
    Ok(ModifyInstanceMetadataOptionsResponse {
        instance_id: row.id,
        // The host is told now; EC2's word for that is `pending`, and clients wait for DescribeInstances to say `applied`.
        instance_metadata_options: output::InstanceMetadataOptions { state: "pending".into(), ..told },
    })
}
