//! Mistakes in the form itself, each with the code that EC2 has for it whatever else is wrong.

use crate::dice::Dice;

use super::call::{Call, Code, MISSING, VALUE};

/// Ids by their parameter: prefix, and the code for a malformed one.
const IDS: &[(&str, &str, Code)] = &[
    ("AllocationId", "eipalloc", "InvalidAllocationID.Malformed"),
    ("AssociationId", "eipassoc", "InvalidAssociationID.Malformed"),
    ("InstanceId", "i", "InvalidInstanceID.Malformed"),
    ("NetworkInterfaceId", "eni", "InvalidNetworkInterfaceId.Malformed"),
    ("GroupId", "sg", "InvalidGroupId.Malformed"),
    ("SecurityGroupId", "sg", "InvalidGroupId.Malformed"),
    ("SecurityGroupRuleId", "sgr", "InvalidSecurityGroupRuleId.Malformed"),
    ("VpcId", "vpc", "InvalidVpcID.Malformed"),
    ("SubnetId", "subnet", "InvalidSubnetID.Malformed"),
    ("ImageId", "ami", "InvalidAMIID.Malformed"),
    ("RouteTableId", "rtb", "InvalidRouteTableId.Malformed"),
    ("NetworkAclId", "acl", "InvalidNetworkAclId.Malformed"),
    ("AttachmentId", "eni-attach", "InvalidAttachmentID.Malformed"),
    ("NatGatewayId", "nat", "NatGatewayMalformed"),
    ("VpcPeeringConnectionId", "pcx", "InvalidVpcPeeringConnectionId.Malformed"),
    ("PeerVpcId", "vpc", "InvalidVpcID.Malformed"),
    ("PrefixListId", "pl", "InvalidPrefixListId.Malformed"),
    ("DestinationPrefixListId", "pl", "InvalidPrefixListId.Malformed"),
    ("ResourceId", "sg", "InvalidID"),
    ("InternetGatewayId", "igw", "InvalidInternetGatewayId.Malformed"),
    ("KeyPairId", "key", VALUE),
    ("NetworkInsightsPathId", "nip", VALUE),
    ("NetworkInsightsAnalysisId", "nia", VALUE),
];

/// Values that their parameter cannot have.
const VALUES: &[(&str, &[&str])] = &[
    ("PublicIp", &["300.1.1.1", "192.0.2", "192.0.2.01", "x"]),
    ("PrivateIpAddress", &["10.0.0.256", "::1"]),
    ("Address", &["203.0.113", "-"]),
    ("DestinationIp", &["10.0.0"]),
    ("CidrBlock", &["10.0.0.0", "10.0.0.0/33", "10.0.0/16", " 10.0.0.0/16", "::/0"]),
    ("DestinationCidrBlock", &["10.0.0.0", "0.0.0.0/00", "x"]),
    ("Ipv6CidrBlock", &["::", "10.0.0.0/8"]),
    ("RuleNumber", &["0", "32767", "-1", "first"]),
    ("RuleAction", &["permit"]),
    ("Egress", &["out"]),
    ("From", &["-1", "65536"]),
    ("Type", &["-2", "256"]),
    ("InstanceTenancy", &["dedicated"]),
    ("Attribute", &["reverse-dns", "Domain-Name"]),
    ("TransferAccountId", &["12345", "abcdefabcdef"]),
    ("FromPort", &["http", "1.5", "+80", "99999999999999999999"]),
    ("ToPort", &["0x50", " 80"]),
    ("MinCount", &["0", "-1", "1001", "one"]),
    ("MaxCount", &["0", "1001"]),
    ("DestinationPort", &["-1", "65536"]),
    ("DeviceIndex", &["32", "-1"]),
    ("AllowReassociation", &["maybe", "yes", "2"]),
    ("DisableApiTermination", &["on"]),
    ("DryRun", &["perhaps"]),
    ("Domain", &["classic", "VPC"]),
    ("KeyType", &["dsa"]),
    ("Protocol", &["icmp", "TCP"]),
    ("PeerOwnerId", &["12345", "abcdefabcdef"]),
    ("MaxEntries", &["0", "1001", "many"]),
    ("AddressFamily", &["ipv4", "IPv5"]),
    ("UserId", &["12345", "abcdefabcdef"]),
    ("SourceSecurityGroupOwnerId", &["1234567890123"]),
    ("PublicKeyMaterial", &["%%%"]),
    ("UserData", &["no base64!"]),
    ("HttpPutResponseHopLimit", &["0", "65"]),
    ("HttpTokens", &["maybe"]),
    ("InstanceInitiatedShutdownBehavior", &["reboot"]),
];

