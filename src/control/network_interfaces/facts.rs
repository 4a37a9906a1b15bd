//! The facts about a network interface that several answers tell.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::filter::Values;
use super::super::{public_addresses, regions, tags};
use crate::plan::dns;
use crate::query::api::*;
use crate::types::ResourceId;
use crate::world::{Address, Eni, World};

/// An interface and what belongs to it.
pub struct Interface {
    pub eni: Arc<Eni>,
    /// The public addresses that lead to it.
    addresses: Vec<Arc<Address>>,
    pub zone: Arc<str>,
    domain: Arc<str>,
    /// Whether it is a NAT gateway's.
    of_nat_gateway: bool,
    /// Whether its public addresses have names: "If at least one of the attributes is set to false [...] instances with a
    /// public IP address do not receive corresponding public DNS hostnames" (VPC User Guide, DNS attributes).
    has_public_names: bool,
}

impl Interface {
    /// Gathers the facts about an interface.
    pub fn of(world: &World, eni: Arc<Eni>) -> Self {
        let addresses = world.addresses_of(eni.id).cloned().collect();
        let network = world.networks.get(&eni.network);
        let zone = world.subnets.get(&eni.subnet).map_or_else(|| "".into(), |subnet| subnet.zone.clone());
        let domain = network.map_or_else(|| "".into(), |network| network.domain.clone());
        let of_nat_gateway = world.nat_gateway_of(eni.id).is_some();
        let has_public_names =
            world.vpcs.get(&eni.vpc).is_none_or(|vpc| vpc.dns_support && vpc.dns_hostnames);
        Self { eni, addresses, zone, domain, of_nat_gateway, has_public_names }
    }

    /// The public address that leads to its primary private address.
    pub fn address(&self) -> Option<&Arc<Address>> {
        self.address_at(self.eni.private_ip)
    }

    /// The public address that leads to one of its private addresses.
    pub fn address_at(&self, private_ip: Ipv4Addr) -> Option<&Arc<Address>> {
        let leads = |row: &&Arc<Address>| row.association.is_some_and(|at| at.private_ip == private_ip);
        self.addresses.iter().find(leads)
    }

    pub fn private_name(&self) -> String {
        self.private_name_of(self.eni.private_ip)
    }

    pub fn private_name_of(&self, private_ip: Ipv4Addr) -> String {
        dns::private_name(private_ip, &self.domain)
    }

    /// Empty where no public address leads to the primary private one or the VPC gives no names, as in EC2.
    pub fn public_name(&self) -> String {
        self.address().map_or_else(String::new, |address| self.public_name_of(address))
    }

    pub fn public_name_of(&self, address: &Address) -> String {
        if !self.has_public_names {
            return String::new();
        }
        dns::public_name(address.public_ip, &self.eni.owner.region, &self.domain)
    }

    /// The groups with their names, by id.
    pub fn groups(&self, world: &World) -> Vec<output::GroupIdentifier> {
        let named = self.eni.groups.iter().filter_map(|id| world.groups.get(id));
        named
            .map(|group| output::GroupIdentifier { group_id: group.id, group_name: group.name.to_string() })
            .collect()
    }

