"""Packets decide: who reaches whom, before and after each call."""

import pytest

from conftest import page, until


@pytest.fixture(scope="module")
def pair(ec2, launch):
    """Two neighbours on one host, `a` and `b`, each in a group of its own that lets nothing in."""
    groups = [ec2.create_security_group(GroupName=f"pair-{n}", Description="pair")["GroupId"] for n in "ab"]
    return [dict(launch([group]), group=group) for group in groups]


@pytest.fixture
def address(ec2):
    made = ec2.allocate_address(Domain="vpc")
    yield made
    for found in ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"]:
        if "AssociationId" in found:
            ec2.disassociate_address(AssociationId=found["AssociationId"])
    ec2.release_address(AllocationId=made["AllocationId"])


def tcp(port, **source):
    return [dict(IpProtocol="tcp", FromPort=port, ToPort=port, **source)]


def cidr(text):
    return {"IpRanges": [{"CidrIp": text}]}


class Opened:
    """A rule for the length of a `with` block."""

    def __init__(self, ec2, group, permissions, way="ingress"):
        self.call = dict(GroupId=group, IpPermissions=permissions)
        self.open = getattr(ec2, f"authorize_security_group_{way}")
        self.close = getattr(ec2, f"revoke_security_group_{way}")

    def __enter__(self):
        self.open(**self.call)

    def __exit__(self, *_):
        self.close(**self.call)


def test_neighbours_are_closed_then_open_then_closed(lab, ec2, pair):
    a, b = pair
    target = b["PrivateIpAddress"]
    assert page(lab, a["InstanceId"], target) is None
    with Opened(ec2, b["group"], tcp(80, **cidr("10.0.0.0/8"))):
        assert until(lambda: page(lab, a["InstanceId"], target))
        assert page(lab, a["InstanceId"], target, 8080) is None
    until(lambda: page(lab, a["InstanceId"], target, seconds=1) is None)


def test_a_source_group_lets_its_members_in_and_no_one_else(lab, ec2, pair, launch, group):
    a, b = pair
    stranger = launch([group("stranger")])
    with Opened(ec2, b["group"], tcp(80, UserIdGroupPairs=[{"GroupId": a["group"]}])):
        assert until(lambda: page(lab, a["InstanceId"], b["PrivateIpAddress"]))
        assert page(lab, stranger["InstanceId"], b["PrivateIpAddress"]) is None


def test_egress_is_enforced(lab, ec2, pair):
    a, b = pair
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    with Opened(ec2, b["group"], tcp(80, **cidr("0.0.0.0/0"))):
        assert until(lambda: page(lab, a["InstanceId"], b["PrivateIpAddress"]))
        ec2.revoke_security_group_egress(GroupId=a["group"], IpPermissions=everything)
        try:
            until(lambda: page(lab, a["InstanceId"], b["PrivateIpAddress"], seconds=1) is None)
        finally:
            ec2.authorize_security_group_egress(GroupId=a["group"], IpPermissions=everything)
        assert until(lambda: page(lab, a["InstanceId"], b["PrivateIpAddress"]))


@pytest.mark.parametrize("cidrs", [["0.0.0.0/0", "198.51.100.0/24"], ["198.51.100.0/24", "0.0.0.0/0"]])
def test_overlapping_rules_in_both_orders_and_each_revoked(lab, ec2, pair, address, cidrs):
    a, _ = pair
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=a["InstanceId"])
    public = address["PublicIp"]
    assert page(lab, "internet", public) is None
    first, second = [tcp(80, **cidr(text)) for text in cidrs]
    with Opened(ec2, a["group"], first):
        with Opened(ec2, a["group"], second):
            assert until(lambda: page(lab, "internet", public))
        assert page(lab, "internet", public)
    until(lambda: page(lab, "internet", public, seconds=1) is None)


def test_an_elastic_ip_goes_out_as_itself_and_hairpins(lab, ec2, pair, address):
    a, b = pair
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=b["InstanceId"])
    public = address["PublicIp"]
    with Opened(ec2, b["group"], tcp(80, **cidr("0.0.0.0/0"))):
        for client in ["internet", a["InstanceId"], b["InstanceId"]]:
            assert until(lambda: page(lab, client, public)), client
    until(lambda: page(lab, "internet", public, seconds=1) is None)


