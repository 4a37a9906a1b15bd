//! An account's NAT gateways.

use super::Maker;

impl Maker<'_> {
    /// They are in a VPC of their own: the gateway of the other one is to be detached, which they would not let happen.
    pub fn nat(&mut self) {
        let vpc = self.own.get("plain-vpc").to_owned();
        let given = [("Action", "CreateSubnet"), ("VpcId", &*vpc), ("CidrBlock", "10.0.128.0/24")];
        let subnet = self.make("nat-subnet", "subnetId", &given);
        for thing in ["nat-address", "spare-nat-address", "free-nat-address"] {
            self.make(thing, "allocationId", &[("Action", "AllocateAddress")]);
        }
        for (thing, address) in [("nat-gateway", "nat-address"), ("spare-nat-gateway", "spare-nat-address")] {
            let address = self.own.get(address).to_owned();
            let given = [("Action", "CreateNatGateway"), ("SubnetId", &*subnet), ("AllocationId", &*address)];
            self.make(thing, "natGatewayId", &given);
        }
    }
}
