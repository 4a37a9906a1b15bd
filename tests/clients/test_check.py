"""`fogbank check` says what would stand in the way, and changes nothing."""

from conftest import FOGBANK, LAB

CHAIN = "{ type filter hook input priority 0 ; policy drop ; }"


def check(lab):
    return lab.exec("host1", FOGBANK, "--config", f"/run/fogbank-lab/{LAB}/host1/fogbank.toml", "check")


def test_a_host_without_obstacles_passes(lab):
    reply = check(lab)
    assert reply.returncode == 0, reply
    assert "STOP" not in reply.stdout and "network flat (10.0.0.0/20) collides with no route" in reply.stdout


def test_a_firewall_and_a_route_in_the_way_are_named(lab):
    lab.exec("host1", "nft", "add table inet theirs")
    lab.exec("host1", "nft", f"add chain inet theirs INPUT {CHAIN}")
    lab.exec("host1", "ip", "route", "add", "10.0.4.0/24", "dev", "public0")
    try:
        reply = check(lab)
        assert reply.returncode == 1, reply
        assert "STOP  firewall chain inet theirs INPUT" in reply.stdout
        assert "overlaps the host's route to 10.0.4.0/24 by public0" in reply.stdout
    finally:
        lab.exec("host1", "nft", "delete", "table", "inet", "theirs")
        lab.exec("host1", "ip", "route", "del", "10.0.4.0/24")
    assert check(lab).returncode == 0
