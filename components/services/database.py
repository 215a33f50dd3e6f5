"""The database of a product: MariaDB in one task on the node that holds its volume, in the product's own overlay, with
its passwords as files (E15)."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.clouds.cloud import ImageSource
from components.services.service import FileContent, Healthcheck, PublishedPort, SwarmServiceArgs, UpdatePolicy
from components.storage.volume import StoredVolume
from components.swarm.cluster import Swarm

DATABASE_PORT = 3306
_PASSWORD_FILE = "/run/secrets/database-password"
_ROOT_PASSWORD_FILE = "/run/secrets/root-password"


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """`service` is the name by which tasks find it, `database` that of the database and of its user; `memory` is a
    limit in bytes; `volume` holds its files; `networks` maps stable keys to ids."""

    service: str
    database: str
    memory: int
    volume: StoredVolume
    password: pulumi.Input[str]
    root_password: pulumi.Input[str]
    networks: Mapping[str, pulumi.Input[str]]
    cluster: Swarm
    images: ImageSource
    ports: tuple[PublishedPort, ...] = ()


def database_service(args: DatabaseArgs) -> SwarmServiceArgs:
    """The service, for the product whose child it is."""
    return SwarmServiceArgs(
        name=args.service,
        image="mariadb",
        replicas=1,
        memory=args.memory,
        cpus=1.0,
        healthcheck=Healthcheck(test=("database-health",), start_period="1m"),
        networks=args.networks,
        environment={
            "MYSQL_DATABASE": args.database,
            "MYSQL_USER": args.database,
            "MYSQL_PASSWORD_FILE": _PASSWORD_FILE,
            "MYSQL_ROOT_PASSWORD_FILE": _ROOT_PASSWORD_FILE,
        },
        secrets={
            "database-password": FileContent(path=_PASSWORD_FILE, content=args.password),
            "root-password": FileContent(path=_ROOT_PASSWORD_FILE, content=args.root_password),
        },
        volumes=(args.volume.at("/var/lib/mysql"),),
        ports=args.ports,
        # Two databases on one volume destroy it: the old task ends before the new one starts.
        update=UpdatePolicy(order="stop-first"),
        stop_grace_period="1m",
        cluster=args.cluster,
        images=args.images,
    )
