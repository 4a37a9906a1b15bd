//! The faults of network interfaces and network ACLs.

use super::{Doors, Pairs, crowd, pairs};

impl Doors {
    pub fn in_the_way_of_interfaces(&mut self) {
        let names = ["subnet", "interface", "idle-instance", "other-instance", "free-interface"];
        let [subnet, used, idle, other, free] = names.map(|thing| self.his(thing));
        let filter = ("Filter.1.Name", "attachment.instance-id");
        let of = [("Action", "DescribeNetworkInterfaces"), filter, ("Filter.1.Value.1", &*other)];
        let first = self.cloud.done(&self.cloud.his, &of).text("attachmentId").unwrap().to_owned();
        let create = |more: &[(&str, &str)]| {
            let given = [&[("Action", "CreateNetworkInterface"), ("SubnetId", &*subnet)], more].concat();
            let reply = self.cloud.done(&self.cloud.his, &given);
            reply.text("networkInterfaceId").unwrap().to_owned()
        };
        let crowded = create(&[("SecondaryPrivateIpAddressCount", "4")]);
        let attach = |eni: &str, instance: &str, index: &str| {
            pairs(&[
                ("Action", "AttachNetworkInterface"),
                ("NetworkInterfaceId", eni),
                ("InstanceId", instance),
                ("DeviceIndex", index),
            ])
        };
        for (given, code) in [
            // An m1.small has two interfaces with four addresses each.
            (attach(&free, &idle, "2"), "AttachmentLimitExceeded"),
            (attach(&used, &idle, "2"), "InvalidNetworkInterface.InUse"),
            (attach(&crowded, &other, "1"), "PrivateIpAddressLimitExceeded"),
            (
                pairs(&[("Action", "DetachNetworkInterface"), ("AttachmentId", &first)]),
                "OperationNotPermitted",
            ),
        ] {
            self.refused(&self.action(&given[0].1), &given, code);
        }
        let many = ("SecondaryPrivateIpAddressCount", "50");
        let each = ("NetworkInterface.1.SecondaryPrivateIpAddressCount", "4");
        let image = self.his("image");
        let run = [("ImageId", &*image), ("MinCount", "1"), ("MaxCount", "1")];
        let three = ["1", "2", "3"].map(|n| (format!("NetworkInterface.{n}.DeviceIndex"), n));
        let three = three.iter().map(|(name, n)| (&**name, if *n == "3" { "0" } else { n }));
        let existing = ("NetworkInterface.1.NetworkInterfaceId", &*used);
        self.all_refused(&[
            ("CreateNetworkInterface", "PrivateIpAddressLimitExceeded", vec![("SubnetId", &subnet), many]),
            (
                "AssignPrivateIpAddresses",
                "PrivateIpAddressLimitExceeded",
                vec![("NetworkInterfaceId", &free), many],
            ),
            ("RunInstances", "PrivateIpAddressLimitExceeded", [&run[..], &[each]].concat()),
            ("RunInstances", "AttachmentLimitExceeded", run.into_iter().chain(three).collect()),
            ("RunInstances", "InvalidNetworkInterface.InUse", [&run[..], &[existing]].concat()),
        ]);
        self.one_of_several(&idle);
        self.full_subnet();
        self.too_many_groups(&subnet, &free);
    }

    /// What is asked of an instance's only interface is asked of nobody where it has two.
    fn one_of_several(&mut self, instance: &str) {
        let (of, name) = (("InstanceId", instance), ("Attribute", "sourceDestCheck"));
        self.all_refused(&[
            ("DescribeInstanceAttribute", "InvalidInstanceID", vec![of, name]),
            ("ModifyInstanceAttribute", "InvalidInstanceID", vec![of, ("SourceDestCheck.Value", "false")]),
            ("ResetInstanceAttribute", "InvalidInstanceID", vec![of, name]),
        ]);
    }

    fn full_subnet(&mut self) {
        let vpc = self.his("own-vpc");
        let given = [("Action", "CreateSubnet"), ("VpcId", &*vpc), ("CidrBlock", "10.0.200.0/28")];
        let small = self.cloud.done(&self.cloud.his, &given).text("subnetId").unwrap().to_owned();
        let given = [("Action", "CreateNetworkInterface"), ("SubnetId", &*small)];
        let eni = self.cloud.done(&self.cloud.his, &given).text("networkInterfaceId").unwrap().to_owned();
        let (code, more) = ("InsufficientFreeAddressesInSubnet", ("SecondaryPrivateIpAddressCount", "20"));
        self.all_refused(&[
            ("CreateNetworkInterface", code, vec![("SubnetId", &small), more]),
            ("AssignPrivateIpAddresses", code, vec![("NetworkInterfaceId", &eni), more]),
        ]);
    }

    fn too_many_groups(&mut self, subnet: &str, eni: &str) {
        let make = |n: usize| {
            let name = format!("one of six {n}");
            let given = [("Action", "CreateSecurityGroup"), ("GroupName", &*name), ("GroupDescription", "d")];
            let id = self.cloud.done(&self.cloud.his, &given).text("groupId").unwrap().to_owned();
            (format!("SecurityGroupId.{n}"), id)
        };
        let groups: Pairs = (1..=6).map(make).collect();
        for (action, of) in [
            ("CreateNetworkInterface", ("SubnetId", subnet)),
            ("ModifyNetworkInterfaceAttribute", ("NetworkInterfaceId", eni)),
        ] {
            let given = [pairs(&[("Action", action), of]), groups.clone()].concat();
            self.refused(&self.action(action), &given, "SecurityGroupsPerInterfaceLimitExceeded");
        }
    }

