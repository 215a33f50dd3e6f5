"""A Compose file on a swarm (M71): its networks and services, named `<stack>_<name>` and labelled as
`docker stack deploy` does, so that Docker's own commands know the stack."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pulumi

from components.clouds.cloud import Image, ImageSource
from components.component import Component
from components.plan.errors import PlanError
from components.services.compose.model import (
    Check,
    ComposeFile,
    ComposeService,
    FileMount,
    FileReference,
    PublishMode,
    Restart,
    Rollout,
)
from components.services.compose.names import STACK_LABEL, network_name, route_name, service_name, volume_name
from components.services.container import ContainerOptions, LogPolicy, RestartPolicy
from components.services.overlay import Overlay, OverlayArgs
from components.services.passwords import Passwords
from components.services.route import Route, SharedRoute
from components.services.service import (
    FileContent,
    Healthcheck,
    PublishedPort,
    SwarmService,
    SwarmServiceArgs,
    UpdatePolicy,
)
from components.storage.volume import Mount, StoredVolume
from components.swarm.cluster import Swarm

_DEFAULT_SPREAD = ("node.labels.zone",)

Given = TypeVar("Given")


@dataclass(frozen=True, kw_only=True)
class ComposeStackArgs:
    """`file` is settled (`settle`): everything in it is decided.

    `secrets` and `configs` are contents by key; `generated` are keys of secrets whose value is made here, 32 letters
    and digits. `volumes` maps volumes or paths as the file names them to volumes of the stack, `external_networks`
    names to ids. `health_paths` are of services that speak HTTP.
    """

    stack: str
    file: ComposeFile
    publish_mode: PublishMode
    cluster: Swarm
    images: ImageSource
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    configs: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    generated: tuple[str, ...] = ()
    volumes: Mapping[str, StoredVolume] = field(default_factory=dict[str, StoredVolume])
    external_networks: Mapping[str, pulumi.Output[str]] = field(default_factory=dict[str, pulumi.Output[str]])
    health_paths: Mapping[str, str] = field(default_factory=dict[str, str])


class ComposeStack(Component):
    """The services of a Compose file and their networks: `networks` are those made here, ids by whole name."""

    token = "flotilla:services:ComposeStack"
    declares = ("services", "networks", "routes")

    services: dict[str, SwarmService]
    networks: dict[str, pulumi.Output[str]]
    routes: tuple[Route, ...]

    def __init__(self, name: str, args: ComposeStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._made: dict[str, pulumi.Output[str]] = {}
        self._networks = dict(self._each_network())
        self._secrets = {**args.secrets, **self._generated()}
        services = {
            key: SwarmService(self.child_name(key), self._service(key, service), self.child())
            for key, service in sorted(args.file.services.items())
        }
        routes = tuple(
            route for key, service in sorted(args.file.services.items()) for route in self._routes(key, service)
        )
        self.publish(services=services, networks=self._made, routes=routes)

    def _each_network(self) -> Iterable[tuple[str, pulumi.Output[str]]]:
        """Ids by key, of the networks that a service is on: Docker makes no other either."""
        args = self._args
        used = {key for service in args.file.services.values() for key in service.networks}
        for key in sorted(used):
            network, whole = args.file.networks[key], network_name(args.stack, args.file, key)
            if network.external:
                yield key, args.external_networks[whole]
                continue
            overlay = Overlay(
                self.child_name("network", key),
                OverlayArgs(
                    name=whole,
                    cluster=args.cluster,
                    attachable=network.attachable,
                    internal=network.internal,
                    encrypted=network.encrypted,
                    mtu=network.mtu,
                    labels={**network.labels, STACK_LABEL: args.stack},
                ),
                self.child(),
            )
            self._made[whole] = overlay.network_id
            yield key, overlay.network_id

    def _generated(self) -> dict[str, pulumi.Output[str]]:
        if not self._args.generated:
            return {}
        passwords = Passwords(self)
        return {key: passwords.make("secret", key).result for key in sorted(self._args.generated)}

    def _service(self, key: str, service: ComposeService) -> SwarmServiceArgs:
        args = self._args
        image, images = _image(service, args.images)
        return SwarmServiceArgs(
            name=service_name(args.stack, key),
            image=image,
            images=images,
            replicas=service.replicas,
            memory=_decided(service.memory),
            cpus=_decided(service.cpus),
            reserved_memory=service.reserved_memory,
            reserved_cpus=service.reserved_cpus,
            healthcheck=_healthcheck(service.healthcheck),
            networks={name: self._networks[name] for name in service.networks},
            # As `docker stack deploy` does: in its networks a service is known by its short name too.
            aliases={name: (key, *aliases) for name, aliases in service.networks.items()},
            environment=dict(service.environment),
            secrets={item.source: _content(item, self._secrets) for item in service.secrets},
            configs={item.source: _content(item, args.configs) for item in service.configs},
            volumes=tuple(
                args.volumes[mount.source].at(mount.target, read_only=mount.read_only)
                for mount in service.mounts
                if mount.source in args.volumes
            ),
            mounts=tuple(self._mount(mount) for mount in service.mounts if mount.source not in args.volumes),
            constraints=service.constraints,
            preferences=service.preferences or _DEFAULT_SPREAD,
            max_replicas_per_node=service.max_replicas_per_node,
            ports=tuple(self._ports(service)),
            endpoint_mode=service.endpoint_mode,
            update=_rollout(service.update),
            rollback=_rollout(service.rollback),
            restart=_restart(service.restart),
            logs=LogPolicy(driver=service.logging.driver, options=dict(service.logging.options))
            if service.logging
            else LogPolicy(),
            labels=dict(service.labels),
            container=_container(service),
            init=service.init,
            stop_grace_period=_decided(service.stop_grace_period),
            cluster=args.cluster,
        )

    def _ports(self, service: ComposeService) -> Iterable[PublishedPort]:
        """Where the proxy on every node stands in for the routing mesh, the service publishes nothing itself."""
        for port in service.ports:
            if port.mode == "host" or self._args.publish_mode == "ingress":
                yield PublishedPort(
                    target=port.target, published=_decided(port.published), mode=port.mode, protocol=port.protocol
                )

    def _routes(self, key: str, service: ComposeService) -> Iterable[Route]:
        """What the load balancer leads to: TCP ports of the routing mesh or of the proxy that stands in for it."""
        args = self._args
        network = min(service.networks)
        for port in service.ports:
            if port.mode == "ingress" and port.protocol == "tcp":
                published = _decided(port.published)
                yield SharedRoute(
                    service=route_name(args.stack, key, published),
                    backend=service_name(args.stack, key),
                    published=published,
                    target=port.target,
                    replicas=service.replicas if service.replicas is not None else 1,
                    network=network_name(args.stack, args.file, network),
                    network_id=self._networks[network],
                    health_path=args.health_paths.get(key, ""),
                )

    def _mount(self, mount: FileMount) -> Mount:
        volume = self._args.file.volumes.get(mount.source) if mount.type == "volume" else None
        return Mount(
            type=mount.type,
            target=mount.target,
            source=volume_name(self._args.stack, self._args.file, mount.source) if volume else mount.source,
            read_only=mount.read_only,
            propagation=mount.propagation,
            no_copy=mount.no_copy,
            driver_options=dict(volume.driver_options) if volume else {},
            labels=dict(volume.labels) if volume else {},
            size=mount.size,
            mode=mount.mode,
        )


def _decided(value: Given | None) -> Given:
    if value is None:
        raise AssertionError("the file is settled before it is deployed")
    return value


def _image(service: ComposeService, images: ImageSource) -> tuple[str, ImageSource]:
    """An image of the stack by its name, or a reference that goes to the nodes as it is."""
    name = service.image
    if not ({":", "@"} & set(name)):
        if name not in images.images and name not in images.upstream:
            known = ", ".join(sorted({*images.images, *images.upstream}))
            raise PlanError(
                field="images", value=name, problem="the stack has no such image", fix=f"use one of {known}"
            )
        return name, images
    system, _, architecture = (service.platform or "linux/amd64").partition("/")
    own = Image(repository=name, digest=None, architecture=architecture, os=system)
    return name, replace(images, upstream={**images.upstream, name: name}, images={**images.images, name: own})


def _content(item: FileReference, contents: Mapping[str, pulumi.Input[str]]) -> FileContent:
    return FileContent(path=item.target, content=contents[item.source], mode=item.mode, uid=item.uid, gid=item.gid)


def _healthcheck(check: Check | None) -> Healthcheck | None:
    if check is None:
        return None
    if check.form == "NONE":
        return Healthcheck(test=(), form="NONE")
    return Healthcheck(
        test=check.test,
        form=check.form,
        interval=_decided(check.interval),
        timeout=_decided(check.timeout),
        retries=_decided(check.retries),
        start_period=_decided(check.start_period),
    )


def _rollout(rollout: Rollout) -> UpdatePolicy:
    return UpdatePolicy(
        order=_decided(rollout.order),
        parallelism=_decided(rollout.parallelism),
        delay=_decided(rollout.delay),
        monitor=_decided(rollout.monitor),
        failure_action=_decided(rollout.failure_action),
        max_failure_ratio=f"{_decided(rollout.max_failure_ratio):.1f}",
    )


def _restart(restart: Restart) -> RestartPolicy:
    return RestartPolicy(
        condition=_decided(restart.condition),
        delay=_decided(restart.delay),
        max_attempts=_decided(restart.max_attempts),
        window=_decided(restart.window),
    )


def _container(service: ComposeService) -> ContainerOptions:
    return ContainerOptions(
        entrypoint=service.entrypoint,
        command=service.command,
        hostname=service.hostname,
        user=service.user,
        groups=service.groups,
        working_dir=service.working_dir,
        read_only=service.read_only,
        stop_signal=service.stop_signal,
        cap_add=service.cap_add,
        cap_drop=service.cap_drop,
        sysctls=dict(service.sysctls),
        hosts=service.hosts,
        dns=service.dns,
        dns_search=service.dns_search,
        dns_options=service.dns_options,
        labels=dict(service.container_labels),
    )
