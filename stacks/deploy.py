"""The one page that wires a platform: cloud, swarm, volumes, services, load balancer, outputs."""

from collections.abc import Sequence

import pulumi

from components.clouds.cloud import Cloud
from components.machine import Machine
from components.plan.durations import parse_duration
from components.plan.errors import PlanError
from components.plan.sizes import MIB, parse_size
from components.services.compose.stack import ComposeStack, ComposeStackArgs
from components.services.edge import Edge, EdgeArgs
from components.services.route import Route
from components.services.spark import Spark, SparkArgs
from components.services.spark_job import SparkJob, SparkJobArgs
from components.services.web import Web, WebArgs
from components.services.wordpress import WordPress, WordPressArgs
from components.storage.volume import StoredVolume
from components.swarm.cluster import Swarm, SwarmCluster, SwarmClusterArgs
from stacks.clouds import make_cloud
from stacks.composed import Composed, network_order
from stacks.errors import SettingsError
from stacks.load import Inputs
from stacks.plan import DATABASE_VOLUME, Plan, make_plan
from stacks.settings import Settings, WebSettings, WordPressSettings
from stacks.spark_plan import SPARK_VOLUME, spark_limits
from stacks.spark_settings import SparkSettings


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
    routes: list[Route] = []
    networks: dict[str, pulumi.Output[str]] = {}
    if web := settings.services.web:
        site = Web("web", _web(settings, web, swarm, cloud))
        routes.append(site.route)
        networks[site.overlay.key] = site.overlay.network_id
    if blog := settings.services.wordpress:
        wordpress = WordPress("wordpress", _wordpress(settings, blog, swarm, cloud, volumes))
        routes.append(wordpress.route)
        networks[wordpress.overlay.key] = wordpress.overlay.network_id
        pulumi.export("wordpress_administrator_password", wordpress.administrator_password)
    if spark := settings.services.spark:
        made = Spark("spark", _spark(settings, spark, swarm, cloud, volumes))
        routes.extend(made.routes)
        networks[made.overlay.key] = made.overlay.network_id
        jobs = {
            name: SparkJob(name, _spark_job(inputs, spark, name, made, cluster, swarm, cloud, volumes))
            for name in spark.jobs
        }
        pulumi.export("spark_jobs", {name: _outcome(job) for name, job in jobs.items()})
    for composed in network_order(inputs.composed):
        stack = ComposeStack(f"compose-{composed.name}", _compose(settings, composed, swarm, cloud, volumes, networks))
        routes += stack.routes
        networks |= stack.networks
    if routes and settings.network.publish_mode == "host":
        Edge("edge", EdgeArgs(routes=tuple(routes), cluster=swarm, images=cloud.images))
    pulumi.export("urls", cloud.balance(tuple(routes)))
    pulumi.export("cluster_id", cluster.cluster_id)
    pulumi.export("endpoint", cluster.endpoint)
    if settings.swarm.autolock:
        pulumi.export("unlock_key", cluster.resource.unlock_key)
    pulumi.export("nodes", {machine.spec.name: _node(machine, cluster) for machine in cloud.machines})
    if cloud.proxy_command is not None:
        pulumi.export("proxy_command", cloud.proxy_command)


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


def _web(settings: Settings, web: WebSettings, swarm: Swarm, cloud: Cloud) -> WebArgs:
    return WebArgs(
        replicas=web.replicas,
        port=web.port,
        memory=parse_size(web.memory, field="services.web.memory"),
        publish_mode=settings.network.publish_mode,
        cluster=swarm,
        images=cloud.images,
    )


def _wordpress(
    settings: Settings, blog: WordPressSettings, swarm: Swarm, cloud: Cloud, volumes: dict[str, StoredVolume]
) -> WordPressArgs:
    return WordPressArgs(
        replicas=blog.replicas,
        port=blog.port,
        title=blog.title,
        memory=parse_size(blog.memory, field="services.wordpress.memory"),
        database_memory=parse_size(blog.database_memory, field="services.wordpress.database_memory"),
        database_volume=volumes[DATABASE_VOLUME],
        publish_mode=settings.network.publish_mode,
        cluster=swarm,
        images=cloud.images,
    )


def _spark(
    settings: Settings, spark: SparkSettings, swarm: Swarm, cloud: Cloud, volumes: dict[str, StoredVolume]
) -> SparkArgs:
    limits = spark_limits(spark)
    return SparkArgs(
        workers=spark.workers,
        memory=limits.memory,
        cores=spark.cores,
        master_memory=limits.master,
        history_memory=limits.history,
        port=spark.port,
        history_port=spark.history.port,
        master_constraints=tuple(spark.master_constraints),
        worker_constraints=tuple(spark.worker_constraints),
        volume=volumes[SPARK_VOLUME],
        publish_mode=settings.network.publish_mode,
        cluster=swarm,
        images=cloud.images,
    )


def _spark_job(
    inputs: Inputs,
    spark: SparkSettings,
    name: str,
    made: Spark,
    cluster: SwarmCluster,
    swarm: Swarm,
    cloud: Cloud,
    volumes: dict[str, StoredVolume],
) -> SparkJobArgs:
    job, field = spark.jobs[name], f"services.spark.jobs.{name}"
    offered = spark_limits(spark).worker.executors
    return SparkJobArgs(
        application=job.application,
        source=inputs.job_sources.get(job.application),
        main_class=job.main_class,
        args=tuple(job.args),
        where=job.where,
        memory=parse_size(job.memory, field=f"{field}.memory"),
        cpus=job.cpus,
        executor_memory=parse_size(job.executor_memory or f"{offered}m", field=f"{field}.executor_memory") // MIB,
        executor_cores=job.executor_cores or spark.cores,
        total_cores=job.total_cores,
        timeout=parse_duration(job.timeout, field=f"{field}.timeout") // 10**9,
        run=job.run,
        master_url=made.master_url,
        network_id=made.overlay.network_id,
        volume=volumes[SPARK_VOLUME],
        runner=cluster.jobs,
        cluster=swarm,
        images=cloud.images,
    )


def _compose(
    settings: Settings,
    composed: Composed,
    swarm: Swarm,
    cloud: Cloud,
    volumes: dict[str, StoredVolume],
    networks: dict[str, pulumi.Output[str]],
) -> ComposeStackArgs:
    return ComposeStackArgs(
        stack=composed.name,
        file=composed.file,
        publish_mode=settings.network.publish_mode,
        secrets=composed.secrets,
        configs=composed.configs,
        generated=tuple(composed.settings.generated),
        volumes={source: volumes[name] for source, name in composed.settings.volumes.items()},
        external_networks=networks,
        health_paths=composed.settings.health_paths,
        cluster=swarm,
        images=cloud.images,
    )


def _outcome(job: SparkJob) -> dict[str, pulumi.Output[int] | pulumi.Output[Sequence[str]]]:
    return {"exit_code": job.exit_code, "result": job.result, "log": job.log}


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
