"""What Terraform's AWS provider asks when it reads its network resources back, and each attribute that it looks for.

The provider itself needs Terraform, which no package index that the tests use has; its calls are these: the finders and
waiters of each resource, with the parameters and filters that they send."""

import pytest

from conftest import b64, refused, until

ALL = [{"CidrIp": "0.0.0.0/0"}]
USER_DATA = "#!/bin/sh\n"


def tagged(kind, name="terraform"):
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]}


def filters(**wanted):
    return [{"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]} for name, value in wanted.items()]


def has(found, *paths):
    """Asserts that each of these is there: `a.b` is b within a, `a[].b` that of each element, of which there is one."""
    for path in paths:
        level = [found]
        for word in path.split("."):
            key, many = word.removesuffix("[]"), word.endswith("[]")
            for one in level:
                assert key in one, f"{path} is missing: {one}"
            level = [one[key] for one in level]
            if many:
                level = [each for one in level for each in one]
                assert level, f"{path} has no element"


class Stack:
    """One of each resource, made as the provider makes it."""

    def __init__(self, ec2, image):
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.70.0.0/16", InstanceTenancy="default", AmazonProvidedIpv6CidrBlock=False, **tagged("vpc"))["Vpc"]["VpcId"]
        # EC2 takes one attribute a call.
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.options = ec2.create_dhcp_options(
            DhcpConfigurations=[{"Key": "domain-name", "Values": ["terraform.internal"]}], **tagged("dhcp-options")
        )["DhcpOptions"]["DhcpOptionsId"]
        ec2.associate_dhcp_options(DhcpOptionsId=self.options, VpcId=self.vpc)
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.70.1.0/24", **tagged("subnet"))["Subnet"]["SubnetId"]
        self.gateway = ec2.create_internet_gateway(**tagged("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.table = ec2.create_route_table(VpcId=self.vpc, ClientToken="terraform-table", **tagged("route-table"))["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway)
        self.table_association = ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)["AssociationId"]
        self.acl = ec2.create_network_acl(VpcId=self.vpc, ClientToken="terraform-acl", **tagged("network-acl"))["NetworkAcl"]["NetworkAclId"]
        for egress in (False, True):
            ec2.create_network_acl_entry(
                NetworkAclId=self.acl, RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=egress,
                CidrBlock="0.0.0.0/0", PortRange={"From": 0, "To": 0}, IcmpTypeCode={"Code": 0, "Type": 0},
            )
        self.group = ec2.create_security_group(
            GroupName="terraform", Description="Managed by Terraform", VpcId=self.vpc, **tagged("security-group")
        )["GroupId"]
        self.interface = ec2.create_network_interface(
            SubnetId=self.subnet, Description="", Groups=[self.group], ClientToken="terraform-eni",
            PrivateIpAddresses=[{"Primary": True, "PrivateIpAddress": "10.70.1.50"}], **tagged("network-interface"),
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.instance = self.launch(image)
        self.attachment = ec2.attach_network_interface(
            NetworkInterfaceId=self.interface, InstanceId=self.instance, DeviceIndex=1, NetworkCardIndex=0
        )["AttachmentId"]
        self.address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip"))["AllocationId"]
        self.address_association = ec2.associate_address(
            AllocationId=self.address, AllowReassociation=True, NetworkInterfaceId=self.interface
        )["AssociationId"]

    def launch(self, image):
        """As aws_instance does, with every block that it sends unasked."""
        (made,) = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, ClientToken="terraform-instance",
            SubnetId=self.subnet, SecurityGroupIds=[self.group], UserData=USER_DATA, EbsOptimized=False,
            DisableApiTermination=False, DisableApiStop=False, Monitoring={"Enabled": False},
            InstanceInitiatedShutdownBehavior="stop", Placement={}, EnclaveOptions={"Enabled": False},
            MetadataOptions={"HttpEndpoint": "enabled", "HttpTokens": "optional", "HttpPutResponseHopLimit": 2},
            TagSpecifications=[
                {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": "terraform"}]} for kind in ("instance", "volume")
            ],
        )["Instances"]
        seen = lambda: self.ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
        until(lambda: seen()["State"]["Name"] == "running", 40)
        return made["InstanceId"]

    def remove(self):
        ec2 = self.ec2
        ec2.disassociate_address(AssociationId=self.address_association)
        ec2.release_address(AllocationId=self.address)
        ec2.detach_network_interface(AttachmentId=self.attachment, Force=True)
        ec2.delete_network_interface(NetworkInterfaceId=self.interface)
        ec2.terminate_instances(InstanceIds=[self.instance])
        gone = filters(instance_id=self.instance, instance_state_name="terminated")
        until(lambda: ec2.describe_instances(Filters=gone)["Reservations"], 30)
        # What a destroy waits for: nothing in the group, nothing in the subnet.
        for kept in (filters(group_id=self.group), filters(subnet_id=self.subnet), filters(vpc_id=self.vpc)):
            assert ec2.describe_network_interfaces(Filters=kept)["NetworkInterfaces"] == []
        ec2.delete_security_group(GroupId=self.group)
        ec2.disassociate_route_table(AssociationId=self.table_association)
        ec2.delete_route_table(RouteTableId=self.table)
        ec2.delete_subnet(SubnetId=self.subnet)
        ec2.delete_network_acl(NetworkAclId=self.acl)
        ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        # aws_vpc_dhcp_options puts the default set in its own place, wherever it is used, before it deletes it.
        for vpc in ec2.describe_vpcs(Filters=filters(dhcp_options_id=self.options))["Vpcs"]:
            ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc["VpcId"])
        ec2.delete_dhcp_options(DhcpOptionsId=self.options)
        ec2.delete_vpc(VpcId=self.vpc)


@pytest.fixture(scope="module")
def stack(ec2, lab):
    made = Stack(ec2, lab.image)
    yield made
    made.remove()
    # A waiter for what is gone ends at these codes, and at no other.
    for code, call, more in [
        ("InvalidVpcID.NotFound", ec2.describe_vpcs, {"VpcIds": [made.vpc]}),
        ("InvalidSubnetID.NotFound", ec2.describe_subnets, {"SubnetIds": [made.subnet]}),
        ("InvalidInternetGatewayID.NotFound", ec2.describe_internet_gateways, {"InternetGatewayIds": [made.gateway]}),
        ("InvalidRouteTableID.NotFound", ec2.describe_route_tables, {"RouteTableIds": [made.table]}),
        ("InvalidNetworkAclID.NotFound", ec2.describe_network_acls, {"NetworkAclIds": [made.acl]}),
        ("InvalidGroup.NotFound", ec2.describe_security_groups, {"GroupIds": [made.group]}),
        ("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, {"NetworkInterfaceIds": [made.interface]}),
        ("InvalidAllocationID.NotFound", ec2.describe_addresses, {"AllocationIds": [made.address]}),
        ("InvalidDhcpOptionID.NotFound", ec2.describe_dhcp_options, {"DhcpOptionsIds": [made.options]}),
    ]:
        refused(code, call, **more)


def test_the_provider_finds_its_account_when_it_starts(lab, ec2):
    has(lab.client("sts").get_caller_identity(), "Account", "Arn", "UserId")
    (found,) = ec2.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
    has(found, "AttributeName", "AttributeValues[].AttributeValue")
    zones = ec2.describe_availability_zones(Filters=filters(state="available"))
    has(zones, "AvailabilityZones[].ZoneName", "AvailabilityZones[].ZoneId", "AvailabilityZones[].OptInStatus",
        "AvailabilityZones[].GroupName", "AvailabilityZones[].NetworkBorderGroup")


def test_aws_vpc(stack, ec2):
    (vpc,) = ec2.describe_vpcs(VpcIds=[stack.vpc])["Vpcs"]
    has(vpc, "CidrBlock", "DhcpOptionsId", "InstanceTenancy", "IsDefault", "OwnerId", "State", "Tags[].Key",
        "CidrBlockAssociationSet[].AssociationId", "CidrBlockAssociationSet[].CidrBlockState.State")
    assert (vpc["State"], vpc["DhcpOptionsId"], vpc["InstanceTenancy"]) == ("available", stack.options, "default")
    for attribute, expected in [("enableDnsHostnames", True), ("enableDnsSupport", True), ("enableNetworkAddressUsageMetrics", False)]:
        told = ec2.describe_vpc_attribute(VpcId=stack.vpc, Attribute=attribute)
        assert told[attribute[0].upper() + attribute[1:]] == {"Value": expected}
    (acl,) = ec2.describe_network_acls(Filters=filters(default="true", vpc_id=stack.vpc))["NetworkAcls"]
    (main,) = ec2.describe_route_tables(Filters=filters(association__main="true", vpc_id=stack.vpc))["RouteTables"]
    (group,) = ec2.describe_security_groups(Filters=filters(group_name="default", vpc_id=stack.vpc))["SecurityGroups"]
    assert acl["IsDefault"] and main["Associations"][0]["Main"] and group["GroupName"] == "default"
    (linked,) = ec2.describe_vpc_classic_link(VpcIds=[stack.vpc])["Vpcs"]
    (names,) = ec2.describe_vpc_classic_link_dns_support(VpcIds=[stack.vpc])["Vpcs"]
    assert not linked["ClassicLinkEnabled"] and not names["ClassicLinkDnsSupported"]


def test_aws_subnet(stack, ec2):
    (subnet,) = ec2.describe_subnets(SubnetIds=[stack.subnet])["Subnets"]
    has(subnet, "AssignIpv6AddressOnCreation", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "EnableDns64",
        "Ipv6Native", "MapPublicIpOnLaunch", "OwnerId", "State", "SubnetArn", "VpcId", "Tags[].Value",
        "PrivateDnsNameOptionsOnLaunch.HostnameType",
        "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord",
        "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord")
    assert subnet["State"] == "available" and subnet.get("Ipv6CidrBlockAssociationSet", []) == []
    assert subnet["SubnetArn"].endswith(f":{subnet['OwnerId']}:subnet/{stack.subnet}")
    assert not subnet.get("MapCustomerOwnedIpOnLaunch") and not subnet.get("CustomerOwnedIpv4Pool")


def test_aws_internet_gateway(stack, ec2):
    (gateway,) = ec2.describe_internet_gateways(InternetGatewayIds=[stack.gateway])["InternetGateways"]
    has(gateway, "OwnerId", "Tags[].Key")
    assert gateway["Attachments"] == [{"State": "available", "VpcId": stack.vpc}]


def test_aws_route_table_its_routes_and_associations(stack, ec2):
    (table,) = ec2.describe_route_tables(RouteTableIds=[stack.table])["RouteTables"]
    has(table, "OwnerId", "VpcId", "Tags[].Key", "PropagatingVgws", "Routes[].DestinationCidrBlock", "Routes[].GatewayId",
        "Routes[].Origin", "Routes[].State")
    routes = {route["DestinationCidrBlock"]: route for route in table["Routes"]}
    # The provider leaves out what nobody made: GatewayId local, or Origin EnableVgwRoutePropagation.
    assert routes["10.70.0.0/16"]["GatewayId"] == "local"
    assert (routes["0.0.0.0/0"]["Origin"], routes["0.0.0.0/0"]["State"]) == ("CreateRoute", "active")
    by_association = filters(association__route_table_association_id=stack.table_association)
    ((association,),) = [one["Associations"] for one in ec2.describe_route_tables(Filters=by_association)["RouteTables"]]
    has(association, "RouteTableId", "SubnetId", "Main", "RouteTableAssociationId")
    assert association["AssociationState"] == {"State": "associated"}
    to_an_interface = dict(RouteTableId=stack.table, DestinationCidrBlock="10.99.0.0/16")
    ec2.create_route(**to_an_interface, NetworkInterfaceId=stack.interface)
    (table,) = ec2.describe_route_tables(RouteTableIds=[stack.table])["RouteTables"]
    (route,) = [one for one in table["Routes"] if one["DestinationCidrBlock"] == "10.99.0.0/16"]
    has(route, "NetworkInterfaceId", "InstanceId", "InstanceOwnerId")
    ec2.replace_route(**to_an_interface, GatewayId=stack.gateway)
    ec2.delete_route(**to_an_interface)
    refused("InvalidRoute.NotFound", ec2.delete_route, **to_an_interface)


def test_aws_main_route_table_association(stack, ec2):
    by_vpc = filters(association__main="true", vpc_id=stack.vpc)
    (main,) = ec2.describe_route_tables(Filters=by_vpc)["RouteTables"]
    before = main["Associations"][0]["RouteTableAssociationId"]
    reply = ec2.replace_route_table_association(AssociationId=before, RouteTableId=stack.table)
    assert reply["AssociationState"] == {"State": "associated"}
    by_association = filters(association__route_table_association_id=reply["NewAssociationId"])
    (table,) = ec2.describe_route_tables(Filters=by_association)["RouteTables"]
    assert table["RouteTableId"] == stack.table
    ec2.replace_route_table_association(AssociationId=reply["NewAssociationId"], RouteTableId=main["RouteTableId"])


def test_aws_network_acl_and_its_associations(stack, ec2):
    (acl,) = ec2.describe_network_acls(NetworkAclIds=[stack.acl])["NetworkAcls"]
    has(acl, "OwnerId", "VpcId", "IsDefault", "Tags[].Key", "Entries[].Protocol", "Entries[].RuleAction",
        "Entries[].RuleNumber", "Entries[].Egress", "Entries[].CidrBlock")
    assert acl["Associations"] == []
    in_the_default = filters(association__subnet_id=stack.subnet)
    (default,) = ec2.describe_network_acls(Filters=in_the_default)["NetworkAcls"]
    (held,) = [one for one in default["Associations"] if one["SubnetId"] == stack.subnet]
    moved = ec2.replace_network_acl_association(AssociationId=held["NetworkAclAssociationId"], NetworkAclId=stack.acl)
    for wanted in (
        filters(association__association_id=moved["NewAssociationId"]),
        filters(association__network_acl_id=stack.acl, association__subnet_id=stack.subnet),
    ):
        (acl,) = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
        has(acl, "Associations[].NetworkAclAssociationId", "Associations[].NetworkAclId", "Associations[].SubnetId")
    ec2.replace_network_acl_association(AssociationId=moved["NewAssociationId"], NetworkAclId=default["NetworkAclId"])


def test_aws_default_network_acl_is_emptied_and_filled(stack, ec2):
    wanted = filters(default="true", vpc_id=stack.vpc)
    (acl,) = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
    rules = [entry for entry in acl["Entries"] if entry["RuleNumber"] < 32767]
    assert sorted(entry["Egress"] for entry in rules) == [False, True]
    for entry in rules:
        ec2.delete_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=entry["RuleNumber"], Egress=entry["Egress"])
    (acl,) = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
    assert [(entry["RuleNumber"], entry["RuleAction"]) for entry in acl["Entries"]] == [(32767, "deny")] * 2
    for entry in rules:
        ec2.create_network_acl_entry(NetworkAclId=acl["NetworkAclId"], **entry)


def test_aws_security_group_takes_what_ec2_put_there_away(stack, ec2):
    """The provider revokes the first egress rule with ports, which mean nothing to protocol -1."""
    anything = {"FromPort": 0, "ToPort": 0, "IpProtocol": "-1"}
    ec2.revoke_security_group_egress(GroupId=stack.group, IpPermissions=[{**anything, "IpRanges": ALL}])
    assert ec2.describe_security_groups(GroupIds=[stack.group])["SecurityGroups"][0]["IpPermissionsEgress"] == []
    # There is no rule for IPv6 to take away. The provider tries it, and goes on at this code and no other.
    six = [{**anything, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_egress, GroupId=stack.group, IpPermissions=six)
    ec2.authorize_security_group_egress(GroupId=stack.group, IpPermissions=[{**anything, "IpRanges": ALL}])
    (group,) = ec2.describe_security_groups(GroupIds=[stack.group])["SecurityGroups"]
    has(group, "GroupName", "Description", "OwnerId", "VpcId", "Tags[].Key", "SecurityGroupArn",
        "IpPermissionsEgress[].IpRanges[].CidrIp", "IpPermissionsEgress[].IpProtocol")
    assert "FromPort" not in group["IpPermissionsEgress"][0]
    (same,) = ec2.describe_security_groups(Filters=filters(group_name="terraform", vpc_id=stack.vpc, owner_id=group["OwnerId"]))["SecurityGroups"]
    assert same["GroupId"] == stack.group


def test_aws_vpc_security_group_ingress_rule(stack, ec2):
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "192.0.2.0/24", "Description": "one"}]}
    made = ec2.authorize_security_group_ingress(
        GroupId=stack.group, IpPermissions=[permission], **tagged("security-group-rule")
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    (rule,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[made])["SecurityGroupRules"]
    has(rule, "CidrIpv4", "Description", "FromPort", "ToPort", "IpProtocol", "IsEgress", "GroupId", "GroupOwnerId",
        "SecurityGroupRuleArn", "Tags[].Key")
    ec2.modify_security_group_rules(
        GroupId=stack.group,
        SecurityGroupRules=[{"SecurityGroupRuleId": made, "SecurityGroupRule": {
            "IpProtocol": "tcp", "FromPort": 443, "ToPort": 444, "CidrIpv4": "192.0.2.0/24", "Description": "two",
        }}],
    )
    (rule,) = ec2.describe_security_group_rules(Filters=filters(group_id=stack.group, security_group_rule_id=made))["SecurityGroupRules"]
    assert (rule["ToPort"], rule["Description"]) == (444, "two")
    ec2.revoke_security_group_ingress(GroupId=stack.group, SecurityGroupRuleIds=[made])
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.describe_security_group_rules, SecurityGroupRuleIds=[made])


