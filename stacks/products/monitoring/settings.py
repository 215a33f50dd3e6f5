"""The vocabulary of monitoring in a stack file (M137-M140)."""

from pydantic import Field

from components.storage.profiles import Profile
from stacks import patterns
from stacks.section import Duration, NodeName, Port, SecretText, Section, Size


class AlertSettings(Section):
    """When somebody is told, and who."""

    port: Port = Field(default=9093, description="Published port of Alertmanager.")
    url: SecretText | None = Field(
        default=None,
        description="Webhook that Alertmanager calls, encrypted (`config set --secret`); without it alerts are only "
        "shown.",
    )
    after: Duration = Field(default="1m", description="How long something is wrong before it is told.")
    repeat: Duration = Field(default="4h", description="When it is told again while it lasts.")
    disk_free_percent: float = Field(
        default=10, gt=0, lt=100, description="A file system with less than this left is told of."
    )
    memory_percent: float = Field(
        default=90, gt=0, le=100, description="A container that uses more of its memory limit is told of."
    )
    raft_size: Size = Field(default="512m", description="A manager whose Raft log is larger is told of (M46).")
    raft_seconds: float = Field(
        default=1, gt=0, description="Managers that need longer to agree on a change are told of."
    )
    certificate_left_percent: float = Field(
        default=15,
        gt=0,
        le=50,
        description="A node whose swarm certificate has less of its validity left was not renewed, and is told of.",
    )


class GrafanaSettings(Section):
    """Grafana, which is deployed where `images.grafana` names its image by digest."""

    port: Port = Field(default=3000, description="Published port.")
    memory: Size = Field(default="256m", description="Limit of its container.")


class MonitoringSettings(Section):
    """Prometheus, Alertmanager, exporters on every node, and pages. `images.cadvisor` and `images.grafana`, by digest,
    take the place of the exporter of containers and of the pages that come with the project."""

    port: Port = Field(default=9090, description="Published port of Prometheus and of the page /consoles/swarm.html.")
    memory: Size = Field(default="512m", description="Limit of Prometheus' container.")
    retention: Duration = Field(default="360h", description="How long samples are kept, at most.")
    retention_size: Size = Field(default="4g", description="How many bytes of them are kept, at most.")
    data_node: NodeName = Field(default="worker-1", description="Node of the volume `monitoring`.")
    profile: Profile = Field(default="bronze", description="Storage profile of that volume (not local).")
    size: Size = Field(default="20g", description="Size of that volume (not local).")
    interval: Duration = Field(default="15s", description="Time between two questions to each target.")
    external_url: str | None = Field(
        default=None, pattern=patterns.WEB_URL, description="Where users find Prometheus, for links in alerts."
    )
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    grafana: GrafanaSettings = Field(default_factory=GrafanaSettings)
