"""What can be wrong with the settings of the MVC application, refused before any resource exists, and what they come
to."""

from collections.abc import Iterator, Mapping, Sequence

from components.plan.errors import PlanError
from components.plan.placement import Demand, PlanNode, check_placement
from stacks.products.mvc.settings import MvcSettings
from stacks.products.product import Product, check_data_node, memory_limit, reserve_volume
from stacks.settings import Settings, VolumeSettings

DATABASE_VOLUME = "mvc-database"
RELEASES: Mapping[str, str] = {"1.0": "mvc", "1.1": "mvc-1.1"}
"""The image of each release."""
DEFAULT_REPLICAS = 5
_FIELD = "services.mvc"


class MvcProduct(Product):
    """A web application with database and migration (M55-M68)."""

    name = "mvc"

    def images(self, settings: Settings) -> tuple[str, ...]:
        """Both releases, so that the way to the next and back finds its image on every node; of a site's own image
        there is no other release here."""
        own = RELEASES[mvc_settings(settings).version]
        return ("mariadb", own) if own in settings.images else ("mariadb", *RELEASES.values())

    def ports(self, settings: Settings) -> Mapping[str, int]:
        mvc = mvc_settings(settings)
        database = {} if mvc.publish_database is None else {"mvc.publish_database": mvc.publish_database}
        return {"mvc": mvc.port, **database}

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        # Database, migration, and the new tasks of an update beside the old ones.
        mvc = mvc_settings(settings)
        tasks = most_tasks(settings)
        return {"mvc": tasks + min(mvc.update.parallelism, tasks) + 2}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        mvc = mvc_settings(settings)
        for field in ("memory", "database_memory"):
            memory_limit(getattr(mvc, field), field=f"{_FIELD}.{field}")
        if mvc.mode == "global" and mvc.replicas is not None:
            raise PlanError(
                field=f"{_FIELD}.replicas",
                value=mvc.replicas,
                problem="mode global is one task on every node that the constraints match",
                fix="leave it out, or use mode: replicated",
            )
        check_data_node(mvc.database_node, nodes, service=DATABASE_VOLUME, field=f"{_FIELD}.database_node")
        constraints = tuple(mvc.constraints)
        check_placement(Demand(service="mvc", replicas=replicas(mvc), constraints=constraints), nodes)
        check_placement(Demand(service="mvc-migration", replicas=1, constraints=constraints), nodes)

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        del nodes
        port = mvc_settings(settings).publish_database
        if port is not None and settings.cloud != "local":
            yield (
                f"{_FIELD}.publish_database is {port}: everybody may try passwords at the database, and what it says "
                "is not encrypted; take the setting out again when you are done"
            )

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        mvc = mvc_settings(settings)
        reserve_volume(
            settings,
            DATABASE_VOLUME,
            owner="the MVC application",
            fix=f"use {_FIELD}.database_node, database_size and database_profile, or another name",
        )
        volume = VolumeSettings(node=mvc.database_node, size=mvc.database_size, profile=mvc.database_profile)
        return {DATABASE_VOLUME: volume}

    def sizes(self, settings: Settings) -> Mapping[str, str]:
        del settings
        return {DATABASE_VOLUME: f"{_FIELD}.database_size"}


def mvc_settings(settings: Settings) -> MvcSettings:
    """The settings of an application that is wanted."""
    assert settings.services.mvc is not None
    return settings.services.mvc


def replicas(mvc: MvcSettings) -> int | None:
    """How many tasks; None in global mode."""
    if mvc.mode == "global":
        return None
    return DEFAULT_REPLICAS if mvc.replicas is None else mvc.replicas


def most_tasks(settings: Settings) -> int:
    """As many tasks as there may be: in global mode no more than nodes."""
    found = replicas(mvc_settings(settings))
    return settings.most_nodes if found is None else found
