"""What can be wrong with the settings of WordPress, refused before any resource exists, and what they come to."""

from collections.abc import Mapping, Sequence

from components.plan.placement import Demand, PlanNode, check_placement
from stacks.products.product import Product, check_data_node, memory_limit, reserve_volume
from stacks.products.wordpress.settings import WordPressSettings
from stacks.settings import Settings, VolumeSettings

DATABASE_VOLUME = "wordpress-database"
_FIELD = "services.wordpress"


class WordPressProduct(Product):
    """WordPress on MariaDB (M53, M54)."""

    name = "wordpress"

    def images(self, settings: Settings) -> tuple[str, ...]:
        del settings
        return ("mariadb", "wordpress")

    def ports(self, settings: Settings) -> Mapping[str, int]:
        return {"wordpress": wordpress_settings(settings).port}

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        return {"wordpress": wordpress_settings(settings).replicas + 1}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        blog = wordpress_settings(settings)
        for field in ("memory", "database_memory"):
            memory_limit(getattr(blog, field), field=f"{_FIELD}.{field}")
        check_data_node(blog.database_node, nodes, service=DATABASE_VOLUME, field=f"{_FIELD}.database_node")
        check_placement(
            Demand(service="wordpress", replicas=blog.replicas, constraints=("node.role != manager",)), nodes
        )

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        blog = wordpress_settings(settings)
        reserve_volume(
            settings,
            DATABASE_VOLUME,
            owner="WordPress",
            fix=f"use {_FIELD}.database_node, database_size and database_profile, or another name",
        )
        volume = VolumeSettings(node=blog.database_node, size=blog.database_size, profile=blog.database_profile)
        return {DATABASE_VOLUME: volume}

    def sizes(self, settings: Settings) -> Mapping[str, str]:
        del settings
        return {DATABASE_VOLUME: f"{_FIELD}.database_size"}


def wordpress_settings(settings: Settings) -> WordPressSettings:
    """The settings of a WordPress that is wanted."""
    assert settings.services.wordpress is not None
    return settings.services.wordpress
