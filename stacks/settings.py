"""The vocabulary of a stack file: every setting with its type, bounds and default, checked offline before any resource
exists. `python -m stacks.schema` renders it as the JSON schema that editors use."""

from typing import Annotated, Literal

from pydantic import Field

from components.storage.profiles import DEFAULT_SIZE_GIB, EbsType, Profile, ProfileSet
from stacks import patterns
from stacks.cloud_settings import AwsSettings, OpenstackSettings
from stacks.products.hadoop.settings import HadoopSettings
from stacks.products.monitoring.settings import MonitoringSettings
from stacks.products.mvc.settings import MvcSettings
from stacks.products.registry.settings import UserRegistrySettings
from stacks.products.spark.settings import SparkSettings
from stacks.products.ui.settings import UiSettings
from stacks.products.web.settings import WebSettings
from stacks.products.wordpress.settings import WordPressSettings
from stacks.section import (
    AdminCidr,
    Cidr,
    Duration,
    ImageReference,
    Labels,
    NodeName,
    Port,
    SecretText,
    Section,
    Size,
    VolumeName,
)


class NetworkSettings(Section):
    """Addresses of the machines, of the overlay networks and of the bridges inside the machines."""

    machines: Cidr | None = Field(
        default=None,
        description="Network of the machines: 10.60.0.0/24 on the local cloud, 10.60.0.0/16 on the others.",
    )
    overlays: Cidr = Field(default="10.128.0.0/12", description="Pool that the swarm cuts its overlay networks from.")
    overlay_prefix: int = Field(default=24, ge=16, le=29, description="Prefix length of each overlay network.")
    bridges: Cidr = Field(default="172.30.0.0/16", description="Pool of the bridge networks inside each machine.")
    mtu: int | None = Field(
        default=None,
        ge=1280,
        le=9216,
        description="MTU of the network under the machines, in bytes: 1500, on OpenStack what its network says.",
    )
    reserved: dict[str, Cidr] = Field(
        default_factory=dict, description="Other networks that machines have to reach (a peering, a VPN), by name."
    )
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
    """Size of each machine of a role. On the local cloud `cpus` and `memory` are given to it; on the others `type`
    brings them, and they are said only for a type that is not known here."""

    type: str | None = Field(
        default=None, pattern=patterns.TYPE_NAME, description="EC2 instance type or Nova flavour (not local)."
    )
    cpus: float | None = Field(default=None, ge=0.1, le=256, description="CPUs of each machine; local: 1.")
    memory: Size | None = Field(default=None, description="Memory of each machine; local: managers 1g, workers 2g.")
    disk: Size | None = Field(default=None, description="AWS: root disk of each machine, 20g unless said.")
    labels: Labels = Field(default_factory=dict, description="Node labels of every machine of the role.")


class ManagerSettings(MachineGroup):
    """The managers: an odd number, so that a majority survives the loss of one."""

    count: int = Field(default=3, description="1, 3, 5, 7 or 9.")


class WorkerSettings(MachineGroup):
    """The workers."""

    count: int = Field(default=2, ge=0, le=10_000)
    pool: bool = Field(
        default=False, description="AWS: an autoscaling group whose machines join by themselves, not one resource each."
    )


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
    access: Literal["direct", "bastion", "session"] = Field(
        default="direct",
        description=(
            "Not local: `direct` gives every machine a public address, `bastion` one machine that leads to the others, "
            "`session` goes through AWS Systems Manager and opens no port."
        ),
    )
    admin_networks: list[AdminCidr] = Field(
        default_factory=list,
        description="Not local: networks that may reach SSH; `anywhere`, in this word, is the whole internet.",
    )


class LocalSettings(Section):
    """The user's own Docker."""

    docker_host: str = Field(default="unix:///var/run/docker.sock", pattern=patterns.DOCKER_HOST)


class ServiceSettings(Section):
    """The products of the stack; one that is null is not deployed."""

    web: WebSettings | None = Field(default_factory=WebSettings)
    wordpress: WordPressSettings | None = Field(default_factory=WordPressSettings)
    spark: SparkSettings | None = None
    hadoop: HadoopSettings | None = None
    registry: UserRegistrySettings | None = None
    ui: UiSettings | None = None
    mvc: MvcSettings | None = None
    monitoring: MonitoringSettings | None = None


class LoadBalancerSettings(Section):
    """The load balancer outside the swarm, in front of its nodes (M144-M146, E16)."""

    kind: Literal["haproxy", "managed", "none"] | None = Field(
        default=None,
        description=(
            "`haproxy` is a machine of its own (on the local cloud, where it is the default, a container), `managed` "
            "the cloud's own: an AWS network load balancer, OpenStack's Octavia (the default there)."
        ),
    )
    type: str | None = Field(
        default=None, pattern=patterns.TYPE_NAME, description="Type of the machine with HAProxy (not local)."
    )
    address: str = Field(
        default="127.0.0.1", pattern=patterns.IPV4_ADDRESS, description="Local cloud: address that it listens on."
    )
    statistics_port: Port = 8404


