"""What becomes of a Compose file on this swarm: the file completed by the stack's settings and by defaults, each
default said in a line, so that what is deployed is what can be read. Pure: nothing of Pulumi."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from components.plan.errors import PlanError
from components.plan.placement import parse_constraint
from components.plan.sizes import format_size
from components.services.compose.model import (
    Check,
    ComposeError,
    ComposeFile,
    ComposeService,
    EndpointMode,
    FileReference,
    Port,
    PublishMode,
    Reading,
    Restart,
    Rollout,
)
from components.services.compose.names import STACK_LABEL

Group = TypeVar("Group", Rollout, Restart, Check)

_UPDATE = Rollout(
    parallelism=1, delay="0s", failure_action="rollback", monitor="5s", max_failure_ratio=0.0, order="stop-first"
)
_ROLLBACK = replace(_UPDATE, failure_action="pause")
_RESTART = Restart(condition="any", delay="5s", max_attempts=0, window="0s")
_CHECK = Check(form="CMD", interval="30s", timeout="30s", retries=3, start_period="0s")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the stack's settings say of a Compose file.

    `images` maps images as the file names them to references by digest or to images of the stack; `volumes` volumes or
    paths as the file names them to volumes of the stack; `publish` `service:target` to a published port; `memory` in
    bytes and `cpus` are limits where the file has none; `publish_mode` is the network's. `secrets` and `configs` are
    the external ones whose content there is.
    """

    images: Mapping[str, str] = field(default_factory=dict[str, str])
    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
    publish: Mapping[str, int] = field(default_factory=dict[str, int])
    health_paths: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    memory: int = 512 * 2**20
    cpus: float = 1.0
    publish_mode: PublishMode = "host"


def settle(stack: str, reading: Reading, choices: Choices) -> Reading:
    """The file with everything decided; ComposeError with all that cannot be.

    Every field of a service that has a value in the swarm then has it here, but for the healthcheck, which may be the
    image's own.
    """
    settler = _Settler(stack, choices)
    services = {name: settler.service(name, service) for name, service in reading.file.services.items()}
    settler.check_choices(reading.file)
    settler.check_contents(reading.file)
    if settler.faults:
        raise ComposeError("\n".join(settler.faults))
    return Reading(file=replace(reading.file, services=services), notes=(*reading.notes, *settler.notes))


