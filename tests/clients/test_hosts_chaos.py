"""Addresses move between hosts by two servers while every part is killed again and again."""

import contextlib
import itertools
import random
import threading
import time

import botocore.exceptions
import pytest

from conftest import until
from many import Many
from probe import watching

pytestmark = pytest.mark.alone

SECONDS = 12
PARTS = ["server1", "server2", "database", "host1", "host2", "host3"]


def moves(client, addresses, instances, end, refusals):
    """Associates and disassociates at random; whom it cannot reach it asks again."""
    dice = random.Random(id(client))
    while time.monotonic() < end:
        address = dice.choice(addresses)
        try:
            if dice.random() < 0.8:
                instance = dice.choice(instances)["InstanceId"]
                client.associate_address(AllocationId=address[0], InstanceId=instance, AllowReassociation=True)
            else:
                row = client.describe_addresses(AllocationIds=[address[0]])["Addresses"][0]
                if "AssociationId" in row:
                    client.disassociate_address(AssociationId=row["AssociationId"])
        except botocore.exceptions.ClientError as error:
            # Another one has moved it since, or the database is away.
            code = error.response["Error"]["Code"]
            if code not in ("InvalidAssociationID.NotFound", "ServiceUnavailable"):
                refusals.append(error)
        except botocore.exceptions.BotoCoreError:
            pass


def kills(many, end):
    for count in itertools.count():
        if time.monotonic() > end:
            return count
        part = random.choice(PARTS)
        many.lab("stop", "--kill", part)
        pause = time.monotonic() + random.random() * 0.7
        until(lambda: time.monotonic() > pause)
        many.lab("start", part)


def at_once(watched, address):
    """Answers of two owners to one question: they come within a moment, questions every 20 ms."""
    heard = [(at, mac) for at, of, mac in watched.seen if of == address]
    return [(one, other) for one, other in itertools.pairwise(heard) if one[1] != other[1] and other[0] - one[0] < 0.006]


def answering(many):
    """Which hosts have which elastic addresses, says the kernel."""
    text = {host: many.exec(host, "ip", "-4", "-o", "addr", "show", "dev", "public0").stdout for host in PARTS[3:]}
    return {word.removesuffix("/32"): host for host, lines in text.items() for word in lines.split() if word.endswith("/32")}


def test_everything_is_killed_while_addresses_move():
    many = Many("chaos")
    with contextlib.ExitStack() as stack:
        stack.callback(many.down)
        # One that has its address all the while, and one on each host to and from which addresses move.
        calm, *instances = many.launch("host1", *PARTS[3:])
        home = {calm["InstanceId"]: "host1"} | dict(zip((instance["InstanceId"] for instance in instances), PARTS[3:]))
        still, *moving = [many.address() for _ in range(4)]
        many.move(still, calm)
        until(lambda: still[1] in answering(many))
        end, refusals = time.monotonic() + SECONDS, []
        with (
            watching(many.namespace("internet"), "ping", still[1]) as ping,
            watching(many.namespace("router"), "arp", "public-seg", *[address[1] for address in moving]) as public,
        ):
            clients = [many.at(server) for server in (0, 1, 0, 1)]
            threads = [threading.Thread(target=moves, args=(one, moving, instances, end, refusals)) for one in clients]
            for thread in threads:
                thread.start()
            killed = kills(many, end)
            for thread in threads:
                thread.join()
            many.settle()
        print(f"{killed} kills; what did not move was unanswered for {ping.gap() * 1000:.0f} ms at most")
        assert not refusals, refusals
        assert ping.gap() < 0.3
        for address in moving:
            assert not at_once(public, address[1])
            assert len(public.owners(address[1])) > 1, "it moved"
        rows = many.ec2.describe_addresses()["Addresses"]
        wanted = {row["PublicIp"]: home[row["InstanceId"]] for row in rows if "InstanceId" in row}
        until(lambda: answering(many) == wanted)
