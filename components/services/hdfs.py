"""HDFS: a NameNode whose volume is formatted once, and DataNodes that are services of their own, each with the volume
of its node. More of them is one setting, and so is fewer: who is to go is decommissioned first (M123, M124, M133)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi

from components.component import Component
from components.plan.hadoop import data_port
from components.plan.sizes import MIB
from components.services.hadoop import (
    DATA_FOLDER,
    FILE_SYSTEM,
    IMAGE,
    NAMENODE_PAGES,
    Daemon,
    HadoopImage,
    daemon_service,
    page_route,
)
from components.services.route import Route
from components.services.service import SwarmService, unmeshed_ports
from components.storage.volume import StoredVolume
from components.swarm import resources as swarm
from components.swarm.cluster import JobRunner

NAMENODE = "hadoop-namenode"
SECONDARY = "hadoop-secondary"
_ERRAND_MEMORY = 384 * MIB
_ERRAND_SLACK = 60
"""Seconds for an errand to start and to take back what it began, inside the whole time that it has."""


def datanode_name(number: int) -> str:
    """Service, volume and host name of a DataNode."""
    return f"hadoop-datanode-{number}"


@dataclass(frozen=True, kw_only=True)
class HdfsArgs:
    """Memory is in bytes, each the limit of a container. `datanodes` are the volumes of the DataNodes by number;
    `decommission_seconds` is how long one may take to leave."""

    namenode_memory: int
    secondary_memory: int
    datanode_memory: int
    namenode_volume: StoredVolume
    datanodes: Mapping[int, StoredVolume]
    decommission_seconds: int
    secondary_constraints: tuple[str, ...]
    port: int
    publish_mode: Literal["host", "ingress"]
    runner: JobRunner
    made: HadoopImage


class Hdfs(Component):
    """The services `hadoop-namenode`, `hadoop-secondary`, `hadoop-datanode-1`..., and what lets DataNodes in and out.

    `url` is that of the file system, once NameNode and DataNodes are there.
    """

    token = "flotilla:services:Hdfs"
    declares = ("namenode", "secondary", "datanodes", "routes", "url")

    namenode: SwarmService
    secondary: SwarmService
    datanodes: Mapping[str, SwarmService]
    routes: tuple[Route, ...]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: HdfsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        namenode = SwarmService(self.child_name("namenode"), daemon_service(_namenode(args), args.made), self.child())
        secondary = SwarmService(
            self.child_name("secondary"), daemon_service(_secondary(args), args.made), self.child()
        )
        datanodes = {
            datanode_name(number): self._datanode(number, volume, args, namenode)
            for number, volume in args.datanodes.items()
        }
        health = "/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus"
        self.publish(
            namenode=namenode,
            secondary=secondary,
            datanodes=datanodes,
            routes=(page_route(NAMENODE, args.port, NAMENODE_PAGES, health, args.made.overlay),),
            # By way of the services: who reads and writes waits for them.
            url=pulumi.Output.all(
                namenode.service_name, *(datanode.service_name for datanode in datanodes.values())
            ).apply(lambda _: FILE_SYSTEM),
        )

    def _datanode(self, number: int, volume: StoredVolume, args: HdfsArgs, namenode: SwarmService) -> SwarmService:
        service = SwarmService(
            self.child_name("datanode", str(number)),
            daemon_service(_datanode(number, volume, args), args.made),
            self.child(),
        )
        self._admission(number, args, namenode, service)
        return service

    def _admission(self, number: int, args: HdfsArgs, namenode: SwarmService, datanode: SwarmService) -> None:
        """Before the DataNode's service goes, its blocks have to be elsewhere; unless all of HDFS goes."""
        member, port = datanode_name(number), str(data_port(number))
        swarm.Admission(
            self.child_name("datanode", str(number), "admission"),
            managers=args.runner.managers,
            cluster_id=args.runner.cluster_id,
            member=member,
            image=args.made.images.reference(IMAGE),
            admit=["hadoop-member", "admit", member, port],
            release=["hadoop-member", "retire", member, port],
            env={"MEMBER_SECONDS": str(args.decommission_seconds - _ERRAND_SLACK)},
            networks=[args.made.overlay.network_id],
            # The list of who is to leave is a file beside the NameNode's own.
            mounts=[swarm.JobMountArgs(type="volume", source=args.namenode_volume.source, target=DATA_FOLDER)],
            constraints=list(args.namenode_volume.at(DATA_FOLDER).constraints),
            memory=_ERRAND_MEMORY,
            cpus=1.0,
            timeout=args.decommission_seconds,
            after=[namenode.service_name, datanode.service_name],
            opts=self.child(provider=args.runner.plugin, deleted_with=namenode.resource),
        )


def _namenode(args: HdfsArgs) -> Daemon:
    return Daemon(
        service=NAMENODE,
        part="namenode",
        alias="namenode",
        memory=args.namenode_memory,
        memory_field="namenode_memory",
        volumes=(args.namenode_volume.at(DATA_FOLDER),),
        ports=unmeshed_ports(args.publish_mode, target=NAMENODE_PAGES, published=args.port),
        grace="1m",
    )


def _secondary(args: HdfsArgs) -> Daemon:
    """It makes one file of the NameNode's journal every hour, without which that would grow for ever."""
    return Daemon(
        service=SECONDARY,
        part="secondary",
        memory=args.secondary_memory,
        memory_field="secondary_memory",
        constraints=args.secondary_constraints,
        interval="10s",
    )


def _datanode(number: int, volume: StoredVolume, args: HdfsArgs) -> Daemon:
    return Daemon(
        service=datanode_name(number),
        part="datanode",
        memory=args.datanode_memory,
        memory_field="datanode_memory",
        environment={"HADOOP_NAME": datanode_name(number), "HADOOP_PORT": str(data_port(number))},
        volumes=(volume.at(DATA_FOLDER),),
        interval="10s",
    )