def test_aws_network_interface_and_its_attachment(stack, ec2):
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[stack.interface])["NetworkInterfaces"]
    has(interface, "Attachment.AttachmentId", "Attachment.InstanceId", "Attachment.DeviceIndex", "Attachment.Status",
        "Attachment.DeleteOnTermination", "Description", "InterfaceType", "MacAddress", "OwnerId", "PrivateDnsName",
        "PrivateIpAddress", "PrivateIpAddresses[].PrivateIpAddress", "PrivateIpAddresses[].Primary", "Groups[].GroupId",
        "SourceDestCheck", "SubnetId", "TagSet[].Key", "Status", "Ipv6Addresses", "VpcId", "AvailabilityZone")
    assert (interface["Description"], interface["Status"], interface["InterfaceType"]) == ("", "in-use", "interface")
    (found,) = ec2.describe_network_interfaces(Filters=filters(attachment__attachment_id=stack.attachment))["NetworkInterfaces"]
    assert found["Attachment"]["Status"] == "attached"
    by_place = filters(attachment__instance_id=stack.instance, attachment__device_index="0")
    (first,) = ec2.describe_network_interfaces(Filters=by_place)["NetworkInterfaces"]
    assert first["Attachment"]["DeleteOnTermination"]


def test_aws_eip_and_its_association(stack, ec2):
    (address,) = ec2.describe_addresses(AllocationIds=[stack.address])["Addresses"]
    has(address, "AllocationId", "AssociationId", "Domain", "InstanceId", "NetworkInterfaceId", "NetworkInterfaceOwnerId",
        "PrivateIpAddress", "PublicIp", "PublicIpv4Pool", "NetworkBorderGroup", "Tags[].Key")
    (found,) = ec2.describe_addresses(Filters=filters(association_id=stack.address_association))["Addresses"]
    assert found == address and found["NetworkInterfaceId"] == stack.interface
    told = ec2.describe_addresses_attribute(AllocationIds=[stack.address], Attribute="domain-name")
    assert told["Addresses"] == []


