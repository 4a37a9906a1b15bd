//! For each action a call that succeeds, and what another account's things are answered with.

pub mod addresses;
mod instances;
mod interfaces;
mod ipv6;
mod nat;
mod peerings;
mod prefixes;
mod templates;
mod vpcs;

use super::own::{Own, Pairs, pairs, public_key, rule};
use super::spec::{Action, Leaf};

/// A call that succeeds for its account.
pub struct Case {
    pub base: Pairs,
    /// What it is always answered with, where it cannot succeed.
    pub never: Option<&'static str>,
    /// Whether it changes anything when it succeeds.
    pub changes: bool,
    /// What a parameter takes the place of, and what it needs beside it.
    instead: Vec<(&'static str, &'static str, Pairs)>,
}

impl Case {
    fn new(action: &str, given: &[(&str, &str)]) -> Self {
        let base = pairs(&[&[("Action", action)], given].concat());
        // An instance that runs is started already.
        let changes = action != "StartInstances";
        Self { base, never: None, changes, instead: Vec::new() }
    }

    fn never(mut self, code: &'static str) -> Self {
        (self.never, self.changes) = (Some(code), false);
        self
    }

    fn changes_nothing(mut self) -> Self {
        self.changes = false;
        self
    }

    fn or(mut self, parameter: &'static str, other: &'static str) -> Self {
        self.instead.push((parameter, other, Vec::new()));
        self
    }

    fn beside(mut self, parameter: &'static str, needs: &[(&str, &str)]) -> Self {
        self.instead.push((parameter, "", pairs(needs)));
        self
    }

    /// The call with this parameter, and without what does not go with it.
    pub fn with(&self, parameter: &str, value: &str) -> Pairs {
        let mut given = self.base.clone();
        for (_, other, needs) in self.instead.iter().filter(|(of, ..)| *of == parameter) {
            given.retain(|(name, _)| other.is_empty() || !name.starts_with(other));
            given.extend(needs.iter().cloned());
        }
        given.retain(|(name, _)| name != parameter);
        given.push((parameter.to_owned(), value.to_owned()));
        given
    }

    /// The call without a parameter, or without that list.
    pub fn without(&self, parameter: &str) -> Pairs {
        let of_list = format!("{parameter}.");
        let kept = |(name, _): &&(String, String)| name != parameter && !name.starts_with(&of_list);
        self.base.iter().filter(kept).cloned().collect()
    }
}

/// `None` for an action that nobody has written a case for.
pub fn case(action: &str, own: &Own) -> Option<Case> {
    plain(action, own).map(|case| prefixes::lists(case, action, own))
}

fn plain(action: &str, own: &Own) -> Option<Case> {
    if let Some(case) = addresses::case(action, own) {
        return Some(case);
    }
    let case = |given: &[(&str, &str)]| Some(Case::new(action, given));
    if let Some(case) = nat::case(action, own)
        .or_else(|| peerings::case(action, own))
        .or_else(|| ipv6::case(action, own))
        .or_else(|| prefixes::case(action, own))
        .or_else(|| vpcs::case(action, own))
        .or_else(|| interfaces::case(action, own))
        .or_else(|| instances::case(action, own))
        .or_else(|| templates::case(action, own))
    {
        return Some(case);
    }
    match action {
        "AllocateAddress" => case(&[("Domain", "vpc")]),
        "AssociateAddress" => {
            let case = case(&[
                ("AllocationId", own.get("free-address")),
                ("InstanceId", own.get("other-instance")),
            ])?;
            Some(case.or("PublicIp", "AllocationId").or("NetworkInterfaceId", "InstanceId"))
        }
        "DisassociateAddress" => {
            Some(case(&[("AssociationId", own.get("association"))])?.or("PublicIp", "AssociationId"))
        }
        "ReleaseAddress" => {
            Some(case(&[("AllocationId", own.get("spare-address"))])?.or("PublicIp", "AllocationId"))
        }
        "CreateKeyPair" => case(&[("KeyName", "made"), ("KeyType", "ed25519")]),
        "ImportKeyPair" => case(&[("KeyName", "imported"), ("PublicKeyMaterial", &public_key())]),
        "DeleteKeyPair" => Some(case(&[("KeyName", own.get("spare-key-name"))])?.or("KeyPairId", "KeyName")),
        "CreateTags" | "DeleteTags" => {
            case(&[("ResourceId.1", own.get("instance")), ("Tag.1.Key", "a"), ("Tag.1.Value", "c")])
        }
        "GetConsoleOutput" => case(&[("InstanceId", own.get("instance"))]),
        "RebootInstances" => case(&[("InstanceId.1", own.get("other-instance"))]),
        "StartInstances" | "StopInstances" => case(&[("InstanceId.1", own.get("idle-instance"))]),
        "TerminateInstances" => case(&[("InstanceId.1", own.get("spare-instance"))]),
        "RunInstances" => {
            let number = [("MinCount", "1"), ("MaxCount", "1")];
            case(&[&[("ImageId", own.get("image"))], &number[..]].concat())
        }
        "GetCallerIdentity" => case(&[]),
        _ if action.starts_with("Describe") => case(&[]),
        _ => group_case(action, own).or_else(|| path_case(action, own)),
    }
}