    pub fn in_the_way_of_acls(&mut self) {
        let names = ["own-vpc", "plain-vpc", "acl", "acl-association", "subnet"];
        let [vpc, plain, acl, association, subnet] = names.map(|thing| self.his(thing));
        let entry = |number: usize, egress: &str| {
            let what = [("NetworkAclId", &*acl), ("Protocol", "-1"), ("RuleAction", "deny")];
            let what = [&what[..], &[("CidrBlock", "192.0.2.0/24"), ("Egress", egress)]].concat();
            [pairs(&what), vec![("RuleNumber".to_owned(), number.to_string())]].concat()
        };
        let call = |action: &str, given: Pairs| [pairs(&[("Action", action)]), given].concat();
        let absent = pairs(&[("NetworkAclId", &acl), ("RuleNumber", "999"), ("Egress", "false")]);
        for (given, code) in [
            (call("CreateNetworkAclEntry", entry(110, "false")), "NetworkAclEntryAlreadyExists"),
            (call("ReplaceNetworkAclEntry", entry(999, "false")), "InvalidNetworkAclEntry.NotFound"),
            (call("DeleteNetworkAclEntry", absent), "InvalidNetworkAclEntry.NotFound"),
        ] {
            self.refused(&self.action(&given[0].1), &given, code);
        }
        for number in 1..=20 {
            let given = call("CreateNetworkAclEntry", entry(number, "true"));
            assert_eq!(self.cloud.call(&self.cloud.his, &given).status, 200);
        }
        let action = self.action("CreateNetworkAclEntry");
        let one_more = call("CreateNetworkAclEntry", entry(21, "true"));
        self.refused(&action, &one_more, "NetworkAclEntryLimitExceeded");
        // One of IPv6 has room, and cannot become one of IPv4 there.
        let mut six = one_more.clone();
        six.iter_mut().filter(|(name, _)| name == "CidrBlock").for_each(|(name, block)| {
            (*name, *block) = ("Ipv6CidrBlock".to_owned(), "2001:db8::/32".to_owned());
        });
        assert_eq!(self.cloud.call(&self.cloud.his, &six).status, 200);
        let action = self.action("ReplaceNetworkAclEntry");
        let other_family = call("ReplaceNetworkAclEntry", entry(21, "true"));
        self.refused(&action, &other_family, "NetworkAclEntryLimitExceeded");
        let replace = [("AssociationId", &*association), ("NetworkAclId", &acl)];
        self.cloud
            .done(&self.cloud.his, &[&[("Action", "ReplaceNetworkAclAssociation")], &replace[..]].concat());
        self.all_refused(&[("DeleteNetworkAcl", "DependencyViolation", vec![("NetworkAclId", &acl)])]);
        let token = |action: &str, of: (&str, &str)| {
            pairs(&[("Action", action), ("ClientToken", "token of an edge"), of])
        };
        let other = self.his("own-subnet");
        for (action, first, second) in [
            ("CreateNetworkAcl", ("VpcId", &*vpc), ("VpcId", &*plain)),
            ("CreateNetworkInterface", ("SubnetId", &*subnet), ("SubnetId", &*other)),
        ] {
            assert_eq!(self.cloud.call(&self.cloud.his, &token(action, first)).status, 200);
            self.refused(&self.action(action), &token(action, second), "IdempotentParameterMismatch");
        }
        let whole = |_| pairs(&[("Action", "CreateNetworkAcl"), ("VpcId", &plain)]);
        crowd(&self.cloud, &self.cloud.his, 200, &whole);
        self.refused(&self.action("CreateNetworkAcl"), &whole(0), "NetworkAclLimitExceeded");
    }

    /// As many as an account may have, and then some fewer: others are to be launched with one.
    pub fn crowd_of_interfaces(&mut self) {
        let (subnet, image) = (self.his("subnet"), self.his("image"));
        let one = [("Action", "CreateNetworkInterface"), ("SubnetId", &*subnet), ("Description", "crowd")];
        crowd(&self.cloud, &self.cloud.his, 150, &|_| pairs(&one));
        self.refused(&self.action("CreateNetworkInterface"), &pairs(&one), "NetworkInterfaceLimitExceeded");
        let launch = vec![("ImageId", &*image), ("MinCount", "1"), ("MaxCount", "1")];
        self.all_refused(&[("RunInstances", "NetworkInterfaceLimitExceeded", launch)]);
        let of = [("Filter.1.Name", "description"), ("Filter.1.Value.1", "crowd")];
        let told = [&[("Action", "DescribeNetworkInterfaces")], &of[..]].concat();
        for _ in 0..20 {
            let eni = self.cloud.done(&self.cloud.his, &told).text("networkInterfaceId").unwrap().to_owned();
            let gone = [("Action", "DeleteNetworkInterface"), ("NetworkInterfaceId", &*eni)];
            self.cloud.done(&self.cloud.his, &gone);
        }
    }

    /// After `idle_and_dead`.
    pub fn interfaces_of_the_dead(&mut self) {
        let (free, dead) = (self.his("free-interface"), self.his("spare-instance"));
        let given = vec![("NetworkInterfaceId", &*free), ("InstanceId", &*dead), ("DeviceIndex", "1")];
        self.all_refused(&[("AttachNetworkInterface", "IncorrectInstanceState", given)]);
    }
}
