//! Templates, versions and their parameters as the wire tells them.

use super::super::instances::facts::{Facts, enabled, tokens};
use super::super::tags;
use super::{data, latest};
use crate::query::Fault;
use crate::query::api::{input, output};
use crate::types::{Owner, ResourceId};
use crate::world::{LaunchTemplate, LaunchTemplateVersion, World};

pub fn template(world: &World, row: &LaunchTemplate) -> output::LaunchTemplate {
    output::LaunchTemplate {
        launch_template_id: row.id,
        launch_template_name: row.name.to_string(),
        create_time: row.created,
        created_by: by(&row.owner),
        default_version_number: row.default_version.cast_signed(),
        latest_version_number: latest(world, row).cast_signed(),
        tag_set: tags::set_of(world, ResourceId::LaunchTemplate(row.id)),
    }
}

/// Fogbank has no users: every key stands for its whole account.
fn by(owner: &Owner) -> String {
    format!("arn:aws:iam::{}:root", owner.account)
}

pub fn version(
    template: &LaunchTemplate,
    row: &LaunchTemplateVersion,
) -> Result<output::LaunchTemplateVersion, Fault> {
    Ok(output::LaunchTemplateVersion {
        launch_template_id: template.id,
        launch_template_name: template.name.to_string(),
        version_number: row.number.cast_signed(),
        version_description: row.description.as_ref().map(ToString::to_string),
        create_time: row.created,
        created_by: by(&template.owner),
        default_version: row.number == template.default_version,
        launch_template_data: parameters(data::read(row)?),
    })
}

pub fn parameters(said: input::RequestLaunchTemplateData) -> output::ResponseLaunchTemplateData {
    output::ResponseLaunchTemplateData {
        image_id: said.image_id,
        instance_type: said.instance_type,
        key_name: said.key_name,
        user_data: said.user_data,
        security_group_ids: said.security_group_ids,
        security_groups: said.security_groups,
        network_interfaces: said.network_interfaces.into_iter().map(interface).collect(),
        placement: said.placement.map(|said| output::LaunchTemplatePlacement {
            availability_zone: said.availability_zone,
            tenancy: said.tenancy,
            host_id: said.host_id,
        }),
        tag_specifications: said.tag_specifications.into_iter().map(tag_specification).collect(),
        instance_initiated_shutdown_behavior: said.instance_initiated_shutdown_behavior,
        disable_api_termination: said.disable_api_termination,
        disable_api_stop: said.disable_api_stop,
        metadata_options: said.metadata_options.map(|said| output::LaunchTemplateMetadataOptions {
            http_tokens: said.http_tokens,
            http_put_response_hop_limit: said.http_put_response_hop_limit,
            http_endpoint: said.http_endpoint,
            http_protocol_ipv6: said.http_protocol_ipv6,
            instance_metadata_tags: said.instance_metadata_tags,
        }),
        monitoring: said.monitoring.map(|said| output::LaunchTemplateMonitoring { enabled: said.enabled }),
        ebs_optimized: said.ebs_optimized,
        hibernation_options: said
            .hibernation_options
            .map(|said| output::HibernationOptions { configured: said.configured.unwrap_or(false) }),
        enclave_options: said
            .enclave_options
            .map(|said| output::EnclaveOptions { enabled: said.enabled.unwrap_or(false) }),
        maintenance_options: said.maintenance_options.map(|said| output::InstanceMaintenanceOptions {
            auto_recovery: said.auto_recovery.unwrap_or_else(|| "default".into()),
        }),
    }
}