def test_aws_vpc_dhcp_options(stack, ec2):
    (options,) = ec2.describe_dhcp_options(DhcpOptionsIds=[stack.options])["DhcpOptions"]
    has(options, "OwnerId", "Tags[].Key", "DhcpConfigurations[].Key", "DhcpConfigurations[].Values[].Value")
    (vpc,) = ec2.describe_vpcs(Filters=filters(dhcp_options_id=stack.options))["Vpcs"]
    assert vpc["VpcId"] == stack.vpc


def test_aws_instance(stack, ec2):
    (reservation,) = ec2.describe_instances(InstanceIds=[stack.instance])["Reservations"]
    (instance,) = reservation["Instances"]
    has(instance, "ImageId", "InstanceType", "State.Name", "Placement.AvailabilityZone", "Placement.Tenancy",
        "PrivateDnsName", "PrivateIpAddress", "SubnetId", "EbsOptimized", "Monitoring.State", "SourceDestCheck",
        "SecurityGroups[].GroupId", "MetadataOptions.HttpEndpoint", "MetadataOptions.HttpTokens",
        "MetadataOptions.HttpPutResponseHopLimit", "MetadataOptions.InstanceMetadataTags", "EnclaveOptions.Enabled",
        "HibernationOptions.Configured", "MaintenanceOptions.AutoRecovery", "PrivateDnsNameOptions.HostnameType",
        "CpuOptions.CoreCount", "CpuOptions.ThreadsPerCore", "CapacityReservationSpecification.CapacityReservationPreference",
        "NetworkInterfaces[].Attachment.DeviceIndex", "NetworkInterfaces[].Attachment.DeleteOnTermination",
        "NetworkInterfaces[].NetworkInterfaceId", "NetworkInterfaces[].PrivateIpAddresses", "NetworkInterfaces[].SourceDestCheck",
        "NetworkInterfaces[].Ipv6Addresses", "BlockDeviceMappings", "Tags[].Key", "RootDeviceType")
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    (same,) = ec2.describe_instances(Filters=filters(client_token="terraform-instance"))["Reservations"]
    assert same["Instances"][0]["InstanceId"] == stack.instance
    told = lambda name: ec2.describe_instance_attribute(InstanceId=stack.instance, Attribute=name)
    assert told("disableApiTermination")["DisableApiTermination"] == {"Value": False}
    assert told("disableApiStop")["DisableApiStop"] == {"Value": False}
    assert told("instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"] == {"Value": "stop"}
    assert told("userData")["UserData"] == {"Value": b64(USER_DATA)}
    assert ec2.describe_volumes(Filters=filters(attachment__instance_id=stack.instance))["Volumes"] == []
    (credits,) = ec2.describe_instance_credit_specifications(InstanceIds=[stack.instance])["InstanceCreditSpecifications"]
    has(credits, "CpuCredits", "InstanceId")
    (kind,) = ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
    has(kind, "InstanceType", "BurstablePerformanceSupported", "VCpuInfo.DefaultVCpus", "NetworkInfo.MaximumNetworkInterfaces")
    (image,) = ec2.describe_images(ImageIds=[instance["ImageId"]])["Images"]
    has(image, "RootDeviceType", "BlockDeviceMappings", "State", "Architecture")