    pub fn status(&self) -> &'static str {
        if self.eni.attachment.is_some() || self.of_nat_gateway { "in-use" } else { "available" }
    }

    /// What made it.
    fn kind(&self) -> &'static str {
        if self.of_nat_gateway { "nat_gateway" } else { "interface" }
    }

    pub fn resource(&self) -> ResourceId {
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
            "addresses.primary" => eni.private_ips().map(|ip| (ip == eni.private_ip).to_string()).collect(),
            "addresses.private-dns-name" => eni.private_ips().map(|ip| self.private_name_of(ip)).collect(),
            "private-dns-name" => vec![self.private_name()],
            "addresses.private-ip-address" | "private-ip-address" => {
                eni.private_ips().map(|ip| ip.to_string()).collect()
            }
            "availability-zone" => vec![self.zone.to_string()],
            "availability-zone-id" => vec![regions::zone_id(world, &eni.owner.region, &self.zone)],
            "description" => vec![eni.description.to_string()],
            "group-id" => eni.groups.iter().map(ToString::to_string).collect(),
            "group-name" => self.groups(world).into_iter().map(|group| group.group_name).collect(),
            "interface-type" => vec![self.kind().into()],
            "ipv6-address" | "ipv6-addresses.ipv6-address" => {
                eni.ipv6.iter().map(ToString::to_string).collect()
            }
            "ipv6-addresses.is-primary-ipv6" => eni.ipv6.iter().map(|_| "false".into()).collect(),
            "operator.managed" => vec!["false".into()],
            "mac-address" => vec![eni.mac.to_string()],
            "network-interface-id" => vec![eni.id.to_string()],
            "owner-id" => vec![eni.owner.account.to_string()],
            "public-dns-name" => self.association_attribute("public-dns-name"),
            "requester-managed" => vec![self.of_nat_gateway.to_string()],
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
        let one = |address: &Arc<Address>| {
            Some(match name {
                "allocation-id" | "association-id" if address.automatic => return None,
                "allocation-id" => address.id.to_string(),
                "association-id" => address.association?.id.to_string(),
                "ip-owner-id" | "owner-id" => public_addresses::owner(address),
                "public-dns-name" => Some(self.public_name_of(address)).filter(|name| !name.is_empty())?,
                "public-ip" => address.public_ip.to_string(),
                _ => return None,
            })
        };
        self.addresses.iter().filter_map(one).collect()
    }

    fn association(&self, private_ip: Ipv4Addr) -> Option<output::NetworkInterfaceAssociation> {
        let address = self.address_at(private_ip)?;
        Some(output::NetworkInterfaceAssociation {
            allocation_id: (!address.automatic).then_some(address.id),
            association_id: address.association.map(|at| at.id).filter(|_| !address.automatic),
            ip_owner_id: public_addresses::owner(address),
            public_dns_name: self.public_name_of(address),
            public_ip: address.public_ip,
        })
    }

    /// What makes it an instance's, as the wire tells it.
    pub fn attachment(&self) -> Option<output::NetworkInterfaceAttachment> {
        self.eni.attachment.map(|attachment| output::NetworkInterfaceAttachment {
            attachment_id: attachment.id,
            instance_id: attachment.instance,
            instance_owner_id: self.eni.owner.account,
            device_index: attachment.device_index.into(),
            network_card_index: 0,
            status: "attached".into(),
            attach_time: attachment.attached,
            delete_on_termination: attachment.delete_on_termination,
        })
    }

    /// The whole of it, as the wire tells it.
    pub fn shape(&self, world: &World) -> output::NetworkInterface {
        let eni = &self.eni;
        let private = |private_ip: Ipv4Addr| output::NetworkInterfacePrivateIpAddress {
            private_ip_address: private_ip,
            private_dns_name: self.private_name_of(private_ip),
            primary: private_ip == eni.private_ip,
            association: self.association(private_ip),
        };
        output::NetworkInterface {
            network_interface_id: eni.id,
            subnet_id: eni.subnet,
            vpc_id: eni.vpc,
            availability_zone: self.zone.to_string(),
            availability_zone_id: regions::zone_id(world, &eni.owner.region, &self.zone),
            description: eni.description.to_string(),
            owner_id: eni.owner.account,
            requester_managed: self.of_nat_gateway,
            status: self.status().into(),
            mac_address: eni.mac,
            private_ip_address: eni.private_ip,
            private_dns_name: self.private_name(),
            source_dest_check: eni.source_dest_check,
            group_set: self.groups(world),
            attachment: self.attachment(),
            association: self.association(eni.private_ip),
            tag_set: tags::set_of(world, self.resource()),
            private_ip_addresses_set: eni.private_ips().map(private).collect(),
            ipv6_addresses_set: eni
                .ipv6
                .iter()
                .map(|ip| output::NetworkInterfaceIpv6Address { ipv6_address: *ip, is_primary_ipv6: false })
                .collect(),
            interface_type: self.kind().into(),
        }
    }
}
