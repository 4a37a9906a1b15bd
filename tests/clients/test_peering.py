"""VPC peering with packets: two accounts' VPCs on two hosts, routes of one side and of both, a peer's group as a source, names,
no way on through a peer, and what is left when a connection is deleted."""

import concurrent.futures
import ipaddress
import os
import re

import pytest

from conftest import USER_DATA, console, describe, page, refused, until
from test_vpcs import EVERYTHING, Vpcs, ip, name, reaches


class Peers(Vpcs):
    def __init__(self):
        super(Vpcs, self).__init__(f"pcx{os.getpid()}", "--hosts", "2")
        self.ec2 = self.client()
        self.other = self.other_account()

    def place(self, ec2, block, *hosts):
        """A VPC with this block that lets everybody in, and the number of its main route table; instances on these hosts."""
        vpc = ec2.create_vpc(CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{block}.1.0/24")["Subnet"]["SubnetId"]
        of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
        group = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"][0]["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=EVERYTHING)
        table = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"][0]["RouteTableId"]
        made = [
            ec2.run_instances(
                ImageId=self.image, MinCount=1, MaxCount=1, UserData=USER_DATA, SubnetId=subnet,
                Placement={"Tenancy": "host", "HostId": host},
            )["Instances"][0]["InstanceId"]
            for host in hosts
        ]
        return Place(ec2, vpc, f"{block}.0.0/16", table, group, made)

    def join(self, one, two):
        """An active connection between two places."""
        owner = two.ec2.describe_vpcs(VpcIds=[two.vpc])["Vpcs"][0]["OwnerId"]
        made = one.ec2.create_vpc_peering_connection(VpcId=one.vpc, PeerVpcId=two.vpc, PeerOwnerId=owner)
        pcx = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        one.ec2.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[pcx])
        two.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx)
        for side in (one, two):
            (row,) = side.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[pcx])["VpcPeeringConnections"]
            assert row["Status"] == {"Code": "active", "Message": "Active"}
        return pcx

    def trace(self, instance, address):
        return self.operator("trace", "--from", instance["InstanceId"], "--to", f"{address}:80")


class Place:
    def __init__(self, ec2, vpc, block, table, group, instances):
        self.ec2, self.vpc, self.block, self.table, self.group, self.made = ec2, vpc, block, table, group, instances
        self.six = None

    def route(self, other, pcx):
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock=other.block, VpcPeeringConnectionId=pcx)

    def state(self, other):
        routes = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"][0]["Routes"]
        to = (other.block, other.six) if other.six else (other.block,)
        found = [(route.get("DestinationCidrBlock") or route["DestinationIpv6CidrBlock"], route["State"]) for route in routes]
        return [state for destination, state in found if destination in to]

    def give_six(self, lab):
        """A block of IPv6, and an address of it for each instance."""
        made = self.ec2.associate_vpc_cidr_block(VpcId=self.vpc, AmazonProvidedIpv6CidrBlock=True)
        self.six = made["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
        subnet = self.instances[0]["SubnetId"]
        own = str(next(ipaddress.ip_network(self.six).subnets(new_prefix=64)))
        self.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=own)
        self.addresses6 = []
        for instance in self.instances:
            eni = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
            made = self.ec2.assign_ipv6_addresses(NetworkInterfaceId=eni, Ipv6AddressCount=1)
            self.addresses6 += made["AssignedIpv6Addresses"]
        for instance, address in zip(self.instances, self.addresses6):
            shown = lambda: lab.exec(instance["InstanceId"], "ip", "-6", "addr", "show", "dev", "eth0").stdout
            until(lambda: address in shown(), 20)

    def route_six(self, other, pcx):
        self.ec2.create_route(RouteTableId=self.table, DestinationIpv6CidrBlock=other.six, VpcPeeringConnectionId=pcx)

    def running(self):
        for instance in self.made:
            until(lambda: "user-data done" in console(self.ec2, instance), 40)
        self.instances = [describe(self.ec2, instance) for instance in self.made]
        return self


@pytest.fixture(scope="module")
def peers():
    lab = Peers()
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def places(peers):
    """The first on one host, the second, another account's, on both, the third on the other one."""
    made = [
        peers.place(peers.ec2, "10.0", "host1"),
        peers.place(peers.other, "10.1", "host1", "host2"),
        peers.place(peers.ec2, "10.2", "host2"),
    ]
    return [place.running() for place in made]


@pytest.fixture(scope="module")
def joined(peers, places):
    first, second, _ = places
    return peers.join(first, second)


