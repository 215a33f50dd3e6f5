"""The autoscaling pool of workers: how little grows with it, who can read the token, and what comes after what."""

import base64
import gzip
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from components.clouds.aws.agents import join_worker, pool_agent
from components.clouds.aws.bounds import Pool
from components.clouds.aws.pool import WorkerPoolArgs
from components.clouds.aws.session import SESSION_STATEMENTS
from components.clouds.aws.user_data import LONGEST_USER_DATA
from components.clouds.cloud import ImageSource, RentedCloudArgs
from components.machine import EngineSettings
from components.plan.errors import PlanError
from tests.graph.computed_aws import AMI
from tests.graph.graph import Graph, Resource, leaks, record
from tests.graph.record import PUBLIC_KEY, SECRET, SENTINEL, SIGNATURE

BASE: dict[str, Any] = {
    "cloud": "aws",
    "workers": {"count": 100, "pool": True, "labels": {"disk": "ssd"}},
    "services": {"wordpress": None},
    "ssh": {"access": "bastion", "admin_networks": ["203.0.113.0/24"]},
    "registry": {"address": "registry.example.com"},
}
SESSION: dict[str, Any] = {"ssh": {"access": "session"}}
DIRECT: dict[str, Any] = {"ssh": {"access": "direct", "admin_networks": ["203.0.113.0/24"]}}
RANGE: dict[str, Any] = {
    "aws": {"pool": {"maximum": 150, "drain_seconds": 120}},
    "network": {"overlay_prefix": 23},
}
CHOICES: dict[str, Any] = {"aws": {"tags": {"team": "platform"}, "image": {"ami": "ami-0fedcba9876543210"}}}
MANAGERS = ("manager-1", "manager-2", "manager-3")
GROUP = "flotilla-dev-workers"
PARAMETER = "/flotilla-dev/worker-join"
HOOK = "aws:autoscaling/lifecycleHook:LifecycleHook"

pytestmark = pytest.mark.xdist_group("aws-pool")
"""One worker of the test run has them all, since recording takes its time."""

both_modes = pytest.mark.parametrize("mode", ["applied", "preview"])


@cache
def _recorded(settings: str, mode: str) -> Graph:
    return record({**BASE, **json.loads(settings)}, mode)


def graph(mode: str = "applied", **settings: Any) -> Graph:
    return _recorded(json.dumps(settings, sort_keys=True), mode)


def sized(count: int, **labels: str) -> Graph:
    """A pool and nothing to deploy on it."""
    return graph(workers={"count": count, "pool": True, "labels": labels}, services={"web": None, "wordpress": None})


def part(found: Graph, name: str) -> Resource:
    return found.named(f"aws-pool-{name}")


def decoded(text: str) -> bytes:
    """What EC2 gives a machine, which cloud-init decompresses where it has to."""
    data = base64.b64decode(text)
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def worker_data(found: Graph) -> bytes:
    return decoded(part(found, "template").inputs["userData"])


def manager_data(found: Graph, name: str) -> bytes:
    return decoded(found.named(f"aws-{name}-machine").inputs["userDataBase64"])


def files(data: bytes) -> dict[str, str]:
    document = yaml.safe_load(data)
    return {item["path"]: item["content"] for item in document["write_files"]}


def statements(policy: Resource) -> list[dict[str, Any]]:
    return json.loads(policy.inputs["policy"])["Statement"]


def strings(value: Any) -> Iterator[str]:
    """All texts, those inside of secrets too."""
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


# -- size


def test_ten_thousand_workers_are_as_many_resources_as_ten() -> None:
    small, large = sized(10), sized(10_000)
    assert small.by_urn.keys() == large.by_urn.keys()
    assert (small.edges, small.depth) == (large.edges, large.depth)


def test_a_pool_is_one_group_and_no_machine_of_its_own() -> None:
    found = graph()
    machines = {resource.name for resource in found.of_type("aws:ec2/instance:Instance")}
    assert machines == {"aws-bastion-machine", *(f"aws-{name}-machine" for name in MANAGERS)}
    assert len(found.of_type("aws:autoscaling/group:Group")) == 1
    assert len([resource for resource in found.resources if resource.name.startswith("aws-pool")]) == 11


