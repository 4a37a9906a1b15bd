"""Three hosts, both gateway modes: who reaches whom, by which way, and from which address."""

import itertools

import pytest

from conftest import page, until
from many import Many
from probe import watching

OUTSIDE = "198.51.100.10"


@pytest.fixture(scope="module")
def many():
    lab = Many("mat")
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def instances(many):
    """Two neighbours and one on each other host; all but the second have an elastic address."""
    made = many.launch("host1", "host1", "host2", "host3")
    for instance in made[:1] + made[2:]:
        instance["address"] = many.address()
        many.move(instance["address"], instance)
    return made


def name(instance):
    return instance["PrivateDnsName"].split(".")[0]


def public(instance):
    return instance["address"][1] if "address" in instance else None


def reaches(many, where, address, instance):
    until(lambda: page(many, where, address) == name(instance), 10)


@pytest.fixture(params=["distributed", "central"])
def mode(request, many, instances):
    words = ["--distributed"] if request.param == "distributed" else ["--host", "host1"]
    many.operator("network", "gateway", "flat", *words)
    many.settle()
    return request.param


def test_everybody_reaches_everybody(many, instances, mode):
    for one, other in itertools.permutations(instances, 2):
        reaches(many, one["InstanceId"], other["PrivateIpAddress"], other)
    # By elastic addresses, its own too, across hosts and on one.
    for one, other in itertools.product(instances, instances):
        if public(other):
            reaches(many, one["InstanceId"], public(other), other)
    for instance in instances:
        if public(instance):
            reaches(many, "internet", public(instance), instance)


def test_a_machine_on_the_flat_segment_is_reached_and_reaches(many, instances, mode):
    many.exec("flat", "ip", "addr", "add", "10.0.0.2/20", "dev", "flat-seg")
    for instance in instances:
        reaches(many, "flat", instance["PrivateIpAddress"], instance)
        pinged = many.exec(instance["InstanceId"], "timeout", "5", "ping", "-c", "1", "10.0.0.2")
        assert pinged.returncode == 0, pinged.stdout


def test_a_request_from_outside_enters_at_one_host(many, instances, mode):
    """nova-network's question: does it go by the controller, or straight to the instance's host?"""
    instance = instances[2]
    ends = [OUTSIDE, public(instance), instance["PrivateIpAddress"]]
    with (
        watching(many.namespace("host1"), "paths", *ends) as first,
        watching(many.namespace("host2"), "paths", *ends) as second,
        watching(many.namespace("host3"), "paths", *ends) as third,
    ):
        assert page(many, "internet", public(instance)) == name(instance)
    kind = lambda interface: "port" if interface.startswith("fbp") else interface
    ways = [{kind(interface) for interface, *_ in each.seen} for each in (first, second, third)]
    if mode == "distributed":
        assert ways == [set(), {"public0", "port"}, set()]
    else:
        assert ways == [{"public0", "flat0"}, {"flat0", "port"}, set()]


def test_what_goes_out_has_the_address_of_its_gateway(many, instances, mode):
    hosts = {0: "203.0.113.11", 1: "203.0.113.11", 2: "203.0.113.12", 3: "203.0.113.13"}
    for number, instance in enumerate(instances):
        host = "203.0.113.11" if mode == "central" else hosts[number]
        source = public(instance) or host
        with watching(many.namespace("internet"), "paths", OUTSIDE, source) as seen:
            pinged = many.exec(instance["InstanceId"], "timeout", "5", "ping", "-c", "1", OUTSIDE)
        assert pinged.returncode == 0 and seen.seen, (number, source, pinged.stdout)


def test_a_source_group_and_egress_hold_across_hosts(many, instances, mode):
    ec2 = many.ec2
    callers, served = (
        ec2.create_security_group(GroupName=f"{name}-{mode}", Description=name)["GroupId"] for name in ("callers", "served")
    )
    rule = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": callers}]}]
    ec2.authorize_security_group_ingress(GroupId=served, IpPermissions=rule)
    made = [many.start("host1", callers), many.start("host2", served)]
    caller, server = (many.started(instance) for instance in made)
    address = server["PrivateIpAddress"]
    reaches(many, caller["InstanceId"], address, server)
    for stranger in instances:
        assert page(many, stranger["InstanceId"], address, seconds=1) is None
    # What the caller's own group does not let out never reaches the other host.
    everything = ec2.describe_security_groups(GroupIds=[callers])["SecurityGroups"][0]["IpPermissionsEgress"]
    ec2.revoke_security_group_egress(GroupId=callers, IpPermissions=everything)
    with watching(many.namespace("host2"), "paths", caller["PrivateIpAddress"], address) as seen:
        assert page(many, caller["InstanceId"], address, seconds=1) is None
    assert not seen.seen
    ec2.authorize_security_group_egress(GroupId=callers, IpPermissions=everything)
    reaches(many, caller["InstanceId"], address, server)
    ec2.revoke_security_group_ingress(GroupId=served, IpPermissions=rule)
    until(lambda: page(many, caller["InstanceId"], address, seconds=1) is None)
    ec2.terminate_instances(InstanceIds=made)
