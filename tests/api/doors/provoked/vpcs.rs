//! The faults of VPCs and what is in them.

use super::{Doors, Pairs, crowd, launch, pairs};

impl Doors {
    /// What the account has in its default VPC, by what Describe tells of it.
    fn in_default_vpc(&self, action: &str, element: &str) -> String {
        let vpc = self.his("vpc");
        let filter = if action == "DescribeInternetGateways" { "attachment.vpc-id" } else { "vpc-id" };
        let given = [("Action", action), ("Filter.1.Name", filter), ("Filter.1.Value.1", &*vpc)];
        self.cloud.done(&self.cloud.his, &given).text(element).unwrap().to_owned()
    }

    pub fn of_the_operator(&mut self) {
        let (vpc, subnet, gateway) = (self.his("vpc"), self.his("subnet"), self.his("gateway"));
        let (options, instance) = (self.his("options"), self.his("instance"));
        let table = self.in_default_vpc("DescribeRouteTables", "routeTableId");
        let association = self.in_default_vpc("DescribeRouteTables", "routeTableAssociationId");
        let out = self.in_default_vpc("DescribeInternetGateways", "internetGatewayId");
        self.cloud.server.operate(&["host", "add", "far", "--zone", "us-east-1y"]);
        let code = "OperationNotPermitted";
        let (route, to) = (("DestinationCidrBlock", "192.0.2.0/24"), ("InstanceId", &*instance));
        self.all_refused(&[
            ("DeleteVpc", code, vec![("VpcId", &vpc)]),
            ("CreateSubnet", code, vec![("VpcId", &vpc), ("CidrBlock", "10.0.9.0/24")]),
            ("DeleteSubnet", code, vec![("SubnetId", &subnet)]),
            ("CreateDefaultSubnet", code, vec![("AvailabilityZone", "us-east-1y")]),
            ("AssociateVpcCidrBlock", code, vec![("VpcId", &vpc), ("CidrBlock", "10.9.0.0/24")]),
            ("DetachInternetGateway", code, vec![("InternetGatewayId", &out), ("VpcId", &vpc)]),
            ("AssociateRouteTable", code, vec![("RouteTableId", &table), ("SubnetId", &subnet)]),
            (
                "ReplaceRouteTableAssociation",
                code,
                vec![("AssociationId", &association), ("RouteTableId", &table)],
            ),
            ("CreateRoute", code, vec![("RouteTableId", &table), route, to]),
            ("ReplaceRoute", code, vec![("RouteTableId", &table), route, to]),
            ("DeleteRoute", code, vec![("RouteTableId", &table), route]),
            ("AssociateDhcpOptions", code, vec![("DhcpOptionsId", &options), ("VpcId", &vpc)]),
            (
                "AttachInternetGateway",
                "Resource.AlreadyAssociated",
                vec![("InternetGatewayId", &gateway), ("VpcId", &vpc)],
            ),
        ]);
        let zone = [("AvailabilityZone", "us-east-1a")].to_vec();
        self.all_refused(&[
            ("CreateDefaultVpc", "DefaultVpcAlreadyExists", vec![]),
            ("CreateDefaultSubnet", "DefaultSubnetAlreadyExistsInAvailabilityZone", zone),
        ]);
    }

