"""IPv6 in VPCs as clients make it and read it back: dual-stack subnets, egress-only gateways, routes, addresses."""

import ipaddress

import pytest

from conftest import refused


def of(vpc):
    return [{"Name": "vpc-id", "Values": [vpc]}]


class Stack:
    """What Terraform's aws_vpc, aws_subnet, aws_egress_only_internet_gateway, aws_route and aws_instance make."""

    def __init__(self, ec2, image):
        self.ec2 = ec2
        vpc = ec2.create_vpc(CidrBlock="10.80.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        self.vpc = vpc["VpcId"]
        (block,) = vpc["Ipv6CidrBlockAssociationSet"]
        self.block = ipaddress.ip_network(block["Ipv6CidrBlock"])
        self.blocks = list(self.block.subnets(new_prefix=64))
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.80.1.0/24", Ipv6CidrBlock=str(self.blocks[1]))["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=self.subnet, AssignIpv6AddressOnCreation={"Value": True})
        made = ec2.create_egress_only_internet_gateway(
            VpcId=self.vpc, TagSpecifications=[{"ResourceType": "egress-only-internet-gateway", "Tags": [{"Key": "Name", "Value": "six"}]}]
        )
        self.gateway = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        (table,) = ec2.describe_route_tables(Filters=of(self.vpc))["RouteTables"]
        self.table = table["RouteTableId"]
        ec2.create_route(RouteTableId=self.table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=self.gateway)
        launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=self.subnet)
        self.instance = launched["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[self.instance], WaiterConfig={"Delay": 1})

    def delete(self):
        ec2 = self.ec2
        ec2.terminate_instances(InstanceIds=[self.instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[self.instance], WaiterConfig={"Delay": 1})
        ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=self.gateway)
        ec2.delete_subnet(SubnetId=self.subnet)
        ec2.delete_vpc(VpcId=self.vpc)


@pytest.fixture(scope="module")
def stack(lab, ec2):
    stack = Stack(ec2, lab.image)
    yield stack
    stack.delete()


def test_a_vpc_and_its_subnet_have_their_blocks(stack, ec2):
    (vpc,) = ec2.describe_vpcs(VpcIds=[stack.vpc])["Vpcs"]
    (block,) = vpc["Ipv6CidrBlockAssociationSet"]
    assert block["Ipv6CidrBlockState"] == {"State": "associated"} and block["Ipv6Pool"] == "Amazon"
    assert block["NetworkBorderGroup"] == ec2.meta.region_name and block["IpSource"] == "amazon"
    (found,) = ec2.describe_subnets(Filters=[{"Name": "ipv6-cidr-block-association.ipv6-cidr-block", "Values": [str(stack.blocks[1])]}])["Subnets"]
    assert found["SubnetId"] == stack.subnet and found["AssignIpv6AddressOnCreation"] and not found["Ipv6Native"]
    (of_subnet,) = found["Ipv6CidrBlockAssociationSet"]
    assert of_subnet["AssociationId"].startswith("subnet-cidr-assoc-")
    assert of_subnet["Ipv6CidrBlockState"] == {"State": "associated"}
    other = ec2.create_subnet(VpcId=stack.vpc, CidrBlock="10.80.2.0/24")["Subnet"]
    assert other["Ipv6CidrBlockAssociationSet"] == []
    associated = ec2.associate_subnet_cidr_block(SubnetId=other["SubnetId"], Ipv6CidrBlock=str(stack.blocks[2]))
    ec2.disassociate_subnet_cidr_block(AssociationId=associated["Ipv6CidrBlockAssociation"]["AssociationId"])
    ec2.delete_subnet(SubnetId=other["SubnetId"])
    refused("InvalidCidrBlock.InUse", ec2.disassociate_subnet_cidr_block, AssociationId=of_subnet["AssociationId"])


def test_an_instance_has_an_address_and_gets_more(stack, ec2):
    (reservation,) = ec2.describe_instances(InstanceIds=[stack.instance])["Reservations"]
    (instance,) = reservation["Instances"]
    (interface,) = instance["NetworkInterfaces"]
    (address,) = interface["Ipv6Addresses"]
    assert ipaddress.ip_address(address["Ipv6Address"]) in stack.blocks[1] and not address["IsPrimaryIpv6"]
    assert instance["Ipv6Address"] == address["Ipv6Address"]
    eni = interface["NetworkInterfaceId"]
    wanted = str(stack.blocks[1][0x1234])
    assert ec2.assign_ipv6_addresses(NetworkInterfaceId=eni, Ipv6Addresses=[wanted])["AssignedIpv6Addresses"] == [wanted]
    (found,) = ec2.describe_network_interfaces(Filters=[{"Name": "ipv6-addresses.ipv6-address", "Values": [wanted]}])["NetworkInterfaces"]
    assert [one["Ipv6Address"] for one in found["Ipv6Addresses"]] == [address["Ipv6Address"], wanted]
    refused("InvalidParameterValue", ec2.assign_ipv6_addresses, NetworkInterfaceId=eni, Ipv6Addresses=[str(stack.blocks[2][0x10])])
    assert ec2.unassign_ipv6_addresses(NetworkInterfaceId=eni, Ipv6Addresses=[wanted])["UnassignedIpv6Addresses"] == [wanted]


def test_routes_and_gateways_read_as_terraform_reads_them(stack, ec2):
    pages = ec2.get_paginator("describe_egress_only_internet_gateways").paginate(Filters=[{"Name": "tag:Name", "Values": ["six"]}])
    (gateway,) = [one for page in pages for one in page["EgressOnlyInternetGateways"]]
    assert gateway["EgressOnlyInternetGatewayId"] == stack.gateway
    assert gateway["Attachments"] == [{"State": "attached", "VpcId": stack.vpc}]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "route.egress-only-internet-gateway-id", "Values": [stack.gateway]}])["RouteTables"]
    six = {route["DestinationIpv6CidrBlock"]: route for route in table["Routes"] if "DestinationIpv6CidrBlock" in route}
    assert six[str(stack.block)]["GatewayId"] == "local" and six["::/0"]["State"] == "active"
    assert six["::/0"]["EgressOnlyInternetGatewayId"] == stack.gateway and "DestinationCidrBlock" not in six["::/0"]
    refused("RouteAlreadyExists", ec2.create_route, RouteTableId=stack.table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=stack.gateway)
    (acl,) = ec2.describe_network_acls(Filters=of(stack.vpc))["NetworkAcls"]
    entries = {(entry["RuleNumber"], entry["Egress"]): entry for entry in acl["Entries"]}
    for egress in (False, True):
        assert entries[101, egress]["Ipv6CidrBlock"] == entries[32768, egress]["Ipv6CidrBlock"] == "::/0"
        assert entries[101, egress]["RuleAction"] == "allow" and entries[32768, egress]["RuleAction"] == "deny"
    refused("DependencyViolation", ec2.delete_vpc, VpcId=stack.vpc)