class _Settler:
    def __init__(self, stack: str, choices: Choices) -> None:
        self._stack = stack
        self._choices = choices
        self.notes: list[str] = []
        self.faults: list[str] = []

    def _fault(self, where: str, value: object, problem: str, fix: str) -> None:
        self.faults.append(str(PlanError(field=where, value=value, problem=problem, fix=fix)))

    def service(self, name: str, service: ComposeService) -> ComposeService:
        """The service with all defaults filled in."""
        where = f"services.{name}"
        self._report_defaults(where, service)
        self._check_mounts(where, service)
        for kind, references in (("secrets", service.secrets), ("configs", service.configs)):
            self._check_references(f"{where}.{kind}", references)
        return replace(
            service,
            image=self._image(where, service.image),
            ports=tuple(self._ports(name, service)),
            memory=service.memory or self._choices.memory,
            cpus=service.cpus or self._choices.cpus,
            endpoint_mode=self._endpoint_mode(where, service),
            update=_filled(service.update, _UPDATE),
            rollback=_filled(service.rollback, _ROLLBACK),
            restart=_filled(service.restart, _RESTART),
            healthcheck=_timed(service.healthcheck),
            stop_grace_period=service.stop_grace_period or "10s",
            labels={**service.labels, STACK_LABEL: self._stack},
            container_labels={**service.container_labels, STACK_LABEL: self._stack},
        )

    def _report_defaults(self, where: str, service: ComposeService) -> None:
        taken: list[str] = []
        if service.memory is None:
            taken.append(f"deploy.resources.limits.memory {format_size(self._choices.memory)}")
        if service.cpus is None:
            taken.append(f"deploy.resources.limits.cpus {self._choices.cpus:g}")
        if service.update.failure_action is None:
            taken.append("deploy.update_config.failure_action rollback")
        if service.logging is None:
            taken.append("logging local, capped at 30 MB a task")
        if taken:
            self.notes.append(f"{where}: not said, so taken: {', '.join(taken)}")
        if service.healthcheck is None:
            self.notes.append(
                f"{where}.healthcheck: not said: without one of its image an update cannot tell that it works; say test"
            )

    def _image(self, where: str, image: str) -> str:
        chosen = self._choices.images.get(image)
        if chosen is not None:
            return chosen
        if "@" in image:
            return image
        self.notes.append(
            f"{where}.image is {image!r}: not by digest, so that nodes may run different ones; "
            "name the digest, or choose one under images"
        )
        return image if ":" in image.rpartition("/")[2] else f"{image}:latest"

    def _ports(self, name: str, service: ComposeService) -> Iterator[Port]:
        where = f"services.{name}.ports"
        for port in service.ports:
            published = self._choices.publish.get(f"{name}:{port.target}", port.published)
            if published is None:
                self._fault(
                    where,
                    port.target,
                    "the swarm would choose a published port, which nothing would lead to",
                    f"write published:{port.target}, or say it under publish ({name}:{port.target})",
                )
            elif port.protocol == "udp" and port.mode == "ingress" and self._choices.publish_mode == "host":
                self._fault(
                    where,
                    f"{published}:{port.target}/udp",
                    "the proxy on every node passes TCP on, not UDP",
                    "use mode: host in the long form, or network.publish_mode: ingress",
                )
            else:
                yield replace(port, published=published)

    def _endpoint_mode(self, where: str, service: ComposeService) -> EndpointMode | None:
        mesh = self._choices.publish_mode == "ingress"
        if service.endpoint_mode == "vip" and not mesh:
            self.notes.append(
                f"{where}.deploy.endpoint_mode is 'vip': taken as dnsrr, since network.publish_mode host is for "
                "kernels without virtual addresses; leave it out"
            )
            return None
        if service.endpoint_mode == "dnsrr" and mesh and any(port.mode == "ingress" for port in service.ports):
            self._fault(
                f"{where}.deploy.endpoint_mode",
                "dnsrr",
                "the routing mesh needs a virtual address",
                "use vip, or mode: host in the long form of its ports",
            )
        return service.endpoint_mode

    def _check_mounts(self, where: str, service: ComposeService) -> None:
        for mount in service.mounts:
            if mount.source in self._choices.volumes:
                continue
            if mount.type == "bind" and not mount.source.startswith("/"):
                self._fault(
                    f"{where}.volumes",
                    mount.source,
                    "a path beside the Compose file, which no node has",
                    "choose a volume for it under volumes, or write a path of the nodes that begins with /",
                )
            elif mount.type == "bind" and not mount.read_only and not _stays(service):
                self.notes.append(
                    f"{where}.volumes is {mount.source!r}: a folder of each node, which does not follow the task; "
                    "pin the service with node.hostname, or choose a volume for it under volumes"
                )
            elif mount.type == "volume" and not mount.source:
                self.notes.append(f"{where}.volumes is {mount.target!r}: without a name; its data goes with the task")

    def _check_references(self, where: str, references: Iterable[FileReference]) -> None:
        sources = [reference.source for reference in references]
        for source in sorted({source for source in sources if sources.count(source) > 1}):
            self._fault(where, source, "there twice", "say it once")

    def check_choices(self, file: ComposeFile) -> None:
        """Settings for what the file does not have are mistakes."""
        services = file.services
        sources = {mount.source for service in services.values() for mount in service.mounts if mount.source}
        ports = {f"{name}:{port.target}" for name, service in services.items() for port in service.ports}
        self._known("images", self._choices.images, {service.image for service in services.values()})
        self._known("volumes", self._choices.volumes, sources)
        self._known("publish", self._choices.publish, ports)
        self._known("health_paths", self._choices.health_paths, set(services))

    def _known(self, setting: str, chosen: Mapping[str, object], known: set[str]) -> None:
        for key in chosen:
            if key not in known:
                listed = f"use one of {', '.join(sorted(known))}" if known else "leave it out"
                self._fault(f"compose.{self._stack}.{setting}", key, "the file has no such thing", listed)

    def check_contents(self, file: ComposeFile) -> None:
        """External secrets and configs have their content from the settings: no provider reads them from a swarm."""
        for kind, contents, there, fix in (
            (
                "secrets",
                file.secrets,
                self._choices.secrets,
                "give its value under secrets, or name it under generated",
            ),
            ("configs", file.configs, self._choices.configs, "name its file under configs"),
        ):
            external = {name for name, content in contents.items() if content.external}
            for name in sorted(external - set(there)):
                self._fault(f"{kind}.{name}", "external", "its content is not known here", fix)
            for name in sorted(set(there) - external):
                self._fault(f"compose.{self._stack}.{kind}", name, "the file has no such external one", "leave it out")


def _stays(service: ComposeService) -> bool:
    """Whether a task is where the one before it was: on every node, or on the one that a constraint names."""
    named = ("node.hostname", "node.id")
    return service.replicas is None or any(
        constraint.equal and constraint.key in named
        for text in service.constraints
        for constraint in (parse_constraint(text, field="constraint"),)
    )


def _filled(own: Group, defaults: Group) -> Group:
    """The group with what it does not say taken from the defaults."""
    said = {item.name: value for item in fields(own) if (value := getattr(own, item.name)) is not None}
    return replace(defaults, **said)


def _timed(check: Check | None) -> Check | None:
    return check if check is None or check.form == "NONE" else _filled(check, _CHECK)
