"""From settings to a checked plan: names, addresses, machines. Whatever cannot work is refused here, before any
resource exists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.clouds.aws.devices import check_devices
from components.machine import EnginePackage, EngineSettings, MachineSpec, check_label, check_node_memory
from components.naming import MANAGER, WORKER, Role, node_names, parse_node_name, stack_prefix
from components.plan.addresses import AddressPlan, check_nodes_fit, check_overlay_capacity, host_number, plan_addresses
from components.plan.errors import PlanError
from components.plan.machine_types import MachineType
from components.plan.placement import PlanNode
from components.plan.ports import (
    SSH,
    HostPort,
    Publication,
    Rule,
    check_data_path_port,
    check_host_ports,
    port_table,
)
from components.plan.quorum import check_manager_count
from components.plan.sizes import parse_size
from components.services.haproxy import HEALTH_PORT
from components.storage.volume import VolumeSpec
from stacks.composed import Composed, balanced_ports, check_composed, encrypted, publications
from stacks.errors import SettingsError, listed
from stacks.products.catalogue import overlay_tasks, wanted_products
from stacks.rented import (
    MOST_EXPLICIT_WORKERS,
    RentedPlan,
    block_volume,
    check_pool_targets,
    check_security_groups,
    plan_rented,
    whole_gib,
)
from stacks.settings import MachineGroup, Settings, VolumeSettings

PROJECT = "flotilla"
LOCAL_ZONE = "local"
DEFAULT_MTU = 1500
_LOCAL_MEMORY: Mapping[Role, str] = {"manager": "1g", "worker": "2g"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the settings come to. `rented` is None on the local cloud; `warnings` are for the user to read; nothing in
    them stops an update."""

    prefix: str
    specs: tuple[MachineSpec, ...]
    addresses: AddressPlan
    engine: EngineSettings
    volumes: tuple[VolumeSpec, ...]
    rules: tuple[Rule, ...]
    rented: RentedPlan | None
    warnings: tuple[str, ...]
    composed: tuple[Composed, ...] = ()


def make_plan(stack: str, settings: Settings, composed: tuple[Composed, ...] = ()) -> Plan:
    """The plan of a stack; SettingsError in one line for what cannot work. `composed` are its Compose files, read."""
    try:
        return _plan(stack, settings, composed)
    except PlanError as error:
        raise SettingsError(str(error)) from None


def _plan(stack: str, settings: Settings, composed: tuple[Composed, ...]) -> Plan:
    warnings = check_manager_count(settings.managers.count)
    addresses = _addresses(settings)
    rented = None if settings.cloud == "local" else plan_rented(settings, addresses)
    if rented is None:
        _check_local(settings)
        check_nodes_fit(addresses, _names(settings))
    specs = tuple(_specs(settings, rented))
    _check_nodes(settings, specs)
    rules = _check_ports(settings, specs, composed)
    if rented is not None and settings.cloud == "aws":
        published_by = "compose" if len(publications(composed)) > len(published_ports(settings)) else "services"
        check_security_groups(rules, rented.admin_networks, published_by=published_by)
    nodes = [*(_plan_node(settings, spec) for spec in specs), *_pool_nodes(settings, rented)]
    _check_services(settings, addresses, nodes, composed)
    volumes = tuple(_volumes(settings, specs))
    if settings.cloud == "aws":
        check_devices({volume.name: volume.node for volume in volumes})
    return Plan(
        prefix=stack_prefix(PROJECT, stack),
        specs=specs,
        addresses=addresses,
        engine=_engine(settings, addresses),
        volumes=volumes,
        rules=rules,
        rented=rented,
        warnings=(
            *warnings,
            *(rented.warnings if rented else ()),
            *(note for product in wanted_products(settings) for note in product.warnings(settings, nodes)),
            *(note for one in composed for note in one.notes),
        ),
        composed=composed,
    )


def _addresses(settings: Settings) -> AddressPlan:
    network = settings.network
    return plan_addresses(
        machines=network.machines or ("10.60.0.0/24" if settings.cloud == "local" else "10.60.0.0/16"),
        overlays=network.overlays,
        overlay_prefix=network.overlay_prefix,
        bridges=network.bridges,
        reserved=network.reserved,
    )