def test_another_size_changes_the_group_and_its_gate_alone() -> None:
    before, after = sized(10), sized(20)
    assert changed(before, after) == {"aws-pool-group", "aws-pool-readiness"}


def test_another_label_changes_a_tag_of_the_group_and_rolls_no_machine() -> None:
    before, after = sized(10, disk="ssd"), sized(10, disk="nvme")
    assert changed(before, after) == {"aws-pool-group"}
    assert part(before, "group").inputs["launchTemplate"] == part(after, "group").inputs["launchTemplate"]


def test_more_managers_change_what_machines_read_and_roll_none() -> None:
    before, after = graph(), graph(managers={"count": 5})
    assert part(before, "template").inputs == part(after, "template").inputs
    assert part(before, "group").inputs == part(after, "group").inputs
    for found, count in ((before, 3), (after, 5)):
        assert len(json.loads(part(found, "invitation").inputs["value"]["value"])["managers"]) == count


def changed(before: Graph, after: Graph) -> set[str]:
    assert before.by_urn.keys() == after.by_urn.keys()
    return {r.name for urn, r in after.by_urn.items() if r.inputs != before.by_urn[urn].inputs}


def test_without_a_maximum_the_group_has_exactly_as_many_machines_as_workers() -> None:
    inputs = part(graph(), "group").inputs
    assert (inputs["minSize"], inputs["desiredCapacity"], inputs["maxSize"]) == (100, 100, 100)


def test_with_a_maximum_whoever_scales_the_group_decides_between_the_two() -> None:
    inputs = part(graph(**RANGE), "group").inputs
    assert (inputs["minSize"], inputs["maxSize"]) == (100, 150)
    assert "desiredCapacity" not in inputs


# -- the token


@both_modes
def test_the_token_is_in_a_secret_string_and_nowhere_else(mode: str) -> None:
    found = graph(mode)
    assert [resource.name for resource in found.resources if leaks(resource.inputs)] == []
    assert [urn for urn, outputs in found.outputs.items() if leaks(outputs)] == []
    invitation = part(found, "invitation").inputs
    assert (invitation["type"], invitation["name"]) == ("SecureString", PARAMETER)
    assert invitation["value"][SIGNATURE] == SECRET


def test_the_token_comes_with_the_addresses_that_outlive_the_managers() -> None:
    found = graph()
    addresses = [found.named(f"aws-{name}-address").inputs["privateIps"][0] for name in MANAGERS]
    assert json.loads(part(found, "invitation").inputs["value"]["value"]) == {
        "managers": [f"{address}:2377" for address in addresses],
        "token": f"{SENTINEL}-swarm-cluster",
    }
    holders = {r.name for r in found.resources if any(SENTINEL in text for text in strings(r.inputs))}
    nodes = {f"swarm-node-{name}" for name in MANAGERS}
    assert holders == {"aws-pool-invitation", *nodes}


@pytest.mark.parametrize("settings", [{}, SESSION], ids=["bastion", "session"])
def test_no_user_data_holds_a_token_even_compressed(settings: dict[str, Any]) -> None:
    found = graph(**settings)
    for data in (worker_data(found), *(manager_data(found, name) for name in MANAGERS)):
        assert b"#cloud-config" in data
        assert SENTINEL.encode() not in data
        assert b"SWMTKN" not in data


def test_a_worker_may_read_that_one_parameter_and_nothing_else() -> None:
    found = graph()
    parameter = f"arn:aws:ssm:us-east-1:*:parameter{PARAMETER}"
    read, decrypt = statements(part(found, "identity-policy"))
    assert read == {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": parameter}
    assert decrypt["Action"] == "kms:Decrypt"
    assert decrypt["Condition"] == {
        "StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:PARAMETER_ARN": parameter},
    }


def test_with_sessions_a_worker_may_have_sessions_too() -> None:
    found = graph(**SESSION)
    alone, policy = (statements(part(one, "identity-policy")) for one in (graph(), found))
    assert policy == [*alone, dict(SESSION_STATEMENTS[0])]
    assert part(found, "identity-policy").urn in found.reachable(part(found, "group").urn)
    assert b"amazon-ssm-agent" in worker_data(found)


