"""Spark standalone (M113-M122): a master that others find by the name of its service, never by an address (E8), workers
whose heaps follow their limits (M118), and a history server that reads the event log on the volume, or in HDFS
(M125-M127). Who has not the word that all of them share is no worker and submits nothing."""

from dataclasses import dataclass
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.plan.spark import daemon_heap, worker_memory
from components.services.container import ContainerOptions
from components.services.hadoop import FileSystem
from components.services.overlay import Overlay, OverlayArgs
from components.services.passwords import Passwords
from components.services.route import Route, SharedRoute
from components.services.service import (
    FileContent,
    Healthcheck,
    SwarmService,
    SwarmServiceArgs,
    UpdatePolicy,
    unmeshed_ports,
)
from components.storage.volume import StoredVolume
from components.swarm.cluster import Swarm

MASTER = "spark-master"
WORKER = "spark-worker"
HISTORY = "spark-history"
DATA_FOLDER = "/data"
"""Where jobs and the history server see the volume (M105, M109)."""
SECRET_FILE = "/run/secrets/spark-secret"
_USER = "185"
_RPC_PORT = 7077
_MASTER_PAGES = 8080
_HISTORY_PAGES = 18080


@dataclass(frozen=True, kw_only=True)
class SparkArgs:
    """`memory` (of a worker), `master_memory` and `history_memory` are limits in bytes; `cores` are what each worker
    offers, and its CPU limit; `port` and `history_port` are published; constraints are Docker's. `file_system` is None
    where Spark has a network of its own and its event log on the volume."""

    workers: int
    memory: int
    cores: int
    master_memory: int
    history_memory: int
    port: int
    history_port: int
    master_constraints: tuple[str, ...]
    worker_constraints: tuple[str, ...]
    volume: StoredVolume
    file_system: FileSystem | None = None
    publish_mode: Literal["host", "ingress"]
    cluster: Swarm
    images: ImageSource


