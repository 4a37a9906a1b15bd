//! DescribeVpcs and DescribeSubnets, and how VPCs and subnets look in answers.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{blocks6, find, find_subnet};
use crate::control::filter::Values;
use crate::control::{View, defaults, filter, regions, tags};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::{ResourceId, VpcCidrAssociationId};
use crate::world::{Block, Network, Subnet, Vpc, World};

pub fn describe_vpcs(view: &View, request: &DescribeVpcsRequest) -> Result<DescribeVpcsResponse, Fault> {
    let world = view.world;
    let owner = &view.caller.owner;
    for id in &request.vpc_ids {
        find(view, *id)?;
    }
    let matching = defaults::vpcs_of(world, owner)
        .filter(|vpc| request.vpc_ids.is_empty() || request.vpc_ids.contains(&vpc.id))
        .filter(|vpc| {
            filter::matches(world, Some(ResourceId::Vpc(vpc.id)), &request.filters, |name| {
                vpc_attribute(vpc, name)
            })
        });
    let (found, next_token) = request.page().cut(matching, |vpc| vpc.id.to_string())?;
    Ok(DescribeVpcsResponse {
        vpcs: found.into_iter().map(|vpc| vpc_shape(world, vpc)).collect(),
        next_token,
    })
}

/// The block that a VPC was made with has the VPC's own number.
pub fn first_block(vpc: &Vpc) -> Block {
    let id = vpc.id.to_string().replacen("vpc", VpcCidrAssociationId::PREFIX, 1);
    Block { id: id.parse().unwrap_or(VpcCidrAssociationId::from_random(0)), cidr: vpc.cidr }
}

fn blocks(vpc: &Vpc) -> impl Iterator<Item = Block> {
    std::iter::once(first_block(vpc)).chain(vpc.blocks.iter().copied())
}

fn vpc_attribute(vpc: &Vpc, name: &str) -> Values {
    vec![match name {
        "cidr" | "cidr-block" | "cidrBlock" => vpc.cidr.to_string(),
        "cidr-block-association.cidr-block" => return vpc.cidrs().map(|cidr| cidr.to_string()).collect(),
        "cidr-block-association.association-id" => {
            return blocks(vpc).map(|block| block.id.to_string()).collect();
        }
        "cidr-block-association.state" => "associated".into(),
        name if name.starts_with("ipv6-cidr-block-association.") => {
            return vpc.blocks6.iter().filter_map(|block| blocks6::attribute(block, name)).collect();
        }
        "dhcp-options-id" | "dhcpOptionsId" => vpc.dhcp_options.to_string(),
        "instance-tenancy" => "default".into(),
        "is-default" | "isDefault" => vpc.is_default.to_string(),
        "owner-id" => vpc.owner.account.to_string(),
        "state" => "available".into(),
        "vpc-id" => vpc.id.to_string(),
        _ => return Values::new(),
    }]
}

/// A block in this state of its association.
pub fn block_shape(block: Block, state: &str) -> output::VpcCidrBlockAssociation {
    output::VpcCidrBlockAssociation {
        association_id: block.id,
        cidr_block: block.cidr,
        cidr_block_state: output::VpcCidrBlockState { state: state.into() },
    }
}

fn unblocked() -> output::BlockPublicAccessStates {
    output::BlockPublicAccessStates { internet_gateway_block_mode: "off".into() }
}

pub fn vpc_shape(world: &World, vpc: &Arc<Vpc>) -> output::Vpc {
    output::Vpc {
        vpc_id: vpc.id,
        owner_id: vpc.owner.account,
        state: "available".into(),
        cidr_block: vpc.cidr,
        cidr_block_association_set: blocks(vpc).map(|block| block_shape(block, "associated")).collect(),
        ipv6_cidr_block_association_set: vpc
            .blocks6
            .iter()
            .map(|block| blocks6::of_vpc(&vpc.owner, *block, "associated"))
            .collect(),
        dhcp_options_id: vpc.dhcp_options,
        instance_tenancy: "default".into(),
        is_default: vpc.is_default,
        block_public_access_states: unblocked(),
        tag_set: tags::set_of(world, ResourceId::Vpc(vpc.id)),
    }
}

pub fn describe_subnets(
    view: &View,
    request: &DescribeSubnetsRequest,
) -> Result<DescribeSubnetsResponse, Fault> {
    let world = view.world;
    let owner = &view.caller.owner;
    for id in &request.subnet_ids {
        find_subnet(view, *id)?;
    }
    let mut subnets: Vec<_> =
        defaults::vpcs_of(world, owner).flat_map(|vpc| defaults::subnets_of(world, vpc.id)).collect();
    subnets.sort_by_key(|subnet| subnet.id);
    let matching = subnets
        .into_iter()
        .filter(|subnet| request.subnet_ids.is_empty() || request.subnet_ids.contains(&subnet.id))
        .filter(|subnet| {
            filter::matches(world, Some(ResourceId::Subnet(subnet.id)), &request.filters, |name| {
                subnet_attribute(world, subnet, name)
            })
        });
    let (found, next_token) = request.page().cut(matching, |subnet| subnet.id.to_string())?;
    let subnets = found.into_iter().map(|subnet| subnet_shape(world, subnet)).collect();
    Ok(DescribeSubnetsResponse { subnets, next_token })
}

