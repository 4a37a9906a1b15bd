#!/usr/bin/env python3
"""Makes botocore.json: requests as botocore really signs them, at a fixed time.

Run `python3 make.py > botocore.json` after `pip install botocore` (any version since 2023).
The keys are the ones of AWS's documentation.
"""

import base64
import datetime
import hashlib
import hmac
import json
import sys
import time
from unittest import mock
from urllib.parse import quote, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.session
from botocore.config import Config

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2026, 11, 23, 8, 30, 0)


def client(service, endpoint, region, signature):
    config = Config(signature_version=signature, parameter_validation=False, retries={"max_attempts": 1})
    return botocore.session.get_session().create_client(
        service, region_name=region, endpoint_url=endpoint, config=config,
        aws_access_key_id=KEY, aws_secret_access_key=SECRET)


def as_case(name, method, url, headers, body):
    parts = urlsplit(url)
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in headers.items()}
    headers.setdefault("host", parts.netloc)
    body = body.decode() if isinstance(body, bytes) else (body or "")
    return {"name": name, "method": method, "path": parts.path, "query": parts.query,
            "headers": headers, "body": body}


def sent(name, service, endpoint, region, signature, operation, arguments):
    made = client(service, endpoint, region, signature)
    caught = []

    def catch(request, **_):
        caught.append(as_case(name, request.method, request.url, request.headers, request.body))
        raise StopIteration  # nothing is sent

    made.meta.events.register("before-send", catch)
    try:
        getattr(made, operation)(**arguments)
    except StopIteration:
        pass
    return caught[0]


def presigned(name, method, endpoint, expires):
    url = client("ec2", endpoint, "us-east-1", "v4").generate_presigned_url(
        "describe_addresses", Params={"Filters": [{"Name": "tag:a b", "Values": ["c+d/ü"]}]}, ExpiresIn=expires,
        HttpMethod=method)
    return as_case(name, method, url, {}, "")


def v2(name, method, host, path, algorithm, timed, parameters):
    """SigV2 written out, for what botocore does not sign: GET, HmacSHA1, Expires."""
    pairs = dict(parameters, AWSAccessKeyId=KEY, SignatureVersion="2", SignatureMethod=algorithm, **timed)
    canonical = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(pairs.items()))
    string = f"{method}\n{host}\n{path}\n{canonical}"
    digest = {"HmacSHA1": hashlib.sha1, "HmacSHA256": hashlib.sha256}[algorithm]
    signature = base64.b64encode(hmac.new(SECRET.encode(), string.encode(), digest).digest()).decode()
    form = f"{canonical}&Signature={quote(signature, safe='')}"
    headers = {"host": host}
    if method == "GET":
        return as_case(name, method, f"http://{host}{path}?{form}", headers, "")
    headers["content-type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    return as_case(name, method, f"http://{host}{path}", headers, form)


def cases():
    local, cloud = "http://127.0.0.1:8773", "https://ec2.example.com/services/Cloud/"
    filters = {"Filters": [{"Name": "tag:Näme", "Values": ["a b", "c+d&e=f", "~*'()%"]}]}
    rule = {"GroupId": "sg-0123456789abcdef0", "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
    yield sent("v4 post", "ec2", local, "us-east-1", "v4", "describe_addresses", {})
    yield sent("v4 post unicode", "ec2", local, "eu-west-1", "v4", "describe_addresses", filters)
    yield sent("v4 post path", "ec2", cloud, "us-east-1", "v4", "authorize_security_group_ingress", rule)
    yield sent("v4 sts", "sts", local, "us-east-1", "v4", "get_caller_identity", {})
    yield sent("v2 post", "ec2", local, "us-east-1", "v2", "describe_addresses", filters)
    yield sent("v2 post path", "ec2", cloud, "us-east-1", "v2", "authorize_security_group_ingress", rule)
    yield presigned("presigned", "GET", local, 3600)
    yield presigned("presigned path", "GET", cloud, 604800)
    # botocore's default: the action's own method, with everything in the query.
    yield presigned("presigned post", "POST", local, 60)
    action = {"Action": "DescribeAddresses", "Version": "2010-08-31", "PublicIp.1": "192.0.2.1", "Filter.1.Value.1": "a b~*"}
    stamp = {"Timestamp": "2026-11-23T08:30:00"}
    yield v2("v2 get", "GET", "localhost:8773", "/services/Cloud", "HmacSHA256", stamp, action)
    yield v2("v2 get sha1", "GET", "localhost", "/", "HmacSHA1", {"Timestamp": "2026-11-23T08:30:00.000Z"}, action)
    yield v2("v2 post sha1", "POST", "localhost:8773", "/services/Cloud/", "HmacSHA1", stamp, action)
    yield v2("v2 get expires", "GET", "localhost:8773", "/", "HmacSHA256", {"Expires": "2026-11-23T09:30:00Z"}, action)


with mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW), \
        mock.patch.object(time, "gmtime", lambda *a: NOW.timetuple()):
    out = [dict(case) for case in cases()]
# The rest of botocore's own headers is noise; those that are signed stay.
NOISE = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "accept-encoding", "content-length"}
for case in out:
    signed = case["headers"].get("authorization", "")
    case["headers"] = {k: v for k, v in case["headers"].items() if k not in NOISE or k in signed}
json.dump(out, sys.stdout, indent=1, ensure_ascii=False)
print()
