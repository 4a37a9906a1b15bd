"""An instance is only itself: frames that say otherwise end at its port. Each test sends an honest frame, too."""

import ctypes
import ipaddress
import json
import pathlib
import select
import socket
import struct
import threading
import time
import uuid

import pytest

from conftest import LAB
from test_dataplane import cidr

INSTANCES = pathlib.Path(f"/run/fogbank-lab/{LAB}/host1/instances")
CLONE_NEWNET = 0x40000000
PORT_MAC = "02:fb:00:00:00:01"
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
# How long a frame that should not come is waited for; honest ones come in under a millisecond.
SILENCE = 0.3


def within(path, make):
    """Calls `make` in a network namespace; sockets made there stay there."""
    made = []

    def work():
        with open(path) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(make())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return made[0]


class Wire:
    """The end of the cable inside an instance."""

    def __init__(self, instance):
        self.mac = instance["NetworkInterfaces"][0]["MacAddress"]
        self.ip = instance["PrivateIpAddress"]
        pid = json.loads((INSTANCES / instance["InstanceId"] / "record.json").read_text())["pid"]

        def open_socket():
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.bind(("eth0", 0))
            return wire

        self.socket = within(f"/proc/{pid}/ns/net", open_socket)

    def send(self, kind, payload, source=None, target=PORT_MAC):
        self.socket.send(mac(target) + mac(source or self.mac) + struct.pack("!H", kind) + payload)

    def hears(self, mark, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.socket], [], [], left)[0]:
                frame, address = self.socket.recvfrom(2048)
                if address[2] != socket.PACKET_OUTGOING and mark in frame:
                    return frame
        return None


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def udp(source, target, payload, ports=(4000, 4000)):
    segment = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    header = [0x45, 0, 20 + len(segment), 1, 0, 64, 17, 0]
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    header[-1] = checksum(struct.pack("!BBHHHBBH", *header) + addresses)
    return struct.pack("!BBHHHBBH", *header) + addresses + segment


def arp(kind, sender_mac, sender, target_mac, target):
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, kind)
    addresses = [ipaddress.ip_address(address).packed for address in (sender, target)]
    return head + mac(sender_mac) + addresses[0] + mac(target_mac) + addresses[1]


@pytest.fixture(scope="module")
def wires(ec2, launch):
    """Three neighbours in a group that lets everything in, from everywhere, by IPv4 and IPv6."""
    group = ec2.create_security_group(GroupName="wide", Description="wide")["GroupId"]
    everything = [dict(IpProtocol="-1", **cidr("0.0.0.0/0"), Ipv6Ranges=[{"CidrIpv6": "::/0"}])]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=everything)
    return [Wire(launch([group])) for _ in range(3)]


def mark():
    return uuid.uuid4().bytes


def passes(sender, receiver, kind, payload, marked, **frame):
    sender.send(kind, payload, **frame)
    return receiver.hears(marked, SILENCE) is not None


def test_an_honest_datagram_passes_and_one_with_anothers_mac_does_not(wires):
    a, b, c = wires
    for source, wanted in [(a.mac, True), (c.mac, False), ("02:00:00:00:00:66", False), (PORT_MAC, False)]:
        marked = mark()
        assert passes(a, b, IPV4, udp(a.ip, b.ip, marked), marked, source=source) is wanted, source


@pytest.mark.parametrize("source", ["neighbour", "10.0.0.1", "198.51.100.10", "203.0.113.11", "0.0.0.0", "127.0.0.1", "10.0.15.254"])
def test_a_datagram_with_anothers_address_goes_nowhere(wires, source):
    a, b, c = wires
    marked = mark()
    assert not passes(a, b, IPV4, udp(c.ip if source == "neighbour" else source, b.ip, marked), marked)
    assert passes(a, b, IPV4, udp(a.ip, b.ip, marked), marked)


