//! The cases of VPCs and what is in them.

use super::{Action, Case, Leaf, Own, Strange, pairs};

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let (vpc, plain, spare, subnet) =
        (own.get("own-vpc"), own.get("plain-vpc"), own.get("spare-vpc"), own.get("free-subnet"));
    Some(match action {
        "CreateVpc" => case(&[("CidrBlock", "10.0.0.0/16")]),
        "DeleteVpc" => case(&[("VpcId", own.get("spare-vpc"))]),
        "CreateDefaultVpc" => case(&[]).never("DefaultVpcAlreadyExists"),
        "CreateDefaultSubnet" => {
            let there = "DefaultSubnetAlreadyExistsInAvailabilityZone";
            case(&[("AvailabilityZone", "us-east-1a")]).never(there)
        }
        "ModifyVpcTenancy" => case(&[("VpcId", vpc), ("InstanceTenancy", "default")]).changes_nothing(),
        "ModifyVpcAttribute" => {
            let case = case(&[("VpcId", vpc), ("EnableDnsHostnames.Value", "true")]);
            case.or("EnableDnsSupport.Value", "EnableDns")
                .or("EnableNetworkAddressUsageMetrics.Value", "EnableDns")
        }
        "DescribeVpcAttribute" => case(&[("VpcId", vpc), ("Attribute", "enableDnsSupport")]),
        "AssociateVpcCidrBlock" => case(&[("VpcId", vpc), ("CidrBlock", "10.3.0.0/16")]),
        "DisassociateVpcCidrBlock" => case(&[("AssociationId", own.get("block"))]),
        "CreateSubnet" => case(&[("VpcId", vpc), ("CidrBlock", "10.0.9.0/24")]),
        "DeleteSubnet" => case(&[("SubnetId", own.get("spare-subnet"))]),
        "ModifySubnetAttribute" => {
            case(&[("SubnetId", subnet), ("MapPublicIpOnLaunch.Value", "false")]).changes_nothing()
        }
        "CreateInternetGateway" => case(&[]),
        "AttachInternetGateway" => case(&[("InternetGatewayId", own.get("spare-gateway")), ("VpcId", spare)]),
        "DetachInternetGateway" => case(&[("InternetGatewayId", own.get("gateway")), ("VpcId", vpc)]),
        "DeleteInternetGateway" => case(&[("InternetGatewayId", own.get("spare-gateway"))]),
        "CreateDhcpOptions" => case(&[
            ("DhcpConfiguration.1.Key", "domain-name-servers"),
            ("DhcpConfiguration.1.Value.1", "AmazonProvidedDNS"),
        ]),
        "DeleteDhcpOptions" => case(&[("DhcpOptionsId", own.get("spare-options"))]),
        "AssociateDhcpOptions" => case(&[("DhcpOptionsId", own.get("other-options")), ("VpcId", plain)]),
        _ => return route_case(action, own),
    })
}

fn route_case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let (table, gateway) = (own.get("table"), own.get("gateway"));
    let route = |destination| [("RouteTableId", table), ("DestinationCidrBlock", destination)];
    let to = |mut case: Case, first: &'static str| {
        // It takes IPv6 only.
        let six = pairs(&[(
            "DestinationIpv6CidrBlock",
            if first == "GatewayId" { "2001:db8:99::/48" } else { "::/0" },
        )]);
        case.instead.push(("EgressOnlyInternetGatewayId", "DestinationCidrBlock", six));
        let case = case.or("EgressOnlyInternetGatewayId", first);
        let others =
            ["GatewayId", "InstanceId", "NatGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId"];
        others.into_iter().filter(|other| *other != first).fold(case, |case, other| case.or(other, first))
    };
    Some(match action {
        "CreateRouteTable" => case(&[("VpcId", own.get("own-vpc"))]),
        "DeleteRouteTable" => case(&[("RouteTableId", own.get("spare-table"))]),
        "AssociateRouteTable" => case(&[("RouteTableId", table), ("SubnetId", own.get("free-subnet"))]),
        "DisassociateRouteTable" => case(&[("AssociationId", own.get("table-association"))]),
        // One that the account has and no other case takes away.
        "ReplaceRouteTableAssociation" => {
            case(&[("AssociationId", own.get("main-association")), ("RouteTableId", table)])
        }
        "CreateRoute" => {
            to(case(&[&route("198.51.100.0/24")[..], &[("GatewayId", gateway)]].concat()), "GatewayId")
        }
        "ReplaceRoute" => {
            let eni = ("NetworkInterfaceId", own.get("vpc-interface"));
            to(case(&[&route("0.0.0.0/0")[..], &[eni]].concat()), "NetworkInterfaceId")
        }
        "DeleteRoute" => case(&route("192.0.2.0/24")),
        _ => return None,
    })
}

/// What another's things get in these actions' parameters; `None` where it is what they get anywhere.
pub fn strange(action: &Action, leaf: &Leaf) -> Option<Vec<(&'static str, Strange)>> {
    let known = ["Vpc", "Subnet", "Route", "InternetGateway", "DhcpOptions"];
    let ours =
        known.iter().any(|what| action.name.contains(what)) && action.name != "GetSecurityGroupsForVpc";
    let (thing, code) = match (leaf.kind.as_str(), leaf.name.as_str()) {
        ("VpcId", _) if ours => ("own-vpc", "InvalidVpcID.NotFound"),
        ("SubnetId", _) if ours => ("own-subnet", "InvalidSubnetID.NotFound"),
        ("EniId", _) if ours => ("vpc-interface", "InvalidNetworkInterfaceID.NotFound"),
        ("InstanceId", _) if ours => ("vpc-instance", "InvalidInstanceID.NotFound"),
        ("RouteTableId", _) => ("table", "InvalidRouteTableID.NotFound"),
        ("RouteTableAssociationId", _) => ("table-association", "InvalidAssociationID.NotFound"),
        ("InternetGatewayId", _) => ("gateway", "InvalidInternetGatewayID.NotFound"),
        ("DhcpOptionsId", _) => ("options", "InvalidDhcpOptionID.NotFound"),
        ("VpcCidrAssociationId", _) => ("block", "InvalidVpcCidrBlockAssociationID.NotFound"),
        ("string", "GatewayId") if ours => ("gateway", "InvalidGatewayID.NotFound"),
        ("string", "DhcpOptionsId") => ("options", "InvalidDhcpOptionID.NotFound"),
        ("Cidr4", _) => return Some(Vec::new()),
        _ => return None,
    };
    Some(vec![(thing, Strange::Refused(code))])
}

/// What the account's own thing is answered with in the same place, where that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    Some(match (action, thing) {
        ("DeleteVpc", "own-vpc")
        | ("DeleteSubnet", "own-subnet")
        | ("DeleteRouteTable", "table")
        | ("DeleteInternetGateway", "gateway")
        | ("DeleteDhcpOptions", "options") => "DependencyViolation",
        ("AttachInternetGateway", "own-vpc") => "InvalidParameterValue",
        ("AttachInternetGateway", "gateway") | ("AssociateRouteTable", "own-subnet") => {
            "Resource.AlreadyAssociated"
        }
        _ => return None,
    })
}

/// What a text that is no value of these types is answered with.
pub fn malformed(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "RouteTableId" => "InvalidRouteTableId.Malformed",
        "RouteTableAssociationId" | "VpcCidrAssociationId" => "InvalidAssociationID.Malformed",
        "InternetGatewayId" => "InvalidInternetGatewayId.Malformed",
        "DhcpOptionsId" => "InvalidDhcpOptionsID.Malformed",
        "Cidr4" => "InvalidParameterValue",
        _ => return None,
    })
}