def _engine(settings: Settings, addresses: AddressPlan) -> EngineSettings:
    image = {"aws": settings.aws.image, "openstack": settings.openstack.image}.get(settings.cloud)
    package = EnginePackage() if image is not None and image.engine == "install" else None
    # On OpenStack the network itself says what it carries, unless the settings do.
    mtu = settings.network.mtu or (None if settings.cloud == "openstack" else DEFAULT_MTU)
    return EngineSettings.of(addresses, mtu=mtu, package=package)


def _names(settings: Settings) -> tuple[str, ...]:
    """Machines of the plan; those of a pool have names of their own."""
    workers = 0 if settings.workers.pool else settings.workers.count
    return (*node_names(MANAGER, settings.managers.count), *node_names(WORKER, workers))


def _specs(settings: Settings, rented: RentedPlan | None) -> Iterator[MachineSpec]:
    groups: dict[str, MachineGroup] = {MANAGER: settings.managers, WORKER: settings.workers}
    for role, group in groups.items():
        for label in group.labels:
            check_label(label, field=f"{role}s.labels")
    for name in _names(settings):
        role, _ = parse_node_name(name)
        group, own = groups[role], settings.nodes.get(name)
        for label in own.labels if own else ():
            check_label(label, field=f"nodes.{name}.labels")
        kind = rented.types[role] if rented else _local_machine(group, role)
        yield MachineSpec(
            name=name,
            role=role,
            zone=rented.zone_of[name] if rented else LOCAL_ZONE,
            cpus=kind.cpus,
            memory_bytes=kind.memory_bytes,
            labels={**group.labels, **(own.labels if own else {})},
        )


def _local_machine(group: MachineGroup, role: Role) -> MachineType:
    field = f"{role}s.memory"
    memory = parse_size(group.memory or _LOCAL_MEMORY[role], field=field)
    check_node_memory(memory, field=field)
    return MachineType(name="container", cpus=group.cpus or 1.0, memory_bytes=memory)


def _check_local(settings: Settings) -> None:
    """What only rented machines have is refused, not passed over."""
    if settings.workers.pool:
        raise PlanError(
            field="workers.pool",
            value=True,
            problem="cloud local has no machines that join by themselves",
            fix="leave it out, or use cloud aws",
        )
    if settings.workers.count > MOST_EXPLICIT_WORKERS:
        raise PlanError(
            field="workers.count",
            value=settings.workers.count,
            problem="more machines than one computer holds",
            fix=f"use at most {MOST_EXPLICIT_WORKERS}",
        )
    for field, kind in (("managers", settings.managers.type), ("workers", settings.workers.type)):
        if kind is not None:
            raise PlanError(
                field=f"{field}.type",
                value=kind,
                problem="machines of cloud local have no type",
                fix=f"say {field}.cpus and {field}.memory",
            )
    if settings.load_balancer.kind not in (None, "haproxy"):
        raise PlanError(
            field="load_balancer.kind",
            value=settings.load_balancer.kind,
            problem="cloud local has HAProxy alone",
            fix="leave it out",
        )


def _check_nodes(settings: Settings, specs: tuple[MachineSpec, ...]) -> None:
    known = [spec.name for spec in specs]
    for name in settings.nodes:
        if name not in known:
            raise PlanError(
                field=f"nodes.{name}",
                value=settings.nodes[name].model_dump(exclude_defaults=True),
                problem="the stack has no such node",
                fix=f"use one of {listed(known)}",
            )


