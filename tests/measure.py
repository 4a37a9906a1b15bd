#!/usr/bin/env python3
"""Measures one lab: binary size, idle memory, how soon a page is served, and how soon a rule change is in the kernel.

Prints figures, judges nothing. Run as root after `make build`: `.venv/bin/python tests/measure.py [RELEASE-BINARY]`.

A rule change is timed from the moment the signed request is sent to the first packet that leaves by the instance's port:
a sender on the internet side sends a datagram to the elastic address about every 0.2 ms, and a packet socket on the
host sees which one came through.
"""

import ctypes
import os
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "clients"))
from conftest import FOGBANK, LAB, USER_DATA, Lab, describe, page, until  # noqa: E402

CHANGES = 100
FIRST_PORT = 20000
CLONE_NEWNET = 0x40000000


def enter(namespace):
    """Moves the calling thread into a network namespace."""
    with open(f"/run/netns/{namespace}") as handle:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


class Sender(threading.Thread):
    """Sends datagrams to one port after another from the internet side."""

    def __init__(self, namespace, address):
        super().__init__(daemon=True)
        self.namespace, self.address, self.port = namespace, address, 0

    def run(self):
        enter(self.namespace)
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while self.port is not None:
            if self.port:
                try:
                    out.sendto(b"x", (self.address, self.port))
                except OSError:
                    pass  # an ICMP error of the datagram before
            time.sleep(0.0002)


class Sniffer(threading.Thread):
    """Notes when the first datagram to each port leaves by the instance's port."""

    def __init__(self, namespace, interface):
        super().__init__(daemon=True)
        self.namespace, self.interface, self.seen, self.news = namespace, interface, {}, threading.Condition()

    def run(self):
        enter(self.namespace)
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        tap.bind((self.interface, 0))
        while True:
            try:
                frame = tap.recv(200)
            except OSError:
                return  # the lab is being taken down
            now = time.perf_counter()
            if len(frame) > 38 and frame[12:14] == b"\x08\x00" and frame[23] == 17:
                (port,) = struct.unpack("!H", frame[36:38])
                with self.news:
                    self.seen.setdefault(port, now)
                    self.news.notify_all()

    def wait(self, port):
        with self.news:
            assert self.news.wait_for(lambda: port in self.seen, 10), port
            return self.seen[port]


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def rule_changes(lab, ec2, instance, group, public):
    port_name = "fbp" + instance["NetworkInterfaces"][0]["NetworkInterfaceId"][-12:]
    sniffer, sender = Sniffer(f"fb-{LAB}-host1", port_name), Sender(f"fb-{LAB}-internet", public)
    sniffer.start(), sender.start()
    took = []
    for port in range(FIRST_PORT, FIRST_PORT + CHANGES):
        sender.port = port
        rule = [dict(IpProtocol="udp", FromPort=port, ToPort=port, IpRanges=[{"CidrIp": "0.0.0.0/0"}])]
        began = time.perf_counter()
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
        took.append((sniffer.wait(port) - began) * 1000)
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
    sender.port = None
    return took


def flushed_for(lab, public):
    """How long a closed port is open after another program flushed every nft rule."""
    host = f"fb-{LAB}-host1"
    subprocess.run(["ip", "netns", "exec", host, "nft", "flush", "ruleset"], check=True)
    began = time.perf_counter()
    until(lambda: "fogbank" in subprocess.run(["ip", "netns", "exec", host, "nft", "list", "tables"], capture_output=True, text=True).stdout, 10, 0.002)
    return (time.perf_counter() - began) * 1000


def resident(name):
    """The resident memory in MiB of the lab's server."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline").read().split("\0")
            if "serve" in command and any(LAB in word for word in command):
                for line in open(f"/proc/{pid}/status"):
                    if line.startswith("VmRSS"):
                        return int(line.split()[1]) / 1024
        except OSError:
            continue
    return float("nan")


def main():
    began = time.perf_counter()
    lab = Lab()
    try:
        up = time.perf_counter() - began
        idle = resident("serve")
        ec2 = lab.client()
        group = ec2.create_security_group(GroupName="measure", Description="measure")["GroupId"]
        reply = ec2.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1, UserData=USER_DATA, SecurityGroupIds=[group])
        instance = reply["Instances"][0]["InstanceId"]
        address = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
        web = [dict(IpProtocol="tcp", FromPort=80, ToPort=80, IpRanges=[{"CidrIp": "0.0.0.0/0"}])]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=web)
        until(lambda: page(lab, "internet", address["PublicIp"], seconds=1), 60)
        served = time.perf_counter() - began
        took = rule_changes(lab, ec2, describe(ec2, instance), group, address["PublicIp"])
        print(f"binary            {os.path.getsize(FOGBANK) / 2**20:8.1f} MiB  {FOGBANK}")
        print(f"lab up            {up:8.2f} s")
        print(f"page served       {served:8.2f} s after the lab's start")
        print(f"serve, idle       {idle:8.1f} MiB resident")
        print(f"rule to packet    {statistics.median(took):8.1f} ms p50, {quantile(took, 0.99):.1f} ms p99, {CHANGES} changes")
        print(f"flush to repair   {flushed_for(lab, address['PublicIp']):8.1f} ms until the table is back")
    finally:
        lab.down()


if __name__ == "__main__":
    main()
