"""The one page that wires a platform: cloud, swarm, services, load balancer, outputs."""

import pulumi

from components.clouds.cloud import Cloud
from components.clouds.local.cloud import LocalCloud, LocalCloudArgs
from components.clouds.local.load_balancer import LoadBalancer, LoadBalancerArgs
from components.machine import Machine
from components.plan.sizes import parse_size
from components.services.edge import Edge, EdgeArgs
from components.services.route import Route
from components.services.web import Web, WebArgs
from components.services.wordpress import WordPress, WordPressArgs
from components.swarm.cluster import SwarmCluster, SwarmClusterArgs
from stacks.load import Inputs
from stacks.plan import Plan, make_plan
from stacks.settings import Settings, WebSettings, WordPressSettings


def deploy(inputs: Inputs) -> None:
    """Declare the whole platform. Everything that decides which resources exist is in `inputs` as a plain value."""
    settings = inputs.settings
    plan = make_plan(inputs.stack, settings)
    for warning in plan.warnings:
        pulumi.log.warn(warning)
    cloud = LocalCloud("local", _cloud(inputs, plan))
    cluster = SwarmCluster("swarm", _cluster(inputs, plan, cloud))
    routes: list[Route] = []
    if web := settings.services.web:
        routes.append(Web("web", _web(settings, web, cluster, cloud)).route)
    if blog := settings.services.wordpress:
        wordpress = WordPress("wordpress", _wordpress(settings, blog, cluster, cloud))
        routes.append(wordpress.route)
        pulumi.export("wordpress_administrator_password", wordpress.administrator_password)
    if routes and settings.network.publish_mode == "host":
        Edge("edge", EdgeArgs(routes=tuple(routes), cluster=cluster, images=cloud.images))
    load_balancer = LoadBalancer("load-balancer", _load_balancer(inputs, plan, cloud, tuple(routes)))
    pulumi.export("urls", load_balancer.urls)
    pulumi.export("cluster_id", cluster.cluster_id)
    pulumi.export("endpoint", cluster.endpoint)
    if settings.swarm.autolock:
        pulumi.export("unlock_key", cluster.resource.unlock_key)
    pulumi.export("nodes", {machine.spec.name: _node(machine) for machine in cloud.machines})


def _cloud(inputs: Inputs, plan: Plan) -> LocalCloudArgs:
    settings = inputs.settings
    return LocalCloudArgs(
        prefix=plan.prefix,
        specs=plan.specs,
        addresses=plan.addresses,
        engine=plan.engine,
        images=inputs.images,
        upstream=settings.images,
        docker_host=settings.local.docker_host,
        capabilities=inputs.capabilities,
        ssh_public_key=inputs.ssh_public_key,
        first_port=settings.ssh.first_port,
        protect=settings.protect,
    )


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
    )


def _web(settings: Settings, web: WebSettings, cluster: SwarmCluster, cloud: Cloud) -> WebArgs:
    return WebArgs(
        replicas=web.replicas,
        port=web.port,
        memory=parse_size(web.memory, field="services.web.memory"),
        publish_mode=settings.network.publish_mode,
        cluster=cluster,
        images=cloud.images,
    )


def _wordpress(settings: Settings, blog: WordPressSettings, cluster: SwarmCluster, cloud: Cloud) -> WordPressArgs:
    return WordPressArgs(
        replicas=blog.replicas,
        port=blog.port,
        title=blog.title,
        memory=parse_size(blog.memory, field="services.wordpress.memory"),
        database_memory=parse_size(blog.database_memory, field="services.wordpress.database_memory"),
        database_node=blog.database_node,
        publish_mode=settings.network.publish_mode,
        cluster=cluster,
        images=cloud.images,
    )


def _load_balancer(inputs: Inputs, plan: Plan, cloud: LocalCloud, routes: tuple[Route, ...]) -> LoadBalancerArgs:
    settings = inputs.settings.load_balancer
    return LoadBalancerArgs(
        prefix=plan.prefix,
        image=inputs.images.haproxy,
        address=plan.addresses.load_balancer,
        listen=settings.address,
        statistics_port=settings.statistics_port,
        routes=routes,
        nodes=len(cloud.machines),
        network=cloud.network,
        provider=cloud.provider,
    )


def _node(machine: Machine) -> dict[str, pulumi.Input[str] | pulumi.Input[int] | None]:
    """What `make status` and `make ssh` need to know of a machine."""
    return {
        "role": machine.spec.role,
        "address": machine.endpoint.address,
        "port": machine.endpoint.port,
        "user": machine.endpoint.user,
        "host_key": machine.endpoint.host_key,
        "private_address": machine.private_address,
    }
