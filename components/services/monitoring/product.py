"""Monitoring of a swarm (M137-M140): Prometheus, which finds what to measure by asking a manager, Alertmanager,
exporters on every node, and pages. Who looks gives a password; it is made here and stays in files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components.clouds.cloud import ImageSource
from components.component import Component
from components.services.container import ContainerOptions
from components.services.monitoring import exporters, names
from components.services.monitoring.alerts import RULES_PATH, AlertLimits, render_rules
from components.services.monitoring.console import CONSOLE_PATH, render_console
from components.services.monitoring.exporters import Measuring
from components.services.monitoring.grafana import (
    DASHBOARD_PATH,
    DATA_SOURCE_PATH,
    PROVIDER_PATH,
    render_dashboard,
    render_data_source,
    render_provider,
)
from components.services.monitoring.prometheus import (
    ALERTMANAGER_PATH,
    CONFIGURATION_PATH,
    Scraping,
    render_alertmanager,
    render_prometheus,
    render_web_config,
)
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
from components.services.socket_proxy import SocketProxy, SocketProxyArgs
from components.storage.volume import Mount, StoredVolume
from components.swarm.cluster import Swarm

_DATA = "/prometheus"
_OWNER = "909"
"""Number of the user that Prometheus and Alertmanager run as."""
_GRAFANA_OWNER = "472"
_MEBIBYTE = 2**20
_STOP_FIRST = UpdatePolicy(order="stop-first")


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """`port` is published; `memory` is a limit in bytes."""

    port: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`port` and `alert_port` are published; `memory` is Prometheus' limit in bytes, `retention_bytes` and `retention`
    (a duration) what it keeps at most. `alert_url` is called when an alert begins and ends, nobody where it is None.

    `engine_metrics` is the `host:port` where a container finds its own node's engine. `cadvisor` and `grafana` take
    images that the settings name; without Grafana the pages are Prometheus' own.
    """

    port: int
    alert_port: int
    memory: int
    volume: StoredVolume
    retention: str
    retention_bytes: int
    interval: str
    repeat: str
    engine_metrics: str
    limits: AlertLimits = field(default_factory=AlertLimits)
    alert_url: pulumi.Input[str] | None = None
    external_url: str = ""
    cadvisor: bool = False
    grafana: GrafanaArgs | None = None
    publish_mode: Literal["host", "ingress"]
    cluster: Swarm
    images: ImageSource


class Monitoring(Component):
    """The services `monitoring-…` on the overlay `monitoring`, which services that want to be measured may join."""

    token = "flotilla:services:Monitoring"
    declares = ("services", "overlay", "sockets", "routes", "password")

    services: Mapping[str, SwarmService]
    overlay: Overlay
    sockets: SocketProxy
    routes: tuple[Route, ...]
    password: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        overlay = Overlay(
            self.child_name("overlay"), OverlayArgs(name=names.OVERLAY, cluster=args.cluster), self.child()
        )
        # On every manager, so that the loss of one does not leave Prometheus without an answer.
        sockets = SocketProxy(
            self.child_name("sockets"),
            SocketProxyArgs(name=names.SOCKETS, replicas=None, cluster=args.cluster, images=args.images),
            self.child(),
        )
        login = self._login()
        measuring = Measuring(
            overlay_id=overlay.network_id,
            sockets_id=sockets.overlay.network_id,
            docker_host=sockets.endpoint,
            engine_metrics=args.engine_metrics,
            cadvisor=args.cadvisor,
            cluster=args.cluster,
            images=args.images,
        )
        services = {
            "prometheus": _prometheus(args, overlay, sockets, login),
            "alertmanager": _alertmanager(args, overlay, login),
            "node-exporter": exporters.node_exporter(measuring),
            "engine-exporter": exporters.engine_exporter(measuring),
            "swarm-exporter": exporters.swarm_exporter(measuring),
            **({"cadvisor": exporters.cadvisor(measuring)} if args.cadvisor else {}),
        }
        routes = [
            _route(names.PROMETHEUS, args.port, names.PROMETHEUS_PORT, overlay),
            _route(names.ALERTMANAGER, args.alert_port, names.ALERTMANAGER_PORT, overlay),
        ]
        if args.grafana:
            services["grafana"] = _grafana(args, args.grafana, overlay, login)
            route = _route(names.GRAFANA, args.grafana.port, names.GRAFANA_PORT, overlay, health_path="/api/health")
            routes.append(route)
        self.publish(
            services={
                key: SwarmService(self.child_name(key), service, self.child()) for key, service in services.items()
            },
            overlay=overlay,
            sockets=sockets,
            routes=tuple(routes),
            password=login.password,
        )

    def _login(self) -> "_Login":
        password = Passwords(self).make("password", secret_outputs=("bcryptHash",))
        return _Login(password=password.result, web_config=password.bcrypt_hash.apply(render_web_config))


@dataclass(frozen=True, kw_only=True)
class _Login:
    """The password, and the file that lets it in."""

    password: pulumi.Output[str]
    web_config: pulumi.Output[str]

    def files(self) -> dict[str, FileContent]:
        """Both as files that their user alone reads."""
        return {
            "web": FileContent(path=names.WEB_CONFIG_FILE, content=self.web_config, mode=0o400, uid=_OWNER),
            "password": FileContent(path=names.PASSWORD_FILE, content=self.password, mode=0o400, uid=_OWNER),
        }

    @staticmethod
    def environment() -> dict[str, pulumi.Input[str]]:
        """Where these files are, for the start and for the health check."""
        return {
            "WEB_CONFIG": names.WEB_CONFIG_FILE,
            "LOGIN_USER": names.USER,
            "LOGIN_PASSWORD_FILE": names.PASSWORD_FILE,
        }