def cables(lab, pcx):
    """The ends of the connection's cable, by host."""
    end = f"fbx{pcx[-12:]}"
    found = {}
    for host in ("host1", "host2"):
        for line in lab.exec(host, "ip", "netns").stdout.splitlines():
            inside = lab.exec(host, "ip", "-n", line.split()[0], "-br", "link", "show", end)
            if "host" in line and host in line and inside.returncode == 0 and end in inside.stdout:
                found[host] = found.get(host, 0) + 1
    return found


def none_reach(lab, *pairs):
    """Nothing answers any of them, in two seconds each of which a page would take a moment of."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pages = pool.map(lambda pair: page(lab, pair[0]["InstanceId"], ip(pair[1])), pairs)
        assert list(pages) == [None] * len(pairs)


def test_peers_reach_each_other_when_both_have_routes(peers, places, joined):
    first, second, _ = places
    (a,), (b1, b2) = first.instances, second.instances
    none_reach(peers, (a, b1), (a, b2), (b2, a))
    first.route(second, joined)
    # It gets there, and no answer comes back.
    assert all(peers.trace(a, ip(instance))["passes"] for instance in (b1, b2))
    none_reach(peers, (a, b1), (a, b2))
    second.route(first, joined)
    assert first.state(second) == second.state(first) == ["active"]
    for asks, answers in ((a, b1), (a, b2), (b1, a), (b2, a)):
        reaches(peers, asks, answers)
        traced = peers.trace(asks, ip(answers))
        assert traced["passes"] and any(hop["leaves"] == f"fbx{joined[-12:]}" for hop in traced["hops"])
    assert cables(peers, joined) == {"host1": 2, "host2": 2}


@pytest.fixture
def private_nat(peers, places, joined):
    """A private NAT gateway in a subnet of the first place that has the route to the second, which the first's own leads to it."""
    first, second, _ = places
    ec2 = first.ec2
    subnet = ec2.create_subnet(VpcId=first.vpc, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=first.vpc)["RouteTable"]["RouteTableId"]
    associated = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=second.block, VpcPeeringConnectionId=joined)
    made = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private", PrivateIpAddress="10.0.9.9")["NatGateway"]
    nat = made["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1})
    ec2.replace_route(RouteTableId=first.table, DestinationCidrBlock=second.block, NatGatewayId=nat)
    second.ec2.revoke_security_group_ingress(GroupId=second.group, IpPermissions=EVERYTHING)
    own = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.9.9/32"}]}]
    second.ec2.authorize_security_group_ingress(GroupId=second.group, IpPermissions=own)
    peers.settle()
    yield nat
    second.ec2.revoke_security_group_ingress(GroupId=second.group, IpPermissions=own)
    second.ec2.authorize_security_group_ingress(GroupId=second.group, IpPermissions=EVERYTHING)
    ec2.replace_route(RouteTableId=first.table, DestinationCidrBlock=second.block, VpcPeeringConnectionId=joined)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.disassociate_route_table(AssociationId=associated)
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_subnet(SubnetId=subnet)
    peers.settle()


def test_what_goes_through_a_private_nat_gateway_is_its_private_address(peers, places, private_nat):
    (a,), (b1, b2) = places[0].instances, places[1].instances
    # On the sender's own host, and then on the other one.
    for drained in ((), ("host1",)):
        for host in drained:
            peers.operator("host", "drain", host)
        # Only the gateway is let in.
        reaches(peers, a, b1)
        reaches(peers, a, b2)
        # Nothing new comes in by it, and what was asked past it has no answer by it.
        assert page(peers, b2["InstanceId"], "10.0.9.9", seconds=1) is None
        none_reach(peers, (b1, a), (b2, a))
    peers.operator("host", "undrain", "host1")


def test_a_long_transfer_passes_between_peers(peers, places, joined):
    (a,), (_, b2) = places[0].instances, places[1].instances
    peers.exec(b2["InstanceId"], "sh", "-c", "head -c 3000000 /dev/zero > /srv/www/long")
    count = ["sh", "-c", f"timeout 10 busybox wget -q -O - http://{ip(b2)}/long | wc -c"]
    assert peers.exec(a["InstanceId"], *count).stdout.strip() == "3000000"
    # Guests that do not know send more than fits, and are told so by their own VPC's router.
    for instance in (a, b2):
        peers.exec(instance["InstanceId"], "ip", "link", "set", "eth0", "mtu", "1500")
    try:
        assert peers.exec(a["InstanceId"], *count).stdout.strip() == "3000000"
    finally:
        for instance in (a, b2):
            peers.exec(instance["InstanceId"], "ip", "link", "set", "eth0", "mtu", "1450")


def test_a_peers_group_is_a_source(peers, places, joined):
    first, second, _ = places
    (a,), (b1, b2) = first.instances, second.instances
    group = second.ec2.create_security_group(GroupName="closed", Description="closed", VpcId=second.vpc)["GroupId"]
    enis = [instance["NetworkInterfaces"][0]["NetworkInterfaceId"] for instance in (b1, b2)]
    for eni in enis:
        second.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[group])
    try:
        peers.settle()
        none_reach(peers, (a, b1), (a, b2))
        owner = first.ec2.describe_vpcs(VpcIds=[first.vpc])["Vpcs"][0]["OwnerId"]
        pair = {"GroupId": first.group, "UserId": owner, "VpcPeeringConnectionId": joined}
        second.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}]
        )
        for instance in (b1, b2):
            reaches(peers, a, instance)
            assert page(peers, a["InstanceId"], ip(instance), port=8080, seconds=1) is None
        (told,) = second.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        assert told["UserIdGroupPairs"] == [{**pair, "VpcId": first.vpc, "PeeringStatus": "active"}]
        # One that its owner deletes leaves the rule, which means nobody any more.
        gone = first.ec2.create_security_group(GroupName="gone", Description="gone", VpcId=first.vpc)["GroupId"]
        of_gone = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": gone, "UserId": owner}]}]
        second.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=of_gone)
        first.ec2.delete_security_group(GroupId=gone)
        (stale,) = second.ec2.describe_stale_security_groups(VpcId=second.vpc)["StaleSecurityGroupSet"]
        assert [pair["GroupId"] for pair in stale["StaleIpPermissions"][0]["UserIdGroupPairs"]] == [gone]
        second.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=of_gone)
        assert second.ec2.describe_stale_security_groups(VpcId=second.vpc)["StaleSecurityGroupSet"] == []
        references = first.ec2.describe_security_group_references(GroupId=[first.group])["SecurityGroupReferenceSet"]
        assert references == [
            {"GroupId": first.group, "ReferencingVpcId": second.vpc, "VpcPeeringConnectionId": joined}
        ]
    finally:
        for eni in enis:
            second.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[second.group])


