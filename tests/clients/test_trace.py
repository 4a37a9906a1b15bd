"""`fogbank trace` and Reachability Analyzer say of a packet what the kernels do with it, and by which hosts it goes."""

import concurrent.futures
import subprocess

import botocore.exceptions
import pytest

from conftest import FOGBANK, page, until
from many import Many
from probe import watching

OUTSIDE = "198.51.100.10"
PORTS = (80, 8080)


@pytest.fixture(scope="module")
def many():
    lab = Many("tra")
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def instances(many):
    """One on each host; the second has no elastic address, the third lets in only some, and only to one port."""
    ec2 = many.ec2
    web = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=web,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]},
            {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": many.group}]},
        ],
    )
    made = [many.start("host1"), many.start("host2"), many.start("host3", web)]
    made = [many.started(instance) for instance in made]
    for instance in (made[0], made[2]):
        instance["address"] = many.address()
        many.move(instance["address"], instance)
    return made


@pytest.fixture(params=["distributed", "central"])
def mode(request, many, instances):
    words = ["--distributed"] if request.param == "distributed" else ["--host", "host1"]
    many.operator("network", "gateway", "flat", *words)
    many.settle()
    return request.param


def trace(many, where, address, port):
    return many.operator("trace", "--from", OUTSIDE if where == "internet" else where, "--to", f"{address}:{port}")


def pairs(instances):
    """Who asks, at which address, which instance has it, and which port."""
    asking = [instance["InstanceId"] for instance in instances] + ["internet"]
    addresses = [(instance["PrivateIpAddress"], instance) for instance in instances]
    addresses += [(instance["address"][1], instance) for instance in instances if "address" in instance]
    # What an instance says to its own private address never leaves it.
    to_itself = lambda who, address, instance: who == instance["InstanceId"] and address == instance["PrivateIpAddress"]
    return [
        (who, *address, port) for who in asking for address in addresses for port in PORTS if not to_itself(who, *address)
    ]


def test_what_is_said_to_pass_passes_and_nothing_else(many, instances, mode):
    everything = pairs(instances)
    said = [trace(many, who, address, port) for who, address, _, port in everything]
    assert {answer["passes"] for answer in said} == {True, False}
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        got = pool.map(lambda pair: page(many, pair[0], pair[1], pair[3], 3), everything)
    for (who, address, instance, port), answer, reply in zip(everything, said, got):
        name = instance["PrivateDnsName"].split(".")[0]
        assert reply == (name if answer["passes"] else None), (who, address, port, answer)
        assert answer["notes"] == []


def test_each_hop_is_where_it_is_said_to_be(many, instances, mode):
    one, two, _ = instances
    for who, source, address in [
        (one["InstanceId"], one, two["PrivateIpAddress"]),
        (two["InstanceId"], two, one["address"][1]),
        ("internet", None, one["address"][1]),
        (two["InstanceId"], two, OUTSIDE),
    ]:
        answer = trace(many, who, address, 80)
        hops = {hop["host"]: [hop["enters"], hop["leaves"]] for hop in answer["hops"]}
        ours = [one["PrivateIpAddress"], two["PrivateIpAddress"], one["address"][1], OUTSIDE]
        ours += [f"203.0.113.{number}" for number in range(2, 20)]
        watched = {host: watching(many.namespace(host), "paths", *ours) for host in ("host1", "host2", "host3")}
        with watched["host1"] as first, watched["host2"] as second, watched["host3"] as third:
            page(many, who, address, 80, 2)
        for host, watch in zip(watched, (first, second, third)):
            seen = {interface for interface, _, _ in watch.seen}
            if host in hops:
                assert set(hops[host]) <= seen, (who, address, host, answer)
            else:
                # A frame for another may come by; none goes through.
                assert len(seen) < 2, (who, address, host, answer, seen)


