"""botocore's model of EC2 is the judge of our specification: it was made by others, from EC2 itself.

Every parameter that EC2 has is supported or refused by name; what botocore sends is understood; every field
that we answer is one that EC2 has, under its name and of its type.
"""

import pathlib
import re
import subprocess
import sys
import tomllib

import botocore.exceptions
import botocore.session
import pytest

SPEC = pathlib.Path(__file__).resolve().parents[2] / "api-spec"
SESSION = botocore.session.get_session()
SCALARS = {"integer": {"integer", "long"}, "boolean": {"boolean"}, "timestamp": {"timestamp", "string"}, "blob": {"blob", "string"}}


def upper(name):
    return name[0].upper() + name[1:]


def camel(key):
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def shapes():
    found = {"input": {}, "output": {}}
    for path in sorted((SPEC / "shapes.d").glob("*.toml")):
        for way, named in tomllib.loads(path.read_text()).items():
            found[way].update(named)
    return found


SHAPES = shapes()


def actions():
    found = {}
    for path in sorted(SPEC.glob("*.toml")):
        if path.name != "faults.toml":
            found[path.stem] = tomllib.loads(path.read_text())
    return found


ACTIONS = actions()


def operation(name):
    service = "sts" if ACTIONS[name].get("namespace") == "sts" else "ec2"
    return SESSION.get_service_model(service).operation_model(name)


def wire_in(name, shape):
    """The name that botocore's serializer for EC2 gives a member."""
    serialization = shape.serialization
    if "queryName" in serialization:
        return serialization["queryName"]
    return upper(serialization.get("name", name))


def wire_out(name, shape):
    return shape.serialization.get("name", name)


def knows_dry_run(name):
    """EC2 has a few actions without it; ours all have it."""
    shape = operation(name).input_shape
    return shape is not None and any(wire_in(key, member) == "DryRun" for key, member in shape.members.items())


def request_fields(name):
    spec = ACTIONS[name]
    fields = {field.get("wire", upper(camel(key))): field for key, field in spec.get("request", {}).items()}
    if spec.get("namespace") != "sts" and knows_dry_run(name):
        fields["DryRun"] = {"type": "boolean"}
    if spec.get("filters"):
        fields["Filter"] = {"list": "Filter"}
    if "paged" in spec:
        fields["MaxResults"] = {"type": "integer", "min": spec["paged"]["min"]}
        fields["NextToken"] = {"type": "string"}
    return fields


def fields_of(way, name):
    if name == "Filter":
        return {"Name": {"type": "string"}, "Value": {"list": "string"}}
    default = (lambda key: upper(camel(key))) if way == "input" else camel
    return {field.get("wire", default(key)): field for key, field in SHAPES[way][name].items()}


def kind_fits(field, shape):
    kind = field.get("type") or field["list"]
    if "list" in field:
        if shape.type_name != "list":
            return False
        shape = shape.member
    if shape.type_name == "structure":
        return kind in SHAPES["input"] or kind in SHAPES["output"] or kind == "Filter"
    return shape.type_name in SCALARS.get(kind, {"string"})


def structure(shape):
    if shape.type_name == "list":
        shape = shape.member
    return shape if shape.type_name == "structure" else None


def compare(way, fields, shape, refused, path=""):
    """What is wrong with these fields, by botocore's shape."""
    wire = wire_in if way == "input" else wire_out
    known = {wire(name, member): member for name, member in shape.members.items()}
    wrong = [f"{path}{name}: EC2 has no such field" for name in fields if name not in known]
    for name, member in known.items():
        here = f"{path}{name}"
        if name in fields:
            field = fields[name]
            inner = structure(member)
            if not kind_fits(field, member):
                wrong.append(f"{here}: EC2 has a {member.type_name} here")
            elif inner is not None:
                deeper = fields_of(way, field.get("type") or field["list"])
                wrong += compare(way, deeper, inner, refused, f"{here}.")
            if here in refused:
                wrong.append(f"{here}: both supported and refused")
        elif way == "input" and here not in refused:
            wrong.append(f"{here}: neither supported nor refused")
    return wrong


@pytest.mark.parametrize("name", ACTIONS)
def test_every_parameter_is_supported_or_refused_by_name(name):
    shape = operation(name).input_shape
    if shape is not None:
        assert compare("input", request_fields(name), shape, set(ACTIONS[name].get("refused", []))) == []


