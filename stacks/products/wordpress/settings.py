"""The vocabulary of WordPress in a stack file (M53, M54)."""

from pydantic import Field

from components.storage.profiles import Profile
from stacks import patterns
from stacks.section import NodeName, Port, Replicas, Section, Size


class WordPressSettings(Section):
    """WordPress on MariaDB (M53, M54)."""

    replicas: Replicas = 3
    port: Port = Field(default=8081, description="Published port.")
    title: str = Field(default="Flotilla", pattern=patterns.NOT_EMPTY)
    memory: Size = "256m"
    database_memory: Size = "512m"
    database_node: NodeName = Field(default="worker-1", description="Node that holds the database's volume.")
    database_profile: Profile = Field(default="bronze", description="Storage profile of that volume (not local).")
    database_size: Size = Field(default="20g", description="Size of that volume (not local).")
