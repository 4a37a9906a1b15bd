"""VPCs with packets: two with the same addresses on the same two hosts, subnets with and without a way out, elastic
addresses, network ACLs, routes to an instance, DHCP and DNS, and what a restart of an agent leaves as it is."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

from conftest import USER_DATA, Lab, console, describe, page, refused, until
from probe import watching
from test_spoof import within

OUTSIDE = "198.51.100.10"
EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


class Vpcs(Lab):
    """Two hosts and one server."""

    server = "server1"

    def __init__(self):
        super().__init__(f"vpc{os.getpid()}", "--hosts", "2")
        self.ec2 = self.client()

    def vpc(self, *subnets):
        """A VPC 10.0.0.0/16 with these subnets; its default group lets everybody in."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = [self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"] for cidr in subnets]
        group = self.one("security_groups", vpc)["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=EVERYTHING)
        return vpc, *made

    def one(self, what, vpc):
        """The only one that a new VPC has of these."""
        reply = getattr(self.ec2, f"describe_{what}")(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        (only,) = reply["".join(word.capitalize() for word in what.split("_"))]
        return only

    def start(self, subnet, host, user_data=USER_DATA):
        reply = self.ec2.run_instances(
            ImageId=self.image, MinCount=1, MaxCount=1, UserData=user_data, SubnetId=subnet,
            Placement={"Tenancy": "host", "HostId": host},
        )
        return reply["Instances"][0]["InstanceId"]

    def launch(self, *wanted):
        """Instances that run: (subnet, host) each."""
        made = [self.start(*one) for one in wanted]
        for instance in made:
            until(lambda: "user-data done" in console(self.ec2, instance), 120)
        return [describe(self.ec2, instance) for instance in made]

    def gateway(self, vpc):
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return gateway

    def elastic(self, instance):
        address = self.ec2.allocate_address(Domain="vpc")
        self.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])
        return address

    def settle(self):
        until(lambda: all(row["lag"] == 0 and not row["failures"] for row in self.operator("host", "list")), 60)


@pytest.fixture(scope="module")
def vpcs():
    lab = Vpcs()
    try:
        yield lab
    finally:
        lab.down()


def name(instance):
    return instance["PrivateDnsName"].split(".")[0]


def ip(instance):
    return instance["PrivateIpAddress"]


def reaches(lab, one, other, address=None):
    until(lambda: page(lab, one["InstanceId"], address or ip(other)) == name(other), 10)


def never(lab, where, address):
    """Nothing answers there, in two seconds each of which a page would take a moment of."""
    assert page(lab, where, address) is None


@pytest.fixture(scope="module")
def twins(vpcs):
    """Two VPCs with the same block on the same two hosts; in each one instance a host, and a third beside the first."""
    found = []
    for _ in range(2):
        vpc, subnet = vpcs.vpc("10.0.1.0/24")
        found.append((vpc, vpcs.launch((subnet, "host1"), (subnet, "host1"), (subnet, "host2"))))
    return found


def test_two_vpcs_with_the_same_addresses_keep_apart(vpcs, twins):
    (_, first), (_, second) = twins
    assert [ip(one) for one in first] == [ip(one) for one in second]
    # Only the second's own serve this port: what answers there is not of the first.
    for instance in second:
        vpcs.exec(instance["InstanceId"], "sh", "-c", "busybox httpd -p 99 -h /srv/www")
    for mine in (first, second):
        for one in mine:
            for other in mine:
                if one is not other:
                    reaches(vpcs, one, other)
    for one, other in ((a, b) for a in first for b in first if a is not b):
        never_port = vpcs.exec(
            one["InstanceId"], "timeout", "2", "busybox", "wget", "-q", "-O", "-", f"http://{ip(other)}:99/"
        )
        assert never_port.returncode != 0, "an instance of the other VPC has answered"
    reply = vpcs.exec(second[0]["InstanceId"], "timeout", "2", "busybox", "wget", "-q", "-O", "-", f"http://{ip(second[2])}:99/")
    assert reply.stdout.strip() == name(second[2])


