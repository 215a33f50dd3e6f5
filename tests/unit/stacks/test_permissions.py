"""The policy of whoever deploys on AWS holds what the program's resources need, nothing else, and only of its own."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from stacks.cloud_settings import AwsSettings
from stacks.permissions import (
    ACTIONS,
    LONGEST_POLICY,
    POLICY_FOLDER,
    SCOPES,
    SESSION_ACTIONS,
    STACK_TAG,
    main,
    policies,
    policy_length,
    statements,
)
from tests.graph.computed_aws import INVOKES
from tests.graph.graph import Graph, Resource, record
from tests.graph.test_invariants import STACKS

REGION = AwsSettings().region
ON_AWS = [name for name in STACKS if name.startswith("aws") and "hundred" not in name]
ACTION = re.compile(r"(ec2|iam|ssm|autoscaling|elasticloadbalancing):[A-Z][A-Za-z0-9]+")

pytestmark = pytest.mark.xdist_group("permissions")


@cache
def graph(stack: str) -> Graph:
    return record(STACKS[stack], "preview")


def registered() -> Iterator[Resource]:
    """Every resource of AWS in the graphs of stacks on AWS."""
    for stack in ON_AWS:
        yield from (resource for resource in graph(stack).resources if resource.type.startswith("aws:"))


def allowed(action: str, region: str = REGION) -> list[dict[str, Any]]:
    """The statements that allow an action."""
    return [one for one in statements(region) if action in one["Action"]]


def resources_of(action: str) -> list[str]:
    return list(chain.from_iterable(one["Resource"] for one in allowed(action)))


def tags(resource: Resource) -> dict[str, str]:
    return {**resource.inputs.get("tags", {}), **json.loads(resource.inputs.get("defaultTags", '{"tags": {}}'))["tags"]}


@pytest.mark.slow
def test_every_type_that_the_program_registers_has_its_actions_and_no_other_type_has() -> None:
    functions = {token for token in INVOKES if token.startswith("aws:")}
    assert {resource.type for resource in registered()} | functions == set(ACTIONS)


def test_every_action_that_a_type_needs_is_allowed_and_no_other_is() -> None:
    needed = {*chain.from_iterable(ACTIONS.values()), *SESSION_ACTIONS}
    assert set(chain.from_iterable(one["Action"] for one in statements(REGION))) == needed


def test_a_scope_speaks_of_no_action_twice() -> None:
    for scope in SCOPES:
        assert len(scope.actions) == len(set(scope.actions)), scope.sid


def test_actions_are_named_one_by_one() -> None:
    for one in statements(REGION):
        assert one["Action"] == sorted(set(one["Action"]))
        for action in one["Action"]:
            assert ACTION.fullmatch(action)


def test_iam_takes_each_policy() -> None:
    for text in policies(REGION).values():
        document = json.loads(text)
        assert policy_length(document) <= LONGEST_POLICY
        sids = [one["Sid"] for one in document["Statement"]]
        assert len(sids) == len(set(sids))
        assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)


def test_the_files_are_what_the_program_renders() -> None:
    written = {path.name: path.read_text() for path in POLICY_FOLDER.glob("*.json")}
    assert written == policies(REGION)


def test_the_command_renders_another_region_and_takes_the_files_of_an_earlier_run_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aws-deployer-7.json").touch()
    (tmp_path / "other.json").touch()
    arguments = ["permissions", "--region", "cn-north-1", "--folder", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    assert main() == 0
    written = {path.name: path.read_text() for path in tmp_path.glob("aws-deployer*.json")}
    assert written == policies("cn-north-1")
    assert (tmp_path / "other.json").exists()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_everything_but_iam_is_of_the_one_region(region: str) -> None:
    for one in statements(region):
        service = one["Action"][0].partition(":")[0]
        condition = one.get("Condition", {}).get("StringEquals", {})
        in_arn = all(f":{service}:{region}:" in resource for resource in one["Resource"])
        of_sessions = all(f":ec2:{region}:" in resource for resource in one["Resource"])
        assert service == "iam" or condition.get("aws:RequestedRegion") == region or in_arn or of_sessions, one["Sid"]


@pytest.mark.parametrize(("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn")])
def test_arns_are_of_the_partition_of_the_region(region: str, partition: str) -> None:
    text = json.dumps(statements(region))
    assert set(re.findall(r"arn:([a-z-]+):", text)) == {partition}
    assert not re.search("PARTITION|REGION|PREFIX", text)


def test_all_resources_are_meant_only_where_a_region_or_a_tag_bounds_them() -> None:
    for one in statements(REGION):
        if "*" in one["Resource"]:
            assert one["Condition"]["StringEquals"] == {"aws:RequestedRegion": REGION}, one["Sid"]


def test_what_reads_is_in_statements_of_its_own_so_that_all_resources_are_for_what_makes_alone() -> None:
    anywhere = [one for one in statements(REGION) if "*" in one["Resource"] and not one["Sid"].endswith("Read")]
    unbounded = {
        action
        for one in anywhere
        if "StringLike" not in one["Condition"] and "Null" not in one["Condition"]
        for action in one["Action"]
    }
    # New things have no tags yet; a worker's interface and a root disk get theirs later or never, and a reservation of
    # addresses has none.
    makes = ("ec2:Create", "ec2:Run", "ec2:Allocate", "ec2:Import")
    assert {action for action in unbounded if not action.startswith(makes)} == {
        "ec2:DeleteSubnetCidrReservation",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:ModifyVolume",
    }


@pytest.mark.parametrize(
    "action",
    [
        action
        for actions in ACTIONS.values()
        for action in actions
        # Whoever ends a reservation takes no address from anything.
        if re.match("ec2:(Delete|Terminate|Stop)", action) and action != "ec2:DeleteSubnetCidrReservation"
    ],
)
def test_what_ends_something_on_ec2_is_bound_to_the_tag_of_the_stack(action: str) -> None:
    (one,) = allowed(action)
    assert one["Condition"]["StringLike"] == {f"aws:ResourceTag/{STACK_TAG}": "flotilla-*"}


def test_rules_are_changed_in_groups_of_the_stack_alone() -> None:
    groups, rules = sorted(allowed("ec2:AuthorizeSecurityGroupIngress"), key=lambda one: len(one["Sid"]), reverse=True)
    assert groups["Resource"] == [f"arn:aws:ec2:{REGION}:*:security-group/*"]
    assert groups["Condition"]["StringLike"] == {f"aws:ResourceTag/{STACK_TAG}": "flotilla-*"}
    assert rules["Resource"] == [f"arn:aws:ec2:{REGION}:*:security-group-rule/*"]


def test_a_foreign_thing_gets_the_tag_of_a_stack_only_where_it_is_a_disk() -> None:
    conditions = {one["Sid"]: one["Condition"] for one in allowed("ec2:CreateTags")}
    assert conditions.pop("Ec2OfTheStack")["StringLike"] == {f"aws:ResourceTag/{STACK_TAG}": "flotilla-*"}
    assert conditions.pop("Ec2TagsAtBirth")["Null"] == {"ec2:CreateAction": "false"}
    assert conditions.pop("Ec2TagsOfRootDisks")["StringLike"] == {f"aws:RequestTag/{STACK_TAG}": "flotilla-*"}
    assert conditions == {}


def test_a_role_is_passed_to_machines_alone_and_only_one_of_ours() -> None:
    (one,) = allowed("iam:PassRole")
    assert one["Resource"] == ["arn:aws:iam::*:role/flotilla-*"]
    assert one["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}


def test_a_role_gets_no_managed_policy() -> None:
    assert allowed("iam:AttachRolePolicy") == []


def test_roles_profiles_and_parameters_are_those_under_the_name_of_the_project() -> None:
    elsewhere = {"RolesOfServices", "PublicParameters", "SsmRead", "Sessions", "SessionsAreSsh", "SessionsOfOneself"}
    ours = [one for one in statements(REGION) if one["Action"][0].startswith(("iam:", "ssm:"))]
    assert elsewhere < {one["Sid"] for one in ours}
    for one in ours:
        if one["Sid"] not in elsewhere:
            assert all(re.search(r"/flotilla-\*$", resource) for resource in one["Resource"]), one["Sid"]


def test_a_session_is_ssh_to_a_machine_of_a_stack() -> None:
    machine, document = sorted(allowed("ssm:StartSession"), key=lambda one: one["Sid"])
    assert machine["Condition"]["StringLike"] == {f"ssm:resourceTag/{STACK_TAG}": "flotilla-*"}
    assert machine["Condition"]["BoolIfExists"] == {"ssm:SessionDocumentAccessCheck": "true"}
    assert document["Resource"] == [f"arn:aws:ssm:{REGION}::document/AWS-StartSSHSession"]


@pytest.mark.slow
def test_the_tag_that_bounds_is_the_one_that_the_cloud_gives() -> None:
    providers = [
        resource for stack in ON_AWS for resource in graph(stack).resources if resource.type == "pulumi:providers:aws"
    ]
    assert len(providers) == len(ON_AWS)
    for provider in providers:
        assert fnmatchcase(tags(provider)[STACK_TAG], "flotilla-*")


NAMED = {
    "aws:iam/role:Role": ("iam:CreateRole", "arn:aws:iam::123456789012:role/{}"),
    "aws:iam/instanceProfile:InstanceProfile": (
        "iam:CreateInstanceProfile",
        "arn:aws:iam::123456789012:instance-profile/{}",
    ),
    "aws:ssm/parameter:Parameter": ("ssm:PutParameter", f"arn:aws:ssm:{REGION}:123456789012:parameter{{}}"),
    "aws:autoscaling/group:Group": (
        "autoscaling:CreateAutoScalingGroup",
        f"arn:aws:autoscaling:{REGION}:123456789012:autoScalingGroup:0123:autoScalingGroupName/{{}}",
    ),
    "aws:lb/loadBalancer:LoadBalancer": (
        "elasticloadbalancing:CreateLoadBalancer",
        f"arn:aws:elasticloadbalancing:{REGION}:123456789012:loadbalancer/net/{{}}/0123",
    ),
    "aws:lb/targetGroup:TargetGroup": (
        "elasticloadbalancing:CreateTargetGroup",
        f"arn:aws:elasticloadbalancing:{REGION}:123456789012:targetgroup/{{}}/0123",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMED)
def test_the_names_that_the_program_gives_are_within_what_is_allowed(kind: str) -> None:
    action, arn = NAMED[kind]
    names = {resource.inputs["name"] for resource in registered() if resource.type == kind}
    assert names
    for name in names:
        assert any(fnmatchcase(arn.format(name), pattern) for pattern in resources_of(action)), name


@pytest.mark.slow
def test_the_image_is_read_from_a_public_parameter_that_is_allowed() -> None:
    arn = f"arn:aws:ssm:{REGION}::parameter{AwsSettings().image.source}"
    assert any(fnmatchcase(arn, pattern) for pattern in resources_of("ssm:GetParameter"))