def _check_ports(
    settings: Settings, specs: tuple[MachineSpec, ...], composed: tuple[Composed, ...]
) -> tuple[Rule, ...]:
    """The port table, checked: ports on the nodes, and on the local cloud those on the user's computer too."""
    check_data_path_port(settings.swarm.data_path_port)
    published = published_ports(settings)
    for name, port in published.items():
        if port == HEALTH_PORT:
            raise PlanError(
                field=_port_setting(settings, name),
                value=port,
                problem="HAProxy's own health port",
                fix="use another port",
            )
    balancer = settings.load_balancer
    balanced = {**published, **balanced_ports(composed)}
    if settings.cloud != "local" and balancer.kind == "haproxy":
        _check_statistics_port(balancer.statistics_port, balanced)
    table = port_table(
        data_path_port=settings.swarm.data_path_port,
        flocker=settings.storage.flocker_control,
        encrypted=encrypted(composed),
        publications=[
            *(
                Publication(service=name, port=port, setting=_port_setting(settings, name))
                for name, port in published.items()
            ),
            *publications(composed),
        ],
        access=settings.ssh.access,
        statistics_port=balancer.statistics_port if balancer.kind == "haproxy" else None,
    )
    if settings.cloud == "local":
        _check_host_ports(settings, specs, published, balanced_ports(composed))
    else:
        check_pool_targets(settings, len(balanced))
    return table


def _check_statistics_port(port: int, published: dict[str, int]) -> None:
    taken = {SSH: "SSH", HEALTH_PORT: "HAProxy's own health port", **{p: f"service {n}" for n, p in published.items()}}
    if port in taken:
        raise PlanError(
            field="load_balancer.statistics_port",
            value=port,
            problem=f"{taken[port]} has this port on that machine",
            fix="use another port",
        )


def _check_host_ports(
    settings: Settings, specs: tuple[MachineSpec, ...], published: dict[str, int], composed: dict[str, int]
) -> None:
    balancer = settings.load_balancer
    check_host_ports(
        [
            *(
                HostPort(owner=_port_setting(settings, name), port=port, address=balancer.address)
                for name, port in published.items()
            ),
            *(
                HostPort(owner=f"port of {name}", port=port, address=balancer.address)
                for name, port in composed.items()
            ),
            HostPort(owner="load_balancer.statistics_port", port=balancer.statistics_port, address=balancer.address),
            *(
                HostPort(
                    owner=f"ssh.first_port: port of {spec.name}", port=settings.ssh.first_port + host_number(spec.name)
                )
                for spec in specs
            ),
        ]
    )


def _port_setting(settings: Settings, name: str) -> str:
    """`spark.history` is a section with a port: `services.spark.history.port`; what is a number is a port itself."""
    section: object = settings.services
    for part in name.split("."):
        section = getattr(section, part)
    return f"services.{name}" if isinstance(section, int) else f"services.{name}.port"


def published_ports(settings: Settings) -> dict[str, int]:
    """The published ports of the stack's products, by the setting below `services` that they are of."""
    return {name: port for product in wanted_products(settings) for name, port in product.ports(settings).items()}


def _check_services(
    settings: Settings, addresses: AddressPlan, nodes: list[PlanNode], composed: tuple[Composed, ...]
) -> None:
    _check_publish_mode(settings)
    _check_images(settings)
    for product in wanted_products(settings):
        product.check(settings, nodes)
    for overlay, tasks in overlay_tasks(settings).items():
        _check_overlay(settings, addresses, overlay, tasks)
    overlay = next(addresses.swarm_pool.subnets(new_prefix=settings.network.overlay_prefix))
    check_composed(settings, composed, nodes, overlay)


def _check_publish_mode(settings: Settings) -> None:
    network = settings.network
    if settings.cloud == "openstack" and network.publish_mode == "ingress" and (network.mtu or 0) < DEFAULT_MTU:
        raise PlanError(
            field="network.publish_mode",
            value="ingress",
            problem=f"Docker makes the ingress network for {DEFAULT_MTU} bytes; OpenStack's often carry less",
            fix=f"use host, or say network.mtu: {DEFAULT_MTU} where the network carries that",
        )


def _check_images(settings: Settings) -> None:
    """On the local cloud the built images are there; elsewhere the nodes need a registry that they reach."""
    if settings.cloud == "local" or settings.registry.address is not None:
        return
    for product, images in images_of_products(settings).items():
        for image in images:
            if image not in settings.images:
                raise PlanError(
                    field="registry.address",
                    value=None,
                    problem=f"the nodes have no registry to pull {image} from, which {product} runs",
                    fix=f"name a registry that holds the built images, or images.{image} by digest, or leave "
                    f"{product} out (null)",
                )


