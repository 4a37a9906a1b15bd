//! Network interfaces: the facts that several answers tell, and DescribeNetworkInterfaces.

use std::sync::Arc;

use super::filter::{self, Values};
use super::page::Page;
use super::{View, tags};
use crate::plan::dns;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::{EniId, ResourceId};
use crate::world::{Address, Eni, World};

/// An interface and what belongs to it.
pub struct Interface {
    pub eni: Arc<Eni>,
    /// The elastic address that leads to it.
    pub address: Option<Arc<Address>>,
    pub zone: Arc<str>,
    domain: Arc<str>,
}

impl Interface {
    /// Gathers the facts about an interface.
    pub fn of(world: &World, eni: Arc<Eni>) -> Self {
        let address = world.addresses_of(eni.id).next().cloned();
        let network = world.networks.get(&eni.network);
        let zone = world.subnets.get(&eni.subnet).map_or_else(|| "".into(), |subnet| subnet.zone.clone());
        let domain = network.map_or_else(|| "".into(), |network| network.domain.clone());
        Self { eni, address, zone, domain }
    }

    pub fn private_name(&self) -> String {
        dns::private_name(self.eni.private_ip, &self.domain)
    }

    /// Empty where no elastic address leads here, as in EC2.
    pub fn public_name(&self) -> String {
        self.address.as_ref().map_or_else(String::new, |address| {
            dns::public_name(address.public_ip, &self.eni.owner.region, &self.domain)
        })
    }

    /// The groups with their names, by id.
    pub fn groups(&self, world: &World) -> Vec<output::GroupIdentifier> {
        let named = self.eni.groups.iter().filter_map(|id| world.groups.get(id));
        named
            .map(|group| output::GroupIdentifier { group_id: group.id, group_name: group.name.to_string() })
            .collect()
    }

