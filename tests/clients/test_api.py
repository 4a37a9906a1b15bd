"""The API as boto3 speaks it: answers, error codes, dry runs, filters, pages, tokens."""

import pytest

from conftest import LAB, describe, refused, until


def test_who_asks(lab):
    identity = lab.client("sts").get_caller_identity()
    assert len(identity["Account"]) == 12 and identity["Account"] in identity["Arn"]


def test_the_default_vpc_is_there(ec2):
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert subnets and all(subnet["DefaultForAz"] for subnet in subnets)
    (group,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    assert group["VpcId"] == vpc["VpcId"]
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    assert group["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]


def test_regions_zones_and_attributes(ec2, lab):
    assert lab.env["AWS_DEFAULT_REGION"] in [r["RegionName"] for r in ec2.describe_regions()["Regions"]]
    assert ec2.describe_availability_zones()["AvailabilityZones"][0]["State"] == "available"
    (attribute,) = ec2.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
    assert attribute["AttributeValues"] == [{"AttributeValue": "VPC"}]


def test_an_address_lives_and_dies(ec2):
    made = ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "web"}]}]
    )
    seen = ec2.describe_addresses(Filters=[{"Name": "tag:Name", "Values": ["we?"]}])["Addresses"]
    assert [address["PublicIp"] for address in seen] == [made["PublicIp"]]
    assert seen[0]["Tags"] == [{"Key": "Name", "Value": "web"}]
    ec2.release_address(AllocationId=made["AllocationId"])
    refused("InvalidAllocationID.NotFound", ec2.release_address, AllocationId=made["AllocationId"])
    refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=[made["AllocationId"]])


def test_a_dry_run_changes_nothing(ec2):
    before = len(ec2.describe_addresses()["Addresses"])
    refused("DryRunOperation", ec2.allocate_address, Domain="vpc", DryRun=True)
    assert len(ec2.describe_addresses()["Addresses"]) == before


def test_what_is_unknown_is_refused(ec2):
    refused("InvalidParameterValue", ec2.describe_addresses, Filters=[{"Name": "colour", "Values": ["red"]}])
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=["sg-0123456789abcdef0"])
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])
    refused("InvalidInstanceID.Malformed", ec2.describe_instances, InstanceIds=["web"])
    refused("InvalidAction", ec2.create_vpn_gateway, Type="ipsec.1")


def test_rules_are_all_or_nothing(ec2, group):
    g = group("atomic")
    good = dict(IpProtocol="tcp", FromPort=22, ToPort=22, IpRanges=[{"CidrIp": "192.0.2.0/24"}])
    for bad, code in [
        (dict(good, FromPort=23, IpRanges=[{"CidrIp": "192.0.2.0/33"}]), "InvalidParameterValue"),
        (dict(good, IpRanges=[{"CidrIp": "anywhere"}]), "InvalidParameterValue"),
        (dict(good), "InvalidParameterValue"),
    ]:
        refused(code, ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=[good, bad])
        assert ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]["IpPermissions"] == []


def test_rules_have_ids_and_can_be_revoked_by_them(ec2, group):
    g = group("rules")
    permission = dict(
        IpProtocol="tcp",
        FromPort=80,
        ToPort=81,
        IpRanges=[{"CidrIp": "192.0.2.0/24", "Description": "lab"}, {"CidrIp": "198.51.100.0/24"}],
        Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}],
    )
    rules = ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[permission])["SecurityGroupRules"]
    assert len(rules) == 3 and all(rule["SecurityGroupRuleId"].startswith("sgr-") for rule in rules)
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=[permission])
    ec2.revoke_security_group_ingress(GroupId=g, SecurityGroupRuleIds=[rules[0]["SecurityGroupRuleId"]])
    left = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [g]}])["SecurityGroupRules"]
    assert {r["SecurityGroupRuleId"] for r in left if not r["IsEgress"]} == {r["SecurityGroupRuleId"] for r in rules[1:]}


