"""What was acknowledged stays, and the kernel comes back to it, whoever is killed or meddles."""

import json
import pathlib
import re
import subprocess
import threading
import time

import botocore.exceptions
import pytest

from conftest import FOGBANK, LAB, USER_DATA, console, describe, page, until
from test_dataplane import Opened, cidr, tcp

pytestmark = pytest.mark.alone

HOST = f"fb-{LAB}-host1"
INSTANCES = pathlib.Path(f"/run/fogbank-lab/{LAB}/host1/instances")


def host(*command):
    return subprocess.run(["ip", "netns", "exec", HOST, *command], check=True, capture_output=True, text=True).stdout


def restart():
    subprocess.run([FOGBANK, "lab", "restart", "--name", LAB, "--kill"], check=True, timeout=60)


def kernel(host=host):
    """Everything that the agent writes, without what counts or ages."""
    rules = json.loads(host("nft", "-j", "list", "ruleset"))["nftables"]
    text = sorted(json.dumps(strip(entry), sort_keys=True) for entry in rules if "metainfo" not in entry)
    ports = sorted(line.split()[0] for line in host("ip", "-br", "link").splitlines() if line.startswith("fb"))
    return {
        "rules": text,
        "addresses": sorted(re.findall(r"inet (\S+)", host("ip", "-4", "addr"))),
        "routes": sorted(host("ip", "route", "show", "proto", "142").splitlines()),
        "proxies": sorted(host("ip", "neigh", "show", "proxy").splitlines()),
        "neighbours": sorted(host("ip", "neigh", "show", "nud", "permanent").splitlines()),
        "ports": ports,
    }


