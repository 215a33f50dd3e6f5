"""Workers as an autoscaling group: as many machines as wanted from the same few resources.

Machines join by themselves with a token that their role may read; the managers' agent gives them their node labels,
drains those that are to go and removes the nodes of those that are gone (`agents/`, docs/decisions/0015)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from components.clouds.aws.agents import FOLDER, join_worker, pool_agent, program_files
from components.clouds.aws.bounds import Pool
from components.clouds.aws.identity import Identity, IdentityArgs
from components.clouds.aws.names import dns_suffix, partition
from components.clouds.aws.session import SESSION_PACKAGES, SESSION_STATEMENTS, session_commands
from components.clouds.aws.user_data import encode_user_data
from components.clouds.bootstrap import node_user_data
from components.clouds.cloud import RentedCloudArgs
from components.component import Component
from components.machine import check_label
from components.naming import physical_name
from components.plan.errors import PlanError
from components.plan.ports import SWARM
from components.swarm import resources as swarm
from components.swarm.cluster import SwarmCluster

_JOIN_SECONDS = 1800
"""How long a new machine is held at most, for want of an answer whether its node is labelled."""

# Not the AWS CLI, which is larger (92 MiB in Debian 12; boto3 with its parts 78) and would print the token.
_PACKAGES = ("python3-boto3",)
_MOST_TAGS = 50
_LONGEST_TAG_VALUE = 256
_LONGEST_TAG_KEY = 128
_TAG_VALUE = re.compile(r"[\w +=.:/@-]*")


@dataclass(frozen=True, kw_only=True)
class WorkerPoolArgs:
    """`subnet_ids` are one for each zone; with `public` every machine gets a public address. `image_parameter` is the
    public parameter that `ami` comes from, None where the AMI was named itself. `tags` are those of the provider:
    what a group launches does not get them by itself."""

    rented: RentedCloudArgs
    pool: Pool
    region: str
    ami: pulumi.Input[str]
    image_parameter: str | None = None
    key_name: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    security_group_ids: tuple[pulumi.Input[str], ...]
    public: bool
    cluster: SwarmCluster
    provider: aws.Provider
    mtu: int | None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        _check_labels(self.pool.labels, room=_MOST_TAGS - len({"Name", *self.tags}))

    @property
    def managers(self) -> tuple[str, ...]:
        """Names of the managers."""
        return tuple(spec.name for spec in self.rented.specs if spec.role == "manager")

    @property
    def join_addresses(self) -> tuple[str, ...]:
        """Where to join: the managers' addresses outlive their machines."""
        return tuple(f"{self.rented.addresses[name]}:{SWARM}" for name in self.managers)


def _check_labels(labels: Mapping[str, str], *, room: int) -> None:
    """PlanError for labels that tags of the group cannot carry to the agent.

    Source: the Auto Scaling API, data type Tag.
    """
    if len(labels) > room:
        raise PlanError(
            field="workers.labels",
            value=f"{len(labels)} labels",
            problem=f"they are tags of the autoscaling group, which has room for {room} more",
            fix=f"use at most {room}",
        )
    for name, value in labels.items():
        check_label(name, field="workers.labels")
        key = pool_agent.LABEL_TAG + name
        if len(key) > _LONGEST_TAG_KEY or len(value) > _LONGEST_TAG_VALUE or not _TAG_VALUE.fullmatch(value):
            raise PlanError(
                field=f"workers.labels.{name}",
                value=value,
                problem="no text that a tag of an autoscaling group can carry",
                fix=f"use up to {_LONGEST_TAG_VALUE} letters, digits, spaces and + - = . _ : / @, and a name of at "
                f"most {_LONGEST_TAG_KEY - len(pool_agent.LABEL_TAG)}",
            )


@dataclass(frozen=True, kw_only=True)
class MachineProgram:
    """What a machine needs more for a program of ours beside Docker; content of `files` by path."""

    packages: tuple[str, ...]
    files: Mapping[str, str]
    commands: tuple[str, ...]


