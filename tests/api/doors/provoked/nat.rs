//! The faults of NAT gateways.

use super::{Doors, pairs};

impl Doors {
    pub fn in_the_way_of_nat(&mut self) {
        let names =
            ["nat-subnet", "nat-address", "free-nat-address", "plain-vpc", "spare-vpc", "nat-gateway"];
        let [subnet, used, free, vpc, bare, gateway] = names.map(|thing| self.his(thing));
        let make = |vpc: &str, cidr: &str| {
            let given = [("Action", "CreateSubnet"), ("VpcId", vpc), ("CidrBlock", cidr)];
            self.cloud.done(&self.cloud.his, &given).text("subnetId").unwrap().to_owned()
        };
        let (hidden, tiny) = (make(&bare, "10.0.254.0/24"), make(&vpc, "10.0.255.240/28"));
        // With the first one that makes 11, which is all that EC2 leaves of a /28.
        self.cloud.done(
            &self.cloud.his,
            &[
                ("Action", "CreateNetworkInterface"),
                ("SubnetId", &tiny),
                ("SecondaryPrivateIpAddressCount", "10"),
            ],
        );
        let told = [("Action", "DescribeNatGateways"), ("NatGatewayId.1", &*gateway)];
        let taken = self.cloud.done(&self.cloud.his, &told).text("privateIp").unwrap().to_owned();
        let name = "CreateNatGateway";
        let by = ("AllocationId", &*free);
        self.all_refused(&[
            (name, "Gateway.NotAttached", vec![("SubnetId", &hidden), by]),
            (name, "InsufficientFreeAddressesInSubnet", vec![("SubnetId", &tiny), by]),
            (name, "InvalidIPAddress.InUse", vec![("SubnetId", &subnet), by, ("PrivateIpAddress", &taken)]),
            (name, "Resource.AlreadyAssociated", vec![("SubnetId", &subnet), ("AllocationId", &used)]),
            ("DisassociateAddress", "AuthFailure", vec![("PublicIp", &self.public_ip(&used))]),
        ]);
        let private = vec![("SubnetId", &*subnet), by, ("ConnectivityType", "private")];
        self.all_refused(&[(name, "InvalidParameterCombination", private)]);
        let token = [("Action", name), ("SubnetId", &*subnet), by, ("ClientToken", "token of a NAT gateway")];
        self.cloud.done(&self.cloud.his, &token);
        let other = [&token[..], &[("PrivateIpAddress", "10.0.128.99")]].concat();
        self.refused(&self.action(name), &pairs(&other), "IdempotentParameterMismatch");
        // Three are there.
        for n in 3..=5 {
            let address = self.cloud.done(&self.cloud.his, &[("Action", "AllocateAddress")]);
            let address = address.text("allocationId").unwrap();
            let given = [("Action", name), ("SubnetId", &*subnet), ("AllocationId", address)];
            match n {
                5 => drop(self.refused(&self.action(name), &pairs(&given), "NatGatewayLimitExceeded")),
                _ => drop(self.cloud.done(&self.cloud.his, &given)),
            }
        }
    }

    fn public_ip(&self, address: &str) -> String {
        let given = [("Action", "DescribeAddresses"), ("AllocationId.1", address)];
        self.cloud.done(&self.cloud.his, &given).text("publicIp").unwrap().to_owned()
    }
}
