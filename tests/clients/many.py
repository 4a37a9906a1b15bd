"""A lab of several hosts and servers on Postgres."""

import os
import subprocess

import botocore.exceptions

from conftest import USER_DATA, Lab, console, describe, until

EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


class Many(Lab):
    """Three hosts, two servers, one database; an instance and an elastic address for who asks."""

    server = "server1"

    def __init__(self, role, hosts=3):
        super().__init__(f"{role}{os.getpid()}", "--hosts", str(hosts), "--servers", "2", "--store", "postgres")
        self.endpoints = self.env["FOGBANK_ENDPOINTS"].split()
        self.ec2 = self.client()
        self.group = self.ec2.create_security_group(GroupName="open", Description="open")["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=EVERYTHING)

    def at(self, server, **more):
        """A client of one server, counted from 0."""
        return self.client(endpoint_url=self.endpoints[server], **more)

    def namespace(self, place):
        return f"fb-{self.name}-{place}"

    def start(self, host, group=None):
        """Asks for an instance on a host, in the group that lets everybody in unless another is named."""
        placement = {"Tenancy": "host", "HostId": host}
        reply = self.ec2.run_instances(
            ImageId=self.image, MinCount=1, MaxCount=1, UserData=USER_DATA, Placement=placement,
            SecurityGroupIds=[group or self.group],
        )
        return reply["Instances"][0]["InstanceId"]

    def launch(self, *hosts):
        """Instances that run, one on each of the hosts."""
        return [self.started(instance) for instance in [self.start(host) for host in hosts]]

    def started(self, instance):
        until(lambda: "user-data done" in console(self.ec2, instance), 40)
        return describe(self.ec2, instance)

    def address(self):
        reply = self.ec2.allocate_address(Domain="vpc")
        return reply["AllocationId"], reply["PublicIp"]

    def move(self, address, instance, client=None):
        """Associates an elastic address; what the server says of the hosts that this concerns."""
        reply = (client or self.ec2).associate_address(
            AllocationId=address[0], InstanceId=instance["InstanceId"], AllowReassociation=True
        )
        return reply["ResponseMetadata"]["HTTPHeaders"].get("x-fogbank-applied", "")

    def hosts(self, server="server1"):
        """The operator's list of hosts, by name."""
        before, self.server = self.server, server
        try:
            return {row["name"]: row for row in self.operator("host", "list")}
        finally:
            self.server = before

    def settle(self, *without):
        """Waits until every host has applied everything and complains of nothing."""

        unsettled = ["nothing was heard of the hosts"]

        def settled():
            try:
                rows = [row for name, row in self.hosts().items() if name not in without]
            except subprocess.CalledProcessError:
                # While the database is away.
                return False
            # That another one had announced an address of its own a host says for a while after.
            real = lambda row: [failure for failure in row["failures"] if "announced it too" not in failure["message"]]
            unsettled[:] = [row for row in rows if row["lag"] or real(row)]
            return not unsettled

        try:
            until(settled, 90)
        except AssertionError as error:
            raise AssertionError(f"{error}: {unsettled}") from None
        for server in (0, 1):
            until(lambda: self.answers(server))

    def answers(self, server):
        try:
            return self.at(server).describe_addresses()
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "ServiceUnavailable", error
            return None

    def public_mac(self, host):
        return self.exec(host, "cat", "/sys/class/net/public0/address").stdout.strip()