fn subnet_attribute(world: &World, subnet: &Subnet, name: &str) -> Values {
    vec![match name {
        "availability-zone" | "availabilityZone" => subnet.zone.to_string(),
        "availability-zone-id" => regions::zone_id(world, &subnet.owner.region, &subnet.zone),
        "available-ip-address-count" => available(world, subnet).to_string(),
        "cidr" | "cidr-block" | "cidrBlock" => subnet.cidr.to_string(),
        "default-for-az" | "defaultForAz" => subnet.is_default.to_string(),
        "map-public-ip-on-launch" => subnet.map_public_ip.to_string(),
        name if name.starts_with("ipv6-cidr-block-association.") => {
            return subnet.block6.iter().filter_map(|block| blocks6::attribute(block, name)).collect();
        }
        "enable-dns64"
        | "ipv6-native"
        | "map-customer-owned-ip-on-launch"
        | "private-dns-name-options-on-launch.enable-resource-name-dns-a-record"
        | "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record" => "false".into(),
        "owner-id" => subnet.owner.account.to_string(),
        "private-dns-name-options-on-launch.hostname-type" => "ip-name".into(),
        "state" => "available".into(),
        "subnet-arn" => arn(subnet),
        "subnet-id" => subnet.id.to_string(),
        "vpc-id" => subnet.vpc.to_string(),
        _ => return Values::new(),
    }]
}

fn arn(subnet: &Subnet) -> String {
    format!("arn:aws:ec2:{}:{}:subnet/{}", subnet.owner.region, subnet.owner.account, subnet.id)
}

/// How many addresses of the network's range no interface has, whoever owns it.
fn available(world: &World, subnet: &Subnet) -> i64 {
    let Some(network) = world.networks.get(&subnet.network) else { return 0 };
    let taken = world
        .index
        .eni_by_private_ip
        .range((network.name.clone(), Ipv4Addr::UNSPECIFIED)..)
        .take_while(|((of, _), _)| *of == network.name)
        .fold(0, |count, _| count + 1);
    i64::try_from(usable(network).saturating_sub(taken)).unwrap_or(i64::MAX)
}

/// How many addresses of the range instances may have. Counted by its gaps: a range may be a /8.
fn usable(network: &Network) -> u64 {
    let own = [network.cidr.network(), network.cidr.last(), network.gateway];
    let mut closed: Vec<_> = own.into_iter().map(|one| (one, one)).collect();
    closed.extend(network.reserved.iter().map(|range| (range.first(), range.last())));
    closed.sort_unstable();
    let end = u64::from(network.range.last().to_bits()) + 1;
    let mut at = u64::from(network.range.first().to_bits());
    let mut open = 0;
    for (first, last) in closed {
        let (first, last) = (u64::from(first.to_bits()).min(end), u64::from(last.to_bits()));
        open += first.saturating_sub(at);
        at = at.max(last + 1);
    }
    open + end.saturating_sub(at)
}

pub fn subnet_shape(world: &World, subnet: &Arc<Subnet>) -> output::Subnet {
    output::Subnet {
        subnet_id: subnet.id,
        subnet_arn: arn(subnet),
        vpc_id: subnet.vpc,
        owner_id: subnet.owner.account,
        state: "available".into(),
        cidr_block: subnet.cidr,
        available_ip_address_count: available(world, subnet),
        availability_zone: subnet.zone.to_string(),
        availability_zone_id: regions::zone_id(world, &subnet.owner.region, &subnet.zone),
        default_for_az: subnet.is_default,
        map_public_ip_on_launch: subnet.map_public_ip,
        map_customer_owned_ip_on_launch: false,
        assign_ipv6_address_on_creation: subnet.assign_ipv6,
        enable_dns64: false,
        ipv6_native: false,
        private_dns_name_options_on_launch: output::PrivateDnsNameOptions {
            hostname_type: "ip-name".into(),
            enable_resource_name_dns_a_record: false,
            enable_resource_name_dns_aaaa_record: false,
        },
        ipv6_cidr_block_association_set: subnet
            .block6
            .iter()
            .map(|block| blocks6::of_subnet(*block, "associated"))
            .collect(),
        block_public_access_states: unblocked(),
        tag_set: tags::set_of(world, ResourceId::Subnet(subnet.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::allocate;
    use crate::control::testing::Bench;
    use crate::types::Range4;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gaps_are_counted_like_addresses(reserved in prop::collection::vec((0u32..64, 0u32..16), 0..6), first in 0u32..40, length in 1u32..24) {
            let at = |offset: u32| Ipv4Addr::from_bits(0x0a00_0000 + offset);
            let bench = Bench::small();
            let network = Network {
                cidr: "10.0.0.0/26".parse().unwrap(),
                range: Range4::new(at(first), at(first + length - 1)).unwrap(),
                reserved: reserved.iter().map(|(a, n)| Range4::new(at(*a), at(a + n)).unwrap()).collect(),
                ..(**bench.world.networks.get("flat").unwrap()).clone()
            };
            let one_by_one = (first..first + length).filter(|n| allocate::usable(&network, at(*n))).count();
            prop_assert_eq!(usable(&network), one_by_one as u64);
        }
    }
}
