"""What is seen on the wire: run inside a network namespace by `watching`, until its standard input ends.

ping ADDRESS           an echo request every 10 ms; prints when each was sent and answered
arp INTERFACE ADDRESS… asks who has each every 20 ms; prints which MAC says so, and when
paths ADDRESS…         prints every IPv4 packet between two of the addresses, and by which interface it goes
"""

import contextlib
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import sys
import threading
import time

ETH_P_ARP, ETH_P_IP, ETH_P_ALL = 0x0806, 0x0800, 0x0003


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ended():
    """Whether whoever asked for this has closed our standard input."""
    return select.select([0], [], [], 0)[0] != []


def every(seconds, act, hear):
    """Acts again and again, and hears what comes meanwhile."""
    due = time.monotonic()
    while not ended():
        act()
        due = max(due + seconds, time.monotonic())
        while (left := due - time.monotonic()) > 0:
            hear(left)


def ping(address):
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    link.connect((address, 0))
    name, sent = os.getpid() & 0xFFFF, []

    def ask():
        body = struct.pack("!HH", name, len(sent))
        with contextlib.suppress(OSError):
            sent.append([time.time(), None])
            link.send(struct.pack("!BBH", 8, 0, checksum(b"\x08\x00\x00\x00" + body)) + body)

    def hear(seconds):
        link.settimeout(seconds)
        with contextlib.suppress(OSError):
            kind, _, _, to, number = struct.unpack("!BBHHH", link.recv(2048)[20:28])
            if kind == 0 and to == name and number < len(sent):
                sent[number][1] = time.time()

    every(0.01, ask, hear)
    return sent


def arp(interface, *addresses):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    link.bind((interface, 0))
    mac, watched, seen = link.getsockname()[4], {socket.inet_aton(address) for address in addresses}, []

    def ask():
        for address in watched:
            # From nobody, as RFC 5227 has it: nobody's table changes by it.
            body = struct.pack("!HHBBH6s4s6s4s", 1, ETH_P_IP, 6, 4, 1, mac, bytes(4), bytes(6), address)
            link.send(b"\xff" * 6 + mac + struct.pack("!H", ETH_P_ARP) + body)

    def hear(seconds):
        link.settimeout(seconds)
        with contextlib.suppress(OSError):
            frame = link.recv(2048)
            sender, source = frame[22:28], frame[28:32]
            if source in watched and sender != mac:
                seen.append([time.time(), socket.inet_ntoa(source), sender.hex(":")])

    every(0.02, ask, hear)
    return seen


def paths(*addresses):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    watched, seen = set(addresses), []

    def hear(seconds):
        link.settimeout(seconds)
        with contextlib.suppress(OSError):
            frame, (interface, kind, *_) = link.recvfrom(2048)
            source, target = (socket.inet_ntoa(frame[at : at + 4]) for at in (26, 30))
            if kind == ETH_P_IP and {source, target} <= watched:
                seen.append([interface, source, target])

    print("ready", flush=True)
    every(0.05, lambda: None, hear)
    return seen


class Watching:
    """What a probe has seen, once its block has ended."""

    def __init__(self):
        self.seen = None

    def gap(self):
        """The longest time, in seconds, in which nothing that was sent was answered."""
        answered = [sent for sent, heard in self.seen if heard]
        assert len(answered) > 10, "nothing is answered"
        bounds = [self.seen[0][0], *answered, self.seen[-1][0]]
        return max(after - before for before, after in zip(bounds, bounds[1:]))

    def owners(self, address):
        """The MACs that have said that they have the address, each as often as it took over."""
        found = []
        for _, of, mac in self.seen:
            if of == address and found[-1:] != [mac]:
                found.append(mac)
        return found


    def twice(self, address):
        """For how long, in seconds, an owner was heard again after another had taken over."""
        heard = [(at, mac) for at, of, mac in self.seen if of == address]
        first = {}
        for at, mac in heard:
            first.setdefault(mac, at)
        again = [at for at, mac in heard if any(first[mac] < other < at for other in first.values())]
        return again[-1] - again[0] if again else 0


@contextlib.contextmanager
def watching(namespace, *arguments):
    """Runs a probe in a namespace for as long as the block takes."""
    command = ["ip", "netns", "exec", namespace, sys.executable, str(pathlib.Path(__file__).resolve()), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    # What a probe prints in the end may be more than a pipe holds.
    text = []
    reader = threading.Thread(target=lambda: text.append(process.stdout.read()))
    reader.start()
    watched = Watching()
    try:
        yield watched
    finally:
        process.stdin.close()
        reader.join()
        assert process.wait(timeout=10) == 0
    watched.seen = json.loads(text[0])


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind != "paths":
        print("ready", flush=True)
    print(json.dumps({"ping": ping, "arp": arp, "paths": paths}[kind](*rest)))
