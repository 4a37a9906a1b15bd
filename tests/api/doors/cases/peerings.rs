//! The cases of VPC peering connections.

use super::{Case, Leaf, Own, Strange};

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let of = |thing| case(&[("VpcPeeringConnectionId", own.get(thing))]);
    Some(match action {
        "AcceptVpcPeeringConnection" => of("asked-peering"),
        // Their blocks overlap: it is made, and has failed.
        "CreateVpcPeeringConnection" => {
            case(&[("VpcId", own.get("own-vpc")), ("PeerVpcId", own.get("plain-vpc"))])
        }
        "DeleteVpcPeeringConnection" => of("request"),
        "ModifyVpcPeeringConnectionOptions" => {
            let off = ("AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "false");
            case(&[("VpcPeeringConnectionId", own.get("peering")), off]).changes_nothing()
        }
        "RejectVpcPeeringConnection" => of("unwanted-peering"),
        _ => return None,
    })
}

/// What another's things get in these actions' parameters; `None` where it is what they get anywhere.
pub fn strange(leaf: &Leaf) -> Option<Vec<(&'static str, Strange)>> {
    match (leaf.kind.as_str(), leaf.name.as_str()) {
        ("VpcPeeringConnectionId", _) => {
            Some(vec![("peering", Strange::Refused("InvalidVpcPeeringConnectionID.NotFound"))])
        }
        // Any VPC may be asked, and EC2 says of none whether it is there: control::peerings::tests has what comes of it.
        (_, "PeerVpcId") => Some(Vec::new()),
        _ => None,
    }
}

/// What the account's own thing is answered with in the same place, where that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    Some(match (action, thing) {
        ("AcceptVpcPeeringConnection" | "RejectVpcPeeringConnection", "peering") => "InvalidStateTransition",
        // It does not lead from the group's VPC to the source's.
        (action, "peering") if action.contains("SecurityGroup") => "InvalidVpcPeeringConnectionID.NotFound",
        _ => return None,
    })
}

/// What a text that is no value of these types is answered with.
pub fn malformed(kind: &str) -> Option<&'static str> {
    (kind == "VpcPeeringConnectionId").then_some("InvalidVpcPeeringConnectionId.Malformed")
}