def test_managers_may_end_the_waiting_of_this_group_and_describe() -> None:
    for region, partition in (("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")):
        found = graph(aws={"region": region})
        describe, complete = statements(found.named("aws-identity-manager-policy"))
        assert describe["Action"] == ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"]
        assert complete["Action"] == "autoscaling:CompleteLifecycleAction"
        arn = f"arn:{partition}:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{GROUP}"
        assert complete["Resource"] == arn
        assert part(found, "group").inputs["name"] == GROUP


# -- what comes after what


@both_modes
def test_no_machine_starts_before_it_can_join(mode: str) -> None:
    found = graph(mode)
    reached = found.reachable(part(found, "group").urn)
    needed = {
        *(part(found, name).urn for name in ("invitation", "identity-policy", "identity-profile", "template")),
        *(route.urn for route in found.of_type("aws:ec2/route:Route") if "private" in route.name),
        found.named("swarm-cluster").urn,
    }
    assert len(needed) == 8
    assert needed <= reached


@both_modes
def test_services_wait_until_the_pools_workers_and_all_managers_are_nodes(mode: str) -> None:
    found = graph(mode)
    gate = part(found, "readiness")
    assert gate.inputs["readyWorkers"] == 100
    assert gate.inputs["nodeIds"] == []
    assert len(gate.inputs["managers"]) == 3
    reached = found.reachable(gate.urn)
    assert {part(found, "group").urn, *(node.urn for node in found.of_type("swarm:index:Node"))} <= reached
    services = found.of_type("docker:index/service:Service")
    assert services
    assert [service.name for service in services if gate.urn not in found.reachable(service.urn)] == []
    assert gate.deleted_with == found.named("swarm-cluster").urn


def test_the_gate_gives_a_large_pool_its_time() -> None:
    patience = [part(sized(count), "readiness").inputs["timeout"] for count in (10, 10_000)]
    assert patience == [905, 5900]


@pytest.mark.parametrize(("settings", "seconds"), [({}, 900), (RANGE, 120)], ids=["default", "chosen"])
def test_hooks_hold_machines_until_they_have_joined_and_until_they_are_drained(
    settings: dict[str, Any], seconds: int
) -> None:
    found = graph(**settings)
    initial = {hook["name"]: hook for hook in part(found, "group").inputs["initialLifecycleHooks"]}
    assert set(initial) == {pool_agent.JOINING, pool_agent.LEAVING}
    assert initial[pool_agent.JOINING] == {
        "name": "joining",
        "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "heartbeatTimeout": 1800,
        "defaultResult": "CONTINUE",
    }
    assert initial[pool_agent.LEAVING] == {
        "name": "leaving",
        "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "heartbeatTimeout": seconds,
        "defaultResult": "CONTINUE",
    }


def test_a_machine_tries_less_long_than_the_agent_waits_and_that_less_long_than_the_hook() -> None:
    (joining, _) = part(graph(), "group").inputs["initialLifecycleHooks"]
    assert joining["name"] == pool_agent.JOINING
    patience = pool_agent.JOINING_TIME.total_seconds()
    assert join_worker.DEADLINE_SECONDS < patience < joining["heartbeatTimeout"]


def test_hooks_are_there_before_the_first_machine_and_can_change_later() -> None:
    found = graph()
    group = part(found, "group")
    assert group.request["ignoreChanges"] == ["initialLifecycleHooks"]
    for initial in group.inputs["initialLifecycleHooks"]:
        hook = part(found, initial["name"])
        assert hook.type == HOOK
        assert hook.inputs == {**initial, "autoscalingGroupName": GROUP}
        assert hook.deleted_with == group.urn


def test_taking_the_group_away_waits_for_no_machine_to_be_drained() -> None:
    inputs = part(graph(), "group").inputs
    assert inputs["forceDelete"] is True
    assert inputs["waitForCapacityTimeout"] == "0"


# -- the machines


