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
from components.plan.placement import check_constraint, check_cpus, check_memory
from components.storage.volume import PinnedVolume
from components.swarm.cluster import Swarm


@dataclass(frozen=True, kw_only=True)
class FileContent:
    """A file in the tasks' containers: `path` inside the container, `mode` in octal, content as text."""

    path: str
    content: pulumi.Input[str]
    mode: int = 0o444


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """`test` is run inside the container without a shell; durations are Go durations (`5s`)."""

    test: tuple[str, ...]
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


def mesh_ports(publish_mode: Literal["host", "ingress"], *, target: int, published: int) -> tuple[PublishedPort, ...]:
    """The port for Swarm's routing mesh; none in mode `host`, where the proxy on every node publishes it."""
    if publish_mode == "host":
        return ()
    return (PublishedPort(target=target, published=published, mode="ingress"),)


@dataclass(frozen=True, kw_only=True)
class UpdatePolicy:
    """How tasks are replaced (https://docs.docker.com/reference/compose-file/deploy/#update_config)."""

    order: Literal["start-first", "stop-first"] = "start-first"
    parallelism: int = 1
    delay: str = "1s"
    monitor: str = "10s"


@dataclass(frozen=True, kw_only=True)
class SwarmServiceArgs:
    """A service in Docker's words.

    `replicas` is None for global mode. `image` is a name of `images`. `memory` is in bytes, `cpus` in CPUs; both are
    limits. `environment` holds nothing secret: that is what `secrets` are for. `networks` maps stable keys to ids.
    `args` take the place of the image's own command; `hostname` is each task's name for itself (M82).
    """

    name: str
    image: str
    replicas: int | None
    memory: int
    cpus: float
    healthcheck: Healthcheck
    networks: Mapping[str, pulumi.Input[str]]
    cluster: Swarm
    images: ImageSource
    args: tuple[str, ...] = ()
    hostname: str | None = None
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

    def __post_init__(self) -> None:
        where = f"service {self.name}"
        check_memory(self.memory, field=f"{where}: memory")
        check_cpus(self.cpus, field=f"{where}: cpus")
        for constraint in self.constraints:
            check_constraint(constraint, field=f"{where}: constraint")
        for volume in self.volumes:
            if volume.volume.device is not None:
                self._check_single(volume.volume.name)

    def _check_single(self, volume: str) -> None:
        """A block volume has one task at a time (M110): two that write to it destroy what is on it."""
        field, fix = f"service {self.name}: replicas", "use 1 replica and the update order stop-first"
        if self.replicas != 1:
            value = "global" if self.replicas is None else self.replicas
            raise PlanError(field=field, value=value, problem=f"block volume {volume} is for one task", fix=fix)
        if self.update.order != "stop-first":
            problem = f"with the update order {self.update.order} two tasks would have block volume {volume} at once"
            raise PlanError(field=field, value=self.replicas, problem=problem, fix=fix)

    @property
    def all_constraints(self) -> tuple[str, ...]:
        """The service's own constraints and those of its volumes (M59: a local volume stays on its node)."""
        of_volumes = (constraint for volume in self.volumes for constraint in volume.constraints)
        return tuple(dict.fromkeys((*self.constraints, *of_volumes)))