fn group_case(action: &str, own: &Own) -> Option<Case> {
    let group = ("GroupId", own.get("group"));
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    Some(match action {
        "CreateSecurityGroup" => case(&[("GroupName", "made"), ("GroupDescription", "d")]),
        "DeleteSecurityGroup" => case(&[("GroupId", own.get("spare-group"))]).or("GroupName", "GroupId"),
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            sources(case(&[&[group], &rule("80")[..]].concat()), own)
        }
        "RevokeSecurityGroupIngress" => {
            let case = case(&[group, ("SecurityGroupRuleId.1", own.get("spare-rule"))]);
            sources(permissions_instead(case), own)
        }
        "RevokeSecurityGroupEgress" => {
            let case = case(&[group, ("SecurityGroupRuleId.1", own.get("spare-egress-rule"))]);
            sources(permissions_instead(case), own)
        }
        _ => return None,
    })
}

/// Source groups, in the two ways to name them.
fn sources(case: Case, own: &Own) -> Case {
    let beside = [("IpPermissions.1.Groups.1.GroupId", own.get("group"))];
    case.or("GroupName", "GroupId")
        .or("SourceSecurityGroupName", "IpPermissions")
        .beside("IpPermissions.1.Groups.1.VpcId", &beside)
        .beside("IpPermissions.1.Groups.1.VpcPeeringConnectionId", &beside)
}

/// Rules are revoked by id or by what they match.
fn permissions_instead(mut case: Case) -> Case {
    for parameter in [
        "IpPermissions.1.Groups.1.GroupId",
        "IpPermissions.1.Groups.1.GroupName",
        "IpPermissions.1.Groups.1.VpcId",
        "IpPermissions.1.Groups.1.VpcPeeringConnectionId",
    ] {
        case.instead.push((parameter, "SecurityGroupRuleId", pairs(&rule("80"))));
    }
    case.or("SourceSecurityGroupName", "SecurityGroupRuleId")
}

fn path_case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    Some(match action {
        "CreateNetworkInsightsPath" => case(&[
            ("Source", own.get("instance")),
            ("Destination", own.get("other-instance")),
            ("Protocol", "tcp"),
        ]),
        "StartNetworkInsightsAnalysis" => case(&[("NetworkInsightsPathId", own.get("path"))]),
        "DeleteNetworkInsightsAnalysis" => case(&[("NetworkInsightsAnalysisId", own.get("spare-analysis"))]),
        "DeleteNetworkInsightsPath" => case(&[("NetworkInsightsPathId", own.get("spare-path"))]),
        _ => return None,
    })
}

/// What another account's thing gets where a parameter names one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strange {
    /// This code.
    Refused(&'static str),
    /// Success that changes nothing: EC2 has names that do not exist deleted already.
    Nothing,
}

use Strange::{Nothing, Refused};