/// Parameters without which an action means nothing.
const REQUIRED: &[(&str, &[&str])] = &[
    ("CreateSecurityGroup", &["GroupName", "GroupDescription"]),
    ("AuthorizeSecurityGroupEgress", &["GroupId"]),
    ("RevokeSecurityGroupEgress", &["GroupId"]),
    ("ModifySecurityGroupRules", &["GroupId", "SecurityGroupRule"]),
    ("ModifyAddressAttribute", &["AllocationId", "DomainName"]),
    ("ResetAddressAttribute", &["AllocationId", "Attribute"]),
    ("EnableAddressTransfer", &["AllocationId", "TransferAccountId"]),
    ("DisableAddressTransfer", &["AllocationId"]),
    ("AcceptAddressTransfer", &["Address"]),
    ("RunInstances", &["ImageId", "MinCount", "MaxCount"]),
    ("StartInstances", &["InstanceId"]),
    ("StopInstances", &["InstanceId"]),
    ("RebootInstances", &["InstanceId"]),
    ("TerminateInstances", &["InstanceId"]),
    ("ModifyInstanceAttribute", &["InstanceId"]),
    ("ModifyInstanceMetadataOptions", &["InstanceId"]),
    ("ResetInstanceAttribute", &["InstanceId", "Attribute"]),
    ("CreateVpc", &["CidrBlock"]),
    ("DeleteVpc", &["VpcId"]),
    ("AssociateVpcCidrBlock", &["VpcId"]),
    ("DisassociateVpcCidrBlock", &["AssociationId"]),
    ("CreateSubnet", &["VpcId", "CidrBlock"]),
    ("DeleteSubnet", &["SubnetId"]),
    ("AttachInternetGateway", &["InternetGatewayId", "VpcId"]),
    ("DetachInternetGateway", &["InternetGatewayId", "VpcId"]),
    ("CreateRouteTable", &["VpcId"]),
    ("AssociateRouteTable", &["RouteTableId", "SubnetId"]),
    ("ReplaceRouteTableAssociation", &["AssociationId", "RouteTableId"]),
    ("CreateRoute", &["RouteTableId"]),
    ("DeleteRoute", &["RouteTableId"]),
    ("CreateNetworkAcl", &["VpcId"]),
    ("CreateNetworkAclEntry", &["NetworkAclId", "RuleNumber", "Protocol", "RuleAction", "Egress"]),
    ("DeleteNetworkAclEntry", &["NetworkAclId", "RuleNumber", "Egress"]),
    ("ReplaceNetworkAclAssociation", &["AssociationId", "NetworkAclId"]),
    ("CreateNetworkInterface", &["SubnetId"]),
    ("DeleteNetworkInterface", &["NetworkInterfaceId"]),
    ("AttachNetworkInterface", &["NetworkInterfaceId", "InstanceId", "DeviceIndex"]),
    ("DetachNetworkInterface", &["AttachmentId"]),
    ("ModifyNetworkInterfaceAttribute", &["NetworkInterfaceId"]),
    ("AssignPrivateIpAddresses", &["NetworkInterfaceId"]),
    ("CreateNatGateway", &["SubnetId"]),
    ("DeleteNatGateway", &["NatGatewayId"]),
    ("CreateVpcPeeringConnection", &["VpcId", "PeerVpcId"]),
    ("AcceptVpcPeeringConnection", &["VpcPeeringConnectionId"]),
    ("DeleteVpcPeeringConnection", &["VpcPeeringConnectionId"]),
    ("CreateManagedPrefixList", &["PrefixListName", "MaxEntries", "AddressFamily"]),
    ("ModifyManagedPrefixList", &["PrefixListId"]),
    ("RestoreManagedPrefixListVersion", &["PrefixListId", "PreviousVersion", "CurrentVersion"]),
    ("CreateKeyPair", &["KeyName"]),
    ("ImportKeyPair", &["KeyName", "PublicKeyMaterial"]),
    ("DeleteInternetGateway", &["InternetGatewayId"]),
    ("CreateDhcpOptions", &["DhcpConfiguration"]),
    ("DeleteDhcpOptions", &["DhcpOptionsId"]),
    ("AssociateDhcpOptions", &["DhcpOptionsId", "VpcId"]),
    ("CreateNetworkInsightsPath", &["Source", "Protocol"]),
    ("DeleteNetworkInsightsPath", &["NetworkInsightsPathId"]),
    ("StartNetworkInsightsAnalysis", &["NetworkInsightsPathId"]),
    ("DeleteNetworkInsightsAnalysis", &["NetworkInsightsAnalysisId"]),
];

