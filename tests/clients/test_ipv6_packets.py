"""IPv6 with packets: what the API has made, from one instance to another on another host, to the world and from it."""

import concurrent.futures
import ipaddress
import itertools
import os
import re

import pytest

from conftest import USER_DATA, console, describe, page, until
from test_vpcs import Vpcs, name

# `internet` of the lab.
BEYOND = "2001:db8:ff::1"
ALL = "::/0"


def tcp(port=80, **sources):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **sources}


def six(cidr):
    return {"Ipv6Ranges": [{"CidrIpv6": cidr}]}


class Six(Vpcs):
    def __init__(self):
        super(Vpcs, self).__init__(f"six{os.getpid()}", "--hosts", "2")
        self.ec2 = self.client()

    def get(self, what, **arguments):
        """Creates one, and returns what the answer tells of it."""
        reply = getattr(self.ec2, f"create_{what}")(**arguments)
        return next(value for key, value in reply.items() if key != "ResponseMetadata")

    def let_in(self, group, *permissions):
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(permissions))

    def shut_out(self, group, *permissions):
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=list(permissions))
        self.settle()

    def addresses(self, instance):
        """Those of IPv6 that the guest itself has."""
        shown = self.exec(instance["InstanceId"], "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global").stdout
        return re.findall(r"inet6 (\S+)/128", shown)

    def pings(self, where, address, seconds=1):
        return self.exec(where, "timeout", str(seconds), "busybox", "ping6", "-c", "1", address).returncode == 0


class Place:
    """A VPC with IPv6: subnets with a /64 each, that give their instances addresses, and a group that lets nobody in."""

    def __init__(self, lab, block, subnets):
        ec2 = lab.ec2
        made = lab.get("vpc", CidrBlock=f"{block}.0.0/16", AmazonProvidedIpv6CidrBlock=True)
        self.id = made["VpcId"]
        (associated,) = made["Ipv6CidrBlockAssociationSet"]
        self.block = associated["Ipv6CidrBlock"]
        cut = ipaddress.ip_network(self.block).subnets(new_prefix=64)
        self.blocks = [str(block) for block in itertools.islice(cut, subnets)]
        self.subnets = [
            lab.get("subnet", VpcId=self.id, CidrBlock=f"{block}.{n}.0/24", Ipv6CidrBlock=own)["SubnetId"]
            for n, own in enumerate(self.blocks)
        ]
        for subnet in self.subnets:
            ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
        self.group = ec2.create_security_group(GroupName="six", Description="six", VpcId=self.id)["GroupId"]
        self.table = lab.one("route_tables", self.id)["RouteTableId"]

    def route(self, lab, how, **to):
        getattr(lab.ec2, f"{how}_route")(RouteTableId=self.table, DestinationIpv6CidrBlock=ALL, **to)


def address(instance):
    (found,) = instance["NetworkInterfaces"][0]["Ipv6Addresses"]
    return found["Ipv6Address"]


def six_page(lab, where, address, **more):
    return page(lab, where, f"[{address}]", **more)


def reaches(lab, where, other, at=None):
    where = where if isinstance(where, str) else where["InstanceId"]
    until(lambda: six_page(lab, where, at or address(other), seconds=1) == name(other), 10)


def none_reach(lab, *pairs):
    """Nothing answers any of them, in a second each of which a page would take a moment of."""
    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        pages = pool.map(lambda pair: six_page(lab, *pair, seconds=1), pairs)
        assert list(pages) == [None] * len(pairs)


def traced(lab, where, to):
    """What `fogbank trace` says of a new connection."""
    return lab.operator("trace", "--from", BEYOND if where == "internet" else where, "--to", f"[{to}]:80")


@pytest.fixture(scope="module")
def lab():
    lab = Six()
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def places(lab):
    """Two VPCs; in the first an instance in each of two subnets on a host each, and a third that shares with either."""
    first, second = Place(lab, "10.0", 2), Place(lab, "10.1", 1)
    started = []
    for place, subnet, host in ((first, 0, "host1"), (first, 1, "host2"), (first, 1, "host1"), (second, 0, "host2")):
        reply = lab.ec2.run_instances(
            ImageId=lab.image, MinCount=1, MaxCount=1, UserData=USER_DATA, SubnetId=place.subnets[subnet],
            SecurityGroupIds=[place.group], Placement={"Tenancy": "host", "HostId": host},
        )
        started.append(reply["Instances"][0]["InstanceId"])
    for instance in started:
        until(lambda: "user-data done" in console(lab.ec2, instance), 60)
    return first, second, [describe(lab.ec2, instance) for instance in started]


@pytest.fixture(scope="module")
def further(lab, places):
    """A second interface of the second instance, in the other's subnet: its attachment, and its address."""
    first, _, (_, two, *_) = places
    made = lab.get("network_interface", SubnetId=first.subnets[0], Ipv6AddressCount=1, Groups=[first.group])
    (at,) = [found["Ipv6Address"] for found in made["Ipv6Addresses"]]
    attached = lab.ec2.attach_network_interface(
        NetworkInterfaceId=made["NetworkInterfaceId"], InstanceId=two["InstanceId"], DeviceIndex=1
    )
    return attached["AttachmentId"], at