/// What the account's own thing is answered with where another's is refused, if that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    vpcs::own_refused(action, thing)
        .or_else(|| ipv6::own_refused(action, thing))
        .or_else(|| nat::own_refused(action, thing))
        .or_else(|| peerings::own_refused(action, thing))
        .or_else(|| prefixes::own_refused(action, thing))
        .or_else(|| interfaces::own_refused(action, thing))
}

/// Things that CreateTags and DeleteTags take, with the codes for those that are not there.
const RESOURCES: [(&str, &str); 22] = [
    ("egress-gateway", "InvalidEgressOnlyInternetGatewayId.NotFound"),
    ("acl", "InvalidNetworkAclID.NotFound"),
    ("options", "InvalidDhcpOptionID.NotFound"),
    ("gateway", "InvalidInternetGatewayID.NotFound"),
    ("nat-gateway", "NatGatewayNotFound"),
    ("peering", "InvalidVpcPeeringConnectionID.NotFound"),
    ("prefix-list", "InvalidPrefixListID.NotFound"),
    ("reservation", "InvalidSubnetCidrReservationID.NotFound"),
    ("table", "InvalidRouteTableID.NotFound"),
    ("instance", "InvalidInstanceID.NotFound"),
    ("used-address", "InvalidAllocationID.NotFound"),
    ("key", "InvalidKeyPair.NotFound"),
    ("path", "InvalidNetworkInsightsPathId.NotFound"),
    ("analysis", "InvalidNetworkInsightsAnalysisId.NotFound"),
    ("interface", "InvalidNetworkInterfaceID.NotFound"),
    ("group", "InvalidGroup.NotFound"),
    ("rule", "InvalidSecurityGroupRuleId.NotFound"),
    ("egress-rule", "InvalidSecurityGroupRuleId.NotFound"),
    ("own-image", "InvalidAMIID.NotFound"),
    ("template", "InvalidLaunchTemplateId.NotFound"),
    ("subnet", "InvalidSubnetID.NotFound"),
    ("vpc", "InvalidVpcID.NotFound"),
];

/// The other's things to try in a parameter; none where it names nothing that an account has.
pub fn strange(action: &Action, leaf: &Leaf) -> Vec<(&'static str, Strange)> {
    if let Some(found) = nat::strange(action, leaf)
        .or_else(|| peerings::strange(leaf))
        .or_else(|| ipv6::strange(action, leaf))
        .or_else(|| prefixes::strange(action, leaf))
        .or_else(|| vpcs::strange(action, leaf))
        .or_else(|| interfaces::strange(action, leaf))
    {
        return found;
    }
    if leaf.name.starts_with("LaunchTemplateData.") {
        // A template may name what is not there yet: it is looked up when something is launched.
        return Vec::new();
    }
    let own_rule = action.name.starts_with("Revoke") || action.name.starts_with("Update");
    let one = match leaf.kind.as_str() {
        "InstanceId" => ("instance", "InvalidInstanceID.NotFound"),
        "AllocationId" => ("used-address", "InvalidAllocationID.NotFound"),
        "AssociationId" => ("association", "InvalidAssociationID.NotFound"),
        "GroupId" => ("group", "InvalidGroup.NotFound"),
        "RuleId" if own_rule && action.name.ends_with("Egress") => {
            ("egress-rule", "InvalidSecurityGroupRuleId.NotFound")
        }
        "RuleId" => ("rule", "InvalidSecurityGroupRuleId.NotFound"),
        "EniId" => ("interface", "InvalidNetworkInterfaceID.NotFound"),
        "SubnetId" => ("subnet", "InvalidSubnetID.NotFound"),
        // The VPC of a source group is wrong, and with it the group.
        "VpcId" if leaf.name.contains("Groups") => ("vpc", "InvalidGroup.NotFound"),
        "VpcId" => ("vpc", "InvalidVpcID.NotFound"),
        "KeyPairId" => ("key", "InvalidKeyPair.NotFound"),
        "InsightsPathId" => ("path", "InvalidNetworkInsightsPathId.NotFound"),
        "InsightsAnalysisId" => ("analysis", "InvalidNetworkInsightsAnalysisId.NotFound"),
        "ResourceId" => return RESOURCES.iter().map(|(thing, code)| (*thing, Refused(code))).collect(),
        "ImageId" => ("own-image", "InvalidAMIID.NotFound"),
        "LaunchTemplateId" => ("template", "InvalidLaunchTemplateId.NotFound"),
        // Nobody has any.
        "VolumeId" => return Vec::new(),
        // Groups of other accounts on the flat network may be sources, by their account and name.
        "AccountId" | "integer" | "boolean" | "blob" => return Vec::new(),
        "string" | "Ipv4Addr" => return named(action, leaf),
        other => panic!("{} {}: nobody has said what another's {other} gets", action.name, leaf.name),
    };
    vec![(one.0, Refused(one.1))]
}

