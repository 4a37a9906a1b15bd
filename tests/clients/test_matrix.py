"""Who reaches whom, by which protocol and port, under each rule: every cell of the table is tried with packets.

What is expected is computed from EC2's semantics alone: the source that the target sees, and the rules.
"""

import concurrent.futures
import ipaddress
import json
import os
import socket
import struct
import threading

import pytest

from conftest import LAB, until
from test_dataplane import Opened, cidr
from test_spoof import INSTANCES, checksum, within

SERVICES = [("tcp", 80), ("tcp", 8080), ("udp", 5000), ("icmp", None)]
# An answer comes in a millisecond or two; nothing is sent again within this time.
SILENCE = 0.4
ROUTER_SIDE = "198.51.100.10"
HOST_PUBLIC = "203.0.113.11"


class Place:
    """A network namespace that connects from."""

    def __init__(self, namespace):
        self.namespace = namespace

    def socket(self, kind, protocol=0):
        return within(self.namespace, lambda: socket.socket(socket.AF_INET, kind, protocol))

    def reaches(self, address, service):
        protocol, port = service
        try:
            return getattr(self, protocol)(address, port)
        except OSError:
            return False

    def tcp(self, address, port):
        with self.socket(socket.SOCK_STREAM) as client:
            client.settimeout(SILENCE)
            client.connect((address, port))
            return True

    def udp(self, address, port):
        with self.socket(socket.SOCK_DGRAM) as client:
            client.settimeout(SILENCE)
            mark = os.urandom(8)
            client.sendto(mark, (address, port))
            return client.recv(100) == mark

    def icmp(self, address, _):
        with self.socket(socket.SOCK_RAW, socket.IPPROTO_ICMP) as client:
            client.settimeout(SILENCE)
            mark = os.urandom(8)
            # An id of its own: what was let in once is a flow, which lives on when its rule is gone.
            number = int.from_bytes(os.urandom(2), "big")
            head = struct.pack("!BBHHH", 8, 0, 0, number, 1)
            head = struct.pack("!BBHHH", 8, 0, checksum(head + mark), number, 1)
            client.sendto(head + mark, (address, 0))
            while True:
                packet = client.recv(200)
                # An echo reply, and not our own request on its way round.
                if packet[20] == 0 and mark in packet:
                    return True


def namespace(instance):
    pid = json.loads((INSTANCES / instance["InstanceId"] / "record.json").read_text())["pid"]
    return f"/proc/{pid}/ns/net"


def echo_udp(place):
    server = place.socket(socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 5000))

    def serve():
        while True:
            data, peer = server.recvfrom(100)
            try:
                server.sendto(data, peer)
            except OSError:
                pass  # the peer may not be answered by the rules of the moment

    threading.Thread(target=serve, daemon=True).start()


class Stage:
    """A target with an elastic address; a neighbour without one; a member of group M with one; a fellow in the target's group."""

    def __init__(self, ec2, launch):
        self.ec2 = ec2
        self.group, self.members = [
            ec2.create_security_group(GroupName=f"matrix-{name}", Description="matrix")["GroupId"] for name in ("target", "members")
        ]
        other = ec2.create_security_group(GroupName="matrix-other", Description="matrix")["GroupId"]
        target, neighbour, member = launch([self.group]), launch([other]), launch([self.members])
        fellow = launch([self.group])
        self.public, member_public = [self.elastic(instance) for instance in (target, member)]
        self.private = target["PrivateIpAddress"]
        self.places = {
            "internet": Place(f"/run/netns/fb-{LAB}-internet"),
            "host": Place(f"/run/netns/fb-{LAB}-host1"),
            "self": Place(namespace(target)),
            "neighbour": Place(namespace(neighbour)),
            "member": Place(namespace(member)),
            "fellow": Place(namespace(fellow)),
        }
        # The source that the target sees; a member's groups count only for its private address.
        self.seen = {
            # Private addresses are nowhere on the internet: no rule opens this row.
            ("internet", "private"): (None, None),
            ("internet", "elastic"): (ROUTER_SIDE, None),
            ("host", "private"): ("10.0.0.1", None),
            ("host", "elastic"): (HOST_PUBLIC, None),
            ("self", "elastic"): (self.public, None),
            ("neighbour", "private"): (neighbour["PrivateIpAddress"], other),
            ("neighbour", "elastic"): (HOST_PUBLIC, None),
            ("member", "private"): (member["PrivateIpAddress"], self.members),
            ("member", "elastic"): (member_public, None),
            ("fellow", "private"): (fellow["PrivateIpAddress"], self.group),
            ("fellow", "elastic"): (HOST_PUBLIC, None),
        }
        echo_udp(self.places["self"])

    def elastic(self, instance):
        address = self.ec2.allocate_address(Domain="vpc")
        self.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])
        return address["PublicIp"]

    def table(self):
        """Every cell, tried at once."""
        cells = [(who, way, service) for who, way in self.seen for service in SERVICES]
        address = {"private": self.private, "elastic": self.public}

        def attempt(cell):
            who, way, service = cell
            return self.places[who].reaches(address[way], service)

        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            return {cell for cell, open_ in zip(cells, pool.map(attempt, cells)) if open_}

    def expected(self, rules):
        return {
            (who, way, service)
            for (who, way), source in self.seen.items()
            for service in SERVICES
            if any(allows(rule, source, service) for rule in rules)
        }


