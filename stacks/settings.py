"""The vocabulary of a stack file: every setting with its type, bounds and default, checked offline before any resource
exists. `python -m stacks.schema` renders it as the JSON schema that editors use."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from components.plan.addresses import parse_network
from components.plan.durations import shortest
from components.plan.sizes import parse_size
from stacks import patterns

Port = Annotated[int, Field(ge=1, le=65535)]
Replicas = Annotated[int, Field(ge=0, le=10_000)]


def _network(text: str) -> str:
    """A CIDR without host bits, as written (`10.60.0.0/24`)."""
    parse_network(text, field="")
    return text


def _size(text: str) -> str:
    parse_size(text, field="")
    return text


def _duration(text: str) -> str:
    return shortest(text, field="")


Cidr = Annotated[str, AfterValidator(_network)]
Size = Annotated[str, AfterValidator(_size), Field(examples=["512m", "2g"])]
Duration = Annotated[str, AfterValidator(_duration), Field(examples=["10s", "2160h"])]
NodeName = Annotated[str, Field(pattern=patterns.NODE_NAME)]
ImageReference = Annotated[str, Field(pattern=patterns.IMAGE_BY_DIGEST)]
Labels = dict[str, str]


class Section(BaseModel):
    """A part of the settings: frozen, and a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class NetworkSettings(Section):
    """Addresses of the machines, of the overlay networks and of the bridges inside the machines."""

    machines: Cidr = Field(default="10.60.0.0/24", description="Network of the machines.")
    overlays: Cidr = Field(default="10.128.0.0/12", description="Pool that the swarm cuts its overlay networks from.")
    overlay_prefix: int = Field(default=24, ge=16, le=29, description="Prefix length of each overlay network.")
    bridges: Cidr = Field(default="172.30.0.0/16", description="Pool of the bridge networks inside each machine.")
    mtu: int = Field(default=1500, ge=1280, le=9216, description="MTU of the network under the machines, in bytes.")
    publish_mode: Literal["host", "ingress"] = Field(
        default="host",
        description=(
            "How a published port reaches the tasks: `ingress` is Swarm's routing mesh (needs IP_VS in the kernel), "
            "`host` is a proxy on every node that publishes the port in host mode."
        ),
    )


class SwarmSettings(Section):
    """Settings of the swarm itself (https://docs.docker.com/reference/cli/docker/swarm/init/)."""

    data_path_port: int = Field(
        default=4789, ge=1024, le=49151, description="UDP port of VXLAN traffic; fixed for life."
    )
    autolock: bool = Field(default=False, description="Managers need the unlock key after a restart.")
    certificate_expiry: Duration = Field(default="2160h", description="Validity of node certificates.")
    task_history_limit: int = Field(default=5, ge=0, le=1000, description="Finished tasks kept for each slot.")
    snapshot_interval: int = Field(default=10_000, ge=100, description="Raft log entries between snapshots.")


class MachineGroup(Section):
    """Size of each machine of a role."""

    cpus: float = Field(default=1.0, ge=0.1, le=256, description="CPUs of each machine.")
    memory: Size = Field(default="1g", description="Memory of each machine.")
    labels: Labels = Field(default_factory=dict, description="Node labels of every machine of the role.")


class ManagerSettings(MachineGroup):
    """The managers: an odd number, so that a majority survives the loss of one."""

    count: int = Field(default=3, description="1, 3, 5, 7 or 9.")


class WorkerSettings(MachineGroup):
    """The workers."""

    count: int = Field(default=2, ge=0, le=1000)
    memory: Size = Field(default="2g", description="Memory of each machine.")


class NodeSettings(Section):
    """What differs for one node."""

    availability: Literal["active", "pause", "drain"] = "active"
    labels: Labels = Field(default_factory=dict)


class SshSettings(Section):
    """How the machines are reached. The private key stays in its file: only the path is used."""

    identity_file: str = Field(
        default=".flotilla/id_ed25519", description="Private key, relative to the project folder."
    )
    first_port: int = Field(
        default=2200, ge=1024, le=64000, description="Local cloud: port of the first machine on 127.0.0.1."
    )


class LocalSettings(Section):
    """The user's own Docker."""

    docker_host: str = Field(default="unix:///var/run/docker.sock", pattern=patterns.DOCKER_HOST)


class WebSettings(Section):
    """nginx with a page that shows which task answered (M50)."""

    replicas: Replicas = 3
    port: Port = Field(default=8080, description="Published port.")
    memory: Size = "64m"


class WordPressSettings(Section):
    """WordPress on MariaDB (M53, M54)."""

    replicas: Replicas = 3
    port: Port = Field(default=8081, description="Published port.")
    title: str = Field(default="Flotilla", pattern=patterns.NOT_EMPTY)
    memory: Size = "256m"
    database_memory: Size = "512m"
    database_node: NodeName = Field(default="worker-1", description="Node that holds the database's volume.")


class ServiceSettings(Section):
    """The products of the stack; one that is null is not deployed."""

    web: WebSettings | None = Field(default_factory=WebSettings)
    wordpress: WordPressSettings | None = Field(default_factory=WordPressSettings)


class LoadBalancerSettings(Section):
    """HAProxy outside the swarm, in front of every node (M144-M146, E16)."""

    address: str = Field(default="127.0.0.1", pattern=patterns.IPV4_ADDRESS, description="Address that it listens on.")
    statistics_port: Port = 8404


class Settings(Section):
    """All settings of a stack. Each top-level field is a key `flotilla:<field>` of the stack file."""

    cloud: Literal["local"] = Field(default="local", description="Where the machines are.")
    protect: bool = Field(default=False, description="Protect what holds data from deletion.")
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    swarm: SwarmSettings = Field(default_factory=SwarmSettings)
    managers: ManagerSettings = Field(default_factory=ManagerSettings)
    workers: WorkerSettings = Field(default_factory=WorkerSettings)
    nodes: dict[NodeName, NodeSettings] = Field(default_factory=dict)
    ssh: SshSettings = Field(default_factory=SshSettings)
    local: LocalSettings = Field(default_factory=LocalSettings)
    services: ServiceSettings = Field(default_factory=ServiceSettings)
    load_balancer: LoadBalancerSettings = Field(default_factory=LoadBalancerSettings)
    images: dict[str, ImageReference] = Field(
        default_factory=dict,
        description="Images by digest from a registry that the nodes reach, instead of those built here.",
    )