def _prometheus(args: MonitoringArgs, overlay: Overlay, sockets: SocketProxy, login: _Login) -> SwarmServiceArgs:
    configuration = sockets.endpoint.apply(
        lambda host: render_prometheus(Scraping(interval=args.interval, docker_host=host))
    )
    return SwarmServiceArgs(
        name=names.PROMETHEUS,
        image="prometheus",
        container=ContainerOptions(command=("prometheus-start",), cap_drop=("ALL",)),
        replicas=1,
        memory=args.memory,
        cpus=1.0,
        # It reads its log of writes before it answers.
        healthcheck=Healthcheck(test=("prometheus-health",), interval="10s", timeout="5s", start_period="5m"),
        networks={names.OVERLAY: overlay.network_id, names.SOCKETS: sockets.overlay.network_id},
        environment={
            **login.environment(),
            "RETENTION_TIME": args.retention,
            "RETENTION_SIZE": f"{args.retention_bytes}B",
            **({"EXTERNAL_URL": args.external_url} if args.external_url else {}),
        },
        secrets=login.files(),
        configs={
            "configuration": FileContent(path=CONFIGURATION_PATH, content=configuration),
            "rules": FileContent(path=RULES_PATH, content=render_rules(args.limits)),
            "page": FileContent(path=CONSOLE_PATH, content=render_console()),
        },
        volumes=(args.volume.at(_DATA),),
        ports=mesh_ports(args.publish_mode, target=names.PROMETHEUS_PORT, published=args.port),
        update=_STOP_FIRST,
        stop_grace_period="1m",
        cluster=args.cluster,
        images=args.images,
    )


def _alertmanager(args: MonitoringArgs, overlay: Overlay, login: _Login) -> SwarmServiceArgs:
    url = pulumi.Output.from_input(args.alert_url)
    configuration = url.apply(lambda url: render_alertmanager(url, args.repeat))
    return SwarmServiceArgs(
        name=names.ALERTMANAGER,
        image="alertmanager",
        container=ContainerOptions(command=("alertmanager-start",), cap_drop=("ALL",)),
        replicas=1,
        memory=128 * _MEBIBYTE,
        cpus=0.5,
        healthcheck=Healthcheck(test=("alertmanager-health",), interval="10s", timeout="5s"),
        networks={names.OVERLAY: overlay.network_id},
        environment={**login.environment(), "ALERTMANAGER_CONFIG": ALERTMANAGER_PATH},
        secrets={
            **login.files(),
            "receivers": FileContent(path=ALERTMANAGER_PATH, content=configuration, mode=0o400, uid=_OWNER),
        },
        # Silences stay where they are: beside Prometheus, without which there is nothing to silence.
        mounts=(Mount(type="volume", source=names.ALERTMANAGER, target="/alertmanager"),),
        constraints=args.volume.at(_DATA).constraints,
        ports=mesh_ports(args.publish_mode, target=names.ALERTMANAGER_PORT, published=args.alert_port),
        update=_STOP_FIRST,
        cluster=args.cluster,
        images=args.images,
    )


def _grafana(args: MonitoringArgs, grafana: GrafanaArgs, overlay: Overlay, login: _Login) -> SwarmServiceArgs:
    """Grafana (M140) as its image is: everything by files, so that nothing is added by hand."""
    password = FileContent(path=names.PASSWORD_FILE, content=login.password, mode=0o400, uid=_GRAFANA_OWNER)
    return SwarmServiceArgs(
        name=names.GRAFANA,
        image="grafana",
        replicas=1,
        memory=grafana.memory,
        cpus=1.0,
        healthcheck=Healthcheck(
            test=("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{names.GRAFANA_PORT}/api/health"),
            interval="10s",
            start_period="2m",
        ),
        networks={names.OVERLAY: overlay.network_id},
        environment={
            "GF_SECURITY_ADMIN_USER": names.USER,
            "GF_SECURITY_ADMIN_PASSWORD__FILE": names.PASSWORD_FILE,
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": DASHBOARD_PATH,
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        },
        secrets={"password": password},
        configs={
            "data-source": FileContent(path=DATA_SOURCE_PATH, content=render_data_source()),
            "provider": FileContent(path=PROVIDER_PATH, content=render_provider()),
            "dashboard": FileContent(path=DASHBOARD_PATH, content=render_dashboard()),
        },
        mounts=(Mount(type="volume", source=names.GRAFANA, target="/var/lib/grafana"),),
        constraints=args.volume.at(_DATA).constraints,
        ports=mesh_ports(args.publish_mode, target=names.GRAFANA_PORT, published=grafana.port),
        update=_STOP_FIRST,
        cluster=args.cluster,
        images=args.images,
    )


def _route(service: str, published: int, target: int, overlay: Overlay, *, health_path: str = "") -> Route:
    # Without a path: no page answers 200 to somebody without the password.
    return SharedRoute(
        service=service,
        published=published,
        target=target,
        replicas=1,
        network_id=overlay.network_id,
        health_path=health_path,
        backend=service,
        network=overlay.key,
    )
