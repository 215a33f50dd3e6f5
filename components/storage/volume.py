"""Volumes that stay where their data is: a local volume never follows its task (M59), so whoever mounts one is pinned
to the node that holds it."""

from dataclasses import dataclass

import pulumi_docker as docker


@dataclass(frozen=True, kw_only=True)
class PinnedVolume:
    """The volume `name` on the node `node`, mounted at `target`. Docker makes it at the first mount."""

    name: str
    node: str
    target: str

    @property
    def constraint(self) -> str:
        """The placement constraint that keeps the task at its data."""
        return f"node.hostname == {self.node}"

    def mount(self) -> docker.ServiceTaskSpecContainerSpecMountArgs:
        """The mount in pulumi-docker's words."""
        return docker.ServiceTaskSpecContainerSpecMountArgs(type="volume", source=self.name, target=self.target)
