"""The vocabulary of the users' own registry in a stack file (M134-M136)."""

from typing import Annotated

from pydantic import Field

from components.storage.profiles import Profile
from stacks import patterns
from stacks.section import NodeName, Port, Section, Size


class UserRegistrySettings(Section):
    """A registry for the users' images, inside the swarm: TLS, a password, a volume."""

    port: Port = Field(default=5000, description="Published port.")
    user: str = Field(
        default="flotilla", pattern=patterns.REGISTRY_USER, description="Who logs in; the password is generated."
    )
    rotation: str = Field(
        default="1", pattern=patterns.NOT_EMPTY, description="Another word here makes another password."
    )
    names: list[Annotated[str, Field(pattern=patterns.HOST)]] = Field(
        default_factory=list,
        description="Host names and IPv4 addresses that clients outside of the swarm call it by: its certificate is "
        "for these too.",
    )
    node: NodeName = Field(
        default="worker-1", description="Node that holds the volume `registry`. Another one: see Moving it."
    )
    size: Size = Field(default="50g", description="Size of that volume (not local).")
    profile: Profile = Field(default="bronze", description="Storage profile of that volume (not local).")
    memory: Size = Field(default="128m", description="Limit of its container.")
