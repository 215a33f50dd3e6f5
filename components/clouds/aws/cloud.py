"""The cloud on Amazon EC2: a VPC over one to three zones, machines with addresses that outlive them, EBS volumes, and a
network load balancer or a machine with HAProxy in front."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from components.clouds.aws.bounds import Pool
from components.clouds.aws.firewall import Firewall, FirewallArgs
from components.clouds.aws.identity import Identity, IdentityArgs
from components.clouds.aws.instance import Instance, InstanceArgs
from components.clouds.aws.load_balancer import LoadBalancer, LoadBalancerArgs
from components.clouds.aws.network import Nat, Network, NetworkArgs
from components.clouds.aws.session import SESSION_PACKAGES, SESSION_STATEMENTS, session_commands, session_proxy_command
from components.clouds.aws.volume import Volume, VolumeArgs
from components.clouds.bootstrap import balancer_user_data, beside_user_data, node_user_data
from components.clouds.cloud import BASTION, LOAD_BALANCER, ImageSource, MachineKind, RentedCloudArgs
from components.component import Component
from components.machine import Machine, MachineSpec, SshEndpoint
from components.naming import MANAGER, WORKER, physical_name
from components.plan.addresses import ZoneSubnets
from components.plan.errors import PlanError
from components.plan.ports import SSH
from components.services.route import Route, url
from components.storage.volume import StoredVolume, VolumeSpec
from components.swarm.cluster import SwarmCluster
from components.swarm.jump import JumpHost, JumpHostArgs

_STACK_TAG = "flotilla.stack"
_LONGEST_NAME = 255
_KEY_TYPES = ("ssh-ed25519", "ssh-rsa")
_MOST_TAGS = 48
"""EC2 takes 50 of a resource; its name and the stack's are two."""


@dataclass(frozen=True, kw_only=True)
class AwsImage:
    """The machine image: an AMI by its id, else the one that a public parameter of Systems Manager holds."""

    parameter: str
    ami: str | None


@dataclass(frozen=True, kw_only=True)
class AwsCloudArgs:
    """`network` is the CIDR of the VPC, `zones` the subnets of each zone, `subnets` where machines are; `mtu`
    is in bytes, None for Docker's own 1500; `pool` makes workers an autoscaling group; `tags` are for everything."""

    rented: RentedCloudArgs
    network: str
    zones: Mapping[str, ZoneSubnets]
    region: str
    subnets: Literal["private", "public"]
    nat: Nat
    image: AwsImage
    mtu: int | None
    pool: Pool | None
    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        for key in self.tags:
            if key.lower().startswith("aws:") or key == _STACK_TAG:
                raise PlanError(field="aws.tags", value=key, problem="not a tag for you to set", fix="use another key")
        if len(self.tags) > _MOST_TAGS:
            raise PlanError(
                field="aws.tags",
                value=f"{len(self.tags)} tags",
                problem="more than EC2 takes",
                fix=f"use at most {_MOST_TAGS}",
            )
        kind = self.rented.ssh_public_key.split()[0]
        if kind not in _KEY_TYPES:
            raise PlanError(
                field="ssh.identity_file",
                value=kind,
                problem="no type of key that EC2 takes",
                fix="use an Ed25519 key (ssh-keygen -t ed25519) or an RSA key",
            )

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags of everything: the user's, and that of the stack."""
        return {**self.tags, _STACK_TAG: self.rented.prefix}

    @property
    def first_zone(self) -> str:
        """Where machines beside the swarm are."""
        return min(self.zones)


