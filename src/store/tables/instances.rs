//! Instances and their network interfaces.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::operator::{spaced, words};
use super::prelude::*;

table! { Instance, "instances", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        reservation: text(row.reservation),
        launch_index: int(row.launch_index.into()),
        image: text(row.image),
        instance_type: text(&row.instance_type),
        key_name: text_or_null(row.key_name.as_ref()),
        public_key: text_or_null(row.public_key.as_ref()),
        user_data: text_or_null(row.user_data.as_ref().map(|data| STANDARD.encode(data))),
        host: text(&row.host),
        zone: text(&row.zone),
        state: text(row.state.name()),
        state_reason_code: text_or_null(row.state_reason.as_ref().map(|(code, _)| code)),
        state_reason: text_or_null(row.state_reason.as_ref().map(|(_, message)| message)),
        boot: int(row.boot.cast_signed()),
        tokens_required: bool(row.metadata.tokens_required),
        hop_limit: int(row.metadata.hop_limit.into()),
        metadata_enabled: bool(row.metadata.enabled),
        instance_tags: bool(row.metadata.instance_tags),
        terminate_on_shutdown: bool(row.terminate_on_shutdown),
        disable_api_termination: bool(row.disable_api_termination),
        disable_api_stop: bool(row.disable_api_stop),
        launched: int(row.launched.0),
        terminated: Cell::Int(row.terminated.map(|at| at.0)),
        seen_boot: int(row.seen_boot.cast_signed()),
        state_since: int(row.state_since.0),
        client_token: text_or_null(row.client_token.as_ref()),
    };
    |row| Instance {
        id: row.get("id")?,
        owner: row.owner()?,
        reservation: row.get("reservation")?,
        launch_index: row.number("launch_index")?,
        image: row.get("image")?,
        instance_type: row.str("instance_type")?,
        key_name: row.maybe_str("key_name")?,
        public_key: row.maybe_str("public_key")?,
        user_data: row
            .maybe::<String>("user_data")?
            .map(|text| STANDARD.decode(text).map_err(|error| row.bad("user_data", error)))
            .transpose()?
            .map(|data| row.bytes(&data)),
        host: row.str("host")?,
        zone: row.str("zone")?,
        state: state(row)?,
        state_reason: row.maybe_str("state_reason_code")?.zip(row.maybe_str("state_reason")?),
        boot: row.number("boot")?,
        metadata: MetadataOptions {
            tokens_required: row.bool("tokens_required")?,
            hop_limit: row.number("hop_limit")?,
            enabled: row.bool("metadata_enabled")?,
            instance_tags: row.bool("instance_tags")?,
        },
        terminate_on_shutdown: row.bool("terminate_on_shutdown")?,
        disable_api_termination: row.bool("disable_api_termination")?,
        disable_api_stop: row.bool("disable_api_stop")?,
        launched: row.micros("launched")?,
        terminated: row.maybe_int("terminated")?.map(crate::types::Micros),
        seen_boot: row.number("seen_boot")?,
        state_since: row.micros("state_since")?,
        client_token: row.maybe_str("client_token")?,
    }
}

fn state(row: &Reader<'_>) -> Result<InstanceState, ReadError> {
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    let name: String = row.get("state")?;
    let known = [Pending, Running, ShuttingDown, Terminated, Stopping, Stopped];
    known.into_iter().find(|state| state.name() == name).ok_or_else(|| row.bad("state", name))
}

table! { Eni, "network_interfaces", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        subnet: text(row.subnet),
        network: text(&row.network),
        description: text(&row.description),
        mac: text(row.mac),
        private_ip: text(row.private_ip),
        secondary_ips: text(spaced(&row.secondary_ips)),
        ipv6_addresses: text(spaced(&row.ipv6)),
        security_groups: text(spaced(&row.groups)),
        source_dest_check: bool(row.source_dest_check),
        auto_public: bool(row.auto_public),
        attachment: text_or_null(row.attachment.map(|at| at.id)),
        instance: text_or_null(row.attachment.map(|at| at.instance)),
        device_index: Cell::Int(row.attachment.map(|at| at.device_index.into())),
        delete_on_termination: Cell::Bool(row.attachment.map(|at| at.delete_on_termination)),
        attached: Cell::Int(row.attachment.map(|at| at.attached.0)),
        created: int(row.created.0),
    };
    |row| Eni {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        subnet: row.get("subnet")?,
        network: row.str("network")?,
        description: row.str("description")?,
        mac: row.get("mac")?,
        private_ip: row.get("private_ip")?,
        secondary_ips: words(row, "secondary_ips")?,
        ipv6: words(row, "ipv6_addresses")?,
        groups: words(row, "security_groups")?,
        source_dest_check: row.bool("source_dest_check")?,
        auto_public: row.bool("auto_public")?,
        attachment: attachment(row)?,
        created: row.micros("created")?,
    }
}

fn attachment(row: &Reader<'_>) -> Result<Option<Attachment>, ReadError> {
    let Some(id) = row.maybe("attachment")? else { return Ok(None) };
    Ok(Some(Attachment {
        id,
        instance: row.get("instance")?,
        device_index: row.number("device_index")?,
        delete_on_termination: row.bool("delete_on_termination")?,
        attached: row.micros("attached")?,
    }))
}