class StorageSettings(Section):
    """How volumes are made of profiles (M93-M108)."""

    profiles: ProfileSet = Field(
        default="legacy", description="`legacy` is Flocker's exact table, `modern` the same promises in today's types."
    )
    flocker_control: bool = Field(
        default=False,
        description="A Flocker control service runs on a manager: opens 4523 and 4524, nothing else does.",
    )


class EbsSettings(Section):
    """AWS: a volume type in its own words, instead of a profile's."""

    type: EbsType
    iops: int | None = Field(default=None, description="Where the type lets it be chosen.")
    throughput: int | None = Field(default=None, description="MiB/s, where the type lets it be chosen.")


class VolumeSettings(Section):
    """A volume that is created, attached, formatted once and mounted on one node (M105, M109)."""

    node: NodeName
    size: Size = Field(default=f"{DEFAULT_SIZE_GIB}g", description="In whole GiB.")
    profile: Profile = "bronze"
    ebs: EbsSettings | None = None
    zone: str | None = Field(
        default=None, pattern=patterns.ZONE_NAME, description="The zone it has to be in, which is its node's."
    )


class RegistrySettings(Section):
    """The registry that nodes of a cloud pull the built images from; the local cloud brings its own."""

    address: str | None = Field(default=None, pattern=patterns.REGISTRY_ADDRESS)
    authority_file: str | None = Field(
        default=None,
        description="PEM of the authority of its certificate, relative to the project folder, where it is not public.",
    )


class ComposeSettings(Section):
    """A Compose file (or a bundle, `.dab`) that is deployed as a stack of its own, and what the file does not say."""

    file: str = Field(pattern=patterns.NOT_EMPTY, description="Relative to the project folder.")
    images: dict[str, Annotated[str, Field(pattern=patterns.COMPOSE_IMAGE)]] = Field(
        default_factory=dict,
        description="Images as the file names them: which image of the stack they are, or which digest.",
    )
    volumes: dict[str, VolumeName] = Field(
        default_factory=dict,
        description="Volumes and paths as the file names them: which of `flotilla:volumes` they are.",
    )
    publish: dict[Annotated[str, Field(pattern=patterns.COMPOSE_TARGET)], Port] = Field(
        default_factory=dict, description="Published ports by service and port (`wordpress: 80` as `wordpress:80`)."
    )
    health_paths: dict[str, Annotated[str, Field(pattern=patterns.URL_PATH)]] = Field(
        default_factory=dict,
        description="Services that speak HTTP, and the path that answers 200; ports of others are passed on as TCP.",
    )
    variables: dict[str, str] = Field(default_factory=dict, description="Values of `${NAME}` in the file.")
    secrets: dict[str, SecretText] = Field(
        default_factory=dict, description="Values of the file's external secrets, encrypted: `config set --secret`."
    )
    generated: list[str] = Field(default_factory=list, description="External secrets whose value is made here.")
    configs: dict[str, str] = Field(
        default_factory=dict, description="Files of the external configs, relative to the Compose file."
    )
    memory: Size = Field(default="512m", description="Memory limit of a service that the file gives none.")
    cpus: float = Field(default=1.0, ge=0.001, le=256, description="CPU limit of a service that the file gives none.")


class Settings(Section):
    """All settings of a stack. Each top-level field is a key `flotilla:<field>` of the stack file."""

    cloud: Literal["local", "aws", "openstack"] = Field(default="local", description="Where the machines are.")
    protect: bool = Field(default=False, description="Protect what holds data from deletion.")
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    swarm: SwarmSettings = Field(default_factory=SwarmSettings)
    managers: ManagerSettings = Field(default_factory=ManagerSettings)
    workers: WorkerSettings = Field(default_factory=WorkerSettings)
    nodes: dict[NodeName, NodeSettings] = Field(default_factory=dict)
    ssh: SshSettings = Field(default_factory=SshSettings)
    local: LocalSettings = Field(default_factory=LocalSettings)
    aws: AwsSettings = Field(default_factory=AwsSettings)
    openstack: OpenstackSettings = Field(default_factory=OpenstackSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    volumes: dict[VolumeName, VolumeSettings] = Field(default_factory=dict)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    services: ServiceSettings = Field(default_factory=ServiceSettings)
    compose: dict[Annotated[str, Field(pattern=patterns.COMPOSE_NAME)], ComposeSettings] = Field(
        default_factory=dict,
        description="Compose files, each a stack of its own, by the name that its services begin with.",
    )
    load_balancer: LoadBalancerSettings = Field(default_factory=LoadBalancerSettings)
    images: dict[str, ImageReference] = Field(
        default_factory=dict,
        description="Images by digest from a registry that the nodes reach, instead of those built here.",
    )

    @property
    def most_nodes(self) -> int:
        """As many nodes as there may be: a pool grows up to its maximum without another update."""
        most_workers = self.aws.pool.maximum if self.workers.pool else None
        return self.managers.count + (most_workers or self.workers.count)