def test_groups_hold_in_a_vpc_across_hosts(vpcs, twins):
    vpc, (one, _, other) = twins[0]
    group = vpcs.ec2.create_security_group(GroupName="closed", Description="closed", VpcId=vpc)["GroupId"]
    eni = other["NetworkInterfaces"][0]["NetworkInterfaceId"]
    before = [group["GroupId"] for group in other["SecurityGroups"]]
    vpcs.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[group])
    try:
        until(lambda: page(vpcs, one["InstanceId"], ip(other), seconds=1) is None)
        only_default = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": before[0]}]}]
        vpcs.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=only_default)
        reaches(vpcs, one, other)
        assert vpcs.exec(one["InstanceId"], "timeout", "2", "busybox", "wget", "-q", "-O", "-", f"http://{ip(other)}:8080/").returncode != 0
    finally:
        vpcs.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=before)


def test_what_is_served_in_a_vpc_is_its_own(vpcs, twins):
    for _, (one, _, other) in twins:
        inside = lambda *command: vpcs.exec(one["InstanceId"], *command).stdout
        assert "nameserver 10.0.0.2" in inside("cat", "/etc/resolv.conf")
        assert inside("nslookup", other["PrivateDnsName"]).rstrip().endswith(f"Address: {ip(other)}")
        assert ip(one) == inside("busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data/local-ipv4")
        assert "page.test" in inside("nslookup", "page.test", "169.254.169.253")
        # 1,500 on the flat segment, less what VXLAN puts before.
        assert "mtu 1450" in inside("ip", "link", "show", "eth0")


def test_a_resolver_that_is_switched_off_answers_no_open_flow(vpcs, twins):
    vpc, (one, _, other) = twins[0]
    labels = b"".join(bytes([len(label)]) + label.encode() for label in other["PrivateDnsName"].split("."))
    # One question of type A, class IN (RFC 1035, 4.1).
    question = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + bytes([0, 0, 1, 0, 1])
    with contextlib.closing(flow_from(vpcs, one)) as flow:
        flow.settimeout(0.5)

        def answered():
            flow.sendto(question, ("10.0.0.2", 53))
            with contextlib.suppress(TimeoutError):
                return flow.recv(512)[:2] == question[:2]

        until(answered, 10)
        vpcs.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
        try:
            vpcs.settle()
            assert not answered()
        finally:
            vpcs.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
        until(answered, 10)


def test_a_long_transfer_passes_between_hosts(vpcs, twins):
    _, (one, _, other) = twins[0]
    vpcs.exec(other["InstanceId"], "sh", "-c", "head -c 3000000 /dev/zero > /srv/www/long")
    count = ["sh", "-c", f"timeout 10 busybox wget -q -O - http://{ip(other)}/long | wc -c"]
    assert vpcs.exec(one["InstanceId"], *count).stdout.strip() == "3000000"
    # Guests that do not know send more than fits, and are told so (RFC 1191).
    for instance in (one, other):
        vpcs.exec(instance["InstanceId"], "ip", "link", "set", "eth0", "mtu", "1500")
    try:
        assert vpcs.exec(one["InstanceId"], *count).stdout.strip() == "3000000"
        counters = vpcs.exec(other["InstanceId"], "grep", "^Icmp:", "/proc/net/snmp").stdout
        heads, values = [line.split() for line in counters.strip().splitlines()]
        assert int(dict(zip(heads, values))["InDestUnreachs"]) > 0, "nobody said that it was too long"
    finally:
        for instance in (one, other):
            vpcs.exec(instance["InstanceId"], "ip", "link", "set", "eth0", "mtu", "1450")


def renewed(lab, instance):
    """Has the guest's DHCP client ask again; what its resolver file says then, or said before."""
    lab.exec(instance["InstanceId"], "sh", "-c", "kill -USR1 $(pidof udhcpc)")
    return lab.exec(instance["InstanceId"], "cat", "/etc/resolv.conf").stdout


