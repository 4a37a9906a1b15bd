"""boto3's resources, and every waiter and paginator of what networks are made of, against a VPC of one's own."""

import json
import pathlib
import subprocess
import tempfile
import time

import boto3
import botocore.exceptions
import pytest

from conftest import ROOT, until

# The waiters whose action we have that need what a test here does not make, each with the reason.
ELSEWHERE = {
    "password_data_available": "Windows",
    "nat_gateway_available": "test_vpcs.py's packets",
    "nat_gateway_deleted": "test_vpcs.py's packets",
    "volume_available": "there are no volumes",
    "volume_in_use": "there are no volumes",
    "vpc_peering_connection_exists": "needs a peer",
    "vpc_peering_connection_deleted": "needs a peer",
}


@pytest.fixture(scope="module")
def resource(lab):
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    id_, secret = (lab.env[key] for key in keys)
    session = boto3.Session(id_, secret, region_name=lab.env["AWS_DEFAULT_REGION"])
    return session.resource("ec2", endpoint_url=lab.endpoint)


class Site:
    """A VPC with one public subnet and an instance there, all of it made with boto3's resources."""

    def __init__(self, resource, image):
        self.vpc = resource.create_vpc(CidrBlock="10.50.0.0/16")
        self.vpc.wait_until_exists()
        self.vpc.wait_until_available()
        self.gateway = resource.create_internet_gateway()
        self.vpc.attach_internet_gateway(InternetGatewayId=self.gateway.id)
        self.subnet = self.vpc.create_subnet(CidrBlock="10.50.1.0/24")
        self.table = self.vpc.create_route_table()
        self.association = self.table.associate_with_subnet(SubnetId=self.subnet.id)
        self.route = self.table.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway.id)
        self.acl = self.vpc.create_network_acl()
        for egress in (False, True):
            self.acl.create_entry(
                RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=egress, CidrBlock="0.0.0.0/0"
            )
        self.group = self.vpc.create_security_group(GroupName="boto3", Description="made by boto3")
        self.group.authorize_ingress(IpProtocol="icmp", FromPort=-1, ToPort=-1, CidrIp="0.0.0.0/0")
        self.interface = self.subnet.create_network_interface(Description="made by boto3", Groups=[self.group.id])
        (self.instance,) = self.subnet.create_instances(
            ImageId=image, MinCount=1, MaxCount=1, SecurityGroupIds=[self.group.id]
        )
        self.instance.wait_until_exists()
        self.instance.wait_until_running()
        self.attachment = self.interface.attach(InstanceId=self.instance.id, DeviceIndex=1)["AttachmentId"]

    def remove(self):
        self.instance.terminate()
        self.instance.wait_until_terminated()
        self.interface.delete()
        self.group.delete()
        self.association.delete()
        self.table.delete()
        self.subnet.delete()
        self.acl.delete()
        self.vpc.detach_internet_gateway(InternetGatewayId=self.gateway.id)
        self.gateway.delete()
        self.vpc.delete()


@pytest.fixture(scope="module")
def site(resource, lab):
    # Waiters poll first and then wait 15 s, which is Amazon's pace and not ours.
    sleep, time.sleep = time.sleep, lambda seconds: sleep(min(seconds, 0.2))
    try:
        site = Site(resource, lab.image)
        yield site
        site.remove()
    finally:
        time.sleep = sleep
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidVpcID.NotFound"):
        site.vpc.reload()


def test_a_vpc_lists_what_is_in_it(site):
    vpc = site.vpc
    assert (vpc.cidr_block, vpc.state, vpc.is_default) == ("10.50.0.0/16", "available", False)
    assert [one.id for one in vpc.subnets.all()] == [site.subnet.id]
    assert [one.id for one in vpc.internet_gateways.all()] == [site.gateway.id]
    assert [one.id for one in vpc.instances.all()] == [site.instance.id]
    assert site.table.id in [one.id for one in vpc.route_tables.all()]
    assert site.acl.id in [one.id for one in vpc.network_acls.all()]
    assert sorted(one.group_name for one in vpc.security_groups.all()) == ["boto3", "default"]
    assert site.interface.id in [one.id for one in vpc.network_interfaces.all()]
    assert vpc.describe_attribute(Attribute="enableDnsSupport")["EnableDnsSupport"] == {"Value": True}


