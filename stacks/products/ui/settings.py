"""The vocabulary of the management page in a stack file (M142-M143)."""

from typing import Literal

from pydantic import Field

from stacks.section import NodeName, Port, Section, Size


class UiSettings(Section):
    """A page to look at the swarm with: Portainer where `images.portainer` names its image, else the one built here."""

    port: Port = Field(default=9000, description="Published port.")
    memory: Size = Field(default="256m", description="Limit of its container.")
    node: NodeName | None = Field(
        default=None,
        description="Node that it runs on. Portainer stays where its volume `ui` is: on worker-1, or what `volumes.ui` "
        "says; the page built here runs anywhere.",
    )
    access: Literal["read", "write"] = Field(
        default="read",
        description="What it may ask of the swarm; `write` is for Portainer, and makes its password one for every "
        "node's root.",
    )