def test_guests_are_told_their_own_vpcs_dhcp_options(vpcs, twins):
    (vpc, (one, _, other)), (_, (foreign, _, _)) = twins
    options = vpcs.ec2.create_dhcp_options(DhcpConfigurations=[
        {"Key": "domain-name", "Values": ["shop.example"]},
        {"Key": "domain-name-servers", "Values": ["192.0.2.53", "AmazonProvidedDNS"]},
    ])["DhcpOptions"]["DhcpOptionsId"]
    vpcs.ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    try:
        for instance in (one, other):
            until(lambda: renewed(vpcs, instance) == "search shop.example\nnameserver 192.0.2.53\nnameserver 10.0.0.2\n", 10)
        assert "shop.example" not in renewed(vpcs, foreign)
    finally:
        vpcs.ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
        vpcs.ec2.delete_dhcp_options(DhcpOptionsId=options)
    for instance in (one, other):
        until(lambda: renewed(vpcs, instance) == "search ec2.internal\nnameserver 10.0.0.2\n", 10)


def test_a_vpc_without_dns_support_has_no_resolver(vpcs, twins):
    (vpc, (one, _, other)), (_, (foreign, _, _)) = twins
    names = lambda where, resolver: vpcs.exec(
        where["InstanceId"], "timeout", "1", "nslookup", where["PrivateDnsName"], resolver
    ).returncode == 0
    pairs = [(where, resolver) for where in (one, other) for resolver in ("10.0.0.2", "169.254.169.253")]
    assert all(names(*pair) for pair in pairs)
    vpcs.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    try:
        for pair in pairs:
            until(lambda: not names(*pair), 10)
        assert names(foreign, "10.0.0.2")
        until(lambda: "nameserver" not in renewed(vpcs, one), 10)
    finally:
        vpcs.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    for pair in pairs:
        until(lambda: names(*pair), 10)
    until(lambda: "nameserver 10.0.0.2" in renewed(vpcs, one), 10)


def test_what_fits_the_least_hosts_segment_is_what_guests_are_told(vpcs, twins):
    """The other host's own end of the flat segment is made shorter, and then as it was."""
    _, (one, _, other) = twins[0]
    vpcs.exec(other["InstanceId"], "sh", "-c", "head -c 3000000 /dev/zero > /srv/www/long")
    command = ["sh", "-c", f"timeout 5 busybox wget -q -O - http://{ip(other)}/long | wc -c"]
    passes = lambda: vpcs.exec(one["InstanceId"], *command).stdout.strip() == "3000000"
    told = lambda instance: vpcs.exec(instance["InstanceId"], "cat", "/sys/class/net/eth0/mtu").stdout.strip()
    try:
        assert vpcs.exec("host2", "ip", "link", "set", "flat0", "mtu", "1400").returncode == 0
        # By then the routers know, and tell guests that do not.
        until(passes, 30)
        for instance in (one, other):
            until(lambda: renewed(vpcs, instance) and told(instance) == "1350", 10)
        assert passes()
    finally:
        vpcs.exec("host2", "ip", "link", "set", "flat0", "mtu", "1500")
    for instance in (one, other):
        until(lambda: renewed(vpcs, instance) and told(instance) == "1450", 20)


@pytest.fixture(scope="module")
def open_vpc(vpcs):
    """A public subnet with an instance on each host, and a private one; an elastic address for each."""
    vpc, public, private = vpcs.vpc("10.0.1.0/24", "10.0.2.0/24")
    instances = vpcs.launch((public, "host1"), (public, "host2"), (private, "host1"))
    gateway = vpcs.gateway(vpc)
    table = vpcs.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    vpcs.ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    addresses = [vpcs.elastic(instance)["PublicIp"] for instance in instances]
    return vpc, gateway, table, instances, addresses


