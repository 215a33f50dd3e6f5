"""What can be wrong with the settings of the users' own registry, refused before any resource exists."""

from collections.abc import Iterator, Mapping, Sequence

from components.plan.placement import PlanNode
from components.plan.sizes import MIB
from stacks.products.product import Product, check_data_node, check_least_memory, reserve_volume
from stacks.products.registry.settings import UserRegistrySettings
from stacks.settings import Settings, VolumeSettings

REGISTRY_VOLUME = "registry"
_FIELD = "services.registry"
_LEAST_MEMORY = 64 * MIB


class RegistryProduct(Product):
    """The users' own registry (M134-M136)."""

    name = "registry"

    def images(self, settings: Settings) -> tuple[str, ...]:
        del settings
        return ("registry-service",)

    def ports(self, settings: Settings) -> Mapping[str, int]:
        return {"registry": registry_settings(settings).port}

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        del settings
        return {"registry": 1}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        registry = registry_settings(settings)
        registry_memory(registry)
        check_data_node(registry.node, nodes, service="registry", field=f"{_FIELD}.node")

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        del nodes
        registry = registry_settings(settings)
        if settings.cloud != "local" and not registry.names:
            yield (
                f"{_FIELD}.names is []: who pushes from outside of the swarm cannot check the registry's certificate, "
                "which is for no name that leads to the load balancer; name one"
            )

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        registry = registry_settings(settings)
        reserve_volume(
            settings,
            REGISTRY_VOLUME,
            owner="the registry",
            fix=f"use {_FIELD}.node, size and profile, or another name",
        )
        return {REGISTRY_VOLUME: VolumeSettings(node=registry.node, size=registry.size, profile=registry.profile)}

    def sizes(self, settings: Settings) -> Mapping[str, str]:
        del settings
        return {REGISTRY_VOLUME: f"{_FIELD}.size"}


def registry_settings(settings: Settings) -> UserRegistrySettings:
    """The settings of a registry that is wanted."""
    assert settings.services.registry is not None
    return settings.services.registry


def registry_memory(registry: UserRegistrySettings) -> int:
    """The limit in bytes, checked against what the registry needs."""
    return check_least_memory(
        registry.memory, _LEAST_MEMORY, field=f"{_FIELD}.memory", problem="too little while images are pushed"
    )
