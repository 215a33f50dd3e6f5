"""YARN: a ResourceManager, NodeManagers that offer what their limits leave, and the servers that show what jobs of
MapReduce and Spark did (M127-M129)."""

from dataclasses import dataclass
from typing import Literal

import pulumi

from components.component import Component
from components.plan.hadoop import NODEMANAGER_HEAP
from components.services.hadoop import (
    EVENTS_FOLDER,
    HISTORY_PAGES,
    OVERLAY,
    RESOURCEMANAGER_PAGES,
    SPARK_HISTORY_PAGES,
    Daemon,
    HadoopImage,
    daemon_service,
    page_route,
)
from components.services.route import Route
from components.services.service import SwarmService, unmeshed_ports

RESOURCEMANAGER = "hadoop-resourcemanager"
NODEMANAGER = "hadoop-nodemanager"
HISTORY = "hadoop-history"
SPARK_HISTORY = "hadoop-spark-history"
TASK_NAME = f"{{{{.Service.Name}}}}.{{{{.Task.Slot}}}}.{{{{.Task.ID}}}}.{OVERLAY}"
"""Docker's own name of a task in its network, which it resolves: a NodeManager tells others its host name. Without the
network the last part would be an id, and where that begins with a digit Java takes it for no host name."""


@dataclass(frozen=True, kw_only=True)
class HistoryServer:
    """A server of finished jobs: the limit of its container in bytes, and the published port."""

    memory: int
    port: int


@dataclass(frozen=True, kw_only=True)
class YarnArgs:
    """Memory is in bytes, each the limit of a container; `cores` is what a NodeManager offers, and its CPU limit. The
    published ports are those of the pages; `spark_history` is None where Spark keeps no event log."""

    memory: int
    nodemanagers: int
    nodemanager_memory: int
    cores: int
    constraints: tuple[str, ...]
    nodemanager_constraints: tuple[str, ...]
    port: int
    history: HistoryServer
    spark_history: HistoryServer | None
    publish_mode: Literal["host", "ingress"]
    made: HadoopImage


class Yarn(Component):
    """The services `hadoop-resourcemanager`, `hadoop-nodemanager`, `hadoop-history` and `hadoop-spark-history`.

    `url` is that of the ResourceManager's pages in the overlay, once all services are there.
    """

    token = "flotilla:services:Yarn"
    declares = ("resourcemanager", "nodemanagers", "histories", "routes", "url")

    resourcemanager: SwarmService
    nodemanagers: SwarmService
    histories: tuple[SwarmService, ...]
    routes: tuple[Route, ...]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: YarnArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        overlay = args.made.overlay
        resourcemanager = self._service("resourcemanager", _resourcemanager(args), args)
        nodemanagers = self._service("nodemanager", _nodemanager(args), args)
        histories = [self._service("history", _history(args, args.history), args)]
        routes = [
            page_route(RESOURCEMANAGER, args.port, RESOURCEMANAGER_PAGES, "/ws/v1/cluster/info", overlay),
            page_route(HISTORY, args.history.port, HISTORY_PAGES, "/ws/v1/history/info", overlay),
        ]
        if server := args.spark_history:
            histories.append(self._service("spark-history", _spark_history(args, server), args))
            routes.append(page_route(SPARK_HISTORY, server.port, SPARK_HISTORY_PAGES, "/api/v1/version", overlay))
        services = (resourcemanager, nodemanagers, *histories)
        self.publish(
            resourcemanager=resourcemanager,
            nodemanagers=nodemanagers,
            histories=tuple(histories),
            routes=tuple(routes),
            # By way of the services: jobs wait for them.
            url=pulumi.Output.all(*(service.service_name for service in services)).apply(
                lambda _: f"http://resourcemanager:{RESOURCEMANAGER_PAGES}"
            ),
        )

    def _service(self, key: str, daemon: Daemon, args: YarnArgs) -> SwarmService:
        return SwarmService(self.child_name(key), daemon_service(daemon, args.made), self.child())


def _resourcemanager(args: YarnArgs) -> Daemon:
    return Daemon(
        service=RESOURCEMANAGER,
        part="resourcemanager",
        alias="resourcemanager",
        memory=args.memory,
        memory_field="yarn.memory",
        constraints=args.constraints,
        ports=unmeshed_ports(args.publish_mode, target=RESOURCEMANAGER_PAGES, published=args.port),
    )


def _nodemanager(args: YarnArgs) -> Daemon:
    return Daemon(
        service=NODEMANAGER,
        part="nodemanager",
        hostname=TASK_NAME,
        replicas=args.nodemanagers,
        memory=args.nodemanager_memory,
        memory_field="yarn.nodemanager_memory",
        heap=NODEMANAGER_HEAP,
        cpus=float(args.cores),
        constraints=args.nodemanager_constraints,
        interval="10s",
    )


def _history(args: YarnArgs, server: HistoryServer) -> Daemon:
    return Daemon(
        service=HISTORY,
        part="history",
        alias="history",
        memory=server.memory,
        memory_field="history.memory",
        constraints=args.constraints,
        ports=unmeshed_ports(args.publish_mode, target=HISTORY_PAGES, published=server.port),
    )


def _spark_history(args: YarnArgs, server: HistoryServer) -> Daemon:
    return Daemon(
        service=SPARK_HISTORY,
        part="spark-history",
        memory=server.memory,
        memory_field="spark_history.memory",
        environment={"SPARK_EVENTS": EVENTS_FOLDER},
        constraints=args.constraints,
        ports=unmeshed_ports(args.publish_mode, target=SPARK_HISTORY_PAGES, published=server.port),
    )
