//! The cases of IPv6.

use super::{Action, Case, Leaf, Own, Strange};

pub fn case(action: &str, own: &Own) -> Option<Case> {
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    let interface = ("NetworkInterfaceId", own.get("six-interface"));
    Some(match action {
        "AssociateSubnetCidrBlock" => {
            case(&[("SubnetId", own.get("far-subnet")), ("Ipv6CidrBlock", own.get("free-six"))])
        }
        "DisassociateSubnetCidrBlock" => case(&[("AssociationId", own.get("spare-subnet-block"))]),
        "AssignIpv6Addresses" => {
            case(&[interface, ("Ipv6AddressCount", "1")]).or("Ipv6Addresses.1", "Ipv6AddressCount")
        }
        "UnassignIpv6Addresses" => case(&[interface, ("Ipv6Addresses.1", own.get("spare-ipv6"))]),
        "CreateEgressOnlyInternetGateway" => case(&[("VpcId", own.get("plain-vpc"))]),
        "DeleteEgressOnlyInternetGateway" => {
            case(&[("EgressOnlyInternetGatewayId", own.get("egress-gateway"))])
        }
        _ => return None,
    })
}

/// What another's things get in these actions' parameters; `None` where it is what they get anywhere.
pub fn strange(action: &Action, leaf: &Leaf) -> Option<Vec<(&'static str, Strange)>> {
    let (thing, code) = match leaf.kind.as_str() {
        "EgressGatewayId" if action.name.ends_with("Route") => {
            ("egress-gateway", "InvalidGatewayID.NotFound")
        }
        "EgressGatewayId" => ("egress-gateway", "InvalidEgressOnlyInternetGatewayId.NotFound"),
        "SubnetCidrAssociationId" => ("subnet-block", "InvalidSubnetCidrBlockAssociationID.NotFound"),
        "EniId" if action.name.ends_with("Ipv6Addresses") => {
            ("six-interface", "InvalidNetworkInterfaceID.NotFound")
        }
        "SubnetId" if action.name == "AssociateSubnetCidrBlock" => ("own-subnet", "InvalidSubnetID.NotFound"),
        "Ipv6Addr" if action.name.ends_with("Ipv6Addresses") => ("ipv6", "InvalidParameterValue"),
        // What is another's is outside of one's own subnets.
        "Ipv6Addr" | "Cidr6" => return Some(Vec::new()),
        _ => return None,
    };
    Some(vec![(thing, Strange::Refused(code))])
}

/// What the account's own thing is answered with in the same place, where that is not success.
pub fn own_refused(action: &str, thing: &str) -> Option<&'static str> {
    Some(match (action, thing) {
        ("DisassociateSubnetCidrBlock", "subnet-block") => "InvalidCidrBlock.InUse",
        // It has one already.
        ("CreateEgressOnlyInternetGateway", "own-vpc") => "InvalidParameterValue",
        _ => return None,
    })
}

/// What a text that is no value of these types is answered with.
pub fn malformed(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "EgressGatewayId" => "InvalidEgressOnlyInternetGatewayId.Malformed",
        "SubnetCidrAssociationId" => "InvalidSubnetCidrBlockAssociationId.Malformed",
        "Ipv6Addr" | "Cidr6" => "InvalidParameterValue",
        _ => return None,
    })
}
