"""An `nft` that fails, hangs or is killed, notifications that are lost, requests that the kernel refuses: what was
applied stays, nothing is opened without rules, it is reported, and all is well by itself when the cause is gone."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from conftest import USER_DATA, Lab, console, describe, page, until

pytestmark = pytest.mark.alone

# Stands before the real one on the path, and does as the file beside it says.
NFT = """#!/bin/sh
here=$(dirname "$0")
case $(cat "$here/mode") in
fail) echo "Error: as ordered" >&2; exit 1 ;;
once) echo well > "$here/mode"; echo "Error: once" >&2; exit 1 ;;
hang) exec sleep 1000 ;;
killed) head -c 64 > /dev/null; kill -9 $$ ;;
late) REAL "$@"; kill -9 $$ ;;
esac
exec REAL "$@"
"""


class Faulty(Lab):
    """A lab whose host has that `nft`."""

    def __init__(self, folder):
        self.mode = folder / "mode"
        self.be("well")
        nft = folder / "nft"
        self.nft = shutil.which("nft")
        nft.write_text(NFT.replace("REAL", self.nft))
        nft.chmod(0o755)
        self.environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
        super().__init__(f"flt{os.getpid()}")
        # The host's table is the last one.
        with open(f"/run/fogbank-lab/{self.name}/host1/fogbank.toml", "a") as configuration:
            configuration.write('rules_by = "nft"\n')
        self.lab("restart")
        self.ec2 = self.client()

    def be(self, mode):
        new = self.mode.with_suffix(".new")
        new.write_text(mode)
        new.rename(self.mode)

    def host(self, *command):
        command = ["ip", "netns", "exec", f"fb-{self.name}-host1", *command]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def failures(self):
        (host,) = self.operator("host", "list")
        return {row["subject"]: row["message"] for row in host["failures"]}

    def process(self):
        """The server's number."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"serve" in words and any(f"/{self.name}/host1/fogbank.toml".encode() in word for word in words):
                return int(folder.name)
        raise AssertionError("no server runs")

    def start(self, group):
        reply = self.ec2.run_instances(
            ImageId=self.image, MinCount=1, MaxCount=1, UserData=USER_DATA, SecurityGroupIds=[group]
        )
        return reply["Instances"][0]["InstanceId"]

    def running(self, instance):
        until(lambda: "user-data done" in console(self.ec2, instance), 40)
        return describe(self.ec2, instance)

    def address(self, instance):
        made = self.ec2.allocate_address(Domain="vpc")
        self.ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instance["InstanceId"])
        return made

    def holds(self, address):
        return f" {address['PublicIp']}/32 " in self.host("ip", "-4", "-o", "addr", "show", "dev", "public0")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    lab = Faulty(tmp_path_factory.mktemp("nft"))
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def served(faulty):
    """An instance whose pages, but for the one at 8080, the internet may read."""
    group = faulty.ec2.create_security_group(GroupName="faults", Description="faults")["GroupId"]
    faulty.ec2.authorize_security_group_ingress(**tcp(group, 80))
    instance = faulty.running(faulty.start(group))
    address = faulty.address(instance)
    until(lambda: page(faulty, "internet", address["PublicIp"]))
    return dict(instance, group=group, public=address["PublicIp"], allocation=address["AllocationId"])


@pytest.fixture(autouse=True)
def well(faulty):
    """Whatever a test did, the next one has a host that is as it should be."""
    yield
    faulty.be("well")
    until(lambda: not faulty.failures(), 30)