def test_guests_have_the_addresses_that_their_subnets_give(lab, places):
    first, second, instances = places
    for instance in instances:
        until(lambda: lab.addresses(instance) == [address(instance)], 20)
    blocks = [first.blocks[0], first.blocks[1], first.blocks[1], second.blocks[0]]
    for instance, block in zip(instances, blocks):
        assert ipaddress.ip_address(address(instance)) in ipaddress.ip_network(block)
    assert first.block != second.block


def test_a_group_says_who_in_the_vpc_comes_in_from_another_host(lab, places):
    first, _, (one, two, three, _) = places
    every = [(a["InstanceId"], address(b)) for a in (one, two, three) for b in (one, two, three) if a is not b]
    none_reach(lab, *every)
    # From the first's subnet alone.
    lab.let_in(first.group, tcp(**six(first.blocks[0])))
    for other in (two, three):
        reaches(lab, one, other)
    none_reach(lab, (two["InstanceId"], address(one)), (two["InstanceId"], address(three)))
    assert six_page(lab, one["InstanceId"], address(two), port=8080, seconds=1) is None
    # Its members, wherever they are; and what IPv4 is let in for is nothing to IPv6.
    lab.let_in(first.group, {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    lab.let_in(first.group, tcp(8080, UserIdGroupPairs=[{"GroupId": first.group}]))
    for asks, answers in ((two, one), (one, two)):
        until(lambda: six_page(lab, asks["InstanceId"], address(answers), port=8080, seconds=1) == name(answers), 10)
    lab.settle()
    assert not lab.pings(one["InstanceId"], address(two))
    lab.let_in(first.group, {"IpProtocol": "icmpv6", "FromPort": -1, "ToPort": -1, **six(first.block)})
    until(lambda: lab.pings(one["InstanceId"], address(two)), 10)


def test_the_world_comes_in_by_an_internet_gateway_where_a_group_has_it_for_ipv6(lab, places, further):
    first, second, (one, two, _, other) = places
    world = [("internet", address(one)), ("internet", address(two)), (other["InstanceId"], address(two))]
    lab.let_in(first.group, tcp(**six(ALL)))
    lab.let_in(second.group, tcp(**six(ALL)))
    lab.settle()
    # Without a gateway there is no way out, and none to another VPC.
    none_reach(lab, *world, (two["InstanceId"], address(other)))
    assert not lab.pings(one["InstanceId"], BEYOND)
    for place in (first, second):
        place.route(lab, "create", GatewayId=lab.gateway(place.id))
    for instance in (one, two, other):
        reaches(lab, "internet", instance)
        until(lambda: lab.pings(instance["InstanceId"], BEYOND), 10)
    # From one VPC to another by their gateways, as the world does it.
    reaches(lab, other, two)
    reaches(lab, one, other)
    asks = [("internet", two), (one["InstanceId"], two), (one["InstanceId"], other)]
    assert all(traced(lab, where, address(instance))["passes"] for where, instance in asks)
    lab.let_in(first.group, tcp(IpRanges=[{"CidrIp": "0.0.0.0/0"}]))
    lab.shut_out(first.group, tcp(**six(ALL)))
    none_reach(lab, *world)
    lab.let_in(first.group, tcp(**six(ALL)))
    reaches(lab, "internet", two)


def test_a_second_interface_answers_as_itself(lab, places, further):
    _, _, (one, two, *_) = places
    attachment, at = further
    lab.settle()
    for where in ("internet", one, two):
        reaches(lab, where, two, at=at)
    reaches(lab, "internet", two)
    lab.ec2.detach_network_interface(AttachmentId=attachment)
    lab.settle()
    none_reach(lab, ("internet", at))


def test_by_an_egress_only_gateway_nobody_comes_in(lab, places):
    first, _, (one, two, *_) = places
    gateway = lab.get("egress_only_internet_gateway", VpcId=first.id)["EgressOnlyInternetGatewayId"]
    first.route(lab, "replace", EgressOnlyInternetGatewayId=gateway)
    lab.settle()
    none_reach(lab, ("internet", address(one)), ("internet", address(two)))
    for instance in (one, two):
        until(lambda: lab.pings(instance["InstanceId"], BEYOND), 10)
    reaches(lab, one, two)
    assert traced(lab, one["InstanceId"], BEYOND)["passes"]
    assert "through an internet gateway" in traced(lab, "internet", address(one))["reason"]


def test_a_network_acl_denies_ipv6_and_leaves_ipv4(lab, places):
    first, _, (one, two, *_) = places
    acl = lab.one("network_acls", first.id)["NetworkAclId"]
    lab.ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=50, Egress=False, RuleAction="deny", Protocol="-1", Ipv6CidrBlock=first.blocks[0]
    )
    lab.settle()
    none_reach(lab, (one["InstanceId"], address(two)))
    assert page(lab, one["InstanceId"], two["PrivateIpAddress"]) == name(two)
    lab.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=50, Egress=False)
    reaches(lab, one, two)


def test_an_address_that_is_taken_back_is_the_next_ones(lab, places):
    _, _, (one, two, three, _) = places
    was = address(two)
    of = lambda instance: instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    lab.ec2.unassign_ipv6_addresses(NetworkInterfaceId=of(two), Ipv6Addresses=[was])
    lab.settle()
    none_reach(lab, (one["InstanceId"], was))
    lab.ec2.assign_ipv6_addresses(NetworkInterfaceId=of(three), Ipv6Addresses=[was])
    until(lambda: lab.addresses(two) == [], 10)
    until(lambda: sorted(lab.addresses(three)) == sorted([address(three), was]), 10)
    reaches(lab, one, three, at=was)
