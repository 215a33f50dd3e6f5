"""The stand-ins that only preview: every type of the SDK checked, what is not given unknown, functions from records."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from hermetic.plugins import PREVIEW_ONLY
from hermetic.providers import serve, shapes
from hermetic.providers.check import failures
from hermetic.providers.preview_only.recorded import answers, replacements
from hermetic.providers.rules import Rules
from hermetic.providers.shapes import Shape, resource_shape
from hermetic.values import UNKNOWN, from_struct, secret, to_struct
from tests.graph.graph import record
from tests.unit.providers.conftest import Provider

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Values = dict[str, Any]

VPC, SUBNET, INSTANCE = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/instance:Instance"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
GROUP, BALANCER, ROLE = "aws:ec2/securityGroup:SecurityGroup", "aws:lb/loadBalancer:LoadBalancer", "aws:iam/role:Role"
SERVER, PORT = "openstack:compute/instance:Instance", "openstack:networking/port:Port"
DISK, NETWORK = "openstack:blockstorage/volume:Volume", "openstack:networking/network:Network"

GET_PARAMETER = "aws:ssm/getParameter:getParameter"
GET_ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"
GET_AMI = "aws:ec2/getAmi:getAmi"
GET_NETWORK = "openstack:networking/getNetwork:getNetwork"
GET_IMAGE = "openstack:images/getImage:getImage"
PARAMETER = "/aws/service/debian/release/12/latest/amd64"
AMI = "ami-0123456789abcdef0"


@dataclass
class Cloud:
    """A configured stand-in and what it warned of."""

    provider: Provider
    warnings: list[str] = field(default_factory=list[str])

    def refusals(self, kind: str, inputs: Values) -> list[str]:
        return [failure["reason"] for failure in self.provider.check(kind, "it", inputs)[1]]

    def previewed(self, kind: str, inputs: Values) -> Values:
        checked, refused = self.provider.check(kind, "it", inputs)
        assert refused == []
        identity, outputs = self.provider.create(kind, "it", checked, preview=True)
        assert identity == ""
        return outputs

    def diff(self, kind: str, old: Values, new: Values, **more: Any) -> Values:
        """The difference between what two programs say, both checked."""
        before, _ = self.provider.check(kind, "it", old)
        after, _ = self.provider.check(kind, "it", new, before)
        return self.provider.diff(kind, "it", {**before, "arn": "x"}, after, old_inputs=to_struct(before), **more)

    def invoke(self, function: str, arguments: Values) -> Values:
        request = provider_pb2.InvokeRequest(tok=function, args=to_struct(arguments), preview=True)
        return from_struct(getattr(self.provider.stub.Invoke(request), "return"))


@pytest.fixture(name="cloud")
def cloud_fixture() -> Iterator[Any]:
    servers: list[Any] = []

    def start(name: str, **configuration: Any) -> Cloud:
        warnings: list[str] = []
        servers.append(serve(name, None, warnings.append))
        stub: Any = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(servers[-1].address))
        stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(configuration), acceptSecrets=True))
        return Cloud(Provider(stub), warnings)

    yield start
    for server in servers:
        server.stop()


# -- Check
@pytest.mark.parametrize(
    ("kind", "inputs", "reason"),
    [
        (VPC, {"cidrBlock": "10.0.0.0/16", "nosuch": 1}, "Invalid or unknown key. Examine values at 'it.nosuch'."),
        (SUBNET, {"cidrBlock": "10.0.0.0/24"}, 'The argument "vpc_id" is required'),
        (VPC, {"enableDnsSupport": "yes"}, "Expected Boolean Type. Expected boolean, got string."),
        (INSTANCE, {"rootBlockDevice": {"size": 8}}, "Examine values at 'it.rootBlockDevice.size'."),
        (INSTANCE, {"rootBlockDevice": {"volumeSize": 8.5}}, "Expected Number Type."),
        (INGRESS, {"securityGroupId": "sg-1"}, 'The argument "ip_protocol" is required'),
        (ROLE, {"assumeRolePolicy": 1}, "Expected Object Type."),
        (PORT, {"name": "p"}, 'The argument "network_id" is required'),
        (PORT, {"networkId": "n", "fixedIps": [{"ip": "10.0.0.1"}]}, "Examine values at 'it.fixedIps[0].ip'."),
        (DISK, {"size": "ten"}, "Expected Number Type. Expected number, got string."),
    ],
)
def test_a_wrong_input_is_refused_where_it_stands(cloud: Any, kind: str, inputs: Values, reason: str) -> None:
    refused = cloud(kind.partition(":")[0]).refusals(kind, inputs)
    assert len(refused) == 1
    assert reason in refused[0]


def test_a_type_that_the_sdk_does_not_have_is_refused(cloud: Any) -> None:
    with pytest.raises(grpc.RpcError, match="has no resource type aws:ec2/nosuch:NoSuch"):
        cloud("aws").refusals("aws:ec2/nosuch:NoSuch", {})


@pytest.mark.parametrize("policy", ['{"Version": "2012-10-17"}', {"Version": "2012-10-17", "Statement": []}])
def test_a_policy_is_text_or_an_object(cloud: Any, policy: Any) -> None:
    assert cloud("aws").refusals(ROLE, {"assumeRolePolicy": policy}) == []


def test_a_type_whose_arguments_the_sdk_calls_otherwise_is_known(cloud: Any) -> None:
    attachment = {"instanceId": "i-1", "networkInterfaceId": "eni-1", "deviceIndex": 1}
    kind = "aws:ec2/networkInterfaceAttachment:NetworkInterfaceAttachment"
    assert cloud("aws").refusals(kind, attachment) == []
    assert resource_shape("aws:lambda/function:Function").inputs.required == {"role"}
    assert resource_shape("aws:wafv2/webAcl:WebAcl").inputs.fields["rules"].kind == "list"


@pytest.mark.parametrize(
    ("name", "configuration", "reason"),
    [
        ("aws", {"nosuch": "x"}, "Examine values at 'aws.nosuch'"),
        ("aws", {"skipRegionValidation": "often"}, "Expected Boolean Type"),
        ("aws", {"defaultTags": '{"labels": {}}'}, "Examine values at 'aws.defaultTags.labels'"),
        ("openstack", {"regionName": "RegionOne"}, "Examine values at 'openstack.regionName'"),
    ],
)
def test_a_wrong_configuration_is_refused(cloud: Any, name: str, configuration: Values, reason: str) -> None:
    request = provider_pb2.CheckRequest(news=to_struct(configuration))
    refused = [failure.reason for failure in cloud(name).provider.stub.CheckConfig(request).failures]
    assert len(refused) == 1
    assert reason in refused[0]


def test_the_configuration_that_the_sdk_sends_is_taken(cloud: Any) -> None:
    given = {
        "region": "eu-central-1",
        "defaultTags": '{"tags": {"a": "b"}}',
        "skipRegionValidation": "true",
        "version": "7.51.1",
    }
    answer = cloud("aws").provider.stub.CheckConfig(provider_pb2.CheckRequest(news=to_struct(given)))
    assert list(answer.failures) == []
    assert from_struct(answer.inputs) == given


def test_many_types_at_once_are_looked_up_safely(cloud: Any) -> None:
    stand_in = cloud("aws")
    kinds = [*replacements("aws").types] * 4
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda kind: stand_in.refusals(kind, {"nosuch": 1}), kinds))
    assert all(any("'it.nosuch'" in reason for reason in reasons) for reasons in found)


# -- Create in a preview
def test_what_is_given_is_known_and_everything_else_is_not(cloud: Any) -> None:
    outputs = cloud("aws").previewed(VPC, {"cidrBlock": "10.0.0.0/16", "tags": {}})
    assert outputs.pop("cidrBlock") == "10.0.0.0/16"
    assert outputs.pop("tags") == {}
    assert set(outputs) >= {"id", "arn", "tagsAll", "mainRouteTableId", "enableDnsHostnames"}
    assert set(outputs.values()) == {UNKNOWN}


def test_members_of_a_block_that_are_not_given_are_unknown(cloud: Any) -> None:
    disk = cloud("aws").previewed(INSTANCE, {"rootBlockDevice": {"volumeSize": 8}})["rootBlockDevice"]
    assert disk["volumeSize"] == 8
    assert (disk["volumeId"], disk["deviceName"]) == (UNKNOWN, UNKNOWN)
    (address,) = cloud("openstack").previewed(PORT, {"networkId": "n", "fixedIps": [{"subnetId": "s"}]})["fixedIps"]
    assert address == {"subnetId": "s", "ipAddress": UNKNOWN}


def test_a_secret_input_is_a_secret_output(cloud: Any) -> None:
    outputs = cloud("aws").previewed(INSTANCE, {"userData": secret("x"), "ami": AMI})
    assert outputs["userData"] == secret("x")
    assert outputs["ami"] == AMI


def test_an_input_not_known_yet_is_an_output_not_known_yet(cloud: Any) -> None:
    assert cloud("aws").previewed(SUBNET, {"vpcId": UNKNOWN, "cidrBlock": "10.0.0.0/24"})["vpcId"] == UNKNOWN


def test_a_name_is_made_up_as_the_plugin_does(cloud: Any) -> None:
    outputs = cloud("aws").previewed(GROUP, {"description": "d"})
    assert outputs["name"].startswith("it-")


# -- Update in a preview
def test_an_update_keeps_what_was_computed_and_its_secrets(cloud: Any) -> None:
    old = {"cidrBlock": "10.0.0.0/16", "tags": {"a": "b"}, "arn": "arn:1", "mainRouteTableId": secret("rtb-1")}
    new = {"cidrBlock": "10.0.0.0/16", "tags": {"a": "c"}}
    outputs = cloud("aws").provider.update(VPC, "it", "vpc-1", old, new, preview=True)
    assert (outputs["id"], outputs["arn"], outputs["tags"]) == ("vpc-1", "arn:1", {"a": "c"})
    assert outputs["mainRouteTableId"] == secret("rtb-1")
    assert outputs["ipv6AssociationId"] is None


@pytest.mark.parametrize(
    ("kind", "old", "new", "replaces"),
    [
        (VPC, {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}, ["cidrBlock"]),
        (VPC, {"enableDnsSupport": True}, {"enableDnsSupport": False}, []),
        (VPC, {"tags": {"a": "b"}}, {"tags": {"a": "c"}}, []),
        (
            SUBNET,
            {"vpcId": "v", "availabilityZone": "a"},
            {"vpcId": "v", "availabilityZone": "b"},
            ["availabilityZone"],
        ),
        (SUBNET, {"vpcId": "vpc-1"}, {"vpcId": UNKNOWN}, ["vpcId"]),
        (INSTANCE, {"ami": "ami-1"}, {"ami": "ami-2"}, ["ami"]),
        (INSTANCE, {"instanceType": "t3.small"}, {"instanceType": "t3.large"}, []),
        (INSTANCE, {"keyName": "a"}, {}, ["keyName"]),
        (INSTANCE, {"userData": "a"}, {"userData": "b"}, []),
        (
            INSTANCE,
            {"userData": "a", "userDataReplaceOnChange": True},
            {"userData": "b", "userDataReplaceOnChange": True},
            ["userData"],
        ),
        (INSTANCE, {"rootBlockDevice": {"volumeSize": 8}}, {"rootBlockDevice": {"volumeSize": 9}}, []),
        (
            INSTANCE,
            {"rootBlockDevice": {"encrypted": False, "volumeSize": 8}},
            {"rootBlockDevice": {"encrypted": True, "volumeSize": 8}},
            ["rootBlockDevice"],
        ),
        (
            INGRESS,
            {"securityGroupId": "g", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/8"},
            {"securityGroupId": "g", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/9"},
            [],
        ),
        (
            INGRESS,
            {"securityGroupId": "g", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/8"},
            {"securityGroupId": "g", "ipProtocol": "tcp", "referencedSecurityGroupId": "h"},
            ["cidrIpv4", "referencedSecurityGroupId"],
        ),
        (BALANCER, {"subnets": ["a"]}, {"subnets": ["a", "b"]}, []),
        (BALANCER, {"subnets": ["a", "b"]}, {"subnets": ["b"]}, ["subnets"]),
        (BALANCER, {"securityGroups": ["a"]}, {"securityGroups": ["b"]}, []),
        (BALANCER, {}, {"securityGroups": ["b"]}, ["securityGroups"]),
        (SERVER, {"keyPair": "a"}, {"keyPair": "b"}, ["keyPair"]),
        (SERVER, {"flavorName": "a"}, {"flavorName": "b"}, []),
        (SERVER, {"networks": [{"port": "p"}]}, {"networks": [{"port": "q"}]}, ["networks"]),
        (
            SERVER,
            {"blockDevices": [{"sourceType": "image", "uuid": "a"}]},
            {"blockDevices": [{"sourceType": "image", "uuid": "b"}]},
            ["blockDevices"],
        ),
        (DISK, {"size": 10}, {"size": 20}, []),
        (DISK, {"size": 10, "availabilityZone": "a"}, {"size": 10, "availabilityZone": "b"}, ["availabilityZone"]),
        (PORT, {"networkId": "n", "securityGroupIds": ["a"]}, {"networkId": "n", "securityGroupIds": ["b"]}, []),
        (PORT, {"networkId": "n"}, {"networkId": "m"}, ["networkId"]),
    ],
)
def test_a_change_replaces_where_the_provider_says_so_and_nowhere_else(
    cloud: Any, kind: str, old: Values, new: Values, replaces: list[str]
) -> None:
    stand_in = cloud(kind.partition(":")[0])
    found = stand_in.diff(kind, old, new)
    assert found["changes"] == "DIFF_SOME"
    assert found["replaces"] == replaces
    assert stand_in.warnings == []


def test_the_same_program_again_is_no_change_whatever_the_plugin_filled_in(cloud: Any) -> None:
    filled = {"name": "it-1234567", "description": "Managed by Pulumi", "revokeRulesOnDelete": False}
    made = {"vpcId": "vpc-1", **filled, "__defaults": sorted(filled)}
    state = {**made, "arn": "arn:1", "ingress": [{"fromPort": 22}], "tagsAll": {"a": "b"}}
    checked, _ = cloud("aws").provider.check(GROUP, "it", {"vpcId": "vpc-1"}, made)
    assert checked["name"] == "it-1234567"
    found = cloud("aws").provider.diff(GROUP, "it", state, checked, old_inputs=to_struct(made))
    assert (found["changes"], found["detailedDiff"]) == ("DIFF_NONE", {})


def test_the_order_of_a_set_is_no_change(cloud: Any) -> None:
    old, new = {"vpcSecurityGroupIds": ["a", "b"]}, {"vpcSecurityGroupIds": ["b", "a"]}
    assert cloud("aws").diff(INSTANCE, old, new)["changes"] == "DIFF_NONE"


def test_an_input_taken_away_is_a_change(cloud: Any) -> None:
    found = cloud("openstack").diff(NETWORK, {"name": "n", "description": "d"}, {"name": "n"})
    assert found["detailedDiff"] == {"description": "DELETE"}


def test_an_ignored_change_is_no_change(cloud: Any) -> None:
    found = cloud("aws").diff(INSTANCE, {"ami": "ami-1"}, {"ami": "ami-2"}, ignoreChanges=["ami"])
    assert found["changes"] == "DIFF_NONE"


def test_a_secret_that_changed_is_a_change(cloud: Any) -> None:
    old, new = {"userData": secret("a")}, {"userData": secret("b")}
    assert cloud("aws").diff(INSTANCE, old, new)["detailedDiff"] == {"userData": "UPDATE"}


def test_an_example_instead_of_the_real_image_is_no_change(cloud: Any) -> None:
    assert cloud("aws").diff(INSTANCE, {"ami": "ami-0fedcba9876543210"}, {"ami": AMI})["changes"] == "DIFF_NONE"
    image = answers("openstack").functions[GET_IMAGE][0]["example"]
    old = {"blockDevices": [{"sourceType": "image", "uuid": "1c2d", "volumeSize": 10}]}
    new = {"blockDevices": [{"sourceType": "image", "uuid": image, "volumeSize": 20}]}
    assert cloud("openstack").diff(SERVER, old, new)["detailedDiff"] == {"blockDevices[0].volumeSize": "UPDATE_REPLACE"}


def test_a_name_that_was_given_and_stays_has_the_old_object_go_first(cloud: Any) -> None:
    given = cloud("aws").diff(GROUP, {"name": "n", "description": "a"}, {"name": "n", "description": "b"})
    assert (given["replaces"], given["deleteBeforeReplace"]) == (["description"], True)
    made_up = cloud("aws").diff(GROUP, {"description": "a"}, {"description": "b"})
    assert (made_up["replaces"], made_up["deleteBeforeReplace"]) == (["description"], False)


def test_a_change_of_a_type_without_record_is_said_to_be_a_guess(cloud: Any) -> None:
    stand_in = cloud("aws")
    found = stand_in.diff("aws:sns/topic:Topic", {"displayName": "a"}, {"displayName": "b"})
    assert (found["changes"], found["replaces"]) == ("DIFF_SOME", [])
    assert stand_in.warnings == [
        "what replaces an object of type aws:sns/topic:Topic is not recorded: the change is shown as an update"
    ]


# -- functions
@pytest.mark.parametrize("parameter", [PARAMETER, "/team/images/debian"])
def test_a_parameter_is_answered_with_a_warning(cloud: Any, parameter: str) -> None:
    stand_in = cloud("aws", region="eu-central-1")
    result = stand_in.invoke(GET_PARAMETER, {"name": parameter})
    assert (result["insecureValue"], result["value"]) == (AMI, secret(AMI))
    assert result["arn"] == f"arn:aws:ssm:eu-central-1::parameter{parameter}"
    assert stand_in.warnings == [
        f"the image behind {parameter} is answered from data recorded on {answers('aws').recorded}, not by AWS: "
        f"{AMI} is only an example"
    ]


def test_zones_are_those_of_the_region(cloud: Any) -> None:
    stand_in = cloud("aws", region="eu-central-1")
    assert stand_in.invoke(GET_ZONES, {"state": "available"})["names"] == [f"eu-central-1{letter}" for letter in "abc"]
    assert len(stand_in.invoke(GET_ZONES, {"region": "us-east-1"})["names"]) == 6
    assert stand_in.warnings[0] == (
        f"which zones eu-central-1 has is answered from data recorded on {answers('aws').recorded}, not by AWS"
    )


def test_networks_and_images_are_answered_with_a_warning(cloud: Any) -> None:
    stand_in = cloud("openstack")
    network = stand_in.invoke(GET_NETWORK, {"name": "public", "external": True})
    image = stand_in.invoke(GET_IMAGE, {"name": "debian-12", "mostRecent": True})
    assert network["id"] != image["id"]
    assert [warning.partition(" is answered")[0] for warning in stand_in.warnings] == [
        "the network public",
        "the image debian-12",
    ]


@pytest.mark.parametrize(
    ("name", "function", "arguments", "said"),
    [
        ("aws", GET_PARAMETER, {"name": "/own", "withFuture": True}, "getParameter (name: /own, withFuture: True)"),
        ("aws", GET_ZONES, {"region": "mars-1"}, "getAvailabilityZones (region: mars-1)"),
        ("aws", GET_ZONES, {"region": "us-east-1", "allAvailabilityZones": True}, "allAvailabilityZones: True"),
        ("aws", "aws:index/getCallerIdentity:getCallerIdentity", {}, "getCallerIdentity ()"),
        ("openstack", "openstack:compute/getFlavor:getFlavor", {"name": "m1.small"}, "getFlavor (name)"),
    ],
)
def test_a_function_without_record_fails_in_one_line(
    cloud: Any, name: str, function: str, arguments: Values, said: str
) -> None:
    stand_in = cloud(name)
    with pytest.raises(grpc.RpcError) as caught:
        stand_in.invoke(function, arguments)
    details = str(caught.value.details())
    assert details.startswith("no answer of ")
    assert said in details
    assert "\n" not in details
    assert stand_in.warnings == []


@pytest.mark.parametrize("name", ["docker", "random", "tls"])
def test_the_other_stand_ins_have_no_functions(cloud: Any, name: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        cloud(name).invoke(f"{name}:index/getThing:getThing", {})
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


# -- what it never does
@pytest.mark.parametrize("name", sorted(PREVIEW_ONLY))
def test_nothing_is_created_read_updated_or_deleted(cloud: Any, name: str) -> None:
    provider = cloud(name).provider
    kind, inputs = (VPC, {"cidrBlock": "10.0.0.0/16"}) if name == "aws" else (NETWORK, {"name": "n"})
    calls = {
        "created": lambda: provider.create(kind, "it", inputs),
        "read": lambda: provider.read(kind, "it", "1", inputs, inputs),
        "updated": lambda: provider.update(kind, "it", "1", inputs, inputs),
        "deleted": lambda: provider.delete(kind, "it", "1", inputs),
    }
    for what, call in calls.items():
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert f"it cannot be {what}: this engine has no plugin for {name}" in str(caught.value.details())


# -- the records
def _part(shape: Shape, path: str) -> Shape:
    for name in path.split("."):
        shape = (shape.of() if shape.kind == "list" else shape).fields[name]
    return shape


@pytest.mark.parametrize("name", sorted(PREVIEW_ONLY))
def test_every_recorded_path_is_an_input_of_the_installed_sdk(name: str) -> None:
    for token, known in replacements(name).types.items():
        inputs = resource_shape(token).inputs
        switches = known.get("replacesWhenOn", {})
        conditional = [*known.get("replacesWhenAddedOrRemoved", ()), *known.get("replacesWhenElementGoes", ())]
        for path in [*known["replaces"], *switches, *switches.values(), *conditional]:
            _part(inputs, path)
        assert {_part(inputs, path).kind for path in known.get("sets", ())} <= {"list"}


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (GET_PARAMETER, "aws.ssm:GetParameterResult"),
        (GET_AMI, "aws.ec2:GetAmiResult"),
        (GET_ZONES, "aws:GetAvailabilityZonesResult"),
        (GET_NETWORK, "openstack.networking:GetNetworkResult"),
        (GET_IMAGE, "openstack.images:GetImageResult"),
    ],
)
def test_every_recorded_answer_is_one_that_the_sdk_reads(function: str, result: str) -> None:
    module, _, name = result.partition(":")
    shape = shapes._class_shape(getattr(importlib.import_module(f"pulumi_{module}"), name))
    for entry in answers(function.partition(":")[0]).functions[function]:
        assert set(entry["result"]) == set(shape.fields)
        assert failures(Rules(resource_type=function, autoname=False), shape, "it", entry["result"]) == []


CLOUDS: dict[str, list[Values]] = {
    "aws": [
        {"ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]}},
        {"ssh": {"access": "direct", "admin_networks": ["203.0.113.0/24"]}, "load_balancer": {"kind": "haproxy"}},
        {
            "ssh": {"access": "session"},
            "workers": {"count": 6, "pool": True},
            "services": {"web": {}, "wordpress": {"database_node": "manager-1"}},
        },
    ],
    "openstack": [
        {"ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]}},
        {
            "ssh": {"access": "direct", "admin_networks": ["203.0.113.0/24"]},
            "load_balancer": {"kind": "haproxy"},
            "openstack": {"boot_volume": {"size": "20g"}},
        },
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PREVIEW_ONLY))
def test_every_type_that_the_platform_registers_has_its_replacements_recorded(name: str) -> None:
    base: Values = {"cloud": name, "workers": {"count": 6}, "registry": {"address": "registry.example.com"}}
    graphs = [record(base | settings, "applied") for settings in CLOUDS[name]]
    used = {resource.type for graph in graphs for resource in graph.resources if resource.type.startswith(f"{name}:")}
    assert len(used) > 10
    assert used - set(replacements(name).types) == set()