class AwsCloud(Component):
    """Network, firewall and machines; the VPC is the anchor that everything in the machines goes away with."""

    token = "flotilla:aws:Cloud"
    declares = ("machines", "images", "anchor", "mtu", "proxy_command")

    machines: tuple[Machine, ...]
    images: ImageSource
    anchor: pulumi.Resource
    mtu: str | None
    proxy_command: pulumi.Input[str] | None

    def __init__(self, name: str, args: AwsCloudArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._group_name: pulumi.Output[str] | None = None
        self._api = self._make_provider()
        self._network = self._make_network()
        self._firewall = self._make_firewall()
        self._key_name = self._key_pair()
        self._ami = self._find_image()
        self._profiles: dict[str, pulumi.Output[str]] = {}
        self._instances = {spec.name: self._node(spec) for spec in args.rented.specs}
        self.publish(
            machines=tuple(self._machine(spec) for spec in args.rented.specs),
            images=args.rented.images,
            anchor=self._network.vpc,
            mtu=str(args.mtu) if args.mtu is not None else None,
            proxy_command=self._way_in(),
        )

    def _make_provider(self) -> aws.Provider:
        """Tags are said once, here. Who we are comes from the environment or AWS's own files, never from settings."""
        args = self._args
        return aws.Provider(
            self.child_name("provider"),
            region=args.region,
            default_tags=aws.ProviderDefaultTagsArgs(tags=args.all_tags),
            opts=self.child(),
        )

    def _make_network(self) -> Network:
        args = self._args
        return Network(
            self.child_name("network"),
            NetworkArgs(
                prefix=args.rented.prefix,
                network=args.network,
                zones=args.zones,
                region=args.region,
                private=args.subnets == "private",
                nat=args.nat,
                pool=args.pool is not None,
                provider=self._api,
            ),
            self.child(),
        )

    def _make_firewall(self) -> Firewall:
        rented = self._args.rented
        return Firewall(
            self.child_name("firewall"),
            FirewallArgs(
                prefix=rented.prefix,
                vpc_id=self._network.vpc.id,
                rules=rented.rules,
                admin_networks=rented.admin_networks,
                provider=self._api,
            ),
            self.child(),
        )

    def _key_pair(self) -> pulumi.Output[str]:
        """A key pair cannot be changed. The key is in its name, so that another one is there before the old one goes:
        one that had to go first would take the machines that name it along."""
        rented = self._args.rented
        pair = aws.ec2.KeyPair(
            self.child_name("key"),
            key_name=rented.key_pair_name,
            public_key=rented.key_pair,
            opts=self.child(provider=self._api, delete_before_replace=False),
        )
        return pair.key_name

    def _find_image(self) -> pulumi.Input[str]:
        image = self._args.image
        if image.ami is not None:
            return image.ami
        found = aws.ssm.get_parameter_output(
            name=image.parameter, opts=pulumi.InvokeOutputOptions(parent=self, provider=self._api)
        )
        # The provider takes a parameter's `value` for a secret, which would hide the AMI in previews.
        return found.apply(lambda parameter: parameter.insecure_value)

    def _profile(self, kind: MachineKind) -> pulumi.Output[str] | None:
        """The instance profile of a kind of machine; None where it uses nothing of AWS."""
        session = SESSION_STATEMENTS if self._args.rented.access == "session" else ()
        agent = self._agent_statements() if kind == MANAGER and self._args.pool is not None else ()
        if not session and not agent:
            return None
        key = MANAGER if agent else "machine"
        if key not in self._profiles:
            self._profiles[key] = self._identity(key, (*agent, *session))
        return self._profiles[key]

    def _agent_statements(self) -> tuple[Mapping[str, Any], ...]:
        from components.clouds.aws.pool import manager_statements  # noqa: PLC0415  as in `pool`

        return tuple(manager_statements(self._args.rented.prefix, self._args.region))

    def _identity(self, key: str, statements: tuple[Mapping[str, Any], ...]) -> pulumi.Output[str]:
        identity = Identity(
            self.child_name("identity", key),
            IdentityArgs(prefix=self._args.rented.prefix, key=key, statements=statements, provider=self._api),
            self.child(),
        )
        return identity.profile_name

    def _node(self, spec: MachineSpec) -> Instance:
        args = self._args
        return self._instance(
            spec.name,
            spec.role,
            subnet_id=self._network.machine_subnets[spec.zone],
            groups=("nodes", spec.role),
            # Machines in public subnets have no other way out.
            public=args.subnets == "public",
            user_data=self._node_user_data(spec),
        )

    def _node_user_data(self, spec: MachineSpec) -> str:
        args = self._args
        packages, commands = self._session()
        files: Mapping[str, str] = {}
        if spec.role == MANAGER and args.pool is not None:
            from components.clouds.aws.pool import manager_files  # noqa: PLC0415  as in `pool`

            agent = manager_files(args.region, args.rented.prefix)
            packages, files, commands = (*packages, *agent.packages), agent.files, (*commands, *agent.commands)
        return node_user_data(args.rented, spec.name, packages=packages, files=files, commands=commands)

    def _session(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Packages and commands of a machine that is reached by sessions."""
        if self._args.rented.access != "session":
            return (), ()
        return SESSION_PACKAGES, session_commands(self._args.region)

    def _instance(
        self,
        key: str,
        kind: MachineKind,
        *,
        subnet_id: pulumi.Input[str],
        groups: tuple[str, ...],
        public: bool,
        user_data: str,
    ) -> Instance:
        args, rented = self._args, self._args.rented
        return Instance(
            self.child_name(key),
            InstanceArgs(
                key=key,
                kind=kind,
                physical_name=physical_name(rented.prefix, key, limit=_LONGEST_NAME),
                type=rented.types[kind],
                ami=self._ami,
                follows_ami=args.image.ami is not None,
                address=rented.addresses[key],
                subnet_id=subnet_id,
                group_ids=self._firewall.members(*groups),
                public=public,
                key_name=self._key_name,
                profile_name=self._profile(kind),
                user_data=user_data,
                root_disk_gib=rented.root_disk_gib[kind],
                protect=rented.protect,
                provider=self._api,
            ),
            self.child(),
        )

    def _machine(self, spec: MachineSpec) -> Machine:
        rented, instance = self._args.rented, self._instances[spec.name]
        address: dict[str, pulumi.Input[str]] = {
            "direct": instance.public_address,
            "bastion": instance.private_address,
            "session": instance.machine.id,
        }
        return Machine(
            spec=spec,
            private_address=instance.private_address,
            identity=instance.machine.id,
            endpoint=SshEndpoint(address=address[rented.access], port=SSH, user=rented.ssh_user, host_key=None),
            keeps_state=False,
        )

    def _way_in(self) -> pulumi.Input[str] | None:
        access = self._args.rented.access
        if access == "session":
            return session_proxy_command(self._args.region)
        return self._bastion().proxy_command if access == "bastion" else None

    def _bastion(self) -> JumpHost:
        rented = self._args.rented
        instance = self._beside(BASTION, BASTION, user_data=beside_user_data(rented))
        return JumpHost(
            self.child_name("jump"),
            JumpHostArgs(
                address=instance.public_address,
                identity=instance.machine.id,
                user=rented.ssh_user,
                identity_file=rented.identity_file,
                anchor=self._network.vpc,
            ),
            self.child(),
        )

    def _beside(self, key: str, kind: MachineKind, *, user_data: str) -> Instance:
        """A machine beside the swarm, in the public subnet of the first zone."""
        return self._instance(
            key,
            kind,
            subnet_id=self._network.public_subnets[self._args.first_zone],
            groups=(kind,),
            public=True,
            user_data=user_data,
        )

    def volume(self, spec: VolumeSpec, cluster: SwarmCluster) -> StoredVolume:
        """An EBS volume on its node."""
        rented = self._args.rented
        if spec.ebs is None:
            raise AssertionError("the plan of cloud aws gives every volume its EBS type")
        volume = Volume(
            self.child_name("volume", spec.name),
            VolumeArgs(
                prefix=rented.prefix,
                spec=spec,
                ebs=spec.ebs,
                machine=self._instances[spec.node].machine,
                cluster=cluster,
                protect=rented.protect,
                provider=self._api,
            ),
            self.child(),
        )
        return volume.stored

    def pool(self, cluster: SwarmCluster) -> pulumi.Resource | None:
        """The autoscaling group of workers: the gate that waits until they are there; None without a pool."""
        args = self._args
        if args.pool is None:
            return None
        # The SDK's part for autoscaling takes a sixth of a second: only stacks with a pool pay for it.
        from components.clouds.aws.pool import WorkerPool, WorkerPoolArgs  # noqa: PLC0415

        workers = WorkerPool(
            self.child_name("pool"),
            WorkerPoolArgs(
                rented=args.rented,
                pool=args.pool,
                region=args.region,
                ami=self._ami,
                image_parameter=None if args.image.ami is not None else args.image.parameter,
                key_name=self._key_name,
                subnet_ids=tuple(self._network.machine_subnets[zone] for zone in sorted(args.zones)),
                security_group_ids=self._firewall.members("nodes", WORKER),
                public=args.subnets == "public",
                cluster=cluster,
                provider=self._api,
                mtu=args.mtu,
                tags=args.all_tags,
            ),
            self.child(),
        )
        self._group_name = workers.group_name
        return workers.readiness

    def balance(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        """A network load balancer, or a machine with HAProxy; nothing where there is nothing to balance."""
        kind = self._args.rented.balancer
        if kind == "none" or not routes:
            return {}
        return self._managed(routes) if kind == "managed" else self._haproxy(routes)

    def _managed(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        rented = self._args.rented
        # The machines of a pool come and go by themselves: their group is what is behind the balancer.
        members = () if self._group_name is not None else rented.members
        balancer = LoadBalancer(
            self.child_name(LOAD_BALANCER),
            LoadBalancerArgs(
                prefix=rented.prefix,
                vpc_id=self._network.vpc.id,
                subnet_ids=tuple(self._network.public_subnets[zone] for zone in sorted(self._args.zones)),
                members={spec.name: self._instances[spec.name].machine.id for spec in members},
                group_name=self._group_name,
                routes=routes,
                protect=rented.protect,
                provider=self._api,
            ),
            self.child(),
        )
        return balancer.urls

    def _haproxy(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        """The configuration is in the user data: another node or port makes it a new machine, at the same addresses."""
        rented = self._args.rented
        packages, commands = self._session()
        user_data = balancer_user_data(rented, routes, packages=packages, commands=commands)
        address = self._beside(LOAD_BALANCER, "balancer", user_data=user_data).public_address
        urls = {route.service: route.url(address) for route in routes}
        return {**urls, "statistics": url(address, rented.statistics_port)}