fn interface(said: input::InstanceNetworkInterface) -> output::LaunchTemplateNetworkInterface {
    let address = |said: input::PrivateIpAddressSpecification| output::LaunchTemplatePrivateIpAddress {
        primary: said.primary,
        private_ip_address: said.private_ip_address,
    };
    output::LaunchTemplateNetworkInterface {
        associate_public_ip_address: said.associate_public_ip_address,
        delete_on_termination: said.delete_on_termination,
        description: said.description,
        device_index: said.device_index,
        network_card_index: said.network_card_index,
        interface_type: said.interface_type,
        groups: said.group_ids,
        network_interface_id: said.network_interface_id,
        private_ip_address: said.private_ip_address,
        secondary_private_ip_address_count: said.secondary_private_ip_address_count,
        private_ip_addresses: said.private_ip_addresses.into_iter().map(address).collect(),
        ipv6_address_count: said.ipv6_address_count,
        ipv6_addresses: said
            .ipv6_addresses
            .into_iter()
            .map(|said| output::LaunchTemplateIpv6Address { ipv6_address: said.ipv6_address })
            .collect(),
        subnet_id: said.subnet_id,
    }
}

fn tag_specification(said: input::TagSpecification) -> output::LaunchTemplateTagSpecification {
    let tag = |tag: input::Tag| output::Tag {
        key: tag.key.unwrap_or_default(),
        value: tag.value.unwrap_or_default(),
    };
    output::LaunchTemplateTagSpecification {
        resource_type: said.resource_type,
        tag_set: said.tags.into_iter().map(tag).collect(),
    }
}

/// What an instance could be launched with again, beside its addresses.
pub fn of_instance(facts: &Facts) -> output::ResponseLaunchTemplateData {
    let (row, metadata) = (facts.row, &facts.row.metadata);
    let interface = |one: &super::super::network_interfaces::Interface| {
        let eni = &one.eni;
        output::LaunchTemplateNetworkInterface {
            delete_on_termination: eni.attachment.map(|attachment| attachment.delete_on_termination),
            description: Some(eni.description.to_string()),
            device_index: eni.attachment.map(|attachment| attachment.device_index.into()),
            interface_type: Some("interface".into()),
            groups: eni.groups.to_vec(),
            subnet_id: Some(eni.subnet),
            ..Default::default()
        }
    };
    let tag_set = tags::set_of(facts.world, ResourceId::Instance(row.id));
    let tags = tag_set.into_iter().filter(|tag| !data::MARKS.contains(&tag.key.as_str())).collect::<Vec<_>>();
    let resource_type = Some("instance".to_owned());
    let told = output::LaunchTemplateTagSpecification { resource_type, tag_set: tags };
    output::ResponseLaunchTemplateData {
        image_id: Some(row.image),
        instance_type: Some(row.instance_type.to_string()),
        key_name: row.key_name.as_ref().map(ToString::to_string),
        user_data: row.user_data.as_ref().map(|data| data.to_vec()),
        network_interfaces: facts.interfaces.iter().map(interface).collect(),
        placement: Some(output::LaunchTemplatePlacement {
            availability_zone: Some(row.zone.to_string()),
            tenancy: Some("default".into()),
            host_id: None,
        }),
        tag_specifications: Some(told).into_iter().filter(|told| !told.tag_set.is_empty()).collect(),
        instance_initiated_shutdown_behavior: Some(
            if row.terminate_on_shutdown { "terminate" } else { "stop" }.into(),
        ),
        disable_api_termination: Some(row.disable_api_termination),
        disable_api_stop: Some(row.disable_api_stop),
        metadata_options: Some(output::LaunchTemplateMetadataOptions {
            http_tokens: Some(tokens(metadata.tokens_required).into()),
            http_put_response_hop_limit: Some(metadata.hop_limit.into()),
            http_endpoint: Some(enabled(metadata.enabled).into()),
            http_protocol_ipv6: Some("disabled".into()),
            instance_metadata_tags: Some(enabled(metadata.instance_tags).into()),
        }),
        monitoring: Some(output::LaunchTemplateMonitoring { enabled: Some(false) }),
        ebs_optimized: Some(false),
        hibernation_options: Some(output::HibernationOptions { configured: false }),
        enclave_options: Some(output::EnclaveOptions { enabled: false }),
        maintenance_options: Some(output::InstanceMaintenanceOptions { auto_recovery: "default".into() }),
        ..Default::default()
    }
}