class Spark(Component):
    """The services `spark-master`, `spark-worker` and `spark-history` on an overlay of their own, or on that of HDFS:
    with an address in each of two networks, nobody would know which one to tell others."""

    token = "flotilla:services:Spark"
    declares = ("master", "workers", "overlay", "routes", "master_url", "secret")

    master: SwarmService
    workers: SwarmService
    overlay: Overlay
    routes: tuple[Route, ...]
    master_url: pulumi.Output[str]
    secret: pulumi.Output[str]

    def __init__(self, name: str, args: SparkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        overlay = args.file_system.overlay if args.file_system else self._overlay(args.cluster)
        secret = Passwords(self).make("secret").result
        master = SwarmService(self.child_name("master"), _master(args, overlay, secret), self.child())
        workers = SwarmService(self.child_name("worker"), _worker(args, overlay, secret), self.child())
        history = SwarmService(self.child_name("history"), _history(args, overlay), self.child())
        routes = (
            _route(MASTER, args.port, _MASTER_PAGES, "/json/", overlay),
            _route(HISTORY, args.history_port, _HISTORY_PAGES, "/api/v1/version", overlay),
        )
        self.publish(
            master=master,
            workers=workers,
            overlay=overlay,
            routes=routes,
            # By way of both services: who submits waits for the master, and for the history server, by which Docker
            # knows what the volume is before a job mounts it.
            master_url=pulumi.Output.all(master.service_name, history.service_name).apply(
                lambda names: f"spark://{names[0]}:{_RPC_PORT}"
            ),
            secret=secret,
        )

    def _overlay(self, cluster: Swarm) -> Overlay:
        return Overlay(self.child_name("overlay"), OverlayArgs(name="spark", cluster=cluster), self.child())


def events_folder(file_system: FileSystem | None) -> pulumi.Input[str]:
    """Where history server and drivers find the event log: who uses the one in HDFS waits for HDFS."""
    return file_system.events_folder if file_system else f"{DATA_FOLDER}/spark-events"


def _master(args: SparkArgs, overlay: Overlay, secret: pulumi.Output[str]) -> SwarmServiceArgs:
    return SwarmServiceArgs(
        name=MASTER,
        image="spark",
        # The container knows its own name at once (M82); others learn it when the master is healthy.
        container=ContainerOptions(command=("spark-start", "master"), hostname=MASTER),
        replicas=1,
        memory=args.master_memory,
        cpus=1.0,
        healthcheck=Healthcheck(test=("spark-health", "master"), timeout="5s", start_period="2m"),
        networks={overlay.key: overlay.network_id},
        environment={
            "SPARK_DAEMON_MEMORY": f"{daemon_heap(args.master_memory, field='master_memory')}m",
            "SPARK_SECRET_FILE": SECRET_FILE,
        },
        secrets=_secrets(secret),
        constraints=args.master_constraints,
        ports=unmeshed_ports(args.publish_mode, target=_MASTER_PAGES, published=args.port),
        # Two masters under one name would each have half of the workers.
        update=UpdatePolicy(order="stop-first"),
        init=True,
        cluster=args.cluster,
        images=args.images,
    )


def _secrets(secret: pulumi.Output[str]) -> dict[str, FileContent]:
    return {"secret": FileContent(path=SECRET_FILE, content=secret, mode=0o400, uid=_USER, gid=_USER)}


def _worker(args: SparkArgs, overlay: Overlay, secret: pulumi.Output[str]) -> SwarmServiceArgs:
    memory = worker_memory(args.memory, args.cores, field="memory")
    return SwarmServiceArgs(
        name=WORKER,
        image="spark",
        container=ContainerOptions(command=("spark-start", "worker")),
        replicas=args.workers,
        memory=args.memory,
        cpus=float(args.cores),
        # Each check starts a process on the node, and there may be dozens of workers on it.
        healthcheck=Healthcheck(test=("spark-health", "worker"), interval="10s", timeout="5s", start_period="3m"),
        networks={overlay.key: overlay.network_id},
        environment={
            "SPARK_MASTER": f"spark://{MASTER}:{_RPC_PORT}",
            "SPARK_WORKER_CORES": str(args.cores),
            "SPARK_WORKER_MEMORY": f"{memory.executors}m",
            "SPARK_DAEMON_MEMORY": f"{memory.daemon}m",
            "SPARK_SECRET_FILE": SECRET_FILE,
        },
        secrets=_secrets(secret),
        constraints=args.worker_constraints,
        update=UpdatePolicy(parallelism=max(1, args.workers // 3)),
        # Executors leave Python processes behind when they are killed.
        init=True,
        cluster=args.cluster,
        images=args.images,
    )


def _history(args: SparkArgs, overlay: Overlay) -> SwarmServiceArgs:
    return SwarmServiceArgs(
        name=HISTORY,
        image="spark",
        container=ContainerOptions(command=("spark-start", "history")),
        replicas=1,
        memory=args.history_memory,
        cpus=1.0,
        healthcheck=Healthcheck(test=("spark-health", "history"), timeout="5s", start_period="2m"),
        networks={overlay.key: overlay.network_id},
        environment={
            "SPARK_EVENTS": events_folder(args.file_system),
            "SPARK_DAEMON_MEMORY": f"{daemon_heap(args.history_memory, field='history_memory')}m",
        },
        # Even with the event log in HDFS: by this mount Docker knows what the volume is before a job has it.
        volumes=(args.volume.at(DATA_FOLDER),),
        ports=unmeshed_ports(args.publish_mode, target=_HISTORY_PAGES, published=args.history_port),
        update=UpdatePolicy(order="stop-first"),
        init=True,
        cluster=args.cluster,
        images=args.images,
    )


def _route(service: str, published: int, target: int, health_path: str, overlay: Overlay) -> Route:
    return SharedRoute(
        service=service,
        published=published,
        target=target,
        replicas=1,
        network_id=overlay.network_id,
        health_path=health_path,
        backend=service,
        network=overlay.key,
    )
