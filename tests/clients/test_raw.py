"""Queries by hand: signed as old clients sign them, by curl, and wrongly."""

import base64
import datetime
import hashlib
import hmac
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest


def now(**ago):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def sigv2(lab, action, version="2010-08-31", method="GET", path="/", digest="sha256", key=None, secret=None, **more):
    """A query as boto 2 and euca2ools 2 sign it (Signature Version 2)."""
    host = lab.endpoint.removeprefix("http://")
    form = {
        "Action": action,
        "Version": version,
        "AWSAccessKeyId": key or lab.env["AWS_ACCESS_KEY_ID"],
        "SignatureVersion": "2",
        "SignatureMethod": f"Hmac{digest.upper()}",
        "Timestamp": now(),
    } | more
    canonical = "&".join(f"{quote(name)}={quote(form[name])}" for name in sorted(form))
    text = "\n".join([method, host, path, canonical]).encode()
    mac = hmac.new((secret or lab.env["AWS_SECRET_ACCESS_KEY"]).encode(), text, getattr(hashlib, digest)).digest()
    return send(lab, method, path, canonical + "&Signature=" + quote(base64.b64encode(mac).decode()))


def send(lab, method, path, query):
    url, body = lab.endpoint + path, None
    if method == "GET":
        url += "?" + query
    else:
        body = query.encode()
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def code(reply):
    return re.search("<Code>(.*?)</Code>", reply[1]).group(1)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/services/Cloud", "/services/Cloud/", "/services/Eucalyptus"])
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_version_2_signatures_are_taken_on_every_path_of_old_clients(lab, method, path, digest):
    status, text = sigv2(lab, "DescribeRegions", method=method, path=path, digest=digest)
    assert status == 200, text
    assert '<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2010-08-31/">' in text


@pytest.mark.parametrize("version", ["2009-11-30", "2011-01-01", "2014-05-01", "2016-11-15"])
def test_the_version_that_was_asked_for_is_in_the_namespace(lab, version):
    assert f'xmlns="http://ec2.amazonaws.com/doc/{version}/"' in sigv2(lab, "DescribeAddresses", version)[1]


def test_the_same_answer_has_a_request_id_of_its_own_each_time(lab):
    texts = [sigv2(lab, "DescribeInstanceTypes", "2016-11-15")[1] for _ in range(3)]
    ids = [re.search("<requestId>(.{36})</requestId>", text).group(1) for text in texts]
    assert len(set(ids)) == 3 and len(texts[0]) > 2048
    assert len({text.replace(id, "") for text, id in zip(texts, ids)}) == 1


def test_what_is_wrong_with_a_signature_has_a_name(lab):
    assert code(sigv2(lab, "DescribeRegions", secret="wrong")) == "AuthFailure"
    assert code(sigv2(lab, "DescribeRegions", key="AKIANOBODY")) == "AuthFailure"
    assert code(sigv2(lab, "DescribeRegions", Timestamp=now(minutes=20))) == "RequestExpired"
    assert code(send(lab, "GET", "/", "Action=DescribeRegions&Version=2016-11-15")) == "MissingAuthenticationToken"
    assert code(send(lab, "GET", "/", "")) in ("MissingAuthenticationToken", "MissingAction")


def test_what_is_wrong_with_a_query_has_a_name(lab):
    assert code(sigv2(lab, "DescribeNothing")) == "InvalidAction"
    assert code(sigv2(lab, "DescribeRegions", NoSuch="1")) == "UnknownParameter"
    assert code(sigv2(lab, "DescribeRegions", version="yesterday")) in ("InvalidParameterValue", "NoSuchVersion")


def test_old_clients_authorize_with_one_flat_rule(lab, ec2, group):
    name = ec2.describe_security_groups(GroupIds=[group("flat")])["SecurityGroups"][0]["GroupName"]
    rule = dict(GroupName=name, IpProtocol="tcp", FromPort="22", ToPort="22", CidrIp="192.0.2.0/24")
    assert "<return>true</return>" in sigv2(lab, "AuthorizeSecurityGroupIngress", **rule)[1]
    found = ec2.describe_security_groups(GroupNames=[name])["SecurityGroups"][0]["IpPermissions"]
    assert [(p["FromPort"], p["IpRanges"][0]["CidrIp"]) for p in found] == [(22, "192.0.2.0/24")]
    assert "<return>true</return>" in sigv2(lab, "RevokeSecurityGroupIngress", **rule)[1]
    assert ec2.describe_security_groups(GroupNames=[name])["SecurityGroups"][0]["IpPermissions"] == []


def curl(lab, *more, secret=None):
    user = f"{lab.env['AWS_ACCESS_KEY_ID']}:{secret or lab.env['AWS_SECRET_ACCESS_KEY']}"
    command = ["curl", "-s", "--aws-sigv4", "aws:amz:us-east-1:ec2", "--user", user, *more, lab.endpoint + "/"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout


def test_curl_signs_queries(lab):
    form = "Action=DescribeAddresses&Version=2016-11-15"
    assert "<addressesSet" in curl(lab, "--data", form)
    assert "<Code>SignatureDoesNotMatch</Code>" in curl(lab, "--data", form, secret="wrong")


def test_a_presigned_query_is_taken_until_it_expires(lab):
    def ask(expires, **changes):
        url = lab.client().generate_presigned_url("describe_regions", ExpiresIn=expires, HttpMethod="GET")
        for old, new in changes.items():
            url = url.replace(old, new)
        return send(lab, "GET", "/", url.split("?", 1)[1])

    assert ask(60)[0] == 200
    assert code(ask(60, DescribeRegions="DescribeImages")) == "SignatureDoesNotMatch"
    assert code(ask(1_000_000)) == "IncompleteSignature", "a week at most"