def test_there_is_no_way_out_but_by_gateway_route_and_address(vpcs, open_vpc):
    vpc, gateway, table, (one, other, private), (first, second, third) = open_vpc
    never(vpcs, "internet", first)
    vpcs.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for address, instance in ((first, one), (second, other)):
        until(lambda: page(vpcs, "internet", address) == name(instance), 10)
    # The private subnet has an address and no route.
    never(vpcs, "internet", third)
    # Each by the other's elastic address, and by its own.
    for asks, address, answers in ((one, second, other), (other, first, one), (one, first, one)):
        reaches(vpcs, asks, answers, address)
    # What it is outside is its elastic address.
    pinged = vpcs.exec(one["InstanceId"], "timeout", "5", "ping", "-c", "1", OUTSIDE)
    assert pinged.returncode == 0, pinged.stdout
    # Without the address there is no way either.
    association = vpcs.ec2.describe_addresses(PublicIps=[second])["Addresses"][0]["AssociationId"]
    vpcs.ec2.disassociate_address(AssociationId=association)
    until(lambda: vpcs.exec(other["InstanceId"], "timeout", "1", "ping", "-c", "1", OUTSIDE).returncode != 0)
    never(vpcs, "internet", second)
    vpcs.ec2.associate_address(PublicIp=second, InstanceId=other["InstanceId"])
    until(lambda: page(vpcs, "internet", second) == name(other), 10)


def test_a_public_address_comes_and_goes_with_its_instance(vpcs, open_vpc):
    """A subnet gives them: a page is served under one, and after a stop and a start under another."""
    _, _, _, (one, _, _), _ = open_vpc
    ec2, subnet = vpcs.ec2, one["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]
    (instance,) = vpcs.launch((subnet, "host2"))
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    id, first = instance["InstanceId"], instance["PublicIpAddress"]
    until(lambda: page(vpcs, "internet", first) == name(instance), 10)
    assert vpcs.exec(id, "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data/public-ipv4").stdout == first
    association = instance["NetworkInterfaces"][0]["Association"]
    assert (association["PublicIp"], association["IpOwnerId"]) == (first, "amazon")
    assert first not in [address["PublicIp"] for address in ec2.describe_addresses()["Addresses"]]
    ec2.stop_instances(InstanceIds=[id])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    assert "PublicIpAddress" not in describe(ec2, id)
    never(vpcs, "internet", first)
    ec2.start_instances(InstanceIds=[id])
    second = describe(ec2, id)["PublicIpAddress"]
    assert second != first
    # User-data runs at the first boot alone.
    until(lambda: vpcs.exec(id, "httpd", "-p", "80", "-h", "/srv/www").returncode == 0)
    until(lambda: page(vpcs, "internet", second) == name(instance), 10)
    ec2.terminate_instances(InstanceIds=[id])
    until(lambda: page(vpcs, "internet", second, seconds=1) is None)


def test_secondary_addresses_and_a_second_interface_carry_packets(vpcs, open_vpc):
    """From another host; an elastic address leads to a secondary one, which goes over to another interface."""
    _, _, _, (one, other, private), _ = open_vpc
    ec2, inside = vpcs.ec2, lambda instance, *command: vpcs.exec(instance["InstanceId"], "ip", *command)
    enis = [instance["NetworkInterfaces"][0]["NetworkInterfaceId"] for instance in (one, other)]
    given = ec2.assign_private_ip_addresses(NetworkInterfaceId=enis[0], SecondaryPrivateIpAddressCount=1)
    second = given["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    inside(one, "addr", "add", f"{second}/32", "dev", "eth0")
    for asks in (other, private):
        reaches(vpcs, asks, one, second)
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=enis[0], PrivateIpAddress=second)
    until(lambda: page(vpcs, "internet", address["PublicIp"]) == name(one), 10)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=enis[1], PrivateIpAddresses=[second], AllowReassignment=True)
    inside(other, "addr", "add", f"{second}/32", "dev", "eth0")
    reaches(vpcs, private, other, second)
    # Its elastic address goes with it.
    until(lambda: page(vpcs, "internet", address["PublicIp"], seconds=1) == name(other), 10)
    ec2.disassociate_address(PublicIp=address["PublicIp"])
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=enis[1], PrivateIpAddresses=[second])
    until(lambda: page(vpcs, private["InstanceId"], second, seconds=1) is None)
    ec2.release_address(AllocationId=address["AllocationId"])

    made = ec2.create_network_interface(SubnetId=private["SubnetId"])["NetworkInterface"]
    eni, further = made["NetworkInterfaceId"], made["PrivateIpAddress"]
    attached = ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=other["InstanceId"], DeviceIndex=1)
    for asks in (private, one):
        until(lambda: page(vpcs, asks["InstanceId"], further) == name(other), 20)
    ec2.detach_network_interface(AttachmentId=attached["AttachmentId"])
    until(lambda: page(vpcs, private["InstanceId"], further, seconds=1) is None)
    reaches(vpcs, private, other)
    until(lambda: ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]["Status"] == "available")
    ec2.delete_network_interface(NetworkInterfaceId=eni)


