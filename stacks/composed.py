"""Compose files that a stack names: read with all that they name, settled by the stack's settings, and checked against
its machines, ports, volumes and networks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from components.plan.addresses import check_overlay_capacity
from components.plan.errors import PlanError
from components.plan.placement import Demand, PlanNode, check_block_volume, check_local_volume, check_placement
from components.plan.ports import Publication
from components.plan.sizes import parse_size
from components.services.compose.bundle import read_bundle
from components.services.compose.model import ComposeError, ComposeFile, ComposeService, PublishMode
from components.services.compose.names import network_name, route_name, service_name, volume_name
from components.services.compose.read import files_named, read_compose
from components.services.compose.settle import Choices, settle
from components.services.haproxy import HEALTH_PORT
from stacks.errors import SettingsError
from stacks.products.catalogue import overlay_tasks
from stacks.settings import ComposeSettings, Settings

BUNDLE_SUFFIXES = (".dab", ".json")


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A Compose file as it will be deployed. `secrets` and `configs` are contents by key, those that are made in the
    program left out; `notes` are lines for the user."""

    name: str
    settings: ComposeSettings
    file: ComposeFile
    notes: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    configs: Mapping[str, str] = field(default_factory=dict[str, str])


def load_composed(settings: Settings, folder: Path) -> tuple[Composed, ...]:
    """All Compose files of the stack; SettingsError with every line of the first that cannot be used."""
    mode = settings.network.publish_mode
    return tuple(_load(name, one, folder, mode) for name, one in sorted(settings.compose.items()))


def _load(name: str, settings: ComposeSettings, folder: Path, mode: PublishMode) -> Composed:
    path = folder / settings.file
    text = _text(path, f"compose.{name}.file", settings.file)
    beside = path.parent
    try:
        bundle = path.suffix in BUNDLE_SUFFIXES
        named = () if bundle else files_named(text)
        files = {each: _text(beside / each, f"compose.{name}: {settings.file} names", each) for each in named}
        reading = read_bundle(text) if bundle else read_compose(text, files=files, variables=settings.variables)
        settled = settle(name, reading, _choices(settings, mode))
    except ComposeError as error:
        raise SettingsError(_lines(settings.file, str(error).splitlines())) from None
    external = {
        key: _text(beside / each, f"compose.{name}.configs.{key}", each) for key, each in settings.configs.items()
    }
    return Composed(
        name=name,
        settings=settings,
        file=settled.file,
        notes=tuple(f"{settings.file}: {note}" for note in settled.notes),
        secrets={
            **{key: files[secret.file] for key, secret in settled.file.secrets.items() if secret.file},
            **{key: value.get_secret_value() for key, value in settings.secrets.items()},
        },
        configs={**dict(_configs(reading.file, files)), **external},
    )


