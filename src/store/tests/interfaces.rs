//! What sequences of requests do to network interfaces and network ACLs, and what must hold of these.

use std::collections::BTreeSet;

use super::property::pick;
use crate::world::*;

pub const CALLS: &[&[(&str, &str)]] = &[
    &[("Action", "CreateNetworkInterface"), ("SubnetId", "$subnet")],
    &[
        ("Action", "CreateNetworkInterface"),
        ("SubnetId", "$subnet"),
        ("SecondaryPrivateIpAddressCount", "2"),
        ("ClientToken", "once"),
    ],
    &[("Action", "DeleteNetworkInterface"), ("NetworkInterfaceId", "$eni")],
    &[
        ("Action", "AttachNetworkInterface"),
        ("NetworkInterfaceId", "$eni"),
        ("InstanceId", "$instance"),
        ("DeviceIndex", "1"),
    ],
    &[("Action", "DetachNetworkInterface"), ("AttachmentId", "$attachment")],
    &[
        ("Action", "AssignPrivateIpAddresses"),
        ("NetworkInterfaceId", "$eni"),
        ("SecondaryPrivateIpAddressCount", "1"),
    ],
    &[
        ("Action", "AssignPrivateIpAddresses"),
        ("PrivateIpAddress.1", "$secondary"),
        ("NetworkInterfaceId", "$eni"),
        ("AllowReassignment", "true"),
    ],
    &[
        ("Action", "UnassignPrivateIpAddresses"),
        ("NetworkInterfaceId", "$eni"),
        ("PrivateIpAddress.1", "$secondary"),
    ],
    &[
        ("Action", "AssociateAddress"),
        ("AllocationId", "$address"),
        ("NetworkInterfaceId", "$eni"),
        ("PrivateIpAddress", "$secondary"),
    ],
    &[
        ("Action", "ModifyNetworkInterfaceAttribute"),
        ("NetworkInterfaceId", "$eni"),
        ("SecurityGroupId.1", "$group"),
    ],
    &[
        ("Action", "ModifyNetworkInterfaceAttribute"),
        ("NetworkInterfaceId", "$eni"),
        ("SourceDestCheck.Value", "false"),
    ],
    &[
        ("Action", "RunInstances"),
        ("ImageId", "$image"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.NetworkInterfaceId", "$eni"),
        ("NetworkInterface.2.DeviceIndex", "1"),
        ("NetworkInterface.2.SubnetId", "$subnet"),
    ],
    &[
        ("Action", "RunInstances"),
        ("ImageId", "$image"),
        ("MinCount", "1"),
        ("MaxCount", "3"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SecondaryPrivateIpAddressCount", "2"),
        ("NetworkInterface.2.DeviceIndex", "1"),
    ],
    &[("Action", "CreateNetworkAcl"), ("VpcId", "$vpc")],
    &[("Action", "DeleteNetworkAcl"), ("NetworkAclId", "$acl")],
    &[
        ("Action", "CreateNetworkAclEntry"),
        ("NetworkAclId", "$acl"),
        ("RuleNumber", "50"),
        ("Protocol", "6"),
        ("PortRange.From", "22"),
        ("PortRange.To", "23"),
        ("RuleAction", "deny"),
        ("Egress", "true"),
        ("CidrBlock", "10.0.0.0/8"),
    ],
    &[
        ("Action", "ReplaceNetworkAclEntry"),
        ("NetworkAclId", "$acl"),
        ("RuleNumber", "50"),
        ("Protocol", "1"),
        ("Icmp.Type", "8"),
        ("Icmp.Code", "-1"),
        ("RuleAction", "allow"),
        ("Egress", "true"),
        ("CidrBlock", "10.0.0.0/8"),
    ],
    &[
        ("Action", "DeleteNetworkAclEntry"),
        ("NetworkAclId", "$acl"),
        ("RuleNumber", "100"),
        ("Egress", "false"),
    ],
    &[("Action", "ReplaceNetworkAclAssociation"), ("AssociationId", "$aclassoc"), ("NetworkAclId", "$acl")],
];

/// Something of interfaces that there is, chosen by a number; `None` where the value is no word for it.
pub fn fill(world: &World, value: &str, n: u8) -> Option<String> {
    Some(match value {
        "$attachment" => {
            let attached = world.enis.values().filter_map(|eni| eni.attachment);
            pick(attached.map(|attachment| attachment.id), n, "eni-attach-00000000")
        }
        "$secondary" => {
            pick(world.enis.values().flat_map(|eni| eni.secondary_ips.iter().copied()), n, "10.0.0.99")
        }
        "$acl" => pick(world.network_acls.keys(), n, "acl-00000000"),
        "$aclassoc" => pick(world.acl_associations.keys(), n, "aclassoc-00000000"),
        _ => return None,
    })
}

/// An address is one interface's and nobody may take it, a place of an instance is one interface's, and what is said of
/// a network ACL goes with it.
pub fn check(world: &World) {
    let mut private = BTreeSet::new();
    let mut places = BTreeSet::new();
    for eni in world.enis.values() {
        for ip in eni.private_ips() {
            let place = (Space::Network(eni.network.clone()), ip);
            assert!(!world.freed.contains_key(&place), "{ip} of {} is free to be taken", eni.id);
            assert!(private.insert(place), "{ip} is given twice");
        }
        let subnet = &world.subnets[&eni.subnet];
        assert!(subnet.vpc == eni.vpc && subnet.network == eni.network && subnet.owner == eni.owner);
        if let Some(attachment) = eni.attachment {
            let instance = &world.instances[&attachment.instance];
            assert_eq!(instance.zone, subnet.zone);
            assert!(places.insert((attachment.instance, attachment.device_index)), "{attachment:?}");
        }
    }
    for entry in world.acl_entries.values() {
        assert!(world.network_acls.contains_key(&entry.acl));
    }
    for association in world.acl_associations.values() {
        let vpc = world.network_acls[&association.acl].vpc;
        assert_eq!(world.subnets[&association.subnet].vpc, vpc);
    }
}