def test_elastic_addresses_lead_from_flat_networks_into_vpcs_and_back(vpcs, open_vpc):
    _, _, _, (one, other, _), (first, second, _) = open_vpc
    group = vpcs.ec2.create_security_group(GroupName="flat", Description="flat")["GroupId"]
    vpcs.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=EVERYTHING)
    reply = vpcs.ec2.run_instances(
        ImageId=vpcs.image, MinCount=1, MaxCount=1, UserData=USER_DATA, SecurityGroupIds=[group],
        Placement={"Tenancy": "host", "HostId": "host1"},
    )
    flat = reply["Instances"][0]["InstanceId"]
    until(lambda: "user-data done" in console(vpcs.ec2, flat), 40)
    flat = describe(vpcs.ec2, flat)
    address = vpcs.elastic(flat)["PublicIp"]
    for instance, public in ((one, first), (other, second)):
        reaches(vpcs, flat, instance, public)
        reaches(vpcs, instance, flat, address)
        # And by nothing else.
        never(vpcs, instance["InstanceId"], ip(flat))


def test_a_network_acl_judges_each_way_by_itself(vpcs, open_vpc):
    vpc, _, _, (one, other, private), (first, _, _) = open_vpc
    acl = vpcs.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    default = vpcs.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default", "Values": ["true"]}])
    own = [a for a in default["NetworkAcls"][0]["Associations"] if a["SubnetId"] == one["SubnetId"]][0]

    def entry(number, egress, action="allow", protocol="6", ports=(0, 65535), cidr="0.0.0.0/0"):
        vpcs.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Egress=egress, RuleAction=action, Protocol=protocol, CidrBlock=cidr,
            PortRange={"From": ports[0], "To": ports[1]},
        )

    reaches(vpcs, private, one)
    association = vpcs.ec2.replace_network_acl_association(AssociationId=own["NetworkAclAssociationId"], NetworkAclId=acl)
    try:
        # A new one lets nothing pass, but within the subnet.
        until(lambda: page(vpcs, private["InstanceId"], ip(one), seconds=1) is None)
        reaches(vpcs, other, one)
        assert "10.0.0.2" in vpcs.exec(one["InstanceId"], "nslookup", one["PrivateDnsName"]).stdout
        entry(100, False, ports=(80, 80))
        # The answers are not let out: it knows no flows.
        never(vpcs, private["InstanceId"], ip(one))
        entry(100, True, ports=(1024, 65535))
        reaches(vpcs, private, one)
        until(lambda: page(vpcs, "internet", first) == name(one), 10)
        # A lower number is asked first.
        entry(50, False, "deny", ports=(80, 80), cidr=f"{OUTSIDE}/32")
        until(lambda: page(vpcs, "internet", first, seconds=1) is None)
        reaches(vpcs, private, one)
    finally:
        vpcs.ec2.replace_network_acl_association(
            AssociationId=association["NewAssociationId"], NetworkAclId=default["NetworkAcls"][0]["NetworkAclId"]
        )
    until(lambda: page(vpcs, "internet", first) == name(one), 10)


