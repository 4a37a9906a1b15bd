"""A lab of its own for each run of the clients' tests, made through the same commands that a user has."""

import base64
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOGBANK = os.environ.get("FOGBANK", str(ROOT / "target" / "debug" / "fogbank"))
LAB = f"t{os.getpid()}"

# Serves a page that says who it is, on tcp/80 and tcp/8080.
USER_DATA = """#!/bin/sh
mkdir -p /srv/www
hostname > /srv/www/index.html
httpd -p 80 -h /srv/www
httpd -p 8080 -h /srv/www
echo user-data done
"""


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: its gaps are measured, so nothing else may run beside it")


def until(condition, seconds=60.0, every=0.05):
    """Waits until the condition is true, and returns what it gave; fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {condition}")
        time.sleep(every)


class Lab:
    """A running lab: its endpoint, its credentials, and commands inside it."""

    # Where the operator's socket is.
    server = "host1"
    # What its processes are told beside the test's own environment.
    environment = {}

    def __init__(self, name=LAB, *options):
        self.name = name
        self.lab("up", "--port", "0", "--detach", *options)
        text = self.lab("env")
        self.env = dict(re.findall(r"export (\w+)='?([^'\n]*)'?", text))
        self.endpoint = self.env["AWS_ENDPOINT_URL"]
        self.image = self.env["FOGBANK_IMAGE"]

    def lab(self, verb, *words, **environment):
        """Runs one of the lab's own subcommands; what it starts has its environment."""
        command = [FOGBANK, "lab", verb, "--name", self.name, *words]
        told = {**os.environ, **self.environment, **environment}
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120, env=told).stdout

    def client(self, service="ec2", **more):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=30)
        settings = dict(
            endpoint_url=self.endpoint,
            region_name=self.env["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=config,
        )
        settings.update(more)
        return boto3.client(service, **settings)

    def exec(self, where, *command, timeout=30):
        """Runs a command in `internet`, a host or an instance."""
        return subprocess.run(
            [FOGBANK, "lab", "exec", "--name", self.name, where, "--", *command], capture_output=True, text=True, timeout=timeout
        )

    @contextlib.contextmanager
    def background(self, where, *command):
        """Runs a command beside the test, and ends it with the block."""
        arguments = [FOGBANK, "lab", "exec", "--name", self.name, where, "--", *command]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def operator(self, *words):
        """Runs an operator's subcommand on the lab's running server."""
        state = f"/run/fogbank-lab/{self.name}/{self.server}/state"
        reply = subprocess.run([FOGBANK, "--json", "--state-dir", state, *words], check=True, capture_output=True, timeout=30)
        return json.loads(reply.stdout)

    def other_account(self, service="ec2"):
        """A client of an account that was made just now."""
        account = self.operator("account", "create", "--name", f"other-{time.monotonic_ns()}")["id"]
        key = self.operator("key", "create", "--account", account)
        return self.client(service, aws_access_key_id=key["id"], aws_secret_access_key=key["secret"])

    def down(self):
        self.lab("down")


@pytest.fixture(scope="session")
def lab():
    lab = Lab()
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def ec2(lab):
    return lab.client()


@pytest.fixture(scope="session")
def launch(lab, ec2):
    """Starts instances and waits until their user-data has run."""
    made = []

    def launch(groups=None, user_data=USER_DATA, **more):
        if groups is not None:
            more["SecurityGroupIds"] = groups
        reply = ec2.run_instances(ImageId=lab.image, MinCount=1, MaxCount=1, UserData=user_data, **more)
        instance = reply["Instances"][0]["InstanceId"]
        made.append(instance)
        until(lambda: "user-data done" in console(ec2, instance), 40)
        return describe(ec2, instance)

    yield launch
    if made:
        ec2.terminate_instances(InstanceIds=made)


def console(ec2, instance):
    # botocore decodes the base64 of GetConsoleOutput itself.
    return ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")


def describe(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


@pytest.fixture
def group(ec2):
    """Makes security groups, and deletes them when nothing uses them any more."""
    made = []

    def make(name):
        made.append(ec2.create_security_group(GroupName=f"{name}-{len(made)}-{time.monotonic_ns()}", Description="test")["GroupId"])
        return made[-1]

    yield make
    for group in made:
        try:
            ec2.delete_security_group(GroupId=group)
        except botocore.exceptions.ClientError:
            pass


def refused(code, call, **arguments):
    """Asserts that the call is refused with this code, and returns the error's message."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def page(lab, where, address, port=80, seconds=2):
    """What a web client there gets, or None when nothing answers in time."""
    reply = lab.exec(where, "timeout", str(seconds), "busybox", "wget", "-q", "-O", "-", f"http://{address}:{port}/")
    return reply.stdout.strip() if reply.returncode == 0 else None


def b64(text):
    return base64.b64encode(text.encode()).decode()
