"""An application by model, view and controller with its database (M55-M61): the tables are brought to the release's
schema by a job that runs once, and only then the application's tasks start or are replaced."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.plan.sizes import MIB
from components.services.container import RestartPolicy
from components.services.database import DATABASE_PORT, DatabaseArgs, database_service
from components.services.job_files import job_secret
from components.services.overlay import Overlay, OverlayArgs
from components.services.passwords import Passwords
from components.services.route import Route, SharedRoute
from components.services.service import (
    FileContent,
    Healthcheck,
    SwarmService,
    SwarmServiceArgs,
    UpdatePolicy,
    mesh_ports,
)
from components.storage.volume import StoredVolume
from components.swarm import resources as swarm
from components.swarm.cluster import JobRunner, Swarm

APPLICATION = "mvc"
DATABASE = "mvc-database"
_APPLICATION_PORT = 80
_NAME = "mvc"
_PASSWORD_FILE = "/run/secrets/database-password"
# Its own, so that other limits for the application run no migration.
_MIGRATION_MEMORY = 128 * MIB
_MIGRATION_CPUS = 0.5


@dataclass(frozen=True, kw_only=True)
class MvcArgs:
    """`image` is the release's name among the images. `replicas` is None in global mode; `expected` are the tasks that
    there may be then, for the proxies. `memory` and `database_memory` are limits in bytes; `migration_seconds` is how
    long the migration may take; `database_port` is published, None when it is not (M60)."""

    image: str
    replicas: int | None
    expected: int
    port: int
    memory: int
    cpus: float
    constraints: tuple[str, ...]
    database_memory: int
    database_volume: StoredVolume
    database_port: int | None
    migration_seconds: int
    publish_mode: Literal["host", "ingress"]
    runner: JobRunner
    cluster: Swarm
    images: ImageSource
    update: UpdatePolicy = field(default_factory=UpdatePolicy)
    restart: RestartPolicy = field(default_factory=RestartPolicy)


class Mvc(Component):
    """The services `mvc` and `mvc-database`, the migration, their overlay and their passwords."""

    token = "flotilla:services:Mvc"
    declares = ("service", "database", "migration", "overlay", "routes", "database_password")

    service: SwarmService
    database: SwarmService
    migration: pulumi.Output[Sequence[str]]
    overlay: Overlay
    routes: tuple[Route, ...]
    database_password: pulumi.Output[str]

    def __init__(self, name: str, args: MvcArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._passwords = Passwords(self)
        password = self._passwords.make("database-password").result
        overlay = Overlay(self.child_name("overlay"), OverlayArgs(name=_NAME, cluster=args.cluster), self.child())
        database = SwarmService(self.child_name("database"), self._database(args, overlay, password), self.child())
        migration = self._migration(args, overlay, database, password)
        # The database as whoever waits for the migration knows it: tasks start on tables that are there, and one that
        # failed leaves the running release alone.
        migrated = pulumi.Output.all(database.service_name, migration.state).apply(lambda known: known[0])
        service = SwarmService(
            self.child_name("application"), _application(args, overlay, migrated, password), self.child()
        )
        self.publish(
            service=service,
            database=database,
            migration=migration.output,
            overlay=overlay,
            routes=_routes(args, overlay),
            database_password=password,
        )

    def _database(self, args: MvcArgs, overlay: Overlay, password: pulumi.Output[str]) -> SwarmServiceArgs:
        published = args.database_port
        return database_service(
            DatabaseArgs(
                service=DATABASE,
                database=_NAME,
                memory=args.database_memory,
                volume=args.database_volume,
                password=password,
                root_password=self._passwords.make("root-password").result,
                networks={overlay.key: overlay.network_id},
                ports=mesh_ports(args.publish_mode, target=DATABASE_PORT, published=published) if published else (),
                cluster=args.cluster,
                images=args.images,
            )
        )

    def _migration(
        self, args: MvcArgs, overlay: Overlay, database: SwarmService, password: pulumi.Output[str]
    ) -> swarm.Job:
        """Runs again when the image is another: a later release brings its tables along (M61)."""
        return swarm.Job(
            self.child_name("migration"),
            managers=args.runner.managers,
            cluster_id=args.runner.cluster_id,
            image=args.images.reference(args.image),
            command=["mvc-migrate"],
            env=_environment(database.service_name),
            secrets=[
                job_secret(self, "migration-password", content=password, file_name=_PASSWORD_FILE, cluster=args.cluster)
            ],
            networks=[overlay.network_id],
            constraints=list(args.constraints),
            memory=_MIGRATION_MEMORY,
            cpus=_MIGRATION_CPUS,
            timeout=args.migration_seconds,
            opts=self.child(
                provider=args.runner.plugin,
                deleted_with=args.cluster.resource,
                # Of a job that goes first, the application that waits for it would go before: its whole task would be
                # unknown, and with it whether it can stay. Another image is another name, so both may be there.
                delete_before_replace=False,
            ),
        )


def _environment(database: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    return {
        "MVC_DATABASE_HOST": database,
        "MVC_DATABASE": _NAME,
        "MVC_DATABASE_USER": _NAME,
        "MVC_DATABASE_PASSWORD_FILE": _PASSWORD_FILE,
    }


def _application(
    args: MvcArgs, overlay: Overlay, database: pulumi.Output[str], password: pulumi.Output[str]
) -> SwarmServiceArgs:
    return SwarmServiceArgs(
        name=APPLICATION,
        image=args.image,
        replicas=args.replicas,
        memory=args.memory,
        cpus=args.cpus,
        # A database that is started anew on its node must not take the application with it.
        healthcheck=Healthcheck(test=("mvc-health",), interval="3s", timeout="5s", retries=10),
        networks={overlay.key: overlay.network_id},
        environment={
            **_environment(database),
            "TASK_NAME": "{{.Task.Name}}",
            "NODE_NAME": "{{.Node.Hostname}}",
        },
        secrets={"database-password": FileContent(path=_PASSWORD_FILE, content=password)},
        constraints=args.constraints,
        ports=mesh_ports(args.publish_mode, target=_APPLICATION_PORT, published=args.port),
        update=args.update,
        restart=args.restart,
        # Longer than the web server waits for requests that run.
        stop_grace_period="30s",
        cluster=args.cluster,
        images=args.images,
    )


def _routes(args: MvcArgs, overlay: Overlay) -> tuple[Route, ...]:
    application = SharedRoute(
        service=APPLICATION,
        published=args.port,
        target=_APPLICATION_PORT,
        replicas=args.expected,
        network_id=overlay.network_id,
        health_path="/health",
        backend=APPLICATION,
        network=overlay.key,
    )
    if args.database_port is None:
        return (application,)
    database = SharedRoute(
        service=DATABASE,
        published=args.database_port,
        target=DATABASE_PORT,
        replicas=1,
        network_id=overlay.network_id,
        health_path="",
        backend=DATABASE,
        network=overlay.key,
    )
    return (application, database)