def test_machines_take_sessions_of_the_metadata_service_alone_and_keep_it_from_containers() -> None:
    options = part(graph(), "template").inputs["metadataOptions"]
    assert options == {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}


def test_the_root_disk_is_the_images_own_encrypted_and_as_large_as_said() -> None:
    found = graph(workers={**BASE["workers"], "disk": "60g"})
    assert part(found, "template").inputs["blockDeviceMappings"] == [
        {
            "deviceName": "/dev/xvda",
            "ebs": {"volumeType": "gp3", "volumeSize": 60, "encrypted": "true", "deleteOnTermination": "true"},
        }
    ]


@pytest.mark.parametrize(("settings", "public"), [({}, "false"), (DIRECT, "true")], ids=["bastion", "direct"])
def test_machines_have_public_addresses_only_where_they_are_reached_by_them(
    settings: dict[str, Any], public: str
) -> None:
    found = graph(**settings)
    (interface,) = part(found, "template").inputs["networkInterfaces"]
    assert interface["associatePublicIpAddress"] == public
    assert interface["securityGroups"] == ["aws-firewall-group-nodes-id"]
    kind = "public" if public == "true" else "private"
    subnets = [f"aws-network-{kind}-us-east-1{letter}-id" for letter in "abc"]
    assert part(found, "group").inputs["vpcZoneIdentifiers"] == subnets


def test_a_newer_public_image_rolls_no_machine_and_another_ami_of_the_users_does() -> None:
    public = part(graph(), "template").inputs["imageId"]
    assert public == "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
    assert AMI not in public
    chosen = part(graph(**CHOICES), "template")
    assert chosen.inputs["imageId"] == "ami-0fedcba9876543210"
    assert "ignoreChanges" not in chosen.request


def test_machines_of_arm64_boot_the_public_image_of_arm64() -> None:
    found = graph(
        managers={"type": "t4g.medium"},
        workers={**BASE["workers"], "type": "t4g.medium"},
        aws={"image": {"architecture": "arm64"}, "bastion_type": "t4g.micro"},
    )
    assert part(found, "template").inputs["imageId"] == "resolve:ssm:/aws/service/debian/release/12/latest/arm64"


def test_another_template_rolls_the_machines_a_tenth_at_a_time() -> None:
    found = graph()
    inputs = part(found, "group").inputs
    assert inputs["launchTemplate"] == {"id": "aws-pool-template-id", "version": "1"}
    assert inputs["instanceRefresh"] == {
        "strategy": "Rolling",
        "preferences": {"minHealthyPercentage": 90, "instanceWarmup": "0", "skipMatching": True},
    }


def test_nodes_are_named_by_their_instances() -> None:
    assert part(graph(), "template").inputs["privateDnsNameOptions"] == {"hostnameType": "resource-name"}


def test_tags_reach_what_the_group_launches() -> None:
    found = graph(**CHOICES)
    wanted = {"Name": GROUP, "team": "platform", "flotilla.stack": "flotilla-dev"}
    tags = part(found, "group").inputs["tags"]
    assert {tag["key"]: tag["value"] for tag in tags if tag["propagateAtLaunch"]} == wanted
    assert {tag["key"]: tag["value"] for tag in tags if not tag["propagateAtLaunch"]} == {"flotilla:label:disk": "ssd"}
    assert part(found, "template").inputs["tagSpecifications"] == [{"resourceType": "volume", "tags": wanted}]


def test_a_worker_boots_with_the_program_that_joins_and_its_unit() -> None:
    found = graph()
    data = worker_data(found)
    assert len(data) <= LONGEST_USER_DATA
    document = yaml.safe_load(data)
    assert "hostname" not in document
    assert document["packages"] == ["docker.io", "python3-boto3"]
    assert document["runcmd"][-2:] == [
        "systemctl daemon-reload",
        "systemctl enable --now --no-block flotilla-join.service",
    ]
    unit = files(data)["/etc/systemd/system/flotilla-join.service"]
    assert "WorkingDirectory=/usr/local/lib/flotilla\nExecStart=/usr/bin/python3 -m agents.join_worker\n" in unit
    settings = json.loads(files(data)["/etc/flotilla/join.json"])
    assert settings == {"region": "us-east-1", "parameter": PARAMETER}
    assert set(files(data)) >= {f"/usr/local/lib/flotilla/agents/{name}.py" for name in ("engine", "join_worker")}