def test_groups_in_use_stay(ec2, group):
    a, b = group("a"), group("b")
    pair = [dict(IpProtocol="-1", UserIdGroupPairs=[{"GroupId": a}])]
    ec2.authorize_security_group_ingress(GroupId=b, IpPermissions=pair)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=a)
    ec2.revoke_security_group_ingress(GroupId=b, IpPermissions=pair)
    ec2.delete_security_group(GroupId=a)


def test_key_pairs(ec2):
    made = ec2.create_key_pair(KeyName="made", KeyType="ed25519")
    assert "PRIVATE KEY" in made["KeyMaterial"]
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="made")
    (seen,) = ec2.describe_key_pairs(KeyNames=["made"])["KeyPairs"]
    assert seen["KeyFingerprint"] == made["KeyFingerprint"]
    ec2.delete_key_pair(KeyName="made")
    ec2.delete_key_pair(KeyName="made")


def test_a_client_token_makes_one_reservation(ec2, lab):
    call = dict(ImageId=lab.image, MinCount=1, MaxCount=1, ClientToken="once-" + str(id(lab)))
    first, again = ec2.run_instances(**call), ec2.run_instances(**call)
    assert first["ReservationId"] == again["ReservationId"]
    refused("IdempotentParameterMismatch", ec2.run_instances, **dict(call, MaxCount=2))
    ec2.terminate_instances(InstanceIds=[first["Instances"][0]["InstanceId"]])


def test_an_instance_lives_and_dies(ec2, lab):
    reply = ec2.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1, UserData="#!/bin/sh\necho hello from user-data\n")
    instance = reply["Instances"][0]["InstanceId"]

    def state(name):
        return until(lambda: describe(ec2, instance)["State"]["Name"] == name, 40)

    state("running")
    ec2.stop_instances(InstanceIds=[instance])
    state("stopped")
    refused("IncorrectInstanceState", ec2.reboot_instances, InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    state("running")
    until(lambda: "hello from user-data" in ec2.get_console_output(InstanceId=instance).get("Output", ""))
    ec2.terminate_instances(InstanceIds=[instance])
    state("terminated")
    assert "PrivateIpAddress" not in describe(ec2, instance)


def test_terminating_keeps_the_address(ec2, lab):
    address = ec2.allocate_address(Domain="vpc")
    instance = ec2.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    first = ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)["AssociationId"]
    again = ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)["AssociationId"]
    assert first == again
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address["AllocationId"])
    ec2.terminate_instances(InstanceIds=[instance])
    (seen,) = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    assert "AssociationId" not in seen
    ec2.release_address(AllocationId=address["AllocationId"])


def test_pages_hold_everything_once(ec2, group):
    made = {group("page") for _ in range(12)}
    pages = ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5})
    seen = [g["GroupId"] for page in pages for g in page["SecurityGroups"]]
    assert len(seen) == len(set(seen)) and made <= set(seen)


def test_another_account_sees_nothing(ec2, lab, group):
    other = lab.other_account()
    theirs = group("mine")
    refused("InvalidGroup.NotFound", other.describe_security_groups, GroupIds=[theirs])
    refused("InvalidGroup.NotFound", other.delete_security_group, GroupId=theirs)
    assert theirs not in [g["GroupId"] for g in other.describe_security_groups()["SecurityGroups"]]


@pytest.mark.parametrize("size", [16 * 1024 + 1])
def test_user_data_has_a_limit(ec2, lab, size):
    refused("InvalidParameterValue", ec2.run_instances, ImageId=lab.image, MinCount=1, MaxCount=1, UserData="x" * size)



def test_what_clients_do_wrong_is_no_error_of_the_servers(ec2, lab):
    refused("InvalidAllocationID.NotFound", ec2.release_address, AllocationId="eipalloc-0123456789abcdef0")
    log = lab.exec("host1", "cat", f"/run/fogbank-lab/{LAB}/host1/serve.log").stdout
    assert "InvalidAllocationID.NotFound" in log
    assert [line for line in log.splitlines() if " ERROR " in line] == []