def test_a_route_leads_to_an_instance_that_forwards(vpcs, open_vpc):
    """Between hosts, too: the instance that forwards is on another than the one that sends."""
    vpc, _, _, (one, other, private), _ = open_vpc
    tables = vpcs.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    )
    table = tables["RouteTables"][0]["RouteTableId"]
    eni = other["NetworkInterfaces"][0]["NetworkInterfaceId"]
    vpcs.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    # It takes this address for its own, which nobody in the VPC has.
    vpcs.exec(other["InstanceId"], "ip", "addr", "add", "192.168.77.1/32", "dev", "lo")
    never(vpcs, private["InstanceId"], "192.168.77.1")
    vpcs.ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.168.77.0/24", NetworkInterfaceId=eni)
    until(lambda: page(vpcs, private["InstanceId"], "192.168.77.1") == name(other), 10)
    # Other subnets' tables have no such route.
    never(vpcs, one["InstanceId"], "192.168.77.1")
    # With the check on it may not answer under another address than its own.
    vpcs.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": True})
    until(lambda: page(vpcs, private["InstanceId"], "192.168.77.1", seconds=1) is None)
    vpcs.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="192.168.77.0/24")


def test_rules_and_routes_mean_what_is_in_a_prefix_list_now(vpcs, open_vpc):
    """Another entry opens the group, and then the route, of an instance on another host than the API's."""
    vpc, gateway, table, (one, other, _), (first, second, _) = open_vpc
    ec2, id = vpcs.ec2, other["InstanceId"]
    clients, here = "198.51.100.0/24", [group["GroupId"] for group in other["SecurityGroups"]]
    pl = ec2.create_managed_prefix_list(
        PrefixListName="clients", AddressFamily="IPv4", MaxEntries=3, Entries=[{"Cidr": "192.0.2.0/24"}]
    )["PrefixList"]["PrefixListId"]

    def change(**entries):
        version = ec2.describe_managed_prefix_lists(PrefixListIds=[pl])["PrefixLists"][0]["Version"]
        ec2.modify_managed_prefix_list(PrefixListId=pl, CurrentVersion=version, **entries)

    def served(address, yes):
        until(lambda: (page(vpcs, "internet", address, seconds=1) is not None) == yes, 10)

    served(second, True)
    group = ec2.create_security_group(GroupName="listed", Description="listed", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": pl}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    ec2.modify_instance_attribute(InstanceId=id, Groups=[group])
    served(second, False)
    change(AddEntries=[{"Cidr": clients, "Description": "the internet"}])
    served(second, True)
    change(RemoveEntries=[{"Cidr": clients}])
    served(second, False)
    refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=pl)
    ec2.modify_instance_attribute(InstanceId=id, Groups=here)
    served(second, True)
    # The answer's way out, by a route to the list alone.
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=pl, GatewayId=gateway)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    served(second, False)
    change(AddEntries=[{"Cidr": clients}])
    served(first, True)
    served(second, True)
    resources = ec2.get_managed_prefix_list_associations(PrefixListId=pl)["PrefixListAssociations"]
    assert {resource["ResourceId"] for resource in resources} == {group, table}
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.delete_route(RouteTableId=table, DestinationPrefixListId=pl)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_managed_prefix_list(PrefixListId=pl)
    refused("InvalidPrefixListID.NotFound", ec2.describe_managed_prefix_lists, PrefixListIds=[pl])


def test_a_restarted_agent_leaves_routers_as_they_are(vpcs, open_vpc):
    _, _, _, (one, other, _), (first, _, _) = open_vpc
    names = lambda: sorted(line.split()[0] for line in subprocess.check_output(["ip", "netns"], text=True).splitlines() if vpcs.name in line)
    before = names()
    vpcs.lab("stop", "host1")
    reaches(vpcs, one, other)
    assert page(vpcs, "internet", first) == name(one)
    vpcs.lab("start", "host1")
    vpcs.settle()
    assert names() == before
    reaches(vpcs, one, other)
    reaches(vpcs, other, one)
    until(lambda: page(vpcs, "internet", first) == name(one), 10)