def test_arp_lies_reach_nobody_and_are_not_believed(lab, wires):
    a, b, c = wires
    before = lab.exec("host1", "ip", "neigh", "show", "nud", "permanent").stdout
    for lie in [b.ip, c.ip, "10.0.0.1", "203.0.113.1"]:
        for kind in (1, 2):
            a.send(ARP, arp(kind, a.mac, lie, "ff:ff:ff:ff:ff:ff", lie), target="ff:ff:ff:ff:ff:ff")
            a.send(ARP, arp(kind, a.mac, lie, b.mac, b.ip), target=b.mac)
    assert b.hears(mac(a.mac), SILENCE) is None
    assert lab.exec("host1", "ip", "neigh", "show", "nud", "permanent").stdout == before
    assert lab.exec("host1", "ip", "neigh").stdout.count(a.mac) == 1
    marked = mark()
    assert passes(c, b, IPV4, udp(c.ip, b.ip, marked), marked)


def test_the_gateway_answers_arp_for_everybody_on_the_subnet(wires):
    a, b, _ = wires
    for target in [b.ip, "10.0.0.1"]:
        a.send(ARP, arp(1, a.mac, a.ip, "00:00:00:00:00:00", target), target="ff:ff:ff:ff:ff:ff")
        answer = a.hears(struct.pack("!H", 2) + mac(PORT_MAC) + ipaddress.ip_address(target).packed, 1)
        assert answer, target


def test_a_rogue_dhcp_server_reaches_no_neighbour(wires):
    a, b, _ = wires
    for target in ["255.255.255.255", "10.0.15.255", b.ip]:
        marked = mark()
        offer = udp(a.ip, target, b"\2\1\6\0" + marked, ports=(67, 68))
        for frame_to in ["ff:ff:ff:ff:ff:ff", b.mac, PORT_MAC]:
            assert not passes(a, b, IPV4, offer, marked, target=frame_to), (target, frame_to)


def test_ipv6_is_dropped_whatever_the_rules_say(wires):
    a, b, _ = wires
    link_local = [str(ipaddress.ip_address(0xFE80 << 112 | eui64(wire.mac))) for wire in (a, b)]
    for target, frame_to in [("ff02::1", "33:33:00:00:00:01"), (link_local[1], b.mac), (link_local[1], PORT_MAC)]:
        marked = mark()
        packet = struct.pack("!IHBB", 6 << 28, 8 + len(marked), 17, 64)
        packet += ipaddress.ip_address(link_local[0]).packed + ipaddress.ip_address(target).packed
        packet += struct.pack("!HHHH", 4000, 4000, 8 + len(marked), 1) + marked
        assert not passes(a, b, IPV6, packet, marked, target=frame_to), target


def eui64(text):
    octets = mac(text)
    return int.from_bytes(bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:], "big")


def syn(source, target, port):
    segment = struct.pack("!HHIIHHHH", port, 80, 1, 0, 5 << 12 | 2, 65535, 0, 0)
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    total = checksum(addresses + struct.pack("!HH", 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", total) + segment[18:]
    header = [0x45, 0, 40, 1, 0, 64, 6, 0]
    header[-1] = checksum(struct.pack("!BBHHHBBH", *header) + addresses)
    return struct.pack("!BBHHHBBH", *header) + addresses + segment


def test_metadata_does_not_answer_a_neighbours_address(wires):
    a, b, _ = wires
    service = ipaddress.ip_address("169.254.169.254").packed
    answer = lambda ip, port: service + ipaddress.ip_address(ip).packed + struct.pack("!HH", 80, port)
    a.send(IPV4, syn(b.ip, "169.254.169.254", 4711))
    assert a.hears(answer(b.ip, 4711), SILENCE) is None
    assert b.hears(answer(b.ip, 4711), SILENCE) is None
    a.send(IPV4, syn(a.ip, "169.254.169.254", 4712))
    assert a.hears(answer(a.ip, 4712), 1)