    pub fn in_the_way_of_vpcs(&mut self) {
        let names = ["own-vpc", "spare-vpc", "own-subnet", "table", "gateway", "spare-gateway", "used-block"];
        let [vpc, plain, subnet, table, gateway, free, block] = names.map(|thing| self.his(thing));
        let first = vpc.replacen("vpc-", "vpc-cidr-assoc-", 1);
        let none = "acl-0123456789abcdef0";
        let everywhere = ("DestinationCidrBlock", "0.0.0.0/0");
        let nowhere = ("DestinationCidrBlock", "203.0.113.0/24");
        self.all_refused(&[
            ("CreateTags", "InvalidNetworkAclID.NotFound", vec![("ResourceId.1", none), ("Tag.1.Key", "a")]),
            ("DeleteTags", "InvalidNetworkAclID.NotFound", vec![("ResourceId.1", none)]),
            ("CreateVpc", "InvalidVpc.Range", vec![("CidrBlock", "10.0.0.0/15")]),
            ("DeleteVpc", "DependencyViolation", vec![("VpcId", &vpc)]),
            (
                "AssociateVpcCidrBlock",
                "InvalidVpc.Range",
                vec![("VpcId", &vpc), ("CidrBlock", "10.0.0.0/24")],
            ),
            ("DisassociateVpcCidrBlock", "DependencyViolation", vec![("AssociationId", &block)]),
            ("DisassociateVpcCidrBlock", "OperationNotPermitted", vec![("AssociationId", &first)]),
            ("CreateSubnet", "InvalidSubnet.Range", vec![("VpcId", &vpc), ("CidrBlock", "10.9.0.0/24")]),
            ("CreateSubnet", "InvalidSubnet.Conflict", vec![("VpcId", &vpc), ("CidrBlock", "10.0.0.128/25")]),
            ("DeleteSubnet", "DependencyViolation", vec![("SubnetId", &subnet)]),
            ("DeleteInternetGateway", "DependencyViolation", vec![("InternetGatewayId", &gateway)]),
            (
                "DetachInternetGateway",
                "Gateway.NotAttached",
                vec![("InternetGatewayId", &free), ("VpcId", &vpc)],
            ),
            ("DeleteRouteTable", "DependencyViolation", vec![("RouteTableId", &table)]),
            (
                "AssociateRouteTable",
                "Resource.AlreadyAssociated",
                vec![("RouteTableId", &table), ("SubnetId", &subnet)],
            ),
            (
                "CreateRoute",
                "RouteAlreadyExists",
                vec![("RouteTableId", &table), everywhere, ("GatewayId", &gateway)],
            ),
            ("DeleteRoute", "InvalidRoute.NotFound", vec![("RouteTableId", &table), nowhere]),
            ("DeleteDhcpOptions", "DependencyViolation", vec![("DhcpOptionsId", &self.his("options"))]),
            (
                "AssociateDhcpOptions",
                "InvalidDhcpOptionsID.Malformed",
                vec![("DhcpOptionsId", "none"), ("VpcId", &vpc)],
            ),
        ]);
        let token = |vpc: &str| {
            pairs(&[("Action", "CreateRouteTable"), ("ClientToken", "token of a table"), ("VpcId", vpc)])
        };
        assert_eq!(self.cloud.call(&self.cloud.his, &token(&vpc)).status, 200);
        self.refused(&self.action("CreateRouteTable"), &token(&plain), "IdempotentParameterMismatch");
        self.addresses_of_vpcs(&vpc, &plain, &gateway);
    }

    /// An elastic address needs a gateway, and keeps it.
    fn addresses_of_vpcs(&mut self, vpc: &str, plain: &str, gateway: &str) {
        let given = [("Action", "CreateSubnet"), ("VpcId", plain), ("CidrBlock", "10.0.255.0/24")];
        let subnet = self.cloud.done(&self.cloud.his, &given).text("subnetId").unwrap().to_owned();
        let image = self.his("image");
        let given = launch(&image, 1);
        let given: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let given = [&[("Action", "RunInstances"), ("SubnetId", &*subnet)], &given[..]].concat();
        let hidden = self.cloud.done(&self.cloud.his, &given).text("instanceId").unwrap().to_owned();
        let (address, instance) = (self.his("free-address"), self.his("vpc-instance"));
        let lead = |to: &str| {
            pairs(&[("Action", "AssociateAddress"), ("AllocationId", &address), ("InstanceId", to)])
        };
        self.refused(&self.action("AssociateAddress"), &lead(&hidden), "Gateway.NotAttached");
        assert_eq!(self.cloud.call(&self.cloud.his, &lead(&instance)).status, 200);
        let detach = vec![("InternetGatewayId", gateway), ("VpcId", vpc)];
        self.all_refused(&[("DetachInternetGateway", "DependencyViolation", detach)]);
        self.cloud
            .done(&self.cloud.his, &[("Action", "DisassociateAddress"), ("PublicIp", &self.his("free-ip"))]);
    }

