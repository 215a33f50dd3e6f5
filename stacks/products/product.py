"""The plan-time half of a product: everything about it that is known before any resource exists. `stacks.plan` asks
each product of the catalogue the same questions; what it does not override is no concern of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from components.plan.errors import PlanError
from components.plan.placement import PlanNode, check_local_volume, check_memory
from components.plan.sizes import format_size, parse_size
from stacks.errors import listed
from stacks.settings import Settings, VolumeSettings


class Product:
    """One product; `name` is its key below `services` in a stack file. All but `wanted` are asked only of a product
    that is wanted."""

    name: ClassVar[str]

    def wanted(self, settings: Settings) -> bool:
        """Whether the stack has it."""
        return getattr(settings.services, self.name) is not None

    def uses_others(self, settings: Settings) -> bool:
        """Whether it uses what another product gives, and is deployed after those that do not."""
        del settings
        return False

    def images(self, settings: Settings) -> tuple[str, ...]:
        """The images that its services run."""
        raise NotImplementedError

    def ports(self, settings: Settings) -> Mapping[str, int]:
        """Its published ports, by the setting below `services` that they are of."""
        raise NotImplementedError

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        """The overlay networks that it is on, and how many tasks it has at most on each."""
        raise NotImplementedError

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        """PlanError for what could not run on these nodes."""
        raise NotImplementedError

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        """What works, and may not be meant."""
        del settings, nodes
        yield from ()

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        """The volumes that it needs, by name; they take the place of declared ones of the same name."""
        del settings
        return {}

    def sizes(self, settings: Settings) -> Mapping[str, str]:
        """The settings that the sizes of those volumes are from, by the volume's name: `volumes.NAME.size` unless said
        here."""
        del settings
        return {}

    def files(self, settings: Settings) -> Mapping[str, str]:
        """Text files of the project that it hands over to tasks, by the setting that names each."""
        del settings
        return {}


def reserve_volume(settings: Settings, name: str, *, owner: str, fix: str) -> None:
    """PlanError when the stack declares a volume by the name of a product's own."""
    if name in settings.volumes:
        raise PlanError(
            field=f"volumes.{name}",
            value=settings.volumes[name].model_dump(exclude_defaults=True),
            problem=f"{owner} has a volume of this name",
            fix=fix,
        )


def adopted_volume(
    settings: Settings, name: str, *, node: str | None, field: str, otherwise: VolumeSettings
) -> VolumeSettings:
    """A product's volume as the stack declares it, else `otherwise`; PlanError when the product's own `node` is another
    than the declared one's."""
    declared = settings.volumes.get(name)
    if declared is None:
        return otherwise
    if node not in (None, declared.node):
        raise PlanError(field=field, value=node, problem=f"volumes.{name}.node is {declared.node}", fix="leave it out")
    return declared


def memory_limit(text: str, *, field: str) -> int:
    """A limit in bytes, as low as SwarmKit takes it."""
    memory = parse_size(text, field=field)
    check_memory(memory, field=field)
    return memory


def check_least_memory(text: str, least: int, *, field: str, problem: str) -> int:
    """A limit in bytes; PlanError below the `least` that what runs in it needs."""
    memory = parse_size(text, field=field)
    if memory < least:
        raise PlanError(field=field, value=text, problem=problem, fix=f"use {format_size(least)} or more")
    return memory


def check_data_node(name: str, nodes: Sequence[PlanNode], *, service: str, field: str) -> None:
    """PlanError when a service that is to run where its volume is could not: the node is none that takes tasks."""
    known = [node.name for node in nodes if node.availability == "active" and not node.pooled]
    if name not in known:
        raise PlanError(
            field=field,
            value=name,
            problem="the stack has no such active node",
            fix=f"use one of {listed(known)}",
        )
    constraint = f"node.hostname == {name}"
    check_local_volume(service=service, volume=service, replicas=1, constraints=(constraint,), nodes=nodes)
