//! The cases of NAT gateways.

use super::{Action, Case, Leaf, Own, Strange};

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    Some(match action {
        "CreateNatGateway" => {
            case(&[("SubnetId", own.get("nat-subnet")), ("AllocationId", own.get("free-nat-address"))])
        }
        "DeleteNatGateway" => case(&[("NatGatewayId", own.get("spare-nat-gateway"))]),
        _ => return None,
    })
}

/// What another's things get in these actions' parameters; `None` where it is what they get anywhere.
pub fn strange(action: &Action, leaf: &Leaf) -> Option<Vec<(&'static str, Strange)>> {
    let (thing, code) = match leaf.kind.as_str() {
        "NatGatewayId" if action.name.ends_with("Route") => ("nat-gateway", "InvalidNatGatewayID.NotFound"),
        "NatGatewayId" => ("nat-gateway", "NatGatewayNotFound"),
        "SubnetId" if action.name == "CreateNatGateway" => ("nat-subnet", "InvalidSubnetID.NotFound"),
        _ => return None,
    };
    Some(vec![(thing, Strange::Refused(code))])
}

/// What the account's own thing is answered with in the same place, where that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    Some(match (action, thing) {
        ("CreateNatGateway", "used-address") => "Resource.AlreadyAssociated",
        // The table is another VPC's.
        ("CreateRoute" | "ReplaceRoute", "nat-gateway") => "InvalidParameterValue",
        _ => return None,
    })
}

/// What a text that is no value of these types is answered with.
pub fn malformed(kind: &str) -> Option<&'static str> {
    (kind == "NatGatewayId").then_some("NatGatewayMalformed")
}
