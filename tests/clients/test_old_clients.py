"""Clients of other makes and times, as they are: apache-libcloud with SigV2, and boto 2 with SigV4."""

import urllib.parse

import pytest
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

from conftest import until

ANYBODY = "0.0.0.0/0"


@pytest.fixture(scope="module")
def keys(lab):
    return lab.env["AWS_ACCESS_KEY_ID"], lab.env["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(scope="module")
def place(lab):
    return urllib.parse.urlsplit(lab.endpoint)


@pytest.fixture(scope="module", params=["2", "4"])
def driver(request, keys, place):
    made = get_driver(Provider.EC2)
    return made(
        *keys, region="us-east-1", host=place.hostname, port=place.port, secure=False, signature_version=request.param
    )


@pytest.fixture(scope="module")
def vpcs(keys, place):
    # It has an importer that Python 3.12 no longer knows.
    boto = pytest.importorskip("boto.vpc", exc_type=ImportError)
    regioninfo = pytest.importorskip("boto.ec2.regioninfo", exc_type=ImportError)
    region = regioninfo.RegionInfo(name="us-east-1", endpoint=place.hostname)
    return boto.VPCConnection(*keys, is_secure=False, port=place.port, region=region)


def test_libcloud_makes_a_network_with_a_node_and_takes_it_away(driver, lab, ec2):
    network = driver.ex_create_network("10.60.0.0/16", name="libcloud")
    assert network.id in [one.id for one in driver.ex_list_networks(filters={"cidr": "10.60.0.0/16"})]
    (zone, *_) = driver.ex_list_availability_zones()
    subnet = driver.ex_create_subnet(network.id, "10.60.1.0/24", zone.name, name="libcloud")
    assert [one.id for one in driver.ex_list_subnets(filters={"vpc-id": network.id})] == [subnet.id]
    gateway = driver.ex_create_internet_gateway(name="libcloud")
    assert driver.ex_attach_internet_gateway(gateway, network)
    (seen,) = driver.ex_list_internet_gateways(filters={"attachment.vpc-id": network.id})
    assert (seen.id, seen.vpc_id, seen.state) == (gateway.id, network.id, "available")
    table = driver.ex_create_route_table(network, name="libcloud")
    association = driver.ex_associate_route_table(table, subnet)
    assert driver.ex_create_route(table, ANYBODY, internet_gateway=gateway)
    (seen,) = driver.ex_list_route_tables(route_table_ids=[table.id])
    assert {(route.cidr, route.gateway_id, route.state) for route in seen.routes} == {
        ("10.60.0.0/16", "local", "active"), (ANYBODY, gateway.id, "active"),
    }
    assert [one.subnet_id for one in seen.subnet_associations] == [subnet.id]
    group = driver.ex_create_security_group("libcloud", "made by libcloud", vpc_id=network.id)["group_id"]
    assert driver.ex_authorize_security_group_ingress(group, -1, -1, cidr_ips=[ANYBODY], protocol="icmp")
    (seen,) = driver.ex_get_security_groups(group_ids=[group])
    assert seen.ingress_rules[0]["cidr_ips"] == [ANYBODY]

    (image,) = driver.list_images(ex_image_ids=[lab.image])
    size = next(one for one in driver.list_sizes() if one.id == "t3.micro")
    node = driver.create_node(
        name="libcloud", image=image, size=size, ex_subnet=subnet, ex_security_group_ids=[group],
        ex_metadata={"Client": "libcloud"},
    )
    ((node, addresses),) = driver.wait_until_running([node], wait_period=0.2, ssh_interface="private_ips")
    assert addresses[0].startswith("10.60.1.") and node.extra["subnet_id"] == subnet.id
    assert node.extra["tags"]["Client"] == "libcloud" and node.extra["vpc_id"] == network.id
    interface = driver.ex_create_network_interface(subnet, name="libcloud", description="second")
    attachment = driver.ex_attach_network_interface_to_node(interface, node, 1)
    assert interface.id in [one.id for one in driver.ex_list_network_interfaces()]
    address = driver.ex_allocate_address(domain="vpc")
    first = driver.list_nodes(ex_node_ids=[node.id])[0].extra["network_interfaces"]
    assert len(first) == 2
    assert address.ip in [one.ip for one in driver.ex_describe_all_addresses()]
    assert driver.ex_detach_network_interface(attachment, force=True)
    assert driver.ex_associate_address_with_node(node, address, domain="vpc")
    assert driver.ex_describe_addresses_for_node(node) == [address.ip]
    until(lambda: lab.exec("internet", "ping", "-c1", "-W1", address.ip).returncode == 0, 60)

    held = next(one for one in driver.ex_describe_all_addresses() if one.ip == address.ip)
    assert driver.ex_disassociate_address(held, domain="vpc") and driver.ex_release_address(held, domain="vpc")
    assert driver.ex_delete_network_interface(interface) and driver.destroy_node(node)
    until(lambda: driver.list_nodes(ex_filters={"instance-id": node.id, "instance-state-name": "terminated"}))
    assert driver.ex_delete_security_group_by_id(group)
    assert driver.ex_delete_route(table, ANYBODY) and driver.ex_dissociate_route_table(association)
    assert driver.ex_delete_route_table(table) and driver.ex_detach_internet_gateway(gateway, network)
    assert driver.ex_delete_internet_gateway(gateway) and driver.ex_delete_subnet(subnet)
    assert driver.ex_delete_network(network) and driver.ex_list_networks(filters={"cidr": "10.60.0.0/16"}) == []


def test_boto_2_makes_a_vpc_and_takes_it_away(vpcs, lab):
    vpc = vpcs.create_vpc("10.61.0.0/16")
    assert vpcs.modify_vpc_attribute(vpc.id, enable_dns_hostnames=True)
    assert vpcs.describe_vpc_attribute(vpc.id, attribute="enableDnsHostnames").enable_dns_hostnames
    options = vpcs.create_dhcp_options(domain_name="boto.internal", domain_name_servers=["AmazonProvidedDNS"])
    assert vpcs.associate_dhcp_options(options.id, vpc.id)
    (seen,) = vpcs.get_all_vpcs([vpc.id])
    assert (seen.state, seen.cidr_block, seen.dhcp_options_id) == ("available", "10.61.0.0/16", options.id)
    (seen,) = vpcs.get_all_dhcp_options([options.id])
    assert seen.options["domain-name"] == ["boto.internal"]
    subnet = vpcs.create_subnet(vpc.id, "10.61.1.0/24")
    (seen,) = vpcs.get_all_subnets(filters={"vpc-id": vpc.id})
    assert (seen.id, seen.available_ip_address_count, seen.state) == (subnet.id, 251, "available")
    gateway = vpcs.create_internet_gateway()
    assert vpcs.attach_internet_gateway(gateway.id, vpc.id)
    assert vpcs.get_all_internet_gateways(filters={"attachment.vpc-id": vpc.id})[0].attachments[0].state == "available"
    table = vpcs.create_route_table(vpc.id)
    association = vpcs.associate_route_table(table.id, subnet.id)
    assert vpcs.create_route(table.id, ANYBODY, gateway_id=gateway.id)
    (seen,) = vpcs.get_all_route_tables([table.id])
    assert {(route.destination_cidr_block, route.gateway_id) for route in seen.routes} == {
        ("10.61.0.0/16", "local"), (ANYBODY, gateway.id),
    }
    assert seen.associations[0].subnet_id == subnet.id
    acl = vpcs.create_network_acl(vpc.id)
    assert vpcs.create_network_acl_entry(acl.id, 100, 6, "allow", ANYBODY, egress=False, port_range_from=80, port_range_to=80)
    assert vpcs.associate_network_acl(acl.id, subnet.id)
    (seen,) = vpcs.get_all_network_acls([acl.id])
    entry = next(entry for entry in seen.network_acl_entries if entry.rule_number == "100")
    assert (entry.rule_action, entry.port_range.from_port, entry.egress) == ("allow", "80", "false")
    assert [one.subnet_id for one in seen.associations] == [subnet.id]
    assert vpcs.disassociate_network_acl(subnet.id)

    group = vpcs.create_security_group("boto", "made by boto", vpc_id=vpc.id)
    assert group.authorize("tcp", 22, 22, ANYBODY)
    interface = vpcs.create_network_interface(subnet.id, description="second", groups=[group.id])
    instance = vpcs.run_instances(
        lab.image, subnet_id=subnet.id, security_group_ids=[group.id], instance_type="t3.micro"
    ).instances[0]
    until(lambda: instance.update() == "running")
    assert (instance.vpc_id, instance.subnet_id) == (vpc.id, subnet.id)
    assert vpcs.attach_network_interface(interface.id, instance.id, 1)
    (seen,) = vpcs.get_all_network_interfaces([interface.id])
    assert seen.attachment.instance_id == instance.id and seen.groups[0].id == group.id
    assert vpcs.detach_network_interface(seen.attachment.id, force=True)
    address = vpcs.allocate_address(domain="vpc")
    assert vpcs.associate_address(instance.id, allocation_id=address.allocation_id)
    (seen,) = vpcs.get_all_addresses(filters={"instance-id": instance.id})
    assert seen.public_ip == address.public_ip
    assert vpcs.disassociate_address(association_id=seen.association_id)
    assert vpcs.release_address(allocation_id=address.allocation_id)

    instance.terminate()
    until(lambda: instance.update() == "terminated")
    assert interface.delete() and group.delete() and vpcs.delete_network_acl(acl.id)
    assert vpcs.disassociate_route_table(association) and vpcs.delete_route_table(table.id)
    assert vpcs.detach_internet_gateway(gateway.id, vpc.id) and vpcs.delete_internet_gateway(gateway.id)
    assert vpcs.delete_subnet(subnet.id) and vpcs.delete_vpc(vpc.id) and vpcs.delete_dhcp_options(options.id)
    assert vpcs.get_all_vpcs(filters={"cidr": "10.61.0.0/16"}) == []