def test_aws_launch_template(ec2, lab):
    made = ec2.create_launch_template(
        LaunchTemplateName="terraform", ClientToken="terraform-template",
        LaunchTemplateData={"ImageId": lab.image, "InstanceType": "t3.micro", "UserData": b64(USER_DATA),
                            "NetworkInterfaces": [{"DeviceIndex": 0, "SecondaryPrivateIpAddressCount": 1}]},
        **tagged("launch-template"),
    )["LaunchTemplate"]["LaunchTemplateId"]
    (template,) = ec2.describe_launch_templates(LaunchTemplateIds=[made])["LaunchTemplates"]
    has(template, "LaunchTemplateName", "DefaultVersionNumber", "LatestVersionNumber", "CreatedBy", "CreateTime", "Tags[].Key")
    latest = str(template["LatestVersionNumber"])
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=made, Versions=[latest])["LaunchTemplateVersions"]
    has(version, "LaunchTemplateData.ImageId", "LaunchTemplateData.InstanceType", "LaunchTemplateData.UserData",
        "LaunchTemplateData.NetworkInterfaces[].SecondaryPrivateIpAddressCount",
        "DefaultVersion", "VersionNumber")
    ec2.delete_launch_template(LaunchTemplateId=made)
    refused("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_templates, LaunchTemplateIds=[made])


def test_aws_nat_gateway(stack, ec2):
    address = ec2.allocate_address(Domain="vpc")
    made = ec2.create_nat_gateway(
        SubnetId=stack.subnet, AllocationId=address["AllocationId"], ConnectivityType="public",
        ClientToken="terraform-nat", **tagged("natgateway"),
    )["NatGateway"]["NatGatewayId"]
    find = lambda: ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"][0]
    until(lambda: find()["State"] == "available", 30)
    gateway = find()
    has(gateway, "ConnectivityType", "SubnetId", "VpcId", "Tags[].Key", "NatGatewayAddresses[].AllocationId",
        "NatGatewayAddresses[].AssociationId", "NatGatewayAddresses[].NetworkInterfaceId", "NatGatewayAddresses[].PrivateIp",
        "NatGatewayAddresses[].PublicIp", "NatGatewayAddresses[].IsPrimary", "NatGatewayAddresses[].Status")
    # The provider takes the first of these that is the primary one, and each other for a secondary one.
    (only,) = gateway["NatGatewayAddresses"]
    assert (only["IsPrimary"], only["Status"], only["PublicIp"]) == (True, "succeeded", address["PublicIp"])
    ec2.create_route(RouteTableId=stack.table, DestinationCidrBlock="10.98.0.0/16", NatGatewayId=made)
    ec2.delete_route(RouteTableId=stack.table, DestinationCidrBlock="10.98.0.0/16")
    ec2.delete_nat_gateway(NatGatewayId=made)
    until(lambda: find()["State"] == "deleted", 30)
    ec2.release_address(AllocationId=address["AllocationId"])


def test_aws_vpc_peering_connection_its_accepter_and_options(stack, ec2):
    other = ec2.create_vpc(CidrBlock="10.71.0.0/16")["Vpc"]
    made = ec2.create_vpc_peering_connection(
        VpcId=stack.vpc, PeerVpcId=other["VpcId"], PeerOwnerId=other["OwnerId"], **tagged("vpc-peering-connection")
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    find = lambda: ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[made])["VpcPeeringConnections"][0]
    until(lambda: find()["Status"]["Code"] == "pending-acceptance")
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made)
    until(lambda: find()["Status"]["Code"] == "active")
    ec2.modify_vpc_attribute(VpcId=other["VpcId"], EnableDnsHostnames={"Value": True})
    wanted = {"AllowDnsResolutionFromRemoteVpc": True}
    ec2.modify_vpc_peering_connection_options(
        VpcPeeringConnectionId=made, AccepterPeeringConnectionOptions=wanted, RequesterPeeringConnectionOptions=wanted
    )
    connection = find()
    for side in ("AccepterVpcInfo", "RequesterVpcInfo"):
        has(connection[side], "VpcId", "OwnerId", "Region", "CidrBlock")
        assert connection[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    has(connection, "Tags[].Key")
    by_ends = filters(requester_vpc_info__vpc_id=stack.vpc, accepter_vpc_info__vpc_id=other["VpcId"], status_code="active")
    assert [one["VpcPeeringConnectionId"] for one in ec2.describe_vpc_peering_connections(Filters=by_ends)["VpcPeeringConnections"]] == [made]
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=made)
    until(lambda: find()["Status"]["Code"] == "deleted")
    ec2.delete_vpc(VpcId=other["VpcId"])