def manager_files(region: str, prefix: str) -> MachineProgram:
    """The agent. Nothing of it changes with the pool, so that a pool that is resized or labelled changes no manager."""
    return _program(
        "pool_agent",
        unit="flotilla-pool",
        settings=(pool_agent.SETTINGS, {"region": region, "group": group_name(prefix)}),
        service=("Restart=always", "RestartSec=15"),
        description="Autoscaling group and swarm in step",
    )


def worker_files(region: str, prefix: str) -> MachineProgram:
    """The way into the swarm. The token is not in it: only where to read it."""
    return _program(
        "join_worker",
        unit="flotilla-join",
        settings=(join_worker.SETTINGS, {"region": region, "parameter": parameter_name(prefix)}),
        service=("Type=oneshot", "RemainAfterExit=yes"),
        description="Joining the swarm",
    )


def _program(
    name: str, *, unit: str, settings: tuple[Path, Mapping[str, str]], service: tuple[str, ...], description: str
) -> MachineProgram:
    """A systemd unit of a program that needs no more of the machine than the engine's socket."""
    lines = (
        *("[Unit]", f"Description={description}"),
        *("After=docker.service network-online.target", "Wants=network-online.target", ""),
        *("[Service]", f"WorkingDirectory={FOLDER}", f"ExecStart=/usr/bin/python3 -m agents.{name}", *service),
        *("NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectHome=yes", "ProtectSystem=strict", ""),
        *("[Install]", "WantedBy=multi-user.target", ""),
    )
    path, content = settings
    return MachineProgram(
        packages=_PACKAGES,
        files={
            **program_files(name),
            str(path): json.dumps(content, indent=2, sort_keys=True) + "\n",
            f"/etc/systemd/system/{unit}.service": "\n".join(lines),
        },
        # A start that is waited for would hold up the first boot for as long as the managers do not answer.
        commands=("systemctl daemon-reload", f"systemctl enable --now --no-block {unit}.service"),
    )


def manager_statements(prefix: str, region: str = "us-east-1") -> list[dict[str, Any]]:
    """What the agent may do. What only describes knows no single resources in AWS's permissions."""
    groups = f"arn:{partition(region)}:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName"
    return [
        {
            "Effect": "Allow",
            "Action": ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": "autoscaling:CompleteLifecycleAction",
            "Resource": f"{groups}/{group_name(prefix)}",
        },
    ]


