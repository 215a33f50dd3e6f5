"""What a product is deployed on, and what it gives back: the two ends of every product's deployment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

from components.clouds.cloud import Cloud, ImageSource
from components.services.hadoop import FileSystem
from components.services.route import Route
from components.storage.volume import StoredVolume
from components.swarm.cluster import Swarm, SwarmCluster
from stacks.load import Inputs
from stacks.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A swarm that stands. `cluster` is for what needs its managers (jobs), `swarm` for services; `volumes` are those
    of the plan, by name; `file_system` is what a product before this one gave."""

    inputs: Inputs
    cloud: Cloud
    cluster: SwarmCluster
    swarm: Swarm
    volumes: Mapping[str, StoredVolume]
    file_system: FileSystem | None = None

    @property
    def settings(self) -> Settings:
        """The stack's settings."""
        return self.inputs.settings

    @property
    def publish_mode(self) -> Literal["host", "ingress"]:
        """How published ports reach tasks."""
        return self.settings.network.publish_mode

    @property
    def images(self) -> ImageSource:
        """Where images come from."""
        return self.cloud.images


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A product that is declared: how requests reach it, the ids of its overlays by name (all that the plan half names:
    Compose files may join them), its outputs of the stack, and the file system that it is for other products."""

    routes: tuple[Route, ...] = ()
    networks: Mapping[str, pulumi.Output[str]] = field(default_factory=dict[str, pulumi.Output[str]])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    file_system: FileSystem | None = None