# Filters that EC2's documentation names and that are refused here, by how they begin: of hardware that nobody can describe, of
# Amazon's names and offers, and of what no answer tells.
LEFT_OUT = {
    "DescribeAvailabilityZones": ("group-long-name",),
    "DescribeImages": ("free-tier-eligible", "image-allowed"),
    "DescribeInstanceStatus": ("attached-ebs-status.",),
    "DescribeInstances": (
        "network-interface.deny-all-igw-traffic", "network-interface.ipv6-native", "network-performance-options.",
    ),
    "DescribeInstanceTypes": (
        "ebs-info.", "instance-storage-info.", "network-info.", "nitro-tpm-info.", "processor-info.", "reboot-migration-support",
        "vcpu-info.",
    ),
}


def documented_filters(shape):
    """The names in the list that the documentation of `Filters` is; a tag's is `tag:KEY` or `tag` with a key after it."""
    texts = [member.documentation for member in shape.members.values() if member.name == "FilterList"]
    names = re.findall(r"<li>\s*<p>\s*<code>([^<]*)", "".join(texts))
    return {"tag:*" if name == "tag" or name.startswith("tag:") else name for name in names}


@pytest.mark.parametrize("name", [name for name in ACTIONS if "filters" in ACTIONS[name]])
def test_every_documented_filter_is_supported_or_left_out_by_name(name):
    missing = documented_filters(operation(name).input_shape) - set(ACTIONS[name]["filters"])
    assert sorted(filter for filter in missing if not filter.startswith(LEFT_OUT.get(name, ("?",)))) == []


@pytest.mark.parametrize("name", ACTIONS)
def test_every_answer_is_one_that_botocore_knows(name):
    spec, shape = ACTIONS[name], operation(name).output_shape
    fields = {field.get("wire", camel(key)): field for key, field in spec.get("response", {}).items()}
    if spec.get("namespace") == "sts":
        fields = {upper(key): field for key, field in fields.items()}
    if "paged" in spec:
        fields["nextToken"] = {"type": "string"}
    if shape is None:
        # botocore does not look at `<return>true</return>` where there is nothing else; older clients do.
        assert set(fields) <= {"return"}
    else:
        assert [wrong for wrong in compare("output", fields, shape, set()) if not wrong.startswith("return:")] == []


VALUES = {
    "AccountId": "123456789012",
    "AllocationId": "eipalloc-0123456789abcdef0",
    "AssociationId": "eipassoc-0123456789abcdef0",
    "Cidr4": "192.0.2.0/24",
    "Cidr6": "2001:db8::/64",
    "DhcpOptionsId": "dopt-0123456789abcdef0",
    "EgressGatewayId": "eigw-0123456789abcdef0",
    "EniId": "eni-0123456789abcdef0",
    "NatGatewayId": "nat-0123456789abcdef0",
    "VpcPeeringConnectionId": "pcx-0123456789abcdef0",
    "GroupId": "sg-0123456789abcdef0",
    "ImageId": "ami-0123456789abcdef0",
    "InsightsAnalysisId": "nia-0123456789abcdef0",
    "InsightsPathId": "nip-0123456789abcdef0",
    "InstanceId": "i-0123456789abcdef0",
    "InternetGatewayId": "igw-0123456789abcdef0",
    "AttachmentId": "eni-attach-0123456789abcdef0",
    "NetworkAclAssociationId": "aclassoc-0123456789abcdef0",
    "NetworkAclId": "acl-0123456789abcdef0",
    "Ipv4Addr": "192.0.2.7",
    "Ipv6Addr": "2001:db8::7",
    "KeyPairId": "key-0123456789abcdef0",
    "LaunchTemplateId": "lt-0123456789abcdef0",
    "PoolId": "ipv4pool-ec2-0123456789abcdef0",
    "PrefixListId": "pl-0123456789abcdef0",
    "SubnetCidrReservationId": "scr-0123456789abcdef0",
    "ReservationId": "r-0123456789abcdef0",
    "ResourceId": "i-0123456789abcdef0",
    "RouteTableAssociationId": "rtbassoc-0123456789abcdef0",
    "RouteTableId": "rtb-0123456789abcdef0",
    "RuleId": "sgr-0123456789abcdef0",
    "SubnetCidrAssociationId": "subnet-cidr-assoc-0123456789abcdef0",
    "SubnetId": "subnet-0123456789abcdef0",
    "VpcCidrAssociationId": "vpc-cidr-assoc-0123456789abcdef0",
    "VolumeId": "vol-0123456789abcdef0",
    "VpcId": "vpc-0123456789abcdef0",
    "boolean": False,
    "string": "text",
    "blob": b"ssh-ed25519 AAAA",
}


