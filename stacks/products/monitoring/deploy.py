"""From settings to the component of monitoring."""

import pulumi

from components.machine import METRICS_PORT
from components.plan.addresses import first_bridge, parse_network
from components.plan.sizes import parse_size
from components.services.monitoring.alerts import AlertLimits
from components.services.monitoring.console import PAGE_PATH
from components.services.monitoring.names import USER
from components.services.monitoring.product import GrafanaArgs, Monitoring, MonitoringArgs
from stacks.products.monitoring.plan import CADVISOR, GRAFANA, VOLUME, monitoring_settings
from stacks.products.monitoring.settings import AlertSettings
from stacks.products.platform import Deployed, Platform

_FIELD = "services.monitoring"


def deploy_monitoring(platform: Platform) -> Deployed:
    """Monitoring, its routes, and how to log in."""
    made = Monitoring("monitoring", _monitoring(platform))
    return Deployed(
        routes=made.routes,
        networks={overlay.key: overlay.network_id for overlay in (made.overlay, made.sockets.overlay)},
        outputs={"monitoring": {"user": USER, "page": PAGE_PATH}, "monitoring_password": made.password},
    )


def _monitoring(platform: Platform) -> MonitoringArgs:
    settings = platform.settings
    monitoring = monitoring_settings(settings)
    bridges = parse_network(settings.network.bridges, field="network.bridges")
    url = monitoring.alerts.url
    return MonitoringArgs(
        port=monitoring.port,
        alert_port=monitoring.alerts.port,
        memory=parse_size(monitoring.memory, field=f"{_FIELD}.memory"),
        volume=platform.volumes[VOLUME],
        retention=monitoring.retention,
        retention_bytes=parse_size(monitoring.retention_size, field=f"{_FIELD}.retention_size"),
        interval=monitoring.interval,
        repeat=monitoring.alerts.repeat,
        engine_metrics=f"{first_bridge(bridges)}:{METRICS_PORT}",
        limits=_limits(monitoring.alerts),
        alert_url=pulumi.Output.secret(url.get_secret_value()) if url else None,
        external_url=monitoring.external_url or "",
        cadvisor=CADVISOR in settings.images,
        grafana=_grafana(platform),
        publish_mode=platform.publish_mode,
        cluster=platform.swarm,
        images=platform.images,
    )


def _limits(alerts: AlertSettings) -> AlertLimits:
    return AlertLimits(
        after=alerts.after,
        disk_free_percent=alerts.disk_free_percent,
        memory_percent=alerts.memory_percent,
        raft_bytes=parse_size(alerts.raft_size, field=f"{_FIELD}.alerts.raft_size"),
        raft_seconds=alerts.raft_seconds,
        certificate_left_percent=alerts.certificate_left_percent,
    )


def _grafana(platform: Platform) -> GrafanaArgs | None:
    if GRAFANA not in platform.settings.images:
        return None
    grafana = monitoring_settings(platform.settings).grafana
    return GrafanaArgs(port=grafana.port, memory=parse_size(grafana.memory, field=f"{_FIELD}.grafana.memory"))
