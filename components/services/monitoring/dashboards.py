"""What the pages show: each panel with its queries, once, for Prometheus' own console pages and for Grafana alike."""

from dataclasses import dataclass, field
from typing import Final, Literal

from components.services.monitoring.names import FILE_SYSTEMS, SERVICE_OF_CONTAINER

Unit = Literal["count", "cores", "bytes", "bytes per second", "percent", "seconds"]
TITLE: Final = "Swarm"
_BUSY = '100 * (1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[2m])))'
_OF_A_TASK = f'{SERVICE_OF_CONTAINER}!=""'


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query and, for graphs, what a line is called: the label of this name."""

    expression: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: the value of the query that has the row's key in label `key`, or, without a query, the row's
    own label of that name."""

    title: str
    label: str = ""
    expression: str = ""
    key: str = ""
    unit: Unit = "count"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One row for each series of `rows`, told apart by its label `label`, whose column is headed `heading`."""

    key: str
    title: str
    heading: str
    rows: str
    label: str
    columns: tuple[Column, ...]
    empty: str = "None."


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Lines over time."""

    key: str
    title: str
    unit: Unit
    queries: tuple[Query, ...] = field(default_factory=tuple[Query, ...])


def _by_service(metric: str, *, rate: bool) -> str:
    one = f"{metric}{{{_OF_A_TASK}}}"
    return f"sum by ({SERVICE_OF_CONTAINER}) ({f'rate({one}[2m])' if rate else one})"


ALERTS: Final = Table(
    key="alerts",
    title="Alerts",
    heading="Alert",
    rows='ALERTS{alertstate="firing"}',
    label="alertname",
    columns=(
        Column(title="Severity", label="severity"),
        Column(title="Node", label="node"),
        Column(title="Service", label="service"),
        Column(title="Mount", label="mountpoint"),
    ),
    empty="Nothing is wrong.",
)
NODES: Final = Table(
    key="nodes",
    title="Nodes",
    heading="Node",
    rows="flotilla_swarm_node_info",
    label="node",
    columns=(
        Column(title="Role", label="role"),
        Column(title="State", label="state"),
        Column(title="Availability", label="availability"),
        Column(title="Engine", label="version"),
        Column(title="CPU", expression=_BUSY, key="node", unit="percent"),
        Column(
            title="Memory",
            expression="100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
            key="node",
            unit="percent",
        ),
        Column(
            title="Fullest disk",
            expression=f"100 * (1 - min by (node) (node_filesystem_avail_bytes{{{FILE_SYSTEMS}}}"
            f" / node_filesystem_size_bytes{{{FILE_SYSTEMS}}}))",
            key="node",
            unit="percent",
        ),
        Column(
            title="Tasks",
            expression=f"count by (node) (container_last_seen{{{_OF_A_TASK}}})",
            key="node",
        ),
        Column(title="Raft log", expression="sum by (node) (flotilla_swarm_raft_bytes)", key="node", unit="bytes"),
        Column(
            title="Certificate",
            expression="flotilla_swarm_certificate_not_after_seconds - time()",
            key="node",
            unit="seconds",
        ),
    ),
)
SERVICES: Final = Table(
    key="services",
    title="Services",
    heading="Service",
    rows="flotilla_swarm_service_tasks_desired",
    label="service",
    columns=(
        Column(title="Mode", label="mode"),
        Column(title="Wanted", expression="flotilla_swarm_service_tasks_desired", key="service"),
        Column(title="Running", expression="flotilla_swarm_service_tasks_running", key="service"),
        Column(
            title="CPUs",
            expression=_by_service("container_cpu_usage_seconds_total", rate=True),
            key=SERVICE_OF_CONTAINER,
            unit="cores",
        ),
        Column(
            title="Memory",
            expression=_by_service("container_memory_working_set_bytes", rate=False),
            key=SERVICE_OF_CONTAINER,
            unit="bytes",
        ),
        Column(
            title="Limit",
            expression=_by_service("container_spec_memory_limit_bytes", rate=False),
            key=SERVICE_OF_CONTAINER,
            unit="bytes",
        ),
    ),
)
TABLES: Final = (ALERTS, NODES, SERVICES)
GRAPHS: Final = (
    Graph(key="cpu", title="CPU of nodes", unit="percent", queries=(Query(expression=_BUSY, line="node"),)),
    Graph(
        key="memory",
        title="Memory of nodes in use",
        unit="bytes",
        queries=(Query(expression="node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes", line="node"),),
    ),
    Graph(
        key="network",
        title="Network of nodes, received",
        unit="bytes per second",
        queries=(
            Query(
                expression="sum by (node)"
                ' (rate(node_network_receive_bytes_total{device!~"veth.*|docker.*|br-.*"}[2m]))',
                line="node",
            ),
        ),
    ),
    Graph(
        key="service-cpu",
        title="CPU of services",
        unit="cores",
        queries=(
            Query(
                expression=_by_service("container_cpu_usage_seconds_total", rate=True),
                line=SERVICE_OF_CONTAINER,
            ),
        ),
    ),
    Graph(
        key="service-memory",
        title="Memory of services",
        unit="bytes",
        queries=(
            Query(
                expression=_by_service("container_memory_working_set_bytes", rate=False),
                line=SERVICE_OF_CONTAINER,
            ),
        ),
    ),
    Graph(
        key="raft",
        title="Raft log of managers",
        unit="bytes",
        queries=(Query(expression="sum by (node) (flotilla_swarm_raft_bytes)", line="node"),),
    ),
)
