"""WordPress on MariaDB (M53, M54): the database alone with its volume on one node, WordPress in several tasks away from
the managers. Every password is made here, and reaches the tasks as a file (E15)."""

from dataclasses import dataclass
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.services.database import DatabaseArgs, database_service
from components.services.overlay import Overlay, OverlayArgs
from components.services.passwords import Passwords
from components.services.route import Route
from components.services.service import FileContent, Healthcheck, SwarmService, SwarmServiceArgs, mesh_ports
from components.storage.volume import StoredVolume
from components.swarm.cluster import Swarm

_DATABASE = "wordpress-database"
_APACHE_PORT = 80


@dataclass(frozen=True, kw_only=True)
class WordPressArgs:
    """`memory` and `database_memory` are limits in bytes; `database_volume` holds the database's files."""

    replicas: int
    port: int
    title: str
    memory: int
    database_memory: int
    database_volume: StoredVolume
    publish_mode: Literal["host", "ingress"]
    cluster: Swarm
    images: ImageSource


class WordPress(Component):
    """The services `wordpress-database` and `wordpress`, their overlay and their passwords."""

    token = "flotilla:services:WordPress"
    declares = ("service", "database", "overlay", "route", "administrator_password")

    service: SwarmService
    database: SwarmService
    overlay: Overlay
    route: Route
    administrator_password: pulumi.Output[str]

    def __init__(self, name: str, args: WordPressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._passwords = Passwords(self)
        user_password = self._passwords.make("database-password").result
        administrator_password = self._passwords.make("administrator-password").result
        overlay = Overlay(self.child_name("overlay"), OverlayArgs(name="wordpress", cluster=args.cluster), self.child())
        database = SwarmService(
            self.child_name("database"),
            database_service(
                DatabaseArgs(
                    service=_DATABASE,
                    database="wordpress",
                    memory=args.database_memory,
                    volume=args.database_volume,
                    password=user_password,
                    root_password=self._passwords.make("root-password").result,
                    networks={"wordpress": overlay.network_id},
                    cluster=args.cluster,
                    images=args.images,
                )
            ),
            self.child(),
        )
        service = SwarmService(
            self.child_name("site"),
            self._site(args, overlay, user_password, administrator_password),
            self.child(),
        )
        route = Route(
            service="wordpress",
            published=args.port,
            target=_APACHE_PORT,
            replicas=args.replicas,
            network_id=overlay.network_id,
            health_path="/wp-login.php",
        )
        self.publish(
            service=service,
            database=database,
            overlay=overlay,
            route=route,
            administrator_password=administrator_password,
        )

    def _site(
        self,
        args: WordPressArgs,
        overlay: Overlay,
        password: pulumi.Output[str],
        administrator_password: pulumi.Output[str],
    ) -> SwarmServiceArgs:
        secrets = "/run/secrets"
        return SwarmServiceArgs(
            name="wordpress",
            image="wordpress",
            replicas=args.replicas,
            memory=args.memory,
            cpus=1.0,
            healthcheck=Healthcheck(test=("wordpress-health",), start_period="2m"),
            networks={"wordpress": overlay.network_id},
            environment={
                "WORDPRESS_DB_HOST": _DATABASE,
                "WORDPRESS_DB_NAME": "wordpress",
                "WORDPRESS_DB_USER": "wordpress",
                "WORDPRESS_DB_PASSWORD_FILE": f"{secrets}/database-password",
                "WORDPRESS_ADMIN_PASSWORD_FILE": f"{secrets}/administrator-password",
                "WORDPRESS_SALT_FILE": f"{secrets}/salt",
                "WORDPRESS_TITLE": args.title,
            },
            secrets={
                "site-password": FileContent(path=f"{secrets}/database-password", content=password),
                "administrator": FileContent(path=f"{secrets}/administrator-password", content=administrator_password),
                "salt": FileContent(path=f"{secrets}/salt", content=self._passwords.make("salt").result),
            },
            constraints=("node.role != manager",),
            ports=mesh_ports(args.publish_mode, target=_APACHE_PORT, published=args.port),
            cluster=args.cluster,
            images=args.images,
        )