/// Parameters that EC2 has, and that are refused by name.
const REFUSED: &[(&str, &str)] = &[
    ("AllocateAddress", "NetworkBorderGroup"),
    ("ReleaseAddress", "NetworkBorderGroup"),
    ("AuthorizeSecurityGroupIngress", "IpPermissions.1.Groups.1.PeeringStatus"),
    ("AuthorizeSecurityGroupEgress", "CidrIp"),
    ("RevokeSecurityGroupEgress", "SourceSecurityGroupName"),
    ("RunInstances", "KernelId"),
    ("RunInstances", "NetworkInterface.1.Ipv6PrefixCount"),
    ("ModifyInstanceAttribute", "Kernel.Value"),
    ("StartInstances", "AdditionalInfo"),
    ("CreateNetworkInsightsPath", "FilterAtSource.SourceAddress"),
    ("StartNetworkInsightsAnalysis", "AdditionalAccount.1"),
    ("CreateNetworkInterface", "Ipv4PrefixCount"),
    ("AssignPrivateIpAddresses", "Ipv4PrefixCount"),
    ("CreateNatGateway", "AvailabilityMode"),
    ("CreateVpc", "Ipv4IpamPoolId"),
    ("CreateSubnet", "OutpostArn"),
    ("AssociateRouteTable", "GatewayId"),
    ("CreateRoute", "TransitGatewayId"),
    ("ReplaceRoute", "LocalTarget"),
];

/// Actions that make something which takes tags.
const TAGGED: &[(&str, &str)] = &[
    ("AllocateAddress", "elastic-ip"),
    ("CreateSecurityGroup", "security-group"),
    ("AuthorizeSecurityGroupIngress", "security-group-rule"),
    ("CreateKeyPair", "key-pair"),
    ("CreateInternetGateway", "internet-gateway"),
    ("CreateDhcpOptions", "dhcp-options"),
    ("CreateNetworkInterface", "network-interface"),
    ("CreateNatGateway", "natgateway"),
    ("CreateVpcPeeringConnection", "vpc-peering-connection"),
    ("CreateManagedPrefixList", "prefix-list"),
    ("CreateVpc", "vpc"),
    ("CreateSubnet", "subnet"),
    ("CreateRouteTable", "route-table"),
    ("CreateNetworkAcl", "network-acl"),
];

/// The parameter's own name, without lists' indexes and what it is within.
fn last(name: &str) -> &str {
    name.rsplit('.').find(|part| part.parse::<u32>().is_err()).unwrap_or(name)
}

/// Makes one mistake; none where the call has no place for the one that was chosen.
pub fn spoil(call: &mut Call, dice: &mut Dice) {
    call.spoilt = match dice.below(6) {
        0 | 1 => malformed(call, dice),
        2 => value(call, dice),
        3 => unknown(call, dice),
        4 => incomplete(call, dice),
        _ => too_many(call).or_else(|| refused(call, dice)),
    };
}

