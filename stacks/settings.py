"""The vocabulary of a stack file: every setting with its type, bounds and default, checked offline before any resource
exists. `python -m stacks.schema` renders it as the JSON schema that editors use."""

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from components.plan.durations import shortest
from components.plan.sizes import parse_size

Port = Annotated[int, Field(ge=1, le=65535)]
Replicas = Annotated[int, Field(ge=0, le=10_000)]


def _network(text: str) -> str:
    """A CIDR without host bits, as written (`10.60.0.0/24`)."""
    IPv4Network(text)
    return text


def _size(text: str) -> str:
    parse_size(text, field="")
    return text


def _duration(text: str) -> str:
    return shortest(text, field="")


Cidr = Annotated[str, AfterValidator(_network)]
Size = Annotated[str, AfterValidator(_size), Field(examples=["512m", "2g"])]
Duration = Annotated[str, AfterValidator(_duration), Field(examples=["10s", "2160h"])]
NodeName = Annotated[str, Field(pattern=r"^(manager|worker)-[1-9][0-9]*$")]
ImageReference = Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")]
Labels = dict[str, str]


class Section(BaseModel):
    """A part of the settings: frozen, and a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class NetworkSettings(Section):
    """Addresses of the machines, of the overlay networks and of the bridges inside the machines."""

    machines: Cidr = Field("10.60.0.0/24", description="Network of the machines.")
    overlays: Cidr = Field("10.128.0.0/12", description="Pool that the swarm cuts its overlay networks from.")
    overlay_prefix: int = Field(24, ge=16, le=29, description="Prefix length of each overlay network.")
    bridges: Cidr = Field("172.30.0.0/16", description="Pool of the bridge networks inside each machine.")
    mtu: int = Field(1500, ge=1280, le=9216, description="MTU of the network under the machines, in bytes.")
    publish_mode: Literal["host", "ingress"] = Field(
        "host",
        description=(
            "How a published port reaches the tasks: `ingress` is Swarm's routing mesh (needs IP_VS in the kernel), "
            "`host` is a proxy on every node that publishes the port in host mode."
        ),
    )


class SwarmSettings(Section):
    """Settings of the swarm itself (https://docs.docker.com/reference/cli/docker/swarm/init/)."""

    data_path_port: int = Field(4789, ge=1024, le=49151, description="UDP port of VXLAN traffic; fixed for life.")
    autolock: bool = Field(default=False, description="Managers need the unlock key after a restart.")
    certificate_expiry: Duration = Field("2160h", description="Validity of node certificates.")
    task_history_limit: int = Field(5, ge=0, le=1000, description="Finished tasks kept for each slot.")
    snapshot_interval: int = Field(10_000, ge=100, description="Raft log entries between snapshots.")


class MachineGroup(Section):
    """Size of each machine of a role."""

    cpus: float = Field(1.0, ge=0.1, le=256, description="CPUs of each machine.")
    memory: Size = Field("1g", description="Memory of each machine.")
    labels: Labels = Field(default_factory=dict, description="Node labels of every machine of the role.")


class ManagerSettings(MachineGroup):
    """The managers: an odd number, so that a majority survives the loss of one."""

    count: int = Field(3, description="1, 3, 5, 7 or 9.")


class WorkerSettings(MachineGroup):
    """The workers."""

    count: int = Field(2, ge=0, le=1000)
    memory: Size = Field("2g", description="Memory of each machine.")


class NodeSettings(Section):
    """What differs for one node."""

    availability: Literal["active", "pause", "drain"] = "active"
    labels: Labels = Field(default_factory=dict)


class SshSettings(Section):
    """How the machines are reached. The private key stays in its file: only the path is used."""

    identity_file: str = Field(".flotilla/id_ed25519", description="Private key, relative to the project folder.")
    first_port: int = Field(2200, ge=1024, le=64000, description="Local cloud: port of the first machine on 127.0.0.1.")


class LocalSettings(Section):
    """The user's own Docker."""

    docker_host: str = Field("unix:///var/run/docker.sock", pattern=r"^(unix|tcp|ssh)://.+")


class WebSettings(Section):
    """nginx with a page that shows which task answered (M50)."""

    replicas: Replicas = 3
    port: Port = Field(8080, description="Published port.")
    memory: Size = "64m"


class WordPressSettings(Section):
    """WordPress on MariaDB (M53, M54)."""

    replicas: Replicas = 3
    port: Port = Field(8081, description="Published port.")
    title: str = Field("Flotilla", min_length=1, max_length=80)
    memory: Size = "256m"
    database_memory: Size = "512m"
    database_node: NodeName = Field("worker-1", description="Node that holds the database's volume.")


class ServiceSettings(Section):
    """The products of the stack; one that is null is not deployed."""

    web: WebSettings | None = Field(default_factory=lambda: WebSettings())
    wordpress: WordPressSettings | None = Field(default_factory=lambda: WordPressSettings())


class LoadBalancerSettings(Section):
    """HAProxy outside the swarm, in front of every node (M144-M146, E16)."""

    address: str = Field("127.0.0.1", pattern=r"^\d{1,3}(\.\d{1,3}){3}$", description="Address that it listens on.")
    statistics_port: Port = 8404


class Settings(Section):
    """All settings of a stack. Each top-level field is a key `flotilla:<field>` of the stack file."""

    cloud: Literal["local"] = Field("local", description="Where the machines are.")
    protect: bool = Field(default=False, description="Protect what holds data from deletion.")
    network: NetworkSettings = Field(default_factory=lambda: NetworkSettings())
    swarm: SwarmSettings = Field(default_factory=lambda: SwarmSettings())
    managers: ManagerSettings = Field(default_factory=lambda: ManagerSettings())
    workers: WorkerSettings = Field(default_factory=lambda: WorkerSettings())
    nodes: dict[NodeName, NodeSettings] = Field(default_factory=dict)
    ssh: SshSettings = Field(default_factory=lambda: SshSettings())
    local: LocalSettings = Field(default_factory=lambda: LocalSettings())
    services: ServiceSettings = Field(default_factory=lambda: ServiceSettings())
    load_balancer: LoadBalancerSettings = Field(default_factory=lambda: LoadBalancerSettings())
    images: dict[str, ImageReference] = Field(
        default_factory=dict,
        description="Images by digest from a registry that the nodes reach, instead of those built here.",
    )
