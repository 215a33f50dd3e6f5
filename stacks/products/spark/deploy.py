"""From settings to the components of Spark and of its jobs."""

from components.plan.durations import parse_duration
from components.plan.sizes import MIB, parse_size
from components.services.hadoop import FileSystem
from components.services.spark import Spark, SparkArgs, events_folder
from components.services.spark_job import SparkJob, SparkJobArgs
from stacks.products.jobs import outcome
from stacks.products.platform import Deployed, Platform
from stacks.products.spark.plan import SPARK_VOLUME, spark_limits, spark_settings


def deploy_spark(platform: Platform) -> Deployed:
    """Spark, and its jobs with their outcome as an output."""
    made = Spark("spark", _spark(platform))
    jobs = {name: SparkJob(name, _job(platform, name, made)) for name in spark_settings(platform.settings).jobs}
    return Deployed(
        routes=made.routes,
        networks={made.overlay.key: made.overlay.network_id},
        outputs={"spark_jobs": {name: outcome(job) for name, job in jobs.items()}},
    )


def _spark(platform: Platform) -> SparkArgs:
    spark = spark_settings(platform.settings)
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
        volume=platform.volumes[SPARK_VOLUME],
        file_system=_file_system(platform),
        publish_mode=platform.publish_mode,
        cluster=platform.swarm,
        images=platform.images,
    )


def _file_system(platform: Platform) -> FileSystem | None:
    return platform.file_system if spark_settings(platform.settings).hdfs else None


def _job(platform: Platform, name: str, made: Spark) -> SparkJobArgs:
    spark = spark_settings(platform.settings)
    job, field = spark.jobs[name], f"services.spark.jobs.{name}"
    offered = spark_limits(spark).worker.executors
    return SparkJobArgs(
        application=job.application,
        source=platform.inputs.sources.get(job.application),
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
        secret=made.secret,
        events_folder=events_folder(_file_system(platform)),
        network_id=made.overlay.network_id,
        volume=platform.volumes[SPARK_VOLUME],
        runner=platform.cluster.jobs,
        cluster=platform.swarm,
        images=platform.images,
    )
