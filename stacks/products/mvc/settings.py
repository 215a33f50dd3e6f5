"""The vocabulary of the MVC application in a stack file (M55-M68)."""

from typing import Literal

from pydantic import Field

from components.storage.profiles import Profile
from stacks.section import Duration, NodeName, Port, Replicas, Section, Size

LABELLED = ["node.labels.type == mvc"]


class MvcUpdateSettings(Section):
    """How tasks of one release are replaced by those of another: the new one first, the old one once it is healthy."""

    parallelism: int = Field(default=1, ge=1, le=10_000, description="Tasks that are replaced at once (M65, M66).")
    delay: Duration = Field(default="1s", description="Pause between two replacements.")


class MvcRestartSettings(Section):
    """When a task that ended is started again (M67)."""

    condition: Literal["any", "on-failure", "none"] = Field(
        default="any", description="After which end: every one, a failure, or none."
    )
    delay: Duration = Field(default="2s", description="Pause before it.")
    max_attempts: int = Field(default=0, ge=0, le=10_000, description="How often at most; 0 is without end.")


class MvcSettings(Section):
    """A catalogue of products: a web application in several tasks, its database, and the migration of its tables."""

    version: Literal["1.0", "1.1"] = Field(
        default="1.0", description="Release that runs; in quotes. A change is a rolling update (M65)."
    )
    mode: Literal["replicated", "global"] = Field(
        default="replicated", description="`global` is one task on every node that the constraints match (M68)."
    )
    replicas: Replicas | None = Field(
        default=None, description="Tasks in mode `replicated`: 5 unless said; 0 keeps it defined (M56, M63, M64)."
    )
    port: Port = Field(default=3000, description="Published port.")
    memory: Size = Field(default="128m", description="Limit of each task.")
    cpus: float = Field(default=0.5, ge=0.001, le=256, description="CPU limit of each task.")
    constraints: list[str] = Field(default=LABELLED, description="Where tasks and the migration run (M35, M56).")
    update: MvcUpdateSettings = Field(default_factory=MvcUpdateSettings)
    restart: MvcRestartSettings = Field(default_factory=MvcRestartSettings)
    migration_timeout: Duration = Field(default="5m", description="How long the migration may take.")
    database_node: NodeName = Field(default="worker-1", description="Node that holds the database's volume (M55).")
    database_memory: Size = Field(default="512m", description="Limit of the database.")
    database_profile: Profile = Field(default="bronze", description="Storage profile of that volume (not local).")
    database_size: Size = Field(default="20g", description="Size of that volume (not local).")
    publish_database: Port | None = Field(
        default=None,
        description="Port under which the database is reached from outside, for as long as it is said (M60).",
    )