def tcp(group, port):
    return dict(GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0")


@pytest.fixture
def other(faulty, served):
    """A second address, which leads nowhere before and after."""
    made = faulty.ec2.allocate_address(Domain="vpc")
    yield made
    faulty.ec2.release_address(AllocationId=made["AllocationId"])


@pytest.mark.parametrize(("mode", "complaint"), [("fail", "as ordered"), ("killed", "signal: 9"), ("late", "signal: 9")])
def test_an_nft_that_fails_is_reported_and_opens_nothing(faulty, served, other, mode, complaint):
    faulty.be(mode)
    faulty.ec2.authorize_security_group_ingress(**tcp(served["group"], 8080))
    # The instance has one elastic address: the other takes its place, and comes only after its rules.
    faulty.ec2.associate_address(
        AllocationId=other["AllocationId"], InstanceId=served["InstanceId"], AllowReassociation=True
    )
    try:
        assert complaint in until(lambda: faulty.failures().get("rules"))
        assert not faulty.holds(other), "an address is answered without rules"
        faulty.be("well")
        until(lambda: page(faulty, "internet", other["PublicIp"], port=8080), 10)
        # Other programs' chains are listed by the same `nft`, every 15 s.
        until(lambda: not faulty.failures(), 25)
    finally:
        faulty.be("well")
        faulty.ec2.associate_address(
            AllocationId=served["allocation"], InstanceId=served["InstanceId"], AllowReassociation=True
        )
        faulty.ec2.revoke_security_group_ingress(**tcp(served["group"], 8080))
        until(lambda: page(faulty, "internet", served["public"]))


def test_an_nft_that_fails_once_is_run_again(faulty, served):
    faulty.be("once")
    faulty.ec2.authorize_security_group_ingress(**tcp(served["group"], 8080))
    until(lambda: page(faulty, "internet", served["public"], port=8080), 10)
    assert faulty.mode.read_text().strip() == "well"
    faulty.ec2.revoke_security_group_ingress(**tcp(served["group"], 8080))


def test_an_nft_that_hangs_is_ended_and_blocks_nothing_else(faulty, served):
    bystander = faulty.running(faulty.start(served["group"]))
    faulty.be("hang")
    faulty.ec2.authorize_security_group_ingress(**tcp(served["group"], 8080))
    begun = time.monotonic()
    # Meanwhile the API, metadata, names, instances' ends and packets go on.
    faulty.ec2.terminate_instances(InstanceIds=[bystander["InstanceId"]])
    until(lambda: describe(faulty.ec2, bystander["InstanceId"])["State"]["Name"] == "terminated", 10)
    asked = faulty.exec(served["InstanceId"], "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data/instance-id")
    # Tokens may be asked for first; an answer is an answer.
    assert served["InstanceId"] in asked.stdout or "401" in asked.stderr, asked
    assert page(faulty, "internet", served["public"])
    assert "did not end" in until(lambda: faulty.failures().get("rules"), 15)
    assert page(faulty, "internet", served["public"], port=8080) is None
    faulty.be("well")
    until(lambda: page(faulty, "internet", served["public"], port=8080), 15)
    print(f"hung, ended and well after {time.monotonic() - begun:.1f} s")
    until(lambda: not hung(faulty))
    faulty.ec2.revoke_security_group_ingress(**tcp(served["group"], 8080))


def hung(lab):
    """Runs of `nft` that still hang."""
    pids = subprocess.run(["ip", "netns", "pids", f"fb-{lab.name}-host1"], check=True, capture_output=True, text=True)
    lines = []
    for pid in pids.stdout.split():
        try:
            lines.append(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        except OSError:
            continue
    return [line for line in lines if line.startswith(b"sleep\x001000")]


def test_without_any_rules_nobody_gets_in_or_out(faulty, served):
    faulty.be("fail")
    faulty.host(faulty.nft, "flush", "ruleset")
    port = "fbp" + served["NetworkInterfaces"][0]["NetworkInterfaceId"][-12:]
    until(lambda: "state DOWN" in faulty.host("ip", "link", "show", port), 5)
    assert page(faulty, "internet", served["public"]) is None
    faulty.be("well")
    until(lambda: page(faulty, "internet", served["public"]), 10)


def test_notifications_that_were_lost_are_made_up_for(faulty, served):
    drops = lambda: sum(int(line.split()[8]) for line in faulty.host("cat", "/proc/net/netlink").splitlines()[1:])
    server, before = faulty.process(), drops()
    routes = [f"198.18.{n // 250}.{n % 250 + 1}/32" for n in range(3000)]
    batch = lambda verb: "".join(f"route {verb} blackhole {route}\n" for route in routes)
    os.kill(server, signal.SIGSTOP)
    try:
        for verb in ("add", "del"):
            command = ["ip", "-n", f"fb-{faulty.name}-host1", "-batch", "-"]
            subprocess.run(command, input=batch(verb), text=True, check=True, capture_output=True)
        # The socket is full: of this the agent is not told.
        faulty.host("ip", "addr", "del", f"{served['public']}/32", "dev", "public0")
        assert drops() > before, "nothing was lost: the test means little"
    finally:
        os.kill(server, signal.SIGCONT)
    until(lambda: faulty.holds({"PublicIp": served["public"]}), 3)
    assert page(faulty, "internet", served["public"])


def test_a_route_that_the_kernel_refuses_is_reported_and_keeps_nothing_else_back(faulty, served):
    private = f"{served['PrivateIpAddress']}/32"
    faulty.host("ip", "route", "replace", "blackhole", private, "proto", "static")
    try:
        faulty.ec2.authorize_security_group_ingress(**tcp(served["group"], 8080))
        until(lambda: any(private in subject for subject in faulty.failures()), 20)
        assert faulty.holds({"PublicIp": served["public"]})
        # One that comes after it in every order has its own.
        later = faulty.running(faulty.start(served["group"]))
        until(lambda: f"{later['PrivateIpAddress']} dev" in faulty.host("ip", "route", "show", "proto", "142"), 5)
        faulty.ec2.terminate_instances(InstanceIds=[later["InstanceId"]])
    finally:
        faulty.host("ip", "route", "del", "blackhole", private)
    until(lambda: page(faulty, "internet", served["public"], port=8080), 5)
    faulty.ec2.revoke_security_group_ingress(**tcp(served["group"], 8080))