def strip(value):
    """Handles are numbers that the kernel counts up; a set's elements come in any order."""
    if isinstance(value, dict):
        return {key: strip(inner) for key, inner in value.items() if key not in ("handle", "packets", "bytes")}
    if isinstance(value, list):
        return sorted((strip(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value


@pytest.fixture(scope="module")
def served(lab, ec2, launch):
    """An instance with an elastic address, and tcp/80 open."""
    group = ec2.create_security_group(GroupName="crash", Description="crash")["GroupId"]
    instance = launch([group])
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=tcp(80, **cidr("0.0.0.0/0")))
    until(lambda: page(lab, "internet", address["PublicIp"]))
    return dict(instance, group=group, public=address["PublicIp"])


def init_pid(instance):
    return json.loads((INSTANCES / instance / "record.json").read_text())["pid"]


class Changes(threading.Thread):
    """Authorizes and revokes rules, and maps an address and takes it away, as fast as it can; remembers what was acknowledged."""

    def __init__(self, client, group, instance):
        super().__init__(daemon=True)
        self.client, self.group, self.instance = client, group, instance
        self.open, self.unknown, self.calls, self.going = set(), set(), 0, True
        self.address = client.allocate_address(Domain="vpc")
        # What the last call about the address left: an association, "" for none, None for unknown.
        self.association, self.moves = "", 0

    def run(self):
        port = 10000
        while self.going:
            port += 1
            self.change(port, self.client.authorize_security_group_ingress, self.open.add)
            if port % 3 == 0:
                self.change(port, self.client.revoke_security_group_ingress, self.open.discard)
            if port % 5 == 0:
                self.move()

    def move(self):
        try:
            if self.association:
                self.client.disassociate_address(AssociationId=self.association)
                self.association = ""
            else:
                reply = self.client.associate_address(AllocationId=self.address["AllocationId"], InstanceId=self.instance)
                self.association = reply["AssociationId"]
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            # The next call associates: that is no error when it is the same mapping already.
            self.association = None
        else:
            self.moves += 1

    def mapping(self):
        return self.client.describe_addresses(AllocationIds=[self.address["AllocationId"]])["Addresses"][0].get("AssociationId", "")

    def change(self, port, call, acknowledge):
        rule = tcp(port, **cidr("192.0.2.0/24"))
        try:
            call(GroupId=self.group, IpPermissions=rule)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            # The server was killed with this call under way: either is right.
            self.unknown.add(port)
            time.sleep(0.01)
        else:
            acknowledge(port)
            self.calls += 1


def ports(ec2, group):
    permissions = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    return {permission["FromPort"] for permission in permissions if permission["FromPort"] >= 10000}


def test_killed_in_the_middle_of_changes_everything_acknowledged_is_there(lab, ec2, served, group, launch):
    spare = group("loop")
    changes = Changes(lab.client(), spare, launch([spare])["InstanceId"])
    before = init_pid(served["InstanceId"])
    changes.start()
    for kills in range(1, 4):
        done = changes.calls
        until(lambda: changes.calls >= done + 25)
        restart()
    changes.going = False
    changes.join(30)
    there = ports(ec2, spare)
    assert changes.open - changes.unknown <= there
    assert there <= changes.open | changes.unknown
    assert changes.moves > 5
    if changes.association is not None:
        assert changes.mapping() == changes.association
    until(lambda: (f"{changes.address['PublicIp']}/32" in kernel()["addresses"]) == bool(changes.mapping()))
    assert init_pid(served["InstanceId"]) == before, "the instance was started again"
    assert page(lab, "internet", served["public"])


def test_the_kernel_is_what_a_fresh_agent_makes_of_it(lab, ec2, served):
    for n in range(5):
        rule = tcp(20000 + n, **cidr("192.0.2.0/24"))
        ec2.authorize_security_group_ingress(GroupId=served["group"], IpPermissions=rule)
        if n % 2:
            ec2.revoke_security_group_ingress(GroupId=served["group"], IpPermissions=rule)
        restart()
    until(lambda: "20004" in "".join(kernel()["rules"]))
    adopted = kernel()
    host("nft", "flush", "ruleset")
    until(lambda: len(kernel()["rules"]) == len(adopted["rules"]))
    assert kernel() == adopted


def test_a_restart_loses_no_packet(lab, ec2, served):
    echo = [{"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    with Opened(ec2, served["group"], echo):
        until(lambda: lab.exec("internet", "ping", "-c", "1", "-W", "1", served["public"]).returncode == 0)
        with lab.background("internet", "ping", "-i", "0.01", "-c", "200", "-W", "1", served["public"]) as pings:
            assert pings.stdout.readline()
            assert "bytes from" in pings.stdout.readline()
            restart()
            told = pings.communicate(timeout=30)[0]
    assert "200 received, 0% packet loss" in told, told


def test_an_open_connection_outlives_a_restart(lab, served):
    connection = [FOGBANK, "lab", "exec", "--name", LAB, "internet", "--", "busybox", "nc", served["public"], "80"]
    with subprocess.Popen(connection, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flow:
        mine = f"{served['PrivateIpAddress']}:80"
        until(lambda: re.search(f"{mine} .*ESTABLISHED", lab.exec(served["InstanceId"], "netstat", "-tn").stdout))
        restart()
        assert "ip-" in flow.communicate("GET / HTTP/1.0\r\n\r\n", timeout=10)[0]


MEDDLING = {
    "all rules": ["nft", "flush", "ruleset"],
    "our table": ["nft", "delete", "table", "inet", "fogbank"],
    "the elastic address": ["ip", "addr", "del", "{public}/32", "dev", "public0"],
    "the gateway": ["ip", "addr", "del", "10.0.0.1/32", "dev", "fb-gateway"],
    "the route": ["ip", "route", "del", "{private}/32"],
    "the neighbour": ["ip", "neigh", "del", "{private}", "dev", "{port}"],
    "the proxy entry": ["ip", "neigh", "del", "proxy", "{private}", "dev", "flat0"],
    "proxy ARP": ["sysctl", "-qw", "net.ipv4.conf.{port}.proxy_arp=0"],
    "forwarding": ["sysctl", "-qw", "net.ipv4.conf.{port}.forwarding=0"],
    "the port": ["ip", "link", "set", "{port}", "down"],
}


@pytest.mark.parametrize("what", MEDDLING)
def test_what_others_take_away_is_back_within_a_second(lab, served, what):
    port = "fbp" + served["NetworkInterfaces"][0]["NetworkInterfaceId"][-12:]
    places = dict(public=served["public"], private=served["PrivateIpAddress"], port=port)
    before = kernel()
    host(*[word.format(**places) for word in MEDDLING[what]])
    # A second, and what looking itself takes.
    until(lambda: kernel() == before and all(switches(port)), seconds=1.5, every=0.02)
    assert page(lab, "internet", served["public"])


def switches(port):
    for key in ["proxy_arp", "forwarding", "rp_filter"]:
        yield host("cat", f"/proc/sys/net/ipv4/conf/{port}/{key}").strip() == "1"
    yield "state UP" in host("ip", "link", "show", port)


def test_killed_while_instances_start_and_end_they_start_and_end(lab, ec2):
    for _ in range(3):
        reply = ec2.run_instances(ImageId=lab.image, MinCount=3, MaxCount=3, UserData=USER_DATA)
        ids = [instance["InstanceId"] for instance in reply["Instances"]]
        restart()
        until(lambda: all("user-data done" in console(ec2, one) for one in ids), 90)
        assert {describe(ec2, one)["State"]["Name"] for one in ids} == {"running"}
        pids = [init_pid(one) for one in ids]
        ec2.terminate_instances(InstanceIds=ids)
        restart()
        until(lambda: {describe(ec2, one)["State"]["Name"] for one in ids} == {"terminated"}, 30)
        until(lambda: not any((INSTANCES / one).exists() for one in ids))
        assert not any(pathlib.Path(f"/proc/{pid}/root/srv/www").exists() for pid in pids)
