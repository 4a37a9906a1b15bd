"""Rules that change in place, names of addresses, and addresses that change hands, as clients see them."""

import datetime

from conftest import USER_DATA, page, refused, until


def test_a_rule_that_is_modified_lets_in_what_it_says_now_and_nothing_else(lab, ec2, launch, group):
    served, client = group("served"), launch([group("asks")])
    target = launch([served])["PrivateIpAddress"]
    asks = lambda port: page(lab, client["InstanceId"], target, port, seconds=1)
    range = {"CidrIp": "10.0.0.0/8", "Description": "first"}
    made = ec2.authorize_security_group_ingress(
        GroupId=served, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [range]}]
    )
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    until(lambda: asks(80))
    changed = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "CidrIpv4": "10.0.0.0/16"}
    ec2.modify_security_group_rules(
        GroupId=served, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": changed}]
    )
    assert until(lambda: asks(8080)) and asks(80) is None
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=served, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule, "Description": "second"}]
    )
    now = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
    told = {name: now[name] for name in ("FromPort", "CidrIpv4", "Description", "IsEgress")}
    assert told == {"FromPort": 8080, "CidrIpv4": "10.0.0.0/16", "Description": "second", "IsEgress": False}
    vpc = ec2.describe_security_groups(GroupIds=[served])["SecurityGroups"][0]["VpcId"]
    pages = ec2.get_paginator("get_security_groups_for_vpc").paginate(VpcId=vpc, PaginationConfig={"PageSize": 5})
    usable = [one["GroupId"] for reply in pages for one in reply["SecurityGroupForVpcs"]]
    assert served in usable and len(usable) == len(set(usable))
    assert ec2.describe_stale_security_groups(VpcId=vpc)["StaleSecurityGroupSet"] == []
    assert ec2.describe_security_group_references(GroupId=[served])["SecurityGroupReferenceSet"] == []


def test_instances_find_the_name_of_an_address_and_none_once_it_is_reset(lab, ec2, launch):
    asker = launch()["InstanceId"]
    address = ec2.allocate_address(Domain="vpc")
    id, ip = address["AllocationId"], address["PublicIp"]
    found = lambda: "mail.example.com" in lab.exec(asker, "nslookup", ip).stdout
    listed = lambda: ec2.describe_addresses_attribute(AllocationIds=[id], Attribute="domain-name")["Addresses"]
    assert not found() and listed() == []
    reply = ec2.modify_address_attribute(AllocationId=id, DomainName="mail.example.com")
    assert reply["Address"]["PtrRecordUpdate"] == {"Value": "mail.example.com.", "Status": "PENDING"}
    until(found)
    assert listed() == [{"PublicIp": ip, "AllocationId": id, "PtrRecord": "mail.example.com."}]
    refused("InvalidAddress.PtrSet", ec2.release_address, AllocationId=id)
    ec2.reset_address_attribute(AllocationId=id, Attribute="domain-name")
    until(lambda: not found())
    ec2.release_address(AllocationId=id)


def test_an_address_changes_hands_and_leads_where_its_new_owner_wants(lab, ec2):
    other = lab.other_account()
    to = other.describe_security_groups()["SecurityGroups"][0]["OwnerId"]
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "ours"}]}]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags)
    id, ip = address["AllocationId"], address["PublicIp"]
    refused("InvalidAddress.NotFound", other.accept_address_transfer, Address=ip)
    offer = ec2.enable_address_transfer(AllocationId=id, TransferAccountId=to)["AddressTransfer"]
    assert (offer["AddressTransferStatus"], offer["TransferAccountId"]) == ("pending", to)
    left = offer["TransferOfferExpirationTimestamp"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=6, hours=23) < left <= datetime.timedelta(days=7)
    taken = other.accept_address_transfer(Address=ip)["AddressTransfer"]
    assert (taken["AddressTransferStatus"], taken["AllocationId"]) == ("accepted", id)
    refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=[id])
    assert "Tags" not in other.describe_addresses(AllocationIds=[id])["Addresses"][0]
    pages = ec2.get_paginator("describe_address_transfers").paginate(AllocationIds=[id])
    assert [one["AddressTransferStatus"] for reply in pages for one in reply["AddressTransfers"]] == ["accepted"]
    run = other.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1, UserData=USER_DATA)
    instance = run["Instances"][0]["InstanceId"]
    web = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}]
    other.authorize_security_group_ingress(GroupName="default", IpPermissions=web)
    other.associate_address(InstanceId=instance, AllocationId=id)
    assert until(lambda: page(lab, "internet", ip, seconds=1), 40)
    other.terminate_instances(InstanceIds=[instance])
    until(lambda: "AssociationId" not in other.describe_addresses(AllocationIds=[id])["Addresses"][0])
    other.release_address(AllocationId=id)
