"""Two servers on one database, and what goes on when one of them, the database or an agent ends."""

import itertools

import botocore.exceptions
import pytest

from conftest import page, refused, until
from many import Many
from probe import watching

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def many():
    lab = Many("srv", hosts=2)
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def served(many):
    """An instance on the first host with an elastic address that answers."""
    (instance,) = many.launch("host1")
    address = many.address()
    many.move(address, instance)
    until(lambda: page(many, "internet", address[1]))
    return dict(instance, address=address)


def test_an_answer_of_one_server_is_known_to_the_other_at_once(many):
    turns = itertools.cycle([(many.at(0), many.at(1)), (many.at(1), many.at(0))])
    for _ in range(20):
        one, other = next(turns)
        made = one.allocate_address(Domain="vpc")["AllocationId"]
        assert other.describe_addresses(AllocationIds=[made])["Addresses"]
        other.release_address(AllocationId=made)
        refused("InvalidAllocationID.NotFound", one.describe_addresses, AllocationIds=[made])


def test_a_client_token_is_one_at_both(many, served):
    order = dict(ImageId=many.image, MinCount=1, MaxCount=1, ClientToken="once")
    replies = [many.at(server).run_instances(**order) for server in (0, 1, 0)]
    ids = {reply["Instances"][0]["InstanceId"] for reply in replies}
    assert len(ids) == 1
    many.ec2.terminate_instances(InstanceIds=list(ids))


def test_an_answer_says_which_hosts_have_applied_it(many, served):
    for server in (0, 1):
        said = many.at(server).authorize_security_group_ingress(
            GroupId=many.group, IpProtocol="tcp", FromPort=5000 + server, ToPort=5000 + server, CidrIp="192.0.2.0/24"
        )["ResponseMetadata"]["HTTPHeaders"]["x-fogbank-applied"]
        assert "applied=host1" in said and "pending" not in said, said


def test_hosts_are_spread_drained_and_named(many, served):
    def homes(count, **more):
        made = many.ec2.run_instances(ImageId=many.image, MinCount=count, MaxCount=count, **more)["Instances"]
        ids = [instance["InstanceId"] for instance in made]
        folders = {host: f"/run/fogbank-lab/{many.name}/{host}/instances" for host in ("host1", "host2")}

        def found():
            held = {host: many.exec(host, "ls", folder).stdout.split() for host, folder in folders.items()}
            homes = [host for instance in ids for host, here in held.items() if instance in here]
            return homes if len(homes) == count else None

        try:
            return until(found)
        finally:
            many.ec2.terminate_instances(InstanceIds=ids)

    assert set(homes(4)) == {"host1", "host2"}
    many.operator("host", "drain", "host2")
    try:
        assert homes(2) == ["host1", "host1"]
        refused("InsufficientInstanceCapacity", many.start, host="host2")
    finally:
        many.operator("host", "undrain", "host2")
    assert homes(1, Placement={"AvailabilityZone": "us-east-1a:host2"}) == ["host2"]


def writes(clients, many, seconds_of):
    """Allocates and releases by turns at whichever server answers, while `seconds_of` goes on; what was acknowledged."""
    held = set()
    for number in itertools.count():
        if seconds_of(number):
            return held
        for client in (clients[number % 2], clients[(number + 1) % 2]):
            try:
                if len(held) < 5:
                    held.add(client.allocate_address(Domain="vpc")["AllocationId"])
                else:
                    client.release_address(AllocationId=held.pop())
                break
            except botocore.exceptions.BotoCoreError:
                # Nobody listens there, or the answer was lost: what it did is not known, and it is tried again.
                continue


def test_one_of_two_servers_is_killed_amid_writes_and_traffic(many, served):
    clients = [many.at(0), many.at(1)]
    with watching(many.namespace("internet"), "ping", served["address"][1]) as ping:

        def act(number):
            if number == 20:
                many.lab("stop", "--kill", "server1")
            if number == 60:
                many.lab("start", "server1")
            return number == 90

        held = writes(clients, many, act)
        many.settle()
    assert ping.gap() < 0.3, ping.gap()
    for client in clients:
        known = {row["AllocationId"] for row in client.describe_addresses()["Addresses"]}
        assert held <= known
    # One more than was acknowledged where the answer to an allocation was lost.
    assert len(known - held - {served["address"][0]}) <= 1
    for left in known - {served["address"][0]}:
        many.ec2.release_address(AllocationId=left)


def test_the_database_ends_and_comes_back(many, served):
    with watching(many.namespace("internet"), "ping", served["address"][1]) as ping:
        many.lab("stop", "--kill", "database")
        message = until(lambda: refused("ServiceUnavailable", many.at(1).allocate_address, Domain="vpc"))
        assert "try again" in message
        refused("ServiceUnavailable", many.at(0).describe_addresses)
        many.lab("start", "database")
        many.settle()
    assert ping.gap() < 0.3, ping.gap()


def test_an_agent_is_killed_and_catches_up(many, served):
    with watching(many.namespace("internet"), "ping", served["address"][1]) as ping:
        many.lab("stop", "--kill", "host1")
        # Once it has not been heard of for a second, nobody waits for it.
        rule = dict(GroupId=many.group, IpProtocol="tcp", FromPort=81, ToPort=81, CidrIp="192.0.2.0/24")
        said = many.at(1).authorize_security_group_ingress(**rule)["ResponseMetadata"]["HTTPHeaders"]["x-fogbank-applied"]
        assert "pending=host1" in said, said
        many.lab("start", "host1")
        many.settle()
    assert ping.gap() < 0.3, ping.gap()
    assert page(many, "internet", served["address"][1])