    /// Outside the default VPC a rule that is not there is an error.
    pub fn rules_of_vpcs(&mut self) {
        let vpc = self.his("own-vpc");
        let of = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*vpc)];
        let told = [&[("Action", "DescribeSecurityGroups")], &of[..]].concat();
        let group = self.cloud.done(&self.cloud.his, &told).text("groupId").unwrap().to_owned();
        let absent =
            [("IpPermissions.1.IpProtocol", "50"), ("IpPermissions.1.IpRanges.1.CidrIp", "192.0.2.7/32")];
        for action in ["RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"] {
            let given = [&[("GroupId", &*group)], &absent[..]].concat();
            self.all_refused(&[(action, "InvalidPermission.NotFound", given)]);
        }
    }

    /// As many of each as there may be.
    pub fn crowds_of_vpcs(&mut self) {
        let names = ["own-vpc", "plain-vpc", "table", "gateway"];
        let [vpc, plain, table, gateway] = names.map(|thing| self.his(thing));
        let one = |given: &[(&str, &str)]| pairs(given);
        let crowds: [super::Crowd; 7] = [
            ("CreateVpc", 5, "VpcLimitExceeded", Box::new(|_| pairs(&[("CidrBlock", "10.0.0.0/16")]))),
            ("CreateInternetGateway", 5, "InternetGatewayLimitExceeded", Box::new(|_| Pairs::new())),
            ("CreateRouteTable", 200, "RouteTableLimitExceeded", {
                let plain = plain.clone();
                Box::new(move |_| pairs(&[("VpcId", &plain)]))
            }),
            ("CreateSubnet", 200, "SubnetLimitExceeded", {
                let plain = plain.clone();
                Box::new(move |n| {
                    let cidr = format!("10.0.{}.{}/28", n / 16, n % 16 * 16);
                    pairs(&[("VpcId", &plain), ("CidrBlock", &cidr)])
                })
            }),
            (
                "AssociateVpcCidrBlock",
                5,
                "CidrLimitExceeded",
                Box::new(move |n| {
                    let cidr = format!("10.{}.0.0/16", n + 100);
                    pairs(&[("VpcId", &vpc), ("CidrBlock", &cidr)])
                }),
            ),
            (
                "CreateRoute",
                50,
                "RouteLimitExceeded",
                Box::new(move |n| {
                    let destination = format!("198.18.{n}.0/24");
                    pairs(&[
                        ("RouteTableId", &table),
                        ("DestinationCidrBlock", &destination),
                        ("GatewayId", &gateway),
                    ])
                }),
            ),
            ("CreateDhcpOptions", 100, "DhcpOptionsLimitExceeded", {
                let given = one(&[
                    ("DhcpConfiguration.1.Key", "ntp-servers"),
                    ("DhcpConfiguration.1.Value.1", "192.0.2.1,192.0.2.2"),
                ]);
                Box::new(move |_| given.clone())
            }),
        ];
        for (name, most, code, given) in crowds {
            let whole = |n| [pairs(&[("Action", name)]), given(n)].concat();
            crowd(&self.cloud, &self.cloud.his, most, &whole);
            self.refused(&self.action(name), &whole(most), code);
        }
    }

    /// After its end an instance has no interface that a route could lead to.
    pub fn routes_to_the_dead(&mut self) {
        let (table, dead) = (self.his("table"), self.his("spare-instance"));
        let given = |destination| {
            vec![("RouteTableId", &*table), ("DestinationCidrBlock", destination), ("InstanceId", &*dead)]
        };
        self.all_refused(&[
            ("CreateRoute", "InvalidInstanceID", given("203.0.113.0/24")),
            ("ReplaceRoute", "InvalidInstanceID", given("0.0.0.0/0")),
        ]);
    }
}
