"""From settings to the component of the MVC application."""

from components.plan.durations import parse_duration
from components.plan.sizes import parse_size
from components.services.container import RestartPolicy
from components.services.mvc import Mvc, MvcArgs
from components.services.service import UpdatePolicy
from stacks.products.mvc.plan import DATABASE_VOLUME, RELEASES, most_tasks, mvc_settings, replicas
from stacks.products.platform import Deployed, Platform


def deploy_mvc(platform: Platform) -> Deployed:
    """The application with its database; what the last migration said, and the database's password, as outputs."""
    made = Mvc("mvc", _args(platform))
    return Deployed(
        routes=made.routes,
        networks={made.overlay.key: made.overlay.network_id},
        outputs={"mvc_migration": made.migration, "mvc_database_password": made.database_password},
    )


def _args(platform: Platform) -> MvcArgs:
    mvc = mvc_settings(platform.settings)
    timeout = parse_duration(mvc.migration_timeout, field="services.mvc.migration_timeout")
    return MvcArgs(
        image=RELEASES[mvc.version],
        replicas=replicas(mvc),
        expected=most_tasks(platform.settings),
        port=mvc.port,
        memory=parse_size(mvc.memory, field="services.mvc.memory"),
        cpus=mvc.cpus,
        constraints=tuple(mvc.constraints),
        database_memory=parse_size(mvc.database_memory, field="services.mvc.database_memory"),
        database_volume=platform.volumes[DATABASE_VOLUME],
        database_port=mvc.publish_database,
        migration_seconds=max(1, timeout // 10**9),
        update=UpdatePolicy(parallelism=mvc.update.parallelism, delay=mvc.update.delay),
        restart=RestartPolicy(
            condition=mvc.restart.condition, delay=mvc.restart.delay, max_attempts=mvc.restart.max_attempts
        ),
        publish_mode=platform.publish_mode,
        runner=platform.cluster.jobs,
        cluster=platform.swarm,
        images=platform.images,
    )