def test_a_neighbour_through_the_elastic_ip_is_judged_by_its_translated_source(lab, ec2, pair, address):
    """A group as source matches private addresses only, as in EC2: through the elastic address it does not."""
    a, b = pair
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=b["InstanceId"])
    with Opened(ec2, b["group"], tcp(80, UserIdGroupPairs=[{"GroupId": a["group"]}])):
        assert until(lambda: page(lab, a["InstanceId"], b["PrivateIpAddress"]))
        assert page(lab, a["InstanceId"], address["PublicIp"]) is None


def test_an_address_without_a_mapping_answers_nowhere(lab, ec2, pair, address):
    a, _ = pair
    association = ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=a["InstanceId"])["AssociationId"]
    with Opened(ec2, a["group"], tcp(80, **cidr("0.0.0.0/0"))):
        assert until(lambda: page(lab, "internet", address["PublicIp"]))
        ec2.disassociate_address(AssociationId=association)
        until(lambda: page(lab, "internet", address["PublicIp"], seconds=1) is None)
        assert address["PublicIp"] not in lab.exec("host1", "ip", "-4", "addr").stdout


def test_icmp_follows_its_rule(lab, ec2, pair):
    a, b = pair

    def ping():
        return lab.exec(a["InstanceId"], "ping", "-c", "1", "-W", "1", b["PrivateIpAddress"]).returncode == 0

    assert not ping()
    echo = [{"IpProtocol": "icmp", "FromPort": 8, "ToPort": 0, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    with Opened(ec2, b["group"], echo):
        until(ping)
    until(lambda: not ping())


def test_the_host_is_protected_from_its_instances(lab, pair):
    a, _ = pair
    for target in ["10.0.0.1", "203.0.113.11"]:
        for port in [22, 8773]:
            assert page(lab, a["InstanceId"], target, port, seconds=1) is None


def test_metadata_is_told_by_interface(lab, pair):
    for me in pair:
        reply = lab.exec(me["InstanceId"], "busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data/instance-id")
        assert reply.stdout.strip() == me["InstanceId"], reply


def test_names_resolve_forward_and_back(lab, pair):
    a, b = pair
    found = lab.exec(a["InstanceId"], "nslookup", b["PrivateDnsName"])
    assert b["PrivateIpAddress"] in found.stdout, found
    back = lab.exec(a["InstanceId"], "nslookup", b["PrivateIpAddress"])
    assert b["PrivateDnsName"] in back.stdout, back


RESOLVER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("198.51.100.10", 53))
print("ready", flush=True)
while True:
    asked, peer = s.recvfrom(4096)
    # One A record, its name a pointer to the question's.
    record = b"\\xc0\\x0c\\x00\\x01\\x00\\x01\\x00\\x00\\x00\\x3c\\x00\\x04" + bytes([192, 0, 2, 99])
    s.sendto(asked[:2] + b"\\x81\\x80\\x00\\x01\\x00\\x01\\x00\\x00\\x00\\x00" + asked[12:] + record, peer)
"""


def test_other_names_are_asked_for_upstream_and_ours_never(lab, pair):
    a, _ = pair
    with lab.background("internet", "python3", "-c", RESOLVER) as upstream:
        assert upstream.stdout.readline() == "ready\n"
        found = lab.exec(a["InstanceId"], "nslookup", "-type=a", "www.example.org")
        assert "192.0.2.99" in found.stdout, found
        ours = lab.exec(a["InstanceId"], "nslookup", "-type=a", "nobody.ec2.internal")
        assert "NXDOMAIN" in ours.stdout and "192.0.2.99" not in ours.stdout, ours
    gone = lab.exec(a["InstanceId"], "nslookup", "-type=a", "www.example.org")
    assert "192.0.2.99" not in gone.stdout, gone


def test_a_command_in_an_instance_has_no_more_power_than_the_instance(lab, pair):
    a, _ = pair
    first, own, count = lab.exec(a["InstanceId"], "cat", "/proc/self/uid_map").stdout.split()
    assert first == "0" and own != "0" and count != "4294967295"
    assert lab.exec(a["InstanceId"], "id", "-u").stdout.strip() == "0"
    assert lab.exec(a["InstanceId"], "ip", "link", "show", "eth0").returncode == 0
    assert lab.exec(a["InstanceId"], "sh", "-c", ": >> /proc/sys/kernel/core_pattern").returncode != 0
