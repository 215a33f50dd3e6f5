"""An overlay network of one product: its services find each other there by name, and nobody else does (M77-M79)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from components.component import Component
from components.swarm.cluster import Swarm


@dataclass(frozen=True, kw_only=True)
class OverlayArgs:
    """The swarm cuts the subnet from its own pool, so that overlays never collide with machines or bridges (E7).

    `attachable` lets containers join that are no tasks, `internal` has no way out, `encrypted` is IPsec between nodes;
    `mtu` is that of the network under it where it is not what the cloud says.
    """

    name: str
    cluster: Swarm
    attachable: bool = False
    internal: bool = False
    encrypted: bool = False
    mtu: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


class Overlay(Component):
    """An overlay network."""

    token = "flotilla:services:Overlay"
    declares = ("network_id", "network_name", "key")

    network_id: pulumi.Output[str]
    network_name: pulumi.Output[str]
    key: str

    def __init__(self, name: str, args: OverlayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        options = _options(args)
        network = docker.Network(
            self.child_name("network"),
            name=args.name,
            driver="overlay",
            attachable=args.attachable or None,
            internal=args.internal or None,
            labels=[docker.NetworkLabelArgs(label=label, value=value) for label, value in args.labels.items()] or None,
            options=options or None,
            opts=self.child(
                provider=args.cluster.provider,
                deleted_with=args.cluster.resource,
                # The swarm adds the network's own number to the options, and the difference would replace it.
                ignore_changes=["options"] if options else None,
            ),
        )
        self.publish(network_id=network.id, network_name=network.name, key=args.name)


def _options(args: OverlayArgs) -> dict[str, pulumi.Input[str]]:
    options: dict[str, pulumi.Input[str]] = {}
    mtu = args.cluster.mtu if args.mtu is None else str(args.mtu)
    if mtu is not None:
        # What the underlay carries; Docker takes its own headers off (moby/libnetwork#1021).
        options["com.docker.network.driver.mtu"] = mtu
    if args.encrypted:
        options["encrypted"] = ""
    return options