def images_of_products(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The images that each product of the stack runs."""
    products = {f"services.{product.name}": product.images(settings) for product in wanted_products(settings)}
    for name, compose in settings.compose.items():
        own = tuple(sorted({image for image in compose.images.values() if "@" not in image}))
        products[f"compose.{name}"] = own
    if products and settings.network.publish_mode == "host":
        products["network.publish_mode host"] = ("haproxy",)
    return products


def built_images(settings: Settings) -> tuple[str, ...]:
    """The images that the stack's registry holds: those of its products, unless the settings name them upstream."""
    names = {name for images in images_of_products(settings).values() for name in images}
    return tuple(sorted(names - set(settings.images)))


def _pool_nodes(settings: Settings, rented: RentedPlan | None) -> list[PlanNode]:
    """A pool's machines as far as they are known: all alike, with names that no constraint can say."""
    workers = settings.workers
    if rented is None or not workers.pool:
        return []
    kind = rented.types[WORKER]
    return [
        PlanNode(
            name=f"pool-{number}",
            role=WORKER,
            labels=workers.labels,
            cpus=kind.cpus,
            memory_bytes=kind.memory_bytes,
            architecture=_architecture(settings),
            pooled=True,
        )
        for number in range(workers.count)
    ]


def _volumes(settings: Settings, specs: tuple[MachineSpec, ...]) -> Iterator[VolumeSpec]:
    """Declared volumes and those of products, by name: the order in the file means nothing."""
    sizes = {name: each for product in wanted_products(settings) for name, each in product.sizes(settings).items()}
    for name, volume in sorted(_declared_volumes(settings).items()):
        field, size_field = f"volumes.{name}", sizes.get(name, f"volumes.{name}.size")
        zones = {spec.name: spec.zone for spec in specs}
        if volume.node not in zones:
            raise PlanError(
                field=f"{field}.node",
                value=volume.node,
                problem="the stack has no such machine",
                fix=f"use one of {listed(list(zones))}",
            )
        if volume.zone is not None and volume.zone != zones[volume.node]:
            raise PlanError(
                field=f"{field}.zone",
                value=volume.zone,
                problem=f"its node {volume.node} is in {zones[volume.node]}, and a volume stays in its zone",
                fix=f"use {zones[volume.node]}, or a node in {volume.zone}",
            )
        size = whole_gib(volume.size, field=size_field)
        yield VolumeSpec(
            name=name,
            node=volume.node,
            zone=zones[volume.node],
            size_gib=size,
            profile=volume.profile,
            ebs=block_volume(settings, volume, size, field=field, size_field=size_field),
        )


def _declared_volumes(settings: Settings) -> dict[str, VolumeSettings]:
    volumes = dict(settings.volumes)
    for product in wanted_products(settings):
        volumes.update(product.volumes(settings))
    return volumes


def _check_overlay(settings: Settings, addresses: AddressPlan, service: str, tasks: int) -> None:
    """An update that starts new tasks first needs room for one more; each node's proxy takes an address too."""
    nodes = settings.most_nodes
    proxies = nodes if settings.network.publish_mode == "host" else 0
    check_overlay_capacity(
        next(addresses.swarm_pool.subnets(new_prefix=settings.network.overlay_prefix)),
        tasks=tasks + 1 + proxies,
        virtual_addresses=1,
        nodes=nodes,
        overlay=f"the overlay of service {service}",
    )


def _plan_node(settings: Settings, spec: MachineSpec) -> PlanNode:
    own = settings.nodes.get(spec.name)
    return PlanNode(
        name=spec.name,
        role=spec.role,
        zone=spec.zone,
        labels=spec.labels,
        cpus=spec.cpus,
        memory_bytes=spec.memory_bytes,
        architecture=_architecture(settings),
        availability=own.availability if own else "active",
    )


def _architecture(settings: Settings) -> str | None:
    """That of every node, as Docker calls it; that of local ones is this computer's, which a plan does not ask."""
    image = {"local": None, "aws": settings.aws.image.architecture, "openstack": "amd64"}[settings.cloud]
    return image and {"amd64": "x86_64", "arm64": "aarch64"}[image]
