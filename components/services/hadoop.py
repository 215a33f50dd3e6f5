"""What all parts of Hadoop have in common: one image, the names that they know each other by, and daemons whose heaps
follow the limits of their containers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from components.clouds.cloud import ImageSource
from components.plan.spark import daemon_heap
from components.services.container import ContainerOptions
from components.services.overlay import Overlay
from components.services.route import Route, SharedRoute
from components.services.service import Healthcheck, PublishedPort, SwarmServiceArgs, UpdatePolicy
from components.storage.volume import PinnedVolume
from components.swarm.cluster import Swarm

IMAGE = "hadoop"
OVERLAY = "hadoop"
DATA_FOLDER = "/data"
"""Where NameNode and DataNodes have their volumes."""
FILE_SYSTEM = "hdfs://namenode:8020"
NAMENODE_PAGES = 9870
RESOURCEMANAGER_PAGES = 8088
HISTORY_PAGES = 19888
SPARK_HISTORY_PAGES = 18080
EVENTS_FOLDER = f"{FILE_SYSTEM}/spark/history"
"""The event log of Spark jobs (M125, M127)."""


@dataclass(frozen=True, kw_only=True)
class FileSystem:
    """HDFS for other products: the network where the NameNode has its name, and the URL by way of NameNode and
    DataNodes, so that who reads and writes waits for them."""

    overlay: Overlay
    url: pulumi.Output[str]

    @property
    def events_folder(self) -> pulumi.Output[str]:
        """The folder of the event log, as soon as there is a file system to have it in."""
        return self.url.apply(lambda _: EVENTS_FOLDER)


@dataclass(frozen=True, kw_only=True)
class HadoopImage:
    """What every part is made with: `settings` are what all daemons have in their environment, so that a command run in
    any container means the same. Jobs have none of them: they are not run again when one changes."""

    cluster: Swarm
    images: ImageSource
    overlay: Overlay
    settings: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """One part. `part` is its word in the image, `memory` its limit in bytes and `memory_field` where that was said,
    `alias` the name that others know it by; `heap` is in MiB where it is not the limit without a JVM's own needs."""

    service: str
    part: str
    memory: int
    memory_field: str
    alias: str = ""
    hostname: str = ""
    heap: int | None = None
    replicas: int = 1
    cpus: float = 1.0
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    volumes: tuple[PinnedVolume, ...] = ()
    constraints: tuple[str, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    interval: str = "5s"
    grace: str = "30s"


def daemon_service(daemon: Daemon, made: HadoopImage) -> SwarmServiceArgs:
    """The service of a part: its old task ends before the new one begins, because both would have the same name."""
    heap = daemon.heap if daemon.heap is not None else daemon_heap(daemon.memory, field=daemon.memory_field)
    return SwarmServiceArgs(
        name=daemon.service,
        image=IMAGE,
        container=ContainerOptions(
            command=("hadoop-start", daemon.part), hostname=daemon.hostname or daemon.alias or daemon.service
        ),
        replicas=daemon.replicas,
        memory=daemon.memory,
        cpus=daemon.cpus,
        # It may have to wait for other parts, and start on a busy node.
        healthcheck=Healthcheck(
            test=("hadoop-health", daemon.part), interval=daemon.interval, timeout="10s", start_period="4m"
        ),
        networks={OVERLAY: made.overlay.network_id},
        aliases={OVERLAY: (daemon.alias,)} if daemon.alias else {},
        environment={**made.settings, "HADOOP_HEAP": str(heap), **daemon.environment},
        volumes=daemon.volumes,
        constraints=daemon.constraints,
        ports=daemon.ports,
        update=UpdatePolicy(order="stop-first"),
        # Containers of YARN leave processes behind when they are killed.
        init=True,
        stop_grace_period=daemon.grace,
        converge_timeout="10m",
        cluster=made.cluster,
        images=made.images,
    )


def page_route(service: str, published: int, target: int, health_path: str, overlay: Overlay) -> Route:
    """The way to a part's pages, for those who look: the pages of HDFS and YARN ask nobody for a password, and would
    delete files and end applications for anybody."""
    return SharedRoute(
        service=service,
        published=published,
        target=target,
        replicas=1,
        network_id=overlay.network_id,
        health_path=health_path,
        read_only=True,
        backend=service,
        network=overlay.key,
    )