def settles(stage, wanted):
    """Waits until exactly these cells are open, and says which are wrong if that does not happen."""
    seen = None

    def right():
        nonlocal seen
        seen = stage.table()
        return seen == wanted

    try:
        until(right, seconds=4)
    except AssertionError:
        raise AssertionError(f"open and should not be: {sorted(seen - wanted, key=str)}; closed and should not be: {sorted(wanted - seen, key=str)}") from None


def allows(rule, source, service):
    (protocol, port), (address, group) = service, source
    if address is None:
        return False
    if rule["IpProtocol"] not in ("-1", protocol):
        return False
    if rule["IpProtocol"] in ("tcp", "udp") and not rule["FromPort"] <= port <= rule["ToPort"]:
        return False
    blocks = [ipaddress.ip_network(block["CidrIp"]) for block in rule.get("IpRanges", [])]
    groups = [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
    return any(ipaddress.ip_address(address) in block for block in blocks) or group in groups


@pytest.fixture(scope="module")
def stage(lab, ec2, launch):
    return Stage(ec2, launch)


def rule(protocol, ports=None, **source):
    return dict(IpProtocol=protocol, **source) | (dict(FromPort=ports[0], ToPort=ports[1]) if ports else {})


def of_members(stage):
    return {"UserIdGroupPairs": [{"GroupId": stage.members}]}


RULES = {
    "a port from everywhere": lambda _: [rule("tcp", (80, 80), **cidr("0.0.0.0/0"))],
    "ports from the internet's network": lambda _: [rule("tcp", (80, 8080), **cidr("198.51.100.0/24"))],
    "everything from the private network": lambda _: [rule("-1", **cidr("10.0.0.0/20"))],
    "a port from a group": lambda stage: [rule("tcp", (8080, 8080), **of_members(stage))],
    "everything from its own group": lambda stage: [rule("-1", UserIdGroupPairs=[{"GroupId": stage.group}])],
    "everything from a group": lambda stage: [rule("-1", **of_members(stage))],
    "datagrams from translated sources": lambda _: [rule("udp", (4000, 6000), **cidr("203.0.113.0/24"))],
    "echo from everywhere": lambda _: [rule("icmp", (8, -1), **cidr("0.0.0.0/0"))],
    "one host, and a group, in one permission": lambda stage: [rule("tcp", (80, 80), **cidr("198.51.100.10/32"), **of_members(stage))],
    "rules that overlap": lambda _: [
        rule("tcp", (80, 80), **cidr("0.0.0.0/0")),
        rule("tcp", (1, 65535), **cidr("203.0.113.0/24")),
        rule("-1", **cidr("198.51.100.10/32")),
    ],
}


@pytest.mark.parametrize("name", RULES)
def test_exactly_what_the_rules_allow_passes_before_during_and_after(ec2, stage, name):
    permissions = RULES[name](stage)
    settles(stage, set())
    with Opened(ec2, stage.group, permissions):
        wanted = stage.expected(permissions)
        assert wanted
        settles(stage, wanted)
    settles(stage, set())


def test_each_of_overlapping_rules_can_be_revoked_by_itself(ec2, stage):
    rules = RULES["rules that overlap"](stage)
    for first, second, third in [rules, rules[::-1], rules[1:] + rules[:1]]:
        with Opened(ec2, stage.group, [first]):
            with Opened(ec2, stage.group, [second]):
                with Opened(ec2, stage.group, [third]):
                    settles(stage, stage.expected([first, second, third]))
                settles(stage, stage.expected([first, second]))
            settles(stage, stage.expected([first]))


def test_egress_is_judged_at_the_destination_that_the_instance_used(ec2, stage):
    """The member may go to the target's elastic address only: its private address is out of reach, and the other way round."""
    everything = [rule("-1", **cidr("0.0.0.0/0"))]
    ec2.authorize_security_group_ingress(GroupId=stage.group, IpPermissions=everything)
    ec2.revoke_security_group_egress(GroupId=stage.members, IpPermissions=everything)
    try:
        for way, address in [("elastic", stage.public), ("private", stage.private)]:
            with Opened(ec2, stage.members, [rule("-1", **cidr(f"{address}/32"))], way="egress"):
                reached = lambda: {cell[1] for cell in stage.table() if cell[0] == "member"}
                until(lambda: reached() == {way}, seconds=5)
    finally:
        ec2.authorize_security_group_egress(GroupId=stage.members, IpPermissions=everything)
        ec2.revoke_security_group_ingress(GroupId=stage.group, IpPermissions=everything)
