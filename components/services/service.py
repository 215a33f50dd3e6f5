"""One well-behaved Swarm service: written so that a second `up` and a refresh change nothing, secrets come as files,
and an update that fails rolls back. Products describe themselves with `SwarmServiceArgs`; the traps are kept here."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.clouds.cloud import ImageSource
from components.component import Component
from components.plan.durations import shortest
from components.plan.errors import PlanError
from components.plan.placement import check_block_volume, check_constraint, check_cpus, check_memory, nano_cpus
from components.services.container import ContainerOptions, LogPolicy, RestartPolicy
from components.storage.volume import Mount, PinnedVolume
from components.swarm.cluster import Swarm


@dataclass(frozen=True, kw_only=True)
class FileContent:
    """A file in the tasks' containers: `path` inside the container, `mode` in octal, content as text; `uid` and
    `gid` are its owner's numbers, root's when they are empty."""

    path: str
    content: pulumi.Input[str]
    mode: int = 0o444
    uid: str = ""
    gid: str = ""


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """`test` is run inside the container, without a shell in the form `CMD`; the form `NONE` switches the image's own
    check off. Durations are Go durations (`5s`)."""

    test: tuple[str, ...]
    form: Literal["CMD", "CMD-SHELL", "NONE"] = "CMD"
    interval: str = "5s"
    timeout: str = "3s"
    retries: int = 3
    start_period: str = "30s"


@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """A port of the tasks (`target`) that the nodes publish (`published`) in `mode` (Docker's `publish mode`)."""

    target: int
    published: int
    mode: Literal["host", "ingress"]
    protocol: Literal["tcp", "udp"] = "tcp"


def mesh_ports(publish_mode: Literal["host", "ingress"], *, target: int, published: int) -> tuple[PublishedPort, ...]:
    """The port for Swarm's routing mesh; none in mode `host`, where the proxy on every node publishes it."""
    if publish_mode == "host":
        return ()
    return (PublishedPort(target=target, published=published, mode="ingress"),)


def unmeshed_ports(
    publish_mode: Literal["host", "ingress"], *, target: int, published: int
) -> tuple[PublishedPort, ...]:
    """The port for tasks that must not be on the mesh: it gives them a second address, and they would listen on that
    one or tell others of it (moby#24637). The load balancer finds the node that has the port."""
    if publish_mode == "host":
        return ()
    return (PublishedPort(target=target, published=published, mode="host"),)


@dataclass(frozen=True, kw_only=True)
class UpdatePolicy:
    """How tasks are replaced (https://docs.docker.com/reference/compose-file/deploy/#update_config)."""

    order: Literal["start-first", "stop-first"] = "start-first"
    parallelism: int = 1
    delay: str = "1s"
    monitor: str = "10s"
    failure_action: Literal["pause", "continue", "rollback"] = "rollback"
    max_failure_ratio: str = "0.0"


@dataclass(frozen=True, kw_only=True)
class SwarmServiceArgs:
    """A service in Docker's words.

    `replicas` is None for global mode. `image` is a name of `images`. `memory` is in bytes, `cpus` in CPUs; both are
    limits. `environment` holds nothing secret: that is what `secrets` are for. `networks` maps stable keys to ids,
    `aliases` the same keys to more names of the service there. `healthcheck` is None where the image has its own.
    `preferences` are what tasks are spread over; `rollback` is None for one task at a time in the order of `update`;
    `endpoint_mode` is None for `vip` with the routing mesh and `dnsrr` without.
    """

    name: str
    image: str
    replicas: int | None
    memory: int
    cpus: float
    healthcheck: Healthcheck | None
    networks: Mapping[str, pulumi.Input[str]]
    cluster: Swarm
    images: ImageSource
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    secrets: Mapping[str, FileContent] = field(default_factory=dict[str, FileContent])
    configs: Mapping[str, FileContent] = field(default_factory=dict[str, FileContent])
    volumes: tuple[PinnedVolume, ...] = ()
    constraints: tuple[str, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    update: UpdatePolicy = field(default_factory=UpdatePolicy)
    init: bool = False
    stop_grace_period: str = "10s"
    converge_timeout: str = "5m"
    container: ContainerOptions = field(default_factory=ContainerOptions)
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    logs: LogPolicy = field(default_factory=LogPolicy)
    rollback: UpdatePolicy | None = None
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    reserved_memory: int = 0
    reserved_cpus: float = 0.0
    preferences: tuple[str, ...] = ("node.labels.zone",)
    max_replicas_per_node: int = 0
    endpoint_mode: Literal["vip", "dnsrr"] | None = None

    def __post_init__(self) -> None:
        where = f"service {self.name}"
        check_memory(self.memory, field=f"{where}: memory")
        check_cpus(self.cpus, field=f"{where}: cpus")
        for constraint in self.constraints:
            check_constraint(constraint, field=f"{where}: constraint")
        if self.endpoint_mode == "dnsrr" and any(port.mode == "ingress" for port in self.ports):
            raise PlanError(
                field=f"{where}: endpoint_mode",
                value="dnsrr",
                problem="the routing mesh needs a virtual address",
                fix="use vip, or publish its ports in mode host",
            )
        for volume in self.volumes:
            if volume.volume.device is not None:
                check_block_volume(
                    service=self.name,
                    volume=volume.volume.name,
                    replicas=self.replicas,
                    update=self.update.order,
                    rollback=(self.rollback or self.update).order,
                )

    @property
    def all_constraints(self) -> tuple[str, ...]:
        """The service's own constraints and those of its volumes (M59: a local volume stays on its node)."""
        of_volumes = (constraint for volume in self.volumes for constraint in volume.constraints)
        return tuple(dict.fromkeys((*self.constraints, *of_volumes)))


class SwarmService(Component):
    """A service with its secrets and configs."""

    token = "flotilla:services:SwarmService"
    declares = ("resource", "service_id", "service_name", "image")

    resource: docker.Service
    service_id: pulumi.Output[str]
    service_name: pulumi.Output[str]
    image: pulumi.Output[str]

    def __init__(self, name: str, args: SwarmServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        image = args.images.reference(args.image)
        service = docker.Service(
            self.child_name("service"),
            name=args.name,
            mode=_mode(args.replicas),
            labels=[docker.ServiceLabelArgs(label=label, value=value) for label, value in args.labels.items()] or None,
            task_spec=self._task(args, image),
            endpoint_spec=_endpoint(args),
            update_config=_update(args.update),
            rollback_config=_rollback(args),
            converge_config=_converge(args),
            # The plugin would update a service that becomes global, or is no longer, and the swarm refuses that.
            opts=self._in_cluster(args.cluster, delete_before_replace=True, replace_on_changes=["mode.global"]),
        )
        self.publish(resource=service, service_id=service.id, service_name=service.name, image=image)

    def _in_cluster(
        self,
        cluster: Swarm,
        *,
        delete_before_replace: bool | None = None,
        replace_on_changes: list[str] | None = None,
    ) -> pulumi.ResourceOptions:
        # The one edge to readiness: tasks placed before all nodes joined would pile up on the first ones, for ever.
        return self.child(
            provider=cluster.provider,
            deleted_with=cluster.resource,
            depends_on=[cluster.readiness],
            delete_before_replace=delete_before_replace,
            replace_on_changes=replace_on_changes,
        )

    def _task(self, args: SwarmServiceArgs, image: pulumi.Output[str]) -> docker.ServiceTaskSpecArgs:
        return docker.ServiceTaskSpecArgs(
            container_spec=self._container(args, image),
            networks_advanceds=[
                docker.ServiceTaskSpecNetworksAdvancedArgs(id=network, aliases=list(args.aliases.get(key, ())) or None)
                for key, network in args.networks.items()
            ],
            placement=_placement(args),
            resources=_resources(args),
            restart_policy=_restart(args.restart),
            log_driver=docker.ServiceTaskSpecLogDriverArgs(
                name=args.logs.driver, options=dict(args.logs.options) or None
            ),
        )

    def _container(self, args: SwarmServiceArgs, image: pulumi.Output[str]) -> docker.ServiceTaskSpecContainerSpecArgs:
        return docker.ServiceTaskSpecContainerSpecArgs(
            image=image,
            commands=list(args.container.entrypoint) or None,
            args=list(args.container.command) or None,
            hostname=args.container.hostname or None,
            user=args.container.user or None,
            groups=list(args.container.groups) or None,
            dir=args.container.working_dir or None,
            read_only=args.container.read_only or None,
            stop_signal=args.container.stop_signal or None,
            cap_adds=list(args.container.cap_add) or None,
            cap_drops=list(args.container.cap_drop) or None,
            sysctl=dict(args.container.sysctls) or None,
            hosts=args.container.host_entries(),
            dns_config=args.container.resolver(),
            labels=args.container.label_args(),
            env=dict(args.environment) or None,
            init=args.init or None,
            stop_grace_period=shortest(args.stop_grace_period, field="stop_grace_period"),
            healthcheck=_healthcheck(args.healthcheck),
            mounts=[mount.mount() for mount in (*args.volumes, *args.mounts)] or None,
            secrets=[self._secret(args.cluster, key, file) for key, file in args.secrets.items()] or None,
            configs=[self._config(args.cluster, key, file) for key, file in args.configs.items()] or None,
        )

    def _secret(self, cluster: Swarm, key: str, file: FileContent) -> docker.ServiceTaskSpecContainerSpecSecretArgs:
        # Without a fixed name, so that a rotation creates the new one, updates the service and then deletes the old.
        secret = docker.Secret(
            self.child_name(key),
            data=pulumi.Output.secret(file.content).apply(encoded),
            opts=self._in_cluster(cluster),
        )
        return docker.ServiceTaskSpecContainerSpecSecretArgs(
            secret_id=secret.id,
            secret_name=secret.name,
            file_name=file.path,
            file_mode=file.mode,
            file_uid=file.uid or None,
            file_gid=file.gid or None,
        )

    def _config(self, cluster: Swarm, key: str, file: FileContent) -> docker.ServiceTaskSpecContainerSpecConfigArgs:
        config = docker.ServiceConfig(
            self.child_name(key),
            data=pulumi.Output.from_input(file.content).apply(encoded),
            opts=self._in_cluster(cluster),
        )
        return docker.ServiceTaskSpecContainerSpecConfigArgs(
            config_id=config.id,
            config_name=config.name,
            file_name=file.path,
            file_mode=file.mode,
            file_uid=file.uid or None,
            file_gid=file.gid or None,
        )


def encoded(text: str) -> str:
    """A text as secrets and configs want it: base64."""
    return base64.b64encode(text.encode()).decode()


def _mode(replicas: int | None) -> docker.ServiceModeArgs:
    if replicas is None:
        return docker.ServiceModeArgs(global_=True)
    return docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=replicas))


def _converge(args: SwarmServiceArgs) -> docker.ServiceConvergeConfigArgs | None:
    # The plugin refuses to wait for a global service; a service scaled to 0 has no task to wait for, and tasks that are
    # not started again may end well before they were seen running.
    if not args.replicas or args.restart.condition == "none":
        return None
    return docker.ServiceConvergeConfigArgs(delay="1s", timeout=shortest(args.converge_timeout, field="timeout"))


def _healthcheck(check: Healthcheck | None) -> docker.ServiceTaskSpecContainerSpecHealthcheckArgs | None:
    if check is None:
        return None
    if check.form == "NONE":
        return docker.ServiceTaskSpecContainerSpecHealthcheckArgs(tests=["NONE"])
    return docker.ServiceTaskSpecContainerSpecHealthcheckArgs(
        tests=[check.form, *check.test],
        interval=check.interval,
        timeout=check.timeout,
        retries=check.retries,
        start_period=check.start_period,
    )


def _resources(args: SwarmServiceArgs) -> docker.ServiceTaskSpecResourcesArgs:
    reservation = docker.ServiceTaskSpecResourcesReservationArgs(
        memory_bytes=args.reserved_memory or None, nano_cpus=nano_cpus(args.reserved_cpus) or None
    )
    return docker.ServiceTaskSpecResourcesArgs(
        limits=docker.ServiceTaskSpecResourcesLimitsArgs(memory_bytes=args.memory, nano_cpus=nano_cpus(args.cpus)),
        reservation=reservation if args.reserved_memory or args.reserved_cpus else None,
    )


def _restart(policy: RestartPolicy) -> docker.ServiceTaskSpecRestartPolicyArgs:
    # Delay and window always: without them the swarm's own differ from what was asked for, for ever.
    return docker.ServiceTaskSpecRestartPolicyArgs(
        condition=policy.condition,
        delay=shortest(policy.delay, field="restart delay"),
        max_attempts=policy.max_attempts or None,
        window=shortest(policy.window, field="restart window"),
    )


def _placement(args: SwarmServiceArgs) -> docker.ServiceTaskSpecPlacementArgs:
    architecture, system = args.images.platform(args.image)
    return docker.ServiceTaskSpecPlacementArgs(
        constraints=list(args.all_constraints) or None,
        # The bare descriptor: pulumi-docker's documents write `spread=` before it, which the swarm would pass over.
        prefs=list(args.preferences) or None,
        max_replicas=args.max_replicas_per_node or None,
        # The plugin fills these in from the registry; unless they are said here too, they differ for ever.
        platforms=[docker.ServiceTaskSpecPlacementPlatformArgs(architecture=architecture, os=system)],
    )


def _endpoint(args: SwarmServiceArgs) -> docker.ServiceEndpointSpecArgs:
    # DNS round robin works with and without IP_VS; the routing mesh alone needs a virtual address.
    mode = "vip" if any(port.mode == "ingress" for port in args.ports) else "dnsrr"
    return docker.ServiceEndpointSpecArgs(
        mode=args.endpoint_mode or mode,
        ports=[
            docker.ServiceEndpointSpecPortArgs(
                target_port=port.target,
                published_port=port.published,
                publish_mode=port.mode,
                protocol=None if port.protocol == "tcp" else port.protocol,
            )
            for port in args.ports
        ]
        or None,
    )


def _update(policy: UpdatePolicy) -> docker.ServiceUpdateConfigArgs:
    return docker.ServiceUpdateConfigArgs(
        order=policy.order,
        parallelism=policy.parallelism,
        delay=shortest(policy.delay, field="delay"),
        monitor=shortest(policy.monitor, field="monitor"),
        failure_action=policy.failure_action,
        max_failure_ratio=policy.max_failure_ratio,
    )


def _rollback(args: SwarmServiceArgs) -> docker.ServiceRollbackConfigArgs:
    policy = args.rollback
    if policy is None:
        return docker.ServiceRollbackConfigArgs(parallelism=1, order=args.update.order)
    return docker.ServiceRollbackConfigArgs(
        order=policy.order,
        parallelism=policy.parallelism,
        delay=shortest(policy.delay, field="delay"),
        monitor=shortest(policy.monitor, field="monitor"),
        failure_action=policy.failure_action,
        max_failure_ratio=policy.max_failure_ratio,
    )
