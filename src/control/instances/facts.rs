//! An instance with its interfaces, and what filters compare of it.

use std::sync::Arc;

use super::super::filter::Values;
use super::super::network_interfaces::Interface;
use super::super::regions;
use crate::query::api::output;
use crate::world::{Instance, InstanceState, World};

/// What DescribeInstances tells of one instance.
pub struct Facts<'w> {
    pub world: &'w World,
    pub row: &'w Arc<Instance>,
    /// By device index.
    pub interfaces: Vec<Interface>,
}

impl<'w> Facts<'w> {
    pub fn of(world: &'w World, row: &'w Arc<Instance>) -> Self {
        let interfaces = world.interfaces_of(row.id);
        let interfaces = interfaces.into_iter().map(|eni| Interface::of(world, eni)).collect();
        Self { world, row, interfaces }
    }

    /// The interface whose address is the instance's own.
    pub fn primary(&self) -> Option<&Interface> {
        self.interfaces.first()
    }

    pub fn groups(&self) -> Vec<output::GroupIdentifier> {
        self.primary().map_or_else(Vec::new, |interface| interface.groups(self.world))
    }

    pub fn architecture(&self) -> String {
        let image = self.world.images.get(&self.row.image);
        image.map_or_else(|| "x86_64".into(), |image| image.architecture.to_string())
    }

    /// EC2's `StateTransitionReason`: `User initiated (2026-11-23 08:29:08 GMT)`.
    pub fn transition(&self) -> String {
        let by_user = matches!(&self.row.state_reason, Some((code, _)) if code.starts_with("Client.User"));
        match self.row.state {
            InstanceState::Pending | InstanceState::Running => String::new(),
            _ if by_user => {
                let at = self.row.state_since.to_string();
                let at = at.split('.').next().unwrap_or_default().replace('T', " ");
                format!("User initiated ({at} GMT)")
            }
            _ => self.row.state_reason.as_ref().map_or_else(String::new, |(code, _)| code.to_string()),
        }
    }

    /// What a filter of DescribeInstances compares.
    pub fn attribute(&self, name: &str) -> Values {
        if let Some(name) = name.strip_prefix("network-interface.") {
            return self.interfaces.iter().flat_map(|one| one.attribute(self.world, name)).collect();
        }
        if let Some(name) = name.strip_prefix("metadata-options.") {
            return self.metadata_attribute(name);
        }
        let of_primary =
            |name: &str| self.primary().map_or_else(Values::new, |one| one.attribute(self.world, name));
        let of_address = |told: fn(&Interface) -> String| -> Values {
            self.primary().map(told).filter(|text| !text.is_empty()).into_iter().collect()
        };
        match name {
            // Of its one address: those of others are asked for by `network-interface.addresses.`.
            "dns-name" => of_address(Interface::public_name),
            "ip-address" => of_address(|one| {
                one.address().map_or_else(String::new, |address| address.public_ip.to_string())
            }),
            "ipv6-address" => of_primary("ipv6-addresses.ipv6-address"),
            "private-ip-address" => of_address(|one| one.eni.private_ip.to_string()),
            "group-id" | "instance.group-id" => of_primary("group-id"),
            "group-name" | "instance.group-name" => of_primary("group-name"),
            "private-dns-name" | "source-dest-check" | "subnet-id" | "vpc-id" => of_primary(name),
            _ => self.row_attribute(name),
        }
    }

    fn row_attribute(&self, name: &str) -> Values {
        let row = self.row;
        let optional = |value: Option<&Arc<str>>| value.map(ToString::to_string).into_iter().collect();
        vec![match name {
            "architecture" => self.architecture(),
            "availability-zone" => row.zone.to_string(),
            "availability-zone-id" => regions::zone_id(self.world, &row.owner.region, &row.zone),
            "capacity-reservation-specification.capacity-reservation-preference" => "open".into(),
            "client-token" => return optional(row.client_token.as_ref()),
            "current-instance-boot-mode" => "legacy-bios".into(),
            "ebs-optimized"
            | "enclave-options.enabled"
            | "hibernation-options.configured"
            | "operator.managed" => "false".into(),
            "ena-support" => "true".into(),
            "hypervisor" => "xen".into(),
            "image-id" => row.image.to_string(),
            "instance-id" => row.id.to_string(),
            "instance-state-code" => row.state.code().to_string(),
            "instance-state-name" => row.state.name().into(),
            "instance-type" => row.instance_type.to_string(),
            "key-name" => return optional(row.key_name.as_ref()),
            "launch-index" => row.launch_index.to_string(),
            "launch-time" | "usage-operation-update-time" => row.launched.to_string(),
            "maintenance-options.auto-recovery" | "tenancy" => "default".into(),
            "monitoring-state" => "disabled".into(),
            "owner-id" => row.owner.account.to_string(),
            "platform-details" => "Linux/UNIX".into(),
            "private-dns-name-options.enable-resource-name-dns-a-record"
            | "private-dns-name-options.enable-resource-name-dns-aaaa-record" => "false".into(),
            "private-dns-name-options.hostname-type" => "ip-name".into(),
            "reason" => self.transition(),
            "reservation-id" => row.reservation.to_string(),
            "root-device-type" => "instance-store".into(),
            "state-reason-code" => return optional(row.state_reason.as_ref().map(|(code, _)| code)),
            "state-reason-message" => return optional(row.state_reason.as_ref().map(|(_, text)| text)),
            "usage-operation" => "RunInstances".into(),
            "virtualization-type" => "hvm".into(),
            // No instance has any of the rest: volumes, profiles, reservations, a platform (which is Windows).
            _ => return Values::new(),
        }]
    }

    fn metadata_attribute(&self, name: &str) -> Values {
        let options = &self.row.metadata;
        vec![match name {
            "http-endpoint" => enabled(options.enabled).into(),
            "http-protocol-ipv4" => "enabled".into(),
            "http-protocol-ipv6" => "disabled".into(),
            "http-put-response-hop-limit" => options.hop_limit.to_string(),
            "http-tokens" => tokens(options.tokens_required).into(),
            "instance-metadata-tags" => enabled(options.instance_tags).into(),
            "state" => "applied".into(),
            _ => return Values::new(),
        }]
    }
}

pub fn enabled(yes: bool) -> &'static str {
    if yes { "enabled" } else { "disabled" }
}

pub fn tokens(required: bool) -> &'static str {
    if required { "required" } else { "optional" }
}
