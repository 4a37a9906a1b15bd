"""Another region than the flat networks': each account's default VPC is its own there, as in EC2, and so is what is in it."""

import pytest

from conftest import USER_DATA, console, describe, page, refused, until

REGION = "eu-central-1"
HTTP = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


@pytest.fixture(scope="module")
def there(lab):
    return lab.client(region_name=REGION)


def test_a_region_has_a_default_vpc_as_ec2_makes_it(lab, ec2, there):
    assert REGION in [region["RegionName"] for region in ec2.describe_regions()["Regions"]]
    (vpc,) = there.describe_vpcs()["Vpcs"]
    assert (vpc["CidrBlock"], vpc["IsDefault"]) == ("172.31.0.0/16", True)
    zones = [zone["ZoneName"] for zone in there.describe_availability_zones()["AvailabilityZones"]]
    subnets = there.describe_subnets()["Subnets"]
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == sorted(zones)
    assert all(subnet["DefaultForAz"] and subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    assert [group["GroupName"] for group in there.describe_security_groups()["SecurityGroups"]] == ["default"]
    # Nothing of the one region is in the other.
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc["VpcId"]])


def test_an_instance_without_a_subnet_is_reached_under_its_public_address(lab, there):
    group = there.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    there.authorize_security_group_ingress(GroupId=group, IpPermissions=HTTP)
    made = there.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1, UserData=USER_DATA)["Instances"][0]["InstanceId"]
    until(lambda: "user-data done" in console(there, made), 60)
    instance = describe(there, made)
    assert instance["PrivateIpAddress"] == "172.31.0.4"
    until(lambda: page(lab, "internet", instance["PublicIpAddress"]) == instance["PrivateDnsName"].split(".")[0], 10)
    there.terminate_instances(InstanceIds=[made])
    until(lambda: describe(there, made)["State"]["Name"] == "terminated", 30)
    there.revoke_security_group_ingress(GroupId=group, IpPermissions=HTTP)


def test_a_default_vpc_is_deleted_and_made_again(lab, there):
    (vpc,), (gateway,) = there.describe_vpcs()["Vpcs"], there.describe_internet_gateways()["InternetGateways"]
    refused("DefaultVpcAlreadyExists", there.create_default_vpc)
    there.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc["VpcId"])
    there.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    for subnet in there.describe_subnets()["Subnets"]:
        there.delete_subnet(SubnetId=subnet["SubnetId"])
        made = there.create_default_subnet(AvailabilityZone=subnet["AvailabilityZone"])["Subnet"]
        assert made["DefaultForAz"] and made["CidrBlock"] == subnet["CidrBlock"]
        there.delete_subnet(SubnetId=made["SubnetId"])
    there.delete_vpc(VpcId=vpc["VpcId"])
    refused("VPCIdNotSpecified", there.run_instances, ImageId=lab.image, MinCount=1, MaxCount=1)
    again = there.create_default_vpc()["Vpc"]
    assert again["IsDefault"] and again["VpcId"] != vpc["VpcId"] and there.describe_subnets()["Subnets"]
