"""A lab leaves nothing on the machine, whether it is taken down or what it was made of was killed before."""

import os
import pathlib
import subprocess

import pytest

from conftest import USER_DATA, Lab, console, until


def of_processes(what):
    """A file of each process."""
    found = {}
    for path in pathlib.Path("/proc").glob(f"[0-9]*/{what}"):
        try:
            found[int(path.parent.name)] = path.read_bytes().decode(errors="replace")
        except OSError:
            pass  # it ended meanwhile
    return found


def instances(lab):
    """The processes whose mounts lie in the lab's folder: in namespaces of their own they bear no name."""
    return [pid for pid, mounts in of_processes("mountinfo").items() if f"/fogbank-lab/{lab}/" in mounts]


def machine(lab):
    """What a lab could leave: the machine's own network, and whatever bears the lab's name."""
    def lines(*command):
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return sorted(line.strip() for line in text.splitlines())

    def named(text):
        return lab in text

    links = lines("ip", "-o", "link")
    processes = [command.replace("\0", " ") for command in of_processes("cmdline").values()]
    return {
        # Counters and states of the machine's links change by themselves.
        "links": [link.split(":")[1].strip() for link in links],
        "addresses": [line.split()[1:4] for line in lines("ip", "-o", "addr")],
        "routes": lines("ip", "route", "show", "table", "all", "proto", "142"),
        "namespaces": [name for name in lines("ip", "netns", "list") if named(name)],
        "mounts": [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if named(line)],
        "folders": [str(path) for path in (*pathlib.Path("/run/fogbank-lab").glob(lab), *pathlib.Path("/tmp").glob(f"*{lab}*"))],
        "processes": [line for line in processes if named(line) and "pytest" not in line],
        "instances": sorted(instances(lab)),
        "rules": named(subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout),
    }


def members(name):
    """The processes in the lab's namespaces."""
    spaces = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout.split()
    found = [
        subprocess.run(["ip", "netns", "pids", space], check=True, capture_output=True, text=True).stdout.split()
        for space in spaces
        if space.startswith(f"fb-{name}-")
    ]
    return [int(pid) for pids in found for pid in pids]


# Where no database has to start first, hosts join before the kernel has noticed all cables by itself.
@pytest.mark.parametrize("end, hosts, store", [("down", "3", "sqlite"), ("kill", "2", "postgres")])
def test_a_lab_leaves_nothing(end, hosts, store):
    name = f"gone{end[0]}{os.getpid()}"
    before = machine(name)
    lab = Lab(name, "--hosts", hosts, "--servers", "1", "--store", store)
    try:
        ec2 = lab.client()
        made = ec2.run_instances(ImageId=lab.image, MinCount=2, MaxCount=2, UserData=USER_DATA)["Instances"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.associate_address(AllocationId=address, InstanceId=made[0]["InstanceId"])
        for instance in made:
            until(lambda: "user-data done" in console(ec2, instance["InstanceId"]), 120)
        during = machine(name)
        for what in ("namespaces", "folders", "processes", "instances"):
            assert during[what], f"nothing is seen of a lab that runs: {what}"
        # Of the instances one is killed, so that the other is left to be found.
        pids = members(name) + instances(name)[:1]
        assert len(pids) > 4
        if end == "kill":
            for pid in pids:
                subprocess.run(["kill", "-9", str(pid)], stderr=subprocess.DEVNULL)
    finally:
        lab.down()
    assert machine(name) == before
