"""From settings to a checked plan: names, addresses, machines. Whatever cannot work is refused here, before any
resource exists."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.machine import EngineSettings, MachineSpec
from components.naming import MANAGER, WORKER, Role, node_names, stack_prefix
from components.plan.addresses import AddressPlan, check_nodes_fit, check_overlay_capacity, host_number, plan_addresses
from components.plan.errors import PlanError
from components.plan.placement import Demand, PlanNode, check_local_volume, check_memory, check_placement
from components.plan.ports import (
    HostPort,
    Publication,
    check_data_path_port,
    check_host_ports,
    check_publications,
)
from components.plan.quorum import check_manager_count
from components.plan.sizes import parse_size
from components.services.haproxy import HEALTH_PORT
from stacks.errors import SettingsError
from stacks.settings import MachineGroup, Settings

PROJECT = "flotilla"
LOCAL_ZONE = "local"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the settings come to. `warnings` are for the user to read; nothing in them stops an update."""

    prefix: str
    specs: tuple[MachineSpec, ...]
    addresses: AddressPlan
    engine: EngineSettings
    warnings: tuple[str, ...]


def make_plan(stack: str, settings: Settings) -> Plan:
    """The plan of a stack; SettingsError in one line for what cannot work."""
    try:
        return _plan(stack, settings)
    except PlanError as error:
        raise SettingsError(str(error)) from None


def _plan(stack: str, settings: Settings) -> Plan:
    warnings = check_manager_count(settings.managers.count)
    addresses = _addresses(settings)
    specs = tuple(_specs(settings))
    _check_nodes(settings, specs)
    _check_ports(settings, specs)
    _check_services(settings, addresses, specs)
    return Plan(
        prefix=stack_prefix(PROJECT, stack),
        specs=specs,
        addresses=addresses,
        engine=EngineSettings.of(addresses, mtu=settings.network.mtu),
        warnings=warnings,
    )


def _addresses(settings: Settings) -> AddressPlan:
    network = settings.network
    addresses = plan_addresses(
        machines=network.machines,
        overlays=network.overlays,
        overlay_prefix=network.overlay_prefix,
        bridges=network.bridges,
    )
    check_nodes_fit(addresses, _names(settings))
    return addresses


def _names(settings: Settings) -> tuple[str, ...]:
    return (*node_names(MANAGER, settings.managers.count), *node_names(WORKER, settings.workers.count))


def _specs(settings: Settings) -> Iterator[MachineSpec]:
    groups: tuple[tuple[Role, int, MachineGroup], ...] = (
        (MANAGER, settings.managers.count, settings.managers),
        (WORKER, settings.workers.count, settings.workers),
    )
    for role, count, group in groups:
        memory = parse_size(group.memory, field=f"{role}s.memory")
        for name in node_names(role, count):
            own = settings.nodes.get(name)
            yield MachineSpec(
                name=name,
                role=role,
                zone=LOCAL_ZONE,
                cpus=group.cpus,
                memory_bytes=memory,
                labels={**group.labels, **(own.labels if own else {})},
            )


def _check_nodes(settings: Settings, specs: tuple[MachineSpec, ...]) -> None:
    known = [spec.name for spec in specs]
    for name in settings.nodes:
        if name not in known:
            raise PlanError(
                field=f"nodes.{name}",
                value=settings.nodes[name].model_dump(exclude_defaults=True),
                problem="the stack has no such node",
                fix=f"use one of {_listed(known)}",
            )


def _check_ports(settings: Settings, specs: tuple[MachineSpec, ...]) -> None:
    """Ports on the nodes, and the same ports of the load balancer and of SSH on the user's computer."""
    check_data_path_port(settings.swarm.data_path_port)
    published = published_ports(settings)
    for name, port in published.items():
        if port == HEALTH_PORT:
            raise PlanError(
                field=f"services.{name}.port", value=port, problem="HAProxy's own health port", fix="use another port"
            )
    check_publications(
        [Publication(service=name, port=port) for name, port in published.items()],
        data_path_port=settings.swarm.data_path_port,
    )
    balancer = settings.load_balancer
    check_host_ports(
        [
            *(
                HostPort(owner=f"services.{name}.port", port=port, address=balancer.address)
                for name, port in published.items()
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


def published_ports(settings: Settings) -> dict[str, int]:
    """The published port of each product that is deployed, by the name of its service."""
    services = settings.services
    candidates = {"web": services.web, "wordpress": services.wordpress}
    return {name: service.port for name, service in candidates.items() if service is not None}


def _check_services(settings: Settings, addresses: AddressPlan, specs: tuple[MachineSpec, ...]) -> None:
    nodes = [_plan_node(settings, spec) for spec in specs]
    if web := settings.services.web:
        check_memory(parse_size(web.memory, field="services.web.memory"), field="services.web.memory")
        check_placement(Demand(service="web", replicas=web.replicas), nodes)
        _check_overlay(settings, addresses, "web", web.replicas)
    if wordpress := settings.services.wordpress:
        for field in ("memory", "database_memory"):
            name = f"services.wordpress.{field}"
            check_memory(parse_size(getattr(wordpress, field), field=name), field=name)
        _check_database_node(wordpress.database_node, nodes)
        demand = Demand(service="wordpress", replicas=wordpress.replicas, constraints=("node.role != manager",))
        check_placement(demand, nodes)
        _check_overlay(settings, addresses, "wordpress", wordpress.replicas + 1)


def _check_database_node(name: str, nodes: list[PlanNode]) -> None:
    known = [node.name for node in nodes if node.availability == "active"]
    if name not in known:
        raise PlanError(
            field="services.wordpress.database_node",
            value=name,
            problem="the stack has no such active node",
            fix=f"use one of {_listed(known)}",
        )
    constraint = f"node.hostname == {name}"
    check_local_volume(
        service="wordpress-database", volume="wordpress-database", replicas=1, constraints=(constraint,), nodes=nodes
    )


def _check_overlay(settings: Settings, addresses: AddressPlan, service: str, tasks: int) -> None:
    """An update that starts new tasks first needs room for one more; each node's proxy takes an address too."""
    nodes = settings.managers.count + settings.workers.count
    proxies = nodes if settings.network.publish_mode == "host" else 0
    check_overlay_capacity(
        next(addresses.swarm_pool.subnets(new_prefix=settings.network.overlay_prefix)),
        tasks=tasks + 1 + proxies,
        virtual_addresses=1,
        nodes=nodes,
        field=f"overlay of service {service}",
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
        availability=own.availability if own else "active",
    )


def _listed(names: list[str]) -> str:
    shown = 10
    return ", ".join(names[:shown]) + (" …" if len(names) > shown else "")
