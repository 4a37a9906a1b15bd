//! An account's own VPC with what is in it.

use super::Maker;

impl Maker<'_> {
    /// One VPC with everything in it, one with a gateway alone, and one to delete.
    pub fn vpcs(&mut self) {
        for thing in ["own-vpc", "plain-vpc", "spare-vpc"] {
            self.make(thing, "vpcId", &[("Action", "CreateVpc"), ("CidrBlock", "10.0.0.0/16")]);
        }
        let vpc = self.own.get("own-vpc").to_owned();
        for (thing, cidr) in [("block", "10.1.0.0/16"), ("used-block", "10.2.0.0/16")] {
            let given = [("Action", "AssociateVpcCidrBlock"), ("VpcId", &*vpc), ("CidrBlock", cidr)];
            self.make(thing, "associationId", &given);
        }
        for (thing, cidr) in [
            ("own-subnet", "10.0.0.0/24"),
            ("free-subnet", "10.0.1.0/24"),
            ("spare-subnet", "10.0.2.0/24"),
            ("far-subnet", "10.2.0.0/24"),
        ] {
            let given = [("Action", "CreateSubnet"), ("VpcId", &*vpc), ("CidrBlock", cidr)];
            self.make(thing, "subnetId", &given);
        }
        self.instance_within();
        self.gateways(&vpc);
        self.tables(&vpc);
        let value = ("DhcpConfiguration.1.Value.1", "example.org");
        for thing in ["options", "other-options", "spare-options"] {
            let given = [("Action", "CreateDhcpOptions"), ("DhcpConfiguration.1.Key", "domain-name"), value];
            self.make(thing, "dhcpOptionsId", &given);
        }
        let options = self.own.get("options").to_owned();
        self.call(&[("Action", "AssociateDhcpOptions"), ("DhcpOptionsId", &options), ("VpcId", &vpc)]);
    }

    fn instance_within(&mut self) {
        let (image, subnet) = (self.own.get("image").to_owned(), self.own.get("own-subnet").to_owned());
        let number = [("MinCount", "1"), ("MaxCount", "1")];
        let given = [("Action", "RunInstances"), ("ImageId", &*image), ("SubnetId", &subnet)];
        let id = self.make("vpc-instance", "instanceId", &[&given[..], &number].concat());
        let of = [
            ("Action", "DescribeNetworkInterfaces"),
            ("Filter.1.Name", "attachment.instance-id"),
            ("Filter.1.Value.1", &*id),
        ];
        self.make("vpc-interface", "networkInterfaceId", &of);
    }

    fn gateways(&mut self, vpc: &str) {
        for thing in ["gateway", "plain-gateway", "spare-gateway"] {
            self.make(thing, "internetGatewayId", &[("Action", "CreateInternetGateway")]);
        }
        let plain = self.own.get("plain-vpc").to_owned();
        for (thing, vpc) in [("gateway", vpc), ("plain-gateway", &plain)] {
            let gateway = self.own.get(thing).to_owned();
            self.call(&[
                ("Action", "AttachInternetGateway"),
                ("InternetGatewayId", &gateway),
                ("VpcId", vpc),
            ]);
        }
    }

    fn tables(&mut self, vpc: &str) {
        for thing in ["table", "spare-table"] {
            self.make(thing, "routeTableId", &[("Action", "CreateRouteTable"), ("VpcId", vpc)]);
        }
        let (table, subnet) = (self.own.get("table").to_owned(), self.own.get("own-subnet").to_owned());
        let given = [("Action", "AssociateRouteTable"), ("RouteTableId", &*table), ("SubnetId", &subnet)];
        self.make("table-association", "associationId", &given);
        let of = [("Action", "DescribeRouteTables"), ("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
        let main = [("Filter.2.Name", "association.main"), ("Filter.2.Value.1", "true")];
        self.make("main-association", "routeTableAssociationId", &[&of[..], &main].concat());
        let gateway = self.own.get("gateway").to_owned();
        for destination in ["0.0.0.0/0", "192.0.2.0/24"] {
            self.call(&[
                ("Action", "CreateRoute"),
                ("RouteTableId", &table),
                ("DestinationCidrBlock", destination),
                ("GatewayId", &gateway),
            ]);
        }
    }
}
