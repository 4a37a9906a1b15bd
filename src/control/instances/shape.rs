//! An instance as the wire tells it.

use super::super::network_interfaces::Interface;
use super::super::{public_addresses, tags};
use super::facts::{Facts, enabled, tokens};
use super::kinds;
use crate::query::api::output;
use crate::types::ResourceId;
use crate::world::{Instance, InstanceState, World};

/// A state with its code.
pub fn state(state: InstanceState) -> output::InstanceState {
    output::InstanceState { code: state.code(), name: state.name().into() }
}

/// The whole of an instance. Every element that EC2 always sends is there: Terraform and Ansible
/// read many of them without asking whether they exist.
pub fn instance(facts: &Facts) -> output::Instance {
    let row = facts.row;
    let primary = facts.primary();
    let address = primary.and_then(Interface::address);
    output::Instance {
        instance_id: row.id,
        image_id: row.image,
        instance_state: state(row.state),
        private_dns_name: primary.map_or_else(String::new, Interface::private_name),
        dns_name: primary.map_or_else(String::new, Interface::public_name),
        reason: facts.transition(),
        key_name: row.key_name.as_ref().map(ToString::to_string),
        ami_launch_index: row.launch_index.into(),
        product_codes: Vec::new(),
        instance_type: row.instance_type.to_string(),
        launch_time: row.launched,
        placement: placement(row),
        monitoring: output::Monitoring { state: "disabled".into() },
        subnet_id: primary.map(|interface| interface.eni.subnet),
        vpc_id: primary.map(|interface| interface.eni.vpc),
        private_ip_address: primary.map(|interface| interface.eni.private_ip),
        ip_address: address.map(|address| address.public_ip),
        ipv6_address: primary.and_then(|interface| interface.eni.ipv6.first().copied()),
        source_dest_check: primary.map(|interface| interface.eni.source_dest_check),
        group_set: facts.groups(),
        state_reason: state_reason(row),
        architecture: facts.architecture(),
        root_device_type: "instance-store".into(),
        block_device_mapping: Vec::new(),
        virtualization_type: "hvm".into(),
        client_token: row.client_token.as_deref().unwrap_or_default().into(),
        tags: tags::set_of(facts.world, ResourceId::Instance(row.id)),
        hypervisor: "xen".into(),
        network_interface_set: facts.interfaces.iter().map(|one| interface(facts.world, one)).collect(),
        ebs_optimized: false,
        ena_support: true,
        cpu_options: kinds::cpu_options(&row.instance_type),
        capacity_reservation_specification: output::CapacityReservationSpecification {
            capacity_reservation_preference: "open".into(),
        },
        hibernation_options: output::HibernationOptions { configured: false },
        enclave_options: output::EnclaveOptions { enabled: false },
        metadata_options: metadata_options(row),
        maintenance_options: output::InstanceMaintenanceOptions { auto_recovery: "default".into() },
        private_dns_name_options: output::PrivateDnsNameOptions {
            hostname_type: "ip-name".into(),
            enable_resource_name_dns_a_record: false,
            enable_resource_name_dns_aaaa_record: false,
        },
        platform_details: "Linux/UNIX".into(),
        usage_operation: "RunInstances".into(),
        usage_operation_update_time: row.launched,
        current_instance_boot_mode: "legacy-bios".into(),
    }
}

fn placement(row: &Instance) -> output::Placement {
    output::Placement {
        availability_zone: row.zone.to_string(),
        group_name: String::new(),
        tenancy: "default".into(),
    }
}

fn state_reason(row: &Instance) -> Option<output::StateReason> {
    let (code, message) = row.state_reason.as_ref()?;
    Some(output::StateReason { code: code.to_string(), message: message.to_string() })
}

pub fn metadata_options(row: &Instance) -> output::InstanceMetadataOptions {
    let options = &row.metadata;
    output::InstanceMetadataOptions {
        state: "applied".into(),
        http_tokens: tokens(options.tokens_required).into(),
        http_put_response_hop_limit: options.hop_limit.into(),
        http_endpoint: enabled(options.enabled).into(),
        http_protocol_ipv6: "disabled".into(),
        instance_metadata_tags: enabled(options.instance_tags).into(),
    }
}

fn interface(world: &World, one: &Interface) -> output::InstanceNetworkInterface {
    let eni = &one.eni;
    let association = |private_ip| {
        one.address_at(private_ip).map(|address| output::InstanceNetworkInterfaceAssociation {
            public_ip: address.public_ip,
            public_dns_name: one.public_name_of(address),
            ip_owner_id: public_addresses::owner(address),
        })
    };
    let private = |private_ip| output::InstancePrivateIpAddress {
        private_ip_address: private_ip,
        private_dns_name: one.private_name_of(private_ip),
        primary: private_ip == eni.private_ip,
        association: association(private_ip),
    };
    output::InstanceNetworkInterface {
        network_interface_id: eni.id,
        subnet_id: eni.subnet,
        vpc_id: eni.vpc,
        description: eni.description.to_string(),
        owner_id: eni.owner.account,
        status: one.status().into(),
        mac_address: eni.mac,
        private_ip_address: eni.private_ip,
        private_dns_name: one.private_name(),
        source_dest_check: eni.source_dest_check,
        group_set: one.groups(world),
        attachment: eni.attachment.map(|attachment| output::InstanceNetworkInterfaceAttachment {
            attachment_id: attachment.id,
            device_index: attachment.device_index.into(),
            status: "attached".into(),
            attach_time: attachment.attached,
            delete_on_termination: attachment.delete_on_termination,
            network_card_index: 0,
        }),
        association: association(eni.private_ip),
        private_ip_addresses_set: eni.private_ips().map(private).collect(),
        ipv6_addresses_set: eni
            .ipv6
            .iter()
            .map(|ip| output::InstanceIpv6Address { ipv6_address: *ip, is_primary_ipv6: false })
            .collect(),
        interface_type: "interface".into(),
    }
}
