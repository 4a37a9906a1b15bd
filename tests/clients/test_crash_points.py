"""Whole agents and servers that abort at a named place while rules, addresses and instances change: what the API says is
what runs, and the kernel is what an agent makes of it that knows nothing. (Each passage of each place by itself is
tried in tests/dataplane and tests/api.)"""

import os
import pathlib
import subprocess
import threading

import botocore.exceptions
import pytest

from conftest import USER_DATA, Lab, console, describe, page, until
from test_crash import kernel

pytestmark = pytest.mark.alone

HOSTS = ("host1", "host2")
# By turns on one host and the other, both at once.
PLACES = [
    ("state-written:2", "state-saved:2"),
    ("report-before:4", "report-said:4"),
    ("instance-spawned:1", "instance-went:1"),
    ("instance-ended:1", "instance-removed:1"),
    ("rules-before:4", "rules-written:4"),
    ("address-added:1", "address-removed:1"),
]
EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


class Load(threading.Thread):
    """Changes rules, moves an address from host to host, and starts and ends instances on both, until it is told to stop."""

    def __init__(self, lab, homes):
        super().__init__(daemon=True)
        self.lab, self.homes, self.going, self.port = lab, homes, True, 10000
        self.ec2 = lab.client()
        self.moving = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.young = {host: [] for host in HOSTS}
        self.problem = None

    def run(self):
        steps = [self.rule, self.move, lambda: self.instance("host1"), self.rule, self.move, lambda: self.instance("host2")]
        number = 0
        while self.going:
            try:
                steps[number % len(steps)]()
            except botocore.exceptions.BotoCoreError:
                # The server was away; whether it was done does not matter here.
                pass
            except Exception as problem:
                self.problem = problem
                return
            number += 1

    def rule(self):
        self.port += 1
        rule = dict(GroupId=self.lab.group, IpProtocol="tcp", FromPort=self.port, ToPort=self.port, CidrIp="192.0.2.0/24")
        self.ec2.authorize_security_group_ingress(**rule)
        self.ec2.revoke_security_group_ingress(**rule)

    def move(self):
        home = self.homes[HOSTS[self.port % 2]]
        self.ec2.associate_address(AllocationId=self.moving, InstanceId=home["InstanceId"], AllowReassociation=True)

    def instance(self, host):
        """One more, and one less."""
        self.young[host].append(self.lab.start(host))
        if len(self.young[host]) > 2:
            self.ec2.terminate_instances(InstanceIds=[self.young[host].pop(0)])