    pub fn status(&self) -> &'static str {
        if self.eni.attachment.is_some() { "in-use" } else { "available" }
    }

    fn resource(&self) -> ResourceId {
        ResourceId::NetworkInterface(self.eni.id)
    }

    /// What a filter of DescribeNetworkInterfaces compares; DescribeInstances has the same ones
    /// behind `network-interface.`.
    pub fn attribute(&self, world: &World, name: &str) -> Values {
        let eni = &self.eni;
        if let Some(name) = name.strip_prefix("attachment.") {
            return self.attachment_attribute(name);
        }
        if let Some(name) = name.strip_prefix("addresses.association.").or(name.strip_prefix("association."))
        {
            return self.association_attribute(name);
        }
        match name {
            "addresses.primary" => vec!["true".into()],
            "addresses.private-dns-name" | "private-dns-name" => vec![self.private_name()],
            "addresses.private-ip-address" | "private-ip-address" => vec![eni.private_ip.to_string()],
            "availability-zone" => vec![self.zone.to_string()],
            "description" => vec![eni.description.to_string()],
            "group-id" => eni.groups.iter().map(ToString::to_string).collect(),
            "group-name" => self.groups(world).into_iter().map(|group| group.group_name).collect(),
            "interface-type" => vec!["interface".into()],
            "mac-address" => vec![eni.mac.to_string()],
            "network-interface-id" => vec![eni.id.to_string()],
            "owner-id" => vec![eni.owner.account.to_string()],
            "public-dns-name" => self.association_attribute("public-dns-name"),
            "requester-managed" => vec!["false".into()],
            "source-dest-check" => vec![eni.source_dest_check.to_string()],
            "status" => vec![self.status().into()],
            "subnet-id" => vec![eni.subnet.to_string()],
            "tag-key" => tags::of(world, self.resource()).map(|tag| tag.key.to_string()).collect(),
            "tag-value" => tags::of(world, self.resource()).map(|tag| tag.value.to_string()).collect(),
            "vpc-id" => vec![eni.vpc.to_string()],
            _ => Values::new(),
        }
    }

    fn attachment_attribute(&self, name: &str) -> Values {
        let Some(attachment) = &self.eni.attachment else { return Values::new() };
        vec![match name {
            "attach-time" => attachment.attached.to_string(),
            "attachment-id" => attachment.id.to_string(),
            "delete-on-termination" => attachment.delete_on_termination.to_string(),
            "device-index" => attachment.device_index.to_string(),
            "instance-id" => attachment.instance.to_string(),
            "instance-owner-id" => self.eni.owner.account.to_string(),
            "network-card-index" => "0".into(),
            "status" => "attached".into(),
            _ => return Values::new(),
        }]
    }

    fn association_attribute(&self, name: &str) -> Values {
        let Some(address) = &self.address else { return Values::new() };
        vec![match name {
            "allocation-id" => address.id.to_string(),
            "association-id" => return address.association.iter().map(|a| a.id.to_string()).collect(),
            "ip-owner-id" | "owner-id" => address.owner.account.to_string(),
            "public-dns-name" => self.public_name(),
            "public-ip" => address.public_ip.to_string(),
            _ => return Values::new(),
        }]
    }

    fn association(&self) -> Option<output::NetworkInterfaceAssociation> {
        let address = self.address.as_ref()?;
        Some(output::NetworkInterfaceAssociation {
            allocation_id: address.id,
            association_id: address.association?.id,
            ip_owner_id: address.owner.account,
            public_dns_name: self.public_name(),
            public_ip: address.public_ip,
        })
    }

    fn shape(&self, world: &World) -> output::NetworkInterface {
        let eni = &self.eni;
        let attachment = eni.attachment.map(|attachment| output::NetworkInterfaceAttachment {
            attachment_id: attachment.id,
            instance_id: attachment.instance,
            instance_owner_id: eni.owner.account,
            device_index: attachment.device_index.into(),
            network_card_index: 0,
            status: "attached".into(),
            attach_time: attachment.attached,
            delete_on_termination: attachment.delete_on_termination,
        });
        output::NetworkInterface {
            network_interface_id: eni.id,
            subnet_id: eni.subnet,
            vpc_id: eni.vpc,
            availability_zone: self.zone.to_string(),
            description: eni.description.to_string(),
            owner_id: eni.owner.account,
            requester_managed: false,
            status: self.status().into(),
            mac_address: eni.mac,
            private_ip_address: eni.private_ip,
            private_dns_name: self.private_name(),
            source_dest_check: eni.source_dest_check,
            group_set: self.groups(world),
            attachment,
            association: self.association(),
            tag_set: tags::set_of(world, self.resource()),
            private_ip_addresses_set: vec![output::NetworkInterfacePrivateIpAddress {
                private_ip_address: eni.private_ip,
                private_dns_name: self.private_name(),
                primary: true,
                association: self.association(),
            }],
            interface_type: "interface".into(),
        }
    }
}

pub fn describe_network_interfaces(
    view: &View,
    request: &DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResponse, Fault> {
    let world = view.world;
    let owner = &view.caller.owner;
    for id in &request.network_interface_ids {
        if world.enis.get(id).is_none_or(|eni| eni.owner != *owner) {
            return Err(FaultCode::InvalidNetworkInterfaceIDNotFound
                .with(format!("The networkInterface ID '{id}' does not exist")));
        }
    }
    let of_owner = world
        .index
        .enis_by_owner
        .range((owner.clone(), EniId::from_random(0))..)
        .take_while(|(of, _)| of == owner)
        .filter(|(_, id)| {
            request.network_interface_ids.is_empty() || request.network_interface_ids.contains(id)
        })
        .filter_map(|(_, id)| world.enis.get(id))
        .map(|eni| Interface::of(world, eni.clone()))
        .filter(|interface| {
            filter::matches(world, Some(interface.resource()), &request.filters, |name| {
                interface.attribute(world, name)
            })
        });
    let page = Page {
        max_results: request.max_results,
        next_token: request.next_token.as_deref(),
        filters: &request.filters,
    };
    let (interfaces, next_token) = page.cut(of_owner, |interface| interface.eni.id.to_string())?;
    Ok(DescribeNetworkInterfacesResponse {
        network_interfaces: interfaces.iter().map(|interface| interface.shape(world)).collect(),
        next_token,
    })
}