def value(field, shape):
    """Something that the field takes, as a botocore argument."""
    if "list" in field:
        return [value({"type": field["list"]}, shape.member)]
    kind = field["type"]
    if shape.type_name == "structure":
        return arguments(fields_of("input", kind), shape)
    if kind == "integer":
        return field.get("min", 1)
    if field.get("one_of"):
        return field["one_of"][0]
    if kind == "blob" and shape.type_name == "string":
        return "dGV4dA=="
    return VALUES[kind]


def arguments(fields, shape, only=None):
    members = {wire_in(name, member): (name, member) for name, member in shape.members.items()}
    chosen = [wire for wire in fields if only is None or wire == only or fields[wire].get("required")]
    return {members[wire][0]: value(fields[wire], members[wire][1]) for wire in chosen}


def anything(shape):
    """Some argument for a parameter that we refuse."""
    kind = shape.type_name
    if kind == "structure":
        name, member = next(iter(shape.members.items()))
        return {name: anything(member)}
    if kind == "list":
        return [anything(shape.member)]
    samples = {"integer": 1, "long": 1, "boolean": True, "timestamp": 0, "blob": b"x", "double": 1.0, "float": 1.0}
    return samples.get(kind, "text")


def fault(client, name, call):
    method = getattr(client, botocore.xform_name(name))
    try:
        method(**call)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None, ""


@pytest.fixture(scope="module")
def lenient(lab):
    """botocore without checks of its own: values are for the server to judge."""
    import botocore.config

    config = botocore.config.Config(parameter_validation=False, retries={"max_attempts": 1})
    return {service: lab.client(service, config=config) for service in ("ec2", "sts")}


@pytest.mark.parametrize("name", ACTIONS)
def test_what_botocore_sends_is_understood(lenient, name):
    shape = operation(name).input_shape
    if ACTIONS[name].get("namespace") == "sts" or shape is None:
        pytest.skip("takes nothing")
    fields = request_fields(name)
    reads = name.startswith(("Describe", "Get")) or not knows_dry_run(name)
    dry = {} if reads else {"DryRun": True}
    for only in [*fields, None]:
        call = dry | arguments(fields, shape, only or "")
        if only is None:
            call = arguments(fields, shape) | dry
        code, message = fault(lenient["ec2"], name, call)
        assert code not in ("UnknownParameter", "InternalError", "InvalidAction"), (call, message)
        # A value may be refused; the parameter may not.
        assert "leave it out" not in message, (call, message)


@pytest.mark.parametrize("name", [name for name in ACTIONS if ACTIONS[name].get("refused")])
def test_what_is_refused_is_refused_by_name(lenient, name):
    shape = operation(name).input_shape
    required = arguments({wire: field for wire, field in request_fields(name).items() if field.get("required")}, shape)
    for path in ACTIONS[name]["refused"]:
        call = nested(shape, path.split("."))
        dry = {"DryRun": True} if knows_dry_run(name) else {}
        code, message = fault(lenient["ec2"], name, required | call | dry)
        assert code == "UnsupportedOperation", (path, call, code, message)
        assert path.split(".")[-1] in message, (path, message)


def nested(shape, steps):
    """The arguments that set one deep parameter."""
    for name, member in shape.members.items():
        if wire_in(name, member) == steps[0]:
            if len(steps) == 1:
                return {name: anything(member)}
            inner = nested(structure(member), steps[1:])
            return {name: [inner] if member.type_name == "list" else inner}
    raise AssertionError(f"EC2 has no parameter {steps[0]}")


def test_the_documentation_is_what_the_specification_says():
    checked = subprocess.run([sys.executable, SPEC / "document.py", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