class Two(Lab):
    """A server and two hosts."""

    server = "server1"

    def __init__(self):
        super().__init__(f"crp{os.getpid()}", "--hosts", "2")
        self.ec2 = self.client()
        self.group = self.ec2.create_security_group(GroupName="open", Description="open")["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=EVERYTHING)

    def start(self, host):
        reply = self.ec2.run_instances(
            ImageId=self.image, MinCount=1, MaxCount=1, UserData=USER_DATA, SecurityGroupIds=[self.group],
            Placement={"Tenancy": "host", "HostId": host},
        )
        return reply["Instances"][0]["InstanceId"]

    def at(self, host):
        def run(*command):
            command = ["ip", "netns", "exec", f"fb-{self.name}-{host}", *command]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        return run

    def log(self, place, of):
        return pathlib.Path(f"/run/fogbank-lab/{self.name}/{place}/{of}.log").read_text()

    def restart(self, place, **environment):
        self.lab("stop", "--kill", place)
        self.lab("start", place, **environment)

    def settled(self):
        rows = self.operator("host", "list")
        return all(row["lag"] == 0 and not row["failures"] for row in rows)


@pytest.fixture(scope="module")
def two():
    lab = Two()
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def homes(two):
    """An instance on each host, with an elastic address that answers."""
    made = {host: two.start(host) for host in HOSTS}
    homes = {}
    for host, instance in made.items():
        until(lambda: "user-data done" in console(two.ec2, instance), 40)
        address = two.ec2.allocate_address(Domain="vpc")
        two.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
        until(lambda: page(two, "internet", address["PublicIp"]))
        homes[host] = dict(describe(two.ec2, instance), public=address["PublicIp"], allocation=address["AllocationId"])
    return homes


def assert_as_the_api_says(two, homes):
    """Instances run where they should, and nowhere else; both elastic addresses lead to their own again."""
    for home in homes.values():
        two.ec2.associate_address(
            AllocationId=home["allocation"], InstanceId=home["InstanceId"], AllowReassociation=True
        )

    def states():
        rows = two.ec2.describe_instances()["Reservations"]
        return {row["InstanceId"]: row["State"]["Name"] for rows in rows for row in rows["Instances"]}

    until(lambda: set(states().values()) <= {"running", "terminated"}, 40)
    until(two.settled, 30)
    running = {instance for instance, state in states().items() if state == "running"}
    folders = lambda: {
        path.name for host in HOSTS
        for path in pathlib.Path(f"/run/fogbank-lab/{two.name}/{host}/instances").glob("i-*")
    }
    until(lambda: folders() == running, 20)
    for home in homes.values():
        until(lambda: page(two, "internet", home["public"]))
    for host in HOSTS:
        here = two.at(host)
        adopted = kernel(here)
        here("nft", "flush", "ruleset")
        until(lambda: len(kernel(here)["rules"]) == len(adopted["rules"]))
        assert kernel(here) == adopted


def test_agents_that_abort_amid_changes_converge(two, homes):
    load = Load(two, homes)

    def aborted(host, place):
        assert load.problem is None, load.problem
        return f"crash: {place.split(':')[0]}" in two.log(host, "agent")

    load.start()
    try:
        for places in PLACES:
            for host, place in zip(HOSTS, places):
                two.restart(host, FOGBANK_CRASH=place)
            waited_for = dict(zip(HOSTS, places))

            # Each is back as soon as it can be: what one has to take the other may have to give first.
            def all_aborted():
                for host in [host for host, place in waited_for.items() if aborted(host, place)]:
                    two.restart(host)
                    del waited_for[host]
                return not waited_for

            until(all_aborted, 30)
            assert load.problem is None, load.problem
    finally:
        load.going = False
        load.join(30)
    for young in load.young.values():
        if young:
            two.ec2.terminate_instances(InstanceIds=young)
    two.ec2.disassociate_address(PublicIp=two.ec2.describe_addresses(AllocationIds=[load.moving])["Addresses"][0]["PublicIp"])
    assert_as_the_api_says(two, homes)


def test_a_server_that_aborts_while_it_keeps_reports_knows_them_again(two, homes):
    load = Load(two, homes)
    load.start()
    try:
        for place in ("reports-before-commit", "reports-committed"):
            two.restart("server1", FOGBANK_CRASH=f"{place}:8")
            until(lambda: f"crash: {place}" in two.log("server1", "server"), 20)
            two.restart("server1")
            assert load.problem is None, load.problem
    finally:
        load.going = False
        load.join(30)
    for young in load.young.values():
        if young:
            two.ec2.terminate_instances(InstanceIds=young)
    assert_as_the_api_says(two, homes)
    assert {row["name"] for row in two.operator("host", "list") if row["applied"]} == set(HOSTS)


def test_a_state_whose_saving_was_aborted_is_a_state_to_start_from(two, homes):
    """Without any server, on a host whose rules are gone as after its own restart."""
    seen = two.log("host1", "agent").count("crash: state-written")
    two.restart("host1", FOGBANK_CRASH="state-written:2")
    rule = dict(GroupId=two.group, IpProtocol="tcp", FromPort=9, ToPort=9, CidrIp="192.0.2.0/24")

    def aborted():
        two.ec2.authorize_security_group_ingress(**rule)
        two.ec2.revoke_security_group_ingress(**rule)
        return two.log("host1", "agent").count("crash: state-written") > seen

    until(aborted)
    two.lab("stop", "--kill", "server1")
    try:
        here = two.at("host1")
        here("nft", "flush", "ruleset")
        two.restart("host1")
        until(lambda: here("nft", "list", "ruleset").strip(), 15)
        until(lambda: page(two, "internet", homes["host1"]["public"]))
    finally:
        two.lab("start", "server1")
    assert_as_the_api_says(two, homes)
