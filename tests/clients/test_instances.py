"""What clients ask of instances beside their lives: attributes, metadata options, templates, images, types, volumes."""

import pytest

from conftest import USER_DATA, b64, describe, refused, until

OWN_ID = ["busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data/instance-id"]


@pytest.fixture(scope="module")
def one(launch):
    """An instance that all tests here ask about; the last one stops it."""
    return launch()["InstanceId"]


def attribute(ec2, instance, name):
    return ec2.describe_instance_attribute(InstanceId=instance, Attribute=name)


def test_the_metadata_service_obeys_what_is_changed_while_an_instance_runs(lab, ec2, one):
    assert lab.exec(one, *OWN_ID).stdout.strip() == one
    ec2.modify_instance_metadata_options(InstanceId=one, HttpTokens="required")
    until(lambda: lab.exec(one, *OWN_ID).returncode != 0)
    shown = describe(ec2, one)
    assert (shown["MetadataOptions"]["HttpTokens"], shown["MetadataOptions"]["State"]) == ("required", "applied")
    ec2.modify_instance_metadata_options(InstanceId=one, HttpTokens="optional")
    until(lambda: lab.exec(one, *OWN_ID).stdout.strip() == one)


def test_groups_of_an_instance_are_changed_and_told(ec2, one, group):
    web = group("instance-groups")
    ec2.modify_instance_attribute(InstanceId=one, Groups=[web])
    shown = describe(ec2, one)
    assert [g["GroupId"] for g in shown["SecurityGroups"]] == [web]
    assert [g["GroupId"] for g in attribute(ec2, one, "groupSet")["Groups"]] == [web]


def test_an_instance_is_launched_from_a_template(ec2, lab):
    image = lab.env["FOGBANK_IMAGE"]
    data = {
        "ImageId": image,
        "InstanceType": "t3.micro",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "templated"}]}],
    }
    template = ec2.create_launch_template(LaunchTemplateName="clients", LaunchTemplateData=data)["LaunchTemplate"]
    try:
        version = ec2.create_launch_template_version(
            LaunchTemplateName="clients", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.nano"}
        )["LaunchTemplateVersion"]
        assert (version["VersionNumber"], version["LaunchTemplateData"]["ImageId"]) == (2, image)
        pages = ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateName="clients", PaginationConfig={"PageSize": 1}
        )
        assert [v["VersionNumber"] for page in pages for v in page["LaunchTemplateVersions"]] == [2, 1]
        (made,) = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "$Latest"}, MinCount=1, MaxCount=1
        )["Instances"]
        tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
        assert made["InstanceType"] == "t3.nano"
        assert tags["Name"] == "templated" and tags["aws:ec2launchtemplate:id"] == template["LaunchTemplateId"]
        ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    finally:
        ec2.delete_launch_template(LaunchTemplateName="clients")
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=["clients"])


def test_an_image_of_ones_own_is_launched_and_deregistered(ec2, lab):
    (stock,) = ec2.describe_images(ImageIds=[lab.env["FOGBANK_IMAGE"]])["Images"]
    refused("InvalidManifest", ec2.register_image, Name="etc", ImageLocation="/etc")
    own = ec2.register_image(Name="clients' own", ImageLocation=stock["ImageLocation"])["ImageId"]
    (shown,) = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["clients' own"]}])["Images"]
    assert (shown["ImageId"], shown["Public"]) == (own, False)
    ec2.get_waiter("image_available").wait(ImageIds=[own])
    (made,) = ec2.run_instances(ImageId=own, MinCount=1, MaxCount=1)["Instances"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    ec2.deregister_image(ImageId=own)
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[own])
    # Its disk was begun on the image that is gone.
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    ec2.start_instances(InstanceIds=[made["InstanceId"]])
    ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


@pytest.mark.parametrize("paginator, field, filters", [
    ("describe_instance_types", "InstanceTypes", {"Name": "current-generation", "Values": ["true"]}),
    ("describe_instance_type_offerings", "InstanceTypeOfferings", {"Name": "instance-type", "Values": ["m*"]}),
])
def test_types_are_walked_through(ec2, paginator, field, filters):
    pages = ec2.get_paginator(paginator).paginate(Filters=[filters], PaginationConfig={"PageSize": 100})
    names = [one["InstanceType"] for page in pages for one in page[field]]
    assert len(names) > 100 and len(set(names)) == len(names) and "m5.large" in names


def test_there_are_no_volumes_and_nobody_says_otherwise(ec2, one):
    attached = [{"Name": "attachment.instance-id", "Values": [one]}]
    assert ec2.describe_volumes(Filters=attached)["Volumes"] == []
    refused("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=["vol-0123456789abcdef0"])
    shown = describe(ec2, one)
    assert (shown["RootDeviceType"], shown["BlockDeviceMappings"]) == ("instance-store", [])


def test_nobody_monitors_and_classic_links_nothing(ec2, one):
    refused("UnsupportedOperation", ec2.monitor_instances, InstanceIds=[one])
    (told,) = ec2.unmonitor_instances(InstanceIds=[one])["InstanceMonitorings"]
    assert told["Monitoring"]["State"] == "disabled"
    assert all(not vpc["ClassicLinkEnabled"] for vpc in ec2.describe_vpc_classic_link()["Vpcs"])
    assert all(not vpc["ClassicLinkDnsSupported"] for vpc in ec2.describe_vpc_classic_link_dns_support()["Vpcs"])


def test_attributes_are_what_terraform_reads_and_writes(ec2, one):
    assert attribute(ec2, one, "disableApiTermination")["DisableApiTermination"] == {"Value": False}
    behavior = attribute(ec2, one, "instanceInitiatedShutdownBehavior")
    assert behavior["InstanceInitiatedShutdownBehavior"] == {"Value": "stop"}
    assert attribute(ec2, one, "userData")["UserData"] == {"Value": b64(USER_DATA)}
    ec2.modify_instance_attribute(InstanceId=one, DisableApiStop={"Value": True})
    refused("OperationNotPermitted", ec2.stop_instances, InstanceIds=[one])
    ec2.modify_instance_attribute(InstanceId=one, DisableApiStop={"Value": False})
    assert attribute(ec2, one, "disableApiStop")["DisableApiStop"] == {"Value": False}
    refused("IncorrectInstanceState", ec2.modify_instance_attribute, InstanceId=one, InstanceType={"Value": "m5.large"})
    ec2.stop_instances(InstanceIds=[one])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[one], WaiterConfig={"Delay": 1})
    ec2.modify_instance_attribute(InstanceId=one, InstanceType={"Value": "m5.large"})
    ec2.modify_instance_attribute(InstanceId=one, UserData={"Value": b"#!/bin/sh\n"})
    assert attribute(ec2, one, "instanceType")["InstanceType"] == {"Value": "m5.large"}
    assert attribute(ec2, one, "userData")["UserData"] == {"Value": b64("#!/bin/sh\n")}
    ec2.modify_instance_attribute(InstanceId=one, UserData={"Value": b""})
    assert attribute(ec2, one, "userData")["UserData"] == {}