def test_each_resource_leads_to_the_others(site):
    assert site.subnet.vpc == site.vpc and site.subnet.available_ip_address_count == 249
    assert [one.id for one in site.subnet.instances.all()] == [site.instance.id]
    site.table.reload()
    (association,) = site.table.associations
    assert site.table.vpc == site.vpc and association == site.association
    assert association.subnet == site.subnet and not association.main and association.route_table == site.table
    routes = {route.destination_cidr_block: route for route in site.table.routes}
    assert routes["0.0.0.0/0"].gateway_id == site.gateway.id and routes["0.0.0.0/0"].state == "active"
    assert routes["10.50.0.0/16"].origin == "CreateRouteTable"
    site.gateway.reload()
    assert site.gateway.attachments == [{"State": "available", "VpcId": site.vpc.id}]
    site.interface.reload()
    assert site.interface.subnet == site.subnet and site.interface.vpc == site.vpc
    assert site.interface.attachment["AttachmentId"] == site.attachment
    site.instance.reload()
    assert sorted(one.id for one in site.instance.network_interfaces) == sorted(
        one.id for one in site.vpc.network_interfaces.all()
    )
    assert site.instance.vpc == site.vpc and site.instance.subnet == site.subnet
    assert site.instance.image.id == site.instance.image_id and site.instance.image.state == "available"
    assert list(site.instance.volumes.all()) == [] or site.instance.root_device_type == "ebs"


def test_tags_are_made_and_deleted_through_resources(site):
    for made in (site.vpc, site.subnet, site.table, site.gateway, site.acl, site.group, site.interface, site.instance):
        made.create_tags(Tags=[{"Key": "Client", "Value": "boto3"}])
        made.reload()
        tags = made.tag_set if made is site.interface else made.tags
        assert {"Key": "Client", "Value": "boto3"} in tags, made
    site.vpc.create_tags(Tags=[{"Key": "Gone", "Value": "soon"}])
    (tag,) = [tag for tag in site.vpc.meta.client.describe_tags(
        Filters=[{"Name": "resource-id", "Values": [site.vpc.id]}, {"Name": "key", "Values": ["Gone"]}]
    )["Tags"]]
    assert tag["ResourceType"] == "vpc"
    site.vpc.meta.client.delete_tags(Resources=[site.vpc.id], Tags=[{"Key": "Gone"}])
    site.vpc.reload()
    assert site.vpc.tags == [{"Key": "Client", "Value": "boto3"}]


def test_a_network_acl_takes_a_subnet_over_and_its_entries_are_replaced(site):
    (before,) = [
        one["NetworkAclAssociationId"] for acl in site.vpc.network_acls.all() for one in acl.associations
        if one["SubnetId"] == site.subnet.id
    ]
    (default,) = [acl for acl in site.vpc.network_acls.all() if acl.is_default]
    after = site.acl.replace_association(AssociationId=before)["NewAssociationId"]
    site.acl.reload()
    assert [one["NetworkAclAssociationId"] for one in site.acl.associations] == [after] != [before]
    site.acl.replace_entry(
        RuleNumber=100, Protocol="6", RuleAction="deny", Egress=False, CidrBlock="192.0.2.0/24",
        PortRange={"From": 22, "To": 22},
    )
    site.acl.reload()
    (entry,) = [e for e in site.acl.entries if e["RuleNumber"] == 100 and not e["Egress"]]
    assert (entry["RuleAction"], entry["PortRange"]) == ("deny", {"From": 22, "To": 22})
    site.acl.delete_entry(RuleNumber=100, Egress=False)
    default.replace_association(AssociationId=after)


