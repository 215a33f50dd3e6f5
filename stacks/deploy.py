"""The one page that wires a platform: cloud, swarm, volumes, services, load balancer, outputs."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pulumi

from components.clouds.cloud import Cloud
from components.machine import Machine
from components.plan.errors import PlanError
from components.services.compose.stack import ComposeStack, ComposeStackArgs
from components.services.edge import Edge, EdgeArgs
from components.services.route import Route
from components.swarm.cluster import Swarm, SwarmCluster, SwarmClusterArgs
from stacks.clouds import make_cloud
from stacks.composed import Composed, network_order
from stacks.errors import SettingsError
from stacks.load import Inputs
from stacks.plan import Plan, make_plan
from stacks.products.catalogue import in_order_of_deployment
from stacks.products.hadoop.deploy import deploy_hadoop
from stacks.products.monitoring.deploy import deploy_monitoring
from stacks.products.mvc.deploy import deploy_mvc
from stacks.products.platform import Deployed, Platform
from stacks.products.registry.deploy import deploy_registry
from stacks.products.spark.deploy import deploy_spark
from stacks.products.ui.deploy import deploy_ui
from stacks.products.web.deploy import deploy_web
from stacks.products.wordpress.deploy import deploy_wordpress

DEPLOYMENTS: Mapping[str, Callable[[Platform], Deployed]] = {
    "web": deploy_web,
    "wordpress": deploy_wordpress,
    "spark": deploy_spark,
    "hadoop": deploy_hadoop,
    "registry": deploy_registry,
    "ui": deploy_ui,
    "mvc": deploy_mvc,
    "monitoring": deploy_monitoring,
}
"""How each product of the catalogue is deployed."""


def deploy(inputs: Inputs) -> None:
    """Declare the whole platform. Everything that decides which resources exist is in `inputs` as a plain value."""
    try:
        _declare(inputs)
    except PlanError as error:
        # What only a component can know to be wrong is told like any other wrong setting: in one line.
        raise SettingsError(str(error)) from None


def _declare(inputs: Inputs) -> None:
    settings = inputs.settings
    plan = make_plan(inputs.stack, settings, inputs.composed)
    for warning in plan.warnings:
        pulumi.log.warn(warning)
    cloud = make_cloud(inputs, plan)
    cluster = SwarmCluster("swarm", _cluster(inputs, plan, cloud))
    swarm = Swarm(
        resource=cluster.resource,
        readiness=cloud.pool(cluster) or cluster.readiness,
        provider=cluster.provider,
        mtu=cloud.mtu,
    )
    volumes = {spec.name: cloud.volume(spec, cluster) for spec in plan.volumes}
    platform = Platform(inputs=inputs, cloud=cloud, cluster=cluster, swarm=swarm, volumes=volumes)
    routes = _services(platform)
    if routes and settings.network.publish_mode == "host":
        Edge("edge", EdgeArgs(routes=routes, cluster=swarm, images=cloud.images))
    pulumi.export("urls", cloud.balance(routes))
    pulumi.export("cluster_id", cluster.cluster_id)
    pulumi.export("endpoint", cluster.endpoint)
    if settings.swarm.autolock:
        pulumi.export("unlock_key", cluster.resource.unlock_key)
    pulumi.export("nodes", {machine.spec.name: _node(machine, cluster) for machine in cloud.machines})
    if cloud.proxy_command is not None:
        pulumi.export("proxy_command", cloud.proxy_command)


def _services(platform: Platform) -> tuple[Route, ...]:
    """Products and Compose files, and how requests reach them."""
    routes: list[Route] = []
    networks: dict[str, pulumi.Output[str]] = {}
    for product in in_order_of_deployment(platform.settings):
        deployed = DEPLOYMENTS[product.name](platform)
        platform = replace(platform, file_system=deployed.file_system or platform.file_system)
        routes += deployed.routes
        networks |= deployed.networks
        for name, value in deployed.outputs.items():
            pulumi.export(name, value)
    for composed in network_order(platform.inputs.composed):
        stack = ComposeStack(f"compose-{composed.name}", _compose(platform, composed, networks))
        routes += stack.routes
        networks |= stack.networks
    return tuple(routes)


def _cluster(inputs: Inputs, plan: Plan, cloud: Cloud) -> SwarmClusterArgs:
    settings = inputs.settings
    return SwarmClusterArgs(
        machines=cloud.machines,
        identity_file=inputs.identity_file,
        default_address_pools=(str(plan.addresses.swarm_pool),),
        subnet_size=settings.network.overlay_prefix,
        data_path_port=settings.swarm.data_path_port,
        autolock=settings.swarm.autolock,
        certificate_expiry=settings.swarm.certificate_expiry,
        task_history_limit=settings.swarm.task_history_limit,
        snapshot_interval=settings.swarm.snapshot_interval,
        availability={name: node.availability for name, node in settings.nodes.items()},
        anchor=cloud.anchor,
        protect=settings.protect,
        proxy_command=cloud.proxy_command,
    )


def _compose(platform: Platform, composed: Composed, networks: dict[str, pulumi.Output[str]]) -> ComposeStackArgs:
    return ComposeStackArgs(
        stack=composed.name,
        file=composed.file,
        publish_mode=platform.publish_mode,
        secrets=composed.secrets,
        configs=composed.configs,
        generated=tuple(composed.settings.generated),
        volumes={source: platform.volumes[name] for source, name in composed.settings.volumes.items()},
        external_networks=networks,
        health_paths=composed.settings.health_paths,
        cluster=platform.swarm,
        images=platform.images,
    )


def _node(machine: Machine, cluster: SwarmCluster) -> dict[str, pulumi.Input[str] | pulumi.Input[int] | None]:
    """What `make status` and `make ssh` need to know of a machine."""
    host_key = machine.endpoint.host_key
    if host_key is None:
        # That which no cloud knew beforehand was recorded at first contact.
        host_key = cluster.connections[machine.spec.name].apply(lambda connection: connection.host_key)
    return {
        "role": machine.spec.role,
        "address": machine.endpoint.address,
        "port": machine.endpoint.port,
        "user": machine.endpoint.user,
        "host_key": host_key,
        "private_address": machine.private_address,
    }
