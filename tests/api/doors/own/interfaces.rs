//! Interfaces and network ACLs that an account has made.

use super::Maker;

impl Maker<'_> {
    pub fn interfaces(&mut self) {
        let subnet = self.own.get("subnet").to_owned();
        let create = [("Action", "CreateNetworkInterface"), ("SubnetId", &*subnet)];
        for thing in ["free-interface", "attached-interface", "spare-interface"] {
            self.make(thing, "networkInterfaceId", &create);
        }
        let free = self.own.get("free-interface").to_owned();
        let second = [
            ("Action", "AssignPrivateIpAddresses"),
            ("NetworkInterfaceId", &*free),
            ("SecondaryPrivateIpAddressCount", "1"),
        ];
        self.make("secondary-ip", "privateIpAddress", &second);
        let (eni, instance) =
            (self.own.get("attached-interface").to_owned(), self.own.get("idle-instance").to_owned());
        let attach = [
            ("Action", "AttachNetworkInterface"),
            ("NetworkInterfaceId", &*eni),
            ("InstanceId", &instance),
            ("DeviceIndex", "1"),
        ];
        self.make("attachment", "attachmentId", &attach);
    }

    pub fn acls(&mut self) {
        let vpc = self.own.get("own-vpc").to_owned();
        for thing in ["acl", "spare-acl"] {
            self.make(thing, "networkAclId", &[("Action", "CreateNetworkAcl"), ("VpcId", &vpc)]);
        }
        let (acl, subnet) = (self.own.get("acl").to_owned(), self.own.get("free-subnet").to_owned());
        for number in ["100", "110"] {
            self.call(&[
                ("Action", "CreateNetworkAclEntry"),
                ("NetworkAclId", &acl),
                ("RuleNumber", number),
                ("Protocol", "6"),
                ("PortRange.From", "22"),
                ("PortRange.To", "22"),
                ("RuleAction", "allow"),
                ("Egress", "false"),
                ("CidrBlock", "198.51.100.0/24"),
            ]);
        }
        // A VPC has one of its own for all subnets until somebody says otherwise: the association that is kept is its only
        // one then.
        let of = [
            ("Action", "DescribeNetworkAcls"),
            ("Filter.1.Name", "association.subnet-id"),
            ("Filter.1.Value.1", &*subnet),
        ];
        let reply = self.call(&of);
        let before = reply.body.split(&format!("<subnetId>{subnet}<")).next().unwrap_or_default().to_owned();
        let id = before.rsplit("<networkAclAssociationId>").next().and_then(|rest| rest.split('<').next());
        self.keep("acl-association", id.unwrap());
    }
}