def test_an_interface_has_its_own_attributes(site):
    site.interface.modify_attribute(SourceDestCheck={"Value": False})
    described = site.interface.describe_attribute(Attribute="sourceDestCheck")
    assert described["SourceDestCheck"] == {"Value": False}
    site.interface.assign_private_ip_addresses(SecondaryPrivateIpAddressCount=2)
    site.interface.reload()
    secondary = [one["PrivateIpAddress"] for one in site.interface.private_ip_addresses if not one["Primary"]]
    assert len(secondary) == 2 and not site.interface.source_dest_check
    site.interface.unassign_private_ip_addresses(PrivateIpAddresses=secondary)
    site.interface.reset_attribute(SourceDestCheck="true")


def test_an_elastic_address_is_one_through_resources(site, resource):
    made = resource.meta.client.allocate_address(Domain="vpc")
    address = resource.VpcAddress(made["AllocationId"])
    (interface,) = [one for one in site.instance.network_interfaces if one.attachment["DeviceIndex"] == 0]
    address.associate(NetworkInterfaceId=interface.id)
    address.reload()
    assert address.public_ip == made["PublicIp"] and address.instance_id == site.instance.id
    interface.reload()
    assert interface.association_attribute["PublicIp"] == made["PublicIp"]
    interface.association.delete()
    address.reload()
    assert address.association_id is None
    address.release()


KNOWN = {path.stem for path in (ROOT / "api-spec").glob("[A-Z]*.toml")}