def test_aws_ec2_managed_prefix_list_and_its_entries(ec2):
    made = ec2.create_managed_prefix_list(
        PrefixListName="terraform", AddressFamily="IPv4", MaxEntries=3, ClientToken="terraform-list",
        Entries=[{"Cidr": "192.0.2.0/24", "Description": "one"}], **tagged("prefix-list"),
    )["PrefixList"]["PrefixListId"]
    find = lambda: ec2.describe_managed_prefix_lists(PrefixListIds=[made])["PrefixLists"][0]
    until(lambda: find()["State"] == "create-complete")
    found = find()
    has(found, "PrefixListName", "PrefixListArn", "AddressFamily", "MaxEntries", "Version", "OwnerId", "Tags[].Key")
    ec2.modify_managed_prefix_list(
        PrefixListId=made, CurrentVersion=found["Version"], AddEntries=[{"Cidr": "198.51.100.0/24"}], RemoveEntries=[{"Cidr": "192.0.2.0/24"}]
    )
    until(lambda: find()["State"] == "modify-complete")
    entries = ec2.get_managed_prefix_list_entries(PrefixListId=made)["Entries"]
    assert (find()["Version"], [entry["Cidr"] for entry in entries]) == (found["Version"] + 1, ["198.51.100.0/24"])
    ec2.delete_managed_prefix_list(PrefixListId=made)
    refused("InvalidPrefixListID.NotFound", ec2.describe_managed_prefix_lists, PrefixListIds=[made])


