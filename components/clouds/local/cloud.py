"""The local cloud: machines as containers on the user's own Docker, with a network and a registry beside them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_tls as tls

from components.clouds.cloud import Image, ImageSource
from components.clouds.local.instance import Instance, InstanceArgs
from components.clouds.local.labels import STACK_LABEL
from components.clouds.local.load_balancer import LoadBalancer, LoadBalancerArgs
from components.clouds.local.network import Network, NetworkArgs
from components.clouds.local.registry import PORT as REGISTRY_PORT
from components.clouds.local.registry import Registry, RegistryArgs
from components.component import Component
from components.machine import EngineSettings, Machine, MachineSpec, UserData, render_user_data
from components.naming import physical_name
from components.plan.addresses import AddressPlan, host_number
from components.services.route import Route
from components.storage.volume import StoredVolume, VolumeSpec
from components.swarm.cluster import SwarmCluster


@dataclass(frozen=True, kw_only=True)
class LocalImages:
    """Tags of the images that containers of the local cloud run, and the images inside its registry."""

    machine: str
    registry: str
    haproxy: str
    services: Mapping[str, Image]


@dataclass(frozen=True, kw_only=True)
class LocalCloudArgs:
    """`prefix` begins every name on the user's Docker (`flotilla-dev`); `first_port` is the port on 127.0.0.1 that SSH
    ports count from: the machine's host number is added, so that a port never moves to another machine; `listen` is
    the address on the user's computer where the load balancer listens."""

    prefix: str
    specs: tuple[MachineSpec, ...]
    addresses: AddressPlan
    engine: EngineSettings
    images: LocalImages
    upstream: Mapping[str, str]
    docker_host: str
    capabilities: tuple[str, ...]
    ssh_public_key: str
    first_port: int
    listen: str
    statistics_port: int
    protect: bool

    def ssh_port(self, node: str) -> int:
        """The port on 127.0.0.1 that leads to the machine's sshd."""
        return self.first_port + host_number(node)


class LocalCloud(Component):
    """Network, registry and machines; the network is the anchor that everything in the machines goes away with."""

    token = "flotilla:local:Cloud"
    declares = ("machines", "images", "anchor", "network", "provider")

    machines: tuple[Machine, ...]
    images: ImageSource
    anchor: pulumi.Resource
    network: Network
    provider: docker.Provider

    def __init__(self, name: str, args: LocalCloudArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._labels = ((STACK_LABEL, args.prefix),)
        self._host = docker.Provider(self.child_name("docker"), host=args.docker_host, opts=self.child())
        self._tls = tls.Provider(self.child_name("tls"), opts=self.child())
        network = self._network()
        registry = self._registry(network)
        user_data = registry.authority.apply(self._user_data)
        machines = tuple(self._instance(spec, network, user_data).machine for spec in args.specs)
        self.publish(
            machines=machines,
            images=ImageSource(registry=registry.endpoint, images=args.images.services, upstream=args.upstream),
            anchor=network.network,
            network=network,
            provider=self._host,
        )

    def _network(self) -> Network:
        args = self._args
        return Network(
            self.child_name("network"),
            NetworkArgs(
                physical_name=args.prefix,
                subnet=str(args.addresses.machine_network),
                gateway=args.addresses.gateway,
                labels=tuple(docker.NetworkLabelArgs(label=key, value=value) for key, value in self._labels),
                provider=self._host,
            ),
            self.child(),
        )

    def _registry(self, network: Network) -> Registry:
        args = self._args
        return Registry(
            self.child_name("registry"),
            RegistryArgs(
                physical_name=physical_name(args.prefix, "registry"),
                image=args.images.registry,
                address=args.addresses.registry,
                network=network,
                labels=tuple(docker.ContainerLabelArgs(label=key, value=value) for key, value in self._labels),
                provider=self._host,
                tls_provider=self._tls,
            ),
            self.child(),
        )

    def _user_data(self, authority: str) -> str:
        args = self._args
        return render_user_data(
            UserData(
                ssh_public_keys=(args.ssh_public_key,),
                engine=args.engine,
                registry_authorities={f"{args.addresses.registry}:{REGISTRY_PORT}": authority},
            )
        )

    def _instance(self, spec: MachineSpec, network: Network, user_data: pulumi.Output[str]) -> Instance:
        args = self._args
        return Instance(
            self.child_name(spec.name),
            InstanceArgs(
                spec=spec,
                physical_name=physical_name(args.prefix, spec.name),
                image=args.images.machine,
                address=args.addresses.node_address(spec.name),
                ssh_port=args.ssh_port(spec.name),
                user_data=user_data,
                capabilities=args.capabilities,
                protect=args.protect,
                network=network,
                labels=self._labels,
                provider=self._host,
                tls_provider=self._tls,
            ),
            self.child(),
        )

    @property
    def mtu(self) -> None:
        """Docker's own network carries 1500 bytes."""
        return

    @property
    def proxy_command(self) -> None:
        """Machines are reached by ports of this computer."""
        return

    def volume(self, spec: VolumeSpec, cluster: SwarmCluster) -> StoredVolume:  # noqa: ARG002 - the protocol's
        """A Docker volume, which the node makes at the first mount: this computer's disk knows no profiles."""
        return StoredVolume(name=spec.name, node=spec.node, source=spec.name)

    def pool(self, cluster: SwarmCluster) -> None:  # noqa: ARG002 - the protocol's
        """Every machine is one of the plan."""
        return

    def balance(self, routes: tuple[Route, ...]) -> Mapping[str, pulumi.Input[str]]:
        """HAProxy in a container beside the machines."""
        args = self._args
        balancer = LoadBalancer(
            "load-balancer",
            LoadBalancerArgs(
                prefix=args.prefix,
                image=args.images.haproxy,
                address=args.addresses.load_balancer,
                listen=args.listen,
                statistics_port=args.statistics_port,
                routes=routes,
                nodes=len(args.specs),
                network=self.network,
                provider=self.provider,
            ),
        )
        return balancer.urls