def test_a_router_goes_with_its_vpcs_last_instance(vpcs):
    vpc, subnet = vpcs.vpc("10.0.9.0/24")
    one, other = vpcs.launch((subnet, "host1"), (subnet, "host2"))
    routers = lambda: [line.split()[0] for line in subprocess.check_output(["ip", "netns"], text=True).splitlines() if vpc in line]
    assert len(routers()) == 2
    vpcs.ec2.terminate_instances(InstanceIds=[other["InstanceId"]])
    until(lambda: [name for name in routers() if "host2" in name] == [])
    vpcs.ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    until(lambda: routers() == [])
    until(lambda: describe(vpcs.ec2, one["InstanceId"])["State"]["Name"] == "terminated")
    refused("DependencyViolation", vpcs.ec2.delete_vpc, VpcId=vpc)
    vpcs.ec2.delete_subnet(SubnetId=subnet)
    vpcs.ec2.delete_vpc(VpcId=vpc)
    refused("InvalidVpcID.NotFound", vpcs.ec2.describe_vpcs, VpcIds=[vpc])


@pytest.fixture(scope="module")
def behind(vpcs):
    """A NAT gateway in a public subnet, and instances of a private one on both hosts."""
    vpc, public, private = vpcs.vpc("10.0.1.0/24", "10.0.2.0/24")
    ec2, gateway = vpcs.ec2, vpcs.gateway(vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address["AllocationId"])["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1})
    main = ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"][0]["RouteTableId"]
    instances = vpcs.launch((private, "host1"), (private, "host2"))
    return vpc, nat, address["PublicIp"], main, public, instances


def goes_out_as(lab, instance, address):
    with watching(f"fb-{lab.name}-internet", "paths", OUTSIDE, address) as seen:
        pinged = lab.exec(instance["InstanceId"], "timeout", "3", "ping", "-c", "1", OUTSIDE)
    return pinged.returncode == 0 and bool(seen.seen)


def test_what_goes_through_a_nat_gateway_is_its_address(vpcs, behind):
    vpc, nat, address, main, public, instances = behind
    assert not any(goes_out_as(vpcs, instance, address) for instance in instances)
    vpcs.ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    # On the gateway's own host and on the other.
    for instance in instances:
        until(lambda: goes_out_as(vpcs, instance, address), 10)
    # Nothing comes in by it.
    never(vpcs, "internet", address)
    # An address of one's own does not count where the route leads to the gateway.
    own = vpcs.elastic(instances[0])["PublicIp"]
    until(lambda: goes_out_as(vpcs, instances[0], address), 10)
    assert not goes_out_as(vpcs, instances[0], own)


def test_connections_through_a_nat_gateway_outlive_changes_of_rules(vpcs, behind):
    _, _, address, _, _, instances = behind
    for instance in instances:
        with vpcs.background(instance["InstanceId"], "ping", "-i", "0.1", OUTSIDE) as pinging:
            answers = lambda: pinging.stdout.readline()
            until(lambda: "seq=" in answers())
            for number in range(3):
                group = vpcs.ec2.create_security_group(GroupName=f"g{number}-{instance['InstanceId']}", Description="x", VpcId=instance["VpcId"])
                vpcs.ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=EVERYTHING)
            vpcs.settle()
            first = int(until(lambda: re.search(r"seq=(\d+)", answers())).group(1))
            last = int(until(lambda: re.search(r"seq=(\d+)", answers())).group(1))
            assert last == first + 1, "answers are missing"


def test_an_open_flow_takes_the_way_that_its_route_leads_now(vpcs, behind):
    """One flow of each instance: through the NAT gateway, then by the internet gateway as itself or not at all, and back."""
    vpc, nat, address, main, _, instances = behind
    ec2, everywhere = vpcs.ec2, {"RouteTableId": main, "DestinationCidrBlock": "0.0.0.0/0"}
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    gateway = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"][0]["InternetGatewayId"]
    flows = [flow_from(vpcs, instance) for instance in instances]
    with contextlib.closing(outside(vpcs)) as server:
        seen_as = lambda: [spoken_as(flow, server) for flow in flows]
        until(lambda: seen_as() == [address, address], 10)
        own = [describe(ec2, instance["InstanceId"]).get("PublicIpAddress") for instance in instances]
        assert own[0] and not own[1]
        ec2.replace_route(**everywhere, GatewayId=gateway)
        vpcs.settle()
        assert seen_as() == own
        ec2.replace_route(**everywhere, NatGatewayId=nat)
        vpcs.settle()
        assert seen_as() == [address, address]
    for flow in flows:
        flow.close()


