//! The faults of IPv6.

use super::{Doors, pairs};

const GIVE: (&str, &str) = ("AmazonProvidedIpv6CidrBlock", "true");

impl Doors {
    pub fn in_the_way_of_ipv6(&mut self) {
        let names =
            ["own-vpc", "vpc", "subnet", "six-subnet", "far-subnet", "six-interface", "ipv6", "free-six"];
        let [vpc, flat, flat_subnet, subnet, far, eni, ip, free] = names.map(|thing| self.his(thing));
        let used = format!("{}/64", ip.strip_suffix("10").unwrap());
        let told = self.cloud.done(&self.cloud.his, &[("Action", "DescribeVpcs"), ("VpcId.1", &*vpc)]);
        let told = told.body.split("<ipv6CidrBlockAssociationSet>").nth(1).unwrap().to_owned();
        let block = told.split("<associationId>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
        let of_subnet = self.his("subnet-block");
        let make = "CreateEgressOnlyInternetGateway";
        let (associate, six) = ("AssociateSubnetCidrBlock", "Ipv6CidrBlock");
        let assign = |given| [vec![("NetworkInterfaceId", &*eni)], given].concat();
        self.all_refused(&[
            ("AssociateVpcCidrBlock", "OperationNotPermitted", vec![("VpcId", &flat), GIVE]),
            ("DisassociateSubnetCidrBlock", "InvalidCidrBlock.InUse", vec![("AssociationId", &of_subnet)]),
            ("DisassociateVpcCidrBlock", "InvalidCidrBlock.InUse", vec![("AssociationId", block)]),
            (make, "OperationNotPermitted", vec![("VpcId", &flat)]),
            (associate, "OperationNotPermitted", vec![("SubnetId", &flat_subnet), (six, &free)]),
            (associate, "CidrLimitExceeded", vec![("SubnetId", &subnet), (six, &free)]),
            (associate, "InvalidSubnet.Conflict", vec![("SubnetId", &far), (six, &used)]),
            (associate, "InvalidSubnet.Range", vec![("SubnetId", &far), (six, "2001:db8:bad::/64")]),
            (
                "AssignIpv6Addresses",
                "PrivateIpAddressLimitExceeded",
                assign(vec![("Ipv6AddressCount", "50")]),
            ),
        ]);
        let other = [("Action", "CreateNetworkInterface"), ("SubnetId", &*subnet)];
        let other = self.cloud.done(&self.cloud.his, &other).text("networkInterfaceId").unwrap().to_owned();
        let taken = vec![("NetworkInterfaceId", &*other), ("Ipv6Addresses.1", &ip)];
        self.all_refused(&[("AssignIpv6Addresses", "InvalidIPAddress.InUse", taken)]);
        let token = |more: &[(&str, &str)]| {
            pairs(
                &[&[("Action", make), ("VpcId", &vpc), ("ClientToken", "token of a gateway")], more].concat(),
            )
        };
        let gateway = pairs(&[
            ("Action", "DeleteEgressOnlyInternetGateway"),
            ("EgressOnlyInternetGatewayId", self.cloud.his.get("egress-gateway")),
        ]);
        assert_eq!(self.cloud.call(&self.cloud.his, &gateway).status, 200);
        assert_eq!(self.cloud.call(&self.cloud.his, &token(&[])).status, 200);
        let tagged = [
            ("TagSpecification.1.ResourceType", "egress-only-internet-gateway"),
            ("TagSpecification.1.Tag.1.Key", "a"),
        ];
        self.refused(&self.action(make), &token(&tagged), "IdempotentParameterMismatch");
        self.no_block_is_left(&vpc);
    }

    /// The operator has given four of them, of which each account has one.
    fn no_block_is_left(&mut self, vpc: &str) {
        let give = [("Action", "AssociateVpcCidrBlock"), ("VpcId", vpc), GIVE];
        for _ in 0..2 {
            self.cloud.done(&self.cloud.his, &give);
        }
        let code = "InsufficientAddressCapacity";
        self.all_refused(&[
            ("AssociateVpcCidrBlock", code, give[1..].to_vec()),
            ("CreateVpc", code, vec![("CidrBlock", "10.0.0.0/16"), GIVE]),
        ]);
    }
}