def test_aws_vpc_ipv4_cidr_block_association_and_subnet_cidr_reservation(stack, ec2):
    made = ec2.associate_vpc_cidr_block(VpcId=stack.vpc, CidrBlock="10.72.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    (vpc,) = ec2.describe_vpcs(Filters=filters(cidr_block_association__association_id=made))["Vpcs"]
    (block,) = [one for one in vpc["CidrBlockAssociationSet"] if one["AssociationId"] == made]
    assert (block["CidrBlock"], block["CidrBlockState"]["State"]) == ("10.72.0.0/16", "associated")
    ec2.disassociate_vpc_cidr_block(AssociationId=made)
    assert ec2.describe_vpcs(Filters=filters(cidr_block_association__association_id=made))["Vpcs"] == []
    made = ec2.create_subnet_cidr_reservation(
        SubnetId=stack.subnet, Cidr="10.70.1.192/28", ReservationType="prefix", Description="one"
    )["SubnetCidrReservation"]["SubnetCidrReservationId"]
    (found,) = ec2.get_subnet_cidr_reservations(SubnetId=stack.subnet)["SubnetIpv4CidrReservations"]
    has(found, "SubnetCidrReservationId", "SubnetId", "Cidr", "ReservationType", "OwnerId", "Description")
    assert found["SubnetCidrReservationId"] == made
    ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=made)
    assert ec2.get_subnet_cidr_reservations(SubnetId=stack.subnet)["SubnetIpv4CidrReservations"] == []