def none_reach_six(lab, *pairs):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pages = pool.map(lambda pair: page(lab, pair[0]["InstanceId"], f"[{pair[1]}]", seconds=1), pairs)
        assert list(pages) == [None] * len(pairs)


def test_peers_reach_each_other_by_ipv6_as_their_routes_and_groups_say(peers, places, joined):
    first, second, _ = places
    (a,), (b1, b2) = first.instances, second.instances
    for place in (first, second):
        place.give_six(peers)
    (told,) = first.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[joined])["VpcPeeringConnections"]
    for side, place in (("RequesterVpcInfo", first), ("AccepterVpcInfo", second)):
        assert told[side]["Ipv6CidrBlockSet"] == [{"Ipv6CidrBlock": place.six}]
    # By the peer's group on the one side, by its block on the other; what IPv4 is let in for is nothing to IPv6.
    owner = first.ec2.describe_vpcs(VpcIds=[first.vpc])["Vpcs"][0]["OwnerId"]
    web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    by_block = [{**web, "Ipv6Ranges": [{"CidrIpv6": second.six}]}]
    first.ec2.authorize_security_group_ingress(GroupId=first.group, IpPermissions=by_block)
    first.route_six(second, joined)
    second.route_six(first, joined)
    (at_a,), (at_b1, at_b2) = first.addresses6, second.addresses6
    get = lambda where, at, port=80: page(peers, where["InstanceId"], f"[{at}]", port=port, seconds=1)
    for where in (b1, b2):
        until(lambda: get(where, at_a) == name(a), 10)
    none_reach_six(peers, (a, at_b1), (a, at_b2))
    by_group = [{**web, "UserIdGroupPairs": [{"GroupId": first.group, "UserId": owner}]}]
    second.ec2.authorize_security_group_ingress(GroupId=second.group, IpPermissions=by_group)
    for at, there in ((at_b1, b1), (at_b2, b2)):
        until(lambda: get(a, at) == name(there), 10)
        assert get(a, at, port=8080) is None
        traced = peers.operator("trace", "--from", a["InstanceId"], "--to", f"[{at}]:80")
        assert traced["passes"] and any(hop["leaves"] == f"fbx{joined[-12:]}" for hop in traced["hops"])
    # Without its route back no answer comes.
    second.ec2.delete_route(RouteTableId=second.table, DestinationIpv6CidrBlock=first.six)
    peers.settle()
    none_reach_six(peers, (a, at_b1), (a, at_b2))
    second.route_six(first, joined)
    for at, there in ((at_b1, b1), (at_b2, b2)):
        until(lambda: get(a, at) == name(there), 10)


