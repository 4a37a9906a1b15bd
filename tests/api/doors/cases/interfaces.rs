//! The cases of network interfaces and network ACLs.

use super::{Action, Case, Leaf, Own, Strange, pairs};

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let attached = ("NetworkInterfaceId", own.get("attached-interface"));
    let free = ("NetworkInterfaceId", own.get("free-interface"));
    Some(match action {
        "CreateNetworkInterface" => case(&[("SubnetId", own.get("subnet"))]),
        "DeleteNetworkInterface" => case(&[("NetworkInterfaceId", own.get("spare-interface"))]),
        "AttachNetworkInterface" => {
            case(&[free, ("InstanceId", own.get("other-instance")), ("DeviceIndex", "1")])
        }
        "DetachNetworkInterface" => case(&[("AttachmentId", own.get("attachment"))]),
        "DescribeNetworkInterfaceAttribute" => case(&[attached, ("Attribute", "groupSet")]),
        "ModifyNetworkInterfaceAttribute" => modify(case(&[attached, ("Description.Value", "changed")])),
        "ResetNetworkInterfaceAttribute" => case(&[attached, ("SourceDestCheck", "true")]),
        "AssignPrivateIpAddresses" => {
            let case = case(&[attached, ("SecondaryPrivateIpAddressCount", "1")]);
            case.or("PrivateIpAddress.1", "SecondaryPrivateIpAddressCount")
        }
        "UnassignPrivateIpAddresses" => case(&[free, ("PrivateIpAddress.1", own.get("secondary-ip"))]),
        _ => return acl_case(action, own),
    })
}

/// One attribute at a time.
fn modify(mut case: Case) -> Case {
    let ends = pairs(&[("Attachment.DeleteOnTermination", "true")]);
    case.instead.push(("Attachment.AttachmentId", "Description", ends));
    case.or("SecurityGroupId.1", "Description")
}

fn acl_case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let acl = ("NetworkAclId", own.get("acl"));
    let entry = |number| {
        let what = [("Protocol", "-1"), ("RuleAction", "allow"), ("CidrBlock", "192.0.2.0/24")];
        case(&[&[acl, ("RuleNumber", number), ("Egress", "false")], &what[..]].concat())
    };
    Some(match action {
        "CreateNetworkAcl" => case(&[("VpcId", own.get("own-vpc"))]),
        "DeleteNetworkAcl" => case(&[("NetworkAclId", own.get("spare-acl"))]),
        "CreateNetworkAclEntry" => entry("120"),
        "ReplaceNetworkAclEntry" => entry("110"),
        "DeleteNetworkAclEntry" => case(&[acl, ("RuleNumber", "100"), ("Egress", "false")]),
        "ReplaceNetworkAclAssociation" => case(&[("AssociationId", own.get("acl-association")), acl]),
        _ => return None,
    })
}

/// What another's things get in these actions' parameters; `None` where it is what they get anywhere.
pub fn strange(action: &Action, leaf: &Leaf) -> Option<Vec<(&'static str, Strange)>> {
    let takes = ["CreateNetworkInterface", "AssignPrivateIpAddresses"].contains(&&*action.name);
    let (thing, code) = match leaf.kind.as_str() {
        "AttachmentId" => ("attachment", "InvalidAttachmentID.NotFound"),
        "NetworkAclId" => ("acl", "InvalidNetworkAclID.NotFound"),
        "NetworkAclAssociationId" => ("acl-association", "InvalidAssociationID.NotFound"),
        "VpcId" if action.name == "CreateNetworkAcl" => ("own-vpc", "InvalidVpcID.NotFound"),
        "Ipv4Addr" if takes => ("private-ip", "InvalidIPAddress.InUse"),
        "Ipv4Addr" if action.name == "UnassignPrivateIpAddresses" => ("private-ip", "InvalidParameterValue"),
        _ => return None,
    };
    Some(vec![(thing, Strange::Refused(code))])
}

/// What the account's own thing is answered with in the same place, where that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    Some(match (action, thing) {
        ("AttachNetworkInterface" | "RunInstances", "interface") => "InvalidNetworkInterface.InUse",
        ("DeleteNetworkInterface" | "UnassignPrivateIpAddresses", "interface")
        | ("UnassignPrivateIpAddresses", "private-ip") => "InvalidParameterValue",
        ("CreateNetworkInterface" | "AssignPrivateIpAddresses", "private-ip") => "InvalidIPAddress.InUse",
        _ => return None,
    })
}

/// What a text that is no value of these types is answered with.
pub fn malformed(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AttachmentId" => "InvalidAttachmentID.Malformed",
        "NetworkAclId" => "InvalidNetworkAclId.Malformed",
        "NetworkAclAssociationId" => "InvalidAssociationID.Malformed",
        _ => return None,
    })
}