def test_aws_eip_domain_name(stack, ec2):
    told = lambda: ec2.describe_addresses_attribute(AllocationIds=[stack.address], Attribute="domain-name")["Addresses"]
    changed = ec2.modify_address_attribute(AllocationId=stack.address, DomainName="terraform.example.")["Address"]
    has(changed, "AllocationId", "PublicIp")
    (found,) = told()
    # The provider waits for as long as an update is on its way.
    assert found["PtrRecord"] == "terraform.example." and found.get("PtrRecordUpdate", {}).get("Status") != "PENDING"
    ec2.reset_address_attribute(AllocationId=stack.address, Attribute="domain-name")
    until(lambda: told() == [])


def test_what_default_resources_adopt_is_found_as_the_provider_looks_for_it(ec2):
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    wanted = [{"Name": "availabilityZone", "Values": [zone]}, {"Name": "defaultForAz", "Values": ["true"]}]
    (subnet,) = ec2.describe_subnets(Filters=wanted)["Subnets"]
    assert subnet["VpcId"] == vpc["VpcId"] and subnet["DefaultForAz"]
    # aws_default_vpc_dhcp_options: the set whose domain is the region's, with Amazon's resolver.
    wanted = [{"Name": "key", "Values": ["domain-name"]}, {"Name": "value", "Values": ["ec2.internal"]}]
    wanted += [{"Name": "key", "Values": ["domain-name-servers"]}, {"Name": "value", "Values": ["AmazonProvidedDNS"]}]
    assert vpc["DhcpOptionsId"] in [one["DhcpOptionsId"] for one in ec2.describe_dhcp_options(Filters=wanted)["DhcpOptions"]]