def _configs(file: ComposeFile, files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, config in file.configs.items():
        if config.content is not None:
            yield key, config.content
        elif config.file:
            yield key, files[config.file]


def _choices(settings: ComposeSettings, mode: PublishMode) -> Choices:
    return Choices(
        images=settings.images,
        volumes=settings.volumes,
        publish=settings.publish,
        health_paths=settings.health_paths,
        secrets=(*settings.secrets, *settings.generated),
        configs=tuple(settings.configs),
        memory=parse_size(settings.memory, field="memory"),
        cpus=settings.cpus,
        publish_mode=mode,
    )


def _text(path: Path, setting: str, written: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise SettingsError(f"{setting} is '{written}': {reason}; name a text file that is there") from None


def _lines(file: str, lines: Sequence[str]) -> str:
    return "\n".join(f"{file}: {line}" for line in lines)


def publications(composed: Sequence[Composed]) -> list[Publication]:
    """Every port that their services publish on the nodes."""
    return [
        Publication(service=service_name(one.name, key), port=port.published, protocol=port.protocol, mode=port.mode)
        for one in composed
        for key, service in sorted(one.file.services.items())
        for port in service.ports
        if port.published is not None
    ]


def balanced_ports(composed: Sequence[Composed]) -> dict[str, int]:
    """The ports that the load balancer leads to, by the name of the route."""
    return {
        route_name(one.name, key, port.published): port.published
        for one in composed
        for key, service in sorted(one.file.services.items())
        for port in service.ports
        if port.published is not None and port.mode == "ingress" and port.protocol == "tcp"
    }


def encrypted(composed: Sequence[Composed]) -> bool:
    """Whether any network of theirs is."""
    return any(network.encrypted for one in composed for network in one.file.networks.values())


def product_networks(settings: Settings) -> tuple[str, ...]:
    """Names of the products' own overlays, which a Compose file may join."""
    return tuple(overlay_tasks(settings))


def check_composed(
    settings: Settings, composed: Sequence[Composed], nodes: Sequence[PlanNode], overlays: IPv4Network
) -> None:
    """PlanError for what the machines of the stack cannot hold; `overlays` is any network of the swarm's pool."""
    _check_networks(settings, composed)
    network_order(composed)
    for one in composed:
        _check_settings(settings, one)
        for key, service in sorted(one.file.services.items()):
            _check_service(settings, one, key, service, nodes)
        _check_overlays(settings, one, overlays)


def _check_networks(settings: Settings, composed: Sequence[Composed]) -> None:
    """Names of networks are the swarm's; an external one has to be made by this stack, where its id is known."""
    owners: dict[str, str] = dict.fromkeys(product_networks(settings), "a product")
    for one in composed:
        for key, network in one.file.networks.items():
            name = network_name(one.name, one.file, key)
            if not network.external and name in owners:
                raise PlanError(
                    field=f"{one.settings.file}: networks.{key}.name",
                    value=name,
                    problem=f"{owners[name]} of the stack has a network of this name",
                    fix="use another name, or say external: true to join it",
                )
            if not network.external:
                owners[name] = one.name
    for one in composed:
        for key, network in one.file.networks.items():
            if network.external and owners.get(network.name) in (None, one.name):
                raise PlanError(
                    field=f"{one.settings.file}: networks.{key}",
                    value=network.name,
                    problem="external, and no product or other Compose file of the stack has a network of this name",
                    fix=f"use one of {', '.join(sorted(owners))}" if owners else "leave external out",
                )


def network_order(composed: Sequence[Composed]) -> list[Composed]:
    """Those first whose networks others join; PlanError where two wait for each other."""
    left, done, ordered = list(composed), set[str](), list[Composed]()
    made = {network_name(one.name, one.file, key) for one in composed for key in one.file.networks if _own(one, key)}
    while left:
        ready = [one for one in left if _joins(one) & made <= done]
        if not ready:
            raise PlanError(
                field="compose",
                value=[one.name for one in left],
                problem="each joins a network of another",
                fix="let one of them make the networks",
            )
        for one in ready:
            done |= {network_name(one.name, one.file, key) for key in one.file.networks if _own(one, key)}
        ordered += ready
        left = [one for one in left if one not in ready]
    return ordered


def _own(one: Composed, key: str) -> bool:
    return not one.file.networks[key].external


def _joins(one: Composed) -> set[str]:
    return {network.name for network in one.file.networks.values() if network.external}


def _check_settings(settings: Settings, one: Composed) -> None:
    for source, name in one.settings.volumes.items():
        if name not in settings.volumes:
            raise PlanError(
                field=f"compose.{one.name}.volumes.{source}",
                value=name,
                problem="the stack has no such volume",
                fix=f"declare it under volumes, with the node that holds it ({name}: {{node: worker-1}})",
            )
    for port in publications([one]):
        if port.port == HEALTH_PORT:
            raise PlanError(
                field=f"service {port.service}: published port",
                value=port.port,
                problem="HAProxy's own health port",
                fix="use another port",
            )


def _check_service(
    settings: Settings, one: Composed, key: str, service: ComposeService, nodes: Sequence[PlanNode]
) -> None:
    name = service_name(one.name, key)
    constraints = _constraints(settings, one, service)
    for mount in service.mounts:
        if mount.source in one.settings.volumes and settings.cloud != "local":
            check_block_volume(
                service=name,
                volume=one.settings.volumes[mount.source],
                replicas=service.replicas,
                update=service.update.order or "stop-first",
                rollback=service.rollback.order or "stop-first",
            )
        if mount.type == "volume" and mount.source and mount.source not in one.settings.volumes:
            check_local_volume(
                service=name,
                volume=volume_name(one.name, one.file, mount.source),
                replicas=service.replicas,
                constraints=constraints,
                nodes=nodes,
            )
    check_placement(
        Demand(
            service=name,
            replicas=service.replicas,
            constraints=constraints,
            max_replicas_per_node=service.max_replicas_per_node,
            host_ports=any(port.mode == "host" for port in service.ports),
            reserved_memory=service.reserved_memory,
            reserved_cpus=service.reserved_cpus,
        ),
        nodes,
    )


def _constraints(settings: Settings, one: Composed, service: ComposeService) -> tuple[str, ...]:
    """The file's own and those of the volumes that the settings choose."""
    chosen = (one.settings.volumes.get(mount.source) for mount in service.mounts)
    pinned = (f"node.hostname == {settings.volumes[name].node}" for name in chosen if name is not None)
    return tuple(dict.fromkeys((*service.constraints, *pinned)))


def _check_overlays(settings: Settings, one: Composed, overlay: IPv4Network) -> None:
    """An update that starts new tasks first needs room for one more of a service; a proxy takes an address a node."""
    nodes = settings.most_nodes
    proxies = nodes if settings.network.publish_mode == "host" else 0
    for key in sorted(one.file.networks):
        members = [service for service in one.file.services.values() if key in service.networks]
        tasks = sum(1 + (nodes if service.replicas is None else service.replicas) for service in members)
        check_overlay_capacity(
            overlay,
            tasks=tasks + proxies,
            virtual_addresses=len(members),
            nodes=nodes,
            overlay=f"overlay {network_name(one.name, one.file, key)}",
        )


def check_image_names(composed: Sequence[Composed], known: Sequence[str]) -> None:
    """SettingsError for an image that a Compose file is said to be, and that the stack has not."""
    for one in composed:
        for written, image in one.settings.images.items():
            if "@" not in image and image not in known:
                raise SettingsError(
                    f"compose.{one.name}.images.{written} is '{image}': the stack has no such image; "
                    f"use one of {', '.join(sorted(known))}, or one by digest"
                )
