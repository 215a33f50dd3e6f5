"""What a Compose file says, as typed values: plan-time, complete, and equal for two files that mean the same. What a
file does not say is None or empty here, never a default in disguise; defaults are chosen later, and said aloud."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PublishMode = Literal["ingress", "host"]
PortProtocol = Literal["tcp", "udp"]
MountType = Literal["volume", "bind", "tmpfs"]
Propagation = Literal["rprivate", "private", "rshared", "shared", "rslave", "slave"]
CheckForm = Literal["CMD", "CMD-SHELL", "NONE"]
UpdateAction = Literal["pause", "continue", "rollback"]
RollbackAction = Literal["pause", "continue"]
Order = Literal["start-first", "stop-first"]
Condition = Literal["none", "on-failure", "any"]
EndpointMode = Literal["vip", "dnsrr"]
Mode = Literal["replicated", "global"]

DEFAULT_NETWORK = "default"
SECRETS_FOLDER = "/run/secrets"
READABLE = 0o444


@dataclass(frozen=True, kw_only=True)
class Port:
    """`published` is None where the file leaves it to the swarm."""

    target: int
    published: int | None = None
    protocol: PortProtocol = "tcp"
    mode: PublishMode = "ingress"


@dataclass(frozen=True, kw_only=True)
class FileMount:
    """A mount. `source` is the key of a volume, or a path as the file writes it; a volume without one is anonymous."""

    type: MountType
    target: str
    source: str = ""
    read_only: bool = False
    propagation: str = ""
    no_copy: bool = False
    size: int | None = None
    mode: int | None = None


@dataclass(frozen=True, kw_only=True)
class FileReference:
    """A secret or config (`source` is its key) as a file of the tasks; `target` is an absolute path."""

    source: str
    target: str
    mode: int = READABLE
    uid: str = ""
    gid: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A healthcheck; the form `NONE` switches the image's own off."""

    form: CheckForm
    test: tuple[str, ...] = ()
    interval: str | None = None
    timeout: str | None = None
    retries: int | None = None
    start_period: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """`update_config` or `rollback_config`."""

    parallelism: int | None = None
    delay: str | None = None
    failure_action: UpdateAction | None = None
    monitor: str | None = None
    max_failure_ratio: float | None = None
    order: Order | None = None


@dataclass(frozen=True, kw_only=True)
class Restart:
    """`restart_policy`; `max_attempts` 0 is without end."""

    condition: Condition | None = None
    delay: str | None = None
    max_attempts: int | None = None
    window: str | None = None


@dataclass(frozen=True, kw_only=True)
class Logging:
    """The log driver and its options."""

    driver: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class ComposeService:
    """A service. `replicas` is None in global mode; sizes are in bytes; `labels` are the service's, `container_labels`
    those of its containers; `networks` maps keys of networks to the service's aliases there."""

    image: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    container_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    replicas: int | None = 1
    constraints: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    max_replicas_per_node: int = 0
    update: Rollout = field(default_factory=Rollout)
    rollback: Rollout = field(default_factory=Rollout)
    restart: Restart = field(default_factory=Restart)
    memory: int | None = None
    cpus: float | None = None
    reserved_memory: int = 0
    reserved_cpus: float = 0.0
    endpoint_mode: EndpointMode | None = None
    ports: tuple[Port, ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {DEFAULT_NETWORK: ()})
    mounts: tuple[FileMount, ...] = ()
    secrets: tuple[FileReference, ...] = ()
    configs: tuple[FileReference, ...] = ()
    healthcheck: Check | None = None
    stop_grace_period: str | None = None
    stop_signal: str = ""
    hostname: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    working_dir: str = ""
    init: bool = False
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict[str, str])
    hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    logging: Logging | None = None
    platform: str = ""


@dataclass(frozen=True, kw_only=True)
class ComposeNetwork:
    """An overlay network. `name` is the whole name where the file fixes it; an external one exists already; `mtu` is
    that of the network under it, in bytes."""

    name: str = ""
    external: bool = False
    attachable: bool = False
    internal: bool = False
    encrypted: bool = False
    mtu: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class ComposeVolume:
    """A volume of Docker's own driver."""

    name: str = ""
    external: bool = False
    driver_options: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class ComposeContent:
    """Where a secret or a config has its content from: a file beside the Compose file, the file itself (`content`), or
    elsewhere (`external`)."""

    name: str = ""
    external: bool = False
    file: str = ""
    content: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComposeFile:
    """A whole file; every mapping is by the key that the file uses."""

    services: Mapping[str, ComposeService]
    networks: Mapping[str, ComposeNetwork] = field(default_factory=dict[str, ComposeNetwork])
    volumes: Mapping[str, ComposeVolume] = field(default_factory=dict[str, ComposeVolume])
    secrets: Mapping[str, ComposeContent] = field(default_factory=dict[str, ComposeContent])
    configs: Mapping[str, ComposeContent] = field(default_factory=dict[str, ComposeContent])


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A file that was read, with a line for everything in it that a swarm does otherwise than the file says."""

    file: ComposeFile
    notes: tuple[str, ...]


class ComposeError(ValueError):
    """A file that cannot be used: one line for each thing that is in the way, with field, value and fix."""
