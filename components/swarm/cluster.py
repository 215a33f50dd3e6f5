"""The swarm: one cluster, a node for every machine, and the provider that services are deployed with.

Joins fan out from the cluster; nothing of it depends on a machine's instance id, so that replacing a machine never
initialises a second swarm."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.component import Component
from components.machine import Machine
from components.swarm import resources as swarm
from components.swarm.endpoint import docker_provider, known_hosts_name, proxy_options

Availability = Literal["active", "pause", "drain"]


@dataclass(frozen=True, kw_only=True)
class Swarm:
    """A swarm that services are deployed on: `resource` is what they go away with, `readiness` the gate that they wait
    behind, `mtu` the underlay's in bytes as text, None where Docker's own 1500 is right."""

    resource: pulumi.Resource
    readiness: pulumi.Resource
    provider: docker.Provider
    mtu: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class JobRunner:
    """What runs jobs in the swarm: the plugin, and the managers that it may ask."""

    plugin: swarm.Provider
    managers: tuple[pulumi.Output[swarm.Connection], ...]
    cluster_id: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class SwarmClusterArgs:
    """`machines` holds managers first; `default_address_pools` are CIDRs that overlay networks of prefix length
    `subnet_size` are cut from; `certificate_expiry` is a Go duration; `identity_file` is a path, never a key;
    `proxy_command` is ssh's ProxyCommand where the machines have no public address."""

    machines: tuple[Machine, ...]
    identity_file: str
    default_address_pools: tuple[str, ...]
    subnet_size: int
    data_path_port: int
    autolock: bool
    certificate_expiry: str
    task_history_limit: int
    snapshot_interval: int
    availability: Mapping[str, Availability] = field(default_factory=dict[str, Availability])
    anchor: pulumi.Resource
    protect: bool
    proxy_command: pulumi.Input[str] | None = None

    @property
    def managers(self) -> tuple[Machine, ...]:
        """The machines with the role manager."""
        return tuple(machine for machine in self.machines if machine.spec.role == "manager")


class SwarmCluster(Component):
    """Hosts (machines that answer), the cluster, its nodes and a docker.Provider for what runs on it."""

    token = "flotilla:swarm:SwarmCluster"
    declares = ("resource", "cluster_id", "endpoint", "readiness", "provider")

    resource: swarm.Cluster
    cluster_id: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    readiness: pulumi.Resource
    provider: docker.Provider

    def __init__(self, name: str, args: SwarmClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self.plugin = swarm.Provider(
            self.child_name("plugin"),
            identity_file=args.identity_file,
            ssh_options=proxy_options(args.proxy_command),
            opts=self.child(),
        )
        hosts = {machine.spec.name: self._host(machine) for machine in args.machines}
        # Of every machine, for what else is done on it; not registered as an output, which a thousand of them would be.
        self.connections = {name: host.connection for name, host in hosts.items()}
        self._connections = [hosts[machine.spec.name].connection for machine in args.managers]
        cluster = self._cluster(hosts)
        nodes = [self._node(machine, hosts[machine.spec.name], cluster) for machine in args.machines]
        readiness = swarm.Readiness(
            self.child_name("readiness"),
            managers=self._connections,
            cluster_id=cluster.cluster_id,
            node_ids=[node.node_id for node in nodes],
            opts=self.child(provider=self.plugin, deleted_with=cluster),
        )
        provider = docker_provider(
            self.child_name("docker"),
            host=cluster.endpoint,
            known_as=cluster.endpoint.apply(known_hosts_name),
            host_key=cluster.endpoint_host_key,
            identity_file=args.identity_file,
            proxy_command=args.proxy_command,
            opts=self.child(),
        )
        self.publish(
            resource=cluster,
            cluster_id=cluster.cluster_id,
            endpoint=cluster.endpoint,
            readiness=readiness,
            provider=provider,
        )

    @property
    def jobs(self) -> JobRunner:
        """What jobs are run by."""
        return JobRunner(plugin=self.plugin, managers=tuple(self._connections), cluster_id=self.cluster_id)

    def _host(self, machine: Machine) -> swarm.Host:
        endpoint = machine.endpoint
        return swarm.Host(
            self.child_name("host", machine.spec.name),
            connection=swarm.ConnectionArgs(
                address=endpoint.address, port=endpoint.port, user=endpoint.user, host_key=endpoint.host_key
            ),
            # A machine that was replaced has to answer again, under the same name and address.
            triggers={"machine": machine.identity},
            opts=self.child(provider=self.plugin, deleted_with=self._args.anchor),
        )

    def _cluster(self, hosts: Mapping[str, swarm.Host]) -> swarm.Cluster:
        args = self._args
        first = args.managers[0]
        return swarm.Cluster(
            self.child_name("cluster"),
            connection=hosts[first.spec.name].connection,
            managers=self._connections,
            advertise_address=first.private_address,
            data_path_port=args.data_path_port,
            default_address_pools=list(args.default_address_pools),
            subnet_size=args.subnet_size,
            autolock=args.autolock,
            certificate_expiry=args.certificate_expiry,
            task_history_limit=args.task_history_limit,
            snapshot_interval=args.snapshot_interval,
            opts=self.child(provider=self.plugin, deleted_with=args.anchor, protect=args.protect),
        )

    def _node(self, machine: Machine, host: swarm.Host, cluster: swarm.Cluster) -> swarm.Node:
        spec = machine.spec
        return swarm.Node(
            self.child_name("node", spec.name),
            connection=host.connection,
            managers=self._connections,
            cluster_id=cluster.cluster_id,
            manager_addresses=cluster.manager_addresses,
            join_token=cluster.manager_token if spec.role == "manager" else cluster.worker_token,
            role=spec.role,
            advertise_address=machine.private_address,
            availability=self._args.availability.get(spec.name, "active"),
            labels={**spec.labels, "zone": spec.zone},
            # A new machine without the old one's data is another node: the old one leaves before its machine goes.
            triggers=None if machine.keeps_state else {"machine": machine.identity},
            # With the cluster, not the machine: removing one machine must drain it, removing all must not.
            opts=self.child(provider=self.plugin, deleted_with=cluster),
        )
