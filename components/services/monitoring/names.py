"""Names and ports that configuration, queries and services of monitoring have in common."""

from typing import Final

OVERLAY: Final = "monitoring"
PROMETHEUS: Final = "monitoring-prometheus"
ALERTMANAGER: Final = "monitoring-alertmanager"
NODE_EXPORTER: Final = "monitoring-node-exporter"
ENGINE_EXPORTER: Final = "monitoring-engine-exporter"
SWARM_EXPORTER: Final = "monitoring-swarm-exporter"
CADVISOR: Final = "monitoring-cadvisor"
GRAFANA: Final = "monitoring-grafana"
SOCKETS: Final = "monitoring-sockets"

PROMETHEUS_PORT: Final = 9090
ALERTMANAGER_PORT: Final = 9093
NODE_EXPORTER_PORT: Final = 9100
EXPORTER_PORT: Final = 9101
CADVISOR_PORT: Final = 8080
GRAFANA_PORT: Final = 3000

USER: Final = "flotilla"
"""Who may look at Prometheus and Alertmanager."""
PASSWORD_FILE: Final = "/run/secrets/password"
WEB_CONFIG_FILE: Final = "/run/secrets/web.yml"

SWARM_JOB: Final = "swarm"
ENGINE_JOB: Final = "engine"
NODE_JOB: Final = "node"
MACHINE_JOB: Final = "machine"
CONTAINERS_JOB: Final = "containers"

JOB_LABEL: Final = "prometheus.job"
PORT_LABEL: Final = "prometheus.port"
PATH_LABEL: Final = "prometheus.path"
"""Labels of a service that wants to be asked for metrics, on the overlay `monitoring`."""

FILE_SYSTEMS: Final = 'fstype!~"ramfs|squashfs|iso9660|fuse.*"'
"""File systems that may fill. Memory is among them: a full /run stops a machine too."""
SERVICE_OF_CONTAINER: Final = "container_label_com_docker_swarm_service_name"