def worker_statements(prefix: str, region: str) -> tuple[dict[str, Any], ...]:
    """Reading the one parameter that lets a machine in, and decrypting that parameter alone.

    Source: Systems Manager's user guide, "How Parameter Store uses AWS KMS" (the encryption context).
    """
    parameter = f"arn:{partition(region)}:ssm:{region}:*:parameter{parameter_name(prefix)}"
    return (
        {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": parameter},
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": f"arn:{partition(region)}:kms:{region}:*:key/*",
            "Condition": {
                "StringEquals": {"kms:ViaService": f"ssm.{region}.{dns_suffix(region)}"},
                "StringLike": {"kms:EncryptionContext:PARAMETER_ARN": parameter},
            },
        },
    )


def group_name(prefix: str) -> str:
    """The group's name, known before it exists: permissions and the agent's settings speak of it."""
    return physical_name(prefix, "workers")


def parameter_name(prefix: str) -> str:
    """The parameter with the managers' addresses and the join token."""
    return f"/{prefix}/worker-join"


def worker_user_data(args: WorkerPoolArgs) -> str:
    """User data of every machine of the pool."""
    session = args.rented.access == "session"
    program = worker_files(args.region, args.rented.prefix)
    return node_user_data(
        args.rented,
        None,
        mtu=args.mtu,
        packages=(*program.packages, *(SESSION_PACKAGES if session else ())),
        files=program.files,
        commands=(*program.commands, *(session_commands(args.region) if session else ())),
    )


@dataclass(frozen=True, kw_only=True)
class _Hook:
    """A lifecycle hook: how long it holds a machine, and what comes after that without an answer."""

    name: str
    transition: str
    seconds: int
    result: str


class WorkerPool(Component):
    """Token, role, launch template, group with its hooks, and the gate that waits until the machines are nodes.

    Their number is the same for any number of machines.
    """

    token = "flotilla:aws:WorkerPool"
    declares = ("readiness", "group_name", "template_id")

    readiness: pulumi.Resource
    group_name: pulumi.Output[str]
    template_id: pulumi.Output[str]

    def __init__(self, name: str, args: WorkerPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._hooks = (
            _Hook(
                name=pool_agent.JOINING,
                transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                seconds=_JOIN_SECONDS,
                # Without an answer nobody knows whether the machine has joined; that it has not, the agent says.
                result="CONTINUE",
            ),
            _Hook(
                name=pool_agent.LEAVING,
                transition="autoscaling:EC2_INSTANCE_TERMINATING",
                seconds=args.pool.drain_seconds,
                result="CONTINUE",
            ),
        )
        template = self._template(self._invitation(), self._identity())
        group = self._group(template)
        self._keep_hooks(group)
        self.publish(readiness=self._readiness(group), group_name=group.name, template_id=template.id)

    def _child(self, **options: Any) -> pulumi.ResourceOptions:
        return self.child(provider=self._args.provider, **options)

    def _invitation(self) -> aws.ssm.Parameter:
        """One parameter for both, so that a machine reads what belongs together."""
        args = self._args
        content = {"managers": list(args.join_addresses), "token": args.cluster.resource.worker_token}
        return aws.ssm.Parameter(
            self.child_name("invitation"),
            name=parameter_name(args.rented.prefix),
            description="Where workers join the swarm, and the token that lets them in",
            type="SecureString",
            value=pulumi.Output.secret(pulumi.Output.json_dumps(content)),
            opts=self._child(),
        )

    def _identity(self) -> Identity:
        args = self._args
        session = SESSION_STATEMENTS if args.rented.access == "session" else ()
        return Identity(
            self.child_name("identity"),
            IdentityArgs(
                prefix=args.rented.prefix,
                key="pool",
                statements=(*worker_statements(args.rented.prefix, args.region), *session),
                provider=args.provider,
            ),
            self.child(),
        )

    def _template(self, invitation: aws.ssm.Parameter, identity: Identity) -> aws.ec2.LaunchTemplate:
        args = self._args
        user_data = encode_user_data(worker_user_data(args), machine="the pool of workers")
        parameter = args.image_parameter
        return aws.ec2.LaunchTemplate(
            self.child_name("template"),
            # Not the whole name: a template that is replaced exists beside its successor.
            name_prefix=f"{group_name(args.rented.prefix)}-",
            image_id=args.ami if parameter is None else f"resolve:ssm:{parameter}",
            instance_type=args.rented.types["worker"],
            key_name=args.key_name,
            # By way of the invitation: no machine boots before there is something to join.
            user_data=invitation.name.apply(lambda _: user_data),
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(name=identity.profile_name),
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                # No further than the machine itself: containers must not get at its role, which reads the token.
                http_put_response_hop_limit=1,
            ),
            block_device_mappings=[self._root_disk()],
            network_interfaces=[self._interface()],
            # Nodes are named by their instances, so that `docker node ls` and EC2 speak of the same thing.
            private_dns_name_options=aws.ec2.LaunchTemplatePrivateDnsNameOptionsArgs(hostname_type="resource-name"),
            # Instances have their tags from the group.
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type="volume", tags=self._tags()),
            ],
            tags=self._tags(),
            opts=self._child(),
        )

    def _tags(self) -> dict[str, str]:
        return {**self._args.tags, "Name": group_name(self._args.rented.prefix)}

    def _root_disk(self) -> aws.ec2.LaunchTemplateBlockDeviceMappingArgs:
        """A template has to call the image's root device by its name; another one would be a second disk."""
        args = self._args
        image = aws.ec2.get_ami_output(
            filters=pulumi.Output.from_input(args.ami).apply(
                lambda ami: [aws.ec2.GetAmiFilterArgs(name="image-id", values=[ami])]
            ),
            opts=pulumi.InvokeOutputOptions(parent=self, provider=args.provider),
        )
        return aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
            device_name=image.root_device_name,
            ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                volume_type="gp3",
                volume_size=args.rented.root_disk_gib["worker"],
                encrypted="true",
                delete_on_termination="true",
            ),
        )

    def _interface(self) -> aws.ec2.LaunchTemplateNetworkInterfaceArgs:
        return aws.ec2.LaunchTemplateNetworkInterfaceArgs(
            device_index=0,
            associate_public_ip_address=str(self._args.public).lower(),
            security_groups=list(self._args.security_group_ids),
            delete_on_termination="true",
        )

    def _group(self, template: aws.ec2.LaunchTemplate) -> aws.autoscaling.Group:
        args, pool = self._args, self._args.pool
        return aws.autoscaling.Group(
            self.child_name("group"),
            name=group_name(args.rented.prefix),
            # `count` is the least, and all there is unless `maximum` is more: between the two, whoever scales the
            # group decides, and no update takes that back.
            min_size=pool.count,
            max_size=pool.maximum,
            desired_capacity=pool.count if pool.maximum == pool.count else None,
            vpc_zone_identifiers=list(args.subnet_ids),
            health_check_type="EC2",
            launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            instance_refresh=aws.autoscaling.GroupInstanceRefreshArgs(
                strategy="Rolling",
                preferences=aws.autoscaling.GroupInstanceRefreshPreferencesArgs(
                    min_healthy_percentage=90,
                    # A machine is in service once it has joined: there is nothing to warm up.
                    instance_warmup="0",
                    skip_matching=True,
                ),
            ),
            initial_lifecycle_hooks=[
                aws.autoscaling.GroupInitialLifecycleHookArgs(
                    name=hook.name,
                    lifecycle_transition=hook.transition,
                    heartbeat_timeout=hook.seconds,
                    default_result=hook.result,
                )
                for hook in self._hooks
            ],
            # The gate waits for nodes, with better words than the group has for machines.
            wait_for_capacity_timeout="0",
            # Removing the group must not wait for hooks that managers, which go as well, would answer.
            force_delete=True,
            tags=self._group_tags(),
            # They are for the first machines; later changes are those of the hooks' own resources.
            opts=self._child(ignore_changes=["initialLifecycleHooks"]),
        )

    def _group_tags(self) -> list[aws.autoscaling.GroupTagArgs]:
        """Tags of the machines, and the pool's node labels for the agent: these stay on the group."""
        labels = {pool_agent.LABEL_TAG + name: value for name, value in self._args.pool.labels.items()}
        return [
            aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=propagate)
            for tags, propagate in ((self._tags(), True), (labels, False))
            for key, value in sorted(tags.items())
        ]

    def _keep_hooks(self, group: aws.autoscaling.Group) -> None:
        for hook in self._hooks:
            aws.autoscaling.LifecycleHook(
                self.child_name(hook.name),
                name=hook.name,
                autoscaling_group_name=group.name,
                lifecycle_transition=hook.transition,
                heartbeat_timeout=hook.seconds,
                default_result=hook.result,
                opts=self._child(deleted_with=group),
            )

    def _readiness(self, group: aws.autoscaling.Group) -> swarm.Readiness:
        args, cluster = self._args, self._args.cluster
        return swarm.Readiness(
            self.child_name("readiness"),
            managers=[cluster.connections[name] for name in args.managers],
            cluster_id=cluster.cluster_id,
            node_ids=[],
            ready_workers=args.pool.count,
            triggers={"group": group.arn},
            # AWS starts some hundred machines a minute.
            timeout=900 + args.pool.count // 2,
            # Whoever waits behind this gate waits for the managers too, and their gate gives nothing to wait for.
            opts=self.child(provider=cluster.plugin, deleted_with=cluster.resource, depends_on=[cluster.readiness]),
        )
