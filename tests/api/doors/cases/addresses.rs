//! Rules that are changed in place, and addresses with names and on their way to another account.

use super::{Case, Own, pairs};
use crate::doors::own::rule;

/// The rule that lets a group's own members in, as a request names it.
const OF_GROUP: [(&str, &str); 3] = [
    ("IpPermissions.1.IpProtocol", "tcp"),
    ("IpPermissions.1.FromPort", "24"),
    ("IpPermissions.1.ToPort", "24"),
];

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let vpc = ("VpcId", own.get("vpc"));
    let group = ("GroupId", own.get("group"));
    let named = ("AllocationId", own.get("named-address"));
    Some(match action {
        "GetSecurityGroupsForVpc" | "DescribeStaleSecurityGroups" => case(&[vpc]),
        "DescribeSecurityGroupReferences" => case(&[("GroupId.1", own.get("group"))]),
        "ModifySecurityGroupRules" => modify(
            case(&[
                group,
                ("SecurityGroupRule.1.SecurityGroupRuleId", own.get("rule")),
                ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
                ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "8080"),
                ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "8080"),
                ("SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "198.51.100.0/24"),
            ]),
            own,
        ),
        "UpdateSecurityGroupRuleDescriptionsIngress" => describe(case(&[group]), own, "rule"),
        "UpdateSecurityGroupRuleDescriptionsEgress" => describe(case(&[group]), own, "egress-rule"),
        "ModifyAddressAttribute" => case(&[named, ("DomainName", "mail.example.org")]),
        "ResetAddressAttribute" => case(&[named, ("Attribute", "domain-name")]),
        "EnableAddressTransfer" => case(&[named, ("TransferAccountId", own.get("peer-account"))]),
        "DisableAddressTransfer" => case(&[("AllocationId", own.get("offered-address"))]),
        "AcceptAddressTransfer" => case(&[("Address", own.get("gift-ip"))]),
        _ => return None,
    })
}

/// A rule for a group stays one.
fn modify(mut case: Case, own: &Own) -> Case {
    let of_group = [
        ("SecurityGroupRule.1.SecurityGroupRuleId", own.get("group-rule")),
        ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
        ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "25"),
        ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "25"),
    ];
    let parameter = "SecurityGroupRule.1.SecurityGroupRule.ReferencedGroupId";
    case.instead.push((parameter, "SecurityGroupRule", pairs(&of_group)));
    case
}

/// Rules are described by id or by what they match.
fn describe(mut case: Case, own: &Own, rule: &str) -> Case {
    let by_id = [
        ("SecurityGroupRuleDescription.1.SecurityGroupRuleId", own.get(rule)),
        ("SecurityGroupRuleDescription.1.Description", "described anew"),
    ];
    case.base.extend(pairs(&by_id));
    for parameter in ["IpPermissions.1.Groups.1.GroupId", "IpPermissions.1.Groups.1.GroupName"] {
        case.instead.push((parameter, "SecurityGroupRuleDescription", pairs(&OF_GROUP)));
    }
    let in_vpc = [&OF_GROUP[..], &[("IpPermissions.1.Groups.1.GroupId", own.get("group"))]].concat();
    for parameter in ["IpPermissions.1.Groups.1.VpcId", "IpPermissions.1.Groups.1.VpcPeeringConnectionId"] {
        case.instead.push((parameter, "SecurityGroupRuleDescription", pairs(&in_vpc)));
    }
    case.or("GroupName", "GroupId")
}

/// What his own thing gets where it is not what the action wants.
pub fn own_is(action: &str, thing: &str) -> Option<&'static str> {
    match (action, thing) {
        // Nobody offers it.
        ("AcceptAddressTransfer", "used-ip") => Some("InvalidAddress.NotFound"),
        ("DisableAddressTransfer", "used-address") => Some("IncorrectState"),
        _ => None,
    }
}

impl crate::doors::Doors {
    /// Rules that are like others, and addresses that are not for the taking.
    pub fn of_groups_and_addresses(&mut self) {
        let names = ["group", "rule", "named-address", "offered-address", "free-address", "peer-account"];
        let [group, rule_id, named, offered, free, peer] =
            names.map(|thing| self.cloud.his.get(thing).to_owned());
        let unlike = |port| [vec![("GroupId", group.as_str())], rule(port).to_vec()].concat();
        self.all_refused(&[
            (
                "ModifySecurityGroupRules",
                "InvalidPermission.Duplicate",
                vec![
                    ("GroupId", &group),
                    ("SecurityGroupRule.1.SecurityGroupRuleId", &rule_id),
                    ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
                    ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "23"),
                    ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "23"),
                    ("SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "198.51.100.9/24"),
                ],
            ),
            ("UpdateSecurityGroupRuleDescriptionsIngress", "InvalidPermission.NotFound", unlike("99")),
            ("UpdateSecurityGroupRuleDescriptionsEgress", "InvalidPermission.NotFound", unlike("99")),
            ("ReleaseAddress", "InvalidAddress.PtrSet", vec![("AllocationId", &named)]),
            ("DisableAddressTransfer", "IncorrectState", vec![("AllocationId", &free)]),
            (
                "EnableAddressTransfer",
                "IncorrectState",
                vec![("AllocationId", &offered), ("TransferAccountId", &peer)],
            ),
        ]);
        let to_him = self.cloud.hers.get("peer-account").to_owned();
        for (thing, code) in [
            ("used-address", "InvalidTransfer.AddressAssociated"),
            ("named-address", "InvalidTransfer.AddressCustomPtrSet"),
        ] {
            let id = self.cloud.hers.get(thing).to_owned();
            let offer =
                [("Action", "EnableAddressTransfer"), ("AllocationId", &*id), ("TransferAccountId", &to_him)];
            let ip = self.cloud.done(&self.cloud.hers, &offer).text("publicIp").unwrap().to_owned();
            self.all_refused(&[("AcceptAddressTransfer", code, vec![("Address", &ip)])]);
        }
    }
}
