"""What can be wrong with the settings of monitoring, refused before any resource exists, and what they come to."""

from collections.abc import Iterator, Mapping, Sequence

from components.plan.durations import parse_duration
from components.plan.errors import PlanError
from components.plan.placement import PlanNode
from components.plan.sizes import format_size, parse_size
from components.services.monitoring.names import OVERLAY, SOCKETS
from stacks.products.monitoring.settings import MonitoringSettings
from stacks.products.product import Product, check_data_node, check_least_memory, memory_limit, reserve_volume
from stacks.settings import Settings, VolumeSettings

VOLUME = "monitoring"
IMAGES = ("alertmanager", "exporter", "node-exporter", "prometheus")
CADVISOR = "cadvisor"
GRAFANA = "grafana"
_FIELD = "services.monitoring"
_LEAST_MEMORY = 256 * 2**20
_FEWEST_SECONDS = 5
_ON_EVERY_NODE = 3
_ALONE = 4
"""Tasks on the overlay: so many on every node, and so many that there is one of."""


class MonitoringProduct(Product):
    """Prometheus, Alertmanager and exporters (M137-M140)."""

    name = "monitoring"

    def images(self, settings: Settings) -> tuple[str, ...]:
        # The proxy in front of the managers' sockets is HAProxy.
        named = tuple(name for name in (CADVISOR, GRAFANA) if name in settings.images)
        return (*IMAGES, "haproxy", *named)

    def ports(self, settings: Settings) -> Mapping[str, int]:
        monitoring = monitoring_settings(settings)
        ports = {"monitoring": monitoring.port, "monitoring.alerts": monitoring.alerts.port}
        if GRAFANA in settings.images:
            ports["monitoring.grafana"] = monitoring.grafana.port
        return ports

    def overlays(self, settings: Settings) -> Mapping[str, int]:
        return {OVERLAY: _ON_EVERY_NODE * settings.most_nodes + _ALONE, SOCKETS: settings.managers.count + 2}

    def check(self, settings: Settings, nodes: Sequence[PlanNode]) -> None:
        monitoring = monitoring_settings(settings)
        check_least_memory(
            monitoring.memory, _LEAST_MEMORY, field=f"{_FIELD}.memory", problem="too little for Prometheus"
        )
        memory_limit(monitoring.grafana.memory, field=f"{_FIELD}.grafana.memory")
        check_data_node(monitoring.data_node, nodes, service="monitoring-prometheus", field=f"{_FIELD}.data_node")
        _check_times(monitoring)
        _check_room(settings, monitoring)

    def volumes(self, settings: Settings) -> Mapping[str, VolumeSettings]:
        monitoring = monitoring_settings(settings)
        reserve_volume(
            settings,
            VOLUME,
            owner="Prometheus",
            fix=f"use {_FIELD}.data_node, size and profile, or another name",
        )
        volume = VolumeSettings(node=monitoring.data_node, size=monitoring.size, profile=monitoring.profile)
        return {VOLUME: volume}

    def sizes(self, settings: Settings) -> Mapping[str, str]:
        del settings
        return {VOLUME: f"{_FIELD}.size"}

    def warnings(self, settings: Settings, nodes: Sequence[PlanNode]) -> Iterator[str]:
        del nodes
        monitoring = monitoring_settings(settings)
        if monitoring.alerts.url is None:
            yield f"{_FIELD}.alerts.url is not set: alerts are shown on the page, and nobody is told of them"
        if settings.cloud != "local":
            yield (
                f"{_FIELD}.port is {monitoring.port}: Prometheus and Alertmanager ask for a password, which goes over "
                "HTTP as it is; let a network of yours alone reach the load balancer"
            )


def monitoring_settings(settings: Settings) -> MonitoringSettings:
    """The settings of monitoring that is wanted."""
    assert settings.services.monitoring is not None
    return settings.services.monitoring


def _check_times(monitoring: MonitoringSettings) -> None:
    interval = parse_duration(monitoring.interval, field=f"{_FIELD}.interval")
    if interval < _FEWEST_SECONDS * 10**9:
        raise PlanError(
            field=f"{_FIELD}.interval",
            value=monitoring.interval,
            problem="every node would do little else than answer",
            fix=f"use {_FEWEST_SECONDS}s or more",
        )
    if interval > 60 * 10**9:
        raise PlanError(
            field=f"{_FIELD}.interval",
            value=monitoring.interval,
            problem="graphs and alerts look at two minutes, and need two samples in them",
            fix="use 1m or less",
        )
    if parse_duration(monitoring.retention, field=f"{_FIELD}.retention") < 2 * 3600 * 10**9:
        raise PlanError(
            field=f"{_FIELD}.retention",
            value=monitoring.retention,
            problem="Prometheus writes blocks of two hours",
            fix="use 2h or more",
        )


def _check_room(settings: Settings, monitoring: MonitoringSettings) -> None:
    """On a volume of its own Prometheus must not come to its end: it needs room for the block that it writes next."""
    if settings.cloud == "local":
        return
    kept = parse_size(monitoring.retention_size, field=f"{_FIELD}.retention_size")
    room = parse_size(monitoring.size, field=f"{_FIELD}.size")
    if kept * 5 > room * 4:
        raise PlanError(
            field=f"{_FIELD}.retention_size",
            value=monitoring.retention_size,
            problem=f"the volume of {monitoring.size} would be full before the oldest samples go",
            fix=f"use at most {format_size(room * 4 // 5)}, or give {_FIELD}.size more",
        )