def test_every_manager_boots_with_the_agent_and_within_what_ec2_takes() -> None:
    found = graph()
    for name in MANAGERS:
        data = manager_data(found, name)
        document = yaml.safe_load(data)
        assert document["packages"] == ["docker.io", "python3-boto3"]
        assert document["runcmd"][-1] == "systemctl enable --now --no-block flotilla-pool.service"
        assert json.loads(files(data)["/etc/flotilla/pool.json"]) == {"region": "us-east-1", "group": GROUP}
        assert set(files(data)) >= {f"/usr/local/lib/flotilla/agents/{one}.py" for one in ("engine", "pool_agent")}
        sent = base64.b64decode(found.named(f"aws-{name}-machine").inputs["userDataBase64"])
        assert len(sent) <= LONGEST_USER_DATA


def test_without_a_pool_there_is_nothing_of_it() -> None:
    found = graph(workers={"count": 2})
    assert [
        resource.name for resource in found.resources if "pool" in resource.name and "load-" not in resource.name
    ] == []
    for name in MANAGERS:
        assert "agents" not in found.named(f"aws-{name}-machine").inputs["userData"]


# -- refusals


def arguments(labels: dict[str, str], **tags: str) -> WorkerPoolArgs:
    """Arguments of a pool; what only flows into properties is left out."""
    nothing: Any = None
    rented = RentedCloudArgs(
        prefix="flotilla-dev",
        specs=(),
        addresses={},
        rules=(),
        admin_networks=(),
        access="bastion",
        engine=EngineSettings(bridge_address="172.30.0.1/24", address_pools=()),
        ssh_public_key=PUBLIC_KEY,
        ssh_user="admin",
        identity_file="identity",
        types={},
        root_disk_gib={},
        balancer="none",
        statistics_port=8404,
        images=ImageSource(registry="registry.example.com", images={}),
        registry_authorities={},
        protect=False,
    )
    return WorkerPoolArgs(
        rented=rented,
        pool=Pool(count=1, maximum=1, drain_seconds=900, labels=labels),
        region="us-east-1",
        ami=AMI,
        key_name="key",
        subnet_ids=(),
        security_group_ids=(),
        public=False,
        cluster=nothing,
        provider=nothing,
        mtu=None,
        tags=tags,
    )


REFUSED = [
    pytest.param(
        {"zone": "a"},
        "workers.labels is 'zone': every node gets it by itself; use another name",
        id="the label that every node has",
    ),
    pytest.param(
        {"-disk": "ssd"},
        "workers.labels is '-disk': no name of a label; use letters, digits and . _ / -",
        id="no name",
    ),
    pytest.param(
        {"disk": "ssd;nvme"},
        "workers.labels.disk is 'ssd;nvme': no text that a tag of an autoscaling group can carry; use up to 256 "
        "letters, digits, spaces and + - = . _ : / @, and a name of at most 113",
        id="a character that tags do not have",
    ),
    pytest.param({"disk": "s" * 257}, "use up to 256 letters", id="a value that is too long"),
    pytest.param({"d" * 114: "ssd"}, "a name of at most 113", id="a name that is too long"),
    pytest.param(
        {f"label-{number}": "" for number in range(49)},
        "workers.labels is '49 labels': they are tags of the autoscaling group, which has room for 48 more; "
        "use at most 48",
        id="more than a group has room for",
    ),
]


@pytest.mark.parametrize(("labels", "message"), REFUSED)
def test_labels_that_tags_cannot_carry_are_refused(labels: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError) as refusal:
        arguments(labels, team="platform")
    assert message in str(refusal.value)


def test_labels_at_the_bounds_are_taken() -> None:
    labels = {f"label-{number}": "" for number in range(46)}
    arguments({**labels, "d" * 113: "s" * 256, "rack": "Köln 7+-=._:/@"}, team="platform")
