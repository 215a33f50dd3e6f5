"""What every cloud gives to the rest of the program: machines, the way images reach them, and the resource that
everything in the swarm goes away with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pulumi

from components.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that services run.

    `repository` and `digest` are plan-time values, so that a preview shows exactly which image changes; `architecture`
    and `os` are the platform it was built for, in the registry's words (`amd64`, `linux`).
    """

    repository: str
    digest: str
    architecture: str = "amd64"
    os: str = "linux"


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Where the nodes pull images from: a registry address, with a data edge to what must run before the first pull."""

    registry: pulumi.Input[str]
    images: Mapping[str, Image]
    upstream: Mapping[str, str] = field(default_factory=dict[str, str])

    def reference(self, name: str) -> pulumi.Output[str]:
        """The reference by digest: upstream as the settings name it, else `<registry>/<repository>@<digest>`."""
        if name in self.upstream:
            return pulumi.Output.from_input(self.upstream[name])
        image = self.images[name]
        return pulumi.Output.concat(self.registry, "/", image.repository, "@", image.digest)

    def platform(self, name: str) -> tuple[str, str]:
        """`(architecture, os)` of the image."""
        image = self.images.get(name)
        return (image.architecture, image.os) if image else ("amd64", "linux")


class Cloud(Protocol):
    """A cloud with its machines up (not necessarily ready: that is what the swarm's hosts wait for)."""

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines, managers first, in the order of their names."""
        ...

    @property
    def images(self) -> ImageSource:
        """Where services get their images."""
        ...

    @property
    def anchor(self) -> pulumi.Resource:
        """The resource whose removal takes every machine along: the swarm and all in it are deleted with it."""
        ...
