//! The cases of prefix lists, and of reservations in subnets.

use super::{Action, Case, Leaf, Own, Strange, pairs};

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let list = ("PrefixListId", own.get("prefix-list"));
    let reservation = own.get("spare-reservation");
    Some(match action {
        "CreateManagedPrefixList" => {
            case(&[("PrefixListName", "made"), ("AddressFamily", "IPv4"), ("MaxEntries", "1")])
        }
        "ModifyManagedPrefixList" => {
            case(&[list, ("AddEntry.1.Cidr", "198.51.100.0/24")]).or("MaxEntries", "AddEntry")
        }
        "DeleteManagedPrefixList" => case(&[("PrefixListId", own.get("spare-prefix-list"))]),
        "RestoreManagedPrefixListVersion" => case(&[
            ("PrefixListId", own.get("other-prefix-list")),
            ("PreviousVersion", "1"),
            ("CurrentVersion", "1"),
        ]),
        "GetManagedPrefixListEntries" | "GetManagedPrefixListAssociations" => case(&[list]),
        "CreateSubnetCidrReservation" => case(&[
            ("SubnetId", own.get("own-subnet")),
            ("Cidr", "10.0.0.224/28"),
            ("ReservationType", "explicit"),
        ]),
        "DeleteSubnetCidrReservation" => case(&[("SubnetCidrReservationId", reservation)]),
        "GetSubnetCidrReservations" => case(&[("SubnetId", own.get("own-subnet"))]),
        _ => return None,
    })
}

/// A rule that names a list, in the actions that take rules by what they match or by id.
pub fn lists(mut case: Case, action: &str, own: &Own) -> Case {
    let parameter = "IpPermissions.1.PrefixListIds.1.PrefixListId";
    let traffic = [
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "25"),
        ("IpPermissions.1.ToPort", "25"),
    ];
    match action {
        "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => {
            return case.or("DestinationPrefixListId", "DestinationCidrBlock");
        }
        "ModifySecurityGroupRules" => {
            let of_list = [
                ("SecurityGroupRule.1.SecurityGroupRuleId", own.get("list-rule")),
                ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
                ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "26"),
                ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "26"),
            ];
            let parameter = "SecurityGroupRule.1.SecurityGroupRule.PrefixListId";
            case.instead.push((parameter, "SecurityGroupRule", pairs(&of_list)));
        }
        name if name.starts_with("Revoke") => {
            case.instead.push((parameter, "SecurityGroupRuleId", pairs(&traffic)));
        }
        name if name.starts_with("Update") => {
            case.instead.push((parameter, "SecurityGroupRuleDescription", pairs(&traffic)));
        }
        _ => {}
    }
    case
}

/// What another's things get in these actions' parameters; `None` where it is what they get anywhere.
pub fn strange(_: &Action, leaf: &Leaf) -> Option<Vec<(&'static str, Strange)>> {
    let (thing, code) = match leaf.kind.as_str() {
        "PrefixListId" => ("prefix-list", "InvalidPrefixListID.NotFound"),
        "SubnetCidrReservationId" => ("reservation", "InvalidSubnetCidrReservationID.NotFound"),
        _ => return None,
    };
    Some(vec![(thing, Strange::Refused(code))])
}

/// What the account's own thing is answered with in the same place, where that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    Some(match (action, thing) {
        ("DeleteManagedPrefixList", "prefix-list") => "DependencyViolation",
        // That is for AWS's own ones.
        ("DescribePrefixLists", "prefix-list") => "InvalidPrefixListID.NotFound",
        // No route leads there yet.
        ("DeleteRoute", "prefix-list") => "InvalidRoute.NotFound",
        ("ReplaceRoute", "prefix-list") => "InvalidParameterValue",
        _ => return None,
    })
}

/// What a text that is no value of these types is answered with.
pub fn malformed(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "PrefixListId" => "InvalidPrefixListId.Malformed",
        "SubnetCidrReservationId" => "InvalidParameterValue",
        _ => return None,
    })
}
