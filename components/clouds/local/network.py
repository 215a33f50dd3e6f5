"""The bridge network that the machines of the local cloud share with the registry and the load balancer."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.component import Component

NODES_ALIAS = "nodes"
"""The name that Docker's DNS resolves to the addresses of all machines."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`subnet` and `gateway` are both given: without a gateway pulumi-docker replaces the network after a refresh."""

    physical_name: str
    subnet: str
    gateway: str
    labels: tuple[docker.NetworkLabelArgs, ...]
    provider: docker.Provider


class Network(Component):
    """A bridge network on the user's Docker."""

    token = "flotilla:local:Network"
    declares = ("network", "network_name", "subnet")

    network: docker.Network
    network_name: pulumi.Output[str]
    subnet: str

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        network = docker.Network(
            self.child_name("bridge"),
            name=args.physical_name,
            driver="bridge",
            ipam_configs=[docker.NetworkIpamConfigArgs(subnet=args.subnet, gateway=args.gateway)],
            labels=list(args.labels),
            opts=self.child(provider=args.provider),
        )
        self.publish(network=network, network_name=network.name, subnet=args.subnet)