def test_every_waiter_of_what_there_is_comes_to_its_end(site, resource):
    """A waiter whose action answers another state than EC2's waits for ever."""
    client = resource.meta.client
    asked = {
        "DescribeVpcs": {"VpcIds": [site.vpc.id]},
        "DescribeSubnets": {"SubnetIds": [site.subnet.id]},
        "DescribeInternetGateways": {"InternetGatewayIds": [site.gateway.id]},
        "DescribeSecurityGroups": {"GroupIds": [site.group.id]},
        "DescribeImages": {"ImageIds": [site.instance.image_id]},
        "DescribeInstances": {"InstanceIds": [site.instance.id]},
        "DescribeInstanceStatus": {"InstanceIds": [site.instance.id]},
    }
    spare = site.subnet.create_network_interface()
    asked["DescribeNetworkInterfaces"] = {"NetworkInterfaceIds": [spare.id]}
    client.create_key_pair(KeyName="boto3-waiter")
    asked["DescribeKeyPairs"] = {"KeyNames": ["boto3-waiter"]}
    asked["DescribeVolumes"] = {"VolumeIds": ["vol-0123456789abcdef0"]}
    waited = set()
    for name in client.waiter_names:
        waiter = client.get_waiter(name)
        action = waiter.config.operation
        if action not in KNOWN or name in ELSEWHERE or name in ("instance_stopped", "instance_terminated"):
            continue
        waiter.wait(**asked[action], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        waited.add(name)
    assert {"vpc_available", "subnet_available", "network_interface_available", "internet_gateway_exists"} <= waited
    spare.delete()
    client.delete_key_pair(KeyName="boto3-waiter")
    site.instance.stop()
    site.instance.wait_until_stopped()
    site.instance.start()
    site.instance.wait_until_running()


# Without a MaxResults of EC2's own there is nothing to page with.
WITHOUT_PAGES = {"describe_addresses"}
# What must be given to ask at all.
REQUIRED = {
    "describe_stale_security_groups": lambda site: {"VpcId": site.vpc.id},
    "get_security_groups_for_vpc": lambda site: {"VpcId": site.vpc.id},
    "describe_launch_template_versions": lambda site: {"Versions": ["$Latest"]},
}


@pytest.fixture
def blocks(resource):
    """A prefix list with some entries."""
    client = resource.meta.client
    entries = [{"Cidr": f"198.51.100.{n}/32"} for n in range(7)]
    made = client.create_managed_prefix_list(PrefixListName="paged", AddressFamily="IPv4", MaxEntries=9, Entries=entries)
    id = made["PrefixList"]["PrefixListId"]
    yield id
    client.delete_managed_prefix_list(PrefixListId=id)


def test_every_paginator_walks_through_all_that_there_is(site, resource, blocks):
    """Small pages hold together what one answer has, each once."""
    client = resource.meta.client
    walked = set()
    for path in sorted((ROOT / "api-spec").glob("[DG]*.toml")):
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in path.stem)[1:]
        if not hasattr(client, name) or not client.can_paginate(name) or name in WITHOUT_PAGES:
            continue
        more = {"PrefixListId": blocks} if name.startswith("get_managed_") else REQUIRED.get(name, lambda _: {})(site)
        paginator = client.get_paginator(name)
        (field,) = [key.expression for key in paginator.result_keys]
        whole = [one for shown in paginator.paginate(**more) for one in shown[field]]
        # The smallest pages that EC2 lets one ask for, save where there are hundreds of types.
        floor = max(5 if "min = 5" in path.read_text() else 1, min(len(whole) // 8, 100))
        pages = list(paginator.paginate(**more, PaginationConfig={"PageSize": floor}))
        cut = [one for shown in pages for one in shown[field]]
        assert len(cut) == len(whole) and all(one in whole for one in cut), name
        assert all(len(shown[field]) <= floor for shown in pages), name
        walked.add(name)
    assert {"describe_vpcs", "describe_subnets", "describe_route_tables", "describe_network_acls",
            "describe_internet_gateways", "describe_network_interfaces", "describe_dhcp_options",
            "get_managed_prefix_list_entries"} <= walked


def readme(heading):
    """The commands of one section of README.md, as a reader would type them."""
    text = (ROOT / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return text.split("```")[1].partition("\n")[2]


def test_the_readmes_vpc_is_made_as_it_is_written(lab, ec2):
    script = readme("VPCs of your own")
    assert "create-vpc" in script and "run-instances" in script
    script += "\necho made $vpc $subnet $gateway $table\n"
    run = subprocess.run(
        ["bash", "-e", "-c", script], capture_output=True, text=True, timeout=120,
        env={**lab.env, "PATH": f"{ROOT}/.venv/bin:/usr/bin:/bin", "AWS_PAGER": "", "HOME": "/nonexistent"},
    )
    assert run.returncode == 0, run.stderr
    vpc, subnet, gateway, table = run.stdout.rsplit("made ", 1)[1].split()
    (reservation,) = ec2.describe_instances(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Reservations"]
    (instance,) = reservation["Instances"]
    # "and by nothing else": with an address it is reached once its group lets in.
    address = ec2.allocate_address()
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance["InstanceId"])
    group = instance["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="icmp", FromPort=-1, ToPort=-1, CidrIp="0.0.0.0/0")
    until(lambda: lab.exec("internet", "ping", "-c1", "-W1", address["PublicIp"]).returncode == 0, 30)
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1})
    ec2.release_address(AllocationId=address["AllocationId"])
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_aws_cli_waits_for_what_there_is_and_walks_through_pages(lab, site):
    """Each in one command: a call takes the client most of a second."""
    types = "aws ec2 describe-instance-types --filters 'Name=instance-type,Values=t3*' --page-size 5"
    script = f"""
        aws ec2 wait vpc-available --vpc-ids {site.vpc.id}
        aws ec2 wait instance-running --instance-ids {site.instance.id}
        {types} --max-items 6 --query '[InstanceTypes[].InstanceType,NextToken]' > first
        {types} --query 'InstanceTypes[].InstanceType' > second \
            --starting-token "$(python3 -c 'import json; print(json.load(open("first"))[1])')"
        {types} --query 'InstanceTypes[].InstanceType' > whole
    """
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["bash", "-e", "-c", script], capture_output=True, text=True, timeout=120, cwd=folder,
            env={**lab.env, "PATH": f"{ROOT}/.venv/bin:/usr/bin:/bin", "AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json", "HOME": folder},
        )
        assert run.returncode == 0, run.stderr
        (first, _), second, whole = (json.loads((pathlib.Path(folder) / name).read_text()) for name in ("first", "second", "whole"))
    assert len(first) == 6 and first + second == whole and len(set(whole)) == len(whole) > 6
