"""What a service may say of its tasks beyond image, limits and files: command, user, capabilities, names, restart and
logs. Products seldom need it; a Compose file may say any of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi_docker as docker


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """Options of the tasks' containers in Docker's words; what is empty is the image's or the engine's own.

    `entrypoint` and `command` replace those of the image; `hosts` are `(name, address)` pairs for /etc/hosts; `sysctls`
    are kernel settings of the container's own namespaces.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    hostname: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    working_dir: str = ""
    read_only: bool = False
    stop_signal: str = ""
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict[str, str])
    hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    def host_entries(self) -> list[docker.ServiceTaskSpecContainerSpecHostArgs] | None:
        """Entries of /etc/hosts in pulumi-docker's words."""
        return [
            docker.ServiceTaskSpecContainerSpecHostArgs(host=name, ip=address) for name, address in self.hosts
        ] or None

    def resolver(self) -> docker.ServiceTaskSpecContainerSpecDnsConfigArgs | None:
        """The resolver's settings, None where they are the engine's."""
        if not (self.dns or self.dns_search or self.dns_options):
            return None
        return docker.ServiceTaskSpecContainerSpecDnsConfigArgs(
            nameservers=list(self.dns),
            searches=list(self.dns_search) or None,
            options=list(self.dns_options) or None,
        )

    def label_args(self) -> list[docker.ServiceTaskSpecContainerSpecLabelArgs] | None:
        """Labels of the containers in pulumi-docker's words."""
        return [
            docker.ServiceTaskSpecContainerSpecLabelArgs(label=label, value=value)
            for label, value in self.labels.items()
        ] or None


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """When a task that ended is started again; `max_attempts` 0 means without end
    (https://docs.docker.com/reference/compose-file/deploy/#restart_policy)."""

    condition: Literal["none", "on-failure", "any"] = "any"
    delay: str = "2s"
    max_attempts: int = 0
    window: str = "1m"


@dataclass(frozen=True, kw_only=True)
class LogPolicy:
    """Where the tasks' output goes; the default keeps at most 30 MB of each task on its node."""

    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=lambda: {"max-size": "10m", "max-file": "3"})