def test_each_rule_that_decides_is_named(many, instances):
    rules = many.ec2.describe_security_group_rules()["SecurityGroupRules"]
    third = instances[2]
    answer = trace(many, "internet", third["address"][1], 80)
    [allowed] = answer["hops"][-1]["ingress"]["allowed_by"]
    [rule] = [rule for rule in rules if rule["SecurityGroupRuleId"] == allowed["rule"]]
    assert (rule["GroupId"], rule["CidrIpv4"], rule["FromPort"]) == (allowed["group"], "198.51.100.0/24", 80)
    closed = trace(many, "internet", third["address"][1], 8080)
    assert closed["hops"][-1]["ingress"]["allowed_by"] == []
    assert "no rule of the target's security groups lets it in" in closed["reason"]
    # In words, too.
    state = f"/run/fogbank-lab/{many.name}/{many.server}/state"
    words = ["trace", "--from", OUTSIDE, "--to", f"{third['InstanceId']}:80"]
    text = subprocess.run([FOGBANK, "--state-dir", state, *words], check=True, capture_output=True, text=True).stdout
    assert allowed["rule"] in text and "passes: it reaches" in text and ": enters by public0" in text


def test_reachability_analyzer_says_the_same(many, instances, mode):
    ec2 = many.ec2
    for who, address, instance, port in pairs(instances):
        if who == "internet":
            continue
        path = ec2.create_network_insights_path(
            Source=who, DestinationIp=address, Protocol="tcp", DestinationPort=port
        )["NetworkInsightsPath"]["NetworkInsightsPathId"]
        started = ec2.start_network_insights_analysis(NetworkInsightsPathId=path)["NetworkInsightsAnalysis"]
        analysis = started["NetworkInsightsAnalysisId"]
        [found] = ec2.describe_network_insights_analyses(NetworkInsightsAnalysisIds=[analysis])["NetworkInsightsAnalyses"]
        answer = trace(many, who, address, port)
        assert (found["Status"], found["NetworkPathFound"]) == ("succeeded", answer["passes"])
        if answer["passes"]:
            components = [step["Component"]["Id"] for step in found["ForwardPathComponents"]]
            hosts = [hop["host"] for hop in answer["hops"]]
            assert [id for id in components if id.startswith("host")] == hosts
            assert components[0] == who and components[-1] == instance["InstanceId"]
        else:
            assert [why["ExplanationCode"] for why in found["Explanations"]] == ["ENI_SG_RULES_MISMATCH"]
        ec2.delete_network_insights_analysis(NetworkInsightsAnalysisId=analysis)
        ec2.delete_network_insights_path(NetworkInsightsPathId=path)


def test_another_account_sees_none_of_it(many, instances):
    path = many.ec2.create_network_insights_path(
        Source=instances[0]["InstanceId"], Destination=instances[1]["InstanceId"], Protocol="tcp"
    )["NetworkInsightsPath"]["NetworkInsightsPathId"]
    other = many.other_account()
    for call in (
        lambda: other.describe_network_insights_paths(NetworkInsightsPathIds=[path]),
        lambda: other.start_network_insights_analysis(NetworkInsightsPathId=path),
        lambda: other.delete_network_insights_path(NetworkInsightsPathId=path),
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="InvalidNetworkInsightsPathId.NotFound"):
            call()
    until(lambda: many.ec2.describe_network_insights_paths(NetworkInsightsPathIds=[path])["NetworkInsightsPaths"])


def test_a_host_that_has_not_kept_up_is_named(many, instances):
    third = instances[2]
    many.lab("stop", "--kill", "host3")
    try:
        many.ec2.revoke_security_group_ingress(
            GroupId=third["SecurityGroups"][0]["GroupId"], IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="198.51.100.0/24"
        )
        answer = trace(many, "internet", third["address"][1], 80)
        assert not answer["passes"]
        assert any("host3 is at generation" in note for note in answer["notes"]), answer
        # What is said to be behind is behind.
        assert page(many, "internet", third["address"][1]) is not None
    finally:
        many.lab("start", "host3")
    many.settle()
    until(lambda: page(many, "internet", third["address"][1]) is None)


def test_who_is_nobody_is_refused_with_words(many, instances):
    for words, what in [
        (["--from", "nobody", "--to", OUTSIDE], "--from \"nobody\" is nobody"),
        (["--from", "i-0123456789abcdef0", "--to", OUTSIDE], "there is no such instance"),
        (["--from", OUTSIDE, "--to", "203.0.113.99999"], "is nobody"),
        (["--from", OUTSIDE, "--to", "203.0.113.9:99999"], "is no port"),
        (["--from", OUTSIDE, "--to", "203.0.113.9", "--protocol", "tcp"], "needs a port"),
        (["--from", OUTSIDE, "--to", "203.0.113.9:80", "--protocol", "icmp"], "has no ports"),
    ]:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            many.operator("trace", *words)
        assert what in refused.value.stderr.decode(), refused.value.stderr
