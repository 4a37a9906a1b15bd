//! What stands in the way of changes to instances, and of what is launched from.

use super::Doors;

impl Doors {
    /// While nobody starts what is launched.
    pub fn image_in_use(&mut self) {
        let image = self.his("own-image");
        let number = [("MinCount", "1"), ("MaxCount", "1")];
        let given = [&[("Action", "RunInstances"), ("ImageId", &*image)], &number[..]].concat();
        self.cloud.done(&self.cloud.his, &given);
        self.all_refused(&[("DeregisterImage", "DependencyViolation", vec![("ImageId", &image)])]);
    }

    fn of_images(&mut self) {
        let none = "ami-0123456789abcdef0";
        let image = self.his("image");
        let name = format!("{} own-image", self.cloud.his.who);
        let at =
            |name: &'static str, location: &'static str| vec![("Name", name), ("ImageLocation", location)];
        self.all_refused(&[
            ("DeregisterImage", "InvalidAMIID.NotFound", vec![("ImageId", none)]),
            ("DeregisterImage", "OperationNotPermitted", vec![("ImageId", &image)]),
            (
                "ModifyImageAttribute",
                "OperationNotPermitted",
                vec![("ImageId", &image), ("Description.Value", "d")],
            ),
            ("RegisterImage", "InvalidAMIName.Duplicate", vec![("Name", &*name), ("ImageLocation", "stock")]),
            ("RegisterImage", "InvalidAMIName.Malformed", at("a$b", "stock")),
            ("RegisterImage", "InvalidManifest", at("etc", "/etc")),
            ("DescribeVolumes", "InvalidVolume.NotFound", vec![("VolumeId.1", "vol-0123456789abcdef0")]),
            ("DescribeVolumeStatus", "InvalidVolume.NotFound", vec![("VolumeId.1", "vol-0123456789abcdef0")]),
            (
                "DescribeVolumesModifications",
                "InvalidVolume.NotFound",
                vec![("VolumeId.1", "vol-0123456789abcdef0")],
            ),
        ]);
        let call = |n: usize| {
            let name = format!("crowd {n}");
            crate::doors::own::pairs(&[
                ("Action", "RegisterImage"),
                ("Name", &name),
                ("ImageLocation", "stock"),
            ])
        };
        super::crowd(&self.cloud, &self.cloud.his, 200, &call);
        self.refused(&self.action("RegisterImage"), &call(200), "ResourceLimitExceeded");
    }

    /// The first pool by name has one address, and that is taken.
    pub fn no_public_address(&mut self) {
        let image = self.his("image");
        let public = [
            ("Action", "RunInstances"),
            ("ImageId", &*image),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("NetworkInterface.1.DeviceIndex", "0"),
            ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
        ];
        let made = self.cloud.done(&self.cloud.his, &public).text("instanceId").unwrap().to_owned();
        self.cloud.until(&self.cloud.his, &made, "running");
        self.cloud.done(&self.cloud.his, &[("Action", "StopInstances"), ("InstanceId.1", &made)]);
        self.cloud.until(&self.cloud.his, &made, "stopped");
        self.cloud.server.operate(&["pool", "add", "--name", "a", "--range", "192.0.2.2-192.0.2.2"]);
        self.cloud.done(&self.cloud.his, &[("Action", "AllocateAddress")]);
        let code = "InsufficientAddressCapacity";
        self.all_refused(&[
            ("RunInstances", code, public[1..].to_vec()),
            ("StartInstances", code, vec![("InstanceId.1", &made)]),
        ]);
        let release = [("Action", "ReleaseAddress"), ("PublicIp", "192.0.2.2")];
        self.cloud.done(&self.cloud.his, &release);
    }

    /// While there may be more groups.
    pub fn groups_of_an_instance(&mut self) {
        let instance = self.his("instance");
        let groups = self.groups("of an instance", 6);
        let names: Vec<_> = (1..=groups.len()).map(|n| format!("GroupId.{n}")).collect();
        let mut given = vec![("InstanceId", instance.as_str())];
        given.extend(names.iter().map(String::as_str).zip(groups.iter().map(String::as_str)));
        self.all_refused(&[("ModifyInstanceAttribute", "SecurityGroupsPerInterfaceLimitExceeded", given)]);
    }

    /// With an instance that has ended, and names of types that there are not.
    pub fn of_instances(&mut self) {
        let [instance, dead] = ["instance", "spare-instance"].map(|thing| self.his(thing));
        let token = "required";
        self.all_refused(&[
            (
                "ModifyInstanceAttribute",
                "IncorrectInstanceState",
                vec![("InstanceId", &dead), ("DisableApiStop.Value", "true")],
            ),
            (
                "ModifyInstanceAttribute",
                "InvalidInstanceAttributeValue",
                vec![("InstanceId", &instance), ("InstanceInitiatedShutdownBehavior.Value", "sleep")],
            ),
            (
                "ModifyInstanceMetadataOptions",
                "IncorrectInstanceState",
                vec![("InstanceId", &dead), ("HttpTokens", token)],
            ),
            (
                "ResetInstanceAttribute",
                "IncorrectInstanceState",
                vec![("InstanceId", &dead), ("Attribute", "sourceDestCheck")],
            ),
            (
                "DescribeInstanceCreditSpecifications",
                "InstanceCreditSpecification.NotSupported",
                vec![("InstanceId.1", &instance)],
            ),
            ("DescribeInstanceTypes", "InvalidInstanceType", vec![("InstanceType.1", "m5.huge")]),
        ]);
        self.of_images();
    }
}
