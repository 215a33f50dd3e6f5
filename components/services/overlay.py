"""An overlay network of one product: its services find each other there by name, and nobody else does (M77-M79)."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.component import Component
from components.swarm.cluster import Swarm


@dataclass(frozen=True, kw_only=True)
class OverlayArgs:
    """The swarm cuts the subnet from its own pool, so that overlays never collide with machines or bridges (E7)."""

    name: str
    cluster: Swarm


class Overlay(Component):
    """An overlay network."""

    token = "flotilla:services:Overlay"
    declares = ("network_id", "network_name", "key")

    network_id: pulumi.Output[str]
    network_name: pulumi.Output[str]
    key: str

    def __init__(self, name: str, args: OverlayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        network = docker.Network(
            self.child_name("network"),
            name=args.name,
            driver="overlay",
            # What the underlay carries; Docker takes its own headers off (moby/libnetwork#1021).
            options={"com.docker.network.driver.mtu": args.cluster.mtu} if args.cluster.mtu is not None else None,
            opts=self.child(provider=args.cluster.provider, deleted_with=args.cluster.resource),
        )
        self.publish(network_id=network.id, network_name=network.name, key=args.name)
