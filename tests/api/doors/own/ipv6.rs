//! What an account has of IPv6.

use std::net::Ipv6Addr;

use super::Maker;

impl Maker<'_> {
    /// In its own VPC: a subnet with an interface in it, another one's block to take away, an egress-only gateway.
    pub fn ipv6(&mut self) {
        let vpc = self.own.get("own-vpc").to_owned();
        let given =
            [("Action", "AssociateVpcCidrBlock"), ("VpcId", &*vpc), ("AmazonProvidedIpv6CidrBlock", "true")];
        let block = self.call(&given).text("ipv6CidrBlock").unwrap().to_owned();
        let first: Ipv6Addr = block.strip_suffix("/56").unwrap().parse().unwrap();
        let at = |subnet: u128, host: u128| Ipv6Addr::from_bits(first.to_bits() + (subnet << 64) + host);
        let block = |subnet: u128| format!("{}/64", at(subnet, 0));
        let subnet = self.make(
            "six-subnet",
            "subnetId",
            &[
                ("Action", "CreateSubnet"),
                ("VpcId", &vpc),
                ("CidrBlock", "10.0.3.0/24"),
                ("Ipv6CidrBlock", &block(1)),
            ],
        );
        let of = [("Action", "DescribeSubnets"), ("SubnetId.1", &*subnet)];
        self.make("subnet-block", "associationId", &of);
        let free = self.own.get("free-subnet").to_owned();
        let given =
            [("Action", "AssociateSubnetCidrBlock"), ("SubnetId", &*free), ("Ipv6CidrBlock", &block(2))];
        self.make("spare-subnet-block", "associationId", &given);
        self.keep("free-six", &block(3));
        for (thing, host) in [("ipv6", 0x10), ("spare-ipv6", 0x11)] {
            self.keep(thing, &at(1, host).to_string());
        }
        let (one, two) = (self.own.get("ipv6").to_owned(), self.own.get("spare-ipv6").to_owned());
        self.make(
            "six-interface",
            "networkInterfaceId",
            &[
                ("Action", "CreateNetworkInterface"),
                ("SubnetId", &subnet),
                ("Ipv6Addresses.1.Ipv6Address", &one),
                ("Ipv6Addresses.2.Ipv6Address", &two),
            ],
        );
        let given = [("Action", "CreateEgressOnlyInternetGateway"), ("VpcId", &*vpc)];
        let gateway = self.make("egress-gateway", "egressOnlyInternetGatewayId", &given);
        let table = self.own.get("table").to_owned();
        self.call(&[
            ("Action", "CreateRoute"),
            ("RouteTableId", &table),
            ("DestinationIpv6CidrBlock", "::/0"),
            ("EgressOnlyInternetGatewayId", &gateway),
        ]);
    }
}
