"""From settings to the components of HDFS and YARN and of their jobs."""

from components.plan.durations import parse_duration
from components.plan.hadoop import datanode_nodes
from components.plan.sizes import MIB, parse_size
from components.plan.spark import driver_heap
from components.services.hadoop import OVERLAY, FileSystem, HadoopImage
from components.services.hadoop_job import HadoopJob, HadoopJobArgs, SparkOnYarn
from components.services.hdfs import NAMENODE, Hdfs, HdfsArgs, datanode_name
from components.services.overlay import Overlay, OverlayArgs
from components.services.yarn import HistoryServer, Yarn, YarnArgs
from stacks.products.hadoop.plan import HadoopLimits, hadoop_limits, hadoop_settings
from stacks.products.hadoop.settings import HadoopJobSettings, HadoopSettings
from stacks.products.jobs import outcome
from stacks.products.platform import Deployed, Platform


def deploy_hadoop(platform: Platform) -> Deployed:
    """HDFS, YARN, and their jobs with their outcome as an output."""
    hadoop = hadoop_settings(platform.settings)
    limits = hadoop_limits(hadoop)
    overlay = Overlay("hadoop-overlay", OverlayArgs(name=OVERLAY, cluster=platform.swarm))
    made = HadoopImage(
        cluster=platform.swarm, images=platform.images, overlay=overlay, settings=_environment(hadoop, limits)
    )
    hdfs = Hdfs("hdfs", _hdfs(platform, hadoop, limits, made))
    yarn = Yarn("yarn", _yarn(platform, hadoop, limits, made))
    jobs = {name: HadoopJob(name, _job(platform, name, job, hdfs, yarn, made)) for name, job in hadoop.jobs.items()}
    return Deployed(
        routes=(*hdfs.routes, *yarn.routes),
        networks={overlay.key: overlay.network_id},
        outputs={"hadoop_jobs": {name: outcome(job) for name, job in jobs.items()}},
        file_system=FileSystem(overlay=overlay, url=hdfs.url),
    )


def _environment(hadoop: HadoopSettings, limits: HadoopLimits) -> dict[str, str]:
    """What the configuration in the image takes from the environment."""
    return {
        "HADOOP_REPLICATION": str(limits.copies),
        "HADOOP_PERMISSIONS": str(hadoop.permissions).lower(),
        "HADOOP_OFFERED_MEMORY": str(limits.offered),
        "HADOOP_OFFERED_CORES": str(hadoop.yarn.cores),
    }


def _hdfs(platform: Platform, hadoop: HadoopSettings, limits: HadoopLimits, made: HadoopImage) -> HdfsArgs:
    return HdfsArgs(
        namenode_memory=limits.namenode,
        secondary_memory=limits.secondary,
        datanode_memory=limits.datanode,
        namenode_volume=platform.volumes[NAMENODE],
        datanodes={number: platform.volumes[datanode_name(number)] for number in datanode_nodes(hadoop.datanodes)},
        decommission_seconds=limits.decommission,
        secondary_constraints=tuple(hadoop.yarn.constraints),
        port=hadoop.port,
        publish_mode=platform.publish_mode,
        runner=platform.cluster.jobs,
        made=made,
    )


def _yarn(platform: Platform, hadoop: HadoopSettings, limits: HadoopLimits, made: HadoopImage) -> YarnArgs:
    spark = hadoop.spark_history
    return YarnArgs(
        memory=limits.resourcemanager,
        nodemanagers=hadoop.yarn.nodemanagers,
        nodemanager_memory=limits.nodemanager,
        cores=hadoop.yarn.cores,
        constraints=tuple(hadoop.yarn.constraints),
        nodemanager_constraints=tuple(hadoop.yarn.nodemanager_constraints),
        port=hadoop.yarn.port,
        history=HistoryServer(memory=limits.history, port=hadoop.history.port),
        spark_history=HistoryServer(memory=limits.spark_history, port=spark.port)
        if spark and limits.spark_history is not None
        else None,
        publish_mode=platform.publish_mode,
        made=made,
    )


def _job(
    platform: Platform, name: str, job: HadoopJobSettings, hdfs: Hdfs, yarn: Yarn, made: HadoopImage
) -> HadoopJobArgs:
    field = f"services.hadoop.jobs.{name}"
    return HadoopJobArgs(
        application=job.application,
        main_class=job.main_class,
        args=tuple(job.args),
        spark=_spark(platform, job, field) if job.engine == "spark" else None,
        sample=job.sample,
        output=job.output,
        memory=parse_size(job.memory, field=f"{field}.memory"),
        cpus=job.cpus,
        timeout=parse_duration(job.timeout, field=f"{field}.timeout") // 10**9,
        run=job.run,
        file_system=hdfs.url,
        resourcemanager=yarn.url,
        runner=platform.cluster.jobs,
        made=made,
    )


def _spark(platform: Platform, job: HadoopJobSettings, field: str) -> SparkOnYarn:
    limit = parse_size(job.memory, field=f"{field}.memory")
    driver = parse_size(job.driver_memory, field=f"{field}.driver_memory") // MIB
    return SparkOnYarn(
        deploy_mode=job.deploy_mode,
        # The driver of a client is in the container that submits, which has a limit of its own.
        driver_memory=driver if job.deploy_mode == "cluster" else driver_heap(limit, field=f"{field}.memory"),
        executor_memory=parse_size(job.executor_memory, field=f"{field}.executor_memory") // MIB,
        executors=job.executors,
        executor_cores=job.executor_cores,
        events=hadoop_settings(platform.settings).spark_history is not None,
        source=platform.inputs.sources.get(job.application),
    )