/// Names and addresses, which are texts to api-spec/.
fn named(action: &Action, leaf: &Leaf) -> Vec<(&'static str, Strange)> {
    let last = leaf.name.split('.').rfind(|step| *step != "1").unwrap_or_default();
    let one = match (action.name.as_str(), last) {
        // These make the names, or forget them.
        ("CreateKeyPair" | "ImportKeyPair", "KeyName") | ("CreateSecurityGroup", "GroupName") => {
            return Vec::new();
        }
        ("DeleteKeyPair", "KeyName") => ("key-name", Nothing),
        ("CreateLaunchTemplate", "LaunchTemplateName") => return Vec::new(),
        (_, "LaunchTemplateName") => {
            ("template-name", Refused("InvalidLaunchTemplateName.NotFoundException"))
        }
        (_, "KeyName") => ("key-name", Refused("InvalidKeyPair.NotFound")),
        (_, "GroupName" | "SourceSecurityGroupName" | "SecurityGroup") => {
            ("group-name", Refused("InvalidGroup.NotFound"))
        }
        (_, "PublicIp") | ("AllocateAddress" | "AcceptAddressTransfer", "Address") => {
            ("used-ip", Refused("InvalidAddress.NotFound"))
        }
        ("RunInstances", "PrivateIpAddress") => ("private-ip", Refused("InvalidIPAddress.InUse")),
        ("AssociateAddress", "PrivateIpAddress") => ("private-ip", Refused("InvalidParameterValue")),
        ("CreateNetworkInsightsPath", "Source" | "Destination") => {
            return vec![
                ("instance", Refused("InvalidInstanceID.NotFound")),
                ("interface", Refused("InvalidNetworkInterfaceID.NotFound")),
            ];
        }
        _ => return Vec::new(),
    };
    vec![one]
}

/// What EC2 says to a text that is no value of this type; `None` where any text is.
pub fn malformed(kind: &str) -> Option<&'static str> {
    let code = vpcs::malformed(kind)
        .or_else(|| nat::malformed(kind))
        .or_else(|| prefixes::malformed(kind))
        .or_else(|| interfaces::malformed(kind))
        .or_else(|| peerings::malformed(kind))
        .or_else(|| ipv6::malformed(kind));
    if let Some(code) = code {
        return Some(code);
    }
    Some(match kind {
        "string" => return None,
        "InstanceId" => "InvalidInstanceID.Malformed",
        "AllocationId" => "InvalidAllocationID.Malformed",
        "AssociationId" => "InvalidAssociationID.Malformed",
        "GroupId" => "InvalidGroupId.Malformed",
        "RuleId" => "InvalidSecurityGroupRuleId.Malformed",
        "EniId" => "InvalidNetworkInterfaceId.Malformed",
        "SubnetId" => "InvalidSubnetID.Malformed",
        "VpcId" => "InvalidVpcID.Malformed",
        "ImageId" => "InvalidAMIID.Malformed",
        "LaunchTemplateId" => "InvalidLaunchTemplateId.Malformed",
        "ResourceId" => "InvalidID",
        "KeyPairId" | "InsightsPathId" | "InsightsAnalysisId" | "VolumeId" | "AccountId" | "Ipv4Addr"
        | "integer" | "boolean" | "blob" => "InvalidParameterValue",
        other => panic!("nobody has said what a malformed {other} gets"),
    })
}