def test_public_names_of_a_peer_stand_for_its_private_addresses_where_it_says_so(peers, places, joined):
    first, second, _ = places
    (a,), (_, b2) = first.instances, second.instances
    gateway = second.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    second.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=second.vpc)
    address = second.ec2.allocate_address(Domain="vpc")
    second.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=b2["InstanceId"])
    say = lambda: second.ec2.modify_vpc_peering_connection_options(
        VpcPeeringConnectionId=joined, AccepterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": True}
    )
    refused("InvalidVpcPeeringConnectionState.DnsHostnamesDisabled", say)
    for place in (first, second):
        place.ec2.modify_vpc_attribute(VpcId=place.vpc, EnableDnsHostnames={"Value": True})
    public = until(lambda: describe(second.ec2, b2["InstanceId"]).get("PublicDnsName"))
    resolved = lambda: re.findall(r"Address[^:]*: (\S+)", peers.exec(a["InstanceId"], "nslookup", public).stdout)[-1]
    until(lambda: resolved() == address["PublicIp"], 10)
    say()
    until(lambda: resolved() == ip(b2), 10)


def test_nothing_goes_on_through_a_peer(peers, places, joined):
    first, second, third = places
    (a,), (b1, b2), (c,) = first.instances, second.instances, third.instances
    pcx = peers.join(second, third)
    second.route(third, pcx)
    third.route(second, pcx)
    for instance in (b1, b2):
        reaches(peers, instance, c)
        reaches(peers, c, instance)
    # As if the second were a way to each other, and to the outside.
    first.route(third, joined)
    third.route(first, pcx)
    first.ec2.create_route(RouteTableId=first.table, DestinationCidrBlock="0.0.0.0/0", VpcPeeringConnectionId=joined)
    peers.settle()
    none_reach(peers, (a, c), (c, a))
    for one, other in ((a, c), (c, a)):
        traced = peers.trace(one, ip(other))
        assert not traced["passes"] and "not through it" in traced["reason"]
    # Nor are the second's gateway and resolver the first's to ask.
    asked = [("ping", "-c", "1", "198.51.100.10"), ("ping", "-c", "1", "10.1.1.1"), ("nslookup", "page.test", "10.1.0.2")]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        replies = pool.map(lambda words: peers.exec(a["InstanceId"], "timeout", "2", *words).returncode, asked)
        assert 0 not in replies
    first.ec2.delete_route(RouteTableId=first.table, DestinationCidrBlock="0.0.0.0/0")


def test_a_restarted_agent_leaves_cables_as_they_are(peers, places, joined):
    (a,), (b1, b2) = places[0].instances, places[1].instances
    peers.lab("stop", "host1")
    for instance in (b1, b2):
        reaches(peers, a, instance)
    peers.lab("start", "host1")
    peers.settle()
    assert cables(peers, joined) == {"host1": 2, "host2": 2}
    for instance in (b1, b2):
        reaches(peers, a, instance)


def test_a_deleted_connection_leads_nowhere(peers, places, joined):
    first, second, _ = places
    (a,), (b1, b2) = first.instances, second.instances
    refused("DependencyViolation", first.ec2.delete_vpc, VpcId=first.vpc)
    first.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=joined)
    first.ec2.get_waiter("vpc_peering_connection_deleted").wait(VpcPeeringConnectionIds=[joined], WaiterConfig={"Delay": 1})
    assert first.state(second) == second.state(first) == ["blackhole", "blackhole"]
    peers.settle()
    none_reach(peers, (a, b1), (a, b2), (b2, a))
    none_reach_six(peers, (a, second.addresses6[0]), (a, second.addresses6[1]), (b2, first.addresses6[0]))
    until(lambda: cables(peers, joined) == {}, 10)
    # The group for itself, and the one that everybody is in.
    sets = second.ec2.describe_stale_security_groups(VpcId=second.vpc)["StaleSecurityGroupSet"]
    pairs = [pair for stale in sets for rule in stale["StaleIpPermissions"] for pair in rule["UserIdGroupPairs"]]
    assert [(pair["GroupId"], pair["PeeringStatus"]) for pair in pairs] == [(first.group, "deleted")] * 2
