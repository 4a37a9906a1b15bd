"""Ansible's amazon.aws, unmodified: the plays of examples/ansible make a VPC, change nothing when played again, and leave
nothing when it is taken down."""

import os
import subprocess

import pytest

from conftest import ROOT, page, until

PLAYS = ROOT / "examples" / "ansible"
VENV = ROOT / ".venv"
# What there must be as much of afterwards as before.
LISTS = {
    "describe_vpcs": "Vpcs",
    "describe_subnets": "Subnets",
    "describe_internet_gateways": "InternetGateways",
    "describe_route_tables": "RouteTables",
    "describe_network_acls": "NetworkAcls",
    "describe_security_groups": "SecurityGroups",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_addresses": "Addresses",
    "describe_dhcp_options": "DhcpOptions",
}


def play(lab, name, home):
    """Plays it, and returns what each task said by the task's name, and how many tasks changed something."""
    environment = {
        **lab.env,
        "PATH": f"{VENV}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_COLLECTIONS_PATH": str(VENV / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": str(VENV / "bin" / "python"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_PIPELINING": "true",
        "LC_ALL": "C.UTF-8",
    }
    run = subprocess.run(
        [str(VENV / "bin" / "ansible-playbook"), str(PLAYS / name)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, timeout=400,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    recap = run.stdout.rsplit("localhost", 1)[1]
    counts = {key: int(value) for key, value in (word.split("=") for word in recap.replace(":", " ").split())}
    return run.stdout, counts


def all_ids(ec2):
    """The id of everything that there is."""
    ids = {}
    for call, field in LISTS.items():
        key = {"Addresses": "AllocationId", "SecurityGroups": "GroupId", "DhcpOptions": "DhcpOptionsId"}.get(
            field, f"{field.removesuffix('s')}Id"
        )
        ids[call] = sorted(one[key] for one in getattr(ec2, call)()[field])
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped", "shutting-down"]}]
    ids["instances"] = sorted(
        one["InstanceId"] for group in ec2.describe_instances(Filters=alive)["Reservations"] for one in group["Instances"]
    )
    return ids


@pytest.mark.skipif(not (VENV / "collections").is_dir(), reason="tests/deps.sh has not installed amazon.aws")
def test_a_vpc_is_played_twice_and_taken_down(lab, ec2, tmp_path):
    before = all_ids(ec2)
    said, first = play(lab, "network.yml", tmp_path)
    assert (first["failed"], first["changed"]) == (0, 12), said
    (address,) = ec2.describe_addresses(Filters=[{"Name": "tag:Site", "Values": ["shop"]}])["Addresses"]
    until(lambda: page(lab, "internet", address["PublicIp"]) == "welcome to shop", 30)

    made = all_ids(ec2)
    said, second = play(lab, "network.yml", tmp_path)
    assert (second["failed"], second["changed"]) == (0, 0), said
    assert all_ids(ec2) == made

    said, last = play(lab, "teardown.yml", tmp_path)
    assert last["failed"] == 0 and last["changed"] > 8, said
    assert all_ids(ec2) == before