def flow_from(lab, instance):
    """A socket of the instance's; what it sends is one flow."""
    records = pathlib.Path(f"/run/fogbank-lab/{lab.name}").glob(f"*/instances/{instance['InstanceId']}/record.json")
    (record,) = records
    namespace = f"/proc/{json.loads(record.read_text())['pid']}/ns/net"
    return within(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def outside(lab):
    """Hears what comes to `internet`."""
    def bound():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((OUTSIDE, 5555))
        server.settimeout(0.5)
        return server

    return within(f"/run/netns/fb-{lab.name}-internet", bound)


def spoken_as(flow, server):
    """The address under which what is said now comes to the server; `None` where it does not."""
    said = os.urandom(8)
    flow.sendto(said, (OUTSIDE, 5555))
    try:
        while True:
            heard, (address, _) = server.recvfrom(64)
            if heard == said:
                return address
    except TimeoutError:
        return None


def test_the_acl_of_a_nat_gateways_subnet_judges_what_goes_through_it(vpcs, behind):
    vpc, _, address, _, public, instances = behind
    acl = vpcs.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    found = vpcs.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [public]}])["NetworkAcls"][0]
    own = [a for a in found["Associations"] if a["SubnetId"] == public][0]["NetworkAclAssociationId"]
    changed = vpcs.ec2.replace_network_acl_association(AssociationId=own, NetworkAclId=acl)["NewAssociationId"]
    try:
        for instance in instances:
            until(lambda: not goes_out_as(vpcs, instance, address))
        for egress in (False, True):
            vpcs.ec2.create_network_acl_entry(
                NetworkAclId=acl, RuleNumber=100, Egress=egress, RuleAction="allow", Protocol="1", CidrBlock="0.0.0.0/0",
                IcmpTypeCode={"Type": -1, "Code": -1},
            )
        for instance in instances:
            until(lambda: goes_out_as(vpcs, instance, address), 10)
        # The answers enter the subnet, too.
        vpcs.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=50, Egress=False, RuleAction="deny", Protocol="-1", CidrBlock=f"{OUTSIDE}/32"
        )
        for instance in instances:
            until(lambda: not goes_out_as(vpcs, instance, address))
    finally:
        vpcs.ec2.replace_network_acl_association(AssociationId=changed, NetworkAclId=found["NetworkAclId"])


def test_a_nat_gateway_of_a_drained_host_is_placed_again(vpcs, behind):
    _, nat, address, _, _, instances = behind
    at_work = [host for host in ("host1", "host2") if address in vpcs.exec(host, "ip", "-4", "addr").stdout]
    assert len(at_work) == 1
    other = "host2" if at_work == ["host1"] else "host1"
    vpcs.operator("host", "drain", at_work[0])
    until(lambda: address in vpcs.exec(other, "ip", "-4", "addr").stdout, 10)
    for instance in instances:
        until(lambda: goes_out_as(vpcs, instance, address), 10)
    vpcs.operator("host", "undrain", at_work[0])


def test_a_deleted_nat_gateway_leads_nowhere(vpcs, behind):
    vpc, nat, address, main, _, instances = behind
    vpcs.ec2.delete_nat_gateway(NatGatewayId=nat)
    vpcs.ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1})
    for instance in instances:
        until(lambda: vpcs.exec(instance["InstanceId"], "timeout", "1", "ping", "-c", "1", OUTSIDE).returncode != 0)
    routes = vpcs.ec2.describe_route_tables(RouteTableIds=[main])["RouteTables"][0]["Routes"]
    assert [route["State"] for route in routes if route.get("NatGatewayId") == nat] == ["blackhole"]