class SwarmService(Component):
    """A service with its secrets and configs."""

    token = "flotilla:services:SwarmService"
    declares = ("service_id", "service_name", "image")

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
            task_spec=self._task(args, image),
            endpoint_spec=_endpoint(args.ports),
            update_config=_update(args.update),
            rollback_config=docker.ServiceRollbackConfigArgs(parallelism=1, order=args.update.order),
            converge_config=_converge(args),
            opts=self._in_cluster(args.cluster, delete_before_replace=True),
        )
        self.publish(service_id=service.id, service_name=service.name, image=image)

    def _in_cluster(self, cluster: Swarm, *, delete_before_replace: bool | None = None) -> pulumi.ResourceOptions:
        # The one edge to readiness: tasks placed before all nodes joined would pile up on the first ones, for ever.
        return self.child(
            provider=cluster.provider,
            deleted_with=cluster.resource,
            depends_on=[cluster.readiness],
            delete_before_replace=delete_before_replace,
        )

    def _task(self, args: SwarmServiceArgs, image: pulumi.Output[str]) -> docker.ServiceTaskSpecArgs:
        return docker.ServiceTaskSpecArgs(
            container_spec=self._container(args, image),
            networks_advanceds=[
                docker.ServiceTaskSpecNetworksAdvancedArgs(id=network) for network in args.networks.values()
            ],
            placement=_placement(args),
            resources=docker.ServiceTaskSpecResourcesArgs(
                limits=docker.ServiceTaskSpecResourcesLimitsArgs(
                    memory_bytes=args.memory, nano_cpus=round(args.cpus * 1e9)
                )
            ),
            restart_policy=docker.ServiceTaskSpecRestartPolicyArgs(condition="any", delay="2s", window="1m"),
            log_driver=docker.ServiceTaskSpecLogDriverArgs(name="local", options={"max-size": "10m", "max-file": "3"}),
        )

    def _container(self, args: SwarmServiceArgs, image: pulumi.Output[str]) -> docker.ServiceTaskSpecContainerSpecArgs:
        return docker.ServiceTaskSpecContainerSpecArgs(
            image=image,
            args=list(args.args) or None,
            hostname=args.hostname,
            env=dict(args.environment) or None,
            init=args.init or None,
            stop_grace_period=shortest(args.stop_grace_period, field="stop_grace_period"),
            healthcheck=docker.ServiceTaskSpecContainerSpecHealthcheckArgs(
                tests=["CMD", *args.healthcheck.test],
                interval=args.healthcheck.interval,
                timeout=args.healthcheck.timeout,
                retries=args.healthcheck.retries,
                start_period=args.healthcheck.start_period,
            ),
            mounts=[volume.mount() for volume in args.volumes] or None,
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
            secret_id=secret.id, secret_name=secret.name, file_name=file.path, file_mode=file.mode
        )

    def _config(self, cluster: Swarm, key: str, file: FileContent) -> docker.ServiceTaskSpecContainerSpecConfigArgs:
        config = docker.ServiceConfig(
            self.child_name(key),
            data=pulumi.Output.from_input(file.content).apply(encoded),
            opts=self._in_cluster(cluster),
        )
        return docker.ServiceTaskSpecContainerSpecConfigArgs(
            config_id=config.id, config_name=config.name, file_name=file.path, file_mode=file.mode
        )


def encoded(text: str) -> str:
    """A text as secrets and configs want it: base64."""
    return base64.b64encode(text.encode()).decode()


def _mode(replicas: int | None) -> docker.ServiceModeArgs:
    if replicas is None:
        return docker.ServiceModeArgs(global_=True)
    return docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=replicas))


def _converge(args: SwarmServiceArgs) -> docker.ServiceConvergeConfigArgs | None:
    # The plugin refuses to wait for a global service, and a service scaled to 0 has no task to wait for.
    if not args.replicas:
        return None
    return docker.ServiceConvergeConfigArgs(delay="1s", timeout=shortest(args.converge_timeout, field="timeout"))


def _placement(args: SwarmServiceArgs) -> docker.ServiceTaskSpecPlacementArgs:
    architecture, system = args.images.platform(args.image)
    return docker.ServiceTaskSpecPlacementArgs(
        constraints=list(args.all_constraints) or None,
        # The bare descriptor: pulumi-docker's documents write `spread=` before it, which the swarm would pass over.
        prefs=["node.labels.zone"],
        # The plugin fills these in from the registry; unless they are said here too, they differ for ever.
        platforms=[docker.ServiceTaskSpecPlacementPlatformArgs(architecture=architecture, os=system)],
    )


def _endpoint(ports: tuple[PublishedPort, ...]) -> docker.ServiceEndpointSpecArgs:
    # DNS round robin works with and without IP_VS; the routing mesh alone needs a virtual address.
    mode = "vip" if any(port.mode == "ingress" for port in ports) else "dnsrr"
    return docker.ServiceEndpointSpecArgs(
        mode=mode,
        ports=[
            docker.ServiceEndpointSpecPortArgs(
                target_port=port.target, published_port=port.published, publish_mode=port.mode
            )
            for port in ports
        ]
        or None,
    )


def _update(policy: UpdatePolicy) -> docker.ServiceUpdateConfigArgs:
    return docker.ServiceUpdateConfigArgs(
        order=policy.order,
        parallelism=policy.parallelism,
        delay=shortest(policy.delay, field="delay"),
        monitor=shortest(policy.monitor, field="monitor"),
        failure_action="rollback",
        max_failure_ratio="0.0",
    )
