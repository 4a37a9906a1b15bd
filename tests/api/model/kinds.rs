//! The Describe actions that the model knows.

use super::reads::Kind;
use super::tree::Tree;
use super::world::World;
use super::{
    acls, addresses, gateways, groups, insights, keys, lists, nat, peers, routing, rules, shapes, subnets,
    tagging, transfers, vpcs,
};

#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind {
        action: "DescribeAddresses", list: "addressesSet", id: ("allocationId", "AllocationId", "eipalloc"),
        absent: "InvalidAllocationID.NotFound", pages: None,
        filters: &[
            ("allocation-id", "allocationId"), ("association-id", "associationId"), ("domain", "domain"),
            ("instance-id", "instanceId"), ("network-interface-id", "networkInterfaceId"),
            ("private-ip-address", "privateIpAddress"), ("public-ip", "publicIp"),
        ],
        all: |world, who| of(&world.addresses, |row| row.who == who, |row| addresses::shape(world, row)),
    },
    Kind {
        action: "DescribeAddressesAttribute", list: "addressSet", id: ("allocationId", "", "eipalloc"), absent: "",
        pages: Some((1, 1000)), filters: &[],
        all: |world, who| of(&world.addresses, |row| row.who == who && row.name.is_some(), transfers::attribute),
    },
    Kind {
        action: "DescribeAddressTransfers", list: "addressTransferSet", id: ("allocationId", "", "eipalloc"), absent: "",
        pages: Some((5, 1000)), filters: &[],
        all: |world, who| of(&world.transfers, |row| row.who == who, |row| transfers::shape(world, row)),
    },
    Kind {
        action: "DescribeSecurityGroups", list: "securityGroupInfo", id: ("groupId", "GroupId", "sg"),
        absent: "InvalidGroup.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("description", "groupDescription"), ("group-id", "groupId"), ("group-name", "groupName"),
            ("ip-permission.cidr", "ipPermissions/ipRanges/cidrIp"),
            ("ip-permission.from-port", "ipPermissions/fromPort"),
            ("ip-permission.group-id", "ipPermissions/groups/groupId"),
            ("ip-permission.protocol", "ipPermissions/ipProtocol"),
            ("ip-permission.to-port", "ipPermissions/toPort"),
            ("ip-permission.ipv6-cidr", "ipPermissions/ipv6Ranges/cidrIpv6"),
            ("egress.ip-permission.cidr", "ipPermissionsEgress/ipRanges/cidrIp"),
            ("egress.ip-permission.protocol", "ipPermissionsEgress/ipProtocol"),
            ("egress.ip-permission.user-id", "ipPermissionsEgress/groups/userId"),
            ("owner-id", "ownerId"), ("vpc-id", "vpcId"),
        ],
        all: |world, who| of(&world.groups, |row| row.who == who, |row| groups::shape(world, row)),
    },
    Kind {
        action: "DescribeSecurityGroupRules", list: "securityGroupRuleSet",
        id: ("securityGroupRuleId", "SecurityGroupRuleId", "sgr"),
        absent: "InvalidSecurityGroupRuleId.NotFound", pages: Some((5, 1000)),
        filters: &[("group-id", "groupId"), ("security-group-rule-id", "securityGroupRuleId")],
        all: |world, who| of(&world.rules, |row| owner(world, &row.group) == Some(who), |row| rules::shape(world, row)),
    },
    Kind {
        action: "DescribeInstances", list: "reservationSet", id: ("instanceId", "InstanceId", "i"),
        absent: "InvalidInstanceID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("instance-id", "instanceId"), ("instance-state-name", "instanceState/name"),
            ("instance-state-code", "instanceState/code"), ("image-id", "imageId"), ("key-name", "keyName"),
            ("instance-type", "instanceType"), ("private-ip-address", "privateIpAddress"),
            ("ip-address", "ipAddress"), ("instance.group-id", "groupSet/groupId"),
            ("instance.group-name", "groupSet/groupName"), ("launch-index", "amiLaunchIndex"),
            ("network-interface.network-interface-id", "networkInterfaceSet/networkInterfaceId"),
            ("network-interface.status", "networkInterfaceSet/status"),
            ("network-interface.association.public-ip", "networkInterfaceSet/association/publicIp"),
            ("state-reason-code", "stateReason/code"), ("subnet-id", "subnetId"), ("vpc-id", "vpcId"),
            ("metadata-options.http-tokens", "metadataOptions/httpTokens"),
        ],
        all: |world, who| of(&world.instances, |row| row.who == who, |row| shapes::instance(world, row)),
    },
    Kind {
        action: "DescribeNetworkInterfaces", list: "networkInterfaceSet",
        id: ("networkInterfaceId", "NetworkInterfaceId", "eni"),
        absent: "InvalidNetworkInterfaceID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("network-interface-id", "networkInterfaceId"), ("group-id", "groupSet/groupId"),
            ("attachment.instance-id", "attachment/instanceId"), ("status", "status"),
            ("attachment.delete-on-termination", "attachment/deleteOnTermination"),
            ("association.public-ip", "association/publicIp"),
            ("association.allocation-id", "association/allocationId"), ("mac-address", "macAddress"),
            ("addresses.private-ip-address", "privateIpAddressesSet/privateIpAddress"), ("description", "description"),
        ],
        all: |world, who| of(&world.interfaces, |row| row.who == who, |row| shapes::interface(world, row)),
    },
    Kind {
        action: "DescribeInternetGateways", list: "internetGatewaySet",
        id: ("internetGatewayId", "InternetGatewayId", "igw"), absent: "InvalidInternetGatewayID.NotFound",
        pages: Some((5, 1000)),
        filters: &[
            ("internet-gateway-id", "internetGatewayId"), ("attachment.vpc-id", "attachmentSet/vpcId"),
            ("attachment.state", "attachmentSet/state"), ("owner-id", "ownerId"),
        ],
        all: |world, who| of(&world.gateways, |row| row.who == who, |row| gateways::gateway_shape(world, row)),
    },
    Kind {
        action: "DescribeDhcpOptions", list: "dhcpOptionsSet", id: ("dhcpOptionsId", "DhcpOptionsId", "dopt"),
        absent: "InvalidDhcpOptionID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("dhcp-options-id", "dhcpOptionsId"), ("key", "dhcpConfigurationSet/key"),
            ("value", "dhcpConfigurationSet/valueSet/value"), ("owner-id", "ownerId"),
        ],
        all: |world, who| of(&world.dhcp_options, |row| row.who == who, |row| gateways::options_shape(world, row)),
    },
    Kind {
        action: "DescribeKeyPairs", list: "keySet", id: ("keyPairId", "KeyPairId", "key"),
        absent: "InvalidKeyPair.NotFound", pages: None,
        filters: &[("key-name", "keyName"), ("key-pair-id", "keyPairId")],
        all: |world, who| of(&world.keys, |row| row.who == who, |row| keys::shape(world, row)),
    },
    Kind {
        action: "DescribeTags", list: "tagSet", id: ("resourceId", "", ""), absent: "", pages: Some((5, 1000)),
        filters: &[
            ("key", "key"), ("resource-id", "resourceId"), ("resource-type", "resourceType"), ("value", "value"),
        ],
        all: |world, who| of(&world.tags, |row| row.who == who, tagging::shape),
    },
    Kind {
        action: "DescribeNetworkInsightsPaths", list: "networkInsightsPathSet",
        id: ("networkInsightsPathId", "NetworkInsightsPathId", "nip"),
        absent: "InvalidNetworkInsightsPathId.NotFound", pages: Some((1, 100)),
        filters: &[("source", "source"), ("destination", "destination"), ("protocol", "protocol")],
        all: |world, who| of(&world.paths, |row| row.who == who, |row| insights::path_shape(world, row)),
    },
    Kind {
        action: "DescribeNetworkInsightsAnalyses", list: "networkInsightsAnalysisSet",
        id: ("networkInsightsAnalysisId", "NetworkInsightsAnalysisId", "nia"),
        absent: "InvalidNetworkInsightsAnalysisId.NotFound", pages: Some((1, 100)),
        filters: &[("path-found", "networkPathFound"), ("status", "status")],
        all: |world, who| of(&world.analyses, |row| row.who == who, |row| insights::analysis_shape(world, row)),
    },
    Kind {
        action: "DescribeVpcs", list: "vpcSet", id: ("vpcId", "VpcId", "vpc"), absent: "InvalidVpcID.NotFound",
        pages: Some((5, 1000)),
        filters: &[
            ("cidr", "cidrBlock"), ("cidr-block-association.cidr-block", "cidrBlockAssociationSet/cidrBlock"),
            ("cidr-block-association.association-id", "cidrBlockAssociationSet/associationId"),
            ("dhcp-options-id", "dhcpOptionsId"), ("is-default", "isDefault"), ("isDefault", "isDefault"),
            ("owner-id", "ownerId"), ("state", "state"), ("vpc-id", "vpcId"), ("tag-value", "tagSet/value"),
        ],
        all: |world, who| of(&world.vpcs, |row| row.who == who, |row| vpcs::shape(world, row)),
    },
    Kind {
        action: "DescribeSubnets", list: "subnetSet", id: ("subnetId", "SubnetId", "subnet"),
        absent: "InvalidSubnetID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("availability-zone", "availabilityZone"), ("availability-zone-id", "availabilityZoneId"),
            ("available-ip-address-count", "availableIpAddressCount"), ("cidr-block", "cidrBlock"),
            ("default-for-az", "defaultForAz"), ("map-public-ip-on-launch", "mapPublicIpOnLaunch"),
            ("owner-id", "ownerId"), ("subnet-arn", "subnetArn"), ("subnet-id", "subnetId"), ("vpc-id", "vpcId"),
            ("tag-value", "tagSet/value"),
        ],
        all: |world, who| of(&world.subnets, |row| row.who == who, |row| subnets::shape(world, row)),
    },
    Kind {
        action: "DescribeRouteTables", list: "routeTableSet", id: ("routeTableId", "RouteTableId", "rtb"),
        absent: "InvalidRouteTableID.NotFound", pages: Some((5, 100)),
        filters: &[
            ("association.main", "associationSet/main"), ("association.subnet-id", "associationSet/subnetId"),
            ("association.route-table-association-id", "associationSet/routeTableAssociationId"),
            ("association.route-table-id", "associationSet/routeTableId"), ("route-table-id", "routeTableId"),
            ("route.destination-cidr-block", "routeSet/destinationCidrBlock"),
            ("route.gateway-id", "routeSet/gatewayId"), ("route.instance-id", "routeSet/instanceId"),
            ("route.origin", "routeSet/origin"), ("route.state", "routeSet/state"), ("vpc-id", "vpcId"),
            ("owner-id", "ownerId"), ("tag-value", "tagSet/value"),
        ],
        all: |world, who| of(&world.tables, |row| row.who == who, |row| routing::shape(world, row)),
    },
    Kind {
        action: "DescribeNetworkAcls", list: "networkAclSet", id: ("networkAclId", "NetworkAclId", "acl"),
        absent: "InvalidNetworkAclID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("association.association-id", "associationSet/networkAclAssociationId"),
            ("association.network-acl-id", "associationSet/networkAclId"),
            ("association.subnet-id", "associationSet/subnetId"), ("default", "default"),
            ("entry.cidr", "entrySet/cidrBlock"), ("entry.egress", "entrySet/egress"),
            ("entry.icmp.code", "entrySet/icmpTypeCode/code"), ("entry.ipv6-cidr", "entrySet/ipv6CidrBlock"),
            ("entry.port-range.from", "entrySet/portRange/from"), ("entry.protocol", "entrySet/protocol"),
            ("entry.rule-action", "entrySet/ruleAction"), ("entry.rule-number", "entrySet/ruleNumber"),
            ("network-acl-id", "networkAclId"), ("owner-id", "ownerId"), ("vpc-id", "vpcId"),
        ],
        all: |world, who| of(&world.acls, |row| row.who == who, |row| acls::shape(world, row)),
    },
    Kind {
        action: "DescribeNatGateways", list: "natGatewaySet", id: ("natGatewayId", "NatGatewayId", "nat"),
        absent: "NatGatewayNotFound", pages: Some((5, 1000)),
        filters: &[("nat-gateway-id", "natGatewayId"), ("state", "state"), ("subnet-id", "subnetId"), ("vpc-id", "vpcId")],
        all: |world, who| of(&world.nats, |row| row.who == who, |row| nat::shape(world, row)),
    },
    Kind {
        action: "DescribeVpcPeeringConnections", list: "vpcPeeringConnectionSet",
        id: ("vpcPeeringConnectionId", "VpcPeeringConnectionId", "pcx"),
        absent: "InvalidVpcPeeringConnectionID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("accepter-vpc-info.cidr-block", "accepterVpcInfo/cidrBlockSet/cidrBlock"),
            ("accepter-vpc-info.owner-id", "accepterVpcInfo/ownerId"),
            ("accepter-vpc-info.vpc-id", "accepterVpcInfo/vpcId"),
            ("requester-vpc-info.cidr-block", "requesterVpcInfo/cidrBlockSet/cidrBlock"),
            ("requester-vpc-info.owner-id", "requesterVpcInfo/ownerId"),
            ("requester-vpc-info.vpc-id", "requesterVpcInfo/vpcId"), ("status-code", "status/code"),
            ("status-message", "status/message"), ("vpc-peering-connection-id", "vpcPeeringConnectionId"),
            ("tag-value", "tagSet/value"),
        ],
        all: |world, who| world.peerings_of(who).into_iter().map(|row| peers::shape(world, who, row)).collect(),
    },
    Kind {
        action: "DescribeManagedPrefixLists", list: "prefixListSet", id: ("prefixListId", "PrefixListId", "pl"),
        absent: "InvalidPrefixListID.NotFound", pages: Some((1, 100)),
        filters: &[
            ("owner-id", "ownerId"), ("prefix-list-id", "prefixListId"), ("prefix-list-name", "prefixListName"),
        ],
        all: |world, who| of(&world.lists, |row| row.who == who, |row| lists::shape(world, row)),
    },
];

fn of<T>(rows: &[T], own: impl Fn(&T) -> bool, shape: impl Fn(&T) -> Vec<Tree>) -> Vec<Vec<Tree>> {
    rows.iter().filter(|row| own(row)).map(shape).collect()
}

fn owner(world: &World, group: &str) -> Option<usize> {
    world.groups.iter().find(|one| one.id == group).map(|one| one.who)
}