fn malformed(call: &mut Call, dice: &mut Dice) -> Option<Code> {
    let known = |name: &str| IDS.iter().find(|(id, ..)| *id == last(name));
    let places: Vec<usize> =
        (0..call.params.0.len()).filter(|at| known(&call.params.0[*at].0).is_some()).collect();
    if places.is_empty() {
        return None;
    }
    let (name, value) = &mut call.params.0[*dice.pick(&places)];
    let (_, prefix, code) = known(name)?;
    *value = match dice.below(7) {
        0 => format!("{prefix}-0123456789ABCDEF0"),
        1 => format!("{prefix}-123"),
        2 => format!("{prefix}-0123456789abcdef01"),
        3 => format!("{prefix}-"),
        4 => "vol-0123456789abcdef0".into(),
        5 => "nonsense".into(),
        _ => format!("{prefix}-0123456789abcdeg0"),
    };
    Some(code)
}

fn value(call: &mut Call, dice: &mut Dice) -> Option<Code> {
    // Those of network ACLs are any protocol.
    let path = call.action == "CreateNetworkInsightsPath";
    let known = |name: &str| VALUES.iter().find(|(of, _)| *of == last(name) && (path || *of != "Protocol"));
    let places: Vec<usize> =
        (0..call.params.0.len()).filter(|at| known(&call.params.0[*at].0).is_some()).collect();
    if places.is_empty() {
        call.params.0.retain(|(name, _)| name != "DryRun");
        call.params.set("DryRun", "perhaps");
        return Some(VALUE);
    }
    let (name, value) = &mut call.params.0[*dice.pick(&places)];
    *value = (*dice.pick(known(name)?.1)).to_owned();
    Some(VALUE)
}

fn unknown(call: &mut Call, dice: &mut Dice) -> Option<Code> {
    let name =
        dice.pick(&["Unicorn", "Tagspecification.1.ResourceType", "instanceid", "Filter.1.Name", "X.1.Y"]);
    call.params.set(*name, "1");
    Some("UnknownParameter")
}

fn incomplete(call: &mut Call, dice: &mut Dice) -> Option<Code> {
    let (_, names) = REQUIRED.iter().find(|(action, _)| *action == call.action)?;
    let name = *dice.pick(names);
    let before = call.params.0.len();
    call.params.0.retain(|(given, _)| given.split('.').next() != Some(name));
    (call.params.0.len() < before).then_some(MISSING)
}

fn refused(call: &mut Call, dice: &mut Dice) -> Option<Code> {
    let names: Vec<_> = REFUSED.iter().filter(|(action, _)| *action == call.action).collect();
    if names.is_empty() {
        return None;
    }
    call.params.set(dice.pick(&names).1, "1");
    Some("UnsupportedOperation")
}

/// More entries than a list may have.
fn too_many(call: &mut Call) -> Option<Code> {
    if call.params.0.len().is_multiple_of(2) {
        return None;
    }
    let (list, least) = match call.action {
        "RunInstances" => ("SecurityGroupId".to_owned(), 17),
        "CreateTags" | "DeleteTags" => ("Tag".to_owned(), 51),
        action => {
            let (_, kind) = TAGGED.iter().find(|(tagged, _)| *tagged == action)?;
            call.params.0.retain(|(name, _)| !name.starts_with("TagSpecification."));
            call.params.set("TagSpecification.1.ResourceType", kind);
            ("TagSpecification.1.Tag".to_owned(), 51)
        }
    };
    call.params.0.retain(|(name, _)| name.strip_prefix(&list).is_none_or(|rest| !rest.starts_with('.')));
    for index in 1..=least {
        match list.as_str() {
            "SecurityGroupId" => call.params.set(format!("{list}.{index}"), "sg-0123456789abcdef0"),
            _ => call.params.set(format!("{list}.{index}.Key"), index),
        }
    }
    Some(VALUE)
}
